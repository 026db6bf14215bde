"""3.1.2.4 Clean Session, 4.1 stored state, 4.4 delivery again after a reconnect."""

from conformance import wire
from conformance.suite import statement
from conformance.v311.clients import clean, fresh_kept, kept, publish_burst, resumed
from conformance.wire import V311


@statement("MQTT-3.1.2-4", "MQTT-3.1.4-3", "MQTT-4.1.0-1")
def a_session_keeps_its_subscriptions(t):
    publisher = clean(t)
    for farewell in ("disconnect", "drop"):
        first = fresh_kept(t, farewell)
        first.subscribe((t.topic("0"), 0), (t.topic("1"), 1), (t.topic("+/2"), 2), (t.topic("gone"), 1))
        first.unsubscribe(t.topic("gone"))
        getattr(first, farewell)()
        again = resumed(t, farewell)
        for name, qos in (("0", 0), ("1", 1), ("x/2", 2)):
            publisher.publish(t.topic(name), b"x", qos=2)
            again.receive(t.topic(name), b"x", qos=qos)
        publisher.publish(t.topic("gone"), b"x", qos=1)
        t.fence(publisher, again)
        again.drop()


@statement("MQTT-3.1.2-5", "MQTT-4.5.0-1", "MQTT-4.1.0-1")
def messages_of_the_absence_are_kept_in_order(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe((t.topic("1"), 1), (t.topic("2"), 2), (t.topic("none"), 0))
    first.disconnect()
    for n in range(50):
        publisher.publish(t.topic("%d" % (n % 2 + 1)), b"%d" % n, qos=n % 2 + 1)
    again = resumed(t)
    for n in range(50):
        again.receive(t.topic("%d" % (n % 2 + 1)), b"%d" % n, qos=n % 2 + 1, dup=False, retain=False)
    t.fence(publisher, again)


@statement("MQTT-3.1.2-5", "MQTT-4.5.0-1")
def messages_reach_several_absent_sessions_and_present_clients(t):
    publisher, present = clean(t), clean(t)
    names = ["a", "b", "c"]
    for name in names:
        client = fresh_kept(t, name)
        client.subscribe(t.topic("#"), qos=1)
        client.disconnect()
    present.subscribe(t.topic("#"), qos=1)
    for n in range(5):
        publisher.publish(t.topic(), b"%d" % n, qos=1)
    for client in [present] + [resumed(t, name) for name in names]:
        for n in range(5):
            client.receive(t.topic(), b"%d" % n, qos=1)


@statement("MQTT-3.1.2-5")
def the_queue_survives_a_second_absence(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic(), qos=1)
    first.drop()
    publisher.publish(t.topic(), b"1", qos=1)
    second = resumed(t)
    second.expect(wire.PUBLISH, payload=b"1")
    second.disconnect()
    publisher.publish(t.topic(), b"2", qos=1)
    third = resumed(t)
    third.receive(t.topic(), b"1", dup=True)
    third.receive(t.topic(), b"2", dup=False)
    third.expect_nothing()
    third.drop()
    resumed(t).expect_nothing()


@statement("MQTT-3.1.2-6", "MQTT-3.1.4-3")
def clean_session_discards_the_earlier_session(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic("#"), qos=2)
    publisher.publish(t.topic("in-flight"), b"x", qos=2)
    first.expect(wire.PUBLISH)
    first.send(wire.publish(V311, t.topic("incoming"), b"y", 2, packet_id=5))
    first.reply(wire.PUBREC, packet_id=5)
    first.drop()
    publisher.publish(t.topic("queued"), b"x", qos=1)
    again = clean(t, "kept")
    publisher.publish(t.topic("live"), b"x", qos=1)
    t.fence(publisher, again)
    # The id of the unfinished incoming exchange is free: the same identifier is a new message.
    watcher = clean(t)
    watcher.subscribe(t.topic("incoming"), qos=2)
    again.publish(t.topic("incoming"), b"new", qos=2, packet_id=5)
    watcher.receive(t.topic("incoming"), b"new")


@statement("MQTT-3.1.2-6")
def nothing_of_a_clean_session_is_used_later(t):
    publisher = clean(t)
    for farewell in ("disconnect", "drop"):
        first = clean(t, farewell)
        first.subscribe(t.topic(), qos=1)
        publisher.publish(t.topic(), b"unacknowledged", qos=1)
        first.expect(wire.PUBLISH)
        getattr(first, farewell)()
        again = fresh_kept(t, farewell)
        publisher.publish(t.topic(), b"afterwards", qos=1)
        t.fence(publisher, again)


@statement("MQTT-3.1.2-6", "MQTT-3.1.4-2")
def a_clean_takeover_discards_the_living_session(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic(), qos=1)
    second = clean(t, "kept")
    first.expect_closed()
    publisher.publish(t.topic(), b"x", qos=1)
    t.fence(publisher, second)


@statement("MQTT-3.1.2-7")
def retained_messages_outlive_the_session(t):
    for clean_session, farewell in ((True, "disconnect"), (True, "drop"), (False, "disconnect"), (False, "drop")):
        topic = t.topic("%s-%s" % (clean_session, farewell))
        first = clean(t, farewell, clean=clean_session)
        first.publish(topic, b"stays", qos=1, retain=True)
        getattr(first, farewell)()
        clean(t, farewell).disconnect()  # discards the session
        late = clean(t)
        late.subscribe(topic, qos=1)
        late.receive(topic, b"stays", retain=True)
        late.publish(topic, b"", qos=1, retain=True)


@statement("MQTT-4.1.0-1", "MQTT-4.3.3-2", "MQTT-4.4.0-1")
def an_incoming_qos_2_exchange_goes_on_after_a_reconnect(t):
    watcher = clean(t)
    watcher.subscribe(t.topic(), qos=2)
    first = fresh_kept(t)
    first.send(wire.publish(V311, t.topic(), b"a", 2, packet_id=11))
    first.expect(wire.PUBREC, packet_id=11)
    first.send(wire.publish(V311, t.topic(), b"b", 2, packet_id=12))
    first.expect(wire.PUBREC, packet_id=12)
    first.send(wire.ack(wire.PUBREL, 11))
    first.expect(wire.PUBCOMP, packet_id=11)
    first.drop()
    again = resumed(t)
    again.send(wire.publish(V311, t.topic(), b"b", 2, dup=True, packet_id=12))
    again.expect(wire.PUBREC, packet_id=12)
    again.send(wire.ack(wire.PUBREL, 12))
    again.expect(wire.PUBCOMP, packet_id=12)
    watcher.receive(t.topic(), b"a", qos=2)
    watcher.receive(t.topic(), b"b", qos=2)
    again.publish(t.topic(), b"c", qos=2, packet_id=12)
    watcher.receive(t.topic(), b"c", qos=2)
    t.fence(again, watcher)


@statement("MQTT-4.1.0-2")
def a_session_lasts_as_long_as_its_connection(t):
    publisher = clean(t)
    client = clean(t, keep_alive=0)
    client.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"first", qos=2)
    delivered = client.expect(wire.PUBLISH, payload=b"first")
    client.send(wire.publish(V311, t.topic("in"), b"x", 2, packet_id=3))
    client.expect(wire.PUBREC, packet_id=3)
    t.let_pass(2)
    # Subscription, outgoing and incoming exchange are still there.
    publisher.publish(t.topic(), b"second", qos=1)
    client.receive(t.topic(), b"second", qos=1)
    client.send(wire.ack(wire.PUBREC, delivered.packet_id))
    client.expect(wire.PUBREL, packet_id=delivered.packet_id)
    client.send(wire.ack(wire.PUBCOMP, delivered.packet_id))
    client.send(wire.ack(wire.PUBREL, 3))
    client.expect(wire.PUBCOMP, packet_id=3)


@statement("MQTT-4.4.0-1", "MQTT-3.3.1-1", "MQTT-4.6.0-1")
def unacknowledged_deliveries_are_sent_again_in_order(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic("#"), qos=2)
    sent = []
    for n in range(10):
        publisher.publish(t.topic("%d" % n), b"%d" % n, qos=1 + n % 2)
        sent.append(first.expect(wire.PUBLISH, payload=b"%d" % n, dup=False))
    for one in (sent[2], sent[6]):  # QoS 1, out of the middle
        first.send(wire.ack(wire.PUBACK, one.packet_id))
    first.expect_nothing()
    first.drop()
    again = resumed(t)
    for one in sent:
        if one not in (sent[2], sent[6]):
            again.receive(one.topic, one.payload, packet_id=one.packet_id, qos=one.qos, dup=True)
    t.fence(publisher, again)


@statement("MQTT-4.4.0-1", "MQTT-4.3.3-1")
def an_unfinished_pubrel_is_sent_again_and_its_publish_not(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic(), qos=2)
    released = []
    for n in range(4):
        publisher.publish(t.topic(), b"%d" % n, qos=2)
        delivered = first.expect(wire.PUBLISH, payload=b"%d" % n)
        if n < 2:
            first.send(wire.ack(wire.PUBREC, delivered.packet_id))
            first.expect(wire.PUBREL, packet_id=delivered.packet_id)
            released.append(delivered.packet_id)
    first.drop()
    again = resumed(t)
    found = [again.recv() for _ in range(4)]
    assert [one.packet_id for one in found if one.type == wire.PUBREL] == released, found
    assert [one.payload for one in found if one.type == wire.PUBLISH] == [b"2", b"3"], found
    for one in found:
        if one.type == wire.PUBREL:
            again.send(wire.ack(wire.PUBCOMP, one.packet_id))
        else:
            assert one.dup
            again.send(wire.ack(wire.PUBREC, one.packet_id))
            again.expect(wire.PUBREL, packet_id=one.packet_id)
            again.send(wire.ack(wire.PUBCOMP, one.packet_id))
    t.fence(publisher, again)
    again.drop()
    resumed(t).expect_nothing()


@statement("MQTT-4.4.0-1")
def finished_exchanges_are_not_repeated(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic(), qos=2)
    for n in range(6):
        publisher.publish(t.topic(), b"%d" % n, qos=n % 3)
        first.receive(t.topic(), b"%d" % n, qos=n % 3)
    first.expect_nothing()
    first.drop()
    resumed(t).expect_nothing()


@statement("MQTT-4.4.0-1")
def a_living_connection_gets_no_repetition(t):
    publisher = clean(t)
    client = clean(t)
    client.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"1", qos=1)
    publisher.publish(t.topic(), b"2", qos=2)
    first, second = client.expect(wire.PUBLISH), client.expect(wire.PUBLISH)
    t.let_pass(2)
    client.expect_nothing()
    client.send(wire.ack(wire.PUBACK, first.packet_id), wire.ack(wire.PUBREC, second.packet_id))
    client.expect(wire.PUBREL, packet_id=second.packet_id)


@statement("MQTT-4.1.0-1")
def a_large_backlog_is_kept(t):
    publisher = clean(t)
    first = fresh_kept(t)
    first.subscribe(t.topic(), qos=1)
    first.drop()
    payloads = [b"%d" % n for n in range(500)]
    for packet_id in publish_burst(publisher, t.topic(), payloads, 1):
        publisher.expect(wire.PUBACK, packet_id=packet_id)
    again = resumed(t)
    for payload in payloads:
        again.receive(t.topic(), payload, qos=1)


@statement("MQTT-4.5.0-1", "MQTT-3.1.2-5")
def a_message_published_just_before_the_return_arrives_once(t):
    publisher = clean(t)
    fresh_kept(t).disconnect()
    client = resumed(t)
    client.subscribe(t.topic(), qos=2)
    for n in range(10):
        client.drop()
        publisher.publish(t.topic(), b"%d" % n, qos=2)
        client = resumed(t)
        client.receive(t.topic(), b"%d" % n, qos=2)
        client.expect_nothing()
    client.disconnect()
    kept(t).expect_nothing()
