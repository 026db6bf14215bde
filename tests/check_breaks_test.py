#!/usr/bin/python3
"""Breaks a tree of one file with broken_copy.py, and looks at the verdicts and at what is left of the file."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import broken_copy
from broken_copy import Break, Done, Edit

TEXT = "if (guard) stop();\nif (other) stop();\ngo();\n"


class FakeCopy:
    """A copy whose build succeeds as long as go() is called."""

    apply = broken_copy.Copy.apply

    def __init__(self, root):
        self.root = root
        self.file = root / "x.cc"
        self.file.write_text(TEXT)

    def build(self):
        return Done(0 if "go();" in self.file.read_text() else 1, "go() is missing")


def notices(copy, one):
    """Tests that look at the first guard only."""
    return ("MISSED", "") if "if (guard)" in copy.file.read_text() else ("found", "by the test of " + one.name)


class Verdicts(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.copy = FakeCopy(Path(directory.name))

    def verdict(self, *edits):
        found = broken_copy.judge(self.copy, Break("it", [Edit("x.cc", *edit) for edit in edits]), notices)
        self.assertEqual(self.copy.file.read_text(), TEXT, "the place was not put back")
        return found

    def test_a_break_that_the_tests_notice_is_found(self):
        self.assertEqual(self.verdict(("if (guard) stop();", "")), ("found", "by the test of it"))

    def test_several_places_are_broken_together(self):
        self.assertEqual(self.verdict(("if (other) stop();", ""), ("if (guard) stop();", ""))[0], "found")

    def test_a_break_that_they_do_not_notice_is_missed(self):
        self.assertEqual(self.verdict(("if (other) stop();", ""))[0], "MISSED")

    def test_a_break_that_does_not_compile_is_told_apart(self):
        verdict, remark = self.verdict(("go();", ""))
        self.assertEqual(verdict, "BROKEN")
        self.assertIn("go() is missing", remark)

    def test_a_guard_that_is_not_there_is_stale(self):
        self.assertEqual(self.verdict(("if (guard) return;", ""))[0], "STALE")

    def test_a_guard_that_could_be_two_places_is_stale(self):
        self.assertEqual(self.verdict(("stop();", ""))[0], "STALE")

    def test_a_file_that_is_gone_is_stale(self):
        gone = Break("it", [Edit("y.cc", "x", "")])
        self.assertEqual(broken_copy.judge(self.copy, gone, notices)[0], "STALE")

    def test_only_what_is_found_counts_as_passed(self):
        breaks = [Break("found", [Edit("x.cc", "if (guard)", "if (false)")]),
                  Break("missed", [Edit("x.cc", "if (other)", "if (false)")]),
                  Break("stale", [Edit("x.cc", "if (gone)", "")]), Break("broken", [Edit("x.cc", "go();", "")])]
        with contextlib.redirect_stdout(io.StringIO()) as output:
            self.assertEqual(broken_copy.judge_all(self.copy, breaks, notices), (1, 3))
        words = [line.split()[0] for line in output.getvalue().splitlines()]
        self.assertEqual([word for word in words if word != "go()"], ["found", "MISSED", "STALE", "BROKEN"])


class Running(unittest.TestCase):
    def test_output_and_status_are_kept(self):
        done = broken_copy.run([sys.executable, "-c", "print('out'); raise SystemExit(3)"])
        self.assertEqual((done.status, done.output), (3, "out\n"))

    def test_what_hangs_is_ended(self):
        done = broken_copy.run([sys.executable, "-c", "import threading; threading.Event().wait()"], 0.2)
        self.assertIsNone(done.status)

    def test_no_breaks_are_no_pass(self):
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(broken_copy.close(0, 0), 1)
            self.assertEqual(broken_copy.close(1, 0), 0)
            self.assertEqual(broken_copy.close(1, 1), 1)


if __name__ == "__main__":
    unittest.main()
