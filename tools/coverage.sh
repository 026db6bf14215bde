#!/usr/bin/env bash
# What the tests of build/coverage have run: tools/coverage.sh collect, then tools/coverage.sh floor DIR PERCENT.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
LINES=build/coverage/lines.json

# Reads the counters once; the floors and the report are made from the result.
collect() {
  gcovr --root . --filter src/ --exclude '.*_test\.cc' --json "$LINES" build/coverage
  mkdir -p build/coverage/report
  gcovr --add-tracefile "$LINES" --html-details build/coverage/report/index.html
}

# floor DIRECTORY PERCENT: fails if the tests run fewer of the directory's lines.
floor() {
  gcovr --add-tracefile "$LINES" --filter "$1/" --fail-under-line "$2"
  echo "$1: at least $2 % of the lines"
}

case ${1-} in
  collect | floor) "$@" ;;
  *) echo "usage: tools/coverage.sh collect | floor DIRECTORY PERCENT" >&2 && exit 2 ;;
esac
