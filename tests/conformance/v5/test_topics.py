"""4.7 topic names and filters, and $SYS."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.wire import V5


@statement("MQTT-4.7.2-1", alone=True)
def number_sign_does_not_show_sys_and_a_sys_filter_does(t):
    live_only = wire.options(qos=1, retain_handling=2)
    everything, plus, sys_only, publisher = t.client(), t.client(), t.client(), t.client()
    everything.subscribe(("#", live_only))
    plus.subscribe(("+/#", live_only), ("+/+/+", live_only), ("+/broker/#", live_only))
    sys_only.subscribe("$SYS/#")
    assert sys_only.receive().topic.startswith("$SYS/")
    publisher.publish("$other/broker/topic", b"x", qos=1)
    t.let_pass(2)
    publisher.publish("last/of/all", b"x", qos=1)
    for client in (everything, plus):
        topic = client.receive().topic
        while topic != "last/of/all":
            assert not topic.startswith("$"), "a wildcard showed %s" % topic
            topic = client.receive().topic


@statement("MQTT-4.7.2-1", alone=True)
def a_shared_number_sign_does_not_show_sys_either(t):
    member, publisher = t.client(), t.client()
    member.subscribe(("$share/all/#", 1), ("$share/two/+/+", 1))
    publisher.publish("$other/topic", b"x", qos=1)
    t.let_pass(2)
    publisher.publish("last/topic", b"x", qos=1)
    copies = 0
    while copies < 2:
        topic = member.receive().topic
        assert not topic.startswith("$"), "a wildcard showed %s" % topic
        copies += topic == "last/topic"


@statement("MQTT-4.7.2-1")
def wildcards_behind_a_dollar_level_match(t):
    client = t.client()
    root = "$" + t.topic()
    client.subscribe((root + "/+", 1), (root + "x/#", 1))
    client.publish(root + "/a", b"1", qos=1)
    client.receive(root + "/a", b"1")
    client.publish(root + "x/a/b", b"2", qos=1)
    client.receive(root + "x/a/b", b"2")


@scenario(alone=True)
def sys_topics_are_retained_and_tell_the_version(t):
    client = t.client()
    client.subscribe("$SYS/broker/version")
    found = client.receive("$SYS/broker/version")
    assert found.payload


@scenario(alone=True)
def clients_cannot_publish_below_sys(t):
    watcher, client = t.client(), t.client()
    watcher.subscribe("$SYS/broker/forged")
    client.publish("$SYS/broker/forged", b"x")
    answer = t.client().publish("$SYS/broker/forged", b"x", qos=1)
    assert answer.code in (0x00, 0x10, 0x87, 0x90), answer
    t.fence(client, watcher)


@scenario
def dollar_topics_of_other_names_are_ordinary(t):
    client = t.client()
    root = "$" + t.topic("x")
    assert client.subscribe(root + "/#", qos=1).codes == [1]
    client.publish(root + "/a", b"x", qos=1)
    client.receive(root + "/a", b"x")
    t.fence(client, client)


@statement("MQTT-4.7.3-1")
def one_character_is_enough(t):
    client, watcher = t.client(), t.client()
    for topic in ("/", " "):
        watcher.subscribe(topic, qos=1)
        client.publish(topic, b"for %s" % client.client_id.encode(), qos=1)
        found = watcher.receive(topic)
        assert found.payload
        watcher.unsubscribe(topic)


@statement("MQTT-4.7.3-3")
def topics_of_65535_bytes_are_served(t):
    client = t.client()
    for filler in ("x", "\u00fc"):
        root = t.topic()
        room = 65535 - len(root) - 1
        topic = root + "/" + filler * (room // len(filler.encode())) + "y" * (room % len(filler.encode()))
        assert len(topic.encode()) == 65535
        assert client.subscribe(topic, qos=1).codes == [1]
        client.publish(topic, b"x", qos=1)
        client.receive(topic, b"x")
        client.unsubscribe(topic)


@statement("MQTT-4.7.3-3")
def topics_of_65535_bytes_are_kept_with_wills_and_retained(t):
    topic = t.topic() + "/" + "x" * (65535 - len(t.topic()) - 1)
    client = t.client()
    client.publish(topic, b"kept", qos=1, retain=True)
    client.subscribe(topic, qos=1)
    client.receive(topic, b"kept", retain=True)
    client.publish(topic, b"", qos=1, retain=True)


@statement("MQTT-4.7.3-4")
def topics_that_look_alike_are_different(t):
    client = t.client()
    names = ["\u00e9", "e\u0301", "E\u0301", "a b", "a  b", "a%20b", "A B", "\u212b", "\u00c5", "a/b", "a//b", "a/./b",
             "a/../b", "a\\b", "\uff41", "a", "a ", " a", "\u200ba", "\u00df", "ss"]
    for name in names:
        client.subscribe(t.topic(name), qos=1, properties={"subscription_identifier": names.index(name) + 1})
    for name in names:
        client.publish(t.topic(name), name, qos=1)
        found = client.receive(t.topic(name), name)
        assert found.properties == {"subscription_identifier": [names.index(name) + 1]}
    t.fence(client, client)


@scenario
def case_and_levels_matter(t):
    client = t.client()
    client.subscribe(t.topic("a/b"), qos=1)
    for name in ("A/b", "a/B", "a/b/", "/a/b", "a", "a/b/c", "ab"):
        client.publish(t.topic(name), b"x", qos=1)
    t.fence(client, client)


@scenario
def the_number_of_levels_is_limited_and_199_slashes_are_not_too_many(t):
    client = t.client()
    allowed = "/".join("x" * 200)
    assert client.subscribe(allowed, qos=1).codes == [1]
    client.send(wire.publish(V5, allowed, b"x", qos=1, packet_id=9))
    client.reply(wire.PUBACK, 9, code=0)
    client.receive(allowed, b"x")
    client.unsubscribe(allowed)
    for many in ("/" * 200, "/".join("+" * 201), "x/" * 200 + "#", "/" * 65535):
        assert client.subscribe(many, qos=1).codes == [0x8F]
    t.expect_refusal(wire.publish(V5, "/" * 200, b"x"), 0x90)


@scenario
def a_will_topic_of_too_many_levels_is_refused(t):
    t.expect_connect_refusal(wire.connect(V5, t.id(), will=wire.Will("/" * 200, b"x")), 0x90)
