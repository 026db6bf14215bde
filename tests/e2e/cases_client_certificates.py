"""What becomes of clients whose certificate ends, or whose authority is not trusted any more, while they are connected.
openssl is the authority here, because `nightjar tls` makes none between itself and the clients."""
import re
import ssl

from cases_tls import CONNACK, REVOKED_WITHIN_S, Plant, connect_of
from harness import BINARY, case, expect, expect_equal
from sockets import end_of_stream

REQUIRED = 'client_certificate = "required"\nclient_ca = "{ca}"\n'


class Authority:
    """A certificate that may issue others: the root, or one below it."""

    def __init__(self, case, name, parent=None):
        self.case, self.name = case, name
        self.directory = case.directory() / name
        self.directory.mkdir()
        self.certificate, self.key = self.directory / "ca.pem", self.directory / "ca.key"
        self.config = self.directory / "openssl.cnf"
        (self.directory / "index.txt").write_text("")
        self.config.write_text(f"[ca]\ndefault_ca = own\n[own]\ndatabase = {self.directory}/index.txt\ndefault_md = sha256\n"
                               "default_crl_days = 30\n[authority]\nbasicConstraints = critical,CA:TRUE\n"
                               "[client]\nextendedKeyUsage = clientAuth\n")
        (parent or self)._issue(self.certificate, self.key, name, "authority", 30, is_own=parent is None)

    def _openssl(self, *arguments):
        self.case.run(["openssl", *map(str, arguments)], f"openssl {arguments[0]}")

    def _issue(self, certificate, key, name, kind, days, is_own=False):
        request = certificate.with_suffix(".csr")
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                      request, "-subj", f"/CN={name}")
        signer = ("-signkey", key) if is_own else ("-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial")
        self._openssl("x509", "-req", "-in", request, *signer, "-days", days, "-extfile", self.config, "-extensions", kind,
                      "-out", certificate)

    def client(self, name, days=20):
        """Its certificate, with this authority's behind it, and its key; for a root nothing is behind it."""
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        self._issue(certificate, key, name, "client", days)
        certificate.write_text(certificate.read_text() + self.certificate.read_text())
        return certificate, key

    def revoke(self, authority):
        self._openssl("ca", "-config", self.config, "-cert", self.certificate, "-keyfile", self.key, "-revoke",
                      authority.certificate)

    def crl(self):
        path = self.directory / "crl.pem"
        self._openssl("ca", "-config", self.config, "-cert", self.certificate, "-keyfile", self.key, "-gencrl", "-out", path)
        return path.read_text()


def publish(plant, certificate, key):
    return plant.publish("--cafile", plant.file("ca.pem"), "--cert", str(certificate), "--key", str(key))


def subscriber(case, plant, name, certificate, key):
    process = case.spawn(["stdbuf", "-oL", "mosquitto_sub", "-h", "localhost", "-p", str(plant.port), "-i", name, "-t", "x", "-d",
                          "--cafile", plant.file("ca.pem"), "--cert", str(certificate), "--key", str(key)], name)
    process.wait_line("^Subscribed ")
    return process


def resumed(plant, version, name, certificate, key):
    """A connection of this client that showed no certificate, because an earlier one did."""
    context = plant.context()
    context.load_cert_chain(certificate, key)
    context.minimum_version = context.maximum_version = version
    first = plant.open(context)
    first.sendall(connect_of(name))
    expect_equal(first.recv(4), CONNACK, "CONNACK")  # in TLS 1.3 the ticket comes before it
    session = first.session
    first.sendall(b"\xe0\x00")
    end_of_stream(first)
    second = context.wrap_socket(plant.plain(), server_hostname="localhost", session=session)
    plant.case.close_at_end(second)
    expect(second.session_reused, "the session is resumed")
    second.sendall(connect_of(name))
    expect_equal(second.recv(4), CONNACK, "CONNACK")
    return second


@case("tls/revoked_authority")
def clients_of_a_revoked_authority_are_out_and_stay_out(case):
    root = Authority(case, "root")
    north, south = Authority(case, "north", root), Authority(case, "south", root)
    crl = case.file("crl.pem", root.crl() + north.crl() + south.crl())
    plant = Plant(case, keys=REQUIRED.format(ca=root.certificate) + f'crl = "{crl}"\n')
    pump1, pump2 = north.client("pump1"), south.client("pump2")
    subscriber(case, plant, "pump1", *pump1)
    subscriber(case, plant, "pump2", *pump2)
    again = [resumed(plant, version, name, *pump1) for version, name in ((ssl.TLSVersion.TLSv1_2, "old2"),
                                                                       (ssl.TLSVersion.TLSv1_3, "old3"))]
    root.revoke(north)
    crl.write_text(root.crl() + north.crl() + south.crl())
    for name in ("pump1", "old2", "old3"):
        plant.broker.wait_line(f"client={name} .*its certificate has been revoked", bound_s=REVOKED_WITHIN_S)
    for connection in again:
        end_of_stream(connection)
    expect(not publish(plant, *pump1), "it does not get in again")
    plant.logged("certificate revoked")
    expect(publish(plant, *pump2), "a client of the other authority does")
    expect(not any("client disconnected client=pump2" in line for line in plant.broker.lines()), "and stayed in")


@case("tls/authority_without_a_list")
def an_authority_that_no_list_is_about_is_trusted(case):
    """Only the clients' own authority has to have a list, as with Mosquitto's crlfile."""
    root = Authority(case, "root")
    north = Authority(case, "north", root)
    plant = Plant(case, keys=REQUIRED.format(ca=root.certificate) + f'crl = "{case.file("crl.pem", north.crl())}"\n')
    expect(publish(plant, *north.client("pump1")), "a client gets in")


@case("tls/client_days_left")
def days_left_of_clients_are_counted_and_warned_about(case):
    root = Authority(case, "root")
    plant = Plant(case, keys=REQUIRED.format(ca=root.certificate))
    for name, days in (("later", 300), ("soon", 5), ("soon2", 20)):
        subscriber(case, plant, name, *root.client(name, days))
    plant.logged("a connected client's certificate expires in [45] days.* client=soon .*subject=\"?CN=soon")
    plant.logged("a connected client's certificate expires in (19|20) days.* client=soon2 ")
    table = "\n".join(case.run([BINARY, "ctl", "stats", "--data", plant.broker.data], "ctl"))
    for row, count in (("connected", 3), ("end within 30 days", 2), ("end within 7 days", 1), ("end within 1 day", 0),
                       ("have expired", 0)):
        expect(re.search(rf"^  {row} +{count}$", table, re.MULTILINE), f"{count} {row}: {table}")
    expect_equal(sum("client=soon " in line and "expires in" in line for line in plant.broker.lines()), 1, "said once")
