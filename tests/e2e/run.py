#!/usr/bin/python3
"""End-to-end tests: independent clients, and what an operator sees, over real sockets.

    run.py               every case against build/release/nightjar (or $NIGHTJAR_BIN)
    run.py -k PATTERN    cases whose name contains PATTERN
    run.py -l            the names

Needs mosquitto-clients, libpaho-mqtt-dev, python3-paho-mqtt, nodejs and npm. The last line is `N passed, N failed`;
a failing case is named, with the output of every client that took part.
"""
import argparse
import concurrent.futures
import sys
import traceback

import cases_abuse  # noqa: F401  each module registers its cases
import cases_agents  # noqa: F401
import cases_mosquitto  # noqa: F401
import cases_nightjar  # noqa: F401
import cases_operator  # noqa: F401
import cases_store  # noqa: F401
import harness
from agent import Agents


def run_case(name, function, broker, agents):
    """None, or why the case failed."""
    case = harness.Case(name, broker, agents)
    problem = None
    try:
        function(case)
    except (harness.Failure, AssertionError) as failure:
        problem = str(failure)
    except Exception:  # a case that breaks must not take the others with it
        problem = traceback.format_exc()
    if problem is not None:
        problem = "\n".join([f"FAILED {name}: {problem}", *case.transcripts()])
    case.close(failed=problem is not None)
    return problem


def run_cases(names, jobs, verbose):
    """The number of failed cases, and whether the broker they shared ended in good order. Cases that must be alone come
    last, one by one."""
    broker = harness.Broker()
    agents = Agents()
    failed = 0

    def note(name, problem):
        nonlocal failed
        failed += problem is not None
        if problem is not None or verbose:
            print(problem or f"passed {name}", flush=True)

    try:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            together = {pool.submit(run_case, name, harness.CASES[name], broker, agents): name
                        for name in names if name not in harness.ALONE}
            for future in concurrent.futures.as_completed(together):
                note(together[future], future.result())
        for name in names:
            if name in harness.ALONE:
                note(name, run_case(name, harness.CASES[name], broker, agents))
    finally:
        agents.close()
        problem = broker.end()
    if problem is not None:
        print(f"FAILED end of the run: {problem}", flush=True)
    return failed, problem is None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", metavar="PATTERN", default="", help="run the cases whose name contains PATTERN")
    parser.add_argument("-j", type=int, default=6, metavar="N", help="cases at a time (6: most wait for a client)")
    parser.add_argument("-l", "--list", action="store_true", help="print the names and stop")
    parser.add_argument("-v", "--verbose", action="store_true", help="print a line for every case that passed")
    arguments = parser.parse_args()
    names = [name for name in harness.CASES if arguments.k in name]
    if arguments.list:
        print("\n".join(names))
        return 0
    if not names:
        print(f'no case has "{arguments.k}" in its name')
        return 2
    failed, ended_well = run_cases(names, arguments.j, arguments.verbose)
    print(f"{len(names) - failed} passed, {failed} failed")
    return 0 if ended_well and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
