"""AN EMULATION of a controller's MQTT client, as slow and as narrow as the function blocks of real ones. No Siemens code
and no controller takes part.

What it copies, of blocks such as Siemens' LMQTT_Client for S7-1200 and S7-1500:
- a program cycle that reads at most one fragment of 1 to 500 bytes and writes at most one;
- one job at a time: CONNECT, SUBSCRIBE of one filter, PUBLISH; the next begins when the last is acknowledged. What is
  received is one at a time as well: it is acknowledged some cycles later, and another QoS 1 or 2 message in between is
  a Violation;
- an 8 KiB receive buffer of its own above one of the socket; a packet, or a record of TLS, that does not fit is a
  Violation;
- strings of 254 characters for client id, user name, password and topics; payloads are arrays padded with NUL;
- TLS 1.2 with RSA key exchange, by address and without SNI, verified with the controller's own clock, right or wrong;
- power loss without FIN: from then on the kernel hears and says nothing on that connection. Retained memory (packet
  ids, the job under way) survives it, buffers do not. Bytes that the kernel had accepted may still leave.

What it cannot show: the timing of a real CPU and of its network, its own TLS stack and certificate store, and faults of
the function blocks themselves. A test with hardware is still to be made by whoever relies on one.

Lives in one thread; nothing here waits without a bound.
"""
import collections
import ctypes
import pathlib
import random
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from conformance import wire  # noqa: E402
from crash import codec  # noqa: E402

BUFFER_BYTES = 8 * 1024
SOCKET_BUFFER_BYTES = 4 * 1024  # the kernel doubles it
FRAGMENT_BYTES_MAX = 500
TEXT_CHARS = 254
PAYLOAD_BYTES = 200
ANSWER_CYCLES_MAX = 12  # of the program, between a message and its acknowledgement
HANG_S = 60.0           # when silence of the broker is a failure; no statement about speed
IDLE_S = 0.002
SESSION_EXPIRY_S = 7 * 24 * 3600
SUITES = "AES128-SHA:AES256-SHA:AES128-SHA256:@SECLEVEL=0"
PACKET_ID_NOT_FOUND = 0x92
SO_ATTACH_FILTER = 26   # the socket module has no name for it


class Violation(AssertionError):
    """The broker did what this controller could not bear, or not what it promised."""


class PowerLost(Exception):
    """The controller has lost its power and everything that is not retained."""


def long_text(text):
    """A string as long as a controller's may be."""
    return text.ljust(TEXT_CHARS, "x")


def padded(text, size=PAYLOAD_BYTES):
    """An array of bytes with a text at its front."""
    return text.encode().ljust(size, b"\0")


def unpadded(payload):
    return payload.rstrip(b"\0").decode()


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32)]


def unplug(connection):
    """From now on nothing that arrives for this socket is seen, so nothing is answered: no ACK, no RST."""
    program = (_Instruction * 1)(_Instruction(0x06, 0, 0, 0))  # return 0: keep nothing of the packet
    connection.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                          struct.pack("HP", len(program), ctypes.addressof(program)))


def set_clock(context, unix_time):
    """Lets OpenSSL verify certificates as if it were that time. Python's ssl has no word for it, so this asks OpenSSL
    itself; the first field of an SSLContext is its SSL_CTX."""
    of_ssl, of_crypto = ctypes.CDLL("libssl.so.3"), ctypes.CDLL("libcrypto.so.3")
    of_ssl.SSL_CTX_get0_param.restype = ctypes.c_void_p
    of_ssl.SSL_CTX_get0_param.argtypes = [ctypes.c_void_p]
    of_crypto.X509_VERIFY_PARAM_set_time.argtypes = [ctypes.c_void_p, ctypes.c_long]
    inside = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    of_crypto.X509_VERIFY_PARAM_set_time(of_ssl.SSL_CTX_get0_param(inside), int(unix_time))


class Job:
    """What the program asked the function block for. `packet(dup)` makes its bytes."""

    def __init__(self, kind, packet, packet_id=0, qos=0):
        self.kind, self.packet, self.packet_id, self.qos = kind, packet, packet_id, qos
        self.was_sent = False
        self.is_released = False  # QoS 2: PUBREC has come


class RetainedMemory:
    """Data blocks that survive a power loss."""

    def __init__(self):
        self.next_packet_id = 1
        self.job = None
        self.unreleased = set()    # ids of QoS 2 messages that were received
        self.received = collections.defaultdict(list)  # topic: texts, in order
        self.has_session = False


class Controller:
    def __init__(self, address, name, version, authority, user, seed, keep_alive_s=4, will=None):
        self.address, self.name, self.version = address, name, version
        self.client_id, self.user = long_text(name), user
        self.authority, self.keep_alive_s, self.will = authority, keep_alive_s, will
        self.clock = None  # of the controller; None: it is right
        self.memory = RetainedMemory()
        self.dice = random.Random(f"{seed}/{name}")
        self.fuse = None   # cycles until the power is lost
        self.unplugged = []  # sockets whose other end has not been told
        self.largest_packet = self.largest_record = 0
        self.power_losses = self.repeated = 0
        self._off()

    def _off(self):
        """Everything volatile."""
        self._socket = self._tls = None
        self._wire_in, self._wire_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._out = b""              # encrypted, not yet written
        self._plain_out = bytearray()
        self._buffer = bytearray()   # plain, not yet a whole packet
        self._record_left = 0        # bytes of the present record still to come
        self._record_head = b""
        self._owed = []              # (cycle, packet, whether it ends the message): acknowledgements to be given
        self._receiving = None       # id of the QoS 1 or 2 message that is being handled
        self._cycles = 0
        self._connack = None
        self._last_sent = time.monotonic()
        self.is_connected = False

    # ---- power ----

    def lose_power(self):
        self.power_losses += 1
        self.fuse = None
        if self._socket is not None:
            unplug(self._socket)
            self.unplugged.append(self._socket)
        if self.memory.job is not None and self.memory.job.qos == 0 and self.memory.job.kind == "publish":
            self.memory.job = None  # it may have left: never twice
        self._off()

    def close(self):
        for dead in [*self.unplugged, *([self._socket] if self._socket else [])]:
            dead.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            dead.close()
        self.unplugged.clear()
        self._off()

    # ---- jobs ----

    def connect(self):
        """Connects, and goes on with the job that a power loss interrupted."""
        self._open()
        self._plain_out += self._connect_packet()
        self._until(lambda: self._connack is not None, "CONNACK")
        if self._connack.code != 0:
            raise Violation(f"{self.name}: CONNACK with {self._connack.code}")
        if self.memory.has_session and not self._connack.session_present:
            raise Violation(f"{self.name}: the broker has lost its session")
        self.memory.has_session = True
        self.is_connected = True
        if self.memory.job is not None:
            self._send_job()

    def disconnect(self):
        self._plain_out += wire.disconnect(self.version)
        self._until(lambda: not self._plain_out and not self._out, "DISCONNECT to leave")
        leaving = self._socket
        self._off()
        leaving.setblocking(True)
        leaving.shutdown(socket.SHUT_WR)
        while leaving.recv(BUFFER_BYTES):
            pass  # what was on its way comes again with the next connection
        leaving.close()

    def subscribe(self, topic_filter, qos):
        packet_id = self._take_id()
        self._do(Job("subscribe", lambda _dup: wire.subscribe(self.version, packet_id, [(topic_filter, qos)]),
                     packet_id))

    def publish(self, topic, payload, qos, retain=False):
        packet_id = self._take_id() if qos else 0

        def packet(dup):
            if qos:
                return codec.publish(self.version, topic.encode(), payload, qos, packet_id, dup, retain)
            return wire.publish(self.version, topic, payload, retain=retain)
        self._do(Job("publish", packet, packet_id, qos))

    def finish(self):
        """Ends the job under way, which a power loss may have interrupted."""
        self._until(lambda: self.memory.job is None, "the acknowledgement of its job")

    def idle(self, condition, what):
        """Runs program cycles until the condition is true."""
        self._until(condition, what)

    def _do(self, job):
        if self.memory.job is not None:
            raise Violation(f"{self.name}: a second job at a time")
        self.memory.job = job
        self._send_job()
        self.finish()

    def _send_job(self):
        job = self.memory.job
        if job.is_released:
            self._plain_out += codec.ack(wire.PUBREL, job.packet_id)
        else:
            self._plain_out += job.packet(job.was_sent and job.qos > 0)
            job.was_sent = True

    def _take_id(self):
        taken = self.memory.next_packet_id
        self.memory.next_packet_id = taken % 65535 + 1
        return taken

    # ---- the program cycle ----

    def cycle(self):
        self._burn_fuse()
        self._cycles += 1
        has_moved = self._write_fragment()
        has_moved = self._read_fragment() or has_moved
        self._take_packets()
        self._answer()
        self._keep_alive()
        if not has_moved and not self._owed:
            wire.ready_of([self._socket], IDLE_S)

    def _burn_fuse(self):
        if self.fuse is None:
            return
        self.fuse -= 1
        if self.fuse < 0:
            self.lose_power()
            raise PowerLost

    def _until(self, condition, what):
        deadline = time.monotonic() + HANG_S
        while not condition():
            self.cycle()
            if time.monotonic() > deadline:
                raise Violation(f"{self.name}: waited {HANG_S:g} s in vain for {what}")

    def _fragment(self):
        return self.dice.randint(1, FRAGMENT_BYTES_MAX)

    def _write_fragment(self):
        if self._plain_out and not self._out:
            # One packet, or part of it, a record.
            self._tls.write(self._plain_out)
            self._plain_out.clear()
        self._out += self._wire_out.read()
        if not self._out:
            job = self.memory.job
            if self.is_connected and job is not None and job.kind == "publish" and job.qos == 0:
                self.memory.job = None  # it has left, which is all that is promised
            return False
        try:
            count = self._socket.send(self._out[:self._fragment()])
        except BlockingIOError:
            return False
        self._out = self._out[count:]
        self._last_sent = time.monotonic()
        return True

    def _read_fragment(self):
        room = BUFFER_BYTES - len(self._buffer)
        if room <= 0:
            raise Violation(f"{self.name}: a packet does not fit into {BUFFER_BYTES} bytes")
        try:
            fragment = self._socket.recv(self._fragment())
        except BlockingIOError:
            return False
        except ConnectionError as error:
            raise Violation(f"{self.name}: the broker broke the connection: {error}") from None
        if not fragment:
            raise Violation(f"{self.name}: the broker has closed the connection")
        self._watch_records(fragment)
        self._wire_in.write(fragment)
        try:
            while room > 0:
                plain = self._tls.read(room)
                if not plain:
                    break
                self._buffer += plain
                room -= len(plain)
        except ssl.SSLWantReadError:
            pass
        return True

    def _watch_records(self, fragment):
        """A record is decrypted when all of it is here, so it must fit."""
        at = 0
        while at < len(fragment):
            if self._record_left:
                taken = min(self._record_left, len(fragment) - at)
                self._record_left -= taken
                at += taken
                continue
            taken = fragment[at:at + 5 - len(self._record_head)]
            self._record_head += taken
            at += len(taken)
            if len(self._record_head) < 5:
                break
            self._record_left = int.from_bytes(self._record_head[3:5], "big")
            self.largest_record = max(self.largest_record, 5 + self._record_left)
            self._record_head = b""
        if self.largest_record > BUFFER_BYTES:
            raise Violation(f"{self.name}: a TLS record of {self.largest_record} bytes")

    def _take_packets(self):
        while True:
            size = self._packet_size()
            if size is None:
                return
            self.largest_packet = max(self.largest_packet, size)
            if size > BUFFER_BYTES:
                raise Violation(f"{self.name}: a packet of {size} bytes")
            if len(self._buffer) < size:
                return
            raw = bytes(self._buffer[:size])
            del self._buffer[:size]
            head = 1
            while raw[head] & 0x80:
                head += 1
            self._on_packet(raw[0], raw[head + 1:], raw)

    def _packet_size(self):
        """Of the packet at the front, once its length is there."""
        length = shift = 0
        for at in range(1, min(len(self._buffer), 5)):
            length |= (self._buffer[at] & 0x7F) << shift
            shift += 7
            if self._buffer[at] < 0x80:
                return at + 1 + length
        return None

    def _keep_alive(self):
        if self.is_connected and time.monotonic() - self._last_sent > self.keep_alive_s / 2 and not self._out:
            self._plain_out += wire.pingreq()
            self._last_sent = time.monotonic()

    # ---- packets ----

    def _on_packet(self, first, body, raw):
        kind = first >> 4
        if kind == wire.PUBLISH:
            self._on_publish(first, body)
        elif kind == wire.CONNACK:
            self._connack = wire.parse(first, body, raw, self.version)
        elif kind == wire.PUBREL:
            self._on_pubrel(codec.read_ack(body)[0])
        elif kind in (wire.PUBACK, wire.PUBREC, wire.PUBCOMP, wire.SUBACK):
            self._on_acknowledgement(kind, wire.parse(first, body, raw, self.version))
        elif kind != wire.PINGRESP:
            raise Violation(f"{self.name}: an unexpected packet {raw[:16].hex()}")

    def _on_publish(self, first, body):
        qos, dup = first >> 1 & 3, bool(first & 8)
        topic, packet_id, payload = codec.read_publish(body, qos, self.version)
        text = unpadded(payload)
        if qos == 0:
            self.memory.received[topic.decode()].append(text)
            return
        self._begin_receiving(packet_id)
        is_new = qos == 1 or packet_id not in self.memory.unreleased
        if is_new:
            self.memory.received[topic.decode()].append(text)
        else:
            self.repeated += 1
        if dup and qos == 1:
            self.repeated += 1
        if qos == 2:
            self.memory.unreleased.add(packet_id)
        self._owe(codec.ack(wire.PUBREC if qos == 2 else wire.PUBACK, packet_id), is_last=qos == 1)

    def _on_pubrel(self, packet_id):
        if self._receiving != packet_id:
            self._begin_receiving(packet_id)
        self.memory.unreleased.discard(packet_id)
        self._owe(codec.ack(wire.PUBCOMP, packet_id), is_last=True)

    def _begin_receiving(self, packet_id):
        if self._receiving is not None:
            raise Violation(f"{self.name}: message {packet_id} came while {self._receiving} was being handled")
        self._receiving = packet_id

    def _owe(self, packet, is_last):
        self._owed.append((self._cycles + self.dice.randint(0, ANSWER_CYCLES_MAX), packet, is_last))

    def _answer(self):
        if not self._owed or self._cycles < self._owed[0][0]:
            return
        _, packet, is_last = self._owed.pop(0)
        self._plain_out += packet
        if is_last:
            self._receiving = None

    def _on_acknowledgement(self, kind, packet):
        job = self.memory.job
        if job is None or packet.packet_id != job.packet_id:
            raise Violation(f"{self.name}: {packet} answers no job")
        if kind == wire.PUBREC:
            job.is_released = True
            self._plain_out += codec.ack(wire.PUBREL, job.packet_id)
            return
        codes = packet.codes if kind == wire.SUBACK else [packet.code]
        # A PUBREL that is sent again may be for what the broker has finished.
        is_finished = kind == wire.PUBCOMP and packet.code == PACKET_ID_NOT_FOUND
        if any(code >= 0x80 for code in codes) and not is_finished:
            raise Violation(f"{self.name}: refused: {packet}")
        self.memory.job = None

    # ---- the network ----

    def _open(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.authority)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(SUITES)
        if self.clock is not None:
            set_clock(context, self.clock)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
        self._socket.settimeout(HANG_S)
        self._socket.connect(self.address)
        self._socket.setblocking(False)
        # An address is verified against the certificate, and never sent as SNI.
        self._tls = context.wrap_bio(self._wire_in, self._wire_out, server_hostname=self.address[0])
        self._shake_hands()

    def _shake_hands(self):
        deadline = time.monotonic() + HANG_S
        while True:
            self._burn_fuse()
            try:
                self._tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                self._say_last_words()
                raise
            if not self._write_fragment() and not self._read_handshake():
                wire.ready_of([self._socket], IDLE_S)
            if time.monotonic() > deadline:
                raise Violation(f"{self.name}: no handshake within {HANG_S:g} s")

    def _read_handshake(self):
        try:
            fragment = self._socket.recv(self._fragment())
        except BlockingIOError:
            return False
        if not fragment:
            raise Violation(f"{self.name}: the broker broke off the handshake")
        self._watch_records(fragment)
        self._wire_in.write(fragment)
        return True

    def _say_last_words(self):
        """The alert that says why."""
        self._socket.setblocking(True)
        self._socket.sendall(self._out + self._wire_out.read())
        self._socket.close()
        self._off()

    def _connect_packet(self):
        properties = {"session_expiry_interval": SESSION_EXPIRY_S} if self.version == wire.V5 else None
        return wire.connect(self.version, self.client_id, clean=False, keep_alive=self.keep_alive_s, will=self.will,
                            username=self.user[0], password=self.user[1].encode(), properties=properties)
