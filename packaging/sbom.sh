#!/usr/bin/env bash
# Writes the software bill of materials, CycloneDX as JSON, and holds it against the crates that are linked:
#
#   packaging/sbom.sh [FILE]           (default: target/package/s4cast.cdx.json)
#
# Needs cargo-cyclonedx on PATH or in target/tools: cargo install --locked --root target/tools cargo-cyclonedx
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/target/tools/bin:$PATH"
file=${1:-target/package/s4cast.cdx.json}
mkdir -p "$(dirname "$file")"
# It writes beside Cargo.toml, whatever one says.
name=s4cast-sbom-$$
trap 'rm -f "$name.json"' EXIT
cargo cyclonedx --quiet --format json --spec-version 1.5 --target x86_64-unknown-linux-gnu --no-build-deps --override-filename "$name"
mv "$name.json" "$file"
packaging/third_party.py sbom "$file"
packaging/third_party.py check "$file"
