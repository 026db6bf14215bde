"""Headless Chromium, in which each agent is a page of its own.

A page gets its commands from a small HTTP server of its own and sends its lines there: a browser opens only so many
connections to one server, and a page waits for commands with one of them. Pages are opened and closed through the HTTP part
of Chromium's DevTools. Certificates are checked as they are for a user: the authorities trusted are those of an NSS database in
a home directory of the browser's own.
"""
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.parse
import urllib.request

import harness
from harness import HANG_S, HERE, HOST, expect

FILES = {
    "mqttjs_page.html": (HERE / "agents" / "mqttjs_page.html", "text/html"),
    "mqttjs_page.mjs": (HERE / "agents" / "mqttjs_page.mjs", "text/javascript"),
    "mqttjs_commands.mjs": (HERE / "agents" / "mqttjs_commands.mjs", "text/javascript"),
    # What MQTT.js is for a page that loads it with <script>.
    "mqtt.min.js": (HERE / "node_modules" / "mqtt" / "dist" / "mqtt.min.js", "text/javascript"),
}
POLL_S = 10.0  # a page's request for commands is answered by then, with none if there are none
OPTIONS = ("--headless", "--remote-debugging-port=0", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage",
           "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
           # A page that nobody looks at is an agent as good as any other.
           "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
           "--disable-backgrounding-occluded-windows")


class Browser:
    """One Chromium with an empty profile that trusts this authority."""

    def __init__(self, authority):
        for command, package in (("chromium", "chromium"), ("certutil", "libnss3-tools")):
            expect(shutil.which(command), f"{command} is missing: apt-get install {package}")
        self._directory = tempfile.TemporaryDirectory(prefix="nightjar-e2e-", ignore_cleanup_errors=True)
        home = pathlib.Path(self._directory.name)
        self._trust(home, authority)
        # Its sandbox needs another user than root.
        sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
        self.process = harness.Process(["chromium", *OPTIONS, *sandbox, f"--user-data-dir={home}/profile", "about:blank"],
                                       "chromium", env={"HOME": str(home)})
        found = self.process.wait_line(r"^DevTools listening on ws://([^/]+)/")
        self._tools = f"http://{found.group(1)}/json"

    @staticmethod
    def _trust(home, authority):
        database = home / ".pki" / "nssdb"
        database.mkdir(parents=True)
        subprocess.run(["certutil", "-d", f"sql:{database}", "-N", "--empty-password"], check=True)
        subprocess.run(["certutil", "-d", f"sql:{database}", "-A", "-t", "C,,", "-n", "plant", "-i", authority], check=True)

    def _ask(self, path, method):
        request = urllib.request.Request(f"{self._tools}/{path}", method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=HANG_S) as answer:
            return answer.read()

    def open(self, url):
        """The id of a new page."""
        return json.loads(self._ask("new?" + urllib.parse.quote(url, safe=""), "PUT"))["id"]

    def close_page(self, page):
        self._ask(f"close/{page}", "GET")

    def close(self):
        self.process.signal(signal.SIGTERM)
        try:
            self.process.finish()
        except harness.Failure:
            pass
        self.process.kill()
        self._directory.cleanup()


class Page(harness.Lines):
    """A page with MQTT.js, driven as a process is. `origin_host` is the name by which the browser knows its server."""

    def __init__(self, browser, protocol, host=HOST, origin_host=HOST):
        super().__init__(f"page with {protocol}")
        self._browser = browser
        self._commands = []
        self._server = http.server.ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.origin = f"http://{origin_host}:{self._server.server_port}"
        self._page = browser.open(f"{self.origin}/mqttjs_page.html?protocol={protocol}&host={host}")
        self.wait_line("^ready ")

    def _handler(self):
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                name = urllib.parse.urlsplit(self.path).path.lstrip("/")
                if name == "commands":
                    self._answer(200, page.take_commands().encode(), "text/plain")
                elif name in FILES:
                    path, kind = FILES[name]
                    self._answer(200, path.read_bytes(), kind)
                else:
                    self._answer(404, b"", "text/plain")

            def do_POST(self):
                for line in self.rfile.read(int(self.headers["Content-Length"])).decode().split("\n"):
                    page.add_line(line)
                self._answer(200, b"", "text/plain")

            def _answer(self, status, body, kind):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler

    def send(self, line):
        with self._changed:
            self._commands.append(line)
            self._changed.notify_all()

    def take_commands(self):
        """What the page has to do next, as lines; waits a while for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._commands or self._ended, POLL_S)
            taken, self._commands = self._commands, []
        return "\n".join(taken)

    @property
    def is_running(self):
        return not self._ended and self._browser.process.is_running

    def kill(self):
        """Closes the page: its connections end as they do when a user closes a tab."""
        if self._ended:
            return
        self.end_lines()
        self._browser.close_page(self._page)
        self._server.shutdown()
        self._server.server_close()

    def transcript(self, lines_max=60):
        lines = self.lines()
        return "\n".join([f"{self.name} ({'running' if self.is_running else 'closed'}): {self.origin}",
                          *("    " + line for line in lines[-lines_max:])])
