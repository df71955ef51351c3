"""A forecast slot that reads one new file beside one that reads everything, through the built program.

    python benches/remember.py FOLDER [--binary target/release/s4cast] [--series 10000] [--days 365 730] [--kind ridge]

Hourly series, a Parquet file a day. The model is trained as of day 60; then, for every length of the history, one slot
reads everything and the next ones only the newest files. Prints seconds by step of the slot, and whether a slot that
remembers and one that reads everything publish the same file. Needs numpy, pyarrow.
"""

import argparse
import json
import os
import shutil
import subprocess

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CONFIG = """schema_version = 1
[daemon]
state = "state"
[source.s]
inputs = "data"
[model.m]
kind = "KIND"
preset = "fast"
horizon = 48
[sink.o]
path = "out"
[job.j]
source = "s"
model = "m"
sink = "o"
train = { every = "36500d" }
forecast = { every = "1d" }
adaptive = false
"""


def write_day(folder, series, day):
    hours = np.arange(day * 24, day * 24 + 24)
    generator = np.random.default_rng(day)
    wave = 50 + 10 * np.sin(hours / 24 * 2 * np.pi) + np.where(hours % 168 < 120, 3, 0)
    values = wave + np.arange(series)[:, None] % 17 + generator.normal(size=(series, 24))
    ids = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(np.arange(series, dtype=np.int32), 24)), pa.array([f"s{i:05}" for i in range(series)])
    )
    stamps = pa.array(np.tile(hours * 3_600_000_000, series), pa.timestamp("us", "UTC"))
    table = pa.table({"unique_id": ids, "ds": stamps, "y": values.ravel()})
    pq.write_table(table, f"{folder}/{day:04}.parquet", compression="zstd")


def run(options, stage, day):
    slot = str(np.datetime64("1970-01-01") + np.timedelta64(day, "D")) + "T00:00:00Z"
    command = [options.binary, "run", "j", "-c", "daemon.toml", "--stage", stage, "--slot", slot, "--json"]
    done = subprocess.run(command, cwd=options.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--binary", default="target/release/s4cast")
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--days", type=int, nargs="+", default=[365, 730])
    parser.add_argument("--kind", default="ridge")
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    os.makedirs(f"{options.folder}/data", exist_ok=True)
    with open(f"{options.folder}/daemon.toml", "w") as file:
        file.write(CONFIG.replace("KIND", options.kind))
    written = 0

    def write(until):
        nonlocal written
        for day in range(written, until):
            write_day(f"{options.folder}/data", options.series, day)
        written = max(written, until)

    write(60)
    print("train", json.dumps(run(options, "train", 60)["detail"]["seconds"]))
    for days in options.days:
        write(days)
        print(days, "days, everything", json.dumps(summary(run(options, "forecast", days))))
        for day in range(days + 1, days + 4):
            write(day)
            print(day, "days, new file ", json.dumps(summary(run(options, "forecast", day))))
        remembered = run(options, "forecast", days + 3)["detail"]["sha256"]
        shutil.rmtree(f"{options.folder}/state/memory")
        again = run(options, "forecast", days + 3)
        print("the same file:", again["detail"]["sha256"] == remembered, json.dumps(summary(again)))


def summary(record):
    detail = record["detail"]
    source = detail["source"]
    return {"remembered": detail["remembered"], "bytes_read": source["bytes_read"], "seconds": detail["seconds"]}


if __name__ == "__main__":
    main()
