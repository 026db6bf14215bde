#!/usr/bin/python3
"""Becomes one of the brokers that Nightjar is compared with: bench/figures/peers.py NAME PORT DIR

The process itself turns into the broker, on loopback only and with everything it writes in DIR, so that whoever
started it can measure and end it.
"""

import ctypes
import getpass
import os
import signal
import socket
import sys
from pathlib import Path

PACKAGES = {"mosquitto": "mosquitto", "nats": "nats-server", "rabbitmq": "rabbitmq-server"}

RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # Debian's wrapper in /usr/sbin would change the user and detach
HOST = "127.0.0.1"
PR_SET_PDEATHSIG = 1


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def knock(port):
    socket.create_connection((HOST, port), timeout=1).close()


def mosquitto_conf(port, tuned=False):
    return (f"listener {port} {HOST}\nallow_anonymous true\n"
            # As root it would become another user, and thereby lose the signal that ends it with whoever started it.
            f"user {getpass.getuser()}\n" +
            # At its limit of 1000 it loses messages of a shared group that has 400 under way, and the kernel holds its
            # small messages back.
            ("set_tcp_nodelay true\nmax_queued_messages 0\n" if tuned else ""))


def nats_conf(port, own_port, folder):
    return (f'host: "{HOST}"\nport: {own_port}\nserver_name: "bench"\n'
            f'jetstream {{ store_dir: "{folder}/jetstream" }}\n'
            f'mqtt {{ host: "{HOST}", port: {port} }}\n')


def rabbitmq_conf(port):
    return f"listeners.tcp = none\nmqtt.listeners.tcp.1 = {HOST}:{port}\nlog.console = true\n"


def rabbitmq_environment(folder, dist_port, name):
    return {
        "HOME": folder, "PATH": os.environ["PATH"], "LANG": "C.UTF-8",
        "RABBITMQ_NODENAME": f"{name}@localhost",
        "RABBITMQ_DIST_PORT": str(dist_port),
        "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
        "RABBITMQ_LOG_BASE": f"{folder}/log",
        "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
        "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
        "RABBITMQ_CONF_ENV_FILE": f"{folder}/rabbitmq-env.conf",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        # In the way that systemd starts it, the script becomes the broker instead of waiting for it.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


def mosquitto(port, folder, tuned=False):
    Path(folder, "mosquitto.conf").write_text(mosquitto_conf(port, tuned))
    os.execvp("mosquitto", ["mosquitto", "-c", f"{folder}/mosquitto.conf"])


def nats(port, folder):
    Path(folder, "nats.conf").write_text(nats_conf(port, free_port(), folder))
    os.execvp("nats-server", ["nats-server", "-c", f"{folder}/nats.conf"])


def rabbitmq(port, folder):
    Path(folder, "rabbitmq.conf").write_text(rabbitmq_conf(port))
    Path(folder, "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
    names_port = free_port()
    environment = rabbitmq_environment(folder, free_port(), f"bench{port}") | {
        "ERL_EPMD_PORT": str(names_port), "ERL_EPMD_ADDRESS": HOST}
    # Erlang would start its name server as a daemon that outlives the broker. A child of ours ends with us.
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        os.execvp("epmd", ["epmd", "-address", HOST, "-port", str(names_port)])
    os.execve(RABBITMQ, [RABBITMQ], environment)


def mosquitto_tuned(port, folder):
    mosquitto(port, folder, tuned=True)


START = {"mosquitto": mosquitto, "mosquitto-tuned": mosquitto_tuned, "nats": nats, "rabbitmq": rabbitmq}


def main():
    name, port, folder = sys.argv[1:]
    START[name](int(port), folder)


if __name__ == "__main__":
    main()
