"""What a series costs: CPU, memory and bytes of forecasts with a model that was trained before, as markdown tables on stdout.

    python benches/scale.py [--bin target/release/s4cast] [--series 1000] [--sample 50] [--models ridge s4d]
                            [--days 28 365] [--horizons 24 168] [--prices vcpu_hour=0.04 …] [--keep FOLDER]

Wants numpy and pyarrow. Hourly series with a day, a week and noise, made up and the same every time: a model is trained on `sample` of
them, then forecasts `series` and twice as many, on one thread; what the second run needs more is what a series costs. CPU is that of the
process, shared out to reading, forecasting and writing by the seconds of the program's own report. The plan at the end is arithmetic on
these figures for `--plan` series (docs/scale.md).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HOUR = 3_600_000_000
SHARDS = 50
PRICES = {"vcpu_hour": 0.04, "gb_month": 0.023}


def write_series(path, first, count, days):
    """Hourly series `first` and on, sorted by id and time, as Parquet."""
    hours = np.arange(days * 24)
    start = np.datetime64("2026-11-01T00:00:00", "us").astype(np.int64) - days * 24 * HOUR
    ds = pa.array(start + hours * HOUR).cast(pa.timestamp("us", "UTC"))
    schema = pa.schema([("unique_id", pa.string()), ("ds", pa.timestamp("us", "UTC")), ("y", pa.float64())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for at in range(first, first + count, 100):
            these = range(at, min(at + 100, first + count))
            columns = [[], [], []]
            for index in these:
                random = np.random.default_rng(index)
                day, week = (random.uniform(5, 30) * np.sin(2 * np.pi * hours / length + random.uniform(0, 6)) for length in (24, 168))
                noise = random.normal(0, 1, len(hours))
                y = random.uniform(50, 500) + day + week + 0.1 * noise.cumsum() + random.normal(0, 4, len(hours))
                columns[0].append(pa.array([f"meter-{index:09d}"]).take(pa.array(np.zeros(len(hours), int))))
                columns[1].append(ds)
                columns[2].append(pa.array(y.round(2)))
            writer.write_table(pa.table([pa.chunked_array(column) for column in columns], schema=schema))


def run(args, *words):
    """The report of one command, its CPU seconds and its peak memory in bytes."""
    # A process of its own, so that its children are this command alone.
    code = (
        "import json, resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([done.returncode, done.stdout, done.stderr, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]))"
    )
    command = [args.bin, "forecast", *words, "--json", "--no-progress"]
    outcome = subprocess.run([sys.executable, "-c", code, *command], stdout=subprocess.PIPE, text=True, check=True)
    status, out, err, cpu, peak = json.loads(outcome.stdout)
    if status != 0:
        sys.exit(f"{' '.join(command)}: exit code {status}\n{err}")
    return json.loads(out), cpu, peak


def passed_over(args, data, weights):
    """CPU seconds and peak memory of one shard of many, which reads all series and keeps its own."""
    with tempfile.TemporaryDirectory() as folder:
        _, cpu, peak = run(args, data, "--load-model", weights, "-j", "1", "--shard", f"0/{SHARDS}", "-o", os.path.join(folder, "run"))
        return cpu, peak


def measure(args, folder, model, days, horizon):
    """The figures of one model, per series."""
    place = {name: os.path.join(folder, f"{name}-{days}.parquet") for name in ("sample", "once", "twice")}
    weights, out = (os.path.join(folder, f"{model}-{days}-{horizon}.{end}") for end in ("safetensors", "parquet"))
    trained, training, _ = run(args, place["sample"], "-H", str(horizon), "--model", model, "-o", out, "--save-model", weights)
    runs = [run(args, place[name], "--load-model", weights, "-j", "1", "-o", out) for name in ("once", "twice")]
    (_, cpu_once, peak_once), (report, cpu_twice, peak_twice) = runs
    others = [passed_over(args, place[name], weights) for name in ("once", "twice")]
    seconds, spent = report["seconds"], cpu_twice / sum(report["seconds"].values())
    return {
        "model": model,
        "served by": trained["fits"][0]["model_id"],
        "days": days,
        "horizon": horizon,
        "cpu": (cpu_twice - cpu_once) / args.series,
        "read": seconds["read"] * spent / args.series / 2,
        "forecast": seconds["forecast"] * spent / args.series / 2,
        "publish": seconds["publish"] * spent / args.series / 2,
        "others": ((others[1][0] - others[0][0]) / args.series - (cpu_twice - cpu_once) / args.series / SHARDS) / (1 - 1 / SHARDS),
        "peak": (peak_twice - peak_once) / args.series,
        "peak of others": ((others[1][1] - others[0][1]) - (peak_twice - peak_once) / SHARDS) / args.series,
        "in": (os.path.getsize(place["twice"]) - os.path.getsize(place["once"])) / args.series,
        "out": os.path.getsize(out) / args.series / 2,
        "weights": os.path.getsize(weights),
        "training": training,
    }


def table(heads, rows):
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def shown(args, found, prices):
    """Prints what was measured, and what follows for `--plan` series."""
    heads = ["model (served)", "days", "steps", "CPU s: all", "read", "forecast", "write", "of other shards", "MiB", "of other shards", "MB in", "MB out",
             "weights KiB", f"training on {args.sample}: CPU s"]
    print(f"Per 1 000 hourly series, one thread, the slope between {args.series} and {2 * args.series} series; of other shards: read and passed over:\n")
    table(heads, [[
        f"{one['model']} ({one['served by']})", one["days"], one["horizon"], *(f"{one[name] * 1000:.2f}" for name in ("cpu", "read", "forecast", "publish", "others")),
        f"{one['peak'] * 1000 / 2**20:.0f}", f"{one['peak of others'] * 1000 / 2**20:.1f}", f"{one['in'] / 1e3:.1f}", f"{one['out'] / 1e3:.2f}", f"{one['weights'] / 1024:.0f}", f"{one['training']:.0f}",
    ] for one in found])
    heads = ["model", "days", "steps", "vCPU-hours", "$ of CPU", "vCPUs for 15 min", "TB read", "TB written", "$ per month kept", "shards of 4 GiB"]
    print(f"One run over {args.plan:.0e} series, by these figures; prices in $: {', '.join(f'{name} {value}' for name, value in prices.items())}\n")
    rows = []
    for one in found:
        hours = one["cpu"] * args.plan / 3600
        written = one["out"] * args.plan
        rows.append([one["model"], one["days"], one["horizon"], f"{hours:.0f}", f"{hours * prices['vcpu_hour']:.2f}", f"{hours * 4:.0f}",
                     f"{one['in'] * args.plan / 1e12:.2f}", f"{written / 1e12:.2f}", f"{written / 1e9 * prices['gb_month']:.2f}",
                     f"{one['peak'] * args.plan / (4 * 2**30 * 0.8):.0f}"])
    table(heads, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="target/release/s4cast")
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--sample", type=int, default=50)
    parser.add_argument("--models", nargs="+", default=["ridge", "s4d"])
    parser.add_argument("--days", nargs="+", type=int, default=[28, 365])
    parser.add_argument("--horizons", nargs="+", type=int, default=[24, 168])
    parser.add_argument("--plan", type=float, default=1e8)
    parser.add_argument("--prices", nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument("--keep", help="folder for data and models, which are made once")
    args = parser.parse_args()
    prices = {**PRICES, **{name: float(value) for name, value in (word.split("=") for word in args.prices)}}
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or scratch
        os.makedirs(folder, exist_ok=True)
        for days in args.days:
            for name, first, count in (("sample", 0, args.sample), ("once", 0, args.series), ("twice", 0, 2 * args.series)):
                path = os.path.join(folder, f"{name}-{days}.parquet")
                os.path.exists(path) or write_series(path, first, count, days)
        found = []
        for model in args.models:
            for days in args.days:
                for horizon in args.horizons:
                    found.append(measure(args, folder, model, days, horizon))
                    print(f"{found[-1]}", file=sys.stderr)
    shown(args, found, prices)


if __name__ == "__main__":
    main()
