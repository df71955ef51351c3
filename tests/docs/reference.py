"""The pages below docs/reference/, made of what the program says of itself."""

import program

NOTE = "<!-- Written by `tests/docs/run.sh --write`; what it says stands in the program. -->\n"

# How a config file names a table, and what it is about.
TABLES = [
    ("source", "[source]", "What to read. A daemon file has several, each with a name: `[source.NAME]`."),
    ("model", "[model]", "How to forecast. In a daemon file `[model.NAME]`."),
    ("output", "[output]", "Job files only: where the forecast goes."),
    ("schedule", "[schedule]", "When something happens: `[schedule.NAME]`."),
    ("sink", "[sink]", "Where runs go: `[sink.NAME]`."),
    ("job", "[job]", "What is forecast: a source, a model and a sink by their names, and when: `[job.NAME]`."),
    ("retrain", "retrain", "Within a job, `retrain = { age = \"30d\" }`: what makes a training due beside its schedule."),
    ("anomaly", "anomaly", "Within a job, `anomaly = { level = 95 }`: which values that come are anomalies."),
    ("inline_schedule", "train, forecast, score", "Within a job, `forecast = { every = \"15m\" }`: a schedule by its name, or the keys of one."),
    ("daemon", "[daemon]", "The daemon itself."),
    ("http", "[http]", "Health, metrics, forecasts and the dashboard. Without this table there is no socket."),
    ("tls", "tls", "Within `[http]`, `tls = { cert = \"tls.crt\", key = \"tls.key\" }`: certificates of the address."),
    ("secret", "Secrets", "Where a secret stands, `token = { env = \"S4CAST_TOKEN\" }`; it never stands in the file itself."),
]


def pages():
    """Path from the root of the repository to text, of every page that is written."""
    found = program.commands()
    return {"docs/reference/settings.md": settings(found), "docs/reference/commands.md": commands(found)}


def settings(found):
    definitions = program.schema()["$defs"]
    flags = {row[0].split(",")[0] for command in found for row in command.flags}
    known = program.tables(definitions)
    text = [
        "# Settings\n",
        NOTE,
        "Every key of a config file. `s4cast schema` prints the same as JSON Schema, for editors; `s4cast init` writes a file with all of",
        "them as comments. Unknown keys are refused with the one that was probably meant.\n",
        "A daemon file has named tables (`[source.load]`, `[job.load]`). A job file, for `forecast`, `backtest` and their like",
        "(`--config`), has one `[source]`, one `[model]` and one `[output]`. `schema_version = 1` may stand first in both.\n",
        "Durations are `\"90s\"`, `\"15m\"`, `\"6h\"`, `\"30d\"`; times are ISO 8601; paths start at the file. `${NAME}` and `${NAME:-default}`",
        "stand for environment variables; a missing one is an error.\n",
    ]
    rest = [(name, name, "") for name in known if name not in {row[0] for row in TABLES}]
    for name, title, about in TABLES + rest:
        if name not in known:
            continue
        text += [f"## {title}\n", f"{about}\n", "| key, flag | value | default | meaning |", "|---|---|---|---|"]
        text += [row(key, said, flags, name) for key, said in sorted(known[name].items())]
        text.append("")
    return "\n".join(text)


def row(key, said, flags, table):
    meaning = cell(said.get("description", ""))
    if table in ("source", "model", "output") and (flag := "--" + key.replace("_", "-")) in flags:
        key += f"`<br>`{flag}"
    if said["kinds"] == {"job file"} and table != "output":
        meaning += "; job files only"
    default = f"`{toml(said['default'])}`" if "default" in said else "**required**" if said["is_required"] else ""
    return f"| `{key}` | {kind(said)} | {default} | {meaning} |"


def toml(value):
    """A default as it would be written in a file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def kind(said):
    """The type of a value in a word or two; what stands for environment variables aside."""
    if "$ref" in said:
        return "table"
    if "enum" in said:
        return ", ".join(f"`{word}`" for word in said["enum"])
    if "anyOf" in said or "oneOf" in said:
        parts = [kind(part) for part in said.get("anyOf", said.get("oneOf")) if part.get("pattern") != r"\$\{"]
        return " or ".join(dict.fromkeys(part for part in parts if part))
    if said.get("type") == "array":
        return "list of " + kind(said.get("items", {})).replace("number", "numbers").replace("text", "texts")
    if said.get("type") == "string" and "[0-9] *[A-Za-zµ]" in said.get("pattern", ""):
        return "duration"
    names = {"string": "text", "integer": "whole number", "boolean": "`true`, `false`", "object": "table"}
    return names.get(said.get("type"), said.get("type", "text"))


def cell(text):
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def commands(found):
    text = [
        "# Command line\n",
        NOTE,
        "Flags that say what and how to forecast can be set by an environment variable, `S4CAST_` and its name, which `--help` shows:",
        "`--max-bad-series` is `S4CAST_MAX_BAD_SERIES`. They can stand in a job file as well (`--config`). Flags win over variables, variables",
        "over the file. Data and summaries go to stdout, progress and logs to stderr. Exit codes: [Troubleshooting](../troubleshooting.md).\n",
    ]
    general = found[0].flags
    text += ["## General\n", "Every command takes:\n", *table(general, "flag")]
    said = {}
    for command in found[1:]:
        own = [row for row in command.flags if row[:4] not in [other[:4] for other in general] and not row[0].startswith("--help")]
        text += [f"## s4cast {' '.join(command.path)}\n", f"{cell(command.about)}.\n", f"```text\n{command.usage}\n```\n"]
        text += table(command.arguments, "argument") if command.arguments else []
        new = [row for row in own if said.get(tuple(row[:4])) is None]
        shared = {}
        for row in own:
            if first := said.get(tuple(row[:4])):
                shared.setdefault(first, []).append(f"`{row[0].split(',')[0]}`")
        text += table(new, "flag") if new else []
        text += [f"As for `s4cast {first}`: {', '.join(names)}.\n" for first, names in shared.items()]
        said.update({tuple(row[:4]): " ".join(command.path) for row in new})
    return "\n".join(text).rstrip() + "\n"


def table(rows, title):
    out = [f"| {title} | meaning | default |", "|---|---|---|"]
    for name, value, meaning, environment, default, _ in rows:
        shown = "<br>".join(f"`{part}`" for part in name.split(", "))
        shown += f" `{cell(value).replace('&lt;', '<')}`" if value else ""
        usual = "S4CAST_" + name.split(",")[0].removeprefix("--").replace("-", "_").upper()
        meaning += f" (`{environment}`)" if environment not in ("", usual) else ""
        out.append(f"| {shown} | {cell(meaning)} | {f'`{default}`' if default else ''} |")
    return out + [""]
