#!/usr/bin/env python3
"""What the binary is made of: every linked crate with its licence.

    packaging/third_party.py notices            prints name, version, licence and source of each, then the texts of their licences
    packaging/third_party.py sbom FILE.json     cuts what cargo-cyclonedx wrote down to what is linked, adds code of others that lies in
                                                this repository, and takes out what is of one machine or moment
    packaging/third_party.py check FILE.json    whether a CycloneDX file names what is linked, no more and no less

Asks cargo alone, which needs no network once the crates are there."""

import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = os.environ.get("S4CAST_TARGET", "x86_64-unknown-linux-gnu")
TEXTS = re.compile(r"^(un)?li[cs]en[cs]e|^copying|^copyright|^notice", re.IGNORECASE)
# Code of others that lies in this repository: (name, version, licence, file of its text).
EMBEDDED = [
    ("DejaVu Sans, a subset", "2.37", "Bitstream-Vera", "src/plot/font/LICENSE"),
    ("uPlot", "1.6.32", "MIT", "src/serve/dashboard/uPlot.LICENSE"),
]


def cargo(*words: str) -> str:
    return subprocess.run(["cargo", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def linked() -> set[tuple[str, str]]:
    """Name and version of every crate that is linked into the binary: no macros, no build scripts, no tests."""
    tree = cargo("tree", "--locked", "--edges", "normal,no-proc-macro", "--target", TARGET, "--prefix", "none", "--format", "{p}")
    crates = {tuple(line.split()[:2]) for line in tree.splitlines() if line.strip()}
    return {(name, version.removeprefix("v")) for name, version in crates if name != "s4cast"}


def packages() -> dict[tuple[str, str], dict]:
    """What cargo knows of every crate."""
    metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET))
    return {(package["name"], package["version"]): package for package in metadata["packages"]}


def texts(folder: Path) -> list[str]:
    """Licence texts of a crate, those of C code that it brings along included."""
    files = [path for path in folder.rglob("*") if path.is_file() and TEXTS.match(path.name) and path.suffix not in (".rs", ".py", ".h", ".c")]
    files = [path for path in files if len(path.relative_to(folder).parts) <= 3 and path.stat().st_size < 200_000]
    return [path.read_text(encoding="utf-8", errors="replace").strip() for path in sorted(files)]


def notices() -> None:
    crates, known = sorted(linked()), packages()
    print("s4cast is licensed under MIT OR Apache-2.0. This is what else is in the binary.\n")
    users, found = defaultdict(list), {}
    rows = [(name, version, licence, "in this repository") for name, version, licence, _ in EMBEDDED]
    sources = [(f"{name} {version}", [(ROOT / path).read_text(encoding="utf-8").strip()]) for name, version, _, path in EMBEDDED]
    without = []
    for name, version in crates:
        package = known[(name, version)]
        licence = package["license"] or package["license_file"] or "unknown"
        rows.append((name, version, licence.replace("/", " OR "), package["repository"] or "-"))
        own = texts(Path(package["manifest_path"]).parent)
        sources.append((f"{name} {version}", own))
        if not own:
            without.append(f"{name} {version} ({licence}; {', '.join(package['authors']) or 'its authors'})")
    for user, own in sources:
        for text in own:
            key = hashlib.sha256(re.sub(r"\s+", " ", text).encode()).hexdigest()
            found.setdefault(key, text)
            if user not in users[key]:
                users[key].append(user)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]))
    if without:
        print("\nThese bring no text along; their licences are the standard texts of these names:\n")
        print("\n".join(f"  {line}" for line in without))
    for key, text in found.items():
        print("\n" + "=" * 100 + "\n" + ", ".join(users[key]) + "\n" + "-" * 100 + "\n\n" + text)


def sbom(path: str) -> None:
    """The same sources give the same file: cargo-cyclonedx writes the folder, a clock and a random number into it."""
    file = Path(path)
    document = json.loads(re.sub(r"path\+file://[^#\"]*#", "", file.read_text(encoding="utf-8")))
    keep = linked()
    document["components"] = [one for one in document["components"] if (one["name"], one["version"]) in keep]
    refs = {one["bom-ref"] for one in document["components"]} | {document["metadata"]["component"]["bom-ref"]}
    document["dependencies"] = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in refs]} for one in document["dependencies"] if one["ref"] in refs
    ]
    for name, version, licence, _ in EMBEDDED:
        licences = [{"license": {"id": licence}}]
        document["components"].append({"type": "library", "bom-ref": name, "name": name, "version": version, "licenses": licences})
    moment = int(os.environ.get("SOURCE_DATE_EPOCH", "0")) or int((ROOT / "Cargo.lock").stat().st_mtime)
    document["metadata"]["timestamp"] = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document['components']))}"
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def check(path: str) -> int:
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    named = {(one["name"], one["version"]) for one in document["components"]}
    expected = linked() | {(name, version) for name, version, _, _ in EMBEDDED}
    for what, crates in (("lacks", expected - named), ("has, though it is not linked,", named - expected)):
        for name, version in sorted(crates):
            print(f"{path} {what} {name} {version}", file=sys.stderr)
    unlicensed = [one["name"] for one in document["components"] if not one.get("licenses")]
    print(f"{path}: {len(named)} components, all that is linked; without a licence: {', '.join(unlicensed) or 'none'}" if named == expected else "wrong")
    return 0 if named == expected else 1


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["notices"]:
            notices()
        case ["sbom", path]:
            sbom(path)
        case ["check", path]:
            sys.exit(check(path))
        case _:
            sys.exit(__doc__)
