#!/usr/bin/env bash
# The way of somebody who has just heard of s4cast, on a Debian that has nothing else: the package, demo data, a config from it, the
# daemon, its dashboard and its forecasts, without a network, with the time of every step.
#
#   packaging/newcomer.sh DEB [BASE]
#
# BASE is a folder with Debian bookworm (debootstrap --variant=minbase bookworm BASE); left out, it is made at target/newcomer/base,
# which takes minutes and the network and is not counted. Needs root, for chroot and a network namespace of its own, and curl; with
# chromium there is a picture of the dashboard. Results: target/newcomer/{times.txt,dashboard.png,forecast.parquet}.
set -euo pipefail
deb=$(realpath "${1:?usage: packaging/newcomer.sh DEB [BASE]}")
base=$(realpath -m "${2:-$(dirname "$0")/../target/newcomer/base}")
cd "$(dirname "$0")/.."
work=target/newcomer
root=$PWD/$work/root
limit_s=300
mkdir -p "$work"

if [ ! -e "$base/etc/debian_version" ]; then
    debootstrap --variant=minbase bookworm "$base"
fi
rm -rf "$root" "$work/times.txt" "$work/dashboard.png" "$work/forecast.parquet"
cp -a "$base" "$root"
mkdir -p "$root/dev"
[ -e "$root/dev/null" ] || mknod -m 666 "$root/dev/null" c 1 3
[ -e "$root/dev/urandom" ] || mknod -m 666 "$root/dev/urandom" c 1 9

# A namespace with nothing but a loopback, held open by a process that sleeps.
unshare --net sleep 3600 &
holder=$!
daemon=
finish() {
    # The whole group of the daemon, and no other.
    [ -z "$daemon" ] || kill -- "-$daemon" 2> /dev/null || true
    kill "$holder" 2> /dev/null || true
    umount "$root/proc" 2> /dev/null || true
}
trap finish EXIT
# Until it has left ours, the loopback that would be brought up is ours.
until [ "$(readlink "/proc/$holder/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
nsenter --target "$holder" --net ip link set lo up
mount -t proc proc "$root/proc"

# Inside: the root alone, no network, an empty environment.
inside() { outside chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
# Outside: this machine's programs in that network.
outside() { nsenter --target "$holder" --net "$@"; }

total_ms=0
step() {
    local name=$1 begin took
    shift
    begin=$(date +%s%N)
    if ! "$@" > "$work/step.log" 2>&1; then
        echo "failed: $name" >&2
        cat "$work/step.log" >&2
        exit 1
    fi
    took=$((($(date +%s%N) - begin) / 1000000))
    total_ms=$((total_ms + took))
    printf '%8d ms  %s\n' "$took" "$name" | tee -a "$work/times.txt"
}

install_package() {
    cp "$deb" "$root/tmp/s4cast.deb"
    inside apt-get install -y --no-install-recommends -o APT::Sandbox::User=root /tmp/s4cast.deb
}
no_network() { ! inside bash -c 'exec 3<> /dev/tcp/1.1.1.1/80' 2> /dev/null; }
one_shot() { inside sh -c 'cd /root && s4cast forecast demo/hourly_load.csv -H 24 -o forecast.parquet'; }
first_config() { inside sh -c 'cd /root && s4cast init --from demo/hourly_load.csv > daemon.toml'; }
validate() { inside sh -c 'cd /root && s4cast validate -c daemon.toml'; }
serve() {
    setsid nsenter --target "$holder" --net chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin \
        sh -c 'cd /root && exec s4cast serve -c daemon.toml' > "$work/daemon.log" 2>&1 &
    daemon=$!
    for _ in $(seq 600); do
        outside curl -sf --noproxy '*' http://127.0.0.1:8091/readyz > /dev/null && return 0
        sleep 0.1
    done
    return 1
}
trained() {
    for _ in $(seq 1200); do
        ended=$(inside s4cast runs ls --state /root/state --stage train --json)
        [[ $ended == *'"outcome": "ok"'* ]] && return 0
        sleep 0.25
    done
    return 1
}
run_now() { inside sh -c 'cd /root && s4cast run hourly_load -c daemon.toml --now'; }
published() {
    for _ in $(seq 600); do
        outside curl -sf --noproxy '*' http://127.0.0.1:8091/api/v1/forecasts/hourly_load > "$work/forecast.json" || true
        # Version 1 is the model of the training; 0 would be seasonal naive, which serves until then.
        grep -q '"model_version":1' "$work/forecast.json" && return 0
        sleep 0.1
    done
    return 1
}
dashboard() { outside curl -sf --noproxy '*' http://127.0.0.1:8091/ | grep -q '<title>'; }
picture() {
    HOME=$PWD/$work outside timeout 120 chromium --headless --no-sandbox --disable-gpu --no-proxy-server --hide-scrollbars --window-size=1280,900 \
        --virtual-time-budget=8000 --screenshot="$PWD/$work/dashboard.png" "http://127.0.0.1:8091/#/job/hourly_load"
    [ -s "$work/dashboard.png" ]
}
by_file() {
    cp "$root/root/out/latest/job=hourly_load/part-0.parquet" "$work/forecast.parquet"
    # Parquet begins and ends with this.
    [ "$(head -c 4 "$work/forecast.parquet")$(tail -c 4 "$work/forecast.parquet")" = PAR1PAR1 ] || return 1
    inside sh -c 'cd /root && s4cast plot "out/latest/job=hourly_load/part-0.parquet" --history demo/hourly_load.csv'
}
stop() {
    # It ends by itself, and says so with code 0.
    kill -- "-$daemon" && wait "$daemon" && daemon=
}

step "install the package" install_package
step "there is no network" no_network
step "s4cast --version" inside s4cast --version
step "s4cast demo" inside sh -c 'cd /root && s4cast demo demo'
step "s4cast forecast, nothing but a file and a horizon" one_shot
step "s4cast init --from" first_config
step "s4cast validate" validate
step "s4cast serve, until it is ready" serve
step "its first training" trained
step "s4cast run: forecast now" run_now
step "the forecast by the interface" published
step "the dashboard answers" dashboard
if command -v chromium > /dev/null; then
    step "the dashboard in a browser" picture
fi
step "the forecast as Parquet, and as a picture in the terminal" by_file
step "stop the daemon" stop
printf '%8d ms  together; allowed are %d s\n' "$total_ms" "$limit_s" | tee -a "$work/times.txt"
[ "$total_ms" -lt $((limit_s * 1000)) ]
