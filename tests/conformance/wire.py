"""A raw-bytes MQTT client for tests.

Written from the standards alone and sharing nothing with the broker's own codec, so that one misreading cannot hide
in both. It builds packets of 3.1, 3.1.1 and 5.0, valid or not, and parses what a server may send, strictly: a packet
that a server must never send raises WireError, whichever test happens to receive it.

One Client belongs to one thread. Nothing here sleeps: every wait is for a packet or for the end of the connection,
bounded by DEFAULT_TIMEOUT_S, which is a guard against hanging and no statement about speed.
"""

import os
import select
import struct
import time

from conformance import transport

DEFAULT_TIMEOUT_S = float(os.environ.get("CONFORMANCE_TIMEOUT_S", "15"))

V31, V311, V5 = 3, 4, 5

(CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ,
 PINGRESP, DISCONNECT, AUTH) = range(1, 16)

TYPE_NAMES = ["RESERVED0", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE",
              "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"]

WILL = 0  # stands for the will properties in the table below

# name: (identifier, type, packets that may carry it)
PROPERTIES = {
    "payload_format_indicator": (0x01, "byte", {PUBLISH, WILL}),
    "message_expiry_interval": (0x02, "u32", {PUBLISH, WILL}),
    "content_type": (0x03, "utf8", {PUBLISH, WILL}),
    "response_topic": (0x08, "utf8", {PUBLISH, WILL}),
    "correlation_data": (0x09, "binary", {PUBLISH, WILL}),
    "subscription_identifier": (0x0B, "varint", {PUBLISH, SUBSCRIBE}),
    "session_expiry_interval": (0x11, "u32", {CONNECT, CONNACK, DISCONNECT}),
    "assigned_client_identifier": (0x12, "utf8", {CONNACK}),
    "server_keep_alive": (0x13, "u16", {CONNACK}),
    "authentication_method": (0x15, "utf8", {CONNECT, CONNACK, AUTH}),
    "authentication_data": (0x16, "binary", {CONNECT, CONNACK, AUTH}),
    "request_problem_information": (0x17, "byte", {CONNECT}),
    "will_delay_interval": (0x18, "u32", {WILL}),
    "request_response_information": (0x19, "byte", {CONNECT}),
    "response_information": (0x1A, "utf8", {CONNACK}),
    "server_reference": (0x1C, "utf8", {CONNACK, DISCONNECT}),
    "reason_string": (0x1F, "utf8", {CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH}),
    "receive_maximum": (0x21, "u16", {CONNECT, CONNACK}),
    "topic_alias_maximum": (0x22, "u16", {CONNECT, CONNACK}),
    "topic_alias": (0x23, "u16", {PUBLISH}),
    "maximum_qos": (0x24, "byte", {CONNACK}),
    "retain_available": (0x25, "byte", {CONNACK}),
    "user_property": (0x26, "pair", {CONNECT, CONNACK, PUBLISH, WILL, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE,
                                     SUBACK, UNSUBSCRIBE, UNSUBACK, DISCONNECT, AUTH}),
    "maximum_packet_size": (0x27, "u32", {CONNECT, CONNACK}),
    "wildcard_subscription_available": (0x28, "byte", {CONNACK}),
    "subscription_identifier_available": (0x29, "byte", {CONNACK}),
    "shared_subscription_available": (0x2A, "byte", {CONNACK}),
}
PROPERTY_BY_ID = {identifier: (name, kind, where) for name, (identifier, kind, where) in PROPERTIES.items()}
REPEATABLE = {"user_property", "subscription_identifier"}

# Reason codes that the 5.0 standard lists for each packet a server may send (tables 3-1, 3-4 to 3-9, section 3.14.2.1).
REASON_CODES = {
    CONNACK: {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
              0x9A, 0x9B, 0x9C, 0x9D, 0x9F},
    PUBACK: {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
    PUBREC: {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
    PUBREL: {0x00, 0x92},
    PUBCOMP: {0x00, 0x92},
    SUBACK: {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2},
    UNSUBACK: {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91},
    DISCONNECT: {0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96,
                 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2},
    AUTH: {0x00, 0x18, 0x19},
}


class WireError(AssertionError):
    """The server sent bytes that the standard forbids."""


class Closed(AssertionError):
    """The connection ended while a packet was expected."""


# ---------------------------------------------------------------------------------------------------------- building

def varint(value, width=None):
    """Variable Byte Integer; `width` forces that many bytes, for encodings that are longer than they may be."""
    out = bytearray()
    while True:
        digit, value = value & 0x7F, value >> 7
        more = value > 0 or (width is not None and len(out) + 1 < width)
        out.append(digit | (0x80 if more else 0))
        if not more:
            return bytes(out)


def utf8(text):
    """UTF-8 Encoded String; bytes go out as they are, so that a test can send what is not UTF-8."""
    raw = text if isinstance(text, (bytes, bytearray)) else text.encode("utf-8")
    return struct.pack("!H", len(raw)) + raw


binary = utf8


def u16(value):
    return struct.pack("!H", value)


def one_property(name, value):
    identifier, kind, _ = PROPERTIES[name]
    head = varint(identifier)
    if kind == "byte":
        return head + bytes([value])
    if kind == "u16":
        return head + struct.pack("!H", value)
    if kind == "u32":
        return head + struct.pack("!I", value)
    if kind == "varint":
        return head + varint(value)
    if kind == "pair":
        return head + utf8(value[0]) + utf8(value[1])
    return head + utf8(value)


def properties(given):
    """Property section with its length. `given`: None, a dict of names (a list as value repeats the property), or the
    raw content as bytes."""
    if given is None:
        given = {}
    if isinstance(given, (bytes, bytearray)):
        return varint(len(given)) + bytes(given)
    out = b""
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            out += one_property(name, one)
    return varint(len(out)) + out


def packet(packet_type, flags, body):
    """Fixed header and body."""
    return bytes([packet_type << 4 | flags]) + varint(len(body)) + body


class Will:
    def __init__(self, topic, payload=b"", qos=0, retain=False, properties=None):
        self.topic, self.payload, self.qos, self.retain, self.properties = topic, payload, qos, retain, properties


def connect(version=V5, client_id="", clean=True, keep_alive=60, will=None, username=None, password=None,
            properties=None, protocol_name=None, protocol_level=None, flags=None):
    """CONNECT. `clean` is Clean Session or Clean Start; `flags` overrides the Connect Flags byte as a whole."""
    name = protocol_name if protocol_name is not None else ("MQIsdp" if version == V31 else "MQTT")
    level = protocol_level if protocol_level is not None else version
    bits = (0x02 if clean else 0) | (0x40 if password is not None else 0) | (0x80 if username is not None else 0)
    if will is not None:
        bits |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
    body = utf8(name) + bytes([level, bits if flags is None else flags]) + u16(keep_alive)
    if version == V5:
        body += globals()["properties"](properties)
    body += utf8(client_id)
    if will is not None:
        if version == V5:
            body += globals()["properties"](will.properties)
        body += utf8(will.topic) + binary(will.payload)
    if username is not None:
        body += utf8(username)
    if password is not None:
        body += binary(password)
    return packet(CONNECT, 0, body)


def publish(version, topic, payload=b"", qos=0, retain=False, dup=False, packet_id=None, properties=None):
    body = utf8(topic)
    if packet_id is not None:
        body += u16(packet_id)
    if version == V5:
        body += globals()["properties"](properties)
    payload = payload.encode("utf-8") if isinstance(payload, str) else payload
    return packet(PUBLISH, (8 if dup else 0) | qos << 1 | (1 if retain else 0), body + payload)


def ack(packet_type, packet_id, version=V311, code=None, properties=None, flags=None):
    """PUBACK, PUBREC, PUBREL or PUBCOMP; the short form without a code unless `code` is given (5.0 only)."""
    body = u16(packet_id)
    if code is not None:
        body += bytes([code])
        if properties is not None:
            body += globals()["properties"](properties)
    return packet(packet_type, (2 if packet_type == PUBREL else 0) if flags is None else flags, body)


def options(qos=0, no_local=False, retain_as_published=False, retain_handling=0):
    """Subscription Options of 5.0."""
    return qos | (4 if no_local else 0) | (8 if retain_as_published else 0) | retain_handling << 4


def subscribe(version, packet_id, filters, properties=None, flags=2):
    """`filters`: list of (filter, options byte or QoS)."""
    body = bytearray(u16(packet_id))
    if version == V5:
        body += globals()["properties"](properties)
    for topic_filter, option in filters:
        body += utf8(topic_filter) + bytes([option])
    return packet(SUBSCRIBE, flags, bytes(body))


def unsubscribe(version, packet_id, filters, properties=None, flags=2):
    body = bytearray(u16(packet_id))
    if version == V5:
        body += globals()["properties"](properties)
    for topic_filter in filters:
        body += utf8(topic_filter)
    return packet(UNSUBSCRIBE, flags, bytes(body))


def pingreq():
    return packet(PINGREQ, 0, b"")


def disconnect(version=V311, code=None, properties=None):
    body = b""
    if version == V5 and code is not None:
        body = bytes([code])
        if properties is not None:
            body += globals()["properties"](properties)
    return packet(DISCONNECT, 0, body)


def auth(code=0x18, properties=None):
    return packet(AUTH, 0, bytes([code]) + globals()["properties"](properties))


# ----------------------------------------------------------------------------------------------------------- parsing

def _short(value):
    """What a person wants to see of a field."""
    if isinstance(value, (bytes, str, list)) and len(value) > 80:
        return "%r... (%d)" % (value[:80], len(value))
    return repr(value)


class Packet:
    """A parsed packet: `type`, `flags`, `raw`, and the fields that its type has as attributes."""

    def __init__(self, packet_type, flags, raw, **fields):
        self.type, self.flags, self.raw = packet_type, flags, raw
        self.__dict__.update(fields)

    def __repr__(self):
        shown = {key: value for key, value in self.__dict__.items() if key not in ("type", "flags", "raw")}
        return TYPE_NAMES[self.type] + "(" + ", ".join("%s=%s" % (key, _short(one)) for key, one in shown.items()) + ")"


class Cursor:
    """Reads fields off a packet body and refuses to run past its end."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, count):
        if self.at + count > len(self.raw):
            raise WireError("field runs past the end of the packet: %s" % self.raw.hex())
        self.at += count
        return self.raw[self.at - count:self.at]

    def left(self):
        return len(self.raw) - self.at

    def byte(self):
        return self.take(1)[0]

    def u16(self):
        return struct.unpack("!H", self.take(2))[0]

    def u32(self):
        return struct.unpack("!I", self.take(4))[0]

    def varint(self):
        value, shift = 0, 0
        while True:
            digit = self.byte()
            value |= (digit & 0x7F) << shift
            if not digit & 0x80:
                if digit == 0 and shift > 0:
                    raise WireError("Variable Byte Integer longer than needed [MQTT-1.5.5-1]")
                return value
            shift += 7
            if shift > 21:
                raise WireError("Variable Byte Integer of more than four bytes")

    def binary(self):
        return self.take(self.u16())

    def utf8(self):
        raw = self.binary()
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise WireError("string is not UTF-8 [MQTT-1.5.4-1]: %s" % raw.hex()) from error
        if "\0" in text:
            raise WireError("string has a null character [MQTT-1.5.4-2]")
        return text

    def rest(self):
        return self.take(self.left())


def read_properties(cursor, where):
    """Dict of properties; repeatable ones are lists. Checks that `where` may carry each and none comes twice."""
    section = Cursor(cursor.take(cursor.varint()))
    found = {}
    while section.left():
        identifier = section.varint()
        if identifier not in PROPERTY_BY_ID:
            raise WireError("unknown property 0x%02x" % identifier)
        name, kind, allowed = PROPERTY_BY_ID[identifier]
        if where not in allowed:
            raise WireError("property %s in %s" % (name, TYPE_NAMES[where]))
        value = (section.utf8(), section.utf8()) if kind == "pair" else getattr(section, kind)()
        if name in REPEATABLE:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise WireError("property %s twice in %s" % (name, TYPE_NAMES[where]))
        else:
            found[name] = value
    return found


def _parse_connack(cursor, version):
    flags = cursor.byte()
    if flags & 0xFE:
        raise WireError("CONNACK flags 0x%02x [MQTT-3.2.2-1]" % flags)
    fields = {"session_present": bool(flags & 1), "code": cursor.byte()}
    if version == V5:
        fields["properties"] = read_properties(cursor, CONNACK)
    if fields["code"] != 0 and flags & 1:
        raise WireError("Session Present with an error code [MQTT-3.2.2-6]")
    return fields


def _parse_publish(cursor, version, flags):
    fields = {"dup": bool(flags & 8), "qos": flags >> 1 & 3, "retain": bool(flags & 1)}
    if fields["qos"] == 3:
        raise WireError("PUBLISH with QoS 3 [MQTT-3.3.1-4]")
    if fields["qos"] == 0 and fields["dup"]:
        raise WireError("DUP on QoS 0 [MQTT-3.3.1-2]")
    fields["topic"] = cursor.utf8()
    if "+" in fields["topic"] or "#" in fields["topic"]:
        raise WireError("wildcard in Topic Name [MQTT-3.3.2-2]")
    fields["packet_id"] = cursor.u16() if fields["qos"] else None
    if fields["packet_id"] == 0:
        raise WireError("PUBLISH with Packet Identifier 0 [MQTT-2.2.1-4]")
    fields["properties"] = read_properties(cursor, PUBLISH) if version == V5 else {}
    fields["payload"] = cursor.rest()
    return fields


def _parse_ack(cursor, version, packet_type):
    fields = {"packet_id": cursor.u16(), "code": 0, "properties": {}}
    if version == V5 and cursor.left():
        fields["code"] = cursor.byte()
        if cursor.left():
            fields["properties"] = read_properties(cursor, packet_type)
    return fields


def _parse_suback(cursor, version, packet_type):
    fields = {"packet_id": cursor.u16(), "properties": {}}
    if version == V5:
        fields["properties"] = read_properties(cursor, packet_type)
    fields["codes"] = list(cursor.rest())
    if version != V5 and packet_type == SUBACK and not set(fields["codes"]) <= {0, 1, 2, 0x80}:
        raise WireError("SUBACK code outside 0, 1, 2, 0x80 [MQTT-3.9.3-2]: %r" % fields["codes"])
    if version != V5 and packet_type == UNSUBACK and fields["codes"]:
        raise WireError("UNSUBACK with a payload")
    return fields


def _parse_tail(cursor, version, packet_type):
    """DISCONNECT and AUTH: an optional code, then optional properties."""
    fields = {"code": 0, "properties": {}}
    if version != V5:
        raise WireError("%s from a server to a client older than 5.0" % TYPE_NAMES[packet_type])
    if cursor.left():
        fields["code"] = cursor.byte()
        if cursor.left():
            fields["properties"] = read_properties(cursor, packet_type)
    return fields


def parse(first, body, raw, version):
    """A packet as a server may send it to a client of `version`."""
    packet_type, flags = first >> 4, first & 0x0F
    if packet_type not in (CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, PINGRESP, DISCONNECT,
                           AUTH):
        raise WireError("a server sent packet type %d: %s" % (packet_type, raw.hex()))
    if packet_type != PUBLISH and flags != (2 if packet_type == PUBREL else 0):
        raise WireError("%s with flags %d [MQTT-2.1.3-1]" % (TYPE_NAMES[packet_type], flags))
    cursor = Cursor(body)
    if packet_type == CONNACK:
        fields = _parse_connack(cursor, version)
    elif packet_type == PUBLISH:
        fields = _parse_publish(cursor, version, flags)
    elif packet_type in (PUBACK, PUBREC, PUBREL, PUBCOMP):
        fields = _parse_ack(cursor, version, packet_type)
    elif packet_type in (SUBACK, UNSUBACK):
        fields = _parse_suback(cursor, version, packet_type)
    elif packet_type in (DISCONNECT, AUTH):
        fields = _parse_tail(cursor, version, packet_type)
    else:
        fields = {}
    if cursor.left():
        raise WireError("%d bytes after the end of %s: %s" % (cursor.left(), TYPE_NAMES[packet_type], raw.hex()))
    _check_codes(packet_type, version, fields)
    return Packet(packet_type, flags, raw, **fields)


def _check_codes(packet_type, version, fields):
    if version != V5 or packet_type not in REASON_CODES:
        return
    for code in fields["codes"] if "codes" in fields else [fields["code"]]:
        if code not in REASON_CODES[packet_type]:
            raise WireError("reason code 0x%02x is not one of %s" % (code, TYPE_NAMES[packet_type]))


def describe_sent(data):
    """One line for the trace about bytes that a test sends."""
    name = TYPE_NAMES[data[0] >> 4] if data else "nothing"
    shown = data[:64].hex(" ") + (" ... %d bytes" % len(data) if len(data) > 64 else "")
    return "%s  %s" % (name, shown)


# ------------------------------------------------------------------------------------------------------------ client

def ready_of(sockets, timeout):
    """Those of the sockets that have something to read, or their end. select() knows no descriptor beyond 1023."""
    poll = select.poll()
    by_descriptor = {}
    for one in sockets:
        poll.register(one, select.POLLIN)
        by_descriptor[one.fileno()] = one
    return [by_descriptor[descriptor] for descriptor, _ in poll.poll(timeout * 1000)]


def first_ready(clients):
    """The client among `clients` for which something comes first, or is there already."""
    for client in clients:
        if client.has_unread():
            return client
    by_socket = {client.sock: client for client in clients}
    deadline = time.monotonic() + DEFAULT_TIMEOUT_S
    while True:
        ready = ready_of(by_socket, max(0.0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError("nothing came to %s" % ", ".join(client.name for client in clients))
        for one in ready:
            if transport.has_bytes(one):
                by_socket[one].take_in()
                return by_socket[one]


class Client:
    """One connection. `trace` is a list that collects a line for each packet, shared by all clients of a test."""

    def __init__(self, address, version=V5, name="client", trace=None, timeout=None):
        self.version, self.name = version, name
        self.trace = trace if trace is not None else []
        self.timeout = timeout if timeout is not None else DEFAULT_TIMEOUT_S
        self.client_id = None
        self.connack = None
        self._next_id = 0
        self._unread = b""
        self._set_aside = []  # packets that arrived while another one was awaited, in order
        self._ended = False
        self.sock = transport.dial(address, self.timeout)

    def _log(self, arrow, text):
        self.trace.append("%s %s %s" % (self.name, arrow, text))

    def packet_id(self):
        """A Packet Identifier that this client did not use before."""
        self._next_id = self._next_id % 65535 + 1
        return self._next_id

    # --- bytes out

    def send(self, *chunks):
        """Sends bytes as they are, in one segment where they fit."""
        for chunk in chunks:
            self._log("->", describe_sent(chunk))
        self.sock.settimeout(self.timeout)
        self.sock.sendall(b"".join(chunks))

    def send_split(self, data, size=1):
        """Sends `size` bytes at a time, each in a segment of its own."""
        self._log("->", "in pieces of %d: %s" % (size, describe_sent(data)))
        for at in range(0, len(data), size):
            self.sock.sendall(data[at:at + size])

    def try_send(self, *chunks):
        """Like send, for a connection that the server may be closing meanwhile."""
        try:
            self.send(*chunks)
        except OSError as error:
            self._log("--", "send failed: %s" % error)

    def drop(self):
        """Ends the connection without DISCONNECT."""
        self._log("--", "drops the connection")
        self.sock.close()

    # --- packets in

    def _split_packet(self):
        """The next whole packet off the received bytes, or None."""
        data = self._unread
        if len(data) < 2:
            return None
        length, shift, at = 0, 0, 1
        while True:
            if at >= len(data):
                return None
            if at > 4:
                raise WireError("remaining length of more than four bytes: %s" % data[:8].hex())
            length |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 0x80:
                break
        if data[at - 1] == 0 and at > 2:
            raise WireError("remaining length longer than needed [MQTT-1.5.5-1]: %s" % data[:8].hex())
        if len(data) < at + length:
            return None
        raw, self._unread = data[:at + length], data[at + length:]
        return parse(raw[0], raw[at:], raw, self.version)

    def _read_packet(self, timeout):
        """Next packet off the socket; None when the server has ended the connection; AssertionError on timeout."""
        deadline = time.monotonic() + timeout
        while True:
            found = self._split_packet()
            if found is not None:
                self._log("<-", repr(found))
                return found
            if self._ended:
                return None
            if not ready_of([self.sock], max(0.0, deadline - time.monotonic())):
                raise AssertionError("%s: nothing came within %g s" % (self.name, timeout))
            self.take_in()

    def take_in(self):
        """Takes what has come, or waits for it."""
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionError:
            data = b""
        if data:
            self._unread += data
            return
        self._ended = True
        self._log("<-", "connection closed")
        if self._unread:
            raise WireError("connection closed inside a packet: %s" % self._unread.hex())

    def has_unread(self):
        return bool(self._set_aside or self._unread)

    def recv(self, timeout=None):
        """The next packet in order of arrival; raises Closed when the connection ended."""
        if self._set_aside:
            return self._set_aside.pop(0)
        found = self._read_packet(self.timeout if timeout is None else timeout)
        if found is None:
            raise Closed("%s: the server closed the connection" % self.name)
        return found

    def recv_or_end(self, timeout=None):
        """The next packet, or None when the server ended the connection instead."""
        if self._set_aside:
            return self._set_aside.pop(0)
        return self._read_packet(self.timeout if timeout is None else timeout)

    def expect(self, packet_type, timeout=None, **fields):
        """The next packet must be of this type and have these field values."""
        found = self.recv(timeout)
        if found.type != packet_type:
            raise AssertionError("%s: expected %s, got %r" % (self.name, TYPE_NAMES[packet_type], found))
        self._check(found, fields)
        return found

    def _check(self, found, fields):
        for key, value in fields.items():
            value = value.encode("utf-8") if key == "payload" and isinstance(value, str) else value
            if getattr(found, key) != value:
                raise AssertionError("%s: expected %s=%r, got %r" % (self.name, key, value, found))

    def reply(self, packet_type, packet_id=None, timeout=None, **fields):
        """Waits for the answer to a request; packets of other types that come first are kept for expect()."""
        kept = []
        try:
            while True:
                found = self.recv(timeout)
                if found.type == packet_type and (packet_id is None or found.packet_id == packet_id):
                    self._check(found, fields)
                    return found
                kept.append(found)
        except Closed as closed:
            raise Closed("%s while waiting for %s; before: %r" % (closed, TYPE_NAMES[packet_type], kept)) from closed
        finally:
            self._set_aside = kept + self._set_aside

    def expect_nothing(self):
        """Nothing was sent to this client before the answer to a PINGREQ sent now."""
        self.send(pingreq())
        self.expect(PINGRESP)

    def expect_closed(self, timeout=None):
        """The server ends the connection without another packet."""
        found = self.recv_or_end(timeout)
        if found is not None:
            raise AssertionError("%s: expected the end of the connection, got %r" % (self.name, found))

    def bytes_until_closed(self):
        """Everything the server sends until it ends the connection, unparsed: for answers to no known version."""
        self.sock.settimeout(self.timeout)
        try:
            while True:
                data = self.sock.recv(1 << 16)
                if not data:
                    break
                self._unread += data
        except ConnectionError:
            pass
        except TimeoutError as error:
            raise AssertionError("%s: the connection was not closed; until now came %s" % (
                self.name, self._unread.hex(" ") or "nothing")) from error
        self._log("<-", "until closed: %s" % self._unread.hex(" "))
        return self._unread

    def drain(self):
        """Packets that were sent to this client before the answer to a PINGREQ sent now."""
        self.send(pingreq())
        found = []
        while True:
            one = self.recv()
            if one.type == PINGRESP:
                return found
            found.append(one)

    def expect_disconnect(self, *codes, timeout=None):
        """5.0: DISCONNECT with one of `codes` (any if none is given), then the end of the connection."""
        found = self.expect(DISCONNECT, timeout)
        if codes and found.code not in codes:
            raise AssertionError("%s: expected DISCONNECT with %s, got %r" % (
                self.name, " or ".join("0x%02x" % code for code in codes), found))
        self.expect_closed(timeout)
        return found

    # --- whole exchanges

    def connect(self, client_id="", **fields):
        """Sends CONNECT and returns the CONNACK, whatever its code."""
        self.client_id = client_id
        self.send(connect(self.version, client_id, **fields))
        self.connack = self.expect(CONNACK)
        assigned = getattr(self.connack, "properties", {}).get("assigned_client_identifier")
        self.client_id = assigned or client_id
        return self.connack

    def subscribe(self, *filters, properties=None, **opts):
        """SUBSCRIBE to filters: a string takes the keyword options, a pair (filter, options byte) its own."""
        packet_id = self.packet_id()
        pairs = [(one, options(**opts)) if isinstance(one, (str, bytes)) else one for one in filters]
        self.send(subscribe(self.version, packet_id, pairs, properties))
        return self.reply(SUBACK, packet_id)

    def unsubscribe(self, *filters, properties=None):
        packet_id = self.packet_id()
        self.send(unsubscribe(self.version, packet_id, filters, properties))
        return self.reply(UNSUBACK, packet_id)

    def publish(self, topic, payload=b"", qos=0, **fields):
        """PUBLISH with its whole handshake. Returns PUBACK, PUBCOMP, or the PUBREC that refused; None for QoS 0."""
        packet_id = fields.pop("packet_id", None) or (self.packet_id() if qos else None)
        self.send(publish(self.version, topic, payload, qos, packet_id=packet_id, **fields))
        if qos == 0:
            return None
        if qos == 1:
            return self.reply(PUBACK, packet_id)
        received = self.reply(PUBREC, packet_id)
        if received.code >= 0x80:
            return received
        self.send(ack(PUBREL, packet_id))
        return self.reply(PUBCOMP, packet_id)

    def receive(self, topic=None, payload=None, timeout=None, **fields):
        """The next packet must be this PUBLISH; acknowledges it as its QoS asks and returns it."""
        if topic is not None:
            fields["topic"] = topic
        if payload is not None:
            fields["payload"] = payload
        found = self.expect(PUBLISH, timeout, **fields)
        if found.qos == 1:
            self.send(ack(PUBACK, found.packet_id))
        elif found.qos == 2:
            self.send(ack(PUBREC, found.packet_id))
            self.reply(PUBREL, found.packet_id)
            self.send(ack(PUBCOMP, found.packet_id))
        return found

    def disconnect(self, code=None, properties=None):
        """DISCONNECT, then waits until the server has closed its side."""
        self.send(disconnect(self.version, code, properties))
        while self.recv_or_end() is not None:
            pass  # deliveries that were under way
        self.sock.close()

    def close(self):
        self.sock.close()
