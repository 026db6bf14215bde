"""How a test's bytes reach the broker: TCP, a Unix socket, WebSocket, or TCP and WebSocket in TLS. What comes out
behaves like a socket.

The WebSocket client is written from RFC 6455 alone. It is unkind on purpose: it cuts what it sends into frames and
fragments of its own choosing, with pings in between, so that every test crosses the borders of packets and frames.
"""

import atexit
import base64
import functools
import hashlib
import itertools
import os
import pathlib
import random
import re
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# auto: a listener that finds out, and clients of the four kinds that it knows in turn. Else all are of one kind.
TRANSPORTS = ("tcp", "ws", "tls", "wss", "unix", "auto")
OF_AUTO = ("tcp", "ws", "tls", "wss")
PROTOCOLS = {"tls": "mqtt", "ws": "websocket", "wss": "websocket", "auto": "auto"}
chosen = "tcp"

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_turns = itertools.count()

LISTENER = '[[listener]]\naddress = "127.0.0.1"\nport = {port}\nallow_anonymous = true\n'


def configuration(text, unix_path):
    """The text of a nightjar.toml, or None, with its listeners on the chosen transport."""
    if chosen == "tcp":
        return text
    text = text or LISTENER
    if chosen == "unix":
        text = re.sub(r"(?m)^(address|port) = .*\n", "", text)
        return text.replace("[[listener]]", '[[listener]]\npath = "%s"' % unix_path)
    keys = 'protocol = "%s"' % PROTOCOLS[chosen]
    if chosen != "ws":
        keys += '\ntls.certificate = "{0}/server.pem"\ntls.key = "{0}/server.key"'.format(authority())
    return text.replace("[[listener]]", "[[listener]]\n" + keys)


def binary():
    return os.environ.get("NIGHTJAR_BIN", str(REPOSITORY / "build" / "release" / "nightjar"))


@functools.lru_cache(maxsize=None)
def authority():
    """The directory of the authority of this run. First asked for by the first broker, before there are threads."""
    directory = tempfile.mkdtemp(prefix="conformance-tls-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    made = os.path.join(directory, "pki")
    subprocess.run([binary(), "tls", "init", made, "--name", "localhost", "--ip", "127.0.0.1"], check=True,
                   stdout=subprocess.DEVNULL)
    return made


@functools.lru_cache(maxsize=None)
def client_context():
    return ssl.create_default_context(cafile=os.path.join(authority(), "ca.pem"))


def dial(address, timeout):
    """`address` is a pair of host and port, or the path of a Unix socket."""
    if isinstance(address, str):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        connection.connect(address)
        return connection
    connection = socket.create_connection(address, timeout=timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    kind = OF_AUTO[next(_turns) % len(OF_AUTO)] if chosen == "auto" else chosen
    if kind in ("tls", "wss"):
        connection = Tls(connection)
    return WebSocket(connection) if kind in ("ws", "wss") else connection


def has_bytes(ready):
    """Whether something for MQTT, or the end, has come to a connection that select() found ready."""
    return not isinstance(ready, (WebSocket, Tls)) or ready.take_in()


def frame(opcode, payload=b"", flags=FIN, masked=True):
    """One frame of a client."""
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head = bytes([flags | opcode, bit | len(payload)])
    elif len(payload) < 1 << 16:
        head = bytes([flags | opcode, bit | 126]) + struct.pack("!H", len(payload))
    else:
        head = bytes([flags | opcode, bit | 127]) + struct.pack("!Q", len(payload))
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + mask(payload, key)


def mask(payload, key):
    size = len(payload)
    wide = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(wide, "big")).to_bytes(size, "big")


class Refused(AssertionError):
    """The handshake failed; `status` is that of the HTTP answer, 0 without one."""

    def __init__(self, answer):
        super().__init__("the handshake was refused: %r" % answer)
        words = answer.split(b" ", 2)
        self.answer, self.status = answer, int(words[1]) if len(words) > 2 else 0


class Tls:
    """A TLS connection as if it were a plain socket. The broker's certificate is checked."""

    # Asked for this much, OpenSSL gives all of a record and keeps nothing back that select() would not see.
    RECORD_BYTES_MAX = 1 << 14

    def __init__(self, connection):
        self._socket = client_context().wrap_socket(connection, server_hostname="127.0.0.1")
        self._found = None  # what take_in() read, for who asks next; b"" is the end

    def fileno(self):
        return self._socket.fileno()

    def settimeout(self, timeout):
        self._socket.settimeout(timeout)

    def close(self):
        self._socket.close()

    def sendall(self, data):
        self._socket.sendall(data)

    def recv(self, size):
        assert size >= self.RECORD_BYTES_MAX
        if self._found is None:
            return self._socket.recv(size)
        found, self._found = self._found, None
        return found

    def take_in(self):
        """Reads what has come; whether recv() would return at once now. A session ticket is nothing to return."""
        if self._found is not None:
            return True
        timeout = self._socket.gettimeout()
        self._socket.setblocking(False)
        try:
            self._found = self._socket.recv(self.RECORD_BYTES_MAX)
        except ssl.SSLWantReadError:
            return False
        except ConnectionError:
            self._found = b""
        finally:
            self._socket.settimeout(timeout)
        return True


class WebSocket:
    """An open WebSocket as if it were a socket: sendall() and recv() take and give what is inside the frames."""

    def __init__(self, connection, subprotocol="mqtt", path="/any/path", headers=()):
        self._socket = connection
        self._unread = b""     # of the socket
        self._found = b""      # out of frames, for who asks next
        self._ended = False
        self._pongs_due = 0
        self.close_code = None
        self._chance = random.Random(0)
        key = base64.b64encode(os.urandom(16))
        lines = ["GET %s HTTP/1.1" % path, "Host: broker", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: %s" % key.decode()]
        if subprotocol is not None:
            lines.append("Sec-WebSocket-Protocol: %s" % subprotocol)
        connection.sendall("\r\n".join([*lines, *headers, "", ""]).encode())
        while b"\r\n\r\n" not in self._unread:
            data = connection.recv(1 << 16)
            if not data:
                raise Refused(self._unread)
            self._unread += data
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise Refused(head)
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
        self.fields = {name.lower(): value for name, value in fields}
        if self.fields["sec-websocket-accept"].encode() != base64.b64encode(hashlib.sha1(key + GUID).digest()):
            raise Refused(head)

    # --- what a socket has

    def fileno(self):
        return self._socket.fileno()

    def settimeout(self, timeout):
        self._socket.settimeout(timeout)

    def close(self):
        self._socket.close()

    def send_raw(self, data):
        self._socket.sendall(data)

    def sendall(self, data):
        self._socket.sendall(b"".join(self._cut(data)))

    def _cut(self, data):
        """Frames that hold `data`: one as a rule, else several, or fragments with a ping between them."""
        way = self._chance.randrange(4)
        if way < 2 or len(data) < 2:
            yield frame(BINARY, data)
            return
        cuts = sorted(self._chance.randrange(len(data) + 1) for _ in range(2))
        parts = [data[:cuts[0]], data[cuts[0]:cuts[1]], data[cuts[1]:]]
        if way == 2:
            yield from (frame(BINARY, part) for part in parts)
            return
        yield frame(BINARY, parts[0], flags=0)
        self._pongs_due += 1
        yield frame(PING, b"still there?")
        yield frame(CONTINUATION, parts[1], flags=0)
        yield frame(CONTINUATION, parts[2])

    def recv(self, _size):
        """Everything that has come, at least a byte; b"" at the end of the stream."""
        while not self._found and not self._ended:
            self.take_in()
        found, self._found = self._found, b""
        return found

    def take_in(self):
        """Waits for bytes and opens the frames that are whole; whether recv() would return at once now."""
        if b"" == self._unread or not self._open_frames():
            data = self._socket.recv(1 << 16)
            self._ended = not data
            self._unread += data
            self._open_frames()
        return bool(self._found) or self._ended

    def _open_frames(self):
        """Whether there was one."""
        opened = False
        while not self._ended and (one := self._take_frame()) is not None:
            opened = True
            opcode, payload = one
            if opcode == CLOSE:
                self.close_code = struct.unpack("!H", payload[:2])[0] if payload else 1005
                self._await_end()
            elif opcode == PONG:
                assert self._pongs_due and payload == b"still there?", "a pong that nobody asked for: %r" % payload
                self._pongs_due -= 1
            else:
                assert opcode == BINARY, "a server's frame with opcode %d [MQTT-6.0.0-1]" % opcode
                self._found += payload
        return opened

    def _await_end(self):
        while self._socket.recv(1 << 16):
            raise AssertionError("bytes behind the close frame")
        self._unread = b""
        self._ended = True

    def _take_frame(self):
        data = self._unread
        if len(data) < 2:
            return None
        assert data[0] & 0xF0 == FIN and not data[1] & 0x80, "the server's frames are whole and unmasked: %r" % data[:2]
        size, at = data[1], 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at or len(data) < at + size:
            return None
        self._unread = data[at + size:]
        return data[0] & 0x0F, data[at:at + size]
