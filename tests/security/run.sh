#!/usr/bin/env bash
# What the built program says to the network, and whether its units are as closed as they were: needs strace and systemd-analyze,
# which it gets where this is Debian. S4CAST names another program.
#
#   tests/security/run.sh
#
# No telemetry: a forecast from files, a backtest, a look at models and a daemon without [http] open no socket of the internet; a daemon
# with [http] opens the one that it listens on, and connects to nobody.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
program=${S4CAST:-$root/target/release/s4cast}
[ -x "$program" ] || { echo "$program is not there; build it with: cargo build --release" >&2; exit 1; }

install() { # packages of Debian, as root or with sudo
    local as=()
    [ "$(id -u)" -eq 0 ] || as=(sudo)
    "${as[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
command -v strace >/dev/null || install strace
strace -o /dev/null true || { echo "nothing can be traced here: allow ptrace (docker run --cap-add SYS_PTRACE)" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 - <<'PYTHON'
import datetime
start = datetime.datetime(2024, 1, 1)
with open("in.csv", "w") as file:
    file.write("ds,y\n")
    for hour in range(600):
        file.write(f"{(start + datetime.timedelta(hours=hour)).isoformat()}Z,{10 + hour % 24}\n")
PYTHON
cat > quiet.toml <<'TOML'
schema_version = 1
[daemon]
state = "state"
[source.s]
inputs = "in.csv"
[model.m]
kind = "ridge"
horizon = 3
[sink.o]
path = "out"
[job.a]
source = "s"
model = "m"
sink = "o"
forecast = { every = "1h" }
TOML

failed=0
# traced NAME COMMAND…: its calls about the network, in NAME.trace
traced() {
    local name=$1
    shift
    strace -f -qq -e trace=network -o "$name.trace" "$@" >"$name.log" 2>&1 || { cat "$name.log" >&2; exit 1; }
}
silent() { # NAME…: no socket of the internet
    for name in "$@"; do
        if grep -E 'socket\(AF_INET6?|(connect|bind|sendto)\([0-9]+, \{sa_family=AF_INET' "$name.trace" >&2; then
            echo "FAILED: $name opens a socket of the internet" >&2
            failed=1
        else
            echo "ok: $name opens none"
        fi
    done
}

traced version "$program" --version
traced forecast "$program" forecast in.csv -H 3 -o forecast.parquet --save-model model.safetensors
traced backtest "$program" backtest in.csv -H 3 --models seasonal_naive
traced plot "$program" plot forecast.parquet -o forecast.svg
traced validate "$program" validate -c quiet.toml
traced slot "$program" run a -c quiet.toml
traced simulated "$program" serve -c quiet.toml --clock sim:2024-01-25T12:00:00Z..2024-01-25T14:30:00Z
silent version forecast backtest plot validate slot simulated

# A daemon that listens: one socket, and nobody is connected to.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed "s|^\[source.s\]|[http]\nlisten = \"127.0.0.1:$port\"\n[source.s]|; s|\"state\"|\"state-http\"|" quiet.toml > loud.toml
strace -f -qq -e trace=network -o listening.trace "$program" serve -c loud.toml >listening.log 2>&1 &
tracer=$!
python3 - "$port" <<'PYTHON'
import sys, time, urllib.request
for _ in range(600):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/readyz", timeout=5).read()
        break
    except OSError:
        time.sleep(0.1)
else:
    sys.exit("the daemon never answered")
PYTHON
kill $(ps -o pid= --ppid "$tracer")
wait "$tracer" || true
sockets=$(grep -cE 'socket\(AF_INET6?' listening.trace || true)
if [ "$sockets" -ne 1 ] || grep -E 'connect\([0-9]+, \{sa_family=AF_INET' listening.trace >&2; then
    echo "FAILED: a daemon with [http] opens $sockets sockets of the internet, or connects to somebody" >&2
    failed=1
else
    echo "ok: a daemon with [http] opens the socket that it listens on, and connects to nobody"
fi

# The units: no more exposed than they were (systemd-analyze security, 0 is best and 10 worst).
if command -v systemd-analyze >/dev/null && systemd-analyze security --help 2>/dev/null | grep -q -- --offline; then
    for unit in s4cast.service:12 s4cast-forecast@.service:6; do
        file=$root/configs/deploy/systemd/${unit%:*}
        if systemd-analyze security --offline=true --threshold="${unit#*:}" "$file" >unit.log 2>&1; then
            echo "ok: ${unit%:*}: $(tail -1 unit.log)"
        else
            tail -1 unit.log >&2
            echo "FAILED: ${unit%:*} is more exposed than ${unit#*:} tenths" >&2
            failed=1
        fi
    done
else
    echo "no systemd-analyze that works offline: the units were not looked at"
fi
exit "$failed"
