"""`nightjar check`: each of the things that it promises to find, and that it finds nothing where nothing is."""
import os
import socket
import threading

from harness import BINARY, HOST, case, expect, expect_equal, free_port

FINE, WARNINGS, WRONG = 0, 1, 3


class Desk:
    """A directory with files that are in order, and `nightjar check` for what is said about them."""

    def __init__(self, case):
        self.case, self.dir, self.port = case, case.directory(), free_port()
        case.run([BINARY, "passwd", "-c", "-b", self.dir / "passwords", "ann", "secret"], "passwd")
        for pki in ("pki", "pki2"):
            case.run([BINARY, "tls", "init", self.dir / pki, "--name", "localhost", "--ip", HOST], "tls init")
        self.auth = f'[auth]\npassword_file = "{self.dir}/passwords"\nacl_file = "{self.dir}/rules.toml"\n'
        self.write("rules.toml", '[[rule]]\nallow = "all"\ntopics = "plant/#"\nusers = "ann"\n')
        self.listener = f'[[listener]]\nname = "lan"\naddress = "{HOST}"\nport = {self.port}\n'
        self.tls = f'[listener.tls]\ncertificate = "{self.dir}/pki/server.pem"\nkey = "{self.dir}/pki/server.key"\n'

    def write(self, name, text):
        (self.dir / name).write_text(text)
        return self.dir / name

    def check(self, text, data="data"):
        self.write("nightjar.toml", text)
        process = self.case.spawn([BINARY, "check", "-c", self.dir / "nightjar.toml", "--data", self.dir / data],
                                  "nightjar check")
        return process.finish(), "\n".join(process.lines())

    def expect(self, what, status, words, text, **options):
        found = self.check(text, **options)
        expect_equal(found[0], status, f"exit status for {what}: {found[1]}")
        for each in words:
            expect(each in found[1], f'what it says about {what} has "{each}": {found[1]}')
        # A start that goes wrong is no warning, and the reverse.
        return found[1]


@case("check/schema_and_files")
def what_is_wrong_with_the_file_and_what_it_names_is_found(case):
    desk = Desk(case)
    good = desk.auth + desk.listener
    desk.expect("what is in order", FINE, ["1 user in", "1 rule in", "fine"], good)
    desk.expect("a wrong key", WRONG, ["nightjar.toml:8:1", "max_packet_size"], good + "max_packet_sze = 1\n")
    said = desk.expect("two mistakes", WRONG, ["nightjar.toml:8:", "nightjar.toml:10:"],
                       good + "allow_anonymous = 1\n[log]\nlevel = \"loud\"\n")
    expect_equal(said.count("nightjar check:"), 2, "both are told")
    desk.expect("a password file that is not there", WRONG, ["nightjar.toml:2:", "nowhere", "nightjar passwd -c"],
                f'[auth]\npassword_file = "{desk.dir}/nowhere"\n{desk.listener}')
    desk.write("broken", "ann:x\n")
    desk.expect("a damaged password file", WRONG, ["broken:1:"],
                f'[auth]\npassword_file = "{desk.dir}/broken"\n{desk.listener}')
    desk.expect("a damaged file of rules", WRONG, ["broken:1:"],
                f'[auth]\nacl_file = "{desk.dir}/broken"\n{desk.listener}')
    desk.expect("a log in a folder that is not there", WRONG, ["nightjar.toml:9:", "mkdir -p"],
                good + f'[log]\ndestination = "{desk.dir}/nowhere/log"\n')
    desk.expect("a log that is a directory", WRONG, ["nightjar.toml:9:", "is a directory"],
                good + f'[log]\ndestination = "{desk.dir}"\n')
    desk.expect("a pid file in a folder that is not there", WRONG, ["nightjar.toml:9:", "mkdir -p"],
                good + f'[node]\npid_file = "{desk.dir}/nowhere/pid"\n')
    desk.expect("a data directory that is a file", WRONG, ["no directory"], good, data="passwords")
    expect(not (desk.dir / "data").exists(), "nothing was made")


@case("check/ports_and_sockets")
def addresses_that_cannot_be_listened_on_are_found(case):
    desk = Desk(case)
    with socket.create_server((HOST, 0)) as held:
        desk.expect("a port that is held", WARNINGS, ["nightjar.toml:8:8", f"held by process {os.getpid()}"],
                    desk.auth + f'[[listener]]\nname = "lan"\naddress = "{HOST}"\n\nport = {held.getsockname()[1]}\n')
    desk.expect("an address of another machine", WARNINGS, ["nightjar.toml:6:11", "does not have that address"],
                desk.auth + f'[[listener]]\nname = "lan"\naddress = "192.0.2.1"\nport = {desk.port}\n')
    desk.expect("no address", WRONG, ["nightjar.toml:6:11"],
                desk.auth + f'[[listener]]\nname = "lan"\naddress = "10.0.0.999"\nport = {desk.port}\n')
    desk.expect("an address twice", WRONG, ["nightjar.toml:11:8", 'listener "lan"'],
                desk.auth + desk.listener + f'[[listener]]\nname = "too"\naddress = "{HOST}"\nport = {desk.port}\n')
    desk.expect("a socket in a folder that is not there", WRONG, ["nightjar.toml:6:8", "mkdir -p"],
                desk.auth + f'[[listener]]\nname = "lan"\npath = "{desk.dir}/nowhere/sock"\n')
    desk.expect("a file in place of a socket", WRONG, ["nightjar.toml:6:8", "no socket"],
                desk.auth + f'[[listener]]\nname = "lan"\npath = "{desk.dir}/passwords"\n')


@case("check/beside_a_broker")
def the_addresses_of_the_broker_that_runs_are_its_own(case):
    desk = Desk(case)
    good = desk.auth + desk.listener
    desk.write("nightjar.toml", good)
    broker = case.spawn([BINARY, "-c", desk.dir / "nightjar.toml", "--data", desk.dir / "data"], "broker")
    broker.wait_line("listening on")
    desk.expect("the file of a broker that runs", FINE, ["a broker runs on it", "fine"], good)
    with socket.create_server((HOST, 0)) as held:
        desk.expect("a further port, which is held", WARNINGS, ["held by"],
                    good + f'[[listener]]\nname = "too"\naddress = "{HOST}"\nport = {held.getsockname()[1]}\n')


@case("check/certificates")
def certificates_that_do_not_fit_are_found(case):
    desk = Desk(case)
    good = desk.auth + desk.listener + desk.tls
    desk.expect("a pair that fits", FINE, ["server.pem", "left", "MQTT over TLS"], good)
    desk.expect("the key of another certificate", WRONG, ["nightjar.toml:10:7", "pki2/server.key"],
                good.replace("pki/server.key", "pki2/server.key"))
    desk.expect("a further pair that does not fit", WRONG, ["nightjar.toml:13:7", "pki/server.key"],
                good + f'[[listener.tls.more]]\ncertificate = "{desk.dir}/pki2/server.pem"\nkey = "{desk.dir}/pki/server.key"\n')
    desk.expect("a certificate that is not there", WRONG, ["nightjar.toml:9:15", "nowhere.pem"],
                good.replace("pki/server.pem", "nowhere.pem"))
    desk.expect("an authority that is not there", WRONG, ["nightjar.toml:12:13", "nowhere.pem"],
                good + f'client_certificate = "required"\nclient_ca = "{desk.dir}/nowhere.pem"\n')
    case.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", desk.dir / "soon.key", "-out",
              desk.dir / "soon.pem", "-days", "5", "-subj", "/CN=localhost"], "openssl")
    desk.expect("a certificate that ends soon", WARNINGS, ["warning: certificate", "days left"],
                good.replace("pki/server", "soon"))


@case("check/who_may_enter")
def it_says_who_may_enter_each_listener(case):
    desk = Desk(case)
    text = desk.auth + desk.listener + f"""allow_anonymous = true
[[listener]]
name = "shut"
address = "{HOST}"
port = {free_port()}
[[listener]]
name = "wide"
address = "0.0.0.0"
port = {free_port()}
allow_anonymous = true
auth = {{ password_file = "" }}
[[listener]]
name = "none"
address = "{HOST}"
port = {free_port()}
auth = {{ password_file = "" }}
[[listener]]
name = "certified"
address = "{HOST}"
port = {free_port()}
auth = {{ password_file = "" }}
[listener.tls]
certificate = "{desk.dir}/pki/server.pem"
key = "{desk.dir}/pki/server.key"
client_certificate = "required"
client_ca = "{desk.dir}/pki/ca.pem"
user_from = "common-name"
[[listener]]
path = "{desk.dir}/sock"
name = "unix"
allow_anonymous = true
auth = {{ password_file = "" }}
"""
    status, said = desk.check(text)
    expect_equal(status, WARNINGS, f"one listener lets nobody in: {said}")
    for name, who in (("lan", f"1 user of {desk.dir}/passwords, anonymous clients of this machine may enter"),
                      ("shut", f"1 user of {desk.dir}/passwords may enter"),
                      ("wide", "ANONYMOUS clients from anywhere may enter"), ("none", "nobody may enter"),
                      ("certified", "clients with a certificate or key may enter, each with a certificate only"),
                      ("unix", "anonymous clients that may write to the socket may enter")):
        lines = [line for line in said.splitlines() if f'listener "{name}" on' in line]
        expect(len(lines) == 1 and lines[0].endswith(who), f"who may enter {name}: {said}")
    expect_equal(said.count("lets nobody in"), 1, "warnings about listeners for nobody")


@case("check/rules")
def rules_that_mean_nothing_are_found(case):
    desk = Desk(case)
    good = desk.auth + desk.listener

    def rules(what, words, text, configuration=good):
        desk.write("rules.toml", text)
        said = desk.expect(what, WARNINGS if words else FINE, words, configuration)
        expect_equal(said.count("warning:"), len(words), f"warnings about {what}: {said}")
    place = f"{desk.dir}/rules.toml"
    allow = '[[rule]]\nallow = "all"\ntopics = "plant/#"\nusers = "ann"\n'
    rules("a rule that is denied", [f"{place}:5: the rule never applies: line 9 denies all that it allows"],
          allow + '[[rule]]\nallow = "publish"\ntopics = "x"\nusers = "ann"\n[[rule]]\ndeny = "all"\ntopics = "x"\n')
    rules("a rule that is said twice", [f"{place}:5: the rule says nothing that line 1 does not say"],
          allow + '[[rule]]\nallow = "publish"\ntopics = "plant/1"\nusers = "ann"\n')
    rules("a user whom nobody knows", [f'{place}:5: no password file has the user "anne"'],
          allow + '[[rule]]\nallow = "publish"\ntopics = "plant/1"\nusers = "anne"\n')
    rules("a listener that is not there", [f'{place}:5: no listener "wan" uses these rules'],
          allow + '[[rule]]\nallow = "publish"\ntopics = "x"\nlisteners = "wan"\n')
    rules("anonymous clients where none may enter", [f"{place}:5: the rule never applies: it is for anonymous"],
          allow + '[[rule]]\nallow = "publish"\ntopics = "x"\nusers = "#anonymous"\n')
    rules("a user who may do nothing", [f'{place}: no rule allows anything to the user "ann"'], "")
    desk.write("acl", "user ann\ntopic dev/%c\ntopic deny dev/%c\nuser eve\ntopic x\n")
    said = desk.expect("Mosquitto's rules", WARNINGS,
                       [f"{desk.dir}/acl:2: the rule never applies: line 3 denies all", f'{desk.dir}/acl:2: in "topic dev/%c"',
                        f'{desk.dir}/acl:5: no password file has the user "eve"'], good.replace("rules.toml", "acl"))
    expect("fine" not in said, "a file with warnings is not fine")


# ---- the control socket ----

@case("control/nobody_holds_it_up")
def a_control_client_that_is_stuck_holds_nobody_up(case):
    broker = case.start_broker()
    silent = []
    for _ in range(100):
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        case.close_at_end(one)
        one.connect(f"{broker.data}/nightjar.sock")
        silent.append(one)
    silent[0].settimeout(30)
    outcomes = []

    def ask():
        process = case.spawn([BINARY, "ctl", "stats", "--data", broker.data], "nightjar ctl")
        outcomes.append(process.finish())
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect_equal(outcomes, [0] * 8, "exit statuses beside a hundred silent clients")
    for one in silent:
        one.settimeout(30)
        try:
            expect_equal(one.recv(1), b"", "who says nothing is cut off")
        except ConnectionResetError:
            pass
