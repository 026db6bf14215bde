"""Who may enter and what he may do there: password files, rules, and their reload under live clients."""
import os
import pty
import select
import shutil
import signal
import subprocess
import threading
import time

from harness import BINARY, HANG_S, HOST, Skipped, case, expect, expect_equal, free_port, wait_until
from sockets import connected, is_ended, raw, wire

NOT_AUTHORIZED, BAD_PASSWORD, TOO_MANY = 0x87, 0x86, 0x9F

# As mosquitto_passwd 2.0.11 (also with -H sha512) and htpasswd wrote them; the passwords: secret, secret, hunter2.
FOREIGN = """\
# made elsewhere
ann:$7$101$auWEQKP5lDj59Y9e$VoxLyz1stHVU1V07wUWsYP8wfNp8u9cqSZBA0ouidJz63oTJUzEABVqaEF5rPxyqlncblibR4kSDt0o8YKL7Dw==

old:$6$d1rsd4ZU7yqHUkT3$NkBM/uyHtn9ziXAA1t/izIDW7/NRPCyRulbXJNlR87RVEVySHcj2O+2JgMlW8+r51QGvkuXR3gVFG4kuRr2oYg==
bob:$2y$04$wZOZkH7kU1EqSK6qwmJaU.QVduIeoNdzt3wLeoUeSGObHgiwN0Etu
"""


class Guarded:
    """A broker whose one listener asks for what the files say."""

    def __init__(self, case, passwords=None, rules=None, acl_name="acl", anonymous=False):
        self.case, self.port = case, free_port()
        self.passwords = case.directory() / "passwords"
        self.acl = case.directory() / acl_name
        self.config = case.directory() / "nightjar.toml"
        auth = []
        if passwords is not None:
            self.passwords.write_text(passwords)
            auth.append(f'password_file = "{self.passwords}"')
        if rules is not None:
            self.acl.write_text(rules)
            auth.append(f'acl_file = "{self.acl}"')
        self.config.write_text("\n".join(["[auth]", *auth, "[[listener]]", 'name = "door"', f'address = "{HOST}"',
                                          f"port = {self.port}", f"allow_anonymous = {str(anonymous).lower()}", ""]))
        self.process = case.spawn([BINARY, "-c", self.config, "--data", case.directory() / "data"], "broker")
        self.process.wait_line(rf"listening on 127\.0\.0\.1:{self.port}")

    def login(self, user, password, version=wire.V5, client_id=None):
        """The code of the CONNACK, and the client."""
        client = raw(self.case, version, user or "anonymous", self.port)
        return client.connect(client_id or self.case.client_id("c"), username=user, password=password).code, client

    def client(self, user=None, password=None, version=wire.V5, client_id=None):
        code, client = self.login(user, password, version, client_id)
        expect_equal(code, 0, f"CONNACK of {user}")
        return client

    def reload(self):
        start = len(self.process.lines())
        self.process.signal(signal.SIGHUP)
        return start


@case("access/passwords_of_other_tools")
def files_of_other_tools_work(case):
    door = Guarded(case, FOREIGN)
    for user, password in (("ann", "secret"), ("old", "secret"), ("bob", "hunter2")):
        door.client(user, password).disconnect()
        door.client(user, password, wire.V311).disconnect()
    expect_equal(door.login("ann", "wrong")[0], BAD_PASSWORD, "5.0, a wrong password")
    expect_equal(door.login("nobody", "secret")[0], BAD_PASSWORD, "5.0, an unknown user")
    expect_equal(door.login(None, None)[0], NOT_AUTHORIZED, "5.0, anonymous")
    expect_equal(door.login("ann", "wrong", wire.V311)[0], 4, "3.1.1, a wrong password")
    expect_equal(door.login(None, None, wire.V311)[0], 5, "3.1.1, anonymous")
    expect_equal(door.login(None, None, wire.V31)[0], 5, "3.1, anonymous")


@case("access/mosquitto_passwd")
def a_file_that_mosquitto_passwd_makes_works(case):
    tool = shutil.which("mosquitto_passwd")
    if not tool:
        raise Skipped("mosquitto_passwd is not installed; access/passwords_of_other_tools has what it wrote")
    path = case.directory() / "made"
    case.run([tool, "-b", "-c", path, "ann", "s3cret"])
    case.run([tool, "-b", path, "bob", "\u00fcber geheim"])
    door = Guarded(case, path.read_text())
    door.client("ann", "s3cret").disconnect()
    door.client("bob", "\u00fcber geheim").disconnect()
    expect_equal(door.login("bob", "uber geheim")[0], BAD_PASSWORD, "a wrong password")


@case("access/anonymous_beside_users")
def anonymous_clients_enter_beside_users_but_nobody_with_a_wrong_password(case):
    door = Guarded(case, FOREIGN, anonymous=True)
    door.client().disconnect()
    door.client("ann", "secret").disconnect()
    expect_equal(door.login("ann", "wrong")[0], BAD_PASSWORD, "a wrong password")
    expect_equal(door.login("nobody", "x")[0], BAD_PASSWORD, "an unknown user")


@case("access/start_refused")
def a_damaged_file_ends_the_start(case):
    for text, place in ((FOREIGN + "no colon here\n", ":6:"), ("ann:plain\n", ":1:"), ("ann:$7$x$y$z\n", ":1:")):
        passwords = case.file("passwords", text)
        config = case.file("nightjar.toml", f'[auth]\npassword_file = "{passwords}"\n')
        process = case.spawn([BINARY, "-c", config, "--data", case.directory() / "data"], "broker")
        expect_equal(process.finish(), 3, "exit status")
        said = "\n".join(process.lines())
        expect(f"{passwords}{place}" in said, f"file and line: {said}")
    config = case.file("nightjar.toml", '[auth]\nacl_file = "/nowhere/acl"\n')
    process = case.spawn([BINARY, "-c", config, "--data", case.directory() / "data"], "broker")
    expect_equal(process.finish(), 3, "exit status")
    said = "\n".join(process.lines())
    expect(f'{config}:2:12: "acl_file" in [auth]: cannot read /nowhere/acl' in said, f"the key and the reason: {said}")


MOSQUITTO_ACL = """\
topic read public/#
user ann
topic readwrite plant/#
topic deny plant/secret
pattern write dev/%c/up
"""


@case("access/mosquitto_acl")
def mosquittos_rules_hold(case):
    door = Guarded(case, FOREIGN, MOSQUITTO_ACL, anonymous=True)
    watcher = door.client("ann", "secret")
    expect_equal(watcher.subscribe("#", qos=1).codes, [1], "SUBSCRIBE is not refused")
    anonymous = door.client()
    anonymous.subscribe("#", qos=1)
    ann = door.client("ann", "secret", client_id="pump")
    expect(ann.publish("plant/1", b"a", qos=1).code < 0x80, "allowed")
    watcher.receive("plant/1", b"a")
    expect_equal(ann.publish("plant/secret", b"b", qos=1).code, NOT_AUTHORIZED, "denied, QoS 1")
    expect_equal(ann.publish("plant/secret", b"b", qos=2).code, NOT_AUTHORIZED, "denied, QoS 2")
    expect(ann.publish("dev/pump/up", b"c", qos=1).code < 0x80, "its own")
    expect_equal(ann.publish("dev/other/up", b"c", qos=1).code, NOT_AUTHORIZED, "another one's")
    old = door.client("ann", "secret", wire.V311)
    old.publish("public/x", b"dropped", qos=1)  # acknowledged, as 3.1.1 has no word for it
    old.publish("plant/2", b"d", qos=1)
    watcher.receive("plant/2", b"d")
    anonymous.expect_nothing()
    for name in ("#", "+", "a/b"):
        odd = door.client("bob", "hunter2", client_id=name)
        expect_equal(odd.publish("dev/pump/up", b"x", qos=1).code, NOT_AUTHORIZED, f"the client id {name}")
    door.process.wait_line(rf'publishing denied client=pump user=ann topic=plant/secret rule={door.acl}:4')


OWN_RULES = """\
[[rule]]
users = ["ann", "bob"]
allow = "all"
topics = ["plant/#", "own/%u/#"]

[[rule]]
deny = ["publish", "receive"]
topics = "plant/secret"
"""


@case("access/own_rules")
def rules_in_toml_hold(case):
    door = Guarded(case, FOREIGN, OWN_RULES, acl_name="rules.toml")
    ann = door.client("ann", "secret")
    expect_equal(ann.subscribe(("plant/#", 1), ("#", 1), ("own/bob/x", 1), ("own/ann/+", 2)).codes,
                 [1, NOT_AUTHORIZED, NOT_AUTHORIZED, 2], "SUBACK")
    old = door.client("old", "secret", wire.V311)
    expect_equal(old.subscribe("plant/#").codes, [0x80], "SUBACK of 3.1.1")
    bob = door.client("bob", "hunter2")
    expect(bob.publish("plant/a", b"1", qos=1).code < 0x80, "allowed")
    ann.receive("plant/a", b"1")
    expect_equal(bob.publish("plant/secret", b"2", qos=1).code, NOT_AUTHORIZED, "denied")
    expect_equal(bob.publish("own/ann/x", b"3", qos=1).code, NOT_AUTHORIZED, "another one's")
    ann.expect_nothing()
    door.process.wait_line(rf"rule={door.acl}:6")


@case("access/rules_reload")
def new_rules_hold_for_subscriptions_that_are_there(case):
    door = Guarded(case, FOREIGN, "user ann\ntopic a/#\ntopic write b/#\n")
    watcher = door.client("ann", "secret")
    watcher.subscribe("#", qos=1)
    ann = door.client("ann", "secret")
    ann.publish("a/x", b"1", qos=1)
    watcher.receive("a/x", b"1")
    ann.publish("b/x", b"2", qos=1)
    watcher.expect_nothing()

    door.acl.write_text("user ann\ntopic b/#\ntopic write a/#\n")
    asked = time.monotonic()
    start = door.reload()
    door.process.wait_line(rf"read: 2 lines in {door.acl}", start)
    wait_until(lambda: ann.publish("b/x", b"3", qos=1) and watcher.drain(), "a message by the new rules")
    expect(time.monotonic() - asked < 10, "new rules hold at once")
    ann.publish("a/x", b"4", qos=1)
    watcher.expect_nothing()

    # A file that is wrong changes nothing, and the log says why.
    door.acl.write_text("user ann\ntopic b/#\ntopic raed a/#\n")
    start = door.reload()
    said = door.process.wait_line(r"reload: nothing was changed.*", start).group(0)
    expect(f"{door.acl}:3:" in said and "raed" in said, f"the place and the word: {said}")
    ann.publish("b/x", b"5", qos=1)
    watcher.receive("b/x", b"5")


@case("access/users_reload")
def who_was_taken_out_goes_and_the_others_stay(case):
    door = Guarded(case, FOREIGN)
    ann, bob, old = door.client("ann", "secret"), door.client("bob", "hunter2"), door.client("old", "secret", wire.V311)
    case.run([BINARY, "passwd", "-D", door.passwords, "bob"], "nightjar passwd")
    case.run([BINARY, "passwd", "-b", "-H", "sha512", door.passwords, "old", "changed"], "nightjar passwd")
    ann.publish("x", b"", qos=1)
    bob.publish("x", b"", qos=1)
    door.reload()
    bob.expect_disconnect(NOT_AUTHORIZED)
    old.expect_closed()
    ann.publish("x", b"", qos=1)
    expect(not is_ended(ann.sock), "ann is as she was")
    ann.sock.setblocking(True)
    expect_equal(door.login("bob", "hunter2")[0], BAD_PASSWORD, "bob is nobody now")
    expect_equal(door.login("old", "secret")[0], BAD_PASSWORD, "the old password")
    door.client("old", "changed").disconnect()


@case("access/guessing", alone=True)
def a_thousand_guesses_a_second_do_not_delay_a_right_login(case):
    argon = case.directory() / "made"
    for name in ("ann", "bob", "eve"):
        create = ["-c"] if name == "ann" else []
        case.run([BINARY, "passwd", "-b", *create, argon, name, f"of {name}"], "nightjar passwd")
    door = Guarded(case, argon.read_text())
    stop, guesses, codes = threading.Event(), [], set()

    def guess(number):
        # Connections by the dozen, as guessing tools make them: one known user, and names made up.
        while not stop.is_set():
            clients = []
            for n in range(50):
                user = "eve" if n % 2 else f"nobody{number}-{len(guesses)}-{n}"
                client = wire.Client((HOST, door.port), wire.V5, "guess", [], timeout=30)
                client.send(wire.connect(wire.V5, "", username=user, password=f"guess {number} {len(guesses)} {n}"))
                clients.append(client)
            for client in clients:
                codes.add(client.expect(wire.CONNACK).code)
                client.close()
                guesses.append(client)

    threads = [threading.Thread(target=guess, args=(n,), daemon=True) for n in range(4)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(guesses) >= 1000, "the flood to be under way")
        waits = []
        for user in ("ann", "bob", "ann", "bob"):
            asked = time.monotonic()
            door.client(user, f"of {user}").disconnect()
            waits.append(time.monotonic() - asked)
        wait_until(lambda: len(guesses) >= 5000, "five thousand guesses")
        rate = len(guesses) / (time.monotonic() - begin)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    expect(codes <= {BAD_PASSWORD, TOO_MANY} and TOO_MANY in codes, f"the codes of the guesses: {codes}")
    # Hashing them all would take 25 ms each.
    expect(max(waits) < 5, f"right logins took {waits} s at {rate:.0f} guesses a second")


@case("access/passwd")
def passwd_makes_a_file_that_lets_its_users_in(case):
    path = case.directory() / "made"

    def passwd(*words, stdin=()):
        process = case.spawn([BINARY, "passwd", *words], "nightjar passwd")
        for line in stdin:
            process.send(line)
        process.close_stdin()
        return process.finish(), "\n".join(process.lines())

    status, said = passwd(path, "ann", "-b", "x")
    expect(status == 1 and "-c makes a new one" in said, f"a missing file: {said}")
    expect_equal(passwd("-c", "-b", path, "ann", "s3cret")[0], 0, "-c -b")
    expect_equal(path.stat().st_mode & 0o777, 0o600, "the mode of the file")
    expect("$argon2id$" in path.read_text(), "argon2id is the default")
    expect_equal(passwd("-H", "sha512-pbkdf2", path, "bob", stdin=["hunter2"])[0], 0, "from the standard input")
    expect_equal(passwd("-b", "-H", "bcrypt", path, "cy", "c")[0], 0, "bcrypt")
    expect_equal(passwd("-D", path, "cy")[0], 0, "-D")
    status, said = passwd("-D", path, "cy")
    expect(status == 1 and '"cy"' in said, f"taking out nobody: {said}")
    path.write_text("# kept\n" + path.read_text() + "dee:pl:ain\n")
    expect_equal(passwd("-U", path)[0], 0, "-U")
    text = path.read_text()
    expect(text.startswith("# kept\n") and "pl:ain" not in text, "the comment stays, the plain password does not")
    before = text
    path.write_text(text + "damaged\n")
    expect_equal(passwd("-b", path, "ann", "y")[0], 1, "a damaged file")
    expect_equal(path.read_text(), before + "damaged\n", "the damaged file")
    door = Guarded(case, before)
    for user, password in (("ann", "s3cret"), ("bob", "hunter2"), ("dee", "pl:ain")):
        door.client(user, password).disconnect()
    expect_equal(door.login("cy", "c")[0], BAD_PASSWORD, "who was taken out")


@case("access/passwd_terminal")
def passwd_asks_twice_and_shows_nothing(case):
    path = case.directory() / "made"
    leader, follower = pty.openpty()
    process = subprocess.Popen([BINARY, "passwd", "-c", path, "ann"], stdin=follower, stdout=follower, stderr=follower,
                               close_fds=True)
    os.close(follower)
    shown = b""

    def read_until(words):
        nonlocal shown
        while words not in shown:
            expect(select.select([leader], [], [], HANG_S)[0], f"{words} on the terminal; it shows {shown}")
            shown += os.read(leader, 4096)
    try:
        read_until(b"Password for ann: ")
        os.write(leader, b"s3cret\n")
        read_until(b"again: ")
        os.write(leader, b"s3cret\n")
        expect_equal(process.wait(30), 0, "exit status")
        expect(b"s3cret" not in shown, f"what is typed is not shown: {shown}")
        expect("ann:$argon2id$" in path.read_text(), "the file has the user")
    finally:
        process.kill()
        process.wait()
        os.close(leader)
