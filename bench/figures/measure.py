"""Measures the parts by `nightjar bench compare`, and keeps every round of every figure."""

import datetime
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import parts, peers, storm, ways

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("NIGHTJAR_BIN", str(ROOT / "build/release/nightjar"))
IN_MEMORY_CONFIG = ROOT / "bench/figures/in_memory.toml"
# For one load in one round on all its brokers. The longest takes a minute on two shared cores.
PATIENCE_S = 300
START_PATIENCE_S = 10
WARMUP_SHARE = 0.25
# It takes in what is published before it delivers, so that a flood is even only after some seconds.
WARMUP_S = {"rabbitmq": 3}
# Memory is looked at and no load measured, for which a second is enough.
HOLD_S_MAX = 1


class Failed(Exception):
    """One broker did not carry a load."""

    def __init__(self, broker, reason):
        super().__init__(f"{broker}: {reason}")
        self.broker = broker
        self.reason = reason


# ---- what runs ----

def commands():
    """Name to the command line that `bench compare` takes, with {port} and {dir} in it."""
    binary = shlex.quote(BINARY)
    serve = f"{binary} serve -p {{port}} --data {{dir}}"
    peer = f"{shlex.quote(sys.executable)} {shlex.quote(peers.__file__)}"
    return {"nightjar": serve,
            parts.IN_MEMORY: f"{serve} -c {shlex.quote(str(IN_MEMORY_CONFIG))}",
            "relay": f"{binary} bench relay -p {{port}}",
            "one worker": f"{serve} --workers 1",
            "two workers": f"{serve} --workers 2 --placement spread",
            "two, adaptive": f"{serve} --workers 2",
            **{name: f"{shlex.quote(sys.executable)} {shlex.quote(ways.__file__)} {name} {binary} {{port}} {{dir}}"
               for name in parts.WAYS},
            **{name: f"{peer} {name} {{port}} {{dir}}" for name in (*parts.PEERS, parts.TUNED)}}


def options_of(broker, line):
    """How the load comes to that broker, if not over TCP."""
    options = ways.OPTIONS.get(broker)
    if options and broker in ways.SECURE and line.startswith("conn"):
        options += " --resume"
    return ["--with", f"{broker}={options}"] if options else []


def with_durations(line, duration, broker=None):
    """A load with the options that say how long it lasts; those of a number of messages last as long as they do."""
    scenario = line.split()[0]
    if scenario in ("retained", "offline"):
        return line
    if scenario == "conn":
        return f"{line} --hold {min(duration, HOLD_S_MAX):g}"
    return f"{line} -d {duration:g} --warmup {max(duration * WARMUP_SHARE, WARMUP_S.get(broker, 0)):g}"


def turn(brokers, number):
    """Each round begins with another broker, so that what the machine does meanwhile meets all of them."""
    start = number % len(brokers)
    return brokers[start:] + brokers[:start]


# ---- one run of bench compare ----

def culprit(brokers, line, progress):
    """Who was being measured when the run ended early: (broker, reason), from what bench compare printed."""
    found = re.search(rf"^nightjar bench compare: ({'|'.join(map(re.escape, brokers))}), {re.escape(line)}: (.*)",
                      progress, re.MULTILINE | re.DOTALL)
    if found:
        return found.group(1), " ".join(found.group(2).split())
    finished = len(re.findall(r"^round ", progress, re.MULTILINE))
    return brokers[min(finished, len(brokers) - 1)], " ".join(progress.split())[-200:] or "no result"


def compare(brokers, line):
    """One round of one load. The result of bench compare; Failed if a broker did not carry it."""
    known = commands()
    # A run that is ended leaves the directories of its brokers behind.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        out = Path(folder, "result.json")
        words = [BINARY, "bench", "compare", *(f"{name}={known[name]}" for name in brokers),
                 *(word for name in brokers for word in options_of(name, line)), "--scenario", line, "--rounds", "1",
                 "--json", str(out)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S,
                                  env={**os.environ, "TMPDIR": folder})
        except subprocess.TimeoutExpired as late:
            broker, _ = culprit(brokers, line, (late.stderr or b"").decode())
            raise Failed(broker, f"took more than {PATIENCE_S} s") from late
        if done.returncode not in (0, 3):  # 3: measured, and messages were lost
            raise Failed(*culprit(brokers, line, done.stderr))
        result = json.loads(out.read_text())
    for broker in brokers:
        if is_silent(result, broker):
            raise Failed(broker, "no message arrived")
    return result


def is_silent(result, broker):
    """Whether a phase that counts messages counted none."""
    return any(not any(figure["brokers"][broker]["rounds"]) for figure in result["figures"]
               if figure["figure"] == "messages per s")


# ---- one load in all rounds ----

class Measured:
    """The rounds of one load so far."""

    def __init__(self, load):
        self.line = load.line
        self.brokers = list(load.brokers)
        self.figures = {}
        self.unclean = []
        self.left_out = {}

    def round(self, number, duration):
        # Those of one line go into one comparison.
        lines_of = {broker: with_durations(self.line, duration, broker) for broker in turn(self.brokers, number)}
        for line in dict.fromkeys(lines_of.values()):
            self.compare([broker for broker, each in lines_of.items() if each == line], line)

    def compare(self, brokers, line):
        while brokers:
            try:
                return self.add(compare(brokers, line))
            except Failed as failed:
                self.leave_out(failed.broker, failed.reason)
                brokers = [broker for broker in brokers if broker != failed.broker]

    def add(self, result):
        for each in result["figures"]:
            of_phase = self.figures.setdefault(each["phase"], {}).setdefault(each["figure"], {})
            for broker, values in each["brokers"].items():
                of_phase.setdefault(broker, []).extend(float(f"{value:.5g}") for value in values["rounds"])
        for problem in result["problems"]:
            broker = problem.split(",")[0]
            if broker not in self.unclean:
                self.unclean.append(broker)

    def leave_out(self, broker, reason):
        print(f"  {self.line}: without {broker}: {reason}", file=sys.stderr)
        self.brokers.remove(broker)
        # Its output is for who measures; the page would show paths of this machine.
        self.left_out[broker] = reason.split("; its last output")[0]
        for figures in self.figures.values():
            for values in figures.values():
                values.pop(broker, None)

    def json(self):
        return {"figures": self.figures, "unclean": self.unclean, "left_out": self.left_out}


def measure(loads, rounds, duration):
    """{line: rounds of its figures}. Loads take turns within a round as brokers do within a load."""
    measured = [Measured(load) for load in loads]
    for number in range(rounds):
        for each in measured:
            begin = time.monotonic()
            each.round(number, duration)
            print(f"round {number + 1} of {rounds}: {each.line}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return {each.line: each.json() for each in measured}


# ---- each worker's share ----

def thread_times(pid):
    """CPU time of the workers of a broker: thread name to ns."""
    times = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        if name.startswith("worker"):
            times[name] = int((task / "schedstat").read_text().split()[0])
    return times


def shares(before, after):
    """What each worker did of all that the workers did in between, the largest first."""
    spent = sorted((after[name] - before.get(name, 0) for name in after), reverse=True)
    total = sum(spent)
    return [round(each / total, 4) for each in spent] if total else []


def wait_for(port, process):
    deadline = time.monotonic() + START_PATIENCE_S
    while True:
        try:
            return peers.knock(port)
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def share_round(configuration, duration):
    """One flood on a broker whose threads we can look at, unlike one that bench compare has already ended."""
    port = peers.free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = commands()[configuration].format(port=port, dir=folder)
        with subprocess.Popen(shlex.split(command), stderr=subprocess.DEVNULL) as broker:
            try:
                wait_for(port, broker)
                before = thread_times(broker.pid)
                subprocess.run([BINARY, "bench", *with_durations("p2p", duration).split(), "-p", str(port), "--quiet"],
                               check=True, timeout=PATIENCE_S)
                return shares(before, thread_times(broker.pid))
            finally:
                broker.terminate()


def worker_shares(rounds, duration):
    taken = {name: [] for name in parts.CONFIGURATIONS}
    for number in range(rounds):
        for name in turn(list(taken), number):
            taken[name].append(share_round(name, duration))
    return taken


# ---- what it was measured on ----

def cpu_model():
    found = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def memory_gib():
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def debian_version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else "not a package of Debian"


def versions():
    own = subprocess.run([BINARY, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]
    revision = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {"nightjar": f"{own} ({revision.stdout.strip()})" if revision.returncode == 0 else own,
            **{name: debian_version(package) for name, package in peers.PACKAGES.items()}}


def circumstances(rounds, duration):
    return {"date": datetime.date.today().isoformat(), "rounds": rounds, "duration_s": duration,
            "cpu": cpu_model(), "cores": os.cpu_count(), "memory_gib": memory_gib(),
            "kernel": f"{platform.system()} {platform.release()}", "versions": versions()}


# ---- the file of results ----

def read(path):
    return json.loads(path.read_text()) if path.exists() else {"parts": {}}


def merge(results, name, part):
    """A part replaces its own earlier figures and leaves the others alone; the order is always the same."""
    found = results["parts"] | {name: part}
    order = list(parts.PARTS)
    return results | {"parts": {each: found[each] for each in sorted(found, key=order.index)}}


def lines(value, depth=0):
    """JSON with one line per list of rounds, so that a new measurement is a readable difference."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False)
    pad = " " * (depth + 1)
    body = ",\n".join(f"{pad}{json.dumps(key, ensure_ascii=False)}: {lines(each, depth + 1)}"
                      for key, each in value.items())
    return "{\n" + body + "\n" + " " * depth + "}"


def run_part(name, rounds, duration):
    part = {"measured": circumstances(rounds, duration), "loads": measure(parts.PARTS[name](), rounds, duration)}
    if name == "workers":
        part["shares"] = worker_shares(rounds, duration)
    if name == "transports":
        part["storm"] = storm.rounds(BINARY, rounds)
    return part


def run(path, names, rounds, duration):
    for name in names:
        print(f"==> {name}", file=sys.stderr)
        begin = time.monotonic()
        part = run_part(name, rounds, duration)
        part["measured"]["took_s"] = round(time.monotonic() - begin)
        # Read at the last moment and written after each part: an interrupted run keeps what it has.
        path.write_text(lines(merge(read(path), name, part)) + "\n")
