"""3.1 CONNECT, without wills (test_wills.py)."""

import time

from conformance import transport, wire
from conformance.suite import CLOCK_SLACK_S, statement
from conformance.wire import V5, Will


@statement("MQTT-3.1.0-1")
def another_first_packet_ends_the_connection_and_has_no_effect(t):
    watcher, publisher = t.client(), t.client()
    topic = t.topic()
    watcher.subscribe(topic)
    for first in (wire.publish(V5, topic, b"x"), wire.publish(V5, topic, b"x", qos=1, packet_id=1),
                  wire.subscribe(V5, 1, [(topic, 0)]), wire.pingreq(), wire.disconnect(V5, 0),
                  wire.auth(0x18, {"authentication_method": "x"}), wire.ack(wire.PUBREL, 1),
                  wire.packet(wire.CONNACK, 0, b"\0\0\0"), b"GET / HTTP/1.1\r\n\r\n", b"\0\0", b"\xff" * 64):
        client = t.raw()
        client.send(first, wire.connect(V5, t.id("after")))
        answer = client.bytes_until_closed()
        if first.startswith(b"GET ") and transport.chosen == "auto" and answer:
            assert answer.startswith(b"HTTP/1.1 4"), answer  # outside of WebSocket this is a failed handshake
            continue
        assert answer == b"" or answer[0] == 0x20 and answer[3] >= 0x80, answer
    t.fence(publisher, watcher)


@statement("MQTT-3.1.0-2", "MQTT-3.2.0-2")
def second_connect_is_a_protocol_error(t):
    client = t.client()
    client.send(wire.connect(V5, client.client_id))
    client.expect_disconnect(0x82)


@statement("MQTT-3.1.0-2", "MQTT-3.2.0-2")
def second_connect_in_the_same_segment_is_a_protocol_error(t):
    client = t.raw()
    data = wire.connect(V5, t.id("twice"))
    client.send(data, data)
    client.expect(wire.CONNACK, code=0)
    client.expect_disconnect(0x82)


@statement("MQTT-3.1.2-1", "MQTT-3.1.4-1")
def other_protocol_names_end_the_connection(t):
    for name in ("mqtt", "MQTX", "", "MQTTMQTT", "MQT", "MQIsdp", b"MQ\xffT"):
        client = t.raw()
        client.send(wire.connect(V5, t.id(), protocol_name=name))
        answer = client.bytes_until_closed()
        assert answer in (b"", b"\x20\x02\x00\x01") or answer[0] == 0x20 and answer[3] in (0x81, 0x84), answer


@statement("MQTT-3.1.2-2")
def other_protocol_versions_are_told_so(t):
    for level in (0, 1, 2, 6, 7, 127, 128, 255):
        client = t.raw()
        client.send(wire.connect(V5, t.id(), protocol_level=level))
        answer = client.bytes_until_closed()
        assert answer == b"\x20\x02\x00\x01" or answer[:1] == b"\x20" and answer[3] == 0x84, (level, answer)


@statement("MQTT-3.1.2-3", "MQTT-3.2.2-7")
def the_reserved_connect_flag_is_checked(t):
    for clean in (0x00, 0x02):
        t.expect_connect_refusal(wire.connect(V5, t.id(), flags=0x01 | clean), 0x81)


@statement("MQTT-3.1.2-4", "MQTT-3.1.4-4", "MQTT-3.2.2-2")
def clean_start_discards_subscriptions_queue_and_exchanges(t):
    publisher, topic = t.client(), t.topic()
    first = t.persistent("device")
    first.subscribe(topic, qos=2)
    publisher.publish(topic, b"unfinished", qos=2)
    first.expect(wire.PUBLISH)
    first.drop()
    publisher.publish(topic, b"queued", qos=1)
    again = t.client("device", clean=True, properties={"session_expiry_interval": 600})
    assert again.connack.session_present is False
    publisher.publish(topic, b"live", qos=1)
    t.fence(publisher, again)
    again.drop()
    resumed = t.persistent("device")
    assert resumed.connack.session_present is True
    t.fence(publisher, resumed)


@statement("MQTT-3.1.2-5", "MQTT-3.2.2-3", "MQTT-3.1.2-23", "MQTT-4.5.0-1")
def a_session_is_resumed_with_its_subscriptions_and_queue(t):
    publisher, topic = t.client(), t.topic()
    first = t.persistent("device")
    assert first.connack.session_present is False
    first.subscribe((topic, wire.options(qos=2, retain_as_published=True)))
    first.disconnect()
    publisher.publish(topic, b"1", qos=1)
    publisher.publish(topic, b"2", qos=2)
    again = t.persistent("device")
    assert again.connack.session_present is True
    again.receive(topic, b"1", qos=1)
    again.receive(topic, b"2", qos=2)
    publisher.publish(topic, b"3", qos=1, retain=True)
    again.receive(topic, b"3", qos=1, retain=True)
    publisher.publish(topic, b"", qos=1, retain=True)


@statement("MQTT-3.1.2-6", "MQTT-3.2.2-3")
def a_session_that_is_not_there_is_created(t):
    first = t.client("device", clean=False, properties={"session_expiry_interval": 600})
    assert first.connack.session_present is False
    first.subscribe(t.topic(), qos=1)
    first.drop()
    again = t.client("device", clean=False, properties={"session_expiry_interval": 600})
    assert again.connack.session_present is True
    again.publish(t.topic(), b"x", qos=1)
    again.receive(t.topic(), b"x")


def connect_with_all_fields(client_id, user_flag=True, password_flag=True, username=None, password=None):
    flags = 0x02 | (0x80 if user_flag else 0) | (0x40 if password_flag else 0)
    return wire.connect(V5, client_id, username=username, password=password, flags=flags)


@statement("MQTT-3.1.2-16", "MQTT-3.1.2-17", "MQTT-3.1.4-1")
def user_name_flag_and_payload_must_agree(t):
    t.expect_connect_refusal(connect_with_all_fields(t.id(), False, False, username="somebody"), 0x81)
    t.expect_connect_refusal(connect_with_all_fields(t.id(), True, False), 0x81)
    accepted = t.raw()
    accepted.send(connect_with_all_fields(t.id(), True, False, username="somebody"))
    accepted.expect(wire.CONNACK, code=0)


@statement("MQTT-3.1.2-18", "MQTT-3.1.2-19", "MQTT-3.1.4-1")
def password_flag_and_payload_must_agree(t):
    t.expect_connect_refusal(connect_with_all_fields(t.id(), False, False, password="secret"), 0x81)
    t.expect_connect_refusal(connect_with_all_fields(t.id(), True, True, username="somebody"), 0x81)
    t.expect_connect_refusal(connect_with_all_fields(t.id(), False, True), 0x81)
    for username in ("somebody", None):  # 5.0 allows a password without a user name
        accepted = t.raw()
        accepted.send(connect_with_all_fields(t.id(), username is not None, True, username, b"\x00\xff"))
        accepted.expect(wire.CONNACK, code=0)


@statement("MQTT-3.1.2-22", "MQTT-3.2.2-22")
def a_silent_client_is_disconnected_and_its_will_published(t):
    watcher = t.client()
    watcher.subscribe(t.topic())
    client = t.raw()
    began = time.monotonic()
    client.connect(t.id("silent"), keep_alive=1, will=Will(t.topic(), b"gone"))
    assert "server_keep_alive" not in client.connack.properties
    client.expect_disconnect(0x8D)
    assert time.monotonic() - began >= 1.5 - CLOCK_SLACK_S, "disconnected before one and a half times the Keep Alive"
    watcher.receive(t.topic(), b"gone")


@statement("MQTT-3.1.2-22")
def a_silent_client_is_not_kept_much_longer(t):
    """Measured by the broker's own clock: when it has counted 6 s it has done with a client of 2 s long ago."""
    silent = t.client(keep_alive=2)
    t.let_pass(6)
    silent.expect_disconnect(0x8D, timeout=0.05)


@statement("MQTT-3.1.2-22")
def every_packet_counts_as_a_sign_of_life(t):
    """Each client sends one kind of packet about every second for longer than its Keep Alive allows silence."""
    signs = {
        "ping": lambda client: client.expect_nothing(),
        "publish": lambda client: client.send(wire.publish(V5, t.topic(), b"x")),
        "subscribe": lambda client: client.subscribe(t.topic("s")),
        "puback": lambda client: client.send(wire.ack(wire.PUBACK, 77)),
    }
    clients = {name: t.client(keep_alive=2) for name in signs}
    for _ in range(5):
        t.let_pass(1)
        for name, client in clients.items():
            signs[name](client)
    for client in clients.values():
        client.expect_nothing()


@statement("MQTT-3.1.2-22", "MQTT-3.2.2-22")
def keep_alive_0_never_times_out(t):
    client = t.client(keep_alive=0)
    t.let_pass(4)
    client.expect_nothing()


@statement("MQTT-3.1.2-23", "MQTT-4.1.0-2")
def without_an_expiry_interval_the_session_ends_with_the_connection(t):
    for given in ({}, {"session_expiry_interval": 0}):
        first = t.client("device", clean=False, properties=given)
        first.subscribe(t.topic(), qos=1)
        first.disconnect()
        again = t.client("device", clean=False, properties=given)
        assert again.connack.session_present is False
        again.publish(t.topic(), b"x", qos=1)
        again.expect_nothing()
        again.disconnect()


@statement("MQTT-3.1.2-23", "MQTT-4.1.0-2")
def the_largest_expiry_interval_keeps_the_session(t):
    first = t.client("device", clean=True, properties={"session_expiry_interval": 0xFFFFFFFF})
    first.subscribe(t.topic(), qos=1)
    first.drop()
    again = t.persistent("device")
    assert again.connack.session_present is True


@statement("MQTT-4.1.0-2", "MQTT-3.1.2-23")
def a_session_ends_when_its_expiry_interval_has_passed(t):
    for how in ("drop", "disconnect"):
        short = t.client("short-" + how, clean=False, properties={"session_expiry_interval": 1})
        long = t.client("long-" + how, clean=False, properties={"session_expiry_interval": 600})
        for client in (short, long):
            client.subscribe(t.topic(how), qos=1)
            getattr(client, how)()
    t.let_pass(3)
    for how in ("drop", "disconnect"):
        short = t.client("short-" + how, clean=False, properties={"session_expiry_interval": 1})
        long = t.client("long-" + how, clean=False, properties={"session_expiry_interval": 600})
        assert short.connack.session_present is False
        assert long.connack.session_present is True


@statement("MQTT-3.1.2-28")
def response_information_comes_only_when_asked_for(t):
    for given in ({}, {"request_response_information": 0}):
        assert "response_information" not in t.client(properties=given).connack.properties
    t.client(properties={"request_response_information": 1})


@statement("MQTT-3.1.3-1", "MQTT-3.1.2-9")
def the_payload_fields_are_read_in_their_order(t):
    watcher = t.client()
    watcher.subscribe(t.topic("will"))
    will = Will(t.topic("will"), b"will payload", properties={"content_type": "will type"})
    t.client("whole", will=will, username="user name", password=b"password").drop()
    found = watcher.receive(t.topic("will"), b"will payload")
    assert found.properties == {"content_type": "will type"}


@statement("MQTT-3.1.3-2")
def state_belongs_to_the_client_identifier(t):
    names = ("device", "Device", "device ", "devic\u00e9", "device/1", "device\u0301", "x" * 300 + "1", "x" * 300 + "2")
    for number, name in enumerate(names):
        client = t.persistent(name)
        assert client.connack.session_present is False, name
        client.subscribe(t.topic("for/%d" % number), qos=1)
        client.drop()
    publisher = t.client()
    for number in range(len(names)):
        publisher.publish(t.topic("for/%d" % number), b"%d" % number, qos=1)
    for number, name in enumerate(names):
        client = t.persistent(name)
        assert client.connack.session_present is True, name
        client.receive(t.topic("for/%d" % number), b"%d" % number)
        client.expect_nothing()


@statement("MQTT-3.1.3-3")
def a_connect_without_client_identifier_field_is_malformed(t):
    whole = wire.connect(V5, "")
    t.expect_connect_refusal(wire.packet(wire.CONNECT, 0, whole[2:-2]), 0x81)
    t.expect_connect_refusal(wire.packet(wire.CONNECT, 0, whole[2:-1]), 0x81)


@statement("MQTT-3.1.3-5")
def client_identifiers_of_1_to_23_digits_and_letters_are_allowed(t):
    alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    names = [alphabet[:length] for length in range(1, 24)] + list(alphabet) + [alphabet[23:46], alphabet[-23:]]
    for name in names:
        client = t.client(client_id=name)
        assert "assigned_client_identifier" not in client.connack.properties
        client.disconnect()


@statement("MQTT-3.1.3-6", "MQTT-3.1.3-7", "MQTT-3.2.2-16")
def clients_without_an_identifier_are_given_different_ones(t):
    clients = [t.client(client_id="", clean=clean) for clean in (True, False) * 5]
    given = [client.connack.properties["assigned_client_identifier"] for client in clients]
    assert len(set(given)) == len(given) and all(given), given
    for client in clients:
        client.expect_nothing()


@statement("MQTT-3.1.3-7", "MQTT-3.2.2-16")
def an_assigned_identifier_works_like_any_other(t):
    first = t.client(client_id="", properties={"session_expiry_interval": 600})
    first.subscribe(t.topic(), qos=1)
    taker = t.client(client_id=first.client_id, clean=False, properties={"session_expiry_interval": 600})
    assert taker.connack.session_present is True
    assert "assigned_client_identifier" not in taker.connack.properties
    first.expect_disconnect(0x8E)
    taker.publish(t.topic(), b"x", qos=1)
    taker.receive(t.topic(), b"x")


@statement("MQTT-3.1.3-8")
def a_very_long_client_identifier_is_served_or_refused_and_closed(t):
    for length in (24, 256, 1024, 65535):
        client = t.raw()
        client.send(wire.connect(V5, "x" * length))
        connack = client.expect(wire.CONNACK)
        assert connack.code in (0x00, 0x85, 0x95), connack
        if connack.code:
            client.expect_closed()
        else:
            client.expect_nothing()


def malformed_connects(t):
    """Name, CONNECT bytes, the codes that the standard gives."""
    good = dict(client_id=t.id("malformed"))
    will = Will(t.topic("will"), b"x")
    cases = [
        ("bytes after the end", _with_tail(wire.connect(V5, **good), b"x"), (0x81,)),
        ("unknown property", wire.connect(V5, **good, properties=b"\x7f\x00"), (0x81,)),
        ("property of PUBLISH", wire.connect(V5, **good, properties={"topic_alias": 1}), (0x81, 0x82)),
        ("property of CONNACK", wire.connect(V5, **good, properties={"server_keep_alive": 1}), (0x81, 0x82)),
        ("will property outside a will", wire.connect(V5, **good, properties={"will_delay_interval": 1}),
         (0x81, 0x82)),
        ("property cut short", wire.connect(V5, **good, properties=b"\x11\x00\x00"), (0x81,)),
        ("property length past the end", _replace_property_length(wire.connect(V5, **good), 0x7F), (0x81,)),
        ("receive maximum 0", wire.connect(V5, **good, properties={"receive_maximum": 0}), (0x82,)),
        ("maximum packet size 0", wire.connect(V5, **good, properties={"maximum_packet_size": 0}), (0x82,)),
        ("request problem information 2", wire.connect(V5, **good, properties={"request_problem_information": 2}),
         (0x81, 0x82)),
        ("request response information 2", wire.connect(V5, **good, properties={"request_response_information": 2}),
         (0x81, 0x82)),
        ("authentication data without method", wire.connect(V5, **good, properties={"authentication_data": b"x"}),
         (0x82,)),
        ("subscription identifier in a will",
         wire.connect(V5, **good, will=Will("t", properties={"subscription_identifier": 1})), (0x81, 0x82)),
        ("topic alias in a will", wire.connect(V5, **good, will=Will("t", properties={"topic_alias": 1})),
         (0x81, 0x82)),
        ("payload format 2 in a will", wire.connect(V5, **good, will=Will("t", properties={
            "payload_format_indicator": 2})), (0x81, 0x82)),
        ("will QoS without a will", wire.connect(V5, **good, flags=0x0A), (0x81, 0x82)),
        ("will QoS 3", wire.connect(V5, **good, will=will, flags=0x1E), (0x81,)),
        ("empty will topic", wire.connect(V5, **good, will=Will("")), (0x81, 0x82, 0x90)),
        ("wildcard in the will topic", wire.connect(V5, **good, will=Will("a/#")), (0x81, 0x82, 0x90)),
    ]
    for name in ("session_expiry_interval", "receive_maximum", "maximum_packet_size", "topic_alias_maximum",
                 "request_response_information", "request_problem_information"):
        cases.append((name + " twice", wire.connect(V5, **good, properties={name: [1, 1]}), (0x82,)))
    cases.append(("authentication method twice",
                  wire.connect(V5, **good, properties={"authentication_method": ["x", "x"]}), (0x82,)))
    for name, value in (("will_delay_interval", 1), ("message_expiry_interval", 1), ("content_type", "x"),
                        ("response_topic", "x"), ("correlation_data", b"x"), ("payload_format_indicator", 1)):
        cases.append(("will " + name + " twice",
                      wire.connect(V5, **good, will=Will("t", properties={name: [value, value]})), (0x82,)))
    return cases


def _with_tail(data, tail):
    return wire.packet(data[0] >> 4, data[0] & 15, data[2:] + tail)


def _replace_property_length(data, length):
    return data[:12] + bytes([length]) + data[13:]


@statement("MQTT-3.1.4-1", "MQTT-3.2.2-7", "MQTT-4.13.1-1", "MQTT-3.14.0-1")
def each_malformed_connect_is_refused_with_its_code(t):
    for name, data, codes in malformed_connects(t):
        t.trace.append("-- " + name)
        t.expect_connect_refusal(data, *codes)


@statement("MQTT-3.1.4-1")
def a_connect_cut_short_anywhere_is_refused(t):
    whole = wire.connect(V5, t.id("cut"), will=Will(t.topic(), b"x", properties={"content_type": "y"}),
                         username="u", password="p", properties={"receive_maximum": 5})
    for length in range(len(whole) - 2):
        client = t.raw()
        client.send(wire.packet(wire.CONNECT, 0, whole[2:2 + length]))
        answer = client.bytes_until_closed()
        assert answer == b"" or answer[0] == 0x20 and answer[3] >= 0x80, (length, answer)


@statement("MQTT-3.1.4-2", "MQTT-4.13.2-1")
def a_connect_that_fails_a_further_check_ends_the_connection(t):
    t.expect_connect_refusal(wire.connect(V5, t.id(), will=Will("a/+/b", b"x")), 0x81, 0x82, 0x90)
    t.expect_connect_refusal(wire.connect(V5, t.id(), properties={"authentication_method": "no such method"}),
                             0x8C, 0x87)


@statement("MQTT-3.1.4-3", "MQTT-4.13.2-1", "MQTT-3.14.4-2")
def a_connection_taken_over_is_told_so_and_closed(t):
    for clean in (True, False):
        first = t.client("device-%s" % clean)
        second = t.client("device-%s" % clean, clean=clean)
        first.expect_disconnect(0x8E)
        second.expect_nothing()


@statement("MQTT-3.1.4-3")
def an_older_client_is_taken_over_by_a_new_one_and_back(t):
    old = t.client("device", version=wire.V311)
    new = t.client("device")
    old.expect_closed()
    t.client("device", version=wire.V311)
    new.expect_disconnect(0x8E)


@statement("MQTT-3.1.4-5", "MQTT-3.2.2-1", "MQTT-3.2.0-1")
def an_accepted_connect_is_answered_with_connack_0(t):
    client = t.raw()
    client.connect(t.id("plain"))
    assert client.connack.code == 0 and client.connack.raw[2] == 0
    client.expect_nothing()


@statement("MQTT-3.1.4-6", "MQTT-3.2.2-6")
def nothing_after_a_refused_connect_is_processed(t):
    watcher, publisher = t.client(), t.client()
    topic = t.topic()
    watcher.subscribe(topic)
    client = t.raw()
    client.send(wire.connect(V5, t.id("refused"), properties={"authentication_method": "no such method"}),
                wire.publish(V5, topic, b"from a refused client"),
                wire.publish(V5, topic, b"from a refused client", qos=1, packet_id=1, retain=True))
    connack = client.expect(wire.CONNACK)
    assert connack.code >= 0x80 and connack.session_present is False
    client.expect_closed()
    t.fence(publisher, watcher)
    late = t.client()
    late.subscribe(topic)
    t.fence(late, late)
