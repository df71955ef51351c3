"""A model of hours on 15-minute data, beside models of either step.

    pip install pyarrow numpy
    python benches/sampling.py --data FILE.parquet [--model ridge] [--preset fast] [--hours 24] [--origins 20] [--program s4cast]

FILE holds 15-minute series with columns series_id, ts, y that begin on the hour (ETTm1; not part of this repository). Hours are
every fourth row, the copy is the straight line between them. Models are trained on the first 70 % and saved; every forecast
loads one of them as of an origin in the rest. Prints MASE (scale: what came a day earlier, in the training part) of all rows, of those
of the first hour, and the share of values inside the 80 % interval.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

QUARTER = 900_000_000


def series_of(path):
    """Times in microseconds and values by series, cut so that the last row stands on the hour."""
    table = pq.read_table(path)
    ids, values = np.array(table["series_id"]), table["y"].to_numpy()
    times = table["ts"].to_numpy().astype("datetime64[us]").astype("int64")
    found = {}
    for one in sorted(set(ids)):
        own = np.flatnonzero(ids == one)
        own = own[np.argsort(times[own])]
        own = own[: (len(own) - 1) // 4 * 4 + 1]
        found[one] = (times[own], values[own])
    return found


def forms(found):
    """The same series in quarters, in hours, and in quarters that are made up of hours."""
    hours = {one: (t[::4], y[::4]) for one, (t, y) in found.items()}
    rows = {one: np.arange(len(t)) for one, (t, _) in found.items()}
    copy = {one: (t, np.interp(rows[one], rows[one][::4], y[::4])) for one, (t, y) in found.items()}
    return {"quarters": found, "hours": hours, "copy": copy}


def write(path, series):
    ids = np.concatenate([np.repeat(one, len(t)) for one, (t, _) in series.items()])
    times = pa.array(np.concatenate([t for t, _ in series.values()])).cast(pa.timestamp("us"))
    pq.write_table(pa.table({"unique_id": ids, "ds": times, "y": np.concatenate([y for _, y in series.values()])}), path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--program", default="target/release/s4cast")
    parser.add_argument("--model", default="ridge")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--origins", type=int, default=20)
    parser.add_argument("--hours-only", action="store_true", help="train no model of quarters, which takes longest")
    args = parser.parse_args()
    all_forms = forms(series_of(args.data))
    times = next(iter(all_forms["hours"].values()))[0]
    cut = times[len(times) * 7 // 10]
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        for form, series in all_forms.items():
            write(place / f"{form}.parquet", series)

        def run(form, at, *more):
            as_of = str(np.datetime64(int(at), "us")) + "Z"
            command = [args.program, "forecast", place / f"{form}.parquet", "--as-of", as_of, "--json", "-o", place / "out.parquet"]
            done = subprocess.run([*command, *more], capture_output=True, text=True, check=True)
            return json.loads(done.stdout)

        models = {"hours": args.hours} if args.hours_only else {"hours": args.hours, "quarters": 4 * args.hours}
        for form, horizon in models.items():
            how = ["-H", str(horizon), "--model", args.model, "--preset", args.preset]
            fit = run(form, cut, *how, "--save-model", place / form)["fits"][0]
            print(f"{form}: {fit['model_id']}, gate {fit['gate']:.2f}, season {fit['season_length']}")

        def score(form, model, at, *more):
            run(form, at, "--load-model", place / model, *more)
            out = pq.read_table(place / "out.parquet")
            per_hour = 1 if form == "hours" else 4
            errors, held = [], []
            for one, (t, y) in all_forms[form].items():
                own = np.array(out["unique_id"]) == one
                ds = out["ds"].to_numpy().astype("datetime64[us]").astype("int64")[own]
                actual = y[np.searchsorted(t, ds)]
                known = y[t <= cut]
                scale = np.abs(known[24 * per_hour :] - known[: -24 * per_hour]).mean()
                errors.append(np.abs(out["yhat"].to_numpy()[own] - actual) / scale)
                low, high = (out[name].to_numpy()[own] for name in ("p10", "p90"))
                held.append((low <= actual) & (actual <= high))
            errors = np.array(errors)
            return errors.mean(), errors[:, :per_hour].mean(), np.mean(held)

        cases = {
            "model of hours on hours": ("hours", "hours"),
            "model of hours on the copy": ("copy", "hours", "--sampling-scale", "0.25"),
            "model of hours on quarters": ("quarters", "hours", "--sampling-scale", "auto"),
            "model of quarters on quarters": ("quarters", "quarters"),
            "model of quarters on hours": ("hours", "quarters", "--sampling-scale", "auto"),
        }
        left = (times[-1] - cut) // (4 * QUARTER) - args.hours
        origins = [cut + 4 * QUARTER * ((n + 1) * left // (args.origins + 1)) for n in range(args.origins)]
        for name, (form, model, *more) in cases.items():
            if model not in models:
                continue
            mean = np.mean([score(form, model, at, *more) for at in origins], axis=0)
            print(f"{name:30s} MASE {mean[0]:.4f}, first hour {mean[1]:.4f}, 80 % interval held {100 * mean[2]:.1f} %")


main()
