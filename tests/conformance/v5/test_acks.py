"""3.4 to 3.7 the acknowledgements, and the limits on reason strings and user properties in every packet."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.wire import V5

LEVELS_TOO_MANY = "/".join("x" * 201)  # one more level than the broker takes

# Each function makes the server send a packet that has something to explain, and returns that packet, or None when the
# server ended the connection without one. `client` is connected already.


def provoke_puback(client):
    client.send(wire.publish(V5, LEVELS_TOO_MANY, b"x", qos=1, packet_id=1))
    return client.expect(wire.PUBACK, packet_id=1, code=0x90)


def provoke_pubrec(client):
    client.send(wire.publish(V5, LEVELS_TOO_MANY, b"x", qos=2, packet_id=1))
    return client.expect(wire.PUBREC, packet_id=1, code=0x90)


def provoke_pubrel(client):
    client.send(wire.ack(wire.PUBREC, 77))
    return client.expect(wire.PUBREL, packet_id=77, code=0x92)


def provoke_pubcomp(client):
    client.send(wire.ack(wire.PUBREL, 77))
    return client.expect(wire.PUBCOMP, packet_id=77, code=0x92)


def provoke_suback(client):
    client.send(wire.subscribe(V5, 1, [(LEVELS_TOO_MANY, 0)]))
    return client.expect(wire.SUBACK, packet_id=1, codes=[0x8F])


def provoke_unsuback(client):
    client.send(wire.unsubscribe(V5, 1, ["no/#/filter"]))
    return client.expect(wire.UNSUBACK, packet_id=1, codes=[0x8F])


def provoke_disconnect(client):
    client.send(wire.publish(V5, "t", b"x", properties={"topic_alias": 0}))
    return client.expect_disconnect(0x94)


def check_limit(t, provoke):
    """The packet is the same within its size; one byte less and it comes without what is optional."""
    whole = provoke(t.client())
    assert whole.properties.get("reason_string"), "a refusal explains itself: %r" % whole
    exact = provoke(t.client(properties={"maximum_packet_size": max(len(whole.raw), 20)}))
    assert exact.raw == whole.raw
    if len(whole.raw) <= 20:
        return  # too short to leave anything out: CONNACK would not fit into a smaller limit either
    short = provoke(t.client(properties={"maximum_packet_size": len(whole.raw) - 1}))
    assert len(short.raw) < len(whole.raw)
    assert "reason_string" not in short.properties and "user_property" not in short.properties


@statement("MQTT-3.4.2-2", "MQTT-3.4.2-3")
def puback_leaves_out_what_would_make_it_too_large(t):
    check_limit(t, provoke_puback)


@statement("MQTT-3.5.2-2", "MQTT-3.5.2-3")
def pubrec_leaves_out_what_would_make_it_too_large(t):
    check_limit(t, provoke_pubrec)


@statement("MQTT-3.6.2-2", "MQTT-3.6.2-3")
def pubrel_leaves_out_what_would_make_it_too_large(t):
    check_limit(t, provoke_pubrel)


@statement("MQTT-3.7.2-2", "MQTT-3.7.2-3")
def pubcomp_leaves_out_what_would_make_it_too_large(t):
    check_limit(t, provoke_pubcomp)


@statement("MQTT-3.9.2-1", "MQTT-3.9.2-2")
def suback_leaves_out_what_would_make_it_too_large(t):
    check_limit(t, provoke_suback)


@statement("MQTT-3.11.2-1", "MQTT-3.11.2-2")
def unsuback_leaves_out_what_would_make_it_too_large(t):
    check_limit(t, provoke_unsuback)


@statement("MQTT-3.14.2-3", "MQTT-3.14.2-4")
def disconnect_leaves_out_what_would_make_it_too_large(t):
    check_limit(t, provoke_disconnect)


@statement("MQTT-3.1.2-29")
def request_problem_information_0_silences_explanations(t):
    for provoke in (provoke_puback, provoke_pubrec, provoke_pubrel, provoke_pubcomp, provoke_suback,
                    provoke_unsuback):
        found = provoke(t.client(properties={"request_problem_information": 0}))
        assert "reason_string" not in found.properties and "user_property" not in found.properties, found


@statement("MQTT-3.1.2-29", "MQTT-3.3.2-17")
def request_problem_information_0_leaves_messages_alone(t):
    client = t.client(properties={"request_problem_information": 0})
    client.subscribe(t.topic(), qos=1)
    pairs = [("k", "v"), ("k", "w")]
    client.publish(t.topic(), b"x", qos=1, properties={"user_property": pairs})
    assert client.receive(t.topic(), b"x").properties == {"user_property": pairs}


@scenario
def with_request_problem_information_refusals_explain_themselves(t):
    for given in ({}, {"request_problem_information": 1}):
        for provoke in (provoke_puback, provoke_pubrec, provoke_pubrel, provoke_pubcomp, provoke_suback,
                        provoke_unsuback, provoke_disconnect):
            assert provoke(t.client(properties=given)).properties.get("reason_string"), provoke.__name__


@statement("MQTT-3.6.2-1", "MQTT-3.7.2-1")
def exchanges_that_are_not_known_are_answered_with_0x92(t):
    client = t.client()
    provoke_pubrel(client)
    provoke_pubcomp(client)
    client.send(wire.ack(wire.PUBCOMP, 78))  # nothing answers this one
    client.send(wire.ack(wire.PUBACK, 79))
    client.expect_nothing()


@statement("MQTT-3.4.2-1", "MQTT-3.5.2-1", "MQTT-3.6.2-1", "MQTT-3.7.2-1")
def successful_exchanges_use_listed_codes(t):
    client = t.client()
    client.subscribe(t.topic(), qos=2)
    assert client.publish(t.topic(), b"1", qos=1).code == 0
    client.receive(t.topic(), b"1")
    assert client.publish(t.topic(), b"2", qos=2).code == 0
    packet = client.expect(wire.PUBLISH, payload=b"2")
    client.send(wire.ack(wire.PUBREC, packet.packet_id))
    assert client.expect(wire.PUBREL, packet_id=packet.packet_id).code == 0


@scenario
def every_form_of_an_acknowledgement_is_understood(t):
    """Short, with a code, with an empty property section, and with properties."""
    client = t.client(properties={"receive_maximum": 1})
    client.subscribe(t.topic(), qos=2)
    explained = {"reason_string": "because", "user_property": [("a", "b"), ("a", "b")]}
    forms = [dict(), dict(code=0), dict(code=0, properties={}), dict(code=0, properties=explained)]
    for number, form in enumerate(forms):
        for qos in (1, 2):
            client.send(wire.publish(V5, t.topic(), b"%d" % number, qos=qos, packet_id=5))
            if qos == 2:
                client.reply(wire.PUBREC, 5)
                client.send(wire.ack(wire.PUBREL, 5, V5, **form))
                client.reply(wire.PUBCOMP, 5, code=0)
            else:
                client.reply(wire.PUBACK, 5)
            packet = client.expect(wire.PUBLISH, payload=b"%d" % number, qos=qos)
            client.send(wire.ack(wire.PUBACK if qos == 1 else wire.PUBREC, packet.packet_id, V5, **form))
            if qos == 2:
                client.expect(wire.PUBREL, packet_id=packet.packet_id)
                client.send(wire.ack(wire.PUBCOMP, packet.packet_id, V5, **form))
    client.expect_nothing()


@statement("MQTT-4.13.1-1")
def acknowledgements_of_a_wrong_shape_are_refused(t):
    for packet_type in (wire.PUBACK, wire.PUBREC, wire.PUBREL, wire.PUBCOMP):
        flags = 2 if packet_type == wire.PUBREL else 0
        for body in (b"", b"\x00", b"\x00\x01\x00\x05", b"\x00\x01\x00\x00x",
                     b"\x00\x01\x00" + wire.properties({"topic_alias": 1})):
            t.expect_refusal(wire.packet(packet_type, flags, body), 0x81, 0x82)
        twice = wire.ack(packet_type, 1, V5, 0x00, {"reason_string": ["a", "a"]})
        t.expect_refusal(twice, 0x82)
