"""Keys of the configuration by what they do: two values or more of a key, one and the same look at the broker, and
what it must see for each.

Nothing but the key differs between the values, and at least two of them must look different, so a key that does
nothing cannot have a scenario that passes. `ledger.py` finds keys that have none.
"""
import dataclasses
import re
import socket

from control import over_http
from harness import BINARY, HOST, expect, expect_equal, free_port, wait_until
from sockets import raw, wire

# Listeners start from these tables, so that one scenario shows both: the first value stands there and is inherited,
# the others stand in the listener's own table and win.
INHERITED = {"limits": "listener", "queue": "listener.queue", "auth": "listener.auth"}
TABLES_IN_LISTS = {"listener", "listener.tls.more"}
DEFAULTS = {"node.durability": '"memory"', "node.workers": "1", "sys.interval": "0"}
LISTENER = {"listener.address": f'"{HOST}"', "listener.port": "{port}", "listener.allow_anonymous": "true"}


@dataclasses.dataclass
class Scenario:
    key: str
    outcomes: dict  # value as the file says it: what the look at it must see
    look: callable
    beside: dict = dataclasses.field(default_factory=dict)  # other keys, the same for every value
    prepare: callable = None  # makes the files that the values name, in the directory of the case
    is_alone: bool = False  # a broker for each value, where listeners of one broker would not do
    without: tuple = ()  # of LISTENER
    is_silent: bool = False  # its log does not say when it serves

    @property
    def keys(self):
        """The keys that this shows: an inherited one in the listener's table as well."""
        table, name = self.key.rsplit(".", 1)
        return [self.key] + ([f"{INHERITED[table]}.{name}"] if table in INHERITED else [])


SCENARIOS = []


def shows(key, outcomes, **how):
    """The decorated function looks at a Door and returns what it sees there."""
    def register(look):
        SCENARIOS.append(Scenario(key, outcomes, look, **how))
        return look
    return register


def file_text(tables):
    """`tables`: pairs of a table's name and its keys with their values."""
    lines = []
    for name, keys in tables:
        lines.append(f"[[{name}]]" if name in TABLES_IN_LISTS else f"[{name}]")
        lines += [f"{key} = {value}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def tables_of(settings):
    """Settings by full name, as tables in the order that TOML wants."""
    tables = {}
    for name, value in settings.items():
        table, key = name.rsplit(".", 1)
        tables.setdefault(table, {})[key] = value
    return sorted(tables.items())


class Door:
    """A way into the broker where the key has one of its values."""

    def __init__(self, case, value, port):
        self.case, self.value, self.port, self.other_port = case, value, port, free_port()
        self.name = f"door{port}"
        self.process = None  # the broker, soon
        self.data = None
        self.others = []  # all of this broker, this one too, in the order of their values

    @property
    def directory(self):
        return self.case.directory()

    def raw(self, version=wire.V5, name="raw"):
        return raw(self.case, version, name, self.port)

    def connect(self, client_id=None, version=wire.V5, **fields):
        """A client that the broker lets in."""
        client_id = client_id or self.case.client_id("c")
        client = self.raw(version, client_id)
        expect_equal(client.connect(client_id, **fields).code, 0, f"CONNACK of {client_id}")
        return client

    def code(self, client_id=None, version=wire.V5, **fields):
        """What CONNECT comes to: the code of the CONNACK."""
        client_id = self.case.client_id("c") if client_id is None else client_id
        return self.raw(version, client_id or "nobody").connect(client_id, **fields).code

    def away(self, *filters, qos=1, **fields):
        """The client id of a session that is kept, with these subscriptions, whose client is away."""
        client = self.connect(clean=True, properties={"session_expiry_interval": 600}, **fields)
        client.subscribe(*filters, qos=qos)
        client.disconnect()
        return client.client_id

    def back(self, client_id, **fields):
        """What has waited for that session, by payload."""
        client = self.connect(client_id, clean=False, properties={"session_expiry_interval": 600}, **fields)
        expect(client.connack.session_present, "the session is there")
        return [packet.payload for packet in client.drain()]

    def answers(self, host=HOST, port=None):
        """Whether somebody listens at that address."""
        try:
            socket.create_connection((host, port or self.port), 10).close()
            return True
        except OSError:
            return False

    def client_info(self, client_id):
        """What the broker tells an operator about a client."""
        return over_http(self, "GET", f"/api/v1/clients/{client_id}")[1]

    def lines(self):
        return self.process.lines()


def settings_of(scenario, values):
    """For the broker as a whole, and for the listener of each value."""
    table, name = scenario.key.rsplit(".", 1)
    whole = dict(DEFAULTS)
    each = []
    for index, value in enumerate(values):
        own = {key: given for key, given in LISTENER.items() if key not in scenario.without}
        own.update({key: given for key, given in scenario.beside.items() if key.startswith("listener.")})
        if table in INHERITED and index > 0:
            own[f"{INHERITED[table]}.{name}"] = value
        elif scenario.key.startswith("listener."):
            own[scenario.key] = value
        else:
            whole[scenario.key] = value
        each.append(own)
    whole.update({key: given for key, given in scenario.beside.items() if not key.startswith("listener.")})
    return whole, each


def configuration(scenario, case, values, doors):
    whole, each = settings_of(scenario, values)
    tables = tables_of(whole)
    for own, door in zip(each, doors):
        own.setdefault("listener.name", f'"{door.name}"')
        tables += tables_of({key: given.replace("{port}", str(door.port)).replace("{other_port}", str(door.other_port))
                             for key, given in own.items()})
    return file_text(tables).replace("{dir}", str(case.directory()))


def start(scenario, case, values, name):
    """A broker that has these values, one listener for each, when it serves or has refused to."""
    doors = [Door(case, value.replace("{dir}", str(case.directory())), free_port()) for value in values]
    config = case.file(f"{name}.toml", configuration(scenario, case, values, doors))
    data = case.directory() / f"{name}.data"
    options = [] if scenario.key == "node.data" else ["--data", data]
    process = case.spawn([BINARY, "serve", "-c", config, *options], name)
    process.config = config
    for door in doors:
        door.process, door.data, door.others = process, data, doors
    wait_until(lambda: not process.is_running or is_ready(scenario, process, doors), f"{name} to serve")
    return doors


def is_ready(scenario, process, doors):
    if scenario.is_silent:
        return all(door.answers() for door in doors)
    return any("try: nightjar" in line for line in process.lines())


def run(scenario, case):
    """Whether each value of the key looks as it must."""
    if scenario.prepare:
        scenario.prepare(case)
    values = list(scenario.outcomes)
    if scenario.is_alone or not scenario.key.startswith(("listener.", *(f"{name}." for name in INHERITED))):
        for number, value in enumerate(values):
            door = start(scenario, case, [value], f"broker{number}")[0]
            check(scenario, door, value)
            if door.process.is_running:
                door.process.kill()
    else:
        for door, value in zip(start(scenario, case, values, "broker"), values):
            check(scenario, door, value)


def check(scenario, door, value):
    expect_equal(scenario.look(door), scenario.outcomes[value], f"{scenario.key} = {value}")


def wrong_value(case, key, value, beside, without=()):
    """What a start says about a file where the key has that value, with the place where it stands."""
    settings = {**LISTENER, **DEFAULTS, **beside, key: value}
    settings = {name: given for name, given in settings.items() if name not in without}
    listener = {name: given for name, given in settings.items() if name.startswith("listener.")}
    listener["listener.name"] = '"one"'
    whole = {name: given for name, given in settings.items() if not name.startswith("listener.")}
    text = file_text(tables_of(whole) + tables_of(listener))
    text = text.replace("{dir}", str(case.directory())).replace("{port}", str(free_port()))
    config = case.file("wrong.toml", text)
    process = case.spawn([BINARY, "serve", "-c", config, *([] if key == "node.data" else
                                                          ["--data", case.directory() / "wrong.data"])], "broker")
    status = process.finish()
    expect(status in (1, 3), f"the start is refused, not {status}")
    return "\n".join(process.lines()), place_of(text, config, key)


def place_of(text, config, key):
    """File, line and column of a key's value, and the name of the key as messages say it."""
    table, name = key.rsplit(".", 1)
    within = None
    for number, line in enumerate(text.splitlines(), 1):
        heading = re.fullmatch(r"\[+([\w.]+)\]+", line)
        within = heading.group(1) if heading else within
        if within == table and line.startswith(f"{name} = "):
            label = table.replace("listener", "listener.one", 1)
            return f'{config}:{number}:{len(name) + 4}: "{name}" in [{label}]'
    raise AssertionError(f"{key} is not in the file")
