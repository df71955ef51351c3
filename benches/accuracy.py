"""Benchmarks with the built program, as one markdown table on stdout.

    python benches/accuracy.py --data DIR [--sets etth1 m4_hourly …] [--models auto ridge …] [--seeds 1,2,3]
                               [--bin target/release/s4cast] [--extra preset=fast …] [--keep FOLDER]

Every row is one `s4cast train pipeline=SET model=MODEL seed=SEED --json`, a line per horizon; the next command of a row is
started when the one before has ended. DIR holds the data (not part of this repository; each definition in
configs/pipeline says where its files come from). With several seeds, figures are means, and the main one has its deviation.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HEADS = ["set", "H", "model", "metric", "value", "seasonal naive", "naive", "MAE / sMAPE", "in 80 %", "in 95 %",
         "scaled CRPS", "served by", "CPU s", "wall s", "peak MiB"]


def run(args, name, model, seed):
    """The document of one command, and its wall time; None if it failed."""
    command = [args.bin, "train", f"pipeline={name}", f"model={model}", f"seed={seed}", f"data_dir={args.data}", "--json"]
    start = time.monotonic()
    done = subprocess.run(command + args.extra, stdout=subprocess.PIPE, text=True)
    wall = time.monotonic() - start
    if done.returncode != 0:
        print(f"{' '.join(command)}: exit code {done.returncode}", file=sys.stderr)
        return None
    if args.keep:
        with open(os.path.join(args.keep, f"{name}-{model}-{seed}.json"), "w") as file:
            file.write(done.stdout)
    return json.loads(done.stdout), wall


def mean(values):
    values = [value for value in values if value is not None]
    return statistics.fmean(values) if values else None


def shown(value, digits=4):
    return "" if value is None else f"{value:.{digits}f}"


def rows(name, model, runs):
    """One row per horizon, and one for their mean where there are several."""
    documents = [document for document, _ in runs]
    metric = documents[0]["metric"]
    second = "mae" if metric == "mse" else "smape"
    cost = [shown(mean([document["cpu_seconds"] for document in documents]), 1), shown(mean([wall for _, wall in runs]), 1),
            shown(mean([document["peak_memory_mib"] for document in documents]), 0)]
    horizons = list(documents[0]["test"]["horizons"])
    parts = [(horizon, [document["test"]["horizons"][horizon] for document in documents]) for horizon in horizons]
    if len(horizons) > 1:
        parts.append(("mean", [document["test"] for document in documents]))
    for horizon, figures in parts:
        values = [one[metric] for one in figures]
        deviation = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
        served = figures[0].get("models", {})
        yield [name, horizon, model, metric, shown(mean(values)) + deviation,
               shown(mean([one["seasonal_naive"].get(metric) for one in figures])),
               shown(mean([one["naive"].get(metric) for one in figures])),
               shown(mean([one[second] for one in figures])),
               shown(mean([one["coverage"].get("80") for one in figures]), 3),
               shown(mean([one["coverage"].get("95") for one in figures]), 3),
               shown(mean([one["scaled_crps"] for one in figures])),
               ", ".join(served), *(cost if horizon == parts[-1][0] else ["", "", ""])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--sets", nargs="+", default=["m4_hourly", "m4_weekly", "bike_sharing"])
    parser.add_argument("--models", nargs="+", default=["auto", "ridge"])
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--bin", default="target/release/s4cast")
    parser.add_argument("--extra", nargs="*", default=[], help="further KEY=VALUE, for example preset=fast horizon=96")
    parser.add_argument("--keep", help="folder for the documents")
    args = parser.parse_args()
    print("| " + " | ".join(HEADS) + " |\n|" + "---|" * len(HEADS))
    for name in args.sets:
        for model in args.models:
            runs = [done for seed in args.seeds.split(",") if (done := run(args, name, model, seed))]
            for row in rows(name, model, runs) if runs else []:
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
