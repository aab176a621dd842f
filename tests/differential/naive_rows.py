"""The event side of the query language, worked out the plain way: rows are dicts, every stage a loop over lists.

Written from docs/query.md; shares no code with Braid. Values: None, bool, int, float, str, Time and Span (ns), Word (an
enum's word with its rank), Id (hex). Missing names are None.
"""
import json
import math
import re
import statistics

SECOND = 10**9
LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"]
KINDS = ["internal", "server", "client", "producer", "consumer"]
STATUSES = ["unset", "ok", "error"]


class Time(int):
    pass


class Span(int):
    """A duration."""


class Word:
    def __init__(self, words, word):
        self.words, self.word, self.rank = words, word, words.index(word)

    def __eq__(self, other):
        return isinstance(other, Word) and self.word == other.word

    def __hash__(self):
        return hash(self.word)


class Id(str):
    pass


def seconds(value):
    """A value as plain number, or None if it is none."""
    if isinstance(value, bool) or isinstance(value, Time):
        return None
    if isinstance(value, Span):
        return int(value) / 1e9
    return value if isinstance(value, (int, float)) else None


def order(a, b):
    """-1, 0, 1, or None where neither is before the other."""
    if a is None or b is None:
        absent = [x is None or (type(x) is str and x == "") for x in (a, b)]
        return 0 if all(absent) else None
    if type(a) is type(b):
        if isinstance(a, Word):
            return (a.rank > b.rank) - (a.rank < b.rank)
        if isinstance(a, float) and (math.isnan(a) or math.isnan(b)):
            return None
        return (a > b) - (a < b)
    x, y = seconds(a), seconds(b)
    if x is not None and y is not None:
        return None if math.isnan(x) or math.isnan(y) else (x > y) - (x < y)
    if isinstance(a, str) and not isinstance(a, Id) and y is not None:
        return None if not re.fullmatch(r"-?\d+(\.\d+)?", a) else order(float(a), y)
    if isinstance(b, str) and not isinstance(b, Id) and x is not None:
        flipped = order(b, a)
        return None if flipped is None else -flipped
    return None


def compare(op, a, b):
    if op in ("<", "<=", ">", ">=") and (a is None or b is None):
        return False
    found = order(a, b)
    if op == "=":
        return found == 0
    if op == "!=":
        return found != 0
    return found is not None and {"<": found < 0, "<=": found <= 0, ">": found > 0, ">=": found >= 0}[op]


def in_list(value, values):
    """`value in (v, ...)`: equal to one of them by the rule of `=`, but null never matches."""
    return value is not None and any(v is not None and compare("=", value, v) for v in values)


def half_away(value):
    """Whole nanoseconds of a double."""
    return int(math.floor(abs(value) + 0.5)) * (1 if value >= 0 else -1)


def arithmetic(op, a, b):
    if a is None or b is None:
        return None
    if isinstance(a, Time) and isinstance(b, Time):
        return Span(int(a) - int(b)) if op == "-" else None
    for first, second in ((a, b), (b, a)):
        if isinstance(first, Time):
            return Time(int(first) + (1 if op == "+" else -1) * int(second))
    if isinstance(a, Span) and isinstance(b, Span):
        return Span(int(a) + int(b)) if op == "+" else Span(int(a) - int(b)) if op == "-" else int(a) / int(b)
    if isinstance(a, Span):  # with a number
        if op in "*/":
            return Span(half_away(int(a) * b) if op == "*" else half_away(int(a) / b))
        return Span(int(a) + (1 if op == "+" else -1) * half_away(b * 1e9))
    if op == "/":
        return a / b
    return a + b if op == "+" else a - b if op == "-" else a * b


def sort_key(value):
    """Nulls last, NaN before them."""
    if value is None:
        return (2, 0)
    if isinstance(value, float) and math.isnan(value):
        return (1, 0)
    if isinstance(value, Word):
        return (0, value.rank)
    number = seconds(value)
    return (0, number if number is not None and not isinstance(value, Span) else value)


def key_of(value):
    """For grouping and equality joins: 5 and 5.0 are one key."""
    if isinstance(value, Word):
        return ("w", value.word)
    if isinstance(value, bool):
        return ("b", value)
    if isinstance(value, (Time, Span)):
        return (type(value).__name__, int(value))
    if isinstance(value, (int, float)):
        return ("n", float(value))
    return ("s", value)


# ---- aggregates: (values or rows) -> value


def quantile(q, values):
    if not values:
        return None
    ordered = sorted(values)
    rank = q * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] * (1 - (rank - low)) + ordered[high] * (rank - low)


def numeric(function, values):
    """Of numbers, or of durations, whose result is one."""
    values = [v for v in values if v is not None]
    if not values:
        return None
    if all(isinstance(v, Span) for v in values):
        return Span(half_away(function([int(v) for v in values])))
    return function([float(v) for v in values])


def correlation(pairs):
    pairs = [(float(seconds(x)), float(seconds(y))) for x, y in pairs if x is not None and y is not None]
    if len(pairs) < 2:
        return None
    mean_x, mean_y = (math.fsum(p[i] for p in pairs) / len(pairs) for i in (0, 1))
    xx = math.fsum((x - mean_x) ** 2 for x, _ in pairs)
    yy = math.fsum((y - mean_y) ** 2 for _, y in pairs)
    xy = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs)
    return math.nan if xx == 0 or yy == 0 else xy / math.sqrt(xx * yy)


def distinct(values):
    return len({key_of(v) for v in values if v is not None})


def text_of(value):
    """A number, text, truth value or word as it is shown."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Word):
        return value.word
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def first_values(values, count):
    """values(x, n): the first n different ones, as the text of a JSON list; None if there is none."""
    out = []
    for value in values:
        text = text_of(value)
        if not isinstance(value, (bool, int, float)):
            text = json.dumps(text)
        if text not in out and len(out) < count:
            out.append(text)
    return "[" + ",".join(out) + "]" if out else None


def shares(rows, names, condition, top):
    """compare: [{attribute, value, selected, baseline, diff}] of the values of the columns `names`."""
    selected = [bool(condition(row)) for row in rows]
    totals = (selected.count(True), selected.count(False))
    found = []
    for name in names:
        counts = {}
        for row, chosen in zip(rows, selected):
            value = row.get(name)
            if value is not None:
                counts.setdefault(key_of(value), [value, 0, 0])[1 if chosen else 2] += 1
        for value, *both in counts.values():
            inside, outside = (count / total if total else 0.0 for count, total in zip(both, totals))
            found.append({"attribute": name, "value": text_of(value), "selected": inside, "baseline": outside,
                          "diff": inside - outside})
    found.sort(key=lambda row: (-abs(row["diff"]), row["attribute"], row["value"]))
    return found[:top] if top else found


# ---- stages


def group(rows, keys):
    """[(key values, rows)] by key, nulls last. keys: functions of a row."""
    groups = {}
    for row in rows:
        values = [key(row) for key in keys]
        groups.setdefault(tuple(key_of(v) for v in values), (values, []))[1].append(row)
    return sorted(groups.values(), key=lambda g: [sort_key(v) for v in g[0]])


def merge_windows(rows, by, intervals, gap, pad, peak):
    """by: [(name, function)]; intervals: parallel to rows. Sorted by start, end and key."""
    groups = {}
    for row, (begin, end) in zip(rows, intervals):
        values = [f(row) for _, f in by]
        groups.setdefault(tuple(key_of(v) for v in values), (values, []))[1].append((begin, end, row))
    out = []
    for values, members in groups.values():
        members.sort(key=lambda m: m[0])
        merged = []
        for begin, end, row in members:
            value = peak(row)
            if merged and begin - merged[-1][1] <= gap:
                last = merged[-1]
                last[1] = max(last[1], end)
                last[2] += 1
                if value is not None and (last[3] is None or value > last[3]):
                    last[3] = value
            else:
                merged.append([begin, end, 1, value])
        for begin, end, n, value in merged:
            row = {name: v for (name, _), v in zip(by, values)}
            row.update(start=Time(begin + pad[0]), end=Time(end + pad[1]), time=Time(begin + pad[0]), n=n, peak=value)
            out.append((begin, end, [sort_key(v) for v in values], row))
    out.sort(key=lambda item: item[:3])
    return [item[3] for item in out]


def interval(row):
    return row["time"], row.get("end") if row.get("end") is not None else row["time"]


def overlaps(a, b):
    return a[0] <= b[1] and b[0] <= a[1]


def in_set(values, names, members):
    """values: of the keys; `time` stands for an interval. members: rows of the set."""
    if any(v is None for v in values):
        return False
    for member in members:
        for name, value in zip(names, values):
            other = member.get(name)
            if name == "time":
                if other is None or not overlaps(value, interval(member)):
                    break
            elif other is None or order(value, other) != 0:
                break
        else:
            return True
    return False


def join(left, right, name, keys, time_rule, outer, right_columns):
    """keys: [(left function, right name)]; time_rule(left row, right row) or None; `asof` rules keep the last only."""
    out = []
    kind, rule = time_rule
    index = {}
    for row in right:
        values = [row.get(column) for _, column in keys]
        if all(v is not None for v in values):
            index.setdefault(tuple(key_of(v) for v in values), []).append(row)
    for row in left:
        values = [f(row) for f, _ in keys]
        found = [] if any(v is None for v in values) else index.get(tuple(key_of(v) for v in values), [])
        found = [r for r in found if rule(row, r)]
        found.sort(key=lambda r: r["time"] if r.get("time") is not None else 0)
        if kind == "asof":
            found = found[-1:]
        for match in found:
            out.append({**row, **{f"{name}.{column}": match.get(column) for column in right_columns}})
        if not found and outer:
            out.append({**row, **{f"{name}.{column}": None for column in right_columns}})
    return out


# ---- traces


class Trees:
    """Parents, children and what follows from them for the spans of a store."""

    def __init__(self, spans):
        self.by_id = {(s["trace_id"], s["span_id"]): s for s in spans}
        self.traces = {}
        for s in spans:
            self.traces.setdefault(s["trace_id"], []).append(s)
        self.children = {}
        for s in spans:
            parent = self.parent(s)
            if parent is not None:
                self.children.setdefault(id(parent), []).append(s)
        for s in spans:
            self._derive(s)

    def parent(self, s):
        return None if s["parent_id"] is None else self.by_id.get((s["trace_id"], s["parent_id"]))

    def root(self, s):
        while self.parent(s) is not None:
            s = self.parent(s)
        return s

    def _derive(self, s):
        covered, reached = 0, s["time"]
        for child in sorted(self.children.get(id(s), []), key=lambda c: c["time"]):
            begin, end = max(child["time"], reached), min(child["end"], s["end"])
            if end > begin:
                covered += end - begin
                reached = end
        s["self_time"] = Span(s["duration"] - covered)
        members = self.traces[s["trace_id"]]
        s["trace.spans"] = len(members)
        s["trace.duration"] = Span(max(m["end"] for m in members) - min(m["time"] for m in members))
        parent, root = self.parent(s), self.root(s)
        for name in ("name", "service"):
            s["parent." + name] = None if parent is None else parent[name]
            s["root." + name] = root[name]

    def above(self, s):
        s = self.parent(s)
        while s is not None:
            yield s
            s = self.parent(s)

    def related(self, op, s, left, avoiding):
        """Whether span `s` of the right side stands in relation `op` to a span of `left` (ids of objects)."""
        if op == ">":
            parent = self.parent(s)
            return parent is not None and id(parent) in left
        if op == ">>":
            for above in self.above(s):
                if id(above) in left:
                    return True
                if id(above) in avoiding:
                    return False
            return False
        if op == "<":
            return any(id(c) in left for c in self.children.get(id(s), []))
        if op == "<<":
            return self._below(s, left, avoiding)
        parent = self.parent(s)
        return parent is not None and any(c is not s and id(c) in left for c in self.children[id(parent)])

    def _below(self, s, left, avoiding):
        for child in self.children.get(id(s), []):
            if id(child) in left or (id(child) not in avoiding and self._below(child, left, avoiding)):
                return True
        return False

    def combine(self, op, mode, left, right, avoiding):
        """The spans of `left OP right` in the order of the store; lists of spans in, a set of ids out."""
        a, b = {id(s) for s in left}, {id(s) for s in right}
        if op == "||":
            return a | b
        if op == "&&":
            traces = {s["trace_id"] for s in left} & {s["trace_id"] for s in right}
            return {id(s) for s in left + right if s["trace_id"] in traces}
        never = {id(s) for s in avoiding}
        found = {id(s) for s in right if self.related(op, s, a, never)}
        if mode == "!":
            return b - found
        if mode == "&":
            opposite = {">": "<", ">>": "<<", "<": ">", "<<": ">>", "~": "~"}[op]
            return found | {id(s) for s in left if self.related(opposite, s, b, never)}
        return found


# ---- series


def at_instant(samples, at, lookback):
    """The value of [(time, value)] at an instant, or None."""
    found = None
    for time, value in samples:
        if time <= at:
            found = (time, value)
    return None if found is None or found[0] <= at - lookback else found[1]


def deviation(values):
    return statistics.pstdev(values)
