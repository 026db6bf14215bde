"""6 MQTT over WebSocket. The rest of what is to be said about it: v5/test_websocket.py."""

from conformance import wire
from conformance.suite import statement
from conformance.transport import BINARY, TEXT, frame
from conformance.v5.test_websocket import expect_close, open_websocket, own_broker
from conformance.wire import V31, V311


@statement("MQTT-6.0.0-1")
def text_frames_end_the_connection(t):
    opened = open_websocket(own_broker(t))
    opened.send_raw(frame(TEXT, wire.connect(V311, t.id())))
    expect_close(opened, 1003)


@statement("MQTT-6.0.0-2")
def packets_span_frames_and_frames_hold_packets(t):
    broker = own_broker(t)
    packets = wire.connect(V311, t.id()) + wire.publish(V311, t.topic(), b"x" * 300, 1, packet_id=1) + wire.pingreq()
    expected = wire.packet(wire.CONNACK, 0, b"\0\0") + wire.ack(wire.PUBACK, 1) + wire.packet(wire.PINGRESP, 0, b"")
    for size in (1, 3, len(packets)):
        opened = open_websocket(broker)
        for at in range(0, len(packets), size):
            opened.send_raw(frame(BINARY, packets[at:at + size]))
        answer = b""
        while len(answer) < len(expected):
            answer += opened.recv(0)
        assert answer == expected, answer
        opened.close()


@statement("MQTT-6.0.0-4")
def the_subprotocol_mqtt_is_selected(t):
    broker = own_broker(t)
    for version, offered in ((V311, "mqtt"), (V311, "x, mqtt"), (V31, "mqttv3.1")):
        opened = open_websocket(broker, subprotocol=offered)
        assert opened.fields["sec-websocket-protocol"] == offered.split(", ")[-1]
        opened.send_raw(frame(BINARY, wire.connect(version, t.id("v%d" % version))))
        assert opened.recv(0)[:2] == b"\x20\x02"
        opened.close()
