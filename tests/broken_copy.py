"""A copy of the tree that is broken on purpose, one place at a time, to see whether the tests notice.

A test that passes proves something only if it would fail. Each Break takes out one guard of the code, or changes a few
words of it; the copy is built again, the tests have their say, and the place is put back. The programs that know what
to break are tests/sim/planted_bugs.py, tests/sim/planted_crash_bugs.py and tests/conformance/broken_statements.py. A break ends as one of these, and
only the first is a pass:

    found    the tests failed, as they should
    MISSED   the tests passed: they must be strengthened
    STALE    the code does not hold the guard as it is written down, exactly once: write it down as it is now
    BROKEN   it does not compile, or so much is broken that failing tests prove nothing
"""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import typing

ROOT = pathlib.Path(__file__).resolve().parents[1]
PARTS = ("CMakeLists.txt", "cmake", "src", "tests")
BUILD_LINES_SHOWN = 15
SEEDS_TIMEOUT_S = 600


class Edit(typing.NamedTuple):
    file: str
    guard: str    # as it stands, once in the file
    without: str  # what replaces it


class Break(typing.NamedTuple):
    name: str
    edits: typing.Sequence[Edit]

    def stale(self, root=ROOT):
        """Why it cannot be applied, or nothing."""
        for edit in self.edits:
            path = root / edit.file
            count = path.read_text(encoding="utf-8").count(edit.guard) if path.is_file() else 0
            if count != 1:
                return "%s holds its guard %d times: %s" % (edit.file, count, edit.guard.splitlines()[0].strip())
        return None


class Done(typing.NamedTuple):
    status: int  # None: it hung and was killed
    output: str


def run(command, timeout_s=None, **options):
    """Runs a program and all that it starts, to the end."""
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, start_new_session=True, **options) as process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
            return Done(process.returncode, output)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return Done(None, "killed after %d s" % timeout_s)


class Copy:
    """The copy, with a build of one target. Use it in a `with`: it is removed at the end."""

    def __init__(self, target, *cmake_options):
        self.target, self.cmake_options = target, cmake_options
        self.root = self.environment = None

    def __enter__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="nightjar-broken-"))
        # Whatever the directory is called, the compile cache knows the unbroken files.
        self.environment = dict(os.environ, CCACHE_BASEDIR=str(self.root), CCACHE_NOHASHDIR="1")
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, self.root / part,
                                ignore=shutil.ignore_patterns("node_modules", "corpus", "__pycache__"))
            else:
                shutil.copy(ROOT / part, self.root / part)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def program(self):
        return self.root / "build" / self.target

    def configure(self):
        """Assertions stay in. Warnings do not count: what is left without its guard may be unused."""
        return run(["cmake", "-S", self.root, "-B", self.root / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                    "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -w", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache", *self.cmake_options],
                   env=self.environment)

    def build(self):
        return run(["ninja", "-j", os.environ.get("JOBS", "2"), "-C", self.root / "build", self.target],
                   env=self.environment)

    def apply(self, edits):
        """Makes the edits and returns what undoes them."""
        before = {edit.file: (self.root / edit.file).read_text(encoding="utf-8") for edit in edits}
        for edit in edits:
            path = self.root / edit.file
            path.write_text(path.read_text(encoding="utf-8").replace(edit.guard, edit.without), encoding="utf-8")

        def undo():
            for file, text in before.items():
                (self.root / file).write_text(text, encoding="utf-8")
        return undo


def judge(copy, one, notices):
    """(verdict, remark) on one break; `notices(copy, one)` runs the tests on the broken program and answers likewise."""
    stale = one.stale(copy.root)
    if stale:
        return "STALE", stale
    undo = copy.apply(one.edits)
    try:
        built = copy.build()
        if built.status != 0:
            return "BROKEN", "does not compile\n" + "\n".join(built.output.splitlines()[-BUILD_LINES_SHOWN:])
        return notices(copy, one)
    finally:
        undo()


def judge_all(copy, breaks, notices):
    """Prints a verdict on each; returns how many were found and how many not."""
    found = 0
    for one in breaks:
        verdict, remark = judge(copy, one, notices)
        print("%-7s %s%s" % (verdict, one.name, ": " + remark if remark else ""), flush=True)
        found += verdict == "found"
    return found, len(breaks) - found


def close(passed, failed):
    """The last line, and the exit status."""
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


def parser(description):
    """The options that all programs of this kind have."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("-k", default="", metavar="WORD", help="only breaks with this word in their name")
    made.add_argument("--guards", action="store_true", help="only see whether the code still holds every guard")
    return made


def check_guards(breaks):
    """The part that takes no time: which guards the code does not hold any more."""
    stale = [(one.name, why) for one in breaks if (why := one.stale())]
    for name, why in stale:
        print("STALE   %s: %s" % (name, why))
    return close(len(breaks) - len(stale), len(stale))


def main(given, breaks, copy, notices, fault_without=lambda copy, breaks: None):
    """What a program does with its breaks. `fault_without(copy, breaks)` is what their tests find in the unbroken copy:
    nothing, or their failures would prove nothing."""
    breaks = [one for one in breaks if given.k in one.name]
    if given.guards:
        return check_guards(breaks)
    with copy:
        for done in (copy.configure, copy.build):
            result = done()
            if result.status != 0:
                print("the copy does not build\n" + result.output[-3000:])
                return close(0, 1)
        fault = fault_without(copy, breaks)
        if fault:
            print("the tests fail without any break\n" + fault)
            return close(0, 1)
        return close(*judge_all(copy, breaks, notices))


def plant(description, bugs, program, seeds, options, others=()):
    """For a simulator: `bugs` are (name, file, guard, without), and it has so many seeds to notice each. With each of
    `others`, a name among them, it runs with these options instead."""
    others = dict(others)
    words = parser(description)
    words.add_argument("--seeds", type=int, default=seeds)
    given = words.parse_args()

    def notices(copy, one):
        sim = run([copy.program, "--seeds", given.seeds, *others.get(one.name, options)], SEEDS_TIMEOUT_S)
        if sim.status == 0:
            return "MISSED", ""
        lines = sim.output.splitlines()
        return "found", next((line for line in lines if line.startswith("seed ")), "by a crash or a hang")[:110]

    return main(given, [Break(name, [Edit(*edit)]) for name, *edit in bugs], Copy(program), notices)
