#!/usr/bin/env bash
# What a release writes and a later one has to read: tests/formats/VERSION, once for every release. Run it from the root of the
# repository, with the program of that release:
#
#   S4CAST=target/release/s4cast tests/formats/generate.sh 0.1
#
# A folder that is there is never made again: it is what people have on their disks.
set -euo pipefail

version=${1:?"usage: $0 VERSION"}
root=$(cd "$(dirname "$0")/../.." && pwd)
s4cast=$(realpath "${S4CAST:-$root/target/release/s4cast}")
target=$root/tests/formats/$version
[ -e "$target" ] && { echo "$target is there; a release is written once" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# Nothing of this machine is to decide anything.
for name in $(compgen -e | grep '^S4CAST_' || true); do unset "$name"; done
run() { nice -n 15 "$s4cast" "$@" -q < /dev/null; }

# Three daily series with weeks, and two of counts: the same numbers on every machine.
series() {
  awk 'BEGIN {
    print "id,ds,y"; seed = 7; split("0 3 5 4 2 9 11", week, " ")
    for (id = 1; id <= 3; id++) for (day = 0; day < 300; day++) {
      seed = (seed * 1103515245 + 12345) % 2147483648
      y = 20 * id + week[day % 7 + 1] + day / 50 + seed / 2147483648
      printf "s%d,%s,%.2f\n", id, strftime("%Y-%m-%d", 1704067200 + day * 86400, 1), y
    }
  }'
}
counts() {
  awk 'BEGIN {
    print "id,ds,y"; seed = 11
    for (id = 1; id <= 2; id++) for (day = 0; day < 120; day++) {
      seed = (seed * 1103515245 + 12345) % 2147483648
      u = seed / 2147483648
      printf "c%d,%s,%d\n", id, strftime("%Y-%m-%d", 1704067200 + day * 86400, 1), u < 0.6 ? 0 : (u < 0.85 ? 1 : 3)
    }
  }'
}
series > in.csv
counts > counts.csv

echo "models" >&2
mkdir models
for kind in ridge s4d s4 ets ensemble; do
  run forecast in.csv -H 7 --model "$kind" --preset fast --levels 80 -o "models/$kind.parquet" \
    --save-model "models/$kind.safetensors"
done
run forecast counts.csv -H 7 --model counts --levels 80 -o models/counts.parquet --save-model models/counts.safetensors

echo "a daemon: champions, a version in shadow, rejected and pinned ones, scores, anomalies, corrections, memory" >&2
mkdir -p daemon/in
awk -F, 'NR == 1 { head = $0; next }
  { file = "daemon/in/" substr($2, 1, 7) ".csv"; if (!(file in seen)) { print head > file; seen[file] = 1 } print > file }' in.csv
{ cat daemon/in/2024-09.csv; echo "new,2024-09-29,3"; echo "new,2024-09-30,4"; } > daemon/short.csv
cat > daemon/daemon.toml <<'TOML'
schema_version = 1
[daemon]
state = "state"
[source.sales]
inputs = "in/*.csv"
[source.short]
inputs = "short.csv"
[source.gone]
inputs = "gone.csv"
[model.week]
kind = "ridge"
horizon = 7
levels = [80]
[sink.lake]
path = "out"
[job.sales]
source = "sales"
model = "week"
sink = "lake"
train = { cron = "0 2 * * 1" }
forecast = { cron = "0 1 * * *", missed = "skip" }
score = { cron = "0 4 * * *", missed = "skip" }
anomaly = { level = 80 }
[job.short]
source = "short"
model = "week"
sink = "lake"
forecast = { cron = "0 1 20 10 *" }
[job.gone]
source = "gone"
model = "week"
sink = "lake"
forecast = { cron = "0 1 20 10 *", attempts = 1 }
TOML
cd daemon
# One series is too short, one file is not there, and nobody is there on the 22nd.
run serve -c daemon.toml --clock sim:2024-10-20T00:00:00Z..2024-10-21T06:00:00Z
sed -i 's/s2,2024-10-22,.*/s2,2024-10-22,400.00/' in/2024-10.csv
run serve -c daemon.toml --clock sim:2024-10-23T00:00:00Z..2024-10-24T06:00:00Z
# The wrong model is worse than what serves.
sed 's/kind = "ridge"/kind = "naive"/' daemon.toml > worse.toml
run run sales -c worse.toml --stage train --slot 2024-10-24T07:00:00Z
rm worse.toml
run run sales -c daemon.toml --stage train --slot 2024-10-24T08:00:00Z
run models promote 1 --job sales
run models rollback --job sales
run models shadow 1 --job sales
run models pin 3 --job sales
run run sales -c daemon.toml --stage forecast --slot 2024-10-25T01:00:00Z
run run sales -c daemon.toml --stage score --slot 2024-10-25T04:00:00Z
run backtest in/*.csv -H 7 --windows 2 --models ridge,seasonal_naive --levels 80 -o backtest.parquet
if "$s4cast" models key --help > /dev/null 2>&1; then
  run models key -o key.pem --json | sed -nE 's/.*"key": "([^"]+)".*/\1/p' > key.txt
  run models sign 4 --job sales --signing-key-file key.pem
  rm key.pem
fi
cd ..

echo "a fleet: models, runs and leases in stores, slots that another daemon worked" >&2
mkdir fleet
cp in.csv fleet/in.csv
cat > fleet/fleet.toml <<'TOML'
schema_version = 1
[daemon]
state = "${MEMBER}"
models = "file://${PLACE}/models"
leases = "file://${PLACE}/leases"
node = "${MEMBER}"
[source.sales]
inputs = "in.csv"
[model.week]
kind = "ridge"
horizon = 7
levels = [80]
[sink.lake]
path = "file://${PLACE}/lake"
[job.sales]
source = "sales"
model = "week"
sink = "lake"
train = { cron = "0 2 * * *" }
forecast = { cron = "0 3 * * *" }
TOML
# A clock of one's own is no ground to share slots by: those are of the machine's clock, and of a file that is not there.
sed -e 's/^train = .*//' -e 's/^forecast = .*/forecast = { every = "1s", attempts = 1 }/' -e 's/in.csv/gone.csv/' \
  -e 's/job.sales/job.gone/' fleet/fleet.toml > leases.toml
cd fleet
export PLACE=$PWD
for member in a b; do
  MEMBER=$member run serve -c fleet.toml --clock sim:2024-10-20T00:00:00Z..2024-10-20T06:00:00Z
done
mv ../leases.toml .
for member in a b; do
  MEMBER=$member timeout -s TERM 6 "$s4cast" serve -c leases.toml -q < /dev/null &
done
wait
rm -r leases.toml b/sinks
cd ..

echo "the parts of a run of two processes" >&2
for shard in 0/2 1/2; do
  run forecast in.csv -H 7 --load-model models/ridge.safetensors --shard "$shard" -o "file://$PWD/parts/" \
    --issued-at 2024-10-27
done

echo "a network of sequences, and its checkpoint" >&2
mkdir sequence
cd sequence
for line in $(seq 400); do echo "the quick brown fox $line jumps over the lazy dog"; done > text.txt
run train pipeline=text model=sashimi data_dir=. out=. len=64 hidden=16 state=8 layers=1 "pools=[4]" batch=4 epochs=1 \
  warmup=5 seed=3
rm -f loss.svg metrics.parquet
cd ..

echo "a training that was stopped" >&2
mkdir stopped
cp in.csv stopped/in.csv
cat > stopped/daemon.toml <<'TOML'
schema_version = 1
[daemon]
state = "state"
drain_limit = "20s"
[source.sales]
inputs = "in.csv"
[model.week]
kind = "s4d"
horizon = 7
levels = [80]
preset = "fast"
[sink.lake]
path = "out"
[job.sales]
source = "sales"
model = "week"
sink = "lake"
train = { cron = "0 2 * * 1" }
forecast = { cron = "0 1 1 1 *" }
TOML
cd stopped
for tenths in $(seq 3 40); do
  rm -rf state
  # Longer each time, until it is stopped in the middle of its work.
  timeout -s TERM "$((tenths / 10)).$((tenths % 10))" "$s4cast" serve -c daemon.toml -q < /dev/null || true
  [ -f state/checkpoints/sales/checkpoint ] && break
done
[ -f state/checkpoints/sales/checkpoint ] || { echo "it was never stopped in time" >&2; exit 1; }
cd ..

# Locks and empty journals are of processes that have ended.
find . \( -name lock -o -name .lock -o -name '*.db-shm' -o \( -name '*.db-wal' -empty \) \) -delete
if find . -name '*.db-wal' | grep -q .; then echo "a ledger was not closed" >&2; exit 1; fi

# The versions of this program's formats, as its source has them.
{
  echo "{"
  while read -r file name; do
    value=$(sed -nE "s/^(pub(\([a-z]+\))? )?const $name: [^=]+ = b?\"?([^\";\\]+).*/\3/p" "$root/$file")
    [ -n "$value" ] || { echo "$file has no constant $name" >&2; exit 1; }
    echo "  \"$file $name\": \"$value\","
  done < "$root/tests/formats/constants.txt"
  echo "  \"program\": \"$("$s4cast" --version | cut -d' ' -f2)\""
  echo "}"
} > formats.json
chmod -R u+rw,go+r .
mkdir -p "$target"
cp -a . "$target"
du -sk "$target" >&2
