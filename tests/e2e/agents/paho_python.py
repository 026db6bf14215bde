"""The agent for python3-paho-mqtt. The lines it understands and writes: ../agent.py."""
import os
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PATTERN = b"abcdefghijklmnopqrstuvwxyz"
say_lock = threading.Lock()


def say(*words):
    with say_lock:
        print(*words, flush=True)


def payload_of(word):
    if word == "-":
        return b""
    if word.startswith("@"):
        return pattern(int(word[1:]))
    return word.encode()


def pattern(length):
    return (PATTERN * (length // len(PATTERN) + 1))[:length]


def word_of(payload):
    if not payload:
        return "-"
    if len(payload) > 1000:
        return f"@{len(payload)}" if payload == pattern(len(payload)) else "garbled"
    return payload.decode()


class Agent:
    client = None
    level = 0
    leaving = False

    def connect(self, port, level, client_id, clean, expiry_s, keep_alive_s, *will):
        self.level, self.leaving = int(level), False
        options = {"protocol": self.level, "reconnect_on_failure": False}
        if self.level < 5:
            options["clean_session"] = clean == "1"
        transport = os.environ.get("AGENT_TRANSPORT")
        if transport in ("ws", "wss"):
            options["transport"] = "websockets"
        client = self.client = mqtt.Client(client_id, **options)
        if transport in ("tls", "wss"):
            client.tls_set(ca_certs=os.environ["AGENT_CA"])
        client.max_inflight_messages_set(0)
        client.on_connect = self.on_connect
        client.on_disconnect = self.on_disconnect
        client.on_message = self.on_message
        client.on_subscribe = self.on_subscribe
        client.on_unsubscribe = lambda *_: say("unsubscribed")
        client.on_publish = lambda *_: say("published 0")
        if will:
            client.will_set(will[0], payload_of(will[3]), int(will[1]), will[2] == "1")
        extra = {}
        if self.level == 5:
            extra["clean_start"] = clean == "1"
            extra["properties"] = Properties(PacketTypes.CONNECT)
            extra["properties"].SessionExpiryInterval = int(expiry_s)
        client.connect("127.0.0.1", int(port), int(keep_alive_s), **extra)
        client.loop_start()

    def on_connect(self, _client, _userdata, flags, reason, _properties=None):
        code = reason if isinstance(reason, int) else reason.value
        if code != 0:
            say("refused", code)
        else:
            say("connected", "-" if self.level == 3 else flags["session present"])

    def on_disconnect(self, _client, _userdata, reason, _properties=None):
        if not self.leaving:
            say("disconnected", "-" if self.level < 5 or isinstance(reason, int) else reason.value)

    def on_message(self, _client, _userdata, message):
        words = ["message", message.topic, message.qos, int(message.retain), word_of(message.payload)]
        for name, value in getattr(message.properties, "UserProperty", []) if self.level == 5 else []:
            words.append(f"{name}={value}")
        say(*words)

    def on_subscribe(self, _client, _userdata, _packet_id, granted, _properties=None):
        say("subscribed", *(g if isinstance(g, int) else g.value for g in granted))

    def subscribe(self, topic_filter, qos):
        self.client.subscribe(topic_filter, int(qos))

    def unsubscribe(self, topic_filter):
        self.client.unsubscribe(topic_filter)

    def publish(self, topic, qos, retain, payload, user_property=None):
        properties = None
        if user_property:
            properties = Properties(PacketTypes.PUBLISH)
            properties.UserProperty = tuple(user_property.split("=", 1))
        self.client.publish(topic, payload_of(payload), int(qos), retain == "1", properties)

    def disconnect(self):
        self.leaving = True
        self.client.disconnect()
        self.client.loop_stop()
        say("disconnected -")


def main():
    agent = Agent()
    for line in sys.stdin:
        name, *words = line.split()
        try:
            getattr(agent, name)(*words)
        except Exception as problem:  # whatever the library raises belongs in the transcript
            say("error", repr(problem))


main()
