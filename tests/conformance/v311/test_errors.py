"""4.8 errors, and what holds for the whole standard (7)."""

from conformance import wire
from conformance.suite import statement
from conformance.v311.clients import clean, expect_end, raw
from conformance.wire import V311


@statement("MQTT-4.8.0-1")
def packets_that_only_a_server_sends_end_the_connection(t):
    for packet in (wire.packet(wire.CONNACK, 0, b"\0\0"), wire.packet(wire.SUBACK, 0, b"\0\1\0"),
                   wire.packet(wire.UNSUBACK, 0, b"\0\1"), wire.packet(wire.PINGRESP, 0, b"")):
        expect_end(t, packet)


@statement("MQTT-4.8.0-1")
def reserved_packet_types_end_the_connection(t):
    for packet_type in (0, 15):
        for body in (b"", b"\0\1", b"\x18\0"):
            expect_end(t, wire.packet(packet_type, 0, body))


@statement("MQTT-4.8.0-1")
def packets_of_a_wrong_length_end_the_connection(t):
    for packet_type, flags in ((wire.PUBACK, 0), (wire.PUBREC, 0), (wire.PUBREL, 2), (wire.PUBCOMP, 0)):
        for body in (b"", b"\1", b"\0\1\0", b"\0\1\0\0"):
            expect_end(t, wire.packet(packet_type, flags, body))
    for packet_type in (wire.PINGREQ, wire.DISCONNECT):
        for body in (b"\0", b"\0\0"):
            expect_end(t, wire.packet(packet_type, 0, body))


@statement("MQTT-4.8.0-1")
def a_violation_ends_only_its_own_connection(t):
    bystander = clean(t)
    bystander.subscribe(t.topic(), qos=1)
    watched = clean(t)
    watched.subscribe(t.topic(), qos=1)
    watched.send(b"\xf0\x00")
    watched.expect_closed()
    bystander.publish(t.topic(), b"x", qos=1)
    bystander.receive(t.topic(), b"x")


@statement("MQTT-4.8.0-1")
def nothing_behind_a_violation_is_processed(t):
    watcher = clean(t)
    watcher.subscribe(t.topic("#"), qos=1)
    expect_end(t, wire.packet(wire.PINGREQ, 1, b""), wire.publish(V311, t.topic("late"), b"x", 1, packet_id=1))
    t.fence(clean(t), watcher)


@statement("MQTT-4.8.0-1", "MQTT-3.14.4-1")
def no_disconnect_packet_goes_to_a_3_1_1_client(t):
    # 3.1.1 knows DISCONNECT only from client to server.
    client = clean(t)
    client.send(b"\xf0\x00")
    assert client.bytes_until_closed() == b""


@statement("MQTT-4.8.0-2")
def a_packet_that_the_server_cannot_take_ends_the_connection(t):
    broker = t.broker('[[listener]]\naddress = "127.0.0.1"\nport = {port}\nallow_anonymous = true\n'
                      'max_packet_size = 1024\n')
    watcher = t.client(version=V311, broker=broker)
    watcher.subscribe(t.topic(), qos=1)
    client = t.client(version=V311, broker=broker)
    client.publish(t.topic(), b"x" * 900, qos=1)
    watcher.receive(t.topic(), b"x" * 900)
    for qos in (0, 1, 2):
        client = t.client(version=V311, broker=broker)
        client.try_send(wire.publish(V311, t.topic(), b"x" * 2000, qos, packet_id=1 if qos else None))
        client.expect_closed()
    t.fence(t.client(version=V311, broker=broker), watcher)


@statement("MQTT-7.0.0-2", "MQTT-7.1.1-1")
def plain_tcp_and_plain_packets_are_enough(t):
    # A client in bytes, as the standard describes them: no extension, no option, one byte at a time.
    client = raw(t)
    topic = t.topic().encode()
    client_id = t.id("plain").encode()
    client.send_split(b"\x10" + bytes([12 + len(client_id)]) + b"\x00\x04MQTT\x04\x02\x00\x3c\x00" +
                      bytes([len(client_id)]) + client_id)
    assert client.recv().raw == b"\x20\x02\x00\x00"
    client.send_split(b"\x82" + bytes([5 + len(topic)]) + b"\x00\x0a\x00" + bytes([len(topic)]) + topic + b"\x01")
    assert client.recv().raw == b"\x90\x03\x00\x0a\x01"
    publish = b"\x32" + bytes([6 + len(topic)]) + b"\x00" + bytes([len(topic)]) + topic + b"\x00\x0bhi"
    client.send_split(publish)
    assert client.reply(wire.PUBACK).raw == b"\x40\x02\x00\x0b"
    delivered = client.recv()
    assert (delivered.raw[0], delivered.payload) == (0x32, b"hi"), delivered.raw.hex()
    client.send_split(b"\x40\x02" + wire.u16(delivered.packet_id))
    client.send_split(b"\xc0\x00")
    assert client.recv().raw == b"\xd0\x00"
    client.send_split(b"\xe0\x00")
    client.expect_closed()
