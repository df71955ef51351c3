#!/usr/bin/env bash
# Our training step against PyTorch's on the same core: `examples/step.rs` and `peer_torch.py` in turns, three pairs a shape.
# Prints for every shape the medians of the three ratios peer / ours, and both sides' peak memory.
#
#   benches/peers.sh [PYTHON [CORE]]      PYTHON must import torch (pip install torch); without it one is made in a venv
#
# Results with machine and date are kept in RESULTS.md.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-}
core=${2:-1}
if [ -z "$python" ]; then
    python3 -m venv target/peers
    target/peers/bin/pip install --quiet torch numpy
    python=target/peers/bin/python
fi
cargo build --quiet --release --example step
step=${STEP:-target/release/examples/step}
export OMP_NUM_THREADS=1
printf '%-16s%10s%10s%12s%12s%12s%12s%10s%10s\n' B,L,H,N 'step ms' 'fwd ms' 'x plain' 'x chunked' 'fwd plain' 'fwd chunk' 'MiB' 'peer MiB'
for shape in 32,512,64,32 32,1024,64,64 8,4096,64,64 1,16384,64,64; do
    for _ in 1 2 3; do
        for kernel in plain chunked; do
            taskset -c "$core" "$python" benches/peer_torch.py "$shape" 2 --kernel "$kernel"
            taskset -c "$core" "$step" "$shape" 2 --json
        done
    done | "$python" -c '
import json, statistics, sys
lines = [json.loads(line) for line in sys.stdin]
pairs = list(zip(lines[::2], lines[1::2]))
def ratio(kernel, key):
    return statistics.median(peer[key] / ours[key] for peer, ours in pairs if peer["kernel"] == kernel)
ours = lambda key: min(ours[key] for _, ours in pairs)
grown = min(peer["peak_rss_mib"] - peer["import_rss_mib"] for peer, _ in pairs)
peak = max(ours["peak_rss_mib"] for _, ours in pairs)
step, forward = ours("step_ms_min"), ours("forward_ms_min")
print(f"{sys.argv[1]:<16}{step:10.2f}{forward:10.2f}"
      + "".join(f"{ratio(k, m):12.2f}" for m in ("step_ms_min", "forward_ms_min") for k in ("plain", "chunked"))
      + f"{peak:10}{grown:10}")
' "$shape"
done
