"""What the views show of trees that the program published, against their commits and their files."""
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import duckdb

ROOT, TREES, WORK = map(pathlib.Path, sys.argv[1:])
VIEWS = ROOT / "configs/deploy/duckdb/views.sql"
VERSION = tuple(int(part) for part in duckdb.__version__.split("."))
IS_LIVE = VERSION >= (2,)
STAMP, NUMBER, WHOLE, TEXT = "TIMESTAMP WITH TIME ZONE", "DOUBLE", "INTEGER", "VARCHAR"
checked = 0


def check(is_so, *what):
    global checked
    checked += 1
    assert is_so, what


def make(out, database=":memory:"):
    """A database with the views over a folder; running the file twice is harmless."""
    base = duckdb.connect(str(database))
    base.execute(f"SET VARIABLE s4cast_out = '{str(out).replace(chr(39), chr(39) * 2)}'")
    for _ in range(2):
        base.execute(VIEWS.read_text())
    base.execute("SET timezone = 'UTC'")
    return base


def one(base, query):
    return base.execute(query).fetchone()[0]


def views(base):
    return [name for (name,) in base.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").fetchall()]


def types(base, view):
    return {name: kind for name, kind, *_ in base.execute(f"DESCRIBE {view}").fetchall()}


def commits(out):
    """The commits of a tree, of whole runs of those that serve, by job, oldest first."""
    found = collections.defaultdict(list)
    for path in sorted(out.glob("job=*/issued_date=*/run_id=*/_commit.json")):
        said = json.loads(path.read_text())
        found[said["job"]].append((said["issued_at"], said["created_at"], said["run_id"], said["rows"]))
    return {job: sorted(runs) for job, runs in found.items()}


def shape(base):
    """Columns, types and comments are the same whatever is there."""
    check(views(base) == sorted(COLUMNS), views(base))
    for view, expected in COLUMNS.items():
        found = types(base, view)
        check(list(found) == re.sub(r"\s+", " ", expected).split(" "), view, list(found))
        for name, kind in found.items():
            check(re.fullmatch("[a-z][a-z0-9_]*", name), name)
            check(kind == kind_of(name), view, name, kind)
    bare = base.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND comment IS NULL "
        "UNION ALL SELECT view_name, '' FROM duckdb_views() WHERE NOT internal AND comment IS NULL"
    ).fetchall()
    check(not bare, "without a comment", bare)


def kind_of(name):
    if name in ("ds", "cutoff", "issued_at", "created_at", "newest_cutoff", "last_ds"):
        return STAMP
    if name in ("horizon", "model_version", "first_step", "last_step", "schema_version"):
        return WHOLE
    if name in ("points", "row_count", "byte_count", "series", "series_not_ok"):
        return "BIGINT"
    if name.startswith("is_"):
        return "BOOLEAN"
    if name in ("metadata", "scenarios"):
        return {"metadata": "JSON", "scenarios": "VARCHAR[]"}[name]
    return TEXT if name in TEXTS else NUMBER


TEXTS = set("job unique_id run_id model_id status scenario weights scope segment direction format naming sha256 path".split())
FORECAST = """job unique_id ds horizon yhat yhat_lower yhat_upper p02_5 p05 p10 p20 p25 p30 p40 p50 p60 p70 p75 p80 p90 p95 p97_5
    cutoff issued_at created_at run_id model_id model_version status scenario weights"""
COLUMNS = {
    "latest": FORECAST,
    "vintages": FORECAST,
    "quantiles": "job unique_id ds horizon issued_at run_id scenario level value",
    "accuracy": """job issued_at run_id model_version scope segment first_step last_step points mase mase_seasonal_naive skill
        bias mae wape pinball coverage_80 width_80 coverage_95 width_95 is_final""",
    "coverage": """job issued_at run_id model_version scope segment first_step last_step points promised covered width
        is_final""",
    "actuals": "job unique_id ds y yhat yhat_lower yhat_upper score is_anomaly direction run_id",
    "anomalies": "job unique_id ds y yhat yhat_lower yhat_upper score direction run_id",
    "forecast_vs_actual": """job unique_id ds horizon issued_at run_id model_id model_version y yhat yhat_lower yhat_upper error
        is_inside""",
    "runs": """job run_id issued_at created_at is_latest row_count byte_count format naming schema_version sha256 metadata
        path""",
    "jobs": """job run_id issued_at created_at model_version newest_cutoff last_ds horizon series series_not_ok row_count
        scenarios""",
}


def is_empty(base):
    for view in [*COLUMNS, "latest_wide()", "vintages_wide()", "scores_wide()"]:
        check(one(base, f"SELECT count(*) FROM {view}") == 0, view)


def forecasts(base, out):
    """Rows of latest and vintages are those of the commits."""
    known = commits(out)
    rows = {job: sum(run[3] for run in runs) for job, runs in known.items()}
    check(dict(base.execute("SELECT job, count(*) FROM vintages GROUP BY 1").fetchall()) == rows, rows)
    newest = {job: runs[-1][3] for job, runs in known.items()}
    check(dict(base.execute("SELECT job, count(*) FROM latest GROUP BY 1").fetchall()) == newest, newest)
    ids = {job: runs[-1][2] for job, runs in known.items()}
    check(dict(base.execute("SELECT job, run_id FROM runs WHERE is_latest").fetchall()) == ids, ids)
    check(one(base, "SELECT count(*) FROM runs") == sum(map(len, known.values())))
    of_job = base.execute("SELECT job, any_value(run_id) FROM latest WHERE job <> 'nixtla' GROUP BY 1").fetchall()
    check(all(ids[job] == run for job, run in of_job) and len(of_job) == 3, of_job)
    check(one(base, "SELECT count(*) FROM vintages v ANTI JOIN runs r USING (job, run_id)") == 0)
    check(one(base, "SELECT bool_and(yhat IS NOT NULL AND ds IS NOT NULL AND unique_id IS NOT NULL) FROM vintages"))
    # Levels, formats and names differ by job.
    has = lambda job, column: one(base, f"SELECT count({column}) FROM latest WHERE job = '{job}'") > 0
    check([has(job, "p02_5") for job in ("load", "sales", "text", "nixtla")] == [True, False, False, False])
    check([has(job, "p10") for job in ("load", "sales", "text", "nixtla")] == [True, True, True, False])
    check(base.execute("SELECT DISTINCT level FROM quantiles WHERE job = 'text' ORDER BY 1").fetchall()[::10] == [(0.005,), (0.995,)])
    check(one(base, "SELECT count(*) FROM quantiles q JOIN latest l USING (job, unique_id, ds) WHERE q.scenario IS NOT DISTINCT FROM l.scenario AND level = 0.1 AND q.value <> p10") == 0)
    check(one(base, "SELECT max(ds - cutoff) FROM latest WHERE job = 'text'").total_seconds() == 12 * 3600)
    # Ids stay texts, and id columns stand beside them where they are asked for.
    shops = base.execute("SELECT DISTINCT unique_id, region, shop FROM latest_wide() WHERE job = 'sales' ORDER BY 1").fetchall()
    check(shops == [("north/007", "north", "007"), ("north/8", "north", "8"), ("south/it's 9", "south", "it's 9")], shops)
    # Scenarios stand beside the plan.
    split = base.execute("SELECT scenario, count(*) FROM latest WHERE job = 'sales' GROUP BY 1 ORDER BY 1 NULLS FIRST").fetchall()
    check(split == [(None, 42), ("promo", 42)], split)
    check(one(base, "SELECT scenarios FROM jobs WHERE job = 'sales'") == ["promo"])
    check(one(base, "SELECT series FROM jobs WHERE job = 'sales'") == 3)


def scores(base, out):
    """Scores and anomalies are those of the files."""
    for view, kind in [("accuracy", "scores"), ("actuals", "anomalies")]:
        files = [str(path) for path in out.glob(f"{kind}/job=*/part-0.parquet")]
        check(len(files) > 0, kind)
        rows = one(base.execute("SET VARIABLE files = ?", [files]), "SELECT count(*) FROM read_parquet(getvariable('files'), union_by_name = true)")
        check(rows > 0 and one(base, f"SELECT count(*) FROM {view}") == rows, view, rows)
    runs = one(base, "SELECT count(DISTINCT (job, run_id)) FROM accuracy")
    check(one(base, "SELECT count(*) FROM accuracy WHERE scope = 'all'") == runs, runs)
    check(one(base, "SELECT count(DISTINCT segment) FROM accuracy WHERE scope = 'segment'") == 2)
    points = "SELECT job, run_id, scope, sum(points) AS points FROM accuracy GROUP BY ALL"
    check(one(base, f"SELECT count(*) FROM ({points}) a JOIN ({points}) b USING (job, run_id) WHERE a.scope = 'all' AND b.scope <> 'all' AND a.points <> b.points") == 0)
    check(one(base, "SELECT count(*) FROM accuracy WHERE abs(skill - (1 - mase / mase_seasonal_naive)) > 1e-12") == 0)
    check(one(base, "SELECT avg(skill) FROM accuracy WHERE scope = 'all' AND job = 'load'") > 0)
    check(base.execute("SELECT DISTINCT job, promised FROM coverage ORDER BY 1, 2").fetchall() == [("load", 0.8), ("load", 0.95), ("sales", 0.8)])
    check(one(base, "SELECT count(*) FROM coverage c JOIN accuracy a USING (job, run_id, scope, first_step, last_step) WHERE c.segment IS NOT DISTINCT FROM a.segment AND promised = 0.8 AND covered = coverage_80 AND width = width_80") == one(base, "SELECT count(coverage_80) FROM accuracy"))
    check(one(base, "SELECT count(*) FROM coverage WHERE covered IS NULL OR covered NOT BETWEEN 0 AND 1") == 0)
    # The spike of the data is an anomaly, and actual values meet every forecast made of them.
    spike = base.execute("SELECT direction, y > 150 FROM anomalies WHERE ds = TIMESTAMPTZ '2026-02-18 15:00:00+00'").fetchall()
    check(spike == [("above", True)], spike)
    check(one(base, "SELECT count(*) FROM anomalies") == one(base, "SELECT count(*) FROM actuals WHERE is_anomaly"))
    check(one(base, "SELECT count(*) FROM forecast_vs_actual f JOIN actuals a USING (job, unique_id, ds, run_id) WHERE f.yhat <> a.yhat OR f.is_inside <> a.y BETWEEN a.yhat_lower AND a.yhat_upper") == 0)
    check(one(base, "SELECT count(*) FROM forecast_vs_actual") > one(base, "SELECT count(*) FROM actuals"))


def litter(out):
    """What may lie around without being a run that serves."""
    run = next(out.glob("job=load/issued_date=*/run_id=*"))
    torn = run.with_name("run_id=00000000-0000-7000-8000-000000000000")
    shutil.copytree(run, torn)
    (torn / "_commit.json").unlink()
    for folder in (run, out / "latest/job=load", out / "scores/job=load"):
        (folder / ".s4cast-1a2b3c.partial").write_bytes(b"PAR1 half a file")
    for job in ("load", "new"):
        (out / f"backtests/job={job}").mkdir(parents=True)
        for name in ("part-0.parquet", "2026-02-20.parquet"):
            shutil.copy(TREES / "bt.parquet", out / f"backtests/job={job}/{name}")
    for folder in ("summaries", "lists"):
        (out / f"{folder}/job=load").mkdir(parents=True)
        (out / f"{folder}/job=load/part-0.parquet").write_bytes(b"no Parquet")
    (out / "job=gone/issued_date=2026-01-01").mkdir(parents=True)
    check(any(out.glob("shadow/job=sales/issued_date=*/run_id=*/_commit.json")), "no version ran in shadow")


def sharded(out):
    """Runs in parts, as shards and stores have them: the files that the commit names are the run, what else lies there is not."""
    path = sorted(out.glob("job=sales/issued_date=*/run_id=*/_commit.json"))[0]
    said = json.loads(path.read_text())
    only = path.parent / "part-0.parquet"
    before = one(make(out), f"SELECT count(*) FROM vintages WHERE run_id = '{said['run_id']}'")
    check(before == said["rows"], before)
    said["files"] = ["part-0-0123456789ab.parquet", "part-1-ba9876543210.parquet"]
    for rest, name in enumerate([*said["files"], "part-1-00000000000a.parquet"]):
        kept = f"hash(unique_id) % 2 = {min(rest, 1)}"
        duckdb.execute(f"COPY (FROM read_parquet('{only}', hive_partitioning = false) WHERE {kept}) TO '{path.parent / name}' (FORMAT parquet)")
    only.unlink()
    for text, expected in ((None, 0), (json.dumps(said), before)):
        path.unlink(missing_ok=True)
        if text:
            path.write_text(text)
        base = make(out)
        check(one(base, f"SELECT count(*) FROM vintages WHERE run_id = '{said['run_id']}'") == expected, text)
        check(one(base, f"SELECT count(*) FROM runs WHERE run_id = '{said['run_id']}'") == min(expected, 1), text)
    distinct = one(base, f"SELECT count(DISTINCT (unique_id, ds, scenario)) FROM vintages WHERE run_id = '{said['run_id']}'")
    check(distinct == before, distinct, before)


def grafana(base, job, series, span):
    """Every query of the dashboard on the views, as its data source would put it; each has rows."""
    board = json.loads((ROOT / "configs/deploy/grafana/s4cast-forecasts.json").read_text())
    literal = lambda text: "'" + text.replace("'", "''") + "'"

    def put(query):
        query = re.sub(r"\$__timeFilter\(([a-z_]+)\)", rf"\1 >= '{span[0]}' AND \1 <= '{span[1]}'", query)
        for name, value in {"job": job, "series": series, "scenario": "the plan"}.items():
            query = query.replace("${%s:sqlstring}" % name, literal(value))
        query = query.replace("${vintages}", "10")
        check("$" not in query, query)
        return base.execute(query).fetchall()

    queries = [target["rawSql"] for panel in board["panels"] for target in panel.get("targets", [])]
    queries += [one["query"] for one in board["templating"]["list"] if one["type"] == "query"]
    empty = [query for query in queries if not put(query)]
    check(len(queries) > 15 and not empty, empty)


def superset(base):
    """The datasets of the dashboard have the columns and types of their views, and their metrics are SQL with a value."""
    paths = sorted((ROOT / "configs/deploy/superset/s4cast/datasets/s4cast").glob("*.yaml"))
    check(len(paths) > 5, paths)
    for path in paths:
        text = path.read_text()
        view = re.search(r"^table_name: (.+)$", text, re.M)[1]
        columns = dict(re.findall(r"^- column_name: (.+)\n(?:  .+\n)*?  type: (.+)$", text, re.M))
        check(columns == types(base, view), view, columns)
        for metric in re.findall(r"^  expression: ([A-Z0-9].+(?:\n    .+)*)$", text.split("\ncolumns:")[0], re.M):
            check(one(base, f"SELECT {metric} FROM {view}") is not None, view, metric)


def command_line(out):
    """The same from the program of DuckDB's own, where there is one of that version."""
    program = pathlib.Path(sys.executable).with_name("duckdb")
    if not os.access(program, os.X_OK):
        return "without the command line"
    base = WORK / "cli.db"
    ask = lambda *words: subprocess.run([program, *words], check=True, capture_output=True, text=True, cwd=out.parent)
    with VIEWS.open() as text:
        subprocess.run([program, "-cmd", f"SET VARIABLE s4cast_out = '{out}'", base], stdin=text, check=True, cwd=WORK)
    rows = json.loads(ask("-json", str(base), "SELECT count(*) AS n FROM latest").stdout)[0]["n"]
    check(rows == sum(runs[-1][3] for runs in commits(out).values()), rows)
    # Without the variable it is `out` of where one stands.
    script = f".read {VIEWS}\nSELECT count(*) AS n FROM latest;"
    said = subprocess.run([program, "-json"], input=script, check=True, capture_output=True, text=True, cwd=out.parent).stdout
    check(json.loads(said)[0]["n"] == rows, said)
    return "with the command line"


def main():
    for empty in (WORK / "nowhere", WORK / "it's empty/"):
        if empty.name != "nowhere":
            empty.mkdir()
        base = make(empty)
        shape(base)
        is_empty(base)

    # Views that were made of nothing, and what came later.
    out = WORK / "late/out"
    out.mkdir(parents=True)
    late = make(out, WORK / "late.db")
    is_empty(late)
    shutil.copytree(TREES / "half/out", out, dirs_exist_ok=True)
    check(not list(out.glob("scores/*")) and not list(out.glob("anomalies/*")), "too much is there for a half tree")
    if not IS_LIVE:
        is_empty_of_forecasts = one(late, "SELECT count(*) FROM latest")
        check(is_empty_of_forecasts == 0)
        late.execute(f"SET VARIABLE s4cast_out = '{out}'")
        late.execute(VIEWS.read_text())
        late.execute("SET timezone = 'UTC'")
    shape(late)
    forecasts(late, out)
    for view in ("accuracy", "coverage", "actuals", "anomalies", "forecast_vs_actual", "scores_wide()"):
        check(one(late, f"SELECT count(*) FROM {view}") == 0, view)
    # A session that knows nothing of the variable sees what comes from now on.
    late.close()
    shutil.copytree(TREES / "whole/out", out, dirs_exist_ok=True)
    with duckdb.connect(str(WORK / "late.db"), read_only=True) as late:
        late.execute("SET timezone = 'UTC'")
        shape(late)
        forecasts(late, out)
        scores(late, out)

    out = WORK / "it's whole/out"
    shutil.copytree(TREES / "whole/out", out)
    litter(out)
    for place in (out, str(out) + "/", os.path.relpath(out)):
        base = make(place)
        shape(base)
        forecasts(base, out)
        scores(base, out)
    superset(base)
    grafana(base, "load", one(base, "SELECT max(unique_id) FROM latest WHERE job = 'load'"), ("2026-02-09T00:00:00Z", "2026-02-22T00:00:00Z"))

    # Only Parquet, only CSV, and a job whose columns are Nixtla's.
    for kept in ("load", "text", "nixtla"):
        out = WORK / f"only-{kept}"
        shutil.copytree(TREES / f"whole/out/job={kept}", out / f"job={kept}")
        shutil.copytree(TREES / f"whole/out/latest/job={kept}", out / f"latest/job={kept}")
        base = make(out)
        shape(base)
        runs = commits(out)[kept]
        counts = [one(base, f"SELECT count(*) FROM {view}") for view in ("latest", "vintages", "runs", "jobs")]
        check(counts == [runs[-1][3], sum(run[3] for run in runs), len(runs), 1], kept, counts)

    shutil.copytree(TREES / "whole/out", WORK / "sharded")
    sharded(WORK / "sharded")
    how = command_line(TREES / "whole/out")
    print(f"views.sql on DuckDB {duckdb.__version__}, {how}: {checked} checks of {len(COLUMNS)} views, all as they should be")


main()
