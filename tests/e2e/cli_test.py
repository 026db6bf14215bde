#!/usr/bin/python3
"""`nightjar pub` and `nightjar sub` from outside: options, output, exit status, reconnecting.

    cli_test.py              every case; those that need a broker run against nightjar and against mosquitto
    cli_test.py PATTERN      cases whose name contains PATTERN

The clients come from $NIGHTJAR_BIN, else build/release/nightjar; mosquitto is skipped where it is not installed.
Cases marked `scripted` speak to a broker of a few lines that answers as the case says. Only the standard library
is used. The last line is `N passed, N failed`.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback

from harness import BINARY, HANG_S, HOST, Broker, Failure, Process, expect, expect_equal, free_port, wait_until

OK, USAGE, CANNOT_CONNECT, REFUSED, TIMED_OUT, LOST = range(6)
VERSIONS = ["3.1", "3.1.1", "5"]
MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
CASES = []


def case(function):
    CASES.append(function)
    return function


class Mosquitto(Process):
    def __init__(self, port=None):
        self.port = port or free_port()
        self._directory = tempfile.TemporaryDirectory(prefix="nightjar-cli-")
        config = pathlib.Path(self._directory.name) / "mosquitto.conf"
        config.write_text(f"listener {self.port} {HOST}\nallow_anonymous true\n")
        super().__init__([MOSQUITTO, "-c", config], name="mosquitto")
        wait_until(lambda: answers(self.port), "mosquitto to accept connections")

    def dispose(self):
        self.kill()
        self._directory.cleanup()


def answers(port):
    with contextlib.suppress(OSError):
        socket.create_connection((HOST, port), 1).close()
        return True
    return False


class Tool:
    """The two commands against one port."""

    def __init__(self, port, topic="cli"):
        self.port, self.topic = port, topic
        self.spawned = []

    def pub(self, *options, topic=None, stdin="", status=OK):
        """Runs to the end; standard output and standard error."""
        command = [BINARY, "pub", "-p", str(self.port), "-t", topic or self.topic, *map(str, options)]
        done = subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=HANG_S)
        expect_equal(done.returncode, status, f"exit status of pub {options}: {done.stderr.decode()}")
        return done.stdout.decode(), done.stderr.decode()

    def start(self, command, *options):
        process = Process([BINARY, command, "-p", self.port, *options], name="nightjar " + command)
        self.spawned.append(process)
        return process

    def subscriber(self, *options, topic=None):
        """A running `nightjar sub` with its subscription made: a retained message has arrived."""
        self.pub("-m", "ready", "-r", "-q", "1", topic=self.topic + "/ready")
        process = self.start("sub", "-t", topic or self.topic, "-t", self.topic + "/ready", *options)
        process.wait_line("ready")
        return process

    def close(self):
        for process in self.spawned:
            process.kill()


@case
def every_version_and_qos_arrives(tool):
    for version in VERSIONS:
        for qos in "012":
            process = tool.subscriber("-V", version, "-q", qos, "-C", "4", "-F", "%t %q %r %l %p")
            tool.pub("-V", version, "-q", qos, "-m", "grüße", "--repeat", "3")
            expect_equal(process.finish(), OK, "exit status of sub")
            expect_equal(process.lines()[1:], [f"{tool.topic} {qos} 0 7 grüße"] * 3, f"{version} QoS {qos}")


@case
def lines_keep_their_order(tool):
    lines = [f"line {n}" for n in range(1000)]
    for qos in "012":
        process = tool.subscriber("-q", qos, "-C", len(lines) + 1)
        tool.pub("-q", qos, "-l", stdin="\n\n".join(lines))
        expect_equal(process.finish(), OK, "exit status of sub")
        expect_equal(process.lines()[1:], lines, f"lines at QoS {qos}")


@case
def bytes_come_back_as_hex_and_base64(tool):
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(range(256)))
        file.flush()
        tool.pub("-f", file.name, "-r", "-q", "1")
    process = tool.start("sub", "-t", tool.topic, "-C", "1", "-F", "%x")
    expect_equal(process.finish(), OK, "exit status of sub")
    expect_equal(process.lines(), [bytes(range(256)).hex()], "payload")
    process = tool.start("sub", "-t", tool.topic, "-C", "1", "-F", "%j")
    process.finish()
    message = json.loads(process.lines()[0])
    expect(message["payload_base64"].startswith("AAECAwQF"), "base64 of the bytes")
    expect_equal((message["retain"], message["length"]), (True, 256), "the rest of the JSON")
    tool.pub("-n", "-r", "-q", "1")


@case
def retained_messages_can_be_told_apart(tool):
    tool.pub("-m", "kept", "-r", "-q", "1")
    only = tool.start("sub", "-t", tool.topic, "--retained-only", "-C", "1", "-F", "%r %p")
    expect_equal(only.finish(), OK, "exit status of --retained-only")
    expect_equal(only.lines(), ["1 kept"], "--retained-only")
    for version in VERSIONS:
        none = tool.start("sub", "-V", version, "-t", tool.topic, "--no-retained", "-W", "0.3")
        expect_equal(none.finish(), TIMED_OUT, f"exit status of --no-retained, {version}")
    tool.pub("-n", "-r", "-q", "1")
    gone = tool.start("sub", "-t", tool.topic, "-W", "0.3")
    expect_equal(gone.finish(), TIMED_OUT, "exit status after the retained message was removed")


@case
def a_count_takes_no_more_than_it_prints(tool):
    session = ["-i", "counting", "-c", "-q", "1", "-t", tool.topic]
    expect_equal(tool.start("sub", *session, "-W", "0.3").finish(), TIMED_OUT, "exit status without messages")
    tool.pub("-q", "1", "-l", stdin="1\n2\n3\n")
    for line in "123":
        process = tool.start("sub", *session, "-C", "1")
        expect_equal(process.finish(), OK, "exit status of sub")
        expect_equal(process.lines(), [line], "the next message of the session")
    # A clean connection of the same id ends the session.
    tool.pub("-i", "counting", "-m", "x")


@case
def ctrl_c_ends_a_subscriber_without_a_will(tool):
    watcher = tool.subscriber(topic=tool.topic + "/will")
    process = tool.start("sub", "-t", tool.topic + "/ready", "--will-topic", tool.topic + "/will",
                         "--will-payload", "gone")
    process.wait_line("ready")
    process.signal(signal.SIGINT)
    expect_equal(process.finish(), OK, "exit status after Ctrl-C")
    tool.pub("-m", "end", "-q", "1", topic=tool.topic + "/will")
    watcher.wait_line("end")
    expect("gone" not in watcher.lines(), "a will after a clean end")


@case
def a_request_prints_its_answer(tool):
    server = tool.subscriber("-F", "%R %D %p")
    client = tool.start("pub", "-t", tool.topic, "-m", "2 3", "--request", "--correlation-data", "77", "-i", "asker")
    server.wait_line("^response/asker 77 2 3$")
    tool.pub("-m", "of another", "--correlation-data", "78", topic="response/asker")
    tool.pub("-m", "5", "--correlation-data", "77", topic="response/asker")
    expect_equal(client.finish(), OK, "exit status of the request")
    expect_equal(client.lines(), ["5"], "the answer")


@case
def a_request_without_answer_times_out(tool):
    _, error = tool.pub("-m", "x", "--request", "-W", "0.3", status=TIMED_OUT)
    expect("no answer in time" in error, error)


@case
def a_topic_alias_saves_the_topic(tool):
    process = tool.subscriber("-C", "4")
    tool.pub("-m", "x", "--repeat", "3", "--topic-alias", "2", "-q", "1")
    expect_equal(process.finish(), OK, "exit status of sub")
    expect_equal(process.lines()[1:], ["x"] * 3, "messages under an alias")


@case
def an_alias_beyond_the_limit_is_refused(tool):
    _, error = tool.pub("-m", "x", "--topic-alias", "65535", status=REFUSED)
    expect("topic aliases up to" in error, error)


@case
def a_reader_that_had_enough_ends_the_subscriber(tool):
    read_end, write_end = os.pipe()
    process = subprocess.Popen([BINARY, "sub", "-p", str(tool.port), "-t", tool.topic], stdout=write_end)
    os.close(write_end)
    os.close(read_end)

    def has_ended():
        tool.pub("-m", "x")
        return process.poll() is not None
    wait_until(has_ended, "the end of sub")
    expect_equal(process.returncode, OK, "exit status of sub")


# What only a broker that does as it is told can show.

class Scripted:
    """Accepts connections one by one and speaks bytes."""

    def __init__(self):
        self._listener = socket.create_server((HOST, 0))
        self._listener.settimeout(HANG_S)
        self.port = self._listener.getsockname()[1]
        self.peer = None

    def accept(self, connack):
        """Takes the next client, reads its CONNECT and answers."""
        self.drop()
        self.peer, _ = self._listener.accept()
        self.peer.settimeout(HANG_S)
        kind, body = self.packet()
        expect_equal(kind, 0x10, "first packet")
        self.peer.sendall(connack)
        return body

    def packet(self):
        """First byte and body of the next packet; short packets only."""
        head = self._exactly(2)
        expect(head[1] < 128, "a short packet")
        return head[0], self._exactly(head[1])

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.peer.recv(count - len(data))
            expect(more, "the client closed the connection")
            data += more
        return data

    def drop(self):
        if self.peer:
            self.peer.close()
            self.peer = None

    def close(self):
        self.drop()
        self._listener.close()


ACCEPTED_5 = bytes([0x20, 3, 0, 0, 0])
RESUMED_5 = bytes([0x20, 3, 1, 0, 0])


def with_reason(first_byte, before, code, reason):
    """A packet of 5.0 whose only property is a Reason String."""
    text = reason.encode()
    properties = b"\x1f" + struct.pack(">H", len(text)) + text
    body = before + bytes([code, len(properties)]) + properties
    return bytes([first_byte, len(body)]) + body


@case
def scripted_refusals_give_the_reason(broker, tool):
    answers_and_words = [
        ("5", with_reason(0x20, b"\0", 0x87, "ask Ann"), "Not authorized (0x87): ask Ann"),
        ("3.1.1", bytes([0x20, 2, 0, 5]), "not authorized (return code 5)"),
        ("5", bytes([0x20, 2, 0, 1]), "try another version with -V"),
        ("5", b"HTTP/1.1 400 Bad Request\r\n\r\n", "broke the protocol"),
    ]
    for version, connack, words in answers_and_words:
        process = tool.start("pub", "-V", version, "-t", "t", "-m", "x", "--reconnect")
        broker.accept(connack)
        expect_equal(process.finish(), REFUSED, f"exit status after {words}")
        expect(words in "\n".join(process.lines()), f"{words!r} in {process.lines()}")


@case
def scripted_goodbye_gives_the_reason(broker, tool):
    process = tool.start("sub", "-t", "t")
    broker.accept(ACCEPTED_5)
    broker.peer.sendall(with_reason(0xE0, b"", 0x98, "moving house"))
    expect_equal(process.finish(), LOST, "exit status after DISCONNECT")
    expect("Administrative action (0x98): moving house" in process.lines()[-1], str(process.lines()))


@case
def scripted_refused_subscription_ends_with_the_reason(broker, tool):
    process = tool.start("sub", "-t", "secret/#")
    broker.accept(ACCEPTED_5)
    broker.packet()
    broker.peer.sendall(bytes([0x90, 4, 0, 1, 0, 0x87]))
    expect_equal(process.finish(), REFUSED, "exit status after SUBACK 0x87")
    expect("secret/#: Not authorized (0x87)" in process.lines()[0], str(process.lines()))


@case
def scripted_refused_message_ends_with_the_reason(broker, tool):
    process = tool.start("pub", "-t", "t", "-m", "x", "-q", "1")
    broker.accept(ACCEPTED_5)
    broker.packet()
    broker.peer.sendall(with_reason(0x40, b"\0\x01", 0x97, "full"))
    expect_equal(process.finish(), REFUSED, "exit status after PUBACK 0x97")
    expect("Quota exceeded (0x97): full" in process.lines()[0], str(process.lines()))


@case
def scripted_lost_connection_is_told(broker, tool):
    process = tool.start("pub", "-t", "t", "-m", "x", "-q", "1")
    broker.accept(ACCEPTED_5)
    broker.packet()
    broker.drop()
    expect_equal(process.finish(), LOST, "exit status after the broker vanished")
    expect(f"lost the connection to {HOST}:{broker.port}" in process.lines()[0], str(process.lines()))


@case
def scripted_resumed_session_gets_the_message_again(broker, tool):
    process = tool.start("pub", "-t", "t", "-m", "x", "-q", "2", "--reconnect", "-i", "me", "-c")
    broker.accept(ACCEPTED_5)
    kind, first = broker.packet()
    expect_equal(kind, 0x34, "PUBLISH of QoS 2")
    broker.accept(RESUMED_5)
    kind, again = broker.packet()
    expect_equal((kind, again), (0x3C, first), "the same PUBLISH with DUP")
    broker.peer.sendall(bytes([0x50, 2]) + first[3:5])
    kind, released = broker.packet()
    expect_equal((kind, released), (0x62, first[3:5]), "PUBREL")
    broker.accept(RESUMED_5)
    expect_equal(broker.packet(), (0x62, first[3:5]), "PUBREL again, and no PUBLISH")
    broker.peer.sendall(bytes([0x70, 2]) + first[3:5])
    expect_equal(broker.packet()[0], 0xE0, "DISCONNECT")
    broker.drop()
    expect_equal(process.finish(), OK, "exit status")


@case
def scripted_silence_is_filled_with_pings(broker, tool):
    tool.start("sub", "-t", "t", "-k", "1")
    broker.accept(ACCEPTED_5)
    expect_equal(broker.packet()[0], 0x82, "SUBSCRIBE")
    broker.peer.sendall(bytes([0x90, 4, 0, 1, 0, 0]))
    for _ in range(2):
        expect_equal(broker.packet()[0], 0xC0, "PINGREQ")
        broker.peer.sendall(b"\xd0\x00")


@case
def lonely_errors_tell_what_to_do(_):
    port = free_port()
    _, error = Tool(port).pub("-m", "x", status=CANNOT_CONNECT)
    expect_equal(error, f"nightjar pub: cannot connect to {HOST}:{port}: connection refused; is the broker running? "
                        f"(start it with: nightjar serve -p {port})\n", "error without a broker")
    _, error = Tool(port).pub("-m", "x", "-V", "3.1.1", "--content-type", "t", status=USAGE)
    expect("use -V 5" in error, error)
    help_text, _ = Tool(port).pub("--help")
    expect("Examples:" in help_text and "Exit status:" in help_text, "help with examples")


@case
def restarting_broker_is_found_again(start_broker, tool):
    broker = start_broker(None)
    tool.port = broker.port
    process = tool.subscriber("--reconnect", "-q", "1")
    broker.dispose()
    process.wait_line("trying again in")
    broker = start_broker(tool.port)
    try:
        def arrives():
            tool.pub("-m", "back", "-q", "1")
            return "back" in process.lines()
        wait_until(arrives, "a message after the restart")
    finally:
        broker.dispose()


def brokers():
    """Each kind that is installed: its name and how to start it on a port (None: any)."""
    kinds = {}
    if "serve" in subprocess.run([BINARY, "--help"], capture_output=True, text=True).stdout:
        kinds["nightjar"] = lambda port: Broker(port=port)
    if MOSQUITTO:
        kinds["mosquitto"] = Mosquitto
    return kinds


def runs(running, starters):
    """Every run of every case: its name, the function, its first argument and the port of its clients."""
    for function in CASES:
        name = function.__name__
        if name.startswith("lonely_"):
            yield name, function, lambda: None, None
        elif name.startswith("scripted_"):
            yield name, function, Scripted, None
        elif name.startswith("restarting_"):
            for kind, start in starters.items():
                yield f"{kind}/{name}", function, lambda start=start: start, None
        else:
            for kind, broker in running.items():
                yield f"{kind}/{name}", function, None, broker.port


def run_one(function, make_first, port, topic):
    first = make_first() if make_first else None
    tool = Tool(port or getattr(first, "port", 0), topic)
    try:
        if make_first is None:
            function(tool)
        elif first is None:
            function(None)
        else:
            function(first, tool)
        return None
    except (Failure, subprocess.TimeoutExpired) as failure:
        return "\n".join([str(failure), *(process.transcript() for process in tool.spawned)])
    except Exception:  # a case that breaks must not take the others with it
        return traceback.format_exc()
    finally:
        tool.close()
        if isinstance(first, Scripted):
            first.close()


def main():
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    starters = brokers()
    running = {kind: start(None) for kind, start in starters.items()}
    passed = failed = 0
    try:
        for name, function, make_first, port in runs(running, starters):
            if pattern not in name:
                continue
            problem = run_one(function, make_first, port, "cli/" + name)
            passed, failed = passed + (problem is None), failed + (problem is not None)
            if problem:
                print(f"FAILED {name}: {problem}", flush=True)
    finally:
        for broker in running.values():
            broker.dispose()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
