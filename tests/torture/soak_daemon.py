"""One daemon of the soak, what was done to it, and who watches its ledger and its memory."""

import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

COLUMNS = "id, job, stage, slot, trigger, planned_at, started_at, ended_at, outcome, is_late, attempts, run_id, reasons"


class Journal:
    """What was done to the daemons, when: in memory and, once it is over, a line of a file each."""

    def __init__(self, path):
        self.entries, self.lock, self.file = [], threading.Lock(), open(path, "a", buffering=1)

    def add(self, kind, began, ended, **about):
        entry = {"kind": kind, "began": began, "ended": ended, **about}
        with self.lock:
            self.entries.append(entry)
            self.file.write(json.dumps(entry) + "\n")

    @contextmanager
    def during(self, kind, **about):
        entry = {"kind": kind, "began": time.time(), "ended": None, **about}
        with self.lock:
            self.entries.append(entry)
        try:
            yield entry
        finally:
            with self.lock:
                entry["ended"] = time.time()
                self.file.write(json.dumps(entry) + "\n")


class Daemon:
    """A daemon with a folder of its own. Every start, stop and config is in the journal."""

    def __init__(self, name, root, program, settings, journal):
        self.name, self.folder, self.program = name, root / name, program
        self.settings, self.journal, self.process, self.version = settings, journal, None, 0
        # Held by whoever does something to the process or its config.
        self.lock = threading.RLock()
        self.folder.mkdir()
        (self.folder / "tmp").mkdir()
        self.environment = {**os.environ, "TMPDIR": str(self.folder / "tmp")}
        self.log_path = self.folder / "log.jsonl"
        self.write(settings)

    def write(self, settings):
        """Writes the config; what it says holds from the next start or reload."""
        self.version += 1
        self.settings = settings
        path = self.folder / "daemon.toml"
        path.with_suffix(".new").write_text(settings.toml(f"version {self.version}"))
        os.replace(path.with_suffix(".new"), path)

    def in_force(self, began):
        rules = {name: {s: [x.rule, x.step] for s, x in job.stages().items()} for name, job in self.settings.jobs.items()}
        horizons = {name: job.horizon for name, job in self.settings.jobs.items()}
        self.journal.add("config", began, time.time(), daemon=self.name, rules=rules, horizons=horizons)

    def start(self):
        command = [self.program, "serve", "-c", "daemon.toml", "--log-format", "json"]
        began = time.time()
        self.process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=open(self.log_path, "ab"), env=self.environment
        )
        self.in_force(began)
        if not self.until(lambda: self.is_ready() or self.process.poll() is not None, 60) or self.process.poll() is not None:
            self.journal.add("trouble", began, time.time(), daemon=self.name, what="not ready after 60 s")

    def until(self, condition, seconds):
        deadline = time.time() + seconds
        while time.time() < deadline:
            if condition():
                return True
            time.sleep(0.2)
        return False

    def is_ready(self):
        return self.fetch("/readyz")[0] == 200

    def fetch(self, path):
        """Status and body; 0 where nobody answers."""
        url = f"http://127.0.0.1:{self.settings.port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=20) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError as error:
            return 0, str(error).encode()

    def reload(self, settings, words, seconds=30):
        """Puts a config in place and asks for it; true once the log says those words."""
        began, mark = time.time(), self.log_path.stat().st_size
        if isinstance(settings, str):
            (self.folder / "daemon.toml").write_text(settings)
        else:
            self.write(settings)
        self.process.send_signal(signal.SIGHUP)
        done = self.until(lambda: words in self.tail(mark), seconds)
        if words == "config applied":
            self.in_force(began)
        if not done:
            self.journal.add("trouble", began, time.time(), daemon=self.name, what=f"no '{words}' after {seconds} s")
        return done

    def tail(self, mark):
        with open(self.log_path, "rb") as file:
            file.seek(mark)
            return file.read().decode(errors="replace")

    def end(self, number, seconds=60):
        """Sends a signal and waits; the exit code, `None` if it had to be killed."""
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


class Watcher(threading.Thread):
    """Mirrors the ledger, samples the process and the disk, every few seconds; ended rows must never change."""

    def __init__(self, daemon, samples_path):
        super().__init__(daemon=True)
        self.daemon_, self.rows, self.problems = daemon, {}, []
        self.forgotten = 0
        self.file, self.stop = open(samples_path, "a", buffering=1), threading.Event()

    def run(self):
        turn = 0
        while not self.stop.wait(10 - time.time() % 10):
            self.sample()
            turn += 1
            if turn % 2 == 0:
                self.mirror()

    def sample(self):
        process = self.daemon_.process
        sample = {"at": time.time(), "pid": process.pid if process else 0, "load": os.getloadavg()[0] / os.cpu_count()}
        try:
            status = open(f"/proc/{process.pid}/status").read()
            fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
            sample |= {"rss": kib(fields["VmRSS"]), "peak": kib(fields["VmHWM"]), "anon": kib(fields["RssAnon"])}
            sample |= {"threads": int(fields["Threads"])}
            sample["files"] = len(os.listdir(f"/proc/{process.pid}/fd"))
            stat = open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()
            sample["cpu_s"] = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, KeyError, AttributeError):
            pass  # it is down
        for name in ("state", "out"):
            sample[name], sample[f"{name}_files"] = size_of(self.daemon_.folder / name)
        sample["ledger"] = sum(path.stat().st_size for path in (self.daemon_.folder / "state").glob("ledger.db*"))
        # It forgets once an hour and is looked at by itself.
        sample["state"] -= sample["ledger"]
        self.file.write(json.dumps(sample) + "\n")

    def mirror(self):
        path = self.daemon_.folder / "state/ledger.db"
        try:
            database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
            with database:
                rows = database.execute(f"select {COLUMNS} from slots").fetchall()
            database.close()
        except sqlite3.Error as error:
            self.problems.append(f"{time.time():.0f}: the ledger cannot be read: {error}")
            return
        for row in rows:
            before = self.rows.get(row[0])
            if before is not None and before[8] is not None and before != row:
                self.problems.append(f"slot {row[0]} changed after its end: {before} then {row}")
            self.rows[row[0]] = row
        there = {row[0] for row in rows}
        gone = [row for number, row in self.rows.items() if number not in there]
        self.forgotten = len(gone)
        limit = (time.time() - self.daemon_.settings.ledger_minutes * 60 + 1) * 1e6
        for row in gone:
            if row[8] is None or row[7] > limit:
                self.problems.append(f"slot {row[0]} is gone too early: {row}")

    def save(self, path):
        path.with_suffix(".new").write_text(json.dumps({"rows": list(self.rows.values()), "problems": self.problems}))
        os.replace(path.with_suffix(".new"), path)


def kib(text):
    return int(text.split()[0])


def size_of(folder):
    """Bytes and number of files below a folder, as far as it stands still."""
    total = count = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(base, name)).st_size
                count += 1
            except OSError:
                pass
    return total, count
