"""MQTT 3.1 (protocol name MQIsdp, level 3), where it differs from 3.1.1."""

from conformance import wire
from conformance.suite import scenario
from conformance.wire import V31, V311, V5, Will


def old(t, name=None, **fields):
    return t.client(name, V31, **fields)


@scenario
def a_3_1_client_connects(t):
    client = t.raw(V31)
    client.send(wire.connect(V31, t.id("old")))
    found = client.expect(wire.CONNACK, code=0)
    assert found.raw == b"\x20\x02\x00\x00", found.raw.hex()
    client.expect_nothing()


@scenario
def name_and_level_belong_together(t):
    for name, level in (("MQIsdp", 4), ("MQIsdp", 5), ("MQIsdp", 2), ("MQTT", 3)):
        client = t.raw(V31)
        client.send(wire.connect(V31, t.id(), protocol_name=name, protocol_level=level))
        client.expect(wire.CONNACK, code=1)
        client.expect_closed()


@scenario
def ids_of_1_to_23_characters_are_accepted(t):
    for length in range(1, 24):
        client = t.raw(V31)
        assert client.connect(("v31" + t.id() + "x" * 23)[-length:]).code == 0, length
        client.disconnect()


@scenario
def an_empty_id_is_rejected(t):
    for clean_session in (True, False):
        client = t.raw(V31)
        assert client.connect("", clean=clean_session).code == 2
        client.expect_closed()


@scenario
def messages_of_every_qos_go_both_ways(t):
    client, other = old(t), old(t)
    for granted in (0, 1, 2):
        topic = t.topic("%d" % granted)
        assert client.subscribe(topic, qos=granted).codes == [granted]
        for published in (0, 1, 2):
            other.publish(topic, b"%d" % published, qos=published)
            client.receive(topic, b"%d" % published, qos=min(granted, published), dup=False, retain=False)
    client.unsubscribe(t.topic("1"))
    other.publish(t.topic("1"), b"x", qos=1)
    t.fence(other, client)


@scenario
def suback_never_has_the_failure_code(t):
    # 3.1 has no 0x80: a subscription that is refused looks granted, or ends the connection.
    for topic_filter in ("$SYS/#", "$share/group/" + t.topic(), "$anything", "a" * 65535, t.topic("ab/" * 20000)):
        client = old(t)
        client.send(wire.subscribe(V31, 1, [(topic_filter, 0), (t.topic(), 1)]))
        found = client.recv_or_end()
        assert found is None or found.type == wire.SUBACK and set(found.codes) <= {0, 1, 2}, found


@scenario
def sessions_are_kept_and_cleaned(t):
    publisher = old(t)
    first = old(t, "kept", clean=False)
    first.subscribe(t.topic(), qos=2)
    first.drop()
    publisher.publish(t.topic(), b"1", qos=1)
    publisher.publish(t.topic(), b"2", qos=2)
    again = t.raw(V31, "kept")
    again.send(wire.connect(V31, first.client_id, clean=False))
    connack = again.expect(wire.CONNACK, code=0)
    # The byte is reserved in 3.1: a client of that time may compare it with zero.
    assert connack.raw == b"\x20\x02\x00\x00", connack.raw.hex()
    again.receive(t.topic(), b"1", qos=1)
    again.receive(t.topic(), b"2", qos=2)
    again.disconnect()
    cleaned = old(t, "kept", clean=True)
    publisher.publish(t.topic(), b"lost", qos=1)
    t.fence(publisher, cleaned)


@scenario
def unfinished_exchanges_are_repeated_after_a_reconnect(t):
    publisher = old(t)
    first = old(t, "kept", clean=False)
    first.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"1", qos=1)
    publisher.publish(t.topic(), b"2", qos=2)
    one, two = first.expect(wire.PUBLISH), first.expect(wire.PUBLISH)
    first.drop()
    again = old(t, "kept", clean=False)
    again.receive(t.topic(), b"1", packet_id=one.packet_id, dup=True)
    again.receive(t.topic(), b"2", packet_id=two.packet_id, dup=True)


@scenario
def wills_and_retained_messages_work(t):
    watcher = old(t)
    watcher.subscribe(t.topic(), qos=1)
    old(t, will=Will(t.topic(), b"gone", 1, retain=True)).drop()
    watcher.receive(t.topic(), b"gone", qos=1, retain=False)
    late = old(t)
    late.subscribe(t.topic(), qos=2)
    late.receive(t.topic(), b"gone", qos=1, retain=True)
    late.publish(t.topic(), b"", qos=1, retain=True)
    leaver = old(t, will=Will(t.topic("left"), b"gone", 1))
    watcher.subscribe(t.topic("left"), qos=1)
    watcher.receive(t.topic(), b"")
    leaver.disconnect()
    t.fence(old(t, leaver.name), watcher)


@scenario
def a_second_connection_takes_over(t):
    first = old(t, "twin")
    second = old(t, "twin")
    first.expect_closed()
    second.expect_nothing()


@scenario
def announced_credentials_may_be_missing(t):
    # 3.1: the Remaining Length takes precedence, so a user name or password flag without the field is accepted.
    for flags in (0x82, 0xC2):
        client = t.raw(V31)
        client.send(wire.connect(V31, t.id("flags%x" % flags), flags=flags))
        client.expect(wire.CONNACK, code=0)


@scenario
def dup_of_qos_0_means_nothing(t):
    client = old(t)
    client.subscribe(t.topic(), qos=0)
    client.send(wire.publish(V31, t.topic(), b"x", 0, dup=True))
    client.receive(t.topic(), b"x", qos=0, dup=False)


@scenario
def violations_end_the_connection(t):
    for packet in (wire.publish(V31, t.topic(), b"x", 3, packet_id=1), wire.publish(V31, t.topic("#"), b"x"),
                   wire.subscribe(V31, 1, []), b"\xf0\x00", wire.connect(V31, t.id())):
        client = old(t)
        client.send(packet)
        client.expect_closed()


@scenario
def versions_exchange_messages(t):
    clients = [t.client("v%d" % version, version) for version in (V31, V311, V5)]
    for client in clients:
        client.subscribe(t.topic(), qos=2)
    for publisher in clients:
        for qos in (0, 1, 2):
            payload = b"%d-%d" % (publisher.version, qos)
            publisher.publish(t.topic(), payload, qos=qos)
            for client in clients:
                client.receive(t.topic(), payload, qos=qos)


@scenario
def a_session_may_change_its_version(t):
    publisher = t.client(version=V311)
    first = old(t, "kept", clean=False)
    first.subscribe(t.topic(), qos=1)
    first.drop()
    publisher.publish(t.topic(), b"x", qos=1)
    newer = t.client("kept", V311, clean=False)
    assert newer.connack.session_present is True
    newer.receive(t.topic(), b"x", qos=1)
