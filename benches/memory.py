"""How good the memory plan is: what the program says that a job will take against what it takes, as a markdown table on stdout.

    python benches/memory.py [--bin target/release/s4cast] [--data FOLDER] [--only TEXT …] [--keep FOLDER] [--no-limit] [--full]

Wants numpy and pyarrow. Series are made up and the same every time; --data adds the Parquet files of a folder. Every job runs twice: once as
it is, for plan and peak (VmHWM, read while it runs), and once where no more than 1.2 times the plan is to be had, to show that it survives.
That limit is a control group of its own (v1 or v2) where one can be made, which wants root; else `prlimit --data`, which counts what is
allocated, touched or not, and so is stricter. The last line says which it was, and how many plans were within a quarter.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

STEPS = {"h": (3_600_000_000, 24), "d": (86_400_000_000, 7)}


def write(path, series, length, step="h", kind="waves", covariates=0, wide=False, turns=False, groups=1):
    """Series of a season, a slow drift and noise; `turns` writes them hour by hour, `groups` gives them a region."""
    if os.path.exists(path):
        return
    random = np.random.default_rng(1)
    micros, season = STEPS[step]
    ds = np.datetime64("2020-01-01", "us").astype(np.int64) + np.arange(length) * micros
    at = np.arange(length)

    def values():
        if kind == "counts":
            return random.poisson(0.4 * (1 + np.sin(2 * np.pi * at / season)), length).astype(float)
        wave = 1 + 0.4 * np.sin(2 * np.pi * at / season + random.uniform(0, 6)) + 0.1 * random.normal(size=length).clip(-3, 3)
        return (random.uniform(50, 500) * wave + 0.3 * np.cumsum(random.normal(size=length))).round(2)

    is_csv = path.endswith(".csv")
    if wide:
        table = pa.table({"ds": pa.array(ds).cast(pa.timestamp("us")), **{f"s{number:05d}": values() for number in range(series)}})
        (pc.write_csv if is_csv else pq.write_table)(table, path)
        return
    fields = [("unique_id", pa.string()), ("ds", pa.timestamp("us")), ("y", pa.float64())]
    fields = ([("region", pa.string())] if groups > 1 else []) + fields + [(f"x{number}", pa.float64()) for number in range(covariates)]
    schema = pa.schema(fields)
    together = series if turns else max(1, 500_000 // length)
    writer = pc.CSVWriter(path, schema) if is_csv else pq.ParquetWriter(path, schema, compression="zstd")
    for first in range(0, series, together):
        these = range(first, min(first + together, series))
        order = np.arange(len(these) * length).reshape(len(these), length)
        order = (order.T if turns else order).reshape(-1)
        columns = {
            "region": np.repeat([f"r{number % groups}" for number in these], length)[order],
            "unique_id": np.repeat([f"id_{number:08d}" for number in these], length)[order],
            "ds": pa.array(np.tile(ds, len(these))[order]).cast(pa.timestamp("us")),
            "y": np.concatenate([values() for _ in these])[order],
            **{f"x{number}": random.normal(size=len(order)) for number in range(covariates)},
        }
        table = pa.table({name: columns[name] for name in schema.names}, schema=schema)
        writer.write(table) if is_csv else writer.write_table(table)
    writer.close()


class Cage:
    """Where no more than so many bytes are to be had."""

    ROOTS = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"))

    def __init__(self):
        self.group = None
        for root, name in self.ROOTS:
            group = f"{root}/s4cast-bench-{os.getpid()}"
            try:
                os.mkdir(group)
            except OSError:
                continue
            if os.path.exists(f"{group}/{name}"):
                self.group, self.file = group, f"{group}/{name}"
                return
            os.rmdir(group)

    def words(self, size):
        """What to put before a command."""
        if self.group is None:
            return ["prlimit", f"--data={size}"]
        with open(self.file, "w") as file:
            file.write(str(size))
        return ["sh", "-c", f'echo $$ > {self.group}/cgroup.procs && exec "$@"', "sh"]

    def name(self):
        return "prlimit --data" if self.group is None else f"a control group ({self.file.rsplit('/', 1)[1]})"

    def remove(self):
        if self.group is not None:
            os.rmdir(self.group)


def run(command):
    """Exit code, stdout, stderr and the peak of a command in bytes."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak, over = 0, threading.Event()

    def look():
        nonlocal peak
        while not over.wait(0.003):
            try:
                with open(f"/proc/{process.pid}/status") as status:
                    text = status.read()
                peak = max(peak, int(text.split("VmHWM:")[1].split()[0]) * 1024)
            except (OSError, IndexError):
                pass

    looker = threading.Thread(target=look)
    looker.start()
    out, err = process.communicate()
    over.set()
    looker.join()
    return process.returncode, out, err, peak


def made_up(folder, full):
    """The jobs on series that are made up: name, words."""
    data = []

    def at(name, *args, **how):
        path = os.path.join(folder, name)
        data.append((path, args, how))
        return path

    small, few = at("100x1000.parquet", 100, 1000), at("10x2000.parquet", 10, 2000)
    panel, panel_csv = at("1000x1000.parquet", 1000, 1000), at("1000x1000.csv", 1000, 1000)
    many, short = at("1000x5000.parquet", 1000, 5000), at("50000x60.parquet", 50_000, 60, step="d")
    counts, wide = at("counts-1000x700.parquet", 1000, 700, step="d", kind="counts"), at("wide-200x3000.csv", 200, 3000, wide=True)
    turns, sums = at("turns-1000x1000.csv", 1000, 1000, turns=True), at("sums-500x500.parquet", 500, 500, step="d", groups=20)
    past = at("past-100x2000.parquet", 100, 2000, covariates=3)
    forecast = lambda path, horizon, model, *more: ["forecast", path, "-H", str(horizon), "--model", model, *more]  # noqa: E731
    jobs = [
        forecast(one, horizon, "seasonal_naive")
        for one, horizon in ((small, 24), (panel, 168), (panel_csv, 168), (many, 24), (many, 168), (short, 28), (wide, 24), (turns, 24))
    ]
    jobs += [forecast(one, horizon, "ridge") for one, horizon in ((few, 24), (small, 24), (panel, 24), (panel, 168), (short, 14), (wide, 24))]
    jobs += [forecast(panel, 24, "ets"), forecast(short, 14, "ets"), forecast(few, 24, "mstl"), forecast(counts, 28, "counts")]
    jobs += [forecast(few, 24, "auto", "--budget", "60s"), forecast(small, 24, "auto", "--budget", "60s")]
    jobs += [forecast(few, 24, "ensemble", "--budget", "60s"), forecast(past, 24, "ridge", "--past-covariates", "x0,x1,x2")]
    jobs += [forecast(sums, 14, "seasonal_naive", "--hierarchy", "total,region", "--id", "region,unique_id"), ["load", many, 24], ["load", short, 28]]
    jobs += [["backtest", small, "-H", "24", "--models", "ridge,seasonal_naive"]]
    if full:
        jobs += [forecast(panel, 48, "auto", "--budget", "300s"), forecast(panel, 24, "ensemble", "--budget", "300s")]
        jobs += [forecast(many, 24, "ridge"), forecast(few, 168, "s4", "--budget", "120s"), forecast(few, 24, "sashimi", "--budget", "120s")]
    return data, jobs


def real(folder):
    """The jobs on the Parquet files of a folder, as far as the program can read them."""
    files = sorted(name for name in os.listdir(folder) if name.endswith(".parquet"))
    models = ("seasonal_naive", "ridge")
    return [["forecast", os.path.join(folder, name), "-H", "12", "--model", model] for name in files for model in models]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="target/release/s4cast")
    parser.add_argument("--data", help="folder with Parquet files of one's own")
    parser.add_argument("--only", nargs="+", default=[], help="jobs whose words hold one of these")
    parser.add_argument("--keep", help="folder for the series that are made up, which are made once")
    parser.add_argument("--no-limit", action="store_true", help="do not run again under a limit")
    parser.add_argument("--full", action="store_true", help="the jobs that take minutes, too")
    args = parser.parse_args()
    cage = None if args.no_limit else Cage()
    ratios, survived, tried = [], 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or scratch
        os.makedirs(folder, exist_ok=True)
        data, jobs = made_up(folder, args.full)
        jobs = real(args.data) if args.data else jobs
        out = ["-o", os.path.join(scratch, "out.parquet")]
        print("| job | planned, MiB | peak, MiB | plan / peak | under 1.2 × the plan | s |\n|---|---|---|---|---|---|")
        for job in jobs:
            shown = " ".join(os.path.basename(word) if isinstance(word, str) else str(word) for word in job)
            if args.only and not any(text in shown for text in args.only):
                continue
            for path, how, more in data:
                if path in job:
                    write(path, *how, **more)
            if job[0] == "load":
                model, sample = os.path.join(scratch, "model"), os.path.join(scratch, "sample.parquet")
                pq.write_table(pq.ParquetFile(job[1]).read_row_group(0).slice(0, 200_000), sample)
                subprocess.run([args.bin, "forecast", sample, "-H", str(job[2]), "--model", "ridge", "--save-model", model, *out, "-q"], check=True)
                job = ["forecast", job[1], "--load-model", model]
            command = [args.bin, *job, *out, "--json", "--no-progress"]
            begun = time.time()
            code, text, errors, peak = run(command)
            seconds = time.time() - begun
            if code != 0:
                print(f"| {shown} | | | exit code {code} | {errors.strip().splitlines()[0][:80] if errors.strip() else ''} | |", flush=True)
                continue
            planned = json.loads(text)["memory"]["planned_bytes"]
            ratios.append(planned / peak)
            caged = ""
            if cage is not None:
                code, _, errors, _ = run([*cage.words(int(1.2 * planned)), *command])
                tried, survived = tried + 1, survived + (code == 0)
                caged = "survives" if code == 0 else f"exit code {code}"
            print(f"| {shown} | {planned >> 20} | {peak >> 20} | {planned / peak:.2f} | {caged} | {seconds:.1f} |", flush=True)
    within = sum(1 / 1.25 <= ratio <= 1.25 for ratio in ratios)
    print(f"\n{within} of {len(ratios)} plans are within a quarter of the peak", end="")
    if cage is not None:
        print(f"; {survived} of {tried} jobs survive in {cage.name()} of 1.2 times the plan", end="")
        cage.remove()
    print()
    sys.exit(0 if within == len(ratios) and survived == tried else 1)


if __name__ == "__main__":
    main()
