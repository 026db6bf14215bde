"""The other side of a test with controllers: a fast client on a plain listener that writes down what it gets and knows
what of its own was acknowledged. A thread of its own reads; any thread may publish."""
import collections
import pathlib
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from conformance import wire  # noqa: E402
from crash import codec  # noqa: E402
from harness import HANG_S, HOST, Failure, expect, wait_until  # noqa: E402

IN_FLIGHT_MAX = 500


class Plant:
    def __init__(self, port, topic_filter):
        self.received = collections.defaultdict(list)  # topic: payloads, in order
        self.problem = None
        self._lock = threading.Lock()
        self._unacknowledged = set()  # packet ids
        self._unreleased = set()      # QoS 2, received
        self._last_id = 0
        self._socket = socket.create_connection((HOST, port), HANG_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(None)
        self._is_subscribed = threading.Event()
        self._socket.sendall(wire.connect(wire.V311, "plant", keep_alive=0)
                             + wire.subscribe(wire.V311, 65535, [(topic_filter, 2)]))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        expect(self._is_subscribed.wait(HANG_S), "SUBACK of the plant")

    def publish(self, topic, payload, qos, retain=False):
        """Sends it; wait_acknowledged() waits until the broker has taken everything."""
        wait_until(lambda: self.problem or len(self._unacknowledged) < IN_FLIGHT_MAX, "acknowledgements of the plant")
        with self._lock:
            packet_id = 0
            if qos:
                while True:
                    self._last_id = self._last_id % 60000 + 1
                    if self._last_id not in self._unacknowledged:
                        break
                packet_id = self._last_id
                self._unacknowledged.add(packet_id)
                packet = codec.publish(wire.V311, topic.encode(), payload, qos, packet_id, False, retain)
            else:
                packet = wire.publish(wire.V311, topic, payload, retain=retain)
            self._socket.sendall(packet)

    def wait_acknowledged(self):
        wait_until(lambda: self.problem or not self._unacknowledged, "the acknowledgements of the plant")
        if self.problem:
            raise Failure(self.problem)

    def close(self):
        self._socket.close()

    def _read(self):
        splitter = codec.Splitter()
        try:
            while data := self._socket.recv(1 << 16):
                answers = [self._on_packet(first, body) for first, body in splitter.feed(data)]
                answers = b"".join(answer for answer in answers if answer)
                if answers:
                    with self._lock:
                        self._socket.sendall(answers)
        except OSError:
            pass
        self.problem = self.problem or "the broker has closed the connection of the plant"

    def _on_packet(self, first, body):
        kind = first >> 4
        if kind == wire.PUBLISH:
            return self._on_publish(first >> 1 & 3, body)
        if kind == wire.PUBREL:
            packet_id = codec.read_ack(body)[0]
            self._unreleased.discard(packet_id)
            return codec.ack(wire.PUBCOMP, packet_id)
        if kind == wire.PUBREC:
            return codec.ack(wire.PUBREL, codec.read_ack(body)[0])
        if kind in (wire.PUBACK, wire.PUBCOMP):
            self._unacknowledged.discard(codec.read_ack(body)[0])
        elif kind == wire.SUBACK:
            self._is_subscribed.set()
        return None

    def _on_publish(self, qos, body):
        topic, packet_id, payload = codec.read_publish(body, qos, wire.V311)
        if qos == 2 and packet_id in self._unreleased:
            return codec.ack(wire.PUBREC, packet_id)
        self.received[topic.decode()].append(payload)
        if qos == 2:
            self._unreleased.add(packet_id)
        return codec.ack(wire.PUBREC if qos == 2 else wire.PUBACK, packet_id) if qos else None
