"""A client that outlives its connections: it connects, is cut off or leaves, and comes back with what it remembers."""

import asyncio
import random
import time

from codec import V5, Splitter, parse, wire

ANSWER_BOUND_S = 20.0  # when silence of a running broker becomes a finding; no statement about speed
SESSION_EXPIRY_S = 3600  # longer than any run
RETRY_S = 0.01  # pause after a refused connection
POLL_S = 0.02


async def until(condition, bound_s=float("inf")):
    """Waits for a condition; whether it came true within the bound."""
    deadline = time.monotonic() + bound_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_S)
    return True


class World:
    """What all who take part share."""

    def __init__(self, ledger, broker, seed):
        self.ledger, self.broker, self.seed = ledger, broker, seed
        self.is_load_over = False  # no more kills, no more messages but the probes

    def dice(self, name):
        """Chance of one who takes part, the same for the same seed."""
        return random.Random(f"{self.seed}/{name}")


def spawn(coroutine):
    """A task whose breaking down is told at once, to the handler of the loop."""
    def tell(task):
        if not task.cancelled() and task.exception() is not None:
            task.get_loop().call_exception_handler({"message": "a task broke down", "exception": task.exception()})
    task = asyncio.create_task(coroutine)
    task.add_done_callback(tell)
    return task


class Flaps:
    """How long a client stays and how long it stays away, at most."""

    def __init__(self, stay_s, away_s):
        self.stay_s, self.away_s = stay_s, away_s


class Link(asyncio.Protocol):
    """One connection. What is sent while received bytes are worked on leaves together."""

    def __init__(self, client):
        self._client = client
        self._splitter = Splitter()
        self._out = []
        self.transport = None
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        for first, body in self._splitter.feed(data):
            if self._client.link is self:  # it may have left in between
                self._client.on_packet(first, body)
        self.flush()

    def connection_lost(self, _error):
        self.lost.set_result(None)
        if self._client.link is self:
            self._client.on_lost()

    def send(self, data):
        self._out.append(data)

    def flush(self):
        if self._out and not self.transport.is_closing():
            self.transport.write(b"".join(self._out))
        self._out.clear()


class Client:
    """`is_persistent`: it keeps its session from connection to connection, and so must the broker."""

    def __init__(self, world, client_id, version, is_persistent=True, receive_maximum=None, flaps=None):
        self.world, self.client_id, self.version = world, client_id, version
        self.ledger = world.ledger
        self.dice = world.dice(client_id)
        self.is_persistent, self.flaps = is_persistent, flaps
        self.receive_maximum = receive_maximum if version == V5 else None  # unknown to 3.1.1
        self.link = None
        self.is_connected = False
        self.broker_receive_maximum = 65535
        self._connack = None
        self._session = "none"  # none; asked: a CONNECT for it left; there: a CONNACK for it came
        self.starts_clean = False  # the next connection ends the session of before
        self._is_leaving = asyncio.Event()
        self._task = None

    @property
    def is_leaving(self):
        return self._is_leaving.is_set()

    # --- for those who derive

    def will(self):
        """The will of the next connection."""
        return None

    def on_connected(self, session_present):
        pass

    def on_packet_of_load(self, first, body):
        raise NotImplementedError

    def on_disconnected(self):
        pass

    # --- the connection

    async def connect(self):
        """One attempt. Whether CONNACK came; what follows from it is done when this returns."""
        loop = asyncio.get_running_loop()
        try:
            _, link = await loop.create_connection(lambda: Link(self), *self.world.broker.address)
        except OSError:
            await asyncio.sleep(RETRY_S)
            return False
        self.link = link
        self._connack = loop.create_future()
        clean = self.starts_clean or not self.is_persistent
        link.send(self._connect_packet(clean))
        link.flush()
        if clean:
            self._session = "none"
        elif self._session == "none":
            self._session = "asked"
        try:
            return await asyncio.wait_for(self._connack, ANSWER_BOUND_S)
        except asyncio.TimeoutError:
            self.note("answer", "no CONNACK")
            await self.leave(abruptly=True)
            return False

    def _connect_packet(self, clean):
        properties = {}
        if self.version == V5:
            properties["session_expiry_interval"] = SESSION_EXPIRY_S if self.is_persistent else 0
            if self.receive_maximum is not None:
                properties["receive_maximum"] = self.receive_maximum
        return wire.connect(self.version, self.client_id, clean=clean, will=self.will(), properties=properties)

    def on_packet(self, first, body):
        kind = first >> 4
        if self.is_connected and wire.PUBLISH <= kind <= wire.PUBCOMP:
            self.on_packet_of_load(first, body)
            return
        packet = parse(first, body, self.version)
        if kind == wire.CONNACK:
            self._on_connack(packet)
        elif kind == wire.DISCONNECT:
            self.note("answer", f"DISCONNECT with 0x{packet.code:02x}")
        else:
            self.on_answer(packet)

    def on_answer(self, packet):
        self.note("answer", f"unasked {packet!r}")

    def _on_connack(self, packet):
        if packet.code != 0:
            self.note("answer", f"CONNACK with 0x{packet.code:02x}")
            self._connack.set_result(False)
            return
        self._check_session(packet.session_present)
        self.ledger.counts["sessions resumed"] += packet.session_present
        if self.is_persistent:
            self._session = "there"
        if self.version == V5:
            self.broker_receive_maximum = packet.properties.get("receive_maximum", 65535)
        self.is_connected = True
        self.on_connected(packet.session_present)
        self._connack.set_result(True)

    def _check_session(self, present):
        if self._session == "there" and not present:
            self.note("session", "the session is gone")
        elif self._session == "none" and present:
            self.note("session", "a session that was never begun, or was ended, is there")

    def on_lost(self):
        was_connected, self.is_connected, self.link = self.is_connected, False, None
        if self._connack is not None and not self._connack.done():
            self._connack.set_result(False)
        if was_connected:
            self.on_disconnected()

    async def leave(self, abruptly):
        """Ends the connection, with DISCONNECT or without, and waits until it is closed on this side."""
        link = self.link
        if link is None:
            return
        if abruptly:
            link.transport.abort()
        else:
            link.send(wire.disconnect(self.version))
            link.flush()
            link.transport.close()
        self.on_lost()
        await link.lost

    async def end_session(self):
        """Leaves no session behind, however often the broker dies meanwhile. For clients whose life is over."""
        self.is_persistent = False
        while not await self.connect():
            await self.world.broker.wait_until_up()
        await self.leave(abruptly=False)

    # --- the life

    def start(self):
        self._task = spawn(self.live())

    async def live(self):
        """Connects again and again until it is told to stop; leaves now and then if it flaps."""
        while not self.is_leaving:
            await self.connect_at_last()
            if self.link is not None:
                await self._stay(self.link)
            if self.link is not None and self.flaps is not None and not self.is_leaving:
                await self.leave(self.leaves_abruptly())
            await self.pause()
        await self.leave(abruptly=False)

    def leaves_abruptly(self):
        """How a client that flaps leaves this time."""
        return self.dice.random() < 0.5

    async def pause(self):
        """Between two connections."""
        if self.flaps is not None:
            await until(lambda: self.is_leaving, self.dice.uniform(0, self.flaps.away_s))

    async def connect_at_last(self):
        """Connects, however often the broker dies meanwhile."""
        while not self.is_leaving:
            await self.world.broker.wait_until_up()
            if await self.connect():
                return

    async def _stay(self, link):
        ends = [link.lost, asyncio.create_task(self._is_leaving.wait())]
        stay_s = None if self.flaps is None else self.dice.uniform(0, self.flaps.stay_s)
        await asyncio.wait(ends, timeout=stay_s, return_when=asyncio.FIRST_COMPLETED)
        ends[1].cancel()

    async def stop(self):
        self._is_leaving.set()
        if self._task is not None:
            await self._task

    def note(self, kind, text):
        self.ledger.note(kind, f"{self.client_id}: {text}")
