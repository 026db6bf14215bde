"""What each key of [listener.tls] and [[listener.tls.more]] does."""
import hashlib
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

from harness import BINARY, HOST
from keys.scenario import shows

PSK = "00112233445566778899aabbccddeeff"
PAIR = {"listener.tls.certificate": '"{dir}/pki/server.pem"', "listener.tls.key": '"{dir}/pki/server.key"'}
CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04some"
CONNACK = b"\x20\x02\x00\x00"


def plant(case, *names):
    """Authorities of these names with a server's certificate, and one of a client."""
    for name in names or ("pki",):
        case.run([BINARY, "tls", "init", case.directory() / name, "--name", "localhost", "--ip", HOST, "--client", "pump"],
                 "tls init")


def openssl(case, *arguments):
    return case.run(["openssl", *arguments], "openssl")


# RSA keys take a busy machine long to find, so they are for what is about RSA.
EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def pair(case, name, common_name, key=None):
    """A certificate of its own, for a key that is there or a new one."""
    path = case.directory()
    how = ["-key", path / key] if key else [*EC_KEY, "-keyout", path / f"{name}.key"]
    openssl(case, "req", "-x509", *how, "-out", path / f"{name}.pem", "-subj", f"/CN={common_name}")


def context(**fields):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def shake_hands(door, with_context, server_name="localhost"):
    """A connection that got a CONNACK, or None."""
    plain = socket.create_connection((HOST, door.port), 10)
    door.case.close_at_end(plain)
    try:
        secure = with_context.wrap_socket(plain, server_hostname=server_name)
        door.case.close_at_end(secure)
        secure.sendall(CONNECT)
        return secure if secure.recv(4) == CONNACK else None
    except (ConnectionError, ssl.SSLError):
        return None


def common_name(door, server_name="localhost"):
    """Of the certificate that the server shows."""
    secure = shake_hands(door, context(), server_name)
    text = openssl_of(door, "x509", "-inform", "der", "-noout", "-subject", data=secure.getpeercert(True))
    return re.search(r"CN = (\S+)", text).group(1)


def openssl_of(door, *arguments, data):
    path = door.case.file("peer.der", data)
    return "\n".join(door.case.run(["openssl", *arguments, "-in", path], "openssl"))


# ---- the server's certificates ----

def two_certificates_of_a_key(case):
    pair(case, "north", "north.example")
    pair(case, "south", "south.example", key="north.key")


@shows("listener.tls.certificate", {'"{dir}/north.pem"': "north.example", '"{dir}/south.pem"': "south.example"},
       beside={"listener.tls.key": '"{dir}/north.key"'}, prepare=two_certificates_of_a_key)
def shows_that_certificate(door):
    return common_name(door)


def two_keys(case):
    plant(case)
    two_certificates_of_a_key(case)


@shows("listener.tls.key", {'"{dir}/pki/server.key"': "served", '"{dir}/north.key"': "refused"}, is_alone=True,
       beside={"listener.tls.certificate": PAIR["listener.tls.certificate"]}, prepare=two_keys)
def belongs_to_the_certificate(door):
    return "served" if door.process.is_running else "refused"


@shows("listener.tls.more.certificate", {'"{dir}/north.pem"': ("north.example", "localhost"),
                                         '"{dir}/south.pem"': ("localhost", "south.example")},
       beside={**PAIR, "listener.tls.more.key": '"{dir}/north.key"'}, prepare=two_keys)
def shows_it_to_who_asks_for_its_name(door):
    return common_name(door, "north.example"), common_name(door, "south.example")


@shows("listener.tls.more.key", {'"{dir}/north.key"': "served", '"{dir}/pki/server.key"': "refused"}, is_alone=True,
       beside={**PAIR, "listener.tls.more.certificate": '"{dir}/north.pem"'}, prepare=two_keys)
def belongs_to_the_further_certificate(door):
    return "served" if door.process.is_running else "refused"


# ---- versions and suites ----

_rsa_pair = {}
_making_rsa_pair = threading.Lock()


def one_rsa_pair(case):
    """The same for every scenario of this run."""
    with _making_rsa_pair:
        if not _rsa_pair:
            with tempfile.TemporaryDirectory(prefix="nightjar-e2e-") as made:
                files = {name: f"{made}/{name}" for name in ("rsa.pem", "rsa.key")}
                subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", files["rsa.key"],
                                "-out", files["rsa.pem"], "-subj", "/CN=localhost"], check=True, capture_output=True)
                _rsa_pair.update({name: pathlib.Path(path).read_bytes() for name, path in files.items()})
    for name, content in _rsa_pair.items():
        case.file(name, content)


RSA_PAIR = {"listener.tls.certificate": '"{dir}/rsa.pem"', "listener.tls.key": '"{dir}/rsa.key"'}


def of_tls12(ciphers):
    made = context(minimum_version=ssl.TLSVersion.TLSv1_2, maximum_version=ssl.TLSVersion.TLSv1_2)
    made.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    return made


@shows("listener.tls.profile", {'"modern"': (False, "TLSv1.3"), '"plc"': (True, "TLSv1.2")}, beside=RSA_PAIR,
       prepare=one_rsa_pair)
def lets_controllers_in(door):
    return shake_hands(door, of_tls12("AES128-SHA")) is not None, shake_hands(door, context()).version()


@shows("listener.tls.min_version", {'"1.2"': True, '"1.3"': False}, beside=PAIR, prepare=plant)
def refuses_an_older_version(door):
    return shake_hands(door, context(maximum_version=ssl.TLSVersion.TLSv1_2)) is not None


@shows("listener.tls.max_version", {'"1.2"': "TLSv1.2", '"1.3"': "TLSv1.3"}, beside=PAIR, prepare=plant)
def speaks_no_newer_version(door):
    return shake_hands(door, context()).version()


SUITES = ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384")


@shows("listener.tls.ciphers", {f'"{SUITES[0]}"': SUITES[0], f'"{SUITES[1]}"': SUITES[1]}, beside=RSA_PAIR,
       prepare=one_rsa_pair)
def takes_these_suites_of_1_2(door):
    return shake_hands(door, of_tls12(":".join(SUITES))).cipher()[0]


@shows("listener.tls.ciphers_tls13", {'"TLS_AES_128_GCM_SHA256"': "TLS_AES_128_GCM_SHA256",
                                      '"TLS_CHACHA20_POLY1305_SHA256"': "TLS_CHACHA20_POLY1305_SHA256"}, beside=PAIR,
       prepare=plant)
def takes_these_suites_of_1_3(door):
    return shake_hands(door, context()).cipher()[0]


def s_client(door, *options):
    process = door.case.spawn(["openssl", "s_client", "-connect", f"{HOST}:{door.port}", "-tls1_2", *options], "s_client")
    process.close_stdin()
    process.finish()
    return "\n".join(process.lines())


def two_groups(case):
    one_rsa_pair(case)
    for bits in (2048, 3072):
        openssl(case, "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", f"group:ffdhe{bits}", "-out",
                case.directory() / f"dh{bits}.pem")


@shows("listener.tls.dh_params", {'"{dir}/dh2048.pem"': 2048, '"{dir}/dh3072.pem"': 3072},
       beside={**RSA_PAIR, "listener.tls.ciphers": '"DHE-RSA-AES256-GCM-SHA384"'}, prepare=two_groups)
def has_keys_of_these_parameters(door):
    return int(re.search(r"Server Temp Key: DH, (\d+) bits", s_client(door)).group(1))


# ---- certificates of clients ----

def two_authorities(case):
    plant(case, "pki", "other")
    for name in ("pki", "other"):
        directory = case.directory() / f"{name}-dir"
        directory.mkdir()
        shutil.copy(case.directory() / name / "ca.pem", directory / "ca.pem")
        openssl(case, "rehash", directory)


def of_client(door, authority, name="pump"):
    made = context()
    files = door.directory / authority
    made.load_cert_chain(files / f"client-{name}.pem", files / f"client-{name}.key")
    return made


def gets_in(door, authority, name="pump"):
    return shake_hands(door, of_client(door, authority, name)) is not None


DEMANDED = {**PAIR, "listener.tls.client_certificate": '"required"'}


@shows("listener.tls.client_certificate", {'"none"': (True, True, True), '"optional"': (True, True, False),
                                           '"required"': (False, True, False)},
       beside={**PAIR, "listener.tls.client_ca": '"{dir}/pki/ca.pem"'}, prepare=two_authorities)
def asks_clients_for_one(door):
    return shake_hands(door, context()) is not None, gets_in(door, "pki"), gets_in(door, "other")


@shows("listener.tls.client_ca", {'"{dir}/pki/ca.pem"': (True, False), '"{dir}/other/ca.pem"': (False, True)},
       beside=DEMANDED, prepare=two_authorities)
def believes_this_authority(door):
    return gets_in(door, "pki"), gets_in(door, "other")


@shows("listener.tls.client_ca_dir", {'"{dir}/pki-dir"': (True, False), '"{dir}/other-dir"': (False, True)},
       beside=DEMANDED, prepare=two_authorities)
def believes_the_authorities_in_there(door):
    return gets_in(door, "pki"), gets_in(door, "other")


def two_lists(case):
    plant(case)
    pki = case.directory() / "pki"
    shutil.copy(pki / "crl.pem", case.directory() / "before.pem")
    for kind in ("pem", "key"):  # revoking takes its own files away
        shutil.copy(pki / f"client-pump.{kind}", pki / f"client-stolen.{kind}")
    case.run([BINARY, "tls", "revoke", pki, "--client", "pump"], "tls revoke")


DEMANDED_OF_PKI = {**DEMANDED, "listener.tls.client_ca": '"{dir}/pki/ca.pem"'}


@shows("listener.tls.crl", {'"{dir}/before.pem"': True, '"{dir}/pki/crl.pem"': False}, beside=DEMANDED_OF_PKI,
       prepare=two_lists)
def refuses_who_is_revoked(door):
    return gets_in(door, "pki", "stolen")


def client_of_the_past(case):
    plant(case)
    directory = case.directory() / "pki"
    openssl(case, "req", *EC_KEY, "-keyout", directory / "client-old.key", "-out",
            directory / "old.csr", "-subj", "/CN=old")
    openssl(case, "x509", "-req", "-in", directory / "old.csr", "-CA", directory / "ca.pem", "-CAkey",
            directory / "ca.key", "-days", "-1", "-out", directory / "client-old.pem")


@shows("listener.tls.ignore_client_dates", {"true": True, "false": False}, beside=DEMANDED_OF_PKI,
       prepare=client_of_the_past)
def takes_certificates_of_the_past(door):
    return gets_in(door, "pki", "old")


def client_of_many_names(case):
    plant(case)
    directory = case.directory() / "pki"
    names = case.file("names", "subjectAltName=DNS:pump.example,email:pump@example.org\n")
    openssl(case, "req", *EC_KEY, "-keyout", directory / "client-many.key", "-out",
            directory / "many.csr", "-subj", "/O=Plant/CN=many")
    openssl(case, "x509", "-req", "-in", directory / "many.csr", "-CA", directory / "ca.pem", "-CAkey",
            directory / "ca.key", "-extfile", names, "-out", directory / "client-many.pem")


@shows("listener.tls.user_from", {'"none"': "", '"common-name"': "many", '"subject"': "CN=many,O=Plant",
                                  '"dns-name"': "pump.example", '"email"': "pump@example.org",
                                  '"fingerprint"': "its fingerprint"}, beside=DEMANDED_OF_PKI,
       prepare=client_of_many_names)
def takes_the_user_name_from_it(door):
    secure = shake_hands(door, of_client(door, "pki", "many"))
    der = ssl.PEM_cert_to_DER_cert((door.directory / "pki" / "client-many.pem").read_text())
    user = door.client_info("some")["user"]
    secure.close()
    return "its fingerprint" if user == hashlib.sha256(der).hexdigest() else user


# ---- pre-shared keys ----

def two_files_of_keys(case):
    for name in ("ann", "bob"):
        case.file(f"{name}.psk", f"{name}:{PSK}\n")


def gets_in_by_key(door, identity):
    process = door.case.spawn(["mosquitto_pub", "-h", HOST, "-p", str(door.port), "-t", "t", "-m", "m", "-q", "1", "--psk",
                               PSK, "--psk-identity", identity], "mosquitto_pub")
    return process.finish() == 0


@shows("listener.tls.psk_file", {'"{dir}/ann.psk"': (True, False), '"{dir}/bob.psk"': (False, True)},
       prepare=two_files_of_keys)
def takes_these_keys(door):
    return gets_in_by_key(door, "ann"), gets_in_by_key(door, "bob")


@shows("listener.tls.psk_hint", {'"north"': "north", '"south"': "south"}, prepare=two_files_of_keys,
       beside={"listener.tls.psk_file": '"{dir}/ann.psk"'})
def tells_the_hint(door):
    return re.search(r"PSK identity hint: (\S+)", s_client(door, "-psk", PSK, "-psk_identity", "ann")).group(1)
