"""Log and span data sets: real files or what `braid generate` makes, as the bodies and rows that each store takes."""
import json
import os
import re
import subprocess
from collections import Counter

from .metric_data import unpack
from .wire import BodyFile, trace_bodies

KINDS = ["unset", "internal", "server", "client", "producer", "consumer"]
STATUSES = ["unset", "ok", "error"]


class LogData:
    """name, path of the NDJSON, and which of its keys hold time, level and message (message may be None)."""

    def __init__(self, name, path, time="timestamp", level=None, message="message", order=("service", "timestamp")):
        self.name, self.path = name, path
        self.time, self.level, self.message, self.order = time, level, message, order
        with open(path, "rb") as file:
            self.lines = sum(1 for line in file if line.strip())
        self.raw_bytes = os.path.getsize(path)

    def bodies(self, bytes_max=1 << 20):
        """(body, lines) of whole lines."""
        with open(self.path, "rb") as file:
            while True:
                lines = file.readlines(bytes_max)
                if not lines:
                    return
                yield b"".join(lines), len(lines)

    def zstd_bytes(self):
        return len(subprocess.run(["zstd", "-3", "-c", self.path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  check=True).stdout)

    def rare_word(self):
        """A word of letters and digits that one line alone holds, near the middle of the file."""
        words, samples = Counter(), []
        pattern = re.compile(r"[A-Za-z0-9]+")
        with open(self.path) as file:
            for number, line in enumerate(file):
                found = set(pattern.findall(json.loads(line)[self.message]))
                words.update(found)
                if abs(number - self.lines // 2) < 2000:
                    samples += [word for word in found if len(word) >= 5]
        alone = sorted(word for word in samples if words[word] == 1)
        if not alone:
            raise RuntimeError(f"{self.name} has no word that stands in one line alone")
        # Not inside a longer word either, so that substring search and word search find the same.
        with open(self.path) as file:
            text = "\n".join(json.loads(line)[self.message] for line in file)
        for word in alone[::max(1, len(alone) // 50)]:
            if text.count(word) == 1:
                return word
        raise RuntimeError(f"{self.name} has no word that stands in one place alone")


class SpanData:
    """name, path of OTLP/JSON lines; bodies (protobuf) and flat rows are made when first asked for."""

    def __init__(self, name, path, folder):
        self.name, self.path, self.folder = name, path, folder
        self.raw_bytes = os.path.getsize(path)
        self._flatten()

    def bodies(self):
        file = BodyFile(os.path.join(self.folder, self.name + ".otlp"))
        if not os.path.exists(file.path):
            with open(self.path) as lines:
                file.write(trace_bodies(line for line in lines if line.strip()))
        return file

    def _flatten(self):
        self.rows = os.path.join(self.folder, self.name + ".spans.ndjson")
        counts = self.rows + ".counts"
        if not os.path.exists(counts):
            traces, spans = set(), 0
            with open(self.path) as lines, open(self.rows, "w") as out:
                for line in lines:
                    for row in flat_spans(json.loads(line)):
                        traces.add(row["trace_id"])
                        spans += 1
                        out.write(json.dumps(row, separators=(",", ":")) + "\n")
            with open(counts, "w") as out:
                json.dump({"spans": spans, "traces": sorted(traces)[::max(1, len(traces) // 100)]}, out)
        with open(counts) as file:
            known = json.load(file)
        self.spans, self.traces = known["spans"], known["traces"]


def plain(value):
    return next(iter(value.values()), "") if value else ""


def flat_spans(request):
    for resource_spans in request["resourceSpans"]:
        resource = {a["key"]: plain(a.get("value")) for a in resource_spans["resource"]["attributes"]}
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
                status = span.get("status", {})
                yield {
                    "trace_id": span["traceId"], "span_id": span["spanId"], "parent_id": span.get("parentSpanId", ""),
                    "service": resource.get("service.name", ""),
                    "instance": resource.get("k8s.pod.name", resource.get("service.instance.id", "")),
                    "resource": {k: str(v) for k, v in resource.items()},
                    "name": span.get("name", ""), "kind": KINDS[int(span.get("kind", 0))],
                    "status": STATUSES[int(status.get("code", 0))], "status_message": status.get("message", ""),
                    "start_ns": start, "end_ns": end, "duration_ns": end - start,
                    "attributes": {a["key"]: str(plain(a.get("value"))) for a in span.get("attributes", ())},
                    "events": json.dumps(span["events"]) if span.get("events") else "",
                    "links": json.dumps(span["links"]) if span.get("links") else ""}


def generate(braid, folder, rate, only_lines=False):
    """`braid generate` at `rate` requests a second for half an hour; returns the folder."""
    out = os.path.join(folder, f"generated-{rate}")
    if not os.path.exists(os.path.join(out, "truth.json")):
        subprocess.run([braid, "generate", "--out", out, "--rate", str(rate), "--quiet"], check=True)
    if only_lines:  # the spans of the largest set take 5 GB
        for name in ("spans.otlp.ndjson", "metrics.om"):
            if os.path.exists(os.path.join(out, name)):
                os.unlink(os.path.join(out, name))
    return out


def logs_of(name, folder, context):
    if name == "nezha-day":
        path = unpack(context.source("nezha-day/logs.ndjson.zst"), os.path.join(folder, "nezha-day.logs.ndjson"))
        return LogData(name, path, level="severity")
    if name == "zeek":
        path = unpack(context.source("logs/zeek.ndjson.zst"), os.path.join(folder, "zeek.ndjson"))
        return LogData(name, path, time="ts", message=None, order=("_path", "ts"))
    made = generate(context.braid_path, folder, int(name.rsplit("-", 1)[1]), name == context.ten_times_lines())
    return LogData(name, os.path.join(made, "logs.ndjson"), level="level")


def spans_of(name, folder, context):
    if name == "nezha-day":
        path = unpack(context.source("nezha-day/spans.otlp.ndjson.zst"), os.path.join(folder, "nezha-day.otlp.ndjson"))
        return SpanData(name, path, folder)
    made = generate(context.braid_path, folder, int(name.rsplit("-", 1)[1]))
    return SpanData(name, os.path.join(made, "spans.otlp.ndjson"), folder)
