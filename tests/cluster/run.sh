#!/usr/bin/env bash
# The wrappers of integrations/ against target/release/s4cast, which has to be built: the worker's pipe, Spark on two executors of this
# machine, Ray with two workers; then what is shipped for Kubernetes and Slurm. Wants Python 3.10 or later and, once, PyPI (about 600 MB);
# gets Java 17 if there is none that Spark takes and this is Debian. S4CAST names another program, JAVA_HOME another Java.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export S4CAST=${S4CAST:-$root/target/release/s4cast}
kept=${CLUSTER_CACHE:-$root/target/cluster}
[ -x "$S4CAST" ] || { echo "no program at $S4CAST: cargo build --release" >&2; exit 2; }

install() { # packages of Debian, as root or with sudo
    local as=()
    [ "$(id -u)" -eq 0 ] || as=(sudo)
    "${as[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
takes() { # whether Spark takes the Java of this command
    "$1" -version 2>&1 | grep -qE 'version "(17|21)[."]'
}
if ! takes "${JAVA_HOME:+$JAVA_HOME/bin/}java"; then
    [ -d /usr/lib/jvm ] && ls -d /usr/lib/jvm/java-17-openjdk-* >/dev/null 2>&1 || install openjdk-17-jre-headless
    JAVA_HOME=$(ls -d /usr/lib/jvm/java-17-openjdk-* | head -1)
    export JAVA_HOME
fi

python=$kept/venv/bin/python
packages=("pyspark==4.3.0" "ray[data]==2.60.0" "pyarrow==26.0.1" "pandas<3" "kubernetes-validate==1.37.0")
if ! "$python" -c "import pyspark, ray.data, pyarrow, pandas, kubernetes_validate" 2>/dev/null; then
    rm -rf "$kept/venv"
    python3 -m venv "$kept/venv"
    "$kept/venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
fi

WORK=$(mktemp -d "$kept/work.XXXXXX")
export WORK
trap 'rm -rf "$WORK"' EXIT INT TERM
export PYSPARK_PYTHON=$python SPARK_LOCAL_IP=127.0.0.1 RAY_USAGE_STATS_ENABLED=0 PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore
unset SPARK_HOME

cd "$here"
"$python" - <<'PY'
import data, os
data.daily(os.path.join(os.environ["WORK"], "daily.parquet"), 50_000, 60)
data.daily(os.path.join(os.environ["WORK"], "small.parquet"), 2000, 60)
data.hourly_berlin(os.path.join(os.environ["WORK"], "berlin.parquet"), 20, 40)
PY
"$S4CAST" forecast "$WORK/small.parquet" -H 14 --preset fast --save-model "$WORK/daily.safetensors" -o "$WORK/first.parquet" --quiet
"$S4CAST" forecast "$WORK/berlin.parquet" -H 48 --model ridge --tz Europe/Berlin --save-model "$WORK/berlin.safetensors" \
    -o "$WORK/first.parquet" --quiet

passed=0
failed=0
for check in ${CHECKS:-worker spark ray manifests}; do
    "$python" "check_$check.py" >"$WORK/log" 2>"$WORK/errors" || true
    grep -v ' passed, ' "$WORK/log" || true
    if last=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$WORK/log"); then
        passed=$((passed + ${last%% *}))
        last=${last#*, }
        failed=$((failed + ${last%% *}))
    else
        failed=$((failed + 1))
    fi
    grep -q ' passed, 0 failed$' "$WORK/log" || tail -40 "$WORK/errors" >&2
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
