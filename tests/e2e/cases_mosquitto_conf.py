"""mosquitto.conf: each file of mosquitto_conf/ is started as it is, and clients look whether it does what it says.

expected.toml has a table for each file:
    ports, closed       where it listens, and where it does not
    port_option         it names no listener: -p says where, on the loopback addresses only
    anonymous           whether a client without a user name may enter; also_open: a port where it may in any case
    host                where to connect
    args                of the command line
    status, says        it does not start: the exit status, and what stands on stderr
    warns, logs, never_logs, log_file, is_silent, pid_file   what is written
    versions, client_id, refused_ids, assigned, user, mount, payload_max, connack   what clients find
    needs               what the broker may not be able to do yet: then it says so and does not start
    login, certificate, unix, websocket                      how clients get in
    in_2_0              false: Mosquitto 2.0 does not know all of it
"""
import base64
import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tomllib

from harness import BINARY, HERE, HOST, Failure, Skipped, case, expect, expect_equal, free_port, wait_until
from sockets import wire

FILES = HERE / "mosquitto_conf"
EXPECTED = tomllib.loads((FILES / "expected.toml").read_text())
WRONG_CONFIGURATION = 3
PUBLISH_PAYLOAD = b"from a file of Mosquitto's"


class Link:
    """MQTT over anything that has recv and sendall."""

    def __init__(self, stream, version=wire.V5):
        self.stream, self.version = stream, version
        self.unread = b""

    def packet(self):
        """The next packet, or None at the end of the connection."""
        while True:
            at, length, shift = 1, 0, 0
            while at < len(self.unread):
                length |= (self.unread[at] & 0x7F) << shift
                shift += 7
                at += 1
                if not self.unread[at - 1] & 0x80:
                    if len(self.unread) >= at + length:
                        raw, self.unread = self.unread[:at + length], self.unread[at + length:]
                        return wire.parse(raw[0], raw[at:], raw, self.version)
                    break
            try:
                more = self.stream.recv(65536)
            except ConnectionError:
                return None
            if not more:
                return None
            self.unread += more

    def connect(self, client_id="conf", **fields):
        self.stream.sendall(wire.connect(self.version, client_id, **fields))
        return self.packet()

    def subscribe(self, topic_filter):
        self.stream.sendall(wire.subscribe(self.version, 1, [(topic_filter, 0)]))
        expect_equal(self.packet().type, wire.SUBACK, "the answer to SUBSCRIBE")

    def publish(self, topic, payload):
        self.stream.sendall(wire.publish(self.version, topic, payload))


def dial(case, port, host=HOST):
    stream = socket.create_connection((host, port), 10)
    case.close_at_end(stream)
    return stream


def copied(case):
    """All files in a directory of this case's own, with what they refer to."""
    directory = case.directory() / "mosquitto_conf"
    shutil.copytree(FILES, directory)
    for path in (case.directory(), directory):
        path.chmod(0o777)  # who drops privileges must get through
    for name in ("ha", "docker_data"):
        (directory / name).mkdir()
        (directory / name).chmod(0o777)
    salt = b"0123456789ab"
    key = hashlib.pbkdf2_hmac("sha512", b"secret", salt, 101)
    (directory / "passwd").write_text(
        f"ann:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}\n")
    (directory / "acl").write_text("user ann\ntopic readwrite #\n")
    (directory / "psk").write_text("pump:00112233445566778899aabbccddeeff\n")
    return directory


def make_certificates(directory):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2",
            "-subj", "/CN=Test CA")
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for name, subject in (("server", "/CN=localhost"), ("client", "/CN=pump")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-out", f"{name}.crt", "-extfile", "names")
        (directory / f"{name}.key").chmod(0o644)


def spawn(case, name, command, directory, *more):
    return case.spawn(["env", "-C", str(directory), *command, "-c", str(directory / f"{name}.conf"), *more], name)


def answers(process, host, port):
    expect(process.is_running, f"it ended at start\n{process.transcript()}")
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


def text_of(process):
    return "\n".join(process.lines())


def stopped(process):
    process.signal(signal.SIGTERM)
    expect_equal(process.finish(), 0, "exit status after SIGTERM")


# ---- what clients find ----

def check_round_trip(link, topic, prefix=""):
    link.subscribe(prefix + topic)
    link.publish(prefix + topic, PUBLISH_PAYLOAD)
    got = link.packet()
    expect(got is not None and got.type == wire.PUBLISH, f"a message comes back: {got!r}")
    expect_equal((got.topic, got.payload), (prefix + topic, PUBLISH_PAYLOAD), "the message that comes back")


def connect_fields(wanted):
    fields = {"client_id": wanted.get("client_id", "conf")}
    if "user" in wanted:
        fields["username"] = wanted["user"]
    if "login" in wanted:
        fields["username"], fields["password"] = wanted["login"][0], wanted["login"][1].encode()
    return fields


def stream_to(case, wanted, port, directory):
    stream = dial(case, port, wanted.get("host", HOST))
    if wanted.get("needs") != "TLS":
        return stream
    context = ssl.create_default_context(cafile=directory / "ca.crt")
    if wanted.get("certificate"):
        context.load_cert_chain(directory / "client.crt", directory / "client.key")
    wrapped = context.wrap_socket(stream, server_hostname="localhost")
    case.close_at_end(wrapped)
    return wrapped


def check_websocket(case, port, origin):
    stream = dial(case, port)
    stream.sendall((f"GET /mqtt HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                    f"Sec-WebSocket-Protocol: mqtt\r\nOrigin: {origin}\r\n\r\n").encode())
    head = stream.recv(65536)
    expect(b" 101 " in head.split(b"\r\n", 1)[0], f"WebSocket is spoken there: {head!r}")


def check_client(case, name, wanted, port, directory):
    for version in wanted.get("versions", [wire.V31, wire.V311, wire.V5]):
        link = Link(stream_to(case, wanted, port, directory), version)
        connack = link.connect(**connect_fields(wanted))
        expect(connack is not None and connack.code == 0, f"{name}: version {version} enters: {connack!r}")
        check_round_trip(link, f"conf/{name}")
        for key, value in wanted.get("connack", {}).items() if version == wire.V5 else ():
            expect_equal(connack.properties.get(key), value, f"{key} of CONNACK")
        if "payload_max" in wanted:
            link.publish(f"conf/{name}", b"x" * (wanted["payload_max"] + 1))
            check_round_trip(link, f"conf/{name}")  # the large one is gone, the connection is not


def check_refusals(case, wanted, port, directory):
    for version in {wire.V31, wire.V311, wire.V5} - set(wanted.get("versions", [wire.V31, wire.V311, wire.V5])):
        connack = Link(dial(case, port), version).connect()
        expect_equal(connack.code, 0x84 if version == wire.V5 else 1, f"CONNACK of version {version}")
    for client_id in wanted.get("refused_ids", []):
        connack = Link(dial(case, port)).connect(client_id)
        expect(connack.code >= 0x80, f"client id \"{client_id}\" is refused: {connack!r}")
    if "assigned" in wanted:
        connack = Link(dial(case, port)).connect("")
        given = connack.properties["assigned_client_identifier"]
        expect(given.startswith(wanted["assigned"]), f"the assigned client id begins as the file says: {given}")
    if "user" in wanted:
        connack = Link(dial(case, port)).connect("somebody")
        expect_equal(connack.code, 0x87, "CONNACK without a user name")


def check_mount(case, wanted, directory):
    inside = Link(dial(case, wanted["ports"][0]))
    outside = Link(dial(case, wanted["ports"][1]))
    inside.connect("inside")
    outside.connect("outside")
    inside.subscribe("state")
    outside.publish(wanted["mount"] + "state", b"on")
    expect_equal(inside.packet().topic, "state", "the topic inside the mount point")
    outside.subscribe("#")
    inside.publish("answer", b"yes")
    topics = [outside.packet().topic]
    while topics[-1].startswith("$SYS"):
        topics.append(outside.packet().topic)
    expect_equal(topics[-1], wanted["mount"] + "answer", "the topic outside")


def check_anonymous(case, wanted, port, directory):
    link = Link(stream_to(case, wanted, port, directory), wanted.get("versions", [wire.V5])[0])
    connack = link.connect(wanted.get("client_id", "anybody"), **(
        {"username": wanted["user"]} if "user" in wanted else {}))
    if wanted["anonymous"]:
        expect(connack is not None and connack.code == 0, f"anonymous clients enter: {connack!r}")
    else:
        expect(connack.code >= 0x80, f"anonymous clients do not enter: {connack!r}")


# ---- one file ----

def check_refused_start(process, wanted):
    expect_equal(process.finish(), wanted["status"], "exit status")
    expect(wanted["says"] in text_of(process), f"it says why: {wanted['says']}")


def is_not_able_yet(process, wanted):
    """A broker that cannot do what a file needs says that and ends; it must not run without."""
    if "needs" not in wanted:
        return False
    try:
        process.wait_line(r"not supported yet|listening on", bound_s=30)
    except Failure:
        expect(not process.is_running, "it says something at start")
    if process.is_running and any("listening on" in line for line in process.lines()):
        return False
    expect_equal(process.finish(), WRONG_CONFIGURATION, "exit status")
    expect(f"{wanted['needs']} is not supported yet" in text_of(process), f"it says that it lacks {wanted['needs']}")
    return True


def check_written(process, wanted, directory):
    log = text_of(process)
    if "log_file" in wanted:
        log = (directory / wanted["log_file"]).read_text()
    if wanted.get("is_silent"):
        expect_equal(log, "", "what is logged")
        return
    expect("listening on" in log, f"the log says where it listens: {log}")
    for pattern in (re.escape(wanted["warns"]) if "warns" in wanted else "", wanted.get("logs", "")):
        expect(re.search(pattern, log), f"the log has /{pattern}/:\n{log}")
    expect("never_logs" not in wanted or not re.search(wanted["never_logs"], log), f"the log lacks what is off:\n{log}")


def check_running(case, name, wanted, process, directory, ports):
    host = wanted.get("host", HOST)
    for port in ports:
        wait_until(lambda: answers(process, host, port), f"{name}.conf to listen on {port}")
    for port in wanted.get("closed", []):
        expect(not answers(process, host, port), f"nobody listens on {port}")
    if "unix" in wanted:
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(str(directory / wanted["unix"]))
        case.close_at_end(stream)
        expect_equal(Link(stream).connect().code, 0, "CONNACK over the Unix socket")
        return
    if not ports or "websocket" in wanted and not wanted["anonymous"]:
        return
    if "anonymous" in wanted:
        check_anonymous(case, wanted, ports[0], directory)
    if wanted.get("anonymous") or "login" in wanted:
        check_client(case, name, wanted, ports[0], directory)
        check_refusals(case, wanted, ports[0], directory)
    if "websocket" in wanted:
        check_websocket(case, ports[0] + wanted["websocket"], "http://dashboard.example")
    if "also_open" in wanted:
        check_anonymous(case, {"anonymous": True}, ports[0] + wanted["also_open"], directory)
    if "mount" in wanted:
        check_mount(case, wanted, directory)


def check_file(case, name):
    wanted = EXPECTED[name]
    directory = copied(case)
    if wanted.get("needs") == "TLS":
        make_certificates(directory)
    more, ports = list(wanted.get("args", [])), wanted.get("ports", [])
    if wanted.get("port_option"):
        ports = [free_port()]
        more += ["-p", str(ports[0])]
    verbose = ["-v"] if "logs" not in wanted and not wanted.get("is_silent") and "never_logs" not in wanted else []
    process = spawn(case, name, [BINARY], directory, *more, *verbose)
    if "status" in wanted:
        check_refused_start(process, wanted)
        return
    if is_not_able_yet(process, wanted):
        return
    check_running(case, name, wanted, process, directory, ports)
    if "pid_file" in wanted:
        expect_equal((directory / wanted["pid_file"]).read_text().strip(), str(process.pid), "the process id")
    stopped(process)
    check_written(process, wanted, directory)
    expect("pid_file" not in wanted or not (directory / wanted["pid_file"]).exists(), "the pid file is gone")


for _name in EXPECTED:
    case(f"mosquitto_conf/{_name}")(lambda case, name=_name: check_file(case, name))


@case("mosquitto_conf/every_file_is_expected")
def every_file_has_an_expectation(case):
    names = {path.stem for path in FILES.glob("*.conf")}
    expect_equal(names, set(EXPECTED), "the files and the tables of expected.toml")
    expect(len(names) >= 40, "there are many")


@case("mosquitto_conf/as_mosquitto_decides", alone=True)
def the_real_one_decides_the_same(case):
    """Whoever may enter here may enter Debian's mosquitto with the same file, and the other way round."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise Skipped("mosquitto is not installed")
    directory = copied(case)
    for name, wanted in EXPECTED.items():
        if "needs" in wanted or "anonymous" not in wanted or wanted.get("in_2_0") is False or not wanted.get("ports"):
            continue
        verdicts = []
        for command in ([BINARY], [program]):
            process = spawn(case, name, command, directory)
            wait_until(lambda: answers(process, wanted.get("host", HOST), wanted["ports"][0]), f"{name}.conf to listen")
            verdict = []
            for version in (wire.V31, wire.V311, wire.V5):
                for client_id in ("conf", *wanted.get("refused_ids", [])):
                    link = Link(dial(case, wanted["ports"][0], wanted.get("host", HOST)), version)
                    connack = link.connect(client_id, **({"username": wanted["user"]} if "user" in wanted else {}))
                    verdict.append((version, client_id, connack is not None and connack.code == 0))
            verdicts.append(verdict)
            process.signal(signal.SIGTERM)
            expect_equal(process.finish(), 0, f"exit status of {command[0]} with {name}.conf")
        expect_equal(verdicts[0], verdicts[1], f"who enters with {name}.conf")


# ---- the command line ----

@case("mosquitto_conf/daemon")
def the_daemon_serves_when_the_command_returns(case):
    port = free_port()
    pid_file = case.directory() / "pid"
    conf = case.file("d.conf", f"pid_file {pid_file}\nlog_dest file {case.directory() / 'log'}\n")
    case.run([BINARY, "-c", str(conf), "-p", str(port), "-d"])
    process_id = int(pid_file.read_text())
    case.at_end(lambda: os.path.exists(f"/proc/{process_id}") and os.kill(process_id, signal.SIGKILL))
    expect_equal(Link(dial(case, port)).connect().code, 0, "CONNACK of the daemon")
    os.kill(process_id, signal.SIGTERM)
    wait_until(lambda: not pid_file.exists(), "the daemon to end")


@case("mosquitto_conf/daemon_cannot_start")
def the_command_says_that_the_daemon_could_not_start(case):
    conf = case.file("d.conf", f"listener {case.port} 127.0.0.1\n")
    process = case.spawn([BINARY, "-c", str(conf), "-d"])
    expect_equal(process.finish(), 1, "exit status")
    expect(str(case.port) in text_of(process), "the port is named")


@case("mosquitto_conf/persistence")
def persistent_sessions_and_retained_messages_survive(case):
    port = free_port()
    conf = case.file("p.conf", f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
                               f"persistence_location {case.directory()}\npersistence_file plant.db\n")
    for turn in range(2):
        process = case.spawn([BINARY, "-c", str(conf)], "broker")
        wait_until(lambda: answers(process, HOST, port), "the broker to listen")
        link = Link(dial(case, port), wire.V311)
        connack = link.connect("kept", clean=False)
        expect_equal(connack.session_present, turn == 1, "Session Present")
        if turn == 0:
            link.subscribe("state")
            link.stream.sendall(wire.publish(wire.V311, "state", b"on", qos=1, retain=True, packet_id=7))
            expect_equal({link.packet().type for _ in range(2)}, {wire.PUBACK, wire.PUBLISH}, "what comes back")
        else:
            link.stream.sendall(wire.subscribe(wire.V311, 2, [("state", 0)]))
            packets = {packet.type: packet for packet in (link.packet(), link.packet())}  # in either order
            expect_equal(packets[wire.PUBLISH].payload, b"on", "the retained message")
        stopped(process)
    expect((case.directory() / "plant.db.nightjar").is_dir(), "the store lies beside Mosquitto's file")


@case("mosquitto_conf/two_brokers_beside_each_other")
def brokers_without_persistence_share_nothing(case):
    for _ in range(2):
        port = free_port()
        process = case.spawn([BINARY, "-c", str(case.file("m.conf", "")), "-p", str(port)], "broker")
        wait_until(lambda: answers(process, HOST, port), "the broker to listen")


@case("mosquitto_conf/privileges")
def root_becomes_the_user_of_the_file(case):
    if os.geteuid() != 0:
        raise Skipped("needs root")
    port = free_port()
    case.directory().chmod(0o755)
    conf = case.file("u.conf", f"user nobody\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
                               f"persistence_location {case.directory()}\n")
    process = case.spawn([BINARY, "-c", str(conf)], "broker")
    wait_until(lambda: answers(process, HOST, port), "the broker to listen")
    process.wait_line("runs as user nobody")
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    uids = set(re.search(r"^Uid:\s+(.*)$", status, re.M).group(1).split())
    expect(uids and "0" not in uids, f"nothing of root is left: {uids}")
    link = Link(dial(case, port), wire.V311)
    link.connect("kept", clean=False)
    link.stream.sendall(wire.publish(wire.V311, "state", b"on", qos=1, retain=True, packet_id=7))
    expect_equal(link.packet().type, wire.PUBACK, "the store can be written")
    stopped(process)


@case("mosquitto_conf/unknown_user")
def a_user_that_is_not_there_is_named(case):
    if os.geteuid() != 0:
        raise Skipped("needs root")
    conf = case.file("u.conf", f"user nobody-of-that-name\nlistener {free_port()} 127.0.0.1\n")
    process = case.spawn([BINARY, "-c", str(conf)], "broker")
    expect_equal(process.finish(), 1, "exit status")
    expect('no user "nobody-of-that-name"' in text_of(process), "the user is named")


@case("mosquitto_conf/connection_limit")
def connections_beyond_the_limit_are_closed(case):
    port = free_port()
    conf = case.file("m.conf", f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_connections 2\n")
    process = case.spawn([BINARY, "-c", str(conf)], "broker")
    process.wait_line(rf"listening on 127\.0\.0\.1:{port}")
    links = [Link(dial(case, port)) for _ in range(2)]
    for number, link in enumerate(links):
        expect_equal(link.connect(f"c{number}").code, 0, "CONNACK")
    late = Link(dial(case, port))
    try:
        answer = late.connect("late")
    except (BrokenPipeError, ConnectionResetError):
        answer = None
    expect(answer is None, "the third one is closed")
    process.wait_line("more connections than are allowed")
    links[0].stream.close()

    def enters():
        try:
            connack = Link(dial(case, port)).connect("again")
        except (BrokenPipeError, ConnectionResetError):
            return False
        return connack is not None and connack.code == 0

    wait_until(enters, "room for another one")
    stopped(process)


@case("mosquitto_conf/codes_of_refusals")
def clients_are_refused_with_mosquittos_codes(case):
    port = free_port()
    passwords = case.file("passwords", "")
    conf = case.file("m.conf", f"listener {port} 127.0.0.1\npassword_file {passwords}\nmessage_size_limit 2\n")
    process = case.spawn([BINARY, "-c", str(conf)], "broker")
    process.wait_line(rf"listening on 127\.0\.0\.1:{port}")
    for version, expected in ((wire.V311, 5), (wire.V5, 0x87)):
        for user in ({}, {"username": "ann", "password": "secret"}):
            connack = Link(dial(case, port), version).connect("c", **user)
            expect_equal(connack.code, expected, f"CONNACK of {user} of version {version}")
    stopped(process)


@case("mosquitto_conf/wrong_certificate_files")
def wrong_files_of_tls_are_a_wrong_configuration(case):
    nothing = case.directory() / "none.pem"
    conf = case.file("m.conf", f"listener {free_port()} 127.0.0.1\ncertfile {nothing}\nkeyfile {nothing}\n")
    process = case.spawn([BINARY, "-c", str(conf)], "broker")
    expect_equal(process.finish(), 3, "exit status")
    expect_equal([f"{nothing}: No such file" in line for line in process.lines()], [True], "one line that says why")


@case("mosquitto_conf/certificates_behind_a_proxy")
def a_proxy_is_asked_for_the_certificate(case):
    port = free_port()
    conf = case.file("m.conf", f"listener {port} 127.0.0.1\nenable_proxy_protocol 2\nrequire_certificate true\n"
                               "use_identity_as_username true\n")
    process = case.spawn([BINARY, "-c", str(conf)], "broker")
    process.wait_line(rf"listening on 127\.0\.0\.1:{port}")

    def enters(tls):
        body = socket.inet_aton("192.0.2.5") + socket.inet_aton("192.0.2.6") + struct.pack("!HH", 5555, 1883)
        tlv = b"\x20" + struct.pack("!H", len(tls)) + tls
        stream = dial(case, port)
        stream.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", len(body + tlv)) + body + tlv)
        try:
            connack = Link(stream).connect("c")
        except (BrokenPipeError, ConnectionResetError):
            return False
        return connack is not None and connack.code == 0

    name = b"\x22" + struct.pack("!H", 4) + b"pump"
    expect(enters(b"\x07" + struct.pack("!I", 0) + name), "a client with a certificate enters")
    expect(not enters(b"\x01" + struct.pack("!I", 0)), "one without does not")
    expect(not enters(b"\x07" + struct.pack("!I", 1) + name), "nor one whose certificate was not in order")
    stopped(process)


@case("mosquitto_conf/log_dest topic")
def the_log_is_told_over_mqtt(case):
    port = free_port()
    conf = case.file("t.conf", f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest topic\nlog_dest stderr\n")
    process = case.spawn([BINARY, "-c", str(conf)], "broker")
    wait_until(lambda: answers(process, HOST, port), "the broker to listen")
    reader = Link(dial(case, port))
    reader.connect("reader")
    reader.subscribe("$SYS/broker/log/#")
    Link(dial(case, port)).connect("somebody else")
    lines = []
    while not any("somebody else" in line for line in lines):
        packet = reader.packet()
        expect_equal((packet.type, packet.retain), (wire.PUBLISH, False), "what comes")
        expect_equal(packet.topic, "$SYS/broker/log/N", "the topic of a notice")
        lines.append(packet.payload.decode())
    expect(re.match(r"\d{4}-.* client connected client=\"somebody else\"", lines[-1]), f"as the log says it: {lines[-1]}")
    stopped(process)
