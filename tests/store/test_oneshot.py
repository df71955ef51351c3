"""One-shot commands: the same scenario by path and by address comes out the same, byte for byte but for run id and times."""

import io
import json
import math
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pyarrow.parquet as pq

from common import same

SHOPS = ("north", "south", "west")


def rows(shop, days=range(120)):
    """A week's pattern, a trend, and digits that differ from day to day."""
    base = 10 * (1 + SHOPS.index(shop))
    return [(f"2024-{1 + day // 28:02d}-{1 + day % 28:02d}", base + day * 0.05 + 3 * math.sin(day * 0.9) + day * 7 % 5) for day in days]


def text(shop, days=range(120)):
    return "ds,y\n" + "".join(f"{ds},{y:.3f}\n" for ds, y in rows(shop, days))


def long(shops=SHOPS):
    return "unique_id,ds,y\n" + "".join(f"{shop},{ds},{y:.3f}\n" for shop in shops for ds, y in rows(shop))


def parquet(shop):
    ds, y = zip(*rows(shop))
    sink = io.BytesIO()
    pq.write_table(pa.table({"unique_id": [shop] * len(ds), "ds": list(ds), "y": list(y)}), sink)
    return sink.getvalue()


def table(data, place=None):
    """A Parquet file as values, without what differs from run to run and from place to place: (columns and rows, metadata)."""
    read = pq.read_table(io.BytesIO(data))
    dropped = [name for name in ("run_id", "created_at", "issued_at") if name in read.column_names]
    metadata = {key.decode(): value.decode() for key, value in (read.schema.metadata or {}).items() if key != b"ARROW:schema"}
    for name in ("s4cast.run_id", "s4cast.created_at", "s4cast.issued_at"):
        metadata.pop(name, None)
    values = read.drop_columns(dropped).to_pydict()
    if place:
        for name in ("reasons", "warnings"):
            values[name] = [text and text.replace(place.url(), "PLACE") for text in values[name]]
    return values, metadata


def document(place, found):
    """A JSON document without what differs from run to run, and with the place's own address cut out."""
    words = json.dumps(found).replace(place.url(), "PLACE")
    words = re.sub(r'"(run_id|issued_at|created_at)": "[^"]*"', r'"\1": ""', words)
    # Ids and times take more or fewer bytes; how much memory was taken differs from run to run.
    words = re.sub(r'"((?:peak_)?bytes)": \d+', r'"\1": 0', words)
    words = re.sub(r'"\w*seconds": (\{[^}]*\}|[-0-9.e]+|\[[^\]]*\])', '"seconds": 0', words)
    return json.loads(words)


def both(world, scenario):
    """Runs a scenario by path and by address; what it returns has to be the same."""
    outcomes = {}
    for place in world.places():
        if not place.is_remote:
            for name in ("out", "models"):
                (place.root / name).mkdir()
        outcomes[place.is_remote] = scenario(place)
    same("by path and by address", outcomes[False], outcomes[True])
    same("leftovers", world.leftovers(), [])


def forecast(world, place, *inputs, out="out/forecast.parquet", more=("--model", "ridge", "-H", "7")):
    """Forecasts to an output of the place; returns the document and the table."""
    if not place.is_remote:
        place.put(out, "old")
    found = world.json("forecast", *inputs, *more, "-o", place.url(out))
    same("the output in the document", found["output"]["path"], place.url(out))
    # Hashes of settings have the paths in them.
    shown = document(place, found) | {"config_sha256": ""}
    values, metadata = table(place.get(out))
    return shown, values, metadata | {"s4cast.config_sha256": ""}


def test_a_file(world):
    def scenario(place):
        place.put("data/sales.csv", long())
        return forecast(world, place, place.url("data/sales.csv"))

    both(world, scenario)


def test_a_parquet_file(world):
    def scenario(place):
        place.put("data/north.parquet", parquet("north"))
        return forecast(world, place, place.url("data/north.parquet"))

    both(world, scenario)


def test_a_folder_of_csv_and_parquet(world):
    def scenario(place):
        place.put("data/b/north.parquet", parquet("north"))
        place.put("data/a.csv", long(["south", "west"]))
        place.put("data/_SUCCESS", "")
        place.put("data/_temporary/x.csv", "not,data\n")
        place.put("data/empty.csv", "")
        return forecast(world, place, place.url("data"))

    both(world, scenario)


def test_hive_partitions(world):
    def scenario(place):
        for shop in SHOPS:
            place.put(f"data/shop={shop}/kind=a%3Ab/part.csv", text(shop))
        by_folder = forecast(world, place, place.url("data") + "/", more=("--id", "shop,kind", "--model", "ridge", "-H", "7"))
        by_glob = forecast(world, place, place.url("data/**/*.csv"), more=("--id", "shop,kind", "--model", "ridge", "-H", "7"))
        same("by folder and by glob", by_folder[1], by_glob[1])
        same("ids", sorted(set(by_folder[1]["unique_id"])), [f"{shop}/a:b" for shop in SHOPS])
        return by_folder, by_glob

    both(world, scenario)


def test_globs(world):
    def scenario(place):
        for shop in SHOPS:
            place.put(f"data/{shop}/x y.csv", long([shop]))
        place.put("data/other/x y.txt.bak", "x")
        some = forecast(world, place, place.url("data/[ns]*/*.csv"))
        same("ids", sorted(set(some[1]["unique_id"])), ["north", "south"])
        return some, forecast(world, place, place.url("data/*/x?y.csv"), place.url("data/north/x y.csv"))

    both(world, scenario)


def test_a_model_that_is_saved_and_loaded(world):
    def scenario(place):
        place.put("data/sales.csv", long())
        more = ("--model", "ridge", "-H", "7", "--save-model", place.url("models/a.safetensors"))
        trained = forecast(world, place, place.url("data/sales.csv"), more=more)
        loaded = forecast(
            world, place, place.url("data/sales.csv"), more=("--load-model", place.url("models/a.safetensors")), out="out/b.parquet"
        )
        same("trained and loaded", trained[1]["yhat"], loaded[1]["yhat"])
        return trained, loaded, place.get("models/a.safetensors")

    both(world, scenario)


def test_the_folder_of_a_version(world):
    def scenario(place):
        config = world.folder / "daemon.toml"
        sales = world.local("sales")
        sales.put("sales.csv", long())
        config.write_text(
            '[source.s]\ninputs = "sales/sales.csv"\n[model.m]\nkind = "ridge"\nhorizon = 7\n[sink.o]\npath = "out"\n'
            '[job.j]\nsource = "s"\nmodel = "m"\nsink = "o"\ntrain = { every = "1h" }\nforecast = { every = "1h" }\n'
        )
        state = world.folder / "state/models/j/1"
        if not state.exists():
            world.run("run", "j", "--stage", "train", "-c", config)
        for file in state.iterdir():
            place.put(f"models/j/1/{file.name}", file.read_bytes())
        found = forecast(world, place, sales.url("sales.csv"), more=("--load-model", place.url("models/j/1")))
        same("version", (found[0]["loaded_model"]["job"], found[0]["loaded_model"]["version"]), ("j", 1))
        return found

    both(world, scenario)


def test_the_quality_report_and_data_check(world):
    def scenario(place):
        place.put("data/sales.csv", long() + "broken,2024-01-01,x\n")
        more = ("--model", "ridge", "-H", "7", "--max-bad-series", "1", "--quality", place.url("out/q.parquet"))
        made = forecast(world, place, place.url("data/sales.csv"), more=more)
        checked = world.json("data", "check", place.url("data/sales.csv"), "--report", place.url("out/check.parquet"), code=65)
        shown = world.json("data", "show", place.url("data/sales.csv"), "--series", "west")
        return made, document(place, checked), shown, table(place.get("out/q.parquet"), place), table(place.get("out/check.parquet"), place)

    both(world, scenario)


def test_a_backtest_its_page_and_a_comparison(world):
    def scenario(place):
        place.put("data/sales.csv", long())
        outputs = ("-o", place.url("out/bt.parquet"), "--report", place.url("out/bt.html"))
        words = ("-H", "7", "--windows", "2", "--models", "ridge,naive")
        found = document(place, world.json("backtest", place.url("data/sales.csv"), *words, *outputs))
        compared = world.json("compare", place.url("out/bt.parquet") + ":ridge", ":naive")
        values, metadata = table(place.get("out/bt.parquet"))
        same("a page", place.get("out/bt.html")[:15].lower(), b"<!doctype html>")
        return found | {"config_sha256": ""}, compared["difference"], values, metadata | {"s4cast.config_sha256": ""}

    both(world, scenario)


def test_events_and_a_job_file(world):
    def scenario(place):
        place.put("data/sales.csv", long())
        place.put("data/events.csv", "ds,event\n2024-01-05,fair\n2024-03-05,fair\n2024-05-08,fair\n")
        job = world.folder / "job.toml"
        job.write_text(
            f'[source]\ninputs = ["{place.url("data/sales.csv")}"]\nevents = "{place.url("data/events.csv")}"\n'
            f'[model]\nkind = "ridge"\nhorizon = 7\n[output]\npath = "{place.url("out/f.parquet")}"\n'
        )
        validated = world.json("validate", "-c", job)
        facts = [line.replace(place.url(), "PLACE") for line in validated["found"]]
        found = world.json("forecast", "-c", job)
        names = [one["column"] for one in found["source"]["covariates"]]
        same("covariates", names, ["event_fair"])
        return validated["valid"], facts, document(place, found) | {"config_sha256": ""}, table(place.get("out/f.parquet"))[0]

    both(world, scenario)


def test_a_drawing_and_a_config_for_some_data(world):
    def scenario(place):
        place.put("data/sales.csv", long())
        forecast(world, place, place.url("data/sales.csv"))
        picture = world.folder / "p.svg"
        words = ("plot", place.url("out/forecast.parquet"), "--history", place.url("data/sales.csv"), "--id", "north")
        world.run(*words, "-o", picture)
        written = world.run("init", "--from", place.url("data/sales.csv")).stdout.replace(place.url(), "PLACE")
        return picture.read_text(), written

    both(world, scenario)


def test_validate_looks_at_inputs_and_outputs(world):
    place = world.remote()
    place.put("data/sales.csv", long())
    job = world.folder / "job.toml"
    job.write_text(
        f'[source]\ninputs = "{place.url("data/none.csv")}"\n[model]\nkind = "ridge"\nhorizon = 7\n'
        '[output]\npath = "s3://no-such-bucket/f.parquet"\n'
    )
    found = world.json("validate", "-c", job, code=78)
    messages = " ".join(one["message"] for one in found["problems"])
    same("problems", len(found["problems"]), 2)
    assert "no such object" in messages and "no such bucket" in messages, messages
    job.write_text(job.read_text().replace("none.csv", "sales.csv").replace("no-such-bucket", world.bucket))
    same("valid", world.json("validate", "-c", job)["valid"], True)
    same("objects", place.names(), ["data/sales.csv"])
    same("uploads", place.uploads(), [])


def test_refusals(world):
    place = world.remote()
    place.put("data/sales.csv", long())
    sales = place.url("data/sales.csv")

    def refused(code, part, *words):
        done = world.run(*words, code=code)
        assert part in done.stderr, f"{part!r} is not in\n{done.stderr}"

    to = ("-H", "7", "--model", "ridge", "-o", place.url("out.parquet"))
    refused(66, "did you mean s3://", "forecast", place.url("data/sale.csv"), *to)
    refused(66, "check the address", "forecast", "s3://no-such-bucket/x.csv", *to)
    refused(66, "matches no object", "forecast", place.url("data/*.parquet"), *to)
    refused(2, "no such scheme", "forecast", "ftp://host/x.csv", *to)
    refused(2, "source.exec", "forecast", "https://host/x.csv?key=1", *to)
    refused(73, "no such bucket", "forecast", sales, "-H", "7", "-o", "s3://no-such-bucket/out.parquet")
    refused(73, "web server", "forecast", sales, "-H", "7", "-o", "https://host/out.parquet")
    refused(73, "names no object", "forecast", sales, "-H", "7", "-o", f"s3://{world.bucket}")
    refused(2, "names a folder", "forecast", sales, "-H", "7", "-o", place.url("out") + "/")
    place.put("past/north.parquet", parquet("north"))
    north = place.url("past/north.parquet")
    refused(2, "would hold Parquet", "forecast", sales, "-H", "7", "-o", sales)
    refused(2, "is one of the files that are read", "forecast", north, "-H", "7", "-o", north)
    refused(2, "is one of the files that are read", "forecast", place.url("past"), "-H", "7", "-o", north.replace("s3:", "s3a:"))
    refused(2, "asked for twice", "forecast", sales, *to, "--quality", place.url("out.parquet"))
    refused(66, "neither a model nor", "forecast", sales, "--load-model", place.url("data"), "-o", place.url("out.parquet"))
    refused(65, "sales.csv", "forecast", sales, "--load-model", sales, "-o", place.url("out.parquet"))
    refused(73, "local paths only", "plot", sales, "-o", place.url("x.svg"))
    same("objects", place.names(), ["data/sales.csv", "past/north.parquet"])
    same("leftovers", world.leftovers(), [])


def test_a_web_server_without_a_list(world):
    folder = world.local("web")
    folder.put("data/sales 1.csv", long())
    folder.put("data/north.parquet", parquet("north"))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder.url()))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_address[1]}"
    to = ("-H", "7", "--model", "ridge", "-o", folder.url("out.parquet"))
    found = world.json("forecast", f"{at}/data/sales%201.csv", *to)
    same("files", found["source"]["files"], [f"{at}/data/sales%201.csv"])
    values = table(folder.get("out.parquet"))[0]
    world.json("forecast", folder.url("data/sales 1.csv"), *to)
    same("forecasts", table(folder.get("out.parquet"))[0], values)
    world.json("forecast", f"{at}/data/north.parquet", *to)
    missing = world.run("forecast", f"{at}/data/none.csv", *to, code=66)
    assert "no such file" in missing.stderr, missing.stderr
    listed = world.run("forecast", f"{at}/data/", *to, code=2)
    assert "no list" in listed.stderr, listed.stderr
    server.shutdown()
    same("leftovers", world.leftovers(), [])


def test_file_addresses_are_paths(world):
    folder = world.local("data")
    folder.put("sales.csv", long())
    found = world.json("forecast", f"file://{folder.url()}/*.csv", "-H", "7", "--model", "ridge", "-o", f"file://{folder.url('o.parquet')}")
    same("paths", (found["source"]["files"], found["output"]["path"]), ([folder.url("sales.csv")], folder.url("o.parquet")))
    assert folder.get("o.parquet")[:4] == b"PAR1"
