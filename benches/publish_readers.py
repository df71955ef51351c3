"""Reads a sink over and over while runs are published to it, and counts what goes wrong.

    cargo bench --bench publish -- FOLDER 1000 &  python benches/publish_readers.py FOLDER SECONDS [READER ...]

Readers: every way that DuckDB, pyarrow, pandas and polars open files; all by default, one after the other, on and on.
Each must see whole runs: as many rows as the commit says, one run in `latest`. Needs duckdb, pyarrow, pandas, polars.
"""

import argparse
import collections
import glob
import json
import os
import time

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq

COLUMNS = ["unique_id", "ds", "yhat", "p10", "p90", "run_id"]
SQL = (
    "select run_id, count(*), count(unique_id) + count(ds), sum(yhat + p10 + p90) from read_parquet('{}') "
    "group by run_id order by run_id"
)


def counts_of(ids):
    return collections.Counter(ids)


def readers(folder):
    latest = f"{folder}/latest/**/*.parquet"
    runs = f"{folder}/job=*/**/*.parquet"
    file = lambda: glob.glob(latest, recursive=True)[0]  # noqa: E731
    connection = duckdb.connect()
    sql = lambda pattern: {row[0]: row[1] for row in connection.execute(SQL.format(pattern)).fetchall()}  # noqa: E731
    arrow = lambda table: counts_of(table["run_id"].to_pylist())  # noqa: E731
    files = lambda: ds.dataset(glob.glob(runs, recursive=True), format="parquet")  # noqa: E731
    return {
        "duckdb latest": lambda: sql(latest),
        "pyarrow latest read_table": lambda: arrow(pq.read_table(file(), columns=COLUMNS)),
        "pyarrow latest dataset": lambda: arrow(ds.dataset(f"{folder}/latest", format="parquet").to_table(columns=COLUMNS)),
        "pyarrow latest ParquetFile": lambda: arrow(pq.ParquetFile(file()).read(columns=COLUMNS)),
        "pandas latest": lambda: counts_of(pd.read_parquet(file(), columns=COLUMNS)["run_id"]),
        "polars latest scan": lambda: counts_of(pl.scan_parquet(latest).select(COLUMNS).collect()["run_id"]),
        "polars latest read": lambda: counts_of(pl.read_parquet(file(), columns=COLUMNS)["run_id"]),
        "duckdb runs": lambda: sql(runs),
        "pyarrow runs dataset": lambda: arrow(files().to_table(columns=COLUMNS)),
    }


class Commits:
    """Rows of every committed run, read once."""

    def __init__(self, folder):
        self.folder, self.rows = folder, {}

    def of(self, run_id):
        if run_id not in self.rows:
            for path in glob.glob(f"{self.folder}/job=*/issued_date=*/run_id={run_id}/_commit.json"):
                with open(path) as file:
                    self.rows[run_id] = json.load(file)["rows"]
        return self.rows.get(run_id)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("seconds", type=float)
    parser.add_argument("reader", nargs="*")
    args = parser.parse_args()
    chosen = {name: read for name, read in readers(args.folder).items() if not args.reader or name in args.reader}
    commits = Commits(args.folder)
    reads, mixed, seen, errors = (collections.Counter() for _ in range(4))
    kinds = collections.defaultdict(collections.Counter)
    while not glob.glob(f"{args.folder}/latest/**/part-0.parquet", recursive=True):
        time.sleep(0.01)
    end = time.monotonic() + args.seconds
    last = {}
    while time.monotonic() < end:
        for name, read in chosen.items():
            reads[name] += 1
            try:
                found = read()
            except (Exception, pl.exceptions.PanicException) as error:  # counting is the point
                errors[name] += 1
                kinds[name][f"{type(error).__name__}: {str(error)[:100]}"] += 1
                continue
            whole = all(commits.of(run_id) in (None, rows) for run_id, rows in found.items())
            if not whole or ("latest" in name and len(found) != 1):
                mixed[name] += 1
            if "latest" in name:
                seen[name] += last.get(name) != next(iter(found))
                last[name] = next(iter(found))
    for name in chosen:
        runs = f", {seen[name]} different runs seen" if "latest" in name else ""
        print(f"{name:<28} {reads[name]:>6} reads, {errors[name]} errors, {mixed[name]} mixed{runs}")
        for kind, count in kinds[name].most_common(3):
            print(f"    {count} x {kind}")
    print(f"files left: {len(temporary(args.folder))} temporary")


def temporary(folder):
    return [name for _, _, names in os.walk(folder) for name in names if name.startswith(".s4cast-")]


if __name__ == "__main__":
    main()
