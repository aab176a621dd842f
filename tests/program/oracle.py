"""An independent computation of answers over the files that `braid generate` writes: plain Python over the raw text,
sharing no code with Braid. Times are integer nanoseconds.
"""
import bisect
import collections
import datetime
import json
import math
import re


def nanoseconds(text):
    """RFC 3339 with up to nine digits of fraction."""
    whole, fraction = re.match(r"([^.Z]+)(?:\.(\d+))?Z$", text).groups()
    seconds = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc).timestamp()
    return int(seconds) * 10**9 + int((fraction or "0").ljust(9, "0"))


LEVELS = {"trace": 1, "debug": 2, "info": 3, "warn": 4, "error": 5, "fatal": 6}
KINDS = {0: "unset", 1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


class Incident:
    def __init__(self, folder):
        self.logs = []
        for line in open(f"{folder}/logs.ndjson", encoding="utf-8"):
            record = json.loads(line)
            record["time"] = nanoseconds(record["timestamp"])
            self.logs.append(record)
        self.spans = []
        for line in open(f"{folder}/spans.otlp.ndjson", encoding="utf-8"):
            for group in json.loads(line)["resourceSpans"]:
                resource = {a["key"]: a["value"]["stringValue"] for a in group["resource"]["attributes"]}
                for scope in group["scopeSpans"]:
                    for span in scope["spans"]:
                        self.spans.append({
                            "trace": span["traceId"], "id": span["spanId"], "parent": span.get("parentSpanId", ""),
                            "service": resource["service.name"], "instance": resource["service.instance.id"],
                            "name": span["name"], "kind": KINDS[span["kind"]],
                            "start": int(span["startTimeUnixNano"]), "end": int(span["endTimeUnixNano"]),
                            "failed": span["status"].get("code") == 2, "message": span["status"].get("message", ""),
                            "attributes": {a["key"]: a["value"]["stringValue"] for a in span["attributes"]},
                            "links": [(l["traceId"], l["spanId"]) for l in span.get("links", [])],
                            "events": span.get("events", [])})
        self.by_trace = collections.defaultdict(list)
        for span in self.spans:
            self.by_trace[span["trace"]].append(span)
        self.series = {}  # (metric, frozenset of labels) -> ([times], [values])
        for line in open(f"{folder}/metrics.om", encoding="utf-8"):
            if line.startswith("#"):
                continue
            metric, labels, value, time = re.match(r"(\w+)\{(.*?)\} (\S+) (\S+)", line).groups()
            key = (metric, frozenset(re.findall(r'(\w+)="([^"]*)"', labels)))
            times, values = self.series.setdefault(key, ([], []))
            times.append(round(float(time) * 1000) * 10**6)
            values.append(float(value))
        self._self_times()

    def _self_times(self):
        """Duration minus the union of the children's intervals, clipped to the span."""
        for spans in self.by_trace.values():
            children = collections.defaultdict(list)
            for span in spans:
                children[span["parent"]].append(span)
            for span in spans:
                covered, reached = 0, span["start"]
                for child in sorted(children[span["id"]], key=lambda c: c["start"]):
                    begin, end = max(child["start"], reached), min(child["end"], span["end"])
                    if end > begin:
                        covered += end - begin
                        reached = end
                span["self"] = span["end"] - span["start"] - covered

    # ---- PromQL, the part that the questions use

    def rate(self, key, at, window):
        """rate() of one series over (at - window, at], extrapolated as Prometheus does; None without two samples."""
        times, values = self.series[key]
        first, last = bisect.bisect_right(times, at - window), bisect.bisect_right(times, at)
        if last - first < 2:
            return None
        times, values = times[first:last], values[first:last]
        increase = values[-1] - values[0]
        for before, after in zip(values, values[1:]):
            if after < before:
                increase += before
        to_start = (times[0] - (at - window)) / 1e9
        to_end = (at - times[-1]) / 1e9
        sampled = (times[-1] - times[0]) / 1e9
        average = sampled / (len(times) - 1)
        if to_start >= average * 1.1:
            to_start = average / 2
        if increase > 0 and values[0] >= 0:
            to_start = min(to_start, sampled * (values[0] / increase))
        if to_end >= average * 1.1:
            to_end = average / 2
        return increase * (sampled + to_start + to_end) / sampled / (window / 1e9)

    @staticmethod
    def histogram_quantile(q, buckets):
        """`buckets`: [(upper bound, cumulative)] ascending, the last one +Inf."""
        total = buckets[-1][1]
        if total == 0 or math.isnan(total):
            return math.nan
        rank = q * total
        index = next(i for i, (_, count) in enumerate(buckets[:-1] + [(math.inf, math.inf)]) if count >= rank)
        if index == len(buckets) - 1:
            return buckets[-2][0]
        low, below = (0.0, 0.0) if index == 0 else buckets[index - 1]
        bound, count = buckets[index]
        return low + (bound - low) * ((rank - below) / (count - below))

    def p99(self, at):
        """histogram_quantile(0.99, sum by (service, le) (rate(http_request_duration_seconds_bucket[2m]))) at one instant."""
        sums = collections.defaultdict(lambda: collections.defaultdict(float))
        for key in self.series:
            if key[0] != "http_request_duration_seconds_bucket":
                continue
            rate = self.rate(key, at, 120 * 10**9)
            if rate is not None:
                labels = dict(key[1])
                sums[labels["service"]][float(labels["le"].replace("+Inf", "inf"))] += rate
        return {service: self.histogram_quantile(0.99, sorted(buckets.items())) for service, buckets in sums.items()}

    def spike_windows(self, start, end, step, threshold, gap, pad_before):
        """p99 > threshold | windows by (service) gap G pad -P..0s: service -> sorted disjoint [start, end]."""
        windows = collections.defaultdict(list)
        at = start
        while at <= end:
            for service, value in self.p99(at).items():
                if value > threshold:
                    spans = windows[service]
                    if spans and (at - step) - spans[-1][1] <= gap:
                        spans[-1][1] = at
                    else:
                        spans.append([at - step, at])
            at += step
        return {service: [(a - pad_before, b) for a, b in spans] for service, spans in windows.items()}
