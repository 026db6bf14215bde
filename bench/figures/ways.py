#!/usr/bin/python3
"""Becomes a nightjar that is reached in one of several ways: bench/figures/ways.py NAME BINARY PORT DIR

The process itself turns into the broker, on loopback only and with everything it writes in DIR.
"""

import os
import subprocess
import sys
from pathlib import Path

HOST = "127.0.0.1"
# What `nightjar bench` needs to come in that way, beside the port.
OPTIONS = {
    "tcp": "",
    "ws": "--ws",
    "tls": "--tls --cafile {dir}/pki/ca.pem",
    "wss": "--ws --tls --cafile {dir}/pki/ca.pem",
    "unix": "--unix {dir}/mqtt.sock",
}
SECURE = ("tls", "wss")
# A port without TLS and, one above it, a port with it.
BOTH = "both"


def listener(name, lines):
    return f'[[listener]]\nname = "{name}"\nallow_anonymous = true\n{lines}\n'


def on_port(port, websocket=False):
    return f'address = "{HOST}"\nport = {port}\nprotocol = "{"websocket" if websocket else "mqtt"}"\n'


def certificate(folder):
    return f'[listener.tls]\ncertificate = "{folder}/pki/server.pem"\nkey = "{folder}/pki/server.key"\n'


def configuration(name, port, folder):
    node = f'[node]\ndata = "{folder}/data"\nlog_connections = false\n'
    if name == BOTH:
        return (node + listener("plain", on_port(port)) +
                listener("secure", on_port(port + 1) + certificate(folder)))
    own = listener(name, on_port(port, name in ("ws", "wss")) + (certificate(folder) if name in SECURE else ""))
    return node + own + (listener("socket", f'path = "{folder}/mqtt.sock"\n') if name == "unix" else "")


def prepare(name, binary, port, folder):
    """The words that start it."""
    if name in (*SECURE, BOTH):
        subprocess.run([binary, "tls", "init", f"{folder}/pki", "--name", "localhost", "--ip", HOST], check=True,
                       stdout=subprocess.DEVNULL)
    Path(folder, "nightjar.toml").write_text(configuration(name, port, folder))
    return [binary, "serve", "-c", f"{folder}/nightjar.toml"]


def main():
    name, binary, port, folder = sys.argv[1:]
    words = prepare(name, binary, int(port), folder)
    os.execv(binary, words)


if __name__ == "__main__":
    main()
