#!/usr/bin/env bash
# The dashboard in a browser against target/release/s4cast, which has to be built. Needs node 18; gets Chromium if there is
# none and this is Debian. CHROMIUM names another one, S4CAST another program.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
export S4CAST=${S4CAST:-$root/target/release/s4cast}
[ -x "$S4CAST" ] || { echo "$S4CAST is not there; build it with: cargo build --release" >&2; exit 1; }

install() { # packages of Debian, as root or with sudo
    local as=()
    [ "$(id -u)" -eq 0 ] || as=(sudo)
    "${as[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
command -v npm >/dev/null || install nodejs npm
if [ -z "${CHROMIUM:-}" ]; then
    CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
    if [ -z "$CHROMIUM" ]; then
        install chromium fonts-dejavu-core
        CHROMIUM=$(command -v chromium)
    fi
fi
export CHROMIUM
npm ci --no-fund --no-audit --silent
exec npm test --silent
