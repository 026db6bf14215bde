#!/usr/bin/python3
"""Runs micro benchmarks for a comparison, and compares.

    tools/benches.py against THERE HERE [--rounds N] [BENCHMARK OPTIONS]   two folders of programs, in turn
    tools/benches.py record HERE FILE [--rounds N] [BENCHMARK OPTIONS]     writes the medians down
    tools/benches.py baseline FILE RESULT...                               results of one run beside them

Times are processor time: they do not count the time for which something else had the core.
"""

import argparse
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

NS_PER_UNIT = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
ROUNDS = 5
# Short, because what differs between rounds is the machine's mood, which a longer run does not even out.
MIN_TIME_OPTION = "--benchmark_min_time=0.1"


@dataclass
class Side:
    """What the rounds of one benchmark gave, in ns."""
    median: float
    spread: float  # the largest less the smallest; infinite for one round, which says nothing about it


@dataclass
class Row:
    name: str
    there: Side
    here: Side

    @property
    def ratio(self):
        return self.here.median / self.there.median if self.there.median else math.inf

    @property
    def mark(self):
        """A word if the medians are further apart than the rounds of either side among themselves."""
        difference = self.here.median - self.there.median
        if abs(difference) <= max(self.there.spread, self.here.spread):
            return ""
        return "slower" if difference > 0 else "faster"


def times_in(result, program):
    """Name to ns of every benchmark in the JSON that one program wrote."""
    return {f"{program} {each['name']}": each["cpu_time"] * NS_PER_UNIT[each["time_unit"]]
            for each in result["benchmarks"]
            if each.get("run_type", "iteration") == "iteration" and not each.get("error_occurred")}


def gather(rounds):
    """Name to Side, from one {name: ns} per round. A benchmark that a round lacks is judged by the others."""
    values = {}
    for times in rounds:
        for name, time in times.items():
            values.setdefault(name, []).append(time)
    return {name: Side(statistics.median(each), max(each) - min(each) if len(each) > 1 else math.inf)
            for name, each in values.items()}


def compare(there, here):
    """The rows of what both sides have, and the names that only one has: (rows, only there, only here)."""
    rows = [Row(name, there[name], here[name]) for name in there if name in here]
    return rows, [name for name in there if name not in here], [name for name in here if name not in there]


def time_text(ns):
    for unit in ("s", "ms", "us"):
        if ns >= NS_PER_UNIT[unit]:
            return f"{ns / NS_PER_UNIT[unit]:.3g} {unit}"
    return f"{ns:.3g} ns"


def table(rows, titles=("there", "here")):
    width = max([len(row.name) for row in rows] + [len("benchmark")])
    yield f"{'benchmark':<{width}} {titles[0]:>10} {titles[1]:>10} {'ratio':>7}"
    for row in rows:
        line = (f"{row.name:<{width}} {time_text(row.there.median):>10} {time_text(row.here.median):>10} "
                f"{row.ratio:>7.2f}  {row.mark}")
        yield line.rstrip()


def run_program(program, options):
    """One run of one program: name to ns."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        subprocess.run([program, MIN_TIME_OPTION, *options, f"--benchmark_out={out.name}",
                        "--benchmark_out_format=json"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        text = out.read()
    # A filter that matches nothing of this program leaves the file empty.
    return times_in(json.loads(text), program.name) if text else {}


def run_rounds(folders, count, options):
    """For each folder its rounds. The folders take turns, and each is first in every other round, so that
    what changes on the machine meanwhile meets all of them."""
    programs = sorted({program.name for folder in folders for program in folder.glob("*_bench")})
    rounds = {folder: [] for folder in folders}
    for number in range(count):
        times = {folder: {} for folder in folders}
        for name in programs:
            print(f"round {number + 1} of {count}: {name}", file=sys.stderr)
            for folder in folders if number % 2 == 0 else reversed(folders):
                if (folder / name).exists():
                    times[folder] |= run_program(folder / name, options)
        for folder in folders:
            rounds[folder].append(times[folder])
    return [gather(rounds[folder]) for folder in folders]


def cpu_model():
    found = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else "unknown"


def compiler(folder):
    """The version line of the compiler that built the programs of a folder."""
    cache = next(parent / "CMakeCache.txt" for parent in folder.resolve().parents
                 if (parent / "CMakeCache.txt").exists())
    path = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache.read_text(), re.MULTILINE).group(1)
    version = subprocess.run([path, "--version"], check=True, capture_output=True, text=True).stdout
    return version.splitlines()[0]


def against(arguments):
    there, here = run_rounds([arguments.there, arguments.here], arguments.rounds, arguments.options)
    rows, only_there, only_here = compare(there, here)
    print("\n".join(table(rows)))
    for side, names in (("there", only_there), ("here", only_here)):
        if names:
            print(f"only {side}: {', '.join(names)}")
    print(f"ratio: here / there, medians of {arguments.rounds} rounds; a word stands where they are further apart "
          "than the rounds of either side")


def record(arguments):
    sides, = run_rounds([arguments.here], arguments.rounds, arguments.options)
    recorded = {"cpu": cpu_model(), "compiler": compiler(arguments.here), "rounds": arguments.rounds,
                "unit": "ns of processor time per iteration, median of the rounds",
                "benchmarks": {name: float(f"{side.median:.4g}") for name, side in sides.items()}}
    arguments.file.write_text(json.dumps(recorded, indent=1) + "\n")
    print(f"{arguments.file}: {len(sides)} benchmarks")


def baseline(arguments):
    recorded = json.loads(arguments.file.read_text())
    there = gather([recorded["benchmarks"]])
    results = [times_in(json.loads(path.read_text()), path.stem) for path in arguments.results
               if path.exists() and path.stat().st_size]
    here = gather([{name: time for times in results for name, time in times.items()}])
    rows, _, _ = compare(there, here)
    if not rows:
        return
    print("\n".join(table(rows, ("recorded", "here"))))
    print(f"recorded on {recorded['cpu']} with {recorded['compiler']}")
    if cpu_model() != recorded["cpu"]:
        print(f"this is {cpu_model()}: a ratio that stands out from the others means something, their level does not")


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, run, places in (("against", against, ("there", "here")), ("record", record, ("here", "file"))):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        for place in places:
            command.add_argument(place, type=Path)
        command.add_argument("--rounds", type=int, default=ROUNDS)
    command = commands.add_parser("baseline")
    command.set_defaults(run=baseline)
    command.add_argument("file", type=Path)
    command.add_argument("results", type=Path, nargs="*")
    # What it does not know is for the programs.
    arguments, arguments.options = parser.parse_known_args(words)
    return arguments


def main():
    arguments = parse(sys.argv[1:])
    arguments.run(arguments)


if __name__ == "__main__":
    main()
