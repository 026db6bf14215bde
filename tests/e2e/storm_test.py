#!/usr/bin/python3
"""A storm of TLS handshakes, as when a plant has its power back: everybody gets in, strangers stay within their budget,
and those who were there before lose nothing.

    storm_test.py [--handshakes N] [PATTERN]      500, unless told otherwise

The program comes from $NIGHTJAR_BIN, else build/release/nightjar. What is checked are counts and memory, never how fast
the machine is. The last line is `N passed, N failed`.
"""
import argparse
import json
import pathlib
import re
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

from harness import (BINARY, HANG_S, HOST, POLL_S, ConfiguredBroker, Failure, expect, expect_equal, free_port,
                     keeps_freed_memory, run_functions, wait_until)

MIB = 1 << 20
# Of the budget, TLS has three quarters, and of these a quarter is for those who wait.
HANDSHAKE_SHARE = 3 / 4 * 3 / 4
HANDSHAKE_BYTES = 48 * 1024
IDLE_BYTES_MAX = 20 * 1024  # promised for an established TLS connection
PACED_RATE = 500
CASES = []


def case(function):
    CASES.append(function)
    return function


class Plant(ConfiguredBroker):
    """A broker with a port without TLS, one with it, and one with it that gives its strangers a second."""

    def __init__(self, node=""):
        self._directory = tempfile.TemporaryDirectory(prefix="nightjar-storm-")
        self._folder = pathlib.Path(self._directory.name)
        pki, config = self._folder / "pki", self._folder / "nightjar.toml"
        self.authority = pki / "ca.pem"
        self.plain_port, self.tls_port, self.hasty_port = free_port(), free_port(), free_port()
        subprocess.run([BINARY, "tls", "init", pki, "--name", "localhost", "--ip", HOST], check=True,
                       stdout=subprocess.DEVNULL)
        certificate = f'[listener.tls]\ncertificate = "{pki}/server.pem"\nkey = "{pki}/server.key"\n'
        config.write_text(f'[node]\nlog_connections = false\n{node}\n' + "".join(
            f'[[listener]]\nname = "{name}"\naddress = "{HOST}"\nport = {port}\nallow_anonymous = true\n'
            f'connect_timeout = "{patience}"\n{tls}' for name, port, patience, tls in
            (("plain", self.plain_port, "60s", ""), ("secure", self.tls_port, "60s", certificate),
             ("hasty", self.hasty_port, "1s", certificate))))
        self.data = self._folder / "data"
        super().__init__([BINARY, "serve", "-c", config, "--data", self.data], "broker")
        self.wait_line(f"listening on .*:{self.hasty_port}")

    def stats(self):
        done = subprocess.run([BINARY, "ctl", "--data", self.data, "stats", "--json"], capture_output=True, text=True,
                              timeout=HANG_S)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def stranger_bytes(self):
        stats = self.stats()
        return stats and stats["node"]["stranger_bytes"]

    def messages(self):
        stats = self.stats()
        return stats["total"]["publish_received"] if stats else 0

    def _status(self, key):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE).group(1)) * 1024

    def resident(self):
        return self._status("VmRSS")

    def resident_peak(self):
        return self._status("VmHWM")

    def storm(self, handshakes, *options):
        """All of them at once. The result of the tool, by phase."""
        done = subprocess.run(
            [BINARY, "bench", "conn", "--url", f"mqtts://localhost:{self.tls_port}", "--cafile", self.authority,
             "--clients", str(handshakes), "--dialing", str(handshakes), "--hold", "0.1", "--json", "-", *options],
            capture_output=True, text=True, timeout=HANG_S * 10)
        expect_equal(done.returncode, 0, f"exit status of the storm: {done.stderr}\n{self.transcript()}\n")
        return {phase["name"]: phase for phase in json.loads(done.stdout)["phases"]}


class Watch:
    """What strangers hold, looked at over and over until the end of the block."""

    def __init__(self, plant):
        self.most = 0
        self._plant = plant
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self._is_over.is_set():
            self.most = max(self.most, self._plant.stranger_bytes() or 0)
            self._is_over.wait(POLL_S)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()


class Paced:
    """Fifty clients without TLS and their messages, for so long as a storm of this size takes at most."""

    def __init__(self, plant, handshakes):
        self._tool = subprocess.Popen(
            [BINARY, "bench", "p2p", "-p", str(plant.plain_port), "--publishers", "25", "--subscribers", "25", "-q", "1",
             "-r", str(PACED_RATE), "-d", str(3 + handshakes / 500), "--json", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda: plant.messages() > PACED_RATE / 10, "the paced messages")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self._tool.kill()
        output, errors = self._tool.communicate(timeout=HANG_S * 4)
        if kind is None:
            expect_equal(self._tool.returncode, 0, f"exit status of the paced load: {output.decode()}{errors.decode()}")


def expect_bounded(plant, before, handshakes, budget):
    if keeps_freed_memory(plant.pid):
        return
    grown = plant.resident_peak() - before
    # The heap has gaps, and workers have buffers.
    bound = budget + handshakes * IDLE_BYTES_MAX + 24 * MIB
    expect(grown <= bound, f"resident memory grew by {grown / MIB:.1f} MiB, at most {bound / MIB:.1f} expected")


# ---- cases ----

@case
def everybody_gets_in_and_nobody_is_lost(handshakes):
    with Plant() as plant:
        before = plant.resident()
        with Paced(plant, handshakes), Watch(plant) as watch:
            phases = plant.storm(handshakes, "--resume")
        for name in ("connect", "resume"):
            expect_equal(phases[name]["count"], handshakes, f"clients that got in by {name}")
        expect_equal(phases["connect"]["resumed"], 0, "resumed sessions at first")
        expect_equal(phases["resume"]["resumed"], handshakes, "resumed sessions then")
        expect(watch.most <= 64 * MIB, f"strangers held {watch.most}")
        expect_bounded(plant, before, handshakes, 64 * MIB)
        wait_until(lambda: plant.stranger_bytes() == 0, "strangers to hold nothing")


@case
def those_for_whom_there_is_no_room_wait(handshakes):
    """About one in fourteen fits into this budget at a time."""
    budget = handshakes * 6 * 1024
    with Plant(f"max_stranger_bytes = {budget}") as plant:
        before = plant.resident()
        with Watch(plant) as watch:
            phases = plant.storm(handshakes)
        expect_equal(phases["connect"]["count"], handshakes, "clients that got in")
        expect(0 < watch.most <= budget, f"strangers held {watch.most}, of {budget}")
        expect_bounded(plant, before, handshakes, budget)


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    stream = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        stream.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise Failure("a handshake without a server")


@case
def those_who_never_finish_hold_the_others_up_for_a_while_only(_):
    budget = MIB
    fit = int(budget * HANDSHAKE_SHARE) // HANDSHAKE_BYTES
    with Plant(f"max_stranger_bytes = {budget}") as plant:
        hello = client_hello()
        stuck = [socket.create_connection((HOST, plant.hasty_port), HANG_S) for _ in range(fit)]
        for each in stuck:
            each.sendall(hello)
        for each in stuck:
            expect(each.recv(1), "a ServerHello: the handshake has begun")
        phases = plant.storm(1)
        expect_equal(phases["connect"]["count"], 1, "the honest client that got in")
        for each in stuck:
            each.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--handshakes", type=int, default=500)
    parser.add_argument("pattern", nargs="?", default="")
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    passed, failed = run_functions(CASES, arguments.pattern, arguments.handshakes)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
