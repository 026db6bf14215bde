"""3.12 PINGREQ, 3.14 DISCONNECT, 3.15 AUTH and 4.12 enhanced authentication, of which no mechanism is served yet."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.wire import V5


@statement("MQTT-3.12.4-1")
def every_ping_is_answered(t):
    client = t.client()
    client.send(*[wire.pingreq()] * 50)
    for _ in range(50):
        client.expect(wire.PINGRESP)
    client.send(wire.publish(V5, t.topic(), b"x", qos=1, packet_id=1))
    client.expect(wire.PUBACK)


@statement("MQTT-3.12.4-1")
def a_ping_with_a_body_is_malformed(t):
    t.expect_refusal(b"\xc0\x01x", 0x81)


@statement("MQTT-3.14.0-1")
def no_disconnect_comes_before_connack(t):
    for data in (wire.publish(V5, "a", b"x"), wire.connect(V5, t.id(), flags=1), wire.disconnect(V5, 0),
                 wire.connect(V5, t.id(), properties={"receive_maximum": 0}), b"\x00\x00", b"\x10\xff\xff\xff\xff\xff",
                 wire.connect(V5, t.id(), properties={"authentication_method": "no such method"}),
                 b"\x10" + wire.varint(0x0FFFFFFF)):
        client = t.raw()
        client.send(data)
        answer = client.bytes_until_closed()
        assert answer == b"" or answer[0] == 0x20, answer


@statement("MQTT-3.14.1-1")
def disconnect_with_reserved_flags_is_malformed(t):
    for flags in range(1, 16):
        t.expect_refusal(bytes([0xE0 | flags, 0x00]), 0x81)


@statement("MQTT-3.14.2-1")
def disconnect_with_an_unlisted_code_is_refused(t):
    for code in (0x01, 0x02, 0x10, 0x18, 0x7F, 0xFF):
        t.expect_refusal(wire.disconnect(V5, code), 0x81, 0x82)


@statement("MQTT-3.14.2-1", "MQTT-3.14.2-2", "MQTT-4.13.2-1", "MQTT-3.14.4-2")
def the_server_disconnects_with_a_listed_code_and_closes(t):
    for data in (wire.connect(V5, t.id()), wire.publish(V5, "a", b"", qos=3, packet_id=1),
                 wire.publish(V5, "a", b"", properties={"topic_alias": 0}), wire.subscribe(V5, 1, []),
                 b"\x30\xff\xff\xff\x7f"):
        found = t.expect_refusal(data, properties={"session_expiry_interval": 100})
        assert found.code >= 0x80
        assert "session_expiry_interval" not in found.properties


@statement("MQTT-3.14.4-1", "MQTT-4.13.2-1")
def the_server_sends_nothing_after_disconnect(t):
    """Requests behind the bad packet, and messages published meanwhile, are not answered or delivered."""
    client, publisher = t.client(), t.client()
    client.subscribe(t.topic(), qos=1)
    client.send(wire.publish(V5, "a", b"", qos=3, packet_id=1), wire.pingreq(),
                wire.publish(V5, t.topic(), b"x", qos=1, packet_id=2))
    publisher.publish(t.topic(), b"x", qos=1)
    packet = client.recv()
    while packet.type == wire.PUBLISH:
        packet = client.recv()
    assert packet.type == wire.DISCONNECT and packet.code == 0x81, packet
    client.expect_closed()


@statement("MQTT-3.14.4-1", "MQTT-3.14.4-2")
def nothing_behind_the_disconnect_of_a_client_is_processed(t):
    watcher, publisher = t.client(), t.client()
    watcher.subscribe(t.topic())
    client = t.client()
    client.send(wire.disconnect(V5, 0x00), wire.publish(V5, t.topic(), b"late"), wire.pingreq())
    client.expect_closed()
    t.fence(publisher, watcher)


@statement("MQTT-3.14.4-2")
def after_a_disconnect_the_server_closes_too(t):
    for form in (dict(), dict(code=0x00), dict(code=0x04), dict(code=0x00, properties={}),
                 dict(code=0x04, properties={"reason_string": "going", "user_property": [("a", "b"), ("a", "c")]})):
        client = t.client()
        client.send(wire.disconnect(V5, **form))
        client.expect_closed()


@scenario
def disconnect_of_a_wrong_shape_is_refused(t):
    t.expect_refusal(wire.disconnect(V5, 0, {"topic_alias": 1}), 0x81, 0x82)
    t.expect_refusal(wire.disconnect(V5, 0, {"reason_string": ["a", "b"]}), 0x82)
    t.expect_refusal(wire.disconnect(V5, 0, {"session_expiry_interval": [0, 0]}), 0x82)
    t.expect_refusal(wire.packet(wire.DISCONNECT, 0, b"\x00\x00x"), 0x81)
    t.expect_refusal(wire.packet(wire.DISCONNECT, 0, b"\x00\x05\x11\x00"), 0x81)


@scenario
def disconnect_can_change_the_session_expiry(t):
    def is_kept(name, at_connect, at_disconnect):
        client = t.client(name, clean=True, properties={"session_expiry_interval": at_connect})
        client.subscribe(t.topic(), qos=1)
        client.disconnect(0x00, {"session_expiry_interval": at_disconnect})
        return t.client(name, clean=False).connack.session_present

    assert is_kept("to-0", 600, 0) is False
    assert is_kept("longer", 1, 600) is True
    assert is_kept("same", 600, 600) is True
    assert is_kept("for-ever", 600, 0xFFFFFFFF) is True


@scenario
def disconnect_can_shorten_the_session_expiry(t):
    client = t.client("device", clean=True, properties={"session_expiry_interval": 600})
    client.subscribe(t.topic(), qos=1)
    client.disconnect(0x00, {"session_expiry_interval": 1})
    t.let_pass(3)
    assert t.client("device", clean=False).connack.session_present is False


@scenario
def a_session_lengthened_at_disconnect_outlives_the_first_interval(t):
    client = t.client("device", clean=True, properties={"session_expiry_interval": 1})
    client.subscribe(t.topic(), qos=1)
    client.disconnect(0x00, {"session_expiry_interval": 600})
    t.let_pass(3)
    assert t.client("device", clean=False).connack.session_present is True


@scenario
def a_session_that_ends_with_its_connection_cannot_be_lengthened(t):
    for given in ({}, {"session_expiry_interval": 0}):
        t.expect_refusal(wire.disconnect(V5, 0x00, {"session_expiry_interval": 1}), 0x82, properties=given)
        client = t.client(properties=given)
        client.send(wire.disconnect(V5, 0x00, {"session_expiry_interval": 0}))
        client.expect_closed()


@scenario
def the_server_says_when_it_shuts_down(t):
    broker = t.broker()
    new = t.client("new", broker=broker, properties={"session_expiry_interval": 100})
    old = t.client("old", version=wire.V311, broker=broker)
    broker.terminate()
    new.expect_disconnect(0x8B)
    old.expect_closed()
    assert broker.wait() == 0


# ----------------------------------------------------------------------------------------------------------------- AUTH

@statement("MQTT-3.15.1-1")
def auth_with_reserved_flags_is_malformed(t):
    good = wire.auth(0x18, {"authentication_method": "x"})
    for flags in range(1, 16):
        t.expect_refusal(bytes([good[0] | flags]) + good[1:], 0x81)


@statement("MQTT-3.15.2-1")
def auth_with_an_unlisted_code_is_refused(t):
    for code in (0x01, 0x17, 0x80, 0x8C, 0xFF):
        t.expect_refusal(wire.auth(code, {"authentication_method": "x"}), 0x81, 0x82)


@statement("MQTT-4.12.0-7", "MQTT-4.12.1-1")
def auth_without_a_method_in_connect_is_refused(t):
    for code in (0x00, 0x18, 0x19):
        t.expect_refusal(wire.auth(code, {"authentication_method": "SCRAM-SHA-256"}), 0x82)
    t.expect_refusal(wire.packet(wire.AUTH, 0, b""), 0x82, 0x81)


@statement("MQTT-4.12.0-6")
def without_a_method_in_connect_none_is_sent(t):
    client = t.raw()
    client.send(wire.connect(V5, t.id("plain"), username="u", password="p"))
    connack = client.expect(wire.CONNACK, code=0)
    assert "authentication_method" not in connack.properties and "authentication_data" not in connack.properties
    client.expect_nothing()


@statement("MQTT-4.12.0-1", "MQTT-4.12.0-4", "MQTT-4.13.2-1", "MQTT-3.1.2-30")
def an_unknown_authentication_method_is_refused_and_closed(t):
    for given in ({"authentication_method": "no such method"},
                  {"authentication_method": "no such method", "authentication_data": b"\x00\x01"},
                  {"authentication_method": ""}):
        client = t.raw()
        client.send(wire.connect(V5, t.id("method"), properties=given), wire.subscribe(V5, 1, [(t.topic(), 0)]))
        assert client.expect(wire.CONNACK).code in (0x8C, 0x87)
        client.expect_closed()
