"""What only a browser does: the origin of a page, and the checks of certificates that nobody can switch off. What MQTT.js does
in a page otherwise is in cases_agents.py, as for every other client."""
import pathlib

from cases_tls import Plant
from harness import HOST, case, expect_equal, shared_authority

CONNECTION = "4 {id} 1 0 60"  # 3.1.1, a clean session
ENDS = r"^(connected|refused|error|disconnected)\b"


def outcome(case, page, port):
    """The first thing that becomes of a connection of this page."""
    page.send(f"connect {port} {CONNECTION.format(id=case.client_id('page'))}")
    return page.wait_line(ENDS).group(1)


@case("chromium/origins", in_browser=True)
def pages_of_the_listed_origins_are_served_and_no_others(case):
    ours = case.page("ws")
    # The same machine by another name is another origin.
    foreign = case.page("ws", origin_host="localhost")
    config = case.file("nightjar.toml", f'[[listener]]\nname = "web"\naddress = "{HOST}"\nport = 1883\nprotocol = "websocket"\n'
                                        f'allow_anonymous = true\n[listener.websocket]\norigins = ["{ours.origin}"]\n')
    broker = case.start_broker("-c", str(config))
    expect_equal(outcome(case, foreign, broker.port), "disconnected", "what becomes of the page of a foreign origin")
    expect_equal(outcome(case, ours, broker.port), "connected", "what becomes of the page of the listed origin")
    expect_equal(sum("client connected" in line for line in broker.lines()), 1, "clients that came in")


@case("chromium/names_and_addresses", in_browser=True)
def a_broker_is_reached_by_name_and_by_address(case):
    for host in ("localhost", HOST):
        page = case.page("wss", host=host)
        expect_equal(outcome(case, page, case.port), "connected", f"what becomes of wss://{host}")


@case("chromium/untrusted", in_browser=True)
def certificates_that_the_browser_does_not_trust_are_refused(case):
    plant = Plant(case, listener='protocol = "websocket"')
    expect_equal(outcome(case, case.page("wss"), plant.port), "disconnected", "what becomes of an unknown authority")
    plant.logged("TLS: a client (does not trust the authority|refuses this listener's certificate)")
    # A trusted one, at an address that it does not have.
    pki = pathlib.Path(shared_authority()).parent
    config = case.file("other.toml", f'[[listener]]\naddress = "*"\nport = 1883\nprotocol = "auto"\nallow_anonymous = true\n'
                                     f'[listener.tls]\ncertificate = "{pki}/server.pem"\nkey = "{pki}/server.key"\n')
    broker = case.start_broker("-c", str(config))
    expect_equal(outcome(case, case.page("wss", host="127.0.0.2"), broker.port), "disconnected", "what becomes of 127.0.0.2")
    expect_equal(outcome(case, case.page("wss"), broker.port), "connected", f"what becomes of {HOST}")
