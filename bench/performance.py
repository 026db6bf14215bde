#!/usr/bin/python3
"""Measures Nightjar beside mosquitto, nats-server and rabbitmq, and writes docs/performance.md from what it found.

    bench/performance.py run [--only PART]... [--rounds N] [--duration S]   measures into bench/performance.json
    bench/performance.py write                                              the pages and the plots from that file

A part replaces its own earlier figures. `./dev performance` installs what this needs, and does both.
"""

import argparse
from pathlib import Path

from figures import measure, page, parts, plots

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench/performance.json"
DOCS = ROOT / "docs"


def run(arguments):
    measure.run(RESULTS, arguments.only or list(parts.PARTS), arguments.rounds, arguments.duration)


def write(_):
    results = measure.read(RESULTS)
    plots.write(results, DOCS / "performance")
    for language, path in page.PAGES.items():
        (DOCS / path).write_text(page.page(results, language))


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("run")
    command.set_defaults(act=run)
    command.add_argument("--only", action="append", choices=list(parts.PARTS))
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--duration", type=float, default=2, help="seconds that each load is measured")
    commands.add_parser("write").set_defaults(act=write)
    return parser.parse_args(words)


def main():
    arguments = parse(None)
    arguments.act(arguments)


if __name__ == "__main__":
    main()
