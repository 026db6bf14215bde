"""3.3.1.3 RETAIN and the Retain Handling and Retain As Published options."""

from conformance import wire
from conformance.suite import scenario, statement


def retained_of(t, topic_filter, count, **options):
    """The `count` retained messages that a new subscription is sent, by topic; one more or less is a failure."""
    client = t.client()
    client.subscribe(topic_filter, **options)
    found = [client.receive() for _ in range(count)]
    t.fence(client, client)
    client.disconnect()
    return {packet.topic: packet for packet in found}


def publish_seen(publisher, watcher, topic, payload, qos):
    """Publishes a retained message and waits until it is stored: a live copy comes no sooner than that."""
    publisher.publish(topic, payload, qos=qos, retain=True)
    watcher.receive(topic, payload)


def payloads(found):
    return {topic: packet.payload for topic, packet in found.items()}


def forget(t, *topics):
    client = t.client()
    for topic in topics:
        client.publish(topic, b"", qos=1, retain=True)


@statement("MQTT-3.3.1-5")
def a_retained_message_replaces_the_one_before_with_its_qos(t):
    publisher, watcher = t.client(), t.client()
    watcher.subscribe(t.topic())
    for qos, payload in ((0, b"zero"), (2, b"two"), (1, b"one"), (0, b"zero again")):
        publish_seen(publisher, watcher, t.topic(), payload, qos)
        found = retained_of(t, t.topic(), 1, qos=2)[t.topic()]
        assert (found.payload, found.qos, found.retain) == (payload, qos, True)
    forget(t, t.topic())


@statement("MQTT-3.3.1-5")
def retained_messages_of_different_topics_are_kept_apart(t):
    publisher = t.client()
    topics = [t.topic(name) for name in ("a", "a/b", "a/", "/a", "A")]
    for topic in topics:
        publisher.publish(topic, topic, qos=1, retain=True)
    assert payloads(retained_of(t, t.topic("#"), len(topics))) == {topic: topic.encode() for topic in topics}
    assert payloads(retained_of(t, t.topic("a"), 1)) == {topics[0]: topics[0].encode()}
    forget(t, *topics)


@statement("MQTT-3.3.1-5")
def a_retained_message_survives_its_publisher(t):
    publisher = t.client()
    publisher.publish(t.topic(), b"kept", qos=1, retain=True)
    publisher.disconnect()
    assert payloads(retained_of(t, t.topic(), 1)) == {t.topic(): b"kept"}
    forget(t, t.topic())


@statement("MQTT-3.3.1-6", "MQTT-3.3.1-7")
def an_empty_retained_message_is_delivered_and_removes(t):
    publisher, watcher = t.client(), t.client()
    for qos in (0, 1, 2):
        publisher.publish(t.topic(), b"kept", qos=1, retain=True)
        watcher.subscribe((t.topic(), wire.options(qos=2, retain_handling=2)))
        publisher.publish(t.topic(), b"", qos=qos, retain=True)
        watcher.receive(t.topic(), b"", retain=False)
        retained_of(t, t.topic(), 0)
        watcher.unsubscribe(t.topic())


@statement("MQTT-3.3.1-7")
def an_empty_payload_is_not_kept_where_nothing_was(t):
    publisher = t.client()
    publisher.publish(t.topic(), b"", qos=1, retain=True)
    retained_of(t, t.topic(), 0)


@statement("MQTT-3.3.1-8")
def a_message_without_retain_leaves_the_retained_one_alone(t):
    publisher = t.client()
    publisher.publish(t.topic("none"), b"live", qos=1)
    publisher.publish(t.topic("some"), b"kept", qos=1, retain=True)
    publisher.publish(t.topic("some"), b"live", qos=1)
    publisher.publish(t.topic("some"), b"", qos=1)
    assert payloads(retained_of(t, t.topic("#"), 1)) == {t.topic("some"): b"kept"}
    forget(t, t.topic("some"))


@statement("MQTT-3.3.1-9")
def retain_handling_0_sends_on_every_subscribe(t):
    publisher, client = t.client(), t.client()
    topics = [t.topic("%d" % number) for number in range(5)]
    for topic in topics:
        publisher.publish(topic, b"kept", qos=1, retain=True)
    for _ in range(3):
        client.subscribe((t.topic("+"), wire.options(qos=1, retain_handling=0)))
        found = [client.receive(retain=True).topic for _ in topics]
        assert sorted(found) == topics
    t.fence(publisher, client)
    forget(t, *topics)


@statement("MQTT-3.3.1-10")
def retain_handling_1_sends_on_a_new_subscription_only(t):
    publisher, client = t.client(), t.client()
    publisher.publish(t.topic("x"), b"kept", qos=1, retain=True)
    subscribe = (t.topic("+"), wire.options(qos=1, retain_handling=1))
    client.subscribe(subscribe)
    client.receive(t.topic("x"), b"kept", retain=True)
    client.subscribe(subscribe)
    client.subscribe((t.topic("+"), wire.options(qos=0, retain_handling=1)))
    t.fence(publisher, client)
    client.subscribe((t.topic("x"), wire.options(qos=1, retain_handling=1)))  # another filter, so it is new
    client.receive(t.topic("x"), b"kept", retain=True)
    client.unsubscribe(t.topic("+"))
    client.subscribe(subscribe)
    client.receive(t.topic("x"), b"kept", retain=True)
    t.fence(publisher, client)
    forget(t, t.topic("x"))


@statement("MQTT-3.3.1-10")
def retain_handling_1_knows_the_subscriptions_of_a_resumed_session(t):
    publisher = t.client()
    publisher.publish(t.topic("x"), b"kept", qos=1, retain=True)
    subscribe = (t.topic("x"), wire.options(qos=1, retain_handling=1))
    first = t.persistent("device")
    first.subscribe(subscribe)
    first.receive(t.topic("x"), b"kept")
    first.expect_nothing()
    first.disconnect()
    again = t.persistent("device")
    again.subscribe(subscribe)
    t.fence(publisher, again)
    forget(t, t.topic("x"))


@statement("MQTT-3.3.1-11")
def retain_handling_2_sends_nothing(t):
    publisher, client = t.client(), t.client()
    publisher.publish(t.topic("x"), b"kept", qos=1, retain=True)
    for _ in range(2):
        client.subscribe((t.topic("+"), wire.options(qos=1, retain_handling=2)))
        t.fence(publisher, client)
    publisher.publish(t.topic("x"), b"live", qos=1, retain=True)
    client.receive(t.topic("x"), b"live")
    forget(t, t.topic("x"))


@statement("MQTT-3.3.1-12", "MQTT-3.3.1-13")
def retain_as_published_decides_about_the_flag_of_live_messages(t):
    publisher, cleared, kept = t.client(), t.client(), t.client()
    cleared.subscribe((t.topic(), wire.options(qos=2)))
    kept.subscribe((t.topic(), wire.options(qos=2, retain_as_published=True)))
    for qos in (0, 1, 2):
        for retain in (False, True):
            publisher.publish(t.topic(), b"x", qos=qos, retain=retain)
            cleared.receive(t.topic(), b"x", qos=qos, retain=False)
            kept.receive(t.topic(), b"x", qos=qos, retain=retain)
    forget(t, t.topic())


@statement("MQTT-3.3.1-12", "MQTT-3.3.1-13")
def retain_as_published_holds_for_queued_messages(t):
    publisher = t.client()
    for keep in (False, True):
        device = t.persistent("device-%s" % keep)
        device.subscribe((t.topic(), wire.options(qos=1, retain_as_published=keep)))
        device.drop()
    publisher.publish(t.topic(), b"x", qos=1, retain=True)
    for keep in (False, True):
        t.persistent("device-%s" % keep).receive(t.topic(), b"x", retain=keep)
    forget(t, t.topic())


@scenario
def a_retained_message_of_a_subscription_has_retain_whatever_the_option(t):
    publisher = t.client()
    publisher.publish(t.topic(), b"kept", qos=1, retain=True)
    for keep in (False, True):
        found = retained_of(t, t.topic(), 1, retain_as_published=keep)
        assert found[t.topic()].retain is True
    forget(t, t.topic())


@statement("MQTT-3.8.4-8", "MQTT-3.3.1-9")
def retained_messages_come_at_the_lower_qos(t):
    publisher, watcher = t.client(), t.client()
    watcher.subscribe(t.topic("+"))
    for stored in (0, 1, 2):
        publish_seen(publisher, watcher, t.topic("%d" % stored), b"kept", stored)
    for granted in (0, 1, 2):
        client = t.client()
        client.subscribe(t.topic("+"), qos=granted)
        for _ in range(3):
            found = client.receive(payload=b"kept", retain=True)
            assert found.qos == min(granted, int(found.topic[-1]))
    forget(t, *[t.topic("%d" % stored) for stored in (0, 1, 2)])


@scenario
def retain_handling_3_is_refused(t):
    t.expect_refusal(wire.subscribe(wire.V5, 1, [(t.topic(), wire.options(retain_handling=3))]), 0x82, 0x81)


@scenario
def retained_messages_carry_the_identifier_of_the_new_subscription(t):
    publisher, client = t.client(), t.client()
    publisher.publish(t.topic(), b"kept", qos=1, retain=True)
    client.subscribe(t.topic("#"), properties={"subscription_identifier": 5})
    assert client.receive(t.topic(), b"kept").properties == {"subscription_identifier": [5]}
    client.subscribe(t.topic(), properties={"subscription_identifier": 6})
    assert client.receive(t.topic(), b"kept").properties["subscription_identifier"] in ([6], [5, 6], [6, 5])
    forget(t, t.topic())


@scenario
def a_retained_tree_is_delivered_whole(t):
    publisher, watcher, client = t.client(), t.client(), t.client()
    watcher.subscribe(t.topic("#"))
    topics = {t.topic("%d/%d/leaf" % (number // 20, number)) for number in range(400)}
    for topic in sorted(topics):
        publish_seen(publisher, watcher, topic, topic, 0)
    client.subscribe(t.topic("+/+/leaf"), qos=1)
    found = {client.receive(retain=True).topic for _ in topics}
    assert found == topics
    t.fence(publisher, client)
    for topic in sorted(topics):
        publish_seen(publisher, watcher, topic, b"", 0)
    retained_of(t, t.topic("#"), 0)
