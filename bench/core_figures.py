#!/usr/bin/env python3
"""First figures of the core, on loopback: CPU of the broker per message with 1 and 2 workers, and resident memory per
idle connection. Read them as ratios of one run.

  bench/core_figures.py [BINARY]        default: build/release/nightjar; takes about a minute
"""
import os
import pathlib
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build/release/nightjar")
TICKS = os.sysconf("SC_CLK_TCK")
PAIRS = 10
MESSAGES_PER_PAIR = 200_000
PAYLOAD = b"x" * 64


def text(value):
    return len(value).to_bytes(2, "big") + value


def packet(kind, body):
    length, size = bytearray(), len(body)
    while True:
        length.append((size & 127) | (128 if size > 127 else 0))
        size >>= 7
        if not size:
            return bytes([kind]) + bytes(length) + body


def connect(port, client_id):
    peer = socket.create_connection(("127.0.0.1", port))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.sendall(packet(0x10, text(b"MQTT") + b"\x04\x02\x00\x00" + text(client_id.encode())))
    assert peer.recv(4) == b"\x20\x02\x00\x00", "CONNECT was not accepted"
    return peer


class Broker:
    def __init__(self, workers):
        self.data = tempfile.TemporaryDirectory()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [BINARY, "serve", "-p", str(self.port), "--data", self.data.name, "--workers", str(workers)],
            stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                self.process.poll()

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        raise RuntimeError("no VmRSS")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.data.cleanup()


def flood(workers):
    """Each publisher to one subscriber at QoS 0, as fast as a window of whole buffers lets it."""
    broker = Broker(workers)
    one = packet(0x30, text(b"bench/00") + PAYLOAD)
    batch = 500
    buffer = one * batch
    received = [0] * PAIRS

    def subscribe(number, peer):
        while received[number] < MESSAGES_PER_PAIR * len(one):
            data = peer.recv(1 << 20)
            if not data:
                return
            received[number] += len(data)

    subscribers, threads, publishers = [], [], []
    for n in range(PAIRS):
        topic = b"bench/%02d" % n
        peer = connect(broker.port, f"s{n}")
        peer.sendall(packet(0x82, b"\x00\x01" + text(topic) + b"\x00"))
        assert peer.recv(5) == b"\x90\x03\x00\x01\x00"
        subscribers.append(peer)
        publishers.append(connect(broker.port, f"p{n}"))
        threads.append(threading.Thread(target=subscribe, args=(n, peer), daemon=True))
    for thread in threads:
        thread.start()
    buffers = [buffer.replace(b"bench/00", b"bench/%02d" % n) for n in range(PAIRS)]
    begin = broker.cpu_s()
    window = 20 * len(buffer)  # unread by the subscriber: below what a connection may hold, so nothing is dropped
    sent = [0] * PAIRS
    total = MESSAGES_PER_PAIR * len(one)
    while min(sent) < total:
        moved = False
        for n in range(PAIRS):
            if sent[n] < total and sent[n] - received[n] < window:
                publishers[n].sendall(buffers[n])
                sent[n] += len(buffer)
                moved = True
        if not moved:
            os.sched_yield()
    for thread in threads:
        thread.join(60)
    spent = broker.cpu_s() - begin
    delivered = sum(received) // len(one)
    broker.stop()
    return spent / delivered * 1e6, delivered


def idle(points):
    broker = Broker(2)
    peers, sizes = [], []
    for point in points:
        while len(peers) < point:
            peers.append(connect(broker.port, f"idle{len(peers)}"))
        sizes.append(broker.resident_kib())
    before = broker.cpu_s()
    selectors.DefaultSelector().select(timeout=10)
    cpu = broker.cpu_s() - before
    for peer in peers:
        peer.close()
    broker.stop()
    return sizes, cpu


def main():
    for workers in (1, 2):
        runs = sorted(flood(workers)[0] for _ in range(3))
        print(f"{PAIRS} pairs, QoS 0, 64 B, {workers} worker(s): {runs[1]:.2f} µs CPU per message "
              f"(of three runs {runs[0]:.2f} to {runs[2]:.2f})")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    points = [p for p in (5_000, 15_000) if p < limit - 100]
    sizes, cpu = idle(points)
    for point, size in zip(points, sizes):
        print(f"{point} idle connections: {size} KiB resident")
    if len(sizes) == 2:
        slope = (sizes[1] - sizes[0]) * 1024 / (points[1] - points[0])
        print(f"slope: {slope:.0f} bytes a connection; CPU in 10 s of idleness: {cpu:.2f} s")


if __name__ == "__main__":
    main()
