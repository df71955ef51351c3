"""The data of the soak: minute values that can be made again at any time, in growing, replaced and broken files."""

import math
import os
import random
import struct
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

HISTORY = 240  # minutes of history that every source holds: data that grew would let memory grow
PER_FILE = 10  # minutes in a file of a folder


def text(minute):
    return datetime.fromtimestamp(minute * 60, timezone.utc).strftime("%Y-%m-%dT%H:%M:00Z")


def noise(series, minute):
    """Between -1 and 1, the same every time."""
    mixed = (series * 0x9E3779B1 + minute * 0x85EBCA77) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    return ((mixed ^ (mixed >> 13)) & 0xFFFF) / 32767.5 - 1


def value(series, minute):
    wave = 10 * math.sin((minute + series) * math.tau / 60) + 3 * math.sin(minute * math.tau / 15)
    return 100 + 2 * series + wave + 2 * noise(series, minute)


def count(series, minute):
    return max(0, round(1.5 * noise(series, minute) + 0.4 * math.sin(minute * math.tau / 60)))


def long_rows(names, first, last, of=value):
    """Lines of a long CSV file, all series of each minute of [first, last)."""
    return "".join(
        f"{name},{text(minute)},{of(series, minute):.3f}\n"
        for minute in range(first, last)
        for series, name in enumerate(names)
    )


HEAD = "unique_id,ds,y\n"


def head(name):
    return "region,shop,ds,y\n" if name == "sums.csv" else HEAD


def put(path, content):
    """A file that appears whole."""
    hidden = path.with_name("." + path.name + ".new")
    hidden.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.replace(hidden, path)


# --- Parquet, as little of it as three plain columns need -------------------------------------------------------------


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def compact(fields):
    """A struct of Thrift's compact protocol: (id, kind, value), kinds i32, i64, binary, struct, list."""
    out, before = bytearray(), 0
    codes = {"i32": 5, "i64": 6, "binary": 8, "list": 9, "struct": 12}
    for number, kind, content in fields:
        out.append((number - before) << 4 | codes[kind])
        before = number
        out += encoded(kind, content)
    return bytes(out) + b"\0"


def encoded(kind, content):
    if kind in ("i32", "i64"):
        return varint(content << 1 if content >= 0 else (-content << 1) - 1)
    if kind == "binary":
        return varint(len(content)) + content
    if kind == "struct":
        return content
    element, items = content
    code = {"i32": 5, "binary": 8, "struct": 12}[element]
    head = bytes([len(items) << 4 | code]) if len(items) < 15 else bytes([0xF0 | code]) + varint(len(items))
    return head + b"".join(encoded(element, item) for item in items)


def parquet(names, first, last):
    """unique_id, ds (microseconds UTC), y of minutes [first, last), plain and uncompressed, as one file."""
    cells = [(name, minute, value(series, minute)) for series, name in enumerate(names) for minute in range(first, last)]
    columns = [
        (b"unique_id", 6, 0, b"".join(struct.pack("<I", len(c[0])) + c[0].encode() for c in cells)),
        (b"ds", 2, 10, b"".join(struct.pack("<q", c[1] * 60_000_000) for c in cells)),
        (b"y", 5, None, b"".join(struct.pack("<d", c[2]) for c in cells)),
    ]
    out, chunks = bytearray(b"PAR1"), []
    schema = [compact([(4, "binary", b"schema"), (5, "i32", len(columns))])]
    for name, kind, converted, data in columns:
        page = compact([(1, "i32", len(cells)), (2, "i32", 0), (3, "i32", 3), (4, "i32", 3)])
        head = compact([(1, "i32", 0), (2, "i32", len(data)), (3, "i32", len(data)), (5, "struct", page)])
        size = len(head) + len(data)
        about = [(1, "i32", kind), (2, "list", ("i32", [0])), (3, "list", ("binary", [name])), (4, "i32", 0)]
        about += [(5, "i64", len(cells)), (6, "i64", size), (7, "i64", size), (9, "i64", len(out))]
        chunks.append(compact([(2, "i64", len(out)), (3, "struct", compact(about))]))
        element = [(1, "i32", kind), (3, "i32", 0), (4, "binary", name)]
        schema.append(compact(element + ([] if converted is None else [(6, "i32", converted)])))
        out += head + data
    group = compact([(1, "list", ("struct", chunks)), (2, "i64", len(out) - 4), (3, "i64", len(cells))])
    footer = compact(
        [(1, "i32", 1), (2, "list", ("struct", schema)), (3, "i64", len(cells)), (4, "list", ("struct", [group]))]
    )
    return bytes(out) + footer + struct.pack("<I", len(footer)) + b"PAR1"


# --- the generator -----------------------------------------------------------------------------------------------------


class Generator(threading.Thread):
    """Adds the last minute to every source some seconds after it is over; one time in five it is caught in the act."""

    def __init__(self, root, per_job, seed, journal):
        super().__init__(daemon=True)
        self.root, self.journal, self.rng = root, journal, random.Random(seed)
        self.names = [f"north/s{i:03}" if i % 2 else f"south/s{i:03}" for i in range(per_job)]
        self.stop, self.through = threading.Event(), int(time.time() // 60)
        self.first = self.through - HISTORY  # of the files that hold a whole source
        # Held by whoever takes a file away or puts a broken one beside it.
        self.lock = threading.RLock()
        self.prepare()

    def prepare(self):
        for folder in ("csv", "parquet"):
            (self.root / folder).mkdir(parents=True)
        for name, rows in self.whole(self.first, self.through).items():
            (self.root / name).write_text(head(name) + rows)
        (self.root / "mode").write_text("ok")
        put(self.root / "feed.sh", FEED)
        self.wide()
        for start in range(self.first // PER_FILE * PER_FILE, self.through, PER_FILE):
            end = min(start + PER_FILE, self.through)
            (self.root / "csv" / f"{start}.csv").write_text(HEAD + long_rows(self.names, start, end))
            (self.root / "parquet" / f"{start}.parquet").write_bytes(parquet(self.names, start, end))

    def whole(self, first, last):
        """Rows of the files that hold a whole source."""
        rows = long_rows(self.names, first, last)
        counts = long_rows(self.names, first, last, count)
        return {"grow.csv": rows, "exec.csv": rows, "counts.csv": counts, "sums.csv": rows.replace("/", ",")}

    def wide(self):
        first = self.through - HISTORY
        lines = ["ds," + ",".join(name.replace("/", "_") for name in self.names)]
        for minute in range(first, self.through):
            lines.append(text(minute) + "," + ",".join(f"{value(i, minute):.3f}" for i in range(len(self.names))))
        put(self.root / "wide.csv", "\n".join(lines) + "\n")

    def run(self):
        while not self.stop.is_set():
            # Between two and eight seconds after the minute.
            target = (self.through + 1) * 60 + 2 + self.rng.uniform(0, 6)
            if self.stop.wait(max(0.0, target - time.time())):
                return
            with self.lock:
                self.grow(int(time.time() // 60))

    def grow(self, now):
        before, self.through = self.through, now
        is_torn = self.rng.random() < 0.2
        for name, rows in self.whole(before, now).items():
            self.append(self.place(name), rows, is_torn)
        if now - self.first >= HISTORY + PER_FILE:
            self.shorten(now)
        self.wide()
        for start in sorted({minute // PER_FILE * PER_FILE for minute in range(before, now)}):
            path, fresh = self.root / "csv" / f"{start}.csv", max(start, before)
            rows = long_rows(self.names, fresh, min(start + PER_FILE, now))
            self.append(path, rows if path.exists() else HEAD + rows, is_torn)
            whole = parquet(self.names, start, min(start + PER_FILE, now))
            self.replace(self.root / "parquet" / f"{start}.parquet", whole, is_torn)
        oldest = now - HISTORY - PER_FILE
        for folder in ("csv", "parquet"):
            for path in (self.root / folder).glob("*.*"):
                if path.stem.isdigit() and int(path.stem) < oldest:
                    began = time.time()
                    path.unlink()
                    self.journal.add("old file gone", began, time.time(), source=folder)

    def place(self, name):
        """Where a file that holds a whole source is: it may be taken away for a while."""
        path = self.root / name
        return path if path.exists() else path.with_name(path.name + ".away")

    def shorten(self, now):
        """Such files lose what is older than the history: others take their place."""
        self.first = now - HISTORY
        for name, rows in self.whole(self.first, now).items():
            began = time.time()
            put(self.place(name), head(name) + rows)
            self.journal.add("replaced", began, time.time(), source=name)

    def append(self, path, rows, is_torn):
        """In one write, or in two with a pause in the middle of a line."""
        cut = self.rng.randrange(len(rows)) if is_torn else len(rows)
        with open(path, "a") as file:
            file.write(rows[:cut])
            file.flush()
            if is_torn:
                began = time.time()
                time.sleep(self.rng.uniform(0.2, 1.5))
                file.write(rows[cut:])
                file.flush()
                self.journal.add("torn", began, time.time(), source=path.relative_to(self.root).parts[0].removesuffix(".away"))

    def replace(self, path, content, is_torn):
        began = time.time()
        if not is_torn:
            put(path, content)
            return self.journal.add("replaced", began, time.time(), source="parquet")
        with open(path, "wb") as file:
            file.write(content[: self.rng.randrange(len(content))])
            file.flush()
            time.sleep(self.rng.uniform(0.2, 1.5))
            file.seek(0)
            file.write(content)
        self.journal.add("torn", began, time.time(), source="parquet")


FEED = """#!/bin/sh
# Prints the data, or fails as the file `mode` says.
cd "$(dirname "$0")" || exit 1
case "$(cat mode)" in
  fail) echo "the feed is down" >&2; exit 3 ;;
  hang) sleep 300 ;;
  garbage) head -c 100000 /dev/urandom ;;
  empty) : ;;
  half) head -c 20000 exec.csv ; exit 1 ;;
  *) cat exec.csv ;;
esac
"""


def broken_files(rng, names):
    """Bad files for a folder of sources: (what, name ending, content)."""
    minute = int(time.time() // 60)
    good = parquet(names, minute - 10, minute - 5)
    rows = long_rows(names, minute - 3, minute - 2)
    damaged = bytearray(good)
    for _ in range(20):
        damaged[rng.randrange(4, len(good))] = rng.randrange(256)
    return [
        ("garbage", ".csv", rng.randbytes(50_000)),
        ("garbage", ".parquet", rng.randbytes(50_000)),
        ("truncated", ".parquet", good[: rng.randrange(5, len(good) - 1)]),
        ("damaged", ".parquet", bytes(damaged)),
        ("empty", ".csv", b""),
        ("empty", ".parquet", b""),
        ("head only", ".csv", b"unique_id,ds,y\n"),
        ("broken rows", ".csv", ("unique_id,ds,y\n" + rows + names[0] + ",yesterday,12\n" + "a,b,c,d,e,f\n").encode()),
        ("wrong columns", ".csv", b"alpha;beta\n1;2\n3;4\n"),
        ("huge line", ".csv", b"unique_id,ds,y\n" + b"x" * 8_000_000 + b"\n"),
        ("open quote", ".csv", b'unique_id,ds,y\n"' + rows.encode() * 20),
    ]
