"""Sources of jobs by address: the same as by path, and what has not changed is not copied again."""

from common import same
from test_oneshot import SHOPS, table, text

CONFIG = """schema_version = 1
[daemon]
state = "{name}/state"
[source.s]
inputs = "{inputs}"
id = "shop"
[model.m]
kind = "ridge"
horizon = 7
[sink.out]
path = "{name}/out"
[job.j]
source = "s"
model = "m"
sink = "out"
train = {{ every = "1d" }}
forecast = {{ every = "1d" }}
"""

SLOTS = [f"2024-06-0{day}T00:00:00Z" for day in range(1, 6)]


def work(world, config, slot, **more):
    world.run("run", "j", "--slot", slot, "--stage", "forecast", "-c", config, **more)


def test_slots_by_path_and_by_address(world):
    outcomes = []
    for place in world.places():
        name = "remote" if place.is_remote else "local"
        for shop in SHOPS:
            place.put(f"data/shop={shop}/p.csv", text(shop, range(110)))
        config = world.folder / f"{name}.toml"
        config.write_text(CONFIG.format(name=f"{name}-daemon", inputs=place.url("data/**/*.csv")))
        world.run("run", "j", "--slot", SLOTS[0], "--stage", "train", "-c", config)
        work(world, config, SLOTS[1])
        place.put("data/shop=west/p.csv", text("west"))
        place.put("data/shop=north/q.csv", text("north", range(110, 120)))
        work(world, config, SLOTS[2])
        place.delete("data/shop=south/p.csv")
        work(world, config, SLOTS[3])
        files = sorted((world.folder / f"{name}-daemon/out").glob("job=j/*/*/part-0.parquet"))
        outcomes.append([table(file.read_bytes())[0] for file in files])
    same("runs", [len(one) for one in outcomes], [3, 3])
    same("by path and by address", *outcomes)


def test_what_has_not_changed_is_not_copied_again(world):
    place, proxy = world.remote(), world.proxy
    for shop in SHOPS:
        place.put(f"data/shop={shop}/p.csv", text(shop))
    config = world.folder / "daemon.toml"
    config.write_text(CONFIG.format(name="daemon", inputs=place.url("data") + "/"))
    objects = world.folder / "daemon/state/objects"

    def asked(slot):
        proxy.heal()
        work(world, config, slot, port=proxy.port)
        lists = proxy.requests("GET", "list-type")
        return len(lists), len(proxy.requests("GET", ".csv")), len(proxy.requests("HEAD"))

    world.run("run", "j", "--slot", SLOTS[0], "--stage", "train", "-c", config)
    copies = {file.name: file.stat().st_ino for file in objects.iterdir() if file.name != ".now"}
    same("copies", len(copies), 3)
    lists, downloads, questions = asked(SLOTS[1])
    # What the model remembers goes on with the two files that may grow, which are asked for by name.
    same("lists, downloads, few questions", (lists, downloads, questions <= 2), (1, 0, True))
    same("copies", {file.name: file.stat().st_ino for file in objects.iterdir() if file.name != ".now"}, copies)
    place.put("data/shop=west/p.csv", text("west", range(119)))
    lists, downloads, _ = asked(SLOTS[2])
    same("lists and downloads", (lists, downloads), (1, 1))
    for file in objects.iterdir():
        file.unlink()
    same("downloads", asked(SLOTS[3])[1], 3)
    # A store that is away is no reason to lose the slot for good.
    proxy.heal()
    proxy.fail("503")
    done = world.run(
        "run", "j", "--slot", SLOTS[4], "--stage", "forecast", "-c", config, code=None, port=proxy.port, S4CAST_STORE_TIMEOUT="1"
    )
    assert done.returncode != 0 and "s3://" in done.stdout + done.stderr, done.stdout + done.stderr
    proxy.heal()
    work(world, config, SLOTS[4], port=proxy.port)
