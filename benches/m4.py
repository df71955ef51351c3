"""M4 Hourly and Weekly with the built program: accuracy on the official test sets, seconds and peak memory.

    python benches/m4.py --data DIR [--bin target/release/s4cast]

DIR holds m4_{hourly,weekly}_{train,test}.parquet with columns series_id, ts, y (not part of this repository). Needs
pyarrow and numpy. sMAPE and MASE as in the competition, averaged per series, then over series; OWA against the published
figures of Naive2 (Makridakis et al. 2020).
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time

import numpy as np
import pyarrow.parquet as pq

GROUPS = {"hourly": (48, 24, 18.383, 2.395), "weekly": (13, 1, 9.161, 2.777)}


def by_series(path, id_column, value_columns):
    table = pq.read_table(path).to_pydict()
    rows = {}
    for i, name in enumerate(table[id_column]):
        rows.setdefault(name, []).append([table[c][i] for c in value_columns])
    return {name: np.array(values, dtype=float) for name, values in rows.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--bin", default="target/release/s4cast")
    args = parser.parse_args()
    folder = tempfile.mkdtemp()
    train = {group: os.path.join(args.data, f"m4_{group}_train.parquet") for group in GROUPS}
    runs = {}
    # All runs come before the scoring: a child counts the memory of the process that it is forked from.
    for group, (horizon, *_) in GROUPS.items():
        out = os.path.join(folder, f"{group}.parquet")
        start = time.monotonic()
        subprocess.run([args.bin, "forecast", train[group], "-H", str(horizon), "-o", out, "--quiet"], check=True)
        wall = time.monotonic() - start
        runs[group] = (out, wall, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
    for group, (_, season, naive_smape, naive_mase) in GROUPS.items():
        out, wall, peak = runs[group]
        history = by_series(train[group], "series_id", ["y"])
        actual = by_series(os.path.join(args.data, f"m4_{group}_test.parquet"), "series_id", ["y"])
        forecast = by_series(out, "unique_id", ["yhat", "p10", "p90", "p02_5", "p97_5"])
        smape, mase, inside = [], [], []
        for name, y in actual.items():
            y, f, past = y[:, 0], forecast[name], history[name][:, 0]
            error = np.abs(y - f[:, 0])
            smape.append(np.mean(200 * error / (np.abs(y) + np.abs(f[:, 0]))))
            mase.append(np.mean(error) / np.mean(np.abs(past[season:] - past[:-season])))
            inside.append([np.mean((f[:, lo] <= y) & (y <= f[:, hi])) for lo, hi in ((1, 2), (3, 4))])
        smape, mase = np.mean(smape), np.mean(mase)
        owa = 0.5 * (smape / naive_smape + mase / naive_mase)
        coverage = np.mean(inside, axis=0)
        print(
            f"{group}: series {len(actual)}  sMAPE {smape:.3f}  MASE {mase:.4f}  OWA {owa:.4f}  "
            f"coverage 80 % {coverage[0]:.3f}, 95 % {coverage[1]:.3f}  wall {wall:.1f} s  "
            f"peak memory so far {peak} MiB"
        )


if __name__ == "__main__":
    main()
