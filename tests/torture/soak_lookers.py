"""Whoever looks at a daemon of the soak all the time: its pages, its commands, its files."""

import hashlib
import json
import random
import subprocess
import threading
import time
import urllib.parse


class Pages(threading.Thread):
    """Asks for every page and route, one after the other; an answer that no fault explains counts."""

    STATIC = ["/", "/healthz", "/readyz", "/metrics", "/version", "/api/v1/overview", "/api/v1/jobs", "/api/v1/runs?limit=50"]
    PER_JOB = ["jobs/{job}", "models/{job}", "forecasts/{job}?limit=200", "series/{job}?limit=50", "scores/{job}?limit=50"]
    PER_JOB += ["anomalies/{job}?limit=50", "backtests/{job}", "history/{job}?unique_id={id}", "vintages/{job}?unique_id={id}"]

    def __init__(self, daemon, path, pause, ids):
        super().__init__(daemon=True)
        self.daemon_, self.pause, self.ids, self.stop = daemon, pause, ids, threading.Event()
        self.file, self.rng, self.count, self.seconds = open(path, "a", buffering=1), random.Random(7), 0, []

    def routes(self):
        job = self.rng.choice(list(self.daemon_.settings.jobs.values()))
        names = [self.rng.choice(self.ids)]
        name = names[0].replace("/", "_") if job.source == "wide.csv" else names[0]
        quoted = urllib.parse.quote(name, safe="")
        routes = self.STATIC + ["/api/v1/" + route.format(job=job.name, id=quoted) for route in self.PER_JOB]
        return routes + ["/assets/main.js", "/openapi.json"]

    def run(self):
        while not self.stop.is_set():
            for route in self.routes():
                if self.stop.wait(self.pause):
                    return
                began = time.time()
                status, body = self.daemon_.fetch(route)
                self.count += 1
                self.seconds.append(time.time() - began)
                if status not in (200, 304):
                    self.note(began, route, status, body)
                elif "/runs?" in route:
                    self.look(body)

    def note(self, began, route, status, body):
        said = body[:300].decode(errors="replace")
        entry = {"at": began, "took": time.time() - began, "route": route, "status": status, "said": said}
        self.file.write(json.dumps(entry) + "\n")

    def look(self, body):
        """One run of the list is looked at, too."""
        runs = json.loads(body).get("runs") or []
        if runs and "id" in runs[0]:
            number = self.rng.choice(runs)["id"]
            for more in (f"/api/v1/runs/{number}", f"/api/v1/runs/{number}/log"):
                began = time.time()
                status, said = self.daemon_.fetch(more)
                self.count += 1
                if status != 200:
                    self.note(began, more, status, said)


class Commands(threading.Thread):
    """Runs the program beside the daemon, as people do: looks at its state, asks it for slots."""

    def __init__(self, daemon, ids, path, pause, watcher):
        super().__init__(daemon=True)
        self.daemon_, self.ids, self.pause, self.watcher = daemon, ids, pause, watcher
        self.file, self.stop, self.count, self.rng = open(path, "a", buffering=1), threading.Event(), 0, random.Random(13)

    def run(self):
        looks = [
            ["runs", "ls", "--json"],
            ["top", "--once", "--json"],
            ["models", "ls", "--json", "--state", "state"],
            ["models", "verify", "--state", "state"],
            ["schedule", "next"],
            ["score", "--job", "grow"],
            ["explain", self.ids[0], "--job", "folder"],
            ["validate"],
        ]
        while not self.stop.wait(self.rng.uniform(0.5, 1.5) * self.pause):
            # Configs are good and the daemon is there while nobody does anything to it.
            with self.daemon_.lock:
                look = self.rng.choice([*looks, self.slot(), self.again()])
                if look:
                    self.command(look)

    def slot(self):
        job = self.rng.choice(list(self.daemon_.settings.jobs.values()))
        return ["run", job.name, "--stage", self.rng.choice(list(job.stages()))]

    def again(self):
        ended = [row for row in list(self.watcher.rows.values())[-200:] if row[8] and row[1] in self.daemon_.settings.jobs]
        return ["runs", "retry", str(self.rng.choice(ended)[0])] if ended else None

    def command(self, words):
        began = time.time()
        done = subprocess.run(
            [self.daemon_.program, *words, *([] if "--state" in words else ["-c", "daemon.toml"])],
            cwd=self.daemon_.folder,
            env=self.daemon_.environment,
            capture_output=True,
            text=True,
        )
        self.count += 1
        took, said = time.time() - began, done.stderr.strip()[-300:]
        entry = {"at": began, "took": took, "words": words, "code": done.returncode, "said": said}
        self.file.write(json.dumps(entry) + "\n")


class Readers(threading.Thread):
    """Reads `latest` and committed runs all the time: each is whole, of one run, and the bytes that were committed."""

    def __init__(self, daemon, series, path):
        super().__init__(daemon=True)
        self.daemon_, self.series, self.reads, self.stop = daemon, series, 0, threading.Event()
        self.file, self.rng = open(path, "a", buffering=1), random.Random(11)
        try:
            import pyarrow.parquet

            self.arrow = pyarrow.parquet
        except ImportError:
            self.arrow = None

    def problem(self, text):
        self.file.write(json.dumps({"at": time.time(), "problem": text}) + "\n")

    def run(self):
        while not self.stop.wait(3):
            for job in list(self.daemon_.settings.jobs.values()):
                try:
                    self.latest(job)
                    self.committed(job)
                except Exception as error:  # noqa: BLE001
                    self.problem(f"{job.name}: {type(error).__name__}: {error}")

    def latest(self, job):
        """Its bytes are its own: it keeps the pages of the run before. It has to be one whole file of one run."""
        path = self.daemon_.folder / "out/latest" / f"job={job.name}" / "part-0.parquet"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return
        self.reads += 1
        if not (content.startswith(b"PAR1") and content.endswith(b"PAR1")):
            self.problem(f"{path}: no whole Parquet file")
        if self.arrow:
            self.check(path, job, "latest")

    def committed(self, job):
        paths = sorted((self.daemon_.folder / "out" / f"job={job.name}").glob("issued_date=*/run_id=*/_commit.json"))
        if not paths:
            return
        path = self.rng.choice(paths[-5:])
        try:
            commit, content = json.loads(path.read_text()), (path.parent / "part-0.parquet").read_bytes()
        except FileNotFoundError:
            if path.exists() and time.time() - path.stat().st_mtime < 60:
                self.problem(f"{path}: a commit without its file")
            return
        self.reads += 1
        if hashlib.sha256(content).hexdigest() != commit["sha256"]:
            again = json.loads(path.read_text())
            content = (path.parent / "part-0.parquet").read_bytes()
            if hashlib.sha256(content).hexdigest() != again["sha256"]:
                self.problem(f"{path.parent}: the bytes are not those of the commit")
        if self.arrow:
            self.check(path.parent / "part-0.parquet", job, "run")

    def check(self, path, job, what):
        try:
            table = self.arrow.ParquetFile(path).read(columns=["run_id", "unique_id", "horizon"])
        except FileNotFoundError:
            return
        runs, ids = set(table["run_id"].to_pylist()), set(table["unique_id"].to_pylist())
        horizons = set(table["horizon"].to_pylist())
        if len(runs) != 1 or table.num_rows != len(ids) * len(horizons):
            self.problem(f"{what} {path}: {table.num_rows} rows, {len(ids)} series, {len(horizons)} steps, runs {runs}")
