"""Raw MQTT for the cases that no client library would do: the wire of the conformance suite, and plain sockets."""
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from conformance import wire  # noqa: E402
from harness import HANG_S, HOST, Failure, expect_equal  # noqa: E402


def raw(case, version=wire.V5, name="raw", port=None):
    """A connected MQTT socket on which nothing has been sent; its packets go into the report of the case."""
    client = wire.Client((HOST, port or case.port), version, name, case.trace, timeout=HANG_S)
    case.close_at_end(client)
    return client


def connected(case, client_id, version=wire.V5, port=None, **fields):
    """A client whose CONNECT was accepted."""
    client = raw(case, version, client_id, port)
    expect_equal(client.connect(client_id, **fields).code, 0, f"CONNACK of {client_id}")
    return client


def end_of_stream(plain):
    """Waits until the server has closed this socket."""
    plain.settimeout(HANG_S)
    try:
        while plain.recv(65536):
            pass
    except ConnectionError:
        pass  # a reset is an end as well
    except socket.timeout:
        raise Failure("the server keeps the connection open") from None


def is_ended(plain):
    """Whether the server has closed this socket by now."""
    plain.setblocking(False)
    try:
        return plain.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
