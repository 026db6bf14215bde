"""What every end-to-end case stands on: child processes read line by line, the broker, the cases.

Nothing here sleeps for a fixed time. A wait names its condition and has a bound; the bound only says when a
hang becomes a failure, so it is generous and no case depends on its value.
"""
import itertools
import os
import pathlib
import re
import resource
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BINARY = os.environ.get("NIGHTJAR_BIN", str(ROOT / "build" / "release" / "nightjar"))
HOST = "127.0.0.1"
HANG_S = 30.0
POLL_S = 0.01


class Failure(Exception):
    """A case did not see what the standard, or the manual, promises."""


class Skipped(Exception):
    """A case cannot be run here; the message says why."""


def expect(condition, message):
    if not condition:
        raise Failure(message)


def expect_equal(actual, expected, what):
    expect(actual == expected, f"{what}: expected {expected!r}, got {actual!r}")


def keeps_freed_memory(pid):
    """Whether the broker is a sanitizer build, whose allocator sets freed memory aside instead of using it again."""
    maps = open(f"/proc/{pid}/maps").read()
    return any(library in maps for library in ("libasan", "libtsan"))


def wait_until(predicate, what, bound_s=HANG_S):
    """Returns the first true value of `predicate`."""
    deadline = time.monotonic() + bound_s
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"waited {bound_s:g} s in vain for {what}")
        time.sleep(POLL_S)


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Lines:
    """Lines that come from elsewhere, for those who wait for some."""

    def __init__(self, name):
        self.name = name
        self._lines = []
        self._changed = threading.Condition()
        self._ended = False

    def add_line(self, line):
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()

    def end_lines(self):
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def lines(self):
        with self._changed:
            return list(self._lines)

    def wait_lines(self, pattern, count=1, start=0, bound_s=HANG_S):
        """The first `count` matches of `pattern` in lines `start` and later, once they are there."""
        regex = re.compile(pattern)
        deadline = time.monotonic() + bound_s
        with self._changed:
            while True:
                found = [m for m in map(regex.search, self._lines[start:]) if m]
                if len(found) >= count:
                    return found[:count]
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    why = "it ended" if self._ended else f"{bound_s:g} s passed"
                    raise Failure(f"{self.name}: {len(found)} of {count} lines like /{pattern}/ before {why}")
                self._changed.wait(left)

    def wait_line(self, pattern, start=0, bound_s=HANG_S):
        return self.wait_lines(pattern, 1, start, bound_s)[0]


class Process(Lines):
    """A child whose output lines (stdout and stderr together) are collected as they come."""

    def __init__(self, command, name=None, env=None, open_files_max=None):
        super().__init__(name or pathlib.Path(command[0]).name)
        self.command = [str(part) for part in command]

        def limit_open_files():
            resource.setrlimit(resource.RLIMIT_NOFILE, (open_files_max, open_files_max))

        self._child = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})}, preexec_fn=limit_open_files if open_files_max else None)
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self):
        for raw in self._child.stdout:
            self.add_line(raw.decode("utf-8", "replace").rstrip("\r\n"))
        self.end_lines()

    @property
    def pid(self):
        return self._child.pid

    @property
    def is_running(self):
        return self._child.poll() is None

    def send(self, line):
        try:
            self._child.stdin.write(line.encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise Failure(f"{self.name} ended before it could be told: {line}") from None

    def finish(self, bound_s=HANG_S):
        """Waits for the child to end by itself; its exit status."""
        try:
            status = self._child.wait(bound_s)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {bound_s:g} s") from None
        self._reader.join(HANG_S)
        return status

    def signal(self, number):
        self._child.send_signal(number)

    def pause(self):
        """Stops the child where it stands: its connections stay open and silent."""
        self.signal(signal.SIGSTOP)

    def close_stdin(self):
        self._child.stdin.close()

    def kill(self):
        self._child.kill()
        self._child.wait()
        self._reader.join(HANG_S)
        if not self._child.stdin.closed:
            try:
                self._child.stdin.close()
            except BrokenPipeError:
                pass

    def transcript(self, lines_max=60):
        lines = self.lines()
        kept = lines[-lines_max:]
        skipped = [f"... {len(lines) - len(kept)} earlier lines"] if len(kept) < len(lines) else []
        ending = "running" if self.is_running else f"exit status {self._child.returncode}"
        head = f"{self.name} ({ending}): {shlex.join(self.command)}"
        return "\n".join([head] + ["    " + line for line in skipped + kept])


class ConfiguredBroker(Process):
    """A broker for one block, from a configuration that the class writes to `_directory`, a TemporaryDirectory of its own.
    It has to end in good order."""

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.signal(signal.SIGTERM)
            status = self.finish()
            if kind is None:
                expect_equal(status, 0, f"the broker's exit status\n{self.transcript()}\n")
        finally:
            self.kill()
            self._directory.cleanup()


class Broker(Process):
    """`nightjar serve` on a free loopback port with an empty data directory, ready when this returns."""

    # The workers share the clients from the start, so that every case may cross from one to the other.
    def __init__(self, extra=(), port=None, data=None, wait=True, **options):
        self.port = port or free_port()
        self._own_data = None if data else tempfile.TemporaryDirectory(prefix="nightjar-e2e-")
        self.data = data or self._own_data.name
        super().__init__([BINARY, "serve", "--placement", "spread", "-p", str(self.port), "--data", self.data, *extra],
                         name="broker", **options)
        if wait:
            wait_until(self._answers, "the broker to accept connections")

    def _answers(self):
        expect(self.is_running, f"the broker ended at start\n{self.transcript()}")
        try:
            socket.create_connection((HOST, self.port), 1).close()
            return True
        except OSError:
            return False

    def cpu_ticks(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def end(self):
        """Ends a broker that several cases used; why that did not go in good order, or None. What a case left in a
        bad state shows at the latest here, leaks that a sanitizer reports as well."""
        problem = None
        if self.is_running:
            self.signal(signal.SIGTERM)
        try:
            status = self.finish()
            if status != 0:
                problem = f"the broker ended with status {status}\n{self.transcript()}"
        except Failure as failure:
            problem = str(failure)
        self.dispose()
        return problem

    def dispose(self):
        self.kill()
        if self._own_data:
            self._own_data.cleanup()


_authority = None


def shared_authority():
    """The authority that issued the certificate of the shared broker, as a PEM file."""
    return _authority


class SharedBroker(Broker):
    """The broker of all cases that need none of their own: TCP, WebSocket, and both in TLS, on one port."""

    def __init__(self):
        global _authority
        self._directory = tempfile.TemporaryDirectory(prefix="nightjar-e2e-")
        pki = pathlib.Path(self._directory.name) / "pki"
        subprocess.run([BINARY, "tls", "init", pki, "--name", "localhost", "--ip", HOST], check=True,
                       stdout=subprocess.DEVNULL)
        _authority = str(pki / "ca.pem")
        config = pathlib.Path(self._directory.name) / "nightjar.toml"
        config.write_text((HERE / "every_transport.toml").read_text().replace("{pki}", str(pki)))
        super().__init__(["-c", str(config)])

    def dispose(self):
        super().dispose()
        self._directory.cleanup()


class Case:
    """One run of one case: names of its own, and every process it started, for the report and the end."""

    _serial = itertools.count(1)

    def __init__(self, name, broker, agents):
        self.name = name
        self.broker = broker
        self.port = broker.port
        self.topic = "e2e/" + name
        self._agents = agents
        self._taken = []
        self._spawned = []
        self._brokers = []
        self._directory = None
        self._sockets = []
        self._last_steps = []
        self.trace = []  # packets of raw connections
        self.figures = ""  # what a measuring case found

    def client_id(self, role):
        # 3.1 allows 23 characters, so ids are short; the counter keeps them apart from other cases.
        return f"{role}{next(Case._serial)}"

    def agent(self, kind):
        agent = self._agents.take(kind)
        self._taken.append(agent)
        return agent

    def page(self, protocol, **options):
        """A page of its own in the browser; see browser.Page."""
        page = self._agents.open_page(protocol, **options)
        self._spawned.append(page)
        return page

    def spawn(self, command, name=None, **options):
        process = Process(command, name, **options)
        self._spawned.append(process)
        return process

    def run(self, command, name=None, stdin=None, **options):
        """Runs a command to its end; its lines. A failing exit status fails the case."""
        process = self.spawn(command, name, **options)
        for line in stdin or ():
            process.send(line)
        process.close_stdin()
        status = process.finish()
        expect(status == 0, f"{process.name} ended with status {status}")
        return process.lines()

    def directory(self):
        """A directory of this case's own."""
        if not self._directory:
            self._directory = tempfile.TemporaryDirectory(prefix="nightjar-e2e-")
        return pathlib.Path(self._directory.name)

    def file(self, name, content):
        path = self.directory() / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def start_broker(self, *extra, **options):
        broker = Broker(extra, wait=False, **options)
        self._brokers.append(broker)
        wait_until(broker._answers, "the broker to accept connections")
        return broker

    def release(self, *agents):
        """Lets later parts of the same case use these disconnected agents again."""
        for agent in agents:
            self._taken.remove(agent)
            self._agents.give_back(agent, reusable=True)

    def close_at_end(self, connection):
        self._sockets.append(connection)

    def at_end(self, step):
        """Does it when everything that the case started is gone, the last one first."""
        self._last_steps.append(step)

    def transcripts(self):
        own = [process.transcript() for process in [*self._taken, *self._spawned, *self._brokers]]
        if self.trace:
            own.append("\n".join(["packets"] + ["    " + line for line in self.trace[-60:]]))
        return own + ([self.broker.transcript(15)] if not self._brokers else [])

    def close(self, failed):
        for connection in self._sockets:
            connection.close()
        for agent in self._taken:
            self._agents.give_back(agent, reusable=not failed)
        for process in self._spawned:
            if process.is_running:
                process.kill()
        for broker in self._brokers:
            broker.dispose()
        for step in reversed(self._last_steps):
            step()
        if self._directory:
            self._directory.cleanup()


CASES = {}
ALONE = set()
IN_BROWSER = set()


def case(name, alone=False, in_browser=False):
    """Registers a case. `alone`: it loads the machine or watches its own CPU, so nothing runs beside it. `in_browser`: it
    needs one, and is run when it is asked for only."""
    def register(function):
        assert name not in CASES, name
        CASES[name] = function
        if alone:
            ALONE.add(name)
        if in_browser:
            IN_BROWSER.add(name)
        return function
    return register


def run_functions(functions, pattern, *arguments):
    """Calls those with `pattern` in their names, and says what fails; how many passed, and failed."""
    passed = failed = 0
    for function in functions:
        if pattern not in function.__name__:
            continue
        problem = None
        try:
            function(*arguments)
        except (Failure, subprocess.TimeoutExpired) as failure:
            problem = str(failure)
        except Exception as failure:  # a case that breaks must not take the others with it
            problem = f"{type(failure).__name__}: {failure}\n{traceback.format_exc()}"
        passed, failed = passed + (problem is None), failed + (problem is not None)
        if problem:
            print(f"FAILED {function.__name__}: {problem}", flush=True)
    return passed, failed
