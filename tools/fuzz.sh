#!/usr/bin/env bash
# Runs fuzz targets of build/fuzz from their committed corpora: tools/fuzz.sh SECONDS [TARGET...]
# New inputs stay in build/fuzz/found/TARGET, inputs that crash in build/fuzz/crashes; a crash becomes a
# unit test, and its input a file of tests/fuzz/corpus/TARGET.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
BIN=build/fuzz/tests/fuzz
INPUT_SECONDS_MAX=10  # a single input that takes longer is a finding
MEMORY_MIB_MAX=2048   # likewise

run_one() {
  local seconds=$1 name=$2 log=build/logs/fuzz-$2.log corpus=()
  mkdir -p "build/fuzz/found/$name" build/fuzz/crashes build/logs
  if [[ -d tests/fuzz/corpus/$name ]]; then corpus=("tests/fuzz/corpus/$name"); fi
  if "$BIN/$name" -max_total_time="$seconds" -timeout="$INPUT_SECONDS_MAX" -rss_limit_mb="$MEMORY_MIB_MAX" \
    -artifact_prefix="build/fuzz/crashes/$name-" -print_final_stats=1 \
    "build/fuzz/found/$name" "${corpus[@]}" >"$log" 2>&1; then
    echo "ok    $name: $(awk '/stat::number_of_executed_units/ { print $2 }' "$log") inputs in $seconds s"
  else
    tail -n 60 "$log"
    echo "FAIL  $name: the input is in build/fuzz/crashes/"
  fi
}

if [[ $1 == --one ]]; then
  run_one "$2" "$3"
  exit
fi
seconds=$1
shift
if (($#)); then targets=("$@"); else mapfile -t targets < <(find "$BIN" -maxdepth 1 -type f -perm -u+x -printf '%f\n' | sort); fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
printf '%s\n' "${targets[@]}" | xargs -r -P "$(nproc)" -I{} "$0" --one "$seconds" {} | tee "$out"
passed=$(grep -c '^ok    ' "$out" || true)
echo "$passed passed, $((${#targets[@]} - passed)) failed"
((${#targets[@]} > 0 && passed == ${#targets[@]}))
