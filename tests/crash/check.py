"""What a ledger proves: one function for each promise, each returns findings.

Every rule keeps to what is certain. A message that was sent but not acknowledged may have arrived or not; one that was
sent before its subscription was granted too; a QoS 1 message may arrive as often as it likes.
"""

from ledger import Finding

QUEUE_MESSAGES_MAX = 10_000  # the broker's default for one session; above it a loss would be no fault

# Kind: the promise that a finding of this kind breaks.
KINDS = {
    "restart": "the broker comes up again by itself, in time",
    "answer": "a client is answered, in time, as the standard says, and never refused",
    "session": "an acknowledged session is there again, an ended one is not",
    "subscription": "an acknowledged subscription is there again",
    "lost": "an acknowledged message arrives",
    "duplicate": "a QoS 2 message arrives once",
    "order": "messages of a publisher, topic and QoS arrive in order",
    "unexpected": "nothing arrives that was sent without a subscription",
    "content": "a message arrives as it was sent",
    "packet id": "an unreleased packet id names one message, and its repeat says DUP",
    "receive maximum": "no more is in flight to a client than it allows",
    "ack order": "acknowledgements come in the order of what they acknowledge",
    "unfinished": "every exchange comes to its end",
    "retained": "a retained message is the last one acknowledged or a later one",
    "will missing": "the will of a connection that was cut is published",
    "will doubled": "a will is published once",
    "will withdrawn": "a will is not published when its client came back in time or said goodbye",
    "test": "nothing in the test itself breaks down",
    "limits": "the test keeps below the broker's queue limits",
}


def check(ledger):
    """All findings, those of the moment first."""
    return [*ledger.noted, *lost(ledger), *duplicates(ledger), *order(ledger), *unexpected(ledger),
            *withdrawn_wills(ledger), *limits(ledger)]


def is_will(message):
    return message.topic.startswith("crash/will/")


def lost(ledger):
    """Acknowledged, sent after the subscription was granted, never arrived. One finding for all messages of one
    publisher to one listener before the same kill. Probes are sent when all kills are over: without them the
    subscription itself is lost."""
    groups = {}
    for listener in ledger.listeners:
        for message in listener.missing():
            kind = "will missing" if is_will(message) else "subscription" if message.is_probe else "lost"
            key = kind, listener.name, message.publisher, ledger.kill_before(message.acked_at)
            groups.setdefault(key, []).append(message)
    for (kind, listener, publisher, kill), messages in groups.items():
        last = max(messages, key=lambda message: message.acked_at)
        yield Finding(kind, f"{listener} misses {len(messages)} of {publisher}: {messages[0]} and on; the last, "
                            f"{last.seq}, was acknowledged {ledger.moment(last.acked_at)}", kill)


def duplicates(ledger):
    for listener in ledger.listeners:
        if listener.qos < 2:
            continue
        for message, count in listener.arrival_counts.items():
            if count > 1 and message.qos == 2:
                times = [at for one, at in zip(listener.arrivals, listener.arrival_times) if one is message]
                kind = "will doubled" if is_will(message) else "duplicate"
                yield Finding(kind, f"{listener.name} got {message} {count} times: "
                              + ", ".join(ledger.moment(at) for at in times), ledger.kill_before(times[-1]))


def order(ledger):
    """Per listener, publisher, topic and QoS of publication, the first arrivals have rising numbers; repeats are left
    out. Groups have no order (the standard orders non-shared subscriptions only), wills neither."""
    for listener in ledger.listeners:
        if not listener.is_ordered:
            continue
        highest, seen = {}, set()
        for message, at in zip(listener.arrivals, listener.arrival_times):
            if message in seen:
                continue
            seen.add(message)
            stream = message.publisher, message.topic, message.qos
            if message.seq < highest.get(stream, -1):
                yield Finding("order", f"{listener.name} got {message} first after {highest[stream]}, "
                                       f"{ledger.moment(at)}", ledger.kill_before(at))
            else:
                highest[stream] = message.seq


def unexpected(ledger):
    """Arrived, though it was sent after the subscription had ended, and done before the next one was asked for."""
    for listener in ledger.listeners:
        for message, at in zip(listener.arrivals, listener.arrival_times):
            if not any(period.explains(message) for period in listener.periods):
                yield Finding("unexpected", f"{listener.name} got {message}, sent {ledger.moment(message.sent_at)}, "
                                            f"{ledger.moment(at)}", ledger.kill_before(at))


def withdrawn_wills(ledger):
    for listener in ledger.listeners:
        for message, at in zip(listener.arrivals, listener.arrival_times):
            if message.is_void:
                yield Finding("will withdrawn", f"{listener.name} got {message}, {ledger.moment(at)}",
                              ledger.kill_before(at))


def limits(ledger):
    for listener in ledger.listeners:
        if listener.backlog_max >= QUEUE_MESSAGES_MAX:
            yield Finding("limits", f"up to {listener.backlog_max} messages waited for {listener.name}", 0)


def retained(ledger, topic, floor, observed):
    """Why `observed` (a write, or None: no retained message) must not stand on a topic whose writes up to `floor` were
    done when it was asked for; None if it may."""
    writes = ledger.retained.get(topic, [])
    allowed = [write for write in writes if floor is None or write.seq >= floor.seq]
    if observed is None:
        if floor is None or any(write.is_removal for write in allowed):
            return None
        return f"{topic} has nothing, but {floor} was acknowledged {ledger.moment(floor.acked_at)}"
    if observed in allowed:
        return None
    return f"{topic} has {observed}, but {'its removal, ' if floor.is_removal else ''}{floor} was acknowledged " \
           f"{ledger.moment(floor.acked_at)}"
