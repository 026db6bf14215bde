#!/usr/bin/python3
"""`nightjar bench` from outside: every scenario against nightjar, and against a broker that misbehaves as told.

    bench_test.py            every case
    bench_test.py PATTERN    cases whose name contains PATTERN

The program comes from $NIGHTJAR_BIN, else build/release/nightjar. Only the standard library is used. What is checked
are counts and the fields of the result, never how fast the machine is. The last line is `N passed, N failed`.
"""
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

from harness import (BINARY, HANG_S, HERE, HOST, Broker, ConfiguredBroker, expect, expect_equal, free_port, run_functions,
                     wait_until)
from sockets import wire

MEASURED, USAGE, UNMEASURED, UNCLEAN = range(4)
SHORT = ["-d", "0.3", "--warmup", "0.1"]
# For a machine that is busy with something else: there must be points in a chart, and messages of all sizes.
LONGER = ["-d", "1", "--warmup", "0.1"]
CASES = []


def case(function):
    CASES.append(function)
    return function


def bench(*options, status=MEASURED):
    """Runs to the end; standard output and standard error."""
    done = subprocess.run([BINARY, "bench", *map(str, options)], capture_output=True, timeout=HANG_S * 2)
    output, errors = done.stdout.decode(), done.stderr.decode()
    expect_equal(done.returncode, status, f"exit status of bench {options}: {output}{errors}")
    return output, errors


def measure(broker, *options, status=MEASURED):
    """The result as JSON."""
    result = json.loads(bench(*options, "-p", broker.port, "--pid", broker.pid, "--json", "-", status=status)[0])
    for phase in result["phases"]:
        expect(phase["seconds"] > 0, f"{phase['name']} took time")
        expect(phase["own_cpu_us"] >= 0, f"{phase['name']} has the cost of the tool itself")
        expect(phase["broker"]["resident_bytes"] > 0, f"{phase['name']} has the broker's memory")
    return result


def phase_of(result, name):
    found = [phase for phase in result["phases"] if phase["name"] == name]
    expect_equal(len(found), 1, f"phases named {name}")
    return found[0]


def expect_messages(phase, expected=None):
    verified = phase["verification"]
    expect(phase["count"] > 0 and phase["per_s"] > 0, f"{phase['name']} counted messages")
    expect(verified["clean"], f"a clean {phase['name']}: {verified}")
    expect_equal(verified["delivered"], verified["expected"], "messages")
    if expected is not None:
        expect_equal(verified["expected"], expected, f"messages expected in {phase['name']}")


# ---- scenarios ----

@case
def messages_of_every_qos_and_version_arrive(broker):
    for version in ("3.1", "3.1.1", "5"):
        for qos in "012":
            result = measure(broker, "p2p", "-q", qos, "-V", version, *SHORT, "--publishers", 5, "--subscribers", 5)
            phase = phase_of(result, "run")
            expect_messages(phase)
            latency = phase["latency_us"]
            expect(latency["count"] > 0, "latencies were kept")
            expect(0 < latency["min"] <= latency["p50"] <= latency["p99"] <= latency["max"], f"latencies {latency}")
            expect(phase["broker"]["cpu_us"] > 0, "the broker's CPU per message")
            expect(len(phase["intervals"]) >= 1, "intervals for charts")


@case
def each_message_of_a_fanout_reaches_all(broker):
    phase = phase_of(measure(broker, "fanout", *SHORT, "--subscribers", 20, "-r", 500), "run")
    expect_messages(phase)
    expect_equal(phase["verification"]["expected"] % 20, 0, "deliveries by 20 subscribers")


@case
def many_publishers_meet_in_one_subscriber(broker):
    expect_messages(phase_of(measure(broker, "fanin", *SHORT, "--publishers", 30), "run"))


@case
def members_of_a_group_share(broker):
    for version in ("3.1.1", "5"):
        expect_messages(phase_of(measure(broker, "shared", "-V", version, *SHORT), "run"))


@case
def a_paced_load_keeps_its_rate(broker):
    phase = phase_of(measure(broker, "p2p", "-r", 1000, "-d", 1, "--warmup", 0), "run")
    # The schedule is exact, so that the whole load has 1000 messages, however late some of them were.
    expect_messages(phase, expected=1000)


@case
def a_ramp_publishes_half_of_the_rate(broker):
    phase = phase_of(measure(broker, "p2p", "-r", 1000, "--ramp", 1, "-d", 0.5, "--warmup", 0), "run")
    expect_messages(phase, expected=1000)


@case
def several_threads_make_one_load(broker):
    for scenario in ("p2p", "fanout", "fanin", "shared"):
        expect_messages(phase_of(measure(broker, scenario, *SHORT, "--threads", 3), "run"))


@case
def large_payloads_arrive_whole(broker):
    for size in (16, 20, 5_000, 100_000, 1_000_000):
        phase = phase_of(measure(broker, "p2p", *SHORT, "-q", 1, "-s", size, "--publishers", 2, "--subscribers", 2),
                         "run")
        expect_messages(phase)


@case
def a_table_of_filters_has_one_match_each(broker):
    for zipf in (0, 1):
        result = measure(broker, "wild", *LONGER, "--filters", 2000, "--topics", 5000, "--zipf", zipf)
        expect_equal(phase_of(result, "subscribe")["count"], 2000, "filters")
        expect_messages(phase_of(result, "run"))


@case
def connections_are_counted_and_idle(broker):
    for option in ([], ["--subscribe"]):
        result = measure(broker, "conn", "--clients", 300, "--hold", 0.3, *option)
        connect, hold = phase_of(result, "connect"), phase_of(result, "hold")
        expect_equal((connect["count"], connect["unit"]), (300, "connect"), "connects")
        expect_equal(connect["latency_us"]["count"], 300, "latencies of connects")
        expect_equal(hold["bytes_received"], 0, "bytes to idle connections")
        expect("resident_bytes_per_connection" in hold, "memory per connection")


@case
def connects_keep_their_rate(broker):
    connect = phase_of(measure(broker, "conn", "--clients", 60, "--connect-rate", 100, "--hold", 0.1), "connect")
    expect(connect["per_s"] < 110, f"not more than 100 connects a second: {connect['per_s']}")


@case
def retained_messages_are_stored_delivered_and_removed(broker):
    result = measure(broker, "retained", "-n", 2000, "--publishers", 4, "--subscribers", 3)
    store, deliver = phase_of(result, "store"), phase_of(result, "deliver")
    expect_equal((store["count"], deliver["count"]), (2000, 6000), "stored and delivered")
    expect_messages(deliver, expected=6000)
    left = subprocess.run([BINARY, "sub", "-p", str(broker.port), "-t", "bench/#", "--retained-only", "-W", "0.5"],
                          capture_output=True, timeout=HANG_S)
    expect_equal(left.stdout, b"", "retained messages that are left")


@case
def messages_wait_for_those_who_are_away(broker):
    for version, qos in (("3.1.1", 1), ("5", 2)):
        result = measure(broker, "offline", "-V", version, "-q", qos, "-n", 2000, "--subscribers", 10, "--publishers", 10)
        expect_equal(phase_of(result, "in")["count"], 2000, "messages that went in")
        expect_messages(phase_of(result, "out"), expected=2000)


@case
def messages_for_those_who_are_away_have_a_rate_and_a_time_to_be_acknowledged(broker):
    for version, qos in (("3.1.1", 1), ("5", 2)):
        for rate in (0, 4000):
            result = measure(broker, "offline", "-V", version, "-q", qos, "-n", 2000, "-r", rate, "--subscribers", 10,
                             "--publishers", 10)
            phase = phase_of(result, "in")
            expect_equal(phase["count"], 2000, "messages that went in")
            expect_equal(phase["acknowledgement_us"]["count"], 2000, "messages whose acknowledgement was timed")
            expect(0 < phase["acknowledgement_us"]["p50"] <= phase["acknowledgement_us"]["p99"], "a time that it took")
            expect(rate == 0 or any(each["acknowledged_p99_us"] > 0 for each in phase["intervals"]), "over time as well")
            expect_messages(phase_of(result, "out"), expected=2000)


@case
def a_mixed_load_has_all_its_parts(broker):
    result = measure(broker, "mixed", *SHORT, "--publishers", 20, "--subscribers", 10)
    expect_messages(phase_of(result, "run"))


@case
def a_capacity_is_found(broker):
    result = measure(broker, "capacity", "-d", 0.2, "--warmup", 0, "-r", 100, "--goal", 1e-6)
    expect_equal(phase_of(result, "capacity")["capacity_per_s"], 0, "no rate has a latency of a nanosecond")
    expect(any("not kept" in note for note in result["notes"]), "a note for each rate that was tried")


@case
def the_suite_is_scaled_and_says_so(broker):
    result = measure(broker, "omb", "--scale", 0.01, "-d", 1, "--warmup", 0.1, "--hold", 0.1)
    names = {phase["name"].split()[0] for phase in result["phases"]}
    expect_equal(names, {"p2p-1K", "fanout-1-1K", "sharedsub-1K-5", "conn-tcp-10k", "p2p-50K",
                         "fanout-5-1000-5-250K", "sharedsub-50K-500", "conn-tcp-1M"}, "cases of the suite")
    expect(any("scaled by 0.01" in note for note in result["notes"]), f"the scale: {result['notes']}")
    expect_equal(phase_of(result, "p2p-50K run")["verification"]["clean"], True, "p2p-50K")
    expect_equal(phase_of(result, "conn-tcp-10k connect")["count"], 100, "connects of conn-tcp-10k")


@case
def a_disturbance_runs_beside(broker):
    for kind in ("all", "stalled", "bomb", "churn"):
        phase = phase_of(measure(broker, "p2p", "-r", 200, *SHORT, "--beside", kind, "--beside-rate", 500), "run")
        expect(phase["verification"]["lost"] == 0, f"nothing is lost beside {kind}")
        expect(phase["beside_done"] > 0, f"{kind} did something")
        expect_equal(phase["beside_received_bytes"] > 0, kind == "all", f"{kind} reads")


@case
def reports_are_written(broker):
    with tempfile.TemporaryDirectory() as directory:
        page, data = pathlib.Path(directory) / "result.html", pathlib.Path(directory) / "result.json"
        table, _ = bench("p2p", "-p", broker.port, *LONGER, "--html", page, "--json", data)
        expect("verified" in table and "this tool's CPU" in table, f"the table: {table}")
        html = page.read_text()
        expect(html.count("<svg") >= 3 and "<polyline" in html, "charts in the page")
        expect("http://" not in html and "https://" not in html, "a page that needs no network")
        expect_equal(json.loads(data.read_text())["scenario"], "p2p", "the JSON file")


@case
def what_cannot_be_measured_is_said(broker):
    _, errors = bench("p2p", "-p", free_port(), status=UNMEASURED)
    expect("refused" in errors, f"why it could not connect: {errors}")
    _, errors = bench("p2p", "-p", broker.port, "--pid", 2 ** 22 + 1, status=UNMEASURED)
    expect("there is no process" in errors, f"the missing process: {errors}")
    _, errors = bench("offline", "-p", broker.port, "-q", 0, status=UNMEASURED)
    expect("QoS 0" in errors, f"why not: {errors}")
    bench("p3p", "-p", broker.port, status=USAGE)


# ---- over what ----

def listeners(pki, port):
    """The configuration of a broker that speaks everything on one port, and is patient: many handshakes at once take a
    while on a busy machine."""
    text = (HERE / "every_transport.toml").read_text().replace("{pki}", str(pki)).replace("1883", str(port))
    return text.replace("port =", 'connect_timeout = "60s"\nport =') + "\n"


class ManyWays(ConfiguredBroker):
    """A broker with one port for MQTT and WebSocket, with TLS and without, and a Unix socket."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="nightjar-bench-")
        folder = pathlib.Path(self._directory.name)
        self.port = free_port()
        self.socket = folder / "mqtt.sock"
        self.authority = folder / "pki/ca.pem"
        subprocess.run([BINARY, "tls", "init", folder / "pki", "--name", "localhost", "--ip", HOST], check=True,
                       stdout=subprocess.DEVNULL)
        config = folder / "nightjar.toml"
        config.write_text(listeners(folder / "pki", self.port) + f'[[listener]]\nname = "unix"\n'
                          f'path = "{self.socket}"\nprotocol = "auto"\nallow_anonymous = true\n')
        super().__init__([BINARY, "serve", "--placement", "spread", "-c", config, "--data", folder / "data"], "broker")
        self.wait_line(f"listening on unix:{self.socket}")

    def ways(self):
        """What the result calls it, and the options."""
        to = f"localhost:{self.port}"
        return {"TCP": ["--url", f"mqtt://{to}"], "WebSocket": ["--url", f"ws://{to}"],
                "TLS": ["--url", f"mqtts://{to}", "--cafile", self.authority],
                "WebSocket in TLS": ["--url", f"wss://{to}", "--cafile", self.authority],
                "a Unix socket": ["--unix", self.socket]}

    def measure(self, way, *options):
        output, _ = bench(*options, *self.ways()[way], "--pid", self.pid, "--json", "-")
        return json.loads(output)


@case
def messages_go_over_every_transport(_):
    loads = (["p2p", "-q", 0], ["p2p", "-q", 1, "-V", "5", "--threads", 2], ["p2p", "-q", 2, "-V", "3.1"],
             ["fanout", "-r", 300, "--subscribers", 10], ["shared"],
             ["p2p", "-q", 1, "-s", 1_000_000, "--publishers", 2, "--subscribers", 2])
    with ManyWays() as broker:
        for way in broker.ways():
            for load in loads:
                result = broker.measure(way, *load, *SHORT)
                phase = phase_of(result, "run")
                expect_messages(phase)
                expect_equal(result["settings"]["transport"], way, "the transport")
                has_tls = way in ("TLS", "WebSocket in TLS")
                expect_equal("TLS" in result["settings"], has_tls, f"a TLS suite over {way}")
                expect_equal(phase["own_tls_us"] > 0, has_tls, f"a cost of TLS of the tool over {way}")
                expect(phase["own_tls_us"] <= phase["own_cpu_us"], "it is a part of the whole")


@case
def what_is_kept_goes_over_every_transport(_):
    with ManyWays() as broker:
        for way in broker.ways():
            stored = broker.measure(way, "retained", "-n", 500, "--publishers", 2, "--subscribers", 2)
            expect_messages(phase_of(stored, "deliver"), expected=1000)
            away = broker.measure(way, "offline", "-n", 500, "--publishers", 5, "--subscribers", 5)
            expect_messages(phase_of(away, "out"), expected=500)


@case
def connections_over_every_transport_are_idle(_):
    with ManyWays() as broker:
        for way in broker.ways():
            result = broker.measure(way, "conn", "--clients", 200, "--dialing", 200, "--hold", 0.2, "--subscribe")
            expect_equal(phase_of(result, "connect")["count"], 200, f"connects over {way}")
            expect("resident_bytes_per_connection" in phase_of(result, "hold"), "memory per connection")


@case
def sessions_of_tls_are_resumed(_):
    with ManyWays() as broker:
        for way in ("TLS", "WebSocket in TLS"):
            result = broker.measure(way, "conn", "--clients", 50, "--hold", 0.1, "--resume")
            resumed = {name: phase_of(result, name)["resumed"] for name in ("connect", "resume")}
            expect_equal(resumed, {"connect": 0, "resume": 50}, f"resumed sessions over {way}")
            expect_equal(phase_of(result, "resume")["count"], 50, "connects")


@case
def a_disturbance_goes_the_way_of_the_load(_):
    with ManyWays() as broker:
        for way in broker.ways():
            for kind in ("all", "churn"):
                phase = phase_of(broker.measure(way, "p2p", "-r", 200, *SHORT, "--beside", kind), "run")
                expect(phase["verification"]["lost"] == 0, f"nothing is lost beside {kind}")
                expect(phase["beside_done"] > 0, f"{kind} did something over {way}")
                expect_equal(phase["beside_received_bytes"] > 0, kind == "all", f"{kind} reads over {way}")


@case
def a_way_that_is_not_open_is_explained(broker):
    with ManyWays() as many:
        _, errors = bench("conn", "--clients", 3, "-L", f"mqtts://localhost:{many.port}", status=UNMEASURED)
        expect("not trusted" in errors and "--cafile" in errors, f"why: {errors}")
        _, errors = bench("conn", "--clients", 3, "-L", f"mqtts://127.0.0.2:{many.port}", "--insecure",
                          "--unix", many.socket, status=USAGE)
        expect("--unix" in errors, f"why: {errors}")
    _, errors = bench("conn", "--clients", 3, "-L", f"mqtts://localhost:{broker.port}", "--insecure", status=UNMEASURED)
    expect("failed" in errors and "closed the connection" in errors, f"why: {errors}")
    _, errors = bench("conn", "--clients", 3, "--unix", "/nonexistent/mqtt.sock", status=UNMEASURED)
    expect("No such file" in errors, f"why: {errors}")


# ---- other modes ----

class Relay:
    def __init__(self):
        self.port = free_port()
        self._child = subprocess.Popen([BINARY, "bench", "relay", "-p", str(self.port)])
        self.pid = self._child.pid
        wait_until(self._answers, "the relay to accept connections")

    def _answers(self):
        try:
            socket.create_connection((HOST, self.port), 1).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._child.terminate()
        expect_equal(self._child.wait(HANG_S), 0, "exit status of the relay")


@case
def the_relay_moves_every_byte(_):
    for scenario in (["p2p"], ["fanout", "--subscribers", 20], ["fanin", "--publishers", 20], ["p2p", "-r", 2000],
                     ["p2p", "-s", 300_000, "--publishers", 3, "--subscribers", 3], ["fanin", "-s", 70_000]):
        with Relay() as relay:
            expect_messages(phase_of(measure(relay, *scenario, *LONGER), "run"))


@case
def the_relay_keeps_packets_whole_when_another_source_comes(_):
    """It comes while the first one, whose bytes went on as they came until then, is in the middle of a packet."""
    payload = {name: bytes(name, "ascii") * 1000 for name in "ABC"}
    with Relay() as relay:
        names = ("sink", "first", "second", "other sink", "other")
        clients = [wire.Client((HOST, relay.port), wire.V311, name, timeout=HANG_S) for name in names]
        sink, first, second, other_sink, other = clients
        for client in clients:
            expect_equal(client.connect(client.name).code, 0, f"CONNACK of {client.name}")
        sink.subscribe("t")
        packets = [wire.publish(wire.V311, "t", payload[name], 0) for name in "ABC"]
        first.send(packets[0] + packets[1][:500])
        expect_equal(sink.receive().payload, payload["A"], "the first message")
        second.send(packets[2])
        # The relay takes what comes in its order, so it has read that when these are through.
        other_sink.subscribe("u")
        for _ in range(2):
            other.publish("u", b"now")
            other_sink.receive()
        first.send(packets[1][500:])
        got = [sink.receive().payload for _ in range(2)]
        expect_equal(got, [payload["B"], payload["C"]], "the messages behind it")


@case
def brokers_are_compared(_):
    output, progress = bench("compare", f"ours={BINARY} serve -p {{port}} --data {{dir}}",
                             f"limit={BINARY} bench relay -p {{port}}", "--rounds", 2, "--json", "-",
                             "--scenario", "p2p -d 0.2 --warmup 0.1", "--scenario", "fanout -d 0.2 --warmup 0.1 -r 100")
    result = json.loads(output)
    expect_equal(result["brokers"], ["ours", "limit"], "brokers")
    expect_equal(result["problems"], [], "problems")
    figures = [each for each in result["figures"] if each["figure"] == "CPU µs per message"]
    expect_equal(len(figures), 2, "scenarios")
    for figure in figures:
        ours, limit = figure["brokers"]["ours"], figure["brokers"]["limit"]
        expect_equal((len(ours["rounds"]), len(limit["rounds"])), (2, 2), "rounds")
        expect_equal(limit["ratio"], limit["median"] / ours["median"], "the ratio to the first")
    expect_equal(progress.count("round "), 8, "lines of progress")


@case
def ways_to_one_broker_are_compared(_):
    serve = f"{BINARY} tls init {{dir}}/pki --name localhost >/dev/null; exec {BINARY} serve -c {{dir}}/nightjar.toml"
    serve = f"cat >{{dir}}/nightjar.toml <<'END'\n{listeners('{dir}/pki', '{port}')}END\n{serve} --data {{dir}}/data"
    output, _ = bench("compare", f"tcp={serve}", f"tls={serve}", "--rounds", 1, "--json", "-", "--scenario",
                      "conn --clients 20 --hold 0.1", "--with", "tls=-L mqtts://localhost:{port} --cafile {dir}/pki/ca.pem")
    result = json.loads(output)
    expect_equal(result["problems"], [], "problems")
    figures = {each["figure"]: each["brokers"] for each in result["figures"]}
    own = figures["TLS of it, µs per connect"]
    expect(own["tcp"]["median"] == 0 and own["tls"]["median"] > 0, f"who spoke TLS: {own}")
    _, errors = bench("compare", f"tcp={serve}", "--with", "tsl=--ws", status=UNMEASURED)
    expect("name of a broker" in errors, f"why: {errors}")


@case
def a_broker_that_does_not_start_is_named(_):
    _, errors = bench("compare", "odd=echo out of order {port}; exit 7", status=UNMEASURED)
    expect("odd ended at once" in errors and "out of order" in errors, f"what the broker said: {errors}")
    _, errors = bench("compare", "no command", status=UNMEASURED)
    expect("NAME=COMMAND" in errors, f"what is expected: {errors}")


# ---- a broker that misbehaves ----

def packets_of(peer):
    """First byte and body of each packet that comes."""
    stream = peer.makefile("rb")
    while True:
        first = stream.read(1)
        if not first:
            return
        length = shift = 0
        while True:
            digit = stream.read(1)[0]
            length |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                break
        yield first[0], stream.read(length)


def whole(first, body):
    length, size = bytearray(), len(body)
    while True:
        length.append((size & 127) | (128 if size > 127 else 0))
        size >>= 7
        if not size:
            return bytes([first]) + bytes(length) + body


class FakeBroker:
    """One publisher, one subscriber, QoS 0. `deliver` gets the number of a message and the message, and returns
    the packets to be delivered in its place."""

    def __init__(self, deliver):
        self._deliver = deliver
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self.received = 0
        self._subscriber = None
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        try:
            for first, body in packets_of(peer):
                if first >> 4 == 1:
                    peer.sendall(b"\x20\x02\x00\x00")
                elif first >> 4 == 8:
                    self._subscriber = peer
                    peer.sendall(b"\x90\x03" + body[:2] + b"\x00")
                elif first >> 4 == 3:
                    number, self.received = self.received, self.received + 1
                    for packet in self._deliver(number, body):
                        self._subscriber.sendall(whole(0x30, packet))
        except OSError:
            pass  # the tool has closed its connections

    def close(self):
        self._listener.close()


def verify(deliver, *options, status=UNCLEAN):
    """What the tool found of 100 messages, and the whole phase."""
    broker = FakeBroker(deliver)
    try:
        output, _ = bench("p2p", "--publishers", 1, "--subscribers", 1, "-r", 200, "-d", 0.5, "--warmup", 0,
                          "-p", broker.port, "--json", "-", *options, status=status)
    finally:
        broker.close()
    expect_equal(broker.received, 100, "messages of the schedule")
    phase = json.loads(output)["phases"][0]
    return phase["verification"], phase


@case
def an_honest_broker_is_clean(_):
    found, _phase = verify(lambda number, message: [message], status=MEASURED)
    expect_equal((found["clean"], found["delivered"]), (True, 100), "verification")


@case
def a_lost_message_is_noticed(_):
    found, _phase = verify(lambda number, message: [message] if number % 10 != 3 else [])
    expect_equal((found["lost"], found["out_of_order"], found["duplicates"]), (10, 0, 0), "verification")


@case
def losing_all_is_noticed(_):
    found, _phase = verify(lambda number, message: [])
    expect_equal((found["lost"], found["delivered"]), (100, 0), "verification")


@case
def a_repeated_message_is_noticed(_):
    found, _phase = verify(lambda number, message: [message, message] if number % 10 == 3 else [message])
    expect_equal((found["duplicates"], found["lost"], found["delivered"]), (10, 0, 100), "verification")


@case
def a_wrong_order_is_noticed(_):
    held = []

    def swap(number, message):
        if number % 10 == 3:
            held.append(message)
            return []
        return [message, held.pop()] if held else [message]

    found, _phase = verify(swap)
    expect_equal((found["out_of_order"], found["lost"], found["duplicates"]), (10, 0, 0), "verification")


@case
def a_damaged_payload_is_noticed(_):
    found, _phase = verify(
        lambda number, message: [message[:-1] + b"?" if number % 10 == 3 else message])
    expect_equal((found["damaged"], found["lost"]), (10, 0), "verification")


@case
def a_damaged_identity_is_no_message_of_ours(_):
    def damage(number, message):
        topic = int.from_bytes(message[:2], "big")
        at = 2 + topic + 12  # in the time
        return [message[:at] + bytes([message[at] ^ 1]) + message[at + 1:] if number % 10 == 3 else message]

    found, _phase = verify(damage)
    expect_equal((found["foreign"], found["lost"]), (10, 10), "verification")


@case
def a_strange_message_is_noticed(_):
    found, _phase = verify(lambda number, message: [message, b"\x00\x01xhello"] if number == 50 else [message])
    expect_equal((found["foreign"], found["lost"]), (1, 0), "verification")


@case
def latency_counts_from_the_due_time(_):
    """What a stalled broker keeps waiting is charged to it, although it takes the messages all the time."""
    held = []

    def stall(number, message):
        held.append(message)
        if number < 99:
            return []
        return held

    _found, phase = verify(stall, status=MEASURED)
    latency = phase["latency_us"]
    expect_equal(latency["count"], 100, "latencies")
    # Due at 0, 5, ... 495 ms, delivered behind the last.
    expect(latency["max"] >= 490_000, f"the first waited longest: {latency['max']}")
    expect(latency["p50"] >= 240_000, f"half of them waited for a quarter of a second: {latency['p50']}")


@case
def a_flood_ends_although_nothing_arrives(_):
    broker = FakeBroker(lambda number, message: [])
    try:
        output, _ = bench("p2p", "--publishers", 1, "--subscribers", 1, *SHORT, "--window", 50, "-p", broker.port,
                          "--json", "-", status=UNCLEAN)
    finally:
        broker.close()
    found = json.loads(output)["phases"][0]["verification"]
    expect_equal((found["expected"], found["lost"]), (50, 50), "a window of messages")


@case
def a_refused_client_ends_the_measurement(_):
    listener = socket.create_server((HOST, 0))

    def refuse():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.recv(1000)
            peer.sendall(b"\x20\x02\x00\x05")

    threading.Thread(target=refuse, daemon=True).start()
    _, errors = bench("p2p", "--publishers", 1, "--subscribers", 1, "-p", listener.getsockname()[1], status=UNMEASURED)
    listener.close()
    expect("refused the connection with 0x05" in errors, f"why: {errors}")


def main():
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    passed = failed = 0
    broker = Broker()
    try:
        passed, failed = run_functions(CASES, pattern, broker)
    finally:
        problem = broker.end()
    if problem is not None:
        print(f"FAILED end of the run: {problem}", flush=True)
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
