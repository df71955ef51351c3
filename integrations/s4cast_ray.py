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
        names = unique_ids(table, self.id)
        order = pc.sort_indices(pa.table({"id": names, "time": table[self.time]}), [("id", "ascending"), ("time", "ascending")])
        yield from self.stream(table.take(order).to_batches(65536))

    def stream(self, batches):
        """Forecasts of batches that are in order, while they come."""
        for batch in s4cast_worker.forecasts(batches, self.words):
            yield pa.Table.from_batches([batch])


class S4CastFiles(S4Cast):
    """As `S4Cast`, of batches whose column `path` names Parquet files of whole series in order."""

    def __call__(self, table):
        for path in table["path"].to_pylist():
            yield from self.stream(pyarrow.dataset.dataset(path, format="parquet").to_batches(batch_readahead=2))


def forecast(dataset, model, buckets, workers=None, id=("unique_id",), time="ds", target="y", **flags):
    """Forecasts of every series of a dataset, as a dataset; `workers` at a time (as many as there are cores).

    `model` is a trained model, or with `train=True` the name of a kind of model, which is trained on each of the `buckets` alone: then
    forecasts depend on their number.
    """
    id = [id] if isinstance(id, str) else list(id)
    settings = settings_of(flags, dataset, id=id, time=time, target=target)
    grouped = dataset.map_batches(bucketed, fn_args=[id, buckets], batch_format="pyarrow").groupby("s4cast_bucket", num_partitions=buckets)
    return grouped.map_groups(S4Cast, fn_constructor_args=[model], fn_constructor_kwargs=settings, batch_format="pyarrow", concurrency=workers)
