#!/usr/bin/python3
"""Measures what a durable store costs when there is much in it, and proves that all of it is there.

    bench/durability.py queues      10 000 sessions with 2 000 messages of 256 B each: start, memory, and all of them delivered
    bench/durability.py retained    1 000 000 retained messages to one new subscriber of #, beside paced traffic
    bench/durability.py sessions    start with 1 000 000 sessions of one subscription each
    bench/durability.py acks        PUBACK latency when receivers are away: quiet, flood, and until 20 GiB are written

Each has --sessions, --messages and so on for a smaller run. The broker is build/release/nightjar or $NIGHTJAR_BIN, with
its default settings but for limits that the run itself would break; it is killed and started on the same data. The exit
status is 1 if anything is missing, comes twice or out of order.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.environ.get("NIGHTJAR_BIN", str(ROOT / "build/release/nightjar"))
HOST = "127.0.0.1"
START_BOUND_S = 300.0
SILENCE_BOUND_S = 120.0
RECEIVE_BYTES = 1 << 18
MIB = 1 << 20
BESIDE_REPLAY_S = 10  # as long as a million retained messages take beside traffic


class Missing(Exception):
    """Something that must be there is not."""


# ---- packets ----

def text(value):
    return struct.pack(">H", len(value)) + value


def packet(first, body):
    length, size = bytearray(), len(body)
    while True:
        length.append((size & 127) | (128 if size > 127 else 0))
        size >>= 7
        if not size:
            return bytes([first]) + bytes(length) + body


def connect(client_id, clean=False):
    return packet(0x10, text(b"MQTT") + bytes([4, 2 if clean else 0, 0, 0]) + text(client_id))


def subscribe(topic_filter, qos):
    return packet(0x82, b"\x00\x01" + text(topic_filter) + bytes([qos]))


def publish(topic, payload, packet_id, retain=False):
    return packet(0x32 | retain, text(topic) + struct.pack(">H", packet_id) + payload)


DISCONNECT = b"\xe0\x00"


# ---- the broker ----

class Broker:
    running = []  # what is left of these ends with the run

    def __init__(self, directory, options=()):
        self._directory, self._options = directory, options
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self.port = probe.getsockname()[1]
        self.process = None

    def start(self):
        """Returns the seconds until a client has its CONNACK."""
        begin = time.monotonic()
        log = open(self._directory / "broker.log", "ab")
        self.process = subprocess.Popen(
            [BINARY, "serve", "-p", str(self.port), "--data", str(self._directory / "data"), *self._options],
            stdout=log, stderr=log)
        log.close()
        Broker.running.append(self)
        while time.monotonic() - begin < START_BOUND_S:
            if self.process.poll() is not None:
                raise Missing(f"the broker ended: {(self._directory / 'broker.log').read_text()[-2000:]}")
            try:
                with socket.create_connection((HOST, self.port), timeout=START_BOUND_S) as peer:
                    peer.sendall(connect(b"first", clean=True))
                    if peer.recv(4):
                        return time.monotonic() - begin
            except OSError:
                time.sleep(0.01)
        raise Missing(f"no CONNACK within {START_BOUND_S:g} s")

    def kill(self):
        Broker.running.remove(self)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _status(self, key):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
        raise Missing(key)

    def resident(self):
        return self._status("VmRSS")

    def resident_peak(self):
        return self._status("VmHWM")

    def written(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/io").read_text().splitlines():
            if line.startswith("write_bytes"):
                return int(line.split()[1])
        raise Missing("write_bytes")

    def store_figures(self):
        done = subprocess.run([BINARY, "ctl", "stats", "--json", "--data", str(self._directory / "data")],
                              capture_output=True, check=True)
        return json.loads(done.stdout)["store"]

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- clients ----

class Peer:
    """One connection of a Crowd. `on_bytes` gets what was received and not used, and returns what is left of it."""

    def __init__(self, port, on_bytes, first):
        self.socket = socket.create_connection((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.on_bytes = on_bytes
        self.received = b""
        self.out = bytearray(first)

    def flush(self):
        while self.out:
            try:
                sent = self.socket.send(self.out)
            except BlockingIOError:
                return
            del self.out[:sent]


class Crowd:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.peers = set()
        self.last_heard = time.monotonic()

    def add(self, peer):
        self.peers.add(peer)
        peer.flush()
        self.selector.register(peer.socket, selectors.EVENT_READ, peer)

    def leave(self, peer):
        self.peers.discard(peer)
        self.selector.unregister(peer.socket)
        peer.socket.close()

    def turn(self, timeout=1.0):
        ready = self.selector.select(timeout)
        if ready:
            self.last_heard = time.monotonic()
        elif time.monotonic() - self.last_heard > SILENCE_BOUND_S:
            raise Missing(f"nothing came for {SILENCE_BOUND_S:g} s")
        for key, _ in ready:
            peer = key.data
            data = peer.socket.recv(RECEIVE_BYTES)
            if not data:
                raise Missing("the broker closed a connection")
            peer.received = peer.on_bytes(peer, peer.received + data)
            if peer in self.peers:
                peer.flush()
        # What the sockets did not take at once.
        for peer in [each for each in self.peers if each.out]:
            peer.flush()


def begin_sessions(port, names, topic_filter_of, at_once=200):
    """Sessions that are kept, each with one subscription at QoS 1, and gone again."""
    crowd, names = Crowd(), iter(names)
    left = True

    def on_bytes(peer, data):
        if len(data) < 4 + 5:  # CONNACK and SUBACK
            return data
        if data[:4] != b"\x20\x02\x00\x00" or data[4:9] != b"\x90\x03\x00\x01\x01":
            raise Missing(f"a session began with {data.hex()}")
        peer.socket.sendall(DISCONNECT)
        crowd.leave(peer)
        return b""

    while left or crowd.peers:
        while left and len(crowd.peers) < at_once:
            name = next(names, None)
            if name is None:
                left = False
                break
            crowd.add(Peer(port, on_bytes, connect(name) + subscribe(topic_filter_of(name), 1)))
        if crowd.peers:
            crowd.turn()


class Publisher:
    """Sends messages at QoS 1 with a window, as fast as that goes."""

    def __init__(self, crowd, port, name, messages, window):
        self.messages, self.window = iter(messages), window
        self.is_done = False
        self._under_way, self._last_id = set(), 0
        self._is_accepted = False
        self.peer = Peer(port, self._on_bytes, connect(name, clean=True))
        crowd.add(self.peer)

    def _on_bytes(self, peer, data):
        if not self._is_accepted:
            if len(data) < 4:
                return data
            self._is_accepted, data = True, data[4:]
        whole = len(data) // 4 * 4
        for first, packet_id in struct.iter_unpack(">HH", data[:whole]):
            if first != 0x4002:
                raise Missing(f"PUBACK expected, {first:04x} came")
            self._under_way.remove(packet_id)
        self._pump()
        return data[whole:]

    def _pump(self):
        while len(self._under_way) < self.window:
            message = next(self.messages, None)
            if message is None:
                self.is_done = not self._under_way
                return
            self._last_id = self._last_id % 65535 + 1
            while self._last_id in self._under_way:
                self._last_id = self._last_id % 65535 + 1
            topic, payload, retain = message
            self._under_way.add(self._last_id)
            self.peer.out += publish(topic, payload, self._last_id, retain)


def publish_all(port, messages, window, name=b"publisher"):
    crowd = Crowd()
    publisher = Publisher(crowd, port, name, messages, window)
    begin = time.monotonic()
    while not publisher.is_done:
        crowd.turn()
    crowd.leave(publisher.peer)
    return time.monotonic() - begin, publisher


def say(line):
    print(line, flush=True)


# ---- what is measured ----

def queues(given, directory):
    topic, filler = b"queues/all", b"." * (given.size - 4)
    broker = Broker(directory)
    broker.start()
    names = [b"session-%06d" % number for number in range(given.sessions)]
    begin_sessions(broker.port, names, lambda _: b"queues/#")
    messages = ((topic, struct.pack(">I", number) + filler, False) for number in range(given.messages))
    seconds, _ = publish_all(broker.port, messages, window=20)
    total = given.sessions * given.messages
    say(f"queued {total} messages of {given.size} B for {given.sessions} sessions in {seconds:.1f} s: {total / seconds:.0f}/s, "
        f"{broker.written() / total:.0f} B written and {broker.cpu_s() * 1e6 / total:.2f} us CPU each, "
        f"{broker.resident() / MIB:.0f} MiB resident")
    broker.kill()
    start_s = broker.start()
    say(f"killed and started: accepts after {start_s:.1f} s with {broker.resident() / MIB:.0f} MiB resident, "
        f"{broker.resident_peak() / MIB:.0f} MiB at most")
    begin, cpu_s = time.monotonic(), broker.cpu_s()
    drain(broker, names, topic, given)
    seconds = time.monotonic() - begin
    say(f"delivered {total}, complete and in order, in {seconds:.1f} s: {total / seconds:.0f}/s, "
        f"{(broker.cpu_s() - cpu_s) * 1e6 / total:.2f} us CPU each, {broker.resident_peak() / MIB:.0f} MiB resident at most")
    broker.kill()


def drain(broker, names, topic, given, at_once=500):
    """All sessions, so many at a time, until each has its messages."""
    head = 2 + len(topic)  # of the variable header, before the packet id
    size = len(publish(topic, b"." * given.size, 1))
    shape = struct.Struct(f">{size - head - 2 - given.size}x{head}x2sI{given.size - 4}x")
    crowd, waiting = Crowd(), iter(names)
    expected = {}

    def on_bytes(peer, data):
        if expected[peer] < 0:
            if len(data) < 4:
                return data
            if data[:4] != b"\x20\x02\x01\x00":
                raise Missing(f"CONNACK with a session expected, {data[:4].hex()} came")
            expected[peer], data = 0, data[4:]
        count = len(data) // size
        if count == 0:
            return data
        ids, numbers = zip(*shape.iter_unpack(data[:count * size]))
        first = expected[peer]
        if numbers != tuple(range(first, first + count)):
            raise Missing(f"{first} and on expected, {numbers[:5]} came")
        peer.out += b"".join([b"\x40\x02" + packet_id for packet_id in ids])
        expected[peer] += count
        if expected[peer] == given.messages:
            peer.flush()
            peer.socket.setblocking(True)
            peer.socket.sendall(bytes(peer.out) + DISCONNECT)
            crowd.leave(peer)
            return b""
        return data[count * size:]

    has_more = True
    while has_more or crowd.peers:
        while has_more and len(crowd.peers) < at_once:
            name = next(waiting, None)
            if name is None:
                has_more = False
                break
            peer = Peer(broker.port, on_bytes, connect(name))
            expected[peer] = -1
            crowd.add(peer)
        if crowd.peers:
            crowd.turn()


def sessions(given, directory):
    broker = Broker(directory)
    broker.start()
    begin = time.monotonic()
    begin_sessions(broker.port, (b"session-%07d" % number for number in range(given.sessions)),
                   lambda name: b"plant/" + name)
    seconds = time.monotonic() - begin
    say(f"{given.sessions} sessions begun in {seconds:.0f} s: {given.sessions / seconds:.0f}/s, "
        f"{broker.resident() / MIB:.0f} MiB resident")
    broker.kill()
    start_s = broker.start()
    say(f"killed and started: accepts after {start_s:.1f} s with {broker.resident() / MIB:.0f} MiB resident, "
        f"{broker.resident_peak() / MIB:.0f} MiB at most")
    with socket.create_connection((HOST, broker.port)) as peer:
        peer.sendall(connect(b"session-%07d" % (given.sessions - 1)))
        if peer.recv(4) != b"\x20\x02\x01\x00":
            raise Missing("the last session is not there")
    broker.kill()


def paced(port, seconds, json_file):
    """Traffic of others beside what is measured, as `nightjar bench` makes and measures it."""
    return subprocess.Popen([BINARY, "bench", "p2p", "-p", str(port), "-r", "2000", "-d", str(seconds), "--warmup", "1",
                             "--publishers", "10", "--subscribers", "10", "--quiet", "--json", str(json_file)])


def p99_of(process, json_file):
    if process.wait() != 0:
        raise Missing("the paced traffic was not clean")
    return json.loads(json_file.read_text())["phases"][0]["latency_us"]["p99"]


def retained(given, directory):
    broker = Broker(directory)
    broker.start()
    payload = b"." * 64
    seconds, _ = publish_all(broker.port, ((b"retained/%07d" % number, payload, True) for number in range(given.messages)), 1000)
    say(f"{given.messages} retained messages stored in {seconds:.0f} s: {given.messages / seconds:.0f}/s, "
        f"{broker.resident() / MIB:.0f} MiB resident")
    json_file = directory / "paced.json"
    process = paced(broker.port, 5, json_file)
    idle = p99_of(process, json_file)
    before = broker.resident()
    process = paced(broker.port, BESIDE_REPLAY_S, json_file)
    time.sleep(2)  # into the measured time
    seconds, growth = read_retained(broker, given, before)
    beside = p99_of(process, json_file)
    say(f"delivered to one new subscriber of #, complete, in {seconds:.1f} s: {given.messages / seconds:.0f}/s; resident memory "
        f"grew by {growth / MIB:.0f} MiB; p99 of others {beside:.0f} us, {idle:.0f} us without ({beside / idle:.1f}x)")
    broker.kill()


def read_retained(broker, given, before):
    """Takes what comes as it comes and looks at it afterwards, so that little of the machine goes to this side."""
    word = b"retained/"
    peer = socket.create_connection((HOST, broker.port))
    begin, looked_at, peak = time.monotonic(), 0.0, before
    peer.sendall(connect(b"newcomer", clean=True) + subscribe(b"#", 0))
    chunks, last, left = [], b"", given.messages
    while left > 0:
        data = peer.recv(1 << 20)
        if not data:
            raise Missing(f"closed with {left} messages missing")
        chunks.append(data)
        left -= (last + data).count(word)  # others' messages come as well
        last = data[-len(word) + 1:]
        if time.monotonic() - looked_at > 0.02:
            looked_at = time.monotonic()
            peak = max(peak, broker.resident())
    seconds = time.monotonic() - begin
    peer.sendall(DISCONNECT)
    peer.close()
    numbers = [int(number) for number in re.findall(word + rb"(\d{7})", b"".join(chunks))]
    if sorted(numbers) != list(range(given.messages)):
        raise Missing("some retained messages did not come, and some twice")
    return seconds, peak - before


class Offline:
    """`nightjar bench offline`: messages for clients that are away, which then come back and take them all."""

    def __init__(self, broker, given, messages, rate=0):
        with tempfile.TemporaryDirectory() as directory:
            json_file = pathlib.Path(directory) / "result.json"
            self._watched = Compactions(broker)
            done = subprocess.run(
                [BINARY, "bench", "offline", "-q", "1", "-p", str(broker.port), "-s", str(given.size), "-n", str(messages),
                 "-r", str(rate), "--publishers", str(given.publishers), "--inflight", "100", "--pid",
                 str(broker.process.pid), "--quiet", "--json", str(json_file)], check=False)
            self.compacting, self.samples = self._watched.end()
            if done.returncode != 0:
                raise Missing("messages for clients that were away")
            self.into, self.out = json.loads(json_file.read_text())["phases"]

    def us(self, quantile):
        return self.into["acknowledgement_us"][quantile]

    def say(self, what):
        into, out = self.into, self.out
        say(f"{what}: {into['per_s']:.0f}/s of {into['count']}, acknowledged after p50 {self.us('p50') / 1e3:.2f} ms, p99 "
            f"{self.us('p99') / 1e3:.2f} ms, at most {self.us('max') / 1e3:.0f} ms; {into['broker']['cpu_us']:.2f} us CPU a "
            f"message; taken out complete and in order at {out['per_s']:.0f}/s")


class Compactions:
    """How often one was running, looked at four times a second."""

    def __init__(self, broker):
        self._broker, self._running, self._looks = broker, 0, 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self):
        while not self._end.wait(0.25):
            try:
                self._running += self._broker.store_figures()["compactions_running"] > 0
                self._looks += 1
            except subprocess.CalledProcessError:
                pass  # it had no time to answer

    def end(self):
        self._end.set()
        self._thread.join()
        return self._running, self._looks


def plain_append(directory, bytes_total, writes):
    """Seconds of a program that does nothing but append as many bytes in as many pieces, each with fdatasync."""
    piece = os.urandom(max(1, bytes_total // writes))
    file = os.open(directory / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    begin = time.monotonic()
    for _ in range(writes):
        os.write(file, piece)
        os.fdatasync(file)
    seconds = time.monotonic() - begin
    os.close(file)
    (directory / "plain").unlink()
    return seconds


def acks(given, directory):
    config = directory / "nightjar.toml"
    config.write_text('[queue]\nmax_messages = 100000000\nmax_bytes = "200GiB"\n')
    broker = Broker(directory, ["-c", str(config)])
    broker.start()
    quiet = Offline(broker, given, given.quiet * 10, given.quiet)
    quiet.say(f"{given.quiet}/s, a quiet store")
    before, written = broker.store_figures(), broker.written()
    flood = Offline(broker, given, given.flood)
    each = (broker.written() - written) / given.flood
    flood.say("flood, windows of 100")
    figures = {name: value - before[name] for name, value in broker.store_figures().items()}
    seconds = plain_append(directory, figures["written_bytes"], figures["writes"])
    say(f"  {figures['written_bytes'] / figures['writes'] / 1024:.0f} KiB a write and {each:.0f} B written a message, in and out; appending "
        f"these with fdatasync and nothing else: {given.flood / seconds:.0f} messages a second")
    before, written = broker.store_figures(), broker.written()
    peak = flood.into["per_s"]
    late = Offline(broker, given, int((given.gib << 30) / each), int(peak / 2))
    late.say("half of that rate")
    figures = {name: value - before[name] for name, value in broker.store_figures().items()}
    first = sorted(each["acknowledged_p99_us"] for each in late.into["intervals"])
    say(f"  {(broker.written() - written) / (1 << 30):.1f} GiB written, {figures['flushed_bytes'] / (1 << 30):.1f} of them from "
        f"memory to tables and {figures['compacted_bytes'] / (1 << 30):.1f} by compactions, one of which ran in "
        f"{late.compacting} of {late.samples} looks, {figures['stalls']} stalls; p99 of each stretch of {late.into['intervals'][0]['end_s']:.0f} s: least {first[0] / 1e3:.1f} ms, half of them below "
        f"{first[len(first) // 2] / 1e3:.1f} ms, most {first[-1] / 1e3:.1f} ms")
    broker.kill()


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    for act, options in ((queues, {"sessions": 10_000, "messages": 2_000, "size": 256}),
                         (retained, {"messages": 1_000_000}),
                         (sessions, {"sessions": 1_000_000}),
                         (acks, {"publishers": 64, "size": 64, "gib": 20, "flood": 4_000_000, "quiet": 2000})):
        part = parts.add_parser(act.__name__)
        part.set_defaults(act=act)
        for name, default in options.items():
            part.add_argument(f"--{name}", type=int, default=default)
        part.add_argument("--directory", type=pathlib.Path, help="for the data [a temporary one]")
    return parser.parse_args(words)


def main():
    given = parse(None)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with tempfile.TemporaryDirectory(dir=given.directory, prefix="nightjar-durability-") as directory:
        try:
            given.act(given, pathlib.Path(directory))
        except Missing as missing:
            say(f"FAILED: {missing}")
            return 1
        finally:
            for broker in list(Broker.running):
                broker.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
