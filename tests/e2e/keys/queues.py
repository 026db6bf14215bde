"""What each key of [queue] and [shared.queue] does, and of [shared]."""
import time

from harness import wait_until
from keys.scenario import shows
from sockets import wire

QUOTA = 0x97
BODY = b"x" * 1000


def waited(door, share, messages, qos=1):
    """What of these payloads waits for a client that is away."""
    client_id = door.away(share + door.name)
    writer = door.connect()
    for payload in messages:
        writer.publish(door.name, payload, qos=qos)
    if not qos:
        writer.drain()
    return door.back(client_id)


def numbered(count, body=b""):
    return [b"%d" % n + body for n in range(count)]


for table, share in (("queue", ""), ("shared.queue", "$share/g/")):
    def keeps_so_many_messages(door, share=share):
        return len(waited(door, share, numbered(5)))

    def keeps_so_many_bytes(door, share=share):
        return len(waited(door, share, numbered(5, BODY)))

    def drops_what_waited_longer(door, share=share):
        client_id = door.away(share + door.name)
        door.connect().publish(door.name, b"old", qos=1)
        published = time.monotonic()
        wait_until(lambda: time.monotonic() > published + 0.02, "twenty milliseconds to pass")
        return door.back(client_id)

    shows(f"{table}.max_messages", {"2": 2, "4": 4})(keeps_so_many_messages)
    shows(f"{table}.max_bytes", {'"2100B"': 2, '"1MiB"': 5})(keeps_so_many_bytes)
    shows(f"{table}.max_age", {'"1ms"': [], '"1h"': [b"old"]})(drops_what_waited_longer)


@shows("queue.overflow", {'"drop-new"': (0, [b"1", b"2", b"3"]), '"drop-old"': (0, [b"1", b"3", b"4"]),
                          '"reject"': (QUOTA, [b"1", b"2", b"3"]), '"disconnect"': (0, "disconnected"),
                          '"conflate"': (0, [b"1", b"2", b"4"])},
       beside={"queue.max_messages": "2"})
def a_full_queue_does_so(door):
    slow = door.connect(properties={"receive_maximum": 1})
    slow.subscribe(f"{door.name}/#", qos=1)
    writer = door.connect()
    # The first one is in flight, the next two fill the queue.
    codes = [writer.publish(f"{door.name}/{topic}", payload, qos=1).code
             for topic, payload in (("a", b"1"), ("a", b"2"), ("b", b"3"), ("b", b"4"))]
    found = []
    while len(found) < 3:
        packet = slow.recv()
        if packet.type == wire.DISCONNECT:
            return codes[-1], "disconnected"
        found.append(packet.payload)
        slow.try_send(wire.ack(wire.PUBACK, packet.packet_id))
    return codes[-1], found + [packet.payload for packet in slow.drain()]


@shows("queue.queue_qos0_offline", {"true": [b"0"], "false": []})
def keeps_qos_0_too(door):
    return waited(door, "", [b"0"], qos=0)


@shows("queue.count_payload_only", {"true": 2, "false": 1}, beside={"queue.max_bytes": '"2000B"'})
def counts_topics_or_not(door):
    return len(waited(door, "", [BODY] * 5))


@shows("shared.queue.overflow", {'"drop-new"': (0, [b"0", b"1"]), '"drop-old"': (0, [b"1", b"2"]),
                                 '"reject"': (QUOTA, [b"0", b"1"])}, beside={"shared.queue.max_messages": "2"})
def a_full_queue_of_a_group_does_so(door):
    client_id = door.away(f"$share/g/{door.name}")
    writer = door.connect()
    codes = [writer.publish(door.name, payload, qos=1).code for payload in numbered(3)]
    return codes[-1], door.back(client_id)


class Group:
    """Two members that acknowledge nothing, or the second one at once."""

    def __init__(self, door):
        self.door = door
        self.topic = door.case.client_id("group")
        self.members = [door.connect(), door.connect()]
        for member in self.members:
            member.subscribe(f"$share/{self.topic}/{self.topic}/#", qos=1)

    def shares(self, messages, acknowledges=False):
        """How many messages each member gets; `messages`: pairs of a publisher and a topic below the group's."""
        counts = [0, 0]
        for publisher, topic in messages:
            publisher.publish(f"{self.topic}/{topic}", b"", qos=1)
            at = wire.first_ready(self.members)
            packet = at.expect(wire.PUBLISH)
            which = self.members.index(at)
            counts[which] += 1
            if acknowledges and which == 1:
                at.send(wire.ack(wire.PUBACK, packet.packet_id), wire.pingreq())
                at.expect(wire.PINGRESP)
        return counts


def is_spread(counts):
    return min(counts) > 0


@shows("shared.strategy", {'"least-in-flight"': "spares the busy one", '"round-robin"': "in turn",
                           '"sticky"': "always the same", '"hash-by-client"': "by publisher",
                           '"hash-by-topic"': "by topic"}, beside={"limits.max_inflight": "1000"})
def picks_members_so(door):
    one, many = door.connect(), [door.connect() for _ in range(16)]
    same = Group(door).shares([(one, "t")] * 8)
    publishers = Group(door).shares([(each, "t") for each in many])
    topics = Group(door).shares([(one, f"t{n}") for n in range(16)])
    if is_spread(same):
        spared = Group(door).shares([(one, "t")] * 8, acknowledges=True)
        return "in turn" if spared[0] == spared[1] else "spares the busy one"
    if is_spread(publishers) and is_spread(topics):
        return f"unclear: {same} {publishers} {topics}"
    return "by publisher" if is_spread(publishers) else "by topic" if is_spread(topics) else "always the same"
