#!/usr/bin/python3
"""Runs the conformance suite against build/release/nightjar (or $NIGHTJAR_BIN).

    runner.py                     everything
    runner.py -k PATTERN          tests whose name or statement id contains PATTERN
    runner.py --statement "5.0 MQTT-3.1.2-5"  tests of exactly this statement; may be given several times
    runner.py -j 8                at most 8 tests at a time
    runner.py --transport ws      over WebSocket instead of TCP; or tls, wss, unix, or auto: TCP, WebSocket and both in
                                  TLS in turn, on one port
    runner.py --report docs/conformance.md    everything, and writes the table of statements

The last line is `N passed, N failed`. The exit code is 0 only when nothing failed and, with --report, every server-side
statement has a passing test.
"""

import argparse
import concurrent.futures
import importlib
import json
import pathlib
import sys
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from conformance import report, suite, transport  # noqa: E402
from conformance.broker import Broker  # noqa: E402
from conformance.transport import REPOSITORY  # noqa: E402

TRACE_LINES_MAX = 40  # of a failing test; its end is what matters


class Outcome:
    def __init__(self, test, error, trace):
        self.test, self.error, self.trace = test, error, trace

    @property
    def passed(self):
        return self.error is None


def collect():
    for folder in suite.STANDARD_OF_FOLDER:
        for path in sorted((HERE / folder).glob("test_*.py")):
            importlib.import_module("conformance.%s.%s" % (folder, path.stem))
    names = [test.name for test in suite.REGISTERED]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        sys.exit("tests with the same name: " + ", ".join(twice))
    return suite.REGISTERED


def is_wanted(test, pattern, statements):
    if statements and not any(test.proves(one) for one in statements):
        return False
    return pattern is None or pattern in test.name or any(pattern in one for one in test.statements)


def run_one(test, broker):
    context = suite.Context(broker)
    error = None
    try:
        test.function(context)
    except Exception:
        error = traceback.format_exc()
    try:
        context.close()
    except Exception:
        error = (error or "") + traceback.format_exc()
    if not broker.is_running():
        error = (error or "") + "the broker has died\n"
    return Outcome(test, error, context.trace)


def show_failure(outcome):
    print("FAILED %s %s" % (outcome.test.name, " ".join(outcome.test.statements)))
    print("  " + outcome.error.rstrip().replace("\n", "\n  "))
    cut = len(outcome.trace) - TRACE_LINES_MAX
    if cut > 0:
        print("  ... %d earlier lines" % cut)
    for line in outcome.trace[-TRACE_LINES_MAX:]:
        print("  | " + line)
    print(flush=True)


def run_all(tests, jobs, verbose):
    """Runs the tests that allow company in parallel, then the others one by one."""
    broker = Broker()
    outcomes = []

    def note(outcome):
        outcomes.append(outcome)
        if not outcome.passed:
            show_failure(outcome)
        elif verbose:
            print("passed %s" % outcome.test.name, flush=True)

    try:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            together = [pool.submit(run_one, test, broker) for test in tests if not test.alone]
            for future in concurrent.futures.as_completed(together):
                note(future.result())
        for test in tests:
            if test.alone:
                note(run_one(test, broker))
        if not broker.is_running():
            print("the broker died during the run:\n" + broker.log_tail())
    finally:
        code = broker.stop()
    if code != 0:
        print("the broker ended with exit code %d" % code)
    return outcomes, code == 0


def write_results(path, outcomes):
    rows = [{"test": outcome.test.name, "standard": outcome.test.standard, "statements": outcome.test.statements,
             "passed": outcome.passed} for outcome in sorted(outcomes, key=lambda outcome: outcome.test.name)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1) + "\n")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", metavar="PATTERN", help="only tests whose name or statement id contains PATTERN")
    parser.add_argument("--statement", metavar="STATEMENT", action="append", default=[],
                        help="only tests of this statement, written as its standard and its id")
    parser.add_argument("-j", type=int, default=8, metavar="N", help="tests at a time (8: most wait for the broker)")
    parser.add_argument("--transport", choices=transport.TRANSPORTS, default="tcp", help="how clients connect (tcp)")
    parser.add_argument("-v", action="store_true", help="name each passing test too")
    parser.add_argument("--list", action="store_true", help="name the tests and stop")
    parser.add_argument("--report", type=pathlib.Path, metavar="FILE", help="write the table of statements")
    parser.add_argument("--results", type=pathlib.Path, metavar="FILE", help="where the results go as JSON",
                        default=REPOSITORY / "build" / "conformance" / "results.json")
    given = parser.parse_args()
    given.is_whole = not given.k and not given.statement
    if given.report and not given.is_whole:
        parser.error("--report needs the whole suite, so it cannot go with -k or --statement")
    return given


def main():
    given = arguments()
    transport.chosen = given.transport
    tests = [test for test in collect() if is_wanted(test, given.k, given.statement)]
    if given.list:
        for test in tests:
            print(test.name, " ".join(test.statements))
        return 0
    outcomes, ended_well = run_all(tests, given.j, given.v)
    write_results(given.results, outcomes)
    complaints = report.check(tests) if given.is_whole else []
    if given.report:
        complaints = report.write(given.report, outcomes)
    for complaint in complaints:
        print(complaint)
    failed = sum(not outcome.passed for outcome in outcomes) + len(complaints) + (0 if ended_well else 1)
    print("%d passed, %d failed" % (sum(outcome.passed for outcome in outcomes), failed))
    return 0 if failed == 0 and outcomes else 1


if __name__ == "__main__":
    sys.exit(main())
