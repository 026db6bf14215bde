# shellcheck shell=bash
# Runs steps one after the other, adds up what they report and closes with one table and one sum.
# Sourced by ./dev and .ci/run; the directory of the logs is $LOGS.
#
# A step reports by a line "N passed, N failed" (", N skipped" may follow) or by ctest's closing line;
# the last such line of its output counts. A step that reports nothing, or that fails without counting
# a failure, counts as one failure: silence is never success.

STEP_NAMES=() STEP_RESULTS=() STEP_TIMES=() FINDINGS=()
FINDINGS_MAX=20  # shown again below the table, of each step
PASSED=0 FAILED=0 SKIPPED=0

# Minutes and seconds since START (seconds of the shell's own clock).
elapsed() { local s=$((SECONDS - $1)); printf '%d:%02d' $((s / 60)) $((s % 60)); }

# Reads a log, prints "PASSED FAILED SKIPPED" of its last closing line, or nothing.
read_counts() {
  awk '
    /^([A-Za-z]+: )?[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
      sub(/^[A-Za-z]+: /, ""); gsub(/,/, "")
      passed = $1; failed = $3; skipped = $5 + 0; seen = 1; ctest = 0
    }
    /^[0-9]+% tests passed, [0-9]+ tests? failed out of [0-9]+/ {
      passed = $NF - $4; failed = $4; skipped = 0; seen = 1; ctest = 1
    }
    ctest && /\(Skipped\)$/ { skipped++; passed-- }  # ctest counts them as passed, then lists them
    END { if (seen) print passed, failed, skipped }' "$1"
}

# The lines of a log that name what failed, so that the end of a long run tells it again.
keep_findings() {
  mapfile -t -O "${#FINDINGS[@]}" FINDINGS < <(
    grep -E '^ *(FAILED|FAIL|MISSED|STALE|BROKEN) |\*\*\*(Failed|Timeout|Exception)|: (fatal )?error: ' "$1" |
      awk '!seen[$0]++' | cut -c -200 | head -n "$FINDINGS_MAX")
}

# One line in the form that closes every step.
counts_line() {
  printf '%d passed, %d failed' "$1" "$2"
  if (($3 > 0)); then printf ', %d skipped' "$3"; fi
  printf '\n'
}

# step NAME COMMAND...: runs the command with its output shown and kept in $LOGS/NAME.log.
step() {
  local name=$1 start=$SECONDS status counts passed failed skipped
  shift
  mkdir -p "$LOGS"
  printf '\n==> [%s] %s\n' "$(elapsed 0)" "$name"
  set +e
  (set -e; "$@") </dev/null 2>&1 | tee "$LOGS/$name.log"
  status=${PIPESTATUS[0]}
  set -e
  counts=$(read_counts "$LOGS/$name.log")
  read -r passed failed skipped <<<"${counts:-0 0 0}"
  if [[ -z $counts ]]; then
    echo "$name ended without saying how many tests passed (exit status $status)"
    failed=1
  elif ((status != 0 && failed == 0)); then
    echo "$name ended with exit status $status"
    failed=1
  fi
  if ((failed > 0)); then keep_findings "$LOGS/$name.log"; fi
  record "$name" "$start" "$passed" "$failed" "$skipped"
}

# check NAME FIX COMMAND...: one check, one line; its findings and how to fix them only when it fails.
check() {
  local name=$1 fix=$2 start=$SECONDS
  shift 2
  mkdir -p "$LOGS"
  if ("$@") </dev/null >"$LOGS/check-$name.log" 2>&1; then
    printf 'ok    %-14s %s\n' "$name" "$(tail -n 1 "$LOGS/check-$name.log")"
    record "$name" "$start" 1 0 0 quiet
  else
    cat "$LOGS/check-$name.log"
    printf 'FAIL  %-14s fix: %s\n' "$name" "$fix"
    keep_findings "$LOGS/check-$name.log"
    FINDINGS+=("FAIL  $name")
    record "$name" "$start" 0 1 0 quiet
  fi
}

record() {
  STEP_NAMES+=("$1") STEP_TIMES+=("$(elapsed "$2")") STEP_RESULTS+=("$(counts_line "$3" "$4" "$5")")
  PASSED=$((PASSED + $3)) FAILED=$((FAILED + $4)) SKIPPED=$((SKIPPED + $5))
  if [[ ${6-} != quiet ]]; then printf '<== [%s] %s: %s\n' "$(elapsed 0)" "$1" "${STEP_RESULTS[-1]}"; fi
}

# The table of all steps, what failed and, as the last line, their sum. Its status is the verdict.
summary() {
  local i
  printf '\n%-16s %8s  %s\n' step time result
  for i in "${!STEP_NAMES[@]}"; do
    printf '%-16s %8s  %s\n' "${STEP_NAMES[i]}" "${STEP_TIMES[i]}" "${STEP_RESULTS[i]}"
  done
  printf '\n'
  if ((${#FINDINGS[@]})); then printf '%s\n' "${FINDINGS[@]}" | awk '!seen[$0]++' && printf '\n'; fi
  counts_line "$PASSED" "$FAILED" "$SKIPPED"
  ((FAILED == 0 && PASSED > 0))
}
