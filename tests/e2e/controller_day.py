#!/usr/bin/python3
"""A day of a plant whose controllers are connected to the `plc` profile, compressed in time. The controllers are
EMULATIONS: slow_controller.py says what they copy and what that cannot show.

    controller_day.py                  a day of four controllers, 3.1.1 and 5.0
    controller_day.py --hours 0.5      a part of it, with everything that a day has
    controller_day.py --seed 7         the day of seed 7; the timing is the machine's
    controller_day.py --keys 'max_inflight = 10'   the listener with keys of its own: so it must not hold

A simulated second is one pass: a cyclic value (QoS 0), and now and then a counter (QoS 1), a batch or an alarm (QoS 2), a
retained status. The plant sends setpoints (QoS 1), recipes (QoS 2), displays (QoS 0) and, by mistake, messages that are
larger than a controller's buffer. Power is lost at any program cycle, without FIN; a controller leaves at night and comes
back; one stays dark until its will is published; one boots with a clock of 1970 or 2040; one is stopped while the plant
goes on sending to it. Keep alive runs in real seconds.

The day holds if nothing acknowledged is lost, QoS 2 comes exactly once and QoS 1 at least once, in order, no packet and no
record is larger than a controller's buffer, no more than one message at a time is under way to it, never more bytes are
on their way than its buffer holds, and the memory of the broker stays where it is. The last line is `N passed, N failed`.
"""
import argparse
import concurrent.futures
import contextlib
import itertools
import pathlib
import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from harness import BINARY, HANG_S, HOST, Failure, Process, expect, free_port, wait_until
from plant import Plant
from slow_controller import BUFFER_BYTES, Controller, PowerLost, Violation, long_text, padded, wire

DAY_S = 24 * 3600
CONTROLLERS = 4
CLOCK_1970 = 0
CLOCK_2040 = 2_208_988_800  # beyond 2038, and beyond what a certificate of today says
STARTS_PER_POWER_LOSS = 600  # simulated seconds, on average
RECIPE_SEGMENTS = 12
RECIPE_BYTES = 2000
TOO_LARGE_BYTES = BUFFER_BYTES + 1000
FLOOD = 300
FLOOD_BYTES = 1000
PASSWORD = "secret" * 40
OUTSTANDING_POLL_S = 0.005
MEMORY_GROWTH_KIB_MAX = 32 * 1024


class Broker:
    """One listener for the plant, one for controllers."""

    def __init__(self, directory, keys=""):
        pki = directory / "pki"
        subprocess.run([BINARY, "tls", "init", pki, "--ip", HOST, "--rsa"], check=True, stdout=subprocess.DEVNULL)
        self.authority = str(pki / "ca.pem")
        self.passwords = directory / "passwords"
        self.plant_port, self.port = free_port(), free_port()
        self.users = {}
        for i in range(CONTROLLERS):
            self.add_user(f"user{i}")
        config = directory / "nightjar.toml"
        config.write_text(
            f'[[listener]]\nname = "plant"\naddress = "{HOST}"\nport = {self.plant_port}\nallow_anonymous = true\n'
            f'[[listener]]\nname = "controllers"\naddress = "{HOST}"\nport = {self.port}\n{keys}\n'
            f'[listener.tls]\nprofile = "plc"\ncertificate = "{pki}/server.pem"\nkey = "{pki}/server.key"\n'
            f'[listener.auth]\npassword_file = "{self.passwords}"\n')
        self.process = Process([BINARY, "serve", "-c", config, "--placement", "spread", "--data", directory / "data"],
                               "broker")
        wait_until(lambda: self._answers(self.plant_port) and self._answers(self.port), "the broker to listen")

    def add_user(self, name):
        user = long_text(name)
        create = [] if self.passwords.exists() else ["-c"]
        subprocess.run([BINARY, "passwd", "-b", *create, self.passwords, user, PASSWORD], check=True,
                       stdout=subprocess.DEVNULL)
        self.users[name] = (user, PASSWORD)

    def _answers(self, port):
        expect(self.process.is_running, f"the broker ended at start\n{self.process.transcript()}")
        try:
            socket.create_connection((HOST, port), 1).close()
            return True
        except OSError:
            return False

    def memory_kib(self, field="VmRSS"):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise Failure(f"no {field} of the broker")

    def outstanding(self):
        """Bytes that the kernel holds for a controller, sent or not and not acknowledged: the most of all."""
        most = 0
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "01" and int(fields[1].split(":")[1], 16) == self.port:
                most = max(most, int(fields[4].split(":")[0], 16))
        return most


class Watch(threading.Thread):
    """Looks all the time at how many bytes are on their way to a controller."""

    def __init__(self, broker):
        super().__init__(daemon=True)
        self._broker, self._is_over = broker, threading.Event()
        self.most, self.looks = 0, 0

    def run(self):
        while not self._is_over.wait(OUTSTANDING_POLL_S):
            self.most = max(self.most, self._broker.outstanding())
            self.looks += 1

    def end(self):
        self._is_over.set()
        self.join()


class Shift:
    """One controller's day."""

    def __init__(self, number, broker, plant, seconds, seed):
        self.name = f"plc{number}"
        self.broker, self.plant, self.seconds = broker, plant, seconds
        self.number = number
        self.sent = {stream: [] for stream in ("cyclic", "counter", "batch", "status")}  # by the controller
        self.given = {stream: [] for stream in ("display", "setpoint", "recipe")}        # to it
        self.too_large = 0
        self.memory_kib = 0  # of the broker, when a tenth of the day is over
        self.will_topic = self.topic("plant", "will")
        self.controller = Controller((HOST, broker.port), self.name, wire.V5 if number % 2 else wire.V311,
                                     broker.authority, broker.users[f"user{number}"], seed,
                                     will=wire.Will(self.will_topic, padded("gone"), 1))
        self.dice = self.controller.dice

    def topic(self, side, stream):
        return long_text(f"{side}/{self.name}/{stream}/")

    def work(self):
        controller = self.controller
        controller.connect()
        for stream, qos in (("display", 0), ("setpoint", 1), ("recipe", 2)):
            controller.subscribe(self.topic("to", stream), qos)
        for second in range(self.seconds):
            self.special(second)
            self.from_plant(second)
            if self.dice.random() * STARTS_PER_POWER_LOSS < 1:
                controller.fuse = self.dice.randint(0, 80)
            self.from_controller(second)
        controller.fuse = None
        self.through(lambda: controller.idle(self.has_everything, "what the plant has sent"))
        controller.disconnect()

    def has_everything(self):
        received = self.controller.memory.received
        return all(not self.given[stream] or self.given[stream][-1] in received[self.topic("to", stream)][-2:]
                   for stream in ("setpoint", "recipe"))

    def through(self, step):
        """Does a step; if the power is lost meanwhile, it comes back and the job that was under way is finished."""
        try:
            step()
        except PowerLost:
            self.power_up()

    def power_up(self):
        while True:
            try:
                self.controller.connect()
                return self.controller.finish()
            except PowerLost:
                pass

    def from_controller(self, second):
        self.say("cyclic", second, 0)
        if second % 10 == 0:
            self.say("counter", second, 1)
        if second % 60 == 0 or self.dice.random() * 300 < 1:
            self.say("batch", second, 2)
        if second % 600 == 100:
            self.say("status", second, 1, retain=True)

    def say(self, stream, second, qos, retain=False):
        text = f"{stream} {len(self.sent[stream])} at {second}"
        self.sent[stream].append(text)
        self.through(lambda: self.controller.publish(self.topic("plant", stream), padded(text), qos, retain))

    def from_plant(self, second):
        if second % 30 == 0:
            self.give("setpoint", second, 1)
        if second % 30 == 15:
            self.give("display", second, 0)
        if second % 600 == 300:
            for segment in range(RECIPE_SEGMENTS):
                self.give("recipe", second, 2, RECIPE_BYTES)
                if segment % 4 == 1:
                    self.give_too_large(second, segment)

    def give(self, stream, second, qos, size=200):
        text = f"{stream} {len(self.given[stream])} at {second}"
        self.given[stream].append(text)
        self.plant.publish(self.topic("to", stream), padded(text, size), qos)

    def give_too_large(self, second, segment):
        stream, qos = (("display", 0), ("setpoint", 1), ("recipe", 2))[segment // 4 % 3]
        self.plant.publish(self.topic("to", stream), padded(f"too large at {second}", TOO_LARGE_BYTES), qos)
        self.too_large += qos > 0

    # ---- what does not happen every hour ----

    def special(self, second):
        day = self.seconds
        if second == day // 10:
            self.memory_kib = self.broker.memory_kib()
        offset = self.number * day // 96
        if second == day * 2 // 24 + offset:
            self.through(self.night)
        elif second == day * 7 // 24 + offset:
            self.through(self.darkness)
        elif second == day * 13 // 24 + offset:
            self.through(self.wrong_clock)
        elif second % (day // 4) == day // 8 + offset:
            self.through(lambda: self.stop(second))

    def night(self):
        self.controller.fuse = None
        self.controller.disconnect()
        self.controller.connect()

    def darkness(self):
        before = len(self.plant.received[self.will_topic])
        self.controller.lose_power()
        wait_until(lambda: len(self.plant.received[self.will_topic]) > before, f"the will of {self.name}")
        self.power_up()

    def wrong_clock(self):
        controller = self.controller
        controller.lose_power()
        controller.clock = CLOCK_2040 if self.number % 2 else CLOCK_1970
        start = len(self.broker.process.lines())
        try:
            controller.connect()
            raise Violation(f"{self.name}: its clock is wrong and it accepts the certificate")
        except ssl.SSLCertVerificationError:
            pass
        self.broker.process.wait_line("clock", start=start)
        controller.clock = None
        self.power_up()

    def stop(self, second):
        """The program is stopped: nothing is read while the plant floods it."""
        for _ in range(FLOOD):
            self.give("display", second, 0, FLOOD_BYTES)
        self.plant.publish(self.topic("plant", "marker"), b"", 1)
        self.plant.wait_acknowledged()

    # ---- what must be true ----

    def is_last_here(self):
        return all(self.plant.received[self.topic("plant", stream)][-1:] == [padded(self.sent[stream][-1])]
                   for stream in ("counter", "batch") if self.sent[stream])

    def verdicts(self):
        """Pairs of what is promised and whether it was kept."""
        received, got = self.controller.memory.received, self.plant.received

        def there(stream):
            return [payload.rstrip(b"\0").decode() for payload in got[self.topic("plant", stream)]]

        def here(stream):
            return received[self.topic("to", stream)]

        displays = here("display")
        return [
            ("batches and alarms (QoS 2) arrive exactly once, in order", there("batch") == self.sent["batch"]),
            ("counters (QoS 1) arrive, in order", without_repeats(there("counter")) == self.sent["counter"]),
            ("the status (QoS 1, retained) arrives", without_repeats(there("status")) == self.sent["status"]),
            ("cyclic values (QoS 0) arrive at most once, in order", is_part(there("cyclic"), self.sent["cyclic"])),
            ("recipes (QoS 2) arrive exactly once, in order", here("recipe") == self.given["recipe"]),
            ("setpoints (QoS 1) arrive, in order", without_repeats(here("setpoint")) == self.given["setpoint"]),
            ("displays (QoS 0) arrive at most once, in order", is_part(displays, self.given["display"])),
            ("a flood of displays is cut short, not kept", len(displays) < len(self.given["display"]) - FLOOD),
            (f"no packet is larger than {BUFFER_BYTES} bytes", self.controller.largest_packet <= BUFFER_BYTES),
        ]


def without_repeats(texts):
    return [text for text, _ in itertools.groupby(texts)]


def is_part(some, everything):
    """Nothing twice, and in the order of the whole."""
    left = iter(everything)
    return all(text in left for text in some)


def run_day(seconds, seed, keys, directory):
    broker = Broker(directory, keys)
    watch = Watch(broker)
    with contextlib.ExitStack() as at_end:
        at_end.callback(broker.process.kill)
        plant = Plant(broker.plant_port, "plant/#")
        at_end.callback(plant.close)
        shifts = [Shift(number, broker, plant, seconds, seed) for number in range(CONTROLLERS)]
        for shift in shifts:
            at_end.callback(shift.controller.close)
        watch.start()
        at_end.callback(watch.end)
        verdicts = work_all(shifts)
        plant.wait_acknowledged()
        verdicts += settle(shifts, plant)
        watch.end()
        growth = broker.memory_kib() - shifts[0].memory_kib
        verdicts.append((f"the broker's memory stays within {MEMORY_GROWTH_KIB_MAX} KiB of what it was",
                         growth < MEMORY_GROWTH_KIB_MAX))
        verdicts.append((f"never more than {BUFFER_BYTES} bytes are on their way to a controller",
                         0 < watch.most <= BUFFER_BYTES))
        report(shifts, watch, broker)
    return verdicts


def work_all(shifts):
    verdicts = []
    with concurrent.futures.ThreadPoolExecutor(len(shifts)) as pool:
        for shift, done in [(shift, pool.submit(shift.work)) for shift in shifts]:
            try:
                done.result()
                verdicts.append((f"{shift.name}: its day comes to its end", True))
            except (Violation, Failure, ssl.SSLError, OSError) as problem:
                verdicts.append((f"{shift.name}: its day comes to its end: {problem}", False))
    return verdicts


def settle(shifts, plant):
    """Waits for what is on its way to the plant and judges. What never comes shows in the verdicts."""
    def is_here():
        return plant.problem or all(shift.is_last_here() for shift in shifts)
    with contextlib.suppress(Failure):
        wait_until(is_here, "the last messages")
    # All controllers have left, so nothing comes behind what the plant sends now.
    plant.publish("plant/end", b"", 2)
    wait_until(lambda: plant.problem or plant.received["plant/end"], "the plant's own last message")
    return [(f"{shift.name}: {promise}", kept) for shift in shifts for promise, kept in shift.verdicts()]


def report(shifts, watch, broker):
    controllers = [shift.controller for shift in shifts]
    up = sum(len(texts) for shift in shifts for texts in shift.sent.values())
    down = sum(len(texts) for shift in shifts for texts in shift.given.values())
    print(f"{len(shifts)} emulated controllers, {shifts[0].seconds} s each: {up} messages up, {down} down, "
          f"{sum(c.power_losses for c in controllers)} power losses, {sum(s.too_large for s in shifts)} too large; "
          f"largest packet {max(c.largest_packet for c in controllers)}, largest TLS record "
          f"{max(c.largest_record for c in controllers)}, most bytes on their way {watch.most} (in {watch.looks} looks); "
          f"memory of the broker {shifts[0].memory_kib} KiB after a tenth, {broker.memory_kib()} KiB at the end")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=DAY_S / 3600, help="simulated time (24)")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="chance of the controllers (a new one)")
    parser.add_argument("--keys", default="", help="lines for the listener of the controllers")
    arguments = parser.parse_args()
    start = time.monotonic()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="nightjar-controllers-") as directory:
        try:
            verdicts = run_day(round(arguments.hours * 3600), arguments.seed, arguments.keys,
                               pathlib.Path(directory))
        except Exception:
            verdicts = [(traceback.format_exc(), False)]
    for promise, kept in verdicts:
        if not kept:
            print(f"FAILED {promise}")
    failed = sum(not kept for _, kept in verdicts)
    print(f"took {time.monotonic() - start:.0f} s")
    print(f"{len(verdicts) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
