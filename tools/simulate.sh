#!/usr/bin/env bash
# Runs seeds 1 to SEEDS of the simulator, shared out over the cores: tools/simulate.sh PROGRAM SEEDS
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
LOGS=$PWD/build/logs
source tools/steps.sh

program=$1 seeds=$2 parts=$(nproc) first=1 failed=0 pids=()
out=$LOGS/$(basename "$(dirname "$program")")-seeds
mkdir -p "$LOGS"
for ((part = 1; part <= parts; part++)); do
  count=$(((seeds - first + 1) / (parts - part + 1)))
  "$program" --seeds "$count" --first "$first" >"$out-$part.log" 2>&1 &
  pids+=($!)
  first=$((first + count))
done
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
for ((part = 1; part <= parts; part++)); do cat "$out-$part.log"; done
# A part that died without its line is a failure.
for ((part = 1; part <= parts; part++)); do read_counts "$out-$part.log" | grep . || echo 0 1 0; done |
  awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed }'
exit "$failed"
