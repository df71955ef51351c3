#!/usr/bin/env bash
# All tests: dependencies against deny.toml; those of the program; then, with the program that `cargo test` has built, those of its dashboard in a browser, of its
# views in DuckDB, of its wrappers for Spark and Ray, of object stores, and every command of README.md and docs/.
set -euo pipefail
cd "$(dirname "$0")"
python3 tests/licences.py
cargo test --release --locked
tests/web/run.sh
tests/views/run.sh
tests/cluster/run.sh
tests/store/run.sh
tests/security/run.sh
tests/docs/run.sh
