"""6 MQTT over WebSocket, for both standards: the statements are the same. Always over a WebSocket listener of the
test's own, whatever the suite runs on."""

import os
import socket
import struct

from conformance import transport, wire
from conformance.broker import Broker
from conformance.suite import scenario, statement
from conformance.transport import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, frame
from conformance.wire import V5

CONFIGURATION = transport.LISTENER.replace("[[listener]]", '[[listener]]\nprotocol = "websocket"') + "%s\n"


class OwnBroker(Broker):
    """Not on the transport of the run."""

    def __init__(self, more=""):
        self._text = CONFIGURATION % more
        super().__init__()

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    def start(self):
        self.config = self._text
        super().start()

    def _accepts(self):
        try:
            socket.create_connection(self.address, timeout=1).close()
            return True
        except OSError:
            return False


def own_broker(t, more=""):
    broker = OwnBroker(more)
    t._brokers.append(broker)
    return broker


def tcp(broker):
    return socket.create_connection(broker.address, timeout=wire.DEFAULT_TIMEOUT_S)


def open_websocket(broker, **how):
    return transport.WebSocket(tcp(broker), **how)


def connected(t, broker):
    """An open WebSocket on which an MQTT client has connected."""
    opened = open_websocket(broker)
    opened.send_raw(frame(BINARY, wire.connect(V5, t.id("c%d" % next(t._ids)))))
    assert opened.recv(0)[0] >> 4 == wire.CONNACK
    return opened


def expect_close(opened, code):
    assert opened.recv(0) == b"", "MQTT where the end was expected"
    assert opened.close_code == code, "closed with %s, not %d" % (opened.close_code, code)
    opened.close()


def expect_refused(broker, status, **how):
    try:
        open_websocket(broker, **how)
    except transport.Refused as refused:
        assert refused.status == status, refused.answer
        return refused.answer
    raise AssertionError("the handshake was accepted")


def exchange(broker, data):
    """What the broker answers to these bytes until it ends the connection."""
    with tcp(broker) as connection:
        connection.sendall(data)
        answer = b""
        while True:
            try:
                more = connection.recv(1 << 16)
            except ConnectionError:
                return answer
            if not more:
                return answer
            answer += more


@statement("MQTT-6.0.0-1")
def text_frames_end_the_connection(t):
    broker = own_broker(t)
    opened = connected(t, broker)
    opened.send_raw(frame(TEXT, wire.pingreq()))
    expect_close(opened, 1003)


@statement("MQTT-6.0.0-2")
def packets_span_frames_and_frames_hold_packets(t):
    broker = own_broker(t)
    opened = open_websocket(broker)
    packets = wire.connect(V5, t.id()) + wire.pingreq() + wire.publish(V5, t.topic(), b"x" * 300, 1, packet_id=1)
    for size in (1, 2, 7, len(packets)):
        opened = open_websocket(broker)
        for at in range(0, len(packets), size):
            opened.send_raw(frame(BINARY, packets[at:at + size]))
        answer = b""
        while len(answer) < 8 or wire.packet(wire.PUBACK, 0, b"\0\1\x10") != answer[-5:]:
            more = opened.recv(0)
            assert more, answer
            answer += more
        assert answer[0] >> 4 == wire.CONNACK and wire.packet(wire.PINGRESP, 0, b"") in answer
        opened.close()


@statement("MQTT-6.0.0-3", "MQTT-6.0.0-4")
def the_subprotocol_mqtt_is_asked_for_and_selected(t):
    broker = own_broker(t)
    for offered, selected in (("mqtt", "mqtt"), ("chat, mqtt", "mqtt"), ("mqttv3.1,mqtt", "mqtt"),
                              ("mqttv3.1", "mqttv3.1")):
        opened = open_websocket(broker, subprotocol=offered)
        assert opened.fields["sec-websocket-protocol"] == selected
        opened.close()
    for offered in (None, "chat", "MQTT", "mqtt2"):
        assert b"400" in expect_refused(broker, 400, subprotocol=offered)


@scenario
def pings_are_answered_between_and_inside_messages(t):
    broker = own_broker(t)
    opened = open_websocket(broker)
    packet = wire.connect(V5, t.id())
    opened.send_raw(frame(PING, b"one") + frame(BINARY, packet[:5], flags=0) + frame(PING, b"t" * 125)
                    + frame(PONG, b"unasked") + frame(CONTINUATION, packet[5:9], flags=0)
                    + frame(CONTINUATION, b"", flags=0) + frame(CONTINUATION, packet[9:]))
    seen = b""
    expected = bytes([FIN | PONG, 3]) + b"one" + bytes([FIN | PONG, 125]) + b"t" * 125
    while len(seen) < len(expected) + 4:
        seen += opened._socket.recv(1 << 16)
    assert seen.startswith(expected) and seen[len(expected)] == FIN | BINARY, seen


@scenario
def a_close_is_answered_with_its_code(t):
    broker = own_broker(t)
    for payload, code in ((b"", 1005), (struct.pack("!H", 1000), 1000), (struct.pack("!H", 4321) + b"bye", 4321),
                          (struct.pack("!H", 1001), 1001), (b"\3", 1002), (struct.pack("!H", 1005), 1002),
                          (struct.pack("!H", 999), 1002), (struct.pack("!H", 1000) + b"\xc3\x28", 1007)):
        opened = connected(t, broker)
        opened.send_raw(frame(CLOSE, payload))
        expect_close(opened, code)


@scenario
def what_came_before_a_close_counts(t):
    broker = own_broker(t)
    watcher = connected(t, broker)
    watcher.send_raw(frame(BINARY, wire.subscribe(V5, 1, [(t.topic("#"), 0)])))
    assert watcher.recv(0)[0] >> 4 == wire.SUBACK
    leaving = open_websocket(broker)
    will = wire.Will(t.topic("will"), b"gone")
    leaving.send_raw(frame(BINARY, wire.connect(V5, t.id("leaving"), will=will)))
    assert leaving.recv(0)[0] >> 4 == wire.CONNACK
    leaving.send_raw(frame(BINARY, wire.publish(V5, t.topic("last"), b"words") + wire.disconnect(V5, 0)) + frame(CLOSE))
    assert leaving.recv(0) == b""
    again = open_websocket(broker)  # of the same client id, so what it publishes goes the same way as a will
    again.send_raw(frame(BINARY, wire.connect(V5, t.id("leaving")) + wire.publish(V5, t.topic("fence"), b"fence")))
    seen = b""
    while not seen.endswith(b"fence"):
        seen += watcher.recv(0)
    assert b"words" in seen and b"gone" not in seen, seen


@scenario
def frames_that_break_the_protocol_end_the_connection(t):
    broker = own_broker(t)
    ping = wire.pingreq()
    for broken in (frame(CONTINUATION, ping),                       # without a start
                   frame(BINARY, ping, flags=0) + frame(BINARY, ping),  # a start inside a message
                   frame(BINARY, ping, masked=False),
                   frame(BINARY, ping, flags=FIN | 0x40), frame(BINARY, ping, flags=FIN | 0x10),
                   frame(0x3, ping), frame(0xB, ping),              # opcodes of nothing
                   frame(PING, b"", flags=0), frame(PING, b"x" * 126), frame(CLOSE, b"x" * 126),
                   bytes([FIN | BINARY, 0x80 | 126, 0, 5]) + b"mask" + b"x" * 5,  # longer written than needed
                   bytes([FIN | BINARY, 0x80 | 127]) + struct.pack("!Q", 5) + b"mask" + b"x" * 5,
                   bytes([FIN | BINARY, 0x80 | 127]) + struct.pack("!Q", 1 << 63) + b"mask"):
        opened = connected(t, broker)
        opened.send_raw(broken)
        expect_close(opened, 1002)


@scenario
def a_shutdown_closes_in_good_order(t):
    broker = own_broker(t)
    opened = connected(t, broker)
    broker.terminate()
    assert opened.recv(0)[0] >> 4 == wire.DISCONNECT
    expect_close(opened, 1000)
    assert broker.wait() == 0


@scenario
def a_frame_of_many_megabytes_streams_through(t):
    broker = own_broker(t)
    opened = connected(t, broker)
    opened.send_raw(frame(BINARY, wire.subscribe(V5, 1, [(t.topic(), 0)])))
    assert opened.recv(0)[0] >> 4 == wire.SUBACK
    payload = os.urandom(8 << 20)
    opened.send_raw(frame(BINARY, wire.publish(V5, t.topic(), payload)))
    seen = b""
    while len(seen) < len(payload):
        more = opened.recv(0)
        assert more
        seen += more
    assert seen.endswith(payload)


@scenario
def handshakes_that_are_none_are_answered(t):
    broker = own_broker(t)
    good = ["GET /mqtt HTTP/1.1", "Host: b", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol: mqtt"]

    def status(*changes, end="\r\n\r\n"):
        lines = list(good)
        for old, new in changes:
            at = next(index for index, line in enumerate(lines) if line.startswith(old))
            lines[at:at + 1] = [new] if new is not None else []
        answer = exchange(broker, ("\r\n".join(lines) + end).encode("latin-1"))
        assert answer.startswith(b"HTTP/1.1 ") and b"\r\n\r\n" in answer, answer
        return int(answer.split(b" ")[1])

    assert status(("Upgrade", None)) == 426
    assert status(("Connection", "Connection: close")) == 426
    assert status(("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8")) == 426
    assert status(("Sec-WebSocket-Key", "Sec-WebSocket-Key: short")) == 400
    assert status(("Sec-WebSocket-Key", None)) == 400
    assert status(("Host", None)) == 400
    assert status(("GET", "POST /mqtt HTTP/1.1")) == 405
    assert status(("GET", "GET /mqtt HTTP/1.0")) == 400
    assert status(("GET", "GET  HTTP/1.1")) == 400
    assert status(("Host", "Host b")) == 400
    assert status(("Host", "Host: b\r\nContent-Length: 3")) == 400
    assert status(("Host", "Host: b\r\nX: " + "x" * 100_000)) == 431
    assert status(("Host", "Host: b\r\n" + "X: x\r\n" * 20_000 + "Y: y")) == 431
    assert exchange(broker, b"\0\1\2\3").startswith(b"HTTP/1.1 400 ")
    assert exchange(broker, b"x" * 200_000)[:13] in (b"HTTP/1.1 400 ", b"")


@scenario
def origins_are_held_to_the_list(t):
    broker = own_broker(t, '[listener.websocket]\norigins = ["https://plant.example"]')
    for origin in ("https://plant.example", "HTTPS://Plant.Example"):
        open_websocket(broker, headers=["Origin: " + origin]).close()
    open_websocket(broker).close()  # no browser
    for origin in ("https://plant.example.evil", "http://plant.example", "null", "https://plant.example:444"):
        expect_refused(broker, 403, headers=["Origin: " + origin])


@scenario
def the_limit_of_headers_is_the_listeners(t):
    broker = own_broker(t, '[listener.websocket]\nmax_headers = "1KiB"')
    open_websocket(broker, headers=["X: " + "x" * 700]).close()
    expect_refused(broker, 431, headers=["X: " + "x" * 1200])
