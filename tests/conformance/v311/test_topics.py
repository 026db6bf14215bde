"""4.7 topic names and filters."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.v311.clients import clean, expect_end
from conformance.wire import V311

# Filter, topics that it matches, topics that it does not; below the root of the test.
MATCHES = [
    ("a", ["a"], ["A", "a/", "/a", "aa", "b"]),
    ("a/b", ["a/b"], ["a", "a/b/", "a//b", "a/c"]),
    ("a/#", ["a", "a/", "a/b", "a/b/c", "a//", "a/$x"], ["ab", "b", "/a", "A/b"]),
    ("#", ["a", "/", "a/b/c", "//", ""], []),
    ("+", ["a", "$x"], ["a/", "/a", "a/b", "/"]),
    ("a/+", ["a/b", "a/", "a/$x"], ["a", "a/b/c", "a//"]),
    ("+/b", ["a/b", "/b"], ["b", "a/b/", "a/a/b"]),
    ("+/+", ["a/b", "/", "a/", "/b"], ["a", "a/b/c", "//"]),
    ("/+", ["/a", "/"], ["a", "a/b", "//"]),
    ("a/+/c", ["a/b/c", "a//c"], ["a/c", "a/b/b/c", "a/b/c/"]),
    ("a/+/#", ["a/b", "a/", "a/b/c", "a//c"], ["a", "b/a"]),
    ("+/b/#", ["a/b", "a/b/c", "/b/"], ["a", "b", "a/c"]),
    ("a//b", ["a//b"], ["a/b", "a///b"]),
    ("/", ["/"], ["", "a/", "//"]),
]


@statement("MQTT-3.3.2-3", "MQTT-4.7.1-2", "MQTT-4.7.1-3", "MQTT-4.7.3-4")
def filters_match_the_topics_they_describe(t):
    publisher = clean(t)
    for number, (topic_filter, matching, others) in enumerate(MATCHES):
        root = t.topic("%d" % number)
        client = clean(t)
        assert client.subscribe(root + "/" + topic_filter, qos=1).codes == [1], topic_filter
        for name in others:
            publisher.publish(root + "/" + name, b"other", qos=1)
        for name in matching:
            publisher.publish(root + "/" + name, name, qos=1)
        for name in matching:
            client.receive(root + "/" + name, name, qos=1)
        t.fence(publisher, client)
        client.disconnect()


@statement("MQTT-3.3.2-3")
def retained_messages_match_in_the_same_way(t):
    publisher = clean(t)
    for number, (topic_filter, matching, others) in enumerate(MATCHES):
        root = t.topic("%d" % number)
        for name in matching + others:
            publisher.publish(root + "/" + name, b"x", qos=1, retain=True)
        client = clean(t)
        client.subscribe(root + "/" + topic_filter, qos=0)
        found = sorted(client.expect(wire.PUBLISH).topic for _ in matching)
        assert found == sorted(root + "/" + name for name in matching), (topic_filter, found)
        client.expect_nothing()
        client.disconnect()
        for name in matching + others:
            publisher.publish(root + "/" + name, b"", qos=1, retain=True)


@statement("MQTT-4.7.1-1", "MQTT-3.3.2-2")
def wildcards_are_for_filters_only(t):
    client, publisher = clean(t), clean(t)
    client.subscribe((t.topic("+"), 1), (t.topic("#"), 1))
    publisher.publish(t.topic("a"), b"x", qos=1)
    client.receive(t.topic("a"), b"x")
    for name in ("+", "#", "a/#", "+/b"):
        expect_end(t, wire.publish(V311, t.topic(name), b"x"))
    t.fence(publisher, client)


@statement("MQTT-4.7.1-2", "MQTT-4.8.0-1")
def a_misplaced_multi_level_wildcard_is_refused(t):
    for name in ("a#", "#a", "a/#b", "#/a", "a/#/b", "##", "a/##", "+#", "#+", "/#/", "a/#/"):
        refuse_filter(t, t.topic(name))
        refuse_filter(t, name)


@statement("MQTT-4.7.1-3", "MQTT-4.8.0-1")
def a_misplaced_single_level_wildcard_is_refused(t):
    for name in ("a+", "+a", "a/+b", "a+/b", "++", "a/++", "+/b+"):
        refuse_filter(t, t.topic(name))
        refuse_filter(t, name)


def refuse_filter(t, topic_filter):
    """An invalid filter is malformed in SUBSCRIBE and UNSUBSCRIBE alike."""
    expect_end(t, wire.subscribe(V311, 1, [(topic_filter, 0)]))
    expect_end(t, wire.subscribe(V311, 1, [(t.topic(), 0), (topic_filter, 0)]))
    expect_end(t, wire.unsubscribe(V311, 1, [topic_filter]))


@statement("MQTT-4.7.2-1", alone=True)
def wildcards_at_the_start_do_not_match_dollar_topics(t):
    broker = t.broker()
    publisher = t.client(version=V311, broker=broker)
    watchers = []
    for topic_filter in ("#", "+/a", "+/#", "+"):
        watcher = t.client(version=V311, broker=broker)
        assert watcher.subscribe(topic_filter, qos=1).codes == [1]
        watchers.append(watcher)
    inside = t.client(version=V311, broker=broker)
    inside.subscribe(("$mine/#", 1), ("$mine/+", 1), ("$mine/a", 1))
    for topic in ("$mine/a", "$mine", "$/a", "$a", "$"):
        publisher.publish(topic, b"hidden", qos=1)
    inside.receive("$mine/a", b"hidden")
    inside.receive("$mine", b"hidden")
    inside.expect_nothing()
    publisher.publish("seen/a", b"seen", qos=1)
    for watcher in watchers[:3]:
        watcher.receive("seen/a", b"seen")
    publisher.publish("seen", b"seen", qos=1)
    watchers[3].receive("seen", b"seen")


@statement("MQTT-4.7.2-1", alone=True)
def wildcards_at_the_start_bring_no_retained_dollar_topics(t):
    broker = t.broker()
    publisher = t.client(version=V311, broker=broker)
    publisher.publish("$mine/a", b"hidden", qos=1, retain=True)
    publisher.publish("seen/a", b"seen", qos=1, retain=True)
    for topic_filter in ("#", "+/a", "+/#"):
        watcher = t.client(version=V311, broker=broker)
        watcher.subscribe(topic_filter, qos=1)
        watcher.receive("seen/a", b"seen", retain=True)
        watcher.expect_nothing()
    inside = t.client(version=V311, broker=broker)
    inside.subscribe("$mine/#", qos=1)
    inside.receive("$mine/a", b"hidden", retain=True)


@statement("MQTT-4.7.2-1")
def sys_topics_have_to_be_asked_for(t):
    client = clean(t)
    client.subscribe("$SYS/broker/version", qos=0)
    client.receive("$SYS/broker/version", retain=True)


@statement("MQTT-4.7.3-1")
def empty_topics_and_filters_end_the_connection(t):
    expect_end(t, wire.publish(V311, "", b"x"))
    expect_end(t, wire.publish(V311, "", b"x", 1, packet_id=1))
    expect_end(t, wire.subscribe(V311, 1, [("", 0)]))
    expect_end(t, wire.unsubscribe(V311, 1, [""]))
    client = t.raw(V311)
    client.send(wire.connect(V311, t.id(), will=wire.Will("", b"x")))
    client.expect_closed()


@statement("MQTT-4.7.3-1")
def one_character_is_enough(t):
    client = clean(t)
    for topic in ("/", "\u20ac", "\U0001f600"):
        assert client.subscribe(topic, qos=1).codes == [1]
        client.publish(topic, t.topic(), qos=1)
        while client.receive(topic).payload != t.topic().encode():
            pass  # of another test that uses this topic
        client.unsubscribe(topic)


@statement("MQTT-4.7.3-2")
def a_null_character_in_topics_and_filters_ends_the_connection(t):
    for name in (b"a\0", b"\0", b"a/\0/b"):
        expect_end(t, wire.publish(V311, t.topic().encode() + name, b"x"))
        expect_end(t, wire.subscribe(V311, 1, [(t.topic().encode() + name, 0)]))
        expect_end(t, wire.unsubscribe(V311, 1, [t.topic().encode() + name]))


@statement("MQTT-4.7.3-3")
def topics_and_filters_of_65535_bytes_are_served(t):
    client = clean(t)
    root = t.topic("long/")
    topic = root + "x" * (65535 - len(root))
    for topic_filter in (topic, root + "+"):
        assert client.subscribe(topic_filter, qos=1).codes == [1]
        client.publish(topic, b"x", qos=1)
        client.receive(topic, b"x")
        client.unsubscribe(topic_filter)
    client.subscribe(topic, qos=1)
    client.publish(topic[:-1] + "y", b"other", qos=1)
    client.publish(topic[:-1], b"other", qos=1)
    t.fence(client, client)


@scenario
def many_levels_are_served_or_refused_one_by_one(t):
    # A filter of thousands of levels is valid. A server with a limit refuses that filter, and nothing else.
    client = clean(t)
    deep = t.topic("ab/" * 20000)
    codes = client.subscribe((t.topic("a"), 1), (deep, 1), (t.topic("b"), 1)).codes
    assert codes[1] in (1, 0x80) and codes[::2] == [1, 1], codes
    client.publish(t.topic("b"), b"x", qos=1)
    client.receive(t.topic("b"), b"x")
    if codes[1] == 1:
        client.publish(deep, b"x", qos=1)
        client.receive(deep, b"x")


@statement("MQTT-4.7.3-4")
def nothing_is_normalized(t):
    # Case, white space, empty levels, dots, Unicode composition, compatibility and byte order marks all tell apart.
    names = ["a", "A", " a", "a ", "a/", "/a", "a//", ".", "..", "./a", "a/../a", "%61", "\u00e9", "e\u0301", "\ufb01", "fi",
             "\u00c5", "\u212b", "\u0130", "i", "\uff41", "\u3000", "a\u00ad", "\ufeffa"]
    publisher = clean(t)
    watchers = {}
    for name in names:
        watchers[name] = clean(t)
        watchers[name].subscribe(t.topic() + "/" + name, qos=1)
    for name in names:
        publisher.publish(t.topic() + "/" + name, name, qos=1)
    for name, watcher in watchers.items():
        watcher.receive(t.topic() + "/" + name, name)
    t.fence(publisher, *watchers.values())


@statement("MQTT-4.7.3-4")
def retained_topics_are_not_normalized(t):
    names = ["a", "A", "a ", "a/", "a//", "\u00e9", "e\u0301", "\u00c5", "\u212b"]
    publisher = clean(t)
    for name in names:
        publisher.publish(t.topic() + "/" + name, name, qos=1, retain=True)
    for name in names:
        client = clean(t)
        client.subscribe(t.topic() + "/" + name, qos=1)
        client.receive(t.topic() + "/" + name, name, retain=True)
        client.expect_nothing()
        publisher.publish(t.topic() + "/" + name, b"", qos=1, retain=True)


@scenario
def shared_subscriptions_work_for_3_1_1_clients(t):
    # The name is of 5.0, but users of 3.1.1 clients know it from every server.
    publisher = clean(t)
    members = [clean(t) for _ in range(2)]
    for member in members:
        assert member.subscribe("$share/group/" + t.topic(), qos=1).codes == [1]
    payloads = {b"%d" % n for n in range(20)}
    for payload in sorted(payloads):
        publisher.publish(t.topic(), payload, qos=1)
    got = []
    while len(got) < len(payloads):
        member = wire.first_ready(members)
        got.append(member.receive(t.topic()).payload)
    assert sorted(got) == sorted(payloads)
    for member in members:
        member.expect_nothing()
