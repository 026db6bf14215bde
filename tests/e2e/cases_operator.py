"""What an operator sees: start, refusals to start, log, counters, stop."""
import json
import re
import signal
import socket
import sys

from control import over_http
from harness import BINARY, HOST, case, expect, expect_equal, free_port, wait_until
from sockets import connected, end_of_stream, wire

DRAIN_S = 10  # promised in the manual: what is not flushed by then is cut
SHUTTING_DOWN = 0x8B


@case("operator/start_lines")
def the_start_says_what_listens_and_who_may_enter(case):
    broker = case.start_broker()
    listening = broker.wait_line(rf"127\.0\.0\.1:{broker.port}")
    expect(listening, "a line names the address")
    expect(any("anonymous" in line.lower() for line in broker.lines()), "a line says that anonymous clients may enter")
    expect(any(broker.data in line for line in broker.lines()), "a line names the data directory")


@case("operator/serve_is_the_default")
def serve_is_the_default_subcommand(case):
    port = free_port()
    broker = case.spawn([BINARY, "-p", str(port), "--data", str(case.directory())], "broker")
    broker.wait_line(rf"127\.0\.0\.1:{port}")
    connected(case, "default", port=port).disconnect()
    broker.signal(signal.SIGTERM)
    expect_equal(broker.finish(), 0, "exit status")


@case("operator/help")
def help_shows_commands_and_examples(case):
    overview = "\n".join(case.run([BINARY, "--help"]))
    for command in ("serve", "ctl", "pub", "sub", "doctor"):
        expect(command in overview, f"--help names {command}")
    for command in ("serve", "pub", "sub", "doctor"):
        text = "\n".join(case.run([BINARY, command, "--help"]))
        expect(f"nightjar {command}" in text and "xample" in text, f"{command} --help shows examples")


@case("operator/unknown_option")
def an_unknown_option_is_named(case):
    process = case.spawn([BINARY, "serve", "--prot", "1883"], "nightjar")
    expect(process.finish() != 0, "an unknown option is an error")
    text = "\n".join(process.lines())
    expect('"--prot"' in text and 'did you mean "--port"?' in text, f"the option and a suggestion: {text}")
    expect("nightjar serve --help" in text, f"the way to help: {text}")


def refused_start(case, port):
    """Output of a broker that cannot start on `port`."""
    process = case.spawn([BINARY, "serve", "-p", str(port), "--data", str(case.directory())], "second broker")
    expect(process.finish() != 0, "it ends with an error")
    text = "\n".join(process.lines())
    expect(str(port) in text, "the message names the port")
    return text


@case("operator/busy_port")
def a_busy_port_names_the_process_that_holds_it(case):
    holder = case.spawn([sys.executable, "-u", "-c", "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
                         "print('port', s.getsockname()[1])\ninput()"], "holder")
    port = int(holder.wait_line(r"^port (\d+)$").group(1))
    text = refused_start(case, port)
    expect(str(holder.pid) in text and "python" in text, f"the message names python and its pid {holder.pid}: {text}")


@case("operator/busy_port_second_broker")
def a_second_broker_does_not_share_the_port(case):
    # SO_REUSEPORT would let it, and half of the clients would find the wrong broker.
    text = refused_start(case, case.port)
    expect(str(case.broker.pid) in text, f"the message names the first broker's pid {case.broker.pid}: {text}")


def refused_config(case, content):
    """The message about a configuration file, and the file's path as the broker was given it."""
    path = case.file("nightjar.toml", content)
    process = case.spawn([BINARY, "serve", "-c", path, "--data", str(case.directory() / "data")], "broker")
    expect(process.finish() != 0, "the broker does not start")
    return "\n".join(process.lines()), str(path)


@case("operator/config_unknown_key")
def an_unknown_key_gets_place_and_suggestion(case):
    text, path = refused_config(case, '[log]\n  levle = "info"\n')
    expect(f"{path}:2:3:" in text, f"file, line and column of the key: {text}")
    expect('"levle"' in text and 'did you mean "level"' in text, f"the key and a suggestion: {text}")


@case("operator/config_syntax_error")
def a_syntax_error_gets_its_place(case):
    text, path = refused_config(case, '[log]\nlevel = \n')
    expect(re.search(re.escape(path) + r":[23]:\d+:", text), f"file, line and column: {text}")


@case("operator/config_wrong_type")
def a_wrong_type_gets_its_place(case):
    text, path = refused_config(case, '[log]\nlevel = 3\n')
    expect(f"{path}:2:" in text and "level" in text, f"file, line and key: {text}")


@case("operator/config_missing_file")
def a_missing_file_is_named(case):
    missing = str(case.directory() / "nowhere.toml")
    process = case.spawn([BINARY, "serve", "-c", missing], "broker")
    expect(process.finish() != 0, "the broker does not start")
    expect(missing in "\n".join(process.lines()), "the message names the file")


@case("operator/config_wrong_address")
def a_wrong_address_gets_its_place(case):
    text, path = refused_config(case, '[[listener]]\nname = "plain"\naddress = "10.0.0.999"\n')
    expect(f'{path}:3:11: "address" in [listener.plain]' in text, f"file, line, column and key: {text}")
    expect('"127.0.0.1"' in text, f"what would be right: {text}")


@case("operator/config_foreign_address")
def an_address_of_another_machine_gets_its_place(case):
    text, path = refused_config(case, f'[[listener]]\naddress = "192.0.2.1"\nport = {free_port()}\n')
    expect(f'{path}:2:11: "address" in [listener.1]' in text, f"file, line, column and key: {text}")
    expect("does not have that address" in text, f"the reason: {text}")


@case("operator/config_busy_port")
def a_busy_port_of_the_file_gets_its_place(case):
    text, path = refused_config(case, f'[[listener]]\naddress = "127.0.0.1"\nport = {case.port}\n')
    expect(f'{path}:3:8: "port" in [listener.1]' in text, f"file, line, column and key: {text}")
    expect(str(case.broker.pid) in text and "-p" not in text.split(":", 3)[-1], f"the holder, and no option: {text}")


@case("operator/log_folder_missing")
def a_log_in_a_missing_folder_is_refused(case):
    folder = case.directory() / "missing"
    text, path = refused_config(case, f'[log]\ndestination = "{folder}/nightjar.log"\n')
    expect(f'{path}:2:15: "destination" in [log]' in text, f"file, line, column and key: {text}")
    expect(f"mkdir -p {folder}" in text, f"what to do: {text}")
    expect(not folder.exists(), "the folder is not made")


@case("operator/log_rotation")
def sighup_starts_a_new_log_file(case):
    log, old = case.directory() / "nightjar.log", case.directory() / "nightjar.log.1"
    port = free_port()
    config = case.file("nightjar.toml", f'[log]\ndestination = "{log}"\n\n[[listener]]\naddress = "127.0.0.1"\n'
                       f'port = {port}\nallow_anonymous = true\n')
    broker = case.spawn([BINARY, "serve", "-c", config, "--data", str(case.directory() / "data")], "broker")
    wait_until(lambda: log.exists() and f"listening on 127.0.0.1:{port}" in log.read_text(), "the broker to listen")
    connected(case, "early", port=port).disconnect()
    wait_until(lambda: "client disconnected client=early" in log.read_text(), "the line of the first client")
    log.rename(old)
    broker.signal(signal.SIGHUP)
    wait_until(log.exists, "a new log file")
    connected(case, "late", port=port).disconnect()
    wait_until(lambda: "client disconnected client=late" in log.read_text(), "the line of the second client")
    expect("late" not in old.read_text() and "early" not in log.read_text(), "each line is in one file")
    broker.signal(signal.SIGTERM)
    expect_equal(broker.finish(), 0, "exit status")
    expect("stopped" in log.read_text(), "the new file has the end as well")


@case("operator/json_log")
def every_line_of_a_json_log_is_json(case):
    port = free_port()
    config = case.file("nightjar.toml", f'[log]\nformat = "json"\n\n[[listener]]\naddress = "127.0.0.1"\n'
                       f'port = {port}\nallow_anonymous = true\n')
    broker = case.spawn([BINARY, "serve", "-c", config, "--data", str(case.directory() / "data")], "broker")
    broker.wait_line(str(port))
    client = connected(case, "logged", port=port)
    client.disconnect()
    broker.wait_line("logged")
    broker.signal(signal.SIGTERM)
    expect_equal(broker.finish(), 0, "exit status")
    for line in broker.lines():
        try:
            json.loads(line)
        except ValueError:
            expect(False, f"not JSON: {line}")


@case("operator/log_gives_the_cause")
def one_line_per_disconnect_gives_the_cause(case):
    names = {what: case.client_id(what) for what in ("graceful", "vanished", "malformed", "keepalive", "twin")}
    connected(case, names["graceful"]).disconnect()
    connected(case, names["vanished"]).drop()
    malformed = connected(case, names["malformed"])
    malformed.send(b"\x36\x00")
    malformed.expect_disconnect(0x81)
    silent = connected(case, names["keepalive"], keep_alive=1)
    silent.expect_disconnect(0x8D)
    twin = connected(case, names["twin"])
    connected(case, names["twin"]).disconnect()
    twin.expect_disconnect(0x8E)

    ends = {"twin": 2}
    for what, client_id in names.items():
        count = ends.get(what, 1)
        case.broker.wait_lines(rf"(?i)disconnect.*\b{client_id}\b|\b{client_id}\b.*disconnect", count)
    lines = {what: [line for line in case.broker.lines() if re.search(rf"\b{client_id}\b", line) and
                    "disconnect" in line.lower()] for what, client_id in names.items()}
    for what, found in lines.items():
        expect_equal(len(found), ends.get(what, 1), f"lines about the end of {what}: {found}")
    causes = {what: re.sub(rf"\b{names[what]}\b|\d", "", found[0]) for what, found in lines.items()}
    expect_equal(len(set(causes.values())), len(causes), f"different causes read differently: {causes}")


def stats_of(case, broker):
    return json.loads("\n".join(case.run([BINARY, "ctl", "stats", "--json", "--data", broker.data], "nightjar ctl")))


@case("operator/stats")
def ctl_stats_counts_what_happens(case):
    broker = case.start_broker()
    before = stats_of(case, broker)["total"]
    client = connected(case, "counted", port=broker.port)
    client.subscribe("counted/#", qos=1)
    for n in range(7):
        client.publish("counted/x", b"%d" % n, qos=1)
        client.receive("counted/x")
    client.publish("counted/nobody-else", b"retained", retain=True)
    client.receive("counted/nobody-else")
    client.expect_nothing()

    def grown():
        now = stats_of(case, broker)["total"]
        return {name: now[name] - before[name] for name in now if isinstance(now[name], int)}
    expected = {"clients_connected": 1, "sessions": 1, "subscriptions": 1, "publish_received": 8, "publish_sent": 8}
    wait_until(lambda: grown().items() >= expected.items(), f"counters to show {expected}, they show {grown()}")
    ledger = stats_of(case, broker)["total"]["ledger"]
    expect_equal(ledger["routed"], ledger["delivered"], "what was routed has been delivered")
    client.disconnect()
    wait_until(lambda: grown()["clients_connected"] == 0, "the client to be gone from the counters")


def expect_balance(case, broker):
    """Every message times its receivers is delivered, waiting, in flight, or dropped for a reason that is counted."""
    ledger = stats_of(case, broker)["total"]["ledger"]
    accounted = ledger["delivered"] + ledger["waiting"] + ledger["in_flight"] + sum(ledger["dropped"].values())
    expect_equal(accounted, ledger["routed"], f"sum of the ledger {ledger}")
    return ledger


@case("operator/ledger")
def the_ledger_accounts_for_every_message(case):
    broker = case.start_broker()
    publisher = connected(case, "publisher", port=broker.port)
    # One receives, one is away and comes back, one is away and its session is thrown away.
    present = connected(case, "present", port=broker.port)
    present.subscribe("ledger/#", qos=1)
    for name in ("back", "lost"):
        away = connected(case, name, wire.V311, broker.port, clean=False)
        away.subscribe("ledger/#", qos=1)
        away.disconnect()
    for n in range(10):
        publisher.publish(f"ledger/{n}", b"x", qos=n % 2)
        present.receive(f"ledger/{n}")
    present.expect_nothing()
    wait_until(lambda: stats_of(case, broker)["total"]["ledger"]["routed"] == 30, "30 routed messages")
    ledger = expect_balance(case, broker)
    expect_equal((ledger["delivered"], ledger["waiting"]), (10, 10), "delivered and waiting")
    expect_equal(ledger["dropped"]["offline"], 10, "QoS 0 messages for absent clients")

    back = connected(case, "back", wire.V311, broker.port, clean=False)
    for _ in range(5):
        back.receive()
    back.expect_nothing()
    connected(case, "lost", wire.V311, broker.port, clean=True).expect_nothing()
    wait_until(lambda: stats_of(case, broker)["total"]["ledger"]["waiting"] == 0, "empty queues")
    ledger = expect_balance(case, broker)
    expect_equal((ledger["delivered"], ledger["dropped"]["session_ended"]), (15, 5), "delivered and thrown away")


@case("operator/stats_table")
def ctl_stats_prints_a_table_for_people(case):
    broker = case.start_broker()
    text = "\n".join(case.run([BINARY, "ctl", "stats", "--data", broker.data], "nightjar ctl"))
    expect(str(broker.pid) in text, "it names the process")
    for words in ("connections", "sessions", "ledger", "dropped", "MiB resident"):
        expect(words in text, f'it says "{words}"')


@case("operator/stats_without_broker")
def ctl_stats_without_a_broker_says_what_to_do(case):
    process = case.spawn([BINARY, "ctl", "stats", "--data", str(case.directory())], "nightjar ctl")
    expect(process.finish() != 0, "it is an error")
    expect(str(case.directory()) in "\n".join(process.lines()), "the message names the directory")


@case("operator/clients")
def clients_are_listed_and_kicked_over_http_as_by_ctl(case):
    broker = case.start_broker()
    client = connected(case, "pump 1/a", port=broker.port)
    client.subscribe("x/#", qos=1)
    connected(case, "valve", port=broker.port)
    status, listed = over_http(broker, "GET", "/api/v1/clients?match=pump")
    expect_equal((status, [each["client_id"] for each in listed["clients"]]), (200, ["pump 1/a"]), "who matches")
    expect_equal(listed["clients"][0]["subscriptions"], 1, "subscriptions")
    status, cut = over_http(broker, "GET", "/api/v1/clients?limit=1")
    expect_equal((status, len(cut["clients"]), cut["more"]), (200, 1, True), "a list that is cut says so")
    status, one = over_http(broker, "GET", "/api/v1/clients/pump%201%2Fa")
    expect_equal((status, one["connected"]), (200, True), "one client")
    table = case.run([BINARY, "ctl", "clients", "--data", broker.data], "nightjar ctl")
    expect(any("pump 1/a" in line for line in table) and any("valve" in line for line in table), "the table shows both")
    expect_equal(over_http(broker, "DELETE", "/api/v1/clients/pump%201%2Fa")[0], 200, "the kick")
    client.expect_disconnect(0x98)
    status, refusal = over_http(broker, "DELETE", "/api/v1/clients/pump%201%2Fa")
    expect_equal(status, 404, "the second kick")
    expect("pump 1/a" in refusal["error"], "the refusal names the client")
    expect_equal(over_http(broker, "PUT", "/api/v1/stats")[0], 405, "a wrong method")
    status, unknown = over_http(broker, "GET", "/api/v2")
    expect_equal(status, 404, "an unknown path")
    status, known = over_http(broker, "GET", "/api/v1")
    expect("GET /api/v1/stats" in known["paths"], "the paths are listed")


RELOADED = """
[queue]
max_messages = {queued}

[[listener]]
name = "stays"
address = "127.0.0.1"
port = {stays}
allow_anonymous = true
max_packet_size = "{packet}"

[[listener]]
name = "{name}"
address = "127.0.0.1"
port = {other}
allow_anonymous = true
"""


def ctl(case, broker, *words):
    process = case.spawn([BINARY, "ctl", *words, "--data", broker.data], "nightjar ctl")
    return process.finish(), "\n".join(process.lines())


@case("operator/reload")
def a_reload_changes_what_the_file_says_and_nothing_else(case):
    directory = case.directory()
    config = directory / "nightjar.toml"
    stays, goes, comes = free_port(), free_port(), free_port()

    def write(**values):
        config.write_text(RELOADED.format(**{"queued": 1000, "stays": stays, "packet": "1MiB"} | values))
    write(name="goes", other=goes)
    broker = case.spawn([BINARY, "-c", str(config), "--data", str(directory / "data")], "broker")
    broker.data = str(directory / "data")
    broker.wait_line(rf"127\.0\.0\.1:{goes}")
    steady = connected(case, "steady", port=stays)
    steady.subscribe("x", qos=1)
    away = connected(case, "away", wire.V311, port=stays, clean=False)
    away.subscribe("queue/#", qos=1)
    away.disconnect()
    lost = connected(case, "lost", port=goes)

    # A file that is wrong, and one that cannot be served, change nothing.
    config.write_text(config.read_text() + "spelling = 1\n")
    status, said = ctl(case, broker, "reload")
    expect(status != 0 and "spelling" in said and "nightjar.toml:" in said, f"the mistake is named: {said}")
    with socket.create_server((HOST, 0)) as holder:
        write(queued=3, name="comes", other=holder.getsockname()[1])
        status, said = ctl(case, broker, "reload")
        expect(status != 0 and "held by" in said, f"the holder is named: {said}")
    lost.expect_nothing()
    expect("queue.max_messages = 1000" in ctl(case, broker, "config", "show")[1], "the limit is as before")

    write(queued=3, name="comes", other=comes, packet="2MiB")
    status, plan = ctl(case, broker, "reload", "--plan")
    expect_equal(status, 0, "a plan")
    for words in ("queue.max_messages: 1000 -> 3 (at once)", "1 client", "listened on", "from now on"):
        expect(words in plan, f'the plan says "{words}": {plan}')
    lost.expect_nothing()
    expect_equal(ctl(case, broker, "reload"), (0, plan), "what was planned is done")
    lost.expect_disconnect(0x98)
    connected(case, "new", port=comes).disconnect()
    expect(end_of_connect(goes), "the old port is closed")
    changed = connected(case, "changed", port=stays)
    expect_equal(changed.connack.properties["maximum_packet_size"], 2 << 20, "the limit that new clients are told")
    for n in range(5):
        steady.publish("queue/x", b"%d" % n, qos=1)
    expect_equal(over_http(broker, "GET", "/api/v1/clients/away")[1]["queued"], 3, "the queue keeps to its new limit")
    steady.publish("x", b"still here", qos=1)
    steady.receive("x")
    origin = ctl(case, broker, "config", "show", "--origin")[1]
    expect(re.search(r'node\.data = .*# command line', origin), "the origin of an option")
    expect(re.search(r'queue\.max_messages = 3 .*# .*nightjar\.toml:3:', origin), "the origin of a key")

    write(queued=4, name="comes", other=comes)
    broker.signal(signal.SIGHUP)
    broker.wait_line(r"queue\.max_messages was 3 and is 4 now")
    steady.publish("x", b"still here", qos=1)
    steady.receive("x")


def end_of_connect(port):
    try:
        socket.create_connection((HOST, port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


@case("operator/check")
def check_says_what_a_start_would(case):
    directory = case.directory()
    config = directory / "nightjar.toml"
    port = free_port()
    case.run([BINARY, "passwd", "-c", "-b", str(directory / "passwords"), "ann", "secret"], "nightjar passwd")
    listener = f'[[listener]]\nname = "lan"\naddress = "127.0.0.1"\nport = {port}\n'

    def check(text):
        config.write_text(text)
        process = case.spawn([BINARY, "check", "-c", str(config), "--data", str(directory / "data")], "nightjar check")
        return process.finish(), "\n".join(process.lines())
    status, said = check(f'[auth]\npassword_file = "{directory}/passwords"\n{listener}')
    expect_equal(status, 0, f"a good file: {said}")
    expect("1 user of" in said and f"127.0.0.1:{port}" in said and "fine" in said, f"who may enter: {said}")
    expect(not (directory / "data").exists(), "nothing was started")
    status, said = check(listener)
    expect_equal(status, 1, "a listener for nobody is a warning")
    expect("lets nobody in" in said, said)
    status, said = check(listener + "max_packet_sze = 1\n")
    expect_equal(status, 3, "a wrong key")
    expect("nightjar.toml:5:1" in said and "max_packet_size" in said, said)
    status, said = check(f'[auth]\npassword_file = "{directory}/nowhere"\n{listener}')
    expect_equal(status, 3, "a file that is not there")
    expect("nowhere" in said and "nightjar.toml:2:" in said, said)
    with socket.create_server((HOST, port)):
        status, said = check(listener + "allow_anonymous = true\n")
    expect_equal(status, 1, "a port that is held is a warning")
    expect("held by" in said, said)


FEW_FILES = 64
KEEPS_CLIENTS_OUT = ("open_files", "accept_queue")


def doctor(case, *arguments, **options):
    """What it found, by check, and its exit status."""
    process = case.spawn([BINARY, "doctor", "--json", *arguments], "nightjar doctor", **options)
    status = process.finish()
    report = json.loads("\n".join(process.lines()))
    expect_equal(status, 1 if report["warnings"] else 0, "exit status")
    return {finding["check"]: finding for finding in report["findings"]}


@case("operator/doctor")
def the_doctor_tells_what_is_in_the_way_and_the_fix(case):
    found = doctor(case, "--connections", "1")["open_files"]
    expect_equal((found["status"], found["fix"]), ("ok", ""), "files for one client")
    found = doctor(case, open_files_max=FEW_FILES)["open_files"]
    expect_equal(found["status"], "warning", "files for many clients")
    expect("LimitNOFILE=" in found["fix"], f"the fix: {found}")
    # The limits of a process that runs are its own, not those of the shell.
    broker = case.start_broker(open_files_max=FEW_FILES)
    expect_equal(doctor(case, "--pid", str(broker.pid))["open_files"]["status"], "warning", "files of the broker")


@case("operator/doctor_table")
def the_doctor_prints_a_table_for_people(case):
    process = case.spawn([BINARY, "doctor"], "nightjar doctor", open_files_max=FEW_FILES)
    expect_equal(process.finish(), 1, "exit status with a warning")
    text = "\n".join(process.lines())
    for words in ("warning  open files", "fix: LimitNOFILE=", "accept queue", "clock source", "hint"):
        expect(words in text, f'it says "{words}": {text}')


@case("operator/doctor_wrong_usage")
def the_doctor_refuses_what_it_does_not_understand(case):
    missing = case.spawn([BINARY, "doctor", "-c", case.directory() / "nowhere.toml"], "nightjar doctor")
    expect_equal(missing.finish(), 3, "exit status without the configuration")
    for arguments in (["--conections", "5"], ["--pid", "999999999"]):
        wrong = case.spawn([BINARY, "doctor", *arguments], "nightjar doctor")
        expect_equal(wrong.finish(), 2, f"exit status of {arguments}")


@case("operator/start_warns_of_the_machine")
def a_start_names_what_keeps_clients_out_and_else_nothing(case):
    usual = case.start_broker()
    usual.wait_line(r"try: nightjar")
    found = doctor(case)
    expected = [check for check in KEEPS_CLIENTS_OUT if found[check]["status"] == "warning"]
    expect_equal([check for line in usual.lines() if "nightjar doctor" in line for check in KEEPS_CLIENTS_OUT
                  if f"check={check}" in line], expected, "warnings of the start")
    few = case.start_broker(open_files_max=FEW_FILES)
    few.wait_line(r"warn.*the limit of 64 open files.*LimitNOFILE=.*nightjar doctor")


@case("operator/drain")
def sigterm_tells_the_clients_and_ends(case):
    broker = case.start_broker()
    modern = connected(case, "modern", port=broker.port)
    old = connected(case, "old", wire.V311, broker.port)
    idle = socket.create_connection((HOST, broker.port))
    broker.signal(signal.SIGTERM)
    modern.expect_disconnect(SHUTTING_DOWN)
    old.expect_closed()
    end_of_stream(idle)
    expect_equal(broker.finish(DRAIN_S), 0, "exit status after SIGTERM")


@case("operator/drain_sends_wills_first")
def an_observer_gets_every_will_before_the_goodbye(case):
    broker = case.start_broker()
    observer = connected(case, "observer", port=broker.port)
    observer.subscribe("wills")
    # Silent clients on every worker; none of them does anything about the end.
    devices = [connected(case, f"device{n}", port=broker.port, will=wire.Will("wills", b"%d" % n)) for n in range(8)]
    broker.signal(signal.SIGTERM)
    wills = []
    while True:
        packet = observer.recv()
        if packet.type == wire.DISCONNECT:
            break
        wills.append(int(packet.payload))
    expect_equal(sorted(wills), list(range(len(devices))), "wills before the DISCONNECT")


@case("operator/drain_flushes")
def what_was_queued_for_a_reader_is_flushed(case):
    broker = case.start_broker()
    reader = connected(case, "reader", port=broker.port)
    reader.subscribe("big")
    writer = connected(case, "writer", port=broker.port)
    # More than the socket buffers hold, so that output waits inside the broker when the signal comes.
    payload = b"x" * 65536
    for _ in range(64):
        writer.publish("big", payload)
    writer.publish("end", b"", qos=1)
    broker.signal(signal.SIGTERM)
    count = 0
    while True:
        packet = reader.recv()
        if packet.type == wire.DISCONNECT:
            break
        expect_equal(len(packet.payload), len(payload), "length of a message")
        count += 1
    expect(count > 0, "messages came before the DISCONNECT")
    expect_equal(packet.code, SHUTTING_DOWN, "reason code")
    expect_equal(broker.finish(DRAIN_S), 0, "exit status after SIGTERM")


@case("operator/drain_does_not_wait_for_a_stalled_reader")
def a_reader_that_stalls_does_not_hold_the_end_up(case):
    broker = case.start_broker()
    stalled = connected(case, "stalled", port=broker.port)
    stalled.subscribe("big")
    writer = connected(case, "writer", port=broker.port)
    for _ in range(200):
        writer.publish("big", b"x" * 65536)
    writer.publish("end", b"", qos=1)
    broker.signal(signal.SIGTERM)
    # The scheduler of a busy machine gets a little on top of the broker's own bound.
    expect_equal(broker.finish(DRAIN_S + 5), 0, "exit status after SIGTERM")


@case("operator/port_is_free_after_the_end")
def the_port_can_be_used_again_at_once(case):
    broker = case.start_broker()
    client = connected(case, "before", port=broker.port)
    broker.signal(signal.SIGTERM)
    client.expect_disconnect(SHUTTING_DOWN)
    expect_equal(broker.finish(DRAIN_S), 0, "exit status after SIGTERM")
    again = case.start_broker(port=broker.port)
    connected(case, "after", port=again.port).disconnect()
