#!/bin/sh
# Runs the built program against a server with S3's interface on 127.0.0.1: inputs, models and outputs by address have to come out
# as by path, and faults of the server (tests/store/proxy.py) must leave nothing torn. Wants target/release/s4cast
# (cargo build --release), Python 3 and, once, PyPI.
#
#   tests/store/run.sh            all tests
#   tests/store/run.sh faults     those whose names contain one of the words
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
program=${S4CAST:-$root/target/release/s4cast}
kept=${STORE_CACHE:-$root/target/store}
venv=${STORE_VENV:-$kept/venv}

[ -x "$program" ] || { echo "no program at $program: cargo build --release" >&2; exit 2; }
mkdir -p "$kept"
if ! "$venv/bin/python" -c "import moto.server, boto3, numpy, pyarrow" 2>/dev/null; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "moto[server]==5.2.5" "numpy>=1.26" "pyarrow>=17"
fi
S4CAST="$program" STORE_CACHE="$kept" exec "$venv/bin/python" "$here/run.py" "$@"
