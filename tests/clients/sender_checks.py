"""Clients that send: OpenTelemetry, Jaeger, Zipkin, Loki, Elasticsearch, rsyslog, Prometheus."""
import json
import os
import socket
import subprocess
import time
import urllib.parse
import urllib.request

from checks import (DEBIAN, Folder, Server, await_that, equal, free_port, need, need_debian, need_node, node,
                    node_command, node_environment, rows)


def nanoseconds(text):
    """RFC 3339 in UTC with up to nine digits of a second."""
    if isinstance(text, int):
        return text
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))) - time.timezone
    return seconds * 10**9 + int((fraction or "0").ljust(9, "0"))


def otlp(protocol):
    def check():
        need_node()
        service = "js-" + protocol.replace("/", "-")
        with Folder() as folder:
            arguments = []
            port = None
            if protocol == "grpc":
                port = free_port()
                arguments = ["--grpc-listen", f"127.0.0.1:{port}"]
            server = Server(folder, *arguments)
            try:
                server.start()
            except RuntimeError as error:
                need(protocol != "grpc", f"this braid serves no gRPC ({error})")
                raise
            sent = node("otlp.js", protocol, f"http://127.0.0.1:{port or server.port}", service)
            expected = sorted((s["trace_id"], s["span_id"], s["parent_id"], int(s["start"]), int(s["end"]), s["name"],
                               s["kind"], s["status"]) for s in sent["spans"])
            spans = rows(server, f'spans{{service = "{service}"}} | keep time, end, trace_id, span_id, parent_id, name, '
                                 'kind, status, status_message, instance, text, whole, real, flag, list, pod = '
                                 'resource.k8s.pod.name, scope = scope.name')
            equal(sorted((s["trace_id"], s["span_id"], s["parent_id"] or "", nanoseconds(s["time"]),
                          nanoseconds(s["end"]), s["name"], s["kind"], s["status"]) for s in spans), expected, "spans")
            for span in spans:
                equal((span["instance"], span["pod"], span["scope"]), ("i-1", "pod-1", "clients"), "resource and scope")
                if span["kind"] == "server":
                    i = span["whole"]
                    equal((span["text"], span["real"], span["flag"], json.loads(span["list"])),
                          (f"ä{i}", i + 0.5, i % 2 == 0, ["a", "b"]), "attributes")
                else:
                    equal(span["status_message"].startswith("failed "), True, "status message")
            events = rows(server, f'events{{service = "{service}"}} | keep name, key, exception.type, exception.message')
            equal(sorted(e["key"] for e in events if e["name"] == "cache.miss"), sorted(f"k{i}" for i in range(50)),
                  "events")
            equal(sorted(e["exception.message"] for e in events if e["exception.type"] == "RangeError"),
                  sorted(f"bad {i}" for i in range(50)), "exceptions")
            links = rows(server, f'links | keep trace_id, linked_trace_id, linked_span_id, why')
            roots = {s["span_id"] for s in sent["spans"] if s["kind"] == "server"}
            equal(len([link for link in links if link["linked_span_id"] in roots and link["why"] == "test"]), 50, "links")

            records = rows(server, f'logs{{service = "{service}"}} | keep message, level, trace_id, span_id, request_id, n, '
                                   'nested.a, nested.b.c')
            by_span = {s["span_id"]: s["trace_id"] for s in sent["spans"]}
            equal(len(records), sent["logs"], "log records")
            for record in records:
                i = record["n"]
                equal((record["message"], record["level"], record["request_id"], record["nested.a"],
                       record["nested.b.c"], by_span[record["span_id"]]),
                      (f"query {i} failed", "error", f"r-{i}", 1, True, record["trace_id"]), "a log record")

            def value(query):
                found = rows(server, query + " | tail 1000", start="now-1m", end="now", step="1s")
                return found[-1]["value"] if found else None
            job = f'{{job="{service}"}}'
            equal(value(f'sum(requests_total{job})'), 200, "counter")
            equal(value(f'requests_total{{job="{service}",route="/1"}}'), 100, "counter of a route")
            equal(value(f'queue_length{job}'), 32, "up-down counter")
            equal(value(f'temperature_celsius{{job="{service}",room="a"}}'), 21.5, "gauge")
            equal(value(f'latency_seconds_bucket{{job="{service}",le="0.5"}}'), 30, "histogram bucket")
            equal(value(f'latency_seconds_count{job}'), 100, "histogram count")
            equal(value(f'histogram_count(sizes_bytes{job})'), 100, "exponential histogram count")
            equal(value(f'histogram_sum(sizes_bytes{job})'), 5050, "exponential histogram sum")
            median = value(f'histogram_quantile(0.5, sizes_bytes{job})')
            equal(45 < median < 55, True, f"median {median} of an exponential histogram")
            equal(value(f'count(target_info{{job="{service}",k8s_pod_name="pod-1"}})'), 1, "target_info")
            server.stop()
    check.__name__ = "check_otlp_" + protocol.replace("/", "_")
    return check


def traces(exporter):
    def check():
        need_node()
        service = "old-" + exporter
        with Folder() as folder:
            udp = free_port()
            server = Server(folder, "--jaeger-udp", str(udp)).start()
            target = {"zipkin": f"http://127.0.0.1:{server.port}/api/v2/spans",
                      "jaeger-http": f"http://127.0.0.1:{server.port}/api/traces",
                      "jaeger-client-http": f"http://127.0.0.1:{server.port}/api/traces"}.get(exporter, udp)
            sent = node("traces.js", exporter, target, service)
            query = (f'spans{{service = "{service}"}} | keep time, trace_id, span_id, parent_id, name, kind, status, '
                     'status_message, text, whole')
            # Datagrams have no answer.
            await_that(lambda: len(rows(server, query)) >= len(sent["spans"]))
            spans = rows(server, query)

            def identity(s):
                # Zipkin's names are lower case, by its rules.
                return (s["trace_id"], s["span_id"], s["parent_id"] or "", s["name"], s["kind"], s["status"])
            equal(sorted(map(identity, spans)), sorted(map(identity, sent["spans"])), "spans")
            starts = {s["span_id"]: s.get("start_us") for s in sent["spans"]}
            for span in spans:
                if starts[span["span_id"]] is not None:
                    equal(nanoseconds(span["time"]) // 1000, starts[span["span_id"]], "start")
                if span["kind"] == "server":
                    equal(span["text"], f"ä{int(span['whole'])}", "attributes")
                elif not exporter.startswith("jaeger-client"):
                    equal(span["status_message"].startswith("failed "), True, "status message")
            events = rows(server, f'events{{service = "{service}"}} | keep name, key')
            equal(sorted(e["name"] for e in events), ["cache.miss"] * 20, "events")
            if exporter != "zipkin":  # whose annotations are texts
                equal(sorted(e["key"] for e in events), sorted(f"k{i}" for i in range(20)), "fields of events")
            server.stop()
    check.__name__ = "check_" + exporter.replace("-", "_")
    return check


def loggers(client):
    def check():
        need_node()
        service = "logs-" + client
        with Folder() as folder:
            server = Server(folder).start()
            sent = node("logs.js", client, f"http://127.0.0.1:{server.port}", service)
            query = f'logs{{service = "{service}"}} | keep time, message, level, request_id, n, route, trace_id'
            span = {"start": "2023-11-14T00:00:00Z", "end": "now+1h"}
            await_that(lambda: len(rows(server, query, **span)) >= sent["count"])
            found = rows(server, query, **span)
            equal(len(found), sent["count"], "log records")
            # Loki's clients send a record as one line of JSON; Elasticsearch's as fields.
            messages = []
            for record in found:
                message = record["message"]
                if client.startswith(("winston", "pino")):
                    fields = json.loads(message)
                    equal(fields["request_id"].startswith("r-"), True, "request_id in the line")
                    message = fields.get("message") or fields["msg"]
                i = int(message.rpartition("ä")[2])
                messages.append(message)
                if client == "elasticsearch":
                    equal((record["request_id"], record["n"], record["trace_id"], nanoseconds(record["time"])),
                          (f"r-{i}", i, "4bf92f3577b34da6a3ce929d0e0e4736", (1700000000000 + i) * 10**6), "fields")
                if client.startswith("winston"):
                    equal(record["route"], f"/{i % 3}", "label")
                equal(record["level"], "error" if i % 10 == 0 else "info", "level")
            equal(sorted(messages), sorted(f"line ä{i}" for i in range(sent["count"])), "messages")
            server.stop()
    check.__name__ = "check_" + client.replace("-", "_")
    return check


def check_rsyslog_omelasticsearch():
    need_debian()
    lines = 500
    with Folder() as folder:
        server = Server(os.path.join(folder, "store")).start()
        log = os.path.join(folder, "app.log")
        with open(log, "w", encoding="utf-8") as file:
            for i in range(lines):
                file.write(f"line ä{i} \"quoted\"\n")
        config = os.path.join(folder, "rsyslog.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'''
global(workDirectory="{folder}")
module(load="imfile" mode="polling" pollingInterval="1")
module(load="omelasticsearch")
template(name="document" type="list" option.jsonf="on") {{
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="severity" name="syslogseverity-text" format="jsonf")
  property(outname="service" name="programname" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}}
input(type="imfile" File="{log}" Tag="shop:" Severity="warning")
action(type="omelasticsearch" server="127.0.0.1" serverport="{server.port}" template="document" bulkmode="on"
       searchIndex="logs" action.resumeRetryCount="-1" action.resumeInterval="1")
''')
        libraries = [os.path.join(DEBIAN, "usr/lib/x86_64-linux-gnu"), os.path.join(DEBIAN, "lib/x86_64-linux-gnu")]
        process = subprocess.Popen(
            [os.path.join(DEBIAN, "usr/sbin/rsyslogd"), "-n", "-f", config, "-i", os.path.join(folder, "pid"), "-M",
             os.path.join(DEBIAN, "usr/lib/x86_64-linux-gnu/rsyslog")],
            env={**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            query = 'logs{service = "shop"} | keep message, level, elasticsearch.index'
            await_that(lambda: len(rows(server, query)) >= lines, seconds=30)
        finally:
            process.terminate()
            process.wait()
        found = rows(server, query)
        equal(sorted(record["message"] for record in found), sorted(f'line ä{i} "quoted"' for i in range(lines)), "messages")
        equal({(record["level"], record["elasticsearch.index"]) for record in found}, {("warn", "logs")}, "level, index")
        server.stop()


class MetricsPage:
    """prom-client's page of metrics on a port of its own."""

    def __enter__(self):
        self.process = subprocess.Popen(node_command("metrics_page.js"), env=node_environment(), stdout=subprocess.PIPE,
                                        text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def prometheus_api(port, query):
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def samples_of(port, selector):
    """{labels: [(time, value), ...]} of a range selector, as either side tells it."""
    return {json.dumps(series["metric"], sort_keys=True): [tuple(pair) for pair in series.get("values", [])]
            for series in prometheus_api(port, selector)}


def check_prom_client_scrape():
    """`braid serve --scrape-config`: each answer of the page is a sample, with its exemplars."""
    need_node()
    with Folder() as folder, MetricsPage() as page:
        config = os.path.join(folder, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("scrape_configs:\n  - job_name: shop\n    scrape_interval: 500ms\n    scrape_timeout: 500ms\n"
                       f'    static_configs:\n      - targets: ["127.0.0.1:{page.port}"]\n')
        server = Server(os.path.join(folder, "store"), "--scrape-config", config)
        try:
            server.start()
        except RuntimeError as error:
            need(False, f"this braid does not scrape ({error})")
        query = 'samples{metric = "shop_requests_total"} | keep time, value, job, instance, route'
        await_that(lambda: len(rows(server, query)) >= 6)
        with urllib.request.urlopen(f"http://127.0.0.1:{page.port}/served", timeout=10) as answer:
            served = json.load(answer)
        await_that(lambda: len(rows(server, query)) >= len(served))
        found = [r for r in rows(server, query) if r["value"] is not None]
        equal([r["value"] for r in found][:len(served)], served, "values")
        equal({(r["job"], r["instance"], r["route"]) for r in found}, {("shop", f"127.0.0.1:{page.port}", "/")}, "labels")
        exemplars = rows(server, "exemplars | keep metric, trace_id")
        equal({e["trace_id"] for e in exemplars}, {"4bf92f3577b34da6a3ce929d0e0e4736"}, "exemplars")
        equal({e["metric"] for e in exemplars}, {"shop_requests_total", "shop_latency_seconds_bucket"}, "their metrics")
        equal(prometheus_api(server.port, 'up{job="shop"}')[0]["value"][1], "1", "up")
        page.process.kill()
        await_that(lambda: prometheus_api(server.port, 'up{job="shop"}')[0]["value"][1] == "0", what="up 0")
        equal(prometheus_api(server.port, 'shop_requests_total'), [], "staleness")
        server.stop()


def remote_write(program, version):
    def check():
        need_node()
        if program is None:
            need_debian()
            binary = os.path.join(DEBIAN, "usr/bin/prometheus")
        else:
            binary = program
            need(binary and os.path.exists(binary), "set BRAID_PROMETHEUS to a Prometheus of 2.54 or newer")
        with Folder() as folder, MetricsPage() as page:
            server = Server(os.path.join(folder, "store")).start()
            if version == 2:
                kind = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
                refused = server.request("POST", "/api/v1/write", b"\0", {"Content-Type": kind})[0] == 415
                need(not refused, "this braid takes no remote write 2.0")
            port = free_port()
            message = "\n    protobuf_message: io.prometheus.write.v2.Request" if version == 2 else ""
            config = os.path.join(folder, "prometheus.yml")
            with open(config, "w", encoding="utf-8") as file:
                file.write(f'''
global: {{scrape_interval: 200ms}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{page.port}"]}}]
remote_write:
  - url: http://127.0.0.1:{server.port}/api/v1/write{message}
    send_exemplars: true
    queue_config: {{batch_send_deadline: 200ms}}
''')
            process = subprocess.Popen(
                [binary, f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
                 f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                def both():
                    # What Prometheus had scraped a moment ago is compared; the newest is still on its way.
                    selector = '{job="shop"}[1m] offset 2s'
                    return samples_of(port, selector), samples_of(server.port, selector)

                def enough():
                    try:
                        return sum(map(len, both()[0].values())) > 150
                    except OSError:
                        return False
                await_that(enough, seconds=30, what="what Prometheus scrapes")
                page.process.kill()  # staleness: nothing new from here on
                time.sleep(1.5)
                now = time.time()
                selector = f'{{job="shop"}}[1m] @ {now:.3f}'
                await_that(lambda: samples_of(server.port, selector) == samples_of(port, selector), seconds=15,
                           what="every sample of Prometheus")
                here = samples_of(server.port, selector)
                equal(here, samples_of(port, selector), "samples")
                exemplars = rows(server, 'exemplars | keep metric, trace_id, span_id, value')
                equal({e["trace_id"] for e in exemplars}, {"4bf92f3577b34da6a3ce929d0e0e4736"}, "exemplars")
                equal({e["metric"] for e in exemplars} >= {"shop_latency_seconds_bucket"}, True, "exemplars of buckets")
                # The page is gone: its series are stale on both sides.
                await_that(lambda: prometheus_api(server.port, 'shop_requests_total{job="shop"}') == [], what="staleness")
                equal(prometheus_api(server.port, 'up{job="shop"}')[0]["value"][1], "0", "up")
            finally:
                process.terminate()
                process.wait()
            server.stop()
    check.__name__ = f"check_prometheus_remote_write_{version}"
    return check


CHECKS = [
    otlp("http/protobuf"), otlp("http/json"), otlp("grpc"),
    traces("jaeger-udp"), traces("jaeger-http"), traces("jaeger-client"), traces("jaeger-client-http"), traces("zipkin"),
    loggers("winston-loki"), loggers("winston-loki-json"), loggers("pino-loki"), loggers("elasticsearch"),
    check_rsyslog_omelasticsearch, check_prom_client_scrape,
    remote_write(None, 1), remote_write(os.environ.get("BRAID_PROMETHEUS", ""), 2),
]
