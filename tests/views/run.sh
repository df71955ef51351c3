#!/bin/sh
# Reads trees that the built program publishes through configs/deploy/duckdb/views.sql: none, without a file, half, whole, with
# everything that may lie around. Wants target/release/s4cast (cargo build --release), Python 3 and, once, PyPI.
#
#   tests/views/run.sh                    DuckDB before and since 2.0
#   DUCKDB_VERSIONS=1.4.4 tests/views/run.sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
program=${S4CAST:-$root/target/release/s4cast}
versions=${DUCKDB_VERSIONS:-1.5.6 2.0.1}
kept=${VIEWS_CACHE:-$root/target/views}

[ -x "$program" ] || { echo "no program at $program: cargo build --release" >&2; exit 2; }
mkdir -p "$kept"
trees=$(mktemp -d "$kept/trees.XXXXXX")
trap 'rm -rf "$trees"' EXIT INT TERM

# replay NAME START END: what the daemon publishes between two instants of a simulated clock.
replay() {
    "$program" serve -c "$trees/$1/daemon.toml" --clock "sim:$2..$3" >"$trees/$1/log" 2>&1 || { cat "$trees/$1/log" >&2; exit 1; }
}
for name in half whole; do
    mkdir "$trees/$name"
    cp "$here/daemon.toml" "$trees/$name"
    python3 "$here/data.py" "$trees/$name"
done
replay half 2026-02-09 2026-02-09T13:00:00Z
replay whole 2026-02-09 2026-02-10T00:30:00Z
"$program" models shadow 2 --job sales --state "$trees/whole/state" >/dev/null
replay whole 2026-02-10T00:30:00Z 2026-02-20T13:00:00Z
"$program" backtest "$trees/whole/load.csv" -H 24 --windows 2 --models ridge -o "$trees/bt.parquet" >/dev/null

for version in $versions; do
    venv=$kept/duckdb-$version
    if ! "$venv/bin/python" -c "import duckdb, pytz" 2>/dev/null; then
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "duckdb==$version" pytz
        # The command line is another package and does not exist for every version.
        "$venv/bin/pip" install --quiet --disable-pip-version-check "duckdb-cli==$version" 2>/dev/null || true
    fi
    rm -rf "$trees/work"
    mkdir "$trees/work"
    "$venv/bin/python" "$here/check.py" "$root" "$trees" "$trees/work"
done
