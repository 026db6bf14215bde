#!/usr/bin/python3
"""Checks the tracked text files for what must not be in the tree: paths of somebody's machine, work left
undone, leftovers of a merge, white space at the end of a line.

Exit status 0 if nothing is found.
"""

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
# Text that others wrote, and tables and inputs kept byte for byte.
EXEMPT = re.compile(r"(^|/)(LICENSE|package-lock\.json)$|^tests/fuzz/corpus/|^tests/e2e/mosquitto_access/windows\.acl$|\.(png|ico|svg|tsv)$")

RULES = [
    # The names are put together here so that this file passes its own check. Ann is the user of the examples.
    (re.compile(r"(?<![\w.])/(home|Users)" + r"/(?!ann\b)\w+|(?<![\w.])/root" + r"/\w"), "a path of somebody's machine"),
    (re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b"), "work left undone: do it, or file an issue"),
    (re.compile(r"^(<{7}|>{7})( |$)"), "a leftover of a merge"),
    (re.compile(r"[ \t]+$"), "white space at the end of the line"),
    (re.compile(r"^\s*(TEST|TEST_F|TEST_P)\(\s*\w+\s*,\s*DISABLED_"), "a disabled test: repair or remove it"),
]


def own_folders(repository):
    """This checkout's folder and those around it, but for the ones that every machine has."""
    shared = {Path(name) for name in ("/", "/home", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var", "/var/tmp")}
    return [folder for folder in (repository, *repository.parents) if folder not in shared]


def findings_in(path, text, repository=REPOSITORY):
    """What the text of one file must not contain, one line each."""
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, what in RULES:
            if pattern.search(line):
                yield f"{path}:{number}: {what}: {line.strip()[:80]}"
        if any(f"{folder}/" in line for folder in own_folders(repository)):
            yield f"{path}:{number}: the path of this very checkout: {line.strip()[:80]}"


def main():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    paths = [path for path in listed.stdout.split("\0") if path and not EXEMPT.search(path)]
    findings, count = [], 0
    for path in paths:
        file = REPOSITORY / path
        if not file.is_file() or b"\0" in (data := file.read_bytes()):
            continue
        count += 1
        findings += findings_in(path, data.decode("utf-8", "replace"))
    for finding in findings:
        print(finding)
    print(f"{count} text files, {len(findings)} findings")
    return 1 if findings or not count else 0


if __name__ == "__main__":
    sys.exit(main())
