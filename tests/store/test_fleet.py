"""Several daemons with one job list, killed and frozen at random: every slot is worked once, and none is lost.

Each daemon has a state folder of its own; leases, models and runs are shared. At the end all plan nothing more, work off what they
have, and their ledgers, the leases and the sink have to tell the same story. The seed of a failure is printed; FLEET_SEED repeats
its choices, though not the machine's.
"""

import io
import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter, defaultdict

import pyarrow.parquet

from common import wait_for

NODES = 5
TTL = 3.0
WORKED = ("ok", "degraded")

HEAD = """schema_version = 1
[daemon]
state = "state-{node}"
workers = 4
threads = 1
reload = "off"
drain_limit = "10s"
leases = "{root}/leases"
models = "{root}/models"
node = "node-{node}"
lease_ttl = "{ttl}s"
[source.s]
inputs = "s.csv"
freq = "1h"
[model.m]
kind = "seasonal_naive"
horizon = 6
season_length = 24
levels = [80]
[sink.o]
path = "{root}/out"
"""

JOB = """[job.{name}]
source = "s"
model = "m"
sink = "o"
adaptive = false
keep_versions = 20
promotion = "always"
train = {{ every = "{train}", missed = "all", overlap = "queue", attempts = 5, backoff = "1s" }}
forecast = {{ every = "{forecast}", missed = "all", overlap = "queue", attempts = 5, backoff = "1s" }}
"""


class Node:
    """One daemon: its process, as often as it is started again."""

    def __init__(self, world, name, config):
        self.world, self.name, self.config = world, name, config
        self.process, self.started_at, self.back_at, self.wakes_at = None, 0.0, 0.0, None

    @property
    def ledger(self):
        return self.world.folder / f"state-{self.name}" / "ledger.db"

    def start(self):
        self.started_at = time.monotonic()
        env = {"S4CAST_STORE_TIMEOUT": "10", "RUST_LOG": "info"}
        log = f"log-{self.name}.txt"
        self.process = self.world.start("serve", "-c", self.config, log=log, **env)

    def is_up(self):
        return self.process is not None and self.process.poll() is None

    def listens(self):
        """Whether its loop turns: before, a signal would end it."""
        try:
            status = json.loads((self.world.folder / f"state-{self.name}" / "status.json").read_text())
        except (OSError, ValueError):
            return False
        return self.is_up() and status["pid"] == self.process.pid and status["ready"]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process, self.wakes_at = None, None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        self.wakes_at = None

    def rows(self):
        """Every slot of its ledger."""
        if not self.ledger.is_file():
            return []
        with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=10) as database:
            query = "SELECT job, stage, slot, trigger, outcome, reasons, run_id, attempts FROM slots"
            names = ("job", "stage", "slot", "trigger", "outcome", "reasons", "run_id", "attempts")
            return [dict(zip(names, row)) for row in database.execute(query)]


def write(world, nodes, root, jobs):
    """Gives every daemon its config, all with the same jobs."""
    for node in nodes:
        head = HEAD.format(node=node.name, root=root, ttl=TTL)
        (world.folder / node.config).write_text(head + "".join(JOB.format(**job) for job in jobs))


def disturb(nodes, dice, kills, freezes, now):
    """Brings back who is to be back, and kills or freezes somebody now and then."""
    for node in nodes:
        if node.process is None and now >= node.back_at:
            node.start()
        if node.wakes_at is not None and now >= node.wakes_at:
            node.thaw()
    awake = [node for node in nodes if node.is_up() and node.wakes_at is None]
    if len(awake) < 2:
        return None
    node, chance = dice.choice(awake), dice.random()
    if chance < kills:
        node.kill()
        node.back_at = now + dice.uniform(0.1, 4.0)
        return "killed"
    if chance < kills + freezes:
        node.freeze()
        # Short of its ttl, or well beyond it: then it wakes with a lease that is another's.
        node.wakes_at = now + dice.choice([dice.uniform(0.1, TTL), dice.uniform(TTL * 1.5, TTL * 3)])
        return "frozen"
    return None


def state(node):
    """What a daemon is doing, for whoever looks into a failure."""
    left = sum(row["outcome"] is None for row in node.rows())
    if not node.is_up():
        return f"gone, {left} slots open"
    lines = open(f"/proc/{node.process.pid}/status").read().splitlines()
    shown = next(line for line in lines if line.startswith("State"))
    return f"process {node.process.pid} {shown}, up for {time.monotonic() - node.started_at:.0f} s, {left} slots open"


def story(nodes):
    """All slots of the schedules, and what every ledger says of them."""
    told = defaultdict(list)
    for node in nodes:
        for row in node.rows():
            told[row["job"], row["stage"], row["slot"]].append((node.name, row))
    return told


def turns(place):
    """The chain of every slot: folder to turns in their order."""
    chains = defaultdict(dict)
    for name in place.names():
        folder, _, last = name.rpartition("/")
        if last.startswith("turn-"):
            chains[folder][int(last[5:-5])] = json.loads(place.get(name))
    for folder, chain in chains.items():
        assert sorted(chain) == list(range(1, len(chain) + 1)), f"{folder}: turns {sorted(chain)}"
    return {folder: [chain[number] for number in sorted(chain)] for folder, chain in chains.items()}


def folder_of(job, stage, slot):
    day = time.strftime("%Y-%m-%d/%H%M%S", time.gmtime(slot // 1_000_000))
    return f"{job}/{stage}/{day}.{slot % 1_000_000:06d}"


def commits(place):
    """Every commit of the sink: run id to (folder, commit)."""
    found = defaultdict(list)
    for name in place.names():
        if name.endswith("/_commit.json") and not name.startswith("shadow/"):
            commit = json.loads(place.get(name))
            found[commit["run_id"]].append((name.rpartition("/")[0], commit))
    return found


def check_run(place, folder, commit, series, horizon):
    """A run that counts is whole."""
    rows = 0
    for part in commit.get("parts") or commit["files"]:
        name = part["name"] if isinstance(part, dict) else part
        rows += pyarrow.parquet.read_table(io.BytesIO(place.get(f"{folder}/{name}"))).num_rows
    assert rows == commit["rows"] == series * horizon, f"{folder}: {rows} rows, the commit says {commit['rows']}"


def check(nodes, leases, sink, series, horizon=6):
    """The ledgers, the leases and the sink agree: every slot once. Returns what happened how often."""
    counts, told, chains, committed = Counter(), story(nodes), turns(leases), commits(sink)
    lost, twice = [], []
    for (job, stage, slot), rows in sorted(told.items()):
        scheduled = [(node, row) for node, row in rows if row["trigger"] == "schedule"]
        if not scheduled:
            counts["bootstrap"] += 1
            continue
        counts[f"{stage} slots"] += 1
        where = f"{job} {stage} {slot}"
        assert all(row["outcome"] is not None for _, row in scheduled), f"{where} is open: {scheduled}"
        workers = [node for node, row in scheduled if row["outcome"] in WORKED]
        others = Counter(row["outcome"] for _, row in scheduled if row["outcome"] not in WORKED)
        chain = chains.get(folder_of(job, stage, slot))
        assert chain, f"{where} has no lease: {scheduled}"
        ends = [turn for turn in chain if turn["turn"] == "done"]
        assert len(ends) == 1 and chain[-1]["turn"] == "done", f"{where}: {chain}"
        counts["taken over"] += sum(turn["turn"] == "claim" for turn in chain) - 1
        counts[f"ended {ends[0]['outcome']}"] += 1
        if len(workers) > 1:
            twice.append(where)
        # A daemon whose ledger ends before it wrote the row cannot be: none is removed. So somebody says that it worked it.
        if len(workers) < 1:
            lost.append(f"{where}: {scheduled} {chain[-1]}")
        if workers:
            assert f"node-{workers[0]}" == ends[0]["by"]["node"], f"{where}: {workers} and {ends}"
        assert set(others) <= {"skipped"}, f"{where}: {scheduled}"
        if stage == "forecast":
            run_id = scheduled[0][1]["run_id"]
            runs = committed.get(run_id, [])
            if len(runs) != 1:
                (twice if runs else lost).append(f"{where}: {len(runs)} commits of {run_id}")
            for folder, commit in runs:
                check_run(sink, folder, commit, series, horizon)
    assert not twice, f"{len(twice)} slots were worked twice: {twice[:5]}"
    assert not lost, f"{len(lost)} slots were lost: {lost[:5]}"
    assert len(committed) == counts["forecast slots"], f"{len(committed)} runs of {counts['forecast slots']} slots"
    return counts


def write_data(world, series):
    lines = ["unique_id,ds,y"]
    for number in range(series):
        for hour in range(24 * 8):
            stamp = f"2024-01-{1 + hour // 24:02}T{hour % 24:02}:00:00Z"
            lines.append(f"s{number},{stamp},{10 * number + hour % 24}")
    (world.folder / "s.csv").write_text("\n".join(lines) + "\n")


def drill(world, root, leases, sink, jobs, slots, count=NODES, every=1, kills=0.05, freezes=0.03):
    """Lets daemons work until so many forecast slots are planned, with accidents all the while; then checks all of it."""
    seed = int(os.environ.get("FLEET_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"       seed {seed}", flush=True)
    dice, series = random.Random(seed), 2
    write_data(world, series)
    names = [f"j{number}" for number in range(jobs)]
    busy = [{"name": name, "train": "20s", "forecast": f"{every}s"} for name in names]
    nodes = [Node(world, "abcdefgh"[at], f"daemon-{at}.toml") for at in range(count)]
    write(world, nodes, root, busy)
    accidents, began = Counter(), time.monotonic()
    deadline = began + slots / jobs * every + 60
    end = began + slots / jobs * every + 5
    while time.monotonic() < min(end, deadline):
        accidents[disturb(nodes, dice, kills, freezes, time.monotonic())] += 1
        time.sleep(0.1)
    # Nothing more is planned; everybody is up and works off what is there.
    write(world, nodes, root, [{"name": name, "train": "876000h", "forecast": "876000h"} for name in names])
    for node in nodes:
        if node.wakes_at is not None:
            node.thaw()
        if node.listens():
            node.process.send_signal(signal.SIGHUP)
            continue
        if node.is_up():
            node.kill()
        node.start()

    def is_settled():
        return all(row["outcome"] is not None for node in nodes for row in node.rows())

    time.sleep(1)
    try:
        wait_for("the end of all slots", is_settled, 120)
    except AssertionError as error:
        states = {node.name: state(node) for node in nodes}
        raise AssertionError(f"{error}; {states}") from None
    for node in nodes:
        assert node.is_up(), f"daemon {node.name} is gone"
        node.process.terminate()
    for node in nodes:
        assert node.process.wait(timeout=30) == 0, f"daemon {node.name} ended badly"
    counts = check(nodes, leases, sink, series)
    del accidents[None]
    took = time.monotonic() - began
    shares = Counter(chain[-1]["by"]["node"] for chain in turns(leases).values())
    told = {**counts, **accidents, "seconds": round(took), "shares": dict(sorted(shares.items()))}
    print("       " + json.dumps(told), flush=True)
    assert counts["forecast slots"] >= slots, counts
    # Of few slots it may be that none was being worked when its daemon was killed.
    if slots >= 500:
        assert accidents["killed"] and accidents["frozen"] and counts["taken over"], (accidents, counts)


def test_1000_slots_in_a_shared_folder(world):
    root = world.local("shared")
    leases, sink = world.local("shared/leases"), world.local("shared/out")
    drill(world, f"file://{root.url()}", leases, sink, jobs=8, slots=1000)


def test_slots_in_a_bucket(world):
    leases, sink = world.remote("leases"), world.remote("out")
    drill(world, world.remote().url(), leases, sink, jobs=2, slots=40, count=3, every=2)
