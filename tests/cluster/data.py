"""Series for the checks of this folder: made up, the same every time."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DAY = 86_400_000_000


def daily(path, count, days, seed=7):
    """A Parquet file of `count` series of `days` days with a week's season, UTC, sorted; some end early, have holes or few rows."""
    schema = pa.schema([("unique_id", pa.string()), ("ds", pa.timestamp("us", "UTC")), ("y", pa.float64())])
    start = int(np.datetime64("2026-01-05T00:00:00", "us").astype(np.int64))
    random = np.random.default_rng(seed)
    ids = sorted(f"shop {index:06d} {'äöü'[index % 3]}" for index in range(count))
    with pq.ParquetWriter(path, schema) as writer:
        for at in range(0, count, 5000):
            these = np.arange(at, min(at + 5000, count))
            shape = (len(these), days)
            day = np.arange(days)
            level = 100 + random.normal(0, 20, (len(these), 1))
            week = 10 * np.sin(2 * np.pi * day / 7 + random.uniform(0, 6, (len(these), 1)))
            y = level + week + 0.3 * random.normal(0, 2, shape).cumsum(axis=1) + random.normal(0, 3, shape)
            kept = np.ones(shape, bool)
            kept[these % 97 == 5, days - 20:] = False       # ended 20 days ago
            kept[these % 101 == 7, :days - 5] = False       # five days old
            kept[these % 103 == 9, 30] = False              # a row is missing
            known = np.ones(shape, bool)
            known[these % 107 == 11, 40:43] = False         # values are missing
            rows, columns = np.nonzero(kept)
            ds = pa.array(start + columns * DAY).cast(pa.timestamp("us", "UTC"))
            values = pa.array(y[kept].round(2), mask=~known[kept])
            names = pa.array(ids[at:at + 5000]).take(pa.array(rows))
            writer.write_table(pa.table([names, ds, values], schema=schema))


def hourly_berlin(path, count, days):
    """A Parquet file of `count` hourly series whose day follows the wall clock of Berlin, over the last Sunday of March 2026; instants."""
    start = np.datetime64("2026-03-10T00:00:00", "us").astype(np.int64)
    hours = np.arange(days * 24)
    instants = start + hours * 3_600_000_000
    shift = np.where(instants < np.datetime64("2026-03-29T01:00:00", "us").astype(np.int64), 1, 2)
    random = np.random.default_rng(11)
    ids, ds, y = [], [], []
    for index in range(count):
        values = 50 + index + 20 * np.sin(2 * np.pi * ((hours + shift) % 24) / 24) + random.normal(0, 1, len(hours))
        ids += [f"m{index:03d}"] * len(hours)
        ds.append(instants)
        y.append(values.round(3))
    ds = pa.array(np.concatenate(ds)).cast(pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"unique_id": ids, "ds": ds, "y": np.concatenate(y)}), path)
