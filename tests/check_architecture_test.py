#!/usr/bin/python3
"""Plants violations in a small tree and expects check_architecture.py to name each of them."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import check_architecture


class Architecture(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.root = Path(self.directory.name)
        # A healthy tree: every test plants one fault into it.
        self.write("src/base/bytes.h", "#include <cstdint>")
        self.write("src/base/clock.h", "#include <cstdint>")
        self.write("src/mqtt/reader.h", '#include "base/bytes.h"\n#include <span>')
        self.write("src/broker/worker.h", '#include "mqtt/reader.h"\n#include <atomic>')
        self.write("src/observe/counter.h", '#include "base/bytes.h"')
        self.write("src/store/memory.h", '#include "broker/worker.h"\n#include <mutex>')
        self.write("src/net/server.h", '#include "broker/worker.h"\n#include "observe/counter.h"')
        self.write("src/cli/serve.h", '#include "net/server.h"\n#include "store/memory.h"')
        self.write("src/main/main.cc", '#include "cli/serve.h"\n#include <iostream>')

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    def assert_finding(self, *parts):
        findings, _ = check_architecture.check(self.root)
        self.assertEqual(len(findings), 1, findings)
        for part in parts:
            self.assertIn(part, findings[0])

    def assert_clean(self):
        self.assertEqual(check_architecture.check(self.root)[0], [])

    def test_a_healthy_tree_is_clean(self):
        self.assert_clean()

    def test_a_lower_package_must_not_include_a_higher_one(self):
        self.write("src/mqtt/writer.h", '#include "base/bytes.h"\n#include "broker/worker.h"')
        self.assert_finding("src/mqtt/writer.h:2", "mqtt/ must not include broker/")

    def test_packages_of_one_row_must_not_include_each_other(self):
        self.write("src/store/disk.h", '#include "net/server.h"')
        self.assert_finding("src/store/disk.h:1", "store/ must not include net/")

    def test_the_upper_rows_must_not_include_each_other(self):
        self.write("src/admin/api.h", '#include "cli/serve.h"')
        self.assert_finding("admin/ must not include cli/")

    def test_nothing_includes_main(self):
        self.write("src/main/wiring.h", "")
        self.write("src/cli/check.h", '#include "main/wiring.h"')
        self.assert_finding("cli/ must not include main/")

    def test_observe_stands_on_base_alone(self):
        self.write("src/observe/topics.h", '#include "broker/worker.h"')
        self.assert_finding("observe/ must not include broker/")

    def test_the_pure_packages_do_not_feed_observe(self):
        self.write("src/broker/counters.h", '#include "observe/counter.h"')
        self.assert_finding("broker/ must not include observe/")

    def test_an_unknown_package_is_refused(self):
        self.write("src/helpers/things.h", "")
        self.assert_finding("helpers/ has no place in the picture")

    def test_impure_headers_are_refused_in_the_core(self):
        impure = """thread mutex shared_mutex condition_variable future semaphore latch barrier stop_token
            fstream iostream sstream filesystem cstdio chrono ctime time.h random sys/socket.h sys/epoll.h
            netinet/in.h arpa/inet.h unistd.h fcntl.h poll.h pthread.h boost/asio.hpp fmt/chrono.h fmt/os.h
            spdlog/spdlog.h openssl/ssl.h rocksdb/db.h""".split()
        for package in ("broker", "mqtt"):
            for header in impure:
                with self.subTest(package=package, header=header):
                    self.write(f"src/{package}/planted.cc", f"#include <{header}>")
                    self.assert_finding(f"src/{package}/planted.cc:1", f"<{header}>")
            (self.root / f"src/{package}/planted.cc").unlink()

    def test_an_indented_include_is_an_include(self):
        self.write("src/mqtt/planted.cc", "#ifdef X\n  #  include <thread>\n#endif")
        self.assert_finding("src/mqtt/planted.cc:2", "<thread>")

    def test_an_include_in_a_comment_is_none(self):
        self.write("src/mqtt/planted.cc", "// #include <thread>\n/*\n#include <mutex>\n*/\n")
        self.assert_clean()

    def test_an_impure_header_is_found_through_base(self):
        self.write("src/base/clock.h", '#include "base/ticks.h"')
        self.write("src/base/ticks.h", "#include <chrono>")
        self.write("src/broker/expiry.h", '#include "base/clock.h"')
        self.assert_finding("src/broker/expiry.h:1", "base/clock.h -> base/ticks.h -> <chrono>")

    def test_base_itself_may_be_impure(self):
        self.write("src/base/system_clock.cc", '#include "base/clock.h"\n#include <chrono>')
        self.assert_clean()

    def test_calls_to_the_outside_are_refused_in_the_core(self):
        self.write("src/broker/pick.cc", "#include <cstdlib>\nint pick() { return std::rand(); }")
        self.assert_finding("src/broker/pick.cc:2", "std::rand")

    def test_tests_beside_the_core_may_use_threads(self):
        self.write("src/broker/worker_test.cc", '#include "broker/worker.h"\n#include <thread>')
        self.assert_clean()

    def test_tests_beside_the_core_keep_to_the_picture(self):
        self.write("src/broker/worker_test.cc", '#include "store/memory.h"')
        self.assert_finding("broker/ must not include store/")

    def test_tests_may_include_the_support_of_the_tests(self):
        self.write("tests/support/sim.h", "")
        self.write("src/broker/worker_test.cc", '#include "tests/support/sim.h"\n#include "support/sim.h"')
        self.assert_clean()

    def test_code_must_not_include_the_support_of_the_tests(self):
        self.write("tests/support/sim.h", "")
        self.write("src/broker/worker.cc", '#include "tests/support/sim.h"')
        self.assert_finding('no "tests/support/sim.h" in src/')

    def test_a_header_is_named_by_its_path_from_src(self):
        self.write("src/mqtt/writer.cc", '#include "reader.h"')
        self.assert_finding('no "reader.h" in src/')

    def test_own_headers_stand_in_quotes(self):
        self.write("src/net/loop.h", "#include <broker/worker.h>")
        self.assert_finding("in quotes")

    def test_a_circle_is_found(self):
        self.write("src/mqtt/a.h", '#include "mqtt/b.h"')
        self.write("src/mqtt/b.h", '#include "mqtt/a.h"')
        self.assert_finding("circle", "mqtt/a.h -> mqtt/b.h -> mqtt/a.h")


if __name__ == "__main__":
    unittest.main()
