"""TLS as clients and operators see it: names and addresses, certificates of clients, keys, rotation, what is said about
who does not get in. The certificates come from `nightjar tls`, the clients from elsewhere."""
import pathlib
import re
import signal
import socket
import ssl
import statistics
import subprocess
import threading
import time

import paho.mqtt.client as paho

from agent import mqttjs
from harness import BINARY, HOST, Failure, case, expect, expect_equal, wait_until

PSK = "00112233445566778899aabbccddeeff"
SERVED_WITHIN_S = 1.0     # promised for a certificate that was replaced
REVOKED_WITHIN_S = 60.0   # promised for a client whose certificate was revoked
HELD = 20                 # connections that are there before the first rotation
rotations = 50            # --rotations of run.py
CONNACK = b"\x20\x02\x00\x00"


def connect_of(client_id):
    """A CONNECT of 3.1.1 with a clean session; the id has four characters."""
    return b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04" + client_id.encode()


CONNECT = connect_of("raw1")


class Plant:
    """A directory of `nightjar tls init`, and a broker that serves it."""

    def __init__(self, case, *clients, keys="", listener="", server=True):
        self.case = case
        self.pki = case.directory() / "pki"
        named = [part for client in clients for part in ("--client", client)]
        case.run([BINARY, "tls", "init", self.pki, "--name", "localhost", "--ip", HOST, *named], "tls init")
        pair = f'certificate = "{self.file("server.pem")}"\nkey = "{self.file("server.key")}"\n' if server else ""
        self.config = case.file("nightjar.toml", f"[[listener]]\nname = \"secure\"\naddress = \"*\"\n"
                                f"allow_anonymous = true\n{listener}\n[listener.tls]\n{pair}{keys.format(pki=self.pki)}")
        self.broker = case.start_broker("-c", str(self.config))
        self.port = self.broker.port

    def file(self, name):
        return str(self.pki / name)

    def tls(self, *arguments):
        return self.case.run([BINARY, "tls", *arguments], "tls")

    def of_client(self, name):
        return ["--cert", self.file(f"client-{name}.pem"), "--key", self.file(f"client-{name}.key")]

    def publish(self, *options, host="localhost"):
        """mosquitto_pub; whether it got through."""
        process = self.case.spawn(["mosquitto_pub", "-h", host, "-p", str(self.port), "-t", "t", "-m", "m", "-q", "1",
                                   *options], "mosquitto_pub")
        return process.finish() == 0

    def context(self, client=None):
        context = ssl.create_default_context(cafile=self.file("ca.pem"))
        if client:
            context.load_cert_chain(self.file(f"client-{client}.pem"), self.file(f"client-{client}.key"))
        return context

    def plain(self):
        plain = socket.create_connection((HOST, self.port), 10)
        self.case.close_at_end(plain)
        return plain

    def open(self, context, server_name="localhost"):
        secure = context.wrap_socket(self.plain(), server_hostname=server_name)
        self.case.close_at_end(secure)
        return secure

    def served_serial(self):
        with socket.create_connection((HOST, self.port), 10) as plain:
            with self.context().wrap_socket(plain, server_hostname="localhost") as secure:
                return int(secure.getpeercert()["serialNumber"], 16)

    def logged(self, pattern):
        return self.broker.wait_line(pattern)


def serial_of(path):
    out = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-serial"], capture_output=True, text=True, check=True)
    return int(out.stdout.split("=")[1], 16)


def s_client(case, plant, *options):
    """What openssl s_client prints about a connection that it closes at once."""
    process = case.spawn(["openssl", "s_client", "-connect", f"{HOST}:{plant.port}", "-CAfile", plant.file("ca.pem"),
                          *options], "s_client")
    process.close_stdin()
    process.finish()
    return "\n".join(process.lines())


# ---- getting in ----

@case("tls/by_name_and_by_address")
def a_broker_is_reached_by_name_and_by_address(case):
    plant = Plant(case)
    ca = ["--cafile", plant.file("ca.pem")]
    for host in ("localhost", HOST):
        expect(plant.publish(*ca, "-r", host=host), f"mosquitto_pub to {host}")
        got = case.run(["mosquitto_sub", "-h", host, "-p", str(plant.port), "-t", "t", "-C", "1", "-W", "30", *ca])
        expect_equal(got, ["m"], f"what mosquitto_sub gets from {host}")
        expect_equal(mqttjs_outcome(case, plant, host), "connected", f"what becomes of MQTT.js at {host}")
    for name in ("-verify_hostname localhost", f"-verify_ip {HOST}"):
        text = s_client(case, plant, "-verify_return_error", *name.split())
        expect("Verify return code: 0 (ok)" in text, f"s_client with {name}")
    # An address that the certificate does not have.
    expect(not plant.publish(*ca, host="127.0.0.2"), "mosquitto_pub refuses it")
    expect_equal(mqttjs_outcome(case, plant, "127.0.0.2"), "error", "what becomes of MQTT.js there")
    text = s_client(case, plant, "-verify_return_error", "-verify_ip", "127.0.0.2")
    expect("IP address mismatch" in text, f"s_client refuses it: {text}")


def mqttjs_outcome(case, plant, host):
    """The first thing that becomes of a connection of MQTT.js, which trusts the plant's authority only."""
    client = case.spawn(mqttjs(), "mqttjs", env={"AGENT_TRANSPORT": "tls", "AGENT_CA": plant.file("ca.pem"), "AGENT_HOST": host})
    client.send(f"connect {plant.port} 4 {case.client_id('js')} 1 0 60")
    return client.wait_line(r"^(connected|refused|error|disconnected)\b").group(1)


@case("tls/messages_pass")
def messages_pass_between_tls_clients(case):
    plant = Plant(case)
    sub = case.spawn([BINARY, "sub", "-h", "localhost", "-p", str(plant.port), "--cafile", plant.file("ca.pem"), "-t",
                      "big/#", "-C", "3", "-F", "%t %l", "-q", "1"], "sub")
    plant.broker.wait_line("client connected client=nightjar-sub")
    payload = case.file("payload", b"x" * 300_000)
    for i in range(3):
        case.run([BINARY, "pub", "-L", f"mqtts://localhost:{plant.port}", "--cafile", plant.file("ca.pem"), "-t",
                  f"big/{i}", "-f", str(payload), "-q", "1"], "pub")
    expect_equal(sub.finish(), 0, "exit status of sub")
    expect_equal([line.split()[1] for line in sub.lines()], ["300000"] * 3, "sizes")


@case("tls/paho")
def python_paho_connects_with_a_certificate(case):
    plant = Plant(case, "pump7", keys='client_certificate = "required"\nclient_ca = "{pki}/ca.pem"\n')
    client = paho.Client(client_id="paho", clean_session=True)
    client.tls_set(plant.file("ca.pem"), plant.file("client-pump7.pem"), plant.file("client-pump7.key"))
    got = []
    client.on_connect = lambda c, *_: c.subscribe("p", 1)
    client.on_subscribe = lambda c, *_: c.publish("p", b"hello", 1)
    client.on_message = lambda _c, _u, message: got.append(message.payload)
    client.connect("localhost", plant.port)
    client.loop_start()
    case.at_end(client.loop_stop)
    wait_until(lambda: got, "the message")
    expect_equal(got, [b"hello"], "payloads")
    client.disconnect()


@case("tls/versions_and_alpn")
def versions_and_alpn_are_negotiated(case):
    plant = Plant(case)
    for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        expect(name in s_client(case, plant, version), f"{name} is spoken")
    expect("ALPN protocol: mqtt" in s_client(case, plant, "-alpn", "mqtt"), "mqtt is chosen")
    expect("No ALPN negotiated" in s_client(case, plant), "none is fine")
    expect("no application protocol" in s_client(case, plant, "-alpn", "h2").lower(), "another is refused with an alert")


@case("tls/resumption")
def a_session_is_resumed_with_a_ticket(case):
    plant = Plant(case)
    for version in ("-tls1_2", "-tls1_3"):
        path = case.directory() / f"session{version}"
        # In TLS 1.3 the ticket comes behind the handshake.
        process = case.spawn(["openssl", "s_client", "-connect", f"{HOST}:{plant.port}", version, "-sess_out", str(path)])
        wait_until(path.exists, "the ticket")
        process.kill()
        expect("Reused, TLSv1" in s_client(case, plant, version, "-sess_in", str(path)), f"resumed with {version}")


@case("tls/plc_profile")
def a_controller_without_sni_and_with_rsa_suites_gets_in(case):
    plant = Plant(case, keys='profile = "plc"\n')
    case.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", plant.file("server.key"), "-out",
              plant.file("server.pem"), "-subj", "/CN=plc", "-addext", f"subjectAltName=IP:{HOST}"], "openssl")
    plant.logged("files have changed and are served now")
    text = s_client(case, plant, "-noservername", "-tls1_2", "-cipher", "AES128-SHA@SECLEVEL=0")
    expect("Cipher is AES128-SHA" in text, "RSA key exchange with CBC")
    expect("New, TLSv1.2" in s_client(case, plant), "TLS 1.2 is the newest")


UPGRADE = (b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Protocol: mqtt\r\n\r\n")


def speaks_websocket(connection):
    connection.sendall(UPGRADE)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(4096)
    expect(answer.startswith(b"HTTP/1.1 101"), f"the upgrade is accepted: {answer}")
    # One binary frame, masked with zeros.
    connection.sendall(bytes([0x82, 0x80 | len(CONNECT)]) + bytes(4) + CONNECT)
    expect_equal(connection.recv(6), b"\x82\x04" + CONNACK, "CONNACK in a frame")


def speaks_mqtt(connection):
    connection.sendall(CONNECT)
    expect_equal(connection.recv(4), CONNACK, "CONNACK")


@case("tls/secure_websocket")
def websocket_goes_through_tls(case):
    plant = Plant(case, listener='protocol = "websocket"')
    context = plant.context()
    context.set_alpn_protocols(["http/1.1"])
    secure = plant.open(context)
    expect_equal(secure.selected_alpn_protocol(), "http/1.1", "the protocol chosen")
    speaks_websocket(secure)


@case("tls/auto")
def one_port_speaks_all_four(case):
    plant = Plant(case, listener='protocol = "auto"')
    for speak in (speaks_mqtt, speaks_websocket):
        speak(plant.open(plant.context()))
        plain = socket.create_connection((HOST, plant.port), 10)
        case.close_at_end(plain)
        speak(plain)


# ---- who they are ----

@case("tls/client_certificates")
def certificates_of_clients_are_required_or_optional(case):
    plant = Plant(case, "pump7", keys='client_certificate = "required"\nclient_ca = "{pki}/ca.pem"\n')
    ca = ["--cafile", plant.file("ca.pem")]
    expect(plant.publish(*ca, *plant.of_client("pump7")), "with a certificate")
    expect(not plant.publish(*ca), "without one")
    plant.logged("TLS: a client shows no certificate")
    plant.config.write_text(plant.config.read_text().replace('"required"', '"optional"'))
    plant.broker.signal(signal.SIGHUP)
    plant.logged("client_certificate was")
    expect(plant.publish(*ca), "optional: without one")
    expect(plant.publish(*ca, *plant.of_client("pump7")), "optional: with one")
    other = case.directory() / "other"
    case.run([BINARY, "tls", "init", other, "--name", "x", "--client", "spy"], "tls init")
    expect(not plant.publish(*ca, "--cert", str(other / "client-spy.pem"), "--key", str(other / "client-spy.key")),
           "one of another authority is refused")
    plant.logged("a client's certificate is refused")


@case("tls/revocation")
def a_revoked_client_is_out_and_stays_out(case):
    plant = Plant(case, "pump7", "pump8",
                  keys='client_certificate = "required"\nclient_ca = "{pki}/ca.pem"\ncrl = "{pki}/crl.pem"\n')
    ca = ["--cafile", plant.file("ca.pem")]
    subs = {name: case.spawn(["stdbuf", "-oL", "mosquitto_sub", "-h", "localhost", "-p", str(plant.port), "-i", name, "-t", "x",
                              *ca, *plant.of_client(name), "-d"], name) for name in ("pump7", "pump8")}
    for sub in subs.values():
        sub.wait_line("^Subscribed ")
    stolen = [plant.file("stolen.pem"), plant.file("stolen.key")]
    for source, copy in zip(("client-pump7.pem", "client-pump7.key"), stolen):
        pathlib.Path(copy).write_bytes(pathlib.Path(plant.file(source)).read_bytes())
    plant.tls("revoke", plant.pki, "--client", "pump7")
    plant.broker.wait_line("client=pump7 .*its certificate has been revoked", bound_s=REVOKED_WITHIN_S)
    expect(not plant.publish(*ca, "--cert", stolen[0], "--key", stolen[1]), "it does not get in again")
    plant.logged("certificate revoked")
    expect(plant.publish(*ca, *plant.of_client("pump8")), "another one does")
    expect(not any("client disconnected client=pump8" in line for line in plant.broker.lines()), "and stayed in")


@case("tls/pre_shared_keys")
def pre_shared_keys_open_connections(case):
    keys = case.file("keys", f"# of this plant\ndevice1:{PSK}\n")
    plant = Plant(case, keys=f'psk_file = "{keys}"\npsk_hint = "plant"\n', server=False)
    for version in ("tlsv1.2", "tlsv1.3"):
        good = ["--psk", PSK, "--psk-identity", "device1", "--tls-version", version]
        expect(plant.publish(*good), f"the right key, {version}")
        expect(not plant.publish("--psk", PSK[::-1], "--psk-identity", "device1", "--tls-version", version), "a wrong key")
        expect(not plant.publish("--psk", PSK, "--psk-identity", "device2", "--tls-version", version), "a wrong identity")
    keys.write_text(f"device2:{PSK}\n")
    plant.logged("files have changed and are served now")
    expect(plant.publish("--psk", PSK, "--psk-identity", "device2"), "a new key counts at once")


@case("tls/several_certificates")
def the_name_asked_for_chooses_the_certificate(case):
    other = case.directory() / "other"
    case.run([BINARY, "tls", "init", other, "--name", "other.example"], "tls init")
    plant = Plant(case, keys=f'[[listener.tls.more]]\ncertificate = "{other}/server.pem"\nkey = "{other}/server.key"\n')
    for name, subject in (("other.example", "other.example"), ("localhost", "localhost"), ("nobody", "localhost")):
        expect(f"subject=CN = {subject}" in s_client(case, plant, "-servername", name), f"{name} gets {subject}")


# ---- renewal ----

class Reconnecting(threading.Thread):
    """A client that connects, is accepted and goes, again and again. If it `resumes`, it offers the session of the connection
    before, whose ticket may be of a certificate that is served no more."""

    def __init__(self, plant, name, resumes):
        super().__init__()
        self.plant, self.name, self.resumes = plant, name, resumes
        self.connections, self.resumed, self.failures = 0, 0, []
        self._ends = threading.Event()

    def run(self):
        context, session = self.plant.context(), None
        while not self._ends.is_set():
            try:
                with socket.create_connection((HOST, self.plant.port), 10) as plain:
                    with context.wrap_socket(plain, server_hostname="localhost", session=session) as secure:
                        secure.sendall(connect_of(self.name))
                        if secure.recv(4) != CONNACK:
                            self.failures.append("no CONNACK")
                        self.resumed += secure.session_reused
                        session = secure.session if self.resumes else None
                self.connections += 1
            except OSError as error:
                self.failures.append(repr(error))

    def stop(self):
        self._ends.set()
        self.join()


class Held:
    """Connections from before, of both versions of TLS, which answer as long as they are there."""

    def __init__(self, plant):
        self.connections = []
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = plant.context()
            context.minimum_version = context.maximum_version = version
            for index in range(HELD // 2):
                secure = plant.open(context)
                secure.sendall(connect_of(f"h{version.value % 10}{index:02}"))
                expect_equal(secure.recv(4), CONNACK, "CONNACK")
                self.connections.append(secure)

    def ping(self):
        for secure in self.connections:
            secure.sendall(b"\xc0\x00")
        for secure in self.connections:
            expect_equal(secure.recv(2), b"\xd0\x00", "PINGRESP of a connection from before")


@case("tls/rotation", alone=True)
def certificates_rotate_under_reconnecting_load(case):
    """Every new serial is served within a second, no handshake fails, and connections from before go on."""
    plant = Plant(case)
    held, serials, waits = Held(plant), {plant.served_serial()}, []
    clients = [Reconnecting(plant, f"rec{index}", resumes=index == 1) for index in range(2)]
    for client in clients:
        client.start()
    try:
        for _ in range(rotations):
            plant.tls("renew", plant.pki, "--all")
            begun, wanted = time.monotonic(), serial_of(plant.file("server.pem"))
            wait_until(lambda: plant.served_serial() == wanted, "the new certificate", bound_s=10)
            waits.append(time.monotonic() - begun)
            serials.add(wanted)
            held.ping()
    finally:
        for client in clients:
            client.stop()
    for client in clients:
        expect_equal(client.failures, [], f"failed connections of {client.name}")
        expect(client.connections > rotations, f"{client.name} reconnected all the time: {client.connections}")
    expect(clients[1].resumed, "some of them with a ticket")
    expect_equal(len(serials), rotations + 1, "different serials")
    expect(max(waits) <= SERVED_WITHIN_S, f"the slowest took {max(waits):.2f} s")
    case.figures = (f"{rotations} rotations, served after {statistics.median(waits):.2f} s at the median and {max(waits):.2f} s "
                    f"at most; {sum(client.connections for client in clients)} connections meanwhile, {clients[1].resumed} of them "
                    f"resumed, none failed; {HELD} held, none dropped")


@case("tls/bad_files_keep_the_old")
def a_bad_pair_keeps_the_old_one_and_says_why(case):
    plant = Plant(case)
    before = plant.served_serial()
    other = case.directory() / "other"
    case.run([BINARY, "tls", "init", other, "--name", "localhost"], "tls init")
    key = pathlib.Path(plant.file("server.key"))
    good = key.read_bytes()
    key.write_bytes((other / "server.key").read_bytes())
    plant.logged("what was read before stays: the key in .*server.key does not belong to the first certificate in .*pem")
    expect_equal(plant.served_serial(), before, "the serial served")
    plant.broker.signal(signal.SIGHUP)
    plant.logged("reload: nothing was changed: .*nightjar.toml:.*\"key\" in .listener.secure.tls.: the key in")
    expect_equal(plant.served_serial(), before, "the serial served after SIGHUP")
    key.write_bytes(good)
    plant.tls("renew", plant.pki, "--all")
    wait_until(lambda: plant.served_serial() != before, "the next good pair")


@case("tls/days_left")
def days_left_are_counted_and_warned_about(case):
    plant = Plant(case)
    text = "\n".join(case.run([BINARY, "ctl", "stats", "--data", plant.broker.data], "ctl"))
    expect(re.search(r"server\.pem of secure +39[67]$", text, re.MULTILINE), f"the table has the days: {text}")
    case.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", plant.file("server.key"), "-out",
              plant.file("server.pem"), "-subj", "/CN=soon", "-days", "5"], "openssl")
    plant.logged("the certificate in .*server.pem expires in [45] days")
    expect_equal(sum("expires in" in line for line in plant.broker.lines()), 1, "said once")


# ---- what is said ----

@case("tls/start_errors")
def a_start_with_wrong_files_names_place_key_and_fix(case):
    pki = case.directory() / "pki"
    case.run([BINARY, "tls", "init", pki, "--name", "localhost"], "tls init")
    (pki / "empty.pem").write_bytes(b"")
    case.run(["openssl", "x509", "-in", pki / "server.pem", "-outform", "der", "-out", pki / "server.der"], "openssl")
    case.run(["openssl", "pkey", "-in", pki / "server.key", "-aes128", "-passout", "pass:x", "-out", pki / "locked.key"],
             "openssl")
    for certificate, key, expected in (
            ("server.pem", "ca.key", "\"key\" in [listener.s.tls]: the key in"),
            ("none.pem", "server.key", "none.pem: No such file or directory"),
            ("empty.pem", "server.key", "is empty; it must hold a certificate in PEM form"),
            ("server.der", "server.key", "make PEM of it: openssl x509 -inform der"),
            ("server.key", "server.pem", "are certificate and key swapped?"),
            ("server.pem", "locked.key", "is encrypted with a pass phrase")):
        config = case.file("wrong.toml", f'[[listener]]\nname = "s"\n[listener.tls]\ncertificate = "{pki}/{certificate}"\n'
                                         f'key = "{pki}/{key}"\n')
        process = case.spawn([BINARY, "-c", str(config), "--data", str(case.directory() / "data")], "broker")
        expect(process.finish() != 0, f"{certificate} with {key} is refused")
        text = "\n".join(process.lines())
        expect("wrong.toml:" in text and expected in text, f"expected {expected!r} in: {text}")


@case("tls/plain_clients_on_a_tls_port")
def plain_clients_on_a_tls_port_are_told_apart(case):
    plant = Plant(case)
    expect(not plant.publish(), "mosquitto_pub without TLS")
    plant.logged("sent plain MQTT to listener secure, and was closed: it wants TLS; use TLS in the client")
    with socket.create_connection((HOST, plant.port), 10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        expect_equal(plain.recv(1), b"", "the end")
    plant.logged("sent an HTTP request.* to listener secure, and was closed: it wants TLS; use a wss:// address")
    count = sum("sent plain MQTT" in line for line in plant.broker.lines())
    expect_equal(count, 1, "lines about it")


@case("tls/tls_clients_on_a_plain_port")
def tls_clients_on_a_plain_port_are_told_apart(case):
    broker = case.start_broker()
    process = case.spawn(["openssl", "s_client", "-connect", f"{HOST}:{broker.port}"], "s_client")
    process.close_stdin()
    process.finish()
    broker.wait_line("sent a TLS handshake to listener .*, and was closed: it has no certificate")


@case("tls/slow_strangers")
def half_a_hello_is_closed_in_time(case):
    plant = Plant(case, listener='connect_timeout = "1s"')
    with socket.create_connection((HOST, plant.port), 10) as plain:
        plain.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        plain.settimeout(10)
        expect_equal(plain.recv(1), b"", "the broker's end")
    ca = ["--cafile", plant.file("ca.pem")]
    expect(plant.publish(*ca), "others are served")


@case("tls/close_notify")
def both_sides_say_close_notify(case):
    plant = Plant(case)
    secure = plant.open(plant.context())
    secure.sendall(CONNECT)
    expect_equal(secure.recv(4), CONNACK, "CONNACK")
    # unwrap() sends close_notify and fails unless the other side's comes before the end of the stream.
    secure.settimeout(10)
    secure.unwrap()
    other = plant.open(plant.context())
    other.sendall(CONNECT)
    expect_equal(other.recv(4), CONNACK, "CONNACK")
    other.suppress_ragged_eofs = False
    other.sendall(b"\xe0\x00")
    try:
        expect_equal(other.recv(1), b"", "the end after DISCONNECT")
    except ssl.SSLEOFError:
        raise Failure("the broker closed without close_notify") from None


@case("tls/explain")
def explain_says_what_clients_object_to(case):
    plant = Plant(case)
    where = f"localhost:{plant.port}"
    text = "\n".join(plant.tls("explain", where, "--cafile", plant.file("ca.pem")))
    expect("clients have nothing to object to" in text and "TLSv1.3" in text, text)
    for arguments, expected in (((plant.file("server.pem"), "--name", "plant.example"), 'it is not for "plant.example"'),
                                ((plant.file("server.pem"), "--key", plant.file("ca.key")), "does not belong to it"),
                                ((plant.file("ca.pem"),), "it is the certificate of an authority")):
        process = case.spawn([BINARY, "tls", "explain", *arguments], "explain")
        expect_equal(process.finish(), 1, "exit status with objections")
        expect(expected in "\n".join(process.lines()), f"{expected} in {process.lines()}")


@case("tls/client_messages")
def pub_says_what_is_wrong_in_plain_words(case):
    plant = Plant(case, "pump7", keys='client_certificate = "required"\nclient_ca = "{pki}/ca.pem"\n')
    ca = ["--cafile", plant.file("ca.pem")]
    for options, expected in (([*ca, "-h", "127.0.0.2"], "its certificate is not for \"127.0.0.2\""),
                              (["--tls", "-h", "localhost"], "name its authority with --cafile FILE"),
                              ([*ca, "-h", "localhost", "--cert", "x"], "give both --cert and --key")):
        process = case.spawn([BINARY, "pub", "-p", str(plant.port), "-t", "t", "-m", "m", *options], "pub")
        expect(process.finish() != 0, "it fails")
        expect(expected in "\n".join(process.lines()), f"{expected} in {process.lines()}")
    case.run([BINARY, "pub", "-h", "localhost", "-p", str(plant.port), "-t", "t", "-m", "m", *ca,
              *plant.of_client("pump7")], "pub")
