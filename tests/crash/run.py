#!/usr/bin/python3
"""Kills the broker again and again under load and proves that nothing it acknowledged is lost.

    run.py                       30 kills of build/release/nightjar (or $NIGHTJAR_BIN), a new seed each time
    run.py --kills 500 --seed 7  the plan of seed 7: who does what, when it is killed; the timing is the machine's
    run.py --broker mosquitto    the same against a broker that does not promise it: losses must be found

The broker gets SIGKILL at a random instant while publishers, subscribers, shared groups, retained messages and wills
are at work, sometimes while it is still starting, and is started again on the same data directory. All clients come
back and go on. A ledger in this process knows what was acknowledged; check.py has the promises that are checked.

The last line is `N passed, N failed`: one for each restart, one for each promise. After a failure the directory with
the data, the log of the broker and the ledger is kept.
"""

import argparse
import asyncio
import gc
import pathlib
import secrets
import shutil
import sys
import tempfile
import traceback

import check
from broker import COMMANDS, START_BOUND_S, Broker, StartFailed
from cast import Cast
from client import World, until
from codec import V5, V311, wire
from ledger import Ledger
from retained import RetainedReader

EARLY_SHARE = 0.15  # of kills that come right after a start, mostly during recovery
EARLY_S = (0.0, 0.15)  # after the start of the process
SURGE_SHARE = 0.5  # of the other kills come upon full windows
SURGE_S = 0.05
SETTLE_BOUND_S = 10.0  # without any arrival or acknowledgement, until what is missing counts as lost
FINISH_BOUND_S = 180.0
SHOWN_MAX = 10  # findings of one kind


class Run:
    def __init__(self, given, directory):
        self.given, self.directory = given, directory
        self.ledger = Ledger()
        self.broker = Broker(given.broker, directory, given.workers, given.durability)
        self.world = World(self.ledger, self.broker, given.seed)
        self.cast = Cast(self.world, given.rate)
        self.dice = self.world.dice("kills")
        self.restarts = 0
        self.load_s = 0.0  # from the first message to the last kill

    async def play(self):
        """The whole run; findings are in the ledger."""
        asyncio.get_running_loop().set_exception_handler(self._on_exception)
        try:
            await self.broker.start()
            await self.broker.wait_until_answering()
            if not await self.cast.enter(START_BOUND_S):
                self.ledger.note("answer", "not all subscribers got their SUBACK at the start")
                return
            begun = self.ledger.clock()
            await self._kill_and_restart()
            self.load_s = self.ledger.clock() - begun
            await asyncio.wait_for(self._finish(), FINISH_BOUND_S)
        except asyncio.TimeoutError:
            self.ledger.note("unfinished", f"the run itself, within {FINISH_BOUND_S:g} s after the last kill")
        except StartFailed as failure:
            self.ledger.note("restart", str(failure))
        finally:
            self.broker.kill()

    async def _kill_and_restart(self):
        for number in range(self.given.kills):
            is_early = number > 0 and self.dice.random() < EARLY_SHARE
            if is_early:
                self.ledger.counts["kills during or right after a start"] += 1
                await self._start_for(self.dice.uniform(*EARLY_S))
            else:
                await self._serve_for_a_while(number)
            self.ledger.killed()  # first, for nothing is cut before
            self.broker.kill()
            await self.broker.wait_until_dead()
            self.cast.is_surging = False
            await self.broker.start()
        await self._answer()
        await self._load_is_under_way()

    async def _start_for(self, seconds):
        """A moment after a start, whether that is enough for the broker to answer or not."""
        end = self.ledger.clock() + seconds
        try:
            await asyncio.wait_for(self._answer(), seconds)
            await asyncio.sleep(end - self.ledger.clock())
        except asyncio.TimeoutError:
            pass

    async def _serve_for_a_while(self, number):
        if number > 0:
            await self._answer()
        await self._load_is_under_way()
        seconds = self.dice.uniform(*self.given.seconds_between)
        await RetainedReader(self.world, f"reader-{number}", self.dice.choice((V311, V5))).read()
        if self.dice.random() < SURGE_SHARE:
            await asyncio.sleep(max(0.0, seconds - SURGE_S))
            self.cast.is_surging = True
            seconds = min(seconds, SURGE_S)
        await asyncio.sleep(seconds)

    async def _answer(self):
        await self.broker.wait_until_answering()
        self.restarts += 1

    async def _load_is_under_way(self):
        acks = self.ledger.acks
        if not await until(lambda: self.ledger.acks > acks, START_BOUND_S):
            raise StartFailed(f"nothing was acknowledged for {START_BOUND_S:g} s:\n{self.broker.log_tail()}")

    async def _finish(self):
        await self.cast.settle(SETTLE_BOUND_S)
        self.cast.note_unfinished()
        await RetainedReader(self.world, "reader", V5).read()
        await self.cast.leave()
        problem = await self.broker.stop()
        if problem:
            self.ledger.note("restart", problem)

    def _on_exception(self, _loop, context):
        error = context.get("exception")
        kind = "answer" if isinstance(error, wire.WireError) else "test"
        text = "".join(traceback.format_exception(error)) if error else context["message"]
        self.ledger.note(kind, text)

    # --- the report

    def report(self):
        """Prints it; whether all is well."""
        findings = check.check(self.ledger)
        for kind, promise in check.KINDS.items():
            found = [finding for finding in findings if finding.kind == kind]
            for finding in found[:SHOWN_MAX]:
                print(f"FAILED {kind}, kill {finding.kill}: {finding.text}")
            if len(found) > SHOWN_MAX:
                print(f"... {len(found)} findings that break: {promise}")
        self._print_figures()
        broken = {finding.kind for finding in findings}
        if broken:
            self.ledger.write(self.directory / "ledger.txt")
            print(f"seed {self.given.seed}; data, broker.log and ledger.txt are in {self.directory}")
        kept = [kind for kind in check.KINDS if kind not in broken]
        print(f"{self.restarts + len(kept)} passed, {len(broken)} failed")
        return not broken

    def _print_figures(self):
        ledger = self.ledger
        arrivals = sum(len(each.arrivals) for each in ledger.listeners)
        print(f"seed {self.given.seed}: {len(ledger.kills)} kills in {self.load_s:.1f} s under load, "
              f"{ledger.acks} messages acknowledged ({ledger.acks / max(self.load_s, 1e-9):.0f}/s), {arrivals} arrivals, "
              f"slowest start {max(self.broker.starts_s, default=0):.2f} s, "
              f"longest queue {max(each.backlog_max for each in ledger.listeners)}")
        print(", ".join(f"{count} {name}" for name, count in sorted(ledger.counts.items())))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, metavar="N", help="how often the broker is killed (30)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), metavar="S", help="of the plan")
    parser.add_argument("--workers", type=int, default=2, metavar="W", help="threads of the broker (2)")
    parser.add_argument("--seconds-between", type=float, nargs=2, default=(0.05, 1.5), metavar=("MIN", "MAX"),
                        help="from the first acknowledgement after a start to the next kill (0.05 1.5)")
    parser.add_argument("--rate", type=float, default=2000, metavar="R",
                        help="messages per second, outside of surges (2000)")
    parser.add_argument("--durability", choices=("fsync", "os"), default="fsync", help="class of the broker (fsync)")
    parser.add_argument("--broker", choices=sorted(COMMANDS), default="nightjar", help="which one (nightjar)")
    return parser.parse_args()


def main():
    given = arguments()
    gc.disable()  # hundreds of thousands of messages live to the end, and looking through them would stall the clients
    directory = pathlib.Path(tempfile.mkdtemp(prefix="nightjar-crash-"))

    async def play():
        run = Run(given, directory)
        await run.play()
        return run

    is_well = asyncio.run(play()).report()
    if is_well:
        shutil.rmtree(directory, ignore_errors=True)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
