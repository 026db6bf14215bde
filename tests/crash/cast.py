"""Who takes part: the publishers, subscribers, groups and wills of a run, as tables."""

import asyncio

from client import Flaps, spawn, until
from codec import V5, V311
from publisher import Publisher
from registrar import Registrar
from subscriber import Subscriber
from visitors import Churner, Passers, Visitors
from wills import WillClient

BACKLOG_MAX = 5000  # messages for one listener at which publishing pauses: half of what the broker lets wait
WRITE_OFF_S = 3.0  # a backlog of which nothing arrives for so long is lost, and is no reason to pause any longer
TICK_S = 0.01

FLAPS = Flaps(stay_s=0.8, away_s=0.3)
LEAVES = range(4)  # last levels of the topics of a publisher

# Version, QoS, window, options.
PUBLISHERS = [
    (V5, (2,), 50, {}),
    (V311, (2,), 10, {"reuses_ids": True}),
    (V5, (1,), 50, {}),
    (V311, (1,), 1, {}),
    (V5, (1, 2), 10, {"reuses_ids": True, "flaps": FLAPS}),
    (V311, (1, 2), 50, {}),
    (V5, (2,), 1, {"reuses_ids": True}),
    (V311, (1,), 10, {"is_persistent": False, "flaps": FLAPS}),
    (V5, (1,), 50, {"is_persistent": False}),
]

# As above, each alone with its retained topics; how many, and its share of the rate of a publisher. What the last ones
# write stands over several kills.
RETAINED_WRITERS = [
    (V5, (1,), 10, {}, 4, 0.3),
    (V311, (2,), 10, {"reuses_ids": True}, 4, 0.3),
    (V5, (2,), 10, {}, 20, 0.02),
    (V311, (1,), 10, {}, 20, 0.02),
]

# Name, version, filter, QoS, options.
SUBSCRIBERS = [
    ("steady-0", V5, "crash/+/0", 2, {"receive_maximum": 200}),
    ("steady-1", V311, "crash/+/1", 2, {"ack_delay_s": 0.02}),
    ("steady-2", V311, "crash/+/2", 1, {}),
    ("narrow", V5, "crash/publisher-0/#", 2, {"receive_maximum": 5}),
    ("slow", V5, "crash/publisher-2/#", 1, {"receive_maximum": 50, "ack_delay_s": 0.02}),
    ("flapping-1", V5, "crash/+/1", 1, {"receive_maximum": 1000, "flaps": FLAPS}),
    ("flapping-2", V5, "crash/+/2", 2, {"receive_maximum": 20, "flaps": FLAPS, "ack_delay_s": 0.01}),
    ("flapping-3", V311, "crash/+/3", 2, {"flaps": FLAPS}),
    ("follower", V5, "crash/retained/#", 1, {}),
]

# Name, filter, QoS, members: version, options.
GROUPS = [
    ("one", "crash/+/0", 1, [(V5, {"receive_maximum": 20}), (V311, {"flaps": FLAPS}),
                             (V5, {"flaps": FLAPS, "ack_delay_s": 0.02})]),
    ("two", "crash/+/3", 2, [(V311, {}), (V5, {"flaps": FLAPS, "receive_maximum": 10}),
                             (V5, {"receive_maximum": 100, "ack_delay_s": 0.02})]),
]

# Version, options.
WILLS = [
    (V311, {}),
    (V5, {"flaps": FLAPS}),
    (V5, {"delay_s": 1}),
    (V5, {"delay_s": 1, "stays_away": True}),
]


class Cast:
    def __init__(self, world, rate):
        self.world, self.rate = world, rate
        self.publishers = [
            Publisher(world, f"publisher-{number}", version, qos, window,
                      [f"crash/publisher-{number}/{leaf}" for leaf in LEAVES], **options)
            for number, (version, qos, window, options) in enumerate(PUBLISHERS)]
        self.writers = [
            Publisher(world, f"writer-{number}", version, qos, window,
                      [f"crash/retained/{number}-{leaf}" for leaf in range(topics)], retain=True, **options)
            for number, (version, qos, window, options, topics, _) in enumerate(RETAINED_WRITERS)]
        listen = world.ledger.listen
        self.subscribers = [Subscriber(world, name, version, listen(name, topic_filter, qos), **options)
                            for name, version, topic_filter, qos, options in SUBSCRIBERS]
        for name, topic_filter, qos, members in GROUPS:
            group = listen(name, topic_filter, qos, is_group=True)
            self.subscribers += [Subscriber(world, f"{name}-{number}", version, group, **options)
                                 for number, (version, options) in enumerate(members)]
        observer = listen("observer", "crash/will/#", 2, is_ordered=False)
        self.subscribers.append(Subscriber(world, "observer", V5, observer))
        self.wills = [WillClient(world, f"will-{number}", version, observer, **options)
                      for number, (version, options) in enumerate(WILLS)]
        filters = [f"crash/publisher-{number}/#" for number in range(len(PUBLISHERS))]
        self.visitors = [Visitors(world, f"visitor-{number}", filters) for number in range(4)]
        self.churner = Churner(world, "churner", V5, listen("churner", "crash/publisher-5/#", 2), receive_maximum=50)
        self.registrars = [Registrar(world, "registrar-0", V5), Registrar(world, "registrar-1", V311)]
        self.passers = [Passers(world, "passer-0", V5), Passers(world, "passer-1", V311)]
        self.is_surging = False  # all windows are to be full
        self._pacer = None

    async def enter(self, bound_s):
        """Subscribers first, then wills, then the load. Whether all of the first had subscribed in time."""
        for each in self.subscribers:
            each.start()
        if not await until(lambda: all(each.has_subscribed for each in self.subscribers), bound_s):
            return False
        for each in [*self.wills, *self.visitors, self.churner, *self.registrars, *self.passers, *self.publishers,
                     *self.writers]:
            each.start()
        self._pacer = spawn(self._pace())
        return True

    async def _pace(self):
        """Hands out allowances, evenly in time, while no listener has too much before it."""
        clock = self.world.ledger.clock
        shares = [(each, 1.0) for each in self.publishers]
        shares += [(each, row[-1]) for each, row in zip(self.writers, RETAINED_WRITERS)]
        per_share_s = self.rate / sum(share for _, share in shares)
        last = clock()
        while True:
            await asyncio.sleep(TICK_S)
            now = clock()
            if self._may_send(now):
                for each, share in shares:
                    earned = each.window if self.is_surging else per_share_s * share * (now - last)
                    each.allowance = min(each.window, each.allowance + earned)  # nobody saves up more while it is away
                    each.pump()
            last = now

    def _may_send(self, now):
        if not self.world.broker.is_up:
            return True
        crowded = [each for each in self.world.ledger.listeners if each.backlog > BACKLOG_MAX]
        since = self.world.broker.up_since
        for each in crowded:
            if now - max(each.last_arrival_at(), since) > WRITE_OFF_S:
                each.backlog = 0
        return not crowded

    async def settle(self, bound_s):
        """After the last kill: the load ends, every exchange is brought to its end, everything that is owed arrives.
        Whether all this came about in time."""
        world, ledger = self.world, self.world.ledger
        world.is_load_over = True
        for each in [*self.visitors, self.churner, *self.registrars, *self.passers]:
            await each.settle()
        for each in self.wills:
            await each.stop()
        for each in [*self.publishers, *self.writers]:
            each.end_load()
        self._pacer.cancel()
        progress = _Progress(ledger)
        while self._is_unsettled():
            if progress.has_stopped_for(bound_s):
                return False
            await asyncio.sleep(TICK_S)
        return True

    def _is_unsettled(self):
        return (any(each.unfinished() for each in self._exchangers())
                or any(each.missing() for each in self.world.ledger.listeners))

    def _exchangers(self):
        return [*self.publishers, *self.writers, *self.subscribers, *(each.current for each in self.visitors),
                self.churner, *self.registrars]

    async def leave(self):
        for each in [*self.publishers, *self.writers, *self.subscribers, *self.visitors, self.churner,
                     *self.registrars]:
            await each.stop()

    def note_unfinished(self):
        for each in self._exchangers():
            if each.unfinished():
                each.note("unfinished", f"{each.unfinished()} exchanges")


class _Progress:
    """Whether anything was acknowledged or arrived lately."""

    def __init__(self, ledger):
        self._ledger = ledger
        self._last, self._last_at = None, ledger.clock()

    def has_stopped_for(self, bound_s):
        now = self._ledger.clock()
        current = self._ledger.acks, sum(len(each.arrivals) for each in self._ledger.listeners)
        if current != self._last:
            self._last, self._last_at = current, now
        return now - self._last_at > bound_s
