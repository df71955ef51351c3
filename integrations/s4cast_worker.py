"""`s4cast worker` as a function from Arrow batches to Arrow batches: what the wrappers for Spark and Ray share.

The worker is the program itself: one process per partition, rows in on its stdin, forecasts out on its stdout, both as Arrow IPC
streams and both while the other goes on, so that a partition takes the memory of some batches, whatever its size. Wants pyarrow.
"""

import contextlib
import datetime
import itertools
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid

import pyarrow as pa


class WorkerFailed(RuntimeError):
    """A worker ended with another exit code than 0: the code (`s4cast --help` lists them) and its last words."""


def command(model, train=False, program="s4cast", **flags):
    """The command line of a worker.

    `model` is a file that every machine has at that path, or an address of an object store; with `train`, the name of a kind of model
    (`auto`, `ridge`, …) that is trained on the rows of each partition alone. All else is a flag of `s4cast worker`: `horizon=28`,
    `tz="Europe/Berlin"`, `id=["shop", "item"]`, `integer=True`. One thread each: Spark and Ray start as many workers as there are cores.
    """
    words = [program, "worker", "--model", str(model), *(["--train"] if train else [])]
    for name, value in {"threads": 1, **flags}.items():
        if isinstance(value, (list, tuple)):
            value = ",".join(map(str, value))
        if value is not None and value is not False:
            words += ["--" + name.replace("_", "-"), *([] if value is True else [str(value)])]
    return words


def one_run(flags):
    """The flags, and one run with its instant for all partitions: one that is worked again gives the same forecasts."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"run_id": str(uuid.uuid4()), "issued_at": flags.get("as_of", now), **flags}


def output_schema(schema, words):
    """The columns of forecasts of rows of that schema: a worker is asked, without rows, so that wrong flags fail before a job starts."""
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, plain(schema)).close()
    done = subprocess.run(words, input=sink.getvalue().to_pybytes(), capture_output=True)
    check(words, done.returncode, done.stderr.decode(errors="replace"))
    return pa.ipc.open_stream(done.stdout).schema


def forecasts(batches, words):
    """Forecasts of the series in some batches, while they come; `s4cast worker --help` says in which order it wants the rows."""
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        return
    # The kernel ends the worker with its parent, however that ends.
    tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    errors, cut = [], None
    with tempfile.TemporaryFile() as log:
        worker = subprocess.Popen(tied + words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        try:
            given = itertools.chain([first], batches)
            feeder = threading.Thread(target=feed, args=(worker, given, plain(first.schema), errors), daemon=True)
            feeder.start()
            try:
                yield from pa.ipc.open_stream(worker.stdout)
            except (pa.ArrowInvalid, OSError) as error:  # Cut short, most likely; the exit code says why.
                cut = error
            code = worker.wait()
            if errors:  # Of what the batches come from: the worker was killed for it.
                raise errors[0]
            check(words, code, tail(log))
            feeder.join()
            if cut:
                raise cut
            print(tail(log), end="", file=sys.stderr)
        finally:
            worker.kill()
            worker.wait()
            worker.stdout.close()
            with contextlib.suppress(OSError):
                worker.stdin.close()


def feed(worker, batches, schema, errors):
    """Writes all batches to the worker, and the mark of their end once they have come to it."""
    try:
        writer = pa.ipc.new_stream(worker.stdin, schema)
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))
        writer.close()
        worker.stdin.close()
    except BrokenPipeError:  # The worker has ended, and its exit code says why.
        pass
    except BaseException as error:  # Whatever it is, it ends the task, which is another thread's.
        errors.append(error)
        worker.kill()


def tail(log):
    """The last 64 KiB of a file, as text."""
    log.seek(max(0, log.seek(0, 2) - 65536))
    return log.read().decode(errors="replace")


def check(words, code, log):
    """Raises `WorkerFailed` unless the exit code is 0."""
    if code != 0:
        ended = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise WorkerFailed("\n".join([f"{' '.join(words)}: {ended}", *log.strip().splitlines()[-20:]]))


def plain(schema):
    """The schema with instants labelled UTC: a label, such as the zone of a session, is no property of the data."""
    def kind(given):
        return pa.timestamp(given.unit, "UTC") if pa.types.is_timestamp(given) and given.tz else given
    return pa.schema([field.with_type(kind(field.type)) for field in schema])
