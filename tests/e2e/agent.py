"""Agents: one small program per independent client library, all driven by the same lines.

A command is one line on the agent's standard input, its words separated by blanks:

    connect PORT VERSION CLIENT_ID CLEAN EXPIRY_S KEEP_ALIVE_S [WILL_TOPIC WILL_QOS WILL_RETAIN WILL_PAYLOAD]
    subscribe FILTER QOS
    unsubscribe FILTER
    publish TOPIC QOS RETAIN PAYLOAD [NAME=VALUE]      one user property, 5.0 only
    disconnect

VERSION is the protocol level: 3, 4 or 5. CLEAN is Clean Session, in 5.0 Clean Start; EXPIRY_S is used by 5.0 only.
A payload is a word, `-` for an empty one, or `@N` for N bytes of the pattern a..z repeated. What happens is
one line on the standard output:

    connected SESSION_PRESENT       0, 1, or `-` where the version has no such flag or the library hides it
    refused CODE
    subscribed CODE                 the granted QoS, or the failure
    unsubscribed
    published CODE                  after the last packet of the QoS's exchange
    message TOPIC QOS RETAIN PAYLOAD [NAME=VALUE]
    disconnected CODE               by the server: 5.0's reason code, or `-`
    error TEXT
"""
import collections
import subprocess
import sys
import threading

import browser
import harness
from harness import HERE, HANG_S, expect, expect_equal

AGENTS = HERE / "agents"
BUILT = harness.ROOT / "build" / "e2e"

Message = collections.namedtuple("Message", "topic qos retain payload property")
Will = collections.namedtuple("Will", "topic qos retain payload")


class Agent:
    """What every agent can do. Its lines come and go as those of a harness.Process do."""

    kind = None
    is_connected = False
    _seen = 0  # lines of earlier cases and commands
    _messages_seen = 0

    def _mark(self):
        self._seen = len(self.lines())

    def _answer(self, command, pattern):
        self._mark()
        self.send(command)
        return self.wait_line(rf"^({pattern}|error .*)$", self._seen).group(0).split()

    def connect(self, port, level, client_id, clean=True, expiry_s=0, keep_alive_s=60, will=None):
        """Session present as the client saw it: "0", "1" or "-"."""
        # Messages of a resumed session may come before the answer is read, so the count starts here.
        self._messages_seen = len(self._message_lines())
        words = ["connect", port, level, client_id, int(clean), expiry_s, keep_alive_s, *(will or ())]
        answer = self._answer(" ".join(map(str, words)), r"connected .|refused \S+")
        expect_equal(answer[0], "connected", f"{self.kind} connects, {' '.join(answer)}")
        self.is_connected = True
        return answer[1]

    def subscribe(self, topic_filter, qos):
        answer = self._answer(f"subscribe {topic_filter} {qos}", r"subscribed \S+")
        expect_equal(answer, ["subscribed", str(qos)], f"{self.kind} subscribes to {topic_filter}")

    def unsubscribe(self, topic_filter):
        expect_equal(self._answer(f"unsubscribe {topic_filter}", "unsubscribed"), ["unsubscribed"],
                     f"{self.kind} unsubscribes from {topic_filter}")

    def publish(self, topic, qos, payload="-", retain=False, user_property=""):
        answer = self._answer(f"publish {topic} {qos} {int(retain)} {payload} {user_property}".rstrip(),
                              r"published \S+")
        # 0x10 is 5.0's success without a subscriber.
        expect(answer[0] == "published" and answer[1] in ("0", "16"),
               f"{self.kind} publishes to {topic}: {' '.join(answer)}")

    def disconnect(self):
        self._mark()
        self.send("disconnect")
        self.wait_line("^disconnected ", self._seen)
        self.is_connected = False

    def wait_disconnected(self):
        code = self.wait_line(r"^disconnected (\S+)$", self._seen).group(1)
        self.is_connected = False
        return code

    def _message_lines(self):
        return [line for line in self.lines() if line.startswith("message ")]

    def waiting(self):
        """Messages that arrived and were not received yet."""
        return self._message_lines()[self._messages_seen:]

    def receive(self, count, bound_s=HANG_S):
        """The next `count` messages."""
        try:
            harness.wait_until(lambda: len(self.waiting()) >= count, "messages", bound_s)
        except harness.Failure:
            raise harness.Failure(f"{self.kind} got {len(self.waiting())} of {count} messages: {self.waiting()}"
                                  ) from None
        lines = self.waiting()[:count]
        self._messages_seen += count
        return [parse_message(line) for line in lines]

    def expect_payloads(self, payloads, topic=None, qos=None, retain=None):
        messages = self.receive(len(payloads))
        expect_equal([m.payload for m in messages], list(payloads), f"payloads at {self.kind}")
        for message in messages:
            if topic is not None:
                expect_equal(message.topic, topic, "topic")
            if qos is not None:
                expect_equal(message.qos, qos, f"QoS of {message.payload}")
            if retain is not None:
                expect_equal(message.retain, retain, f"RETAIN of {message.payload}")
        return messages


class ProcessAgent(Agent, harness.Process):
    def __init__(self, kind, command, env=None):
        super().__init__(command, name=kind, env=env)
        self.kind = kind


class PageAgent(Agent, browser.Page):
    def __init__(self, kind, chromium, protocol, **options):
        super().__init__(chromium, protocol, **options)
        self.kind = self.name = kind


def parse_message(line):
    words = line.split() + [""]
    return Message(words[1], int(words[2]), words[3] == "1", words[4], words[5])


class Agents:
    """Idle agents are used again: starting an interpreter costs more than most cases."""

    def __init__(self):
        self._commands = {**COMMANDS, **SECURE_COMMANDS}
        self._idle = {kind: [] for kind in (*self._commands, *PAGES)}
        self._made = {}
        self._browser = None
        self._lock = threading.Lock()

    def take(self, kind):
        with self._lock:
            if self._idle[kind]:
                return self._idle[kind].pop()
            if kind not in PAGES and kind not in self._made:
                self._made[kind] = self._commands[kind]()
        return self.open_page(PAGES[kind], kind=kind) if kind in PAGES else ProcessAgent(kind, self._made[kind])

    def open_page(self, protocol, kind="chromium", **options):
        """A page of its own, which whoever asks has to close."""
        with self._lock:
            if self._browser is None:
                install_mqttjs()
                self._browser = browser.Browser(harness.shared_authority())
        return PageAgent(kind, self._browser, protocol, **options)

    def give_back(self, agent, reusable):
        try:
            if reusable and agent.is_running:
                if agent.is_connected:
                    agent.disconnect()
                with self._lock:
                    self._idle[agent.kind].append(agent)
                return
        except harness.Failure:
            pass
        agent.kill()

    def close(self):
        for agents in self._idle.values():
            for agent in agents:
                agent.kill()
        if self._browser is not None:
            self._browser.close()


def compile_paho_c(source, library):
    def command():
        target = BUILT / library
        target.parent.mkdir(parents=True, exist_ok=True)
        sources = [AGENTS / f"{source}.c", AGENTS / "paho_c.h"]
        if not target.exists() or any(s.stat().st_mtime > target.stat().st_mtime for s in sources):
            subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-o", target, sources[0],
                            "-l" + library], check=True)
        return [target]
    return command


_installing = threading.Lock()


def install_mqttjs():
    with _installing:
        if (HERE / "node_modules" / "mqtt").exists():
            return
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=HERE, check=True)


def mqttjs():
    install_mqttjs()
    return ["node", AGENTS / "mqttjs.mjs"]


def over_websocket(make):
    """The same agent, which connects with ws://."""
    return lambda: ["env", "AGENT_TRANSPORT=ws", *make()]


def over_tls(make, transport):
    """The same agent, which connects with TLS, or with wss://, and trusts the authority of the shared broker only."""
    return lambda: ["env", f"AGENT_TRANSPORT={transport}", f"AGENT_CA={harness.shared_authority()}", *make()]


COMMANDS = {
    "paho_c_sync": compile_paho_c("paho_c_sync", "paho-mqtt3c"),
    "paho_c_async": compile_paho_c("paho_c_async", "paho-mqtt3a"),
    "paho_python": lambda: [sys.executable, "-u", AGENTS / "paho_python.py"],
    "mqttjs": mqttjs,
}
COMMANDS.update({f"{kind}_ws": over_websocket(COMMANDS[kind]) for kind in tuple(COMMANDS)})

# Paho C has libraries of its own for TLS.
_WITH_TLS = {**COMMANDS, "paho_c_sync": compile_paho_c("paho_c_sync", "paho-mqtt3cs"),
             "paho_c_async": compile_paho_c("paho_c_async", "paho-mqtt3as")}
SECURE_COMMANDS = {f"{kind}_{transport}": over_tls(_WITH_TLS[kind], transport)
                   for kind in ("paho_c_sync", "paho_c_async", "paho_python", "mqttjs") for transport in ("tls", "wss")}

# MQTT.js in a browser, where it has WebSocket only.
PAGES = {"chromium_ws": "ws", "chromium_wss": "wss"}
