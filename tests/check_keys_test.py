#!/usr/bin/python3
"""Every key of the configuration has a scenario that shows what it does, and a wrong value that is refused. The unit tests
hold docs/configuration.md to the schema, this one holds the scenarios of tests/e2e/keys to docs/configuration.md."""
import sys
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS / "e2e"))

from keys import ledger  # noqa: E402
from keys.scenario import Scenario  # noqa: E402

REFERENCE = (TESTS.parent / "docs" / "configuration.md").read_text(encoding="utf-8")
ROW = "## [node]\n\n| Key | Default | Value | Meaning |\n|---|---|---|---|\n| `{}` | `1` | {} | What it is. |\n"


def scenario(key, outcomes, **fields):
    return Scenario(key, outcomes, lambda door: None, **fields)


class Ledger(unittest.TestCase):
    def complaints(self, row, scenarios=(), refusals=(), any_text=()):
        return list(ledger.complaints(row, list(scenarios), list(refusals), dict.fromkeys(any_text)))

    def test_every_key_is_shown_and_refused(self):
        self.assertGreater(len(ledger.keys_of(REFERENCE)), 100)
        self.assertEqual(list(ledger.complaints(REFERENCE)), [])

    def test_it_misses_a_key_that_nobody_shows(self):
        found = self.complaints(ROW.format("new_key", "a number from 0 to 9"))
        self.assertEqual(len(found), 1)
        self.assertIn("node.new_key has no scenario", found[0])

    def test_it_misses_a_text_that_nobody_refuses(self):
        row = ROW.format("new_key", "a string")
        shown = [scenario("node.new_key", {"1": "a", "2": "b"})]
        self.assertIn("node.new_key has no value that a start refuses", self.complaints(row, shown)[0])
        self.assertEqual(self.complaints(row, shown, [("node.new_key", "x")]), [])
        self.assertEqual(self.complaints(row, shown, any_text=["node.new_key"]), [])

    def test_it_sees_a_scenario_that_shows_nothing(self):
        row = ROW.format("new_key", "true or false")
        same = [scenario("node.new_key", {"1": "a", "2": "a"})]
        self.assertIn("does not depend on it", self.complaints(row, same)[0])
        fixed = [scenario("node.new_key", {"1": "a", "2": "b"}, beside={"node.new_key": "3"})]
        self.assertIn("fixed beside", self.complaints(row, fixed)[0])

    def test_it_sees_what_is_no_key_any_more(self):
        gone = [scenario("node.gone", {"1": "a", "2": "b"})]
        self.assertIn("node.gone is tested and is no key", self.complaints("", gone)[0])

    def test_an_inherited_key_is_shown_in_both_tables(self):
        self.assertEqual(scenario("queue.max_age", {}).keys, ["queue.max_age", "listener.queue.max_age"])


if __name__ == "__main__":
    unittest.main()
