"""1.5.3 UTF-8 strings, 2.2 fixed header, 2.3 Packet Identifiers."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.v311.clients import clean, connack_of, expect_end, expect_no_connack, kept, raw, resumed
from conformance.wire import V311, Will

ILL_FORMED = {
    "a lone continuation byte": b"a\x80b",
    "a lead byte alone": b"a\xc3",
    "an overlong slash": b"a\xc0\xafb",
    "an overlong slash in three bytes": b"a\xe0\x80\xafb",
    "an overlong slash in four bytes": b"a\xf0\x80\x80\xafb",
    "a high surrogate U+D800": b"a\xed\xa0\x80",
    "a low surrogate U+DFFF": b"a\xed\xbf\xbf",
    "a surrogate pair (CESU-8)": b"\xed\xa0\x81\xed\xb0\x80",
    "beyond U+10FFFF": b"a\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "FE": b"a\xfe",
    "FF": b"\xffa",
    "three bytes cut short": b"ab\xe2\x82",
}


def packets_with_string(bad):
    """Packets of a connected client, one string of each replaced."""
    return [wire.publish(V311, bad, b"x"), wire.publish(V311, bad, b"x", 1, packet_id=1),
            wire.publish(V311, bad, b"x", 2, packet_id=1), wire.subscribe(V311, 1, [(bad, 0)]),
            wire.subscribe(V311, 1, [("a", 0), (bad, 0)]), wire.unsubscribe(V311, 1, [bad]),
            wire.unsubscribe(V311, 1, ["a", bad])]


def connects_with_string(t, bad):
    return [wire.connect(V311, bad), wire.connect(V311, t.id(), username=bad),
            wire.connect(V311, t.id(), username=bad, password="p"), wire.connect(V311, t.id(), will=Will(bad, b"x"))]


@statement("MQTT-1.5.3-1", "MQTT-3.3.2-1", "MQTT-3.8.3-1", "MQTT-3.10.3-1")
def ill_formed_utf8_in_a_packet_ends_the_connection(t):
    for bad in ILL_FORMED.values():
        for packet in packets_with_string(bad):
            expect_end(t, packet)


@statement("MQTT-1.5.3-1", "MQTT-3.1.3-4", "MQTT-3.1.3-10", "MQTT-3.1.3-11", "MQTT-3.1.4-1")
def ill_formed_utf8_in_connect_ends_the_connection(t):
    for bad in ILL_FORMED.values():
        for packet in connects_with_string(t, bad):
            expect_no_connack(t, packet)


@statement("MQTT-1.5.3-2", "MQTT-4.7.3-2")
def a_null_character_in_a_packet_ends_the_connection(t):
    for bad in (b"\0", b"a\0b", b"a/\0", b"\0/a"):
        for packet in packets_with_string(bad):
            expect_end(t, packet)


@statement("MQTT-1.5.3-1", "MQTT-1.5.3-2")
def bad_bytes_are_found_wherever_they_stand(t):
    # Servers check strings in steps of several bytes; each place of a step, and its ends, is another case.
    for bad in (b"\0", b"\x80", b"\xff", b"\xed\xa0\x80", b"\xc0\x80"):
        for before in (0, 1, 6, 7, 8, 9, 14, 15, 16, 31, 32, 63, 64):
            for after in (0, 1, 7, 8, 33):
                text = b"a" * before + bad + b"b" * after
                expect_end(t, wire.publish(V311, text, b"x"))
                expect_end(t, wire.subscribe(V311, 1, [(text, 0)]))
                expect_no_connack(t, wire.connect(V311, t.id(), username=text))


@statement("MQTT-1.5.3-2", "MQTT-3.1.4-1")
def a_null_character_in_connect_ends_the_connection(t):
    for bad in (b"\0", b"a\0b"):
        for packet in connects_with_string(t, bad):
            expect_no_connack(t, packet)


@scenario
def well_formed_utf8_is_carried_unchanged(t):
    # Without control and non-characters, for which a receiver may close the connection.
    client = clean(t)
    for text in ("\xff", "\u0416", "\u20ac", "\ud7ff", "\ue000", "\ufffd", "\U00010000", "\U0010fffd", "\U0002a6d4"):
        topic = t.topic("x%sy" % text)
        assert client.subscribe(topic, qos=0).codes == [0], topic
        client.publish(topic, text)
        client.receive(topic, text)


@statement("MQTT-1.5.3-3")
def a_byte_order_mark_is_a_character(t):
    client = clean(t)
    for name in ("\ufeffa", "a\ufeffb", "a\ufeff", "\ufeff"):
        with_mark, without = t.topic(name), t.topic(name.replace("\ufeff", ""))
        client.subscribe(with_mark, qos=1)
        client.publish(without, b"without")
        client.publish(with_mark, b"with")
        client.receive(with_mark, b"with")
        client.unsubscribe(with_mark)
    root = "\ufeff" + t.topic()
    client.subscribe(root, qos=1)
    client.publish(t.topic(), b"without")
    client.publish(root, b"with")
    client.receive(root, b"with")


@statement("MQTT-1.5.3-3", "MQTT-3.1.3-2")
def a_byte_order_mark_tells_client_ids_apart(t):
    plain = t.raw(V311, "plain")
    assert plain.connect(client_id=t.id("x")).code == 0
    marked = t.raw(V311, "marked")
    assert marked.connect(client_id="\ufeff" + t.id("x")).code == 0
    plain.expect_nothing()


@statement("MQTT-2.2.2-1", "MQTT-2.2.2-2")
def invalid_flags_end_the_connection(t):
    bodies = {wire.PUBACK: wire.u16(1), wire.PUBREC: wire.u16(1), wire.PUBREL: wire.u16(1), wire.PUBCOMP: wire.u16(1),
              wire.SUBSCRIBE: wire.u16(1) + wire.utf8(t.topic()) + b"\0", wire.UNSUBSCRIBE: wire.u16(1) + wire.utf8("a"),
              wire.PINGREQ: b"", wire.DISCONNECT: b""}
    for packet_type, body in bodies.items():
        right = 2 if packet_type in (wire.PUBREL, wire.SUBSCRIBE, wire.UNSUBSCRIBE) else 0
        for flags in range(16):
            if flags != right:
                expect_end(t, wire.packet(packet_type, flags, body))


@statement("MQTT-2.2.2-1", "MQTT-2.2.2-2", "MQTT-3.1.4-1")
def invalid_flags_of_connect_end_the_connection(t):
    for flags in range(1, 16):
        good = wire.connect(V311, t.id())
        expect_no_connack(t, bytes([good[0] | flags]) + good[1:])


@statement("MQTT-2.2.2-1")
def packets_of_the_server_have_the_listed_flags(t):
    # The parser of this suite refuses any other flags in any packet; here each type comes once.
    client, publisher = clean(t), clean(t)
    assert client.connack.flags == 0
    assert client.subscribe(t.topic(), qos=2).flags == 0
    assert publisher.publish(t.topic(), b"1", qos=1).flags == 0
    client.receive(t.topic(), b"1")
    publisher.send(wire.publish(V311, t.topic(), b"2", 2, packet_id=77))
    assert publisher.expect(wire.PUBREC, packet_id=77).flags == 0
    publisher.send(wire.ack(wire.PUBREL, 77))
    assert publisher.expect(wire.PUBCOMP, packet_id=77).flags == 0
    packet = client.expect(wire.PUBLISH)
    client.send(wire.ack(wire.PUBREC, packet.packet_id))
    assert client.expect(wire.PUBREL, packet_id=packet.packet_id).flags == 2
    client.send(wire.ack(wire.PUBCOMP, packet.packet_id))
    assert client.unsubscribe(t.topic()).flags == 0
    client.send(wire.pingreq())
    assert client.expect(wire.PINGRESP).flags == 0


@statement("MQTT-2.3.1-1")
def packet_identifier_zero_ends_the_connection(t):
    for packet in (wire.publish(V311, t.topic(), b"x", 1, packet_id=0), wire.publish(V311, t.topic(), b"x", 2, packet_id=0),
                   wire.subscribe(V311, 0, [(t.topic(), 0)]), wire.unsubscribe(V311, 0, [t.topic()])):
        expect_end(t, packet)


@statement("MQTT-2.3.1-1", "MQTT-2.3.1-5")
def a_publish_is_read_with_an_identifier_exactly_when_its_qos_has_one(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=0)
    # The same two bytes are payload at QoS 0 and identifier above it.
    publisher.send(wire.publish(V311, t.topic(), b"\x00\x05x"))
    watcher.receive(t.topic(), b"\x00\x05x")
    publisher.send(wire.publish(V311, t.topic(), b"x", 1, packet_id=5))
    publisher.expect(wire.PUBACK, packet_id=5)
    watcher.receive(t.topic(), b"x")
    expect_end(t, wire.packet(wire.PUBLISH, 2, wire.utf8(t.topic()) + b"\x05"))


@statement("MQTT-2.3.1-5")
def a_delivery_of_qos_0_has_no_identifier(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=0)
    for qos in (0, 1, 2):
        publisher.publish(t.topic(), b"\xab\xcd", qos=qos)
        found = watcher.expect(wire.PUBLISH)
        assert found.raw == wire.publish(V311, t.topic(), b"\xab\xcd"), found.raw.hex()


@statement("MQTT-2.3.1-2", "MQTT-4.3.3-2")
def a_client_may_use_every_identifier(t):
    client = clean(t)
    for packet_id in (1, 2, 255, 256, 32767, 32768, 65534, 65535):
        assert client.publish(t.topic(), b"x", qos=1, packet_id=packet_id).packet_id == packet_id
        assert client.publish(t.topic(), b"x", qos=2, packet_id=packet_id).packet_id == packet_id


@statement("MQTT-2.3.1-4", "MQTT-4.3.2-1", "MQTT-4.3.3-1")
def deliveries_in_flight_have_identifiers_of_their_own(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic("1"), qos=1)
    watcher.subscribe(t.topic("2"), qos=2)
    in_flight = {}
    for n in range(16):
        publisher.publish(t.topic("%d" % (n % 2 + 1)), b"%d" % n, qos=n % 2 + 1)
        found = watcher.expect(wire.PUBLISH, payload=b"%d" % n, qos=n % 2 + 1, dup=False)
        assert found.packet_id != 0 and found.packet_id not in in_flight, found
        in_flight[found.packet_id] = found.qos
    # Finished exchanges make room; those that go on keep their identifiers.
    unfinished = list(in_flight)[8:]
    for packet_id in list(in_flight)[:8]:
        if in_flight[packet_id] == 1:
            watcher.send(wire.ack(wire.PUBACK, packet_id))
        else:
            watcher.send(wire.ack(wire.PUBREC, packet_id))
            watcher.reply(wire.PUBREL, packet_id)
            watcher.send(wire.ack(wire.PUBCOMP, packet_id))
    for n in range(16, 40):
        publisher.publish(t.topic("1"), b"%d" % n, qos=1)
        found = watcher.receive(t.topic("1"), b"%d" % n, qos=1)
        assert found.packet_id not in unfinished, "identifier %d is in use" % found.packet_id


@statement("MQTT-2.3.1-4", "MQTT-2.3.1-3")
def a_delivery_is_repeated_with_its_identifier(t):
    publisher = clean(t)
    first = kept(t)
    first.subscribe(t.topic(), qos=2)
    sent = []
    for n in range(6):
        publisher.publish(t.topic(), b"%d" % n, qos=n % 2 + 1)
        sent.append(first.expect(wire.PUBLISH, payload=b"%d" % n))
    first.drop()
    again = resumed(t)
    for earlier in sent:
        again.expect(wire.PUBLISH, payload=earlier.payload, packet_id=earlier.packet_id, qos=earlier.qos, dup=True)


@statement("MQTT-2.3.1-3")
def a_repeated_publish_of_a_client_is_known_by_its_identifier(t):
    watcher = clean(t)
    watcher.subscribe(t.topic(), qos=2)
    first = kept(t)
    first.send(wire.publish(V311, t.topic(), b"once", 2, packet_id=9))
    first.expect(wire.PUBREC, packet_id=9)
    first.drop()
    again = resumed(t)
    again.send(wire.publish(V311, t.topic(), b"once", 2, dup=True, packet_id=9))
    again.expect(wire.PUBREC, packet_id=9)
    again.send(wire.ack(wire.PUBREL, 9))
    again.expect(wire.PUBCOMP, packet_id=9)
    watcher.receive(t.topic(), b"once")
    t.fence(again, watcher)


@statement("MQTT-2.3.1-6")
def acknowledgements_carry_the_identifier_of_the_publish(t):
    watcher, client = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=2)
    for packet_id in (4711, 3, 65535, 256):
        client.send(wire.publish(V311, t.topic(), b"x", 1, packet_id=packet_id))
        client.expect(wire.PUBACK, packet_id=packet_id)
        watcher.receive(t.topic(), b"x")
        client.send(wire.publish(V311, t.topic(), b"y", 2, packet_id=packet_id))
        client.expect(wire.PUBREC, packet_id=packet_id)
        client.send(wire.ack(wire.PUBREL, packet_id))
        client.expect(wire.PUBCOMP, packet_id=packet_id)
        delivered = watcher.expect(wire.PUBLISH, payload=b"y", qos=2)
        watcher.send(wire.ack(wire.PUBREC, delivered.packet_id))
        watcher.expect(wire.PUBREL, packet_id=delivered.packet_id)
        watcher.send(wire.ack(wire.PUBCOMP, delivered.packet_id))


@statement("MQTT-2.3.1-7", "MQTT-3.8.4-2", "MQTT-3.10.4-4")
def suback_and_unsuback_carry_the_identifier_of_the_request(t):
    client = clean(t)
    for packet_id in (4711, 3, 65535, 256):
        client.send(wire.subscribe(V311, packet_id, [(t.topic(), 0)]))
        client.expect(wire.SUBACK, packet_id=packet_id)
        client.send(wire.unsubscribe(V311, packet_id, [t.topic()]))
        client.expect(wire.UNSUBACK, packet_id=packet_id)


@scenario
def packets_may_come_in_any_pieces(t):
    client = raw(t)
    client.send_split(wire.connect(V311, t.id("split")))
    client.expect(wire.CONNACK, code=0)
    client.send_split(wire.subscribe(V311, 1, [(t.topic(), 1)]))
    client.expect(wire.SUBACK, packet_id=1, codes=[1])
    client.send_split(wire.publish(V311, t.topic(), b"in pieces", 1, packet_id=2))
    client.reply(wire.PUBACK, packet_id=2)
    client.receive(t.topic(), b"in pieces")
    # And many in one segment.
    client.send(wire.publish(V311, t.topic(), b"a"), wire.publish(V311, t.topic(), b"b"), wire.pingreq())
    client.receive(t.topic(), b"a")
    client.receive(t.topic(), b"b")
    client.expect(wire.PINGRESP)


@scenario
def remaining_length_takes_every_width(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=0)
    header = len(wire.utf8(t.topic()))
    for length in (127, 128, 16383, 16384, 200000):
        payload = b"x" * (length - header)
        publisher.publish(t.topic(), payload)
        watcher.receive(t.topic(), payload)


@scenario
def a_remaining_length_of_five_bytes_ends_the_connection(t):
    expect_end(t, b"\x30\xff\xff\xff\xff\x01")
    expect_no_connack(t, b"\x10\xff\xff\xff\xff\x01")


@scenario
def connack_is_four_bytes(t):
    _, connack = connack_of(t, wire.connect(V311, t.id("bytes")))
    assert connack.raw == b"\x20\x02\x00\x00", connack.raw.hex()
