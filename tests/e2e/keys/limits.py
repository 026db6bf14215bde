"""What each key of [limits] does."""
import socket

from harness import HOST, expect_equal
from keys.scenario import shows
from sockets import end_of_stream, is_ended, wire

NO_MATCHING, TOO_LARGE, TOO_MANY_IN_FLIGHT, BAD_ALIAS, FORBIDDEN_QOS, NO_RETAIN = 0x10, 0x95, 0x93, 0x94, 0x9B, 0x9A
BAD_CLIENT_ID, BAD_TOPIC, QUOTA, BAD_PAYLOAD, NOT_AUTHORIZED = 0x85, 0x90, 0x97, 0x83, 0x87


def disconnect_or(client, packet_type):
    """The code of the DISCONNECT that comes, or 0 if it is a packet of that type."""
    found = client.recv()
    return found.code if found.type == wire.DISCONNECT else expect_equal(found.type, packet_type, "packet") or 0


@shows("limits.connect_timeout", {'"100ms"': "closed", '"5m"': "open"})
def closes_who_does_not_connect(door):
    silent = socket.create_connection((HOST, door.port))
    door.case.close_at_end(silent)
    # As long as the shortest timeout, twice: the first one may have begun a little before.
    for _ in range(2):
        measure = socket.create_connection((HOST, door.others[0].port))
        door.case.close_at_end(measure)
        end_of_stream(measure)
    return "closed" if is_ended(silent) else "open"


@shows("limits.max_connect_size", {'"1KiB"': "closed", '"64KiB"': "in"})
def closes_a_larger_connect(door):
    client = door.raw()
    client.send(wire.connect(client_id="c" * 2000))
    answer = client.recv_or_end()
    return "in" if answer is not None and answer.type == wire.CONNACK and answer.code == 0 else "closed"


@shows("limits.max_packet_size", {'"2KiB"': (2048, TOO_LARGE), '"8KiB"': (8192, 0)})
def tells_and_enforces_the_packet_size(door):
    client = door.connect()
    client.send(wire.publish(wire.V5, "t", b"x" * 4000, 1, packet_id=1))
    return client.connack.properties["maximum_packet_size"], disconnect_or(client, wire.PUBACK)


@shows("limits.receive_maximum", {"2": (2, TOO_MANY_IN_FLIGHT), "5": (5, 0)})
def tells_and_enforces_the_receive_maximum(door):
    client = door.connect()
    for packet_id in (1, 2, 3):
        client.send(wire.publish(wire.V5, "t", b"", 2, packet_id=packet_id))
    answers = []
    while len(answers) < 3 and not (answers and answers[-1].type == wire.DISCONNECT):
        answers.append(client.recv())
    last = answers[-1]
    return client.connack.properties["receive_maximum"], last.code if last.type == wire.DISCONNECT else 0


def unacknowledged(door, payload):
    """How many of five messages come to a client that acknowledges none."""
    client = door.connect()
    client.subscribe("t", qos=1)
    for _ in range(5):
        client.publish("t", payload, qos=1)
    return sum(packet.type == wire.PUBLISH for packet in client.drain())


@shows("limits.max_inflight", {"2": 2, "4": 4})
def sends_so_many_without_acknowledgement(door):
    return unacknowledged(door, b"")


@shows("limits.max_inflight_bytes", {'"64KiB"': 2, '"1MiB"': 5})
def sends_so_many_bytes_without_acknowledgement(door):
    return unacknowledged(door, b"x" * 40_000)


@shows("limits.topic_alias_maximum", {"0": (None, BAD_ALIAS), "5": (5, 0)})
def tells_and_enforces_how_many_aliases(door):
    client = door.connect()
    client.send(wire.publish(wire.V5, "t", b"", 1, packet_id=1, properties={"topic_alias": 5}))
    return client.connack.properties.get("topic_alias_maximum"), disconnect_or(client, wire.PUBACK)


@shows("limits.topic_alias_maximum_out", {"0": 0, "1": 1})
def uses_so_many_aliases(door):
    client = door.connect(properties={"topic_alias_maximum": 10})
    client.subscribe("t/#")
    aliases = set()
    for topic in ("t/a", "t/a", "t/b", "t/b", "t/a"):
        client.publish(topic, b"")
        aliases.add(client.expect(wire.PUBLISH).properties.get("topic_alias"))
    return len(aliases - {None})


@shows("limits.max_keep_alive", {'"10s"': (10, 10), '"2h"': (None, 7200)})
def tells_a_shorter_keep_alive(door):
    asked, none = (door.connect(keep_alive=seconds).connack.properties.get("server_keep_alive") for seconds in (60, 0))
    return asked, none


@shows("limits.max_session_expiry", {'"1m"': 60, '"never"': None, '"0"': 0})
def tells_a_shorter_session_expiry(door):
    return door.connect(properties={"session_expiry_interval": 0xFFFFFFFF}).connack.properties.get(
        "session_expiry_interval")


@shows("limits.max_output_bytes", {'"64KiB"': "some dropped", '"64MiB"': "all came"})
def holds_so_much_for_who_does_not_read(door):
    reader, writer = door.connect(), door.connect()
    reader.subscribe("t", qos=1)
    # More than the buffers of two sockets hold.
    count = 256
    for _ in range(count):
        writer.publish("t", b"x" * 65536)
    writer.publish("t", b"end", qos=1)
    came = 0
    while reader.recv().payload != b"end":
        came += 1
    return "all came" if came == count else "some dropped"


@shows("limits.max_packet_size_out", {'"1KiB"': [5], "0": [5000, 5]})
def drops_what_is_larger_for_who_announces_nothing(door):
    client = door.connect(version=wire.V311)
    client.subscribe("t")
    for size in (5000, 5):
        client.publish("t", b"x" * size)
    return [len(packet.payload) for packet in client.drain()]


@shows("limits.max_outstanding_bytes", {'"8KiB"': "unsent", "0": "in the kernel"})
def holds_back_what_the_peer_has_not_confirmed(door):
    reader, writer = door.connect(), door.connect()
    reader.subscribe(door.name)
    # More than a socket takes whose owner does not read, less than both ends of a connection take.
    for _ in range(64):
        writer.publish(door.name, b"x" * 8192, qos=1)
    return "unsent" if door.client_info(reader.client_id)["unsent_bytes"] else "in the kernel"


@shows("limits.maximum_qos", {"0": (0, FORBIDDEN_QOS, FORBIDDEN_QOS), "1": (1, 0, FORBIDDEN_QOS), "2": (None, 0, 0)})
def tells_and_enforces_the_highest_qos(door):
    codes = []
    for qos, answer in ((1, wire.PUBACK), (2, wire.PUBREC)):
        client = door.connect()
        client.send(wire.publish(wire.V5, "t", b"", qos, packet_id=1))
        codes.append(disconnect_or(client, answer))
    return client.connack.properties.get("maximum_qos"), *codes


@shows("limits.retain_available", {"true": (None, 0), "false": (0, NO_RETAIN)})
def tells_and_enforces_whether_messages_are_retained(door):
    client = door.connect()
    client.send(wire.publish(wire.V5, door.name, b"", 1, retain=True, packet_id=1))
    return client.connack.properties.get("retain_available"), disconnect_or(client, wire.PUBACK)


def subscribed(door, topic_filter, properties=None):
    """The code that a SUBSCRIBE comes to, in the SUBACK or the DISCONNECT."""
    client = door.connect()
    client.send(wire.subscribe(wire.V5, 1, [(topic_filter, 0)], properties))
    answer = client.recv()
    return client.connack, answer.code if answer.type == wire.DISCONNECT else answer.codes[0]


@shows("limits.wildcard_subscription_available", {"true": (None, 0), "false": (0, 0xA2)})
def tells_and_enforces_wildcards(door):
    connack, code = subscribed(door, "a/+")
    return connack.properties.get("wildcard_subscription_available"), code


@shows("limits.subscription_identifier_available", {"true": (None, 0), "false": (0, 0xA1)})
def tells_and_enforces_subscription_identifiers(door):
    connack, code = subscribed(door, "a", {"subscription_identifier": 1})
    return connack.properties.get("subscription_identifier_available"), code


@shows("limits.shared_subscription_available", {"true": (None, 0), "false": (0, 0x9E)})
def tells_and_enforces_shared_subscriptions(door):
    connack, code = subscribed(door, "$share/g/a")
    return connack.properties.get("shared_subscription_available"), code


@shows("limits.max_topic_levels", {"2": (BAD_TOPIC, 0x8F), "3": (NO_MATCHING, 0)})
def refuses_deeper_topics(door):
    return door.connect().publish("a/b/c", b"", qos=1).code, subscribed(door, "a/b/c")[1]


@shows("limits.max_payload_size", {'"10B"': BAD_PAYLOAD, '"100B"': NO_MATCHING})
def refuses_larger_payloads(door):
    return door.connect().publish("t", b"x" * 50, qos=1).code


@shows("limits.max_connections", {"1": "closed", "2": "in"})
def closes_further_connections(door):
    door.connect()
    second = door.raw()
    second.try_send(wire.connect(client_id=door.case.client_id("second")))
    return "closed" if second.recv_or_end() is None else "in"


@shows("limits.mount_point", {'"a/"': ["a/x"], '""': ["x"]})
def stands_in_front_of_topics(door):
    watcher = door.others[1].connect()
    watcher.subscribe("#", qos=1)
    own = door.connect()
    own.subscribe("x", qos=1)
    own.publish("x", b"", qos=1)
    own.receive("x")  # its own way of saying it
    return [watcher.receive().topic]


def code_of_version(door, version):
    return door.code(version=version) == 0


@shows("limits.accept_3_1", {"true": True, "false": False})
def lets_3_1_in(door):
    return code_of_version(door, wire.V31)


@shows("limits.accept_3_1_1", {"true": True, "false": False})
def lets_3_1_1_in(door):
    return code_of_version(door, wire.V311)


@shows("limits.accept_5_0", {"true": True, "false": False})
def lets_5_0_in(door):
    return code_of_version(door, wire.V5)


@shows("limits.client_id_prefix", {'"a-"': (0, NOT_AUTHORIZED), '"b-"': (NOT_AUTHORIZED, 0)})
def refuses_other_client_ids(door):
    return door.code("a-1"), door.code("b-1")


@shows("limits.client_id_is_user_name", {"true": "one client", "false": "two clients"})
def takes_the_user_name_for_the_client_id(door):
    first, _ = (door.connect(client_id, username=door.name) for client_id in (f"{door.name}-1", f"{door.name}-2"))
    # Who is taken over is told before the other one is let in.
    first.send(wire.pingreq())
    return "one client" if first.recv().type == wire.DISCONNECT else "two clients"


@shows("limits.allow_empty_client_id", {"true": 0, "false": BAD_CLIENT_ID})
def assigns_client_ids(door):
    return door.code("")


@shows("limits.auto_id_prefix", {'"guest-"': "guest-", '"auto-"': "auto-"})
def assigned_ids_begin_so(door):
    client = door.raw()
    client.connect("")
    return client.client_id[:len(client.client_id) - 32]


@shows("limits.refuse_longer_keep_alive", {"true": 2, "false": 0}, beside={"limits.max_keep_alive": '"10s"'})
def refuses_a_longer_keep_alive(door):
    return door.code(version=wire.V311, keep_alive=60)


@shows("limits.upgrade_qos", {"true": 1, "false": 0})
def delivers_with_the_qos_of_the_subscription(door):
    client = door.connect()
    client.subscribe("t", qos=1)
    client.publish("t", b"")
    return client.receive("t").qos


@shows("limits.max_subscriptions", {"1": QUOTA, "2": 0})
def refuses_further_subscriptions(door):
    client = door.connect()
    client.subscribe("a")
    return client.subscribe("b").codes[0]
