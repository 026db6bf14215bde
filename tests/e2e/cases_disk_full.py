"""A disk that is full: a tmpfs of the case's own, filled by a load of messages until nothing can be stored any more."""
import collections
import subprocess
import threading
import time

from harness import BINARY, HANG_S, HOST, POLL_S, Failure, Skipped, case, expect, expect_equal, free_port, wait_until
from sockets import connected, wire

MIB = 1 << 20
DISK_BYTES = 128 * MIB
# Its end is the free space that an operator makes. It leaves less than the store wants to see before it tries again, so
# that nothing which the store itself throws away ends the outage.
BALLAST_BYTES = 114 * MIB
PAYLOAD_BYTES = 8192
WINDOW = 16
QUOTA_EXCEEDED = 0x97
SERVER_UNAVAILABLE = 0x88
SERVER_UNAVAILABLE_3 = 3
OUTAGE_S = 3.5  # the store tries again every second: several tries, of which the log says nothing
ROUNDS = 100  # of the flow, in each stretch of the case
CONFIG = '[queue]\nmax_messages = 1000000\nmax_bytes = "1GiB"\n'


def mounted_disk(case, size):
    """A small file system of its own, gone with the case."""
    disk = case.directory() / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(disk)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Skipped(f"no tmpfs can be mounted, which takes root: {done.stderr.splitlines()[0]}")
    case.at_end(lambda: subprocess.run(["umount", "-l", str(disk)], check=True))
    return disk


def fill_up(disk):
    try:
        (disk / "ballast").write_bytes(bytes(8 * MIB))
    except OSError:
        pass  # as full as it gets


def client(case, name, version, port):
    """A clean client, of which the report has the last packets only: a disk full of them is too much."""
    one = wire.Client((HOST, port), version, name, collections.deque(maxlen=60), timeout=HANG_S)
    case.close_at_end(one)
    expect_equal(one.connect(name).code, 0, f"CONNACK of {name}")
    return one


class Ledger:
    """Every message that was sent, by what its publisher heard."""

    def __init__(self):
        self.acknowledged, self.refused, self.unanswered = [], set(), set()

    def check(self, delivered):
        expect_equal([key for key, count in collections.Counter(delivered).items() if count > 1], [], "came twice")
        expect_equal(sorted(set(self.acknowledged) - set(delivered)), [], "acknowledged and lost")
        expect_equal(sorted(self.refused & set(delivered)), [], "refused and delivered all the same")
        expect_equal(sorted(set(delivered) - set(self.acknowledged) - self.unanswered), [], "came from nowhere")
        for name in {key.split()[0] for key in delivered}:
            numbers = [int(key.split()[1]) for key in delivered if key.split()[0] == name]
            expect_equal(numbers, sorted(numbers), f"order of the messages of {name}")


def payload(key):
    return key.encode() + b" " + b"x" * PAYLOAD_BYTES


class Load:
    """One connection that publishes without a pause, a window ahead of its acknowledgements, until it is held."""

    def __init__(self, case, name, version, port):
        self.name = name
        self.acknowledged, self.refused = [], set()
        self.unanswered = {}  # packet identifier: message
        self._client = client(case, name, version, port)
        self._sent = 0
        self._is_held = threading.Event()
        self._end = threading.Event()
        self.is_closed = False  # by the broker
        self._problem = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def hold(self):
        self._is_held.set()

    def is_settled(self):
        expect(self._problem is None, f"{self.name}: {self._problem}")
        return self.is_closed or not self.unanswered

    def end(self, ledger):
        self._end.set()
        self._thread.join(HANG_S)
        expect(not self._thread.is_alive() and self._problem is None, f"{self.name}: {self._problem or 'it hangs'}")
        ledger.acknowledged += self.acknowledged
        ledger.refused |= self.refused
        ledger.unanswered |= set(self.unanswered.values())

    def _run(self):
        try:
            while not self._end.is_set() and not self.is_closed:
                while len(self.unanswered) < WINDOW and not self._is_held.is_set():
                    self._send()
                if self._client.has_unread() or wire.ready_of([self._client.sock], POLL_S):
                    self._take_answer()
        except Exception as problem:  # told by who waits for this thread
            self._problem = problem

    def _send(self):
        packet_id, key = self._client.packet_id(), f"{self.name} {self._sent}"
        self._sent += 1
        self.unanswered[packet_id] = key
        # One that the broker has closed is told by what is read.
        self._client.try_send(wire.publish(self._client.version, f"load/{self.name}", payload(key), 1,
                                           packet_id=packet_id))

    def _take_answer(self):
        answer = self._client.recv_or_end()
        if answer is None:
            self.is_closed = True
            return
        expect_equal(answer.type, wire.PUBACK, "type of the answer")
        key = self.unanswered.pop(answer.packet_id)
        code = answer.code if self._client.version == wire.V5 else 0
        expect(code in (0, QUOTA_EXCEEDED), f"reason code 0x{code:02x} of PUBACK")
        if code == 0:
            self.acknowledged.append(key)
        else:
            self.refused.add(key)


class Flow:
    """QoS 0 from one clean client to another, the next message when the last one has arrived."""

    def __init__(self, case, port):
        self._subscriber = client(case, "flow-sub", wire.V5, port)
        self._subscriber.subscribe("flow")
        self._publisher = client(case, "flow-pub", wire.V311, port)
        self._end = threading.Event()
        self.rounds = 0
        self.longest_s = 0.0
        self._problem = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._end.is_set():
                began = time.monotonic()
                self._publisher.publish("flow", b"%d" % self.rounds)
                self._subscriber.receive("flow", b"%d" % self.rounds)
                self.longest_s = max(self.longest_s, time.monotonic() - began)
                self.rounds += 1
        except Exception as problem:
            self._problem = problem

    def goes_on(self, when):
        """Waits for as many rounds as say that it goes on."""
        goal = self.rounds + ROUNDS

        def has_come():
            expect(self._problem is None, f"QoS 0 {when}: {self._problem}")
            return self.rounds >= goal
        wait_until(has_come, f"QoS 0 to go on {when}")

    def end(self):
        self._end.set()
        self._thread.join(2 * HANG_S)
        expect(not self._thread.is_alive() and self._problem is None, f"QoS 0: {self._problem or 'it hangs'}")


def publish_while_full(case, port, ledger, number):
    """What publishers hear that come while the disk is full."""
    modern = client(case, f"modern{number}", wire.V5, port)
    key = f"modern{number} 0"
    ledger.refused.add(key)
    expect_equal(modern.publish("load/modern", payload(key), qos=1).code, QUOTA_EXCEEDED, "PUBACK of 5.0 on a full disk")
    modern.close()
    old = client(case, f"old{number}", wire.V311, port)
    key = f"old{number} 0"
    ledger.refused.add(key)
    old.send(wire.publish(wire.V311, "load/old", payload(key), 1, packet_id=old.packet_id()))
    old.expect_closed()
    old.close()


def connect_while_full(case, port):
    """What clients with kept sessions hear, new ones and those that come back."""
    for version, code in ((wire.V5, SERVER_UNAVAILABLE), (wire.V311, SERVER_UNAVAILABLE_3)):
        for client_id in ("absent", "newcomer"):
            comer = wire.Client((HOST, port), version, client_id, timeout=HANG_S)
            case.close_at_end(comer)
            kept = {"session_expiry_interval": 3600} if version == wire.V5 else None
            expect_equal(comer.connect(client_id, clean=False, properties=kept).code, code, f"CONNACK of {client_id}")


def publish_again(case, port, ledger, names):
    for name, version in names:
        publisher = client(case, name, version, port)
        for n in range(20):
            key = f"{name} {n}"
            answer = publisher.publish("load/again", payload(key), qos=1)
            expect_equal(answer.code if version == wire.V5 else 0, 0, f"PUBACK of {key}")
            ledger.acknowledged.append(key)
        publisher.close()


def take_all(case, port):
    """All that waited for the absent client, up to a message that was sent last."""
    connected(case, "last", port=port).publish("load/last", b"last 0 ", qos=1)
    absent = wire.Client((HOST, port), wire.V311, "absent", collections.deque(maxlen=60), timeout=HANG_S)
    case.close_at_end(absent)
    connack = absent.connect("absent", clean=False)
    expect_equal((connack.code, connack.session_present), (0, True), "CONNACK of the absent client")
    delivered = []
    while True:
        key = " ".join(absent.receive().payload[:64].decode().split()[:2])
        if key == "last 0":
            return delivered
        delivered.append(key)


def alarms(broker):
    return [line for line in broker.lines() if "cannot write the store" in line]


@case("disk/full_under_load", alone=True)
def a_full_disk_loses_nothing_and_recovers_without_a_restart(case):
    fill_and_recover(case, CONFIG)


@case("disk/full_under_load_os", alone=True)
def nor_does_it_when_the_system_is_trusted_with_what_was_written(case):
    fill_and_recover(case, CONFIG + '[node]\ndurability = "os"\n')


def fill_and_recover(case, text):
    disk = mounted_disk(case, DISK_BYTES)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(BALLAST_BYTES))
    (disk / "data").mkdir(mode=0o700)
    config = case.file("nightjar.toml", text)
    broker = case.start_broker("-c", str(config), data=str(disk / "data"))
    absent = connected(case, "absent", wire.V311, broker.port, clean=False)
    absent.subscribe("load/#", qos=1)
    absent.disconnect()
    ledger = Ledger()
    flow = Flow(case, broker.port)
    loads = [Load(case, "five", wire.V5, broker.port), Load(case, "three", wire.V311, broker.port)]

    broker.wait_line(r"cannot write the store in .*No space left", bound_s=4 * HANG_S)
    began = time.monotonic()
    for load in loads:
        load.hold()
    number = 0
    while number < 3 or time.monotonic() < began + OUTAGE_S:
        flow.goes_on("while the disk is full")
        publish_while_full(case, broker.port, ledger, number)
        number += 1
    connect_while_full(case, broker.port)
    expect_equal(len(alarms(broker)), 1, "lines about the full disk")
    expect(not any("is written again" in line for line in broker.lines()), "the disk was full all the while")

    ballast.unlink()
    broker.wait_line(r"is written again")
    wait_until(lambda: all([load.is_settled() for load in loads]), "the acknowledgements that waited")
    publish_again(case, broker.port, ledger, [("again5", wire.V5), ("again3", wire.V311)])
    flow.goes_on("afterwards")
    flow.end()
    for load in loads:
        load.end(ledger)
        expect(len(load.acknowledged) > 100, f"{len(load.acknowledged)} messages of {load.name}: hardly anything to lose")
    expect_equal(len(alarms(broker)), 1, "lines about the full disk, to the end")

    broker.kill()
    broker = case.start_broker("-c", str(config), data=str(disk / "data"))
    ledger.check(take_all(case, broker.port))


@case("disk/full_memory", alone=True)
def a_broker_that_keeps_nothing_does_not_mind_a_full_disk(case):
    disk = mounted_disk(case, 4 * MIB)
    (disk / "data").mkdir(mode=0o700)
    config = case.file("nightjar.toml", '[node]\ndurability = "memory"\n')
    broker = case.start_broker("-c", str(config), data=str(disk / "data"))
    fill_up(disk)
    absent = connected(case, "absent", wire.V311, broker.port, clean=False)
    absent.subscribe("load/#", qos=1)
    absent.disconnect()
    publisher = client(case, "publisher", wire.V5, broker.port)
    for n in range(20):
        expect_equal(publisher.publish("load/1", payload(f"publisher {n}"), qos=1 + n % 2).code, 0, f"answer to {n}")
    expect_equal(len(take_all(case, broker.port)), 20, "messages that waited")


@case("disk/full_at_start", alone=True)
def a_start_on_a_full_disk_fails_and_says_why(case):
    disk = mounted_disk(case, 4 * MIB)
    fill_up(disk)
    (disk / "data").mkdir(mode=0o700)
    process = case.spawn([BINARY, "serve", "-p", str(free_port()), "--data", str(disk / "data")], "broker")
    expect_equal(process.finish(), 1, "exit status of a broker that cannot start")
    text = "\n".join(process.lines())
    expect(str(disk / "data") in text and "No space left on device" in text, f"the reason: {text}")
