"""Subscribers whose sessions or subscriptions come and go while the broker dies again and again."""

import asyncio

from client import Client, spawn, until
from codec import V5, V311, wire
from subscriber import Subscriber

BACKLOG_TO_RETURN_AT = 2500  # messages: well below the broker's queue limit
PAUSE_S = 1.0  # at most, before somebody subscribes: about the life of a broker, so often just before its end
PASS_S = 0.005  # about as long as a commit takes
AWAY_KILLS_MAX = 4
STAYS_TO_THE_END = 0.2  # share of visitors that return only when all kills are over, or when much waits for them

PACES = [(3, 0), (20, 0.02), (1000, 0), (1000, 0.03)]  # Receive Maximum and delay of answers, in seconds


class Visitors:
    """A place that one session after the other takes: it subscribes, goes away in good order, abruptly or with the
    broker, comes back after some kills, takes what has waited for it, and is ended."""

    def __init__(self, world, name, topic_filters):
        self.world, self.name, self.topic_filters = world, name, topic_filters
        self.dice = world.dice(name)
        self.current = None
        self._task = None

    def start(self):
        self._task = spawn(self._live())

    async def _live(self):
        number = 0
        while not self.world.is_load_over:
            number += 1
            self.current = self._newcomer(number)
            await self._visit(self.current)

    def _newcomer(self, number):
        name = f"{self.name}-{number}"
        listener = self.world.ledger.listen(name, self.dice.choice(self.topic_filters), self.dice.choice((1, 2)))
        receive_maximum, ack_delay_s = self.dice.choice(PACES)
        return Subscriber(self.world, name, self.dice.choice((V311, V5)), listener, receive_maximum=receive_maximum,
                          ack_delay_s=ack_delay_s)

    async def _visit(self, session):
        kills, listener = self.world.ledger.kills, session.listener
        await asyncio.sleep(self.dice.uniform(0, PAUSE_S))
        await subscribe_at_last(session)
        await self._go(session)
        back_at = len(kills) + self.dice.randint(1, AWAY_KILLS_MAX)
        if self.dice.random() < STAYS_TO_THE_END:
            back_at = float("inf")
        await until(lambda: len(kills) >= back_at or listener.backlog > BACKLOG_TO_RETURN_AT
                    or self.world.is_load_over)
        if self.world.is_load_over:
            session.start()  # and stays for the probes
            return
        self.world.ledger.unbind(listener)
        session.start()
        await until(lambda: not listener.missing() or self.world.is_load_over)
        if not self.world.is_load_over:
            await session.stop()
            await session.end_session()
            self.world.ledger.counts["visits"] += 1

    async def _go(self, session):
        how = self.dice.choice(("with DISCONNECT", "abruptly", "with the broker"))
        if how == "with the broker":
            await until(lambda: session.link is None or self.world.is_load_over)
        await session.leave(abruptly=how == "abruptly")

    async def settle(self):
        """Waits until the last visitor is back."""
        await self._task

    async def stop(self):
        await self.current.stop()


async def subscribe_at_last(session):
    """Connects and subscribes, however often the broker dies meanwhile."""
    while not session.has_subscribed:
        await session.connect_at_last()
        await until(lambda: session.has_subscribed or session.link is None)


class Passers:
    """One client after the other that begins a session, leaves at once and comes back to it: CONNACK of a session that
    is milliseconds old must hold."""

    def __init__(self, world, name, version):
        self.world, self.name, self.version = world, name, version
        self.dice = world.dice(name)
        self._task = None

    def start(self):
        self._task = spawn(self._live())

    async def _live(self):
        number = 0
        while not self.world.is_load_over:
            number += 1
            session = Client(self.world, f"{self.name}-{number}", self.version)
            await session.connect_at_last()
            await asyncio.sleep(PASS_S)
            await session.leave(abruptly=self.dice.random() < 0.5)
            await session.connect_at_last()  # which looks whether the session is there
            await session.leave(abruptly=False)
            await session.end_session()
            self.world.ledger.counts["sessions begun and ended at once"] += 1

    async def settle(self):
        await self._task


class Churner(Subscriber):
    """Subscribes and gives up its subscription in turn, by UNSUBSCRIBE or by a clean start. What was acknowledged must
    hold: nothing that is sent in between may come, whatever happens to the broker."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._wants = True  # to be subscribed
        self._churn = None

    def start(self):
        super().start()
        self._churn = spawn(self._change())

    async def _change(self):
        while not self.world.is_load_over:
            await until(lambda: self.has_subscribed or self.world.is_load_over)
            await asyncio.sleep(self.dice.uniform(0, PAUSE_S))
            await self._give_up()
            await asyncio.sleep(self.dice.uniform(0, PAUSE_S))
            self._wants = True
            if self.is_connected and not self.has_subscribed:
                self.subscribe()

    async def _give_up(self):
        await until(lambda: self.is_connected)
        self._wants = False
        self.ledger.unbind(self.listener, keeps_past=False)
        self.starts_clean = self.dice.random() < 0.5
        if self.starts_clean:
            await self.leave(abruptly=True)  # and connects again at once, see live()
        else:
            self._unsubscribe()
        await until(lambda: not self.has_subscribed)

    def _unsubscribe(self):
        self.link.send(wire.unsubscribe(self.version, 2, [self.listener.topic_filter]))
        self.link.flush()

    def on_connected(self, session_present):
        if self.starts_clean:
            self.starts_clean = False
            self.forget()
            self._ended()
        if self._wants:
            super().on_connected(session_present)
        elif self.has_subscribed:
            self._unsubscribe()

    def on_answer(self, packet):
        if packet.type == wire.UNSUBACK:
            self._ended()
        else:
            super().on_answer(packet)

    def _ended(self):
        self.ledger.counts["subscriptions given up"] += 1
        self.has_subscribed = False
        self.ledger.gone(self.listener)

    async def settle(self):
        await self._churn
