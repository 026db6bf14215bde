"""What was promised and what came.

The ledger lives in the process of the test, which never dies: every message with the times of its first sending and of
its acknowledgement, every subscription with the times of its request and of its grant, every arrival, every kill. What
follows from it, check.py says. All times come from one clock, read where an event is noted, so that "before" and
"after" are facts of this process and not of the network.
"""

import array
import bisect
import itertools
import time
from collections import Counter, namedtuple

NEVER = float("inf")

# A thing that must not be: its kind (check.KINDS), what happened, and the kill before it (0: none yet).
Finding = namedtuple("Finding", "kind text kill")


class Message:
    """One application message. `acked_at`: PUBACK or PUBREC came, from then on it is the broker's; a will is when its
    connection has ended. `done_at`: PUBACK or PUBCOMP came, from then on it is never sent again. `is_void`: a will that
    was withdrawn."""

    __slots__ = ("publisher", "seq", "topic", "qos", "sent_at", "acked_at", "done_at", "is_removal", "is_probe",
                 "is_void")

    def __init__(self, publisher, seq, topic, qos, is_removal, is_probe):
        self.publisher, self.seq, self.topic, self.qos = publisher, seq, topic, qos
        self.is_removal, self.is_probe = is_removal, is_probe
        self.sent_at = self.acked_at = self.done_at = NEVER
        self.is_void = False

    def __str__(self):
        return f"{self.publisher} {self.seq} (QoS {self.qos}, {self.topic})"

    def payload(self, padding=b""):
        """Says which message it is; a removal of a retained message has to be empty."""
        if self.is_removal:
            return b""
        return b"%s %d %s %s" % (self.publisher.encode(), self.seq, self.topic.encode(), padding)


class Period:
    """The life of one subscription. A message that was first sent after `granted_at` (SUBACK came) and acknowledged
    before `bound_until` must arrive; one that cannot have been under way between `asked_at` (SUBSCRIBE left) and
    `gone_at` (the end of the subscription was acknowledged) must not."""

    def __init__(self, asked_at):
        self.asked_at = asked_at
        self.granted_at = self.bound_until = self.gone_at = NEVER
        self.expected = []  # messages first sent after the grant, in order
        self.settled = 0  # how many of these, from the first on, have arrived: they need not be looked at again

    def explains(self, message):
        return message.sent_at <= self.gone_at and message.done_at >= self.asked_at


class Listener:
    """Who must get each message of a filter: one session, or a shared group as a whole."""

    def __init__(self, name, topic_filter, qos, is_group=False, is_ordered=True):
        self.name, self.topic_filter, self.qos, self.is_group = name, topic_filter, qos, is_group
        self.is_ordered = is_ordered and not is_group
        self.periods = []
        self.arrivals = []  # messages, in order of arrival; a repeat that QoS 2 filtered out is none
        self.arrival_times = array.array("d")
        self.arrival_counts = Counter()
        self.backlog = 0  # messages sent to it, acknowledged or not, that have not arrived
        self.backlog_max = 0

    @property
    def open_period(self):
        """The subscription as it stands, or None."""
        return self.periods[-1] if self.periods and self.periods[-1].gone_at == NEVER else None

    def last_arrival_at(self):
        return self.arrival_times[-1] if self.arrival_times else 0.0

    def missing(self):
        """Messages that must have arrived by now and did not."""
        found = []
        for period in self.periods:
            expected = period.expected
            while period.settled < len(expected) and expected[period.settled] in self.arrival_counts:
                period.settled += 1
            found += [message for message in itertools.islice(expected, period.settled, None)
                      if message.acked_at < period.bound_until and not message.is_void
                      and message not in self.arrival_counts]
        return found


def matches(topic_filter, topic):
    """Whether a filter, without `$share/NAME/`, matches."""
    levels = topic.split("/")
    wanted = topic_filter.split("/")
    for at, level in enumerate(wanted):
        if level == "#":
            return True
        if at >= len(levels) or level not in ("+", levels[at]):
            return False
    return len(levels) == len(wanted)


class Ledger:
    def __init__(self, clock=time.monotonic):
        self.clock = clock
        self.started_at = clock()
        self.messages = {}  # publisher: its messages by sequence number
        self.listeners = []
        self.retained = {}  # topic: what was written to it, in order
        self.kills = []  # their times
        self.noted = []  # findings of the moment, by those who saw them
        self.acks = 0
        self.counts = Counter()  # what the run has put to the test, for its report
        self._audiences = {}  # topic: open periods with their listeners

    # --- messages

    def send(self, publisher, topic, qos, retain=False, is_removal=False, is_probe=False):
        """A new message that leaves now for the first time."""
        sent = self.messages.setdefault(publisher, [])
        message = Message(publisher, len(sent), topic, qos, is_removal, is_probe)
        sent.append(message)
        message.sent_at = self.clock()
        if retain:
            self.retained.setdefault(topic, []).append(message)
        if not is_removal:  # it names no message, so nobody could tell which one arrived
            for listener, period in self._audience(topic):
                period.expected.append(message)
                listener.backlog += 1
                listener.backlog_max = max(listener.backlog_max, listener.backlog)
        return message

    def acked(self, message):
        if message.acked_at == NEVER:
            message.acked_at = self.clock()
            self.acks += 1

    def done(self, message):
        self.acked(message)
        message.done_at = self.clock()

    def withdraw(self, will):
        """From now on this will must not come."""
        will.is_void = True
        for listener, _ in self._audience(will.topic):
            listener.backlog -= 1

    def find(self, payload):
        """The message that a payload names, or None."""
        parts = payload.split(b" ", 3)
        if len(parts) < 4 or not parts[1].isdigit():
            return None
        sent = self.messages.get(parts[0].decode("utf-8", "replace"), [])
        seq = int(parts[1])
        return sent[seq] if seq < len(sent) and sent[seq].topic.encode() == parts[2] else None

    # --- subscriptions

    def listen(self, name, topic_filter, qos, **options):
        listener = Listener(name, topic_filter, qos, **options)
        self.listeners.append(listener)
        return listener

    def asked(self, listener):
        """SUBSCRIBE leaves. A group stands as soon as one member does."""
        if listener.open_period is None:
            listener.periods.append(Period(self.clock()))

    def granted(self, listener):
        """SUBACK came."""
        period = listener.open_period
        if period.granted_at == NEVER:
            period.granted_at = self.clock()
            self._audience_changes(listener)

    def unbind(self, listener, keeps_past=True):
        """The subscription is about to be given up: what is acknowledged from now on may be missing; without
        `keeps_past` also what was acknowledged before, for a broker may throw away a queue that nobody wants."""
        if listener.open_period is not None:
            listener.open_period.bound_until = self.clock() if keeps_past else self.started_at
            self._audience_changes(listener)

    def gone(self, listener):
        """The end of the subscription was acknowledged: what is sent from now on must not come."""
        if listener.open_period is not None:
            listener.open_period.gone_at = self.clock()
            self._audience_changes(listener)
        listener.backlog = 0

    def arrived(self, listener, message):
        listener.arrivals.append(message)
        listener.arrival_times.append(self.clock())
        listener.arrival_counts[message] += 1
        if listener.arrival_counts[message] == 1:
            listener.backlog -= 1

    def _audience(self, topic):
        found = self._audiences.get(topic)
        if found is None:
            found = self._audiences[topic] = [
                (listener, listener.open_period) for listener in self.listeners
                if listener.open_period is not None and listener.open_period.granted_at < NEVER
                and listener.open_period.bound_until == NEVER and matches(listener.topic_filter, topic)]
        return found

    def _audience_changes(self, listener):
        for topic in [topic for topic in self._audiences if matches(listener.topic_filter, topic)]:
            del self._audiences[topic]

    # --- retained messages

    def retained_floor(self, topic):
        """Which write to this topic, at least, is in force: the last before the first that is not done; None: none."""
        floor = None
        for write in self.retained.get(topic, []):
            if write.done_at == NEVER:
                break
            floor = write
        return floor

    # --- kills and findings

    def killed(self):
        self.kills.append(self.clock())

    def kill_before(self, at):
        """The number of the last kill before a time, 0 if there was none."""
        return bisect.bisect(self.kills, at)

    def first_kill_after(self, at):
        """The time of the first kill after another time, or None."""
        number = self.kill_before(at)
        return self.kills[number] if number < len(self.kills) else None

    def moment(self, at):
        """A time in words: where it lies between the kills."""
        number = bisect.bisect_left(self.kills, at)
        if number < len(self.kills):
            return f"{self.kills[number] - at:.4f} s before kill {number + 1}"
        if self.kills:
            return f"{at - self.kills[-1]:.4f} s after the last kill, number {number}"
        return f"{at - self.started_at:.4f} s after the start"

    def note(self, kind, text):
        self.noted.append(Finding(kind, f"{text}, {self.moment(self.clock())}", len(self.kills)))

    # --- the file

    def write(self, path):
        """Everything, as lines that are easy to search; times are seconds since the start."""
        with open(path, "w") as out:
            for number, at in enumerate(self.kills, 1):
                out.write(f"kill {number} at {at - self.started_at:.6f}\n")
            for finding in self.noted:
                out.write(f"finding {finding.kind}: {finding.text}\n")
            for sent in self.messages.values():
                for message in sent:
                    out.write(f"message {message} sent {message.sent_at - self.started_at:.6f} "
                              f"acknowledged {message.acked_at - self.started_at:.6f} "
                              f"done {message.done_at - self.started_at:.6f}\n")
            for listener in self.listeners:
                for period in listener.periods:
                    out.write(f"subscription {listener.name} {listener.topic_filter} QoS {listener.qos} "
                              f"asked {period.asked_at - self.started_at:.6f} "
                              f"granted {period.granted_at - self.started_at:.6f} "
                              f"bound until {period.bound_until - self.started_at:.6f} "
                              f"gone {period.gone_at - self.started_at:.6f}\n")
                for message, at in zip(listener.arrivals, listener.arrival_times):
                    out.write(f"arrival {listener.name} {at - self.started_at:.6f} {message}\n")
