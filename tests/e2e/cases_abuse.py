"""Clients that misbehave, and too many of them: each is dealt with, costs bounded memory, and others notice nothing."""
import pathlib
import random
import re
import resource
import socket

from harness import HOST, case, expect, expect_equal, keeps_freed_memory, wait_until
from sockets import connected, end_of_stream, is_ended, raw, wire

MIB = 1 << 20
HALF_OPEN = 1000
OPEN_FILES_MAX = 64
CLOCK_TICKS_PER_S = 100  # of /proc/PID/stat on Linux


def resident_bytes(broker):
    status = pathlib.Path(f"/proc/{broker.pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M).group(1)) * 1024


def peak_bytes(broker):
    status = pathlib.Path(f"/proc/{broker.pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M).group(1)) * 1024


def expect_growth_below(broker, before, limit, what):
    grown = peak_bytes(broker) - before
    expect(grown < limit or keeps_freed_memory(broker.pid), f"memory grew by {grown // MIB} MiB for {what}")


def round_trip(client, topic, payload=b"ping"):
    """The client publishes to itself: the broker serves it while others misbehave."""
    client.publish(topic, payload, qos=1)
    client.receive(topic, payload)


def healthy(case, broker):
    client = connected(case, case.client_id("well"), port=broker.port)
    client.subscribe("healthy", qos=1)
    round_trip(client, "healthy")
    return client


@case("abuse/half_open", alone=True)
def half_open_sockets_are_closed_while_a_healthy_client_goes_on(case):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    broker = case.start_broker()
    client = healthy(case, broker)
    start_of_connect = wire.connect(wire.V5, "never-finished")[:9]
    silent = []
    for n in range(HALF_OPEN):
        plain = socket.create_connection((HOST, broker.port))
        case.close_at_end(plain)
        if n % 2:
            plain.sendall(start_of_connect)
        silent.append(plain)
    round_trip(client, "healthy")
    expect(not is_ended(silent[-1]), "a connection gets some time for its CONNECT")

    def all_closed():
        round_trip(client, "healthy")
        for plain in [plain for plain in silent if is_ended(plain)]:
            plain.close()
            silent.remove(plain)
        return not silent
    wait_until(all_closed, f"{HALF_OPEN} half-open connections to be closed")
    round_trip(client, "healthy")
    connected(case, "newcomer", port=broker.port).disconnect()


@case("abuse/open_files", alone=True)
def too_many_open_files_pause_accepting_without_spinning(case):
    broker = case.start_broker(open_files_max=OPEN_FILES_MAX)
    client = healthy(case, broker)
    crowd = []

    def crowd_until_refused():
        # Beyond the limit the kernel completes connections, but the broker answers none of them.
        newcomer = raw(case, wire.V311, f"crowd{len(crowd)}", broker.port)
        newcomer.send(wire.connect(wire.V311, f"crowd{len(crowd)}", keep_alive=0))
        crowd.append(newcomer)
        return len(crowd) >= 2 * OPEN_FILES_MAX
    wait_until(crowd_until_refused, "the crowd to come")
    pause = "accepting pauses"
    broker.wait_line(pause)
    round_trip(client, "healthy")

    # While the pause lasts, the broker neither repeats itself nor uses the processor.
    observed_s = 2
    ticks = broker.cpu_ticks()
    waiting = crowd[-1].sock
    expect(not wire.ready_of([waiting], observed_s), "a client beyond the limit is not served during the pause")
    ticks = broker.cpu_ticks() - ticks
    expect(ticks <= observed_s * CLOCK_TICKS_PER_S // 20,
           f"a paused broker rests, but it used {ticks} ticks in {observed_s} s")
    said = [line for line in broker.lines() if re.search(pause, line)]
    expect_equal(len(said), 1, f"the pause is said once: {said}")

    served = [one for one in crowd if wire.ready_of([one.sock], 0)]
    expect(len(served) >= OPEN_FILES_MAX // 4, f"{len(served)} were served before the limit")
    waiting = [one for one in crowd if one not in served]
    for one in served:
        one.close()
    # Places are free again: those who waited get their CONNACK, as many as fit.
    expect_equal(waiting[0].expect(wire.CONNACK).code, 0, "CONNACK of the first that waited")
    round_trip(client, "healthy")


@case("abuse/never_reads", alone=True)
def a_client_that_never_reads_costs_bounded_memory(case):
    broker = case.start_broker()
    client = healthy(case, broker)
    sleeper = raw(case, wire.V5, "sleeper", broker.port)
    sleeper.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    expect_equal(sleeper.connect("sleeper").code, 0, "CONNACK")
    sleeper.subscribe("flood/#")
    flood_bytes, piece = 256 * MIB, 65536
    before = resident_bytes(broker)
    for n in range(flood_bytes // piece):
        client.publish("flood/0", b"x" * piece)
        if n % 256 == 0:
            round_trip(client, "healthy")
    round_trip(client, "healthy")
    expect_growth_below(broker, before, flood_bytes // 4, f"{flood_bytes // MIB} MiB that were not read")


@case("abuse/never_reads_qos1", alone=True)
def a_subscriber_that_never_acknowledges_costs_bounded_memory(case):
    broker = case.start_broker()
    client = healthy(case, broker)
    sleeper = connected(case, "sleeper", wire.V311, broker.port)
    sleeper.subscribe("flood/#", qos=1)
    flood_bytes, piece = 256 * MIB, 65536
    before = resident_bytes(broker)
    for _ in range(flood_bytes // piece):
        client.publish("flood/1", b"x" * piece, qos=1)
    round_trip(client, "healthy")
    expect_growth_below(broker, before, flood_bytes // 2, f"{flood_bytes // MIB} MiB that were not acknowledged")


@case("abuse/long_topic")
def a_topic_of_65535_bytes_is_a_topic(case):
    for version in (wire.V311, wire.V5):
        longest = "a" * (65535 - len(case.topic) - 1)
        topic = f"{case.topic}/{longest}"
        expect_equal(len(topic), 65535, "length of the topic")
        client = connected(case, case.client_id("long"), version)
        expect_equal(client.subscribe(topic, qos=1).codes, [1], "SUBACK")
        client.publish(topic, b"far", qos=1)
        client.receive(topic, b"far")
        client.publish(topic, b"kept", qos=1, retain=True)
        client.receive(topic, b"kept")
        client.publish(topic, b"", qos=1, retain=True)
        client.receive(topic, b"")
        client.disconnect()


@case("abuse/many_levels")
def thousands_of_levels_are_served_or_refused(case):
    client = connected(case, case.client_id("deep"))
    well = healthy(case, case.broker)
    topic = "/" * 65535
    watcher = connected(case, case.client_id("watch"))
    code = watcher.subscribe("+/" * 32767 + "+", qos=1).codes[0]
    expect(code == 1 or code >= 0x80, f"SUBACK for 32 768 levels of +: 0x{code:02x}")
    client.send(wire.publish(wire.V5, topic, b"deep", 1, packet_id=1))
    answer = client.recv()
    if answer.type == wire.PUBACK:
        expect(answer.code in (0x00, 0x10) or answer.code >= 0x80, f"PUBACK code 0x{answer.code:02x}")
    else:
        expect_equal(answer.type, wire.DISCONNECT, "a refusal names its reason")
    round_trip(well, "healthy")


@case("abuse/declared_length", alone=True)
def a_declared_length_reserves_no_memory(case):
    broker = case.start_broker()
    client = healthy(case, broker)
    before = resident_bytes(broker)
    for packet_type in (0x10, 0x30):
        for _ in range(100):
            liar = socket.create_connection((HOST, broker.port))
            case.close_at_end(liar)
            liar.sendall(bytes([packet_type]) + b"\xff\xff\xff\x7f")
    round_trip(client, "healthy")
    expect_growth_below(broker, before, 32 * MIB, "200 lengths of 256 MiB that never came")


@case("abuse/long_client_id", alone=True)
def a_long_client_id_is_held_once_however_many_groups_it_joins(case):
    broker = case.start_broker()
    client = healthy(case, broker)
    groups, long_id = 5000, "c" * 65535
    before = resident_bytes(broker)
    member = connected(case, long_id, port=broker.port)
    expect_equal(set(member.subscribe(*(f"$share/team/{n}" for n in range(groups))).codes), {0}, "SUBACK")
    round_trip(client, "healthy")
    member.close()
    round_trip(client, "healthy")
    expect_growth_below(broker, before, 64 * MIB, f"one client in {groups} groups")


@case("abuse/garbage", alone=True)
def garbage_ends_its_own_connection_only(case):
    broker = case.start_broker()
    client = healthy(case, broker)
    chance = random.Random(20)
    valid = [wire.publish(wire.V5, "a/b", b"x" * 20, 1, packet_id=7), wire.subscribe(wire.V5, 8, [("a/#", 1)]),
             wire.unsubscribe(wire.V5, 9, ["a/#"]), wire.ack(wire.PUBREL, 7), wire.pingreq()]
    for n in range(300):
        stranger = socket.create_connection((HOST, broker.port))
        case.close_at_end(stranger)
        data = bytearray(wire.connect(wire.V5, f"g{n}") + b"".join(chance.choices(valid, k=4)))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            stranger.sendall(data)
            stranger.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the broker was faster
        end_of_stream(stranger)
        if n % 50 == 0:
            round_trip(client, "healthy")
    round_trip(client, "healthy")
    expect(broker.is_running, "the broker runs")


@case("abuse/subscription_bomb", alone=True)
def a_subscription_bomb_does_not_hurt_others(case):
    broker = case.start_broker()
    client = healthy(case, broker)
    bomber = connected(case, "bomber", port=broker.port)
    filters_each, rounds = 1000, 50
    ended = False
    for n in range(rounds):
        packet_id = n + 1
        bomber.try_send(wire.subscribe(wire.V5, packet_id, [(f"+/{n}/{k}/#", 1) for k in range(filters_each)]))
        answer = bomber.recv_or_end()
        if answer is None or answer.type == wire.DISCONNECT:
            ended = True
            break
        expect_equal(answer.type, wire.SUBACK, "answer to SUBSCRIBE")
        expect(all(code == 1 or code >= 0x80 for code in answer.codes), "each filter is granted or refused")
        round_trip(client, "healthy")
    expect(ended or n == rounds - 1, "every SUBSCRIBE got its answer")
    round_trip(client, "healthy")
    expect_growth_below(broker, 0, 256 * MIB, f"{filters_each * rounds} filters")


@case("abuse/retained_tree", alone=True)
def a_hash_subscriber_over_many_retained_messages_shares_the_time(case):
    broker = case.start_broker()
    client = healthy(case, broker)
    count = 20000
    batch = b"".join(wire.publish(wire.V311, f"tree/{n % 100}/{n}", b"leaf", retain=True) for n in range(count))
    planter = connected(case, "planter", wire.V311, broker.port)
    planter.sock.sendall(batch)
    planter.publish("tree/end", b"", qos=1)
    before = resident_bytes(broker)
    sleepers = []
    for n in range(20):  # they ask for everything and read nothing
        sleeper = connected(case, f"sleeper{n}", wire.V311, broker.port)
        sleeper.send(wire.subscribe(wire.V311, 1, [("#", 0)]))
        sleepers.append(sleeper)
    reader = connected(case, "reader", wire.V311, broker.port)
    reader.send(wire.subscribe(wire.V311, 1, [("tree/#", 0)]))
    round_trip(client, "healthy")
    topics = set()
    while len(topics) < count:
        packet = reader.recv()
        if packet.type == wire.PUBLISH:
            topics.add(packet.topic)
    expect_growth_below(broker, before, 64 * MIB, "20 readers that do not read")
