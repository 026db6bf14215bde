#!/usr/bin/python3
"""Plants what check_words.py and check_headers.py look for and expects them to find it."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import check_words


class Words(unittest.TestCase):
    def findings(self, line, path="src/x.cc"):
        return list(check_words.findings_in(path, f"first\n{line}\n", Path("/build/agent/nightjar")))

    def assert_finding(self, line, what):
        findings = self.findings(line)
        self.assertEqual(len(findings), 1, findings)
        self.assertIn("src/x.cc:2: " + what, findings[0])

    def test_paths_of_a_machine_are_found(self):
        for folder in ("/ho" + "me/eve/x", "/Us" + "ers/eve/x", "/ro" + "ot/x"):
            self.assert_finding(f'open("{folder}")', "a path of somebody's machine")

    def test_the_path_of_the_checkout_is_found(self):
        self.assert_finding("cd /build/agent/nightjar/src", "the path of this very checkout")
        self.assert_finding("see /build/agent/notes", "the path of this very checkout")

    def test_work_left_undone_is_found(self):
        self.assert_finding("// TO" + "DO: check the length", "work left undone")
        self.assert_finding("// FIX" + "ME", "work left undone")

    def test_merge_leftovers_are_found(self):
        self.assert_finding("<" * 7 + " HEAD", "a leftover of a merge")

    def test_trailing_white_space_is_found(self):
        self.assert_finding("int x; ", "white space")

    def test_disabled_tests_are_found(self):
        self.assert_finding("TEST(Reader, DIS" + "ABLED_Publish) {", "a disabled test")

    def test_ordinary_text_is_not(self):
        for line in ("int x;", "device/home/lamp", "topic root/x", "/home/ann/data", "https://example.org/home/x", "mktemp -d " + "X" * 6):
            self.assertEqual(self.findings(line), [], line)


class Headers(unittest.TestCase):
    def check(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".h") as header:
            header.write(text)
            header.flush()
            done = subprocess.run([sys.executable, HERE / "check_headers.py", header.name], capture_output=True)
            return done.returncode

    def test_a_header_that_includes_what_it_needs_passes(self):
        self.assertEqual(self.check("#pragma once\n#include <cstdint>\ninline std::uint8_t x = 1;\n"), 0)

    def test_a_header_that_leans_on_others_fails(self):
        self.assertEqual(self.check("#pragma once\ninline std::vector<int> x;\n"), 1)

    def test_a_header_without_a_guard_fails(self):
        self.assertEqual(self.check("struct X {};\n"), 1)


if __name__ == "__main__":
    unittest.main()
