"""Answers of the program on generated incidents against the independent computation of oracle.py."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from oracle import LEVELS, Incident  # noqa: E402
from server_process import PROGRAM  # noqa: E402

SECOND = 10**9
STEP = 15 * SECOND
failures = []
checks = 0


def braid(*arguments):
    return subprocess.run([PROGRAM, *arguments], check=True, capture_output=True, text=True).stdout


def ask(data, text, *more):
    lines = braid("query", "--data", data, "--format", "ndjson", "--limit", "10000000", *more, text).splitlines()
    return [json.loads(line) for line in lines]


def expect(what, found, wanted):
    global checks
    checks += 1
    if found != wanted:
        failures.append(what)
        print(f"error: {what}\n  program: {str(found)[:600]}\n  oracle:  {str(wanted)[:600]}")


def near(a, b):
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b), 1e-9)


def number(value):
    return float(value) if isinstance(value, str) else value


def check_counts(data, incident, truth):
    expect("log lines by level", {r["level"]: r["n"] for r in ask(data, "logs | stats n = count() by (level)")},
           dict(Counter(log["level"] for log in incident.logs)))
    expect("spans by service and kind",
           {(r["service"], r["kind"]): r["n"] for r in ask(data, "spans | stats n = count() by (service, kind)")},
           dict(Counter((s["service"], s["kind"]) for s in incident.spans)))
    expect("traces", ask(data, "spans | stats n = distinct(trace_id)"), [{"n": truth["traces"]}])
    expect("samples", ask(data, "samples | stats n = count()"), [{"n": truth["samples"]}])
    expect("exemplars", ask(data, "exemplars | stats n = count()"), [{"n": truth["exemplars"]}])
    expect("links", ask(data, "links | stats n = count()"), [{"n": sum(len(s["links"]) for s in incident.spans)}])
    expect("events", ask(data, "events | stats n = count()"), [{"n": sum(len(s["events"]) for s in incident.spans)}])


def check_self_time(data, incident):
    errors = {log["trace_id"] for log in incident.logs if log["level"] == "error"}
    wanted = defaultdict(lambda: [0, 0])
    for span in incident.spans:
        if span["trace"] in errors:
            wanted[span["service"]][0] += span["self"]
            wanted[span["service"]][1] += 1
    rows = ask(data, "let errs = logs{level >= error}; spans | where trace_id in errs "
                     "| stats self = sum(self_time), n = count() by (service)")
    expect("self time of failed traces by service", {r["service"]: [int(r["self"]), r["n"]] for r in rows}, dict(wanted))


def check_walkthrough(data, incident, truth):
    """Q1 of the language: spike -> error lines in it -> their traces -> slow or failed spans."""
    start = -(-min(min(times) for times, _ in incident.series.values()) // STEP) * STEP
    end = max(max(times) for times, _ in incident.series.values()) // STEP * STEP
    windows = incident.spike_windows(start, end, STEP, 0.5, 60 * SECOND, 120 * SECOND)
    traces = {log["trace_id"] for log in incident.logs if LEVELS[log["level"]] >= LEVELS["error"] and any(
        a <= log["time"] <= b for a, b in windows.get(log["service"], []))}
    wanted = defaultdict(lambda: [0, 0])
    for span in incident.spans:
        if span["trace"] in traces and (span["failed"] or span["self"] > SECOND // 2):
            wanted[span["service"], span["name"]][0] += 1
            wanted[span["service"], span["name"]][1] += span["self"]
    rows = ask(data, """
      let p99   = histogram_quantile(0.99, sum by (service, le) (rate(http_request_duration_seconds_bucket[2m])));
      let spike = p99 > 500ms | windows by (service) gap 1m pad -2m..0s;
      let errs  = logs{level >= error} | where (service, time) in spike;
      spans{status = error or self_time > 500ms}
        | where trace_id in errs
        | stats n = count(), self = sum(self_time), why = any(status_message), trace = any(trace_id) by (service, name)
        | sort self desc""", "--start", str(start // SECOND), "--end", str(end // SECOND), "--step", "15s")
    expect("the walkthrough", {(r["service"], r["name"]): [r["n"], int(r["self"])] for r in rows}, dict(wanted))
    cause = truth["root_cause"]
    expect("the walkthrough names the cause", (rows[0]["service"], rows[0]["name"]), (cause["service"], cause["span"]))


def check_rate(data, incident):
    at = max(max(times) for times, _ in incident.series.values())
    rows = ask(data, "sum by (service) (rate(http_requests_total[5m]))", "--start", f"{at / SECOND:.3f}", "--end", f"{at / SECOND:.3f}")
    wanted = defaultdict(float)
    for key in incident.series:
        if key[0] == "http_requests_total":
            rate = incident.rate(key, at, 300 * SECOND)
            if rate is not None:
                wanted[dict(key[1])["service"]] += rate
    found = {r["service"]: number(r["value"]) for r in rows}
    expect("services with a rate", sorted(found), sorted(wanted))
    expect("rates", all(near(found[s], wanted[s]) for s in wanted if s in found), True)


def check_text(data, incident):
    needle = "row 1042,"
    expect("lines with a text", ask(data, f'logs |= "{needle}" | stats n = count()'),
           [{"n": sum(needle in log["message"] for log in incident.logs)}])
    expect("lines with a field", sorted(r["message"] for r in ask(data, 'logs{tenant_id = "tenant-7", level = error}')),
           sorted(log["message"] for log in incident.logs if log.get("tenant_id") == "tenant-7" and log["level"] == "error"))
    trace = incident.spans[len(incident.spans) // 2]["trace"]
    expect("one trace", sorted(r["span_id"] for r in ask(data, "spans{trace_id = $t}", "--param", f"t={trace}")),
           sorted(s["id"] for s in incident.by_trace[trace]))


def main():
    for seed in (1, 2, 3):
        work = tempfile.mkdtemp(prefix="braid-oracle-")
        try:
            files, data = os.path.join(work, "files"), os.path.join(work, "store")
            braid("generate", "-q", "--out", files, "--seed", str(seed), "--length", "12m", "--rate", "6")
            braid("import", "-q", "--data", data, *(os.path.join(files, name) for name in
                                                    ("metrics.om", "logs.ndjson", "spans.otlp.ndjson")))
            incident, truth = Incident(files), json.load(open(os.path.join(files, "truth.json"), encoding="utf-8"))
            for check in (lambda: check_counts(data, incident, truth), lambda: check_self_time(data, incident),
                          lambda: check_walkthrough(data, incident, truth), lambda: check_rate(data, incident),
                          lambda: check_text(data, incident)):
                check()
        finally:
            shutil.rmtree(work)
    if failures:
        sys.exit(1)
    print(f"{checks} answers equal on three incidents")
    print(f"[  PASSED  ] {checks} tests.")


if __name__ == "__main__":
    main()
