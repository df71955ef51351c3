#!/usr/bin/env bash
# Makes the Debian package of the built program and looks into it: what is in it, whether what needs another program to be read is
# read by it, and whether the program of the package runs.
#
#   tests/package/run.sh               (after cargo build --release)
#
# Needs Debian. cargo-deb and cargo-cyclonedx are built into target/tools if they are not there, which takes 3 to 5 minutes once.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="$PWD/target/tools/bin:$PATH"
for tool in cargo-deb cargo-cyclonedx; do
    command -v "$tool" > /dev/null || cargo install --locked --quiet --root target/tools "$tool"
done
work=target/package
rm -rf "$work"
deb=$(S4CAST_DEB_FLAGS=--fast packaging/build_deb.sh target/release/s4cast)
root=$PWD/$work/root
control=$PWD/$work/control
dpkg-deb --extract "$deb" "$root"
dpkg-deb --control "$deb" "$control"
program=$root/usr/bin/s4cast
failures=0
check() {
    local name=$1
    shift
    # Not as a condition: there a failure in the middle would not count.
    set +e
    (set -e; "$@") > "$work/check.log" 2>&1
    local code=$?
    set -e
    if [ "$code" = 0 ]; then
        echo "ok      $name"
    else
        echo "FAILED  $name" >&2
        cat "$work/check.log" >&2
        failures=$((failures + 1))
    fi
}
have() { command -v "$1" > /dev/null; }

version=$(cargo metadata --locked --no-deps --format-version 1 | grep -o '"version":"[^"]*"' | head -n 1 | cut -d'"' -f4)
is_version() { [ "$("$program" --version)" = "s4cast $version" ]; }
check "the program is version $version" is_version

needs() {
    local depends
    depends=$(dpkg-deb --field "$deb" Depends)
    [[ $depends == *'libc6 (>= 2.'* && $depends == *libgcc-s1* ]] || { echo "$depends"; return 1; }
    # glibc alone: no OpenSSL, no libstdc++, no compression library.
    if ldd "$program" | grep -v -E 'linux-vdso|ld-linux|libc\.so|libm\.so|libgcc_s\.so'; then return 1; fi
    # That of Ubuntu 22.04, which is older than Debian's.
    local newest
    newest=$(objdump -T "$program" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
    [ "$(printf '%s\nGLIBC_2.35\n' "$newest" | sort -V | tail -n 1)" = GLIBC_2.35 ] || { echo "$newest"; return 1; }
}
check "nothing but glibc is linked, none newer than 2.35" needs

whole() {
    local page path
    "$program" man -q -o "$work/man"
    for page in "$work"/man/*.1; do
        cmp "$page" <(zcat "$root/usr/share/man/man1/$(basename "$page").gz")
    done
    for path in usr/share/bash-completion/completions/s4cast usr/share/zsh/vendor-completions/_s4cast \
        usr/share/fish/vendor_completions.d/s4cast.fish usr/lib/systemd/system/s4cast.service \
        usr/lib/systemd/system/s4cast-forecast@.service usr/lib/systemd/system/s4cast-forecast@.timer \
        usr/share/doc/s4cast/{copyright,README.md,changelog.gz,changelog.Debian.gz,THIRD-PARTY.gz,s4cast.cdx.json.gz} \
        usr/share/doc/s4cast/examples/{daemon.toml,configs/daemon_full.toml,datasets/hourly_load.csv} \
        usr/share/doc/s4cast/examples/configs/deploy/{prometheus/alerts.yml,duckdb/views.sql,grafana/s4cast.json}; do
        [ -s "$root/$path" ] || { echo "$path is missing"; return 1; }
    done
    [ ! -e "$root/etc" ] || { echo "there is no config before somebody writes one"; return 1; }
}
check "pages, completions, units, documents and examples are there" whole

if have mandoc; then check "the pages have no warnings" mandoc -T lint -W warning "$work"/man/*.1; fi
check "bash reads its completions" bash -n "$root/usr/share/bash-completion/completions/s4cast"

# The units name the program where the package puts it; here it lies elsewhere.
units() {
    mkdir -p "$work/units"
    for unit in "$root"/usr/lib/systemd/system/*; do
        sed "s#/usr/bin/s4cast#$program#" "$unit" > "$work/units/$(basename "$unit")"
    done
    cp "$work/units/s4cast-forecast@.service" "$work/units/s4cast-forecast@load.service"
    systemd-analyze verify --man=no "$work/units/s4cast.service" "$work/units/s4cast-forecast@load.service"
    # The installation neither enables nor starts the daemon.
    if grep 'deb-systemd-invoke.*start' "$control/postinst" | grep -v 'deb-systemd-invoke.*restart'; then return 1; fi
    for script in "$control"/{postinst,prerm,postrm}; do sh -n "$script"; done
}
if have systemd-analyze; then check "the units verify" units; fi

check "the example of a config is valid" "$program" validate -c "$root/usr/share/doc/s4cast/examples/daemon.toml" --no-environment
bill() { zcat "$root/usr/share/doc/s4cast/s4cast.cdx.json.gz" > "$work/bill.json" && packaging/third_party.py check "$work/bill.json"; }
check "the bill of materials names what is linked" bill
forecast() { "$program" forecast "$root/usr/share/doc/s4cast/examples/datasets/air_passengers.csv" -H 12 --model ets -o "$work/air.parquet"; }
check "the program forecasts" forecast
if have lintian; then check "lintian finds no error" lintian --allow-root --fail-on error "$deb"; fi
ls -l "$deb" "$program"
[ "$failures" = 0 ]
