#!/usr/bin/python3
"""End-to-end tests: independent clients, and what an operator sees, over real sockets.

    run.py               every case against build/release/nightjar (or $NIGHTJAR_BIN)
    run.py --browser     instead of these, those that need Chromium
    run.py -k PATTERN    cases whose name contains PATTERN
    run.py -l            the names

Needs mosquitto, mosquitto-clients, libpaho-mqtt-dev, python3-paho-mqtt, nodejs and npm; with --browser chromium and
libnss3-tools as well. The last line is `N passed, N failed`, with
`, N skipped` behind it if there were any; a failing case is named, with the output of every client that took part, and
so is a skipped one, with the reason.
"""
import argparse
import collections
import concurrent.futures
import sys
import traceback

import cases_abuse  # noqa: F401  each module registers its cases
import cases_access  # noqa: F401
import cases_agents  # noqa: F401
import cases_browser  # noqa: F401
import cases_check  # noqa: F401
import cases_client_certificates  # noqa: F401
import cases_controller  # noqa: F401
import cases_disk_full  # noqa: F401
import cases_import  # noqa: F401
import cases_keys  # noqa: F401
import cases_mosquitto  # noqa: F401
import cases_mosquitto_access  # noqa: F401
import cases_mosquitto_conf  # noqa: F401
import cases_nightjar  # noqa: F401
import cases_operator  # noqa: F401
import cases_reload  # noqa: F401
import cases_store  # noqa: F401
import cases_tls
import cases_transports  # noqa: F401
import harness
from agent import Agents


def run_case(name, function, broker, agents):
    """What the case came to: "passed", "failed" or "skipped", and what there is to say about it."""
    case = harness.Case(name, broker, agents)
    problem = None
    skipped = None
    try:
        function(case)
    except harness.Skipped as reason:
        skipped = f"skipped {name}: {reason}"
    except (harness.Failure, AssertionError) as failure:
        problem = str(failure)
    except Exception as failure:  # a case that breaks must not take the others with it
        problem = f"{type(failure).__name__}: {failure}\n{traceback.format_exc()}"
    if problem is not None:
        problem = "\n".join([f"FAILED {name}: {problem}", *case.transcripts()])
    case.close(failed=problem is not None)
    if skipped is not None:
        return "skipped", skipped
    return ("passed", f"passed {name}" + (case.figures and f": {case.figures}")) if problem is None else ("failed", problem)


def run_cases(names, jobs, verbose):
    """How many cases came to what, and whether the broker they shared ended in good order. Cases that must be alone
    come last, one by one."""
    broker = harness.SharedBroker()
    agents = Agents()
    counts = collections.Counter()

    def note(outcome, text):
        counts[outcome] += 1
        if outcome != "passed" or verbose:
            print(text, flush=True)

    try:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            together = [pool.submit(run_case, name, harness.CASES[name], broker, agents)
                        for name in names if name not in harness.ALONE]
            for future in concurrent.futures.as_completed(together):
                note(*future.result())
        for name in names:
            if name in harness.ALONE:
                note(*run_case(name, harness.CASES[name], broker, agents))
    finally:
        agents.close()
        problem = broker.end()
    if problem is not None:
        print(f"FAILED end of the run: {problem}", flush=True)
    return counts, problem is None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", metavar="PATTERN", default="", help="run the cases whose name contains PATTERN")
    parser.add_argument("-j", type=int, default=6, metavar="N", help="cases at a time (6: most wait for a client)")
    parser.add_argument("--browser", action="store_true", help="run the cases that need Chromium, and no others")
    parser.add_argument("-l", "--list", action="store_true", help="print the names and stop")
    parser.add_argument("-v", "--verbose", action="store_true", help="print a line for every case that passed")
    parser.add_argument("--rotations", type=int, default=cases_tls.rotations, metavar="N",
                        help="certificates that tls/rotation goes through (%(default)s)")
    arguments = parser.parse_args()
    cases_tls.rotations = arguments.rotations
    names = [name for name in harness.CASES if arguments.k in name and (name in harness.IN_BROWSER) == arguments.browser]
    if arguments.list:
        print("\n".join(names))
        return 0
    if not names:
        print(f'no case has "{arguments.k}" in its name')
        return 2
    counts, ended_well = run_cases(names, arguments.j, arguments.verbose)
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}")
    return 0 if ended_well and not counts["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
