"""3.1.2.5 to 3.1.2.7: wills."""

from conformance import wire
from conformance.suite import statement
from conformance.v311.clients import clean, connack_of, expect_no_connack, kept, resumed, return_of
from conformance.wire import V311, Will


def watched(t, qos=2):
    watcher = clean(t)
    watcher.subscribe(t.topic("#"), qos=qos)
    return watcher


@statement("MQTT-3.1.2-8", "MQTT-3.1.2-9")
def a_will_is_published_when_the_client_vanishes(t):
    watcher = watched(t)
    for qos in (0, 1, 2):
        for retain in (False, True):
            topic = t.topic("%d%d" % (qos, retain))
            clean(t, will=Will(topic, b"gone", qos, retain)).drop()
            watcher.receive(topic, b"gone", qos=qos, retain=False, dup=False)
            watcher.publish(topic, b"", qos=1, retain=True)
            watcher.receive(topic, b"")


@statement("MQTT-3.1.2-8", "MQTT-3.1.2-24")
def a_will_is_published_when_keep_alive_runs_out(t):
    watcher = watched(t)
    silent = clean(t, keep_alive=1, will=Will(t.topic(), b"silent", 1))
    silent.expect_closed()
    watcher.receive(t.topic(), b"silent", qos=1)


@statement("MQTT-3.1.2-8", "MQTT-4.8.0-1")
def a_will_is_published_after_a_protocol_violation(t):
    watcher = watched(t)
    client = clean(t, will=Will(t.topic(), b"thrown out", 1))
    client.send(wire.connect(V311, client.client_id))
    client.expect_closed()
    watcher.receive(t.topic(), b"thrown out", qos=1)


@statement("MQTT-3.1.2-8", "MQTT-3.1.4-2")
def a_will_is_published_when_the_client_id_is_taken_over(t):
    watcher = watched(t)
    first = clean(t, "twin", will=Will(t.topic(), b"first", 1))
    second = clean(t, "twin", will=Will(t.topic(), b"second", 1))
    first.expect_closed()
    watcher.receive(t.topic(), b"first", qos=1)
    second.drop()
    watcher.receive(t.topic(), b"second", qos=1)


@statement("MQTT-3.1.2-8")
def a_will_reaches_absent_sessions(t):
    away = kept(t, "away")
    away.subscribe(t.topic(), qos=1)
    away.disconnect()
    witness = watched(t)
    clean(t, will=Will(t.topic(), b"gone", 2)).drop()
    witness.receive(t.topic(), b"gone", qos=2)
    resumed(t, "away").receive(t.topic(), b"gone", qos=1)


@statement("MQTT-3.1.2-8", "MQTT-3.1.2-9")
def a_will_may_be_empty_or_binary(t):
    watcher = watched(t)
    for payload in (b"", bytes(range(256)), b"x" * 65535):
        clean(t, will=Will(t.topic(), payload, 1)).drop()
        watcher.receive(t.topic(), payload, qos=1)


@statement("MQTT-3.1.2-8")
def a_will_of_a_kept_session_belongs_to_the_connection(t):
    watcher = watched(t)
    kept(t, will=Will(t.topic(), b"first", 1)).drop()
    watcher.receive(t.topic(), b"first", qos=1)
    # The next connection of the session has no will, so its end publishes none.
    second = resumed(t)
    second.drop()
    t.fence(return_of(t, second), watcher)


@statement("MQTT-3.1.2-8", "MQTT-3.2.2-5")
def a_refused_connection_has_no_will(t):
    watcher = watched(t)
    client = t.raw(V311)
    client.send(wire.connect(V311, "", clean=False, will=Will(t.topic(), b"x", 1)))
    client.expect(wire.CONNACK, code=2)
    client.expect_closed()
    t.fence(clean(t), watcher)


@statement("MQTT-3.1.2-9", "MQTT-3.1.4-1", "MQTT-3.2.2-6")
def a_will_flag_without_the_will_ends_the_connection(t):
    expect_no_connack(t, wire.connect(V311, t.id(), flags=0x06))
    good = wire.connect(V311, t.id(), will=Will(t.topic(), b""))
    expect_no_connack(t, wire.packet(wire.CONNECT, 0, good[2:-2]))


@statement("MQTT-3.1.2-10", "MQTT-3.14.4-3")
def disconnect_discards_the_will(t):
    watcher = watched(t)
    for qos, retain in ((0, False), (1, True), (2, False)):
        client = clean(t, "leaver%d" % qos, will=Will(t.topic(), b"gone", qos, retain))
        client.disconnect()
        t.fence(return_of(t, client), watcher)
    late = clean(t)
    late.subscribe(t.topic(), qos=1)
    late.expect_nothing()


@statement("MQTT-3.1.2-10", "MQTT-3.14.4-3")
def disconnect_discards_the_will_of_a_kept_session(t):
    watcher = watched(t)
    client = kept(t, will=Will(t.topic(), b"gone", 1))
    client.disconnect()
    again = resumed(t)
    again.drop()
    t.fence(return_of(t, again), watcher)


@statement("MQTT-3.1.2-10")
def a_will_is_published_once(t):
    watcher = watched(t)
    client = kept(t, will=Will(t.topic(), b"once", 1))
    client.drop()
    watcher.receive(t.topic(), b"once")
    for _ in range(2):
        resumed(t).drop()
    t.fence(return_of(t, client), watcher)


@statement("MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.2-15", "MQTT-3.1.4-1", "MQTT-3.2.2-6")
def will_bits_without_the_will_flag_end_the_connection(t):
    for flags in (0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38):
        expect_no_connack(t, wire.connect(V311, t.id(), flags=flags | 0x02))


@statement("MQTT-3.1.2-11", "MQTT-3.1.4-1")
def will_fields_without_the_will_flag_end_the_connection(t):
    expect_no_connack(t, wire.connect(V311, t.id(), will=Will(t.topic(), b"x"), flags=0x02))


@statement("MQTT-3.1.2-12")
def without_a_will_nothing_is_published(t):
    watcher = watched(t)
    client = clean(t)
    client.drop()
    t.fence(return_of(t, client), watcher)


@statement("MQTT-3.1.2-14", "MQTT-3.1.4-1", "MQTT-3.2.2-6")
def will_qos_3_ends_the_connection(t):
    for flags in (0x1E, 0x3E):
        expect_no_connack(t, wire.connect(V311, t.id(), will=Will(t.topic(), b"x"), flags=flags))
    connack_of(t, wire.connect(V311, t.id(), will=Will(t.topic(), b"x", 2)))


@statement("MQTT-3.1.2-16")
def a_will_without_retain_is_not_retained(t):
    watcher = watched(t)
    clean(t, will=Will(t.topic(), b"gone", 1, retain=False)).drop()
    watcher.receive(t.topic(), b"gone", retain=False)
    late = clean(t)
    late.subscribe(t.topic(), qos=1)
    late.expect_nothing()


@statement("MQTT-3.1.2-16")
def a_will_without_retain_leaves_the_retained_message(t):
    watcher = watched(t)
    watcher.publish(t.topic(), b"kept", qos=1, retain=True)
    watcher.receive(t.topic(), b"kept")
    clean(t, will=Will(t.topic(), b"gone", 1, retain=False)).drop()
    watcher.receive(t.topic(), b"gone")
    late = clean(t)
    late.subscribe(t.topic(), qos=1)
    late.receive(t.topic(), b"kept", retain=True)
    late.publish(t.topic(), b"", retain=True, qos=1)


@statement("MQTT-3.1.2-17")
def a_will_with_retain_is_retained(t):
    watcher = watched(t)
    for qos in (0, 1, 2):
        clean(t, will=Will(t.topic(), b"gone%d" % qos, qos, retain=True)).drop()
        watcher.receive(t.topic(), b"gone%d" % qos, retain=False)
        late = clean(t)
        late.subscribe(t.topic(), qos=2)
        late.receive(t.topic(), b"gone%d" % qos, qos=qos, retain=True)
    clean(t, will=Will(t.topic(), b"", 1, retain=True)).drop()
    watcher.receive(t.topic(), b"")
    last = clean(t)
    last.subscribe(t.topic(), qos=2)
    last.expect_nothing()
