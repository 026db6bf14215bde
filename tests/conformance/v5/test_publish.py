"""3.3 PUBLISH, without retained messages (test_retain.py) and subscription details (test_subscribe.py)."""

import time

from conformance import wire
from conformance.suite import scenario, statement
from conformance.wire import V5

LEVELS_TOO_MANY = "/".join("x" * 201)  # one more level than the broker takes


@statement("MQTT-3.3.1-2")
def dup_on_qos_0_is_refused(t):
    t.expect_refusal(wire.publish(V5, t.topic(), b"x", qos=0, dup=True), 0x81, 0x82)


@statement("MQTT-3.3.1-1", "MQTT-4.4.0-1")
def a_delivery_after_reconnect_has_dup(t):
    publisher, topic = t.client(), t.topic()
    first = t.persistent("device")
    first.subscribe(topic, qos=2)
    for qos in (1, 2):
        publisher.publish(topic, b"%d" % qos, qos=qos)
    sent = [first.expect(wire.PUBLISH, qos=qos, dup=False) for qos in (1, 2)]
    first.drop()
    again = t.persistent("device")
    for packet in sent:
        again.receive(topic, packet.payload, packet_id=packet.packet_id, dup=True)


@statement("MQTT-3.3.1-3")
def dup_of_the_publisher_is_not_passed_on(t):
    subscriber, publisher = t.client(), t.client()
    subscriber.subscribe(t.topic(), qos=2)
    for qos in (1, 2):
        publisher.publish(t.topic(), b"%d" % qos, qos=qos, dup=True)
        subscriber.receive(t.topic(), b"%d" % qos, qos=qos, dup=False)


@statement("MQTT-3.3.1-4", "MQTT-4.13.1-1")
def both_qos_bits_are_malformed(t):
    t.expect_refusal(wire.publish(V5, t.topic(), b"x", qos=3, packet_id=1), 0x81)


@statement("MQTT-3.3.2-1")
def the_topic_name_must_be_there_and_whole(t):
    t.expect_refusal(wire.packet(wire.PUBLISH, 0, b""), 0x81)
    t.expect_refusal(wire.packet(wire.PUBLISH, 0, b"\x00"), 0x81)
    t.expect_refusal(wire.packet(wire.PUBLISH, 0, b"\x00\x05abc\x00"), 0x81)
    t.expect_refusal(wire.packet(wire.PUBLISH, 2, wire.utf8("t") + b"\x01"), 0x81)


@statement("MQTT-3.3.2-2", "MQTT-4.7.0-1")
def a_wildcard_in_a_topic_name_is_refused(t):
    watcher, publisher = t.client(), t.client()
    watcher.subscribe(t.topic("#"))
    for name in ("a+", "+", "#", "a/#", "a/+/b", "a#b"):
        for qos in (0, 1, 2):
            client = t.client()
            client.send(wire.publish(V5, t.topic(name), b"x", qos=qos, packet_id=1 if qos else None))
            answer = client.recv()
            if answer.type == wire.DISCONNECT:
                assert answer.code in (0x90, 0x81, 0x82), answer
                client.expect_closed()
            else:
                assert answer.type == (wire.PUBACK if qos == 1 else wire.PUBREC) and answer.code == 0x90, answer
    t.fence(publisher, watcher)


@statement("MQTT-3.3.2-3", "MQTT-4.7.1-1", "MQTT-4.7.1-2")
def what_is_delivered_matches_the_filter(t):
    publisher = t.client()
    topics = ["a", "a/", "/a", "a/b", "a/b/c", "a//c", "b", "a/b/c/d"]
    expected = {
        "a": ["a"], "a/+": ["a/", "a/b"], "a/#": ["a", "a/", "a/b", "a/b/c", "a//c", "a/b/c/d"], "+/a": ["/a"],
        "a/+/c": ["a/b/c", "a//c"], "+": ["a", "b"], "+/+": ["a/", "/a", "a/b"], "a//c": ["a//c"], "/+": ["/a"],
        "#": topics, "a/b/#": ["a/b", "a/b/c", "a/b/c/d"], "+/b/+": ["a/b/c"], "a/b/c/+": ["a/b/c/d"],
    }
    watchers = {one: t.client() for one in expected}
    for one, watcher in watchers.items():
        watcher.subscribe(t.topic("r/" + one), qos=1)
    for topic in topics:
        publisher.publish(t.topic("r/" + topic), topic, qos=1)
    for one, watcher in watchers.items():
        for topic in expected[one]:
            watcher.receive(t.topic("r/" + topic), topic)
    t.fence(publisher, *watchers.values())


PASSED_ON = {
    "payload_format_indicator": [0, 1],
    "response_topic": ["answer", "a/very/long/\u00fc/topic", "/"],
    "correlation_data": [b"", b"\x00\xff\x00", b"x" * 1000],
    "content_type": ["", "text/plain", "\u4e2d\u6587"],
}


@statement("MQTT-3.3.2-4", "MQTT-3.3.2-15", "MQTT-3.3.2-16", "MQTT-3.3.2-20")
def properties_are_passed_on_unaltered(t):
    subscriber, publisher = t.client(), t.client()
    subscriber.subscribe(t.topic(), qos=2)
    for name, values in PASSED_ON.items():
        for value in values:
            for qos in (0, 1, 2):
                publisher.publish(t.topic(), b"x", qos=qos, properties={name: value})
                found = subscriber.receive(t.topic(), b"x", qos=qos)
                if name == "payload_format_indicator" and value == 0:
                    assert found.properties in ({}, {name: 0})  # 0 is what leaving it out says
                else:
                    assert found.properties == {name: value}


@statement("MQTT-3.3.2-4", "MQTT-3.3.2-15", "MQTT-3.3.2-16", "MQTT-3.3.2-17", "MQTT-3.3.2-18", "MQTT-3.3.2-20")
def properties_survive_the_queue_and_the_retained_store(t):
    given = {"payload_format_indicator": 1, "response_topic": "answer", "correlation_data": b"\x00\x01",
             "content_type": "type", "user_property": [("b", "1"), ("a", "2"), ("b", "1")]}
    publisher = t.client()
    offline = t.persistent("device")
    offline.subscribe((t.topic(), wire.options(qos=1)))
    offline.drop()
    publisher.publish(t.topic(), b"x", qos=1, retain=True, properties=given)
    assert t.persistent("device").receive(t.topic(), b"x").properties == given
    late = t.client()
    late.subscribe(t.topic(), qos=1)
    assert late.receive(t.topic(), b"x", retain=True).properties == given
    publisher.publish(t.topic(), b"", retain=True)


@statement("MQTT-3.3.2-17", "MQTT-3.3.2-18")
def user_properties_are_passed_on_all_and_in_order(t):
    subscriber, publisher = t.client(), t.client()
    subscriber.subscribe(t.topic(), qos=2)
    pairs = [("z", "1"), ("a", "2"), ("z", "1"), ("", ""), ("a", "1"), ("\u00fc", "\u4e2d"), ("long", "x" * 5000)]
    pairs += [("n%d" % number, "%d" % number) for number in range(50)]
    for qos in (0, 1, 2):
        publisher.publish(t.topic(), b"x", qos=qos, properties={"user_property": pairs})
        assert subscriber.receive(t.topic(), b"x").properties == {"user_property": pairs}


@statement("MQTT-3.3.2-5")
def a_message_that_expired_while_queued_is_not_delivered(t):
    publisher = t.client()
    offline = t.persistent("device")
    offline.subscribe(t.topic(), qos=2)
    offline.drop()
    for qos in (1, 2):
        publisher.publish(t.topic(), b"short", qos=qos, properties={"message_expiry_interval": 1})
        publisher.publish(t.topic(), b"long", qos=qos, properties={"message_expiry_interval": 600})
    t.let_pass(3)
    again = t.persistent("device")
    again.receive(t.topic(), b"long", qos=1)
    again.receive(t.topic(), b"long", qos=2)
    t.fence(publisher, again)


@statement("MQTT-3.3.2-5")
def a_message_that_expired_behind_a_full_window_is_not_delivered(t):
    publisher = t.client()
    slow = t.client(properties={"receive_maximum": 1})
    slow.subscribe(t.topic(), qos=1)
    publisher.publish(t.topic(), b"blocks", qos=1)
    blocking = slow.expect(wire.PUBLISH, payload=b"blocks")
    publisher.publish(t.topic(), b"short", qos=1, properties={"message_expiry_interval": 1})
    publisher.publish(t.topic(), b"long", qos=1, properties={"message_expiry_interval": 600})
    t.let_pass(3)
    slow.send(wire.ack(wire.PUBACK, blocking.packet_id))
    slow.receive(t.topic(), b"long")
    t.fence(publisher, slow)


@statement("MQTT-3.3.2-5", "MQTT-3.3.2-6")
def a_retained_message_expires_and_counts_down(t):
    publisher = t.client()
    publisher.publish(t.topic("short"), b"x", qos=1, retain=True, properties={"message_expiry_interval": 1})
    publisher.publish(t.topic("long"), b"x", qos=1, retain=True, properties={"message_expiry_interval": 600})
    t.let_pass(3)
    late = t.client()
    late.subscribe(t.topic("+"), qos=1)
    found = late.receive(t.topic("long"), b"x", retain=True)
    assert 500 <= found.properties["message_expiry_interval"] <= 597, found
    t.fence(publisher, late)
    publisher.publish(t.topic("long"), b"", retain=True)


@statement("MQTT-3.3.2-6")
def the_expiry_interval_counts_down_while_a_message_waits(t):
    publisher = t.client()
    offline = t.persistent("device")
    offline.subscribe(t.topic(), qos=1)
    publisher.publish(t.topic(), b"live", qos=1, properties={"message_expiry_interval": 600})
    found = offline.receive(t.topic(), b"live")
    assert 590 <= found.properties["message_expiry_interval"] <= 600
    offline.drop()
    began = time.monotonic()
    publisher.publish(t.topic(), b"queued", qos=1, properties={"message_expiry_interval": 600})
    t.let_pass(2)
    again = t.persistent("device")
    found = again.receive(t.topic(), b"queued")
    waited = time.monotonic() - began
    assert 600 - waited - 1 <= found.properties["message_expiry_interval"] <= 598, found


@scenario
def without_an_expiry_interval_none_is_passed_on(t):
    client = t.client()
    client.subscribe(t.topic(), qos=1)
    client.publish(t.topic(), b"x", qos=1)
    assert client.receive(t.topic(), b"x").properties == {}


# -------------------------------------------------------------------------------------------------------- topic alias

def with_alias(topic, alias, payload, qos=0, packet_id=None):
    return wire.publish(V5, topic, payload, qos=qos, packet_id=packet_id, properties={"topic_alias": alias})


@statement("MQTT-3.3.2-12")
def every_alias_up_to_the_announced_maximum_is_served(t):
    watcher, publisher = t.client(), t.client()
    watcher.subscribe(t.topic("#"))
    limit = publisher.connack.properties["topic_alias_maximum"]
    for alias in range(1, limit + 1):
        publisher.send(with_alias(t.topic("%d" % alias), alias, b"set"))
    for alias in range(limit, 0, -1):
        publisher.send(with_alias("", alias, b"used"))
    for alias in range(1, limit + 1):
        watcher.receive(t.topic("%d" % alias), b"set", properties={})
    for alias in range(limit, 0, -1):
        watcher.receive(t.topic("%d" % alias), b"used", properties={})


@scenario
def an_alias_can_be_given_another_topic(t):
    watcher, publisher = t.client(), t.client()
    watcher.subscribe(t.topic("#"), qos=2)
    publisher.send(with_alias(t.topic("a"), 1, b"1"), with_alias("", 1, b"2", 1, 1),
                   with_alias(t.topic("b"), 1, b"3", 1, 2), with_alias("", 1, b"4"))
    for topic, payload in (("a", b"1"), ("a", b"2"), ("b", b"3"), ("b", b"4")):
        watcher.receive(t.topic(topic), payload)


@statement("MQTT-3.3.2-7")
def an_alias_is_gone_after_a_reconnect(t):
    first = t.persistent("device")
    first.send(with_alias(t.topic(), 1, b"x"))
    first.expect_nothing()
    first.drop()
    again = t.persistent("device")
    again.send(with_alias("", 1, b"x"))
    again.expect_disconnect(0x82, 0x94)


@statement("MQTT-3.3.2-8")
def alias_0_is_refused(t):
    t.expect_refusal(with_alias(t.topic(), 0, b"x"), 0x94)
    t.expect_refusal(with_alias("", 0, b"x"), 0x94)


@statement("MQTT-3.3.2-8", "MQTT-4.7.3-1")
def an_empty_topic_needs_a_known_alias(t):
    t.expect_refusal(wire.publish(V5, "", b"x"), 0x82, 0x81, 0x90)
    t.expect_refusal(with_alias("", 1, b"x"), 0x82, 0x94)


class Aliases:
    """What a client of 5.0 keeps about the aliases it is sent."""

    def __init__(self, maximum):
        self.maximum, self.topics = maximum, {}

    def topic_of(self, packet):
        alias = packet.properties.get("topic_alias")
        if alias is None:
            assert packet.topic, "no topic and no alias"
            return packet.topic
        assert 1 <= alias <= self.maximum, "alias %d with a maximum of %d" % (alias, self.maximum)
        if packet.topic:
            self.topics[alias] = packet.topic
        assert alias in self.topics, "alias %d was not set up" % alias
        return self.topics[alias]


@statement("MQTT-3.1.2-26", "MQTT-3.3.2-11", "MQTT-3.3.2-8")
def aliases_to_the_client_stay_within_its_maximum(t):
    for maximum in (1, 3, 65535):
        subscriber = t.client(properties={"topic_alias_maximum": maximum})
        publisher = t.client()
        root = t.topic("%d" % maximum)
        subscriber.subscribe(root + "/#", qos=2)
        aliases = Aliases(maximum)
        for number in range(40):
            topic = "%s/%d" % (root, number * 7 % 5)
            publisher.publish(topic, b"%d" % number, qos=number % 3)
            packet = subscriber.receive(payload=b"%d" % number)
            assert aliases.topic_of(packet) == topic


@scenario
def aliases_to_the_client_are_used_and_save_the_topic(t):
    subscriber, publisher = t.client(properties={"topic_alias_maximum": 10}), t.client()
    subscriber.subscribe(t.topic())
    found = []
    for number in range(10):
        publisher.publish(t.topic(), b"%d" % number)
        found.append(subscriber.receive(payload=b"%d" % number))
    assert any(packet.topic == "" for packet in found), "the topic went out in full ten times"


@statement("MQTT-3.1.2-27", "MQTT-3.1.2-26")
def a_client_that_announces_no_aliases_gets_none(t):
    publisher = t.client()
    for given in ({}, {"topic_alias_maximum": 0}):
        subscriber = t.client(properties=given)
        subscriber.subscribe(t.topic(), qos=1)
        for number in range(10):
            publisher.publish(t.topic(), b"%d" % number, qos=1)
            assert "topic_alias" not in subscriber.receive(t.topic(), b"%d" % number).properties


@statement("MQTT-3.3.2-7")
def aliases_to_the_client_start_anew_on_each_connection(t):
    publisher = t.client()
    for _ in range(2):
        subscriber = t.persistent("device", properties={"topic_alias_maximum": 5})
        subscriber.subscribe(t.topic(), qos=1)
        aliases = Aliases(5)
        for number in range(3):
            publisher.publish(t.topic(), b"%d" % number, qos=1)
            assert aliases.topic_of(subscriber.receive(payload=b"%d" % number)) == t.topic()
        subscriber.drop()


@statement("MQTT-3.3.2-7")
def a_message_sent_by_alias_is_sent_again_in_full_or_with_its_alias(t):
    publisher = t.client()
    first = t.persistent("device", properties={"topic_alias_maximum": 5})
    first.subscribe(t.topic(), qos=1)
    for number in range(3):
        publisher.publish(t.topic(), b"%d" % number, qos=1)
        first.expect(wire.PUBLISH)
    first.drop()
    again = t.persistent("device", properties={"topic_alias_maximum": 2})
    aliases = Aliases(2)
    for number in range(3):
        assert aliases.topic_of(again.receive(payload=b"%d" % number, dup=True)) == t.topic()


# ---------------------------------------------------------------------------------------- other properties of PUBLISH

@statement("MQTT-3.3.2-13", "MQTT-3.3.2-19")
def response_topic_and_content_type_must_be_strings(t):
    for name in ("response_topic", "content_type"):
        for bad in (b"\xff", b"a\0b", b"\xed\xa0\x80"):
            t.expect_refusal(wire.publish(V5, t.topic(), b"x", properties={name: bad}), 0x81)


@statement("MQTT-3.3.2-14")
def a_wildcard_in_the_response_topic_is_refused(t):
    watcher, publisher = t.client(), t.client()
    watcher.subscribe(t.topic())
    for bad in ("a/+", "#", "a/#", "+"):
        for qos in (0, 1, 2):
            client = t.client()
            client.send(wire.publish(V5, t.topic(), b"x", qos=qos, packet_id=1 if qos else None,
                                     properties={"response_topic": bad}))
            answer = client.recv()
            if answer.type == wire.DISCONNECT:
                assert answer.code in (0x81, 0x82, 0x90), answer
                client.expect_closed()
            else:
                assert answer.type == (wire.PUBACK if qos == 1 else wire.PUBREC) and answer.code == 0x90, answer
    t.fence(publisher, watcher)


@statement("MQTT-3.3.4-6")
def a_subscription_identifier_from_a_client_is_refused(t):
    t.expect_refusal(wire.publish(V5, t.topic(), b"x", properties={"subscription_identifier": 1}), 0x82)


@statement("MQTT-4.13.1-1")
def each_property_of_publish_that_comes_twice_is_refused(t):
    values = {"payload_format_indicator": 1, "message_expiry_interval": 1, "topic_alias": 1, "response_topic": "x",
              "correlation_data": b"x", "content_type": "x"}
    for name, value in values.items():
        t.expect_refusal(wire.publish(V5, t.topic(), b"x", properties={name: [value, value]}), 0x82)


@statement("MQTT-4.13.1-1")
def properties_that_publish_does_not_have_are_refused(t):
    for name, value in (("session_expiry_interval", 1), ("reason_string", "x"), ("receive_maximum", 1),
                        ("server_keep_alive", 1), ("maximum_qos", 1), ("will_delay_interval", 1)):
        t.expect_refusal(wire.publish(V5, t.topic(), b"x", properties={name: value}), 0x81, 0x82)
    t.expect_refusal(wire.publish(V5, t.topic(), b"x", properties=b"\x7f\x01"), 0x81)
    t.expect_refusal(wire.publish(V5, t.topic(), b"x", properties=b"\x02\x00"), 0x81)
    t.expect_refusal(wire.packet(wire.PUBLISH, 0, wire.utf8("t") + b"\x20" + b"\x02\x00\x00\x00\x01"), 0x81)


@statement("MQTT-3.3.4-1", "MQTT-4.3.1-1")
def qos_0_is_answered_by_nothing(t):
    client = t.client()
    client.send(wire.publish(V5, t.topic(), b"x"))
    client.expect_nothing()


@statement("MQTT-3.3.4-1")
def qos_1_and_2_are_answered_in_their_way_whatever_becomes_of_the_message(t):
    """The first time, repeated, and refused; with subscribers and without."""
    client, watcher = t.client(), t.client()
    watcher.subscribe(t.topic("a"))
    for topic, code in ((t.topic("a"), 0x00), (t.topic("b"), 0x10), (LEVELS_TOO_MANY, 0x90)):
        for qos, answer in ((1, wire.PUBACK), (2, wire.PUBREC)):
            for dup in (False, True):
                client.send(wire.publish(V5, topic, b"x", qos=qos, packet_id=9, dup=dup))
                assert client.expect(answer, packet_id=9).code in (0x00, code)
                client.expect_nothing()
        client.send(wire.ack(wire.PUBREL, 9))
        client.expect(wire.PUBCOMP, packet_id=9)


@statement("MQTT-3.3.4-7", "MQTT-4.9.0-1")
def more_unfinished_messages_than_the_receive_maximum_are_refused(t):
    client = t.client()
    limit = client.connack.properties.get("receive_maximum", 65535)
    client.send(*[wire.publish(V5, t.topic(), b"x", qos=2, packet_id=number) for number in range(1, limit + 1)])
    for number in range(1, limit + 1):
        assert client.expect(wire.PUBREC, packet_id=number).code < 0x80
    client.expect_nothing()
    client.send(wire.publish(V5, t.topic(), b"x", qos=2, packet_id=limit + 1))
    client.expect_disconnect(0x93)


@statement("MQTT-3.3.4-7", "MQTT-3.3.4-8")
def within_the_receive_maximum_any_number_can_go_through(t):
    client = t.client()
    limit = client.connack.properties.get("receive_maximum", 65535)
    for number in range(1, limit):
        client.send(wire.publish(V5, t.topic(), b"x", qos=2, packet_id=number))
    for number in range(1, limit):
        client.expect(wire.PUBREC, packet_id=number)
    for number in range(300):
        assert client.publish(t.topic(), b"x", qos=1, packet_id=limit).code in (0x00, 0x10)
    client.subscribe(t.topic("other"))
    client.send(wire.ack(wire.PUBREL, 1))
    client.expect(wire.PUBCOMP, packet_id=1)
    client.send(wire.publish(V5, t.topic(), b"x", qos=2, packet_id=1))
    client.expect(wire.PUBREC, packet_id=1)


@statement("MQTT-3.3.4-9", "MQTT-4.9.0-1", "MQTT-4.9.0-2", "MQTT-3.3.4-10", "MQTT-4.9.0-3")
def the_server_keeps_to_the_receive_maximum_of_the_client(t):
    publisher = t.client()
    for limit in (1, 3):
        topic = t.topic("%d" % limit)
        subscriber = t.client(properties={"receive_maximum": limit})
        subscriber.subscribe(topic, qos=2)
        for number in range(8):
            publisher.publish(topic, b"%d" % number, qos=1 + number % 2)
        window = [subscriber.expect(wire.PUBLISH, payload=b"%d" % number) for number in range(limit)]
        subscriber.expect_nothing()
        assert subscriber.subscribe(t.topic("elsewhere")).codes == [0]
        assert subscriber.unsubscribe(t.topic("elsewhere")).codes == [0]
        subscriber.send(wire.ack(wire.PUBREC, 60000))
        subscriber.expect(wire.PUBREL, packet_id=60000, code=0x92)
        assert subscriber.publish(t.topic("nobody"), b"x", qos=1).type == wire.PUBACK
        assert subscriber.publish(t.topic("nobody"), b"x", qos=2).type == wire.PUBCOMP
        for number in range(limit, 8 + limit):
            finish(subscriber, window.pop(0))
            if number < 8:
                window.append(subscriber.expect(wire.PUBLISH, payload=b"%d" % number))
            subscriber.expect_nothing()


def finish(subscriber, packet):
    """Completes the exchange of a delivery."""
    if packet.qos == 1:
        subscriber.send(wire.ack(wire.PUBACK, packet.packet_id))
        return
    subscriber.send(wire.ack(wire.PUBREC, packet.packet_id))
    subscriber.expect(wire.PUBREL, packet_id=packet.packet_id)
    subscriber.send(wire.ack(wire.PUBCOMP, packet.packet_id))


@statement("MQTT-4.9.0-2", "MQTT-3.3.4-9")
def pubrec_alone_does_not_give_the_quota_back(t):
    subscriber, publisher = t.client(properties={"receive_maximum": 1}), t.client()
    subscriber.subscribe(t.topic(), qos=2)
    for number in range(2):
        publisher.publish(t.topic(), b"%d" % number, qos=2)
    first = subscriber.expect(wire.PUBLISH, payload=b"0")
    subscriber.send(wire.ack(wire.PUBREC, first.packet_id))
    subscriber.expect(wire.PUBREL)
    subscriber.publish(t.topic(), b"2", qos=1)  # one more for its own queue, a further occasion to send
    subscriber.expect_nothing()
    subscriber.send(wire.ack(wire.PUBCOMP, first.packet_id))
    subscriber.receive(t.topic(), b"1")
    subscriber.receive(t.topic(), b"2")


@statement("MQTT-4.9.0-2")
def a_refusing_pubrec_gives_the_quota_back(t):
    subscriber, publisher = t.client(properties={"receive_maximum": 1}), t.client()
    subscriber.subscribe(t.topic(), qos=2)
    for number in range(3):
        publisher.publish(t.topic(), b"%d" % number, qos=2)
    for number in range(3):
        packet = subscriber.expect(wire.PUBLISH, payload=b"%d" % number)
        subscriber.send(wire.ack(wire.PUBREC, packet.packet_id, V5, 0x83))
    subscriber.expect_nothing()


@statement("MQTT-3.3.4-9", "MQTT-4.9.0-1")
def the_receive_maximum_holds_for_redelivery_and_starts_anew(t):
    publisher = t.client()
    first = t.persistent("device", properties={"receive_maximum": 5})
    first.subscribe(t.topic(), qos=1)
    for number in range(7):
        publisher.publish(t.topic(), b"%d" % number, qos=1)
    for number in range(5):
        first.expect(wire.PUBLISH, payload=b"%d" % number)
    first.drop()
    again = t.persistent("device", properties={"receive_maximum": 2})
    for start in range(0, 7, 2):
        window = [again.expect(wire.PUBLISH, payload=b"%d" % number) for number in range(start, min(start + 2, 7))]
        again.expect_nothing()
        for packet in window:
            again.send(wire.ack(wire.PUBACK, packet.packet_id))
    again.expect_nothing()


# --------------------------------------------------------------------------------------------- sizes, both directions

@statement("MQTT-3.1.2-24", "MQTT-3.1.2-25")
def packets_above_the_size_limit_of_the_client_are_dropped(t):
    publisher, topic = t.client(), t.topic()
    limit = 200
    subscriber = t.client(properties={"maximum_packet_size": limit, "receive_maximum": 1})
    subscriber.subscribe(topic, qos=2)
    for qos in (0, 1, 2):
        empty = wire.publish(V5, topic, b"", qos=qos, packet_id=1 if qos else None)
        room = limit - len(empty) - 1  # the remaining length takes a second byte
        for size in (room + 1, room, room + 1000, 1):
            publisher.publish(topic, b"%d" % qos * size, qos=qos)
        exact = subscriber.receive(topic, b"%d" % qos * room, qos=qos)
        assert len(exact.raw) == limit
        subscriber.receive(topic, b"%d" % qos, qos=qos)
    t.fence(publisher, subscriber)


@statement("MQTT-3.1.2-25", "MQTT-3.1.2-24")
def queued_and_retained_messages_above_the_limit_are_dropped_too(t):
    publisher, topic = t.client(), t.topic()
    first = t.persistent("device")
    first.subscribe(topic, qos=1)
    first.drop()
    for payload in (b"x" * 500, b"small", b"y" * 500, b"last"):
        publisher.publish(topic, payload, qos=1)
    publisher.publish(t.topic("kept"), b"x" * 500, qos=1, retain=True)
    again = t.persistent("device", properties={"maximum_packet_size": 100, "receive_maximum": 1})
    again.receive(topic, b"small")
    again.receive(topic, b"last")
    again.subscribe(t.topic("kept"), qos=1)
    t.fence(publisher, again)
    again.drop()
    third = t.persistent("device")
    t.fence(publisher, third)
    publisher.publish(t.topic("kept"), b"", retain=True)


@statement("MQTT-3.1.2-24")
def the_topic_alias_or_subscription_identifier_counts_into_the_size(t):
    publisher, topic = t.client(), t.topic()
    plain = wire.publish(V5, topic, b"x" * 50, properties={"subscription_identifier": 1})
    for limit, fits in ((len(plain), True), (len(plain) - 1, False)):
        subscriber = t.client(properties={"maximum_packet_size": limit})
        subscriber.subscribe(topic, properties={"subscription_identifier": 1})
        publisher.publish(topic, b"x" * 50)
        if fits:
            subscriber.receive(topic, b"x" * 50)
        t.fence(publisher, subscriber)
        subscriber.unsubscribe(topic)


@statement("MQTT-3.1.2-24", "MQTT-3.1.2-25")
def a_topic_alias_makes_no_packet_larger_than_the_client_takes(t):
    """A server may use aliases, which make the first packet of a topic longer and the next ones shorter."""
    publisher, topic = t.client(), t.topic()
    size = len(wire.publish(V5, topic, b"x" * 50))
    for limit in range(size, size + 5):
        subscriber = t.client(properties={"maximum_packet_size": limit, "topic_alias_maximum": 10})
        subscriber.subscribe(topic)
        for _ in range(3):
            publisher.publish(topic, b"x" * 50)
            packet = subscriber.expect(wire.PUBLISH, payload=b"x" * 50)
            assert len(packet.raw) <= limit, "%d bytes where %d are allowed" % (len(packet.raw), limit)
        subscriber.unsubscribe(topic)


# ---------------------------------------------------------------------------------------------------- reason codes

@scenario
def puback_says_whether_anybody_was_there(t):
    """0x10 may tell a publisher that nobody subscribed; it must not do so when somebody did."""
    publisher, subscriber = t.client(), t.client()
    assert publisher.publish(t.topic(), b"x", qos=1).code in (0x00, 0x10)
    subscriber.subscribe(t.topic(), qos=1)
    assert publisher.publish(t.topic(), b"x", qos=1).code == 0x00


@statement("MQTT-3.4.2-1", "MQTT-3.5.2-1", "MQTT-4.3.3-9")
def a_topic_of_too_many_levels_is_refused_in_the_acknowledgement(t):
    client = t.client()
    assert client.publish(LEVELS_TOO_MANY, b"x", qos=1).code == 0x90
    refused = client.publish(LEVELS_TOO_MANY, b"x", qos=2, packet_id=9)
    assert refused.type == wire.PUBREC and refused.code == 0x90
    client.subscribe(t.topic(), qos=2)
    client.publish(t.topic(), b"new message", qos=2, packet_id=9)
    client.receive(t.topic(), b"new message")


@statement("MQTT-3.4.2-1", "MQTT-3.5.2-1")
def acknowledgements_from_a_client_with_unlisted_codes_are_refused(t):
    for packet_type in (wire.PUBACK, wire.PUBREC, wire.PUBREL, wire.PUBCOMP):
        subscriber, publisher = t.client(), t.client()
        subscriber.subscribe(t.topic(str(packet_type)), qos=2 if packet_type != wire.PUBACK else 1)
        publisher.publish(t.topic(str(packet_type)), b"x", qos=2)
        packet = subscriber.expect(wire.PUBLISH)
        subscriber.send(wire.ack(packet_type, packet.packet_id, V5, 0x42))
        subscriber.expect_disconnect(0x81, 0x82)
