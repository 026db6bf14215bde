"""What 3.1.1 and 3.1 clients see of a broker that is configured to offer less: they cannot be told beforehand."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.wire import V31, V311, Will

NOT_AUTHORIZED = 5


def limited(t, *settings, anonymous=True):
    """A broker of this test's own, whose listener has these lines of configuration."""
    return t.broker("\n".join(("[[listener]]", 'address = "127.0.0.1"', "port = {port}",
                               "allow_anonymous = %s" % str(anonymous).lower()) + settings) + "\n")


def expect_end_at(t, broker, *chunks, version=V311):
    client = t.client(version=version, broker=broker)
    client.send(*chunks)
    client.expect_closed()


@statement("MQTT-3.8.4-5", "MQTT-3.8.4-6")
def a_lower_qos_is_granted_and_used(t):
    for maximum in (0, 1):
        broker = limited(t, "maximum_qos = %d" % maximum)
        client = t.client(version=V311, broker=broker)
        pairs = [(t.topic("%d" % qos), qos) for qos in (0, 1, 2)]
        assert client.subscribe(*pairs).codes == [min(qos, maximum) for qos in (0, 1, 2)]
        for topic, asked in pairs:
            client.publish(topic, b"x", qos=maximum)
            client.receive(topic, b"x", qos=min(asked, maximum))
        for qos in range(maximum + 1, 3):
            expect_end_at(t, broker, wire.publish(V311, t.topic(), b"x", qos, packet_id=1))


@statement("MQTT-3.8.3-2", "MQTT-3.8.4-5", "MQTT-3.9.3-1", "MQTT-3.9.3-2")
def a_server_without_wildcards_rejects_them(t):
    broker = limited(t, "wildcard_subscription_available = false")
    client = t.client(version=V311, broker=broker)
    filters = [(t.topic("a"), 1), (t.topic("+"), 1), (t.topic("b"), 2), (t.topic("#"), 0), ("#", 0), ("+", 0)]
    assert client.subscribe(*filters).codes == [1, 0x80, 2, 0x80, 0x80, 0x80]
    client.publish(t.topic("c"), b"x", qos=1)
    client.publish(t.topic("a"), b"x", qos=1)
    client.receive(t.topic("a"), b"x", qos=1)


@statement("MQTT-3.8.4-4", "MQTT-3.8.4-5", "MQTT-3.9.3-1", "MQTT-3.9.3-2")
def refused_filters_are_told_one_by_one(t):
    broker = limited(t, "max_subscriptions = 2")
    client = t.client(version=V311, broker=broker)
    assert client.subscribe((t.topic("a"), 1), (t.topic("b"), 0), (t.topic("c"), 2)).codes == [1, 0, 0x80]
    assert client.subscribe((t.topic("d"), 1), (t.topic("b"), 2)).codes == [0x80, 2]
    client.unsubscribe(t.topic("a"))
    assert client.subscribe((t.topic("c"), 1)).codes == [1]
    for name in ("a", "d", "c"):
        client.publish(t.topic(name), b"x", qos=1)
    client.receive(t.topic("c"), b"x", qos=1)
    client.expect_nothing()


@statement("MQTT-3.2.2-4", "MQTT-3.2.2-5", "MQTT-3.1.4-5")
def an_anonymous_client_is_refused_with_return_code_5(t):
    broker = limited(t, anonymous=False)
    for version in (V31, V311):
        for clean_session in (True, False):
            client = t.raw(version, broker=broker)
            client.send(wire.connect(version, t.id(), clean=clean_session, will=Will(t.topic(), b"x")),
                        wire.publish(version, t.topic(), b"x", 1, packet_id=1))
            client.expect(wire.CONNACK, code=NOT_AUTHORIZED, session_present=False)
            client.expect_closed()


@statement("MQTT-3.2.2-6")
def a_will_that_no_return_code_can_refuse_ends_the_connection(t):
    broker = limited(t, "maximum_qos = 1", "retain_available = false", "max_topic_levels = 10")
    for will in (Will(t.topic(), b"x", 2), Will(t.topic(), b"x", 1, retain=True), Will(t.topic("a/" * 20), b"x", 1)):
        for version in (V31, V311):
            client = t.raw(version, broker=broker)
            client.send(wire.connect(version, t.id(), will=will))
            assert client.bytes_until_closed() == b""
    accepted = t.client(version=V311, broker=broker, will=Will(t.topic(), b"x", 1))
    accepted.disconnect()


@statement("MQTT-3.2.2-6", "MQTT-3.2.2-5")
def a_will_for_the_topics_of_the_server_is_refused(t):
    client = t.raw(V311)
    client.send(wire.connect(V311, t.id(), will=Will("$SYS/broker/version", b"forged", retain=True)))
    assert client.bytes_until_closed() in (b"", b"\x20\x02\x00\x05")


@scenario
def a_3_1_client_is_never_told_0x80(t):
    # 3.1 has no such code, and clients of that time take it for a QoS. What is refused looks granted but is silent.
    broker = limited(t, "max_subscriptions = 1", "shared_subscription_available = false")
    client = t.client(version=V31, broker=broker)
    for topic_filter in (t.topic("a"), t.topic("b"), "$share/group/" + t.topic()):
        client.send(wire.subscribe(V31, 7, [(topic_filter, 1)]))
        assert client.expect(wire.SUBACK, packet_id=7).codes in ([0], [1])
    client.publish(t.topic("b"), b"x", qos=1)
    client.publish(t.topic("a"), b"x", qos=1)
    client.receive(t.topic("a"), b"x", qos=1)


@scenario
def without_retained_messages_a_retained_publish_ends_the_connection(t):
    broker = limited(t, "retain_available = false")
    expect_end_at(t, broker, wire.publish(V311, t.topic(), b"x", 1, retain=True, packet_id=1))
    client = t.client(version=V311, broker=broker)
    client.subscribe(t.topic(), qos=1)
    client.publish(t.topic(), b"x", qos=1)
    client.receive(t.topic(), b"x", retain=False)


@statement("MQTT-4.6.0-6", "MQTT-2.3.1-4", "MQTT-4.3.2-1")
def a_small_window_keeps_order_and_identifiers(t):
    broker = limited(t, "max_inflight = 2")
    client = t.client(version=V311, broker=broker)
    publisher = t.client(version=V311, broker=broker)
    client.subscribe(t.topic(), qos=2)
    payloads = [b"%d" % n for n in range(20)]
    for n, payload in enumerate(payloads):
        publisher.publish(t.topic(), payload, qos=n % 2 + 1)
    open_now = [client.expect(wire.PUBLISH, payload=payload) for payload in payloads[:2]]
    client.expect_nothing()  # the window is full
    for payload in payloads[2:] + [None, None]:
        done = open_now.pop(0)
        if done.qos == 1:
            client.send(wire.ack(wire.PUBACK, done.packet_id))
        else:
            client.send(wire.ack(wire.PUBREC, done.packet_id))
            client.reply(wire.PUBREL, done.packet_id)
            client.send(wire.ack(wire.PUBCOMP, done.packet_id))
        if payload is not None:
            open_now.append(client.expect(wire.PUBLISH, payload=payload))
    client.expect_nothing()


@statement("MQTT-4.6.0-5", "MQTT-4.6.0-6")
def order_holds_while_places_of_the_window_come_free(t):
    # Acknowledgements and new messages reach the broker together, while others wait in the queue.
    window, rounds = 8, 60
    broker = limited(t, "max_inflight = %d" % window)
    client = t.client(version=V311, broker=broker)
    publisher = t.client(version=V311, broker=broker)
    client.subscribe(t.topic(), qos=1)
    numbers = iter(range(window * rounds))

    def publish_some():
        publisher.send(b"".join(wire.publish(V311, t.topic(), b"%d" % next(numbers), 1, packet_id=publisher.packet_id())
                                for _ in range(window)))
        for _ in range(window):
            publisher.expect(wire.PUBACK)
    publish_some()
    publish_some()
    publish_some()
    seen = []
    for n in range(rounds):
        found = [client.expect(wire.PUBLISH) for _ in range(window)]
        seen += [int(one.payload) for one in found]
        client.send(b"".join(wire.ack(wire.PUBACK, one.packet_id) for one in found))
        if n < rounds - 3:
            publish_some()
    assert seen == list(range(window * rounds)), seen


@statement("MQTT-4.6.0-2", "MQTT-4.6.0-3")
def acknowledgements_keep_their_order_where_some_must_wait(t):
    # With this policy an acknowledgement waits for the queues of all workers that have subscribers, and for none where
    # nobody subscribed.
    broker = limited(t, "[listener.queue]", 'overflow = "reject"', "[node]", "workers = 4")
    watchers = [t.client(version=V311, broker=broker) for _ in range(8)]
    for number, watcher in enumerate(watchers):
        watcher.subscribe(t.topic("%d" % number), qos=0)
    publisher = t.client(version=V311, broker=broker)
    ids = list(range(1, 201))
    for qos, answer in ((1, wire.PUBACK), (2, wire.PUBREC)):
        topics = [t.topic("%d" % (packet_id % 16)) for packet_id in ids]
        publisher.send(b"".join(wire.publish(V311, topic, b"x", qos, packet_id=packet_id)
                                for topic, packet_id in zip(topics, ids)))
        assert [publisher.expect(answer).packet_id for _ in ids] == ids


@statement("MQTT-4.8.0-2")
def a_message_that_there_is_no_room_to_keep_ends_the_connection(t):
    # 3.1.1 has no word for it in an acknowledgement, and one without it would promise what is not kept.
    broker = limited(t, "[node]", "max_retained_messages = 1", "[sys]", 'interval = "0s"')
    bystander = t.client(version=V311, broker=broker)
    bystander.publish(t.topic("first"), b"kept", qos=1, retain=True)
    for qos in (1, 2):
        expect_end_at(t, broker, wire.publish(V311, t.topic("second"), b"x", qos, retain=True, packet_id=1))
    bystander.subscribe(t.topic("+"), qos=1)
    bystander.receive(t.topic("first"), b"kept", retain=True)
    t.fence(bystander, bystander)


@statement("MQTT-3.1.2-24")
def a_server_limit_does_not_shorten_the_keep_alive_of_a_client_that_cannot_be_told(t):
    broker = limited(t, 'max_keep_alive = "1s"')
    client = t.client(version=V311, broker=broker, keep_alive=60)
    t.let_pass(3)
    client.expect_nothing()
