"""A small seeded store of logs, spans and a gauge: as bodies for a server, and as rows for naive_rows."""
import json

from naive_rows import KINDS, LEVELS, SECOND, STATUSES, Id, Span, Time, Trees, Word

START = 1_767_261_600 * SECOND  # 2026-01-01T10:00:00Z
LENGTH = 1800 * SECOND
SERVICES = ["api", "web", "db", "cart"]
WORDS = ["timeout", "connection reset", "GET /cart", "ok", "retry", "user not found"]


class Store:
    def __init__(self, chance):
        self.chance = chance
        self.spans = self._spans()
        self.trees = Trees(self.spans)
        self.logs = self._logs()
        self.gauges = self._gauges()

    def _times(self, count, unit=SECOND // 1000):
        """Different times, ascending, in whole units."""
        return sorted(START + n * unit for n in self.chance.sample(range(LENGTH // unit), count))

    def _spans(self):
        chance, spans = self.chance, []
        for _ in range(90):
            trace_id = Id(f"{chance.getrandbits(128) | 1:032x}")
            members = []
            begin = chance.choice(range(LENGTH // SECOND - 60)) * SECOND + START
            for _ in range(chance.choice((1, 2, 4, 6, 9))):
                parent = chance.choice(members) if members and chance.random() < 0.95 else None
                parent_id = None if parent is None else parent["span_id"]
                if parent is None and members and chance.random() < 0.5:
                    parent_id = Id(f"{chance.getrandbits(64) | 1:016x}")  # never arrives
                length = chance.choice((1, 5, 40, 250, 900, 2500)) * 10**6 + chance.randrange(1000) * 1000
                time = (begin if parent is None else parent["time"]) + chance.randrange(200) * 10**6 + len(spans)
                service = chance.choice(SERVICES)
                failed = chance.random() < 0.25
                members.append({
                    "time": Time(time), "end": Time(time + length), "duration": Span(length), "service": service,
                    "instance": f"{service}-{chance.randrange(2)}", "name": chance.choice(("GET /", "pay", "SELECT", "cache")),
                    "kind": Word(KINDS, chance.choice(KINDS)),
                    "status": Word(STATUSES, "error") if failed else Word(STATUSES, chance.choice(("ok", "unset"))),
                    "status_message": chance.choice(("boom", "deadline")) if failed else None,
                    "trace_id": trace_id, "span_id": Id(f"{chance.getrandbits(64) | 1:016x}"), "parent_id": parent_id,
                    "route": chance.choice(("/cart", "/pay", "/x/y", None)), "size": chance.choice((None, 10, 200, 3500)),
                    "weight": chance.choice((None, 0.25, 1.5, 12.75)), "cached": chance.choice((None, True, False))})
                spans.append(members[-1])
        spans.sort(key=lambda s: s["time"])
        return spans

    def _logs(self):
        chance, logs = self.chance, []
        for time in self._times(420):
            near = [s for s in self.spans if abs(s["time"] - time) < 20 * SECOND]
            span = chance.choice(near) if near and chance.random() < 0.7 else None
            service = span["service"] if span else chance.choice(SERVICES)
            number = chance.randrange(1000)
            message = f"{chance.choice(WORDS)} id={number} user=u{chance.randrange(4)}"
            logs.append({
                "time": Time(time), "service": service, "instance": f"{service}-{chance.randrange(2)}",
                "level": None if chance.random() < 0.1 else Word(LEVELS, chance.choice(LEVELS)), "message": message,
                "trace_id": span["trace_id"] if span else None, "span_id": span["span_id"] if span else None,
                "code": chance.choice((None, 200, 404, 500, 503)), "ms": chance.choice((None, 0.5, 2.25, 80.125, 7.0)),
                "user": chance.choice((None, "ann", "bob", "cy", "")) or None, "region": chance.choice(("eu", "us", None))})
        return logs

    def _gauges(self):
        """(service, instance) -> [(time, value)]"""
        chance, gauges = self.chance, {}
        for service in SERVICES:
            for instance in (f"{service}-0", f"{service}-1"):
                at, samples = START + chance.randrange(15) * SECOND, []
                while at < START + LENGTH:
                    if chance.random() > 0.05:
                        samples.append((at, float(chance.randrange(100))))
                    at += chance.choice((15, 15, 15, 30, 400 if chance.random() < 0.03 else 15)) * SECOND
                gauges[service, instance] = samples
        return gauges

    # ---- bodies

    def write(self, server):
        lines = []
        for log in self.logs:
            record = {"_time": str(int(log["time"]))}
            for key, value in log.items():
                if key != "time" and value is not None:
                    record[key] = value.word if isinstance(value, Word) else value
            record["time"] = int(record.pop("_time"))
            lines.append(json.dumps(record))
        self._post(server, "/ingest/jsonl", "\n".join(lines), "application/x-ndjson")
        groups = {}
        for span in self.spans:
            groups.setdefault((span["service"], span["instance"]), []).append(span)
        resources = []
        for (service, instance), members in groups.items():
            resources.append({
                "resource": {"attributes": [self._attribute("service.name", service),
                                            self._attribute("service.instance.id", instance)]},
                "scopeSpans": [{"spans": [self._span(s) for s in members]}]})
        self._post(server, "/v1/traces", json.dumps({"resourceSpans": resources}), "application/json")
        text = []
        for (service, instance), samples in self.gauges.items():
            for time, value in samples:
                text.append(f'load{{service="{service}",instance="{instance}"}} {value} {time // 10**6}')
        self._post(server, "/api/v1/import/prometheus", "\n".join(text) + "\n", "text/plain")

    @staticmethod
    def _post(server, path, body, kind):
        status, answer = server.request("POST", path, body, {"Content-Type": kind})
        if status >= 300 or b'"rejected":0' not in answer + b'"rejected":0':
            raise RuntimeError(f"{path}: {status} {answer[:300]!r}")

    @staticmethod
    def _attribute(key, value):
        kind = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}[type(value)]
        return {"key": key, "value": {kind: value}}

    def _span(self, s):
        attributes = [self._attribute(k, s[k]) for k in ("route", "size", "weight", "cached") if s[k] is not None]
        status = {"code": STATUSES.index(s["status"].word)}
        if s["status_message"] is not None:
            status["message"] = s["status_message"]
        out = {"traceId": s["trace_id"], "spanId": s["span_id"], "name": s["name"], "kind": KINDS.index(s["kind"].word) + 1,
               "startTimeUnixNano": str(int(s["time"])), "endTimeUnixNano": str(int(s["end"])), "attributes": attributes,
               "status": status}
        if s["parent_id"] is not None:
            out["parentSpanId"] = s["parent_id"]
        return out
