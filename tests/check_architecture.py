#!/usr/bin/python3
"""Checks that the includes of src/ follow the dependency picture of ARCHITECTURE.md.

    main -> {admin, cli} -> {cluster, integration, rules, auth, store, net, config} -> broker -> mqtt -> base

1. A package includes itself and what lies below it; packages of one row never include each other.
2. broker/ and mqtt/ are pure: nothing they include, directly or through base/, brings in a socket, thread,
   file, clock or random source. What they may include is listed, everything else is refused, so that a
   header nobody thought of cannot slip in. Tests beside the code are free in this, not in rule 1.
3. A project header is included by its path from src/, exists, and no headers include each other in a circle.

Exit status 0 if nothing is found. With an argument, checks that tree instead of this repository's.
"""

import re
import sys
from pathlib import Path

ROWS = [
    ["main"],
    ["admin", "cli"],
    ["cluster", "integration", "rules", "auth", "store", "net", "config"],
    ["broker"],
    ["mqtt"],
    ["base"],
]
# Counters and histograms: they stand on base, and every package but the pure ones may feed them.
OBSERVE = "observe"
PURE = {"broker", "mqtt"}

PURE_HEADERS = set(
    """
    algorithm any array atomic bit bitset cassert cctype charconv cinttypes climits cmath compare concepts
    cstddef cstdint cstdlib cstring deque exception forward_list functional initializer_list iterator limits
    list map memory memory_resource new numbers numeric optional queue ranges ratio set source_location span
    stack stdexcept string string_view tuple type_traits typeindex typeinfo unordered_map unordered_set
    utility variant vector version

    tl/expected.hpp fmt/core.h fmt/format.h fmt/ranges.h
    """.split()
)
# Containers and pointers of Boost are as pure as the standard's.
PURE_PREFIXES = ("boost/unordered/", "boost/container/", "boost/intrusive/", "boost/smart_ptr/")
# <cstdlib> is needed for std::abort, but it is also a door to the outside.
IMPURE_CALLS = re.compile(r"\bstd::(rand|srand|time|clock|getenv|system|chrono|this_thread)\b")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def allowed_packages(package):
    """The packages that `package` may include, or None for an unknown one."""
    if package == OBSERVE:
        return {OBSERVE, "base"}
    for depth, row in enumerate(ROWS):
        if package in row:
            below = {name for lower in ROWS[depth + 1 :] for name in lower}
            return below | {package} | ({OBSERVE} if depth < 3 else set())
    return None


def is_pure(header):
    return header in PURE_HEADERS or header.startswith(PURE_PREFIXES)


def is_test(path):
    return path.endswith(("_test.cc", "_test.h"))


class Source:
    """One file of src/: its path from src/, what it includes and where."""

    def __init__(self, root, file):
        text = file.read_text(encoding="utf-8")
        self.path = str(file.relative_to(root))
        self.package = self.path.split("/")[0]
        self.text = COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
        self.includes = []  # (line, is quoted, header)
        for match in INCLUDE.finditer(self.text):
            self.includes.append((self.line_of(match.start()), match.group(1) == '"', match.group(2)))

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1


def check_packages(sources, extra_roots):
    for source in sources.values():
        allowed = allowed_packages(source.package)
        if allowed is None:
            yield f"src/{source.path}:1: package {source.package}/ has no place in the picture"
            continue
        for line, quoted, header in source.includes:
            where = f"src/{source.path}:{line}"
            if not quoted:
                if header in sources:
                    yield f'{where}: include the project\'s own "{header}" in quotes'
                continue
            if header not in sources:
                if not (is_test(source.path) and any((root / header).exists() for root in extra_roots)):
                    yield f'{where}: no "{header}" in src/; name a header by its path from src/'
                continue
            package = header.split("/")[0]
            if package not in allowed:
                yield f"{where}: {source.package}/ must not include {package}/ ({header})"


def impure_chain(sources, path, seen):
    """How `path` reaches a header that is not pure: a list of names, or None."""
    for _, quoted, header in sources[path].includes:
        if not quoted and not is_pure(header):
            return [f"<{header}>"]
        if quoted and header in sources and header not in seen:
            seen.add(header)
            rest = impure_chain(sources, header, seen)
            if rest:
                return [header] + rest
    return None


def check_purity(sources):
    for source in sources.values():
        if source.package not in PURE or is_test(source.path):
            continue
        for line, quoted, header in source.includes:
            where = f"src/{source.path}:{line}"
            if not quoted:
                if not is_pure(header):
                    yield f"{where}: {source.package}/ is pure and must not include <{header}>; use a port"
            elif header in sources and header.split("/")[0] not in PURE:
                chain = impure_chain(sources, header, {header})
                if chain:
                    yield f"{where}: {source.package}/ is pure, but {' -> '.join([header] + chain)}"
        for match in IMPURE_CALLS.finditer(source.text):
            line = source.line_of(match.start())
            yield f"src/{source.path}:{line}: {source.package}/ is pure and must not use {match.group()}"


def check_circles(sources):
    done, stack = set(), []

    def visit(path):
        if path in stack:
            circle = stack[stack.index(path) :] + [path]
            yield f"src/{path}:1: headers include each other in a circle: {' -> '.join(circle)}"
            return
        if path in done:
            return
        stack.append(path)
        for _, quoted, header in sources[path].includes:
            if quoted and header in sources:
                yield from visit(header)
        stack.pop()
        done.add(path)

    for path in sources:
        yield from visit(path)


def check(repository):
    """All findings in the tree, and how many files were read."""
    root = repository / "src"
    files = sorted(file for ending in ("*.h", "*.cc") for file in root.rglob(ending))
    sources = {source.path: source for source in (Source(root, file) for file in files)}
    extra_roots = [repository, repository / "tests"]
    findings = [*check_packages(sources, extra_roots), *check_purity(sources), *check_circles(sources)]
    return sorted(set(findings)), len(files)


def main():
    repository = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    findings, count = check(repository)
    for finding in findings:
        print(finding)
    print(f"{count} files of src/, {len(findings)} findings")
    return 1 if findings or not count else 0


if __name__ == "__main__":
    sys.exit(main())
