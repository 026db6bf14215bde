"""3.1 CONNECT and 3.2 CONNACK."""

from conformance import wire
from conformance.suite import statement


@statement("MQTT-3.1.0-2")
def second_connect_is_a_protocol_error(t):
    client = t.client()
    client.send(wire.connect(wire.V5, client.client_id))
    client.expect_disconnect(0x82)
