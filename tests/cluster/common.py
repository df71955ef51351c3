"""What the checks of this folder share: the program, and tables that are the same bit for bit."""

import json
import os
import subprocess
import sys
import time
import traceback

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ["S4CAST"]
WORK = os.environ["WORK"]
sys.path.insert(0, os.path.join(ROOT, "integrations"))


def forecast(data, name, *flags):
    """What `s4cast forecast` makes of a file: the table, and its run as flags of a worker."""
    out = os.path.join(WORK, f"{name}.parquet")
    words = [PROGRAM, "forecast", data, "-o", out, "--json", *flags]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr}")
    report = json.loads(done.stdout)
    return pq.read_table(out), {"run_id": report["run_id"], "issued_at": report["issued_at"]}


def two_ids(name):
    """A file of the small set's first 300 series, whose id is two columns, one of them a number; what it is called."""
    path, rows = os.path.join(WORK, f"{name}.parquet"), pq.read_table(os.path.join(WORK, "small.parquet"))
    number = pc.cast(pc.utf8_slice_codeunits(rows["unique_id"], 5, 11), pa.int64())
    shop = pc.binary_join_element_wise("shop", pc.cast(pc.divide(number, 20), pa.string()), " ")
    item = pc.subtract(number, pc.multiply(pc.divide(number, 20), 20))
    table = pa.table({"shop": shop, "item": item, "day": rows["ds"], "sold": rows["y"]}).filter(pc.less(number, 300))
    pq.write_table(table, path)
    return path


def same(got, wanted, but=("created_at",)):
    """Fails unless two tables have the same columns of the same types, and the same rows, floats compared by their bits."""
    def ready(table):
        table = table.drop_columns([name for name in but if name in table.column_names])
        return table.sort_by([("unique_id", "ascending"), ("ds", "ascending")]).combine_chunks()

    got, wanted = ready(got), ready(wanted)
    assert got.schema.names == wanted.schema.names, f"columns {got.schema.names}, not {wanted.schema.names}"
    assert got.num_rows == wanted.num_rows > 0, f"{got.num_rows} rows, not {wanted.num_rows}"
    for name in wanted.schema.names:
        mine, theirs = got[name].combine_chunks(), wanted[name].combine_chunks()
        assert mine.type == theirs.type, f"{name} is {mine.type}, not {theirs.type}"
        if pa.types.is_floating(theirs.type):
            mine, theirs = mine.view(pa.int64()), theirs.view(pa.int64())
        if mine != theirs:
            differ = pc.fill_null(pc.not_equal(mine, theirs), True).to_pylist().index(True)
            raise AssertionError(f"{name} differs first at {wanted.slice(differ, 1).to_pylist()}: {got.slice(differ, 1).to_pylist()}")


def until(what, is_so, seconds=60):
    """Waits until something is so; fails if it is not within so many seconds."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def workers():
    """The ids of the processes that are workers of this program, or of a script around it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if b"worker" in words[:4] and any(WORK.encode() in word for word in words):
            found.append(int(pid))
    return found


def run(checks):
    """Runs functions, prints a line for each, and exits with 1 if one failed."""
    passed = 0
    for check in checks:
        start = time.monotonic()
        try:
            check()
        except Exception as error:
            print(f"FAILED {check.__doc__}\n{''.join(traceback.format_exception(error))[-6000:]}", flush=True)
        else:
            passed += 1
            print(f"ok ({time.monotonic() - start:.1f} s) {check.__doc__}", flush=True)
    print(f"{passed} passed, {len(checks) - passed} failed", flush=True)
    sys.exit(0 if passed == len(checks) else 1)
