"""3.2 CONNACK: session present, limits and what a server announces."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.wire import V5, Will

ANNOUNCED = "maximum_packet_size"


@statement("MQTT-3.2.0-1")
def connack_comes_before_queued_messages_and_answers(t):
    publisher, topic = t.client(), t.topic()
    first = t.persistent("device")
    first.subscribe(topic, qos=1)
    first.drop()
    for number in range(5):
        publisher.publish(topic, b"%d" % number, qos=1)
    again = t.raw(name="device")
    again.send(wire.connect(V5, t.id("device"), clean=False, properties={"session_expiry_interval": 600}),
               wire.subscribe(V5, 1, [(t.topic("other"), 0)]), wire.pingreq())
    again.expect(wire.CONNACK, code=0, session_present=True)
    again.reply(wire.SUBACK)
    again.reply(wire.PINGRESP)
    for number in range(5):
        again.receive(topic, b"%d" % number)


@statement("MQTT-3.2.2-1", "MQTT-3.2.2-2", "MQTT-3.2.2-3", "MQTT-3.2.2-6")
def session_present_tells_whether_state_was_there(t):
    def flags(**fields):
        client = t.raw()
        client.connect(t.id("device"), **fields)
        client.drop()
        return client.connack.raw[2], client.connack.code

    kept = {"session_expiry_interval": 600}
    assert flags(clean=False, properties=kept) == (0, 0)
    assert flags(clean=False, properties=kept) == (1, 0)
    assert flags(clean=True, properties=kept) == (0, 0)
    assert flags(clean=False, properties=kept) == (1, 0)
    refused = flags(clean=False, properties=dict(kept, authentication_method="no such method"))
    assert refused[0] == 0 and refused[1] >= 0x80, refused
    assert flags(clean=False, properties=kept) == (1, 0), "a refused CONNECT touched the session"


@statement("MQTT-3.2.2-7", "MQTT-3.2.2-8")
def a_refusing_connack_has_a_listed_code_and_ends_the_connection(t):
    t.expect_connect_refusal(wire.connect(V5, t.id(), flags=0x01), 0x81)
    t.expect_connect_refusal(wire.connect(V5, t.id(), properties={"receive_maximum": 0}), 0x82)
    t.expect_connect_refusal(wire.connect(V5, t.id(), properties={"authentication_method": "no"}), 0x8C, 0x87)


@scenario
def the_announced_limits_are_those_of_the_defaults(t):
    announced = t.client(properties={"session_expiry_interval": 0xFFFFFFFF}).connack.properties
    assert announced["receive_maximum"] == 1024
    assert announced["topic_alias_maximum"] == 64
    assert announced["maximum_packet_size"] == 16 * 1024 * 1024
    assert announced["session_expiry_interval"] == 604800
    for name in ("retain_available", "wildcard_subscription_available", "subscription_identifier_available",
                 "shared_subscription_available"):
        assert announced.get(name, 1) == 1, name
    assert "maximum_qos" not in announced, "Maximum QoS 2 is said by leaving it out"


@scenario
def an_expiry_interval_within_the_limit_is_kept_as_asked(t):
    for asked in (0, 1, 604800):
        announced = t.client(properties={"session_expiry_interval": asked}).connack.properties
        assert announced.get("session_expiry_interval", asked) == asked


@statement("MQTT-3.2.2-9", "MQTT-3.2.2-12")
def a_server_that_announces_no_maximum_qos_serves_qos_2(t):
    watcher = t.client()
    assert "maximum_qos" not in watcher.connack.properties
    watcher.subscribe(t.topic(), qos=2)
    t.client(will=Will(t.topic(), b"will", qos=2)).drop()
    watcher.receive(t.topic(), b"will", qos=2)
    watcher.publish(t.topic(), b"x", qos=2)
    watcher.receive(t.topic(), b"x", qos=2)


@statement("MQTT-3.2.2-13")
def a_server_that_announces_retained_messages_takes_a_retained_will(t):
    client = t.client(will=Will(t.topic(), b"will", qos=1, retain=True))
    assert client.connack.properties.get("retain_available", 1) == 1
    watcher = t.client()
    watcher.subscribe(t.topic(), qos=1)
    client.drop()
    watcher.receive(t.topic(), b"will")
    late = t.client()
    late.subscribe(t.topic(), qos=1)
    late.receive(t.topic(), b"will", retain=True)
    late.publish(t.topic(), b"", retain=True)


@statement("MQTT-3.2.2-15", "MQTT-3.2.2-7")
def a_packet_above_the_announced_size_is_refused_by_its_header(t):
    client = t.client()
    limit = client.connack.properties[ANNOUNCED]
    client.send(b"\x30" + wire.varint(limit - 5 + 1))  # one byte of type, four of length: one above the limit
    client.expect_disconnect(0x95)
    largest = t.client()
    largest.send(b"\x30\xff\xff\xff\x7f")
    largest.expect_disconnect(0x95)


@statement("MQTT-3.2.2-15")
def a_packet_of_just_the_announced_size_is_served(t):
    client = t.client()
    limit = client.connack.properties[ANNOUNCED]
    empty = wire.publish(V5, t.topic(), b"", qos=1, packet_id=1)
    body_max = limit - 5
    payload = b"x" * (body_max - (len(empty) - 2))
    data = wire.publish(V5, t.topic(), payload, qos=1, packet_id=1)
    assert len(data) == limit
    client.send(data)
    client.expect(wire.PUBACK, packet_id=1)


@statement("MQTT-3.2.2-17", "MQTT-3.3.2-9", "MQTT-3.2.2-18")
def an_alias_above_the_announced_maximum_is_refused(t):
    limit = t.client().connack.properties.get("topic_alias_maximum", 0)
    for alias in (limit + 1, 65535):
        t.expect_refusal(wire.publish(V5, t.topic(), b"x", properties={"topic_alias": alias}), 0x94)


def _refused_connack(t, how, limit=None):
    """CONNACK for a will topic with a wildcard, or for an authentication method that nobody has."""
    client = t.raw()
    given = {} if limit is None else {"maximum_packet_size": limit}
    if how == "will topic":
        client.send(wire.connect(V5, t.id("limited"), will=Will("a/#", b"x"), properties=given))
    else:
        given["authentication_method"] = "no such method"
        client.send(wire.connect(V5, t.id("limited"), properties=given))
    connack = client.recv_or_end()
    if connack is not None:
        client.expect_closed()
    return connack


@statement("MQTT-3.2.2-19", "MQTT-3.2.2-20", "MQTT-3.1.2-24")
def connack_leaves_out_what_would_make_it_too_large(t):
    for how in ("method", "will topic"):
        whole = _refused_connack(t, how)
        assert whole.properties.get("reason_string"), "a refusal explains itself"
        fits = _refused_connack(t, how, len(whole.raw))
        assert fits.raw == whole.raw
        short = _refused_connack(t, how, len(whole.raw) - 1)
        assert short.code == whole.code and "reason_string" not in short.properties, (how, short)
        assert "user_property" not in short.properties and len(short.raw) < len(whole.raw)
        assert _refused_connack(t, how, 4) is None, "a CONNACK of five bytes went to a client that takes four"


@statement("MQTT-3.1.2-24")
def a_client_that_cannot_take_a_connack_is_closed(t):
    """A successful CONNACK takes at least five bytes, with its limits more; where the client takes fewer, nothing can be
    sent."""
    for limit in (1, 4, 10):
        client = t.raw()
        client.send(wire.connect(V5, t.id("tiny"), properties={"maximum_packet_size": limit}))
        found = client.recv_or_end()
        assert found is None or len(found.raw) <= limit, "%r is larger than the client takes" % found


@statement("MQTT-3.1.2-24")
def no_answer_is_larger_than_the_client_takes(t):
    """One reason code for each filter makes SUBACK and UNSUBACK larger than the limit."""
    limit = 30
    filters = [t.topic("%d" % number) for number in range(100)]
    for data in (wire.subscribe(V5, 1, [(one, 0) for one in filters]), wire.unsubscribe(V5, 1, filters)):
        client = t.client(properties={"maximum_packet_size": limit})
        client.send(data, wire.pingreq())
        found = client.recv()
        assert len(found.raw) <= limit, "%r is larger than the client takes" % found