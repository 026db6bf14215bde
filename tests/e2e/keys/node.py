"""What each key of [node], [sys] and [log] does."""
import json
import os
import pwd
import re
import signal
import socket

from control import over_http
from harness import BINARY, HOST, Skipped, expect_equal
from keys.scenario import shows
from sockets import end_of_stream, wire

QUOTA = 0x97


# ---- the process ----

@shows("node.data", {'"{dir}/a"': ["a"], '"{dir}/b"': ["b"]})
def keeps_everything_there(door):
    return [name for name in ("a", "b") if holds_lock(door.directory / name / "nightjar.lock", door.process.pid)]


def holds_lock(path, pid):
    return path.exists() and path.read_text() == f"{pid}\n"


@shows("node.durability", {'"fsync"': ("a power cut", [b"1"]), '"os"': ("the end of the process, not a power cut", [b"1"]),
                           '"memory"': ("no restart", [])})
def keeps_what_it_acknowledged(door):
    # What a power cut leaves is shown by the store's own tests, on a disk that can lose its power.
    door.connect().publish("kept", b"1", qos=1, retain=True)
    promised = [found.group(1) for line in door.lines() if (found := re.search("acknowledged survives (.*)$", line))]
    door.process.kill()
    again = door.case.spawn(door.process.command, "broker again")
    again.wait_line("try: nightjar")
    reader = door.connect()
    reader.subscribe("kept")
    came_back = [packet.payload for packet in reader.drain()]
    again.kill()
    return promised[0] if promised else "no restart", came_back


@shows("node.workers", {"1": 1, "3": 3})
def has_so_many_workers(door):
    return over_http(door, "GET", "/api/v1/stats")[1]["node"]["workers"]


@shows("node.pid_file", {'"{dir}/a.pid"': ["a.pid"], '"{dir}/b.pid"': ["b.pid"]})
def writes_its_process_id_there(door):
    found = [name for name in ("a.pid", "b.pid") if (door.directory / name).exists()]
    expect_equal([(door.directory / name).read_text().strip() for name in found], [str(door.process.pid)], "the id")
    door.process.signal(signal.SIGTERM)
    door.process.finish()
    expect_equal([name for name in found if (door.directory / name).exists()], [], "files after the end")
    return found


def as_root(case):
    if os.geteuid() != 0:
        raise Skipped("only root can become somebody else")
    case.directory().chmod(0o755)


@shows("node.user", {'"nobody"': "nobody", '"daemon"': "daemon"}, prepare=as_root)
def becomes_that_user(door):
    return pwd.getpwuid(os.stat(f"/proc/{door.process.pid}").st_uid).pw_name


@shows("node.placement", {'"spread"': "all workers", '"adaptive"': "one worker"}, beside={"node.workers": "2"})
def serves_with(door):
    for _ in range(16):
        door.connect()
    workers = over_http(door, "GET", "/api/v1/stats")[1]["workers"]
    return "all workers" if all(worker["clients_connected"] for worker in workers) else "one worker"


@shows("node.shards", {"32": (200, 404), "64": (200, 200)})
def has_so_many_shards(door):
    return tuple(over_http(door, "POST", f"/api/v1/shards/{shard}/move", {"worker": 0})[0] for shard in (31, 63))


WRITABLE, READABLE = "topic readwrite kept\n", "topic read kept\n"


@shows("node.check_retained_source", {"true": [], "false": [b"1"]}, beside={"auth.acl_file": '"{dir}/acl"'},
       prepare=lambda case: case.file("acl", WRITABLE))
def asks_whether_the_publisher_still_may(door):
    client = door.connect()
    client.publish("kept", b"1", qos=1, retain=True)
    door.case.file("acl", READABLE)
    door.case.run([BINARY, "ctl", "reload", "--data", door.data], "nightjar ctl")
    client.subscribe("kept")
    door.case.file("acl", WRITABLE)  # for the next broker
    return [packet.payload for packet in client.drain()]


# ---- limits of all clients together ----

def refusal_of(acknowledgement):
    """Its code if that is one, else 0: nobody has to be subscribed."""
    return acknowledgement.code if acknowledgement.code >= 0x80 else 0


@shows("node.max_retained_messages", {"1": QUOTA, "2": 0})
def keeps_so_many_retained_messages(door):
    client = door.connect()
    return [refusal_of(client.publish(topic, b"kept", qos=1, retain=True)) for topic in ("a", "b")][-1]


@shows("node.max_retained_bytes", {'"100B"': QUOTA, '"1KiB"': 0})
def keeps_so_many_retained_bytes(door):
    client = door.connect()
    return [refusal_of(client.publish(topic, b"x" * 80, qos=1, retain=True)) for topic in ("a", "b")][-1]


@shows("node.max_connections", {"1": "closed", "2": "in"})
def closes_further_connections(door):
    door.connect()
    second = door.raw()
    second.try_send(wire.connect(client_id=door.case.client_id("second")))
    return "closed" if second.recv_or_end() is None else "in"


@shows("node.max_sessions", {"1": QUOTA, "2": 0})
def refuses_further_sessions(door):
    door.away("q")
    return door.code()


@shows("node.max_stranger_bytes", {'"64KiB"': "closed", '"1MiB"': "in"})
def lets_strangers_hold_so_much(door):
    client = door.raw()
    connect = wire.connect(client_id="c", will=wire.Will("w", b"x" * 60_000), username="u" * 60_000, password=b"p" * 60_000)
    client.try_send(connect[:-1])
    client.try_send(connect[-1:])
    answer = client.recv_or_end()
    return "closed" if answer is None or answer.code else "in"


@shows("node.max_unfinished_bytes", {'"1MiB"': QUOTA, '"8MiB"': 0})
def lets_parts_of_packets_hold_so_much(door):
    client = door.connect()
    packet = wire.publish(wire.V5, "t", b"x" * (4 << 20), 1, packet_id=1)
    for at in range(0, len(packet), 1 << 18):
        client.try_send(packet[at:at + (1 << 18)])
    found = client.recv()
    return found.code if found.type == wire.DISCONNECT else expect_equal(found.type, wire.PUBACK, "answer") or 0


# ---- $SYS ----

@shows("sys.interval", {"0": "never", '"1d"': "once", '"20ms"': "again and again"},
       beside={"limits.connect_timeout": '"500ms"'})
def publishes_every(door):
    client = door.connect()
    client.subscribe("$SYS/broker/messages/received")
    # The broker's own timer measures the time: it closes who does not connect.
    silent = socket.create_connection((HOST, door.port))
    door.case.close_at_end(silent)
    end_of_stream(silent)
    return ("never", "once", "again and again")[min(len(client.drain()), 2)]


# ---- the log ----

def lines_of_a_visit(door):
    """All that is logged up to the end of the broker, in which a client came and went."""
    door.connect("visitor").disconnect()
    door.process.signal(signal.SIGTERM)
    expect_equal(door.process.finish(), 0, "exit status")
    return door.lines()


@shows("node.log_connections", {"true": True, "false": False})
def logs_who_comes(door):
    return any("client=visitor" in line for line in lines_of_a_visit(door))


@shows("log.level", {'"debug"': (True, True), '"info"': (False, True), '"warn"': (False, False),
                     '"error"': (False, False)}, is_silent=True)
def leaves_out_what_is_below(door):
    client = door.connect()
    client.publish("t", b"", qos=1)
    lines = lines_of_a_visit(door)
    return any(re.search(r" debug ", line) for line in lines), any("visitor" in line for line in lines)


def is_json(line):
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


@shows("log.format", {'"text"': False, '"json"': True})
def is_for_programs(door):
    return all(is_json(line) for line in lines_of_a_visit(door))


@shows("log.destination", {'"{dir}/a.log"': ["a.log"], '"{dir}/b.log"': ["b.log"], '"stdout"': ["terminal"],
                           '"stderr"': ["terminal"], '"none"': [], '"syslog"': []}, is_silent=True)
def goes_there(door):
    lines = lines_of_a_visit(door)
    found = [path.name for path in sorted(door.directory.glob("*.log")) if "client=visitor" in path.read_text()]
    for name in found:
        (door.directory / name).unlink()
    return found + (["terminal"] if any("client=visitor" in line for line in lines) else [])


@shows("log.time", {"true": True, "false": False})
def begins_with_the_time(door):
    return all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ", line) for line in lines_of_a_visit(door))


@shows("log.time_format", {'"%Y"': r"\d{4}: ", '"at %H:%M"': r"at \d\d:\d\d: "})
def writes_the_time_so(door):
    lines = lines_of_a_visit(door)
    return next(form for form in (r"\d{4}: ", r"at \d\d:\d\d: ") if all(re.match(form, line) for line in lines))
