"""Two small sources with known truth: load.csv, hourly with one spike, and sales.csv, daily by region and shop with a price."""
import datetime
import math
import pathlib
import sys

FOLDER = pathlib.Path(sys.argv[1])
START = datetime.datetime(2026, 1, 1)


def noise(*at):
    """A number in [-1, 1) that is the same every time."""
    mixed = 0
    for part in at:
        mixed = (mixed * 6364136223846793005 + part * 1442695040888963407 + 1) % 2**64
        mixed ^= mixed >> 29
    return mixed / 2**63 - 1


def load():
    for hour in range(24 * 60):
        at = START + datetime.timedelta(hours=hour)
        value = 100 + 20 * math.sin(2 * math.pi * hour / 24) + 10 * (at.weekday() >= 5) + 3 * noise(1, hour)
        yield f"{at:%Y-%m-%dT%H:%M:%SZ},{value + 90 * (at == SPIKE):.2f}"


def sales():
    for region, shop in [("north", "007"), ("north", "8"), ("south", "it's 9")]:
        for day in range(130):
            at = START + datetime.timedelta(days=day - 60)
            price = 2.0 + 0.2 * (day % 10 < 3)
            value = 50 + len(shop) + 10 * (at.weekday() >= 5) - 8 * (price > 2.1) + 4 * noise(len(shop), day)
            yield f"{region},{shop},{at:%Y-%m-%d},{f'{value:.2f}' if day < 113 else ''},{price}"


SPIKE = datetime.datetime(2026, 2, 18, 15)
FOLDER.joinpath("load.csv").write_text("\n".join(["ds,load_mw", *load()]) + "\n")
FOLDER.joinpath("sales.csv").write_text("\n".join(["region,shop,ds,units,price", *sales()]) + "\n")
