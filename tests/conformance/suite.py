"""What a conformance test is written with: the decorators that register it, and the Context that it gets.

    @statement("MQTT-3.1.0-2")
    def second_connect_closes(t):
        client = t.client()
        client.send(wire.connect(client.version, client.client_id))
        client.expect_disconnect(0x82)

A statement id alone is ambiguous (3.1.1 and 5.0 number independently), so the folder of the test's module names the
standard: v5 for 5.0, v311 for 3.1.1 (and what is left of 3.1). A test may also be a @scenario, which proves no single
statement. Tests run at the same time against one broker, so each takes its client ids and topics from its Context.
"""

import itertools
import threading

from conformance import wire
from conformance.broker import Broker

STANDARD_OF_FOLDER = {"v5": "5.0", "v311": "3.1.1"}

# The broker reads its clock in milliseconds, once for all packets that came together; what it starts to count may have
# begun that much earlier. What is asked for in whole seconds may come early by this and no more.
CLOCK_SLACK_S = 0.05

REGISTERED = []


class Test:
    def __init__(self, function, statements, alone):
        folder, module = function.__module__.split(".")[-2:]
        self.function = function
        self.standard = STANDARD_OF_FOLDER[folder]
        self.name = "%s/%s.%s" % (folder, module.removeprefix("test_"), function.__name__)
        self.statements = statements
        self.alone = alone

    def proves(self, statement):
        """Whether it proves this statement, written as in "5.0 MQTT-3.1.2-5"."""
        return statement in ("%s %s" % (self.standard, one) for one in self.statements)


def _register(statements, alone):
    def decorate(function):
        REGISTERED.append(Test(function, statements, alone))
        return function
    return decorate


def statement(*ids, alone=False):
    """The function proves these statements. `alone`: it must not run beside others (watches $SYS or '#')."""
    return _register(ids, alone)


def scenario(function=None, alone=False):
    """A test across statements."""
    if function is not None:
        return _register((), False)(function)
    return _register((), alone)


class Context:
    """Makes clients, ids and topics for one run of one test, keeps the trace, and cleans up."""

    _serial = itertools.count(1)
    _serial_lock = threading.Lock()

    def __init__(self, broker):
        with Context._serial_lock:
            self._tag = "t%d" % next(Context._serial)
        self.shared_broker = broker
        self.trace = []
        self._clients = []
        self._brokers = []
        self._ids = itertools.count(1)

    def topic(self, name=""):
        """A topic, or filter, below a root that no other test uses."""
        return "%s/%s" % (self._tag, name) if name else self._tag

    def id(self, name="c"):
        """A client id of this test."""
        return "%s-%s" % (self._tag, name)

    def raw(self, version=wire.V5, name=None, broker=None):
        """A connected socket on which nothing has been sent."""
        name = name or "c%d" % next(self._ids)
        client = wire.Client((broker or self.shared_broker).address, version, name, self.trace)
        self._clients.append(client)
        return client

    def client(self, name=None, version=wire.V5, broker=None, **fields):
        """A client whose CONNECT was accepted. The same name again is the same client id."""
        client = self.raw(version, name, broker)
        fields.setdefault("client_id", self.id(client.name))
        connack = client.connect(**fields)
        if connack.code != 0:
            raise AssertionError("CONNECT was refused: %r" % connack)
        return client

    def broker(self, config=None):
        """A broker of this test's own."""
        started = Broker(config)
        self._brokers.append(started)
        return started

    def fence(self, publisher, *subscribers, qos=1):
        """Proves that `publisher` caused nothing for `subscribers` that they have not read yet: a message published
        now must be the very next packet each of them gets. Deliveries keep the order of their publisher."""
        topic = "fence/%s/%d" % (self._tag, next(self._ids))
        for subscriber in subscribers:
            code = subscriber.subscribe(topic, qos=qos).codes[0]
            assert code == qos, "fence subscription got 0x%02x" % code
        publisher.publish(topic, b"fence", qos=qos)
        for subscriber in subscribers:
            subscriber.receive(topic, b"fence")
            subscriber.unsubscribe(topic)

    def expect_refusal(self, data, *codes, **connect_fields):
        """A connected 5.0 client that sends `data` gets DISCONNECT with one of `codes`, then the end."""
        client = self.client(**connect_fields)
        client.send(data)
        return client.expect_disconnect(*codes)

    def expect_connect_refusal(self, data, *codes):
        """A 5.0 CONNECT is answered with CONNACK with one of `codes`, then the end of the connection."""
        client = self.raw()
        client.send(data)
        connack = client.expect(wire.CONNACK)
        if connack.code not in codes:
            raise AssertionError("expected CONNACK with %s, got %r" % (
                " or ".join("0x%02x" % code for code in codes), connack))
        client.try_send(wire.connect(wire.V5, self.id("again")))  # too late
        client.expect_closed()
        return connack

    def persistent(self, name, **fields):
        """A client whose session outlives its connection; again with the same name, it resumes that session."""
        given = dict(fields.pop("properties", None) or {})
        given.setdefault("session_expiry_interval", 600)
        return self.client(name, clean=False, properties=given, **fields)

    def let_pass(self, seconds, broker=None):
        """Returns once the broker itself has counted this many seconds: the delay of a will that it publishes."""
        topic = "clock/%s/%d" % (self._tag, next(self._ids))
        watcher = self.client(broker=broker)
        watcher.subscribe(topic)
        will = wire.Will(topic, b"tick", properties={"will_delay_interval": seconds})
        self.client(broker=broker, will=will, properties={"session_expiry_interval": seconds + 60}).drop()
        watcher.receive(topic, b"tick", timeout=seconds + wire.DEFAULT_TIMEOUT_S)
        watcher.disconnect()

    def close(self):
        for client in self._clients:
            client.close()
        codes = [broker.stop() for broker in self._brokers]
        assert not any(codes), "a broker of this test ended with exit code %r" % codes
