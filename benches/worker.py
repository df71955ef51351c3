"""Does a worker keep up with a job on the same rows in a file, and does its memory stay what it is?

    python3 benches/worker.py --program target/release/s4cast                      100 000 series of 100 days
    python3 benches/worker.py --program … --series 20000 --rows 500 --model auto --batch 1000

Both sides forecast with one saved model. The stream comes from a file of plain batches through a pipe, and its forecasts go into one;
the file is Parquet as pyarrow writes it. Both results are compared, row by row and bit by bit. Needs pyarrow and numpy, Linux.
"""
import argparse
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PER_RUN = ("run_id", "created_at", "issued_at")


def batches(series, rows, batch_rows):
    """The rows of daily series, whole series at a time, in batches of so many rows."""
    each = max(1, 200_000 // rows)
    steps = np.arange(rows)
    days = np.datetime64("2024-01-01", "us") + steps * np.timedelta64(86_400_000_000, "us")
    random = np.random.default_rng(1)
    for first in range(0, series, each):
        which = np.arange(first, min(first + each, series))
        wave = 20 + (which % 13)[:, None] + 5 * np.sin(steps * 2 * np.pi / 7)[None, :]
        y = wave + random.normal(0, 1, (len(which), rows))
        ids = np.repeat(np.char.add("store-", np.char.zfill(which.astype(str), 7)), rows)
        table = pa.table({"unique_id": pa.array(ids.tolist(), pa.string()),
                          "ds": pa.array(np.tile(days, len(which)), pa.timestamp("us")),
                          "y": pa.array(y.ravel())})
        yield from table.to_batches(max_chunksize=batch_rows)


def write(folder, name, series, rows, batch_rows):
    sink, parquet = None, None
    for batch in batches(series, rows, batch_rows):
        if sink is None:
            sink = pa.ipc.new_stream(str(folder / f"{name}.arrows"), batch.schema)
            parquet = pq.ParquetWriter(folder / f"{name}.parquet", batch.schema)
        sink.write_batch(batch)
        parquet.write_batch(batch)
    sink.close()
    parquet.close()


def watched(process, began):
    """Seconds until a process ends, and what it holds meanwhile, MB."""
    held = []
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            held += [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:")]
        except OSError:
            pass
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}")
    return time.monotonic() - began, held


def of_file(program, folder, threads):
    began = time.monotonic()
    words = [program, "forecast", "in.parquet", "--load-model", "m.safetensors", "-o", "out.parquet", "-q", *threads]
    return watched(subprocess.Popen(words, cwd=folder), began)


def of_stream(program, folder, threads):
    began = time.monotonic()
    process = subprocess.Popen([program, "worker", "--model", "m.safetensors", "-q", *threads], cwd=folder,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def feed():
        with open(folder / "in.arrows", "rb") as source, process.stdin as sink:
            while piece := source.read(1 << 20):
                sink.write(piece)

    def drain():
        with open(folder / "out.arrows", "wb") as sink:
            while piece := process.stdout.read(1 << 20):
                sink.write(piece)

    threads = [threading.Thread(target=work) for work in (feed, drain)]
    [thread.start() for thread in threads]
    outcome = watched(process, began)
    [thread.join() for thread in threads]
    return outcome


def told(name, rows, seconds, held):
    """Memory settles within the first fifth; what it does later is told by the medians of fifths."""
    fifths = [statistics.median(held[fifth * len(held) // 5:(fifth + 1) * len(held) // 5]) for fifth in range(5)]
    print(f"{name:7} {seconds:6.1f} s, {rows / seconds:9.0f} rows/s; MB held by fifths "
          f"{', '.join(f'{middle:.0f}' for middle in fifths)}, at most {max(held):.0f}; "
          f"the last beside the second {100 * (fifths[4] / fifths[1] - 1):+.1f} %")


def same(folder):
    file = pq.read_table(folder / "out.parquet")
    stream = pa.ipc.open_stream(str(folder / "out.arrows")).read_all()
    kept = [name for name in file.column_names if name not in PER_RUN]
    assert kept == [name for name in stream.column_names if name not in PER_RUN]
    for name in kept:
        a, b = file[name].combine_chunks(), stream[name].combine_chunks()
        if pa.types.is_floating(a.type):
            a, b = (np.asarray(one).view(np.int64) for one in (a, b))
            assert np.array_equal(a, b), name
        else:
            assert a.cast(b.type).equals(b), name
    return file.num_rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--model", default="ridge")
    parser.add_argument("--threads", default="")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--folder")
    asked = parser.parse_args()
    program = str(pathlib.Path(asked.program).resolve())
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        folder = pathlib.Path(folder)
        write(folder, "in", asked.series, asked.rows, asked.batch)
        write(folder, "few", 300, asked.rows, asked.batch)
        subprocess.run([program, "forecast", "few.parquet", "-H", "28", "--model", asked.model, "--preset", "fast",
                        "-o", "few.out", "--save-model", "m.safetensors", "-q"], cwd=folder, check=True)
        threads = ["-j", asked.threads] if asked.threads else []
        rows = asked.series * asked.rows
        print(f"{asked.series} series of {asked.rows} rows, batches of {asked.batch}, model {asked.model}: {rows} rows")
        for _ in range(asked.repeat):
            file, stream = of_file(program, folder, threads), of_stream(program, folder, threads)
            told("file", rows, *file)
            told("worker", rows, *stream)
            print(f"the worker has {100 * file[0] / stream[0]:.0f} % of the throughput of the file; "
                  f"{same(folder)} rows of forecasts are equal")


if __name__ == "__main__":
    main()
