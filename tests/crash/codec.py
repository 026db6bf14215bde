"""The packets that carry the load, built and taken apart with as little work as possible. Rare ones (CONNECT, CONNACK,
SUBSCRIBE, ...) go through the strict wire of the conformance suite."""

import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from conformance import wire  # noqa: E402

V311, V5 = wire.V311, wire.V5

_ACK_HEADS = {wire.PUBACK: b"\x40\x02", wire.PUBREC: b"\x50\x02", wire.PUBREL: b"\x62\x02", wire.PUBCOMP: b"\x70\x02"}


class Splitter:
    """Cuts received bytes into packets."""

    def __init__(self):
        self._rest = b""

    def feed(self, data):
        """The packets that are complete now, as pairs of first byte and body."""
        data = self._rest + data if self._rest else data
        found, at, end = [], 0, len(data)
        while True:
            body, length, shift = at + 1, 0, 0
            while body < end:
                digit = data[body]
                body += 1
                length |= (digit & 0x7F) << shift
                shift += 7
                if digit < 0x80:
                    break
            else:
                break  # not even the length is there
            if body + length > end:
                break
            found.append((data[at], data[body:body + length]))
            at = body + length
        self._rest = data[at:]
        return found


def publish(version, topic, payload, qos, packet_id, dup, retain):
    """`topic` as bytes; no properties."""
    body = b"%s%s%s%s%s" % (struct.pack("!H", len(topic)), topic, struct.pack("!H", packet_id),
                            b"\0" if version == V5 else b"", payload)
    return bytes([0x30 | dup << 3 | qos << 1 | retain]) + wire.varint(len(body)) + body


def read_publish(body, qos, version):
    """Topic (bytes), packet id (0 at QoS 0) and payload."""
    at = 2 + (body[0] << 8 | body[1])
    topic = body[2:at]
    packet_id = 0
    if qos:
        packet_id = body[at] << 8 | body[at + 1]
        at += 2
    if version == V5:
        length, shift = 0, 0
        while True:
            digit = body[at]
            at += 1
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                break
        at += length
    return topic, packet_id, body[at:]


def ack(packet_type, packet_id):
    return _ACK_HEADS[packet_type] + struct.pack("!H", packet_id)


def read_ack(body):
    """Packet id and reason code."""
    return body[0] << 8 | body[1], body[2] if len(body) > 2 else 0


def parse(first, body, version):
    """A rare packet, strictly."""
    return wire.parse(first, body, bytes([first]) + wire.varint(len(body)) + body, version)
