"""Forecasts of s4cast in Ray Data.

    import ray, s4cast_ray
    forecasts = s4cast_ray.forecast(ray.data.read_parquet("s3://data/load"), model="s3://models/load.safetensors", buckets=64)
    forecasts.write_parquet("s3://out/load")

One row per series and time goes in (`unique_id`, `ds`, `y`, or names given as `id`, `time`, `target`), schema v1 comes out. Every bucket
streams through a process of its own, `s4cast worker`, which has to be on the PATH of all nodes, or at `program`.

Blocks of a dataset do not respect series, and Ray cuts large files into several: so series are brought together first, by buckets of a
hash. Where files hold whole series, sorted by `unique_id` and time, `forecast_files` streams each of them and needs no shuffle.
"""

import sys
import zlib

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import ray
import s4cast_worker

# What runs elsewhere travels with the code of both files, so that nothing has to be installed there.
for module in (s4cast_worker, sys.modules[__name__]):
    ray.cloudpickle.register_pickle_by_value(module)

BUCKET = "s4cast_bucket"  # Name of the column that holds a row's bucket.


class S4Cast:
    """Batches of whole series to their forecasts, for `map_batches` and `map_groups` with `batch_format="pyarrow"`.

    Arguments are those of `s4cast_worker.command`; `run_id`, `issued_at` and `data_end` (the last time with a value of all series, or
    "none") have to be the same everywhere, so they are to be given, as `forecast` does.
    """

    def __init__(self, model, id=("unique_id",), time="ds", target="y", **flags):
        self.id, self.time = [id] if isinstance(id, str) else list(id), time
        self.words = s4cast_worker.command(model, id=self.id, time=time, target=target, **flags)

    def __call__(self, table):
        """Forecasts of a table whose rows stand in any order."""
        table = table.select([name for name in table.column_names if name != BUCKET])
        keys = pa.table({"id": unique_ids(table, self.id), "time": table[self.time]})
        order = pc.sort_indices(keys, [("id", "ascending"), ("time", "ascending")])
        yield from self.stream(table.take(order).to_batches(65536))

    def files(self, table):
        """Forecasts of Parquet files, named by the column `path`, that hold whole series in order."""
        for path in table["path"].to_pylist():
            yield from self.stream(pyarrow.dataset.dataset(path, format="parquet").to_batches(batch_readahead=2))

    def stream(self, batches):
        """Forecasts of batches that are in order, while they come."""
        for batch in s4cast_worker.forecasts(batches, self.words):
            yield pa.Table.from_batches([batch])


def forecast(dataset, model, buckets, workers=2, id=("unique_id",), time="ds", target="y", **flags):
    """Forecasts of every series of a dataset, as a dataset, by `workers` processes at a time.

    `model` is a trained model, or with `train=True` the name of a kind of model, which is trained on each of the `buckets` alone: then
    forecasts depend on their number. A bucket has to fit into the memory of a node.
    """
    id = [id] if isinstance(id, str) else list(id)
    if not flags.get("train"):
        flags.setdefault("data_end", last_time(dataset, time, target))
    one = S4Cast(model, **s4cast_worker.one_run({"id": id, "time": time, "target": target, **flags}))
    groups = dataset.map_batches(bucketed, fn_args=[id, buckets], batch_format="pyarrow").groupby(BUCKET, num_partitions=buckets)
    # Tasks, not actors: those would hold the cores that the shuffle before them waits for.
    return groups.map_groups(one.__call__, batch_format="pyarrow", compute=ray.data.TaskPoolStrategy(workers))


def forecast_files(paths, model, data_end, workers=2, **flags):
    """Forecasts of Parquet files of whole series in order, each a stream; `data_end`: the last time with a value of all series, or "none"."""
    files = ray.data.from_items([{"path": str(path)} for path in paths], override_num_blocks=len(paths))
    one = S4Cast(model, **s4cast_worker.one_run({"data_end": data_end, **flags}))
    return files.map_batches(one.files, batch_size=1, batch_format="pyarrow", compute=ray.data.TaskPoolStrategy(workers))


def unique_ids(table, id):
    """The id of every row, as s4cast composes it."""
    return pc.binary_join_element_wise(*[table[name].cast(pa.string()) for name in id], "/")


def bucketed(table, id, buckets):
    """The table, and the bucket of every row, by a hash of its id that is the same on every machine."""
    ids = unique_ids(table, id).combine_chunks().dictionary_encode()
    bucket = pa.array([zlib.crc32(name.encode()) % buckets for name in ids.dictionary.to_pylist()], pa.int32())
    return table.append_column(BUCKET, bucket.take(ids.indices))


def last_time(dataset, time, target):
    """The last time with a value, as the worker reads it; "none" where there is no value at all."""
    def last(table):
        return pa.table({"last": [pc.max(table.filter(table[target].is_valid())[time])]})

    times = [row["last"] for row in dataset.map_batches(last, batch_format="pyarrow").take_all() if row["last"] is not None]
    return max(times).isoformat() if times else "none"
