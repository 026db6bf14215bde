"""`nightjar import`: what Debian's mosquitto kept arrives by Nightjar."""
import shutil
import signal
import socket

from harness import BINARY, HERE, HOST, case, expect, expect_equal, free_port

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin")
QUEUED = [(n, 1 + n % 2) for n in range(60)]


def mosquitto(case, port):
    directory = case.directory()
    directory.chmod(0o777)
    conf = directory / "mosquitto.conf"
    conf.write_text(f"listener {port} {HOST}\nallow_anonymous true\npersistence true\n"
                    f"persistence_location {directory}/\nmax_queued_messages 500\n")
    process = case.spawn([MOSQUITTO, "-c", conf], "mosquitto")
    process.wait_line("mosquitto version .* running")
    return process, conf


def client(case, port, *options):
    """A mosquitto_sub that has subscribed; it is away again."""
    case.run(["mosquitto_sub", "-h", HOST, "-p", port, "-c", "-E", *options])


def publish(case, port, topic, payload, *options):
    case.run(["mosquitto_pub", "-h", HOST, "-p", port, "-t", topic, "-m", payload, *options])


def fill(case, port):
    client(case, port, "-i", "old", "-q", "2", "-t", "line/#")
    client(case, port, "-V", "5", "-i", "new", "-q", "1", "-t", "line/#", "-x", "3600",
           "-D", "subscribe", "subscription-identifier", "9")
    publish(case, port, "state/1", "on", "-r", "-q", "1")
    publish(case, port, "state/2", "off", "-V", "5", "-r", "-D", "publish", "message-expiry-interval", "900",
            "-D", "publish", "user-property", "unit", "bar")
    for n, qos in QUEUED:
        publish(case, port, f"line/{n}", f"part {n}", "-q", str(qos))


def ended(process):
    process.signal(signal.SIGTERM)
    expect_equal(process.finish(), 0, "exit status")


def run_import(case, *arguments, status=0):
    process = case.spawn([BINARY, "import", *arguments], "nightjar import")
    expect_equal(process.finish(), status, f"exit status of import: {process.transcript()}")
    return "\n".join(process.lines())


def received(case, port, count, *options):
    process = case.spawn(["stdbuf", "-oL", "mosquitto_sub", "-h", HOST, "-p", str(port), "-d", "-C", str(count),
                          "-F", "message %t %q %r %p %P", *options], "mosquitto_sub")
    expect_equal(process.finish(), 0, "exit status of mosquitto_sub")
    return process


def messages(process):
    return [line.split(" ", 1)[1].strip() for line in process.lines() if line.startswith("message ")]


@case("import/everything that mosquitto kept arrives")
def everything_arrives(case):
    port = free_port()
    broker, conf = mosquitto(case, port)
    fill(case, port)
    ended(broker)
    output, data = case.directory() / "nightjar.toml", case.directory() / "data"
    report = run_import(case, conf, conf.with_suffix(".db"), "-o", output, "--data", data)
    expect("max_inflight_bytes" in report, report)
    served = case.spawn([BINARY, "serve", "-c", output], "nightjar")
    served.wait_line("listening on")

    new = received(case, port, len(QUEUED), "-V", "5", "-i", "new", "-c", "-x", "3600", "-q", "1", "-t", "none")
    expect_equal(messages(new), [f"line/{n} 1 0 part {n}" for n, _ in QUEUED], "messages of the 5.0 session, in order")
    old = received(case, port, len(QUEUED), "-i", "old", "-c", "-q", "2", "-t", "none")
    # mosquitto_sub prints a QoS 2 message when it is released, so the order is that of each QoS.
    for qos in (1, 2):
        expect_equal([m for m in messages(old) if m.split()[1] == str(qos)],
                     [f"line/{n} {qos} 0 part {n}" for n, q in QUEUED if q == qos], f"QoS {qos} of the 3.1.1 session")
    state = received(case, port, 2, "-V", "5", "-q", "1", "-t", "state/#")
    expect_equal(sorted(messages(state)), ["state/1 1 1 on", "state/2 0 1 off unit:bar"], "retained messages")
    for name in ("old", "new"):
        served.wait_line(f"client connected client={name} .*session=resumed")


@case("import/a damaged mosquitto.db writes nothing")
def damaged(case):
    port = free_port()
    broker, conf = mosquitto(case, port)
    publish(case, port, "state/1", "on", "-r", "-q", "1")
    ended(broker)
    db = conf.with_suffix(".db")
    cut = case.directory() / "cut.db"
    cut.write_bytes(db.read_bytes()[:-3])
    output, data = case.directory() / "nightjar.toml", case.directory() / "data"
    process = case.spawn([BINARY, "import", conf, cut, "-o", output, "--data", data], "nightjar import")
    expect_equal(process.finish(), 1, "exit status")
    expect("cut.db: at byte" in process.transcript(), process.transcript())
    expect(not output.exists() and not data.exists(), "something was written")


def dial(port, client_id):
    """A 3.1.1 connection that keeps its session, and the CONNACK."""
    stream = socket.create_connection((HOST, port), 10)
    name = client_id.encode()
    body = b"\0\x04MQTT\x04\0\0\x3c" + len(name).to_bytes(2, "big") + name
    stream.sendall(bytes([0x10, len(body)]) + body)
    return stream, exactly(stream, 4)


def exactly(stream, size):
    got = b""
    while len(got) < size:
        some = stream.recv(size - len(got))
        expect(some, f"the connection ended behind {got!r}")
        got += some
    return got


@case("import/what is in flight goes on where it was")
def in_flight(case):
    port = free_port()
    broker, conf = mosquitto(case, port)
    keeper, _ = dial(port, "keeper")
    keeper.sendall(b"\x82\x08\0\x01\0\x03f/#\x02")
    exactly(keeper, 5)
    pusher, _ = dial(port, "pusher")
    pusher.sendall(b"\x32\x08\0\x03f/1\0\x01A" + b"\x34\x08\0\x03f/2\0\x02B")
    exactly(pusher, 8)
    pusher.sendall(b"\x62\x02\0\x02")
    exactly(pusher, 4)
    pusher.sendall(b"\x34\x08\0\x03f/3\0\x03C")
    expect_equal(exactly(pusher, 4), b"\x50\x02\0\x03", "PUBREC of what is not released")
    exactly(keeper, 20)
    keeper.sendall(b"\x50\x02\0\x02")
    expect_equal(exactly(keeper, 4), b"\x62\x02\0\x02", "PUBREL")
    keeper.close()
    pusher.close()
    ended(broker)
    output, data = case.directory() / "nightjar.toml", case.directory() / "data"
    run_import(case, conf, conf.with_suffix(".db"), "-o", output, "--data", data)
    served = case.spawn([BINARY, "serve", "-c", output], "nightjar")
    served.wait_line("listening on")
    keeper, connack = dial(port, "keeper")
    expect_equal(connack, b"\x20\x02\x01\0", "session present")
    expect_equal(exactly(keeper, 24), b"\x3a\x08\0\x03f/1\0\x01A" + b"\x62\x02\0\x02" + b"\x34\x08\0\x03f/3\0\x03C",
                 "the repeated PUBLISH, the PUBREL, and what its publisher had not released")
    pusher, connack = dial(port, "pusher")
    expect_equal(connack, b"\x20\x02\x01\0", "session present")
    pusher.sendall(b"\x62\x02\0\x03")
    expect_equal(exactly(pusher, 4), b"\x70\x02\0\x03", "PUBCOMP")
    keeper.close()
    pusher.close()


@case("import/dynamic-security.json becomes users and rules")
def dynamic_security(case):
    roles = HERE / "mosquitto_access" / "roles.json"
    port = free_port()
    conf = case.file("m.conf", f"listener {port} {HOST}\n")
    output = case.directory() / "nightjar.toml"
    report = run_import(case, conf, roles, "-o", output)
    expect("client \"site/dora\" is disabled" in report, report)
    passwords, rules = output.with_suffix(".passwords"), output.with_suffix(".rules.toml")
    expect_equal(passwords.stat().st_mode & 0o777, 0o600, "who may read the passwords")
    expect("precedence = \"first\"" in rules.read_text(), "rules of which the first decides")
    expect('"cy" = "dev-1"' in rules.read_text(), "who may log in with one client id only")
    served = case.spawn([BINARY, "serve", "-c", output], "nightjar")
    served.wait_line("listening on")
    common = ["-h", HOST, "-p", str(port), "-V", "5", "-q", "1", "-m", "x", "-u", "ann"]
    case.run(["mosquitto_pub", *common, "-P", "pw-ann", "-t", "plant/1/state"])
    refused = case.spawn(["mosquitto_pub", *common, "-P", "pw-bob", "-t", "plant/1/state"], "mosquitto_pub")
    expect(refused.finish() != 0, "a wrong password is refused")
    denied = case.spawn(["mosquitto_pub", *common, "-P", "pw-ann", "-t", "plant/1/secret"], "mosquitto_pub")
    denied.finish()
    expect("Publish error: Not authorized" in denied.transcript() or "Not authorized" in denied.transcript(),
           denied.transcript())
