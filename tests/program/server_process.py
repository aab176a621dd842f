"""A `braid serve` of the build under test, on a free loopback port, and requests to it."""
import http.client
import json
import os
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("BRAID_PROGRAM", os.path.join(ROOT, "build", "braid"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Starts on construction of `start()`; ends only the process that it started itself."""

    def __init__(self, data, *arguments, log=subprocess.DEVNULL):
        self.port = free_port()
        self.data = data
        self.arguments = list(arguments)
        self.log = log
        self.process = None

    def start(self, seconds=30):
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", *self.arguments],
            stdout=self.log, stderr=self.log)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode} before it was ready")
            try:
                if self.request("GET", "/-/ready")[0] in (200, 401):  # 401: it wants a token
                    return self
            except OSError:
                pass
            time.sleep(0.01)
        raise RuntimeError("the server was not ready in time")

    def request(self, method, path, body=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def query(self, text, **more):
        body = json.dumps({"query": text, **more})
        status, answer = self.request("POST", "/v1/query", body, {"Content-Type": "application/json"})
        if status != 200:
            raise RuntimeError(f"{status}: {answer.decode()}")
        return json.loads(answer)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=30):
        self.process.terminate()
        return self.process.wait(timeout=seconds)
