"""1.5 Data representation and 2 the packet format."""

from conformance import wire
from conformance.suite import statement
from conformance.wire import V5

NOT_UTF8 = {
    "stray byte": b"a\xffb",
    "cut sequence": b"a\xc3",
    "overlong slash": b"a\xc0\xafb",
    "surrogate": b"a\xed\xa0\x80b",
    "surrogate pair": b"a\xed\xa0\x81\xed\xb0\x80b",
    "beyond U+10FFFF": b"a\xf4\x90\x80\x80b",
}


def string_fields(bad):
    """Each packet of a connected client that has a string, with that string replaced by `bad`."""
    pair = [("key", "value")]
    return [
        wire.publish(V5, bad, b"x"),
        wire.publish(V5, "t", b"x", properties={"response_topic": bad}),
        wire.publish(V5, "t", b"x", properties={"content_type": bad}),
        wire.publish(V5, "t", b"x", properties={"user_property": pair + [(bad, "value")]}),
        wire.publish(V5, "t", b"x", properties={"user_property": pair + [("key", bad)]}),
        wire.subscribe(V5, 1, [(bad, 0)]),
        wire.subscribe(V5, 1, [("ok", 0), (bad, 0)]),
        wire.unsubscribe(V5, 1, [bad]),
        wire.ack(wire.PUBREL, 1, V5, 0x92, {"reason_string": bad}),
        wire.disconnect(V5, 0x04, {"reason_string": bad}),
    ]


def connect_string_fields(t, bad):
    """Each CONNECT that has a string, with that string replaced by `bad`."""
    client_id = t.id("bad")
    return [
        wire.connect(V5, bad),
        wire.connect(V5, client_id, username=bad),
        wire.connect(V5, client_id, will=wire.Will(bad)),
        wire.connect(V5, client_id, will=wire.Will("t", properties={"content_type": bad})),
        wire.connect(V5, client_id, properties={"user_property": (bad, "value")}),
        wire.connect(V5, client_id, properties={"authentication_method": bad}),
    ]


@statement("MQTT-1.5.4-1")
def strings_that_are_not_utf8_are_malformed(t):
    for bad in NOT_UTF8.values():
        for data in string_fields(bad):
            t.expect_refusal(data, 0x81)


@statement("MQTT-1.5.4-1", "MQTT-3.1.3-4", "MQTT-3.1.3-11", "MQTT-3.1.3-12")
def a_connect_with_strings_that_are_not_utf8_is_malformed(t):
    for bad in NOT_UTF8.values():
        for data in connect_string_fields(t, bad):
            t.expect_connect_refusal(data, 0x81)


@statement("MQTT-1.5.4-1")
def strings_of_one_to_four_byte_characters_pass_unchanged(t):
    client = t.client()
    topic = t.topic("\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff")
    assert client.subscribe(topic).codes == [0]
    client.publish(topic, b"x", properties={"content_type": "\U0001f600", "user_property": ("\u00e9", "\u4e2d")})
    found = client.receive(topic, b"x")
    assert found.properties == {"content_type": "\U0001f600", "user_property": [("\u00e9", "\u4e2d")]}


@statement("MQTT-1.5.4-2", "MQTT-4.7.3-2")
def a_null_character_is_malformed(t):
    for data in string_fields("a\0b"):
        t.expect_refusal(data, 0x81)
    for data in connect_string_fields(t, "a\0b"):
        t.expect_connect_refusal(data, 0x81)


@statement("MQTT-1.5.4-3")
def a_byte_order_mark_is_a_character_like_others(t):
    client = t.client()
    for topic in ("\ufeff" + t.topic("start"), t.topic("in\ufeffside"), t.topic("end\ufeff")):
        client.subscribe(topic, topic.replace("\ufeff", ""))
        client.publish(topic, b"x")
        client.receive(topic, b"x")
        client.expect_nothing()


@statement("MQTT-1.5.5-1")
def lengths_go_out_in_the_fewest_bytes(t):
    """The parser refuses a longer form; the sizes lie on both sides of each step."""
    client = t.client()
    topic = t.topic()
    client.subscribe(topic, properties={"subscription_identifier": 128})
    overhead = len(wire.publish(V5, topic, b"", properties={"subscription_identifier": 128})) - 2
    for remaining in (127, 128, 16383, 16384, 2097151, 2097152):
        client.publish(topic, b"x" * (remaining - overhead))
        found = client.receive(topic, b"x" * (remaining - overhead))
        assert len(found.raw) == 1 + len(wire.varint(remaining)) + remaining


@statement("MQTT-1.5.5-1")
def subscription_identifiers_of_every_width_come_back_in_the_fewest_bytes(t):
    client = t.client()
    for identifier in (1, 127, 128, 16383, 16384, 2097151, 2097152, 268435455):
        topic = t.topic(str(identifier))
        client.subscribe(topic, properties={"subscription_identifier": identifier})
        client.publish(topic, b"x")
        found = client.receive(topic, b"x")
        assert found.properties["subscription_identifier"] == [identifier]


@statement("MQTT-1.5.5-1")
def lengths_in_more_bytes_than_needed_are_malformed(t):
    body = wire.utf8(t.topic())
    t.expect_refusal(bytes([0x30]) + wire.varint(len(body) + 1, 2) + body + b"\0", 0x81)
    t.expect_refusal(wire.packet(wire.PUBLISH, 0, body + wire.varint(0, 2)), 0x81)
    identifier = bytes([0x0B]) + wire.varint(5, 2)
    t.expect_refusal(wire.packet(wire.SUBSCRIBE, 2, wire.u16(1) + wire.varint(len(identifier)) + identifier
                                 + wire.utf8("a") + b"\0"), 0x81)


@statement("MQTT-1.5.5-1")
def lengths_of_five_bytes_are_malformed(t):
    t.expect_refusal(b"\x30\xff\xff\xff\xff\x7f", 0x81)
    t.expect_refusal(wire.packet(wire.PUBLISH, 0, wire.utf8("t") + b"\xff\xff\xff\xff\x7f"), 0x81)


@statement("MQTT-1.5.7-1")
def both_halves_of_a_user_property_are_checked(t):
    for pair in ((b"\xff", "value"), ("key", b"\xff"), ("k\0", "value"), ("key", "v\0")):
        t.expect_refusal(wire.publish(V5, "t", properties={"user_property": pair}), 0x81)
        t.expect_refusal(wire.subscribe(V5, 1, [("t", 0)], {"user_property": pair}), 0x81)
        t.expect_refusal(wire.unsubscribe(V5, 1, ["t"], {"user_property": pair}), 0x81)
        t.expect_connect_refusal(wire.connect(V5, t.id(), properties={"user_property": pair}), 0x81)


@statement("MQTT-2.1.3-1", "MQTT-3.6.1-1", "MQTT-3.8.1-1", "MQTT-3.10.1-1", "MQTT-3.14.1-1", "MQTT-3.15.1-1")
def reserved_flags_are_checked_on_every_packet(t):
    right = {
        wire.PUBACK: wire.ack(wire.PUBACK, 1),
        wire.PUBREC: wire.ack(wire.PUBREC, 1),
        wire.PUBREL: wire.ack(wire.PUBREL, 1),
        wire.PUBCOMP: wire.ack(wire.PUBCOMP, 1),
        wire.SUBSCRIBE: wire.subscribe(V5, 1, [(t.topic(), 0)]),
        wire.UNSUBSCRIBE: wire.unsubscribe(V5, 1, [t.topic()]),
        wire.PINGREQ: wire.pingreq(),
        wire.DISCONNECT: wire.disconnect(V5, 0x00),
        wire.AUTH: wire.auth(0x19, {"authentication_method": "x"}),
    }
    for data in right.values():
        for flags in range(16):
            if flags != data[0] & 0x0F:
                t.expect_refusal(bytes([data[0] & 0xF0 | flags]) + data[1:], 0x81)


@statement("MQTT-2.1.3-1")
def reserved_flags_of_connect_are_checked(t):
    for flags in range(1, 16):
        client = t.raw()
        good = wire.connect(V5, t.id())
        client.send(bytes([good[0] | flags]) + good[1:])
        answer = client.bytes_until_closed()
        assert answer == b"" or answer[0] == 0x20 and answer[3] == 0x81, answer


@statement("MQTT-2.2.1-2")
def qos_0_has_no_packet_identifier(t):
    client = t.client()
    topic = t.topic()
    client.subscribe(topic, qos=2)
    client.publish(topic, b"\x00\x07payload")
    found = client.receive(topic, b"\x00\x07payload", qos=0)
    assert found.raw == wire.publish(V5, topic, b"\x00\x07payload")


@statement("MQTT-2.2.1-3")
def packet_identifier_0_is_refused(t):
    for data in (wire.publish(V5, t.topic(), b"x", qos=1, packet_id=0),
                 wire.publish(V5, t.topic(), b"x", qos=2, packet_id=0),
                 wire.subscribe(V5, 0, [(t.topic(), 0)]),
                 wire.unsubscribe(V5, 0, [t.topic()])):
        t.expect_refusal(data, 0x81, 0x82)


@statement("MQTT-2.2.1-4", "MQTT-4.3.2-1", "MQTT-4.3.3-1", "MQTT-4.3.2-2", "MQTT-4.3.3-2")
def identifiers_in_flight_are_free_ones_and_not_0(t):
    subscriber, publisher = t.client(), t.client()
    topic = t.topic()
    subscriber.subscribe(topic, qos=2)
    found = []
    for number in range(16):
        publisher.publish(topic, b"%d" % number, qos=1 + number % 2)
        found.append(subscriber.expect(wire.PUBLISH, payload=b"%d" % number, qos=1 + number % 2, dup=False))
    assert len({one.packet_id for one in found}) == len(found), "an identifier in flight was used again"


def publish_batch(publisher, topic, count):
    """QoS 1 messages 0 to count - 1."""
    publisher.send(*[wire.publish(V5, topic, b"%d" % number, qos=1, packet_id=1 + number) for number in range(count)])
    for number in range(count):
        publisher.expect(wire.PUBACK, packet_id=1 + number)


def check_redelivery(t, device, publisher, count):
    """Redelivery comes in order, whatever the identifiers of the messages. Returns the new connection."""
    publish_batch(publisher, t.topic(), count)
    sent = [device.expect(wire.PUBLISH, payload=b"%d" % number).packet_id for number in range(count)]
    device.drop()
    again = t.persistent("device", properties={"receive_maximum": 200})
    for number in range(count):
        found = again.reply(wire.PUBLISH, payload=b"%d" % number, dup=True)
        assert found.packet_id == sent[number], found
    again.send(*[wire.ack(wire.PUBACK, packet_id) for packet_id in sent])
    return again


@statement("MQTT-2.2.1-4", "MQTT-4.6.0-1")
def identifiers_go_round_without_touching_those_in_use(t):
    """One QoS 2 delivery is held between PUBREL and PUBCOMP while 65,535 other messages go through."""
    device, publisher = t.persistent("device", properties={"receive_maximum": 200}), t.client()
    device.subscribe(t.topic(), qos=2)
    publisher.publish(t.topic(), b"held", qos=2)
    held = device.expect(wire.PUBLISH)
    device.send(wire.ack(wire.PUBREC, held.packet_id))
    device.expect(wire.PUBREL, packet_id=held.packet_id)
    batch, is_wrap_checked = 100, False
    for _ in range(65536 // batch + 1):
        publish_batch(publisher, t.topic(), batch)
        for _ in range(batch):
            found = device.reply(wire.PUBLISH)
            assert found.packet_id != held.packet_id, "the identifier of an unfinished exchange was used"
            device.send(wire.ack(wire.PUBACK, found.packet_id))
        if found.packet_id > 65536 - batch and not is_wrap_checked:
            device, is_wrap_checked = check_redelivery(t, device, publisher, batch), True
        del device.trace[200:]


@statement("MQTT-2.2.1-5", "MQTT-4.3.2-4", "MQTT-4.3.3-8", "MQTT-4.3.3-11", "MQTT-3.3.4-1")
def acknowledgements_carry_the_identifier_of_their_publish(t):
    client = t.client()
    for packet_id in (1, 255, 256, 32768, 65535):
        client.send(wire.publish(V5, t.topic(), b"x", qos=1, packet_id=packet_id))
        client.expect(wire.PUBACK, packet_id=packet_id)
        client.send(wire.publish(V5, t.topic(), b"x", qos=2, packet_id=packet_id))
        client.expect(wire.PUBREC, packet_id=packet_id)
        client.send(wire.ack(wire.PUBREL, packet_id))
        client.expect(wire.PUBCOMP, packet_id=packet_id, code=0)


@statement("MQTT-2.2.1-6", "MQTT-3.8.4-1", "MQTT-3.8.4-2", "MQTT-3.10.4-4", "MQTT-3.10.4-5")
def suback_and_unsuback_carry_the_identifier_of_their_request(t):
    client = t.client()
    for packet_id in (1, 255, 256, 32768, 65535):
        client.send(wire.subscribe(V5, packet_id, [(t.topic(), 0)]))
        client.expect(wire.SUBACK, packet_id=packet_id, codes=[0])
        client.send(wire.unsubscribe(V5, packet_id, [t.topic()]))
        client.expect(wire.UNSUBACK, packet_id=packet_id, codes=[0])
        client.send(wire.unsubscribe(V5, packet_id, [t.topic()]))
        client.expect(wire.UNSUBACK, packet_id=packet_id, codes=[0x11])


@statement("MQTT-2.2.2-1")
def packets_without_properties_have_property_length_0(t):
    client = t.client()
    topic = t.topic()
    assert client.subscribe(topic).raw == b"\x90\x04\x00\x01\x00\x00"
    client.publish(topic, b"x")
    assert client.receive(topic).raw == wire.publish(V5, topic, b"x")
    assert client.unsubscribe(topic).raw == b"\xb0\x04\x00\x02\x00\x00"


@statement("MQTT-2.2.2-1")
def a_packet_that_ends_before_its_property_length_is_malformed(t):
    t.expect_refusal(wire.packet(wire.PUBLISH, 0, wire.utf8("t")), 0x81)
    t.expect_refusal(wire.packet(wire.SUBSCRIBE, 2, wire.u16(1)), 0x81, 0x82)
    t.expect_refusal(wire.packet(wire.UNSUBSCRIBE, 2, wire.u16(1)), 0x81, 0x82)
