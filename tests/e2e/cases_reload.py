"""A reload is all or nothing: faults at each of its steps, a client that is connected throughout, what the plan says
against what then happens, and a hundred reloads with a thousand clients."""
import json
import os
import random
import re
import resource
import signal
import socket
import ssl
import stat
import threading

from harness import BINARY, HANG_S, HOST, case, expect, expect_equal, free_port, keeps_freed_memory, wait_until
from sockets import connected, is_ended, raw, wire

NOT_AUTHORIZED, KICKED = 0x87, 0x98
REFUSED = 0x80  # the bit that all codes of refusal have

CONFIG = """\
[auth]
password_file = "{dir}/{passwords}"
acl_file = "{dir}/{acl}"

[queue]
max_messages = {queued}

[log]
level = "{level}"
destination = "{dir}/{log}"

[[listener]]
name = "plain"
address = "127.0.0.1"
port = {plain}
max_packet_size = "{packet}"

[[listener]]
name = "secure"
address = "127.0.0.1"
port = {secure}
allow_anonymous = true
[listener.tls]
certificate = "{certificate}"
key = "{key}"
{tls_keys}

[[listener]]
name = "web"
address = "127.0.0.1"
port = {web}
protocol = "websocket"
allow_anonymous = true

[[listener]]
name = "socket"
path = "{dir}/mqtt.sock"
path_mode = "{mode}"
allow_anonymous = true

[[listener]]
name = "{other_name}"
address = "127.0.0.1"
port = {other}
allow_anonymous = {anonymous}
{more}
"""
OLD_RULES = "topic readwrite kept/#\nuser ann\ntopic readwrite plant/#\ntopic readwrite steady/#\nuser bob\ntopic readwrite plant/#\n"
NEW_RULES = "topic readwrite kept/#\nuser ann\ntopic readwrite office/#\ntopic readwrite steady/#\nuser bob\ntopic readwrite office/#\n"


class Steady:
    """A client that publishes to itself all the time and counts."""

    def __init__(self, client):
        self.client = client
        client.subscribe("steady/x", qos=1)
        self.count = 0
        self.problem = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._stop.is_set():
                expect_equal(self.client.publish("steady/x", b"%d" % self.count, qos=1).code, 0, "PUBACK")
                self.client.receive("steady/x", b"%d" % self.count)
                self.count += 1
        except Exception as problem:  # told by end()
            self.problem = problem

    def expect_progress(self, what):
        before = self.count
        wait_until(lambda: self.problem or self.count > before + 1, f"traffic of the steady client after {what}")
        expect(self.problem is None, f"the steady client after {what}: {self.problem}")

    def end(self):
        self._stop.set()
        self._thread.join(HANG_S)
        expect(self.problem is None, f"the steady client: {self.problem}")
        expect(not is_ended(self.client.sock), "the steady client is still connected")


class Site:
    """A broker with a listener of each kind, and everything of it that a client or an operator can see."""

    def __init__(self, case):
        self.case, self.dir = case, case.directory()
        self.config = self.dir / "nightjar.toml"
        self.ports = {name: free_port() for name in ("plain", "secure", "web", "other", "another")}
        for name, password in (("old", "secret"), ("new", "changed")):
            for user, his in (("ann", "constant"), ("bob", password)):
                create = ["-c"] if user == "ann" else []
                # The same line for ann in both: she has not changed.
                case.run([BINARY, "passwd", "-b", "-H", "sha512", *create, self.dir / f"{name}.pw", user, his], "passwd")
        ann = (self.dir / "old.pw").read_text().splitlines()[0]
        bob = (self.dir / "new.pw").read_text().splitlines()[1]
        (self.dir / "new.pw").write_text(f"{ann}\n{bob}\n")
        (self.dir / "old.acl").write_text(OLD_RULES)
        (self.dir / "new.acl").write_text(NEW_RULES)
        for pki in ("pki", "pki2"):
            case.run([BINARY, "tls", "init", self.dir / pki, "--name", "localhost", "--ip", HOST], "tls init")
        self.old = {"dir": self.dir, "passwords": "old.pw", "acl": "old.acl", "queued": 1000, "level": "info",
                    "log": "old.log", "packet": "1MiB", "certificate": self.dir / "pki/server.pem",
                    "key": self.dir / "pki/server.key", "tls_keys": "", "mode": "0600", "other_name": "other",
                    "anonymous": "true", "more": "", **self.ports}
        self.new = self.old | {"passwords": "new.pw", "acl": "new.acl", "queued": 5, "level": "debug", "log": "new.log",
                               "packet": "2MiB", "certificate": self.dir / "pki2/server.pem",
                               "key": self.dir / "pki2/server.key", "mode": "0660", "other_name": "another",
                               "other": self.ports["another"]}
        self.write(self.old)
        self.start()

    def start(self):
        self.process = self.case.spawn([BINARY, "-c", self.config, "--data", self.dir / "data"], "broker")
        wait_until(lambda: not self.process.is_running or self.answers(), "the broker to listen")
        expect(self.process.is_running, "the broker runs")

    def answers(self):
        try:
            socket.create_connection((HOST, self.ports["web"]), 1).close()
            return "started" in self.ctl("config", "show")[1] or self.ctl("config", "show")[0] == 0
        except OSError:
            return False

    def write(self, values, extra=""):
        # At once: half a file is a configuration, too.
        fresh = self.dir / "nightjar.toml.new"
        fresh.write_text(CONFIG.format(**values) + extra)
        fresh.rename(self.config)

    def ctl(self, *words):
        process = self.case.spawn([BINARY, "ctl", *words, "--data", self.dir / "data"], "nightjar ctl")
        return process.finish(), "\n".join(process.lines())

    def login(self, user=None, password=None, port=None):
        client = raw(self.case, wire.V5, user or "anonymous", port or self.ports["plain"])
        connack = client.connect(self.case.client_id("c"), username=user, password=password)
        return connack, client

    def serial(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((HOST, self.ports["secure"]), 10) as plain:
            with context.wrap_socket(plain) as secure:
                return ssl.DER_cert_to_PEM_cert(secure.getpeercert(True))

    def upgrade(self):
        with socket.create_connection((HOST, self.ports["web"]), 10) as plain:
            plain.sendall(b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                          b"Sec-WebSocket-Protocol: mqtt\r\n\r\n")
            return plain.recv(12)

    def unix(self):
        path = self.dir / "mqtt.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
            plain.settimeout(10)
            plain.connect(str(path))
            plain.sendall(wire.connect(wire.V311, self.case.client_id("unix")))
            return stat.S_IMODE(os.stat(path).st_mode), plain.recv(4)

    def rights(self, user, password):
        """What happens to a user: the code of his CONNACK, the limit that he is told, what he may publish."""
        connack, client = self.login(user, password)
        if connack.code != 0:
            return connack.code
        answer = [connack.properties["maximum_packet_size"],
                  *(client.publish(f"{place}/x", b"", qos=1).code & REFUSED for place in ("plant", "office"))]
        client.disconnect()
        return answer

    def probe(self):
        """All that can be seen from outside."""
        seen = {"bob, secret": self.rights("bob", "secret"), "bob, changed": self.rights("bob", "changed"),
                "ann": self.rights("ann", "constant"), "anonymous": self.login()[0].code, "certificate": self.serial(),
                "websocket": self.upgrade(), "unix": self.unix(), "config": self.ctl("config", "show", "--origin")}
        for name in ("other", "another"):
            try:
                connack, client = self.login(port=self.ports[name])
                client.close()
                seen[name] = connack.code
            except ConnectionRefusedError:
                seen[name] = "refused"
        seen["files"] = sorted(path.name for path in self.dir.iterdir() if path.suffix in (".sock", ".log"))
        return seen

    def expect_as_before(self, before, what):
        now = self.probe()
        for aspect, value in before.items():
            expect_equal(now[aspect], value, f"{aspect} after {what}")


def holder_of(case):
    held = socket.create_server((HOST, 0))
    case.close_at_end(held)
    return held.getsockname()[1]


def socket_of_another(case, path):
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    held.bind(str(path))
    held.listen()
    case.close_at_end(held)
    return path


def further(listener):
    return f'[[listener]]\nname = "further"\nallow_anonymous = true\n{listener}\n'


LINES = CONFIG.splitlines()
END = len(LINES)


def place(key, number=0):
    """Where the message must say that a key stands."""
    at = [n + 1 for n, line in enumerate(LINES) if line.startswith(key)][number]
    return rf"nightjar\.toml:{at}:\d+"


# What can go wrong, step by step: its name, the values of the file, what stands behind them, and what the message must
# say.

def faults_of_files(site):
    new, d = site.new, site.dir
    (d / "broken.pw").write_text("ann:nothing that is a hash\n")
    (d / "broken.acl").write_text("user ann\ntopic raed plant/#\n")
    (d / "rules.toml").write_text('[[rule]]\nallow = "everything"\ntopics = "a"\n')
    os.makedirs(d / "a_directory")
    return [
        ("syntax", new, "[queue\n", [rf"nightjar\.toml:{END + 1}:"]),
        ("unknown key", new | {"more": "max_packet_sze = 1"}, "", [place("{more}"), "max_packet_size"]),
        ("value", new | {"queued": -1}, "", [place("max_messages"), "max_messages", "number from"]),
        ("type", new | {"queued": '"many"'}, "", [place("max_messages"), "max_messages"]),
        ("passwords are not there", new | {"passwords": "nowhere.pw"}, "",
         [place("password_file"), "password_file", "nowhere.pw", "nightjar passwd -c"]),
        ("passwords are a directory", new | {"passwords": "a_directory"}, "", [place("password_file"), "a_directory"]),
        ("passwords are damaged", new | {"passwords": "broken.pw"}, "", [r"broken\.pw:1:"]),
        ("rules are not there", new | {"acl": "nowhere.acl"}, "", [place("acl_file"), "acl_file", "nowhere.acl"]),
        ("rules are damaged", new | {"acl": "broken.acl"}, "", [r"broken\.acl:2:", "raed", "readwrite"]),
        ("rules in TOML are damaged", new | {"acl": "rules.toml"}, "", [r"rules\.toml:2:\d+", "everything", "publish"]),
    ]


def faults_of_tls_and_log(site):
    new, d = site.new, site.dir
    (d / "garbage.pem").write_text("no certificate\n")
    os.makedirs(d / "a_directory")
    authority = f'client_certificate = "required"\nclient_ca = "{d}/nowhere.pem"'
    return [
        ("certificate is not there", new | {"certificate": d / "nowhere.pem"}, "",
         [place("certificate"), "certificate", "nowhere.pem"]),
        ("certificate is none", new | {"certificate": d / "garbage.pem"}, "", [place("certificate"), "garbage.pem"]),
        ("key is not there", new | {"key": d / "nowhere.key"}, "", [place("key = "), "nowhere.key"]),
        ("key of another certificate", new | {"key": d / "pki/server.key"}, "", [place("key = "), r"server\.key"]),
        ("authority is not there", new | {"tls_keys": authority}, "", [r"nightjar\.toml:\d+:", "client_ca", "nowhere.pem"]),
        ("ciphers", new | {"tls_keys": 'ciphers = "NO-SUCH-CIPHER"'}, "", [place("{tls_keys}"), "ciphers"]),
        ("log folder is not there", new | {"log": "nowhere/new.log"}, "", [place("destination"), "mkdir -p"]),
        ("log is a directory", new | {"log": "a_directory"}, "", [place("destination"), "a_directory"]),
    ]


def faults_of_addresses(site):
    new, d, case = site.new, site.dir, site.case
    (d / "a_file").write_text("no socket\n")
    fourth, fifth, sixth = (rf"nightjar\.toml:{END + n}:\d+" for n in (4, 5, 6))
    return [
        ("port is held", new | {"other": holder_of(case)}, "", [place("port", 3), "held by process", "another port"]),
        ("address is not here", new, further(f'address = "192.0.2.1"\nport = {free_port()}'),
         [fourth, "does not have that address"]),
        ("address is none", new, further(f'address = "10.0.0.999"\nport = {free_port()}'), [fourth, "address"]),
        ("address twice", new, further(f'address = "127.0.0.1"\nport = {site.ports["web"]}'), [fifth, "another listener"]),
        ("new address twice", new, further(f'address = "127.0.0.1"\nport = {site.ports["another"]}'), [fifth, "another"]),
        ("all addresses at a port of ours", new, further(f'address = "*"\nip = "4"\nport = {site.ports["web"]}'),
         [sixth, "restart"]),
        ("folder of a socket", new, further(f'path = "{d}/nowhere/mqtt.sock"'), [fourth, "does not exist"]),
        ("socket of another", new, further(f'path = "{socket_of_another(case, d / "theirs")}"'),
         [fourth, "another process listens"]),
        ("file instead of a socket", new, further(f'path = "{d}/a_file"'), [fourth, "no socket"]),
        # A broadcast address can be listened on, and nobody can connect to it.
        ("nobody can connect", new, further(f'address = "127.255.255.255"\nport = {free_port()}'),
         ["nobody can connect to 127.255.255.255", "before is in force again"]),
    ]


def whatever_goes_wrong_everything_is_as_before(case, step):
    """Every fault of a step, one after the other, under a client with traffic; then the same reload without a fault."""
    site = Site(case)
    steady = Steady(site.login("ann", "constant")[1])
    watcher = site.login("bob", "secret")[1]
    guest = connected(case, "guest", port=site.ports["other"])
    before = site.probe()
    expect_equal((before["bob, secret"], before["bob, changed"], before["other"], before["another"]),
                 ([1 << 20, 0, REFUSED], 0x86, 0, "refused"), "the configuration of before")
    for name, values, extra, words in step(site):
        site.write(values, extra)
        for asked in (["reload", "--plan"], ["reload"]):
            status, said = site.ctl(*asked)
            if name == "nobody can connect" and "--plan" in asked:
                continue  # only serving shows it
            expect(status != 0, f"{name}: {asked} fails: {said}")
            for word in words:
                expect(re.search(word, said), f'{name}: {asked} says "{word}": {said}')
        site.write(site.old)  # the places in the file are part of what config show says
        site.expect_as_before(before, name)
        steady.expect_progress(name)
        expect(not is_ended(watcher.sock) and not is_ended(guest.sock), f"nobody is disconnected after {name}")
    site.write(site.new)
    status, said = site.ctl("reload")
    expect_equal(status, 0, f"the reload without a fault: {said}")
    expect_all_new(site, before, watcher, guest)
    steady.end()
    expect(steady.count > 100, f"the steady client had traffic: {steady.count}")


def expect_all_new(site, before, watcher, guest):
    for client, code in ((watcher, NOT_AUTHORIZED), (guest, KICKED)):
        client.sock.setblocking(True)
        client.expect_disconnect(code)
    now = site.probe()
    expect_equal({aspect: now[aspect] for aspect in before if aspect not in ("config", "certificate")}, {
        "bob, secret": 0x86, "bob, changed": [2 << 20, REFUSED, 0], "ann": [2 << 20, REFUSED, 0],
        "anonymous": NOT_AUTHORIZED, "websocket": before["websocket"], "unix": (0o660, b"\x20\x02\x00\x00"),
        "other": "refused", "another": 0, "files": ["mqtt.sock", "new.log", "old.log"]}, "what is new")
    expect(now["certificate"] != before["certificate"], "the new certificate is served")
    expect("queue.max_messages = 5 " in now["config"][1], "the new limit")
    expect("client connected" in (site.dir / "new.log").read_text(), "lines are in the new log")


@case("reload/faults_of_files")
def a_fault_of_the_file_or_of_one_that_it_names_changes_nothing(case):
    whatever_goes_wrong_everything_is_as_before(case, faults_of_files)


@case("reload/faults_of_tls_and_log")
def a_fault_of_certificates_or_of_the_log_changes_nothing(case):
    whatever_goes_wrong_everything_is_as_before(case, faults_of_tls_and_log)


@case("reload/faults_of_addresses")
def a_fault_of_addresses_or_of_serving_them_changes_nothing(case):
    whatever_goes_wrong_everything_is_as_before(case, faults_of_addresses)


@case("reload/sighup_with_a_fault")
def the_log_has_the_fault_after_a_sighup(case):
    site = Site(case)
    before = site.probe()
    broken = site.dir / "broken.acl"
    broken.write_text("user ann\ntopic raed plant/#\n")
    site.write(site.new | {"acl": broken.name})
    site.process.signal(signal.SIGHUP)
    log = site.dir / "old.log"
    wait_until(lambda: re.search(r"error.*nothing was changed.*broken\.acl:2:.*raed", log.read_text()), "the line of the log")
    site.write(site.old)
    site.expect_as_before(before, "SIGHUP")


def descriptors(pid):
    return {int(name) for name in os.listdir(f"/proc/{pid}/fd")}


@case("reload/descriptors_run_out_at_each_step", alone=True)
def no_descriptor_is_left_at_each_step(case):
    site = Site(case)
    steady = Steady(site.login("ann", "constant")[1])
    before = site.probe()
    log = site.dir / "old.log"
    limits = resource.prlimit(site.process.pid, resource.RLIMIT_NOFILE)
    failed = 0
    for spare in range(200):
        site.write(site.new)
        # Connections of the probe are closed when the broker has seen it.
        wait_until(lambda: len(descriptors(site.process.pid)) == len(descriptors(site.process.pid)), "a quiet moment")
        taken, limit, free = descriptors(site.process.pid), 0, 0
        while free < spare or limit <= max(taken):
            free += limit not in taken
            limit += 1
        said_before = log.read_text().count("nothing was changed")
        resource.prlimit(site.process.pid, resource.RLIMIT_NOFILE, (limit, limits[1]))
        site.process.signal(signal.SIGHUP)
        wait_until(lambda: log.read_text().count("nothing was changed") > said_before or
                   (site.dir / "new.log").exists() and "read: " in (site.dir / "new.log").read_text(), "an outcome")
        resource.prlimit(site.process.pid, resource.RLIMIT_NOFILE, limits)
        if log.read_text().count("nothing was changed") == said_before:
            break
        failed += 1
        (site.dir / "new.log").unlink(missing_ok=True)
        site.write(site.old)
        site.expect_as_before(before, f"a reload with {spare} descriptors")
        steady.expect_progress(f"a reload with {spare} descriptors")
    expect(failed >= 3, f"reloads that failed: {failed}")
    expect_equal(site.probe()["bob, changed"], [2 << 20, REFUSED, 0], "what the last one has done")
    steady.end()


@case("reload/killed_in_the_middle", alone=True)
def a_broker_that_is_killed_in_the_middle_starts_with_what_the_file_says(case):
    site = Site(case)
    keeper = raw(case, wire.V5, "keeper", site.ports["web"] and site.ports["other"])
    keeper.connect("keeper", clean=False, properties={"session_expiry_interval": 3600})
    keeper.subscribe("kept/#", qos=1)
    keeper.close()
    values, sent = site.old, 0
    for round_number in range(12):
        other = site.new if values is site.old else site.old
        publisher = connected(case, case.client_id("p"), port=values["other"])
        expect(publisher.publish("kept/x", b"%d" % sent, qos=1).code < 0x80, "an acknowledged message")
        sent += 1
        site.write(other)
        site.process.signal(signal.SIGHUP)
        # Spread over the time that a reload takes, from before its beginning to after its end.
        threading.Event().wait(round_number * 0.004)
        site.process.kill()
        site.start()
        expect_equal(site.rights("bob", "changed" if other is site.new else "secret"),
                     [2 << 20, REFUSED, 0] if other is site.new else [1 << 20, 0, REFUSED],
                     f"what the file says holds after round {round_number}")
        site.probe()
        values = other
    # max_messages = 5 of the new file drops what is too much, so the old one has the last word.
    expect(values is site.old, "an even number of rounds")
    keeper = raw(case, wire.V5, "keeper", site.ports["other"])
    expect(keeper.connect("keeper", clean=False).session_present, "the session is there")
    got = [int(keeper.receive().payload) for _ in range(5)]
    expect_equal(got, list(range(5)), "what was acknowledged is there, in order")


@case("reload/sighup_during_the_start")
def a_sighup_that_comes_during_the_start_waits(case):
    directory = case.directory()
    case.run([BINARY, "passwd", "-b", "-H", "sha512", "-c", directory / "real", "ann", "secret"], "passwd")
    # Who opens a pipe waits until it is read: then the broker is reading its configuration.
    os.mkfifo(directory / "passwords")
    config = case.file("nightjar.toml", f'[auth]\npassword_file = "{directory}/passwords"\n[[listener]]\nname = "door"\n'
                       f'address = "{HOST}"\nport = {free_port()}\n')
    broker = case.spawn([BINARY, "-c", config, "--data", directory / "data"], "broker")
    with open(directory / "passwords", "w") as pipe:
        broker.signal(signal.SIGHUP)
        pipe.write((directory / "real").read_text())
        (directory / "real").rename(directory / "passwords")
    broker.wait_line("listening on")
    broker.wait_line("reload: the configuration is as it was")


@case("reload/anonymous_clients_go")
def anonymous_clients_go_where_they_may_not_be_any_more(case):
    site = Site(case)
    guest = connected(case, "guest", port=site.ports["other"])
    old = connected(case, "old", wire.V311, port=site.ports["other"])
    ann = site.login("ann", "constant", site.ports["other"])[1]
    # Accepted under the old configuration, and says CONNECT under the new one.
    late = raw(case, wire.V5, "late", site.ports["other"])
    elsewhere = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    case.close_at_end(elsewhere)
    elsewhere.connect(str(site.dir / "mqtt.sock"))
    elsewhere.sendall(wire.connect(wire.V311, "elsewhere"))
    expect_equal(elsewhere.recv(4), b"\x20\x02\x00\x00", "CONNACK over the Unix socket")
    site.write(site.old | {"anonymous": "false"})
    status, plan = site.ctl("reload", "--plan")
    expect_equal(status, 0, f"the plan: {plan}")
    for words in ("listener.other.allow_anonymous: true -> false (at once)",
                  'disconnects listener "other": 2 anonymous clients'):
        expect(words in plan, f'the plan says "{words}": {plan}')
    expect(not is_ended(guest.sock), "a plan disconnects nobody")
    guest.sock.setblocking(True)
    expect_equal(site.ctl("reload"), (0, plan), "what was planned is done")
    guest.expect_disconnect(NOT_AUTHORIZED)
    old.expect_closed()
    expect_equal(late.connect("late").code, NOT_AUTHORIZED, "who connects after the reload")
    expect(ann.publish("steady/y", b"", qos=1).code < 0x80, "a user stays")
    expect(not is_ended(elsewhere), "an anonymous client of another listener stays")
    expect_equal(site.login(port=site.ports["other"])[0].code, NOT_AUTHORIZED, "nobody comes back")


@case("reload/contents_of_files")
def the_plan_tells_what_is_new_in_files(case):
    site = Site(case)
    bob = site.login("bob", "secret")[1]
    (site.dir / "old.pw").write_text((site.dir / "new.pw").read_text() + "cy:" +
                                     (site.dir / "new.pw").read_text().splitlines()[0].split(":", 1)[1] + "\n")
    (site.dir / "old.acl").write_text(NEW_RULES)
    site.write(site.old | {"tls_keys": f'[[listener.tls.more]]\ncertificate = "{site.dir}/pki2/server.pem"\n'
                                       f'key = "{site.dir}/pki2/server.key"'})
    plan = site.ctl("reload", "--plan")[1]
    for words in (f"{site.dir}/old.pw: 2 users -> 3 users: 1 new, 0 gone, 1 with another password (at once)",
                  f"{site.dir}/old.acl: 4 lines -> 4 lines: not the same as before (at once)",
                  f'listener.secure.tls.more.certificate: - -> "{site.dir}/pki2/server.pem"',
                  'disconnects listener "plain": 1 client whose user is gone or has another password'):
        expect(words in plan, f'the plan says "{words}": {plan}')
    expect_equal(site.ctl("reload"), (0, plan), "what was planned is done")
    bob.expect_disconnect(NOT_AUTHORIZED)
    expect_equal(site.rights("ann", "constant"), [1 << 20, REFUSED, 0], "the new rules")
    shown = site.ctl("config", "show")[1]
    expect(f'listener.secure.tls.more.certificate = "{site.dir}/pki2/server.pem"' in shown, "config show has it as well")
    expect_equal(site.ctl("reload", "--plan")[1], "nothing changes", "a second look")


@case("reload/renamed_listener")
def clients_of_a_listener_that_is_called_otherwise_follow_it(case):
    site = Site(case)
    (site.dir / "door.acl").write_text("topic readwrite door/#\n")
    own = f'[listener.auth]\nacl_file = "{site.dir}/door.acl"\n'
    site.write(site.old | {"more": own})
    expect_equal(site.ctl("reload")[0], 0, "rules for one listener")
    guest = connected(case, "guest", port=site.ports["other"])
    expect(guest.publish("door/x", b"", qos=1).code < 0x80, "its own rules")
    site.write(site.old | {"more": own, "other_name": "renamed"})
    expect_equal(site.ctl("reload")[0], 0, "another name")
    expect(guest.publish("door/x", b"", qos=1).code < 0x80, "the rules of the listener hold under its new name")
    expect_equal(guest.publish("plant/x", b"", qos=1).code, NOT_AUTHORIZED, "and none but those")
    site.write(site.old | {"other_name": "renamed", "other": site.ports["another"]})
    status, plan = site.ctl("reload", "--plan")
    expect(status == 0 and 'disconnects listener "renamed": 1 client' in plan, f"it is found when that goes: {plan}")
    expect_equal(site.ctl("reload"), (0, plan), "what was planned is done")
    guest.expect_disconnect(KICKED)


@case("reload/socket_file_that_was_removed")
def a_socket_file_that_was_removed_is_made_anew(case):
    site = Site(case)
    path = site.dir / "mqtt.sock"
    before = site.unix()
    early = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    case.close_at_end(early)
    early.settimeout(HANG_S)
    early.connect(str(path))
    early.sendall(wire.connect(wire.V311, case.client_id("early")))
    expect_equal(early.recv(4)[3], 0, "CONNACK")
    path.unlink()
    expect_equal(site.ctl("reload", "--plan"), (0, "nothing changes"), "the plan")
    expect(not path.exists(), "a plan makes no file")
    expect_equal(site.ctl("reload"), (0, "nothing changes"), "the reload")
    expect_equal(site.unix(), before, "who may connect, and the answer")
    early.sendall(wire.pingreq())
    expect_equal(early.recv(2)[0], wire.PINGRESP << 4, "who came before the file was removed is served")
    path.unlink()
    path.write_text("precious")
    status, said = site.ctl("reload")
    expect(status != 0 and "is no socket" in said, f"a file of somebody else is left alone: {said}")
    expect_equal(path.read_text(), "precious", "the file of somebody else")


# ---- the plan against what happens ----

class Draw:
    """Configurations by chance, from few parts, so that each step keeps some, changes some, and drops some."""

    USERS = ("ann", "bob", "cy")

    def __init__(self, case, seed):
        self.dice = random.Random(seed)
        self.dir = case.directory()
        self.ports = [free_port() for _ in range(4)]
        self.hashes = {}
        for user in self.USERS:
            for password in ("a", "b"):
                path = self.dir / f"{user}.{password}"
                case.run([BINARY, "passwd", "-b", "-H", "sha512", "-c", path, user, password], "passwd")
                self.hashes[user, password] = path.read_text()

    def next(self):
        """The text of a configuration; the files that it names are written."""
        dice = self.dice
        self.passwords = {user: dice.choice("ab") for user in self.USERS if dice.random() < 0.8}
        (self.dir / "users").write_text("".join(self.hashes[each] for each in self.passwords.items()))
        (self.dir / "rules").write_text(f"topic readwrite {dice.choice('xy')}/#\npattern readwrite %u/#\n")
        self.has_users = dice.random() < 0.85
        text = [f"[queue]\nmax_messages = {dice.choice([10, 20])}", "[auth]"]
        if self.has_users:
            text.append(f'password_file = "{self.dir}/users"')
        if dice.random() < 0.5:
            text.append(f'acl_file = "{self.dir}/rules"')
        text.append(f"[node]\nmax_retained_messages = {dice.choice([100, 200])}\nworkers = {dice.choice([2, 2, 3])}")
        self.listeners = {}
        for port in self.ports:
            if dice.random() < 0.3:
                continue
            self.listeners[port] = dice.random() < 0.6
            text.append(f'[[listener]]\nname = "{dice.choice(["l", "m"])}{port}"\naddress = "127.0.0.1"\nport = {port}\n'
                        f"allow_anonymous = {str(self.listeners[port]).lower()}\n"
                        f'max_keep_alive = "{dice.choice([60, 90])}s"')
        if not self.listeners:
            self.listeners[self.ports[0]] = True
            text.append(f'[[listener]]\nname = "only"\naddress = "127.0.0.1"\nport = {self.ports[0]}\nallow_anonymous = true')
        return "\n".join(text) + "\n"


def settings_of(shown):
    return {each["key"]: each["value"] for each in json.loads(shown)["settings"]}


@case("reload/plan_is_what_happens", alone=True)
def what_the_plan_says_is_what_happens(case):
    draw = Draw(case, seed=20240611)
    config, data = case.file("nightjar.toml", draw.next()), case.directory() / "data"
    broker = case.spawn([BINARY, "-c", config, "--data", data], "broker")

    def ctl(*words):
        process = case.spawn([BINARY, "ctl", *words, "--json", "--data", data], "nightjar ctl")
        expect_equal(process.finish(), 0, f"ctl {words}: {process.lines()}")
        return process.lines()[0]
    broker.wait_line("listening on")
    ends, changes = 0, 0
    for step in range(30):
        clients = []
        for port, allows_anonymous in draw.listeners.items():
            wait_until(lambda port=port: not socket.socket().connect_ex((HOST, port)), "the listener")
            if allows_anonymous:
                clients += [connected(case, case.client_id("anon"), port=port) for _ in range(2)]
            if draw.has_users:
                clients += [connected(case, case.client_id(user), port=port, username=user, password=password)
                            for user, password in draw.passwords.items()]
        before = settings_of(ctl("config", "show"))
        config.write_text(draw.next())
        plan = json.loads(ctl("reload", "--plan"))
        expect(not any(is_ended(client.sock) for client in clients), f"step {step}: a plan changes nothing")
        expect_equal(settings_of(ctl("config", "show")), before, f"step {step}: a plan changes nothing")
        done = json.loads(ctl("reload"))
        expect_equal(done, plan, f"step {step}")
        foretold = sum(int(re.search(r": (\d+) ", line).group(1)) for line in plan["disconnects"])
        wait_until(lambda: sum(is_ended_by_now(client) for client in clients) >= foretold, f"step {step}: {foretold} ends")
        # Who is left answers, so it is not merely slow to go.
        for client in clients:
            client.sock.setblocking(True)
            if not is_over(client):
                client.send(wire.pingreq())
                client.expect(wire.PINGRESP)
        expect_equal(sum(is_over(client) for client in clients), foretold, f"step {step}: {plan['disconnects']}")
        after = settings_of(ctl("config", "show"))
        expect_as_planned(before, after, plan["changes"], step)
        expect_equal(json.loads(ctl("reload", "--plan"))["disconnects"], [], f"step {step}: nobody else is left to go")
        ends, changes = ends + foretold, changes + len(plan["changes"])
        for client in clients:
            client.close()
    expect(ends > 50 and changes > 100, f"enough has happened: {ends} ends, {changes} changes")


def is_over(client):
    return getattr(client, "is_over", False)


def is_ended_by_now(client):
    """Whether the broker has said goodbye."""
    if not is_over(client) and (client.has_unread() or is_readable(client.sock)):
        client.sock.setblocking(True)
        client.expect(wire.DISCONNECT)
        client.is_over = True
    return is_over(client)


def is_readable(plain):
    plain.setblocking(False)
    try:
        plain.recv(1, socket.MSG_PEEK)
        return True
    except BlockingIOError:
        return False
    finally:
        plain.setblocking(True)


def expect_as_planned(before, after, changes, step):
    """What config show says is what the plan said, no more and no less."""
    planned = {change["key"]: change for change in changes}
    for key in set(before) | set(after):
        listener = re.match(r"listener\.[^.]+", key)
        if listener and listener.group(0) in planned:
            continue  # it came, or went, as a whole
        name = re.match(r"listener\.([lm])(\d+)\.", key)
        if name and (key in before) != (key in after):
            other = f'listener.{"m" if name.group(1) == "l" else "l"}{name.group(2)}.name'
            own = f"listener.{name.group(1)}{name.group(2)}.name"
            expect(other in planned or own in planned, f"step {step}: {key} has another listener name and the plan says so")
            continue
        if before.get(key) == after.get(key):
            change = planned.get(key)
            expect(change is None or change["effect"] == "NEEDS A RESTART", f"step {step}: {key} has not changed")
        elif key not in planned:
            # One that all listeners have from a table of all is said there.
            general = {f"limits.{key.split('.', 2)[-1]}", f"auth.{key.rsplit('.', 1)[-1]}", key.split(".", 2)[-1]}
            expect(general & set(planned), f"step {step}: {key} changes as planned: {before.get(key)} {after.get(key)}")


# ---- many clients, many reloads ----

CLIENTS, RELOADS = 1000, 100
MORE_KIB = 4096  # what the allocator may still spread after the first reloads


def status_of(pid):
    text = open(f"/proc/{pid}/status").read()
    return {key: int(re.search(rf"^{key}:\s+(\d+)", text, re.M).group(1)) for key in ("VmRSS", "Threads")}


@case("reload/thousand_clients_hundred_reloads", alone=True)
def nobody_notices_a_hundred_reloads(case):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    case.at_end(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)))
    site = Site(case)
    ends = ("other", "plain")
    clients = []
    for n in range(CLIENTS):
        client = wire.Client((HOST, site.ports[ends[n % 2]]), wire.V5, f"many{n}", [], timeout=HANG_S)
        case.close_at_end(client)
        login = {"username": "ann", "password": "constant"} if n % 2 else {}
        expect_equal(client.connect(f"many{n}", keep_alive=0, **login).code, 0, "CONNACK")
        clients.append(client)
    steady = Steady(site.login("ann", "constant")[1])
    rows = []
    for n in range(1, RELOADS + 1):
        # Something is new each time: limits, rules, users, certificates, and what else a reload may bring.
        site.write((site.new if n % 2 else site.old) |
                   {"log": "old.log", "other_name": "other", "other": site.ports["other"], "level": "info"})
        before = (site.dir / "old.log").read_text().count("queue.max_messages was")
        site.process.signal(signal.SIGHUP)
        wait_until(lambda: (site.dir / "old.log").read_text().count("queue.max_messages was") > before, f"reload {n}")
        if n in (20, RELOADS):
            steady.expect_progress(f"{n} reloads")
            rows.append({"descriptors": len(descriptors(site.process.pid)), **status_of(site.process.pid)})
    early, late = rows
    expect_equal(late["descriptors"], early["descriptors"], "descriptors")
    expect_equal(late["Threads"], early["Threads"], "threads")
    is_bounded = late["VmRSS"] <= early["VmRSS"] + MORE_KIB
    expect(is_bounded or keeps_freed_memory(site.process.pid), f"memory: {early} at first, {late} at last")
    steady.end()
    for client in clients:
        client.send(wire.pingreq())
    for client in clients:
        client.expect(wire.PINGRESP)
    print(f"1000 clients, 100 reloads: {early} -> {late}, {steady.count} messages meanwhile", flush=True)
