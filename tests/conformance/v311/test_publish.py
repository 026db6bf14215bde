"""3.3 PUBLISH: DUP, QoS, RETAIN, topic name, overlapping subscriptions, authorization."""

from conformance import wire
from conformance.suite import statement
from conformance.v311.clients import clean, expect_end, fresh_kept, resumed
from conformance.wire import V311


@statement("MQTT-3.3.1-1")
def a_delivery_after_a_reconnect_has_dup(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic(), qos=2)
    for qos in (1, 2):
        publisher.publish(t.topic(), b"%d" % qos, qos=qos)
        first.expect(wire.PUBLISH, payload=b"%d" % qos, dup=False)
    first.disconnect()  # the broker knows of the end before it gets the next message
    publisher.publish(t.topic(), b"never sent before", qos=1)
    again = resumed(t)
    again.receive(t.topic(), b"1", qos=1, dup=True)
    again.receive(t.topic(), b"2", qos=2, dup=True)
    again.receive(t.topic(), b"never sent before", dup=False)


@statement("MQTT-3.3.1-2", "MQTT-4.3.1-1")
def qos_0_is_delivered_without_dup(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=0)
    publisher.publish(t.topic(), b"0")
    publisher.publish(t.topic(), b"1", qos=1, dup=True)
    publisher.publish(t.topic(), b"2", qos=2, dup=True)
    for payload in (b"0", b"1", b"2"):
        watcher.receive(t.topic(), payload, qos=0, dup=False)


@statement("MQTT-3.3.1-2", "MQTT-4.8.0-1")
def dup_with_qos_0_ends_the_connection(t):
    watcher = clean(t)
    watcher.subscribe(t.topic(), qos=0)
    expect_end(t, wire.publish(V311, t.topic(), b"x", 0, dup=True))
    t.fence(clean(t), watcher)


@statement("MQTT-3.3.1-3")
def dup_of_the_publisher_is_not_passed_on(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=2)
    for qos in (1, 2):
        publisher.publish(t.topic(), b"x", qos=qos, dup=True)
        watcher.receive(t.topic(), b"x", qos=qos, dup=False)


@statement("MQTT-3.3.1-4")
def qos_3_ends_the_connection(t):
    watcher = clean(t)
    watcher.subscribe(t.topic(), qos=2)
    for dup in (False, True):
        for retain in (False, True):
            expect_end(t, wire.publish(V311, t.topic(), b"x", 3, dup=dup, retain=retain, packet_id=1))
    t.fence(clean(t), watcher)


def late_subscriber(t, count=1, topic_filter=None, qos=2):
    """A new client and the `count` retained messages that its subscription brings, by topic. A second filter of the
    same SUBSCRIBE has a retained message as well, and nothing comes any more once that one and the others are there."""
    sentinel = "sentinel/" + t.topic()
    clean(t).publish(sentinel, b"", qos=1, retain=True)
    clean(t).publish(sentinel, b"here", qos=1, retain=True)
    client = clean(t)
    client.subscribe((topic_filter or t.topic(), qos), (sentinel, 0))
    found = [client.expect(wire.PUBLISH) for _ in range(count + 1)]
    client.expect_nothing()
    by_topic = {one.topic: one for one in found}
    assert by_topic.pop(sentinel, None), found
    assert len(by_topic) == count, found
    client.publish(sentinel, b"", qos=1, retain=True)
    return by_topic


def clear(t, *topics):
    client = clean(t)
    for topic in topics or (t.topic(),):
        client.publish(topic, b"", qos=1, retain=True)


@statement("MQTT-3.3.1-5")
def a_retained_message_is_stored_with_its_qos(t):
    publisher = clean(t)
    for qos in (0, 1, 2):
        publisher.publish(t.topic(), b"qos %d" % qos, qos=qos, retain=True)
        for wanted in (0, 1, 2):
            found = late_subscriber(t, qos=wanted)[t.topic()]
            assert (found.payload, found.qos) == (b"qos %d" % qos, min(qos, wanted)), found
    clear(t)


@statement("MQTT-3.3.1-5", "MQTT-3.1.2-7")
def a_retained_message_stays_when_its_publisher_goes(t):
    publisher = clean(t)
    publisher.publish(t.topic(), b"x" * 100000, qos=1, retain=True)
    publisher.disconnect()
    assert late_subscriber(t)[t.topic()].payload == b"x" * 100000
    clear(t)


@statement("MQTT-3.3.1-6", "MQTT-3.3.1-8")
def a_subscription_brings_the_last_retained_message_of_every_matching_topic(t):
    publisher = clean(t)
    names = ["a", "b", "a/x", "a/y", "b/x/deep", "c"]
    for name in names:
        publisher.publish(t.topic(name), b"old", qos=1, retain=True)
        publisher.publish(t.topic(name), name, qos=1, retain=True)
    publisher.publish(t.topic(), b"root", qos=1, retain=True)
    expected = {
        t.topic("#"): names + [""],
        t.topic("+"): ["a", "b", "c"],
        t.topic("a/+"): ["a/x", "a/y"],
        t.topic("+/x"): ["a/x"],
        t.topic("+/x/#"): ["a/x", "b/x/deep"],
        t.topic("b/x/deep"): ["b/x/deep"],
        t.topic("d"): [],
    }
    for topic_filter, matching in expected.items():
        found = late_subscriber(t, len(matching), topic_filter)
        assert sorted(found) == sorted(t.topic(name) for name in matching), (topic_filter, found)
        assert all(one.retain for one in found.values()), found
        assert all(found[t.topic(name)].payload == (name or "root").encode() for name in matching), found
    clear(t, t.topic(), *(t.topic(name) for name in names))


@statement("MQTT-3.3.1-6")
def a_resumed_session_gets_no_retained_messages_again(t):
    # A subscription of a stored session is not a new one.
    publisher = clean(t)
    publisher.publish(t.topic(), b"kept", qos=1, retain=True)
    first = fresh_kept(t)
    first.subscribe(t.topic(), qos=1)
    first.receive(t.topic(), b"kept", retain=True)
    first.disconnect()
    resumed(t).expect_nothing()
    clear(t)


@statement("MQTT-3.3.1-7")
def a_retained_qos_0_message_discards_the_earlier_one(t):
    publisher = clean(t)
    publisher.publish(t.topic(), b"old", qos=2, retain=True)
    publisher.publish(t.topic(), b"new", qos=0, retain=True)
    publisher.expect_nothing()  # it has been processed
    found = late_subscriber(t)
    # Whether the server keeps a QoS 0 message is its choice; this one does.
    assert (found[t.topic()].payload, found[t.topic()].qos) == (b"new", 0), found
    clear(t)


@statement("MQTT-3.3.1-8", "MQTT-3.3.1-9")
def retain_tells_stored_from_live_messages(t):
    live, publisher = clean(t), clean(t)
    live.subscribe(t.topic(), qos=2)
    for qos in (0, 1, 2):
        publisher.publish(t.topic(), b"%d" % qos, qos=qos, retain=True)
        live.receive(t.topic(), b"%d" % qos, qos=qos, retain=False)
        assert late_subscriber(t)[t.topic()].retain is True
    clear(t)
    live.receive(t.topic(), b"", retain=False)


@statement("MQTT-3.3.1-9")
def retain_is_not_passed_on_to_an_absent_session(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic(), qos=1)
    first.drop()
    publisher.publish(t.topic(), b"x", qos=1, retain=True)
    resumed(t).receive(t.topic(), b"x", retain=False)
    clear(t)


@statement("MQTT-3.3.1-10", "MQTT-3.3.1-11")
def an_empty_retained_message_removes_and_is_delivered(t):
    live, publisher = clean(t), clean(t)
    live.subscribe(t.topic(), qos=2)
    for qos in (0, 1, 2):
        publisher.publish(t.topic(), b"kept", qos=1, retain=True)
        live.receive(t.topic(), b"kept")
        publisher.publish(t.topic(), b"", qos=qos, retain=True)
        live.receive(t.topic(), b"", qos=qos, retain=False)
        late_subscriber(t, count=0)
    late_subscriber(t, count=0, topic_filter=t.topic("#"))


@statement("MQTT-3.3.1-11")
def an_empty_retained_message_on_a_free_topic_is_not_stored(t):
    publisher = clean(t)
    publisher.publish(t.topic(), b"", qos=1, retain=True)
    late_subscriber(t, count=0)


@statement("MQTT-3.3.1-12")
def without_retain_nothing_retained_changes(t):
    publisher = clean(t)
    publisher.publish(t.topic(), b"live", qos=1)
    late_subscriber(t, count=0)
    publisher.publish(t.topic(), b"kept", qos=1, retain=True)
    for payload in (b"live", b""):
        for qos in (0, 1, 2):
            publisher.publish(t.topic(), payload, qos=qos)
    publisher.expect_nothing()
    assert late_subscriber(t)[t.topic()].payload == b"kept"
    clear(t)


@statement("MQTT-3.3.2-1")
def a_publish_without_a_whole_topic_ends_the_connection(t):
    for body in (b"", b"\0", b"\0\5abc", b"\xff\xffa"):
        expect_end(t, wire.packet(wire.PUBLISH, 0, body))


@statement("MQTT-3.3.2-1", "MQTT-3.3.2-3")
def the_topic_name_is_delivered_as_published(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic("#"), qos=0)
    for name in ("a", "a/b/c", "/", "//", "/lead", "trail/", "spa ce", "\u0416\u20ac/\U0001f600", "a" * 1000, "$x"):
        publisher.publish(t.topic() + "/" + name, name)
        found = watcher.receive(t.topic() + "/" + name, name)
        assert found.raw[2:].find(wire.utf8(t.topic() + "/" + name)) in (0, 1), found.raw


@statement("MQTT-3.3.2-2", "MQTT-4.7.1-1")
def wildcards_in_a_topic_name_end_the_connection(t):
    watcher = clean(t)
    watcher.subscribe(t.topic("#"), qos=0)
    for name in ("#", "+", "a/#", "+/a", "a/+/b", "a+", "a#b", "#/a"):
        for qos in (0, 1, 2):
            expect_end(t, wire.publish(V311, t.topic(name), b"x", qos, packet_id=1 if qos else None))
    t.fence(clean(t), watcher)


@statement("MQTT-3.3.2-2", "MQTT-3.1.4-1")
def wildcards_in_a_will_topic_end_the_connection(t):
    for name in ("#", "+", "a/#", "+/a", "a+"):
        client = t.raw(V311)
        client.send(wire.connect(V311, t.id(), will=wire.Will(t.topic(name), b"x")))
        client.expect_closed()


@statement("MQTT-3.3.4-1", "MQTT-4.5.0-2")
def a_publish_is_answered_as_its_qos_asks(t):
    client = clean(t)
    client.send(wire.publish(V311, t.topic(), b"0"))
    client.expect_nothing()
    client.send(wire.publish(V311, t.topic(), b"1", 1, packet_id=10))
    found = client.expect(wire.PUBACK, packet_id=10)
    assert found.raw == b"\x40\x02\x00\x0a", found.raw.hex()
    client.expect_nothing()
    client.send(wire.publish(V311, t.topic(), b"2", 2, packet_id=10))
    found = client.expect(wire.PUBREC, packet_id=10)
    assert found.raw == b"\x50\x02\x00\x0a", found.raw.hex()
    client.send(wire.ack(wire.PUBREL, 10))
    found = client.expect(wire.PUBCOMP, packet_id=10)
    assert found.raw == b"\x70\x02\x00\x0a", found.raw.hex()


@statement("MQTT-3.3.5-1")
def overlapping_subscriptions_deliver_with_the_highest_qos(t):
    publisher = clean(t)
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        client = clean(t)
        for topic_filter, qos in zip((t.topic("a/b"), t.topic("+/b"), t.topic("#")), order):
            client.subscribe(topic_filter, qos=qos)
        for published in (0, 1, 2):
            publisher.publish(t.topic("a/b"), b"%d" % published, qos=published)
            # The standard allows a copy for each subscription; this server sends one, as its users expect.
            client.receive(t.topic("a/b"), b"%d" % published, qos=published)
        t.fence(publisher, client)
        client.disconnect()


@statement("MQTT-3.3.5-2")
def a_refused_publish_is_acknowledged_or_ends_the_connection(t):
    # Nobody may publish what the server says of itself.
    watcher = clean(t)
    watcher.subscribe("$SYS/broker/version", qos=0)
    said = watcher.receive("$SYS/broker/version").payload
    for qos, answer in ((1, wire.PUBACK), (2, wire.PUBREC)):
        client = clean(t)
        client.send(wire.publish(V311, "$SYS/broker/version", b"forged", qos, retain=True, packet_id=9))
        found = client.recv_or_end()
        assert found is None or found.type == answer and found.packet_id == 9, found
    late = clean(t)
    late.subscribe("$SYS/broker/version", qos=0)
    assert late.receive("$SYS/broker/version").payload == said
