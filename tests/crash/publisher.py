"""A client that publishes. It follows the sender's side of QoS 1 and QoS 2 to the letter, across all its connections."""

from collections import deque

from client import Client
from codec import V5, ack, publish, read_ack, wire

PADDINGS = [b"." * size for size in (0, 16, 64, 100, 200, 400, 2000)]
PADDING_WEIGHTS = [20, 20, 20, 20, 10, 9, 1]  # mostly small; now and then one that fills a block of a log file
REMOVAL_SHARE = 0.1  # of what is written to retained topics


class Publisher(Client):
    """`window`: messages in flight. `reuses_ids`: takes the lowest free packet id, so that each id comes back at once.
    Without a persistent session it sends again, under new ids, what was not acknowledged."""

    def __init__(self, world, client_id, version, qos, window, topics, retain=False, reuses_ids=False, **options):
        super().__init__(world, client_id, version, **options)
        self.qos, self.window, self.topics, self.retain = qos, window, topics, retain
        self.reuses_ids = reuses_ids
        self.allowance = 0.0  # messages it may send by now
        self.is_load_over = False
        self._probes = deque()  # topic and QoS of messages to send when the load is over
        self._unacked = {}  # packet id: message without PUBACK or PUBREC, in the order of sending
        self._released = {}  # packet id: message whose PUBREL left or has to leave, in the order of PUBREC
        self._again = deque()  # messages of an earlier clean session
        self._last_id = 0
        self._payloads = {}  # message: payload, while it may have to be sent again

    # --- sending

    def pump(self):
        """Sends what window and allowance permit."""
        if not self.is_connected:
            return
        limit = min(self.window, self.broker_receive_maximum if self.version == V5 else 65535)
        while len(self._unacked) + len(self._released) < limit:
            if self._again:
                self._put(self._again.popleft())
            elif self.is_load_over:
                if not self._probes:
                    break
                topic, qos = self._probes.popleft()
                self._put(self._new(topic, qos, is_probe=True))
            elif self.allowance >= 1:
                self.allowance -= 1
                self._put(self._new(self.dice.choice(self.topics), self.dice.choice(self.qos)))
            else:
                break
        self.link.flush()

    def _new(self, topic, qos, is_probe=False):
        is_removal = self.retain and self.dice.random() < REMOVAL_SHARE
        message = self.ledger.send(self.client_id, topic, qos, self.retain, is_removal, is_probe)
        padding = self.dice.choices(PADDINGS, PADDING_WEIGHTS)[0]
        self._payloads[message] = message.payload(padding)
        return message

    def _put(self, message):
        packet_id = self._free_id()
        self._unacked[packet_id] = message
        self._transmit(packet_id, message, dup=False)

    def _transmit(self, packet_id, message, dup):
        self.link.send(publish(self.version, message.topic.encode(), self._payloads[message], message.qos, packet_id,
                               dup, self.retain))

    def _free_id(self):
        candidate = 0 if self.reuses_ids else self._last_id
        while True:
            candidate = candidate % 65535 + 1
            if candidate not in self._unacked and candidate not in self._released:
                self._last_id = candidate
                return candidate

    def end_load(self):
        """No new messages but, last of all, one for each topic; what is retained stays as it is."""
        self.is_load_over = True
        if not self.retain:
            self._probes.extend((topic, qos) for topic in self.topics for qos in self.qos)
        self.pump()

    def unfinished(self):
        return len(self._unacked) + len(self._released) + len(self._again) + len(self._probes)

    # --- resuming

    def on_connected(self, session_present):
        if not self.is_persistent:
            self._again = deque([*self._unacked.values(), *self._again])
            self._unacked.clear()
        elif session_present:
            # [MQTT-4.4.0-1], [MQTT-4.6.0-1], [MQTT-4.6.0-4]
            self.ledger.counts["PUBREL sent again"] += len(self._released)
            self.ledger.counts["PUBLISH sent again"] += len(self._unacked)
            for packet_id in self._released:
                self.link.send(ack(wire.PUBREL, packet_id))
            for packet_id, message in self._unacked.items():
                self._transmit(packet_id, message, dup=True)
        else:
            self._forget()
        self.pump()

    def _forget(self):
        """The broker has lost the session, so this side must drop it too [MQTT-3.2.2-5]: QoS 1 may go out again as
        new, QoS 2 may not, as nobody knows what became of it."""
        self._again.extend(message for message in self._unacked.values() if message.qos == 1)
        self._unacked.clear()
        self._released.clear()

    # --- answers

    def on_packet_of_load(self, first, body):
        kind = first >> 4
        packet_id, code = read_ack(body)
        if code >= 0x80 and kind != wire.PUBCOMP:
            self.note("answer", f"{wire.TYPE_NAMES[kind]} {packet_id} with 0x{code:02x}")
            self._payloads.pop(self._unacked.pop(packet_id, None), None)
        elif kind == wire.PUBACK:
            self._on_acked(packet_id, 1)
        elif kind == wire.PUBREC:
            self._on_acked(packet_id, 2)
        elif kind == wire.PUBCOMP:
            message = self._released.pop(packet_id, None)
            if message is not None:
                self._finish(message)
        self.pump()

    def _on_acked(self, packet_id, qos):
        message = self._unacked.get(packet_id)
        if message is None and qos == 2 and packet_id in self._released:
            return  # PUBREL has left already
        if message is None or message.qos != qos:
            self.note("ack order", f"QoS {qos} acknowledgement of {packet_id}, which waits for none")
            return
        oldest = next(each for each in self._unacked.values() if each.qos == qos)
        if message is not oldest:
            self.note("ack order", f"{message} acknowledged before {oldest}")
        del self._unacked[packet_id]
        if qos == 1:
            self._finish(message)
            return
        self.ledger.acked(message)
        self._released[packet_id] = message
        self.link.send(ack(wire.PUBREL, packet_id))

    def _finish(self, message):
        self.ledger.done(message)
        self._payloads.pop(message, None)
