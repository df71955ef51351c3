#!/usr/bin/env bash
# All tests: those of the program, then those of its dashboard in a browser.
set -euo pipefail
cd "$(dirname "$0")"
cargo test --release --locked
cargo build --release --locked
tests/web/run.sh
