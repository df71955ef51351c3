"""The faults of the soak, each in the journal with its time: data, configs, kills, at random."""

import copy
import os
import random
import signal
import threading
import time
import traceback

import soak_config as config
from soak_data import broken_files, put


class Havoc(threading.Thread):
    """One kind of fault after the other, with pauses, until it is told to stop; it undoes what it did."""

    def __init__(self, seed, pause, faults):
        super().__init__(daemon=True)
        self.rng, self.pause, self.faults, self.stop = random.Random(seed), pause, faults, threading.Event()
        self.left, self.problems = [], []

    def run(self):
        while not self.stop.wait(self.rng.uniform(*self.pause)):
            if not self.left:
                # All of them once, in another order every time.
                self.left = self.rng.sample(self.faults, len(self.faults))
            fault = self.left.pop()
            try:
                fault(self)
            except Exception as error:  # noqa: BLE001
                self.problems.append(f"{fault.__name__}: {type(error).__name__}: {error}")
                traceback.print_exc()

    def hold(self, least, most):
        self.stop.wait(self.rng.uniform(least, most))


# --- data -------------------------------------------------------------------------------------------------------------


def data_faults(generator, journal):
    root = generator.root

    def bad_file(havoc):
        what, ending, content = havoc.rng.choice(broken_files(havoc.rng, generator.names))
        folder = ending[1:]
        path = root / folder / f"{havoc.rng.choice(['0', 'zz'])}_bad{ending}"
        with journal.during("bad file", source=folder, what=what):
            (put if havoc.rng.random() < 0.5 else lambda p, c: p.write_bytes(c))(path, content)
            havoc.hold(30, 80)
            path.unlink()

    def damaged_newest(havoc):
        """Bytes of a file that was good are overwritten, and put back."""
        folder = havoc.rng.choice(["csv", "parquet"])
        with generator.lock:
            path = sorted((root / folder).glob(f"[0-9][0-9]*.{folder}"))[-havoc.rng.choice([2, 3, 8])]
            good = path.read_bytes()
        with journal.during("bad file", source=folder, what="damaged", path=path.name):
            bad = bytearray(good)
            for _ in range(30):
                bad[havoc.rng.randrange(len(bad))] = havoc.rng.randrange(256)
            put(path, bytes(bad))
            havoc.hold(30, 80)
            put(path, good)

    def missing(havoc):
        name = havoc.rng.choice(["grow.csv", "counts.csv", "sums.csv"])
        path, away = root / name, root / (name + ".away")
        with journal.during("missing", source=name):
            with generator.lock:
                path.rename(away)
            havoc.hold(20, 80)
            with generator.lock:
                away.rename(path)

    def foreign(havoc):
        """Another file stands in place of a source."""
        name = havoc.rng.choice(["grow.csv", "counts.csv", "sums.csv", "wide.csv"])
        path, away = root / name, root / (name + ".away")
        content = havoc.rng.choice([b"", b"alpha,beta\n1,2\n", havoc.rng.randbytes(20_000), b"\xff\xfe" * 500])
        with journal.during("foreign", source=name):
            # Nothing grows meanwhile: rows would be appended to it.
            with generator.lock:
                path.rename(away)
                path.write_bytes(content)
                havoc.hold(20, 50)
                away.replace(path)

    def feed(havoc):
        mode = havoc.rng.choice(["fail", "hang", "garbage", "empty", "half"])
        with journal.during("feed", source="exec.csv", what=mode):
            put(root / "mode", mode)
            havoc.hold(30, 100)
            put(root / "mode", "ok")

    def gone_file(havoc):
        """A file of a folder goes for a while: a hole in the history."""
        folder = havoc.rng.choice(["csv", "parquet"])
        with generator.lock:
            path = sorted((root / folder).glob(f"[0-9][0-9]*.{folder}"))[havoc.rng.choice([-2, -4, 5])]
        away = root / (path.name + ".away")
        with journal.during("hole", source=folder, path=path.name):
            path.rename(away)
            havoc.hold(30, 80)
            away.rename(path)

    return [bad_file, bad_file, bad_file, bad_file, damaged_newest, missing, foreign, feed, feed, gone_file]


# --- configs ----------------------------------------------------------------------------------------------------------


def config_faults(daemons, journal):
    def both(havoc):
        return havoc.rng.sample(daemons, len(daemons)) if havoc.rng.random() < 0.6 else [havoc.rng.choice(daemons)]

    def changed(daemon, change):
        with daemon.lock:
            settings = copy.deepcopy(daemon.settings)
            change(settings)
            daemon.reload(settings, "config applied")

    def rejected(havoc):
        daemon = havoc.rng.choice(daemons)
        with daemon.lock, journal.during("bad config", daemon=daemon.name):
            good = daemon.settings.toml()
            bad = havoc.rng.choice(
                [
                    good.replace("horizon = 10", "horizn = 10"),
                    good.replace('source = "csv"', 'source = "cvs"'),
                    good[: havoc.rng.randrange(200, 800)] + "\n[[",
                    "",
                    good.replace('state = "state"', 'state = "elsewhere"'),
                    good.replace("cron = ", "corn = "),
                ]
            )
            daemon.reload(bad, "config rejected")
            havoc.hold(5, 40)
            daemon.reload(daemon.settings, "config applied")

    def untouched(havoc):
        daemon = havoc.rng.choice(daemons)
        with daemon.lock, journal.during("reload", daemon=daemon.name):
            for _ in range(havoc.rng.choice([1, 1, 10])):
                daemon.process.send_signal(signal.SIGHUP)
            havoc.hold(1, 2)

    def horizon(havoc):
        name = havoc.rng.choice(["grow", "wide", "folder"])
        for daemon in both(havoc):
            with journal.during("horizon", daemon=daemon.name, job=name):
                changed(daemon, lambda s: s.change(name, horizon=12))
                havoc.hold(60, 150)
                changed(daemon, lambda s: s.change(name, horizon=10))

    def schedule(havoc):
        name = havoc.rng.choice(["counts", "naive"])
        for daemon in both(havoc):
            with journal.during("schedule", daemon=daemon.name, job=name):
                before = daemon.settings.jobs[name].forecast
                changed(daemon, lambda s: s.change(name, forecast=config.cron(2)))
                havoc.hold(60, 200)
                changed(daemon, lambda s: s.change(name, forecast=before))

    def removed(havoc):
        for daemon in both(havoc):
            name = havoc.rng.choice(["fed", "smooth"])
            with journal.during("removed", daemon=daemon.name, job=name):
                job = daemon.settings.jobs[name]
                changed(daemon, lambda s: s.jobs.pop(name))
                havoc.hold(70, 200)

                def back(settings):
                    settings.jobs[name] = job

                changed(daemon, back)

    def added(havoc):
        for daemon in both(havoc):
            with journal.during("added", daemon=daemon.name, job="extra"):

                def there(settings):
                    settings.jobs["extra"] = config.EXTRA

                changed(daemon, there)
                havoc.hold(70, 200)
                changed(daemon, lambda s: s.jobs.pop("extra"))

    return [rejected, rejected, untouched, horizon, schedule, removed, added]


# --- kills ------------------------------------------------------------------------------------------------------------


def kill_faults(daemon, journal):
    def down(havoc, kind, act, pause):
        with daemon.lock, journal.during("down", daemon=daemon.name, what=kind) as entry:
            entry["code"] = act()
            havoc.stop.wait(pause)
            daemon.start()

    def killed(havoc):
        down(havoc, "SIGKILL", lambda: daemon.end(signal.SIGKILL), havoc.rng.uniform(0, 2))

    def told(havoc):
        down(havoc, "SIGTERM", lambda: daemon.end(signal.SIGTERM), havoc.rng.uniform(0, 2))

    def told_twice(havoc):
        def act():
            daemon.process.send_signal(signal.SIGTERM)
            time.sleep(havoc.rng.uniform(0, 0.3))
            return daemon.end(signal.SIGTERM)

        down(havoc, "SIGTERM twice", act, 0)

    def killed_often(havoc):
        for _ in range(5):
            down(havoc, "SIGKILL", lambda: daemon.end(signal.SIGKILL), 0)
            time.sleep(havoc.rng.uniform(0, 1.5))

    def away(havoc):
        number = havoc.rng.choice([signal.SIGKILL, signal.SIGTERM])
        down(havoc, "long", lambda: daemon.end(number), havoc.rng.uniform(90, 240))

    def frozen(havoc):
        seconds = havoc.rng.choice([3, 8, 20, 45, 95])
        with daemon.lock, journal.during("frozen", daemon=daemon.name, seconds=seconds):
            os.kill(daemon.process.pid, signal.SIGSTOP)
            havoc.stop.wait(seconds)
            os.kill(daemon.process.pid, signal.SIGCONT)

    return [killed, killed, told, told_twice, killed_often, away, frozen, frozen]
