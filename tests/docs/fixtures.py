"""What the folders of pages hold before their commands run: a function of a folder each, named on the page.

Everything is made from fixed seeds, and ends in November 2026 as the pages say; nothing is fetched.
"""

import csv
import datetime
import math
import random
import shutil
import struct
import subprocess
import threading
import wave
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAKING = threading.Lock()
DAYS, LAST = 420, datetime.date(2026, 11, 25)
SHOPS = [("shop1", "north", 120), ("shop2", "north", 80), ("shop3", "south", 45)]


def write(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def week(day):
    return (0.9, 0.85, 0.9, 1.0, 1.2, 1.35, 0.8)[day.weekday()]


def units(random, day, base):
    age = (LAST - day).days
    return base * week(day) * (1 - 0.0003 * age) * (1 + random.gauss(0, 0.05))


def sales(folder):
    """sales.csv: three shops by the day, as unique_id, ds, y."""
    draw = random.Random(1)
    days = [LAST - datetime.timedelta(DAYS - 1 - i) for i in range(DAYS)]
    rows = [(shop, day, round(units(draw, day, base))) for shop, _, base in SHOPS for day in days]
    write(folder / "sales.csv", ["unique_id", "ds", "y"], rows)


def stores(folder):
    """stores.csv: the same with names of its own and two id columns: store, item, day, units."""
    draw = random.Random(2)
    days = [LAST - datetime.timedelta(DAYS - 1 - i) for i in range(DAYS)]
    rows = [
        (store, item, day, round(units(draw, day, base * share)))
        for store, _, base in SHOPS
        for item, share in (("bread", 1.0), ("cake", 0.4))
        for day in days
    ]
    write(folder / "stores.csv", ["store", "item", "day", "units"], rows)


def regions(folder):
    """regions.csv: shops of regions, for sums."""
    draw = random.Random(3)
    days = [LAST - datetime.timedelta(DAYS - 1 - i) for i in range(DAYS)]
    rows = [(region, shop, day, round(units(draw, day, base))) for shop, region, base in SHOPS for day in days]
    write(folder / "regions.csv", ["region", "shop", "ds", "y"], rows)


def covariates(folder):
    """promo.csv: sales with what comes with them, two weeks of it in advance; sales.ics: an event each month."""
    draw = random.Random(4)
    rows = []
    for shop, region, base in SHOPS:
        for i in range(DAYS + 14):
            day = LAST - datetime.timedelta(DAYS - 1 - i)
            promo = int(draw.random() < 0.15)
            price = round(1.99 - 0.5 * promo + draw.choice((0, 0, 0.1)), 2)
            holiday = "true" if (day.month, day.day) in ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26)) else "false"
            y = units(draw, day, base) * (1 + 0.5 * promo) * (1 - 0.3 * (price - 1.99))
            is_known = day <= LAST
            rows.append((shop, day, round(y) if is_known else "", price, promo, holiday,
                         round(3 * y + draw.gauss(0, 5)) if is_known else "", region))
    write(folder / "promo.csv", ["id", "ds", "y", "price", "promo", "holiday", "visitors", "region"], rows)
    (folder / "sales.ics").write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20250106\r\n"
        "RRULE:FREQ=MONTHLY;BYDAY=1MO\r\nSUMMARY:market day\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def readings(folder):
    """readings.csv: a sensor that reports when it likes."""
    draw = random.Random(5)
    at, rows = datetime.datetime(2026, 11, 8), []
    while at < datetime.datetime(2026, 11, 26):
        rows.append((at.strftime("%Y-%m-%dT%H:%M:%SZ"), round(20 + 5 * math.sin(at.hour / 24 * 2 * math.pi) + draw.gauss(0, 0.3), 2)))
        at += datetime.timedelta(minutes=draw.expovariate(1 / 30))
    write(folder / "readings.csv", ["ds", "celsius"], rows)


def load(folder):
    """data/load/DAY.csv: hourly load of a place, a file a day."""
    draw = random.Random(6)
    for i in range(70):
        day = LAST - datetime.timedelta(69 - i)
        rows = []
        for hour in range(24):
            y = 900 + 250 * math.sin((hour - 7) / 24 * 2 * math.pi) - 120 * (day.weekday() > 4) + draw.gauss(0, 15)
            rows.append((f"{day}T{hour:02}:00:00Z", round(y, 1)))
        write(folder / "data/load" / f"{day}.csv", ["ds", "load_mw"], rows)


def quarters(folder):
    """hourly.csv and quarters.csv: the same signal by the hour and by the quarter of an hour."""
    draw = random.Random(7)
    start = datetime.datetime(2026, 10, 1)

    def value(at):
        hours = at.hour + at.minute / 60
        return round(100 + 30 * math.sin(hours / 24 * 2 * math.pi) + draw.gauss(0, 1), 2)

    for name, minutes in (("hourly.csv", 60), ("quarters.csv", 15)):
        steps = [start + datetime.timedelta(minutes=minutes * i) for i in range(40 * 1440 // minutes)]
        write(folder / name, ["ds", "y"], [(at.strftime("%Y-%m-%dT%H:%M:%SZ"), value(at)) for at in steps])


def parts(folder):
    """parts.csv: daily sales of spare parts, most of them zero."""
    shutil.copy(ROOT / "datasets/intermittent_counts.csv", folder / "parts.csv")


def broken(folder):
    """broken.csv: one series of four that cannot be used."""
    sales(folder)
    lines = (folder / "sales.csv").read_text().splitlines()
    days = [LAST - datetime.timedelta(29 - i) for i in range(30)]
    lines += [f"shop4,{day},{100 if i != 17 else 'inf'}" for i, day in enumerate(days)]
    (folder / "broken.csv").write_text("\n".join(lines) + "\n")


def daemon(folder):
    """daemon.toml: a daemon over sales.csv, as `s4cast init` writes it."""
    sales(folder)
    text = subprocess.run(["s4cast", "init", "--from", "sales.csv"], cwd=folder, check=True, capture_output=True, text=True).stdout
    (folder / "daemon.toml").write_text(text.replace(f'"{folder}/sales.csv"', '"sales.csv"'))


def published(folder):
    """The daemon's folder after a month of its life: out/ and state/ with runs, scores, anomalies and versions of a model.

    It is made once, beside the folders of the pages, and copied.
    """
    made = folder.parent / "published"
    with MAKING:
        if not made.exists():
            made.mkdir()
            daemon(made)
            config = (made / "daemon.toml").read_text()
            (made / "daemon.toml").write_text(config.replace("\n# anomaly = { level = 95 }", "\nanomaly = { level = 95 }"))
            replay(made, "2026-11-01T00:00:00Z..2026-11-25T12:00:00Z")
    shutil.copytree(made, folder, dirs_exist_ok=True)


def fenced(folder):
    """fenced.toml: the daemon's config with everything below /srv/s4cast."""
    daemon(folder)
    text = (folder / "daemon.toml").read_text()
    for name in ("sales.csv", "state", "out"):
        text = text.replace(f'"{name}"', f'"/srv/s4cast/{name}"')
    (folder / "fenced.toml").write_text(text)


def replay(folder, span):
    """What the daemon does in a span of a simulated clock, on whatever port is free."""
    text = (folder / "daemon.toml").read_text()
    (folder / "replay.toml").write_text(text.replace("127.0.0.1:8091", "127.0.0.1:0"))
    subprocess.run(["s4cast", "serve", "-c", "replay.toml", "--clock", f"sim:{span}", "--quiet"], cwd=folder, check=True, capture_output=True)
    (folder / "replay.toml").unlink()


def repository(folder):
    """What a clone holds beside the code, where commands are given from its root."""
    for name in ("datasets", "configs", "integrations"):
        (folder / name).symlink_to(ROOT / name)


def benchmark(folder):
    """data/: stand-ins for sets that are not part of the repository, a few rows each, and a text to learn from."""
    draw = random.Random(8)
    rows = [(f"H{i}", hour + 1, round(100 + 20 * math.sin(hour / 24 * 2 * math.pi) + draw.gauss(0, 1), 2)) for i in range(3) for hour in range(700)]
    write(folder / "series.csv", ["series_id", "ts", "y"], rows)
    (folder / "notes.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 1500)
    (folder / "data/audio").mkdir(parents=True)
    for i in range(6):
        with wave.open(str(folder / f"data/audio/tone{i}.wav"), "wb") as file:
            file.setnchannels(1), file.setsampwidth(2), file.setframerate(4000)
            tone = (int(9000 * math.sin(2 * math.pi * (220 + 20 * i) * t / 4000)) for t in range(4000))
            file.writeframes(b"".join(struct.pack("<h", value) for value in tone))


def store(folder):
    """A bucket on a server with S3's interface, with sales in it; run.py starts the server and sets what names it."""
    sales(folder)


def parquet(folder):
    """load.parquet, sorted by series, and load.safetensors, a model of it."""
    import pandas

    sales(folder)
    pandas.read_csv(folder / "sales.csv", parse_dates=["ds"]).to_parquet(folder / "load.parquet", index=False)
    command = ["s4cast", "forecast", "load.parquet", "-H", "14", "--model", "ridge", "--save-model", "load.safetensors", "-o", "first.parquet", "--quiet"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
