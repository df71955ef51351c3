"""What the program says of itself: commands and flags from `--help`, settings from `s4cast schema`."""

import json
import os
import re
import subprocess
from dataclasses import dataclass, field

GROUP = re.compile(r"^(?P<name>[A-Z][\w ]+):$")
FLAG = re.compile(r"^ {2,6}(?:(?P<short>-\w), )?(?P<long>--[\w-]+)(?P<rest>.*)$")
ARGUMENT = re.compile(r"^  (?P<name>[<\[][A-Z][\w ]*[>\]](?:\.\.\.)?)$")
COMMAND = re.compile(r"^  (?P<name>[a-z][\w-]*)(?: {2,}(?P<about>\S.*))?$")


@dataclass
class Command:
    """`path` is the words that call it; `flags` rows (name, value, text, environment, default, group)."""

    path: tuple
    about: str
    usage: str
    arguments: list = field(default_factory=list)
    flags: list = field(default_factory=list)
    below: list = field(default_factory=list)


def say(*words):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("S4CAST_") or name == "S4CAST_PROGRAM"}
    return subprocess.run([environment["S4CAST_PROGRAM"], *words], env={**environment, "COLUMNS": "100"}, check=True, capture_output=True, text=True).stdout


def commands(path=()):
    """The command at `path` and all below it, in the order of the help."""
    text = say(*path, "--help")
    lines = text.splitlines()
    about = " ".join(text.split("\nUsage:")[0].split())
    usage = re.search(r"^Usage: (.*)$", text, re.M)[1]
    command, group, row = Command(path, about, usage), None, None
    for line in lines:
        if match := GROUP.match(line):
            group, row = match["name"], None
        elif group == "Exit codes":
            continue
        elif group == "Commands" and (match := COMMAND.match(line)) and match["name"] != "help":
            command.below.append(match["name"])
        elif group and (match := ARGUMENT.match(line)):
            row = [match["name"], "", [], group]
            command.arguments.append(row)
        elif group not in (None, "Commands") and (match := FLAG.match(line)):
            name = match["long"] + (f", {match['short']}" if match["short"] else "")
            row = [name, match["rest"].strip(), [], group]
            command.flags.append(row)
        elif row is not None and line.strip():
            row[2].append(line.strip())
    found = [finished(command)]
    for name in command.below:
        found += commands((*path, name))
    return found


def finished(command):
    """The command with environment and default taken out of the texts of its flags."""
    for rows in (command.arguments, command.flags):
        for row in rows:
            text = re.sub(r" Possible values:(?= - )", ":", " ".join(row[2])).replace(": - ", ": ").replace(" - ", "; ")
            environment = re.search(r" ?\[env: (\w+)=[^\]]*\]", text)
            default = re.search(r" ?\[default: ([^\]]*)\]", text)
            for part in (environment, default):
                text = text.replace(part[0], "") if part else text
            row[2:3] = [text.strip(), environment[1] if environment else "", default[1] if default else ""]
    return command


def schema():
    return json.loads(say("schema"))


def tables(definitions):
    """Settings by table as a config file names it: {"source": {name: property}, …}, daemon and one-shot together."""
    names = {"one_shot_source": "source", "one_shot_model": "model", "one_shot_output": "output"}
    found = {}
    for key in sorted(definitions, key=lambda key: key.startswith("one_shot")):
        if key in ("daemon_file", "one_shot_file"):
            continue
        for name, said in definitions[key]["properties"].items():
            entry = found.setdefault(names.get(key, key), {}).setdefault(name, {**said, "kinds": set()})
            entry["kinds"].add("job file" if key.startswith("one_shot") else "daemon")
            entry["is_required"] = entry.get("is_required", False) or name in definitions[key].get("required", [])
    return found
