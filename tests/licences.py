#!/usr/bin/env python3
"""Dependencies against deny.toml: licences, banned crates, duplicates, sources. What `cargo deny check licenses bans sources` does,
without building it first (minutes), by what `cargo metadata` knows (a second)."""

import json
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REGISTRY = "registry+"


def packages(target):
    """What is compiled for a target, tests included: by id, with who asks for it."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    graph = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    by_id = {package["id"]: package for package in graph["packages"]}
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    root, users, waiting = graph["resolve"]["root"], defaultdict(set), [graph["resolve"]["root"]]
    seen = set()
    while waiting:
        this = waiting.pop()
        if this in seen:
            continue
        seen.add(this)
        for need in nodes[this]["deps"]:
            # Tests of others are not built.
            if this != root and all(kind["kind"] == "dev" for kind in need["dep_kinds"]):
                continue
            users[need["pkg"]].add(by_id[this]["name"])
            waiting.append(need["pkg"])
    return {this: (by_id[this], users[this]) for this in seen}


def licences(expression):
    """An SPDX expression as sets of which one has to be allowed as a whole: `A OR B AND C` is [{A}, {B, C}]."""
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either():
        ways = both()
        while words and words[0] == "OR":
            words.pop(0)
            ways = ways + both()
        return ways

    def both():
        ways = one()
        while words and words[0] == "AND":
            words.pop(0)
            others = one()
            ways = [left | right for left in ways for right in others]
        return ways

    def one():
        word = words.pop(0)
        if word == "(":
            ways = either()
            words.pop(0)
            return ways
        if words and words[0] == "WITH":
            words.pop(0)
            word = f"{word} WITH {words.pop(0)}"
        return [frozenset({word})]

    return either()


def is_version(version, wanted):
    """Whether 1.2.3 is one of `1`, `1.2` or `1.2.3`."""
    return (version + ".").startswith(wanted + ".")


def main():
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    found = {}
    for target in rules["graph"]["targets"]:
        found.update(packages(target))
    problems, used = [], set()
    allowed = set(rules["licenses"]["allow"])
    versions = defaultdict(set)
    for package, users in found.values():
        name, version, source = package["name"], package["version"], package["source"]
        versions[name].add((version, ", ".join(sorted(users))))
        where = f"{name} {version} (asked for by {', '.join(sorted(users)) or 'nobody'})"
        ways = licences(package["license"] or "none")
        fitting = [way for way in ways if way <= allowed]
        if not fitting:
            problems.append(f"{where}: licence {package['license']} is not among those of [licenses] allow")
        used.update(licence for way in fitting for licence in way)
        if source and not source.startswith(REGISTRY):
            problems.append(f"{where}: comes from {source}, not from the registry")
    for ban in rules["bans"]["deny"]:
        for version, users in versions.get(ban["crate"], ()):
            problems.append(f"{ban['crate']} {version} (asked for by {users}): banned, {ban['reason']}")
    skips = [tuple(skip["crate"].split("@")) for skip in rules["bans"]["skip"]]
    for name, several in sorted(versions.items()):
        is_skipped = lambda version: any(name == crate and is_version(version, wanted) for crate, wanted in skips)
        left = [(version, users) for version, users in sorted(several) if not is_skipped(version)]
        if len(left) > 1:
            each = "; ".join(f"{version} (asked for by {users})" for version, users in left)
            problems.append(f"{name}: several versions, {each}; agree on one, or add a line to [bans] skip")
    for crate, wanted in skips:
        several = versions.get(crate, ())
        if len(several) < 2 or not any(is_version(version, wanted) for version, _ in several):
            problems.append(f"[bans] skip: {crate}@{wanted} is no duplicate any more; remove the line")
    problems += [f"[licenses] allow: nothing needs {licence} any more; remove it" for licence in sorted(allowed - used)]
    if problems:
        print("\n".join(problems))
        return 1
    print(f"{len(found)} crates: licences, bans, duplicates and sources are as deny.toml says")
    return 0


if __name__ == "__main__":
    assert licences("(MIT OR Apache-2.0) AND Unicode-3.0") == [{"MIT", "Unicode-3.0"}, {"Apache-2.0", "Unicode-3.0"}]
    assert licences("MIT/Apache-2.0 WITH LLVM-exception") == [{"MIT"}, {"Apache-2.0 WITH LLVM-exception"}]
    sys.exit(main())
