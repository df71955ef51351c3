"""Forecasts of s4cast in Spark 4 or later.

    import s4cast_spark
    forecasts = s4cast_spark.forecast(spark.read.parquet("s3://data/load"), model="s3://models/load.safetensors", partitions=64)
    forecasts.write.parquet("s3://out/load")

One row per series and time goes in (`unique_id`, `ds`, `y`, or names given as `id`, `time`, `target`; select what is needed), schema v1
comes out. Every partition streams through a process of its own, `s4cast worker`, which has to be on the PATH of the driver and of all
executors, or at `program`. These Python files are needed on the driver alone.

What `forecast` does can be written out, with `predict_batches`:

    df.repartition(64, "unique_id").sortWithinPartitions("unique_id", "ds").mapInArrow(s4cast_spark.predict_batches(model=…), s4cast_spark.SCHEMA)

Instants (TIMESTAMP) reach the worker in UTC, whatever the time zone of the session. TIMESTAMP_NTZ is civil time, in the zone of the flag
`tz`. Days and seasons of both follow `tz`. Instants come back as TIMESTAMP.
"""

import sys

import pyarrow as pa
import s4cast_worker
from pyspark import cloudpickle
from pyspark.sql import functions

# What executors run travels with the code of both files, so that nothing has to be installed there.
for module in (s4cast_worker, sys.modules[__name__]):
    cloudpickle.register_pickle_by_value(module)

#: Schema v1 of a model with the levels 80 and 95 and one id column. `forecast` asks the worker instead.
SCHEMA = (
    "unique_id string, ds timestamp, horizon int, yhat double, yhat_lower double, yhat_upper double, p02_5 double, p10 double, "
    "p20 double, p30 double, p40 double, p50 double, p60 double, p70 double, p80 double, p90 double, p97_5 double, cutoff timestamp, "
    "issued_at timestamp, created_at timestamp, run_id string, model_id string, model_version int, status string, scenario string, "
    "weights string"
)

#: Spark's names of the types of schema v1.
NAMES = {pa.string(): "string", pa.int32(): "int", pa.float64(): "double", pa.timestamp("us", "UTC"): "timestamp"}


def predict_batches(model, **flags):
    """A function for `DataFrame.mapInArrow`, for partitions of whole series that are sorted by `unique_id` and time.

    Arguments are those of `s4cast_worker.command`. All partitions share a run id and `issued_at`, drawn here unless they are given.
    Without `data_end`, the last time with a value of all series, or "none", a series that ended long ago may end the job.
    """
    words = s4cast_worker.command(model, **s4cast_worker.one_run(flags))
    return lambda batches: s4cast_worker.forecasts(batches, words)


def forecast(df, model, partitions=None, id=("unique_id",), time="ds", target="y", **flags):
    """Forecasts of every series of a DataFrame, as a DataFrame.

    `model` is a trained model, or with `train=True` the name of a kind of model, which is trained on each of the `partitions` alone: then
    forecasts depend on their number. Without a number, Spark chooses one. Reads the data once more than needed for its last time, unless
    `data_end` is given.
    """
    id = [id] if isinstance(id, str) else list(id)
    flags = s4cast_worker.one_run({"id": id, "time": time, "target": target, **flags})
    if "data_end" not in flags and not flags.get("train"):
        flags["data_end"] = last_time(df, time, target)
    words = s4cast_worker.command(model, **flags)
    schema = s4cast_worker.output_schema(df.limit(0).toArrow().schema, words)
    columns = ", ".join(f"`{field.name}` {NAMES[field.type]}" for field in schema)
    shares = df.repartition(*([partitions] if partitions else []), *id)
    ordered = shares.sortWithinPartitions(functions.concat_ws("/", *id), time)
    return ordered.mapInArrow(lambda batches: s4cast_worker.forecasts(batches, words), columns)


def last_time(df, time, target):
    """The last time with a value, as the worker reads it: an instant in UTC, a civil time or a day; "none" where there is no value."""
    last = df.where(df[target].isNotNull()).agg(functions.max(time).alias(time)).toArrow()
    value = last.cast(s4cast_worker.plain(last.schema)).column(0)[0].as_py()
    return "none" if value is None else value.isoformat()
