"""A client that has no past, to see which retained messages stand."""

import check
from client import Client, until
from codec import ack, read_publish, wire

REPLAY_BOUND_S = 5.0  # when a retained message that does not come is missing; no statement about speed


class RetainedReader(Client):
    """Subscribes once and compares what is retained with what was acknowledged before."""

    def __init__(self, world, client_id, version):
        super().__init__(world, client_id, version, is_persistent=False)
        self._heard = set()  # topics with a message of either kind
        self._floors = {}
        self._is_replay_over = False  # as far as an answer to PINGREQ can tell

    async def read(self):
        """Reads until nothing more has to come. Topics on which something must stand and nothing does are findings."""
        if not await self.connect():
            self.note("retained", "could not be read")
            return
        await until(lambda: self._is_replay_over and not self._absent(), REPLAY_BOUND_S)
        for problem in self._absent():
            self.note("retained", problem)
        await self.leave(abruptly=False)

    def _absent(self):
        """What is wrong with topics of which nothing was heard. Writes that leave meanwhile are taken into account."""
        problems = (check.retained(self.ledger, topic, floor, None)
                    for topic, floor in self._floors.items() if topic not in self._heard)
        return [problem for problem in problems if problem]

    def on_connected(self, session_present):
        self._floors = {topic: self.ledger.retained_floor(topic) for topic in self.ledger.retained}
        self.link.send(wire.subscribe(self.version, 1, [("crash/retained/#", 1)]))
        self.link.send(wire.pingreq())

    def on_answer(self, packet):
        if packet.type == wire.PINGRESP:
            self._is_replay_over = True
        elif packet.type != wire.SUBACK:
            super().on_answer(packet)

    def on_packet_of_load(self, first, body):
        qos = first >> 1 & 3
        topic, packet_id, payload = read_publish(body, qos, self.version)
        if qos:
            self.link.send(ack(wire.PUBACK, packet_id))
        topic = topic.decode("utf-8", "replace")
        self._heard.add(topic)
        if first & 1:
            self._compare(topic, payload)

    def _compare(self, topic, payload):
        message = self.ledger.find(payload)
        if message is None or message.topic != topic:
            self.note("content", f"got {payload[:60]!r} as retained on {topic}")
            return
        problem = check.retained(self.ledger, topic, self._floors.get(topic), message)
        if problem:
            self.note("retained", problem)
