"""4.8 shared subscriptions."""

from conformance import wire
from conformance.suite import scenario, statement
from conformance.wire import V5


def shared(topic, group="g"):
    return "$share/%s/%s" % (group, topic)


@statement("MQTT-4.8.2-1", "MQTT-4.8.2-2")
def bad_share_names_are_refused(t):
    for bad in ("$share/", "$share//topic", "$share/g", "$share/g/", "$share/a+b/topic", "$share/+/topic",
                "$share/#/topic", "$share/a#/topic", "$share/#", "$share/g/a#", "$share/g/a/#/b"):
        client = t.client()
        client.send(wire.subscribe(V5, 1, [(bad, 0)]))
        answer = client.recv()
        if answer.type == wire.DISCONNECT:
            assert answer.code in (0x8F, 0x81, 0x82), (bad, answer)
        else:
            assert answer.type == wire.SUBACK and answer.codes == [0x8F], (bad, answer)


@statement("MQTT-4.8.2-1", "MQTT-4.8.2-2")
def a_shared_filter_takes_the_messages_of_the_filter_behind_the_name(t):
    publisher, member = t.client(), t.client()
    for number, (group, name) in enumerate((("g", "a/+"), ("x", "b/#"), ("\u00fc -$.", "c"), ("$share", "d"))):
        assert member.subscribe(shared(t.topic(name), group), qos=1).codes == [1], group
        topic = t.topic(name.replace("+", "x").replace("#", "x/y"))
        publisher.publish(topic, b"%d" % number, qos=1)
        member.receive(topic, b"%d" % number, qos=1)
        assert member.unsubscribe(shared(t.topic(name), group)).codes == [0]
        publisher.publish(topic, b"late", qos=1)
    t.fence(publisher, member)


def take_all(members, count):
    """Receives `count` messages, whoever of the members gets them. Payloads by member."""
    found = {member: [] for member in members}
    for _ in range(count):
        member = wire.first_ready(members)
        found[member].append(member.receive().payload)
    return found


@scenario
def each_message_goes_to_one_member_of_each_group(t):
    publisher = t.client()
    groups = {name: [t.client() for _ in range(3)] for name in ("one", "two")}
    for name, members in groups.items():
        for member in members:
            member.subscribe(shared(t.topic(), name), qos=1)
    plain = t.client()
    plain.subscribe(t.topic(), qos=1)
    count = 30
    for number in range(count):
        publisher.publish(t.topic(), b"%d" % number, qos=1)
    expected = sorted(b"%d" % number for number in range(count))
    for members in groups.values():
        found = take_all(members, count)
        assert sorted(sum(found.values(), [])) == expected
        assert all(found.values()), "a member that acknowledges got nothing: %r" % {
            member.name: len(one) for member, one in found.items()}
        t.fence(publisher, *members)
    for number in range(count):
        plain.receive(t.topic(), b"%d" % number)


@scenario
def groups_and_filters_are_kept_apart(t):
    """The same share name with another filter is another subscription."""
    publisher, first, second = t.client(), t.client(), t.client()
    first.subscribe(shared(t.topic("a")), qos=1)
    second.subscribe(shared(t.topic("b")), qos=1)
    for number in range(5):
        publisher.publish(t.topic("a"), b"a", qos=1)
        publisher.publish(t.topic("b"), b"b", qos=1)
    for _ in range(5):
        first.receive(t.topic("a"), b"a")
        second.receive(t.topic("b"), b"b")
    t.fence(publisher, first, second)


@scenario
def a_client_with_both_kinds_gets_both_copies(t):
    publisher, client = t.client(), t.client()
    client.subscribe(shared(t.topic()), qos=1, properties={"subscription_identifier": 1})
    client.subscribe(t.topic(), qos=1, properties={"subscription_identifier": 2})
    publisher.publish(t.topic(), b"x", qos=1)
    found = [client.receive(t.topic(), b"x") for _ in range(2)]
    assert sorted(sum([packet.properties["subscription_identifier"] for packet in found], [])) == [1, 2]
    t.fence(publisher, client)


@statement("MQTT-4.8.2-3", "MQTT-3.8.4-8")
def each_member_gets_its_own_granted_qos(t):
    publisher = t.client()
    members = {qos: t.client() for qos in (0, 1, 2)}
    for granted, member in members.items():
        assert member.subscribe(shared(t.topic()), qos=granted).codes == [granted]
    for published in (0, 1, 2):
        for _ in range(12):
            publisher.publish(t.topic(), b"x", qos=published)
        for _ in range(12):
            member = wire.first_ready(list(members.values()))
            granted = next(qos for qos, one in members.items() if one is member)
            member.receive(t.topic(), b"x", qos=min(published, granted))
    for granted, member in members.items():  # alone in the group, each is certain to get it
        for other in members.values():
            other.unsubscribe(shared(t.topic()))
        member.subscribe(shared(t.topic()), qos=granted)
        publisher.publish(t.topic(), b"x", qos=2)
        member.receive(t.topic(), b"x", qos=granted)


def qos_2_in_delivery(t):
    """Two members, of which one has a QoS 2 PUBLISH that it has not answered. Returns that member, the other one, the
    packet and the publisher."""
    publisher = t.client()
    members = [t.persistent("member-%d" % number) for number in range(2)]
    for member in members:
        member.subscribe(shared(t.topic()), qos=2)
    publisher.publish(t.topic(), b"x", qos=2)
    holder = wire.first_ready(members)
    packet = holder.expect(wire.PUBLISH, payload=b"x", qos=2)
    other = members[1 - members.index(holder)]
    return holder, other, packet, publisher


@statement("MQTT-4.8.2-4")
def a_qos_2_delivery_is_completed_with_its_member(t):
    holder, other, packet, publisher = qos_2_in_delivery(t)
    holder.drop()
    again = t.persistent(holder.name)
    again.receive(t.topic(), b"x", packet_id=packet.packet_id, dup=True)
    t.fence(publisher, again, other)


@statement("MQTT-4.8.2-4")
def a_qos_2_delivery_after_pubrec_is_completed_with_its_member(t):
    holder, other, packet, publisher = qos_2_in_delivery(t)
    holder.send(wire.ack(wire.PUBREC, packet.packet_id))
    holder.expect(wire.PUBREL, packet_id=packet.packet_id)
    holder.drop()
    again = t.persistent(holder.name)
    again.expect(wire.PUBREL, packet_id=packet.packet_id)
    again.send(wire.ack(wire.PUBCOMP, packet.packet_id))
    t.fence(publisher, again, other)


@statement("MQTT-4.8.2-5")
def a_qos_2_delivery_of_an_ended_session_goes_to_nobody_else(t):
    holder, other, _, publisher = qos_2_in_delivery(t)
    holder.disconnect(0x00, {"session_expiry_interval": 0})
    t.fence(publisher, other)
    publisher.publish(t.topic(), b"next", qos=2)
    other.receive(t.topic(), b"next")


@statement("MQTT-4.8.2-5")
def a_qos_2_delivery_goes_to_nobody_else_after_clean_start(t):
    holder, other, _, publisher = qos_2_in_delivery(t)
    holder.drop()
    t.client(holder.name, clean=True)
    t.fence(publisher, other)


@statement("MQTT-4.8.2-6", "MQTT-4.4.0-2")
def a_refused_delivery_goes_to_nobody_else(t):
    publisher = t.client()
    members = [t.client() for _ in range(3)]
    for member in members:
        member.subscribe(shared(t.topic()), qos=2)
    for qos, packet_type in ((1, wire.PUBACK), (2, wire.PUBREC)):
        for code in (0x80, 0x83, 0x97):
            publisher.publish(t.topic(), b"x", qos=qos)
            member = wire.first_ready(members)
            packet = member.expect(wire.PUBLISH, qos=qos)
            member.send(wire.ack(packet_type, packet.packet_id, V5, code))
            member.expect_nothing()
            t.fence(publisher, *members)


@scenario
def what_a_leaving_member_did_not_acknowledge_at_qos_1_goes_to_another(t):
    publisher = t.client()
    members = [t.client() for _ in range(2)]
    for member in members:
        member.subscribe(shared(t.topic()), qos=1)
    for number in range(4):
        publisher.publish(t.topic(), b"%d" % number, qos=1)
    held = {member: [] for member in members}
    for _ in range(4):
        member = wire.first_ready(members)
        held[member].append(member.expect(wire.PUBLISH))
    leaver, stayer = members if held[members[0]] else members[::-1]
    for packet in held[stayer]:
        stayer.send(wire.ack(wire.PUBACK, packet.packet_id))
    leaver.disconnect()
    found = {stayer.receive(t.topic()).payload for _ in held[leaver]}
    assert found == {packet.payload for packet in held[leaver]}


@scenario
def members_that_are_online_are_preferred(t):
    publisher, online, offline = t.client(), t.client(), t.persistent("offline")
    for member in (online, offline):
        member.subscribe(shared(t.topic()), qos=1)
    offline.disconnect()
    for number in range(10):
        publisher.publish(t.topic(), b"%d" % number, qos=1)
        online.receive(t.topic(), b"%d" % number)


@scenario
def a_group_whose_members_are_all_offline_keeps_messages(t):
    publisher, member = t.client(), t.persistent("member")
    member.subscribe(shared(t.topic()), qos=1)
    member.disconnect()
    for number in range(5):
        publisher.publish(t.topic(), b"%d" % number, qos=1)
    again = t.persistent("member")
    for number in range(5):
        again.receive(t.topic(), b"%d" % number)


@scenario
def shared_subscriptions_get_no_retained_messages(t):
    publisher, member = t.client(), t.client()
    publisher.publish(t.topic(), b"kept", qos=1, retain=True)
    member.subscribe(shared(t.topic()), qos=1)
    member.subscribe((shared(t.topic()), wire.options(qos=1, retain_handling=0)))
    t.fence(publisher, member)
    publisher.publish(t.topic(), b"", qos=1, retain=True)
    member.receive(t.topic(), b"")


@scenario
def a_share_is_not_a_topic(t):
    """Publishing to the name of a share reaches nobody in it."""
    publisher, member = t.client(), t.client()
    member.subscribe(shared(t.topic()), qos=1)
    publisher.publish(shared(t.topic()), b"x")
    t.fence(publisher, member)


@scenario
def members_of_older_versions_share_too(t):
    publisher = t.client()
    members = [t.client(version=version) for version in (V5, wire.V311)]
    for member in members:
        packet_id = member.packet_id()
        member.send(wire.subscribe(member.version, packet_id, [(shared(t.topic()), 1)]))
        member.expect(wire.SUBACK, packet_id=packet_id, codes=[1])
    for number in range(10):
        publisher.publish(t.topic(), b"%d" % number, qos=1)
    found = take_all(members, 10)
    assert sorted(sum(found.values(), [])) == [b"%d" % number for number in range(10)]
