"""How clients reach the broker: WebSocket, Unix sockets, proxies, one port for all, and what the log says to those who
come the wrong way.
"""
import os
import re
import socket
import ssl
import stat
import struct

from harness import BINARY, HOST, case, expect, expect_equal, free_port, wait_until

CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04some"
CONNACK = b"\x20\x02\x00\x00"


def serve(case, listener, nested="", port=True):
    """A broker with one listener that has these lines."""
    lines = ["[[listener]]", "allow_anonymous = true", *listener]
    if port:
        lines += [f'address = "{HOST}"', "port = 1883"]
    config = case.file("nightjar.toml", "\n".join([*lines, nested, ""]))
    return case.start_broker("-c", str(config))


def answer_to(data, port, host=HOST, count=4):
    with socket.create_connection((host, port), 10) as connection:
        connection.sendall(data)
        found = b""
        while len(found) < count and (more := connection.recv(1000)):
            found += more
        return found


def round_trip(case, *how):
    """A message goes from `nightjar pub` to `nightjar sub`."""
    topic = case.client_id(case.topic + "/")
    subscriber = case.spawn([BINARY, "sub", *how, "-t", topic, "-C", "2", "-F", "%t %l"], "nightjar sub")
    # Retained, so that it is there whoever comes first.
    case.run([BINARY, "pub", *how, "-t", topic, "-r", "-q", "1", "-m", "here"], "nightjar pub")
    subscriber.wait_line(f"^{topic} 4$")
    big = case.file("big", b"x" * 300_000)
    case.run([BINARY, "pub", *how, "-t", topic, "-q", "2", "-f", str(big)], "nightjar pub")
    subscriber.wait_line(f"^{topic} 300000$")
    expect_equal(subscriber.finish(), 0, "exit status of nightjar sub")


@case("transports/pub-and-sub-over-websocket")
def pub_and_sub_over_websocket(case):
    broker = serve(case, ['protocol = "websocket"'])
    round_trip(case, "-p", str(broker.port), "--ws")
    round_trip(case, "-L", f"ws://{HOST}:{broker.port}", "-V", "3.1")


@case("transports/no-port-option-for-a-unix-socket")
def the_port_option_does_not_fit_a_unix_socket(case):
    config = case.file("nightjar.toml", f'[[listener]]\npath = "{case.directory()}/x.sock"\n')
    process = case.spawn([BINARY, "serve", "-c", str(config), "-p", "1999", "--data", str(case.directory() / "d")])
    expect_equal(process.finish(), 3, "exit status")
    process.wait_line("-p 1999 is for a port, but the listener of .* is the Unix socket .*x.sock")


def start_on_socket(case, *listener):
    path = case.directory() / "mqtt.sock"
    config = case.file("nightjar.toml", "\n".join(["[[listener]]", f'path = "{path}"', "allow_anonymous = true",
                                                   *listener, ""]))
    broker = case.spawn([BINARY, "serve", "-c", str(config), "--data", str(case.directory() / "data")], "broker")
    broker.wait_line(f"listening on unix:{path}")
    return broker, path


@case("transports/unix-socket")
def unix_sockets_know_their_peers(case):
    broker, path = start_on_socket(case)
    expect_equal(stat.S_IMODE(os.stat(path).st_mode), 0o660, "mode of the socket")
    round_trip(case, "--unix", str(path))
    broker.wait_line(f'client connected .*peer="unix:{path} uid {os.getuid()}"')
    broker.kill()
    expect(path.exists(), "a broker that was killed leaves its socket")
    again, _ = start_on_socket(case, 'path_mode = "0600"', 'protocol = "websocket"')
    expect_equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "mode of the socket")
    round_trip(case, "--unix", str(path), "--ws")
    second = case.spawn([BINARY, "serve", "-c", str(case.directory() / "nightjar.toml"), "--data",
                         str(case.directory() / "other")], "second broker")
    expect_equal(second.finish(), 1, "exit status of a second broker")
    second.wait_line('"path" in .listener.1.*another process listens there')
    again.signal(15)
    expect_equal(again.finish(), 0, "exit status")
    expect(not path.exists(), "a broker that ends removes its socket")


@case("transports/ipv6")
def ipv4_and_ipv6_are_served(case):
    broker = case.start_broker()
    for host in (HOST, "::1"):
        expect_equal(answer_to(CONNECT, broker.port, host), CONNACK, f"the answer on {host}")
    broker.wait_line(r'client connected .*peer="?\[::1\]:\d+')


@case("transports/proxy")
def a_proxy_says_whose_connection_it_is(case):
    broker = serve(case, ['protocol = "auto"'], '[listener.proxy]\nenabled = true\ntrusted = ["127.0.0.0/8"]')
    expect_equal(answer_to(b"PROXY TCP4 192.0.2.7 198.51.100.1 51234 1883\r\n" + CONNECT, broker.port), CONNACK,
                 "the answer behind version 1")
    broker.wait_line("client connected .*peer=192.0.2.7:51234")
    addresses = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(16) + struct.pack("!HH", 5, 1883)
    header = b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x21, len(addresses)) + addresses
    expect_equal(answer_to(header + CONNECT, broker.port), CONNACK, "the answer behind version 2")
    broker.wait_line(r'client connected .*peer="?\[2001:db8::7\]:5')
    expect_equal(answer_to(CONNECT, broker.port), b"", "the answer without a header")
    broker.wait_line("sent listener .* no valid PROXY header and was closed")


@case("transports/proxy-version")
def one_version_of_the_header_may_be_asked_for(case):
    first = b"PROXY TCP4 192.0.2.7 198.51.100.1 51234 1883\r\n"
    second = b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x11, 12) + bytes(8) + struct.pack("!HH", 5, 1883)
    for version, right, wrong in (("1", first, second), ("2", second, first)):
        port = free_port()
        conf = case.file("p.conf", f"listener {port} {HOST}\nallow_anonymous true\nenable_proxy_protocol {version}\n")
        broker = case.spawn([BINARY, "-c", str(conf)], "broker")
        broker.wait_line("listening on")
        expect_equal(answer_to(right + CONNECT, port), CONNACK, f"the answer behind version {version}")
        expect_equal(answer_to(wrong + CONNECT, port), b"", "the answer behind the other version")
        broker.wait_line("of the version that the listener does not take")


@case("transports/untrusted-proxy")
def only_trusted_proxies_are_heard(case):
    broker = serve(case, [], '[listener.proxy]\nenabled = true\ntrusted = ["10.0.0.0/8"]')
    expect_equal(answer_to(b"PROXY TCP4 192.0.2.7 198.51.100.1 51234 1883\r\n" + CONNECT, broker.port), b"",
                 "the answer to a stranger")
    broker.wait_line(f"{HOST}:.* connected to listener .*add its address to trusted")


@case("transports/bad-proxy-network")
def a_network_that_is_none_is_named(case):
    config = case.file("nightjar.toml", '[[listener]]\n[listener.proxy]\ntrusted = ["10.0.0.0/64"]\n')
    process = case.spawn([BINARY, "serve", "-c", str(config), "--data", str(case.directory() / "d")])
    expect_equal(process.finish(), 3, "exit status")
    process.wait_line(r'nightjar.toml:3:11: "trusted" in .listener.1.proxy.: "10.0.0.0/64" is no network')


@case("transports/wrong-protocol")
def the_log_says_what_came_the_wrong_way(case):
    broker = serve(case, ['name = "plain"'])
    answer_to(b"GET / HTTP/1.1\r\n\r\n", broker.port)
    broker.wait_line('sent an HTTP request.* to listener plain.*protocol = "websocket" or "auto"')
    context = ssl.create_default_context()
    for _ in range(20):
        try:
            with socket.create_connection((HOST, broker.port), 10) as plain:
                context.wrap_socket(plain, server_hostname="broker")
        except OSError:
            pass
    broker.wait_line("sent a TLS handshake to listener plain.*\\[listener.tls\\]")
    found = [line for line in broker.lines() if "TLS handshake" in line]
    expect_equal(len(found), 1, "lines about twenty handshakes")


@case("transports/wrong-protocol-websocket")
def a_websocket_listener_says_so_too(case):
    broker = serve(case, ['name = "web"', 'protocol = "websocket"'])
    expect_equal(answer_to(CONNECT, broker.port), b"", "the answer to plain MQTT")
    broker.wait_line("sent plain MQTT to listener web.*ws://")
    answer = answer_to(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n", broker.port, count=10_000)
    expect(re.match(rb"HTTP/1.1 426 .*MQTT over WebSocket", answer, re.DOTALL), f"the answer to a browser: {answer}")


@case("transports/start-report")
def the_start_says_what_each_listener_speaks(case):
    broker = serve(case, ['protocol = "auto"'], "[listener.proxy]\nenabled = true")
    wait_until(lambda: any("MQTT and WebSocket behind a proxy" in line for line in broker.lines()), "the start report")
