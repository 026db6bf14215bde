"""4.3 QoS exchanges, 4.5 delivery, 4.6 order."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.v311.clients import clean, fresh_kept, publish_burst, resumed
from conformance.wire import V311


@statement("MQTT-4.3.1-1", "MQTT-2.3.1-5")
def qos_0_is_sent_once_and_needs_no_answer(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=0)
    for n in range(10):
        publisher.publish(t.topic(), b"%d" % n)
    for n in range(10):
        watcher.expect(wire.PUBLISH, payload=b"%d" % n, qos=0, dup=False, packet_id=None)
    watcher.expect_nothing()


@statement("MQTT-4.3.2-1")
def a_qos_1_delivery_is_open_until_its_puback(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic(), qos=1)
    sent = []
    for n in range(5):
        publisher.publish(t.topic(), b"%d" % n, qos=1)
        sent.append(first.expect(wire.PUBLISH, payload=b"%d" % n, qos=1, dup=False))
    assert len({one.packet_id for one in sent}) == 5
    first.send(wire.ack(wire.PUBACK, sent[1].packet_id), wire.ack(wire.PUBACK, sent[4].packet_id))
    first.expect_nothing()
    first.drop()
    again = resumed(t)
    for n in (0, 2, 3):
        again.expect(wire.PUBLISH, payload=b"%d" % n, packet_id=sent[n].packet_id, dup=True)
    again.expect_nothing()


@statement("MQTT-4.3.2-1")
def a_qos_1_delivery_ends_with_the_puback_of_its_own_identifier(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic(), qos=1)
    publisher.publish(t.topic(), b"x", qos=1)
    delivered = first.expect(wire.PUBLISH)
    first.try_send(wire.ack(wire.PUBACK, delivered.packet_id % 65535 + 1))
    first.drop()
    resumed(t).expect(wire.PUBLISH, payload=b"x", packet_id=delivered.packet_id, dup=True)


@statement("MQTT-4.3.2-2")
def after_puback_the_identifier_is_a_new_message(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=1)
    for n, dup in enumerate((False, True, False, True)):
        publisher.send(wire.publish(V311, t.topic(), b"%d" % n, 1, dup=dup, packet_id=5))
        publisher.expect(wire.PUBACK, packet_id=5)
        watcher.receive(t.topic(), b"%d" % n, qos=1, dup=False)


@statement("MQTT-4.3.2-2")
def after_puback_the_identifier_is_a_new_message_at_any_qos(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=2)
    for n, qos in enumerate((1, 2, 1, 1, 2, 2)):
        publisher.publish(t.topic(), b"%d" % n, qos=qos, packet_id=5)
        watcher.receive(t.topic(), b"%d" % n, qos=qos)


@statement("MQTT-4.3.3-1")
def a_qos_2_delivery_takes_its_four_steps(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"x", qos=2)
    delivered = watcher.expect(wire.PUBLISH, qos=2, dup=False)
    watcher.expect_nothing()
    watcher.send(wire.ack(wire.PUBREC, delivered.packet_id))
    watcher.expect(wire.PUBREL, packet_id=delivered.packet_id)
    watcher.expect_nothing()
    watcher.send(wire.ack(wire.PUBCOMP, delivered.packet_id))
    watcher.expect_nothing()


@statement("MQTT-4.3.3-1")
def a_qos_2_publish_is_open_until_pubrec_and_its_pubrel_until_pubcomp(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"x", qos=2)
    delivered = first.expect(wire.PUBLISH, dup=False)
    first.drop()
    second = resumed(t)
    second.expect(wire.PUBLISH, payload=b"x", packet_id=delivered.packet_id, dup=True)
    second.send(wire.ack(wire.PUBREC, delivered.packet_id))
    second.expect(wire.PUBREL, packet_id=delivered.packet_id)
    second.drop()
    for _ in range(2):
        third = resumed(t)
        third.expect(wire.PUBREL, packet_id=delivered.packet_id)
        third.expect_nothing()
        third.drop()
    fourth = resumed(t)
    fourth.expect(wire.PUBREL, packet_id=delivered.packet_id)
    fourth.send(wire.ack(wire.PUBCOMP, delivered.packet_id))
    fourth.expect_nothing()
    fourth.drop()
    resumed(t).expect_nothing()


@statement("MQTT-4.3.3-1")
def a_repeated_pubrec_is_answered_with_pubrel_again(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"x", qos=2)
    delivered = watcher.expect(wire.PUBLISH)
    for _ in range(3):
        watcher.send(wire.ack(wire.PUBREC, delivered.packet_id))
        watcher.expect(wire.PUBREL, packet_id=delivered.packet_id)
    watcher.send(wire.ack(wire.PUBCOMP, delivered.packet_id))
    watcher.expect_nothing()


@statement("MQTT-4.3.3-2")
def a_repeated_qos_2_publish_is_delivered_once(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=2)
    for n in range(4):
        publisher.send(wire.publish(V311, t.topic(), b"once", 2, dup=n > 0, packet_id=21))
        publisher.expect(wire.PUBREC, packet_id=21)
    publisher.send(wire.ack(wire.PUBREL, 21))
    publisher.expect(wire.PUBCOMP, packet_id=21)
    watcher.receive(t.topic(), b"once", qos=2)
    # After PUBCOMP the identifier stands for a new message, whatever its DUP flag says.
    publisher.send(wire.publish(V311, t.topic(), b"new", 2, dup=True, packet_id=21))
    publisher.expect(wire.PUBREC, packet_id=21)
    publisher.send(wire.ack(wire.PUBREL, 21))
    publisher.expect(wire.PUBCOMP, packet_id=21)
    watcher.receive(t.topic(), b"new", qos=2)
    t.fence(publisher, watcher)


@statement("MQTT-3.6.1-1", "MQTT-2.2.2-2")
def pubrel_with_other_flags_ends_the_connection_and_the_exchange_stays(t):
    watcher = clean(t)
    watcher.subscribe(t.topic(), qos=2)
    for flags in range(16):
        client = t.client("flags%d" % flags, V311, clean=False)
        client.send(wire.publish(V311, t.topic(), b"%d" % flags, 2, packet_id=8))
        client.expect(wire.PUBREC, packet_id=8)
        client.send(wire.ack(wire.PUBREL, 8, flags=flags))
        if flags == 2:
            client.expect(wire.PUBCOMP, packet_id=8)
        else:
            client.expect_closed()
            client = t.client("flags%d" % flags, V311, clean=False)
            client.send(wire.publish(V311, t.topic(), b"%d" % flags, 2, dup=True, packet_id=8))
            client.expect(wire.PUBREC, packet_id=8)
            client.send(wire.ack(wire.PUBREL, 8))
            client.expect(wire.PUBCOMP, packet_id=8)
        watcher.receive(t.topic(), b"%d" % flags, qos=2)
        t.fence(client, watcher)


@statement("MQTT-3.6.1-1")
def pubrel_of_the_server_has_its_flags(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"x", qos=2)
    delivered = watcher.expect(wire.PUBLISH)
    watcher.send(wire.ack(wire.PUBREC, delivered.packet_id))
    found = watcher.expect(wire.PUBREL)
    assert found.raw == b"\x62\x02" + wire.u16(delivered.packet_id), found.raw.hex()


@statement("MQTT-4.3.3-2")
def a_repeated_pubrel_is_answered_with_pubcomp(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"once", qos=2, packet_id=21)
    for _ in range(3):
        publisher.send(wire.ack(wire.PUBREL, 21))
        publisher.expect(wire.PUBCOMP, packet_id=21)
    watcher.receive(t.topic(), b"once", qos=2)
    t.fence(publisher, watcher)


@statement("MQTT-4.3.3-2", "MQTT-4.3.2-2")
def exchanges_of_one_client_do_not_mix(t):
    # The two directions use identifiers independently of each other.
    client, other = clean(t), clean(t)
    client.subscribe(t.topic("in"), qos=2)
    other.subscribe(t.topic("out"), qos=2)
    other.publish(t.topic("in"), b"in", qos=2)
    delivered = client.expect(wire.PUBLISH, payload=b"in")
    same_id = delivered.packet_id
    client.send(wire.publish(V311, t.topic("out"), b"out", 2, packet_id=same_id))
    client.expect(wire.PUBREC, packet_id=same_id)
    client.send(wire.ack(wire.PUBREC, same_id))
    client.expect(wire.PUBREL, packet_id=same_id)
    client.send(wire.ack(wire.PUBREL, same_id))
    client.expect(wire.PUBCOMP, packet_id=same_id)
    client.send(wire.ack(wire.PUBCOMP, same_id))
    other.receive(t.topic("out"), b"out", qos=2)
    client.expect_nothing()


@statement("MQTT-4.5.0-1")
def a_message_reaches_every_matching_subscription(t):
    publisher = clean(t)
    filters = [t.topic("a/b"), t.topic("a/+"), t.topic("+/b"), t.topic("#"), t.topic("a/b/#"), t.topic("+/+/#")]
    others = [t.topic("a"), t.topic("a/+/+"), t.topic("b/#"), t.topic("a/b/+")]
    watchers = [clean(t) for _ in filters + others]
    for watcher, topic_filter in zip(watchers, filters + others):
        watcher.subscribe(topic_filter, qos=1)
    publisher.publish(t.topic("a/b"), b"x", qos=1)
    for watcher in watchers[:len(filters)]:
        watcher.receive(t.topic("a/b"), b"x", qos=1)
    t.fence(publisher, *watchers)


@statement("MQTT-4.5.0-1")
def a_publisher_gets_its_own_messages(t):
    client = clean(t)
    client.subscribe(t.topic(), qos=2)
    for qos in (0, 1, 2):
        client.publish(t.topic(), b"%d" % qos, qos=qos)
        client.receive(t.topic(), b"%d" % qos, qos=qos)


@statement("MQTT-4.6.0-1")
def repetition_keeps_the_original_order(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic("#"), qos=2)
    for n in range(30):
        publisher.publish(t.topic("%d" % (n % 3)), b"%d" % n, qos=n % 2 + 1)
    for n in range(10):
        first.expect(wire.PUBLISH, payload=b"%d" % n)
    first.drop()
    again = resumed(t)
    for n in range(30):
        again.receive(t.topic("%d" % (n % 3)), b"%d" % n, qos=n % 2 + 1)
    t.fence(publisher, again)


@statement("MQTT-4.6.0-2", "MQTT-4.6.0-3")
def acknowledgements_come_in_the_order_of_the_publishes(t):
    watchers = [clean(t) for _ in range(4)]
    away = fresh_kept(t)
    for n, watcher in enumerate(watchers):
        watcher.subscribe(t.topic("%d" % n), qos=1)
    away.subscribe(t.topic("2"), qos=1)
    away.drop()
    publisher = clean(t)
    # Targets differ, so that a server that waits for them separately would answer out of order.
    for qos, answer in ((1, wire.PUBACK), (2, wire.PUBREC)):
        ids = [(n * 7919) % 65000 + 1 for n in range(100)]
        publisher.send(b"".join(wire.publish(V311, t.topic("%d" % (n % 6)), b"x", qos, packet_id=packet_id)
                                for n, packet_id in enumerate(ids)))
        assert [publisher.expect(answer).packet_id for _ in ids] == ids
        if qos == 2:
            publisher.send(b"".join(wire.ack(wire.PUBREL, packet_id) for packet_id in ids))
            assert [publisher.expect(wire.PUBCOMP).packet_id for _ in ids] == ids


@statement("MQTT-4.6.0-4")
def pubrels_come_in_the_order_of_the_pubrecs(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=2)
    ids = []
    for n in range(10):
        publisher.publish(t.topic(), b"%d" % n, qos=2)
        ids.append(watcher.expect(wire.PUBLISH, payload=b"%d" % n).packet_id)
    shuffled = [ids[n] for n in (3, 0, 9, 1, 2, 8, 4, 7, 5, 6)]
    watcher.send(b"".join(wire.ack(wire.PUBREC, packet_id) for packet_id in shuffled))
    assert [watcher.expect(wire.PUBREL).packet_id for _ in shuffled] == shuffled
    watcher.send(b"".join(wire.ack(wire.PUBCOMP, packet_id) for packet_id in shuffled))
    watcher.expect_nothing()


@statement("MQTT-4.6.0-5", "MQTT-4.6.0-6")
def messages_of_a_topic_arrive_in_order(t):
    publisher = clean(t)
    watchers = [clean(t) for _ in range(4)]
    for watcher, topic_filter in zip(watchers, ("a", "+", "#", "a")):
        watcher.subscribe(t.topic(topic_filter), qos=2)
    for qos in (0, 1, 2):
        payloads = [b"%d-%d" % (qos, n) for n in range(200)]
        for packet_id in publish_burst(publisher, t.topic("a"), payloads, qos):
            if qos == 1:
                publisher.expect(wire.PUBACK, packet_id=packet_id)
            elif qos == 2:
                publisher.expect(wire.PUBREC, packet_id=packet_id)
                publisher.send(wire.ack(wire.PUBREL, packet_id))
                publisher.reply(wire.PUBCOMP, packet_id)
        for watcher in watchers:
            for payload in payloads:
                watcher.receive(t.topic("a"), payload, qos=qos)


@statement("MQTT-4.6.0-6")
def order_holds_for_a_slow_subscriber(t):
    publisher, watcher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=1)
    payloads = [b"%d" % n for n in range(300)]
    for packet_id in publish_burst(publisher, t.topic(), payloads, 1):
        publisher.expect(wire.PUBACK, packet_id=packet_id)
    # Acknowledges only when nothing is left to read, so that the server's window fills up again and again.
    delivered, open_ids = [], []
    while len(delivered) < len(payloads):
        if open_ids and not watcher.has_unread():
            watcher.send(b"".join(wire.ack(wire.PUBACK, packet_id) for packet_id in open_ids))
            open_ids = []
        found = watcher.expect(wire.PUBLISH)
        delivered.append(found.payload)
        open_ids.append(found.packet_id)
    assert delivered == payloads


@statement("MQTT-4.6.0-6", "MQTT-3.1.2-5")
def order_holds_while_a_backlog_is_delivered(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic(), qos=1)
    first.disconnect()
    half = 300
    payloads = [b"%d" % n for n in range(2 * half)]
    for packet_id in publish_burst(publisher, t.topic(), payloads[:half], 1):
        publisher.expect(wire.PUBACK, packet_id=packet_id)
    # The session comes back, and new messages come while its queue is on the way.
    again = t.raw(V311, "kept")
    again.send(wire.connect(V311, first.client_id, clean=False))
    waiting = iter(payloads[half:])
    again.expect(wire.CONNACK, session_present=True)
    for payload in payloads:
        live = next(waiting, None)
        if live is not None:
            publisher.send(wire.publish(V311, t.topic(), live, 1, packet_id=publisher.packet_id()))
        again.receive(t.topic(), payload, qos=1)


@scenario
def acknowledgements_of_nothing_are_survived(t):
    # 3.1.1 names no error for them. Others notice nothing, whatever becomes of this connection.
    bystander = clean(t)
    bystander.subscribe(t.topic(), qos=1)
    for packet in (wire.ack(wire.PUBACK, 77), wire.ack(wire.PUBREC, 77), wire.ack(wire.PUBCOMP, 77)):
        client = clean(t)
        client.send(packet)
        client.try_send(wire.pingreq())
        client.recv_or_end()
    t.fence(bystander, bystander)
