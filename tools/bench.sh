#!/usr/bin/env bash
# Builds the micro benchmarks and runs them: tools/bench.sh JOBS [--against REV | --record] [ARGUMENTS]
# What else is given goes to the programs, --rounds N to the comparison.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
BASELINE=bench/baseline.json
BUILD=build/bench # as the preset says
jobs=$1
shift

# build_benches TREE: in build/bench of that tree, with its own preset. Only the benchmarks: the broker takes minutes.
build_benches() {
  local source targets=()
  for source in "$1"/bench/*_bench.cc; do
    [[ -e $source ]] || { echo "there are no benchmarks in $1" >&2; return 1; }
    targets+=(--target "$(basename "$source" .cc)")
  done
  (cd "$1" && cmake --preset bench >/dev/null && cmake --build "$BUILD" -j "$jobs" "${targets[@]}")
}

# tree_of REV: a checkout of that revision, made if there is none yet.
tree_of() {
  local revision tree
  revision=$(git rev-parse --verify --quiet "$1^{commit}") || { echo "no such revision: $1" >&2; return 1; }
  tree=build/against/${revision:0:12}
  git worktree prune # ./dev clean removes trees behind git's back
  [[ -d $tree ]] || git worktree add --quiet --detach "$tree" "$revision"
  echo "$tree"
}

run_once() {
  local program results=$BUILD/results
  rm -rf "$results" && mkdir -p "$results"
  for program in "$BUILD"/bench/*_bench; do
    echo "==> $program"
    "$program" --benchmark_out="$results/$(basename "$program").json" --benchmark_out_format=json "$@"
  done
  tools/benches.py baseline "$BASELINE" "$results"/*.json
}

case ${1-} in
  --against)
    [[ -n ${2-} ]] || { echo "--against needs a revision" >&2; exit 2; }
    tree=$(tree_of "$2")
    build_benches "$tree"
    build_benches .
    tools/benches.py against "$tree/$BUILD/bench" "$BUILD/bench" "${@:3}"
    ;;
  --record)
    build_benches .
    tools/benches.py record "$BUILD/bench" "$BASELINE" "${@:2}"
    ;;
  *)
    build_benches .
    run_once "$@"
    ;;
esac
