"""The control socket of a broker, as any program of its user speaks to it."""
import http.client
import json
import socket


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("nightjar", timeout=10)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


def over_http(broker, method, path, body=None):
    connection = UnixHttp(f"{broker.data}/nightjar.sock")
    connection.request(method, path, body=json.dumps(body) if body is not None else None)
    response = connection.getresponse()
    return response.status, json.loads(response.read())
