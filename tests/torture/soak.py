#!/usr/bin/env python3
"""The soak of a release: two daemons on the real clock for two hours, among reloads, kills and bad files.

    cargo build --release && python3 tests/torture/soak.py --minutes 120 --seed 1

`calm` is one process for the whole time: on it memory, descriptors and disk have to be flat. `battered` is killed, told to end,
frozen and left away. At the end the ledgers have to be complete (every job x stage x minute ended once, as the policies of the
config say, also for the time that nobody was there), and no outcome, no line of the log and no answer over HTTP may be left
that no fault explains. `--check DIR` looks again at what a soak recorded. Python's standard library is enough; with pyarrow
installed, readers also look into the files.
"""

import argparse
import copy
import json
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import soak_checks
import soak_config
import soak_faults
from soak_daemon import Daemon, Journal, Watcher
from soak_data import Generator
from soak_lookers import Commands, Pages, Readers


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Soak:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.journal = Journal(folder / "journal.jsonl")
        self.generator = Generator(folder / "data", args.series // len(soak_config.JOBS), args.seed, self.journal)
        # Steady before half of the time is over; runs stay until their scores are final, two horizons later.
        keep = max(5, min(30, args.minutes // 4))
        runs = max(25, keep)
        program = str(Path(args.program).resolve())
        self.daemons = []
        for name in ("calm", "battered"):
            settings = soak_config.Settings(str(folder / "data"), free_port(), keep, runs)
            self.daemons.append(Daemon(name, folder, program, settings, self.journal))
        self.watchers = [Watcher(d, folder / f"samples-{d.name}.jsonl") for d in self.daemons]
        self.pages = [Pages(d, folder / f"pages-{d.name}.jsonl", 0.25, self.generator.names) for d in self.daemons]
        self.readers = [Readers(d, self.generator.names, folder / f"readers-{d.name}.jsonl") for d in self.daemons]
        self.commands = [
            Commands(d, self.generator.names, folder / f"commands-{d.name}.jsonl", 20, w)
            for d, w in zip(self.daemons, self.watchers)
        ]
        self.is_over = threading.Event()
        pace = 1 if args.minutes >= 30 else 0.3
        seed = args.seed * 10
        self.havoc = [
            soak_faults.Havoc(seed + 1, (30 * pace, 120 * pace), soak_faults.data_faults(self.generator, self.journal)),
            soak_faults.Havoc(seed + 2, (40 * pace, 180 * pace), soak_faults.config_faults(self.daemons, self.journal)),
            soak_faults.Havoc(seed + 3, (60 * pace, 240 * pace), soak_faults.kill_faults(self.daemons[1], self.journal)),
        ]

    def run(self):
        began = time.time()
        for daemon in self.daemons:
            daemon.start()
        quiet = min(300, self.args.minutes * 60 * 0.3)
        end = began + self.args.minutes * 60
        for thread in [self.generator, *self.watchers, *self.pages, *self.readers]:
            thread.start()
        self.is_over.wait(min(120, self.args.minutes * 10))  # the first models
        for thread in [*self.havoc, *self.commands]:
            thread.start()
        told, saved, shown = time.time(), time.time(), set()
        while time.time() < end - quiet and not self.is_over.wait(5):
            if time.time() - saved > 60:
                saved = time.time()
                self.save()
            if time.time() - told > 300:
                told = time.time()
                shown = self.tell(began, shown)
        for thread in [*self.havoc, *self.commands]:
            thread.stop.set()
        for thread in [*self.havoc, *self.commands]:
            thread.join()
        for havoc in self.havoc:
            for problem in havoc.problems:
                self.journal.add("trouble", began, time.time(), daemon="both", what=problem)
        self.is_over.wait(max(0, end - time.time()))
        self.settle()
        for thread in [*self.pages, *self.readers, *self.watchers, self.generator]:
            thread.stop.set()
        for daemon in self.daemons:
            told = time.time()
            code = daemon.end(signal.SIGTERM)
            self.journal.add("stopped", told, time.time(), daemon=daemon.name, code=code)
        for thread in [*self.pages, *self.readers, *self.watchers]:
            thread.join(30)
        for watcher in self.watchers:
            watcher.mirror()
        self.save()

    def settle(self):
        """Plans no slot any more, and waits until the open ones have ended, for ten minutes at most."""
        while not 20 < time.time() % 60 < 40:
            time.sleep(1)
        for daemon in self.daemons:
            settings = copy.deepcopy(daemon.settings)
            settings.fall_silent()
            daemon.reload(settings, "config applied")
        deadline = time.time() + 600
        while time.time() < deadline:
            time.sleep(2)
            for watcher in self.watchers:
                watcher.mirror()
            if all(row[8] for watcher in self.watchers for row in watcher.rows.values()):
                return
        self.journal.add("trouble", deadline - 600, time.time(), daemon="both", what="slots were open for ten minutes")

    def save(self):
        for watcher in self.watchers:
            watcher.mirror()
            watcher.save(self.folder / f"ledger-{watcher.daemon_.name}.json")
        counts = {
            daemon.name: {
                "pages": pages.count,
                "page_seconds": sorted(pages.seconds)[:: max(1, len(pages.seconds) // 1000)],
                "reads": readers.reads,
                "commands": commands.count,
                "looked_inside": readers.arrow is not None,
                "forgotten": watcher.forgotten,
            }
            for daemon, pages, readers, commands, watcher in zip(
                self.daemons, self.pages, self.readers, self.commands, self.watchers
            )
        }
        (self.folder / "counts.json").write_text(json.dumps(counts))

    def tell(self, began, shown):
        """A line every five minutes, and what is new among what no fault explains."""
        try:
            report = soak_checks.check(self.folder)
        except Exception as error:  # noqa: BLE001
            print(f"{(time.time() - began) / 60:5.0f} min  the checks fail: {type(error).__name__}: {error}", flush=True)
            return shown
        print(f"{(time.time() - began) / 60:5.0f} min  {soak_checks.line(report)}", flush=True)
        for problem in report["problems"]:
            if problem not in shown:
                print(f"           {problem}", flush=True)
        return shown | set(report["problems"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/s4cast")
    parser.add_argument("--minutes", type=int, default=120)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", help="a new folder for everything, which is kept")
    parser.add_argument("--check", metavar="DIR", help="look again at what a soak recorded")
    args = parser.parse_args()
    if args.check:
        folder = Path(args.check)
    else:
        folder = Path(args.dir or tempfile.mkdtemp(prefix="s4cast-soak-")).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        soak = Soak(args, folder)
        # Told to end, it ends as if its time were over.
        signal.signal(signal.SIGTERM, lambda *_: soak.is_over.set())
        try:
            soak.run()
        finally:
            for daemon in soak.daemons:
                if daemon.process and daemon.process.poll() is None:
                    daemon.process.kill()
    report = soak_checks.check(folder)
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    print(json.dumps(report))
    print(soak_checks.text(report))
    if not (args.dir or args.check or report["problems"]):
        shutil.rmtree(folder)
    else:
        print(f"kept {folder}")
    return 1 if report["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
