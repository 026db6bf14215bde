"""A storm of TLS handshakes beside fifty established clients: what it does to them, and what a handshake costs."""

import json
import socket
import statistics
import subprocess
import tempfile
import threading
import time

from figures import peers, ways

HANDSHAKES = 5_000
RATE = 2_000
PACED = ["p2p", "--publishers", "25", "--subscribers", "25", "-r", str(RATE), "--warmup", "1"]
BEFORE_S = 4
# Its own interval in the result of bench, when a phase is shorter than 20 s.
INTERVAL_S = 0.2
PATIENCE_S = 120
# A look is a process of its own, and must not be what the others notice.
LOOK_S = 0.1


def two_ports():
    """The first of two that follow each other and are free: a connection of somebody else may hold either."""
    while True:
        port = peers.free_port()
        try:
            with socket.socket() as next_one:
                next_one.bind((peers.HOST, port + 1))
        except OSError:
            continue
        return port


class Strangers(threading.Thread):
    """The most that strangers held, of what was seen."""

    def __init__(self, binary, data):
        super().__init__(daemon=True)
        self._words = ["nice", "-n", "19", binary, "ctl", "--data", data, "stats", "--json"]
        self._is_over = threading.Event()
        self.most = 0

    def run(self):
        while not self._is_over.wait(LOOK_S):
            done = subprocess.run(self._words, capture_output=True, text=True, timeout=PATIENCE_S)
            if done.returncode == 0:
                self.most = max(self.most, json.loads(done.stdout)["node"]["stranger_bytes"])

    def end(self):
        self._is_over.set()
        self.join()
        return self.most


def p99s(intervals, begin_s, end_s):
    return [each["p99_us"] for each in intervals if begin_s + INTERVAL_S <= each["end_s"] <= end_s and each["p99_us"]]


def storm(binary, broker, port, folder):
    """The tool's clients are not part of the machine that is measured, so that it steps back behind everybody else."""
    done = subprocess.run(["nice", "-n", "19", binary, "bench", "conn", "--url", f"mqtts://localhost:{port + 1}", "--cafile",
                           f"{folder}/pki/ca.pem", "--clients", str(HANDSHAKES), "--dialing", str(HANDSHAKES), "--hold", "0",
                           "--pid", str(broker.pid), "--json", "-"], check=True, capture_output=True, timeout=PATIENCE_S)
    return json.loads(done.stdout)["phases"][0]


def beside(binary, broker, port, folder, storm_s):
    words = [binary, "bench", *PACED, "-p", str(port), "-d", str(BEFORE_S + storm_s), "--json", "-"]
    begin = time.monotonic()
    with subprocess.Popen(words, stdout=subprocess.PIPE) as paced:
        time.sleep(1 + BEFORE_S)
        strangers = Strangers(binary, f"{folder}/data")
        strangers.start()
        storm_began = time.monotonic() - begin - 1
        phase = storm(binary, broker, port, folder)
        most = strangers.end()
        output, _ = paced.communicate(timeout=PATIENCE_S)
    run = json.loads(output)["phases"][0]
    during = p99s(run["intervals"], storm_began, storm_began + phase["seconds"])
    before = p99s(run["intervals"], 0, storm_began)
    return {"p99 before": statistics.median(before), "p99 during": statistics.median(during),
            "lost": run["verification"]["lost"] + run["verification"]["lost_connections"],
            "seconds": phase["seconds"], "in": phase["count"], "connect p99": phase["latency_us"]["p99"],
            "stranger bytes": most}


def storm_round(binary, storm_s=12):
    """One storm; what it did, by name."""
    port = two_ports()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        words = ways.prepare(ways.BOTH, binary, port, folder)
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as broker:
            try:
                deadline = time.monotonic() + PATIENCE_S
                while True:
                    try:
                        peers.knock(port + 1)
                        break
                    except OSError:
                        if broker.poll() is not None or time.monotonic() > deadline:
                            raise
                        time.sleep(LOOK_S)
                return beside(binary, broker, port, folder, storm_s)
            finally:
                broker.terminate()


def rounds(binary, count):
    found = [storm_round(binary) for _ in range(count)]
    return {name: [float(f"{each[name]:.5g}") for each in found] for name in found[0]}
