#!/usr/bin/env bash
# Brings the vendored uPlot to the pinned version: from npm, and only if the archive has the hash that is written here.
set -euo pipefail
version=1.6.32
sha512=KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==
target=$(cd "$(dirname "$0")/../../src/serve/dashboard" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack "uplot@$version" --silent >/dev/null
found=$(openssl dgst -sha512 -binary "uplot-$version.tgz" | base64 -w0)
[ "$found" = "$sha512" ] || { echo "uplot-$version.tgz has the hash $found, not $sha512" >&2; exit 1; }
tar xzf "uplot-$version.tgz"
cp package/dist/uPlot.esm.js package/dist/uPlot.min.css "$target"
cp package/LICENSE "$target/uPlot.LICENSE"
echo "uPlot $version stands in $target"
