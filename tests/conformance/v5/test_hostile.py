"""4.13 errors: hostile input of every kind gets its code and costs the other clients nothing."""

import random

from conformance import wire
from conformance.suite import scenario, statement
from conformance.wire import V5


class Bystanders:
    """A publisher and a subscriber that must notice nothing of what happens to others."""

    def __init__(self, t):
        self.t = t
        self.publisher, self.subscriber = t.client("by-publisher"), t.client("by-subscriber")
        self.topic = t.topic("bystander")
        self.subscriber.subscribe(self.topic, qos=2)

    def check(self):
        for qos in (0, 1, 2):
            self.publisher.publish(self.topic, b"%d" % qos, qos=qos)
            self.subscriber.receive(self.topic, b"%d" % qos, qos=qos)
        self.publisher.expect_nothing()
        self.subscriber.expect_nothing()


def malformed_packets():
    """Name, bytes that a connected client sends, and the codes that fit."""
    malformed, protocol_error = 0x81, 0x82
    cases = [
        ("packet type 0", b"\x00\x00", (malformed, protocol_error)),
        ("packet type 0 with a body", b"\x00\x02ab", (malformed, protocol_error)),
        ("CONNACK from a client", b"\x20\x03\x00\x00\x00", (malformed, protocol_error)),
        ("SUBACK from a client", b"\x90\x04\x00\x01\x00\x00", (malformed, protocol_error)),
        ("UNSUBACK from a client", b"\xb0\x04\x00\x01\x00\x00", (malformed, protocol_error)),
        ("PINGRESP from a client", b"\xd0\x00", (malformed, protocol_error)),
        ("remaining length of five bytes", b"\x30\x80\x80\x80\x80\x01", (malformed,)),
        ("remaining length of five bytes in PINGREQ", b"\xc0\x80\x80\x80\x80\x00", (malformed,)),
        ("PUBLISH shorter than its topic", b"\x30\x03\x00\x05a", (malformed,)),
        ("PUBLISH without packet identifier", b"\x32\x03\x00\x01a", (malformed,)),
        ("PUBLISH without property length", b"\x30\x03\x00\x01a", (malformed,)),
        ("PUBLISH with properties past its end", b"\x30\x05\x00\x01a\x09x", (malformed,)),
        ("property length of five bytes", b"\x30\x09\x00\x01a\xff\xff\xff\xff\x7fx", (malformed,)),
        ("property cut in its value", b"\x30\x06\x00\x01a\x02\x02\x00", (malformed,)),
        ("property with only its identifier", b"\x30\x05\x00\x01a\x01\x01", (malformed,)),
        ("unknown property", wire.publish(V5, "a", properties=b"\x04\x00"), (malformed,)),
        ("unknown property of two bytes", wire.publish(V5, "a", properties=b"\x80\x01\x00"), (malformed,)),
        ("user property with one half", wire.publish(V5, "a", properties=b"\x26\x00\x01k"), (malformed,)),
        ("payload format 2", wire.publish(V5, "a", properties={"payload_format_indicator": 2}),
         (malformed, protocol_error)),
        ("SUBSCRIBE cut in its filter", b"\x82\x06\x00\x01\x00\x00\x05a", (malformed,)),
        ("SUBSCRIBE without identifier", b"\x82\x00", (malformed,)),
        ("UNSUBSCRIBE cut in its filter", b"\xa2\x06\x00\x01\x00\x00\x05a", (malformed,)),
        ("UNSUBSCRIBE without identifier", b"\xa2\x00", (malformed,)),
        ("PUBACK of one byte", b"\x40\x01\x00", (malformed,)),
        ("PUBREL of no bytes", b"\x62\x00", (malformed,)),
        ("PUBACK with a tail", b"\x40\x05\x00\x01\x00\x00x", (malformed,)),
        ("DISCONNECT with a tail", b"\xe0\x03\x00\x00x", (malformed,)),
        ("AUTH out of the blue", wire.auth(0x18, {"authentication_method": "x"}), (protocol_error,)),
        ("AUTH without method", wire.auth(0x18, {}), (malformed, protocol_error)),
        ("second CONNECT", wire.connect(V5, "second"), (protocol_error,)),
        ("second CONNECT of version 4", wire.connect(wire.V311, "second"), (protocol_error,)),
        ("second CONNECT, malformed", wire.connect(V5, "second", flags=0xFF), (malformed, protocol_error)),
        ("no topic and no alias", wire.publish(V5, "", b"x"), (0x81, 0x82, 0x90)),
        ("alias that was never set", wire.publish(V5, "", b"x", properties={"topic_alias": 1}), (0x82, 0x94)),
        ("alias above the maximum", wire.publish(V5, "a", b"x", properties={"topic_alias": 65535}), (0x94,)),
        ("larger than the maximum packet size", b"\x30\xff\xff\xff\x7f", (0x95,)),
    ]
    return cases


@statement("MQTT-4.13.1-1", "MQTT-4.13.2-1")
def each_malformed_packet_gets_its_code_and_harms_nobody(t):
    bystanders = Bystanders(t)
    for name, data, codes in malformed_packets():
        t.trace.append("-- " + name)
        t.expect_refusal(data, *codes)
    bystanders.check()


@scenario
def malformed_packets_in_single_bytes_get_the_same_codes(t):
    bystanders = Bystanders(t)
    for name, data, codes in malformed_packets():
        t.trace.append("-- " + name)
        client = t.client()
        for at in range(len(data)):
            client.try_send(data[at:at + 1])
        client.expect_disconnect(*codes)
    bystanders.check()


@scenario
def random_bytes_after_connect_harm_nobody(t):
    bystanders = Bystanders(t)
    chance = random.Random(20190307)
    for _ in range(150):
        client = t.client()
        client.try_send(chance.randbytes(chance.randrange(1, 200)))
        client.drop()
    bystanders.check()


@scenario
def random_bytes_as_first_bytes_harm_nobody(t):
    bystanders = Bystanders(t)
    chance = random.Random(311)
    for _ in range(150):
        client = t.raw()
        client.try_send(chance.randbytes(chance.randrange(1, 200)))
        client.drop()
    bystanders.check()


@scenario
def good_packets_with_one_changed_byte_harm_nobody(t):
    """Each byte of each packet is changed in turn. Whatever the broker makes of it, it stays well and so do others."""
    bystanders = Bystanders(t)
    chance = random.Random(5)
    given = {"user_property": ("k", "v"), "content_type": "x"}
    packets = [wire.publish(V5, t.topic(), b"payload", qos=2, packet_id=1, properties=given),
               wire.subscribe(V5, 2, [(t.topic(), 1), ("$share/g/a", 0)], {"subscription_identifier": 300}),
               wire.unsubscribe(V5, 3, [t.topic(), "b"]),
               wire.ack(wire.PUBREL, 1, V5, 0, {"reason_string": "r"}),
               wire.disconnect(V5, 0x04, {"session_expiry_interval": 0, "reason_string": "r"})]
    for data in packets:
        for at in range(len(data)):
            changed = bytearray(data)
            changed[at] ^= 1 << chance.randrange(8)
            client = t.client()
            client.try_send(bytes(changed), wire.pingreq())
            client.drop()
    bystanders.check()


@scenario
def a_changed_byte_in_connect_harms_nobody(t):
    bystanders = Bystanders(t)
    chance = random.Random(6)
    will = wire.Will(t.topic("will"), b"w", qos=1, properties={"will_delay_interval": 0, "content_type": "x"})
    data = wire.connect(V5, t.id("changed"), will=will, username="u", password="p",
                        properties={"session_expiry_interval": 0, "receive_maximum": 10})
    for at in range(len(data)):
        for _ in range(3):
            changed = bytearray(data)
            changed[at] ^= 1 << chance.randrange(8)
            client = t.raw()
            client.try_send(bytes(changed), wire.pingreq())
            client.drop()
    bystanders.check()


@scenario
def connections_that_end_anywhere_in_a_packet_harm_nobody(t):
    bystanders = Bystanders(t)
    data = wire.publish(V5, t.topic("cut"), b"payload", qos=1, packet_id=1, properties={"content_type": "x"})
    watcher = t.client()
    watcher.subscribe(t.topic("cut"))
    for length in range(len(data)):
        client = t.client()
        client.send(data[:length])
        client.drop()
    bystanders.check()
    t.fence(bystanders.publisher, watcher)


@scenario
def a_silent_connection_is_closed_after_a_while(t):
    """CONNECT has to come within the broker's limit of 5 s; nothing else can be said to a client of unknown version."""
    silent, half = t.raw(), t.raw()
    half.send(wire.connect(V5, t.id("half"))[:10])
    slow = t.raw()
    slow.send(b"\x10")
    for client in (silent, half, slow):
        assert client.bytes_until_closed() == b""
    Bystanders(t).check()


@scenario
def many_connections_that_say_nothing_do_not_keep_others_out(t):
    crowd = [t.raw() for _ in range(200)]
    Bystanders(t).check()
    for client in crowd:
        client.drop()


@scenario
def a_client_that_never_reads_harms_nobody(t):
    bystanders = Bystanders(t)
    deaf = t.client("deaf")
    deaf.subscribe(t.topic("flood"), qos=0)
    flood = wire.publish(V5, t.topic("flood"), b"x" * 60000)
    publisher = t.client("flooder")
    for _ in range(500):
        publisher.send(flood)
    publisher.expect_nothing()
    bystanders.check()


@scenario
def a_deaf_qos_1_subscriber_does_not_stop_the_publisher(t):
    bystanders = Bystanders(t)
    deaf = t.client("deaf")
    deaf.subscribe(t.topic("flood"), qos=1)
    publisher = t.client("flooder")
    for number in range(300):
        publisher.send(wire.publish(V5, t.topic("flood"), b"x" * 10000, qos=1, packet_id=number + 1))
        publisher.expect(wire.PUBACK, packet_id=number + 1)
    bystanders.check()


@scenario
def a_subscription_bomb_is_served_or_refused(t):
    bystanders = Bystanders(t)
    client = t.client()
    for batch in range(10):
        filters = [(t.topic("%d/%d/+/#" % (batch, number)), 1) for number in range(1000)]
        codes = client.subscribe(*filters).codes
        assert len(codes) == 1000 and set(codes) <= {1, 0x97}, set(codes)
    client.drop()
    bystanders.check()


@scenario
def a_connect_storm_on_one_identifier_leaves_one_connection(t):
    name = t.id("popular")
    clients = []
    for _ in range(40):
        client = t.raw()
        client.send(wire.connect(V5, name))
        clients.append(client)
    accepted = []
    for client in clients:  # one that was overtaken before it was accepted is refused and told why
        connack = client.expect(wire.CONNACK)
        assert connack.code in (0, 0x80), connack
        if connack.code == 0:
            accepted.append(client)
        else:
            assert "later CONNECT" in connack.properties["reason_string"], connack
    alive = []
    for client in accepted:  # all are served by now, and each was accepted after the one before it was let go
        client.try_send(wire.pingreq())
        packet = client.recv_or_end()
        if packet is not None and packet.type == wire.PINGRESP:
            alive.append(client)
        else:
            assert packet is None or packet.type == wire.DISCONNECT and packet.code == 0x8E, packet
    assert len(alive) == 1, "%d connections of one client identifier are alive" % len(alive)
