#!/usr/bin/env python3
"""Kills the daemon at random moments and checks that nothing was lost, repeated, torn or left behind.

    cargo build --release && python3 tests/torture/kills.py --kills 200 --seed 1

Python's standard library is enough; with pyarrow or duckdb installed, readers run beside the daemon all the time.
"""

import argparse
import json
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

CONFIG = """schema_version = 1
[daemon]
state = "state"
[source.s]
inputs = "data/*.csv"
[model.m]
kind = "ridge"
horizon = 6
[schedule.forecast]
every = "1s"
missed = "all"
overlap = "queue"
attempts = 5
backoff = "1s"
[schedule.train]
every = "3s"
missed = "all"
overlap = "queue"
[sink.out]
path = "out"
grace = "1s"
[job.a]
source = "s"
model = "m"
sink = "out"
train = { schedule = "train" }
forecast = { schedule = "forecast" }
keep_versions = 1000
[job.b]
source = "s"
model = "m"
sink = "out"
train = { schedule = "train" }
forecast = { schedule = "forecast" }
keep_versions = 1000
"""


def write_data(folder):
    """Four hourly series of 300 steps that end an hour ago."""
    folder.mkdir()
    end = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    with open(folder / "s.csv", "w") as file:
        file.write("unique_id,ds,y\n")
        for series in range(4):
            for step in range(300):
                ds = end - timedelta(hours=299 - step)
                value = 10 + series + math.sin(step * math.tau / 24) + (step * 7919 % 13) / 20
                file.write(f"{series},{ds:%Y-%m-%dT%H:%M:%SZ},{value:.4f}\n")


class Readers:
    """Reads the glob and `latest` without pause; every error and every mixed run counts."""

    def __init__(self, out):
        self.out, self.reads, self.problems, self.stop = out, 0, [], threading.Event()
        self.threads = [threading.Thread(target=self.loop, args=(read,)) for read in self.kinds()]
        for thread in self.threads:
            thread.start()

    def kinds(self):
        kinds = []
        try:
            import pyarrow.dataset  # noqa: F401

            kinds += [self.arrow_latest, self.arrow_glob]
        except ImportError:
            pass
        try:
            import duckdb  # noqa: F401

            kinds += [self.duckdb_latest, self.duckdb_glob]
        except ImportError:
            pass
        if not kinds:
            print("neither pyarrow nor duckdb is installed: no reader runs", file=sys.stderr)
        return kinds

    def loop(self, read):
        while not self.stop.is_set():
            if not list(self.out.glob("latest/job=*/part-0.parquet")):
                time.sleep(0.05)
                continue
            try:
                read()
                self.reads += 1
            except Exception as error:  # noqa: BLE001
                self.problems.append(f"{read.__name__}: {error}")

    def check(self, pairs, where):
        """Every run has 4 series x 6 steps; `latest` shows one run per job."""
        for run, rows in pairs:
            if rows != 24:
                raise AssertionError(f"{where}: run {run} has {rows} rows")

    def arrow_latest(self):
        import pyarrow.dataset as ds

        for job in ("a", "b"):
            folder = self.out / "latest" / f"job={job}"
            if folder.is_dir() and list(folder.glob("*.parquet")):
                runs = ds.dataset(folder, format="parquet").to_table(columns=["run_id"])["run_id"].to_pylist()
                if len(set(runs)) != 1:
                    raise AssertionError(f"latest of {job} mixes {set(runs)}")
                self.check([(runs[0], len(runs))], "latest")

    def arrow_glob(self):
        import pyarrow.parquet as pq

        for path in list(self.out.glob("job=*/issued_date=*/run_id=*/part-0.parquet"))[-50:]:
            runs = pq.read_table(path, columns=["run_id"])["run_id"].to_pylist()
            self.check([(runs[0], len(runs))], "glob")

    def duckdb_latest(self):
        import duckdb

        query = f"select job, count(distinct run_id), count(*) from read_parquet('{self.out}/latest/**/*.parquet', hive_partitioning = true) group by job"
        for job, runs, rows in duckdb.connect().execute(query).fetchall():
            if runs != 1:
                raise AssertionError(f"latest of {job} mixes {runs} runs")
            self.check([(job, rows)], "latest")

    def duckdb_glob(self):
        import duckdb

        query = f"select run_id, count(*) from read_parquet('{self.out}/job=*/**/*.parquet') group by run_id"
        self.check(duckdb.connect().execute(query).fetchall(), "glob")

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def start(program, folder, log):
    command = [program, "serve", "-c", "daemon.toml"]
    env = {**os.environ, "S4CAST_LOG": "s4cast=warn"}
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=log, env=env)


def check_ledger(folder):
    """One row per scheduled instant without a hole, each with exactly one good outcome."""
    problems = []
    database = sqlite3.connect(folder / "state/ledger.db")
    rows = database.execute("select job, stage, slot, trigger, outcome, reasons, run_id, attempts from slots").fetchall()
    for job in ("a", "b"):
        for stage, step in (("forecast", 1), ("train", 3)):
            slots = sorted(r[2] // 1_000_000 for r in rows if r[0] == job and r[1] == stage and r[3] == "schedule")
            if not slots:
                problems.append(f"{job} {stage}: no slot at all")
                continue
            want = list(range(slots[0], slots[-1] + 1, step))
            if slots != want:
                lost = sorted(set(want) - set(slots))
                problems.append(f"{job} {stage}: {len(slots)} slots instead of {len(want)}; lost {lost[:5]}")
    bad = [r for r in rows if r[4] not in ("ok", "degraded")]
    problems += [f"{r[0]} {r[1]} {r[2]}: outcome {r[4]}, {r[5]}" for r in bad[:10]]
    return rows, problems


def check_output(folder, rows):
    """Every forecast slot has its run, once, committed; every training its version, once; nothing else is there."""
    problems = []
    commits = [json.loads(p.read_text()) for p in folder.glob("out/job=*/issued_date=*/run_id=*/_commit.json")]
    committed = [commit["run_id"] for commit in commits]
    forecasts = {r[6] for r in rows if r[1] == "forecast"}
    if len(set(committed)) != len(committed) or set(committed) != forecasts:
        problems.append(f"{len(committed)} commits, {len(set(committed))} runs, {len(forecasts)} forecast slots")
    manifests = [json.loads(p.read_text()) for p in folder.glob("state/models/*/*/manifest.json")]
    trained = [manifest["run_id"] for manifest in manifests]
    trainings = {r[6] for r in rows if r[1] == "train"}
    if len(set(trained)) != len(trained) or set(trained) != trainings:
        problems.append(f"{len(trained)} versions, {len(set(trained))} runs, {len(trainings)} training slots")
    for path in folder.rglob("*"):
        if ".partial" in path.name or ".tmp" in path.name or path.name.startswith(".s4cast"):
            problems.append(f"left behind: {path.relative_to(folder)}")
    for path in folder.glob("out/job=*/issued_date=*/run_id=*"):
        names = sorted(entry.name for entry in path.iterdir())
        if names != ["_commit.json", "part-0.parquet"]:
            problems.append(f"{path.relative_to(folder)} holds {names}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/s4cast")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    args = parser.parse_args()
    program = str(Path(args.program).resolve())
    rng = random.Random(args.seed)
    folder = Path(tempfile.mkdtemp(prefix="s4cast-kills-"))
    write_data(folder / "data")
    (folder / "daemon.toml").write_text(CONFIG)
    readers = Readers(folder / "out")
    began, problems = time.time(), []
    with open(folder / "log.txt", "wb") as log:
        for _ in range(args.kills):
            daemon = start(program, folder, log)
            time.sleep(rng.uniform(0.02, 2.0))
            if daemon.poll() is not None:
                problems.append(f"the daemon ended by itself with {daemon.returncode}")
                break
            daemon.kill()
            daemon.wait()
        # Undisturbed, it catches up; then it is told to end.
        daemon = start(program, folder, log)
        deadline = time.time() + 300
        while time.time() < deadline:
            time.sleep(1)
            open_slots = sqlite3.connect(folder / "state/ledger.db").execute(
                "select count(*) from slots where outcome is null"
            ).fetchone()[0]
            if open_slots <= 1:
                break
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(timeout=90)
    readers.end()
    if code != 0:
        problems.append(f"SIGTERM ended it with {code}")
    rows, found = check_ledger(folder)
    # A slot that was planned in the last second before the end is resumed by a next start.
    problems += found + check_output(folder, rows)
    problems += [f"{len(readers.problems)} reader errors: {readers.problems[:3]}"] if readers.problems else []
    attempts = sum(r[7] for r in rows)
    print(
        f"{args.kills} kills in {time.time() - began:.0f} s, {len(rows)} slots, {attempts} attempts, "
        f"{readers.reads} reads, {len(readers.problems)} reader errors, {len(problems)} problems"
    )
    for problem in problems:
        print("  " + problem)
    if args.keep or problems:
        print(f"kept {folder}")
    else:
        subprocess.run(["rm", "-rf", folder], check=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
