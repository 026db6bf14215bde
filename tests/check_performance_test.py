#!/usr/bin/python3
"""Feeds bench/performance.py results and expects the right page: medians, ratios to nightjar, a dash for what was not
measured; a part measured anew replaces itself and nothing else; a broker that fails is left out with its reason.
"""

import contextlib
import io
import json
import sys
import unittest
from pathlib import Path
from unittest import mock

BENCH = Path(__file__).resolve().parent.parent / "bench"
sys.path.insert(0, str(BENCH))
from figures import measure, page, parts, peers, tables

VERSIONS = {name: f"1.{name}" for name in ("nightjar", *parts.PEERS)}
MEASURED = {"date": "2026-01-02", "rounds": 3, "duration_s": 2, "cpu": "Abacus 2", "cores": 2, "memory_gib": 4,
            "kernel": "Linux 6", "versions": VERSIONS, "took_s": 90}


def load(unclean=(), left_out=None, **figures):
    """figures: phase to {figure: {broker: rounds}}."""
    return {"figures": figures, "unclean": list(unclean), "left_out": left_out or {}}


def results(**found):
    return {"parts": {name: {"measured": MEASURED, "loads": loads} for name, loads in found.items()}}


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def compared(brokers, figure="messages per s", value=5.0, problems=()):
    return {"problems": list(problems),
            "figures": [{"scenario": "p2p", "phase": "run", "figure": figure,
                         "brokers": {name: {"median": value, "rounds": [value]} for name in brokers}}]}


class Numbers(unittest.TestCase):
    def test_three_digits_count(self):
        self.assertEqual([tables.number(value) for value in (0.0000684, 0, 0.5, 1.234, 12.34, 123.4, 4711000, None)],
                         ["0.0000684", "0", "0.500", "1.23", "12.3", "123", "4 711 000", "–"])

    def test_a_ratio_needs_both_and_a_base(self):
        self.assertEqual([tables.ratio(3, 2), tables.ratio(None, 2), tables.ratio(3, None), tables.ratio(3, 0)],
                         [1.5, None, None, None])
        self.assertEqual([tables.with_ratio(3, 2), tables.with_ratio(3, None), tables.with_ratio(None, 2)],
                         ["3.00 (1.50×)", "3.00", "–"])

    def test_the_slope_leaves_out_what_the_process_has_anyway(self):
        self.assertEqual(tables.slope(10, 20, (5_000, 15_000)), 1048.576)
        self.assertIsNone(tables.slope(10, None, (5_000, 15_000)))

    def test_a_size_is_said_in_its_unit(self):
        self.assertEqual([tables.size_text(size) for size in parts.SIZES], ["64 B", "1 KiB", "16 KiB", "1 MiB"])


class Tables(unittest.TestCase):
    def make(self, name, **found):
        return cells(tables.TABLES[name](tables.Results(results(**found)), page.WORDS["en"]))

    def test_a_row_has_medians_and_ratios_to_nightjar(self):
        cpu = {tables.CPU_MESSAGE: {"nightjar": [1, 9, 2], "mosquitto": [8, 4, 3]}}
        rows = self.make("flood", flood={"p2p -q 1": load(run=cpu)})
        self.assertIn(["`p2p -q 1`", "2.00", "–", "4.00 (2.00×)", "–", "–", "–"], rows)

    def test_who_lost_messages_is_marked(self):
        cpu = {tables.CPU_MESSAGE: {"nightjar": [2], "nats": [4]}}
        rows = self.make("flood", flood={"p2p -q 1": load(unclean=["nats"], run=cpu)})
        self.assertIn(["`p2p -q 1`", "2.00", "–", "–", "–", "4.00 (2.00×)*", "–"], rows)

    def test_a_disturbed_load_is_compared_with_the_rounds_between(self):
        figures = [{"p99 µs": {"nightjar": [value]}} for value in (1000, 10, 30)]
        loads = {parts.PACED: load(run=figures[1]), f"{parts.PACED} --beside all": load(run=figures[2])}
        rows = self.make("isolation", paced={parts.PACED: load(run=figures[0])}, isolation=loads)
        self.assertEqual([row[:2] for row in rows[2:4]], [["nothing", "10.0"], ["`--beside all`", "30.0 (3.00×)"]])

    def test_the_limit_of_a_payload_is_the_relay(self):
        figures = {tables.CPU_MESSAGE: {"nightjar": [300], "relay": [200]},
                   "messages per s": {"nightjar": [100], "relay": [400]}}
        rows = self.make("payload", payload={"p2p -s 1048576": load(run=figures)})
        self.assertEqual(rows[-1], ["1 MiB", "300", "200", "1.50×", "100", "400"])

    def test_transports_are_compared_with_tcp(self):
        flood = {tables.CPU_MESSAGE: {"tcp": [0.1], "tls": [0.15]}}
        few, many = ({"resident MiB": {"tls": [value]}} for value in (10, 88.125))
        cost = {"CPU µs per connect": {"tls": [300]}}
        again = {"CPU µs per connect": {"tls": [150]}}
        loads = {parts.way_flood(0): load(run=flood), parts.way_idle(1_000): load(hold=few),
                 parts.way_idle(5_000): load(hold=many, connect=cost, resume=again)}
        rows = self.make("transports", transports=loads)
        self.assertIn(["TLS", "0.150 (1.50×)", "–", "20 480", "300", "150"], rows)
        self.assertIn(["TCP", "0.100", "–", "–", "–", "–"], rows)

    def test_of_a_storm_the_worst_round_counts_for_losses(self):
        found = results(transports={})
        found["parts"]["transports"]["storm"] = {"p99 before": [100, 300, 200], "p99 during": [300, 300, 300],
                                                 "lost": [0, 1, 0], "seconds": [2, 2, 2], "in": [5000, 5000, 5000],
                                                 "stranger bytes": [2**20, 2**21, 2**20]}
        rows = cells(tables.storm(tables.Results(found), page.WORDS["en"]))
        self.assertEqual(rows[-1], ["5 000", "2.00", "200", "300 (1.50×)", "1.00", "2.00"])

    def test_shares_of_workers_are_medians(self):
        self.assertEqual(tables.share_text([[0.6, 0.4], [0.9, 0.1], [0.7, 0.3]]), "70% / 30%")

    def test_every_table_can_be_made_of_nothing(self):
        for name in tables.TABLES:
            self.assertTrue(self.make(name), name)


class Page(unittest.TestCase):
    def test_both_languages_have_the_same_numbers(self):
        cpu = {tables.CPU_MESSAGE: {"nightjar": [2], "mosquitto": [4]}}
        found = results(flood={"p2p -q 1": load(run=cpu)}, stored={})
        english, chinese = (page.page(found, language) for language in page.PAGES)
        self.assertEqual(*([row[1:] for row in cells(text) if "2.00×" in str(row)] for text in (english, chinese)))
        self.assertNotIn("{{", english + chinese)

    def test_a_failure_is_said(self):
        text = page.page(results(flood={"p2p -q 1": load(left_out={"nats": "gave up"})}), "en")
        self.assertIn("nats at `p2p -q 1` (gave up)", text)

    def test_an_unknown_name_in_a_template_is_a_mistake(self):
        self.assertRaises(KeyError, page.fill, "{{nothing}}", {})

    def test_machines_are_named_once(self):
        found = results(flood={}, stored={})
        self.assertEqual(page.machines(tables.Results(found), page.WORDS["en"]), "Abacus 2, 2 cores, 4 GiB, Linux 6")

    def test_the_recorded_page_is_what_the_recorded_figures_say(self):
        recorded = BENCH / "performance.json"
        if not recorded.exists():
            self.skipTest("nothing is recorded")
        for language, path in page.PAGES.items():
            written = (BENCH.parent / "docs" / path).read_text()
            expected = page.page(json.loads(recorded.read_text()), language)
            self.assertEqual(written, expected, "after a change: bench/performance.py write")


class Merging(unittest.TestCase):
    def test_a_part_replaces_only_itself(self):
        before = {"parts": {"flood": "old", "payload": "kept"}}
        self.assertEqual(measure.merge(before, "flood", "new"), {"parts": {"flood": "new", "payload": "kept"}})
        self.assertEqual(before["parts"]["flood"], "old")

    def test_the_order_is_that_of_the_page(self):
        merged = measure.merge({"parts": {"payload": 1}}, "flood", 2)
        self.assertEqual(list(merged["parts"]), ["flood", "payload"])

    def test_the_file_is_json_with_a_line_for_the_rounds(self):
        value = {"a": {"b": [1, 2], "ü": "x"}, "c": {}}
        self.assertEqual(json.loads(measure.lines(value)), value)
        self.assertIn(' "b": [1, 2]', measure.lines(value))


class Rounds(unittest.TestCase):
    """With a bench compare that is told what to answer."""

    def measured(self, load, *answers):
        found = measure.Measured(load)
        with mock.patch.object(measure, "compare", side_effect=answers) as calls, \
                contextlib.redirect_stderr(io.StringIO()):
            for number in range(len([each for each in answers if isinstance(each, dict)])):
                found.round(number, 1)
        return found.json(), [list(call.args[0]) for call in calls.call_args_list]

    def test_each_round_begins_with_another_broker(self):
        _, orders = self.measured(parts.Load("p2p", ("a", "b")), compared("ab"), compared("ba"))
        self.assertEqual(orders, [["a", "b"], ["b", "a"]])

    def test_rounds_are_gathered(self):
        found, _ = self.measured(parts.Load("p2p", ("a", "b")), compared("ab", value=1), compared("ab", value=2))
        self.assertEqual(found["figures"], {"run": {"messages per s": {"a": [1, 2], "b": [1, 2]}}})

    def test_who_fails_is_left_out_and_the_round_repeated(self):
        found, orders = self.measured(parts.Load("p2p", ("a", "b")), compared("ab"),
                                      measure.Failed("b", "died; its last output: /a/b: no"), compared("a"))
        self.assertEqual(orders, [["a", "b"], ["b", "a"], ["a"]])
        self.assertEqual(found["left_out"], {"b": "died"})
        self.assertEqual(found["figures"]["run"]["messages per s"], {"a": [5, 5]})

    def test_losses_are_noted(self):
        found, _ = self.measured(parts.Load("p2p", ("a", "b")), compared("ab", problems=["b, p2p, run: 3 lost"]))
        self.assertEqual(found["unclean"], ["b"])


class Compare(unittest.TestCase):
    def test_it_says_who_failed(self):
        progress = ("round 1 of 1  a   p2p   1 µs\n"
                    "nightjar bench compare: b, p2p -d 1: ended at once; its last output:\nno\n")
        self.assertEqual(measure.culprit(["a", "b"], "p2p -d 1", progress), ("b", "ended at once; its last output: no"))

    def test_who_hangs_comes_after_those_who_were_done(self):
        self.assertEqual(measure.culprit(["a", "b", "c"], "p2p", "round 1 of 1  a  p2p\n")[0], "b")

    def test_no_messages_at_all_is_a_failure(self):
        self.assertTrue(measure.is_silent(compared("a", value=0), "a"))
        self.assertFalse(measure.is_silent(compared("a"), "a"))
        self.assertFalse(measure.is_silent(compared("a", figure="CPU µs per connect", value=0), "a"))

    def test_a_broker_has_the_options_of_its_transport(self):
        self.assertEqual(measure.options_of("tcp", "p2p"), [])
        self.assertEqual(measure.options_of("nightjar", "p2p"), [])
        self.assertEqual(measure.options_of("ws", "p2p"), ["--with", "ws=--ws"])
        self.assertTrue(measure.options_of("tls", "conn --clients 5")[1].endswith("--resume"))

    def test_each_scenario_gets_the_duration_it_knows(self):
        self.assertEqual([measure.with_durations(line, 2) for line in ("p2p -q 1", "conn --clients 5", "retained")],
                         ["p2p -q 1 -d 2 --warmup 0.5", "conn --clients 5 --hold 1", "retained"])

    def test_who_needs_longer_to_become_even_gets_a_comparison_of_its_own(self):
        with mock.patch.object(measure, "compare", side_effect=[compared(["a", "b"]), compared(["rabbitmq"])]) as calls:
            measure.Measured(parts.Load("p2p", ("a", "rabbitmq", "b"))).round(0, 2)
        self.assertEqual([call.args for call in calls.call_args_list],
                         [(["a", "b"], "p2p -d 2 --warmup 0.5"), (["rabbitmq"], "p2p -d 2 --warmup 3")])

    def test_every_broker_of_every_part_can_be_started(self):
        asked = {name for make in parts.PARTS.values() for each in make() for name in each.brokers}
        self.assertLessEqual(asked, set(measure.commands()))
        self.assertEqual({*parts.PEERS, parts.TUNED}, set(peers.START))

    def test_no_load_is_in_two_parts_but_for_the_undisturbed_one(self):
        lines = [each.line for make in parts.PARTS.values() for each in make()]
        self.assertEqual({line for line in lines if lines.count(line) > 1}, {parts.PACED})

    def test_shares_add_up(self):
        self.assertEqual(measure.shares({"worker 0": 100}, {"worker 0": 200, "worker 1": 300}), [0.75, 0.25])
        self.assertEqual(measure.shares({}, {}), [])


class Peers(unittest.TestCase):
    def test_all_listen_on_loopback_only(self):
        for text in (peers.mosquitto_conf(1), peers.mosquitto_conf(1, tuned=True), peers.nats_conf(1, 2, "/d"), peers.rabbitmq_conf(1)):
            self.assertIn("127.0.0.1", text)
            self.assertNotIn("0.0.0.0", text.replace("127.0.0.1", ""))


if __name__ == "__main__":
    unittest.main()
