"""Classical peers of statsforecast beside the built program: the last values of each series are held back.

    pip install statsforecast
    python benches/peers.py --data DIR --set m3_monthly [--ours auto,ets,mstl] [--peers AutoETS,AutoTheta]

DIR holds the sets as Parquet with columns series_id, ts, y (not part of this repository). Prints, per model: MASE and
sMAPE (mean over a series, then over series), shares of actuals inside the 80 % and the 95 % interval, scaled CRPS (twice
the pinball loss over the deciles, divided by the scale of the MASE) and CPU seconds. The scale is the mean absolute error
of seasonal naive in the training part; series where it is zero have no MASE and are counted. The peers run in one
process, compiled before the clock starts; ours are child processes, reading and publishing included.
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time

import numpy as np
import pandas as pd

# File, horizon, season.
SETS = {
    "m3_monthly": ("m3_monthly_train", 18, 12),
    "australia_tourism": ("australia_tourism", 8, 4),
    "stallion": ("stallion", 6, 12),
    "walmart_weekly": ("walmart_weekly", 13, 52),
    "m5_subset": ("m5_subset", 28, 7),
}
LEVELS = [0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975]
DECILES = slice(1, 10)


def split(data, horizon):
    """Training part, and (series, T) actuals in the order of the sorted ids; every series is long enough."""
    data = data.sort_values(["series_id", "ts"], kind="stable").reset_index(drop=True)
    back = data.groupby("series_id").cumcount(ascending=False)
    return data[back >= horizon], data[back < horizon]["y"].to_numpy(float).reshape(-1, horizon)


def ours(model, train, horizon, season, program, folder):
    """Quantiles (series, T, Q) of the built program, and its CPU seconds."""
    inputs, output = os.path.join(folder, "train.parquet"), os.path.join(folder, f"{model}.parquet")
    train.to_parquet(inputs, index=False)
    command = [program, "forecast", inputs, "--id", "series_id", "--time", "ts", "--target", "y"]
    command += ["-H", str(horizon), "--season-length", str(season), "--model", model, "-o", output, "--quiet"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    table = pd.read_parquet(output).sort_values(["unique_id", "horizon"], kind="stable")
    columns = ["p" + f"{100 * level:04.1f}".replace(".0", "").replace(".", "_") for level in LEVELS]
    columns[LEVELS.index(0.5)] = "yhat"
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return table[columns].to_numpy(float).reshape(-1, horizon, len(LEVELS)), seconds


def theirs(name, train, horizon, season):
    """The same of a model of statsforecast, on one thread."""
    from statsforecast import StatsForecast, models

    frame = pd.DataFrame({"unique_id": train["series_id"], "y": train["y"].astype(float)})
    frame["ds"] = frame.groupby("unique_id").cumcount()

    def predict(frame):
        forecaster = StatsForecast([getattr(models, name)(season_length=season, alias="f")], freq=1, n_jobs=1)
        return forecaster.forecast(df=frame, h=horizon, level=[20, 40, 60, 80, 95])

    predict(frame[frame["unique_id"].isin(frame["unique_id"].unique()[:2])])
    start = time.process_time()
    table = predict(frame).sort_values(["unique_id", "ds"], kind="stable")
    seconds = time.process_time() - start
    columns = ["f-lo-95", "f-lo-80", "f-lo-60", "f-lo-40", "f-lo-20", "f"]
    columns += ["f-hi-20", "f-hi-40", "f-hi-60", "f-hi-80", "f-hi-95"]
    return table[columns].to_numpy(float).reshape(-1, horizon, len(LEVELS)), seconds


def score(name, quantiles, seconds, actual, scale):
    point = quantiles[:, :, LEVELS.index(0.5)]
    error, size = np.abs(actual - point), np.abs(actual) + np.abs(point)
    smape = np.where(size == 0, 0, 200 * error / np.where(size == 0, 1, size)).mean()
    has_scale = scale > 0
    mase = (error.mean(axis=1)[has_scale] / scale[has_scale]).mean()
    levels = np.array(LEVELS)[DECILES]
    over = actual[:, :, None] - quantiles[:, :, DECILES]
    pinball = np.maximum(levels * over, (levels - 1) * over).mean(axis=(1, 2))
    crps = (2 * pinball[has_scale] / scale[has_scale]).mean()
    inside = [((quantiles[:, :, i] <= actual) & (actual <= quantiles[:, :, -1 - i])).mean() for i in (1, 0)]
    broken = int((~np.isfinite(quantiles)).any(axis=(1, 2)).sum())
    note = f"  not finite: {broken} series" if broken else ""
    print(
        f"{name:<22} MASE {mase:.4f}  sMAPE {smape:6.2f}  coverage 80 % {inside[0]:.3f}, 95 % {inside[1]:.3f}  "
        f"scaled CRPS {crps:.4f}  CPU {seconds:.1f} s{note}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--set", required=True, choices=SETS)
    parser.add_argument("--bin", default="target/release/s4cast")
    parser.add_argument("--ours", default="auto,ridge,ets,mstl", help="models of the built program; empty for none")
    parser.add_argument("--peers", default="SeasonalNaive,AutoETS,AutoTheta,DynamicOptimizedTheta")
    args = parser.parse_args()
    file, horizon, season = SETS[args.set]
    data = pd.read_parquet(os.path.join(args.data, f"{file}.parquet"), columns=["series_id", "ts", "y"])
    train, actual = split(data, horizon)
    seasonal = train.groupby("series_id")["y"].agg(lambda y: np.abs(y.to_numpy()[season:] - y.to_numpy()[:-season]).mean())
    scale = np.nan_to_num(seasonal.to_numpy(float))
    print(f"{args.set}: {len(actual)} series, {horizon} steps, season {season}; without a scale: {int((scale == 0).sum())}")
    for model in filter(None, args.ours.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            score(model, *ours(model, train, horizon, season, args.bin, folder), actual, scale)
    for name in filter(None, args.peers.split(",")):
        score(name, *theirs(name, train, horizon, season), actual, scale)


if __name__ == "__main__":
    main()
