"""3.1 CONNECT and 3.2 CONNACK, without wills (test_will.py) and sessions (test_session.py)."""

import time

from conformance import transport, wire
from conformance.suite import scenario, statement
from conformance.v311.clients import (clean, connack_of, expect_end, expect_no_connack, expect_return_code, kept, raw,
                                      resumed, return_of)
from conformance.wire import V311, Will

UNACCEPTABLE_LEVEL, IDENTIFIER_REJECTED = 0x01, 0x02


@statement("MQTT-3.1.0-1", "MQTT-4.8.0-1")
def another_first_packet_ends_the_connection_and_has_no_effect(t):
    watcher, publisher = clean(t), clean(t)
    watcher.subscribe(t.topic(), qos=0)
    for first in (wire.publish(V311, t.topic(), b"x"), wire.publish(V311, t.topic(), b"x", 1, packet_id=1),
                  wire.publish(V311, t.topic(), b"x", 2, packet_id=1), wire.subscribe(V311, 1, [(t.topic(), 0)]),
                  wire.unsubscribe(V311, 1, [t.topic()]), wire.pingreq(), wire.disconnect(V311),
                  wire.ack(wire.PUBACK, 1), wire.ack(wire.PUBREC, 1), wire.ack(wire.PUBREL, 1), wire.ack(wire.PUBCOMP, 1),
                  wire.packet(wire.CONNACK, 0, b"\0\0"), wire.packet(wire.PINGRESP, 0, b""),
                  b"GET / HTTP/1.1\r\n\r\n", b"\0\0", b"\xff" * 64):
        stranger = raw(t)
        stranger.try_send(first, wire.connect(V311, t.id("after")))
        answer = stranger.bytes_until_closed()
        if first.startswith(b"GET ") and transport.chosen == "auto" and answer:
            assert answer.startswith(b"HTTP/1.1 4"), answer  # outside of WebSocket this is a failed handshake
            continue
        assert answer == b"", answer
    t.fence(publisher, watcher)


@statement("MQTT-3.1.0-2", "MQTT-4.8.0-1")
def a_second_connect_ends_the_connection(t):
    client = clean(t)
    client.send(wire.connect(V311, client.client_id))
    client.expect_closed()
    other = clean(t)
    other.send(wire.connect(V311, t.id("other")))
    other.expect_closed()


@statement("MQTT-3.1.0-2")
def a_second_connect_in_the_same_segment_ends_the_connection(t):
    client = raw(t)
    client.send(wire.connect(V311, t.id("twice")), wire.connect(V311, t.id("twice")))
    client.expect(wire.CONNACK, code=0)
    client.expect_closed()


@statement("MQTT-3.1.2-1")
def another_protocol_name_is_not_served(t):
    for name in ("mqtt", "MQTX", "", "MQTTMQTT", "MQT", "MQTTs", "MQTT ", "mqisdp", b"MQ\xffT"):
        stranger = raw(t)
        stranger.send(wire.connect(V311, t.id(), protocol_name=name), wire.pingreq())
        answer = stranger.bytes_until_closed()
        assert answer in (b"", b"\x20\x02\x00\x01"), (name, answer)


@statement("MQTT-3.1.2-2", "MQTT-3.2.2-4", "MQTT-3.2.2-5")
def an_unsupported_level_is_answered_with_return_code_1(t):
    for level in (0, 1, 2, 3):
        expect_return_code(t, UNACCEPTABLE_LEVEL, wire.connect(V311, t.id(), protocol_level=level))


@statement("MQTT-3.1.2-2", "MQTT-3.2.2-5")
def a_future_level_is_told_so(t):
    for level in (6, 7, 100, 127, 255):
        stranger = raw(t)
        stranger.send(wire.connect(V311, t.id(), protocol_level=level), wire.pingreq())
        answer = stranger.bytes_until_closed()
        # 3.1.1 says 0x01; 5.0 says 0x84 in its own CONNACK, and a client beyond 5 may be expected to read that.
        assert answer == b"\x20\x02\x00\x01" or answer[:1] == b"\x20" and answer[3] == 0x84, (level, answer)


@statement("MQTT-3.1.2-3", "MQTT-3.1.4-1", "MQTT-3.2.2-6")
def the_reserved_connect_flag_ends_the_connection(t):
    for flags in (0x01, 0x03):
        expect_no_connack(t, wire.connect(V311, t.id(), flags=flags))
    expect_no_connack(t, wire.connect(V311, t.id(), will=Will(t.topic(), b"x"), username="u", password="p", flags=0xC7))


def connect_with(t, flags, *fields):
    """CONNECT with these flags and payload fields behind the client id."""
    body = wire.utf8("MQTT") + bytes([4, flags | 0x02]) + wire.u16(60) + wire.utf8(t.id("fields"))
    return wire.packet(wire.CONNECT, 0, body + b"".join(wire.utf8(field) for field in fields))


@statement("MQTT-3.1.2-18", "MQTT-3.1.2-19", "MQTT-3.1.4-1", "MQTT-3.2.2-6")
def user_name_flag_and_payload_agree(t):
    expect_no_connack(t, connect_with(t, 0x00, "user"))
    expect_no_connack(t, connect_with(t, 0x80))
    connack_of(t, connect_with(t, 0x80, "user"))


@statement("MQTT-3.1.2-20", "MQTT-3.1.2-21", "MQTT-3.1.4-1", "MQTT-3.2.2-6")
def password_flag_and_payload_agree(t):
    expect_no_connack(t, connect_with(t, 0x80, "user", "password"))
    expect_no_connack(t, connect_with(t, 0xC0, "user"))
    connack_of(t, connect_with(t, 0xC0, "user", "password"))
    connack_of(t, connect_with(t, 0xC0, "user", b"\x00\xff\x80"))  # a password is any bytes


@statement("MQTT-3.1.2-22", "MQTT-3.1.4-1", "MQTT-3.2.2-6")
def a_password_needs_a_user_name(t):
    expect_no_connack(t, connect_with(t, 0x40, "password"))
    expect_no_connack(t, connect_with(t, 0x40))


@statement("MQTT-3.1.2-24", "MQTT-3.1.2-23")
def a_silent_client_loses_its_connection(t):
    client = raw(t)
    began = time.monotonic()
    client.connect(t.id("silent"), keep_alive=1)
    client.expect_closed()
    # A server reads its clock once for many packets, so what it counts may begin a little before the CONNECT came.
    assert time.monotonic() - began >= 1.4, "the connection ended before one and a half Keep Alive times"


@statement("MQTT-3.1.2-24")
def a_silent_client_is_not_kept_much_longer(t):
    # Measured by the broker's own clock: when it has counted 6 s it has done with a client of 2 s long ago.
    silent = clean(t, keep_alive=2)
    t.let_pass(6)
    assert has_ended(silent), "the connection outlived one and a half Keep Alive times"


@statement("MQTT-3.1.2-24")
def deliveries_do_not_count_as_signs_of_life(t):
    publisher = clean(t)
    silent = clean(t, "silent", keep_alive=1)
    silent.subscribe(t.topic(), qos=0)
    began = time.monotonic()
    while time.monotonic() - began < wire.DEFAULT_TIMEOUT_S:
        publisher.publish(t.topic(), b"x", qos=1)
        if silent.recv_or_end() is None:
            return
    raise AssertionError("a silent client was kept because it was sent to")


@statement("MQTT-3.1.2-24")
def any_packet_is_a_sign_of_life(t):
    pinging = clean(t, "pinging", keep_alive=2)
    publishing = clean(t, "publishing", keep_alive=2)
    # Two silent clients, one after the other, tell that the others have long outlived their first interval.
    for name, keep_alive in (("first", 2), ("second", 1)):
        silent = clean(t, name, keep_alive=keep_alive)
        deadline = time.monotonic() + wire.DEFAULT_TIMEOUT_S
        while not has_ended(silent):
            assert time.monotonic() < deadline, "a silent client was kept"
            pinging.expect_nothing()
            publishing.publish(t.topic(), b"x", qos=1)
    pinging.expect_nothing()
    publishing.publish(t.topic(), b"x", qos=1)


def has_ended(client):
    """Whether the server has ended the connection by now."""
    try:
        client.expect_closed(timeout=0.05)
        return True
    except AssertionError as error:
        assert "nothing came" in str(error), error
        return False


@statement("MQTT-3.1.2-24")
def keep_alive_zero_turns_the_mechanism_off(t):
    client = clean(t, keep_alive=0)
    t.let_pass(3)
    client.expect_nothing()


@statement("MQTT-3.1.3-1")
def payload_fields_are_read_in_their_order(t):
    watcher = clean(t)
    watcher.subscribe(t.topic("#"), qos=0)
    client, _ = connack_of(t, connect_with(t, 0xC4, t.topic("will"), "message", "user", "password"))
    client.drop()
    watcher.receive(t.topic("will"), b"message")


@statement("MQTT-3.1.3-2", "MQTT-3.1.4-2")
def the_client_id_identifies_the_session(t):
    publisher = clean(t)
    one, two = kept(t, "one"), kept(t, "two")
    one.subscribe(t.topic("1"), qos=1)
    two.subscribe(t.topic("2"), qos=1)
    one.drop()
    two.drop()
    publisher.publish(t.topic("1"), b"for one", qos=1)
    publisher.publish(t.topic("2"), b"for two", qos=1)
    resumed(t, "two").receive(t.topic("2"), b"for two")
    resumed(t, "one").receive(t.topic("1"), b"for one")


@statement("MQTT-3.1.3-2")
def client_ids_are_compared_exactly(t):
    first, long = clean(t, client_id=t.id("Same")), clean(t, client_id=t.id("x" * 300 + "1"))
    for other in (t.id("same"), t.id("Same") + " ", t.id("Sam"), t.id("Same") + "e", t.id("x" * 300 + "2")):
        clean(t, client_id=other)
    first.expect_nothing()
    long.expect_nothing()


@statement("MQTT-3.1.3-3", "MQTT-3.1.4-1", "MQTT-3.2.2-6")
def a_missing_client_id_ends_the_connection(t):
    head = wire.utf8("MQTT") + b"\x04\x02" + wire.u16(60)
    expect_no_connack(t, wire.packet(wire.CONNECT, 0, head))
    expect_no_connack(t, wire.packet(wire.CONNECT, 0, head + b"\0"))
    expect_no_connack(t, wire.packet(wire.CONNECT, 0, head + b"\0\5abc"))


@statement("MQTT-3.1.3-5")
def ids_of_1_to_23_letters_and_digits_are_accepted(t):
    letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ids = [letters[start:start + 23] for start in range(0, len(letters), 23)] + list(letters)
    ids += [letters[-length:] for length in range(1, 24)]
    for one in ids:
        client, _ = connack_of(t, wire.connect(V311, one))
        client.disconnect()


@statement("MQTT-3.1.3-6")
def an_empty_client_id_gets_a_unique_one(t):
    publisher = clean(t)
    nameless = [clean(t, client_id="") for _ in range(20)]
    for client in nameless:
        client.subscribe(t.topic(), qos=1)
    publisher.publish(t.topic(), b"to all", qos=1)
    for client in nameless:
        client.receive(t.topic(), b"to all")


@statement("MQTT-3.1.3-7", "MQTT-3.1.3-8", "MQTT-3.1.3-9", "MQTT-3.2.2-4", "MQTT-3.2.2-5")
def an_empty_client_id_with_clean_session_0_is_rejected(t):
    expect_return_code(t, IDENTIFIER_REJECTED, wire.connect(V311, "", clean=False))


@statement("MQTT-3.1.3-9")
def a_long_client_id_is_accepted_or_rejected_with_return_code_2(t):
    for length in (24, 100, 65535):
        client = raw(t)
        client.send(wire.connect(V311, t.id("x" * length)[:length]))
        code = client.expect(wire.CONNACK).code
        assert code in (0, IDENTIFIER_REJECTED), code
        if code == 0:
            client.expect_nothing()
        else:
            client.expect_closed()


@statement("MQTT-3.1.4-1", "MQTT-3.2.2-6")
def a_connect_that_does_not_conform_gets_no_connack(t):
    good = wire.connect(V311, t.id("bad"), will=Will(t.topic(), b"x"), username="u", password="p")
    body = good[2:]
    for cut in range(len(body)):
        expect_no_connack(t, wire.packet(wire.CONNECT, 0, body[:cut]))
    expect_no_connack(t, wire.packet(wire.CONNECT, 0, body + b"\0"))
    expect_no_connack(t, wire.packet(wire.CONNECT, 0, body + body))


@statement("MQTT-3.1.4-2")
def a_second_connection_takes_the_client_id_over(t):
    for clean_session in (True, False):
        first = clean(t, "twin%d" % clean_session, clean=clean_session)
        second = clean(t, "twin%d" % clean_session, clean=clean_session)
        first.expect_closed()
        second.expect_nothing()


@statement("MQTT-3.1.4-2")
def the_connection_that_took_over_gets_the_messages(t):
    publisher = clean(t)
    first = kept(t)
    first.subscribe(t.topic(), qos=1)
    second = resumed(t)
    first.expect_closed()
    publisher.publish(t.topic(), b"x", qos=1)
    second.receive(t.topic(), b"x", qos=1)


@statement("MQTT-3.1.4-4", "MQTT-3.2.0-1")
def a_valid_connect_is_answered_with_connack(t):
    for packet in (wire.connect(V311, t.id("a")), wire.connect(V311, t.id("b"), clean=False, keep_alive=65535),
                   wire.connect(V311, t.id("c"), keep_alive=0, username="", password=""),
                   wire.connect(V311, t.id("d"), will=Will(t.topic(), b"", 2, True), username="u", password="p")):
        client, connack = connack_of(t, packet)
        assert connack.session_present is False
        client.expect_nothing()


@statement("MQTT-3.1.4-5")
def nothing_after_a_rejected_connect_is_processed(t):
    watcher = clean(t)
    watcher.subscribe(t.topic("#"), qos=0)
    tail = (wire.publish(V311, t.topic("a"), b"x"), wire.publish(V311, t.topic("b"), b"x", 1, retain=True, packet_id=1),
            wire.connect(V311, t.id("second")), wire.publish(V311, t.topic("c"), b"x"))
    expect_return_code(t, IDENTIFIER_REJECTED, wire.connect(V311, "", clean=False), *tail)
    expect_return_code(t, UNACCEPTABLE_LEVEL, wire.connect(V311, t.id(), protocol_level=2), *tail)
    expect_no_connack(t, wire.connect(V311, t.id(), flags=0x01), *tail)
    t.fence(clean(t), watcher)


@scenario
def packets_right_behind_connect_are_processed(t):
    client = raw(t)
    client.send(wire.connect(V311, t.id("eager")), wire.subscribe(V311, 1, [(t.topic(), 1)]),
                wire.publish(V311, t.topic(), b"early", 1, packet_id=2), wire.pingreq())
    client.expect(wire.CONNACK, code=0)
    client.expect(wire.SUBACK, codes=[1])
    client.reply(wire.PUBACK, packet_id=2)
    client.reply(wire.PINGRESP)
    client.receive(t.topic(), b"early")


@statement("MQTT-3.2.0-1", "MQTT-3.1.4-4")
def connack_comes_before_anything_else(t):
    publisher = clean(t)
    first = kept(t)
    first.subscribe(t.topic(), qos=2)
    first.disconnect()
    for n in range(20):
        publisher.publish(t.topic(), b"%d" % n, qos=n % 2 + 1)
    again = raw(t)
    again.send(wire.connect(V311, first.client_id, clean=False))
    again.expect(wire.CONNACK, code=0, session_present=True)
    for n in range(20):
        again.receive(t.topic(), b"%d" % n)


@statement("MQTT-3.2.2-1", "MQTT-3.2.2-2", "MQTT-3.2.2-3", "MQTT-3.1.4-3")
def session_present_tells_what_was_found(t):
    first = kept(t, "s")
    assert first.connack.session_present is False, "a new session"
    first.disconnect()
    second = kept(t, "s")
    assert second.connack.session_present is True, "a stored session"
    second.drop()
    third = kept(t, "s")
    assert third.connack.session_present is True, "a stored session whose connection vanished"
    third.disconnect()
    fourth = clean(t, "s")
    assert fourth.connack.session_present is False, "Clean Session 1 with a stored session"
    fourth.disconnect()
    fifth = kept(t, "s")
    assert fifth.connack.session_present is False, "the stored session was discarded by Clean Session 1"


@statement("MQTT-3.2.2-2", "MQTT-3.1.4-2")
def a_takeover_finds_the_session(t):
    first = kept(t)
    again = kept(t)
    first.expect_closed()
    assert again.connack.session_present is True
    over = return_of(t, again)
    again.expect_closed()
    assert over.connack.session_present is False, "Clean Session 1 discards the session of a living connection too"


@statement("MQTT-3.12.4-1")
def pingreq_is_answered_with_pingresp(t):
    client = clean(t)
    for _ in range(3):
        client.send(wire.pingreq())
        found = client.expect(wire.PINGRESP)
        assert found.raw == b"\xd0\x00", found.raw.hex()
    client.send(wire.pingreq() * 5)
    for _ in range(5):
        client.expect(wire.PINGRESP)


@statement("MQTT-3.14.1-1", "MQTT-2.2.2-2")
def a_disconnect_with_reserved_bits_is_none(t):
    # It ends the connection, and because it is no DISCONNECT the will is published.
    watcher = clean(t)
    watcher.subscribe(t.topic("#"), qos=0)
    for flags in (1, 2, 4, 8, 15):
        expect_end(t, wire.packet(wire.DISCONNECT, flags, b""), will=Will(t.topic("%d" % flags), b"gone"))
        watcher.receive(t.topic("%d" % flags), b"gone")


@statement("MQTT-3.14.4-1", "MQTT-3.14.4-2")
def the_server_ends_the_connection_after_disconnect_and_ignores_what_follows(t):
    watcher = clean(t)
    watcher.subscribe(t.topic(), qos=0)
    client = clean(t)
    client.send(wire.disconnect(V311), wire.publish(V311, t.topic(), b"late"), wire.pingreq())
    client.expect_closed()
    t.fence(return_of(t, client), watcher)
