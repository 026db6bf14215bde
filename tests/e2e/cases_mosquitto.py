"""mosquitto_pub, mosquitto_sub and mosquitto_rr, each version of the protocol."""
import itertools

from harness import HOST, case, expect, expect_equal, shared_authority, wait_until

VERSIONS = {"3.1": "mqttv31", "3.1.1": "mqttv311", "5.0": "mqttv5"}
EXPIRY_S = "300"
FORMAT = "message %t %q %r %p"


def for_each_version(name):
    def register(story):
        for version in VERSIONS:
            case(f"mosquitto/{version}/{name}")(lambda case, version=version: story(case, Clients(case, version)))
            case(f"mosquitto_tls/{version}/{name}")(
                lambda case, version=version: story(case, Clients(case, version, "--cafile", shared_authority())))
        return story
    return register


class Clients:
    def __init__(self, case, version, *options):
        self.case, self.version = case, version
        self._common = ["-h", HOST, "-p", case.port, "-V", VERSIONS[version], *options]

    def publish(self, topic, payload, *options):
        self.case.run(["mosquitto_pub", *self._common, "-t", topic, "-m", payload, *options])

    def publish_lines(self, topic, lines, *options):
        self.case.run(["mosquitto_pub", *self._common, "-t", topic, "-l", *options], stdin=lines)

    def clear_retained(self, topic):
        self.case.run(["mosquitto_pub", *self._common, "-t", topic, "-n", "-r", "-q", "1"])

    def subscriber(self, topic_filter, *options, count=None):
        """A running mosquitto_sub whose SUBACK has come."""
        process = self._sub(topic_filter, *options, *(("-C", count) if count else ()))
        process.wait_line("^Subscribed ")
        return process

    def _sub(self, topic_filter, *options):
        # Its output is a pipe here; line buffering shows every line when it happens.
        return self.case.spawn(["stdbuf", "-oL", "mosquitto_sub", *self._common, "-d", "-F", FORMAT, "-t", topic_filter,
                                *options], name="mosquitto_sub")

    def collect(self, topic_filter, count, *options):
        """Messages that one more mosquitto_sub gets until there are `count`."""
        process = self._sub(topic_filter, "-C", count, *options)
        return finished(process)


def messages(process):
    return [tuple(line.split(" ", 4)[1:]) for line in process.lines() if line.startswith("message ")]


def finished(process):
    """Messages of a mosquitto_sub that ends by itself."""
    expect_equal(process.finish(), 0, "exit status of mosquitto_sub")
    return messages(process)


for _qos in "012":
    @for_each_version(f"qos{_qos}")
    def lines_arrive_once_and_in_order(case, clients, qos=_qos):
        lines = [f"line{n}" for n in range(50)] + ["end"]
        subscriber = clients.subscriber(case.topic, "-q", qos, count=len(lines))
        clients.publish_lines(case.topic, lines, "-q", qos)
        expect_equal(finished(subscriber), [(case.topic, qos, "0", line) for line in lines], "messages")

    @for_each_version(f"retained_qos{_qos}")
    def a_retained_message_waits(case, clients, qos=_qos):
        clients.publish(case.topic, "kept", "-q", qos, "-r")
        expect_equal(clients.collect(case.topic, 1, "-q", "2"), [(case.topic, qos, "1", "kept")], "the retained message")
        clients.clear_retained(case.topic)
        late = clients.subscriber(case.topic, "-q", "2", count=1)
        clients.publish(case.topic, "live", "-q", qos)
        expect_equal(finished(late), [(case.topic, qos, "0", "live")], "what comes after the retained one is cleared")

    @for_each_version(f"will_qos{_qos}")
    def a_will_follows_a_killed_client(case, clients, qos=_qos):
        watcher = clients.subscriber(case.topic, "-q", "2", count=1)
        victim = clients.subscriber(case.topic + "/other", "--will-topic", case.topic, "--will-payload", "gone",
                                    "--will-qos", qos)
        victim.kill()
        expect_equal(finished(watcher), [(case.topic, qos, "0", "gone")], "the will")

    @for_each_version(f"shared_qos{_qos}")
    def a_shared_subscription_splits_the_stream(case, clients, qos=_qos):
        lines = [f"line{n}" for n in range(30)]
        members = [clients.subscriber(f"$share/group/{case.topic}", "-q", qos) for _ in range(3)]
        clients.publish_lines(case.topic, lines, "-q", qos)
        got = lambda: [message[3] for member in members for message in messages(member)]  # noqa: E731
        wait_until(lambda: len(got()) >= len(lines), "every line at some member")
        expect_equal(sorted(got()), sorted(lines), "what the members got together")


@for_each_version("will_retained")
def a_retained_will_stays(case, clients):
    watcher = clients.subscriber(case.topic, "-q", "1", count=1)
    clients.subscriber(case.topic + "/other", "--will-topic", case.topic, "--will-payload", "gone", "--will-qos", "1",
                       "--will-retain").kill()
    expect_equal(finished(watcher), [(case.topic, "1", "0", "gone")], "the will, live")
    expect_equal(clients.collect(case.topic, 1, "-q", "1"), [(case.topic, "1", "1", "gone")], "the will, retained")
    clients.clear_retained(case.topic)


for _qos in "12":
    @for_each_version(f"session_qos{_qos}")
    def a_persistent_session_keeps_what_came_meanwhile(case, clients, qos=_qos):
        session = ["-c", "-i", case.client_id("keep"), "-q", qos]
        if clients.version == "5.0":
            session += ["-x", EXPIRY_S]
        # -E: subscribe, and leave once the broker has acknowledged that.
        case.run(["mosquitto_sub", *clients._common, "-E", "-t", case.topic, *session])
        lines = [f"line{n}" for n in range(20)]
        clients.publish_lines(case.topic, lines, "-q", qos)
        got = clients.collect(case.topic, len(lines), *session)
        expect_equal(got, [(case.topic, qos, "0", line) for line in lines], "the messages of the absence")


@for_each_version("wildcards")
def wildcards_choose_topics(case, clients):
    plus = clients.subscriber(case.topic + "/+/end", "-q", "1", count=2)
    all_below = clients.subscriber(case.topic + "/#", "-q", "1", count=3)
    for name in ("a/end", "b/other", "c/end"):
        clients.publish(f"{case.topic}/{name}", name, "-q", "1")
    expect_equal([m[3] for m in finished(plus)], ["a/end", "c/end"], "messages of the + filter")
    expect_equal([m[3] for m in finished(all_below)], ["a/end", "b/other", "c/end"], "messages of the # filter")


@for_each_version("dollar_topics_hide_from_wildcards")
def topics_with_a_dollar_hide_from_wildcards(case, clients):
    everything = clients.subscriber("+/" + case.topic.split("/", 1)[1], "-q", "1", count=1)
    clients.publish("$other/" + case.topic.split("/", 1)[1], "hidden", "-q", "1")
    clients.publish(case.topic, "seen", "-q", "1")
    expect_equal([m[3] for m in finished(everything)], ["seen"], "messages of a filter that begins with +")


@for_each_version("binary_payload")
def every_byte_value_arrives(case, clients):
    # %x prints the payload in hexadecimal.
    subscriber = case.spawn(["stdbuf", "-oL", "mosquitto_sub", *clients._common, "-d", "-F", "hex %x", "-t", case.topic,
                             "-q", "1", "-C", "1"], name="mosquitto_sub")
    subscriber.wait_line("^Subscribed ")
    path = case.file("payload", bytes(range(256)) * 8)
    case.run(["mosquitto_pub", *clients._common, "-t", case.topic, "-q", "1", "-f", path])
    expect_equal(subscriber.wait_line("^hex (.*)$").group(1), (bytes(range(256)) * 8).hex(), "payload")


@for_each_version("qos2_among_versions")
def every_version_reads_every_version(case, clients):
    for other, qos in itertools.product(VERSIONS, "012"):
        subscriber = clients.subscriber(case.topic, "-q", qos, count=1)
        Clients(case, other).publish(case.topic, other, "-q", qos)
        expect_equal(finished(subscriber), [(case.topic, qos, "0", other)], f"message of a {other} publisher")


@case("mosquitto/5.0/properties")
def properties_travel(case):
    clients = Clients(case, "5.0")
    expected = "text/plain|answers/here|abc|1|'key':'value'"
    subscriber = case.spawn(["stdbuf", "-oL", "mosquitto_sub", *clients._common, "-d", "-t", case.topic, "-q", "1", "-F",
                             "properties %C|%R|%D|%F|%P", "-C", "1"], name="mosquitto_sub")
    subscriber.wait_line("^Subscribed ")
    clients.publish(case.topic, "payload", "-q", "1", "-D", "publish", "content-type", "text/plain",
                    "-D", "publish", "response-topic", "answers/here", "-D", "publish", "correlation-data", "abc",
                    "-D", "publish", "payload-format-indicator", "1",
                    "-D", "publish", "user-property", "key", "value")
    got = subscriber.wait_line("^properties (.*)$").group(1)
    expect("text/plain|answers/here|abc|1|" in got and "key" in got and "value" in got,
           f"properties: expected something like {expected}, got {got}")


@case("mosquitto/5.0/topic_alias")
def a_publisher_may_use_topic_aliases(case):
    clients = Clients(case, "5.0")
    subscriber = clients.subscriber(case.topic, "-q", "1", count=2)
    clients.publish_lines(case.topic, ["one", "two"], "-q", "1", "-D", "publish", "topic-alias", "3")
    expect_equal([m[3] for m in finished(subscriber)], ["one", "two"], "messages sent under an alias")


@case("mosquitto/5.0/retain_as_published")
def retain_as_published_keeps_the_flag(case):
    clients = Clients(case, "5.0")
    subscriber = clients.subscriber(case.topic, "-q", "1", "--retain-as-published", count=1)
    clients.publish(case.topic, "kept", "-q", "1", "-r")
    expect_equal(finished(subscriber), [(case.topic, "1", "1", "kept")], "a live message with its RETAIN flag")
    clients.clear_retained(case.topic)


for _version in ("3.1.1", "5.0"):
    @case(f"mosquitto/{_version}/request_response")
    def a_request_gets_its_response(case, version=_version):
        clients = Clients(case, version)
        answers = case.topic + "/answers"
        server = clients.subscriber(case.topic + "/requests", "-q", "1", count=1)
        client = case.spawn(["mosquitto_rr", *clients._common, "-q", "1", "-t", case.topic + "/requests", "-e", answers,
                             "-m", "question"], name="mosquitto_rr")
        expect_equal(finished(server), [(case.topic + "/requests", "1", "0", "question")], "the request")
        clients.publish(answers, "answer", "-q", "1")
        expect_equal(client.finish(), 0, "exit status of mosquitto_rr")
        expect_equal(client.lines(), ["answer"], "the response")
