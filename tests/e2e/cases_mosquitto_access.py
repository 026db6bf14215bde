"""Who may enter and do what with a mosquitto.conf: Debian's mosquitto, Nightjar with the same file, and Nightjar with
what `nightjar import` makes of it are asked the same over real sockets.

The files lie in mosquitto_access/; everybody's password is "pw-" and the name. src/cli/import_decisions_test.cc asks
more of the last two, in one process. A user "root" who may do everything is added to each file.
"""
import base64
import hashlib
import json
import random
import shutil
import signal

from cases_mosquitto_conf import Link, answers, dial, spawn, text_of
from harness import BINARY, HERE, HOST, Skipped, case, expect, expect_equal, free_port, wait_until
from sockets import wire

FILES = HERE / "mosquitto_access"
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin")
SEED = 20260731
# Mosquitto 2.0 cannot read them, or a certificate or key would be needed.
LEFT_OUT = {"plugins", "foreign_plugin", "certificates", "subjects", "keys", "prefixes"}
DENIED = 0x87

USERS = [None, "ann", "bob", "cy", "site/dora", "e+e", "sensor 1", "guest", "nobody"]
IDS = ["pump", "a/b", "dev-1", "x+", "c d"]
FILTERS = ["#", "+/#", "plant/#", "plant/+/state", "news/+", "news/#", "$SYS/broker/uptime"]
TOPICS = ["news/x", "news/internal", "plant/1", "plant/1/set", "plant/1/secret", "plant/2", "plant/sensor 1/x", "more",
          "dev/pump/up", "dev/a/b/up", "dev/pump/down/x", "dev/a/b/down", "dev/a/down", "home/ann/x",
          "home/ann/locked/x", "home/site/dora/x", "home/site", "home/cy/garage", "shared/ann-pump", "all/cy", "all/x",
          "public/x/state", "own/x", "guests/in", "guests/closed", "guests/guest/in", "a b/y/c", "a b/x/c", "/", "///x",
          "ann/pump/ann", "pumppump", "acme/news/x", "acme/secret", "pump/x", "other"]


def hashed(user):
    salt = b"0123456789ab"
    key = hashlib.pbkdf2_hmac("sha512", f"pw-{user}".encode(), salt, 101)
    return base64.b64encode(salt).decode(), base64.b64encode(key).decode()


def with_root(directory):
    salt, key = hashed("root")
    for path in directory.glob("*passwd"):
        path.write_text(path.read_text() + f"root:$7$101${salt}${key}\n")
    for path in directory.glob("*.acl"):
        path.write_bytes(path.read_bytes() + b"\nuser root\ntopic readwrite #\n")
    roles = json.loads((directory / "roles.json").read_text())
    roles["clients"].append({"username": "root", "password": key, "salt": salt, "iterations": 101,
                             "roles": [{"rolename": "root"}]})
    roles["roles"].append({"rolename": "root", "acls": [
        {"acltype": kind, "topic": "#", "priority": 0, "allow": True} for kind in ("publishClientSend",)]})
    (directory / "roles.json").write_text(json.dumps(roles))


def copied(case):
    directory = case.directory() / "mosquitto_access"
    shutil.copytree(FILES, directory)
    for path in (case.directory(), directory):
        path.chmod(0o777)
    with_root(directory)
    return directory


def enter(case, port, user, client_id, password=None):
    link = Link(dial(case, port))
    fields = {} if user is None else {"username": user, "password": (password or f"pw-{user}").encode()}
    return link, link.connect(client_id, **fields)


def next_of(link, kind, into=None):
    """The next packet of a type; what is published in between goes to `into`."""
    while True:
        packet = link.packet()
        expect(packet is not None, "the connection stays")
        if packet.type == kind:
            return packet
        if packet.type == wire.PUBLISH and into is not None:
            into.add(packet.topic)


def send(link, topic, packet_id):
    link.stream.sendall(wire.publish(wire.V5, topic, b"x", qos=1, packet_id=packet_id))
    return next_of(link, wire.PUBACK).code


def received(root, link, topics):
    """Which of the topics reach the client when root publishes them."""
    for number, topic in enumerate(topics):
        send(root, topic, number + 1)
    got = set()
    for _ in range(3):  # with several workers a message may come behind the first answer
        link.stream.sendall(wire.pingreq())
        next_of(link, wire.PINGRESP, got)
    return sorted(got)


def decisions_of(case, port, root, user, client_id, topics):
    link, connack = enter(case, port, user, client_id)
    if connack.code != 0:
        return {"CONNACK": connack.code}
    decisions = {"CONNACK": 0}
    filters = FILTERS + topics
    link.stream.sendall(wire.subscribe(wire.V5, 1, [(one, 0) for one in filters]))
    codes = next_of(link, wire.SUBACK).codes
    decisions["denied SUBSCRIBE"] = [one for one, code in zip(filters, codes) if code == DENIED]
    decisions["received"] = received(root, link, topics)
    decisions["denied PUBLISH"] = [one for number, one in enumerate(topics) if send(link, one, number + 1) == DENIED]
    return decisions


def all_decisions(case, name, process, ports):
    chance = random.Random(SEED)
    decisions = {}
    for port in ports:
        wait_until(lambda: answers(process, HOST, port), f"{name} to listen on {port}")
        root, connack = enter(case, port, "root", "root")
        expect_equal(connack.code, 0, f"CONNACK of root with {name}: {text_of(process)}")
        for user in USERS:
            client_id = chance.choice(IDS)
            topics = sorted(chance.sample(TOPICS, 18))
            decisions[port, user, client_id] = decisions_of(case, port, root, user, client_id, topics)
        for user in ("ann", "nobody"):
            _, connack = enter(case, port, user, "wrong", "not the password")
            decisions[port, user, "wrong password"] = connack.code
    process.signal(signal.SIGTERM)
    expect_equal(process.finish(), 0, f"exit status with {name}")
    return decisions


def ports_of(path):
    return [int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith("listener ")]


def compare(name, first, second, who):
    for key, wanted in first.items():
        # Against its manual 2.0.11 leaves the mount point in front of what it sends.
        if name == "mounted" and isinstance(wanted, dict) and "received" in wanted:
            wanted = {**wanted, "received": [topic.removeprefix("acme/") for topic in wanted["received"]]}
        expect_equal(second[key], wanted, f"{name}.conf, {key}: {who}")


def check_file(case, name):
    if MOSQUITTO is None:
        raise Skipped("mosquitto is not installed")
    directory = copied(case)
    ports = ports_of(directory / f"{name}.conf")
    real = all_decisions(case, f"mosquitto with {name}.conf", spawn(case, name, [MOSQUITTO], directory), ports)
    ours = all_decisions(case, f"{name}.conf", spawn(case, name, [BINARY], directory), ports)
    compare(name, real, ours, "Nightjar against mosquitto")
    case.run(["env", "-C", str(directory), BINARY, "import", f"{name}.conf", "-o", "nightjar.toml"])
    native = case.spawn(["env", "-C", str(directory), BINARY, "serve", "-c", "nightjar.toml"], "nightjar")
    compare(name, real, all_decisions(case, f"what became of {name}.conf", native, ports), "imported")


for _path in sorted(FILES.glob("*.conf")):
    if _path.stem not in LEFT_OUT:
        case(f"mosquitto_access/{_path.stem}")(lambda case, name=_path.stem: check_file(case, name))


# ---- who published a retained message ----

WRITER_MAY = "user writer\ntopic write state/#\nuser reader\ntopic read state/#\n"
WRITER_MAY_NOT = "user reader\ntopic read state/#\n"


def retained_for_reader(case, port):
    """The topics of the retained messages that a new subscription brings."""
    link, connack = enter(case, port, "reader", "r")
    expect_equal(connack.code, 0, "CONNACK of the reader")
    link.stream.sendall(wire.subscribe(wire.V5, 1, [("state/#", 0)]))
    got = set()
    next_of(link, wire.SUBACK, got)
    link.stream.sendall(wire.pingreq())
    next_of(link, wire.PINGRESP, got)
    link.stream.close()
    return sorted(got)


def source_conf(case, port, *more):
    acl = case.file("source.acl", WRITER_MAY)
    conf = case.file("source.conf", f"listener {port} {HOST}\nallow_anonymous true\nacl_file {acl}\npersistence true\n"
                                    f"persistence_location {case.directory()}/\n" + "".join(f"{line}\n" for line in more))
    case.directory().chmod(0o777)
    return conf, acl


def retain(case, port):
    link, connack = enter(case, port, "writer", "w")
    expect_equal(connack.code, 0, "CONNACK of the writer")
    link.stream.sendall(wire.publish(wire.V5, "state/1", b"on", qos=1, retain=True, packet_id=1))
    expect_equal(next_of(link, wire.PUBACK).code & 0x80, 0, "PUBACK")


def started(case, program, conf, port):
    process = case.spawn([program, "-c", str(conf)], "broker")
    wait_until(lambda: answers(process, HOST, port), "the broker to listen")
    return process


def check_source(case, program):
    port = free_port()
    conf, acl = source_conf(case, port)
    process = started(case, program, conf, port)
    retain(case, port)
    expect_equal(retained_for_reader(case, port), ["state/1"], "while the writer may write")
    acl.write_text(WRITER_MAY_NOT)
    process.signal(signal.SIGHUP)
    wait_until(lambda: retained_for_reader(case, port) == [], "the retained message to be held back after the reload")
    process.signal(signal.SIGTERM)
    expect_equal(process.finish(), 0, "exit status")
    process = started(case, program, conf, port)
    expect_equal(retained_for_reader(case, port), [], "after a restart")
    acl.write_text(WRITER_MAY)
    process.signal(signal.SIGHUP)
    wait_until(lambda: retained_for_reader(case, port) == ["state/1"], "the retained message to be there again")


@case("mosquitto_access/retained messages of who may publish no more")
def retained_source(case):
    check_source(case, BINARY)


@case("mosquitto_access/check_retain_source false")
def no_retained_source(case):
    port = free_port()
    conf, acl = source_conf(case, port, "check_retain_source false")
    process = started(case, BINARY, conf, port)
    retain(case, port)
    acl.write_text(WRITER_MAY_NOT)
    process.signal(signal.SIGHUP)
    process.wait_line("source.acl was 2 lines and is 1 line")
    expect_equal(retained_for_reader(case, port), ["state/1"], "whoever may publish now")
