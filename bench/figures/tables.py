"""The tables of docs/performance.md, from the results. Cells are medians; a ratio is to nightjar unless a table says
else."""

import math
import statistics

from figures import parts

CPU_MESSAGE = "CPU µs per message"
ABSENT = "–"
UNCLEAN = "*"


# ---- figures ----

class Results:
    """Looks figures up in the file of results, whichever part has them."""

    def __init__(self, json):
        self.parts = json["parts"]

    def load(self, line):
        return next((part["loads"][line] for part in self.parts.values() if line in part["loads"]), None)

    def median(self, line, phase, figure, broker):
        """None if it was not measured."""
        load = self.load(line)
        rounds = load and load["figures"].get(phase, {}).get(figure, {}).get(broker)
        return statistics.median(rounds) if rounds else None

    def is_unclean(self, line, broker):
        load = self.load(line)
        return bool(load) and broker in load["unclean"]


def ratio(value, base):
    return value / base if value is not None and base else None


def slope(few, many, points):
    """Bytes of one connection from the MiB of few and of many, without what the process has anyway."""
    if few is None or many is None:
        return None
    return (many - few) * 2**20 / (points[1] - points[0])


# ---- text ----

def number(value):
    """Three digits that count, thousands apart, no exponent."""
    if value is None:
        return ABSENT
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}" if value else "0"


def count(value):
    return f"{value:,}".replace(",", " ")


def times(value):
    return "" if value is None else f"{number(value)}×"


def with_ratio(value, base):
    found = times(ratio(value, base))
    return f"{number(value)} ({found})" if found else number(value)


def table(titles, rows):
    """Markdown; the first column is text, the others are numbers."""
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def code(line):
    return f"`{line}`"


# ---- tables ----

def by_broker(results, lines, phase, figure, brokers):
    """A row for each load, a column for each broker, ratios to nightjar."""
    for line in lines:
        base = results.median(line, phase, figure, "nightjar")
        row = [code(line)]
        for broker in brokers:
            mark = UNCLEAN if results.is_unclean(line, broker) else ""
            cell = with_ratio(results.median(line, phase, figure, broker), base if broker != "nightjar" else None)
            row.append(cell + mark)
        yield row


def broker_table(results, words, loads, phase, figure, brokers):
    rows = by_broker(results, [load.line for load in loads], phase, figure, brokers)
    return table([words["load"], *brokers], rows)


def flood(results, words):
    cpu = broker_table(results, words, parts.flood(), "run", CPU_MESSAGE, parts.FLOODED)
    rate = broker_table(results, words, parts.flood(), "run", "messages per s", parts.FLOODED)
    return f"{words['cpu']}\n\n{cpu}\n\n{words['rate']}\n\n{rate}"


def routing(results, words):
    return broker_table(results, words, parts.routing(), "run", CPU_MESSAGE, ("nightjar", "mosquitto", "nats"))


def filters(results, words):
    rows = []
    for table_size in parts.FILTERS:
        line, row = parts.wild(table_size), [count(table_size)]
        for figure in ("bytes per filter", "CPU µs per filter"):
            base = results.median(line, "subscribe", figure, "nightjar")
            row.append(number(base))
            row += [with_ratio(results.median(line, "subscribe", figure, broker), base)
                    for broker in ("mosquitto", "nats")]
        rows.append(row)
    titles = [f"{broker}, {words[unit]}" for unit in ("bytes", "µs") for broker in ("nightjar", "mosquitto", "nats")]
    return table([words["filters"], *titles], rows)


def idle_bytes(results, broker, subscribed):
    points = parts.IDLE_POINTS_RABBITMQ if broker == "rabbitmq" else parts.IDLE_POINTS
    few, many = (results.median(parts.idle(clients, subscribed), "hold", "resident MiB", broker) for clients in points)
    return slope(few, many, points)


def connect_cpu(results, broker):
    points = parts.IDLE_POINTS_RABBITMQ if broker == "rabbitmq" else parts.IDLE_POINTS
    return results.median(parts.idle(points[0]), "connect", "CPU µs per connect", broker)


def conn(results, words):
    figures = [lambda broker: idle_bytes(results, broker, False), lambda broker: idle_bytes(results, broker, True),
               lambda broker: connect_cpu(results, broker)]
    rows = [[broker, *[with_ratio(figure(broker), figure("nightjar") if broker != "nightjar" else None)
                       for figure in figures]] for broker in parts.SPEAKING]
    return table([words["broker"], words["idle"], words["idle_subscribed"], words["connect"]], rows)


def stored(results, words):
    rows = []
    for line, phase in (("retained", "store"), ("retained", "deliver"), ("offline", "in"), ("offline", "out")):
        row = next(by_broker(results, [line], phase, CPU_MESSAGE, parts.STORING))
        rows.append([code(f"{line}: {phase}"), *row[1:]])
    return table([words["load"], *parts.STORING], rows)


def paced(results, words):
    rows = []
    for broker in parts.paced()[0].brokers:
        row = [broker]
        for figure in (CPU_MESSAGE, "p50 µs", "p99 µs"):
            base = None if broker == "nightjar" else results.median(parts.PACED, "run", figure, "nightjar")
            row.append(with_ratio(results.median(parts.PACED, "run", figure, broker), base))
        rows.append([*row, number(results.median(parts.PACED, "run", "messages per s", broker))])
    return table([words["broker"], words["cpu_message"], "p50, µs", "p99, µs", words["per_s"]], rows)


def isolation_median(results, line, figure, broker):
    """Only from the part of its own: its undisturbed rounds were taken between the disturbed ones."""
    part = results.parts.get("isolation")
    return Results({"parts": {"isolation": part}}).median(line, "run", figure, broker) if part else None


def isolation(results, words):
    brokers, rows = parts.isolation()[0].brokers, []
    for line in (load.line for load in parts.isolation()):
        row = [words["undisturbed"] if line == parts.PACED else code(line.removeprefix(parts.PACED).strip())]
        for figure in ("p99 µs", CPU_MESSAGE):
            for broker in brokers:
                base = None if line == parts.PACED else isolation_median(results, parts.PACED, figure, broker)
                row.append(with_ratio(isolation_median(results, line, figure, broker), base))
        rows.append(row)
    titles = [f"{broker}, {words[unit]}" for unit in ("p99", "µs") for broker in brokers]
    return table([words["beside"], *titles], rows)


def share_text(rounds):
    """The median of each worker's share, largest first."""
    medians = [statistics.median(each) for each in zip(*rounds)]
    return " / ".join(f"{each:.0%}" for each in medians) or ABSENT


def workers(results, words):
    shares = results.parts.get("workers", {}).get("shares", {})
    base, rows = results.median("p2p", "run", CPU_MESSAGE, parts.CONFIGURATIONS[0]), []
    for name in parts.CONFIGURATIONS:
        cpu = results.median("p2p", "run", CPU_MESSAGE, name)
        rows.append([words[name], with_ratio(cpu, base if name != parts.CONFIGURATIONS[0] else None),
                     number(results.median("p2p", "run", "messages per s", name)), share_text(shares.get(name, []))])
    return table([words["configuration"], words["cpu_message"], words["per_s"], words["share"]], rows)


def size_text(size):
    return f"{size >> 20} MiB" if size >= 2**20 else f"{size >> 10} KiB" if size >= 2**10 else f"{size} B"


def payload(results, words):
    rows = []
    for size in parts.SIZES:
        line = f"p2p -s {size}"
        own, limit = (results.median(line, "run", CPU_MESSAGE, name) for name in parts.DIRECT)
        rates = [results.median(line, "run", "messages per s", name) for name in parts.DIRECT]
        rows.append([size_text(size), number(own), number(limit), times(ratio(own, limit)) or ABSENT,
                     *[number(rate and rate * size / 2**20) for rate in rates]])
    titles = ["nightjar, µs", "relay, µs", words["ratio"], "nightjar, MiB/s", "relay, MiB/s"]
    return table([words["payload"], *titles], rows)


def transports(results, words):
    rows = []
    for way in parts.WAYS:
        row = [words[way]]
        for line in map(parts.way_flood, (0, 1)):
            base = None if way == "tcp" else results.median(line, "run", CPU_MESSAGE, "tcp")
            row.append(with_ratio(results.median(line, "run", CPU_MESSAGE, way), base))
        few, many = (results.median(parts.way_idle(count), "hold", "resident MiB", way) for count in parts.WAY_POINTS)
        row.append(number(slope(few, many, parts.WAY_POINTS)))
        for phase in ("connect", "resume"):
            row.append(number(results.median(parts.way_idle(parts.WAY_POINTS[1]), phase, "CPU µs per connect", way)))
        rows.append(row)
    titles = [words["way"], f"`-q 0`, {words['µs']}", f"`-q 1`, {words['µs']}", words["idle"], words["connect"],
              words["resumed"]]
    return table(titles, rows)


def storm(results, words):
    found = results.parts.get("transports", {}).get("storm", {})
    median = {name: statistics.median(values) for name, values in found.items()}
    cells = [number(median.get("seconds")), number(median.get("p99 before")),
             with_ratio(median.get("p99 during"), median.get("p99 before")), number(max(found.get("lost", [0]))),
             number(max(found["stranger bytes"]) / 2**20) if found else ABSENT]
    return table([words["storm_in"], words["storm_seconds"], words["storm_before"], words["storm_during"],
                  words["storm_lost"], words["storm_strangers"]],
                 [[number(median.get("in")), *cells]])


TABLES = {"flood": flood, "routing": routing, "filters": filters, "conn": conn, "stored": stored, "paced": paced,
          "isolation": isolation, "workers": workers, "payload": payload,
          "transports": transports, "storm": storm}
