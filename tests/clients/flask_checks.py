"""Three ordinary Flask programs, unmodified, under `braid run`: their metrics, their log lines, their spans."""
import glob
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

from checks import CAPTURED, DEBIAN, Folder, PROGRAM, Server, await_that, equal, need, need_debian, rows

PYTHON = "/usr/bin/python3"  # Debian's: its packages are for its version


def need_port(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            need(False, f"port {port} is taken")


class Program:
    """A program under `braid run` that serves HTTP on port 5000."""

    def __init__(self, server, service, script):
        self.errors = open(os.path.join(os.path.dirname(server.data), "run.log"), "wb")
        self.process = subprocess.Popen(
            [PROGRAM, "run", "--service", service, "--server", f"http://127.0.0.1:{server.port}", "--", PYTHON, script],
            env={**os.environ, "PYTHONPATH": os.path.join(DEBIAN, "usr/lib/python3/dist-packages")},
            stdout=self.errors, stderr=self.errors)

    def __enter__(self):
        await_that(lambda: self.get("/") is not None, what="the program's first answer")
        return self

    def get(self, path):
        try:
            with urllib.request.urlopen("http://127.0.0.1:5000" + path, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            if self.process.poll() is not None:
                raise RuntimeError(f"the program ended with {self.process.returncode}")
            return None

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.errors.close()


def need_program(name):
    need_debian()
    path = os.path.join(CAPTURED, "flask", name)
    need(os.path.exists(path), f"{path} is not there")
    version = subprocess.run([PYTHON, "--version"], capture_output=True, text=True)
    need(version.returncode == 0 and "3.11" in version.stdout, "no Python 3.11 of Debian's")
    need_port(5000)
    return path


def value(server, query):
    found = rows(server, query, start="now-5s", end="now", step="1s")
    return found[-1]["value"] if found else None


def check_flask_metrics():
    script = need_program("metrics.py")
    with Folder() as folder:
        server = Server(os.path.join(folder, "store")).start()
        with Program(server, "shop", script) as program:
            # Rates need two scrapes; the program's /metrics is found without being told where.
            query = 'sum(rate(app_requests_total{service="shop", endpoint="/"}[1m])) > 0'
            def asked():
                for _ in range(10):
                    equal(program.get("/"), "Hello World!")
                time.sleep(0.3)
                return value(server, query)
            await_that(asked, seconds=60, what="a rate")
            p99 = value(server, 'histogram_quantile(0.99, sum by (le) (rate(app_request_latency_seconds_bucket{service='
                                '"shop"}[1m])))')
            equal(0 < p99 < 1, True, f"p99 {p99}")
            equal(value(server, 'up{service="shop"}'), 1, "up")
        server.stop()


def requests_of(program, count):
    for _ in range(count):
        equal(program.get("/"), "Hello World!")


def check_flask_structlog():
    script = need_program("logging_structlog.py")
    with Folder() as folder:
        server = Server(os.path.join(folder, "store")).start()
        with Program(server, "shop", script) as program:
            requests_of(program, 20)
            query = ('logs{service = "shop"} | where message = "Request completed" and endpoint = "/" and request_id != "" '
                     '| keep time, level, request_id, status_code, duration_ms, instance, stream = log.iostream')
            await_that(lambda: len(rows(server, query)) >= 21, what="completed requests")
            found = rows(server, query)
            equal({(r["level"], r["status_code"], r["stream"]) for r in found}, {("info", 200, "stderr")}, "fields")
            ids = {r["request_id"] for r in found}
            equal(len(ids), len(found), "a request_id each")
            one = sorted(ids)[0]
            # All that the request has logged, by its id.
            messages = [r["message"] for r in rows(server, f'logs{{request_id = "{one}"}} | where attr.event = null '
                                                           '| keep message')]
            equal({"Request started", "Processing hello request", "Request completed"} <= set(messages), True, messages)
            # Werkzeug's access lines come by the same stream.
            access = rows(server, 'logs{service = "shop", http.response.status_code = 200, url.path = "/"}')
            equal(len(access) >= 21, True, f"{len(access)} access lines")
            # The line and the latency of its service at its time, in one query. One instance id ties them.
            both = ('logs{service = "shop", request_id = "%s"} | where message = "Request completed" '
                    '| join (sum by (service, instance) (app_request_latency_seconds_count{endpoint="/"})) as n on '
                    '(service, instance) within -1m..1m | keep request_id, duration_ms, n.value' % one)
            await_that(lambda: rows(server, both), seconds=60, what="latency metrics of the request's program")
        server.stop()


def check_flask_tracing_capture():
    """The third program's spans, as its exporter sent them: it is not to be had from Debian."""
    captured = sorted(glob.glob(os.path.join(CAPTURED, "*.bin")))
    need(captured, f"no captured datagrams in {CAPTURED}")
    with Folder() as folder:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = Server(os.path.join(folder, "store"), "--jaeger-udp", str(port)).start()
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for path in captured:
            with open(path, "rb") as file:
                sender.sendto(file.read(), ("127.0.0.1", port))
        everything = {"start": "2020-01-01T00:00:00Z", "end": "now+1d"}
        query = 'spans | keep trace_id, span_id, parent_id, service, name, kind'
        # Six of Python's OpenTelemetry exporter in one datagram, two of jaeger-client, one of Node's exporter twice.
        await_that(lambda: len(rows(server, query, **everything)) >= 9)
        spans = [s for s in rows(server, query, **everything) if s["service"] == "checkout"]
        equal(len(spans), 5, "spans of the Flask program's exporter")
        # A request that came with a traceparent: its parent is with the caller and never arrives.
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        found = rows(server, f'spans{{trace_id = "{trace.upper()}"}} | keep name, kind, parent_id', **everything)
        equal(sorted((s["name"], s["kind"]) for s in found), [("/hello/<name>", "server"), ("db-query", "internal")],
              "spans by trace id")
        # Its log lines carry the trace id; they come by the way of every program's output.
        line = json.dumps({"trace_id": trace, "request_id": trace, "endpoint": "/", "event": "Request started",
                           "level": "info"})
        done = subprocess.run([PROGRAM, "pipe", "--service", "checkout", "--server",
                               f"http://127.0.0.1:{server.port}"], input=line + "\n", text=True, capture_output=True)
        equal((done.returncode, done.stdout, done.stderr), (0, line + "\n", ""), "braid pipe")
        both = rows(server, f'logs{{trace_id = "{trace}"}} | join (spans) as s on (trace_id) | keep message, s.name',
                    **everything)
        equal(len(both), len(found), "the log line with each of its spans")
        server.stop()


def check_flask_one_command():
    """A store, a scrape and Jaeger's port by one command, without a server beside it."""
    script = need_program("logging_structlog.py")
    captured = os.path.join(CAPTURED, "python_otel121_compact_6831.bin")
    need(os.path.exists(captured), f"{captured} is not there")
    for port in (4318, 6831):
        need_port(port)
    with Folder() as folder:
        log = open(os.path.join(folder, "run.log"), "w+b")
        process = subprocess.Popen(
            [PROGRAM, "run", "--data", os.path.join(folder, "store"), "--scrape", "5000", "--jaeger-udp", "6831", "--service",
             "shop", "--", PYTHON, script], stdout=log, stderr=log,
            env={**os.environ, "PYTHONPATH": os.path.join(DEBIAN, "usr/lib/python3/dist-packages")})

        def count(query):
            done = subprocess.run([PROGRAM, "query", "--server", "http://127.0.0.1:4318", "--format", "csv", "--range",
                                   "2020-01-01T00:00:00Z..now+1d", query + " | stats n = count()"], capture_output=True, text=True)
            return int(done.stdout.split()[1]) if done.returncode == 0 else 0
        try:
            def asked():
                with urllib.request.urlopen("http://127.0.0.1:5000/", timeout=5) as answer:
                    return answer.status == 200

            def tried():
                try:
                    return asked()
                except OSError:
                    return False
            await_that(tried, what="the program's first answer")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, open(captured, "rb") as file:
                sender.sendto(file.read(), ("127.0.0.1", 6831))
            await_that(lambda: count('samples{service = "shop", metric = "app_request_latency_seconds_count"}') > 0, 30, "metrics")
            await_that(lambda: count('logs{service = "shop"} | where message = "Request completed"') > 0, 20, "log lines")
            await_that(lambda: count('spans{service = "checkout"}') == 5, 20, "spans")
        finally:
            process.terminate()
            process.wait()
            log.close()


CHECKS = [check_flask_metrics, check_flask_structlog, check_flask_tracing_capture, check_flask_one_command]
