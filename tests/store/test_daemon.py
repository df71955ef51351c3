"""The daemon with its models and its sink in a bucket: the same as in folders, whatever the store does and however often it is killed;
several machines with one sink; readers of the bucket meanwhile see whole runs alone."""

import hashlib
import io
import json
import random
import signal
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import S3FileSystem

from common import clean, same, wait_for

KILLS = 25
CONFIG = """schema_version = 1
[daemon]
state = "{state}"
{models}
[source.s]
inputs = "{inputs}"
id = "site"
[model.m]
kind = "ridge"
horizon = 24
season_length = 24
[sink.lake]
path = "{sink}"
{retention}
[job.load]
source = "s"
model = "m"
sink = "lake"
train = {{ every = "{train}" }}
forecast = {{ every = "{forecast}", missed = "all", overlap = "queue", attempts = 6, backoff = "1s" }}
score = {{ every = "{score}", missed = "all", overlap = "queue", attempts = 6, backoff = "1s" }}
"""
DAYS = 20
FROM, UNTIL, LATER = "2024-01-15T00:00:00Z", "2024-01-17T12:10:00Z", "2024-01-18T12:10:00Z"


def data():
    """Hours of two sites with a daily wave and something that no model knows."""
    random.seed(5)
    rows = ["site,ds,y"]
    for site in ("north", "south"):
        for hour in range(DAYS * 24):
            y = 50 + 20 * ((hour % 24) in range(8, 20)) + random.random() * 5
            rows.append(f"{site},2024-01-{1 + hour // 24:02}T{hour % 24:02}:00:00Z,{y:.3f}")
    return "\n".join(rows) + "\n"


def config(world, place, name, *, state=None, train="1d", forecast="6h", score="1d", retention="", inputs=None):
    """A config whose sink and models are at a place; models of a folder are where they are without the setting."""
    path = world.folder / f"{name}.toml"
    models = f'models = "{place.url("models")}"' if place.is_remote else ""
    path.write_text(
        CONFIG.format(
            state=state or world.folder / f"state-{name}",
            models=models,
            inputs=inputs or place.url("data/*.csv"),
            sink=place.url("lake"),
            retention=retention,
            train=train,
            forecast=forecast,
            score=score,
        )
    )
    return path


def simulate(world, config, port=None, begin=FROM, end=UNTIL):
    return world.run("serve", "-c", config, "--clock", f"sim:{begin}..{end}", port=port, timeout=300)


def commits(place):
    """The commits of all runs, by the name of their folder."""
    names = [name for name in place.names() if name.startswith("lake/job=load/") and name.endswith("/_commit.json")]
    return {name.rsplit("/", 1)[0]: json.loads(place.get(name)) for name in names}


def runs(place):
    """The rows of all runs, by id; everything that a commit names is as it says."""
    found = {}
    for folder, commit in commits(place).items():
        files = commit.get("parts") or [{"name": commit["files"][0], "sha256": commit["sha256"]}]
        tables = []
        for part in files:
            content = place.get(f"{folder}/{part['name']}")
            same(part["name"], hashlib.sha256(content).hexdigest(), part["sha256"])
            tables.append(pq.read_table(io.BytesIO(content)))
        found[commit["run_id"]] = pa.concat_tables(tables)
    return found


def shown(place):
    """The run that `latest` shows, by the file; it is whole."""
    table = pq.read_table(io.BytesIO(place.get("lake/latest/job=load/part-0.parquet")))
    ids = table["run_id"].unique().to_pylist()
    same("runs in latest", len(ids), 1)
    return ids[0], table


def slots(world, config):
    return world.json("runs", "ls", "-c", config, "--limit", "1000")["runs"]


def plain(table):
    """Rows without when they were written: a slot that is tried again is written later."""
    return table.drop(["created_at"])


def check(world, place, config):
    """All slots ended well, every run is whole, `latest` and its pointer show the newest, and nothing else is left."""
    all_slots = slots(world, config)
    bad = [(one["stage"], one["slot"], one["outcome"], one["reasons"]) for one in all_slots if one["outcome"] != "ok"]
    same("slots that did not end well", bad, [])
    whole = runs(place)
    made = {one["run_id"] for one in all_slots if one["stage"] == "forecast"}
    same("slots without a run", made - set(whole), set())
    newest = max(commits(place).values(), key=lambda commit: commit["issued_at"])
    run, table = shown(place)
    same("latest", run, newest["run_id"])
    same("rows of latest", table, whole[run])
    if place.is_remote:
        pointer = json.loads(place.get("lake/latest/job=load/_latest.json"))
        same("pointer", pointer["run_id"], run)
        for name in pointer["files"]:
            place.get(f"lake/{pointer['folder']}/{name}")
        named = {f"{folder}/{name}" for folder, commit in commits(place).items() for name in commit["files"]}
        parts = {name for name in place.names() if name.startswith("lake/job=") and "/part-" in name}
        same("parts that no commit names", parts - named, set())
    return whole


def test_the_same_runs_by_path_and_by_address(world):
    found = []
    for place in world.places():
        place.put("data/a.csv", data())
        name = "remote" if place.is_remote else "local"
        file = config(world, place, name)
        simulate(world, file)
        whole = check(world, place, file)
        scores = pq.read_table(io.BytesIO(place.get("lake/scores/job=load/part-0.parquet")))
        models = [name for name in place.names() if name.endswith("manifest.json")]
        found.append((whole, scores, len(models)))
        shown_models = world.json("models", "ls", "--state", world.folder / f"state-{name}")["models"]
        same("a version serves", sum(one["serves"] for one in shown_models), 1)
    local, remote = found
    same("runs", sorted(local[0]), sorted(remote[0]))
    for run in local[0]:
        same(f"rows of {run}", local[0][run], remote[0][run])
    same("scores", local[1], remote[1])
    assert len(local[0]) >= 9 and local[2] == 0 and remote[2] >= 2, (len(local[0]), local[2], remote[2])


def test_another_machine_goes_on(world):
    place = world.remote()
    place.put("data/a.csv", data())
    one = config(world, place, "one")
    simulate(world, one)
    before = check(world, place, one)
    other = config(world, place, "other")
    simulate(world, other, begin=UNTIL, end=LATER)
    after = check(world, place, other)
    assert len(after) >= len(before) + 3, (len(before), len(after))
    for run in before:
        same(f"rows of {run}", before[run], after[run])
    version = {commit["run_id"]: int(commit["metadata"]["model_version"]) for commit in commits(place).values()}
    newest = max(commits(place).values(), key=lambda commit: commit["issued_at"])["run_id"]
    assert version[newest] >= max(version[run] for run in before), "the other machine began anew"
    # What the first one has forecast is scored by the second.
    scores = pq.read_table(io.BytesIO(place.get("lake/scores/job=load/part-0.parquet")))
    same("runs that are not scored", set(before) - set(scores["run_id"].to_pylist()), set())


def test_faults_that_pass_leave_no_trace(world):
    calm = world.remote("calm")
    calm.put("data/a.csv", data())
    simulate(world, config(world, calm, "calm"))
    for number, kind in enumerate(("500", "503", "reset", "lost", "truncated")):
        target = world.remote(f"fault-{kind}")
        target.put("data/a.csv", data())
        file = config(world, target, f"fault-{kind}")
        # A sixth of everything, puts that decide included.
        for after in range(number, 3000, 6):
            world.proxy.fail(kind, times=1, after=after)
        simulate(world, file, port=world.proxy.port)
        world.proxy.heal()
        whole = check(world, target, file)
        for run, rows in runs(calm).items():
            same(f"{kind}: rows of {run}", plain(rows), plain(whole[run]))


def test_a_store_that_is_away_fails_slots_and_comes_back(world):
    place = world.remote()
    place.put("data/a.csv", data())
    local = world.local("input")
    local.put("a.csv", data())
    file = config(world, place, "away", forecast="2s", train="1h", score="1h", inputs=local.url("*.csv"))
    daemon = world.start("serve", "-c", file, port=world.proxy.port, S4CAST_STORE_TIMEOUT="1")
    wait_for("the first run", lambda: len(commits(place)) >= 1, 60)
    world.proxy.fail("503", path="lake")
    count = len(commits(place))
    wait_for("a slot that is tried again", lambda: any("lake" in " ".join(one["reasons"]) for one in slots(world, file)), 90)
    same("runs meanwhile", len(commits(place)) <= count + 1, True)
    world.proxy.heal()
    wait_for("runs again", lambda: len(commits(place)) >= count + 3, 90)
    daemon.send_signal(signal.SIGTERM)
    daemon.wait(30)
    runs(place)
    # One that starts while the store is away serves what it has.
    world.proxy.fail("503")
    daemon = world.start("serve", "-c", file, port=world.proxy.port, log="second.txt", S4CAST_STORE_TIMEOUT="1")
    wait_for("a clear word", lambda: "does not answer" in (world.folder / "second.txt").read_text(), 60)
    world.proxy.heal()
    count = len(commits(place))
    wait_for("runs again", lambda: len(commits(place)) >= count + 2, 120)


def test_kills_at_any_moment(world):
    random.seed(7)
    place = world.remote()
    local = world.local("input")
    local.put("a.csv", data())
    file = config(world, place, "kill", forecast="1s", train="20s", score="10s", inputs=local.url("*.csv"))
    seen = 0
    for kill in range(KILLS):
        daemon = world.start("serve", "-c", file, log="kill.txt")
        time.sleep(0.3 + 2.5 * random.random())
        daemon.kill()
        daemon.wait()
        whole = runs(place)
        assert len(whole) >= seen, "a run is gone"
        seen = len(whole)
        if kill % 5 == 4:
            # The copy is lost as well.
            clean(world.folder / "state-kill" / "sinks")
    assert seen > 0, "no run in all that time"
    daemon = world.start("serve", "-c", file, log="kill.txt")
    wait_for("a run after all", lambda: len(commits(place)) > seen, 60)
    daemon.send_signal(signal.SIGTERM)
    daemon.wait(60)
    whole = runs(place)
    run, _ = shown(place)
    newest = max(commits(place).values(), key=lambda commit: (commit["issued_at"], commit["created_at"]))
    same("latest", run, newest["run_id"])
    same("pointer", json.loads(place.get("lake/latest/job=load/_latest.json"))["run_id"], run)
    named = {f"{folder}/{name}" for folder, commit in commits(place).items() for name in commit["files"]}
    folders = set(commits(place))
    parts = {name for name in place.names() if name.startswith("lake/job=") and "/part-" in name}
    same("parts that no commit names", {name for name in parts - named if name.rsplit("/", 1)[0] in folders}, set())
    print(f"       {KILLS} kills, {len(whole)} runs")


def test_readers_of_the_bucket_see_whole_runs(world):
    place = world.remote()
    local = world.local("input")
    local.put("a.csv", data())
    files = [config(world, place, name, forecast="1s", train="1h", score="5s", inputs=local.url("*.csv")) for name in ("a", "b")]
    port = world.server.port
    files_of = S3FileSystem(
        access_key="test", secret_key="test", region="us-east-1", scheme="http",
        endpoint_override=f"127.0.0.1:{port}", allow_bucket_creation=False,
    )
    latest = f"{world.bucket}/lake/latest/job=load/part-0.parquet"
    done, counts, problems = threading.Event(), {"latest": 0, "pointer": 0}, []

    def whole(table, what):
        ids = table["run_id"].unique().to_pylist()
        # Two sites, a day of hours each.
        if len(ids) != 1 or table.num_rows != 48:
            problems.append(f"{what}: {len(ids)} runs, {table.num_rows} rows")

    def by_file():
        """The footer from one opening, the data from another, as pyarrow, DuckDB and polars do."""
        while not done.is_set():
            try:
                with files_of.open_input_file(latest) as file:
                    footer = pq.read_metadata(file)
                time.sleep(random.random() * 0.2)
                with files_of.open_input_file(latest) as file:
                    whole(pq.ParquetFile(file, metadata=footer).read(), "latest")
                counts["latest"] += 1
            except Exception as error:
                problems.append(f"latest: {error!r}")

    def by_pointer():
        while not done.is_set():
            pointer = json.loads(place.get("lake/latest/job=load/_latest.json"))
            names = [f"{world.bucket}/lake/{pointer['folder']}/{name}" for name in pointer["files"]]
            whole(pa.concat_tables([pq.read_table(name, filesystem=files_of) for name in names]), "pointer")
            counts["pointer"] += 1

    first = world.start("serve", "-c", files[0], log="a.txt")
    wait_for("the first run", lambda: "lake/latest/job=load/_latest.json" in place.names(), 60)
    readers = [threading.Thread(target=target) for target in (by_file, by_pointer)]
    for reader in readers:
        reader.start()
    time.sleep(20)
    done.set()
    for reader in readers:
        reader.join()
    first.send_signal(signal.SIGTERM)
    first.wait(60)
    same("problems", problems[:5], [])
    whole_runs = runs(place)
    assert len(whole_runs) >= 8, f"{len(whole_runs)} runs"
    # Another machine takes over where the first one was.
    second = world.start("serve", "-c", files[1], log="b.txt")
    wait_for("the other's runs", lambda: len(commits(place)) > len(whole_runs) + 1, 60)
    second.send_signal(signal.SIGTERM)
    second.wait(60)
    shown(place)
    print(f"       {counts['latest']} reads of latest, {counts['pointer']} by pointer, over {len(whole_runs)} runs")
