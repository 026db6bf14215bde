#!/usr/bin/python3
"""Checks that each header compiles alone: it includes what it needs, whatever came before it.

Exit status 0 if all do. Arguments: headers to check instead of all tracked ones.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
COMPILER = os.environ.get("CXX", "g++")
FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
         "-Wno-missing-field-initializers", "-Isrc", "-Itests", "-I.", "-x", "c++", "-"]


def headers():
    if len(sys.argv) > 1:
        return sys.argv[1:]
    listed = subprocess.run(["git", "ls-files", "src/*.h", "tests/*.h", "bench/*.h"], cwd=REPOSITORY, check=True,
                            capture_output=True, text=True).stdout.split()
    # tests/e2e/ compiles its C agents itself.
    return [header for header in listed if not header.startswith("tests/e2e/") and (REPOSITORY / header).exists()]


def compile_alone(header):
    # Twice: a header without an include guard fails too.
    text = f'#include "{header}"\n#include "{header}"\n'
    done = subprocess.run([COMPILER, *FLAGS], input=text, cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    return "\n    ".join([f"{header}: does not compile alone", *(errors or done.stderr.splitlines())])


def main():
    paths = headers()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        findings = [finding for finding in pool.map(compile_alone, paths) if finding]
    for finding in findings:
        print(finding)
    print(f"{len(paths)} headers, {len(findings)} do not compile alone")
    return 1 if findings or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
