#!/usr/bin/env bash
# Runs every command of README.md and docs/ with the built program, each page in a folder of its own, and holds what the pages show
# against what came; checks configs, links, flags and names that the pages mention. Wants target/release/s4cast (cargo build
# --release), Python 3.10 and, once, PyPI.
#
#   tests/docs/run.sh                     all pages
#   tests/docs/run.sh models recipes      pages whose paths contain one of the words
#   tests/docs/run.sh --write             writes docs/reference/ anew, from what the program says of itself
#
# S4CAST names another program; `cargo run --release --` on the pages then means that one. Blocks for Spark and Ray run with what
# tests/cluster/run.sh has installed, unless DOCS_CLUSTER=0; without it they are compiled only.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
kept=${DOCS_CACHE:-$root/target/docs}
program=${S4CAST:-$root/target/release/s4cast}
[ -x "$program" ] || { echo "no program at $program: cargo build --release" >&2; exit 2; }

python=$kept/venv/bin/python
packages=("moto[server]==5.2.5" "duckdb==1.5.6" "duckdb-cli==1.5.6" "pyarrow>=17" "pandas>=2" "pyyaml" "tomli" "tomli-w")
if ! "$python" -c "import moto.server, duckdb, pyarrow, pandas, yaml, tomli, tomli_w" 2>/dev/null; then
    rm -rf "$kept/venv"
    mkdir -p "$kept"
    python3 -m venv "$kept/venv"
    "$kept/venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
fi
PYTHONDONTWRITEBYTECODE=1 S4CAST_PROGRAM=$program IS_BUILT_HERE=$([ -z "${S4CAST:-}" ] && echo 1 || true) DOCS_CACHE=$kept \
    exec "$python" "$here/run.py" "$@"
