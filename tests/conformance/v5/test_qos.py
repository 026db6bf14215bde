"""4.1 session state, 4.3 the QoS flows, 4.4 redelivery, 4.5 ownership and 4.6 order."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.wire import V5


def exchange_states(t, name="device"):
    """A persistent session with, in this order: a QoS 1 and a QoS 2 delivery unanswered, one QoS 2 delivery in which
    PUBREC was sent, one that the server never started because the window is full. Returns their packet ids."""
    publisher = t.client()
    device = t.persistent(name, properties={"receive_maximum": 3})
    device.subscribe(t.topic(), qos=2)
    for number, qos in enumerate((1, 2, 2, 1)):
        publisher.publish(t.topic(), b"%d" % number, qos=qos)
    packets = [device.expect(wire.PUBLISH, payload=b"%d" % number, dup=False) for number in range(3)]
    device.send(wire.ack(wire.PUBREC, packets[2].packet_id))
    device.expect(wire.PUBREL, packet_id=packets[2].packet_id, code=0)
    device.expect_nothing()
    device.drop()
    return [packet.packet_id for packet in packets]


@statement("MQTT-4.4.0-1", "MQTT-4.3.2-3", "MQTT-4.3.3-3", "MQTT-4.3.3-5", "MQTT-4.3.3-6", "MQTT-4.6.0-1",
           "MQTT-3.3.1-1")
def reconnect_resends_publish_and_pubrel_with_their_identifiers(t):
    ids = exchange_states(t)
    for _ in range(2):  # a second interruption changes nothing
        again = t.persistent("device", properties={"receive_maximum": 2})  # PUBREL takes no quota
        resent = [again.recv() for _ in range(3)]
        publishes = [packet for packet in resent if packet.type == wire.PUBLISH]
        pubrels = [packet for packet in resent if packet.type == wire.PUBREL]
        assert [(packet.packet_id, packet.payload, packet.dup) for packet in publishes] == [
            (ids[0], b"0", True), (ids[1], b"1", True)]
        assert [packet.packet_id for packet in pubrels] == [ids[2]]
        again.expect_nothing()
        again.drop()
    last = t.persistent("device", properties={"receive_maximum": 3})
    for packet in [last.recv() for _ in range(3)]:
        if packet.type == wire.PUBREL:
            last.send(wire.ack(wire.PUBCOMP, packet.packet_id))
        elif packet.qos == 1:
            last.send(wire.ack(wire.PUBACK, packet.packet_id))
        else:
            last.send(wire.ack(wire.PUBREC, packet.packet_id))
            last.reply(wire.PUBREL, packet.packet_id)
            last.send(wire.ack(wire.PUBCOMP, packet.packet_id))
    last.receive(t.topic(), b"3", qos=1, dup=False)
    t.fence(t.client(), last)


@statement("MQTT-4.4.0-1")
def nothing_is_resent_on_a_live_connection(t):
    device, publisher = t.client(), t.client()
    device.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"1", qos=1)
    publisher.publish(t.topic(), b"2", qos=2)
    publisher.publish(t.topic(), b"3", qos=2)
    packets = [device.expect(wire.PUBLISH) for _ in range(3)]
    device.send(wire.ack(wire.PUBREC, packets[2].packet_id))
    device.expect(wire.PUBREL)
    t.let_pass(3)
    device.expect_nothing()


@statement("MQTT-4.3.3-6")
def a_publish_is_not_resent_once_its_pubrel_was(t):
    device, publisher = t.persistent("device"), t.client()
    device.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"x", qos=2)
    packet = device.expect(wire.PUBLISH)
    device.send(wire.ack(wire.PUBREC, packet.packet_id))
    device.expect(wire.PUBREL, packet_id=packet.packet_id)
    device.drop()
    again = t.persistent("device")
    again.expect(wire.PUBREL, packet_id=packet.packet_id)
    again.send(wire.ack(wire.PUBCOMP, packet.packet_id))
    t.fence(publisher, again)
    again.drop()
    t.fence(publisher, t.persistent("device"))


@statement("MQTT-4.3.2-3", "MQTT-4.3.3-5")
def what_was_acknowledged_is_not_sent_again(t):
    device, publisher = t.persistent("device"), t.client()
    device.subscribe(t.topic(), qos=2)
    for qos in (1, 2):
        publisher.publish(t.topic(), b"%d" % qos, qos=qos)
        device.receive(t.topic(), b"%d" % qos, qos=qos)
    device.expect_nothing()
    device.drop()
    t.fence(publisher, t.persistent("device"))


@statement("MQTT-4.4.0-2", "MQTT-4.3.3-4")
def an_error_in_puback_or_pubrec_ends_the_exchange(t):
    device, publisher = t.persistent("device"), t.client()
    device.subscribe(t.topic(), qos=2)
    for qos, packet_type in ((1, wire.PUBACK), (2, wire.PUBREC)):
        for code in (0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99):
            publisher.publish(t.topic(), b"x", qos=qos)
            packet = device.expect(wire.PUBLISH, qos=qos)
            device.send(wire.ack(packet_type, packet.packet_id, V5, code))
            device.expect_nothing()  # no PUBREL either
    device.drop()
    t.fence(publisher, t.persistent("device"))


@statement("MQTT-4.3.3-4")
def every_pubrec_below_0x80_is_answered_with_pubrel(t):
    device, publisher = t.client(), t.client()
    device.subscribe(t.topic(), qos=2)
    for form in (dict(), dict(code=0x00), dict(code=0x10), dict(code=0x00, properties={})):
        publisher.publish(t.topic(), b"x", qos=2)
        packet = device.expect(wire.PUBLISH)
        device.send(wire.ack(wire.PUBREC, packet.packet_id, V5, **form))
        device.expect(wire.PUBREL, packet_id=packet.packet_id, code=0)
        device.send(wire.ack(wire.PUBCOMP, packet.packet_id))
    device.expect_nothing()


@scenario
def a_repeated_pubrec_is_answered_with_pubrel_again(t):
    device, publisher = t.client(), t.client()
    device.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"x", qos=2)
    packet = device.expect(wire.PUBLISH)
    for _ in range(2):
        device.send(wire.ack(wire.PUBREC, packet.packet_id))
        device.expect(wire.PUBREL, packet_id=packet.packet_id, code=0)
    device.send(wire.ack(wire.PUBCOMP, packet.packet_id))
    device.expect_nothing()


@statement("MQTT-4.3.2-4", "MQTT-4.3.2-5")
def a_qos_1_identifier_used_again_is_a_new_message(t):
    subscriber, publisher = t.client(), t.client()
    subscriber.subscribe(t.topic(), qos=1)
    for number in range(3):
        for dup in (False, True):
            publisher.send(wire.publish(V5, t.topic(), b"%d" % number, qos=1, packet_id=9, dup=dup))
            publisher.expect(wire.PUBACK, packet_id=9)
            subscriber.receive(t.topic(), b"%d" % number)


@statement("MQTT-4.3.3-10", "MQTT-4.3.3-8")
def a_repeated_qos_2_publish_is_delivered_once(t):
    subscriber, publisher = t.client(), t.client()
    subscriber.subscribe(t.topic(), qos=2)
    for dup in (False, True, True, False):
        publisher.send(wire.publish(V5, t.topic(), b"x", qos=2, packet_id=9, dup=dup))
        assert publisher.expect(wire.PUBREC, packet_id=9).code < 0x80
    publisher.send(wire.ack(wire.PUBREL, 9))
    publisher.expect(wire.PUBCOMP, packet_id=9, code=0)
    subscriber.receive(t.topic(), b"x")
    t.fence(publisher, subscriber)


@statement("MQTT-4.3.3-10", "MQTT-4.1.0-1")
def a_qos_2_publish_repeated_after_a_reconnect_is_delivered_once(t):
    subscriber, publisher = t.client(), t.persistent("publisher")
    subscriber.subscribe(t.topic(), qos=2)
    publisher.send(wire.publish(V5, t.topic(), b"x", qos=2, packet_id=9))
    publisher.expect(wire.PUBREC, packet_id=9)
    publisher.drop()
    again = t.persistent("publisher")
    again.send(wire.publish(V5, t.topic(), b"x", qos=2, packet_id=9, dup=True))
    assert again.expect(wire.PUBREC, packet_id=9).code < 0x80
    again.send(wire.ack(wire.PUBREL, 9))
    again.expect(wire.PUBCOMP, packet_id=9, code=0)
    subscriber.receive(t.topic(), b"x")
    t.fence(again, subscriber)


@statement("MQTT-4.3.3-11", "MQTT-4.3.3-12")
def after_pubcomp_the_identifier_stands_for_a_new_message(t):
    subscriber, publisher = t.client(), t.client()
    subscriber.subscribe(t.topic(), qos=2)
    for number in range(3):
        publisher.send(wire.publish(V5, t.topic(), b"%d" % number, qos=2, packet_id=9, dup=number == 2))
        publisher.expect(wire.PUBREC, packet_id=9, code=0)
        publisher.send(wire.ack(wire.PUBREL, 9))
        publisher.expect(wire.PUBCOMP, packet_id=9, code=0)
        subscriber.receive(t.topic(), b"%d" % number)


@scenario
def a_repeated_pubrel_is_answered(t):
    """The second PUBREL meets a finished exchange, which 0x92 says."""
    publisher = t.client()
    publisher.publish(t.topic(), b"x", qos=2, packet_id=9)
    publisher.send(wire.ack(wire.PUBREL, 9))
    assert publisher.expect(wire.PUBCOMP, packet_id=9).code in (0x00, 0x92)


@scenario
def publisher_sessions_without_expiry_forget_their_qos_2_identifiers(t):
    subscriber = t.client()
    subscriber.subscribe(t.topic(), qos=2)
    for number in range(2):
        publisher = t.client("publisher", clean=False)
        publisher.send(wire.publish(V5, t.topic(), b"%d" % number, qos=2, packet_id=9, dup=number == 1))
        publisher.expect(wire.PUBREC, packet_id=9, code=0)
        if number == 0:
            publisher.drop()
    publisher.send(wire.ack(wire.PUBREL, 9))
    publisher.expect(wire.PUBCOMP, packet_id=9, code=0)
    found = subscriber.receive(t.topic()).payload
    if found == b"0":  # a server may pass a message on before its PUBREL
        found = subscriber.receive(t.topic()).payload
    assert found == b"1"


@statement("MQTT-4.3.3-7")
def a_delivery_that_began_is_completed_after_its_expiry(t):
    publisher = t.client()
    device = t.persistent("device")
    device.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"x", qos=2, properties={"message_expiry_interval": 1})
    packet = device.expect(wire.PUBLISH)
    device.drop()
    t.let_pass(3)
    again = t.persistent("device")
    again.receive(t.topic(), b"x", qos=2, packet_id=packet.packet_id, dup=True)
    t.fence(publisher, again)


@statement("MQTT-4.3.3-13")
def the_exchange_with_the_publisher_is_completed_after_the_expiry(t):
    publisher = t.client()
    offline = t.persistent("device")
    offline.subscribe(t.topic(), qos=2)
    offline.drop()
    given = {"message_expiry_interval": 1}
    publisher.send(wire.publish(V5, t.topic(), b"x", qos=2, packet_id=9, properties=given))
    publisher.expect(wire.PUBREC, packet_id=9, code=0)
    t.let_pass(3)
    publisher.send(wire.publish(V5, t.topic(), b"x", qos=2, packet_id=9, dup=True, properties=given))
    assert publisher.expect(wire.PUBREC, packet_id=9).code < 0x80
    publisher.send(wire.ack(wire.PUBREL, 9))
    publisher.expect(wire.PUBCOMP, packet_id=9, code=0)
    t.fence(publisher, t.persistent("device"))


@statement("MQTT-4.1.0-1")
def session_state_is_kept_while_connected_whatever_the_expiry(t):
    device, publisher = t.client(properties={"session_expiry_interval": 1}), t.client()
    device.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"1", qos=2)
    packet = device.expect(wire.PUBLISH)
    t.let_pass(3)
    device.send(wire.ack(wire.PUBREC, packet.packet_id))
    device.expect(wire.PUBREL, packet_id=packet.packet_id, code=0)
    device.send(wire.ack(wire.PUBCOMP, packet.packet_id))
    publisher.publish(t.topic(), b"2", qos=1)
    device.receive(t.topic(), b"2")


@statement("MQTT-4.2.0-1")
def a_stream_cut_into_single_bytes_is_the_same_stream(t):
    client = t.raw()
    client.send_split(wire.connect(V5, t.id("bytes"), properties={"user_property": ("a", "b")}))
    client.expect(wire.CONNACK, code=0)
    client.send_split(wire.subscribe(V5, 1, [(t.topic(), 2)]))
    client.expect(wire.SUBACK, codes=[2])
    client.send_split(wire.publish(V5, t.topic(), b"x" * 300, qos=2, packet_id=7))
    client.reply(wire.PUBREC, 7)
    client.send_split(wire.ack(wire.PUBREL, 7))
    client.reply(wire.PUBCOMP, 7)
    packet = client.expect(wire.PUBLISH, payload=b"x" * 300)
    client.send_split(wire.ack(wire.PUBREC, packet.packet_id))
    client.expect(wire.PUBREL)
    client.send_split(wire.ack(wire.PUBCOMP, packet.packet_id) + wire.pingreq() + wire.disconnect(V5, 0))
    client.expect(wire.PINGRESP)
    client.expect_closed()


@statement("MQTT-4.2.0-1")
def many_packets_in_one_segment_are_the_same_stream(t):
    client = t.raw()
    topic = t.topic()
    client.send(wire.connect(V5, t.id("pipelined")), wire.subscribe(V5, 1, [(topic, 1)]),
                wire.publish(V5, topic, b"0"), wire.publish(V5, topic, b"1", qos=1, packet_id=2),
                wire.publish(V5, topic, b"2", qos=2, packet_id=3), wire.ack(wire.PUBREL, 3), wire.pingreq())
    client.expect(wire.CONNACK, code=0)
    client.reply(wire.SUBACK, codes=[1])
    client.reply(wire.PUBACK, 2)
    client.reply(wire.PUBREC, 3)
    client.reply(wire.PUBCOMP, 3)
    client.reply(wire.PINGRESP)
    for number in range(3):
        client.receive(topic, b"%d" % number, qos=min(number, 1))


@scenario
def a_large_message_in_odd_pieces_arrives_whole(t):
    client = t.client()
    client.subscribe(t.topic(), qos=1)
    payload = bytes(range(256)) * 4096
    client.send_split(wire.publish(V5, t.topic(), payload, qos=1, packet_id=1), 10007)
    client.reply(wire.PUBACK, 1)
    client.receive(t.topic(), payload)


@statement("MQTT-4.5.0-1")
def a_message_reaches_every_matching_session(t):
    publisher = t.client()
    filters = [t.topic("a/b"), t.topic("+/b"), t.topic("#"), t.topic("a/+")]
    online = [t.client() for _ in filters]
    for client, one in zip(online, filters):
        client.subscribe(one, qos=1)
    for number, one in enumerate(filters):
        device = t.persistent("device-%d" % number)
        device.subscribe(one, qos=1)
        device.drop()
    publisher.publish(t.topic("a/b"), b"x", qos=1)
    for client in online + [t.persistent("device-%d" % number) for number in range(len(filters))]:
        client.receive(t.topic("a/b"), b"x")
    t.fence(publisher, *online)


@scenario
def qos_0_is_not_queued_but_harms_nothing(t):
    """Whether QoS 0 is kept for an absent client is up to the server; what is kept must come in order."""
    publisher = t.client()
    device = t.persistent("device")
    device.subscribe(t.topic(), qos=1)
    device.drop()
    for number in range(6):
        publisher.publish(t.topic(), b"%d" % number, qos=number % 2)
    again = t.persistent("device")
    found = []
    while not found or found[-1] != b"5":
        found.append(again.receive(t.topic()).payload)
    assert [one for one in found if one in (b"1", b"3", b"5")] == [b"1", b"3", b"5"] and found == sorted(found)


# ---------------------------------------------------------------------------------------------------------------- order

MESSAGES = 200


@statement("MQTT-4.6.0-5", "MQTT-4.6.0-6")
def messages_arrive_in_the_order_they_were_published(t):
    publisher = t.client()
    subscribers = [t.client() for _ in range(4)]
    for qos in (0, 1, 2):
        topic = t.topic("%d" % qos)
        for subscriber in subscribers:
            subscriber.subscribe(topic, qos=2)
        count = min(MESSAGES, publisher.connack.properties.get("receive_maximum", MESSAGES))
        data = [wire.publish(V5, topic, b"%d" % number, qos=qos, packet_id=number + 1 if qos else None)
                for number in range(count)]
        publisher.send(*data)
        if qos == 2:
            publisher.send(*[wire.ack(wire.PUBREL, number + 1) for number in range(count)])
        for subscriber in subscribers:
            for number in range(count):
                subscriber.receive(topic, b"%d" % number, qos=qos)
        for packet_type in {0: (), 1: (wire.PUBACK,), 2: (wire.PUBREC, wire.PUBCOMP)}[qos]:
            for number in range(count):
                publisher.reply(packet_type, number + 1)


@statement("MQTT-4.6.0-5", "MQTT-4.6.0-6")
def order_holds_through_the_queue_and_a_reconnect(t):
    publisher = t.client()
    device = t.persistent("device")
    device.subscribe(t.topic(), qos=2)
    device.drop()
    for number in range(MESSAGES):
        publisher.publish(t.topic(), b"%d" % number, qos=1 + number % 2)
    seen = 0
    while seen < MESSAGES:
        again = t.persistent("device", properties={"receive_maximum": 20})
        last = min(seen + 37, MESSAGES)
        for number in range(seen, last):
            again.receive(t.topic(), b"%d" % number)
        seen = last
        again.disconnect()


@statement("MQTT-4.6.0-1", "MQTT-4.6.0-5")
def redelivery_keeps_the_order_and_comes_before_the_queue(t):
    """Whatever packet identifiers the messages have: rounds of completed messages move them on."""
    publisher = t.client()
    device = t.persistent("device", properties={"receive_maximum": 10})
    device.subscribe(t.topic(), qos=2)
    for completed in (0, 9, 14, 27, 60, 120):
        for number in range(completed):
            publisher.publish(t.topic(), b"completed", qos=1)
            device.receive(t.topic(), b"completed")
        for number in range(25):
            publisher.publish(t.topic(), b"%d" % number, qos=1 + number % 2)
        for number in range(10):
            device.expect(wire.PUBLISH, payload=b"%d" % number, dup=False)
        device.drop()
        device = t.persistent("device", properties={"receive_maximum": 10})
        for number in range(25):
            device.receive(t.topic(), b"%d" % number, dup=number < 10)


@statement("MQTT-4.6.0-2", "MQTT-4.6.0-3", "MQTT-4.6.0-4")
def acknowledgements_leave_in_the_order_of_what_they_answer(t):
    publisher, device = t.client(), t.client()
    order = [7, 3, 9, 1, 200, 2, 65535, 100]
    for qos, packet_type in ((1, wire.PUBACK), (2, wire.PUBREC)):
        publisher.send(*[wire.publish(V5, t.topic(), b"x", qos=qos, packet_id=number) for number in order])
        assert [publisher.expect(packet_type).packet_id for _ in order] == order
    publisher.send(*[wire.ack(wire.PUBREL, number) for number in reversed(order)])
    assert [publisher.expect(wire.PUBCOMP).packet_id for _ in order] == order[::-1]
    device.subscribe(t.topic(), qos=2)
    for number in range(5):
        publisher.publish(t.topic(), b"%d" % number, qos=2)
    ids = [device.expect(wire.PUBLISH, payload=b"%d" % number).packet_id for number in range(5)]
    shuffled = [ids[index] for index in (3, 0, 4, 1, 2)]
    device.send(*[wire.ack(wire.PUBREC, number) for number in shuffled])
    assert [device.expect(wire.PUBREL).packet_id for _ in ids] == shuffled


@scenario
def a_client_hears_its_own_messages_in_order_among_others(t):
    first, second = t.client(), t.client()
    for client in (first, second):
        client.subscribe(t.topic("#"), qos=1)
    for number in range(50):
        first.send(wire.publish(V5, t.topic("first"), b"%d" % number, qos=1, packet_id=number + 1))
        second.send(wire.publish(V5, t.topic("second"), b"%d" % number, qos=1, packet_id=number + 1))
    for client in (first, second):
        seen = {"first": [], "second": []}
        while len(seen["first"]) + len(seen["second"]) < 100:
            packet = client.reply(wire.PUBLISH)
            client.send(wire.ack(wire.PUBACK, packet.packet_id))
            seen[packet.topic.rsplit("/", 1)[1]].append(int(packet.payload))
        assert seen["first"] == list(range(50)) and seen["second"] == list(range(50))
