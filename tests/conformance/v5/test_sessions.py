"""Stories across statements: takeover, resumption, versions side by side, request and response."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.wire import V5, V31, V311


@scenario
def a_taken_over_session_goes_on_where_it_was(t):
    publisher = t.client()
    first = t.persistent("device")
    first.subscribe(t.topic(), qos=2)
    for number in range(4):
        publisher.publish(t.topic(), b"%d" % number, qos=1 + number % 2)
    sent = [first.expect(wire.PUBLISH, payload=b"%d" % number) for number in range(4)]
    first.send(wire.ack(wire.PUBACK, sent[0].packet_id), wire.ack(wire.PUBREC, sent[1].packet_id))
    first.expect(wire.PUBREL, packet_id=sent[1].packet_id)
    second = t.persistent("device")
    assert second.connack.session_present is True
    first.expect_disconnect(0x8E)
    resent = [second.recv() for _ in range(3)]
    assert sorted((packet.type, packet.packet_id) for packet in resent) == sorted(
        [(wire.PUBREL, sent[1].packet_id), (wire.PUBLISH, sent[2].packet_id), (wire.PUBLISH, sent[3].packet_id)])
    assert [packet.payload for packet in resent if packet.type == wire.PUBLISH] == [b"2", b"3"]
    assert all(packet.dup for packet in resent if packet.type == wire.PUBLISH)


@scenario
def a_session_taken_over_again_and_again_loses_nothing(t):
    """Each connection completes the message that its predecessor held and is replaced while it holds the next."""
    publisher = t.client()
    device = t.persistent("device", properties={"receive_maximum": 1})
    device.subscribe(t.topic(), qos=2)
    for number in range(12):
        publisher.publish(t.topic(), b"%d" % number, qos=2)
    held = device.expect(wire.PUBLISH, payload=b"0", dup=False)
    for number in range(12):
        successor = t.persistent("device", properties={"receive_maximum": 1})
        device.expect_disconnect(0x8E)
        successor.receive(t.topic(), b"%d" % number, packet_id=held.packet_id, dup=True)
        if number < 11:
            held = successor.expect(wire.PUBLISH, payload=b"%d" % (number + 1), dup=False)
        device = successor
    t.fence(publisher, device)


@scenario
def a_takeover_without_state_to_keep_starts_empty(t):
    first = t.client("device")
    first.subscribe(t.topic(), qos=1)
    second = t.client("device", clean=False)
    assert second.connack.session_present is False
    first.expect_disconnect(0x8E)
    second.publish(t.topic(), b"x", qos=1)
    t.fence(second, second)


@scenario
def the_expiry_interval_is_the_one_of_the_latest_connection(t):
    t.client("device", clean=True, properties={"session_expiry_interval": 600}).drop()
    again = t.client("device", clean=False, properties={"session_expiry_interval": 0})
    assert again.connack.session_present is True
    again.disconnect()
    assert t.client("device", clean=False).connack.session_present is False


@scenario
def an_expiry_interval_that_runs_is_stopped_by_a_reconnect(t):
    t.client("device", clean=True, properties={"session_expiry_interval": 2}).drop()
    again = t.client("device", clean=False, properties={"session_expiry_interval": 2})
    assert again.connack.session_present is True
    t.let_pass(4)
    again.subscribe(t.topic(), qos=1)
    again.publish(t.topic(), b"x", qos=1)
    again.receive(t.topic(), b"x")
    again.drop()
    assert t.client("device", clean=False).connack.session_present is True


def older(t, version, name):
    client = t.client(name, version=version)
    client.send(wire.subscribe(version, 1, [(t.topic(), 2)]))
    client.expect(wire.SUBACK, codes=[2])
    return client


@scenario
def properties_stay_away_from_older_clients(t):
    publisher = t.client()
    given = {"payload_format_indicator": 1, "message_expiry_interval": 60, "content_type": "x", "response_topic": "y",
             "correlation_data": b"z", "user_property": [("a", "b")]}
    for version in (V31, V311):
        old = older(t, version, "old-%d" % version)
        for qos in (0, 1, 2):
            publisher.publish(t.topic(), b"payload", qos=qos, properties=given)
            found = old.receive(t.topic(), b"payload", qos=qos)
            assert found.raw == wire.publish(version, t.topic(), b"payload", qos=qos, packet_id=found.packet_id)


@scenario
def messages_of_older_clients_reach_new_ones_without_properties(t):
    new = t.client()
    new.subscribe(t.topic(), qos=2)
    for version in (V31, V311):
        old = t.client("old-%d" % version, version=version)
        for qos in (0, 1, 2):
            old.publish(t.topic(), b"payload", qos=qos)
            assert new.receive(t.topic(), b"payload", qos=qos).properties == {}


@scenario
def a_message_expires_for_older_subscribers_too(t):
    publisher = t.client()
    old = t.client("old", version=V311, clean=False)
    old.send(wire.subscribe(V311, 1, [(t.topic(), 1)]))
    old.expect(wire.SUBACK)
    old.drop()
    publisher.publish(t.topic(), b"short", qos=1, properties={"message_expiry_interval": 1})
    publisher.publish(t.topic(), b"long", qos=1)
    t.let_pass(3)
    t.client("old", version=V311, clean=False).receive(t.topic(), b"long")


@scenario
def a_session_of_an_older_version_can_be_resumed_by_a_new_one_and_back(t):
    publisher = t.client()
    old = t.client("device", version=V311, clean=False)
    old.send(wire.subscribe(V311, 1, [(t.topic(), 1)]))
    old.expect(wire.SUBACK)
    old.disconnect()
    publisher.publish(t.topic(), b"1", qos=1, properties={"content_type": "x"})
    new = t.persistent("device")
    assert new.connack.session_present is True
    assert new.receive(t.topic(), b"1").properties == {"content_type": "x"}
    new.drop()
    publisher.publish(t.topic(), b"2", qos=1, properties={"content_type": "x"})
    back = t.client("device", version=V311, clean=False)
    assert back.connack.session_present is True
    back.receive(t.topic(), b"2")


@scenario
def a_request_gets_its_response(t):
    requester, responder = t.client(), t.client()
    requester.subscribe(t.topic("answers"), qos=1)
    responder.subscribe(t.topic("requests"), qos=1)
    requester.publish(t.topic("requests"), b"question", qos=1, properties={
        "response_topic": t.topic("answers"), "correlation_data": b"\x00\x01\x02"})
    asked = responder.receive(t.topic("requests"), b"question").properties
    responder.publish(asked["response_topic"], b"answer", qos=1,
                      properties={"correlation_data": asked["correlation_data"]})
    assert requester.receive(t.topic("answers"), b"answer").properties == {"correlation_data": b"\x00\x01\x02"}


@statement("MQTT-3.1.2-5", "MQTT-4.1.0-1")
def a_session_keeps_several_subscriptions_with_their_options(t):
    publisher, device = t.client(), t.persistent("device")
    device.subscribe((t.topic("a"), wire.options(qos=2, no_local=True)), properties={"subscription_identifier": 1})
    device.subscribe((t.topic("b"), wire.options(qos=1, retain_as_published=True)))
    device.subscribe(("$share/g/" + t.topic("c"), wire.options(qos=1)))
    device.drop()
    again = t.persistent("device")
    again.publish(t.topic("a"), b"own", qos=2)
    publisher.publish(t.topic("a"), b"x", qos=2)
    found = again.receive(t.topic("a"), b"x", qos=2)
    assert found.properties == {"subscription_identifier": [1]}
    publisher.publish(t.topic("b"), b"x", qos=2, retain=True)
    again.receive(t.topic("b"), b"x", qos=1, retain=True)
    publisher.publish(t.topic("b"), b"", qos=1, retain=True)
    again.receive(t.topic("b"), b"")
    publisher.publish(t.topic("c"), b"x", qos=1)
    again.receive(t.topic("c"), b"x", qos=1)
    t.fence(publisher, again)


@scenario
def two_hundred_clients_come_and_go(t):
    watcher = t.client()
    watcher.subscribe(t.topic("+"), qos=1)
    for number in range(200):
        client = t.client("crowd-%d" % number)
        client.send(wire.publish(V5, t.topic("%d" % number), b"x", qos=1, packet_id=1), wire.disconnect(V5, 0))
        client.reply(wire.PUBACK, 1)
        client.expect_closed()
        client.close()
    for number in range(200):
        watcher.receive(t.topic("%d" % number), b"x")
