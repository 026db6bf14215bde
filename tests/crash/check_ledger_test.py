#!/usr/bin/python3
"""Makes up histories and expects check.py to find what is wrong with them, and nothing else."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import check
from ledger import Ledger, matches

TOPIC = "crash/publisher/0"


class History(unittest.TestCase):
    """Every event is one second later than the one before."""

    def setUp(self):
        self.now = 0
        self.ledger = Ledger(self.tick)

    def tick(self):
        self.now += 1
        return self.now

    def subscribe(self, qos=2, name="subscriber", topic_filter="crash/publisher/#", **options):
        listener = self.ledger.listen(name, topic_filter, qos, **options)
        self.ledger.asked(listener)
        self.ledger.granted(listener)
        return listener

    def send(self, qos=2, topic=TOPIC, publisher="publisher", **options):
        return self.ledger.send(publisher, topic, qos, **options)

    def publish(self, *args, **options):
        message = self.send(*args, **options)
        self.ledger.done(message)
        return message

    def deliver(self, listener, *messages):
        for message in messages:
            self.ledger.arrived(listener, message)

    def assert_kinds(self, *kinds):
        findings = check.check(self.ledger)
        self.assertEqual([finding.kind for finding in findings], list(kinds), findings)
        self.assertLessEqual(set(kinds), set(check.KINDS))
        return findings


class Loss(History):
    def test_a_clean_history_passes(self):
        subscribers = [self.subscribe(), self.subscribe(1, "other"), self.subscribe(2, "group", is_group=True)]
        for number in range(10):
            message = self.publish(1 + number % 2)
            for each in subscribers:
                self.deliver(each, message)
            if number % 4 == 0:
                self.ledger.killed()
        self.assert_kinds()

    def test_what_was_acknowledged_and_did_not_arrive_is_lost(self):
        listener = self.subscribe()
        self.deliver(listener, self.publish())
        self.ledger.killed()
        self.publish()
        self.ledger.killed()
        finding, = self.assert_kinds("lost")
        self.assertEqual(finding.kill, 1)
        for part in ("subscriber", "publisher 1 ", TOPIC, "2.0000 s before kill 2"):
            self.assertIn(part, finding.text)

    def test_pubrec_is_enough(self):
        self.subscribe()
        self.ledger.acked(self.send())
        self.assert_kinds("lost")

    def test_losses_of_one_publisher_before_the_same_kill_are_one_finding(self):
        self.subscribe()
        for _ in range(3):
            self.publish()
        self.ledger.killed()
        self.publish()
        self.assertIn("misses 3 of", self.assert_kinds("lost", "lost")[0].text)

    def test_what_was_not_acknowledged_may_arrive_or_not(self):
        listener = self.subscribe()
        self.send()
        self.deliver(listener, self.send())
        self.assert_kinds()

    def test_what_was_sent_before_suback_may_arrive_or_not(self):
        listener = self.ledger.listen("subscriber", "#", 1)
        self.ledger.asked(listener)
        first, _ = self.send(), self.send()
        self.ledger.granted(listener)
        for message in self.ledger.messages["publisher"]:
            self.ledger.done(message)
        self.deliver(listener, first)
        self.assert_kinds()

    def test_a_filter_that_does_not_match_owes_nothing(self):
        self.subscribe(topic_filter="crash/other/#")
        self.publish()
        self.assert_kinds()

    def test_each_subscriber_must_get_it(self):
        self.subscribe(name="first")
        self.deliver(self.subscribe(name="second"), self.publish())
        self.assertIn("first misses", self.assert_kinds("lost")[0].text)

    def test_any_member_of_a_group_will_do(self):
        group = self.subscribe(is_group=True)
        self.ledger.asked(group)  # by a second member
        self.ledger.granted(group)
        self.deliver(group, self.publish(), self.publish())
        self.publish()
        self.assert_kinds("lost")

    def test_who_leaves_is_owed_what_was_acknowledged_before(self):
        listener = self.subscribe()
        self.publish()
        late = self.send()
        self.ledger.unbind(listener)
        self.ledger.done(late)
        self.publish()
        finding, = self.assert_kinds("lost")
        self.assertIn("misses 1 of", finding.text)

    def test_who_throws_away_its_queue_is_owed_nothing(self):
        listener = self.subscribe()
        self.publish()
        self.ledger.unbind(listener, keeps_past=False)
        self.assert_kinds()

    def test_without_a_probe_the_subscription_is_lost(self):
        self.subscribe()
        self.publish(is_probe=True)
        self.assert_kinds("subscription")


class Repetition(History):
    def test_a_message_of_qos_2_that_arrives_twice_is_found(self):
        listener = self.subscribe()
        message = self.publish()
        self.deliver(listener, message)
        self.ledger.killed()
        self.deliver(listener, message)
        finding, = self.assert_kinds("duplicate")
        self.assertEqual(finding.kill, 1)
        self.assertIn("2 times", finding.text)

    def test_a_group_gets_it_once_as_a_whole(self):
        group = self.subscribe(is_group=True)
        message = self.publish()
        self.deliver(group, message, message)
        self.assert_kinds("duplicate")

    def test_qos_1_on_either_side_may_repeat(self):
        for listener, message in ((self.subscribe(1, "one", "crash/a"), self.publish(2, "crash/a")),
                                  (self.subscribe(2, "two", "crash/b"), self.publish(1, "crash/b"))):
            self.deliver(listener, message, message)
        self.assert_kinds()


class Order(History):
    def test_a_later_message_that_comes_first_is_found(self):
        listener = self.subscribe()
        first, second = self.publish(), self.publish()
        self.deliver(listener, second, first)
        self.assertIn("publisher 0 ", self.assert_kinds("order")[0].text)

    def test_repeats_are_left_out(self):
        listener = self.subscribe(1)
        first, second, third = (self.publish(1) for _ in range(3))
        self.deliver(listener, first, second, first, second, third)
        self.assert_kinds()

    def test_a_repeat_does_not_hide_what_is_new(self):
        listener = self.subscribe(1)
        first, second, third = (self.publish(1) for _ in range(3))
        self.deliver(listener, first, third, first, second)
        self.assert_kinds("order")

    def test_topics_qos_and_publishers_have_orders_of_their_own(self):
        listener = self.subscribe(topic_filter="#")
        messages = [self.publish(1), self.publish(2), self.publish(2, "crash/publisher/1"),
                    self.publish(2, publisher="other"), self.publish(1, publisher="other")]
        self.deliver(listener, *reversed(messages))
        self.assert_kinds()

    def test_a_group_has_none(self):
        listener = self.subscribe(is_group=True)
        first, second = self.publish(), self.publish()
        self.deliver(listener, second, first)
        self.assert_kinds()


class Endings(History):
    """Subscriptions that were given up."""

    def test_what_is_sent_after_the_end_must_not_come(self):
        listener = self.subscribe()
        self.ledger.unbind(listener, keeps_past=False)
        self.ledger.gone(listener)
        self.deliver(listener, self.publish())
        self.assert_kinds("unexpected")

    def test_what_was_sent_before_may_come_late(self):
        listener = self.subscribe()
        message = self.publish()
        self.ledger.unbind(listener)
        self.ledger.gone(listener)
        self.deliver(listener, message)
        self.assert_kinds()

    def test_what_is_still_being_sent_at_the_next_subscription_may_come(self):
        listener = self.subscribe()
        self.ledger.gone(listener)
        message = self.send()
        self.ledger.asked(listener)
        self.ledger.done(message)
        self.deliver(listener, message)
        self.assert_kinds()

    def test_what_fell_between_two_subscriptions_must_not(self):
        listener = self.subscribe()
        self.ledger.gone(listener)
        message = self.publish()
        self.ledger.asked(listener)
        self.ledger.granted(listener)
        self.deliver(listener, message)
        self.assert_kinds("unexpected")

    def test_the_next_subscription_is_owed_its_messages(self):
        listener = self.subscribe()
        self.ledger.gone(listener)
        self.ledger.asked(listener)
        self.ledger.granted(listener)
        self.publish()
        self.assert_kinds("lost")


class Wills(History):
    def setUp(self):
        super().setUp()
        self.observer = self.subscribe(topic_filter="crash/will/#", is_ordered=False)
        self.will = self.send(topic="crash/will/1", publisher="will")

    def test_a_will_that_is_due_must_come(self):
        self.ledger.killed()
        self.ledger.acked(self.will)
        self.assert_kinds("will missing")

    def test_once(self):
        self.ledger.acked(self.will)
        self.deliver(self.observer, self.will, self.will)
        self.assert_kinds("will doubled")

    def test_a_will_that_was_withdrawn_must_not_come(self):
        self.ledger.withdraw(self.will)
        self.assert_kinds()
        self.deliver(self.observer, self.will)
        self.assert_kinds("will withdrawn")

    def test_a_will_whose_fate_is_open_may(self):
        self.assert_kinds()
        self.deliver(self.observer, self.will)
        self.assert_kinds()


class Retained(History):
    def write(self, is_done=True, **options):
        return (self.publish if is_done else self.send)(retain=True, **options)

    def problem(self, observed):
        return check.retained(self.ledger, TOPIC, self.ledger.retained_floor(TOPIC), observed)

    def test_the_last_value_stands(self):
        old, new = self.write(), self.write()
        self.assertIsNone(self.problem(new))
        self.assertIn("publisher 1 ", self.problem(old))
        self.assertIn("has nothing", self.problem(None))

    def test_a_later_one_that_was_not_acknowledged_may_stand(self):
        old, acknowledged, sent = self.write(), self.write(), self.write(is_done=False)
        self.assertIsNone(self.problem(acknowledged))
        self.assertIsNone(self.problem(sent))
        self.assertIsNotNone(self.problem(old))

    def test_what_is_behind_an_unfinished_write_proves_nothing(self):
        first, unfinished, third = self.write(), self.write(is_done=False), self.write()
        for each in (first, unfinished, third):
            self.assertIsNone(self.problem(each))

    def test_a_removal_removes(self):
        value = self.write()
        self.write(is_removal=True)
        self.assertIsNone(self.problem(None))
        self.assertIn("its removal", self.problem(value))

    def test_a_removal_that_was_not_acknowledged_may_have_removed(self):
        value = self.write()
        self.write(is_done=False, is_removal=True)
        self.assertIsNone(self.problem(None))
        self.assertIsNone(self.problem(value))

    def test_a_topic_without_any_acknowledged_write_may_be_empty(self):
        self.assertIsNone(self.problem(None))
        self.write(is_done=False)
        self.assertIsNone(self.problem(None))


class Book(History):
    def test_a_payload_names_its_message(self):
        message = self.send()
        self.assertIs(self.ledger.find(message.payload(b"and more")), message)
        for payload in (b"", b"publisher", b"publisher 1 crash/publisher/0 ", b"publisher 0 crash/other ",
                        b"nobody 0 crash/publisher/0 ", b"publisher x crash/publisher/0 "):
            self.assertIsNone(self.ledger.find(payload), payload)

    def test_filters(self):
        for topic_filter in ("a/b/c", "a/+/c", "a/#", "a/b/c/#", "#", "+/+/+"):
            self.assertTrue(matches(topic_filter, "a/b/c"), topic_filter)
        for topic_filter in ("a/b", "a/b/c/d", "a/+", "b/#", "+/+/+/+"):
            self.assertFalse(matches(topic_filter, "a/b/c"), topic_filter)

    def test_a_queue_that_the_broker_may_cut_off_is_no_proof(self):
        listener = self.subscribe()
        listener.backlog_max = check.QUEUE_MESSAGES_MAX
        self.assert_kinds("limits")

    def test_the_backlog_is_what_was_sent_and_has_not_arrived(self):
        listener = self.subscribe(1)
        first, _ = self.send(1), self.send(1)
        self.deliver(listener, first, first)
        self.assertEqual((listener.backlog, listener.backlog_max), (1, 2))

    def test_moments_lie_between_kills(self):
        self.ledger.killed()
        self.ledger.killed()
        self.assertEqual([self.ledger.kill_before(at) for at in (0, *self.ledger.kills, 9)], [0, 1, 2, 2])
        self.assertEqual(self.ledger.first_kill_after(self.ledger.kills[0]), self.ledger.kills[1])
        self.assertIsNone(self.ledger.first_kill_after(9))

    def test_everything_can_be_written_down(self):
        listener = self.subscribe()
        self.deliver(listener, self.publish())
        self.publish()
        self.ledger.killed()
        self.ledger.note("session", "subscriber: the session is gone")
        with tempfile.NamedTemporaryFile("r") as file:
            self.ledger.write(file.name)
            lines = file.read().splitlines()
        self.assertEqual([line.split()[0] for line in lines],
                         ["kill", "finding", "message", "message", "subscription", "arrival"])


if __name__ == "__main__":
    unittest.main()
