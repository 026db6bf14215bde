#!/usr/bin/python3
"""Feeds tools/benches.py what benchmarks print and expects the right table: a difference is marked if it is
larger than the rounds of either side differ among themselves, and otherwise not.
"""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent / "tools"
sys.path.insert(0, str(TOOLS))
import benches


def result(name, time, unit="ns", **more):
    return {"name": name, "cpu_time": time, "real_time": 99 * time, "time_unit": unit, "run_type": "iteration", **more}


def side(*values):
    return benches.gather([{"x": value} for value in values])["x"]


class Reading(unittest.TestCase):
    def times(self, *results):
        return benches.times_in({"context": {}, "benchmarks": results}, "reader_bench")

    def test_names_carry_their_program(self):
        self.assertEqual(self.times(result("publish/qos:0", 14.5)), {"reader_bench publish/qos:0": 14.5})

    def test_every_unit_becomes_nanoseconds(self):
        self.assertEqual(self.times(result("a", 2, "us"), result("b", 3, "ms")),
                         {"reader_bench a": 2000, "reader_bench b": 3_000_000})

    def test_aggregates_and_failed_ones_are_no_measurements(self):
        self.assertEqual(self.times(result("a", 1, run_type="aggregate"), result("b", 1, error_occurred=True)), {})


class Comparing(unittest.TestCase):
    def row(self, there, here):
        return benches.Row("x", side(*there), side(*here))

    def test_the_median_stands_for_the_rounds(self):
        self.assertEqual((side(10, 50, 11).median, side(10, 50, 11).spread), (11, 40))

    def test_the_ratio_is_here_by_there(self):
        self.assertEqual(self.row([10, 10], [15, 15]).ratio, 1.5)

    def test_a_difference_beyond_both_spreads_is_marked(self):
        self.assertEqual(self.row([10, 11, 12], [14, 15, 16]).mark, "slower")
        self.assertEqual(self.row([14, 15, 16], [10, 11, 12]).mark, "faster")

    def test_a_difference_within_the_spread_of_one_side_is_not(self):
        self.assertEqual(self.row([10, 11, 12], [10, 15, 16]).mark, "")
        self.assertEqual(self.row([5, 11, 12], [14, 15, 16]).mark, "")

    def test_as_large_as_the_spread_is_not_larger(self):
        self.assertEqual(self.row([10, 11, 12], [12, 13, 14]).mark, "")

    def test_one_round_says_nothing_about_the_spread(self):
        self.assertEqual(self.row([10], [20]).mark, "")

    def test_a_round_that_lacks_a_benchmark_leaves_it_to_the_others(self):
        gathered = benches.gather([{"x": 1, "y": 5}, {"x": 3}, {"x": 2, "y": 7}])
        self.assertEqual((gathered["x"].median, gathered["y"].median), (2, 6))

    def test_what_one_side_has_alone_is_named_and_not_compared(self):
        there = benches.gather([{"both": 1, "old": 1}] * 2)
        here = benches.gather([{"new": 1, "both": 2}] * 2)
        rows, only_there, only_here = benches.compare(there, here)
        self.assertEqual(([row.name for row in rows], only_there, only_here), (["both"], ["old"], ["new"]))


class Table(unittest.TestCase):
    def test_a_line_has_medians_ratio_and_mark(self):
        rows = [benches.Row("reader_bench a", side(10, 10), side(5, 5)),
                benches.Row("reader_bench b", side(1500, 2500), side(2000, 2000))]
        lines = [line.split() for line in benches.table(rows)]
        self.assertEqual(lines, [["benchmark", "there", "here", "ratio"],
                                 ["reader_bench", "a", "10", "ns", "5", "ns", "0.50", "faster"],
                                 ["reader_bench", "b", "2", "us", "2", "us", "1.00"]])

    def test_times_are_said_in_the_unit_that_suits(self):
        self.assertEqual([benches.time_text(ns) for ns in (9.37, 999, 1000, 2.5e6, 3e9)],
                         ["9.37 ns", "999 ns", "1 us", "2.5 ms", "3 s"])


class Rounds(unittest.TestCase):
    """Programs that note the order in which they run."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(contextlib.redirect_stderr(io.StringIO()))

    def program(self, side_name, name, time):
        path = self.folder / side_name / name
        path.parent.mkdir(exist_ok=True)
        text = json.dumps({"benchmarks": [result("a", time)]})
        path.write_text(f"#!/bin/sh\necho {side_name} >>{self.folder}/order\n"
                        f"for word; do case $word in --benchmark_out=*) echo '{text}' >\"${{word#*=}}\" ;; esac; done\n")
        path.chmod(0o755)
        return path.parent

    def test_the_sides_take_turns_and_neither_is_always_first(self):
        there, here = self.program("there", "x_bench", 10), self.program("here", "x_bench", 20)
        sides = benches.run_rounds([there, here], 2, [])
        self.assertEqual([side["x_bench a"].median for side in sides], [10, 20])
        self.assertEqual((self.folder / "order").read_text().split(), ["there", "here", "here", "there"])

    def test_a_program_of_one_side_is_run_there(self):
        there, here = self.program("there", "old_bench", 10), self.program("here", "x_bench", 20)
        sides = benches.run_rounds([there, here], 1, [])
        self.assertEqual([list(side) for side in sides], [["old_bench a"], ["x_bench a"]])


class Baseline(unittest.TestCase):
    def test_a_run_stands_beside_what_was_recorded(self):
        with tempfile.TemporaryDirectory() as folder:
            recorded, measured = Path(folder, "baseline.json"), Path(folder, "x_bench.json")
            recorded.write_text(json.dumps({"cpu": "Abacus 2", "compiler": "c++ 1", "benchmarks": {"x_bench a": 10}}))
            measured.write_text(json.dumps({"benchmarks": [result("a", 20), result("new", 1)]}))
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                benches.baseline(benches.parse(["baseline", str(recorded), str(measured), folder + "/absent.json"]))
        lines = out.getvalue().splitlines()
        self.assertEqual(lines[1].split(), ["x_bench", "a", "10", "ns", "20", "ns", "2.00"])
        self.assertIn("Abacus 2", lines[2])
        self.assertEqual(len(lines), 4, "the new one has no ratio; that this is another processor is said")


if __name__ == "__main__":
    unittest.main()
