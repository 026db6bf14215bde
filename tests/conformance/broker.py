"""Starts and stops the broker under test on a free loopback port."""

import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from conformance import transport
from conformance.transport import binary

START_TIMEOUT_S = 30.0  # generous: sanitizer builds on a busy machine start slowly
STOP_TIMEOUT_S = 30.0


def free_port():
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """A broker process with a data directory of its own. `config` is the text of a nightjar.toml, in which {port} and
    {data} stand for the values chosen here; without it the broker runs on its defaults."""

    def __init__(self, config=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="conformance-"))
        self.data = self.directory / "data"
        self.data.mkdir()
        self.port = free_port()
        self.config = transport.configuration(config, self.directory / "mqtt.sock")
        self.log_path = self.directory / "broker.log"
        self.process = None
        try:
            self.start()
        except Exception:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    @property
    def address(self):
        return str(self.directory / "mqtt.sock") if transport.chosen == "unix" else ("127.0.0.1", self.port)

    def _command(self):
        if self.config is None:
            return [binary(), "serve", "--placement", "spread", "-p", str(self.port), "--data", str(self.data)]
        path = self.directory / "nightjar.toml"
        path.write_text(self.config.replace("{port}", str(self.port)).replace("{data}", str(self.data)))
        return [binary(), "serve", "--placement", "spread", "-c", str(path), "--data", str(self.data)]

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._accepts():
            if self.process.poll() is not None:
                raise RuntimeError("broker exited with %d:\n%s" % (self.process.returncode, self.log_tail()))
            if time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError("broker did not accept a connection:\n" + self.log_tail())
            time.sleep(0.02)  # poll interval of a bounded wait

    def _accepts(self):
        try:
            if transport.chosen == "unix":
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(self.address)
            else:
                socket.create_connection(self.address, timeout=1).close()
            return True
        except OSError:
            return False

    def is_running(self):
        return self.process.poll() is None

    def terminate(self):
        """SIGTERM without waiting, for tests that watch what clients are told."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        """Exit code after terminate()."""
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("broker did not stop on SIGTERM:\n" + self.log_tail())

    def stop(self):
        """Stops it and removes its directory. Exit code."""
        if self.is_running():
            self.terminate()
        code = self.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
        return code

    def log_tail(self, lines=40):
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""
