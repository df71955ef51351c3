"""What becomes of one-shot commands when the store fails: what passes is not noticed; what lasts ends the command in time, with its
exit code, and leaves what was there before."""

import io
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from common import same
from test_oneshot import SHOPS, long, table, text

LIMIT = 3
PASSING = ("500", "503", "reset", "truncated", "lost")


def prepare(world):
    """Three objects to read and one that stands where the forecasts go."""
    place = world.remote()
    for shop in SHOPS:
        place.put(f"data/shop={shop}/p.csv", text(shop))
    place.put("out/f.parquet", "old")
    return place


def words(place, out="out/f.parquet"):
    return ("forecast", place.url("data/") + "/", "--id", "shop", "-H", "7", "--model", "ridge", "-o", place.url(out))


def untouched(world, place):
    same("the old object", place.get("out/f.parquet"), b"old")
    same("objects", [name for name in place.names() if not name.startswith("data/")], ["out/f.parquet"])
    same("uploads", place.uploads(), [])
    same("leftovers", world.leftovers(), [])


def fails(world, place, code, part, *arguments, within=4 * LIMIT):
    """The command fails with this code, in time, and tells so."""
    began = time.monotonic()
    done = world.run(*arguments, code=code, port=world.proxy.port, S4CAST_STORE_TIMEOUT=str(LIMIT))
    took = time.monotonic() - began
    assert took < within, f"it took {took:.1f} s"
    assert part in done.stderr, f"{part!r} is not in\n{done.stderr}"
    untouched(world, place)
    world.proxy.heal()
    return done.stderr


def test_faults_that_pass_are_not_noticed(world):
    place = prepare(world)
    world.run(*words(place, "expected.parquet"))
    expected = table(place.get("expected.parquet"))[0]
    for method, path, kinds in (
        ("GET", "list-type", PASSING),
        ("HEAD", "p.csv", ("500", "503", "reset", "lost")),
        ("GET", "p.csv", PASSING),
        ("PUT", "f.parquet", ("500", "503", "reset", "lost")),
        ("POST", "f.parquet", ("500", "503", "reset")),
    ):
        for kind in kinds:
            fault = world.proxy.fail(kind, method=method, path=path, times=2)
            place.put("out/f.parquet", "old")
            world.run(*words(place), port=world.proxy.port)
            same(f"{method} {kind}: forecasts", table(place.get("out/f.parquet"))[0], expected)
            same(f"{method} {kind}: faults", fault.done, 2)
            same("leftovers", world.leftovers(), [])
            world.proxy.heal()
    world.proxy.fail("slow", seconds=0.2)
    world.run(*words(place), port=world.proxy.port)


def test_reading_that_keeps_failing(world):
    place = prepare(world)
    for method, path, kind in (
        ("GET", "list-type", "503"),
        ("HEAD", "p.csv", "500"),
        ("GET", "p.csv", "truncated"),
        ("GET", "p.csv", "reset"),
        ("GET", "p.csv", "stalled"),
    ):
        world.proxy.fail(kind, method=method, path=path, seconds=20 if kind == "stalled" else 0)
        message = fails(world, place, 69, f"s3://{world.bucket}/data", *words(place))
        assert "S4CAST_STORE_TIMEOUT" in message, message


def test_writing_that_keeps_failing(world):
    place = prepare(world)
    for kind in ("500", "503", "reset"):
        world.proxy.fail(kind, method="PUT", path="f.parquet")
        fails(world, place, 69, place.url("out/f.parquet"), *words(place))
    # The server did its work and cannot say so: the new object stands, whole.
    world.proxy.fail("lost", method="PUT", path="f.parquet")
    world.run(*words(place), code=69, port=world.proxy.port, S4CAST_STORE_TIMEOUT=str(LIMIT))
    same("rows", len(table(place.get("out/f.parquet"))[0]["ds"]), 21)
    same("leftovers", world.leftovers(), [])


def test_what_is_not_allowed_is_told_before_anything_is_read(world):
    place = prepare(world)
    world.proxy.fail("403", method="POST", path="f.parquet")
    fails(world, place, 77, "access is denied", *words(place))
    for method, path in (("GET", "list-type"), ("HEAD", "p.csv"), ("GET", "p.csv"), ("PUT", "f.parquet")):
        world.proxy.fail("403", method=method, path=path)
        fails(world, place, 77, "access is denied", *words(place))
    world.proxy.fail("404", method="POST", path="f.parquet")
    world.proxy.fail("500", method="GET", path="p.csv")
    fails(world, place, 73, "no such bucket", *words(place))


def test_a_server_that_is_not_there(world):
    place = prepare(world)
    began = time.monotonic()
    done = world.run(*words(place), code=69, port=9, S4CAST_STORE_TIMEOUT="2")
    assert time.monotonic() - began < 8, "in time"
    assert place.url("out/f.parquet") in done.stderr, done.stderr
    untouched(world, place)


def test_models_and_reports(world):
    place = prepare(world)
    world.proxy.fail("500", method="PUT", path="m.safetensors")
    fails(world, place, 69, "m.safetensors", *words(place), "--save-model", place.url("out/m.safetensors"))
    world.proxy.fail("500", method="PUT", path="q.parquet")
    fails(world, place, 69, "q.parquet", *words(place), "--quality", place.url("out/q.parquet"))
    place.put("m/m.safetensors", "x")
    world.proxy.fail("truncated", method="GET", path="m.safetensors")
    sales = world.local()
    sales.put("sales.csv", long())
    load = ("forecast", sales.url("sales.csv"), "--load-model", place.url("m/m.safetensors"), "-o", sales.url("o.parquet"))
    world.run(*load, code=69, port=world.proxy.port, S4CAST_STORE_TIMEOUT=str(LIMIT))
    world.proxy.heal()
    world.run(*load, code=65, port=world.proxy.port)
    same("outputs", sales.names(), ["sales.csv"])


def large(world, place):
    """An object of 19 MiB, most of which nobody asks for, and a forecast of more than 8 MiB."""
    random = np.random.default_rng(1)
    shops, days = 2000, 40
    ids = np.repeat([f"shop{shop:04d}" for shop in range(shops)], days)
    ds = np.tile(np.arange(days), shops).astype("datetime64[D]").astype("datetime64[us]")
    columns = {"unique_id": ids, "ds": ds, "y": random.normal(100, 9, shops * days).round(2)}
    columns["noise"] = [random.bytes(250) for _ in range(shops * days)]
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    assert sink.tell() > 16 << 20, sink.tell()
    place.put("large/a.parquet", sink.getvalue())
    return ("forecast", place.url("large/a.parquet"), "-H", "80", "--model", "naive", "--time", "ds", "--target", "y")


def test_large_objects_go_in_parts(world):
    place = world.remote()
    command = large(world, place)
    world.run(*command, "-o", world.folder / "local.parquet")
    expected = table((world.folder / "local.parquet").read_bytes())[0]
    world.proxy.fail("truncated", method="GET", path="a.parquet", after=1, times=2)
    world.proxy.fail("500", method="PUT", path="partNumber", after=1, times=2)
    world.run(*command, "-o", place.url("out/f.parquet"), port=world.proxy.port)
    assert len(world.proxy.requests("PUT", "partNumber")) > 2, world.proxy.requests("PUT")
    same("forecasts", table(place.get("out/f.parquet"))[0], expected)
    world.proxy.heal()

    place.put("out/f.parquet", "old")
    for method, path in (("PUT", "partNumber"), ("POST", "uploadId")):
        world.proxy.fail("500", method=method, path=path, after=1 if method == "PUT" else 0)
        world.run(*command, "-o", place.url("out/f.parquet"), code=69, port=world.proxy.port, S4CAST_STORE_TIMEOUT=str(LIMIT))
        same("the old object", place.get("out/f.parquet"), b"old")
        same("uploads", place.uploads(), [])
        same("leftovers", world.leftovers(), [])
        world.proxy.heal()


def test_an_object_that_is_replaced_while_it_is_copied_comes_whole(world):
    place = world.remote()
    command = large(world, place)
    world.run(*command, "-o", world.folder / "a.parquet")
    replaced = []

    def replace():
        if not replaced:
            replaced.append(True)
            place.put("large/a.parquet", text("north"))

    world.proxy.before("GET", "a.parquet", replace)
    done = world.run(*command, "-o", world.folder / "b.parquet", code=None, port=world.proxy.port)
    # The new content is no Parquet, which is told; half of either would be worse.
    same("code", (done.returncode, bool(replaced)), (65, True))
    assert "no Parquet footer" in done.stderr, done.stderr
    same("leftovers", world.leftovers(), [])


def begun(world):
    """A run that has begun to copy its input from a server that has fallen silent."""
    place = prepare(world)
    world.proxy.fail("stalled", method="GET", path="p.csv", seconds=60)
    process = world.start(*words(place), port=world.proxy.port)
    end = time.monotonic() + 20
    while not world.leftovers() and time.monotonic() < end:
        time.sleep(0.05)
    return place, process


def test_what_a_killed_run_left_is_removed_by_the_next(world):
    place, process = begun(world)
    process.kill()
    process.wait()
    assert world.leftovers(), "a killed process cannot tidy up"
    world.proxy.heal()
    world.run(*words(place))
    same("leftovers", world.leftovers(), [])


def test_a_run_that_is_interrupted_leaves_nothing(world):
    place, process = begun(world)
    process.terminate()
    same("exit code", process.wait(timeout=10), 143)
    untouched(world, place)
