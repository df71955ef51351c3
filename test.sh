#!/usr/bin/env bash
# All tests: those of the program, then those of its dashboard in a browser, of its views in DuckDB and of its wrappers for
# Spark and Ray, with the program that
# `cargo test` has built.
set -euo pipefail
cd "$(dirname "$0")"
cargo test --release --locked
tests/web/run.sh
tests/views/run.sh
tests/cluster/run.sh
