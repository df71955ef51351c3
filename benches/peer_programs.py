"""Whole programs side by side: each reads a Parquet file, forecasts every series, writes a Parquet file, and is a process of its own.

    pip install statsforecast prophet pyarrow
    python benches/peer_programs.py --data DIR --set m3_monthly [--series 200] [--programs s4cast,AutoETS,Prophet]
    python benches/peer_programs.py --csv datasets/air_passengers.csv --horizon 12 --season 12

The last horizon of each series is held back. Prints, per program: MASE (mean over series; the scale is the error of seasonal naive in
the training part), share of actuals inside the 80 % interval, wall and CPU seconds of the process from start to end, and its peak
memory. `s4cast:preset=fast` is s4cast with a flag. Programs other than s4cast are a few lines of Python below, with zero settings but
the season; everybody has one thread.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

# File, horizon, season.
SETS = {
    "m3_monthly": ("m3_monthly_train", 18, 12),
    "australia_tourism": ("australia_tourism", 8, 4),
    "m4_weekly": ("m4_weekly_train", 13, 52),
    "m5_subset": ("m5_subset", 28, 7),
}
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "S4CAST_THREADS")}

# Starts the program from a process that holds next to nothing: a child's peak counts what its parent held when it was forked.
LAUNCHER = """
import json, os, sys, time
start = time.monotonic()
child = os.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
figures = (time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
print(json.dumps([os.waitstatus_to_exitcode(status), *figures]))
"""


def statsforecast(name, train, output, horizon, season):
    import pandas as pd
    from statsforecast import StatsForecast, models

    frame = pd.read_parquet(train)
    frame = pd.DataFrame({"unique_id": frame["series_id"], "ds": frame.groupby("series_id").cumcount(), "y": frame["y"]})
    forecaster = StatsForecast([getattr(models, name)(season_length=season, alias="f")], freq=1, n_jobs=1)
    table = forecaster.forecast(df=frame, h=horizon, level=[80])
    table = table.rename(columns={"f": "yhat", "f-lo-80": "yhat_lower", "f-hi-80": "yhat_upper"})
    table["horizon"] = table.groupby("unique_id").cumcount() + 1
    table.to_parquet(output)


def prophet(train, output, horizon):
    import logging

    import pandas as pd
    from prophet import Prophet

    logging.disable(logging.ERROR)
    tables = []
    for name, series in pd.read_parquet(train).groupby("series_id", sort=True):
        model = Prophet(interval_width=0.8)
        model.fit(pd.DataFrame({"ds": series["ts"], "y": series["y"]}))
        future = model.make_future_dataframe(horizon, freq=pd.infer_freq(series["ts"]), include_history=False)
        table = model.predict(future)[["yhat", "yhat_lower", "yhat_upper"]]
        tables.append(table.assign(unique_id=name, horizon=range(1, horizon + 1)))
    pd.concat(tables).to_parquet(output)


def command(name, args, train, output):
    """What is run for one program."""
    if name.startswith("s4cast"):
        words = [args.bin, "forecast", train, "--id", "series_id", "--time", "ts", "--target", "y", "-H", str(args.horizon)]
        words += ["--season-length", str(args.season), "-o", output, "--quiet"]
        return words + [f"--{setting}" for setting in name.split(":")[1:]]
    return [sys.executable, __file__, "--child", name, train, output, str(args.horizon), str(args.season)]


def score(name, output, actual, scale, wall, cpu, peak):
    import numpy as np
    import pandas as pd

    table = pd.read_parquet(output).sort_values(["unique_id", "horizon"], kind="stable")
    point, low, high = (table[column].to_numpy(float).reshape(actual.shape) for column in ("yhat", "yhat_lower", "yhat_upper"))
    mase = (np.abs(actual - point).mean(axis=1)[scale > 0] / scale[scale > 0]).mean()
    inside = 100 * ((low <= actual) & (actual <= high)).mean()
    print(f"{name:<22} MASE {mase:.3f}  in 80 % {inside:.1f}  wall {wall:.2f} s  CPU {cpu:.2f} s  peak {peak:.0f} MiB", flush=True)


def read(args):
    """Training part as a table, actuals (series, T), scales."""
    import numpy as np
    import pandas as pd

    if args.csv:
        data = pd.read_csv(args.csv)
        time_name, target = data.columns[:2]
        data = pd.DataFrame({"series_id": "only", "ts": pd.to_datetime(data[time_name]), "y": data[target].astype(float)})
    else:
        file, args.horizon, args.season = SETS[args.set]
        data = pd.read_parquet(os.path.join(args.data, f"{file}.parquet"), columns=["series_id", "ts", "y"])
    data = data.sort_values(["series_id", "ts"], kind="stable").reset_index(drop=True)
    if args.series:
        data = data[data["series_id"].isin(sorted(data["series_id"].unique())[:: max(1, data["series_id"].nunique() // args.series)][: args.series])]
    back = data.groupby("series_id").cumcount(ascending=False)
    train, actual = data[back >= args.horizon], data[back < args.horizon]["y"].to_numpy(float).reshape(-1, args.horizon)
    lag = args.season
    scale = train.groupby("series_id")["y"].agg(lambda y: np.abs(y.to_numpy()[lag:] - y.to_numpy()[:-lag]).mean())
    return train, actual, np.nan_to_num(scale.to_numpy(float))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data")
    parser.add_argument("--set", choices=SETS)
    parser.add_argument("--csv", help="one series: time and value are its first two columns")
    parser.add_argument("--horizon", type=int, default=12)
    parser.add_argument("--season", type=int, default=12)
    parser.add_argument("--series", type=int, help="as many series, spread over the sorted ids")
    parser.add_argument("--bin", default="target/release/s4cast")
    parser.add_argument("--programs", default="s4cast,s4cast:preset=fast,AutoETS,DynamicOptimizedTheta,Prophet")
    args = parser.parse_args()
    train, actual, scale = read(args)
    print(f"{args.csv or args.set}: {len(actual)} series, {args.horizon} steps, season {args.season}")
    with tempfile.TemporaryDirectory() as folder:
        inputs = os.path.join(folder, "train.parquet")
        train.to_parquet(inputs, index=False)
        for name in args.programs.split(","):
            output = os.path.join(folder, f"{name}.parquet")
            launched = [sys.executable, "-S", "-c", LAUNCHER, *command(name, args, inputs, output)]
            told = subprocess.run(launched, env={**os.environ, **ONE_THREAD}, stdout=subprocess.PIPE, text=True).stdout
            code, *figures = json.loads(told.splitlines()[-1])
            if code:
                sys.exit(f"{name} ended with {code}")
            score(name, output, actual, scale, *figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        name, train, output, horizon, season = sys.argv[2:]
        if name == "Prophet":
            prophet(train, output, int(horizon))
        else:
            statsforecast(name, train, output, int(horizon), int(season))
    else:
        main()
