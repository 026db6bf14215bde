#!/usr/bin/python3
"""Feeds tools/steps.sh what test runners print and expects the right sum: a suite that dies, or that says
nothing, must never look like one that passed.
"""

import subprocess
import tempfile
import unittest
from pathlib import Path

STEPS = Path(__file__).resolve().parent.parent / "tools" / "steps.sh"


class Steps(unittest.TestCase):
    def run_steps(self, *commands):
        """The closing line of a script whose steps are these commands, and its exit status."""
        with tempfile.TemporaryDirectory() as logs:
            lines = [f"step step{number} bash -c {command!r}" for number, command in enumerate(commands)]
            script = "\n".join(["set -euo pipefail", f"LOGS={logs}", f"source {STEPS}", *lines, "summary"])
            done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        return done.stdout.splitlines()[-1], done.returncode

    def test_sums_are_added(self):
        self.assertEqual(self.run_steps("echo 3 passed, 0 failed", "echo total: 4 passed, 0 failed, 2 skipped"),
                         ("7 passed, 0 failed, 2 skipped", 0))

    def test_the_last_line_of_a_step_counts(self):
        self.assertEqual(self.run_steps("echo 3 passed, 0 failed; echo 5 passed, 0 failed"), ("5 passed, 0 failed", 0))

    def test_a_failure_fails_the_whole(self):
        self.assertEqual(self.run_steps("echo 3 passed, 1 failed; exit 1", "echo 2 passed, 0 failed"),
                         ("5 passed, 1 failed", 1))

    def test_a_counted_failure_counts_even_if_the_step_exits_with_0(self):
        self.assertEqual(self.run_steps("echo 3 passed, 1 failed"), ("3 passed, 1 failed", 1))

    def test_a_step_that_dies_after_its_line_is_a_failure(self):
        self.assertEqual(self.run_steps("echo 3 passed, 0 failed; exit 7"), ("3 passed, 1 failed", 1))

    def test_a_silent_step_is_a_failure(self):
        self.assertEqual(self.run_steps("echo all is well"), ("0 passed, 1 failed", 1))

    def test_no_test_at_all_is_a_failure(self):
        self.assertEqual(self.run_steps("echo 0 passed, 0 failed"), ("0 passed, 0 failed", 1))

    def test_the_steps_after_a_failure_still_run(self):
        self.assertEqual(self.run_steps("exit 1", "echo 2 passed, 0 failed"), ("2 passed, 1 failed", 1))

    def test_the_end_names_what_failed(self):
        with tempfile.TemporaryDirectory() as logs:
            script = "\n".join(["set -euo pipefail", f"LOGS={logs}", f"source {STEPS}",
                                "step a bash -c 'echo FAILED retained.is_kept; echo 3 passed, 1 failed'",
                                "step b bash -c 'for i in {1..99}; do echo passed x; done; echo 99 passed, 0 failed'",
                                "summary"])
            done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        self.assertEqual(done.stdout.splitlines()[-3:], ["FAILED retained.is_kept", "", "102 passed, 1 failed"])

    def test_the_first_failing_command_of_a_function_ends_its_step(self):
        script = "f() { false; echo 1 passed, 0 failed; }; step f f; summary"
        with tempfile.TemporaryDirectory() as logs:
            done = subprocess.run(["bash", "-c", f"set -euo pipefail; LOGS={logs}; source {STEPS}; {script}"],
                                  capture_output=True, text=True)
        self.assertEqual(done.stdout.splitlines()[-1], "0 passed, 1 failed")

    def test_a_closing_line_of_ctest_is_understood(self):
        self.assertEqual(self.run_steps("echo 100% tests passed, 0 tests failed out of 12"), ("12 passed, 0 failed", 0))
        self.assertEqual(self.run_steps("echo 75% tests passed, 3 tests failed out of 12; exit 8"),
                         ("9 passed, 3 failed", 1))

    def test_what_ctest_skipped_has_not_passed(self):
        self.assertEqual(
            self.run_steps("echo 100% tests passed, 0 tests failed out of 12; echo; echo The following tests did "
                           'not run:; echo "4 - net.Ipv6 (Skipped)"'),
            ("11 passed, 0 failed, 1 skipped", 0))

    def test_a_line_in_the_output_of_a_test_is_not_the_closing_line_of_ctest(self):
        self.assertEqual(self.run_steps("echo 99 passed, 0 failed; echo 100% tests passed, 0 tests failed out of 2"),
                         ("2 passed, 0 failed", 0))


if __name__ == "__main__":
    unittest.main()
