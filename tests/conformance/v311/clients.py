"""Clients as the tests of 3.1.1 use them: short names for what nearly every test starts with."""

from conformance import wire
from conformance.wire import V311


def clean(t, name=None, **fields):
    """A client of 3.1.1 whose session ends with its connection."""
    return t.client(name, V311, **fields)


def kept(t, name="kept", **fields):
    """A client of 3.1.1 with Clean Session 0; the same name again resumes its session."""
    return t.client(name, V311, clean=False, **fields)


def fresh_kept(t, name="kept", **fields):
    """The same, where there must not have been a session before."""
    client = kept(t, name, **fields)
    assert client.connack.session_present is False, "a session was there before"
    return client


def resumed(t, name="kept", **fields):
    """The same, where there must have been one."""
    client = kept(t, name, **fields)
    assert client.connack.session_present is True, "the session was not there"
    return client


def raw(t, name=None):
    """A connected socket on which nothing has been sent, read as 3.1.1."""
    return t.raw(V311, name)


def expect_end(t, *chunks, **fields):
    """An accepted client that sends these bytes loses its connection, and gets nothing before that."""
    client = clean(t, **fields)
    client.send(*chunks)
    client.expect_closed()
    client.close()  # some tests do this a thousand times


def expect_no_connack(t, *chunks):
    """A connection that begins with these bytes ends without a CONNACK: it does not wait for a better CONNECT."""
    client = raw(t)
    client.send(*chunks, wire.connect(V311, t.id("again")))
    client.expect_closed()
    client.close()


def expect_return_code(t, code, *chunks):
    """A connection that begins with these bytes gets a CONNACK with this code and Session Present 0, and ends."""
    client = raw(t)
    client.send(*chunks)
    client.expect(wire.CONNACK, code=code, session_present=False)
    client.try_send(wire.connect(V311, t.id("again")))  # too late
    client.expect_closed()
    client.close()


def connack_of(t, *chunks):
    """The CONNACK that answers these bytes; it must accept."""
    client = raw(t)
    client.send(*chunks)
    return client, client.expect(wire.CONNACK, code=0)


def return_of(t, client):
    """A new connection of the same client id. The broker accepts it only after it is done with the earlier one, so
    what the end of that caused comes before anything that the new connection publishes."""
    again = t.raw(V311, client.name)
    assert again.connect(client_id=client.client_id).code == 0
    return again


def publish_burst(client, topic, payloads, qos, first_id=1):
    """Many PUBLISH packets in one segment; their identifiers."""
    ids = list(range(first_id, first_id + len(payloads)))
    client.send(b"".join(wire.publish(V311, topic, payload, qos, packet_id=one if qos else None)
                         for one, payload in zip(ids, payloads)))
    return ids
