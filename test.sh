#!/usr/bin/env bash
# All tests: dependencies against deny.toml; those of the program; then, with the program that `cargo test` has built, those of its dashboard in a browser, of its
# views in DuckDB, of its wrappers for Spark and Ray, of its limits, every command of README.md and docs/, and, beside all of these, of object stores.
set -euo pipefail
cd "$(dirname "$0")"
python3 tests/licences.py
cargo test --release --locked
# They wait for clocks, faults and kills most of the time: seven minutes, a third of one processor. What they say comes last.
said=$(mktemp)
tests/store/run.sh > "$said" 2>&1 &
stores=$!
trap 'kill "$stores" 2> /dev/null || true; rm -f "$said"' EXIT
for suite in web views cluster security docs; do
    "tests/$suite/run.sh"
done
outcome=0
wait "$stores" || outcome=$?
cat "$said"
exit "$outcome"
