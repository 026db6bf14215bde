"""3.8 SUBSCRIBE, 3.9 SUBACK, 3.10 UNSUBSCRIBE and 3.11 UNSUBACK, and 3.3.4 about overlapping subscriptions."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.wire import V5

LEVELS_TOO_MANY = "/".join("x" * 201)  # one more level than the broker takes


@statement("MQTT-3.8.3-1", "MQTT-3.10.3-1")
def filters_must_be_strings(t):
    for bad in (b"\xff", b"a\0b", b"\xed\xa0\x80"):
        t.expect_refusal(wire.subscribe(V5, 1, [("good", 0), (bad, 0)]), 0x81)
        t.expect_refusal(wire.unsubscribe(V5, 1, ["good", bad]), 0x81)


@statement("MQTT-3.8.3-2", "MQTT-3.10.3-2")
def a_packet_without_filters_is_refused(t):
    t.expect_refusal(wire.subscribe(V5, 1, []), 0x82, 0x81)
    t.expect_refusal(wire.unsubscribe(V5, 1, []), 0x82, 0x81)


@statement("MQTT-3.8.3-2")
def a_filter_without_options_is_malformed(t):
    t.expect_refusal(wire.packet(wire.SUBSCRIBE, 2, b"\x00\x01\x00" + wire.utf8("a")), 0x81)
    t.expect_refusal(wire.packet(wire.SUBSCRIBE, 2, b"\x00\x01\x00" + wire.utf8("a") + b"\0" + wire.utf8("b")), 0x81)
    t.expect_refusal(wire.packet(wire.SUBSCRIBE, 2, b"\x00\x01\x00\x00"), 0x81)
    t.expect_refusal(wire.packet(wire.UNSUBSCRIBE, 2, b"\x00\x01\x00\x00"), 0x81)
    t.expect_refusal(wire.packet(wire.SUBSCRIBE, 2, b"\x00"), 0x81)


@statement("MQTT-3.8.3-5")
def reserved_option_bits_are_malformed(t):
    for option in (0x40, 0x80, 0xC0):
        t.expect_refusal(wire.subscribe(V5, 1, [("a", option)]), 0x81)
    t.expect_refusal(wire.subscribe(V5, 1, [("a", 0), ("b", 0x41)]), 0x81)


@statement("MQTT-4.13.1-1", "MQTT-3.8.4-7")
def qos_3_in_the_options_is_refused(t):
    t.expect_refusal(wire.subscribe(V5, 1, [("a", 3)]), 0x81, 0x82)


@statement("MQTT-3.8.3-3")
def no_local_keeps_own_messages_away(t):
    own, other = t.client(), t.client()
    own.subscribe((t.topic(), wire.options(qos=2, no_local=True)))
    for qos in (0, 1, 2):
        own.publish(t.topic(), b"own", qos=qos)
        other.publish(t.topic(), b"other %d" % qos, qos=qos)
        own.receive(t.topic(), b"other %d" % qos)
    t.fence(own, own)


@statement("MQTT-3.8.3-3")
def no_local_goes_by_the_client_identifier(t):
    """It holds for what the client published before it reconnected, and ends with the option."""
    device = t.persistent("device")
    device.subscribe((t.topic(), wire.options(qos=1, no_local=True)))
    device.publish(t.topic(), b"before", qos=1)
    device.drop()
    again = t.persistent("device")
    again.publish(t.topic(), b"after", qos=1)
    t.fence(again, again)
    again.subscribe((t.topic(), wire.options(qos=1, no_local=False)))
    again.publish(t.topic(), b"wanted", qos=1)
    again.receive(t.topic(), b"wanted")


@statement("MQTT-3.8.3-3")
def no_local_keeps_own_retained_messages_away(t):
    own, other = t.client("own"), t.client("other")
    own.publish(t.topic("own"), b"kept", qos=1, retain=True)
    other.publish(t.topic("other"), b"kept", qos=1, retain=True)
    own.subscribe((t.topic("+"), wire.options(qos=1, no_local=True)))
    own.receive(t.topic("other"), b"kept", retain=True)
    t.fence(other, own)
    for name in ("own", "other"):
        other.publish(t.topic(name), b"", qos=1, retain=True)


@scenario
def no_local_holds_for_one_subscription_only(t):
    client = t.client()
    client.subscribe((t.topic("#"), wire.options(qos=1, no_local=True)))
    client.subscribe((t.topic("+"), wire.options(qos=1)))
    client.publish(t.topic("x"), b"own", qos=1)
    client.receive(t.topic("x"), b"own")
    t.fence(client, client)


@statement("MQTT-3.8.3-4")
def no_local_on_a_shared_subscription_is_refused(t):
    t.expect_refusal(wire.subscribe(V5, 1, [("$share/g/" + t.topic(), wire.options(no_local=True))]), 0x82)


@statement("MQTT-3.8.4-3")
def subscribing_again_replaces_the_options(t):
    client, publisher = t.client(), t.client()
    for qos in (2, 0, 1):
        assert client.subscribe(t.topic(), qos=qos).codes == [qos]
        publisher.publish(t.topic(), b"x", qos=2)
        client.receive(t.topic(), b"x", qos=qos)
    t.fence(publisher, client)
    client.subscribe(t.topic(), qos=1, properties={"subscription_identifier": 1})
    client.subscribe(t.topic(), qos=1, properties={"subscription_identifier": 2})
    publisher.publish(t.topic(), b"x", qos=1)
    assert client.receive(t.topic(), b"x").properties == {"subscription_identifier": [2]}
    client.subscribe(t.topic(), qos=1)
    publisher.publish(t.topic(), b"x", qos=1)
    assert client.receive(t.topic(), b"x").properties == {}
    client.unsubscribe(t.topic())
    publisher.publish(t.topic(), b"x", qos=1)
    t.fence(publisher, client)


@statement("MQTT-3.8.4-3")
def subscribing_again_replaces_every_option(t):
    client, publisher = t.client(), t.client()
    for wanted in (False, True, False):
        client.subscribe(t.topic(), qos=1, retain_as_published=wanted, retain_handling=2)
        publisher.publish(t.topic(), b"x", qos=1, retain=True)
        client.receive(t.topic(), b"x", retain=wanted)
    publisher.publish(t.topic(), b"", qos=1, retain=True)
    client.receive(t.topic(), b"")
    for wanted in (False, True, False):
        client.subscribe(t.topic(), qos=1, no_local=wanted)
        client.publish(t.topic(), b"own", qos=1)
        if not wanted:
            client.receive(t.topic(), b"own")
        t.fence(publisher, client)


@statement("MQTT-3.8.4-4")
def replacing_a_subscription_loses_no_message(t):
    client, publisher = t.client(), t.client()
    client.subscribe(t.topic(), qos=1)
    count = 300
    for number in range(count):
        publisher.send(wire.publish(V5, t.topic(), b"%d" % number, qos=1, packet_id=number + 1))
        if number % 3 == 0:
            client.send(wire.subscribe(V5, number + 1, [(t.topic(), wire.options(qos=1, retain_handling=number % 2))]))
    seen, answered = 0, 0
    while seen < count or answered < count // 3:
        packet = client.recv()
        if packet.type == wire.SUBACK:
            answered += 1
            continue
        assert packet.payload == b"%d" % seen, "message %d is missing: %r" % (seen, packet)
        client.send(wire.ack(wire.PUBACK, packet.packet_id))
        seen += 1


@statement("MQTT-3.8.4-4", "MQTT-3.8.4-3")
def replacing_with_retain_handling_0_sends_retained_messages_again(t):
    client, publisher = t.client(), t.client()
    publisher.publish(t.topic(), b"kept", qos=1, retain=True)
    for _ in range(3):
        client.subscribe((t.topic(), wire.options(qos=1, retain_handling=0)))
        client.receive(t.topic(), b"kept", retain=True)
    publisher.publish(t.topic(), b"", qos=1, retain=True)


@statement("MQTT-3.8.4-5", "MQTT-3.8.4-6", "MQTT-3.8.4-7", "MQTT-3.9.3-1", "MQTT-3.9.3-2")
def many_filters_in_one_packet_get_one_suback_in_order(t):
    client, publisher = t.client(), t.client()
    asked = [(t.topic("a"), 0), (t.topic("b"), 1), (LEVELS_TOO_MANY, 1), (t.topic("c/+"), 2), (t.topic("d/#"), 1),
             (t.topic("a"), 2)]
    suback = client.subscribe(*asked)
    assert suback.codes == [0, 1, 0x8F, 2, 1, 2], suback
    for name, qos in (("a", 2), ("b", 1), ("c/x", 2), ("d", 1), ("d/x/y", 1)):
        publisher.publish(t.topic(name), name, qos=2)
        client.receive(t.topic(name), name, qos=qos)
    t.fence(publisher, client)


@scenario
def a_packet_of_very_many_filters_is_answered_for_each(t):
    client, publisher = t.client(), t.client()
    filters = [(t.topic("%d/+" % number), number % 3) for number in range(2000)]
    assert client.subscribe(*filters).codes == [number % 3 for number in range(2000)]
    publisher.publish(t.topic("1999/x"), b"x", qos=2)
    client.receive(t.topic("1999/x"), b"x", qos=1)
    assert client.unsubscribe(*[one for one, _ in filters]).codes == [0] * 2000


@statement("MQTT-3.8.4-7", "MQTT-3.8.4-8")
def the_granted_qos_limits_the_delivery(t):
    publisher = t.client()
    for granted in (0, 1, 2):
        client = t.client()
        assert client.subscribe(t.topic(), qos=granted).codes == [granted]
        for published in (0, 1, 2):
            publisher.publish(t.topic(), b"x", qos=published)
            client.receive(t.topic(), b"x", qos=min(granted, published))


def expect_bad_filter(t, bad):
    """A filter that breaks the rules is refused in SUBACK or by DISCONNECT; the same for UNSUBSCRIBE, which may also
    say that there was no such subscription."""
    client = t.client()
    client.send(wire.subscribe(V5, 1, [(bad, 0)]))
    answer = client.recv()
    if answer.type == wire.DISCONNECT:
        assert answer.code in (0x8F, 0x81, 0x82), (bad, answer)
        client.expect_closed()
    else:
        assert answer.type == wire.SUBACK and answer.codes == [0x8F], (bad, answer)
    client = t.client()
    client.send(wire.unsubscribe(V5, 1, [bad]))
    answer = client.recv()
    if answer.type == wire.DISCONNECT:
        assert answer.code in (0x8F, 0x81, 0x82), (bad, answer)
        client.expect_closed()
    else:
        assert answer.type == wire.UNSUBACK and answer.codes in ([0x8F], [0x11]), (bad, answer)


@statement("MQTT-4.7.1-1")
def number_sign_must_be_the_last_level(t):
    for bad in ("a/#/b", "#/", "a#", "a/#b", "##", "a/b#/c", "#a", "+#", "a/##"):
        expect_bad_filter(t, bad)


@statement("MQTT-4.7.1-2")
def plus_must_be_a_whole_level(t):
    for bad in ("a+", "+a", "a/b+", "a/+b/c", "++", "a/++/b", "+a/#"):
        expect_bad_filter(t, bad)


@statement("MQTT-4.7.3-1", "MQTT-3.8.3-1")
def an_empty_filter_is_refused(t):
    expect_bad_filter(t, "")


@statement("MQTT-4.7.1-1", "MQTT-4.7.1-2", "MQTT-4.7.0-1")
def good_wildcards_are_served(t):
    client = t.client()
    for good in ("#", "+", "/", "//", "+/+", "/+", "+/", "a/#", "/#", "+/#", "a/+/b/#", "a b/\u00fc", "$x/#", "/$x"):
        assert client.subscribe(t.topic(good), qos=1).codes == [1], good
        assert client.unsubscribe(t.topic(good)).codes == [0], good


# ------------------------------------------------------------------------------------------- overlapping subscriptions

def copies_of(t, publisher, client, topic, payload):
    """All copies of a message that came to a client."""
    topic_after, found = t.topic("after/%s" % payload.decode()), []
    client.subscribe(topic_after, qos=2)
    publisher.publish(topic, payload, qos=2)
    publisher.publish(topic_after, b"", qos=2)
    while True:
        packet = client.receive()
        if packet.topic == topic_after:
            return found
        assert packet.topic == topic and packet.payload == payload, packet
        found.append(packet)


@statement("MQTT-3.3.4-2")
def overlapping_subscriptions_deliver_at_their_highest_qos(t):
    publisher = t.client()
    for number, (first, second) in enumerate(((0, 2), (2, 0), (1, 2), (1, 0), (0, 1))):
        client = t.client()
        topic = t.topic("r%d/x" % number)
        client.subscribe((t.topic("r%d/#" % number), first), (t.topic("r%d/+" % number), second))
        found = copies_of(t, publisher, client, topic, b"p%d" % number)
        assert max(packet.qos for packet in found) == max(first, second), found
        assert len(found) in (1, 2), found


@statement("MQTT-3.3.4-3", "MQTT-3.3.4-4", "MQTT-3.3.4-5")
def overlapping_subscriptions_send_all_their_identifiers(t):
    publisher, client = t.client(), t.client()
    topic = t.topic("r/a/b")
    for identifier, one in enumerate((t.topic("r/a/b"), t.topic("r/+/b"), t.topic("r/#")), 1):
        client.subscribe(one, qos=identifier - 1, properties={"subscription_identifier": identifier})
    client.subscribe(t.topic("r/a/+"), qos=1)  # has no identifier
    found = copies_of(t, publisher, client, topic, b"x")
    sent = [packet.properties.get("subscription_identifier", []) for packet in found]
    assert sorted(sum(sent, [])) == [1, 2, 3], sent
    if len(found) > 1:
        assert all(len(one) <= 1 for one in sent), "several copies, yet one has several identifiers: %r" % sent


@statement("MQTT-3.3.4-3")
def the_identifier_belongs_to_the_subscription_not_to_the_client(t):
    publisher, client = t.client(), t.client()
    client.subscribe(t.topic("with"), qos=1, properties={"subscription_identifier": 268435455})
    client.subscribe(t.topic("without"), qos=1)
    for _ in range(2):
        publisher.publish(t.topic("with"), b"x", qos=1)
        assert client.receive(t.topic("with")).properties == {"subscription_identifier": [268435455]}
        publisher.publish(t.topic("without"), b"x", qos=1)
        assert client.receive(t.topic("without")).properties == {}


@statement("MQTT-3.3.4-3", "MQTT-3.1.2-5")
def the_identifier_is_part_of_the_session(t):
    publisher = t.client()
    device = t.persistent("device")
    device.subscribe(t.topic(), qos=1, properties={"subscription_identifier": 77})
    device.drop()
    publisher.publish(t.topic(), b"queued", qos=1)
    again = t.persistent("device")
    assert again.receive(t.topic(), b"queued").properties == {"subscription_identifier": [77]}
    publisher.publish(t.topic(), b"live", qos=1)
    assert again.receive(t.topic(), b"live").properties == {"subscription_identifier": [77]}


@statement("MQTT-3.3.4-3")
def several_filters_of_one_packet_share_its_identifier(t):
    publisher, client = t.client(), t.client()
    client.subscribe((t.topic("a"), 1), (t.topic("b"), 1), properties={"subscription_identifier": 3})
    for name in ("a", "b"):
        publisher.publish(t.topic(name), b"x", qos=1)
        assert client.receive(t.topic(name)).properties == {"subscription_identifier": [3]}


@statement("MQTT-4.13.1-1")
def bad_subscription_identifiers_are_refused(t):
    t.expect_refusal(wire.subscribe(V5, 1, [("a", 0)], {"subscription_identifier": 0}), 0x82)
    t.expect_refusal(wire.subscribe(V5, 1, [("a", 0)], {"subscription_identifier": [1, 2]}), 0x82)
    t.expect_refusal(wire.unsubscribe(V5, 1, ["a"], {"subscription_identifier": 1}), 0x81, 0x82)
    t.expect_refusal(wire.subscribe(V5, 1, [("a", 0)], {"topic_alias": 1}), 0x81, 0x82)
    t.expect_refusal(wire.subscribe(V5, 1, [("a", 0)], b"\x0b"), 0x81)


# --------------------------------------------------------------------------------------------------------- unsubscribe

@statement("MQTT-3.10.4-1")
def only_the_very_same_filter_is_deleted(t):
    client, publisher = t.client(), t.client()
    client.subscribe(t.topic("a/+"), qos=1)
    others = [t.topic(name) for name in ("a/b", "a/#", "a/", "A/+", "a/+/", "#")] + ["/" + t.topic("a/+")]
    assert client.unsubscribe(*others).codes == [0x11] * len(others)
    publisher.publish(t.topic("a/b"), b"x", qos=1)
    client.receive(t.topic("a/b"), b"x")
    assert client.unsubscribe(t.topic("a/+")).codes == [0]
    publisher.publish(t.topic("a/b"), b"x", qos=1)
    t.fence(publisher, client)


@statement("MQTT-3.10.4-2")
def nothing_is_delivered_after_unsuback(t):
    client, publisher = t.client(), t.client()
    for qos in (0, 1, 2):
        client.subscribe(t.topic(), qos=qos)
        publisher.publish(t.topic(), b"x", qos=qos)
        client.receive(t.topic(), b"x")
        client.unsubscribe(t.topic())
        publisher.publish(t.topic(), b"late", qos=qos)
        t.fence(publisher, client)


@statement("MQTT-3.10.4-2")
def unsubscribing_under_a_stream_ends_it_at_the_unsuback(t):
    client, publisher = t.client(), t.client()
    client.subscribe(t.topic())
    for number in range(300):
        publisher.send(wire.publish(V5, t.topic(), b"%d" % number))
    client.send(wire.unsubscribe(V5, 77, [t.topic()]))
    for number in range(300, 600):
        publisher.send(wire.publish(V5, t.topic(), b"%d" % number))
    expected = 0
    while True:
        packet = client.recv()
        if packet.type == wire.UNSUBACK:
            break
        assert packet.payload == b"%d" % expected
        expected += 1
    t.fence(publisher, client)


@statement("MQTT-3.10.4-3")
def deliveries_that_began_are_completed_after_unsubscribe(t):
    client, publisher = t.persistent("device"), t.client()
    client.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"1", qos=1)
    publisher.publish(t.topic(), b"2", qos=2)
    first, second = client.expect(wire.PUBLISH, qos=1), client.expect(wire.PUBLISH, qos=2)
    client.unsubscribe(t.topic())
    client.send(wire.ack(wire.PUBREC, second.packet_id))
    client.expect(wire.PUBREL, packet_id=second.packet_id, code=0)
    client.drop()
    again = t.persistent("device")
    resent = [again.recv() for _ in range(2)]
    assert {(packet.type, packet.packet_id) for packet in resent} == {
        (wire.PUBLISH, first.packet_id), (wire.PUBREL, second.packet_id)}
    again.send(wire.ack(wire.PUBACK, first.packet_id), wire.ack(wire.PUBCOMP, second.packet_id))
    t.fence(publisher, again)


@statement("MQTT-3.10.4-4", "MQTT-3.10.4-5", "MQTT-3.10.4-6", "MQTT-3.11.3-1", "MQTT-3.11.3-2")
def many_filters_in_one_unsubscribe_get_one_unsuback_in_order(t):
    client, publisher = t.client(), t.client()
    names = [t.topic(name) for name in ("a", "b/+", "c/#")]
    client.subscribe(*[(one, 1) for one in names])
    unsuback = client.unsubscribe(t.topic("none"), names[0], names[1], t.topic("none/#"), names[0])
    assert unsuback.codes == [0x11, 0, 0, 0x11, 0x11], unsuback
    for name in ("a", "b/x"):
        publisher.publish(t.topic(name), b"x", qos=1)
    publisher.publish(t.topic("c/x"), b"left", qos=1)
    client.receive(t.topic("c/x"), b"left")


@scenario
def unsubscribing_what_another_client_has_changes_nothing(t):
    mine, theirs = t.client(), t.client()
    theirs.subscribe(t.topic(), qos=1)
    assert mine.unsubscribe(t.topic()).codes == [0x11]
    mine.publish(t.topic(), b"x", qos=1)
    theirs.receive(t.topic(), b"x")


@scenario
def a_subscription_takes_effect_with_its_suback(t):
    """A message published by anybody after SUBACK arrives, however often the filter comes and goes."""
    client, publisher = t.client(), t.client()
    for number in range(100):
        client.subscribe(t.topic(), qos=1)
        publisher.publish(t.topic(), b"%d" % number, qos=1)
        client.receive(t.topic(), b"%d" % number)
        client.unsubscribe(t.topic())
