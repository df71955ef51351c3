"""Spark (integrations/s4cast_spark.py) on a cluster of this machine: two executors, each a process of its own."""

import functools
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import common
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import s4cast_spark
from common import PROGRAM, WORK, same, until, workers
from pyspark.sql import SparkSession, functions

MODEL, BERLIN = os.path.join(WORK, "daily.safetensors"), os.path.join(WORK, "berlin.safetensors")
SETTINGS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    # For short jobs the first compiler is the quicker one.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "America/New_York",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.local.dir": WORK,
    "spark.sql.warehouse.dir": os.path.join(WORK, "warehouse"),
}


@functools.cache
def session():
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("s4cast")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def written(forecasts, name):
    """The table that Spark writes."""
    path = os.path.join(WORK, f"{name}-spark")
    forecasts.write.parquet(path)
    return pq.read_table(path)


def equal():
    """50 000 series are forecast as by one machine, bit for bit"""
    global WANTED, RUN
    data = os.path.join(WORK, "daily.parquet")
    WANTED, RUN = common.forecast(data, "daily-cli", "--load-model", MODEL)
    forecasts = s4cast_spark.forecast(session().read.parquet(data), MODEL, partitions=8, program=PROGRAM, **RUN)
    same(written(forecasts, "daily"), WANTED)


def killed():
    """an executor that is killed in the middle of its work changes nothing"""
    stall = os.path.join(WORK, "stall")
    program = os.path.join(WORK, "stalling")
    os.mkdir(stall)
    with open(program, "w") as file:
        file.write(STALLING.format(stall=stall, program=PROGRAM))
    os.chmod(program, 0o755)
    rows = session().read.parquet(os.path.join(WORK, "daily.parquet"))
    ordered = rows.repartition(8, "unique_id").sortWithinPartitions("unique_id", "ds")
    last = pc.max(WANTED["cutoff"]).as_py().isoformat()
    predict = s4cast_spark.predict_batches(model=MODEL, program=program, data_end=last, **RUN)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(written, ordered.mapInArrow(predict, s4cast_spark.SCHEMA), "killed")
        until("a worker is midway", lambda: os.path.exists(os.path.join(stall, "midway")) or job.done(), 120)
        assert not job.done(), job.exception() or "the job did not wait"
        with open(os.path.join(stall, "first", "pid")) as file:
            worker = int(file.read())
        executor = above(worker, b"CoarseGrainedExecutorBackend")
        os.kill(executor, signal.SIGKILL)
        until("the worker of a killed executor ends", lambda: not os.path.exists(f"/proc/{worker}"), 10)
        got = job.result(timeout=300)
    assert len(os.listdir(os.path.join(stall, "others"))) >= 8
    same(got, WANTED)


# A stand-in for the program: the first worker stops after 1 MB of forecasts and goes on for as long as it is alive.
STALLING = """#!/bin/sh
mkdir -p {stall}/others
if mkdir {stall}/first 2>/dev/null; then
    echo $$ >{stall}/first/pid
    {program} "$@" | {{
        head -c 1000000
        touch {stall}/midway
        while [ -d /proc/$$ ]; do sleep 0.1; done
    }}
else
    touch {stall}/others/$$
    exec {program} "$@"
fi
"""


def above(process, word):
    """The nearest process above one whose command line has a word in it."""
    while process > 1:
        with open(f"/proc/{process}/stat") as file:
            process = int(file.read().rpartition(")")[2].split()[1])
        with open(f"/proc/{process}/cmdline", "rb") as file:
            if word in file.read():
                return process
    raise AssertionError(f"no {word} above the worker")


def zones():
    """instants and civil times are read as they are meant, whatever the time zone of the session"""
    data = os.path.join(WORK, "berlin.parquet")
    wanted, run = common.forecast(data, "berlin-cli", "--load-model", BERLIN, "--tz", "Europe/Berlin")
    rows = session().read.parquet(data)
    flags = {"program": PROGRAM, "tz": "Europe/Berlin", **run}
    same(written(s4cast_spark.forecast(rows, BERLIN, partitions=2, **flags), "instants"), wanted)
    civil = rows.withColumn("ds", functions.expr("convert_timezone('Europe/Berlin', CAST(ds AS TIMESTAMP_NTZ))"))
    assert civil.schema["ds"].dataType.typeName() == "timestamp_ntz"
    same(written(s4cast_spark.forecast(civil, BERLIN, partitions=2, **flags), "civil"), wanted)


def columns():
    """ids of several columns, numbers among them, come back as columns"""
    data = common.two_ids("two-spark")
    names = {"id": ["shop", "item"], "time": "day", "target": "sold"}
    wanted, run = common.forecast(data, "two-spark-cli", "--load-model", MODEL, "--id", "shop,item", "--time", "day", "--target", "sold")
    forecasts = s4cast_spark.forecast(session().read.parquet(data), MODEL, partitions=3, program=PROGRAM, **names, **run)
    assert forecasts.columns[:4] == ["unique_id", "shop", "item", "ds"]
    same(written(forecasts, "two"), wanted)


def trained():
    """a model of each partition is that of one machine on the rows of that partition"""
    rows = session().read.parquet(os.path.join(WORK, "small.parquet"))
    flags = {"horizon": 14, "seed": 3}
    forecasts = s4cast_spark.forecast(rows, "ridge", partitions=2, train=True, program=PROGRAM, **flags)
    got = written(forecasts, "trained")
    place = rows.repartition(2, "unique_id").select("unique_id", functions.spark_partition_id().alias("place")).distinct().toArrow()
    data, wanted = pq.read_table(os.path.join(WORK, "small.parquet")), []
    for share in range(2):
        mine = place.filter(pc.equal(place["place"], share))["unique_id"]
        path = os.path.join(WORK, f"share-{share}.parquet")
        pq.write_table(data.filter(pc.is_in(data["unique_id"], mine)), path)
        table, _ = common.forecast(path, f"share-{share}-cli", "--model", "ridge", "-H", "14", "--seed", "3")
        wanted.append(table)
    assert min(table.num_rows for table in wanted) > 0
    assert len(pc.unique(got["run_id"])) == len(pc.unique(got["issued_at"])) == 1
    same(got, pa.concat_tables(wanted), but=("created_at", "run_id", "issued_at"))


def says_why():
    """a worker that fails on an executor fails the job with its exit code and its last words"""
    rows = session().read.parquet(os.path.join(WORK, "small.parquet")).coalesce(1).orderBy("ds")
    predict = s4cast_spark.predict_batches(model=MODEL, program=PROGRAM, data_end="none")
    try:
        rows.mapInArrow(predict, s4cast_spark.SCHEMA).count()
    except Exception as error:
        assert "WorkerFailed" in str(error) and "exit code 65" in str(error), error
    else:
        raise AssertionError("no exception")


def early():
    """a job that needs a few rows leaves no worker behind"""
    rows = session().read.parquet(os.path.join(WORK, "daily.parquet"))
    forecasts = s4cast_spark.forecast(rows, MODEL, partitions=2, program=PROGRAM)
    assert len(forecasts.limit(3).collect()) == 3
    until("no worker is left", lambda: not workers(), 20)


if __name__ == "__main__":
    common.run([equal, killed, zones, columns, trained, says_why, early])
