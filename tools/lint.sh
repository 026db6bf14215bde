#!/usr/bin/env bash
# The checks that are calls of a tool: tools/lint.sh format|shell|tidy|tidy-all. The last line says what was read.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

format() {
  mapfile -t files < <(git ls-files '*.h' '*.cc' '*.c')
  mapfile -t findings < <(clang-format-14 --dry-run "${files[@]}" 2>&1 | sed -n 's/:.*warning:.*/: not formatted/p' | uniq)
  if ((${#findings[@]})); then printf '%s\n' "${findings[@]}"; fi
  echo "${#files[@]} files, ${#findings[@]} not formatted"
  ((${#findings[@]} == 0))
}

shell() {
  mapfile -t files < <(git ls-files | while read -r file; do
    if [[ -f $file ]] && head -n 1 "$file" | grep -qE '^#!.*\b(ba)?sh$|shellcheck shell'; then echo "$file"; fi
  done)
  shellcheck -x "${files[@]}"
  echo "${#files[@]} scripts"
}

# A file takes 1 to 8 s on one core: a run in CI stays under five minutes.
FILES_MAX_IN_CI=80

# The files that changed. On a branch: since the fork from origin/main, with what is not committed yet; on main
# itself: since the previous commit. CI has nothing to compare with and takes those that changed last.
changed() {
  if [[ -n ${CI-} ]]; then
    git log --format= --name-only --diff-filter=d -- src tests bench | awk '!seen[$0]++'
    return
  fi
  local base
  base=$(git merge-base HEAD origin/main 2>/dev/null || true)
  if [[ -z $base || $base == "$(git rev-parse HEAD)" ]]; then
    base=$(git rev-parse -q --verify HEAD~1 || git hash-object -t tree /dev/null)
  fi
  git diff --name-only --diff-filter=d "$base" -- src tests bench
}

# A header is read through the files of its own name.
sources() {
  local path
  while read -r path; do
    case $path in
      *.cc) echo "$path" ;;
      *.h) printf '%s\n' "${path%.h}.cc" "${path%.h}_test.cc" ;;
    esac
  done | awk '!seen[$0]++'
}

compiled() {
  local path
  while read -r path; do
    if [[ -f $path ]] && grep -qF "\"file\": \"$PWD/$path\"" build/lint/compile_commands.json; then echo "$path"; fi
  done
}

# clang-tidy on the files that a command lists; needs build/lint/compile_commands.json.
tidy() {
  mapfile -t files < <("$@" | sources | compiled)
  if [[ -n ${CI-} ]]; then files=("${files[@]:0:FILES_MAX_IN_CI}"); fi
  if ((${#files[@]})); then
    printf '%s\0' "${files[@]}" |
      xargs -0 -n 1 -P "$(nproc)" clang-tidy-14 --quiet -p build/lint \
        --extra-arg=-fsized-deallocation 2>&1 |
      { grep -vE '^[0-9]+ (warning|error)s?( and [0-9]+ errors?)? (generated|treated)|^Suppressed |^Use -header-filter' || true; }
  fi
  echo "${#files[@]} files"
}

case ${1-} in
  format | shell) "$1" ;;
  tidy) tidy changed ;;
  tidy-all) tidy git ls-files src tests bench ;;
  *) echo "usage: tools/lint.sh format|shell|tidy|tidy-all" >&2 && exit 2 ;;
esac
