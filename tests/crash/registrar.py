"""A client that subscribes and unsubscribes without a pause, so that an acknowledgement is fresh when the broker dies."""

import asyncio

from client import Client, spawn
from codec import ack, publish, read_ack, read_publish, wire

FILTERS = 40
REQUESTS_MAX = 4  # under way at a time
PAUSE_S = 0.005  # between two of them


class Registrar(Client):
    """After each return it publishes to every filter whose SUBACK or UNSUBACK came on the connection before: where it is
    subscribed the message must come, where it is not it must not."""

    def __init__(self, world, client_id, version):
        super().__init__(world, client_id, version)
        self.places = [self.ledger.listen(f"{client_id}/{number}", f"crash/registered/{client_id}/{number}", 1)
                       for number in range(FILTERS)]
        self._requests = {}  # packet id: place, and whether it is to be subscribed
        self._fresh = set()  # places whose state was acknowledged on this connection
        self._probes = {}  # packet id: message without PUBACK
        self._last_probes = {}  # place: its last message
        self._last_id = 0
        self._work = None

    def start(self):
        super().start()
        self._work = spawn(self._change())

    async def _change(self):
        while not self.world.is_load_over:
            await asyncio.sleep(PAUSE_S)
            free = self._free_places()
            if self.is_connected and free and len(self._requests) < REQUESTS_MAX:
                self._request(self.dice.choice(free))
                self.link.flush()

    def _free_places(self):
        """Those that no request is under way for, and that have nothing to prove."""
        asked = [place for place, _ in self._requests.values()]
        return [place for place in self.places if place not in asked and self._is_proved(place)]

    def _is_proved(self, place):
        message = self._last_probes.get(place)
        if message is None:
            return True
        return message not in self._probes.values() and (
            place.open_period is None or message in place.arrival_counts)

    def _request(self, place):
        is_wanted = place.open_period is None
        if is_wanted:
            self.ledger.asked(place)
        else:
            self.ledger.unbind(place, keeps_past=False)
        packet_id = self._new_id()
        self._requests[packet_id] = place, is_wanted
        self._send_request(packet_id)

    def _send_request(self, packet_id):
        place, is_wanted = self._requests[packet_id]
        if is_wanted:
            self.link.send(wire.subscribe(self.version, packet_id, [(place.topic_filter, place.qos)]))
        else:
            self.link.send(wire.unsubscribe(self.version, packet_id, [place.topic_filter]))

    def _new_id(self):
        while True:
            self._last_id = self._last_id % 65535 + 1
            if self._last_id not in self._requests and self._last_id not in self._probes:
                return self._last_id

    def on_connected(self, session_present):
        if not session_present:
            self._forget()
        for packet_id, message in self._probes.items():
            self._transmit(packet_id, message, dup=True)
        for place in self.places:
            if place in self._fresh:
                self._probe(place)
        self._fresh.clear()
        for packet_id in self._requests:  # the answer was cut off; asking twice changes nothing
            self._send_request(packet_id)

    def _forget(self):
        for place in self.places:
            self.ledger.gone(place)
        for state in (self._requests, self._fresh, self._probes, self._last_probes):
            state.clear()

    def _probe(self, place):
        message = self.ledger.send(self.client_id, place.topic_filter, 1, is_probe=True)
        self._last_probes[place] = message
        packet_id = self._new_id()
        self._probes[packet_id] = message
        self._transmit(packet_id, message, dup=False)
        self.ledger.counts["fresh SUBACKs and UNSUBACKs proved"] += 1

    def _transmit(self, packet_id, message, dup):
        self.link.send(publish(self.version, message.topic.encode(), message.payload(), message.qos, packet_id, dup,
                               retain=False))

    def on_answer(self, packet):
        if packet.type not in (wire.SUBACK, wire.UNSUBACK) or packet.packet_id not in self._requests:
            super().on_answer(packet)
            return
        place, is_wanted = self._requests.pop(packet.packet_id)
        if is_wanted and packet.codes == [place.qos]:
            self.ledger.granted(place)
        elif is_wanted:
            self.note("answer", f"SUBACK with {packet.codes}")
        else:
            self.ledger.gone(place)
        self._fresh.add(place)

    def on_packet_of_load(self, first, body):
        kind = first >> 4
        if kind == wire.PUBACK:
            message = self._probes.pop(read_ack(body)[0], None)
            if message is not None:
                self.ledger.done(message)
        elif kind == wire.PUBLISH:
            topic, packet_id, payload = read_publish(body, first >> 1 & 3, self.version)
            message = self.ledger.find(payload)
            if message is None or message.topic.encode() != topic:
                self.note("content", f"got {payload[:60]!r} on {topic!r}")
            else:
                self.ledger.arrived(self._place_of(message), message)
            self.link.send(ack(wire.PUBACK, packet_id))
        else:
            self.note("answer", f"unasked {wire.TYPE_NAMES[kind]}")

    def _place_of(self, message):
        return self.places[int(message.topic.rsplit("/", 1)[1])]

    def unfinished(self):
        return len(self._requests) + len(self._probes)

    async def settle(self):
        await self._work
