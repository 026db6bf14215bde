"""What CONNACK announces when the broker is configured to offer less, and that it holds to it."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.wire import V5, Will


LISTENER = """
[[listener]]
address = "127.0.0.1"
port = {port}
allow_anonymous = true
"""


def limited(t, *settings):
    """A broker of this test's own, whose listener has these lines of configuration."""
    return t.broker(LISTENER + "\n".join(settings) + "\n")


def refuse(t, broker, data, *codes):
    client = t.client(broker=broker)
    client.send(data)
    client.expect_disconnect(*codes)


@statement("MQTT-3.2.2-9", "MQTT-3.2.2-10", "MQTT-3.2.2-11", "MQTT-3.8.4-7")
def a_lowered_maximum_qos_is_announced_and_enforced(t):
    for maximum in (0, 1):
        broker = limited(t, "maximum_qos = %d" % maximum)
        client = t.client(broker=broker)
        assert client.connack.properties["maximum_qos"] == maximum
        for asked in (0, 1, 2):
            codes = client.subscribe(t.topic("%d" % asked), qos=asked).codes
            assert codes[0] <= 2, "a server with less than QoS 2 still accepts SUBSCRIBE: %r" % codes
            client.publish(t.topic("%d" % asked), b"x", qos=maximum)
            assert client.receive(t.topic("%d" % asked), b"x").qos <= min(asked, maximum)
        for qos in range(maximum + 1, 3):
            refuse(t, broker, wire.publish(V5, t.topic(), b"x", qos=qos, packet_id=1), 0x9B)


@statement("MQTT-3.2.2-12")
def a_will_above_the_maximum_qos_is_refused(t):
    broker = limited(t, "maximum_qos = 1")
    for qos, code in ((0, 0x00), (1, 0x00), (2, 0x9B)):
        client = t.raw(broker=broker)
        client.send(wire.connect(V5, t.id("%d" % qos), will=Will(t.topic(), b"x", qos=qos)))
        client.expect(wire.CONNACK, code=code)
        if code:
            client.expect_closed()


@statement("MQTT-3.2.2-13", "MQTT-3.2.2-14")
def without_retained_messages_they_are_refused(t):
    broker = limited(t, "retain_available = false")
    client = t.client(broker=broker)
    assert client.connack.properties["retain_available"] == 0
    refused = t.raw(broker=broker)
    refused.send(wire.connect(V5, t.id("will"), will=Will(t.topic(), b"x", retain=True)))
    refused.expect(wire.CONNACK, code=0x9A)
    refused.expect_closed()
    for qos in (0, 1, 2):
        packet_id = 1 if qos else None
        refuse(t, broker, wire.publish(V5, t.topic(), b"x", qos=qos, retain=True, packet_id=packet_id), 0x9A)
    client.subscribe((t.topic(), wire.options(qos=1, retain_as_published=True)))
    client.publish(t.topic(), b"x", qos=1)
    client.receive(t.topic(), b"x", retain=False)


@scenario
def what_subscriptions_cannot_have_is_announced_and_refused(t):
    broker = limited(t, "wildcard_subscription_available = false", "subscription_identifier_available = false",
                     "shared_subscription_available = false")
    announced = t.client(broker=broker).connack.properties
    cases = (("wildcard_subscription_available", 0xA2, wire.subscribe(V5, 1, [("a/+", 0)])),
             ("shared_subscription_available", 0x9E, wire.subscribe(V5, 1, [("$share/g/a", 0)])),
             ("subscription_identifier_available", 0xA1,
              wire.subscribe(V5, 1, [("a", 0)], {"subscription_identifier": 1})))
    for name, code, data in cases:
        assert announced[name] == 0
        client = t.client(broker=broker)
        client.send(data)
        answer = client.recv()
        assert answer.type == wire.SUBACK and answer.codes == [code] or \
            answer.type == wire.DISCONNECT and answer.code == code, answer
    plain = t.client(broker=broker)
    assert plain.subscribe(t.topic(), qos=1).codes == [1]


@statement("MQTT-3.2.2-21", "MQTT-3.1.2-21", "MQTT-3.1.2-22")
def a_server_keep_alive_is_announced_and_enforced(t):
    broker = limited(t, 'max_keep_alive = "1s"')
    for asked in (0, 2, 65535):
        client = t.client("silent-%d" % asked, broker=broker, keep_alive=asked)
        assert client.connack.properties["server_keep_alive"] == 1
    within = t.client("within", broker=broker, keep_alive=1)
    assert within.connack.properties.get("server_keep_alive", 1) == 1
    silent = t.client("silent", broker=broker, keep_alive=600)
    silent.expect_disconnect(0x8D)


@statement("MQTT-3.3.4-7", "MQTT-4.9.0-1")
def a_lowered_receive_maximum_is_announced_and_enforced(t):
    broker = limited(t, "receive_maximum = 3")
    client = t.client(broker=broker)
    assert client.connack.properties["receive_maximum"] == 3
    for _ in range(2):
        for number in (1, 2, 3):
            client.send(wire.publish(V5, t.topic(), b"x", qos=2, packet_id=number))
            client.expect(wire.PUBREC, packet_id=number)
        for number in (1, 2, 3):
            client.send(wire.ack(wire.PUBREL, number))
            client.expect(wire.PUBCOMP, packet_id=number)
    for number in (1, 2, 3, 4):
        client.send(wire.publish(V5, t.topic(), b"x", qos=2, packet_id=number))
    for number in (1, 2, 3):
        client.expect(wire.PUBREC, packet_id=number)
    client.expect_disconnect(0x93)


@statement("MQTT-3.2.2-15")
def a_lowered_maximum_packet_size_is_announced_and_enforced(t):
    broker = limited(t, 'max_packet_size = "2KiB"')
    client = t.client(broker=broker)
    limit = client.connack.properties["maximum_packet_size"]
    assert limit == 2048
    room = limit - len(wire.publish(V5, t.topic(), b"", qos=1, packet_id=1)) - 1
    client.send(wire.publish(V5, t.topic(), b"x" * room, qos=1, packet_id=1))
    client.expect(wire.PUBACK, packet_id=1)
    client.send(wire.publish(V5, t.topic(), b"x" * (room + 1), qos=1, packet_id=1))
    client.expect_disconnect(0x95)


@statement("MQTT-3.2.2-18", "MQTT-3.2.2-17", "MQTT-3.3.2-9", "MQTT-3.3.2-12")
def lowered_aliases_are_announced_and_enforced(t):
    none, two = limited(t, "topic_alias_maximum = 0"), limited(t, "topic_alias_maximum = 2")
    assert t.client(broker=none).connack.properties.get("topic_alias_maximum", 0) == 0
    refuse(t, none, wire.publish(V5, t.topic(), b"x", properties={"topic_alias": 1}), 0x94)
    client = t.client(broker=two)
    assert client.connack.properties["topic_alias_maximum"] == 2
    client.subscribe(t.topic())
    for alias in (1, 2):
        client.send(wire.publish(V5, t.topic(), b"x", properties={"topic_alias": alias}))
        client.receive(t.topic(), b"x")
    refuse(t, two, wire.publish(V5, t.topic(), b"x", properties={"topic_alias": 3}), 0x94)


@statement("MQTT-4.3.3-9", "MQTT-3.4.2-1", "MQTT-3.5.2-1")
def retained_messages_beyond_their_limit_are_refused_and_their_identifiers_free(t):
    broker = t.broker(LISTENER + """
        [node]
        max_retained_messages = 1
        [sys]
        interval = "0s"  # its topics are retained too
        """)
    client = t.client(broker=broker)
    client.subscribe(t.topic("new"), qos=2)
    assert client.publish(t.topic("first"), b"x", qos=1, retain=True).code < 0x80
    assert client.publish(t.topic("second"), b"x", qos=1, retain=True).code == 0x97
    refused = client.publish(t.topic("third"), b"x", qos=2, retain=True, packet_id=9)
    assert refused.type == wire.PUBREC and refused.code == 0x97, refused
    client.publish(t.topic("new"), b"new message", qos=2, packet_id=9)
    client.receive(t.topic("new"), b"new message")
    assert client.publish(t.topic("first"), b"replaced", qos=1, retain=True).code < 0x80


@scenario
def a_connect_larger_than_its_limit_is_refused(t):
    broker = limited(t, 'max_connect_size = "1KiB"')
    client = t.raw(broker=broker)
    client.send(wire.connect(V5, t.id("large"), username="x" * 1100))
    answer = client.bytes_until_closed()
    assert answer == b"" or answer[0] == 0x20 and answer[3] == 0x95, answer
    t.client(broker=broker).expect_nothing()
