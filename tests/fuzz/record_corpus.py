#!/usr/bin/env python3
"""Records what real clients send as files of tests/fuzz/corpus: record_corpus.py

The clients are those that tests/clients/run has unpacked into build/clients; BRAID_PROMETHEUS names a Prometheus of 2.54
or newer for remote write 2.0. Between each and a server stands a relay that keeps the bytes. Bodies are kept as sent,
and decompressed where they were compressed. Files that are there are written anew; others stay."""
import gzip
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "clients"))
from checks import DEBIAN, Folder, Server, free_port, node, node_environment  # noqa: E402
from sender_checks import MetricsPage  # noqa: E402

CORPUS = os.path.join(HERE, "corpus")
BYTES_MAX = 24_000  # of a file: fuzzers want small ones


class Relay:
    """Passes connections on and keeps what their clients say."""

    def __init__(self, port):
        self.port, self.said = port, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.port))
            said = bytearray()
            self.said.append(said)
            threading.Thread(target=self.pump, args=(client, server, said), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, None), daemon=True).start()

    @staticmethod
    def pump(source, target, kept):
        try:
            while piece := source.recv(65536):
                if kept is not None:
                    kept.extend(piece)
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def requests(said):
    """(path, headers, body) of each whole request of a connection of HTTP/1.1."""
    at = 0
    while (end := said.find(b"\r\n\r\n", at)) >= 0:
        lines = said[at:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        at, body = end + 4, b""
        if "chunked" in headers.get("transfer-encoding", ""):
            while True:
                end = said.find(b"\r\n", at)
                size = int(said[at:end], 16)
                body += said[end + 2:end + 2 + size]
                at = end + 4 + size
                if size == 0:
                    break
        else:
            size = int(headers.get("content-length", "0"))
            body, at = bytes(said[at:at + size]), at + size
        yield lines[0].split(" ")[1], headers, body


def data_of_http2(said):
    """What the DATA frames of a connection's first call hold."""
    at, data, stream = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), b"", None
    while at + 9 <= len(said):
        size, kind, flags = int.from_bytes(said[at:at + 3], "big"), said[at + 3], said[at + 4]
        number = int.from_bytes(said[at + 5:at + 9], "big")
        payload = bytes(said[at + 9:at + 9 + size])
        if kind == 0 and stream in (None, number):
            stream = number
            data += payload[1:len(payload) - payload[0]] if flags & 8 else payload
        at += 9 + size
    return data


def snappy_decoded(block):
    size, at, shift = 0, 0, 0
    while True:
        size |= (block[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if block[at - 1] < 128:
            break
    out = bytearray()
    while at < len(block):
        tag = block[at]
        at += 1
        if tag & 3 == 0:
            length = tag >> 2
            if length >= 60:
                more = length - 59
                length = int.from_bytes(block[at:at + more], "little")
                at += more
            out += block[at:at + length + 1]
            at += length + 1
            continue
        if tag & 3 == 1:
            length, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | block[at]
            at += 1
        else:
            wide = 2 if tag & 3 == 2 else 4
            length, offset = (tag >> 2) + 1, int.from_bytes(block[at:at + wide], "little")
            at += wide
        for _ in range(length):
            out.append(out[-offset])
    assert len(out) == size
    return bytes(out)


def keep(form, name, body):
    # Stack traces name this machine's folders; a name as long leaves the sizes around it true.
    root = os.path.dirname(os.path.dirname(HERE)).encode()
    body = body.replace(root, b"/srv".ljust(len(root), b"-"))
    if not body or len(body) > BYTES_MAX:
        print(f"{form}/{name}: {len(body)} bytes, not kept")
        return
    os.makedirs(os.path.join(CORPUS, form), exist_ok=True)
    with open(os.path.join(CORPUS, form, name), "wb") as file:
        file.write(body)
    print(f"{form}/{name}: {len(body)} bytes")


FORMS = {"/v1/traces": "otlp-traces", "/v1/logs": "otlp-logs", "/v1/metrics": "otlp-metrics",
         "/loki/api/v1/push": "loki-protobuf", "/_bulk": "elastic-bulk", "/api/v2/spans": "zipkin-json",
         "/api/traces": "jaeger-thrift"}


def keep_requests(relay, name):
    kept = set()
    for said in list(relay.said):
        for path, headers, body in requests(bytes(said)):
            kind, coding = headers.get("content-type", ""), headers.get("content-encoding", "")
            path, file = path.partition("?")[0], name
            form = FORMS.get(path)
            if path == "/api/v1/write":
                form = "remote-write-2" if "v2" in kind else "remote-write-1"
            elif "json" in kind and path == "/loki/api/v1/push":
                form = "loki-json"
            elif "json" in kind and path.startswith("/v1/"):
                form, file = "otlp-json", f"{name}-{path[4:]}"
            # One of each: a client sends the same kind of body again and again.
            if form is None or not body or (form, file) in kept:
                continue
            kept.add((form, file))
            if coding == "gzip":
                keep("gzip", f"{file}-{form}", body)
                body = gzip.decompress(body)
            elif coding == "snappy" or form == "loki-protobuf":
                keep("snappy", f"{file}-{form}", body)
                body = snappy_decoded(body)
            keep(form, file, body)


def through_relay(name, send, *arguments, port=None):
    with Folder() as folder:
        server = Server(os.path.join(folder, "store"), *arguments).start()
        relay = Relay(port or server.port)
        send(relay.address)
        time.sleep(0.3)
        if port is None:
            keep_requests(relay, name)
        else:
            keep("otlp-grpc", name, data_of_http2(bytes(relay.said[0])))
        server.kill()


def prometheus(binary, version):
    def send(address):
        with Folder() as folder, MetricsPage() as page:
            message = "\n    protobuf_message: io.prometheus.write.v2.Request" if version == 2 else ""
            config = os.path.join(folder, "prometheus.yml")
            with open(config, "w", encoding="utf-8") as file:
                file.write(f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{page.port}"]}}]
remote_write:
  - url: http://127.0.0.1:{address}/api/v1/write{message}
    send_exemplars: true
    queue_config: {{batch_send_deadline: 500ms}}
""")
            process = subprocess.Popen(
                [binary, f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
                 f"--web.listen-address=127.0.0.1:{free_port()}", "--enable-feature=exemplar-storage"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(6)
            process.terminate()
            process.wait()
            keep("prometheus-text", "prom-client",
                 urllib.request.urlopen(f"http://127.0.0.1:{page.port}/metrics").read())
    return send


def datagrams(exporter):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))
        node("traces.js", exporter, agent.getsockname()[1], "shop", 2)
        keep("jaeger-thrift", exporter, agent.recv(65535))


def printed(name, command, form, environment):
    done = subprocess.run(command, capture_output=True, env=environment, timeout=30)
    keep(form, name, done.stdout + done.stderr)


PINO = """
const log = require('pino')({level: 'debug'});
log.info({request_id: 'r-1', n: 1}, 'ä');
log.error(new Error('bad'), 'it broke');
log.child({module: 'db'}).warn({took: 1.5}, 'slow');
"""
WINSTON = """
const {createLogger, format, transports} = require('winston');
const log = createLogger({
  format: format.combine(format.timestamp(), format.json()), transports: [new transports.Console()],
});
log.info('ä', {request_id: 'r-1', labels: {route: '/'}});
log.error('it broke');
"""
PYTHON = """
import logging, structlog, sys
structlog.configure(processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"),
                                structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
log = structlog.get_logger().bind(request_id="r-1", user="ä")
log.info("request_received", path="/")
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
logging.warning("about to fail: code=7")
try:
    {}["x"]
except KeyError:
    log.exception("request_failed", status=500, ms=1.25)
    logging.exception("it broke")
"""
PAGE = r"""
from prometheus_client import CollectorRegistry, Counter, Histogram, Summary, Gauge, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
import sys
r = CollectorRegistry()
Counter("app_requests", "Requests", ["endpoint", "method"], registry=r).labels('/ä"\\', "GET").inc()
Histogram("app_request_latency_seconds", "Latency", ["endpoint"], registry=r).labels("/").observe(
    0.2, {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"})
Summary("app_size_bytes", "Size", registry=r).observe(5)
Gauge("app_load", "Load\nof it", registry=r).set(1e-9)
sys.stdout.buffer.write((openmetrics if sys.argv[1:] else generate_latest)(r))
"""


def main():
    for protocol in ("http/protobuf", "http/json"):
        through_relay("js-sdk", lambda to, p=protocol: node("otlp.js", p, f"http://127.0.0.1:{to}", "shop", 3))
    port = free_port()
    through_relay("js-sdk", lambda to: node("otlp.js", "grpc", f"http://127.0.0.1:{to}", "shop", 3), "--grpc-listen",
                  f"127.0.0.1:{port}", port=port)
    for exporter, path in (("zipkin", "/api/v2/spans"), ("jaeger-http", "/api/traces"),
                           ("jaeger-client-http", "/api/traces")):
        through_relay(exporter,
                      lambda to, e=exporter, p=path: node("traces.js", e, f"http://127.0.0.1:{to}{p}", "shop", 2))
    for exporter in ("jaeger-udp", "jaeger-client"):
        datagrams(exporter)
    for client in ("winston-loki", "winston-loki-json", "pino-loki", "elasticsearch"):
        through_relay(client, lambda to, c=client: node("logs.js", c, f"http://127.0.0.1:{to}", "shop", 12))
    through_relay("prometheus", prometheus(os.path.join(DEBIAN, "usr/bin/prometheus"), 1))
    if os.environ.get("BRAID_PROMETHEUS"):
        through_relay("prometheus", prometheus(os.environ["BRAID_PROMETHEUS"], 2))
    python = {**os.environ, "PYTHONPATH": os.path.join(DEBIAN, "usr/lib/python3/dist-packages")}
    printed("pino", ["node", "-e", PINO], "json-lines", node_environment())
    printed("winston", ["node", "-e", WINSTON], "json-lines", node_environment())
    printed("structlog-and-logging", ["/usr/bin/python3", "-c", PYTHON], "log-lines", python)
    printed("python", ["/usr/bin/python3", "-c", PAGE], "prometheus-text", python)
    printed("python-openmetrics", ["/usr/bin/python3", "-c", PAGE, "openmetrics"], "prometheus-text", python)


if __name__ == "__main__":
    main()
