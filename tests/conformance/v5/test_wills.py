"""Will Messages: 3.1.2.5 to 3.1.2.7, 3.1.3.2 and 3.1.4, and the table of all their combinations."""

import itertools
import time

from conformance import wire
from conformance.suite import CLOCK_SLACK_S, scenario, statement
from conformance.wire import V5, Will

LONG_S = 600  # longer than any test runs


def watcher_of(t, topic, **options):
    watcher = t.client()
    watcher.subscribe(topic, **options)
    return watcher


@statement("MQTT-3.1.2-7", "MQTT-3.1.2-8")
def a_will_is_published_when_the_connection_is_lost(t):
    watcher = watcher_of(t, t.topic())
    client = t.client(will=Will(t.topic(), b"gone"))
    client.publish(t.topic("other"), b"x", qos=2)
    client.expect_nothing()
    t.fence(client, watcher)
    client.drop()
    watcher.receive(t.topic(), b"gone", qos=0, retain=False)


@statement("MQTT-3.1.2-8", "MQTT-3.14.2-1")
def disconnect_with_will_publishes_it(t):
    watcher = watcher_of(t, t.topic())
    t.client(will=Will(t.topic(), b"gone")).disconnect(0x04)
    watcher.receive(t.topic(), b"gone")


@statement("MQTT-3.1.2-8")
def every_error_code_in_disconnect_publishes_the_will(t):
    watcher = watcher_of(t, t.topic())
    for code in (0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99):
        t.client(will=Will(t.topic(), b"%d" % code)).disconnect(code)
        watcher.receive(t.topic(), b"%d" % code)


@statement("MQTT-3.1.2-8", "MQTT-4.13.1-1")
def a_client_that_breaks_the_protocol_leaves_its_will(t):
    watcher = watcher_of(t, t.topic())
    client = t.client(will=Will(t.topic(), b"gone"))
    client.send(b"\x36\x05\x00\x01t\x00\x01")
    client.expect_disconnect(0x81)
    watcher.receive(t.topic(), b"gone")


@statement("MQTT-3.14.4-3", "MQTT-3.1.2-8", "MQTT-3.1.2-10")
def a_normal_disconnect_discards_the_will(t):
    watcher = watcher_of(t, t.topic())
    for code in (None, 0x00):
        t.client(will=Will(t.topic(), b"gone")).disconnect(code)
    delayed = Will(t.topic(), b"gone", properties={"will_delay_interval": 1})
    t.client(will=delayed, properties={"session_expiry_interval": LONG_S}).disconnect(0x00)
    t.let_pass(2)
    t.fence(t.client(), watcher)


@statement("MQTT-3.1.2-10")
def a_will_is_published_once(t):
    watcher = watcher_of(t, t.topic())
    t.persistent("device", will=Will(t.topic(), b"gone")).drop()
    watcher.receive(t.topic(), b"gone")
    t.persistent("device").drop()
    t.persistent("device").drop()
    t.fence(t.client(), watcher)


@statement("MQTT-3.1.2-10")
def a_will_removed_by_a_normal_disconnect_does_not_come_back(t):
    watcher = watcher_of(t, t.topic())
    t.persistent("device", will=Will(t.topic(), b"gone")).disconnect(0x00)
    t.persistent("device").drop()
    t.persistent("device").drop()
    t.fence(t.client(), watcher)


@scenario
def each_connect_brings_its_own_will(t):
    watcher = watcher_of(t, t.topic())
    t.persistent("device", will=Will(t.topic(), b"first")).disconnect(0x00)
    t.persistent("device", will=Will(t.topic(), b"second")).drop()
    watcher.receive(t.topic(), b"second")
    t.fence(t.client(), watcher)


@statement("MQTT-3.1.2-9")
def the_will_flag_without_will_fields_is_malformed(t):
    whole = wire.connect(V5, t.id(), will=Will("topic", b"x"))
    for missing in (len(wire.properties(None) + wire.utf8("topic") + wire.binary(b"x")),
                    len(wire.utf8("topic") + wire.binary(b"x")), len(wire.binary(b"x"))):
        t.expect_connect_refusal(wire.packet(wire.CONNECT, 0, whole[2:-missing]), 0x81)


@statement("MQTT-3.1.2-11", "MQTT-3.1.2-13")
def will_qos_and_retain_without_the_will_flag_are_refused(t):
    for flags in (0x08, 0x10, 0x18, 0x20, 0x28):
        t.expect_connect_refusal(wire.connect(V5, t.id(), flags=0x02 | flags), 0x81, 0x82)


@statement("MQTT-3.1.2-12")
def will_qos_0_1_and_2_are_served_and_3_is_malformed(t):
    watcher = watcher_of(t, t.topic(), qos=2)
    for qos in (0, 1, 2):
        t.client(will=Will(t.topic(), b"%d" % qos, qos=qos)).drop()
        watcher.receive(t.topic(), b"%d" % qos, qos=qos)
    t.expect_connect_refusal(wire.connect(V5, t.id(), will=Will(t.topic(), b"x", qos=3)), 0x81)


@statement("MQTT-3.1.2-14")
def a_will_without_retain_is_not_retained(t):
    watcher = watcher_of(t, t.topic(), retain_as_published=True)
    t.client(will=Will(t.topic(), b"gone")).drop()
    watcher.receive(t.topic(), b"gone", retain=False)
    late = t.client()
    late.subscribe(t.topic())
    t.fence(late, late)


@statement("MQTT-3.1.2-15")
def a_will_with_retain_is_retained(t):
    watcher = watcher_of(t, t.topic(), retain_as_published=True)
    t.client(will=Will(t.topic(), b"gone", retain=True)).drop()
    watcher.receive(t.topic(), b"gone", retain=True)
    late = t.client()
    late.subscribe(t.topic())
    late.receive(t.topic(), b"gone", retain=True)
    late.publish(t.topic(), b"", retain=True)


@scenario
def an_empty_will_with_retain_clears_the_retained_message(t):
    watcher = watcher_of(t, t.topic())
    watcher.publish(t.topic(), b"alive", retain=True)
    watcher.receive(t.topic(), b"alive")
    t.client(will=Will(t.topic(), b"", retain=True)).drop()
    watcher.receive(t.topic(), b"")
    late = t.client()
    late.subscribe(t.topic())
    t.fence(late, late)


@statement("MQTT-3.1.3-9", "MQTT-3.1.2-8")
def a_reconnect_within_the_delay_cancels_the_will(t):
    watcher = watcher_of(t, t.topic())
    will = Will(t.topic(), b"gone", properties={"will_delay_interval": 1})
    t.persistent("device", will=will).drop()
    t.persistent("device")
    t.let_pass(2)
    t.fence(t.client(), watcher)


@statement("MQTT-3.1.3-10", "MQTT-3.3.2-18")
def user_properties_of_a_will_keep_their_order(t):
    watcher = watcher_of(t, t.topic())
    pairs = [("b", "1"), ("a", "2"), ("b", "1"), ("", ""), ("a", "1"), ("c", "\u00fc")]
    t.client(will=Will(t.topic(), b"gone", properties={"user_property": pairs})).drop()
    assert watcher.receive(t.topic(), b"gone").properties == {"user_property": pairs}


@scenario
def a_will_is_published_with_all_its_properties(t):
    watcher = watcher_of(t, t.topic())
    given = {"payload_format_indicator": 1, "message_expiry_interval": 500, "content_type": "text/plain",
             "response_topic": "answer/here", "correlation_data": b"\x00\xff", "will_delay_interval": 0,
             "user_property": [("k", "v")]}
    t.client(will=Will(t.topic(), b"gone", properties=given)).drop()
    found = watcher.receive(t.topic(), b"gone").properties
    assert 490 <= found.pop("message_expiry_interval") <= 500
    assert found == {key: value for key, value in given.items()
                     if key not in ("message_expiry_interval", "will_delay_interval")}


# ------------------------------------------------------------------------------------------------- the table of wills
#
# Every combination of: will delay 0 or n; session expiry 0, shorter than the delay, or long; Clean Start of the first
# CONNECT; and the end of the connection. Expected is when the will comes: "never", "now" (nothing has to pass), or the
# number of seconds that must pass first.

DELAY_S = 4
SHORT_EXPIRY_S = 2
ENDS = ("normal", "with will", "dropped", "dropped and resumed", "dropped and cleaned", "taken over",
        "taken over by clean start")


def will_is_due(delay, expiry, end):
    at_end_of_session_or_delay = min(delay, expiry)
    if end == "normal":
        return "never"
    if end in ("with will", "dropped"):
        return at_end_of_session_or_delay or "now"
    if end in ("dropped and resumed", "taken over"):
        # Without anything to wait for the will is out when the next connection arrives; otherwise it is cancelled.
        return "never" if at_end_of_session_or_delay else "now"
    return "now"  # Clean Start ends the session, and with it the waiting


def end_connection(t, client, name, end, properties):
    if end in ("normal", "with will"):
        client.disconnect(0x00 if end == "normal" else 0x04)
    elif end.startswith("dropped"):
        client.drop()
    if end in ("dropped and resumed", "dropped and cleaned", "taken over", "taken over by clean start"):
        t.client(name, clean=end.endswith(("cleaned", "clean start")), properties=properties)
    if end.startswith("taken over"):
        client.expect_disconnect(0x8E)


class Row:
    """One combination: its connection is brought up and ended; `watcher` sees what comes of its will."""

    def __init__(self, t, delay, expiry, clean, end):
        t.trace.append("-- delay %d, expiry %d, clean start %s, %s" % (delay, expiry, clean, end))
        name = end.replace(" ", "-")
        self.name, self.topic, self.due = name, t.topic(name), will_is_due(delay, expiry, end)
        self.watcher = watcher_of(t, self.topic)
        given = {"session_expiry_interval": expiry} if expiry else {}
        will = Will(self.topic, b"gone", properties={"will_delay_interval": delay} if delay else None)
        client = t.client(name, clean=clean, will=will, properties=given)
        self.began = time.monotonic()
        end_connection(t, client, name, end, given)

    def take_will(self):
        self.watcher.receive(self.topic, b"gone")
        elapsed = time.monotonic() - self.began
        assert self.due == "now" or elapsed >= self.due - CLOCK_SLACK_S, "%s: the will came after %.3f s" % (
            self.name, elapsed)


def _register_table_test(delay, expiry, clean):
    """One test for these values, with every way in which the connection can end."""
    def test(t):
        rows = [Row(t, delay, expiry, clean, end) for end in ENDS]
        awaited = {row.watcher: row for row in rows if row.due != "never"}
        while awaited:
            awaited.pop(wire.first_ready(awaited)).take_will()
        t.let_pass(DELAY_S + 1)
        t.fence(t.client(), *[row.watcher for row in rows])
    expiry_name = {0: "0", SHORT_EXPIRY_S: "below_delay", LONG_S: "long"}[expiry]
    test.__name__ = "will_table_delay_%s_expiry_%s_%s" % ("n" if delay else "0", expiry_name,
                                                          "clean" if clean else "resume")
    statement("MQTT-3.1.2-8", "MQTT-3.1.3-9", "MQTT-3.14.4-3", "MQTT-3.1.2-10")(test)


for _delay, _expiry, _clean in itertools.product((0, DELAY_S), (0, SHORT_EXPIRY_S, LONG_S), (False, True)):
    _register_table_test(_delay, _expiry, _clean)


@scenario
def a_will_that_is_due_at_once_comes_without_waiting(t):
    """Delay n, expiry 0: the end of the session comes before the delay; a later will of n seconds is still to come."""
    watcher = watcher_of(t, t.topic("+"))
    marker = Will(t.topic("marker"), b"later", properties={"will_delay_interval": 2})
    t.client("marker", will=marker, properties={"session_expiry_interval": LONG_S}).drop()
    will = Will(t.topic("at-once"), b"now", properties={"will_delay_interval": LONG_S})
    t.client("device", will=will).drop()
    watcher.receive(t.topic("at-once"), b"now")
    watcher.receive(t.topic("marker"), b"later")


@scenario
def disconnect_may_end_the_session_and_so_the_delay(t):
    watcher = watcher_of(t, t.topic())
    will = Will(t.topic(), b"gone", properties={"will_delay_interval": LONG_S})
    client = t.client("device", will=will, properties={"session_expiry_interval": LONG_S})
    client.disconnect(0x04, {"session_expiry_interval": 0})
    watcher.receive(t.topic(), b"gone")


@scenario
def disconnect_may_shorten_the_session_below_the_delay(t):
    watcher = watcher_of(t, t.topic())
    will = Will(t.topic(), b"gone", properties={"will_delay_interval": LONG_S})
    client = t.client("device", will=will, properties={"session_expiry_interval": LONG_S})
    client.disconnect(0x04, {"session_expiry_interval": 1})
    watcher.receive(t.topic(), b"gone")


@scenario
def a_will_reaches_the_session_of_its_own_client(t):
    client = t.persistent("device", will=Will(t.topic(), b"gone", qos=1))
    client.subscribe(t.topic(), qos=1)
    client.drop()
    again = t.persistent("device")
    again.receive(t.topic(), b"gone", qos=1)
    t.fence(t.client(), again)
