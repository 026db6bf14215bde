"""Clients whose wills are to be published when their connection is cut, above all by the death of the broker.

Certain, from [MQTT-3.1.2-8] and [MQTT-3.1.3-9], for a connection whose CONNACK came: if it ends without DISCONNECT, its
will is published, once, though perhaps only after a restart. A will with a delay is not published if the client was
connected again before the delay was over; it is published if the client stays away. A client that comes back at about
the end of the delay proves nothing, nor does a connection without CONNACK, nor a DISCONNECT that a kill may have
overtaken.
"""

from client import Client, until
from codec import V5, wire

DELAY_MARGIN_S = 0.1  # a return so close to the end of the delay counts as too late to be sure


class WillClient(Client):
    """`stays_away`: once cut off it does not come back until its will was seen by `observer`."""

    def __init__(self, world, client_id, version, observer, delay_s=0, stays_away=False, **options):
        super().__init__(world, client_id, version, **options)
        self.observer, self.delay_s, self.stays_away = observer, delay_s, stays_away
        self._offered = None  # the will of the connection that is being made
        self._armed = None  # the will of this connection
        self._armed_at = None
        self._delayed = None  # the will of the last connection, if its fate is open

    def will(self):
        self._offered = self.ledger.send(self.client_id, f"crash/will/{self.client_id}", 2)
        properties = {"will_delay_interval": self.delay_s} if self.version == V5 else None
        return wire.Will(self._offered.topic, self._offered.payload(), qos=2, properties=properties)

    def on_connected(self, session_present):
        now = self.ledger.clock()
        if self._delayed is not None:
            cut_at = self.ledger.first_kill_after(self._armed_at)
            if cut_at is not None and now - cut_at < self.delay_s - DELAY_MARGIN_S:
                self.ledger.withdraw(self._delayed)
                self.ledger.counts["wills withdrawn"] += 1
            self._delayed = None
        self._armed, self._armed_at = self._offered, now

    def on_disconnected(self):
        if self._armed is None:
            return
        if self.delay_s == 0 or self.stays_away:
            self.ledger.acked(self._armed)
            self.ledger.counts["wills due"] += 1
        else:
            self._delayed = self._armed
        self._armed = None

    def leaves_abruptly(self):
        return True

    async def leave(self, abruptly):
        if not abruptly and self._armed is not None:
            self.ledger.withdraw(self._armed)
            self._armed = None
        await super().leave(abruptly)

    async def pause(self):
        if not self.stays_away:
            await super().pause()
            return
        will = self._offered
        await until(lambda: will in self.observer.arrival_counts or self.is_leaving)

    def on_packet_of_load(self, first, _body):
        self.note("answer", f"unasked {wire.TYPE_NAMES[first >> 4]}")
