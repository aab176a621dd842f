"""Random PromQL against the program and a real Prometheus, which must agree.

  promql_differential.py --prometheus PATH [--braid PATH] [--seed 1] [--queries 20000] [--features LIST] [--show 10]

Both servers get the same seeded samples by remote write (counters with resets, gauges with gaps, NaN, infinities and
staleness markers, classic and native histograms) and the same random expressions as instant and range queries. Answers
agree if both fail, or if they hold the same series with the same points: NaN equals NaN, numbers within 1e-9 of the
larger one. Words of errors and annotations are compared too and counted. Where they do not agree, Prometheus is asked again several times: it adds up in the order of a hash map in
places, so answers that differ from its own are counted as "unstable". Numbers that differ by less than 1e-6 (of bytes:
1e-3) are counted as "rounding": the ends of long sums of large numbers. Differences that a function is known for are
counted by their reason, see KNOWN. Everything else is a difference; the exit status is 1 if there is one.

Prometheus runs with delayed removal of metric names, which is how Braid has them.

Needs a Prometheus (3.5 or later) to compare with; tests/program/differential_test asks some hundreds where one is to be had.
Both servers listen on loopback.
"""
import argparse
import collections
import concurrent.futures
import http.client
import json
import math
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "program"))
from server_process import free_port  # noqa: E402

START = 1_767_261_600  # 2026-01-01T10:00:00Z
LENGTH = 3600
SCRAPE = 15
STALE_BITS = 0x7FF0000000000002

# ---- remote write: protobuf and snappy, as little as it takes


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value):
    return varint((value << 1) ^ (value >> 63) if value >= 0 else ((-value) << 1) - 1)


def tag(field, wire):
    return varint(field << 3 | wire)


def block(field, data):
    return tag(field, 2) + varint(len(data)) + data


def double(field, value):
    bits = struct.pack("<Q", STALE_BITS) if value == "stale" else struct.pack("<d", value)
    return tag(field, 1) + bits


def packed(field, items):
    return block(field, b"".join(items)) if items else b""


def snappy(data):
    out = bytearray(varint(len(data)))
    for at in range(0, len(data), 60_000):
        piece = data[at:at + 60_000]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


def histogram_bytes(histogram, time_ms):
    if histogram == "stale":
        return double(3, "stale") + tag(15, 0) + varint(time_ms)
    out = tag(1, 0) + varint(histogram["count"]) + double(3, histogram["sum"])
    out += tag(4, 0) + zigzag(histogram["schema"])
    if histogram["schema"] != -53:
        out += double(5, 0.001) + tag(6, 0) + varint(histogram["zero"])
    for spans_field, counts_field, buckets in ((8, 9, histogram["negative"]), (11, 12, histogram["positive"])):
        spans, deltas, before, expected = [], [], 0, None
        for index in sorted(buckets):
            if expected is None or index != expected:
                spans.append([index - (expected or 0), 0])
            spans[-1][1] += 1
            expected = index + 1
            deltas.append(zigzag(buckets[index] - before))
            before = buckets[index]
        for offset, length in spans:
            out += block(spans_field, tag(1, 0) + zigzag(offset) + tag(2, 0) + varint(length))
        out += packed(counts_field, deltas)
    if histogram["schema"] == -53:
        out += packed(16, [struct.pack("<d", bound) for bound in histogram["bounds"]])
    return out + tag(15, 0) + varint(time_ms)


# ---- the samples


def make_series(chance):
    """[(labels, [(time in ms, value)])]: a value is a float, "stale" or a histogram as dict."""
    series = []

    def times(gap_chance, jitter):
        at = START + chance.randrange(SCRAPE)
        while at <= START + LENGTH:
            if at >= START + SCRAPE and chance.random() < gap_chance:  # every series begins in the first request
                at += chance.choice((60, 300, 420)) // SCRAPE * SCRAPE
            yield int(at * 1000) + (chance.randrange(-400, 400) if jitter else 0)
            at += SCRAPE

    def with_staleness(points, ends=("stale",)):
        if chance.random() < 0.35 and len(points) > 40:
            at = chance.randrange(20, len(points) - 10)
            points[at] = (points[at][0], ends[0])
            if chance.random() < 0.5:  # gone for a while after the marker
                del points[at + 1:at + 1 + chance.randrange(1, 12)]
        return points

    places = [("api", "a:1", "prod"), ("api", "b:1", "prod"), ("api", "c:1", "test"), ("web", "a:2", "prod"),
              ("web", "b:2", "test"), ("db", "d:1", "prod")]
    for job, instance, env in places:
        base = {"job": job, "instance": instance, "env": env}
        for code in ("200", "404", "500"):
            value, points = float(chance.randrange(100)), []
            for at in times(0.01, True):
                value = 0.0 if chance.random() < 0.01 else value + chance.choice((0, 1, 1, 2, 5, 0.5, 13))
                points.append((at, value))
            series.append(({"__name__": "requests_total", "code": code, **base}, with_staleness(points)))
        value, points = chance.uniform(-50, 50), []
        for at in times(0.015, False):
            value += chance.gauss(0, 5)
            special = chance.random()
            points.append((at, math.nan if special < 0.01 else math.inf if special < 0.015 else
                           -math.inf if special < 0.02 else round(value, 3)))
        series.append(({"__name__": "temperature", **base}, with_staleness(points)))
        series.append(({"__name__": "up", **base}, with_staleness([(at, float(chance.random() < 0.93))
                                                                  for at in times(0.005, False)])))
        series.append(({"__name__": "memory_bytes", **base},
                       with_staleness([(at, 1e8 + chance.randrange(1000) * 4096.0) for at in times(0.01, True)])))
        series.append(({"__name__": "build_info", "version": chance.choice(("1.0", "1.1", "2.0")), **base},
                       [(at, 1.0) for at in times(0, False)]))
        bounds = ["0.1", "0.5", "1", "2.5", "10", "+Inf"]
        counts, points, total = [0] * len(bounds), [[] for _ in range(len(bounds) + 2)], 0.0
        for at in times(0.01, False):
            if chance.random() < 0.01:
                counts, total = [0] * len(bounds), 0.0
            for _ in range(chance.randrange(6)):
                observed = chance.expovariate(1)
                counts[next(i for i, b in enumerate(bounds) if observed <= float(b.replace("+", "")))] += 1
                total += observed
            below = 0
            for i, count in enumerate(counts):
                below += count
                points[i].append((at, float(below)))
            points[-2].append((at, total))
            points[-1].append((at, float(below)))
        for i, bound in enumerate(bounds):
            series.append(({"__name__": "latency_seconds_bucket", "le": bound, **base}, points[i]))
        series.append(({"__name__": "latency_seconds_sum", **base}, points[-2]))
        series.append(({"__name__": "latency_seconds_count", **base}, points[-1]))

        for name, schema in (("native_seconds", chance.choice((0, 1, 3))), ("custom_seconds", -53)):
            points, positive, negative, zero, total = [], collections.Counter(), collections.Counter(), 0, 0.0
            limits = [0.25, 0.5, 1.0, 2.0, 4.0]
            for at in times(0.01, False):
                if chance.random() < 0.012:
                    positive, negative, zero, total = collections.Counter(), collections.Counter(), 0, 0.0
                for _ in range(chance.randrange(5)):
                    observed = chance.expovariate(0.7)
                    total += observed
                    if schema == -53:
                        positive[next((i for i, b in enumerate(limits) if observed <= b), len(limits))] += 1
                    elif observed < 0.03:
                        zero += 1
                    elif chance.random() < 0.1:
                        negative[math.ceil(math.log2(observed) * 2 ** schema)] += 1
                    else:
                        positive[math.ceil(math.log2(observed) * 2 ** schema)] += 1
                count = zero + sum(positive.values()) + sum(negative.values())
                points.append((at, {"schema": schema, "count": count, "sum": total, "zero": zero, "bounds": limits,
                                    "positive": dict(positive), "negative": dict(negative)}))
            series.append(({"__name__": name, **base}, with_staleness(points)))
    # Series come in the order of their labels, so that Prometheus, which keeps the order of arrival in places (limitk,
    # ties of topk), meets them in the order in which Braid always has them.
    return sorted(series, key=lambda one: sorted(one[0].items()))


def write_requests(series):
    """Bodies of remote write, five minutes each, so that the receiver sees time go on."""
    for begin in range(START * 1000 - 1000, (START + LENGTH + SCRAPE) * 1000, 300_000):
        body = b""
        for labels, points in series:
            data = b"".join(block(1, block(1, name.encode()) + block(2, value.encode()))
                            for name, value in sorted(labels.items()))
            is_histogram = any(isinstance(value, dict) for _, value in points)
            found = False
            for at, value in points:
                if not begin <= at < begin + 300_000:
                    continue
                found = True
                if is_histogram:
                    data += block(4, histogram_bytes(value, at))
                else:
                    data += block(2, double(1, value) + tag(2, 0) + varint(at))
            if found:
                body += block(1, data)
        yield snappy(body)


# ---- the expressions

METRICS = ["requests_total", "temperature", "up", "memory_bytes", "build_info", "latency_seconds_bucket", "latency_seconds_sum",
           "latency_seconds_count", "native_seconds", "custom_seconds"]
LABELS = ["job", "instance", "env", "code", "le", "version", "missing"]
VALUES = {"job": ["api", "web", "db"], "instance": ["a:1", "b:1", "c:1", "a:2"], "env": ["prod", "test"],
          "code": ["200", "404", "500"], "le": ["0.1", "1", "+Inf"], "version": ["1.0", "2.0"], "missing": ["", "x"]}
PATTERNS = ["api|web", ".*", ".+", "a.*", "[ab]:1", "5..", "", "p.*d", "(?i)PROD", "^api$", "[0-9]+"]
PLAIN = ["abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "acos", "acosh", "asin", "asinh", "atan", "atanh",
         "cos", "cosh", "sin", "sinh", "tan", "tanh", "deg", "rad", "sort", "sort_desc", "timestamp", "absent", "day_of_month",
         "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year", "round", "histogram_avg",
         "histogram_count", "histogram_sum", "histogram_stddev", "histogram_stdvar"]
OVER_TIME = ["rate", "increase", "delta", "idelta", "irate", "deriv", "changes", "resets", "avg_over_time", "min_over_time",
             "max_over_time", "sum_over_time", "count_over_time", "stddev_over_time", "stdvar_over_time", "last_over_time",
             "present_over_time", "absent_over_time", "mad_over_time", "ts_of_max_over_time", "ts_of_min_over_time",
             "ts_of_last_over_time"]
AGGREGATIONS = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]
ARITHMETIC = ["+", "-", "*", "/", "%", "^", "atan2"]
COMPARISON = ["==", "!=", "<", "<=", ">", ">="]
DURATIONS = ["15s", "30s", "1m", "2m", "5m", "7m30s", "20m", "1h", "100ms", "90s"]


class Grammar:
    def __init__(self, chance):
        self.chance = chance

    def pick(self, items):
        return self.chance.choice(items)

    def number(self):
        return self.pick(["0", "1", "2", "0.5", "-1", "3.7", "100", "1e6", "NaN", "Inf", "-Inf", "0x1F", "1e-3", "7", "5m", "0.9"])

    def matchers(self):
        out = []
        for _ in range(self.pick((0, 0, 0, 0, 1, 1, 2))):
            label = self.pick(LABELS)
            if self.chance.random() < 0.5:
                out.append(f'{label}{self.pick(["=", "=", "!="])}"{self.pick(VALUES[label])}"')
            else:
                out.append(f'{label}{self.pick(["=~", "!~"])}"{self.pick(PATTERNS)}"')
        return out

    def selector(self):
        roll = self.chance.random()
        matchers = self.matchers()
        if roll < 0.06:
            return "{" + ",".join([f'__name__=~"{self.pick(["up|temperature", "latency.*", "request.+", ".*_info"])}"'] + matchers) + "}"
        metric = self.pick(METRICS[:2]) if roll < 0.45 else self.pick(METRICS)
        return metric + ("{" + ",".join(matchers) + "}" if matchers or roll > 0.95 else "")

    def modifiers(self):
        out, roll = "", self.chance.random()
        if roll < 0.08:
            out += f" offset {self.pick(['', '', '-'])}{self.pick(DURATIONS)}"
        if 0.05 < roll < 0.12:
            out += f" @ {self.pick([str(START + 600), str(START + 1800.5), 'start()', 'end()', str(START - 100), str(START + 3000)])}"
        return out

    def matrix(self, depth):
        if depth > 0 and self.chance.random() < 0.2:
            inner = self.vector(depth - 1) if self.chance.random() < 0.9 else self.scalar(depth - 1)
            return f"({inner})[{self.pick(DURATIONS[2:8])}:{self.pick(['', '30s', '1m', '17s'])}]{self.modifiers()}"
        length = self.pick(DURATIONS)
        if self.chance.random() < 0.05:
            length = f"{length} {self.pick('+*/')} {self.pick(['2', '1.5', '(1 + 2)', '30s'])}"
        return f"{self.selector()}[{length}]{self.modifiers()}"

    def grouping(self):
        if self.chance.random() < 0.25:
            return ""
        labels = self.chance.sample(LABELS, self.pick((0, 1, 1, 2, 3)))
        return f" {self.pick(['by', 'by', 'without'])} ({', '.join(labels)})"

    def aggregation(self, depth):
        roll, grouping = self.chance.random(), self.grouping()
        inner = self.vector(depth - 1)
        if roll < 0.7:
            return f"{self.pick(AGGREGATIONS)}{grouping} ({inner})"
        if roll < 0.78:
            return f"quantile{grouping} ({self.scalar(0) if roll < 0.71 else self.pick(['0', '0.5', '0.9', '1', '-1', '2', 'NaN'])}, {inner})"
        if roll < 0.9:
            return f"{self.pick(['topk', 'bottomk'])}{grouping} ({self.pick(['1', '2', '3', '0', '-1', '100', '1.5', 'NaN' if roll > 0.89 else '5'])}, {inner})"
        if roll < 0.94:
            return f'count_values{grouping} ("{self.pick(["v", "job", "value"])}", {inner})'
        if roll < 0.97:
            return f"limitk{grouping} ({self.pick(['1', '2', '10', '0'])}, {inner})"
        return f"limit_ratio{grouping} ({self.pick(['0.5', '-0.5', '1', '0', '0.1'])}, {inner})"

    def binary(self, depth):
        left, right = self.vector(depth - 1), self.vector(depth - 1)
        roll = self.chance.random()
        if roll < 0.15:
            right = self.scalar(depth - 1)
        elif roll < 0.25:
            left = self.scalar(depth - 1)
        scalar = roll < 0.25
        matching = ""
        if not scalar and self.chance.random() < 0.6:
            labels = self.chance.sample(LABELS, self.pick((1, 1, 2, 3)))
            matching = f" {self.pick(['on', 'ignoring'])} ({', '.join(labels)})"
        set_operation = not scalar and self.chance.random() < 0.2
        if set_operation:
            return f"({left}) {self.pick(['and', 'or', 'unless'])}{matching} ({right})"
        if matching and self.chance.random() < 0.5:
            extra = self.chance.sample(LABELS, self.pick((0, 0, 1)))
            matching += f" {self.pick(['group_left', 'group_right'])}" + (f" ({', '.join(extra)})" if extra or roll > 0.5 else "")
        if self.chance.random() < 0.35:
            return f"({left}) {self.pick(COMPARISON)}{self.pick(['', '', ' bool'])}{matching} ({right})"
        return f"({left}) {self.pick(ARITHMETIC)}{matching} ({right})"

    def call(self, depth):
        roll = self.chance.random()
        if roll < 0.4:
            return f"{self.pick(OVER_TIME)}({self.matrix(depth - 1)})"
        if roll < 0.6:
            return f"{self.pick(PLAIN)}({self.vector(depth - 1)})"
        if roll < 0.64:
            return f"quantile_over_time({self.pick(['0.5', '0.9', '0', '1', '1.1', '-0.1'])}, {self.matrix(depth - 1)})"
        if roll < 0.67:
            return f"predict_linear({self.matrix(depth - 1)}, {self.pick(['60', '-300', '3600', '0', '1m'])})"
        if roll < 0.69:
            return f"double_exponential_smoothing({self.matrix(depth - 1)}, {self.pick(['0.5', '0.1', '0.9'])}, {self.pick(['0.5', '0.3'])})"
        if roll < 0.74:
            window = self.pick(DURATIONS[3:8])
            inner = self.pick([f"sum by (le, job) (rate(latency_seconds_bucket[{window}]))", f"rate(latency_seconds_bucket[{window}])",
                               "latency_seconds_bucket", f"rate(native_seconds[{window}])", "sum by (job) (native_seconds)",
                               "custom_seconds", f"sum(increase(custom_seconds[{window}]))", self.vector(depth - 1)])
            if self.chance.random() < 0.3:
                return f"histogram_fraction({self.pick(['0', '0.2', '-Inf', '-1'])}, {self.pick(['1', '0.7', 'Inf', '3'])}, {inner})"
            return f"histogram_quantile({self.pick(['0.5', '0.9', '0.99', '0', '1', '-1', '2', 'NaN'])}, {inner})"
        if roll < 0.79:
            return (f'label_replace({self.vector(depth - 1)}, "{self.pick(["job", "new", "env", "__name__", "1bad"])}", '
                    f'"{self.pick(["$1", "x-$1", "", "${1}_$0", "fixed", "$2"])}", "{self.pick(LABELS + ["__name__"])}", '
                    f'"{self.pick(["(.*)", "(.+)", "(.).*", "a(.*)", "(?P<n>p.*)", "", "nothing", "(a|b):([0-9])"])}")')
        if roll < 0.82:
            return f'label_join({self.vector(depth - 1)}, "{self.pick(["new", "job"])}", "{self.pick(["-", ""])}", "job", "{self.pick(LABELS)}")'
        if roll < 0.86:
            return f"clamp({self.vector(depth - 1)}, {self.scalar(0)}, {self.scalar(0)})"
        if roll < 0.9:
            return f"{self.pick(['clamp_min', 'clamp_max', 'round'])}({self.vector(depth - 1)}, {self.scalar(0)})"
        if roll < 0.93:
            return f"vector({self.scalar(depth - 1)})"
        if roll < 0.95:
            return f'{self.pick(["sort_by_label", "sort_by_label_desc"])}({self.vector(depth - 1)}, "{self.pick(LABELS)}")'
        if roll < 0.97:
            return f"{self.pick(['hour', 'minute', 'month', 'day_of_week'])}()"
        return f"absent({self.selector()})"

    def scalar(self, depth):
        roll = self.chance.random()
        if depth <= 0 or roll < 0.5:
            return self.pick([self.number(), self.number(), self.number(), "time()", "pi()"])
        if roll < 0.75:
            return f"scalar({self.vector(depth - 1)})"
        operator = self.pick(ARITHMETIC + [c + " bool" for c in COMPARISON])
        return f"({self.scalar(depth - 1)}) {operator} ({self.scalar(depth - 1)})"

    def vector(self, depth):
        roll = self.chance.random()
        if depth <= 0 or roll < 0.12:
            return self.selector() + self.modifiers()
        if roll < 0.36:
            return self.aggregation(depth)
        if roll < 0.6:
            return self.binary(depth)
        if roll < 0.63:
            return f"-({self.vector(depth - 1)})"
        return self.call(depth)

    def expression(self):
        roll = self.chance.random()
        depth = self.pick((1, 1, 2, 2, 3))
        if roll < 0.02:
            return self.matrix(1)
        if roll < 0.05:
            return self.scalar(2)
        text = self.vector(depth)
        if roll < 0.08:  # texts with one piece gone or doubled: both must refuse the same ones
            pieces = text.split(" ")
            at = self.chance.randrange(len(pieces))
            pieces[at:at + 1] = self.pick(([], [pieces[at]] * 2))
            text = " ".join(pieces)
        elif roll < 0.09:  # wrong types
            text = self.pick([f"rate({text})", f"sum({self.matrix(0)})", f"scalar({self.number()})", f"{text} and 1",
                              f"({text}) == bool (1)", "1 == 2", f"-{self.matrix(0)}", f'"text" + 1', f"abs({self.number()})"])
        return text


# ---- the comparison

# Where an expression with this text differs, it may: the peer's version is behind the rules that Braid follows (those of
# Prometheus' own later tests), or its answer follows from its build.
KNOWN = [(re.compile(pattern), reason) for pattern, reason in (
    (r"mad_over_time", "mad_over_time of a NaN is NaN in later versions"),
    (r"(rate|increase)\(.*(native|custom)_seconds", "rate of native histograms stops at zero in later versions"),
    (r"histogram_fraction\((0|-1|-Inf),", "histogram_fraction of classic buckets from below zero is NaN in 3.5"),
    (r"timestamp\(.*offset.*@", "timestamp() of @ forgets the offset in 3.5"),
    (r"(hour|minute|month|year|day_of_\w+|days_in_month)\(", "dates of NaN and infinities follow from the processor"),
    (r"absent.*\b(\w+)(!~|!=|=~).*\b\1=\"", "absent() of several matchers of one label: the storage sorts them in place"),
    (r"(histogram_(quantile|fraction)|changes)\(.*native", "histograms get the empty buckets of later ones of their chunk"),
    (r"\^.*%|%.*\^", "remainder of a huge number, which follows from its last digit"),
    (r"count_values.*(native|custom|__name__)", "last digit of a histogram's bounds in its text"),
    (r"count_values.*(atan2|exp|ln|log|sin|cos|tan|deg|rad|sqrt|stddev|stdvar|avg|quantile|\^)",
     "last digit of a value that became a label"),
    (r"(topk|bottomk|limitk)\b.*\b(topk|bottomk)\b", "the sort of topk is not stable, which decides between equal values above it"),
    (r"(sin|cos|tan)\(.*(exp|sinh|cosh|\^)", "sine of a huge number, which follows from its last digit"),
)]


class Server:
    def __init__(self, port):
        self.port = port
        self.connections = threading.local()

    def post(self, path, body, headers):
        for attempt in (0, 1):
            connection = getattr(self.connections, "one", None)
            if connection is None:
                connection = self.connections.one = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except OSError:
                connection.close()
                self.connections.one = None
                if attempt:
                    raise
            except http.client.HTTPException:
                connection.close()
                self.connections.one = None
                if attempt:
                    raise

    def ask(self, path, params):
        status, body = self.post(path, urllib.parse.urlencode(params), {"Content-Type": "application/x-www-form-urlencoded"})
        try:
            return json.loads(body)
        except ValueError:
            return {"status": "error", "errorType": "unreadable", "error": f"{status} {body[:200]!r}"}


def points_of(data, with_name=True):
    """(labels or the type, time) -> number or histogram. Order is left out, but for duplicates, which must not be."""
    kind, result = data["resultType"], data["result"]
    if kind in ("scalar", "string"):
        return {(kind, result[0]): result[1]}
    points = {}
    for series in result:
        labels = tuple(sorted(item for item in series["metric"].items() if with_name or item[0] != "__name__"))
        for name in ("value", "histogram"):
            if name in series:
                points[labels, series[name][0]] = series[name][1]
        for name in ("values", "histograms"):
            for at, value in series.get(name, []):
                points[labels, at] = value
    return points


def number_pairs(a, b):
    """The numbers of two values side by side; None if their shapes differ."""
    if isinstance(a, str) and isinstance(b, str):
        try:
            return [(float(a), float(b))]
        except ValueError:
            return [] if a == b else None
    if not isinstance(a, dict) or not isinstance(b, dict) or len(a.get("buckets", [])) != len(b.get("buckets", [])):
        return None
    pairs = [(float(a["count"]), float(b["count"])), (float(a["sum"]), float(b["sum"]))]
    for one, other in zip(a.get("buckets", []), b.get("buckets", [])):
        pairs += [(float(x), float(y)) for x, y in zip(one, other)]
    return pairs


def same(a, b, relative, absolute=0.0):
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= max(relative * max(abs(a), abs(b)), absolute)


def verdict(braid, peer, absolute=0.0, with_name=True):
    """"" if the answers agree, else what differs."""
    if (braid["status"] == "success") != (peer["status"] == "success"):
        return f"braid {braid['status']} {braid.get('error', '')!r}, prometheus {peer['status']} {peer.get('error', '')!r}"
    if braid["status"] != "success":
        return ""
    if braid["data"]["resultType"] != peer["data"]["resultType"]:
        return f"type {braid['data']['resultType']} instead of {peer['data']['resultType']}"
    ours, theirs = points_of(braid["data"], with_name), points_of(peer["data"], with_name)
    for key in ours.keys() | theirs.keys():
        if key not in ours or key not in theirs:
            return f"{key} only in {'prometheus' if key in theirs else 'braid'} ({ours.get(key, theirs.get(key))})"
        pairs = number_pairs(ours[key], theirs[key])
        if pairs is None or not all(same(a, b, 1e-9, absolute) for a, b in pairs):
            return f"{key} braid {ours[key]} prometheus {theirs[key]}"
    return ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--prometheus", required=True)
    parser.add_argument("--braid", default=os.environ.get("BRAID_PROGRAM", "build/braid"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries", type=int, default=20000)
    parser.add_argument("--features", default="promql-experimental-functions,native-histograms,promql-delayed-name-removal,promql-duration-expr")
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--known", type=int, default=0, help="so many of each class of known differences are shown")
    parser.add_argument("--words", type=int, default=0, help="so many errors and annotations that differ are shown")
    settings = parser.parse_args()
    chance = random.Random(settings.seed)
    work = tempfile.mkdtemp(prefix="braid-differential-")
    ports = free_port(), free_port()
    open(os.path.join(work, "prometheus.yml"), "w", encoding="utf-8").write("global: {}\n")
    processes = [
        subprocess.Popen([settings.braid, "serve", "--data", os.path.join(work, "braid"), "--listen", f"127.0.0.1:{ports[0]}"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL),
        subprocess.Popen([settings.prometheus, f"--config.file={work}/prometheus.yml", f"--storage.tsdb.path={work}/prometheus",
                          f"--web.listen-address=127.0.0.1:{ports[1]}", "--web.enable-remote-write-receiver",
                          "--storage.tsdb.retention.time=100y", "--enable-feature=" + settings.features],
                         stdout=subprocess.DEVNULL, stderr=open(os.path.join(work, "prometheus.log"), "w", encoding="utf-8"))]
    try:
        sys.exit(run(settings, chance, [Server(port) for port in ports]))
    finally:
        for process in processes:
            process.terminate()
            process.wait()
        shutil.rmtree(work)


def run(settings, chance, servers):
    for server in servers:
        until = time.monotonic() + 30
        while True:
            try:
                if server.post("/api/v1/query", "query=1", {"Content-Type": "application/x-www-form-urlencoded"})[0] == 200:
                    break
            except OSError:
                pass
            if time.monotonic() > until:
                raise RuntimeError("a server did not become ready")
            time.sleep(0.05)
    series = make_series(chance)
    for body in write_requests(series):
        for server in servers:
            status, answer = server.post("/api/v1/write", body, {
                "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"})
            if status not in (200, 204):
                raise RuntimeError(f"remote write: {status} {answer!r}")
    print(f"{len(series)} series, {sum(len(points) for _, points in series)} samples", flush=True)

    grammar = Grammar(chance)

    def question():
        text = grammar.expression()
        if chance.random() < 0.5:
            return "/api/v1/query", {"query": text, "time": str(START + chance.choice((600, 1807.25, 2400, 3000, 3600, 3700, 4000)))}
        begin = START + chance.randrange(3000)
        return "/api/v1/query_range", {"query": text, "start": str(begin), "end": str(begin + chance.choice((0, 300, 900, 1800))),
                                       "step": chance.choice(("15", "60", "37", "300", "0.5s" if chance.random() < 0.1 else "90s"))}

    counts, shown = collections.Counter(), 0

    def compare(asked):
        path, params = asked
        braid, peer = (server.ask(path, params) for server in servers)
        what = verdict(braid, peer)
        if not what:
            if braid["status"] != "success":
                ours, theirs = (answer.get("error", "").replace('invalid parameter "query": ', "") for answer in (braid, peer))
                return "equal errors" if ours == theirs else "errors in other words", f"{ours!r}, {theirs!r}"
            ours, theirs = (sorted(answer.get("warnings", []) + answer.get("infos", [])) for answer in (braid, peer))
            if ours != theirs:
                return "equal answers, other annotations", f"{ours}, {theirs}"
            return ("equal answers" if braid["data"]["result"] else "equal, empty"), ""
        for _ in range(8):
            again = servers[1].ask(path, params)
            if verdict(again, peer) or not verdict(braid, again):
                return "unstable", what
        if not verdict(braid, peer, 1e-3 if "memory_bytes" in params["query"] else 1e-6):
            return "rounding", what
        if not verdict(braid, peer, with_name=False):
            return "known: a filter by comparison brings a removed name back in 3.5", what
        if "Parameter value is NaN" in braid.get("error", "") and peer["status"] == "success":
            return "known: a NaN as parameter is an error in later versions, even without series", what
        if re.search(r"'count': '(NaN|0|[+-]?Inf)'", what):
            return "known: NaN times the empty buckets that a histogram got from later ones of its chunk", what
        if braid["status"] == "success" and "same labelset" in peer.get("error", ""):
            return "known: series that lost their names are merged in later versions if no instant has both", what
        if re.search("[=!<>]=|[<>]", params["query"]):
            if "multiple matches for labels" in braid.get("error", ""):
                return "known: several matches are an error in later versions, even if a comparison filters them", what
            if "same labelset" in braid.get("error", ""):
                return "known: a filter by comparison brings a removed name back in 3.5", what
        for pattern, reason in KNOWN:
            if pattern.search(params["query"]):
                return "known: " + reason, what
        return "DIFFERENT", what

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        questions = (question() for _ in range(settings.queries))
        while True:
            batch = [asked for _, asked in zip(range(500), questions)]
            if not batch:
                break
            for asked, (outcome, what) in zip(batch, pool.map(compare, batch)):
                counts[outcome] += 1
                words = outcome in ("errors in other words", "equal answers, other annotations") and counts[outcome] <= settings.words
                words = words or (outcome.startswith("known") and counts[outcome] <= settings.known)
                if words or (outcome in ("DIFFERENT", "rounding") and shown < settings.show):
                    shown += outcome == "DIFFERENT"
                    print(f"{outcome} {json.dumps(asked[1])}\n  {what}", flush=True)
    print(f"seed {settings.seed}, {settings.queries} queries: " + "".join(f"\n  {n:7} {what}" for what, n in counts.most_common()))
    return 1 if counts["DIFFERENT"] else 0


if __name__ == "__main__":
    main()
