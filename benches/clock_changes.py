"""Errors in the week after a change of the clocks over those of the week before.

    python benches/clock_changes.py [--minutes 60] [--days 120] [--years 1] [--models ridge] [--flags "--calendar auto"] [--program PATH]

Load that follows people's days (two peaks by the hour of the wall clock, other weekends, noise that is correlated from step to
step) in four zones; daily origins from a week before each change to a week after it, a day ahead; MASE by the weekly
seasonal naive of the time before. Needs numpy and pyarrow. Results are kept in RESULTS.md.
"""

import argparse
import datetime as dt
import subprocess
import tempfile
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq

UTC = dt.timezone.utc
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]


def changes(zone, year):
    """Instants of a year at which a zone changes its clocks; where it never does, two that stand in for them."""
    found, hour = [], dt.timedelta(hours=1)
    instant = dt.datetime(year, 1, 1, tzinfo=UTC)
    while instant.year == year:
        after = instant + hour
        if instant.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            found.append(after)
        instant = after
    return found or [dt.datetime(year, 4, 2, tzinfo=UTC), dt.datetime(year, 10, 29, tzinfo=UTC)]


def load(zone, times, seed):
    """Load at some instants, by what the clock of the zone shows."""
    values = []
    for instant in times:
        local = instant.astimezone(zone)
        hour = local.hour + local.minute / 60
        peak = lambda middle, width: np.exp(-(((hour - middle) / width) ** 2))
        if local.weekday() < 5:
            day = peak(8, 1.6) + 1.3 * peak(19, 2.2) + 0.35 * (7 <= hour < 22)
        else:
            day = 0.6 * peak(10.5, 2.5) + peak(19.5, 2.5) + 0.3 * (8 <= hour < 23)
        values.append(100 + 60 * day)
    noise = np.random.default_rng(seed).normal(0, 3, len(times))
    for step in range(1, len(times)):
        noise[step] += 0.5 * noise[step - 1]
    return np.array(values) + noise


def weeks(arguments, folder, name, change, seed):
    """Model -> MASE of the week before and of the week after."""
    zone, step = ZoneInfo(name), dt.timedelta(minutes=arguments.minutes)
    start = change.replace(minute=0) - dt.timedelta(days=arguments.days)
    count = (change + dt.timedelta(days=8) - start) // step
    times = [start + step * number for number in range(count)]
    values = load(zone, times, seed)
    rows = "".join(f"{instant.isoformat()},{value:.4f}\n" for instant, value in zip(times, values))
    (folder / "in.csv").write_text("ds,y\n" + rows)
    day = 24 * 60 // arguments.minutes
    command = [arguments.program, "backtest", folder / "in.csv", "--tz", name, "-H", str(day), "--step", str(day), "-W", "15"]
    command += arguments.flags.split() + ["--models", arguments.models, "-o", folder / "bt.parquet", "-q"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    table = pq.read_table(folder / "bt.parquet").to_pydict()
    before = (change - start) // step - 8 * day
    scale = np.mean(np.abs(values[7 * day : before] - values[: before - 7 * day]))
    errors = {}
    for model, ds, y, point in zip(table["model"], table["ds"], table["y"], table["yhat"]):
        days = (ds - change).total_seconds() / 86_400
        if y is not None and -7 <= days < 7:
            errors.setdefault(model, ([], []))[int(days >= 0)].append(abs(y - point) / scale)
    return {model: (np.mean(of[0]), np.mean(of[1])) for model, of in errors.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--years", type=int, default=1, help="years up to 2024 whose changes are tried")
    parser.add_argument("--zones", nargs="*", default=ZONES)
    parser.add_argument("--models", default="ridge")
    parser.add_argument("--flags", default="")
    parser.add_argument("--program", default="target/release/s4cast")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.zones:
            found = {}
            years = range(2025 - arguments.years, 2025)
            all_changes = [change for year in years for change in changes(ZoneInfo(name), year)]
            for seed, change in enumerate(all_changes):
                for model, pair in weeks(arguments, Path(folder), name, change, seed).items():
                    found.setdefault(model, []).append(pair)
            for model, pairs in sorted(found.items()):
                before, after = np.mean(pairs, axis=0)
                print(f"{name:20} {arguments.minutes:3} min  {model:15} {before:.3f} -> {after:.3f}  ratio {after / before:.3f}", flush=True)


if __name__ == "__main__":
    main()
