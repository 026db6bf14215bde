"""The broker that is killed and started again, on one port and one data directory."""

import asyncio
import getpass
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from client import until  # noqa: E402
from codec import wire  # noqa: E402
from conformance.broker import binary, free_port  # noqa: E402

HOST = "127.0.0.1"
START_BOUND_S = 20.0  # to the first CONNACK, with recovery, on a busy machine and with sanitizers
STOP_BOUND_S = 30.0
PROBE_S = 0.005


class StartFailed(Exception):
    """It ended by itself or did not answer in time."""


def nightjar_command(port, data, workers, durability):
    config = data.parent / "nightjar.toml"
    config.write_text(f'[node]\ndurability = "{durability}"\n')
    return [binary(), "serve", "-c", str(config), "--placement", "spread", "-p", str(port), "--data", str(data),
            "--workers", str(workers)]


def mosquitto_command(port, data, _workers, _durability):
    """Another broker as a control: it stores every second and promises nothing in between."""
    conf = data / "mosquitto.conf"
    conf.write_text(f"listener {port} {HOST}\nallow_anonymous true\nset_tcp_nodelay true\nuser {getpass.getuser()}\n"
                    f"persistence true\npersistence_location {data}/\nautosave_interval 1\n"
                    "max_queued_messages 0\nmax_inflight_messages 100\n")
    return ["mosquitto", "-c", str(conf)]


COMMANDS = {"nightjar": nightjar_command, "mosquitto": mosquitto_command}


class Broker:
    def __init__(self, kind, directory, workers, durability):
        self.data = directory / "data"
        self.data.mkdir()
        self.address = (HOST, free_port())
        self.log_path = directory / "broker.log"
        self.starts_s = []  # how long each start took, until CONNACK
        self._command = COMMANDS[kind](self.address[1], self.data, workers, durability)
        self._process = None
        self.up_since = 0.0
        self._up = asyncio.Event()

    async def start(self):
        """Starts the process; wait_until_answering() says when it serves."""
        with open(self.log_path, "ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log)

    async def wait_until_answering(self):
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while not await self._answers():
            if self._process.returncode is not None:
                raise StartFailed(f"it ended with {self._process.returncode}:\n{self.log_tail()}")
            if loop.time() - begun > START_BOUND_S:
                raise StartFailed(f"no CONNACK within {START_BOUND_S:g} s:\n{self.log_tail()}")
            await asyncio.sleep(PROBE_S)
        self.starts_s.append(loop.time() - begun)
        self.up_since = time.monotonic()
        self._up.set()

    async def _answers(self):
        try:
            reader, writer = await asyncio.open_connection(*self.address)
        except OSError:
            return False
        try:
            writer.write(wire.connect(wire.V311, "probe"))
            return await asyncio.wait_for(reader.readexactly(4), START_BOUND_S) == b"\x20\x02\0\0"
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            return False
        finally:
            writer.close()

    async def wait_until_up(self):
        await self._up.wait()

    @property
    def is_up(self):
        return self._up.is_set()

    def kill(self):
        """SIGKILL; nothing of the process runs on after that."""
        self._up.clear()
        if self._process.returncode is None:
            self._process.kill()

    async def wait_until_dead(self):
        await self._process.wait()

    async def stop(self):
        """SIGTERM. None, or what was wrong with its end."""
        self._process.send_signal(signal.SIGTERM)
        if not await until(lambda: self._process.returncode is not None, STOP_BOUND_S):
            self.kill()
            await self.wait_until_dead()
            return f"it did not end on SIGTERM within {STOP_BOUND_S:g} s"
        code = self._process.returncode
        return None if code == 0 else f"it ended with {code} on SIGTERM:\n{self.log_tail()}"

    def log_tail(self, lines=30):
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
