#!/usr/bin/env bash
# Makes the Debian package of a built binary:
#
#   packaging/build_deb.sh [BINARY [FOLDER]]       (default: target/release/s4cast, target/package)
#
# Needs cargo-deb and cargo-cyclonedx on PATH or in target/tools (cargo install --locked --root target/tools cargo-deb
# cargo-cyclonedx), dpkg-shlibdeps (dpkg-dev), gzip and strip. Prints the path of the package. What goes where stands in
# Cargo.toml under [package.metadata.deb].
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/target/tools/bin:$PATH"
binary=${1:-target/release/s4cast}
folder=${2:-target/package}
mkdir -p "$folder"
packaging/stage.sh "$binary" >&2
# Files in the package are as old as the release, so that the same binary gives the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(dpkg-parsechangelog -l packaging/debian/changelog -S Timestamp)}
export SOURCE_DATE_EPOCH
# S4CAST_DEB_FLAGS: --fast packs in seconds what else takes half a minute, into a larger file.
# shellcheck disable=SC2086
cargo deb --locked --no-build --no-strip --output "$folder" ${S4CAST_DEB_FLAGS:-}
