"""The pipe to `s4cast worker` (integrations/s4cast_worker.py), without a cluster."""

import os
import signal
import subprocess
import sys
import time

import common
import pyarrow as pa
import pyarrow.parquet as pq
import s4cast_worker
from common import PROGRAM, WORK, same, until, workers

DATA, MODEL = os.path.join(WORK, "small.parquet"), os.path.join(WORK, "daily.safetensors")


def words(**flags):
    return s4cast_worker.command(MODEL, program=PROGRAM, **{"data_end": "none", **flags})


def batches(rows=997):
    return pq.ParquetFile(DATA).iter_batches(rows)


def equal():
    """batches of any size and type give the rows of `forecast`"""
    wanted, run = common.forecast(DATA, "small-cli", "--load-model", MODEL)
    last = str(pa.compute.max(pq.read_table(DATA)["ds"]).as_py().isoformat())
    got = pa.Table.from_batches(s4cast_worker.forecasts(batches(), words(**run | {"data_end": last})))
    same(got, wanted)
    table = pq.read_table(DATA)
    kinds = [pa.dictionary(pa.int32(), pa.string()), pa.timestamp("ns", "America/New_York"), pa.float64()]
    odd = pa.table([column.cast(kind) for column, kind in zip(table.columns, kinds)], names=table.column_names)
    same(pa.Table.from_batches(s4cast_worker.forecasts(odd.to_batches(5000), words(**run | {"data_end": last}))), wanted)


def no_rows():
    """no batch gives no forecast and starts nothing; the columns are known without rows"""
    assert list(s4cast_worker.forecasts([], ["/does/not/exist"])) == []
    schema = s4cast_worker.output_schema(pq.read_schema(DATA), words())
    assert schema.names[:3] == ["unique_id", "ds", "horizon"] and schema.names[-1] == "weights"


def says_why():
    """a worker that fails says its exit code and its last words"""
    for flags, code, said in [({"horizon": 99}, 65, "horizon"), ({"no_such_flag": 1}, 2, "--no-such-flag")]:
        try:
            list(s4cast_worker.forecasts(batches(), words(**flags)))
        except s4cast_worker.WorkerFailed as error:
            assert f"exit code {code}" in str(error) and said in str(error), error
        else:
            raise AssertionError("no exception")


def unsorted():
    """series that come twice end the stream, and no forecast of half a series passes for one"""
    try:
        list(s4cast_worker.forecasts([*batches(), *batches()], words()))
    except s4cast_worker.WorkerFailed as error:
        assert "exit code 65" in str(error), error
    else:
        raise AssertionError("no exception")


def broken_source():
    """an error of the source is the error of the task, and ends the worker"""
    def source():
        yield from list(batches())[:20]
        raise KeyError("the source has gone")

    try:
        list(s4cast_worker.forecasts(source(), words()))
    except KeyError:
        until("no worker is left", lambda: not workers(), 5)
    else:
        raise AssertionError("no exception")


def closed_early():
    """who stops reading has no worker left"""
    running = s4cast_worker.forecasts(batches(), words())
    next(running)
    running.close()
    until("no worker is left", lambda: not workers(), 5)


def killed():
    """a worker does not outlive the process that started it, whether it reads or trains"""
    trains = s4cast_worker.command("auto", program=PROGRAM, train=True, horizon=14)
    for waits, flags in [("600", words()), ("0", trains)]:
        code = (
            "import sys, time; sys.path.insert(0, sys.argv[1]); import s4cast_worker, pyarrow.parquet as pq\n"
            "def source():\n"
            "    yield from pq.ParquetFile(sys.argv[2]).iter_batches(1000)\n"
            "    print('midway', flush=True); time.sleep(float(sys.argv[3]))\n"
            "list(s4cast_worker.forecasts(source(), sys.argv[4:]))"
        )
        command = [sys.executable, "-c", code, os.path.join(common.ROOT, "integrations"), DATA, waits, *flags]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as task:
            assert task.stdout.readline() == b"midway\n"
            time.sleep(0.5)
            mine = below(task.pid)
            assert mine and task.poll() is None
            task.send_signal(signal.SIGKILL)
        until("no worker is left", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in mine), 5)


def below(process):
    """The ids of the processes that one has started."""
    with open(f"/proc/{process}/task/{process}/children") as file:
        return [int(pid) for pid in file.read().split()]


if __name__ == "__main__":
    common.run([equal, no_rows, says_why, unsorted, broken_source, closed_early, killed])
