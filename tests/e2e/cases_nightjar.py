"""`nightjar pub` and `nightjar sub`: each version of the protocol, alone and together with mosquitto's clients."""
import json

from harness import BINARY, HOST, case, expect, expect_equal, free_port, wait_until

VERSIONS = {"3.1": "mqttv31", "3.1.1": "mqttv311", "5.0": "mqttv5"}
FORMAT = "message %t %q %r %p"
WRONG_USAGE, CANNOT_CONNECT, TIMED_OUT, CONNECTION_LOST = 1, 2, 4, 5


def for_each_version(name):
    def register(story):
        for version in VERSIONS:
            case(f"nightjar/{version}/{name}")(lambda case, version=version: story(case, Clients(case, version)))
        return story
    return register


class Clients:
    def __init__(self, case, version):
        self.case, self.version = case, version
        self._common = ["-p", str(case.port), "-V", version]

    def publish(self, topic, *options, stdin=None):
        return self.case.run([BINARY, "pub", *self._common, "-t", topic, *options], "nightjar pub", stdin)

    def spawn_sub(self, *options):
        return self.case.spawn([BINARY, "sub", *self._common, *options], "nightjar sub")

    def subscriber(self, topic_filter, *options):
        """A running `nightjar sub` that is subscribed: a retained message on a second topic has told so."""
        self._retain_ready()
        process = self.spawn_sub("-F", FORMAT, "-t", topic_filter, "-t", self._ready_topic, *options)
        process.wait_line(f"^message {self._ready_topic} ")
        return process

    def collect(self, topic_filter, count, *options):
        """Messages that one more `nightjar sub` gets until there are `count`."""
        process = self.spawn_sub("-F", FORMAT, "-t", topic_filter, "-C", count, *options)
        expect_equal(process.finish(), 0, "exit status of nightjar sub")
        return self.messages(process)

    def messages(self, process):
        lines = [line.split(" ", 4)[1:] for line in process.lines() if line.startswith("message ")]
        return [tuple(words) for words in lines if words[0] != self._ready_topic]

    def wait_messages(self, process, count):
        wait_until(lambda: len(self.messages(process)) >= count, f"{count} messages at nightjar sub")
        return self.messages(process)

    @property
    def _ready_topic(self):
        return "ready/" + self.case.topic

    def _retain_ready(self):
        self.publish(self._ready_topic, "-m", "ready", "-r", "-q", "1")


for _qos in "012":
    @for_each_version(f"qos{_qos}")
    def lines_arrive_once_and_in_order(case, clients, qos=_qos):
        lines = [f"line{n}" for n in range(50)] + ["end"]
        subscriber = clients.subscriber(case.topic, "-q", qos)
        clients.publish(case.topic, "-l", "-q", qos, stdin=lines)
        expect_equal(clients.wait_messages(subscriber, len(lines)), [(case.topic, qos, "0", line) for line in lines],
                     "messages")

    @for_each_version(f"retained_qos{_qos}")
    def a_retained_message_waits(case, clients, qos=_qos):
        clients.publish(case.topic, "-m", "kept", "-q", qos, "-r")
        expect_equal(clients.collect(case.topic, 1, "-q", "2"), [(case.topic, qos, "1", "kept")], "the retained message")
        clients.publish(case.topic, "-n", "-r", "-q", "1")
        late = clients.subscriber(case.topic, "-q", "2")
        clients.publish(case.topic, "-m", "live", "-q", qos)
        expect_equal(clients.wait_messages(late, 1), [(case.topic, qos, "0", "live")], "after the retained is cleared")

    @for_each_version(f"will_qos{_qos}")
    def a_will_follows_a_killed_client(case, clients, qos=_qos):
        watcher = clients.subscriber(case.topic, "-q", "2")
        clients.subscriber(case.topic + "/other", "--will-topic", case.topic, "--will-payload", "gone", "--will-qos",
                           qos).kill()
        expect_equal(clients.wait_messages(watcher, 1), [(case.topic, qos, "0", "gone")], "the will")

    @for_each_version(f"shared_qos{_qos}")
    def a_shared_subscription_splits_the_stream(case, clients, qos=_qos):
        lines = [f"line{n}" for n in range(30)]
        members = [clients.subscriber(f"$share/group/{case.topic}", "-q", qos) for _ in range(2)]
        clients.publish(case.topic, "-l", "-q", qos, stdin=lines)

        def got():
            return [message[3] for member in members for message in clients.messages(member)]
        wait_until(lambda: len(got()) >= len(lines), "every line at some member")
        expect_equal(sorted(got()), sorted(lines), "what the members got together")

for _qos in "12":
    @for_each_version(f"session_qos{_qos}")
    def a_persistent_session_keeps_what_came_meanwhile(case, clients, qos=_qos):
        session = ["-c", "-i", case.client_id("keep"), "-q", qos]
        clients.subscriber(case.topic, *session).kill()
        lines = [f"line{n}" for n in range(20)]
        clients.publish(case.topic, "-l", "-q", qos, stdin=lines)
        process = clients.spawn_sub("-F", FORMAT, "-t", case.topic, *session)
        expect_equal(clients.wait_messages(process, len(lines)), [(case.topic, qos, "0", line) for line in lines],
                     "the messages of the absence")
        process.kill()
        # A clean connection of the same id ends the session.
        clients.publish("end/" + case.topic, "-m", "x", "-i", session[2])


@for_each_version("with_mosquitto")
def mosquitto_clients_understand_ours_and_ours_theirs(case, clients):
    common = ["-h", HOST, "-p", case.port, "-V", VERSIONS[clients.version], "-q", "2", "-t", case.topic]
    theirs = case.spawn(["stdbuf", "-oL", "mosquitto_sub", *common, "-d", "-F", FORMAT], "mosquitto_sub")
    theirs.wait_line("^Subscribed ")
    ours = clients.subscriber(case.topic, "-q", "2")
    clients.publish(case.topic, "-m", "from-ours", "-q", "2")
    case.run(["mosquitto_pub", *common, "-m", "from-theirs"])
    expected = [(case.topic, "2", "0", "from-ours"), (case.topic, "2", "0", "from-theirs")]
    expect_equal(clients.wait_messages(ours, 2), expected, "messages at nightjar sub")
    theirs.wait_lines("^message ", 2)
    got = [tuple(line.split(" ", 4)[1:]) for line in theirs.lines() if line.startswith("message ")]
    expect_equal(got, expected, "messages at mosquitto_sub")


@case("nightjar/5.0/properties")
def properties_travel(case):
    clients = Clients(case, "5.0")
    clients.publish(case.topic, "-m", "text", "-q", "1", "-r", "--content-type", "text/plain", "--response-topic",
                    "answers/here", "--correlation-data", "abc", "--payload-format", "utf8", "--user-property",
                    "colour=blue", "--user-property", "colour=red", "--message-expiry", "1000")
    process = clients.spawn_sub("-t", case.topic, "-C", "1", "-F", "%C|%R|%D|%F|%P|%S", "--subscription-id", "7")
    expect_equal(process.finish(), 0, "exit status of nightjar sub")
    expect_equal(process.lines(), ["text/plain|answers/here|abc|1|colour:blue colour:red|7"], "properties")
    clients.publish(case.topic, "-n", "-r", "-q", "1")


@case("nightjar/5.0/json")
def json_holds_the_whole_message(case):
    clients = Clients(case, "5.0")
    clients.publish(case.topic, "-m", 'say "hi"', "-q", "1", "-r", "--content-type", "text/plain")
    process = clients.spawn_sub("-t", case.topic, "-C", "1", "-F", "%j", "-q", "1")
    expect_equal(process.finish(), 0, "exit status of nightjar sub")
    message = json.loads(process.lines()[0])
    expect_equal((message["topic"], message["payload"], message["qos"], bool(message["retain"])),
                 (case.topic, 'say "hi"', 1, True), "the message as JSON")
    clients.publish(case.topic, "-n", "-r", "-q", "1")


@case("nightjar/5.0/request_response")
def a_request_gets_its_response(case):
    clients = Clients(case, "5.0")
    server = clients.subscriber(case.topic, "-q", "1")
    client = case.spawn([BINARY, "pub", "-p", str(case.port), "-t", case.topic, "-m", "question", "-q", "1",
                         "--request", "--response-topic", "answers/" + case.topic], "nightjar pub")
    clients.wait_messages(server, 1)
    clients.publish("answers/" + case.topic, "-m", "answer", "-q", "1")
    expect_equal(client.finish(), 0, "exit status of nightjar pub")
    expect_equal(client.lines(), ["answer"], "what nightjar pub printed")


@case("nightjar/5.0/will_delay")
def a_will_waits_for_its_delay(case):
    clients = Clients(case, "5.0")
    watcher = clients.subscriber(case.topic + "/+", "-q", "1")
    will = ["--will-payload", "gone", "--will-qos", "1", "-t", case.topic + "/other"]
    delayed = clients.subscriber("x", "--will-topic", case.topic + "/delayed", "--will-delay", "1", "-i",
                                 case.client_id("late"), "--session-expiry", "60", *will)
    at_once = clients.subscriber("x", "--will-topic", case.topic + "/at_once", *will)
    delayed.kill()
    at_once.kill()
    expect_equal([message[0] for message in clients.wait_messages(watcher, 2)],
                 [case.topic + "/at_once", case.topic + "/delayed"], "order of the wills")


@case("nightjar/exit/cannot_connect")
def no_broker_gives_status_2(case):
    process = case.spawn([BINARY, "pub", "-p", str(free_port()), "-t", "t", "-m", "x"], "nightjar pub")
    expect_equal(process.finish(), CANNOT_CONNECT, "exit status without a broker")
    expect(process.lines(), "it says why")


@case("nightjar/exit/timed_out")
def silence_gives_status_4(case):
    process = case.spawn([BINARY, "sub", "-p", str(case.port), "-t", case.topic, "-C", "1", "-W", "0.2"], "nightjar sub")
    expect_equal(process.finish(), TIMED_OUT, "exit status when no message came in time")


@case("nightjar/exit/wrong_usage")
def a_wildcard_in_a_topic_is_wrong_usage(case):
    process = case.spawn([BINARY, "pub", "-p", str(case.port), "-t", "a/#", "-m", "x"], "nightjar pub")
    expect_equal(process.finish(), WRONG_USAGE, "exit status for a topic with a wildcard")
    expect("#" in process.lines()[0], "it names the wildcard")


@case("nightjar/exit/taken_over")
def a_taken_over_client_says_so(case):
    clients = Clients(case, "5.0")
    client_id = case.client_id("twin")
    first = clients.subscriber(case.topic, "-i", client_id)
    clients.publish(case.topic, "-m", "x", "-i", client_id)
    expect_equal(first.finish(), CONNECTION_LOST, "exit status after the takeover")
    expect("0x8e" in " ".join(first.lines()).lower() or "taken over" in " ".join(first.lines()).lower(),
           "it names the takeover")
