"""Ray Data (integrations/s4cast_ray.py) on this machine: two workers at a time."""

import os
import tempfile

import common
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import ray
import s4cast_ray
from common import PROGRAM, WORK, same, until, workers

MODEL, DATA, SMALL = (os.path.join(WORK, name) for name in ("daily.safetensors", "daily.parquet", "small.parquet"))


def table(dataset):
    return pa.concat_tables(ray.get(dataset.to_arrow_refs())).combine_chunks()


def equal():
    """50 000 series, brought together by bucket, are forecast as by one machine, bit for bit"""
    wanted, run = common.forecast(DATA, "daily-cli", "--load-model", MODEL)
    forecasts = s4cast_ray.forecast(ray.data.read_parquet(DATA), MODEL, buckets=8, program=PROGRAM, **run)
    same(table(forecasts), wanted)


def files():
    """files of whole series are forecast without a shuffle, bit for bit"""
    wanted, run = common.forecast(SMALL, "small-cli", "--load-model", MODEL)
    paths, rows = [], pq.read_table(SMALL)
    names = pc.unique(rows["unique_id"])
    for share in range(4):
        paths.append(os.path.join(WORK, f"bucket-{share}.parquet"))
        pq.write_table(rows.filter(pc.is_in(rows["unique_id"], names[share * 500:(share + 1) * 500])), paths[-1])
    last = pc.max(wanted["cutoff"]).as_py().isoformat()
    same(table(s4cast_ray.forecast_files(paths, MODEL, last, program=PROGRAM, **run)), wanted)


def columns():
    """ids of several columns, numbers among them, come back as columns"""
    data = common.two_ids("two-ray")
    names = {"id": ["shop", "item"], "time": "day", "target": "sold"}
    wanted, run = common.forecast(data, "two-ray-cli", "--load-model", MODEL, "--id", "shop,item", "--time", "day", "--target", "sold")
    same(table(s4cast_ray.forecast(ray.data.read_parquet(data), MODEL, buckets=3, program=PROGRAM, **names, **run)), wanted)


def trained():
    """a model of each bucket is that of one machine on the rows of that bucket"""
    got = table(s4cast_ray.forecast(ray.data.read_parquet(SMALL), "ridge", buckets=2, train=True, horizon=14, program=PROGRAM))
    data = s4cast_ray.bucketed(pq.read_table(SMALL), ["unique_id"], 2)
    wanted = []
    for bucket in range(2):
        path = os.path.join(WORK, f"trained-{bucket}.parquet")
        pq.write_table(data.filter(pc.equal(data[s4cast_ray.BUCKET], bucket)).drop_columns([s4cast_ray.BUCKET]), path)
        wanted.append(common.forecast(path, f"trained-{bucket}-cli", "--model", "ridge", "-H", "14")[0])
    assert len(pc.unique(got["run_id"])) == len(pc.unique(got["issued_at"])) == 1
    same(got, pa.concat_tables(wanted), but=("created_at", "run_id", "issued_at"))


def says_why():
    """a worker that fails fails the job with its exit code and its last words, and leaves no other behind"""
    try:
        s4cast_ray.forecast(ray.data.read_parquet(SMALL), MODEL, buckets=2, horizon=99, program=PROGRAM).materialize()
    except Exception as error:
        assert "WorkerFailed" in str(error) and "exit code 65" in str(error), error
    else:
        raise AssertionError("no exception")
    until("no worker is left", lambda: not workers(), 20)


if __name__ == "__main__":
    # Sockets have short names, so they lie outside of the work folder.
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        ray.init(num_cpus=2, include_dashboard=False, object_store_memory=1 << 30, _temp_dir=folder, _node_ip_address="127.0.0.1",
                 log_to_driver=False, logging_level="error")
        ray.data.DataContext.get_current().enable_progress_bars = False
        try:
            common.run([equal, files, columns, trained, says_why])
        finally:
            ray.shutdown()
