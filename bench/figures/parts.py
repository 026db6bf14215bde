"""What is measured: the parts of docs/performance.md, each a list of loads and of the brokers that carry them."""

from dataclasses import dataclass

from figures import ways

DIRECT = ("nightjar", "relay")
PEERS = ("mosquitto", "nats", "rabbitmq")
# What makes it lose nothing and wait for nothing in a flood; it costs it processor time.
TUNED = "mosquitto-tuned"
ALL = ("nightjar", "relay", *PEERS)
# The relay copies bytes and acknowledges nothing, so that it takes QoS 0 without a group or a queue.
SPEAKING = ("nightjar", *PEERS)
FLOODED = ("nightjar", "relay", "mosquitto", TUNED, "nats", "rabbitmq")

PACED = "p2p -r 20000"
DISTURBANCES = ("all", "stalled", "bomb")
FILTERS = (1_000, 100_000, 1_000_000)
SIZES = (64, 1024, 16 * 1024, 1024 * 1024)
SUBSCRIBERS = (1, 10, 100, 1000)
PAIRS = (10, 100, 1000)
# Acknowledges without the disk, as mosquitto does.
IN_MEMORY = "nightjar-memory"
STORING = ("nightjar", IN_MEMORY, *PEERS)
CONFIGURATIONS = ("one worker", "two workers", "two, adaptive")
IDLE_POINTS = (5_000, 15_000)
WAYS = tuple(ways.OPTIONS)
WAY_POINTS = (1_000, 5_000)
# It needs a fifth of a MiB and a millisecond for each connection.
IDLE_POINTS_RABBITMQ = (500, 1_500)


@dataclass(frozen=True)
class Load:
    line: str  # a scenario of nightjar bench with its options, without the durations
    brokers: tuple


def without(brokers, *absent):
    return tuple(name for name in brokers if name not in absent)


def fanout(subscribers):
    # At the 1000 messages of the other floods, rabbitmq would be busy for minutes after the end with a million of them.
    return f"fanout --subscribers {subscribers}" + (" -w 100" if subscribers >= 1000 else "")


def pairs(count):
    return f"p2p --publishers {count} --subscribers {count} -w 10"


def wild(filters, zipf=False, churn=False):
    return f"wild --filters {filters}" + (" --zipf 1" if zipf else "") + (" --beside churn" if churn else "")


def idle(clients, subscribed=False):
    return f"conn --clients {clients}" + (" --subscribe" if subscribed else "")


def flood():
    answered = without(FLOODED, "relay")
    return [Load("p2p -q 0", FLOODED), Load("p2p -q 1", answered), Load("p2p -q 2", without(answered, "nats")),
            Load("p2p -q 2 --inflight 100", without(answered, "nats")),
            Load(fanout(100), FLOODED), Load(fanout(1000), FLOODED),
            Load("fanin --publishers 100 --subscribers 1", FLOODED),
            Load("shared --publishers 50 --subscribers 4", without(answered, "nats", "rabbitmq")),
            Load(pairs(1000), ALL)]


def routing():
    loads = []
    for filters in FILTERS:
        brokers = ("nightjar", "mosquitto", "nats") if filters <= 100_000 else ("nightjar", "mosquitto")
        loads += [Load(wild(filters), brokers), Load(wild(filters, zipf=True), brokers)]
    return [*loads, Load(wild(FILTERS[-1], churn=True), ("nightjar", "mosquitto"))]


def conn():
    return [Load(idle(clients, subscribed), brokers)
            for points, brokers in ((IDLE_POINTS, without(SPEAKING, "rabbitmq")), (IDLE_POINTS_RABBITMQ, ("rabbitmq",)))
            for clients in points for subscribed in (False, True)]


def stored():
    return [Load("retained", without(STORING, "rabbitmq")), Load("offline", STORING)]


def paced():
    return [Load(PACED, ALL)]


def isolation():
    return [Load(line, ("nightjar", "mosquitto", "nats"))
            for line in (PACED, *(f"{PACED} --beside {kind}" for kind in DISTURBANCES))]


def workers():
    return [Load("p2p", CONFIGURATIONS)]


def payload():
    return [Load(f"p2p -s {size}", DIRECT) for size in SIZES]


def way_flood(qos):
    return f"p2p -q {qos} -s 64"


def way_idle(clients):
    return f"conn --clients {clients} --dialing 100"


def transports():
    """Over TCP anew, so that ratios are of rounds that were taken in between."""
    return [Load(line, WAYS) for line in (way_flood(0), way_flood(1), *map(way_idle, WAY_POINTS))]


def sweep():
    """What the plots need beyond the other parts."""
    return ([Load(fanout(count), ("nightjar", "relay", "mosquitto", "nats")) for count in SUBSCRIBERS[:2]] +
            [Load(pairs(count), ("nightjar", "relay", "mosquitto", "nats")) for count in PAIRS[:2]])


PARTS = {"flood": flood, "routing": routing, "conn": conn, "stored": stored, "paced": paced, "isolation": isolation,
         "workers": workers, "payload": payload, "transports": transports, "sweep": sweep}
