"""3.8 SUBSCRIBE, 3.9 SUBACK, 3.10 UNSUBSCRIBE, 3.11 UNSUBACK."""

from conformance import wire
from conformance.suite import statement
from conformance.v311.clients import clean, expect_end
from conformance.wire import V311


@statement("MQTT-3.8.1-1", "MQTT-2.2.2-2")
def subscribe_with_other_flags_ends_the_connection(t):
    for flags in range(16):
        if flags != 2:
            expect_end(t, wire.subscribe(V311, 1, [(t.topic(), 0)], flags=flags))


@statement("MQTT-3.8.3-1")
def a_filter_that_is_cut_short_ends_the_connection(t):
    for payload in (b"\0", b"\0\5abc\0", b"\xff\xffa\0", wire.utf8(t.topic())):
        expect_end(t, wire.packet(wire.SUBSCRIBE, 2, wire.u16(1) + payload))
        expect_end(t, wire.packet(wire.SUBSCRIBE, 2, wire.u16(1) + wire.utf8(t.topic()) + b"\0" + payload))


@statement("MQTT-3.8.3-2")
def filters_with_wildcards_are_supported(t):
    client, publisher = clean(t), clean(t)
    assert client.subscribe((t.topic("a/+"), 1), (t.topic("b/#"), 1)).codes == [1, 1]
    for name in ("a/1", "b", "b/1/2"):
        publisher.publish(t.topic(name), b"x", qos=1)
        client.receive(t.topic(name), b"x", qos=1)


@statement("MQTT-3.8.3-3", "MQTT-4.8.0-1")
def subscribe_without_a_filter_ends_the_connection(t):
    expect_end(t, wire.subscribe(V311, 1, []))
    expect_end(t, wire.packet(wire.SUBSCRIBE, 2, b""))
    expect_end(t, wire.packet(wire.SUBSCRIBE, 2, b"\0"))


@statement("MQTT-3.8.3-4")
def reserved_bits_in_a_qos_byte_end_the_connection(t):
    for byte in [3, 4, 5, 6, 8, 0x10, 0x20, 0x40, 0x80, 0x81, 0xFC, 0xFF]:
        expect_end(t, wire.subscribe(V311, 1, [(t.topic(), byte)]))
        expect_end(t, wire.subscribe(V311, 1, [(t.topic(), 1), (t.topic("b"), byte)]))


@statement("MQTT-3.8.4-1", "MQTT-3.8.4-2", "MQTT-3.8.4-5")
def a_subscribe_is_answered_with_a_suback(t):
    client = clean(t)
    client.send(wire.subscribe(V311, 0x1234, [(t.topic(), 1)]))
    found = client.expect(wire.SUBACK)
    assert found.raw == b"\x90\x03\x12\x34\x01", found.raw.hex()
    client.send(b"".join(wire.subscribe(V311, n, [(t.topic(), 0)]) for n in range(1, 50)))
    for n in range(1, 50):
        client.expect(wire.SUBACK, packet_id=n, codes=[0])


@statement("MQTT-3.8.4-3")
def an_identical_filter_replaces_the_subscription(t):
    client, publisher = clean(t), clean(t)
    for qos in (0, 2, 1):
        assert client.subscribe(t.topic("+"), qos=qos).codes == [qos]
        publisher.publish(t.topic("a"), b"x", qos=2)
        client.receive(t.topic("a"), b"x", qos=qos)
    t.fence(publisher, client)
    # One UNSUBSCRIBE ends it: there was one subscription all the time.
    client.unsubscribe(t.topic("+"))
    publisher.publish(t.topic("a"), b"x", qos=1)
    t.fence(publisher, client)


@statement("MQTT-3.8.4-3", "MQTT-3.3.1-8")
def an_identical_filter_brings_the_retained_messages_again(t):
    client, publisher = clean(t), clean(t)
    publisher.publish(t.topic("a"), b"kept", qos=2, retain=True)
    for qos in (2, 2, 0, 1):
        client.subscribe(t.topic("+"), qos=qos)
        client.receive(t.topic("a"), b"kept", qos=qos, retain=True)
    publisher.publish(t.topic("a"), b"", qos=1, retain=True)


@statement("MQTT-3.8.4-3")
def replacing_a_subscription_does_not_interrupt_the_flow(t):
    client, publisher = clean(t), clean(t)
    client.subscribe(t.topic(), qos=1)
    count, packet_ids = 300, iter(range(1000, 2000))
    for n in range(count):
        publisher.send(wire.publish(V311, t.topic(), b"%d" % n, 1, packet_id=n + 1))
        if n % 10 == 0:
            client.send(wire.subscribe(V311, next(packet_ids), [(t.topic(), 1)]))
    seen = []
    while len(seen) < count:
        found = client.recv()
        if found.type == wire.PUBLISH:
            client.send(wire.ack(wire.PUBACK, found.packet_id))
            seen.append(int(found.payload))
    assert seen == list(range(count)), "lost, twice or out of order: %r" % seen


@statement("MQTT-3.8.4-4", "MQTT-3.8.4-5", "MQTT-3.9.3-1")
def several_filters_are_several_subscriptions(t):
    client, publisher = clean(t), clean(t)
    names = ["a", "b", "c/+", "d/#", "e"]
    codes = [2, 0, 1, 1, 2]
    assert client.subscribe(*[(t.topic(name), qos) for name, qos in zip(names, codes)]).codes == codes
    for name, qos in zip(("a", "b", "c/x", "d/x/y", "e"), codes):
        publisher.publish(t.topic(name), b"x", qos=2)
        client.receive(t.topic(name), b"x", qos=qos)
    client.unsubscribe(t.topic("c/+"))
    publisher.publish(t.topic("c/x"), b"x", qos=1)
    publisher.publish(t.topic("d/x"), b"x", qos=1)
    client.receive(t.topic("d/x"), b"x", qos=1)


@statement("MQTT-3.8.4-4")
def the_same_filter_twice_in_one_packet_is_replaced_by_the_later(t):
    client, publisher = clean(t), clean(t)
    assert client.subscribe((t.topic(), 2), (t.topic(), 0), (t.topic(), 1)).codes == [2, 0, 1]
    publisher.publish(t.topic(), b"x", qos=2)
    client.receive(t.topic(), b"x", qos=1)
    t.fence(publisher, client)


@statement("MQTT-3.8.4-5", "MQTT-3.9.3-1", "MQTT-3.9.3-2", "MQTT-3.8.4-4")
def suback_has_a_code_for_every_filter_in_order(t):
    client = clean(t)
    pairs = [(t.topic("%d" % n), (n * 7) % 3) for n in range(200)]
    assert client.subscribe(*pairs).codes == [qos for _, qos in pairs]


@statement("MQTT-3.8.4-6")
def a_message_is_delivered_with_the_lower_qos(t):
    publisher = clean(t)
    for granted in (0, 1, 2):
        client = clean(t)
        assert client.subscribe(t.topic(), qos=granted).codes == [granted]
        for published in (0, 1, 2):
            publisher.publish(t.topic(), b"%d" % published, qos=published)
            client.receive(t.topic(), b"%d" % published, qos=min(granted, published))
        client.disconnect()


@statement("MQTT-3.8.4-6")
def a_retained_message_is_delivered_with_the_lower_qos(t):
    publisher = clean(t)
    for published in (0, 1, 2):
        publisher.publish(t.topic(), b"%d" % published, qos=published, retain=True)
        publisher.expect_nothing()
        for granted in (0, 1, 2):
            client = clean(t)
            client.subscribe(t.topic(), qos=granted)
            client.receive(t.topic(), b"%d" % published, qos=min(granted, published), retain=True)
    publisher.publish(t.topic(), b"", qos=1, retain=True)


@statement("MQTT-3.9.3-2", "MQTT-4.7.1-2", "MQTT-4.7.1-3")
def no_other_return_codes_are_used(t):
    # The suite's parser refuses other codes; these filters are the ones that a server may refuse.
    client = clean(t)
    for topic_filter in ("$SYS/#", "$share/group/" + t.topic(), "$anything/" + t.topic(), "#", t.topic("+/+/+/#")):
        code = client.subscribe(topic_filter, qos=0).codes
        assert code in ([0], [0x80]), code
        client.reply(wire.UNSUBACK, send_unsubscribe(client, topic_filter))


def send_unsubscribe(client, *filters):
    packet_id = client.packet_id()
    client.send(wire.unsubscribe(V311, packet_id, filters))
    return packet_id


@statement("MQTT-3.10.1-1", "MQTT-2.2.2-2")
def unsubscribe_with_other_flags_ends_the_connection(t):
    for flags in range(16):
        if flags != 2:
            expect_end(t, wire.unsubscribe(V311, 1, [t.topic()], flags=flags))


@statement("MQTT-3.10.3-1")
def an_unsubscribe_filter_that_is_cut_short_ends_the_connection(t):
    for payload in (b"\0", b"\0\5abc", b"\xff\xffa"):
        expect_end(t, wire.packet(wire.UNSUBSCRIBE, 2, wire.u16(1) + payload))
        expect_end(t, wire.packet(wire.UNSUBSCRIBE, 2, wire.u16(1) + wire.utf8(t.topic()) + payload))


@statement("MQTT-3.10.3-2", "MQTT-4.8.0-1")
def unsubscribe_without_a_filter_ends_the_connection(t):
    expect_end(t, wire.unsubscribe(V311, 1, []))
    expect_end(t, wire.packet(wire.UNSUBSCRIBE, 2, b""))


@statement("MQTT-3.10.4-1")
def unsubscribe_compares_filters_character_by_character(t):
    client, publisher = clean(t), clean(t)
    mine = ["a", "A", "b/+", "c/#", "\u00e9", "e\u0301"]
    topics = ["a", "A", "b/x", "c/x", "\u00e9", "e\u0301"]
    client.subscribe(*[(t.topic(name), 1) for name in mine])
    # Filters that match the same topics, or look alike, are other filters.
    client.unsubscribe(*[t.topic(name) for name in ("b/x", "c/x", "c", "c/+", "+", "#", "+/#", "b", "b/", "/a", "a/")])
    left = list(zip(mine, topics))
    while left:
        for _, topic in left:
            publisher.publish(t.topic(topic), b"x", qos=1)
            client.receive(t.topic(topic), b"x", qos=1)
        gone, topic = left.pop(0)
        client.unsubscribe(t.topic(gone))
        publisher.publish(t.topic(topic), b"x", qos=1)
        t.fence(publisher, client)


@statement("MQTT-3.10.4-2")
def nothing_new_comes_after_unsuback(t):
    client, publisher = clean(t), clean(t)
    client.subscribe((t.topic("#"), 2), (t.topic("stays"), 1))
    publisher.publish(t.topic("a"), b"x", qos=1)
    client.receive(t.topic("a"), b"x")
    client.unsubscribe(t.topic("#"))
    for qos in (0, 1, 2):
        publisher.publish(t.topic("a"), b"x", qos=qos)
    publisher.publish(t.topic("stays"), b"x", qos=2)
    client.receive(t.topic("stays"), b"x", qos=1)
    t.fence(publisher, client)


@statement("MQTT-3.10.4-2")
def a_stream_ends_with_unsuback(t):
    client, publisher = clean(t), clean(t)
    for _ in range(10):
        client.subscribe(t.topic(), qos=0)
        publisher.send(b"".join(wire.publish(V311, t.topic(), b"x") for _ in range(100)))
        client.reply(wire.UNSUBACK, send_unsubscribe(client, t.topic()))
        while client.has_unread():
            client.expect(wire.PUBLISH)  # sent before the UNSUBACK
        publisher.expect_nothing()
        t.fence(publisher, client)


@statement("MQTT-3.10.4-3")
def a_delivery_that_began_is_completed_after_unsubscribe(t):
    client, publisher = clean(t), clean(t)
    client.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"1", qos=1)
    publisher.publish(t.topic(), b"2", qos=2)
    publisher.publish(t.topic(), b"3", qos=2)
    first, second, third = (client.expect(wire.PUBLISH) for _ in range(3))
    client.send(wire.ack(wire.PUBREC, third.packet_id))
    client.expect(wire.PUBREL, packet_id=third.packet_id)
    client.unsubscribe(t.topic())
    client.send(wire.ack(wire.PUBACK, first.packet_id), wire.ack(wire.PUBREC, second.packet_id))
    client.expect(wire.PUBREL, packet_id=second.packet_id)
    client.send(wire.ack(wire.PUBCOMP, second.packet_id), wire.ack(wire.PUBCOMP, third.packet_id))
    client.expect_nothing()


@statement("MQTT-3.10.4-3", "MQTT-4.4.0-1")
def a_delivery_that_began_survives_unsubscribe_and_reconnect(t):
    publisher = clean(t)
    first = t.client("kept", V311, clean=False)
    first.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"1", qos=1)
    publisher.publish(t.topic(), b"2", qos=2)
    first.expect(wire.PUBLISH, payload=b"1")
    first.expect(wire.PUBLISH, payload=b"2")
    first.unsubscribe(t.topic())
    first.drop()
    again = t.client("kept", V311, clean=False)
    again.receive(t.topic(), b"1", qos=1, dup=True)
    again.receive(t.topic(), b"2", qos=2, dup=True)


@statement("MQTT-3.10.4-4", "MQTT-3.10.4-5")
def an_unsubscribe_is_answered_with_an_unsuback(t):
    client = clean(t)
    client.subscribe(t.topic(), qos=0)
    for filters in ([t.topic()], [t.topic()], [t.topic("never")], [t.topic("never"), t.topic("#")]):
        client.send(wire.unsubscribe(V311, 0x4321, filters))
        found = client.expect(wire.UNSUBACK)
        assert found.raw == b"\xb0\x02\x43\x21", found.raw.hex()


@statement("MQTT-3.10.4-6")
def several_filters_are_several_unsubscriptions(t):
    client, publisher = clean(t), clean(t)
    names = ["a", "b", "c", "d"]
    client.subscribe(*[(t.topic(name), 1) for name in names])
    client.unsubscribe(t.topic("a"), t.topic("never"), t.topic("c"), t.topic("a"))
    for name in names:
        publisher.publish(t.topic(name), b"x", qos=1)
    client.receive(t.topic("b"), b"x")
    client.receive(t.topic("d"), b"x")
    t.fence(publisher, client)
