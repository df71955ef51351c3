"""What can be said of pages without running them: links, names of commands, flags, settings and files, configs."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pages as reading
import program
import tomli
import tomli_w
import yaml

ROOT = Path(__file__).resolve().parents[2]
# Flags of other programs that pages speak of.
FOREIGN = {"--release", "--csv", "--set", "--prices"}
# Keys of definitions of benchmarks, which are no settings.
BENCHMARK = {"split"}
FOLDERS = ("configs", "tests", "benches", "integrations", "datasets", "src", "packaging", "docs", "examples", "fuzz")


def links(page, all_pages):
    """Links that lead nowhere. Pages of the guide may link to pages of the guide alone, for it is also read as a book."""
    for line, target in page.links:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        to = ((ROOT / page.name).parent / path).resolve() if path else ROOT / page.name
        name = str(to.relative_to(ROOT)) if to.is_relative_to(ROOT) else str(to)
        if not to.exists():
            yield line, f"{target} is not there"
        elif page.name.startswith("docs/") and not name.startswith("docs/"):
            yield line, f"{target} is outside of docs/; name the file as `{name}` instead"
        elif anchor and name in all_pages and anchor not in map(reading.slug, all_pages[name].headings):
            yield line, f"{target}: no such heading"


class Names:
    """Commands with their flags, and settings, as the program knows them."""

    def __init__(self):
        self.commands = {command.path: command for command in program.commands()}
        flags = lambda command: {flag for row in command.flags for flag in row[0].split(", ")}
        self.flags = {path: flags(command) for path, command in self.commands.items()}
        self.general = self.flags[()]
        self.every_flag = set().union(*self.flags.values())
        definitions = program.schema()["$defs"]
        self.tables = program.tables(definitions)
        self.settings = {key for table in self.tables.values() for key in table} | {"schema_version"}

    def command(self, words):
        """The command of words behind `s4cast`, and the words that are left; a name in capitals stands for any."""
        path = ()
        while words and (*path, words[0]) in self.commands:
            path, words = (*path, words[0]), words[1:]
        return path, words


def codes(page, names):
    """Code within lines that names what is not there."""
    for line, code in page.codes:
        if code.startswith("s4cast ") or code == "s4cast":
            yield from ((line, wrong) for wrong in command_line(code, names))
        elif flag := re.match(r"(--[a-z][\w-]*)", code):
            if flag[1] not in names.every_flag | FOREIGN and code not in FOREIGN:
                yield line, f"{code}: no command has this flag"
        elif setting := re.match(r"([a-z_]+) = [\[{\"\d…tf]", code):
            if setting[1] not in names.settings | BENCHMARK:
                yield line, f"{code}: no table has this key"
        elif re.match(rf"({'|'.join(FOLDERS)})/[\w./@-]+$", code):
            is_pattern = any(part.isupper() for part in code.split("/")[1:])
            if not is_pattern and not (ROOT / code).exists():
                yield line, f"{code} is not there"


def command_line(code, names):
    """What is wrong with a command line that a page names without running it."""
    try:
        words = shlex.split(code.replace("…", ""), comments=True)[1:]
    except ValueError:
        words = code.split()[1:]
    words = words[: next((i for i, word in enumerate(words) if word in ("|", "<", ">", "&&", "&")), len(words))]
    path, rest = names.command(words)
    if words and not path and not words[0].startswith("-") and not words[0].isupper():
        yield f"`{code}`: no such command"
    if names.commands[path].below and rest and not rest[0].startswith("-") and not rest[0].isupper() and path:
        yield f"`{code}`: no command {rest[0]} of {' '.join(path)}"
    for word in rest:
        flag = word.split("=")[0]
        if re.match(r"--?[a-z]", flag) and flag not in names.flags[path] | names.general | {"--version", "-V", "--help", "-h"}:
            yield f"`{code}`: {flag} is no flag of it"


def mentioned(guide, names):
    """Commands, tables and settings of the program that no page but the reference speaks of."""
    texts = "\n".join((ROOT / page.name).read_text() for page in guide if "/reference/" not in page.name)
    for path, command in names.commands.items():
        words = " ".join(path)
        if path and not command.below and not re.search(rf"(s4cast |`){re.escape(words)}\b|`{path[-1]}`", texts):
            yield f"no page speaks of `s4cast {words}`"
    for table in ("source", "model", "schedule", "sink", "job", "daemon", "http", "output"):
        if f"[{table}" not in texts:
            yield f"no page speaks of [{table}]"
    for table, keys in names.tables.items():
        for key in keys:
            if not re.search(rf"\b{key}\b|--{key.replace('_', '-')}\b", texts):
                yield f"no page speaks of the setting {key} of {table}"
    board = (ROOT / "configs/deploy/grafana/s4cast.json").read_text()
    operations = (ROOT / "docs/operations.md").read_text()
    for metric in sorted({re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"s4cast_[a-z_]+", board)}):
        if metric not in operations:
            yield f"docs/operations.md does not speak of the metric {metric}"
    for path in json.loads((ROOT / "src/serve/openapi.json").read_text())["paths"]:
        if f"`{path}`" not in operations and f" {path}`" not in operations:
            yield f"docs/operations.md does not speak of {path}"
    told = (ROOT / "docs/troubleshooting.md").read_text()
    for code, meaning in re.findall(r"^ +(\d+)  (.+)$", program.say("--help").split("Exit codes:")[1], re.M):
        if f"## {code}: {meaning}" not in told:
            yield f"docs/troubleshooting.md has no heading `{code}: {meaning}`"


def book(guide, folder):
    """What mdBook, where it is installed, says against the book; headings that it would read as attributes."""
    yield from (f"{page.name}: heading {heading!r}: mdBook takes braces away" for page in guide for heading in page.headings if "{" in heading)
    if program := shutil.which("mdbook"):
        done = subprocess.run([program, "build", "--dest-dir", folder, str(ROOT)], capture_output=True, text=True)
        said = [line for line in (done.stdout + done.stderr).splitlines() if "WARN" in line or "ERROR" in line]
        yield from said or (["mdbook build fails"] if done.returncode else [])


def contents(guide):
    """Pages that the table of contents lacks, and the other way round."""
    listed = set(re.findall(r"\]\(([^)]+\.md)\)", (ROOT / "docs/SUMMARY.md").read_text()))
    there = {page.name.removeprefix("docs/") for page in guide if page.name.startswith("docs/")} - {"SUMMARY.md"}
    yield from (f"docs/SUMMARY.md lacks {name}" for name in sorted(there - listed))
    yield from (f"docs/SUMMARY.md lists {name}, which is not there" for name in sorted(listed - there))


def over(base, patch, depth=2):
    """Tables of TOML laid over others: [daemon] and [job.NAME] are joined, what stands in them is replaced."""
    merged = dict(base)
    for key, value in patch.items():
        both = depth and isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = over(merged[key], value, depth - 1) if both else value
    return merged


def config(text, base, folder, environment):
    """What `s4cast validate` has to say against a config, or a part of one over `base`; nothing if it is sound."""
    told = tomli.loads(text)
    if base is not None:
        text = tomli_w.dumps(over(tomli.loads((folder / base).read_text()), told))
    path = folder / ".config.toml"
    path.write_text(text)
    done = subprocess.run(["s4cast", "validate", "--no-environment", "-c", path.name], cwd=folder, env=environment, capture_output=True, text=True)
    path.unlink()
    return None if done.returncode == 0 else done.stdout + done.stderr


def parses(block):
    """What is wrong with a block of a data format or of Python."""
    try:
        if block.language == "yaml":
            list(yaml.safe_load_all(block.text))
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "python":
            compile(block.text, "block", "exec")
    except (yaml.YAMLError, ValueError, SyntaxError) as wrong:
        return str(wrong)
    return None
