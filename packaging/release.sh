#!/usr/bin/env bash
# Everything that a release consists of, from a clean checkout, into target/release-VERSION:
#
#   packaging/release.sh [BINARY]      (left out, the program is built)
#
#   s4cast_VERSION-1_amd64.deb                       the Debian package
#   s4cast-VERSION-x86_64-unknown-linux-gnu.tar.gz   binary, manual pages, completions, configs, documents, for any Linux with glibc 2.35
#   s4cast-VERSION.cdx.json                          the bill of materials
#   SHA256SUMS                                       of all of these
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/target/tools/bin:$PATH"
version=$(cargo metadata --locked --no-deps --format-version 1 | grep -o '"version":"[^"]*"' | head -n 1 | cut -d'"' -f4)
problems=()
[ -z "$(git status --porcelain)" ] || problems+=("the checkout has changes: git status")
grep -q "^## $version" CHANGELOG.md || problems+=("CHANGELOG.md has no heading for $version")
released=$(sed -n "s/^## $version (\(.*\))/\1/p" CHANGELOG.md)
grep -q "RELEASED: &str = \"$released\"" src/cli/manual/page.rs || problems+=("src/cli/manual/page.rs has another day than CHANGELOG.md: '$released'")
grep -q "^s4cast ($version-1)" packaging/debian/changelog || problems+=("packaging/debian/changelog does not begin with $version-1")
grep -q "image.version=\"$version\"" packaging/Dockerfile || problems+=("packaging/Dockerfile is of another version than $version")
if [ ${#problems[@]} -gt 0 ]; then
    printf 'not to be released: %s\n' "${problems[@]}" >&2
    exit 1
fi

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
binary=${1:-}
if [ -z "$binary" ]; then
    cargo build --release --locked --bin s4cast
    binary=target/release/s4cast
fi
folder=target/release-$version
rm -rf "$folder"
mkdir -p "$folder"
packaging/build_deb.sh "$binary" "$folder"
zcat target/package/stage/doc/s4cast.cdx.json.gz > "$folder/s4cast-$version.cdx.json"

name=s4cast-$version-x86_64-unknown-linux-gnu
tree=target/package/$name
rm -rf "$tree"
mkdir -p "$tree"
cp -r target/package/stage/{s4cast,man,completions} README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE configs datasets docs "$tree"
zcat target/package/stage/doc/THIRD-PARTY.gz > "$tree/THIRD-PARTY"
# The same sources and binary give the same archive.
tar --create --directory target/package --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner "$name" \
    | gzip -9n > "$folder/$name.tar.gz"
(cd "$folder" && sha256sum -- * > SHA256SUMS && sha256sum --check --quiet SHA256SUMS)
ls -l "$folder"
