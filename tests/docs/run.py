"""Runs README.md and docs/ as a reader would; see run.sh."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import checks
import compare
import fixtures
import pages
import reference
import yaml
from sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
# Commands that are not run here, whatever they stand beside, and why.
EXCEPTIONS = {"./test.sh": "it is what runs this test"}
LANGUAGES = {"sh", "text", "toml", "json", "yaml", "python", "sql", "cron", "ini", "csv", "rust"}


class Report:
    """What was found, of all pages; used from several threads."""

    def __init__(self):
        self.lock, self.failures, self.counts, self.left_out = threading.Lock(), [], {}, []

    def fail(self, page, line, what):
        with self.lock:
            self.failures.append(f"{page}:{line}: {what}")

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def leave_out(self, page, line, reason):
        with self.lock:
            self.left_out.append(f"{page}:{line}: not run: {reason}")


def all_pages():
    """Every page, by its path from the root."""
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return {str(path.relative_to(ROOT)): pages.read(str(path.relative_to(ROOT)), path.read_text()) for path in paths}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Store:
    """A server with S3's interface on a free port, one for all pages."""

    def __init__(self):
        import logging

        import boto3
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        address = "http://{}:{}".format(*self.server.get_host_and_port())
        self.environment = {
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true",
        }
        self.client = boto3.client("s3", endpoint_url=address, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        self.client.create_bucket(Bucket="bucket")

    def fill(self, folder):
        for path in folder.glob("*.csv"):
            self.client.upload_file(str(path), "bucket", f"sales/{path.name}")


def tools(folder):
    """A folder of commands that come first in PATH: the program, and cargo for `cargo run` where another program is named."""
    folder.mkdir()
    (folder / "s4cast").symlink_to(os.environ["S4CAST_PROGRAM"])
    if not os.environ.get("IS_BUILT_HERE"):
        cargo = folder / "cargo"
        cargo.write_text('#!/bin/bash\n[ "$1 $2 $3" = "run --release --" ] || { echo "cargo: only run --release --" >&2; exit 2; }\nshift 3\nexec s4cast "$@"\n')
        cargo.chmod(0o755)
    return folder


def environment(store):
    kept = {name: value for name, value in os.environ.items() if not re.match(r"S4CAST_|AWS_|DUCKDB_", name)}
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
    # Pages have a home of their own; the compiler stays where it is, and is not shown at work.
    home = Path.home()
    kept = {"CARGO_HOME": str(home / ".cargo"), "RUSTUP_HOME": str(home / ".rustup"), "CARGO_TERM_QUIET": "true", **kept}
    return {**kept, **store.environment}


def run_page(page, folder, commands, store, report):
    """Prepares the folder of a page and works its blocks in order."""
    sandbox = Sandbox(folder, commands, environment(store), free_port())
    os.environ["PATH"] = sandbox.environment["PATH"]
    try:
        for name in page.fixtures:
            getattr(fixtures, name)(sandbox.folder)
            if name == "store":
                store.fill(sandbox.folder)
        sandbox.move()
        for block in page.blocks:
            before = len(report.failures)
            run_block(page, block, sandbox, report)
            if len(report.failures) > before and block.language == "sh":
                break  # what follows stands on it
    except (subprocess.CalledProcessError, AttributeError) as wrong:
        report.fail(page.name, 1, f"{wrong}\n{getattr(wrong, 'stderr', b'')!r}")
    finally:
        for wrong in sandbox.end():
            report.fail(page.name, 1, wrong)


def run_block(page, block, sandbox, report):
    def fail(what):
        report.fail(page.name, block.line, what)

    if block.language not in LANGUAGES:
        return fail(f"a block of a language that the test does not know: {block.language!r}")
    if "not run" in block.told:
        return report.leave_out(page.name, block.line, block.told["not run"])
    if "file" in block.told:
        sandbox.write(block.told["file"], block.text)
    report.count(block.language)
    if wrong := checks.parses(block):
        fail(wrong)
    elif block.language == "sh":
        shell(block, sandbox, report, page, fail)
    elif block.language == "toml" and "pipeline" not in block.told:
        if wrong := checks.config(sandbox.here(block.text), block.told.get("over"), sandbox.folder, sandbox.environment):
            fail(wrong)
    elif block.language == "sql" and "dbt" in block.told:
        dbt(block, sandbox, fail)
    elif block.language == "sql":
        code, out = sandbox.run(f"duckdb {block.told.get('over', 'lake.db')} <<'SQL'\n{block.text}SQL")
        if code:
            fail(out)
    elif block.language == "cron":
        cron(block, sandbox, fail)
    elif block.language == "python":
        python(block, sandbox, report, page, fail)
    elif block.language == "ini" and "file" in block.told and shutil.which("systemd-analyze"):
        # The unit is checked as it is, but for the place of the program.
        sandbox.write(block.told["file"], block.text.replace("/usr/bin/s4cast", os.environ["S4CAST_PROGRAM"]))
        code, out = sandbox.run(f"systemd-analyze verify --man=no ./{block.told['file']}")
        if code:
            fail(out)


# Airflow in so many lines: operators that run their command, with the interval of one day in place of what Airflow would fill in.
AIRFLOW = """
import subprocess, sys, types

class Operator:
    def __init__(self, task_id, bash_command, **_):
        for name, value in (("ds", "2026-11-24"), ("data_interval_end", "2026-11-24T06:00:00Z")):
            bash_command = bash_command.replace("{{ %s }}" % name, value)
        subprocess.run(["bash", "-euc", bash_command], check=True)

    def __rshift__(self, other):
        return other

class DAG:
    __init__ = lambda self, name, schedule, start_date, catchup: None
    __enter__ = __exit__ = lambda self, *_: None

def module(name, **names):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(names)

for name in ("airflow", "airflow.providers", "airflow.providers.standard", "airflow.providers.standard.operators"):
    module(name)
module("airflow.providers.standard.operators.bash", BashOperator=Operator)
module("airflow.sdk", DAG=DAG)
module("pendulum", datetime=lambda *_, tz: None)
"""


def python(block, sandbox, report, page, fail):
    """Runs Python that says so: as it is, as a DAG of Airflow, or with what tests/cluster/run.sh has installed for Spark and Ray."""
    interpreter, before = "python3", ""
    if "airflow" in block.told:
        before = AIRFLOW
    elif "cluster" in block.told:
        interpreter = ROOT / "target/cluster/venv/bin/python"
        if not interpreter.exists() or os.environ.get("DOCS_CLUSTER") == "0":
            return report.leave_out(page.name, block.line, "compiled only, since tests/cluster/run.sh, which runs the same calls, has not run here")
    elif "run" not in block.told:
        return None
    sandbox.write(".block.py", before + block.text)
    java = next(iter(sorted(Path("/usr/lib/jvm").glob("java-17-openjdk-*"))), "")
    here = f"PYSPARK_PYTHON={interpreter} SPARK_LOCAL_IP=127.0.0.1 RAY_USAGE_STATS_ENABLED=0 PYTHONPATH=integrations"
    code, out = sandbox.run(f"JAVA_HOME=${{JAVA_HOME:-{java}}} {here} {interpreter} .block.py")
    return fail(out[-3000:]) if code else None


def dbt(block, sandbox, fail):
    """A model of dbt, with what its source stands for in sources.yml put in as dbt-duckdb does."""
    sandbox.write(block.told["dbt"], block.text)
    sources = yaml.safe_load((sandbox.folder / Path(block.told["dbt"]).parent / "sources.yml").read_text())["sources"]
    places = {source["name"]: source["config"]["external_location"] for source in sources}
    text = re.sub(r"\{\{ source\('(\w+)', '(\w+)'\) \}\}", lambda match: places[match[1]].format(name=match[2]), block.text)
    code, out = sandbox.run(f"(cd dbt && duckdb <<'SQL'\n{text};\nSQL\n)")
    if code:
        fail(out)


def shell(block, sandbox, report, page, fail):
    text = block.text
    for command, reason in EXCEPTIONS.items():
        if text.strip() == command:
            return report.leave_out(page.name, block.line, f"{command}: {reason}")
    if "background" in block.told:
        if wrong := sandbox.background(text, block.told["background"]):
            fail(wrong)
        return None
    code, out = sandbox.run(text)
    wanted = int(block.told.get("exit", 0))
    if code != wanted:
        return fail(f"ended with {code}, not {wanted}:\n{text}\n{out[-3000:]}")
    if block.shown and (wrong := compare.differs(block.shown.text, out, "loose" in block.told)):
        return fail(f"{wrong}\n{out[-3000:]}")
    return None


def cron(block, sandbox, fail):
    """Lines of a crontab: five fields that `schedule next` reads, too, and a command that runs."""
    for line in block.text.splitlines():
        if not line.strip() or line.startswith("#") or re.match(r"\w+=", line):
            continue
        fields, command = line.split(None, 5)[:5], line.split(None, 5)[5]
        code, out = sandbox.run(f"s4cast schedule next --cron '{' '.join(fields)}' -n 1 >/dev/null\n{command}")
        if code:
            fail(out)


def look(found, chosen, report, work):
    """Checks that run nothing."""
    names = checks.Names()
    for page in chosen.values():
        for check in (checks.links(page, found), checks.codes(page, names)):
            for line, wrong in check:
                report.fail(page.name, line, wrong)
        for name in page.fixtures:
            if not hasattr(fixtures, name):
                report.fail(page.name, 1, f"no preparation is named {name}")
    if len(chosen) == len(found):
        guide = found.values()
        for wrong in (*checks.contents(guide), *checks.mentioned(guide, names), *checks.book(guide, work / "book")):
            report.fail("docs", 1, wrong)
        for name, text in reference.pages().items():
            if not (ROOT / name).exists() or (ROOT / name).read_text() != text:
                report.fail(name, 1, "is not what the program says of itself; write it anew: tests/docs/run.sh --write")


def main():
    if sys.argv[1:] == ["--write"]:
        for name, text in reference.pages().items():
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(text)
        return 0
    found = all_pages()
    chosen = {name: page for name, page in found.items() if not sys.argv[1:] or any(word in name for word in sys.argv[1:])}
    report = Report()
    work = Path(tempfile.mkdtemp(prefix="run-", dir=os.environ["DOCS_CACHE"]))
    look(found, chosen, report, work)
    store = Store()
    commands = tools(work / "commands")
    try:
        with ThreadPoolExecutor(max_workers=2) as pool:
            jobs = [
                pool.submit(run_page, page, work / re.sub(r"\W+", "-", name.removesuffix(".md")), commands, store, report)
                for name, page in chosen.items() if page.blocks
            ]
            for job in jobs:
                job.result()
    finally:
        store.server.stop()
        if not os.environ.get("DOCS_KEEP"):
            shutil.rmtree(work)
    print("\n".join(report.left_out))
    print("\n".join(report.failures))
    counted = ", ".join(f"{count} {language}" for language, count in sorted(report.counts.items()))
    print(f"{len(chosen)} pages; blocks: {counted}; {len(report.left_out)} not run, {len(report.failures)} wrong")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
