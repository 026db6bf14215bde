"""What a listener does for controllers, towards an emulation of one (slow_controller.py) and towards raw 3.1.1 clients:
the largest packet, the bytes on their way, the clock."""
import ssl

from cases_operator import over_http
from controller_day import CLOCK_1970, CLOCK_2040, Broker
from harness import HOST, Failure, case, expect, expect_equal, wait_until
from plant import Plant
from slow_controller import BUFFER_BYTES, Controller, long_text, padded, wire
from sockets import connected

CAP = 1024
OUTPUT_BYTES_MAX = 2 * BUFFER_BYTES  # of the profile
FLOOD = 1000
FLOOD_BYTES = 2000


def controllers(case):
    broker = Broker(case.directory())
    broker.data = str(case.directory() / "data")
    case.at_end(broker.process.kill)
    return broker


def controller_of(case, broker, version=wire.V311):
    made = Controller((HOST, broker.port), "plc", version, broker.authority, broker.users["user0"], case.name)
    case.at_end(made.close)
    return made


def drops(broker, client_id):
    status, found = over_http(broker, "GET", "/api/v1/clients/" + client_id)
    expect_equal(status, 200, f"the broker knows {client_id}")
    return found["drops"]


def capped(case, text=f'max_packet_size_out = "{CAP}"'):
    config = case.file("nightjar.toml", f'[[listener]]\naddress = "{HOST}"\nallow_anonymous = true\n{text}\n')
    return case.start_broker("-c", str(config))


def publish_mixed(publisher, topic):
    """Too large, then one that fits, at every QoS."""
    for qos in (0, 1, 2):
        publisher.publish(topic, b"x" * CAP, qos=qos)
        publisher.publish(topic, f"fits {qos}", qos=qos)


FITTING = [b"fits 0", b"fits 1", b"fits 2"]


@case("controller/packet_cap")
def a_client_that_cannot_announce_a_maximum_gets_the_listeners(case):
    broker = capped(case)
    publisher = connected(case, "publisher", port=broker.port)
    for client_id, version in (("old", wire.V311), ("older", wire.V31), ("silent", wire.V5)):
        client = connected(case, client_id, version, port=broker.port)
        client.subscribe("t", qos=2)
        publish_mixed(publisher, "t")
        expect_equal([client.receive("t").payload for _ in FITTING], FITTING, f"what {client_id} gets")
        expect_equal(drops(broker, client_id), {"too_large": 3}, f"what is counted for {client_id}")
        client.unsubscribe("t")
    broker.wait_line("messages dropped client=old drops=.*too_large=")
    larger = connected(case, "larger", port=broker.port, properties={"maximum_packet_size": 2 * CAP})
    larger.subscribe("t", qos=2)
    publish_mixed(publisher, "t")
    expect_equal(len([larger.receive("t") for _ in range(6)]), 6, "a client that announces more gets more")


@case("controller/packet_cap_queue")
def what_is_too_large_blocks_neither_a_queue_nor_a_group(case):
    broker = capped(case)
    publisher = connected(case, "publisher", port=broker.port)
    away = connected(case, "away", wire.V311, port=broker.port, clean=False)
    away.subscribe("q", qos=2)
    away.disconnect()
    publish_mixed(publisher, "q")
    away = connected(case, "away", wire.V311, port=broker.port, clean=False)
    expect_equal([away.receive("q").payload for _ in range(2)], FITTING[1:], "what waited")
    expect_equal(drops(broker, "away"), {"offline": 2, "too_large": 2}, "what is counted")
    member = connected(case, "member", wire.V311, port=broker.port)
    member.subscribe("$share/g/s", qos=2)
    publish_mixed(publisher, "s")
    expect_equal([member.receive("s").payload for _ in FITTING], FITTING, "what the group gives its member")
    expect_equal(drops(broker, "member"), {"too_large": 3}, "what is counted for the member")


@case("controller/flood")
def a_flood_of_qos_0_is_cut_short_and_counted(case):
    broker = controllers(case)
    plant = Plant(broker.plant_port, "none")
    case.at_end(plant.close)
    controller = controller_of(case, broker)
    controller.connect()
    topic = long_text("display/")
    controller.subscribe(topic, 0)
    for i in range(FLOOD):  # the controller does nothing meanwhile
        plant.publish(topic, padded(str(i), FLOOD_BYTES), 0)
    plant.publish("marker", b"", 1)
    plant.wait_acknowledged()
    status, info = over_http(broker, "GET", "/api/v1/clients/" + controller.client_id)
    expect_equal(status, 200, "the broker knows the controller")
    expect(info["unsent_bytes"] <= OUTPUT_BYTES_MAX + BUFFER_BYTES, f"unsent in the broker: {info['unsent_bytes']}")
    on_the_way = broker.outstanding()
    expect(0 < on_the_way <= BUFFER_BYTES, f"on their way: {on_the_way}")
    lost = info["drops"].get("output_full", 0)
    received = controller.memory.received[topic]
    controller.idle(lambda: len(received) + lost == FLOOD, f"what was not dropped; {lost} of {FLOOD} were")
    expect_equal(received, sorted(received, key=int), "the order of what was not dropped")
    # What is fresh gets through again.
    plant.publish(topic, padded("fresh"), 0)
    controller.idle(lambda: received[-1] == "fresh", "a message behind the flood")


@case("controller/wrong_clock")
def a_controller_with_a_wrong_clock_is_told_of_in_the_log(case):
    broker = controllers(case)
    controller = controller_of(case, broker, wire.V5)
    for clock in (CLOCK_1970, CLOCK_2040):
        start = len(broker.process.lines())
        controller.clock = clock
        try:
            controller.connect()
            raise Failure(f"a controller whose clock says {clock} accepts the certificate")
        except ssl.SSLCertVerificationError:
            pass
        broker.process.wait_line("clock", start=start)
    controller.clock = None
    controller.connect()
    controller.publish("t", padded("in"), 1)


@case("controller/power_loss")
def power_is_lost_without_a_word(case):
    broker = controllers(case)
    plant = Plant(broker.plant_port, "#")
    case.at_end(plant.close)
    controller = controller_of(case, broker)
    controller.will = wire.Will("will", padded("gone"), 1)
    controller.keep_alive_s = 1
    controller.connect()
    controller.subscribe("recipe", 2)
    controller.lose_power()
    wait_until(lambda: plant.received["will"], "the will, by keep alive")
    for i in range(3):
        plant.publish("recipe", padded(f"step {i}"), 2)
    plant.wait_acknowledged()
    controller.connect()
    received = controller.memory.received["recipe"]
    controller.idle(lambda: len(received) == 3, "what came meanwhile")
    expect_equal(received, ["step 0", "step 1", "step 2"], "the recipe")
