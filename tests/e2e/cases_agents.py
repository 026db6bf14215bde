"""What every client library must be able to do with the broker: one story per feature, told through each library
and each version that it speaks.
"""
import itertools

import agent
from agent import Will
from harness import case, expect_equal, wait_until

VERSIONS = {"3.1": 3, "3.1.1": 4, "5.0": 5}
EXPIRY_S = 300
# What the clients in TLS are asked: each direction, sizes beyond a record, the ends of connections.
SECURE_STORIES = {"qos0", "qos1", "qos2", "large_payload", "session_qos2_vanished", "session_qos1_disconnected", "takeover",
                  "will_qos1", "will_retained", "idle_connection_is_kept_by_pings"}


def for_each_client(name):
    """Registers the story once per library and version, as LIBRARY/VERSION/name."""
    kinds = [*agent.COMMANDS, "chromium_ws"]
    if name in SECURE_STORIES:
        kinds += [*agent.SECURE_COMMANDS, "chromium_wss"]

    def register(story):
        for kind, (version, level) in itertools.product(kinds, VERSIONS.items()):
            def run(case, kind=kind, level=level):
                story(case, Party(case, kind, level))
            case(f"{kind}/{version}/{name}", in_browser=kind in agent.PAGES)(run)
        return story
    return register


class Party:
    """The clients of one story: all of one library and one version."""

    def __init__(self, case, kind, level):
        self._case, self.kind, self.level = case, kind, level

    def connect(self, role, **options):
        client_id = options.pop("client_id", None) or self._case.client_id(role)
        client = self._case.agent(self.kind)
        client.session_present = client.connect(self._case.port, self.level, client_id, **options)
        client.client_id = client_id
        return client

    def stoppable(self):
        """Clients that can be stopped where they stand: a page cannot, but its library runs elsewhere as well."""
        return Party(self._case, self.kind.replace("chromium", "mqttjs"), self.level)

    def expect_session_present(self, client, expected):
        # 3.1 has no such flag, and the synchronous Paho C client shows it for 3.1.1 only.
        is_shown = self.level == 4 or (self.level == 5 and not self.kind.startswith("paho_c_sync"))
        expect_equal(client.session_present, str(int(expected)) if is_shown else "-", "session present")


def numbered(count, prefix="m"):
    return [f"{prefix}{n}" for n in range(count)]


for _qos in (0, 1, 2):
    @for_each_client(f"qos{_qos}")
    def messages_arrive_once_and_in_order(case, party, qos=_qos):
        subscriber = party.connect("sub")
        subscriber.subscribe(case.topic + "/+", qos)
        publisher = party.connect("pub")
        for payload in numbered(20):
            publisher.publish(case.topic + "/a", qos, payload)
        subscriber.expect_payloads(numbered(20), topic=case.topic + "/a", qos=qos, retain=False)
        # The last message of this publisher is the last thing that the subscriber gets: nothing came twice.
        publisher.publish(case.topic + "/end", qos, "end")
        subscriber.expect_payloads(["end"])


@for_each_client("qos_is_the_lower_one")
def qos_is_the_lower_of_published_and_granted(case, party):
    subscriber = party.connect("sub")
    publisher = party.connect("pub")
    for granted in (0, 1, 2):
        topic = f"{case.topic}/{granted}"
        subscriber.subscribe(topic, granted)
        for published in (0, 1, 2):
            publisher.publish(topic, published, f"{published}to{granted}")
            subscriber.expect_payloads([f"{published}to{granted}"], qos=min(published, granted))


@for_each_client("large_payload")
def a_payload_of_a_mebibyte_arrives_whole(case, party):
    subscriber = party.connect("sub")
    subscriber.subscribe(case.topic, 1)
    publisher = party.connect("pub")
    publisher.publish(case.topic, 1, "@1048576")
    subscriber.expect_payloads(["@1048576"], qos=1)


@for_each_client("empty_payload")
def an_empty_payload_arrives(case, party):
    client = party.connect("c")
    client.subscribe(case.topic, 1)
    client.publish(case.topic, 1, "-")
    client.expect_payloads(["-"])


for _qos in (0, 1, 2):
    @for_each_client(f"retained_qos{_qos}")
    def a_retained_message_waits_for_subscribers(case, party, qos=_qos):
        publisher = party.connect("pub")
        live = party.connect("live")
        live.subscribe(case.topic, 2)
        publisher.publish(case.topic, qos, "old", retain=True)
        publisher.publish(case.topic, qos, "new", retain=True)
        live.expect_payloads(["old", "new"], qos=qos, retain=False)

        late = party.connect("late")
        late.subscribe(case.topic, 2)
        late.expect_payloads(["new"], topic=case.topic, qos=qos, retain=True)

        publisher.publish(case.topic, qos, "-", retain=True)
        late.expect_payloads(["-"], retain=False)
        afterwards = party.connect("last")
        afterwards.subscribe(case.topic, 2)
        publisher.publish(case.topic, qos, "live")
        afterwards.expect_payloads(["live"], retain=False)


for _qos in (0, 1, 2):
    @for_each_client(f"will_qos{_qos}")
    def a_will_is_published_when_the_client_vanishes(case, party, qos=_qos):
        watcher = party.connect("watch")
        watcher.subscribe(case.topic, 2)
        victim = party.connect("victim", will=Will(case.topic, qos, 0, "gone"))
        victim.kill()
        watcher.expect_payloads(["gone"], topic=case.topic, qos=qos, retain=False)


@for_each_client("will_retained")
def a_retained_will_stays(case, party):
    watcher = party.connect("watch")
    watcher.subscribe(case.topic, 1)
    party.connect("victim", will=Will(case.topic, 1, 1, "gone")).kill()
    watcher.expect_payloads(["gone"], retain=False)
    late = party.connect("late")
    late.subscribe(case.topic, 1)
    late.expect_payloads(["gone"], qos=1, retain=True)
    late.publish(case.topic, 1, "-", retain=True)


@for_each_client("will_not_after_disconnect")
def a_graceful_disconnect_discards_the_will(case, party):
    watcher = party.connect("watch")
    watcher.subscribe(case.topic, 1)
    leaver = party.connect("leaver", will=Will(case.topic, 1, 0, "gone"))
    leaver.disconnect()
    # The same client id comes back, which the broker serves after it has dealt with the first connection.
    again = party.connect("leaver", client_id=leaver.client_id)
    again.publish(case.topic, 1, "marker")
    watcher.expect_payloads(["marker"])


for _qos, _farewell in itertools.product((1, 2), ("disconnected", "vanished")):
    @for_each_client(f"session_qos{_qos}_{_farewell}")
    def a_persistent_session_keeps_what_came_meanwhile(case, party, qos=_qos, vanish=_farewell == "vanished"):
        session = {"clean": False, "expiry_s": EXPIRY_S, "client_id": case.client_id("keep")}
        first = party.connect("keep", **session)
        party.expect_session_present(first, False)
        first.subscribe(case.topic, qos)
        if vanish:
            first.kill()
        else:
            first.disconnect()
        publisher = party.connect("pub")
        for payload in numbered(10):
            publisher.publish(case.topic, qos, payload)

        second = party.connect("keep", **session)
        party.expect_session_present(second, True)
        second.expect_payloads(numbered(10), qos=qos, retain=False)
        publisher.publish(case.topic, qos, "live")
        second.expect_payloads(["live"])
        second.disconnect()

        cleaned = party.connect("keep", client_id=session["client_id"], clean=True)
        party.expect_session_present(cleaned, False)
        publisher.publish(case.topic, qos, "lost")
        cleaned.subscribe(case.topic, qos)
        publisher.publish(case.topic, qos, "marker")
        cleaned.expect_payloads(["marker"])


@for_each_client("session_ends_when_clean")
def a_clean_session_is_not_kept(case, party):
    client_id = case.client_id("c")
    first = party.connect("c", client_id=client_id, clean=True)
    first.subscribe(case.topic, 1)
    first.disconnect()
    second = party.connect("c", client_id=client_id, clean=False, expiry_s=EXPIRY_S)
    party.expect_session_present(second, False)
    second.disconnect()
    party.connect("c", client_id=client_id, clean=True)


for _qos in (0, 1, 2):
    @for_each_client(f"shared_qos{_qos}")
    def a_shared_subscription_gives_each_message_to_one_member(case, party, qos=_qos):
        members = [party.connect("mem") for _ in range(2)]
        for member in members:
            member.subscribe(f"$share/group/{case.topic}", qos)
        observer = party.connect("obs")
        observer.subscribe(case.topic, qos)
        publisher = party.connect("pub")
        for payload in numbered(20):
            publisher.publish(case.topic, qos, payload)
        observer.expect_payloads(numbered(20))

        got = wait_for_total(members, 20)
        expect_equal(sorted(got), sorted(numbered(20)), "what both members got together")

        # The group goes on with the one that stays.
        members[0].disconnect()
        party.connect("mem", client_id=members[0].client_id)  # served after the broker has seen the end of the first
        for payload in numbered(5, "rest"):
            publisher.publish(case.topic, qos, payload)
        members[1].expect_payloads(numbered(5, "rest"))


def wait_for_total(members, count):
    """Payloads of the next messages at all members; `count` in all must come."""
    def arrived():
        return sum(len(member.waiting()) for member in members)
    wait_until(lambda: arrived() >= count, f"{count} messages at the members together")
    return [message.payload for member in members for message in member.receive(len(member.waiting()))]


@for_each_client("unsubscribe")
def nothing_comes_after_unsubscribe(case, party):
    client = party.connect("c")
    client.subscribe(case.topic + "/#", 1)
    client.subscribe(case.topic + "/marker", 1)
    client.unsubscribe(case.topic + "/#")
    publisher = party.connect("pub")
    publisher.publish(case.topic + "/a", 1, "unwanted")
    publisher.publish(case.topic + "/marker", 1, "wanted")
    client.expect_payloads(["wanted"])


@for_each_client("takeover")
def a_second_connection_takes_the_client_id_over(case, party):
    client_id = case.client_id("twin")
    first = party.connect("twin", client_id=client_id)
    second = party.connect("twin", client_id=client_id)
    code = first.wait_disconnected()
    # python3-paho-mqtt 1.6.1 passes a reason code on only when the packet has properties as well.
    if party.level == 5 and not (party.kind == "paho_python" and code == "-"):
        expect_equal(code, "142", "5.0's reason for the end of the first connection")
    second.subscribe(case.topic, 1)
    second.publish(case.topic, 1, "mine")
    second.expect_payloads(["mine"])


@for_each_client("idle_connection_is_kept_by_pings")
def pings_keep_an_idle_connection(case, party):
    # A page shares its process with others, and may be late by a second without being broken.
    keep_alive_s = 4 if party.kind in agent.PAGES else 1
    idle = party.connect("idle", keep_alive_s=keep_alive_s)
    idle.subscribe(case.topic, 1)
    # A client of the same kind that stops answering shows that keep alive was watched all the time.
    silent = party.stoppable().connect("dead", keep_alive_s=keep_alive_s, will=Will(case.topic, 1, 0, "expired"))
    silent.pause()
    try:
        idle.expect_payloads(["expired"])
    finally:
        silent.kill()


# Every library publishes to every other, and every version to every other.
for _from, _to in itertools.product(agent.COMMANDS, repeat=2):
    @case(f"mixed/{_from}_to_{_to}")
    def libraries_and_versions_mix(case, source=_from, target=_to):
        for (name, level), (other, other_level) in itertools.product(VERSIONS.items(), repeat=2):
            topic = f"{case.topic}/{name}/{other}"
            subscriber = Party(case, target, other_level).connect("sub")
            subscriber.subscribe(topic, 2)
            publisher = Party(case, source, level).connect("pub")
            for qos in (0, 1, 2):
                publisher.publish(topic, qos, f"qos{qos}")
            for qos in (0, 1, 2):
                subscriber.expect_payloads([f"qos{qos}"], topic=topic, qos=qos)
            publisher.disconnect()
            subscriber.disconnect()
            case.release(publisher, subscriber)


for _kind in agent.COMMANDS:
    @case(f"{_kind}/5.0/user_property")
    def a_user_property_travels(case, kind=_kind):
        party = Party(case, kind, 5)
        client = party.connect("c")
        client.subscribe(case.topic, 1)
        client.publish(case.topic, 1, "text", user_property="colour=blue")
        message = client.receive(1)[0]
        expect_equal((message.payload, message.property), ("text", "colour=blue"), "payload and user property")

    @case(f"{_kind}/5.0/session_expires")
    def a_session_without_expiry_ends_with_its_connection(case, kind=_kind):
        party = Party(case, kind, 5)
        client_id = case.client_id("c")
        party.connect("c", client_id=client_id, clean=False, expiry_s=0).disconnect()
        party.expect_session_present(party.connect("c", client_id=client_id, clean=False), False)
