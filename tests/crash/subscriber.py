"""A client that subscribes. It follows the receiver's side of QoS 1 and QoS 2, across all its connections."""

import asyncio

from client import Client
from codec import V5, ack, parse, read_publish, wire

NO_RETAINED = 2  # Retain Handling: send no retained messages when subscribing

ANSWERS = {wire.PUBACK, wire.PUBCOMP}  # what ends a delivery and so frees a place within Receive Maximum


class Subscriber(Client):
    """A session with one subscription, or a member of a shared group. `ack_delay_s`: it answers in batches, so that
    much is in flight when the broker dies."""

    def __init__(self, world, client_id, version, listener, ack_delay_s=0.0, **options):
        super().__init__(world, client_id, version, **options)
        self.listener = listener
        self.has_subscribed = False  # SUBACK came
        self._ack_delay_s = ack_delay_s
        self._held_answers = []
        self._incoming = {}  # packet id: message received at QoS 2 and not released
        self._in_flight = set()  # packet ids of deliveries on this connection without PUBACK or PUBCOMP

    # --- the subscription

    def on_connected(self, session_present):
        if not session_present:
            self.forget()
        if not self.is_persistent:
            self.ledger.gone(self.listener)
            return
        if self.has_subscribed and not session_present:
            self.has_subscribed = False
            self.listener.backlog = 0  # nothing of it will come
        if not self.has_subscribed:
            self.subscribe()

    def forget(self):
        """The session is a new one."""
        self._incoming.clear()

    def subscribe(self):
        options = wire.options(qos=self.listener.qos)
        if self.version == V5 and not self.listener.is_group:
            options = wire.options(qos=self.listener.qos, retain_handling=NO_RETAINED)
        share = f"$share/{self.listener.name}/" if self.listener.is_group else ""
        self.ledger.asked(self.listener)
        self.link.send(wire.subscribe(self.version, 1, [(share + self.listener.topic_filter, options)]))
        self.link.flush()

    def on_answer(self, packet):
        if packet.type != wire.SUBACK:
            super().on_answer(packet)
        elif packet.codes != [self.listener.qos]:
            self.note("answer", f"SUBACK with {packet.codes} for QoS {self.listener.qos}")
        else:
            self.has_subscribed = True
            self.ledger.granted(self.listener)

    # --- deliveries

    def on_packet_of_load(self, first, body):
        kind = first >> 4
        if kind == wire.PUBLISH:
            self._on_publish(first, body)
        elif kind == wire.PUBREL:
            packet_id = parse(first, body, self.version).packet_id
            self._incoming.pop(packet_id, None)
            self._answer(wire.PUBCOMP, packet_id)
        else:
            self.note("answer", f"unasked {wire.TYPE_NAMES[kind]}")

    def _on_publish(self, first, body):
        qos = first >> 1 & 3
        topic, packet_id, payload = read_publish(body, qos, self.version)
        message = self._identify(topic, payload, qos)
        self._count_in_flight(packet_id)
        if qos == 1:
            self.ledger.counts["QoS 1 redeliveries"] += first >> 3 & 1
            self._arrived(message)
            self._answer(wire.PUBACK, packet_id)
        elif qos == 2:
            if packet_id not in self._incoming:
                self._incoming[packet_id] = message
                self._arrived(message)
            elif self._incoming[packet_id] is not message:
                self.note("packet id", f"{packet_id} is {self._incoming[packet_id]}, unreleased, and now {message}")
            elif not first & 8:
                self.note("packet id", f"{message} again under {packet_id} without DUP")
            else:
                self.ledger.counts["QoS 2 repeats told by their id"] += 1
            self._answer(wire.PUBREC, packet_id)

    def _identify(self, topic, payload, qos):
        """The message, or None if it has no name: a removal, or a finding."""
        if not payload and topic.startswith(b"crash/retained/"):
            return None
        message = self.ledger.find(payload)
        if message is None or message.topic.encode() != topic:
            self.note("content", f"got {payload[:60]!r} on {topic!r}")
            return None
        if qos != min(message.qos, self.listener.qos):
            self.note("content", f"got {message} at QoS {qos}")
        return message

    def _arrived(self, message):
        if message is not None:
            self.ledger.arrived(self.listener, message)

    def _count_in_flight(self, packet_id):
        self._in_flight.add(packet_id)
        if self.receive_maximum is not None and len(self._in_flight) > self.receive_maximum:
            self.note("receive maximum", f"{len(self._in_flight)} in flight, {self.receive_maximum} allowed")

    def _answer(self, kind, packet_id):
        if self._ack_delay_s:
            if not self._held_answers:
                asyncio.get_running_loop().call_later(self._ack_delay_s, self._answer_held, self.link)
            self._held_answers.append((kind, packet_id))
        else:
            self._transmit(kind, packet_id)

    def _answer_held(self, link):
        if link is not self.link:
            return  # that connection is over, and with it what was to be answered there
        for kind, packet_id in self._held_answers:
            self._transmit(kind, packet_id)
        self._held_answers.clear()
        link.flush()

    def _transmit(self, kind, packet_id):
        if kind in ANSWERS:
            self._in_flight.discard(packet_id)
        self.link.send(ack(kind, packet_id))

    def on_disconnected(self):
        self._held_answers.clear()
        self._in_flight.clear()

    def unfinished(self):
        return len(self._incoming)
