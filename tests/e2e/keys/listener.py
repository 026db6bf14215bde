"""What each key of [[listener]], [listener.websocket], [listener.proxy] and [auth] does; [limits] and [queue] have files
of their own, and so has TLS."""
import os
import socket
import stat
import struct

from harness import BINARY, HOST
from keys.scenario import shows

OTHER_HOST = "127.0.0.2"
CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04some"
CONNACK = b"\x20\x02\x00\x00"
UPGRADE = (b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Protocol: mqtt\r\n%s\r\n")
NOT_AUTHORIZED, BAD_PASSWORD = 0x87, 0x86


def answer_to(data, address, family=socket.AF_INET):
    """The first bytes that come back, or none."""
    with socket.socket(family) as connection:
        connection.settimeout(10)
        connection.connect(address)
        connection.sendall(data)
        try:
            return connection.recv(1000)
        except ConnectionError:
            return b""


def status_of(answer):
    """The number of an HTTP answer."""
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else None


@shows("listener.name", {'"north"': "north", '"south"': "south"})
def the_log_calls_it_so(door):
    return door.process.wait_line(rf"listening on {HOST}:{door.port}:.* listener=(\w+)$").group(1)


@shows("listener.address", {f'"{HOST}"': (True, False, False), f'"{OTHER_HOST}"': (False, True, False),
                            '"localhost"': (True, False, True), '"*"': (True, True, True)}, is_alone=True)
def is_reached_there(door):
    return tuple(door.answers(host) for host in (HOST, OTHER_HOST, "::1"))


@shows("listener.port", {"{port}": (True, False), "{other_port}": (False, True)}, is_alone=True)
def is_reached_on_that_port(door):
    return tuple(door.answers(port=port) for port in (door.port, door.other_port))


NO_ADDRESS = ("listener.address", "listener.port")


@shows("listener.path", {'"{dir}/a.sock"': ["a.sock"], '"{dir}/b.sock"': ["b.sock"]}, is_alone=True, without=NO_ADDRESS)
def is_reached_by_that_socket(door):
    paths = [path for path in (door.directory / "a.sock", door.directory / "b.sock") if path.exists()]
    found = [path.name for path in paths if is_served(path)]
    for path in paths:
        path.unlink()  # a broker that is killed leaves it
    return found


def is_served(path):
    return answer_to(CONNECT, str(path), socket.AF_UNIX) == CONNACK


@shows("listener.path_mode", {'"0600"': 0o600, '"0666"': 0o666}, is_alone=True, without=NO_ADDRESS,
       beside={"listener.path": '"{dir}/x.sock"'})
def has_that_mode(door):
    return stat.S_IMODE(os.stat(door.directory / "x.sock").st_mode)


@shows("listener.protocol", {'"mqtt"': (True, False), '"websocket"': (False, True), '"auto"': (True, True)})
def speaks_that(door):
    address = (HOST, door.port)
    return answer_to(CONNECT, address) == CONNACK, status_of(answer_to(UPGRADE % b"", address)) == 101


@shows("listener.interface", {'""': (False, True), '"lo"': (True, False)}, is_alone=True,
       beside={"listener.address": f'"{OTHER_HOST}"'})
def listens_on_the_addresses_of_an_interface(door):
    return door.answers(HOST), door.answers(OTHER_HOST)


@shows("listener.ip", {'"both"': (True, True), '"4"': (True, False), '"6"': (False, True)}, is_alone=True,
       beside={"listener.address": '"localhost"'})
def takes_that_version_of_an_address(door):
    return door.answers(HOST), door.answers("::1")


@shows("listener.allow_anonymous", {"true": 0, "false": NOT_AUTHORIZED})
def lets_strangers_in(door):
    return door.code()


# ---- WebSocket ----

@shows("listener.websocket.origins", {'["https://a.example"]': (101, 403), '["https://b.example"]': (403, 101)},
       beside={"listener.protocol": '"websocket"'})
def takes_pages_of_these_origins(door):
    return tuple(status_of(answer_to(UPGRADE % (b"Origin: https://%s.example\r\n" % name), (HOST, door.port)))
                 for name in (b"a", b"b"))


@shows("listener.websocket.max_headers", {'"1KiB"': 431, '"8KiB"': 101}, beside={"listener.protocol": '"websocket"'})
def takes_headers_up_to(door):
    return status_of(answer_to(UPGRADE % (b"Cookie: %s\r\n" % (b"c" * 2000)), (HOST, door.port)))


# ---- the PROXY protocol ----

VERSION_1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 51234 1883\r\n"
ADDRESSES = socket.inet_aton("192.0.2.7") + socket.inet_aton("198.51.100.1") + struct.pack("!HH", 5, 1883)
VERSION_2 = b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x11, len(ADDRESSES)) + ADDRESSES
PP2_TYPE_SSL, PP2_CLIENT_SSL = 0x20, 0x01
OVER_TLS = struct.pack("!BHBI", PP2_TYPE_SSL, 5, PP2_CLIENT_SSL, 0)
VERSION_2_TLS = (b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x11, len(ADDRESSES) + len(OVER_TLS)) + ADDRESSES +
                 OVER_TLS)


def enters_behind(door, header):
    return answer_to(header + CONNECT, (HOST, door.port)) == CONNACK


@shows("listener.proxy.enabled", {"true": (True, False), "false": (False, True)})
def wants_a_header(door):
    return enters_behind(door, VERSION_1), enters_behind(door, b"")


@shows("listener.proxy.version", {'"any"': (True, True), '"1"': (True, False), '"2"': (False, True)},
       beside={"listener.proxy.enabled": "true"})
def takes_that_version_of_the_header(door):
    return enters_behind(door, VERSION_1), enters_behind(door, VERSION_2)


@shows("listener.proxy.trusted", {'["127.0.0.0/8"]': True, '["10.0.0.0/8", "fd00::/8"]': False, "[]": True},
       beside={"listener.proxy.enabled": "true"})
def believes_these_balancers(door):
    return enters_behind(door, VERSION_1)


@shows("listener.proxy.require_tls", {"true": (False, True), "false": (True, True)},
       beside={"listener.proxy.enabled": "true"})
def wants_the_balancers_word_on_tls(door):
    return enters_behind(door, VERSION_2), enters_behind(door, VERSION_2_TLS)


# ---- who may enter ----

def two_password_files(case):
    for name in ("ann", "bob"):
        case.run([BINARY, "passwd", "-c", "-b", "-H", "bcrypt", case.directory() / name, name, "secret"], "nightjar passwd")


@shows("auth.password_file", {'"{dir}/ann"': (0, BAD_PASSWORD), '"{dir}/bob"': (BAD_PASSWORD, 0)},
       prepare=two_password_files)
def lets_these_users_in(door):
    return tuple(door.code(username=name, password=b"secret") for name in ("ann", "bob"))


def two_files_of_rules(case):
    case.file("acl", "topic readwrite a/#\n")
    case.file("rules.toml", '[[rule]]\nallow = "all"\ntopics = "b/#"\n')


@shows("auth.acl_file", {'"{dir}/acl"': (True, False), '"{dir}/rules.toml"': (False, True)}, prepare=two_files_of_rules)
def lets_them_do_that(door):
    client = door.connect()
    return tuple(client.publish(topic, b"", qos=1).code < 0x80 for topic in ("a/x", "b/x"))


@shows("auth.mosquitto", {"true": "ann", "false": ""})
def takes_a_name_that_nobody_proved(door):
    client = door.connect(username="ann")
    return door.client_info(client.client_id)["user"]


@shows("auth.refuse_unproved_names", {"true": NOT_AUTHORIZED, "false": 0})
def refuses_a_name_that_nobody_proved(door):
    return door.code(username="ann")
