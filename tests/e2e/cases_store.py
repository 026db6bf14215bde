"""What an operator does with what a broker keeps: back it up, look into it, find damage and repair it."""
import json
import pathlib
import shutil
import signal
import struct
import threading

from harness import BINARY, case, expect, expect_equal, free_port
from sockets import connected, wire

PAYLOAD = b"x" * 200


def store(case, *arguments, status=0):
    """Runs `nightjar store`; its lines."""
    process = case.spawn([BINARY, "store", *arguments], "nightjar store")
    ended = process.finish()
    text = "\n".join(process.lines())
    expect_equal(ended, status, f"exit status of store {' '.join(map(str, arguments))}: {text}")
    return text


def stop(broker):
    broker.signal(signal.SIGTERM)
    expect_equal(broker.finish(), 0, "exit status of the broker")


def away(case, client_id, topic, port):
    """A session that is kept while its client is away."""
    client = connected(case, client_id, wire.V311, port, clean=False)
    client.subscribe(topic, qos=1)
    client.disconnect()


def fill(case, broker, clients=3, messages=400):
    """Sessions with queues, and retained messages; then the broker ends."""
    for n in range(clients):
        away(case, f"pump{n}", "plant/#", broker.port)
    publisher = connected(case, "publisher", port=broker.port)
    for n in range(messages):
        publisher.publish(f"plant/{n}", b"%d " % n + PAYLOAD, qos=1)
        publisher.publish(f"state/{n:04}", b"on", qos=1, retain=True)
    publisher.disconnect()
    stop(broker)


def filled_copy(case):
    """A data directory all of whose rows are in files; the names of those, by size."""
    broker = case.start_broker()
    fill(case, broker)
    data = case.directory() / "copy"
    store(case, "backup", data, "--data", broker.data)
    return data, sorted((data / "store").glob("*.sst"), key=lambda path: path.stat().st_size)


def damaged_copy(case):
    """A data directory with a flipped byte in the middle of the file with most messages."""
    data, files = filled_copy(case)
    file = files[-1]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x40
    file.unlink()  # a backup shares its files with the store
    file.write_bytes(content)
    return data, file


def refused(case, data):
    """What a broker says that does not start from this directory."""
    process = case.spawn([BINARY, "serve", "-p", str(free_port()), "--data", str(data)], "broker")
    expect_equal(process.finish(), 1, "exit status of a broker that cannot start")
    return "\n".join(process.lines())


def take_all(case, client_id, port):
    """Numbers of the messages that waited for a client, in their order."""
    client = connected(case, client_id, wire.V311, port, clean=False)
    numbers = []
    while True:
        try:
            numbers.append(int(client.receive(timeout=1).payload.split()[0]))
        except AssertionError:
            return numbers


class Load:
    """Publishes numbered messages until it is told to end."""

    def __init__(self, case, port):
        self._publisher = connected(case, "load", port=port)
        self._end = threading.Event()
        self.acknowledged = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._end.is_set():
            self._publisher.publish(f"load/{self.acknowledged}", b"%d" % self.acknowledged, qos=1)
            self._publisher.publish("last", b"%d" % self.acknowledged, qos=1, retain=True)
            self.acknowledged += 1

    def wait_for(self, count):
        while self.acknowledged < count:
            expect(self._thread.is_alive(), "the load goes on")
            self._thread.join(0.01)

    def end(self):
        self._end.set()
        self._thread.join()


@case("store/backup_under_load")
def a_backup_holds_all_that_was_acknowledged_before_it_began(case):
    broker = case.start_broker()
    away(case, "reader", "load/#", broker.port)
    load = Load(case, broker.port)
    load.wait_for(200)
    before = load.acknowledged
    target = case.directory() / "backup"
    store(case, "backup", target, "--data", broker.data)
    load.wait_for(before + 200)
    load.end()
    expect_equal(target.stat().st_mode & 0o777, 0o700, "the backup is for its owner only")
    store(case, "verify", "--data", target)

    copy = case.start_broker(data=str(target))
    copy.wait_line(r"came back: 1 session")
    late = connected(case, "late", port=copy.port)
    late.subscribe("last", qos=1)
    expect(int(late.receive("last").payload) >= before - 1, "the retained message is one of then or later")
    numbers = take_all(case, "reader", copy.port)
    expect_equal(numbers, list(range(len(numbers))), "every message once, in order")
    expect(len(numbers) >= before, f"{len(numbers)} messages of {before} that were acknowledged")


@case("store/backup_of_a_stopped_broker")
def a_store_that_nobody_serves_is_copied_too(case):
    broker = case.start_broker()
    fill(case, broker, clients=1, messages=5)
    target = case.directory() / "backup"
    store(case, "backup", target, "--data", broker.data)
    text = store(case, "backup", target, "--data", broker.data, status=2)
    expect(f"{target} is not empty" in text, f"a directory that is in use is refused: {text}")
    text = store(case, "backup", case.directory() / "other", "--data", case.directory() / "nowhere", status=2)
    expect(str(case.directory() / "nowhere") in text, f"the missing directory is named: {text}")
    copy = case.start_broker(data=str(target))
    expect_equal(take_all(case, "pump0", copy.port), list(range(5)), "messages of the copy")


@case("store/backup_without_a_store")
def a_broker_that_keeps_nothing_says_so(case):
    config = case.file("nightjar.toml", '[node]\ndurability = "memory"\n')
    broker = case.start_broker("-c", str(config))
    text = store(case, "backup", case.directory() / "backup", "--data", broker.data, status=2)
    expect('durability = "memory"' in text, f"the reason: {text}")
    expect(not (case.directory() / "backup").exists(), "nothing is made")


@case("store/verify_and_stats")
def a_good_store_has_no_findings_and_is_counted(case):
    broker = case.start_broker()
    fill(case, broker, clients=2, messages=50)
    text = store(case, "verify", "--data", broker.data)
    expect("2 sessions with 2 subscriptions and 100 messages, 50 retained messages" in text, f"what is there: {text}")
    expect(text.endswith("0 findings"), f"the last line: {text}")
    counts = json.loads(store(case, "stats", "--json", "--data", broker.data))
    expect_equal((counts["sessions"], counts["messages"], counts["retained"], counts["runs"]), (2, 100, 50, 1), "counts")
    expect_equal({queue["messages"] for queue in counts["largest_queues"]}, {50}, "messages of each queue")
    text = store(case, "stats", "--data", broker.data)
    for words in ("sessions", 'client "pump1"', "on disk", "log"):
        expect(words in text, f'the table says "{words}": {text}')


@case("store/dump")
def a_dump_shows_what_is_kept(case):
    broker = case.start_broker()
    connected(case, "willing", port=broker.port, clean=True, properties={"session_expiry_interval": 600},
              will=wire.Will("gone/willing", b"bye", properties={"will_delay_interval": 300})).drop()
    fill(case, broker, clients=2, messages=3)
    rows = [json.loads(line) for line in store(case, "dump", "--json", "--payload", "--data", broker.data).splitlines()]
    kinds = {kind: [row for row in rows if row["type"] == kind] for kind in ("session", "subscription", "will", "message",
                                                                             "retained", "meta")}
    expect_equal({row["client"] for row in kinds["session"]}, {"pump0", "pump1", "willing"}, "clients")
    expect_equal({row["filter"] for row in kinds["subscription"]}, {"plant/#"}, "filters")
    expect_equal([row["payload"].split()[0] for row in kinds["message"] if row["client"] == "pump1"], ["0", "1", "2"],
                 "messages of one client")
    expect_equal({row["topic"] for row in kinds["retained"]}, {f"state/000{n}" for n in range(3)}, "retained topics")
    expect("format" in {row["key"] for row in kinds["meta"]}, "the format is among the notes")
    text = store(case, "dump", "--client", "pump0", "--data", broker.data)
    expect("pump0" in text and "pump1" not in text and "payload" not in text, f"one client, without payloads: {text}")
    text = store(case, "dump", "--topic", "state/+", "--data", broker.data)
    expect_equal(len(text.splitlines()), 3, f"messages by topic: {text}")


@case("store/shards")
def another_number_of_shards_is_refused_and_the_fix_named(case):
    broker = case.start_broker()
    away(case, "pump", "plant/#", broker.port)
    stop(broker)
    config = case.file("nightjar.toml", "[node]\nshards = 32\n")
    process = case.spawn([BINARY, "serve", "-c", str(config), "-p", str(free_port()), "--data", broker.data], "broker")
    expect_equal(process.finish(), 1, "exit status of a broker that cannot start")
    said = "\n".join(process.lines())
    expect("made with 64 shards" in said and "shards = 64" in said and "--data" in said, f"the reason and the fix: {said}")
    # Having been refused it has changed nothing.
    broker = case.start_broker(data=broker.data)
    broker.wait_line(r"came back: 1 session with 1 subscription")
    stop(broker)
    expect("shards" in store(case, "dump", "--data", broker.data), "the number is in the store")


@case("store/damage_at_start")
def a_start_that_reads_damage_is_refused(case):
    """All files but that with the messages hold what a start reads: sessions, retained messages, the store's own notes."""
    data, files = filled_copy(case)
    expect(len(files) >= 4, f"files of four tables: {files}")
    for number, file in enumerate(files[:-1]):
        damaged = case.directory() / f"damaged{number}"
        shutil.copytree(data, damaged)
        content = bytearray(file.read_bytes())
        content[12] ^= 0x40  # of the first entries
        (damaged / "store" / file.name).write_bytes(content)
        said = refused(case, damaged)
        expect("is damaged" in said and file.name in said and "nightjar store verify" in said, f"what and where: {said}")
        expect("nightjar store repair" in said, f"the fix: {said}")


@case("store/damage")
def damage_is_found_said_and_repaired(case):
    data, file = damaged_copy(case)
    # A start does not read what waits. Who reads it says so, and what to do.
    opened = case.directory() / "opened"
    shutil.copytree(data, opened)
    broker = case.start_broker(data=str(opened))
    for n in range(3):
        take_all(case, f"pump{n}", broker.port)
    broker.wait_line(r"messages that wait cannot be read.*nightjar store verify.*nightjar store repair")
    stop(broker)

    findings = store(case, "verify", "--data", data, status=1).splitlines()
    expect(any(line.startswith(f"{file.name}: ") and "checksum" in line for line in findings), f"the file: {findings}")
    expect(any('messages for client "pump' in line and "at most are lost" in line for line in findings) or
           any("what lay there is lost; of client" in line for line in findings), f"the client: {findings}")

    repaired = store(case, "repair", "--data", data, status=1).splitlines()
    said = {line for line in findings if "checksum" in line}
    expect(said and said <= set(repaired), f"the same words as verify: {repaired}")
    expect((data / "store.damaged-1" / file.name).exists(), "the damaged store is kept")
    expect(any(str(data / "store.damaged-1") in line for line in repaired), f"it is said where: {repaired}")
    store(case, "verify", "--data", data)

    broker = case.start_broker(data=str(data))
    broker.wait_line(r"came back: 3 sessions with 3 subscriptions")
    taken = [take_all(case, f"pump{n}", broker.port) for n in range(3)]
    for numbers in taken:
        expect_equal(numbers, sorted(set(numbers)), "what is left comes once and in order")
    left = sum(map(len, taken))
    expect(1000 < left < 1200, f"{left} of 1200 messages are left: a block is gone, not more")
    stop(broker)
    expect("nothing was done" in store(case, "repair", "--data", data), "a second repair has nothing to do")


@case("store/damaged_log")
def what_a_damaged_log_costs_is_said(case):
    broker = case.start_broker()
    away(case, "pump", "plant/#", broker.port)
    publisher = connected(case, "publisher", port=broker.port)
    for n in range(100):
        publisher.publish("plant/x", b"%d " % n + PAYLOAD, qos=1)
    broker.kill()
    log = max((pathlib.Path(broker.data) / "store").glob("*.log"), key=lambda path: path.stat().st_size)
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0x40
    log.write_bytes(content)
    expect("nightjar store verify" in refused(case, broker.data), "the broker does not start")
    text = store(case, "verify", "--data", broker.data, status=1)
    expect(f"{log.name} is damaged at byte" in text and 'messages for client "pump": behind the damage' in text,
           f"the log and the client: {text}")
    store(case, "repair", "--data", broker.data, status=1)
    repaired = case.start_broker(data=broker.data)
    numbers = take_all(case, "pump", repaired.port)
    expect_equal(numbers, list(range(len(numbers))), "the messages before the damage, in order")
    expect(20 < len(numbers) < 100, f"{len(numbers)} messages were before the damage")


@case("store/in_use")
def a_store_that_is_served_is_left_alone(case):
    broker = case.start_broker()
    for command in ("verify", "repair", "dump", "stats"):
        text = store(case, command, "--data", broker.data, status=2)
        expect(str(broker.pid) in text and broker.data in text, f"{command} names the broker: {text}")
        expect("nightjar store backup" in text, f"{command} tells what works while it runs: {text}")
    text = refused(case, broker.data)
    expect(f"in use by the broker with process id {broker.pid}" in text, f"a second broker is told why: {text}")


CRC_TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    CRC_TABLE.append(n)


def log_record(batch):
    """A record of RocksDB's log: docs in src/store/wal_check.cc."""
    crc = 0xFFFFFFFF
    for byte in b"\x01" + batch:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<IHB", masked, len(batch), 1) + batch


@case("store/newer_format")
def a_store_of_a_newer_version_is_refused(case):
    broker = case.start_broker()
    broker.wait_line(r"came back")
    broker.kill()
    log = max((pathlib.Path(broker.data) / "store").glob("*.log"), key=lambda path: path.stat().st_size)
    content, at, following = log.read_bytes(), 0, 0
    while at + 7 <= len(content) and (size := struct.unpack_from("<H", content, at + 4)[0]):
        sequence, count = struct.unpack_from("<QI", content, at + 7)
        following, at = sequence + count, at + 7 + size
    key, value = b"format", b"7"
    batch = struct.pack("<QI", following, 1) + b"\x01" + bytes([len(key)]) + key + bytes([len(value)]) + value
    log.write_bytes(content[:at] + log_record(batch))
    for text in (refused(case, broker.data), store(case, "verify", "--data", broker.data, status=2),
                 store(case, "repair", "--data", broker.data, status=2)):
        expect("written by a newer Nightjar (format 7" in text, f"the format is named: {text}")
