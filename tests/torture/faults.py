#!/usr/bin/env python3
"""Takes things away from a running daemon and checks that each fault ends as its policy says.

    cargo build --release && sudo python3 tests/torture/faults.py

Needs root for small file systems that can be filled and made read-only, and Python's standard library.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from kills import write_data  # noqa: E402

CONFIG = """schema_version = 1
[daemon]
state = "state"
min_free = "64KiB"
reload = "1s"
[http]
listen = "127.0.0.1:{port}"
[source.s]
inputs = "data/*.csv"
[model.m]
kind = "ridge"
horizon = 6
[sink.out]
path = "out"
[job.a]
source = "s"
model = "m"
sink = "out"
train = {{ every = "1h" }}
forecast = {{ every = "1s", overlap = "queue", missed = "all", attempts = 2, backoff = "1s" }}
"""


class Daemon:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.config = CONFIG.format(port=self.port)
        (folder / "daemon.toml").write_text(self.config)
        self.log = open(folder / "log.txt", "wb")
        self.process = self.start()
        self.await_("the first answer", self.is_ready)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False

    def start(self):
        command = [self.program, "serve", "-c", "daemon.toml", "--log-format", "json"]
        return subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=self.log)

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as reply:
            lines = reply.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def rows(self, after=0):
        database = sqlite3.connect(f"file:{self.folder}/state/ledger.db?mode=ro", uri=True, timeout=10)
        query = "select id, stage, outcome, reasons, attempts from slots where id > ? and outcome is not null order by id"
        return database.execute(query, (after,)).fetchall()

    def last(self):
        return max((row[0] for row in self.rows()), default=0)

    def logged(self, words):
        return words in (self.folder / "log.txt").read_text()

    def await_(self, what, condition, seconds=20):
        deadline = time.time() + seconds
        while time.time() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.2)
        raise AssertionError(f"waited {seconds} s in vain for {what}")

    def latest(self):
        path = self.folder / "out/latest/job=a/part-0.parquet"
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def await_outcome(self, outcome, words=""):
        after = self.last()
        hit = lambda: [r for r in self.rows(after) if r[2] == outcome and words in r[3]]  # noqa: E731
        return self.await_(f"{outcome} {words}", hit)


def mount(path, *options):
    subprocess.run(["mount", *options, str(path)], check=True)


def full_disk(daemon):
    """The sink's disk is full: slots fail, the old output stays whole, and it goes on once there is room."""
    daemon.await_outcome("ok")
    failures = daemon.metric("s4cast_publish_failures_total")
    filler = daemon.folder / "out/filler"
    try:
        with open(filler, "wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
    except OSError:
        pass
    # Free space is asked for before anything is computed.
    daemon.await_outcome("failed", "are free on that disk")
    before = daemon.latest()
    rows = daemon.await_outcome("failed", "are free on that disk")
    assert rows[0][4] == 2, f"a full disk is tried again: {rows[0]}"
    assert daemon.latest() == before, "the old output is intact"
    assert daemon.metric("s4cast_publish_failures_total") > failures
    assert daemon.logged("are free on that disk")
    filler.unlink()
    daemon.await_outcome("ok")


def read_only_output(daemon):
    """The sink becomes read-only: slots fail at once, and it goes on once that is over."""
    mount(daemon.folder / "out", "-o", "remount,ro")
    rows = daemon.await_outcome("failed", "permission")
    assert rows[-1][4] == 1, f"a permission does not come by waiting: {rows[-1]}"
    before = daemon.latest()
    daemon.await_outcome("failed", "permission")
    assert daemon.latest() == before
    mount(daemon.folder / "out", "-o", "remount,rw")
    daemon.await_outcome("ok")


def full_state(daemon):
    """The ledger's disk is full: nothing runs unrecorded, and no slot is lost once there is room."""
    filler = daemon.folder / "state/filler"
    try:
        with open(filler, "wb") as file:
            while True:
                file.write(bytes(1024))
                file.flush()
    except OSError:
        pass
    daemon.await_("a word about the ledger", lambda: daemon.logged("the ledger refuses"), 60)
    time.sleep(3)
    filler.unlink()
    daemon.await_outcome("ok")


def vanished_source(daemon):
    """The source is away: two attempts, then failed; it goes on when it is back."""
    before = daemon.latest()
    (daemon.folder / "data").rename(daemon.folder / "away")
    rows = daemon.await_outcome("failed", "data")
    assert rows[0][4] == 2, f"a source may come back: {rows[0]}"
    assert daemon.latest() != "" and before
    (daemon.folder / "away").rename(daemon.folder / "data")
    daemon.await_outcome("ok")


def broken_config(daemon):
    """A config that is broken is rejected by poll and by SIGHUP; the one in force goes on."""
    path = daemon.folder / "daemon.toml"
    path.write_text(daemon.config.replace("horizon = 6", "horizn = 6"))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.await_("the rejection", lambda: daemon.logged("config rejected"))
    daemon.await_("the metric", lambda: daemon.metric("s4cast_config_last_reload_successful") == 0)
    daemon.await_outcome("ok")
    path.write_text(daemon.config.replace("horizon = 6", "horizon = 7"))
    daemon.await_("the metric", lambda: daemon.metric("s4cast_config_last_reload_successful") == 1)
    daemon.await_outcome("degraded", "another horizon")
    path.write_text(daemon.config)
    daemon.await_outcome("ok")


def two_daemons(daemon):
    """A second daemon on the same state says why it does not start, and exits with 75."""
    second = subprocess.run(
        [daemon.program, "serve", "-c", "daemon.toml"], cwd=daemon.folder, capture_output=True, text=True
    )
    assert second.returncode == 75, second
    assert f"process {daemon.process.pid}" in second.stderr, second.stderr
    daemon.await_outcome("ok")


def no_slot_lost(daemon):
    """Whatever happened, every second has its slot, once, and each ended once."""
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(timeout=60) == 0
    database = sqlite3.connect(daemon.folder / "state/ledger.db")
    query = "select slot / 1000000 from slots where stage = 'forecast' and trigger = 'schedule' order by slot"
    slots = [row[0] for row in database.execute(query)]
    assert slots == list(range(slots[0], slots[-1] + 1)), "a slot is missing or written twice"


FAULTS = [full_disk, read_only_output, full_state, vanished_source, broken_config, two_daemons, no_slot_lost]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/s4cast")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="s4cast-faults-"))
    write_data(folder / "data")
    for name, size in (("out", "1m"), ("state", "2m")):
        (folder / name).mkdir()
        mount(folder / name, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")
    daemon, failed = Daemon(str(Path(args.program).resolve()), folder), 0
    try:
        for fault in FAULTS:
            began = time.time()
            try:
                fault(daemon)
                print(f"ok      {fault.__name__:<18} {time.time() - began:5.1f} s  {fault.__doc__}")
            except (AssertionError, OSError) as error:
                failed += 1
                print(f"FAILED  {fault.__name__:<18} {error}")
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
        for name in ("out", "state"):
            subprocess.run(["umount", "-l", str(folder / name)], check=False)
        if failed:
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
