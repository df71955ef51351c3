#!/usr/bin/env bash
# Lays out what the packages hold besides the binary, under target/package/stage:
#
#   packaging/stage.sh [BINARY]        (default: target/release/s4cast)
#
# Manual pages and completions are printed by the binary itself, so that they are of its version.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "${1:-target/release/s4cast}")
stage=target/package/stage
rm -rf "$stage"
mkdir -p "$stage/man" "$stage/completions" "$stage/doc"

cp "$binary" "$stage/s4cast"
strip --strip-unneeded "$stage/s4cast"

"$binary" man -q -o "$stage/man"
gzip -9n "$stage"/man/*.1
"$binary" completions bash > "$stage/completions/s4cast.bash"
"$binary" completions zsh > "$stage/completions/_s4cast"
"$binary" completions fish > "$stage/completions/s4cast.fish"

packaging/third_party.py notices | gzip -9n > "$stage/doc/THIRD-PARTY.gz"
gzip -9nc CHANGELOG.md > "$stage/doc/changelog.gz"
packaging/sbom.sh "$stage/doc/s4cast.cdx.json"
gzip -9n "$stage/doc/s4cast.cdx.json"
