"""Queries that would need more memory than they may have, and queries whose client goes away.

  limits_test.py [--scale 1] [--memory 64] [--show]

The process' own peak (VmHWM) tells what a query took; the CPU time that the process uses after its client has gone tells
when it ended. --show prints both for every query; --scale multiplies the data.
"""
import argparse
import http.client
import json
import os
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from expectations import expect, finish  # noqa: E402
from server_process import Server  # noqa: E402

START = 1_767_261_600  # 2026-01-01T10:00:00Z
END = START + 3600
SERIES = 200


# Over the limit by their own size, not by a limit of rows or groups.
ROWS = [
    "logs | sort message",
    "logs | tail 10000000",
    "logs | top 10000000 by ms",
    "logs | dedup (message) | stats n = count()",
    "logs | stats v = values(message, 1000) by (user)",
    "logs | join logs as r on (message)",
    "logs | join left logs as r on () within -1s..1s | stats n = count() by (r.message)",
    "let a = logs; a | union a | union a | union a | union a | sort ms",
    "logs | windows by (message)",
    "logs | compare ms > 1",
    "logs | context -1000..1000 | sort time",
    "logs | stats first(message), arg_max(message, ms) by (user) | sort user",
    "logs | where message in (logs)",
    "spans({service = \"s0\"} >> {service = \"s1\"}) | sort duration",
    "samples{metric = \"load\"} | sort value",
    "load | sort value",
    "(logs | stats rate() by (user) [5m]) + on (user) (logs | stats rate() by (user) [1m])",
    "logs | extend x = message" + "".join(', x = replace(x, "(?s)(.*)", "\\\\1\\\\1")' for _ in range(40)),
]
VECTORS = [
    '{__name__=~".+"}',
    'rate({__name__=~".+"}[1h])',
    'count_values("v", load)',
    "sort(load)",
    "topk(100000, load)",
    "load + load",
    "load or (load + 1)",
    "load * on () group_left vector(1)",
    'histogram_quantile(0.5, label_replace(load, "le", "$1", "host", "h(.*)"))',
    "max_over_time(load[1h:100ms])",
    "max_over_time(vector(1)[1y:1ms])",
    "sum_over_time((vector(0) + (" + "time() + (" * 100 + "time()" + ")" * 101 + ")[30d:1s])",
    "label_replace(" * 40 + "load" + ', "host", "$1$1", "host", "(.*)")' * 40,
    "label_join(" * 30 + "load" + ', "host", "", "host", "host")' * 30,
    "quantile(0.5, load)",
]
# Long work in little memory.
LONG = [
    ("rows", "logs | join logs as r on () within -60s..60s | stats n = count_if(r.ms > ms)"),
    ("rows", "logs | stats " + ", ".join(f'a{i} = count_if(message =~ "(.*a){{12}}(.*b){{12}}{i}")' for i in range(20))),
    ("rows", "logs | stats n = count() by (p = " + "replace(" * 30 + "message" + ', "[a-e]+", "x")' * 30 + ")"),
    ("vector", "sum(quantile_over_time(0.5, load[1h]))"),
    ("vector", "sum(mad_over_time(load[30m:1s]))"),
]


def status_value(process, name):
    with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name + ":"))


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(server, scale):
    """Lines with long distinct messages, series, traces of three spans."""
    lines, count = [], int(60_000 * scale)
    for i in range(count):
        at = START * 10**9 + i * (3600 * 10**9 // count)
        lines.append(json.dumps({"time": at, "service": f"s{i % 5}", "level": "info", "user": f"u{i % 7000}", "ms": i % 977 / 4,
                                 "message": f"request {i * 7919 % count:08d} of user u{i % 7000} was answered: " + "abcde " * 12}))
        if len(lines) == 20_000 or i + 1 == count:
            post(server, "/ingest/jsonl", "\n".join(lines), "application/x-ndjson")
            lines = []
    series = int(SERIES * scale)
    for at in range(START, END, 300):
        text = "".join(f'load{{host="h{s}",service="s{s % 5}"}} {(s * 31 + t) % 997} {t * 1000}\n'
                       for s in range(series) for t in range(at, at + 300, 5))
        post(server, "/api/v1/import/prometheus", text, "text/plain")
    spans, count = [], int(15_000 * scale)
    for i in range(count):
        at = START * 10**9 + i // 3 * (3000 * 10**9 * 3 // count)
        spans.append({"traceId": f"{i // 3 + 1:032x}", "spanId": f"{i + 1:016x}", "name": f"operation {i % 50}", "kind": 2,
                      "startTimeUnixNano": str(at + i % 3), "endTimeUnixNano": str(at + 10**7),
                      **({"parentSpanId": f"{i:016x}"} if i % 3 else {})})
        if len(spans) == 15_000 or i + 1 == count:
            body = {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": f"s{s}"}}]},
                                       "scopeSpans": [{"spans": spans[s::3]}]} for s in range(3)]}
            post(server, "/v1/traces", json.dumps(body), "application/json")
            spans = []


def post(server, path, body, kind):
    status, answer = server.request("POST", path, body, {"Content-Type": kind}, timeout=120)
    if status >= 300:
        raise RuntimeError(f"{path}: {status} {answer[:300]!r}")


def request_of(kind, text):
    if kind == "rows":
        return "/v1/query", json.dumps({"query": text, "start": f"{START}", "end": f"{END}", "step": "15s"}), "application/json"
    form = urllib.parse.urlencode({"query": text, "start": START, "end": END, "step": "0.4"})
    return "/api/v1/query_range", form, "application/x-www-form-urlencoded"


def check_memory(server, kind, text, bytes_max, show):
    with open(f"/proc/{server.process.pid}/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")
    before = status_value(server.process, "VmRSS")
    path, body, content = request_of(kind, text)
    status, answer = server.request("POST", path, body, {"Content-Type": content}, timeout=120)
    grown = status_value(server.process, "VmHWM") - before
    try:
        error = json.loads(answer).get("error", "")
    except ValueError:
        error = ""
    if show:
        print(f"{grown / 1e6:8.1f} MB  {status}  {str(error)[:110]}  {text[:70]}", flush=True)
    # Well or with an error that says what there was too little of: both are fine in bounded memory.
    expect(f"{text[:60]} has an answer or a limit", status == 200 or any(
        word in str(error) for word in ("E081", "E085", "memory limit", "all running queries", "series_max", "groups",
                                    "time limit")),
        (status, answer[:300]))
    expect(f"{text[:60]} stays in its memory", grown <= bytes_max, f"{grown / 1e6:.1f} MB more than {bytes_max / 1e6:.1f} MB")
    return status != 200


def check_large_answer(server, scale):
    """An answer of some megabytes comes in pieces, and whole."""
    form = urllib.parse.urlencode({"query": 'load{service=~"s[0-3]"}', "start": START, "end": END - 5, "step": "5"})
    status, body = server.request("POST", "/api/v1/query_range", form, {"Content-Type": "application/x-www-form-urlencoded"})
    expect("a large answer is one", status == 200 and len(body) > 1 << 20, (status, len(body)))
    answer = json.loads(body)
    wanted = {str(s): [[t, str((s * 31 + t) % 997)] for t in range(START, END, 5)] for s in range(int(SERIES * scale)) if s % 5 < 4}
    found = {series["metric"]["host"][1:]: series["values"] for series in answer["data"]["result"]}
    expect("a large answer is right", answer["status"] == "success" and found == wanted, (len(found), len(wanted)))


def check_cancel(server, kind, text, show):
    path, body, content = request_of(kind, text)
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", path, body, {"Content-Type": content})
    begin = cpu_seconds(server.process)
    until = time.monotonic() + 10
    while cpu_seconds(server.process) < begin + 0.3 and time.monotonic() < until:  # until it is well at work
        time.sleep(0.01)
    connection.close()
    left = last = cpu_seconds(server.process)
    quiet = 0
    while quiet < 5 and time.monotonic() < until + 60:
        time.sleep(0.05)
        now = cpu_seconds(server.process)
        quiet, last = (quiet + 1 if now - last < 0.02 else 0), now
    if show:
        print(f"{last - left:8.2f} s of CPU after the client has gone, {left - begin:.2f} s before  {text[:70]}", flush=True)
    expect(f"{text[:60]} was at work", left - begin >= 0.2, left - begin)
    # A tenth of a second is what is aimed at; a busy machine with sanitizers has a whole one.
    expect(f"{text[:60]} ends when its client goes", last - left < 1.0, f"{last - left:.2f} s of CPU")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--memory", type=int, default=64, help="MB")
    parser.add_argument("--show", action="store_true")
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(os.path.join(folder, "data"), "--memory", f"{settings.memory}MB", log=open(os.path.join(folder, "log"), "w"))
        server.start()
        try:
            fill(server, settings.scale)
            server.stop()
            server.start()
            # Half of it is for queries. Decoded columns of the store, and what the allocator has not given back, come on top.
            bytes_max = settings.memory * 10**6 * 0.75 + 32e6
            refused = {kind: sum(check_memory(server, kind, text, bytes_max, settings.show) for text in texts)
                       for kind, texts in (("rows", ROWS), ("vector", VECTORS))}
            expect("many of the row queries are too large", refused["rows"] >= len(ROWS) // 3, refused)
            expect("many of the vector queries are too large", refused["vector"] >= len(VECTORS) // 2, refused)
            check_large_answer(server, settings.scale)
            for kind, text in LONG:
                check_cancel(server, kind, text, settings.show)
            status, answer = server.request("GET", "/-/ready")
            expect("the server is well", status == 200, answer)
        finally:
            server.stop()
    finish()


main()
