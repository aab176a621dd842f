"""Random valid queries over a rows_store.Store: each with its text and the rows that naive_rows makes of it.

Columns of type "rough" hold numbers whose last digits depend on the order of sums: they are shown, but nothing is decided by
them.
"""
import json
import math
import re

import naive_rows as naive
from naive_rows import KINDS, LEVELS, SECOND, STATUSES, Span, Time, Word, arithmetic, compare
from rows_store import LENGTH, SERVICES, START, WORDS

LOG_COLUMNS = {"time": "time", "service": "str", "instance": "str", "level": "level", "message": "str", "trace_id": "id",
               "span_id": "id", "code": "num", "ms": "num", "user": "str", "region": "str"}
SPAN_COLUMNS = {"time": "time", "end": "time", "duration": "dur", "service": "str", "instance": "str", "name": "str",
                "kind": "kind", "status": "status", "status_message": "str", "trace_id": "id", "span_id": "id",
                "parent_id": "id", "route": "str", "size": "num", "weight": "num", "cached": "bool"}
SPAN_DERIVED = {"self_time": "dur", "trace.duration": "dur", "trace.spans": "num", "parent.name": "str",
                "parent.service": "str", "root.name": "str", "root.service": "str"}
ENUMS = {"level": LEVELS, "kind": KINDS, "status": STATUSES}


def duration_text(ns):
    for unit, size in (("h", 3600 * SECOND), ("m", 60 * SECOND), ("s", SECOND), ("ms", 10**6), ("us", 1000)):
        if ns % size == 0:
            return f"{ns // size}{unit}"
    return f"{ns}ns"


def quoted(text):
    return json.dumps(text)


class Pipe:
    """A pipeline and its answer. `hidden`: columns that can be named but are not in the answer."""

    def __init__(self, text, kind, columns, rows, hidden=None):
        self.text, self.kind, self.columns, self.rows, self.hidden = text, kind, dict(columns), rows, dict(hidden or {})

    def then(self, stage, rows=None, kind=None, columns=None, hidden=None):
        return Pipe(f"{self.text} | {stage}" if stage else self.text, kind or self.kind,
                    self.columns if columns is None else columns, self.rows if rows is None else rows,
                    self.hidden if hidden is None else hidden)

    def all(self):
        return {**self.hidden, **self.columns}


class Grammar:
    def __init__(self, chance, store):
        self.chance, self.store = chance, store
        self.lets = []
        self.whole = True
        self.range = (START - 60 * SECOND, START + LENGTH + 240 * SECOND)
        self.step = 60 * SECOND

    def pick(self, items):
        return self.chance.choice(list(items))

    def roll(self, share):
        return self.chance.random() < share

    def query(self):
        """(text, start, end, step, Pipe)"""
        self.lets, self.whole = [], self.roll(0.75)
        if self.whole:
            self.range = (START - 60 * SECOND, START + LENGTH + 240 * SECOND)
        else:
            begin = START + self.chance.randrange(LENGTH // SECOND) * SECOND
            self.range = (begin, min(begin + self.pick((60, 300, 900)) * SECOND, START + LENGTH))
        self.step = self.pick((60, 60, 120, 37)) * SECOND
        pipe = self.source(False)
        for _ in range(self.chance.randrange(5)):
            pipe = self.stage(pipe)
            if pipe.kind == "series":
                break
        lets = "".join(f"let {name} = {p.text};\n" for name, p in self.lets)
        return lets + pipe.text, self.range[0], self.range[1], self.step, pipe

    # ---- sources

    def source(self, plain):
        roll = self.chance.random()
        if roll < 0.45:
            return self.logs()
        if roll < 0.8 or plain or not self.whole:
            return self.spans()
        return self.structural()

    def in_range(self, rows):
        return [r for r in rows if self.range[0] <= r["time"] <= self.range[1]]

    def matchers(self, columns, most=2):
        found = [self.condition(columns) for _ in range(self.chance.randrange(most + 1))]
        return ", ".join(text for text, _ in found), lambda row: all(f(row) for _, f in found)

    def logs(self):
        text, keep = self.matchers(LOG_COLUMNS)
        rows = [r for r in self.in_range(self.store.logs) if keep(r)]
        text = "logs" + ("{" + text + "}" if text or self.roll(0.3) else "")
        for _ in range(self.pick((0, 0, 0, 1, 2))):
            op, word = self.pick(("|=", "!=", "|~", "!~")), self.pick(WORDS + ["id=7", "user=u1", "GET"])
            if op in ("|~", "!~"):
                word = self.pick(["id=[0-9]{2} ", "(?i)get", "user=u[12]$", "^ok", "t+i", "connection.*u3"])
            find = (lambda m, w=word: w in m) if op in ("|=", "!=") else (lambda m, w=word: re.search(w, m, re.S) is not None)
            rows = [r for r in rows if find(r["message"]) == (op[0] == "|")]
            text += f" {op} {quoted(word)}"
        return Pipe(text, "events", LOG_COLUMNS, rows)

    def spans(self):
        text, keep = self.matchers({**SPAN_COLUMNS, **(SPAN_DERIVED if self.roll(0.3) else {})})
        rows = [r for r in self.in_range(self.store.spans) if keep(r)]
        return Pipe("spans" + ("{" + text + "}" if text or self.roll(0.3) else ""), "events", SPAN_COLUMNS, rows, SPAN_DERIVED)

    def structural(self):
        def leaf():
            text, keep = self.matchers(SPAN_COLUMNS, 1)
            return "{" + text + "}", [s for s in self.store.spans if keep(s)]
        text, rows = leaf()
        for _ in range(self.pick((1, 1, 2))):
            op, mode = self.pick((">", ">>", "<", "<<", "~", ">>", "&&", "||")), self.pick(("", "", "!", "&"))
            if op in ("&&", "||"):
                mode = ""
            right, right_rows = leaf()
            avoiding, avoided = "", []
            if op in (">>", "<<") and self.roll(0.4):
                avoiding, avoided = leaf()
                avoiding = " avoiding " + avoiding
            text += f" {mode}{op} {right}{avoiding}"
            found = self.store.trees.combine(op, mode, rows, right_rows, avoided)
            rows = [s for s in self.store.spans if id(s) in found]
        return Pipe("spans" + text, "events", SPAN_COLUMNS, rows, SPAN_DERIVED)

    # ---- expressions

    def condition(self, columns, depth=1):
        roll = self.chance.random()
        if depth > 0 and roll < 0.12:
            (a, f), (b, g) = self.condition(columns, depth - 1), self.condition(columns, depth - 1)
            return self.pick(((f"({a} and {b})", lambda r: f(r) and g(r)), (f"({a} or {b})", lambda r: f(r) or g(r))))
        if depth > 0 and roll < 0.18:
            a, f = self.condition(columns, depth - 1)
            return f"(not ({a}))", lambda r: not f(r)
        name, kind = self.pick(columns.items())
        get = lambda r: r.get(name)  # noqa: E731
        if self.roll(0.06):
            op = self.pick(("=", "!="))
            return f"{name} {op} null", lambda r: compare(op, get(r), None)
        if kind == "num":
            return self.number_condition(name, get)
        op = self.pick(("=", "!=", "<", "<=", ">", ">="))
        if kind == "str":
            return self.text_condition(name, get)
        if kind == "dur":
            value = Span(self.pick((1, 5, 40, 250, 900, 2500)) * 10**6)
            text = duration_text(value) if self.roll(0.7) else str(value / 1e9)
            return f"{name} {op} {text}", lambda r: compare(op, get(r), value)
        if kind == "time":
            value = Time(START + self.chance.randrange(LENGTH // SECOND) * SECOND)
            text = f"2026-01-01T10:{(value - START) // SECOND // 60:02}:{(value - START) // SECOND % 60:02}Z"
            return f"{name} {op} {text}", lambda r: compare(op, get(r), value)
        if kind in ENUMS:
            if self.roll(0.25):
                words = [self.pick(ENUMS[kind]) for _ in range(2)]
                negated = self.roll(0.4)
                return (f"{name} {'not ' if negated else ''}in ({', '.join(words)})",
                        lambda r: (get(r) is not None and get(r).word in words) != negated)
            if kind != "level":
                op = self.pick(("=", "!="))
            word = Word(ENUMS[kind], self.pick(ENUMS[kind]))
            return f"{name} {op} {word.word}", lambda r: compare(op, get(r), word)
        if kind == "bool":
            op, value = self.pick(("=", "!=")), self.roll(0.5)
            return f"{name} {op} {str(value).lower()}", lambda r: compare(op, get(r), value)
        op = self.pick(("=", "!="))
        return f"{name} {op} null", lambda r: compare(op, get(r), None)

    def number_condition(self, name, get):
        op = self.pick(("=", "!=", "<", "<=", ">", ">="))
        value = self.pick((200, 404, 500, 10, 0.5, 2.25, 7, 3, 0, -1, 80.125))
        if self.roll(0.3):
            math_op, other = self.pick("+-*"), self.pick((1, 2, 0.5, 100))
            return (f"{name} {math_op} {other} {op} {value}",
                    lambda r: compare(op, arithmetic(math_op, get(r), other), value))
        if self.roll(0.2):
            values = [self.pick((200, 404, 500, 10, 0.25, 7, "404", "500", "0.25", "7.0", "x", "")) for _ in range(3)]
            negated = self.roll(0.4)
            listed = ", ".join(quoted(v) if isinstance(v, str) else str(v) for v in values)
            return (f"{name} {'not ' if negated else ''}in ({listed})",
                    lambda r: naive.in_list(get(r), values) != negated)
        return f"{name} {op} {value}", lambda r: compare(op, get(r), value)

    def text_condition(self, name, get):
        values = SERVICES + ["GET /", "pay", "SELECT", "/cart", "boom", "ann", "bob", "", "eu", "api-0", "zz"]
        roll = self.chance.random()
        if roll < 0.2:
            pattern, negated = self.pick(("a.*", ".*i", "api|web", ".+", ".*", "GET.*", "[a-c]+", "")), self.roll(0.4)
            return (f"{name} {'!~' if negated else '=~'} {quoted(pattern)}",
                    lambda r: (re.fullmatch(pattern, get(r) or "", re.S) is not None) != negated)
        if roll < 0.3:
            part = self.pick(("a", "i", "GET", "o", "u1"))
            return f"contains({name}, {quoted(part)})", lambda r: get(r) is not None and part in get(r)
        if roll < 0.4:
            size = self.chance.randrange(8)
            return f"len({name}) > {size}", lambda r: get(r) is not None and len(get(r)) > size
        if roll < 0.5:
            words, negated = [self.pick(values[:-3]) or "x" for _ in range(2)], self.roll(0.4)
            return (f"{name} {'not ' if negated else ''}in ({', '.join(map(quoted, words))})",
                    lambda r: (get(r) is not None and get(r) in words) != negated)
        op, value = self.pick(("=", "!=", "=", "!=", "<", ">=")), self.pick(values)
        return f"{name} {op} {quoted(value)}", lambda r: compare(op, get(r), value)

    def expression(self, columns):
        """(text, function, type)"""
        numbers = [n for n, k in columns.items() if k in ("num", "dur")]
        texts = [n for n, k in columns.items() if k == "str"]
        roll = self.chance.random()
        if numbers and roll < 0.35:
            name = self.pick(numbers)
            kind = columns[name]
            op, other = self.pick("+-*"), self.pick((2, 0.5, 3))
            return f"{name} {op} {other}", lambda r: arithmetic(op, r.get(name), other), kind
        if numbers and roll < 0.45:
            name = self.pick(numbers)
            size = (10, 100.0)[self.roll(0.5)] if columns[name] == "num" else Span(self.pick((100 * 10**6, SECOND)))
            text = duration_text(size) if isinstance(size, Span) else str(size)

            def bucket(r):
                value = r.get(name)
                if value is None:
                    return None
                if isinstance(value, Span):
                    return Span(int(value) // int(size) * int(size))
                return math.floor(value / size) * size
            return f"bucket({name}, {text})", bucket, columns[name]
        if texts and roll < 0.6:
            name = self.pick(texts)
            function = self.pick(("upper", "lower"))
            change = str.upper if function == "upper" else str.lower
            return f"{function}({name})", lambda r: None if r.get(name) is None else change(r[name]), "str"
        if texts and roll < 0.7:
            name, word = self.pick(texts), self.pick(("none", "x"))
            return f'coalesce({name}, "{word}")', lambda r: word if r.get(name) is None else r[name], "str"
        if texts and roll < 0.76:
            name = self.pick(texts)
            return f"len({name})", lambda r: None if r.get(name) is None else len(r[name]), "num"
        if roll < 0.88:
            text, keep = self.condition(columns, 0)
            return f'if({text}, "yes", "no")', lambda r: "yes" if keep(r) else "no", "str"
        name = self.pick(columns)
        return name, lambda r: r.get(name), columns[name]

    def keys(self, columns, most=2):
        """[(name, function, type)] for `by (...)`, with its text."""
        simple = [n for n, k in columns.items() if k in ("str", "level", "kind", "status", "bool") and n != "message"]
        out, parts = [], []
        for _ in range(self.chance.randrange(1, most + 1)):
            if simple and self.roll(0.85):
                name = self.pick(simple)
                if any(name == n for n, _, _ in out):
                    continue
                out.append((name, lambda r, n=name: r.get(n), columns[name]))
                parts.append(name if "." not in name else name)
            else:
                text, function, kind = self.expression(columns)
                name = f"k{len(out)}"
                out.append((name, function, kind))
                parts.append(f"{name} = {text}")
        return out, ", ".join(parts)

    # ---- stages

    def stage(self, pipe):
        names = [self.where, self.where, self.extend, self.keep, self.drop, self.stats, self.stats, self.sort, self.limit,
                 self.top, self.dedup, self.union, self.parse]
        if "time" in pipe.columns and pipe.kind == "events":
            names += [self.stats_over_time, self.windows, self.join_near, self.join_near, self.join_gauge, self.compare]
        if self.whole:
            names += [self.where_set, self.where_set, self.join_equal]
        return self.pick(names)(pipe)

    def where(self, pipe):
        text, keep = self.condition(pipe.all(), 2)
        return pipe.then(f"where {text}", [r for r in pipe.rows if keep(r)])

    def extend(self, pipe):
        text, function, kind = self.expression(pipe.all())
        name = f"x{self.chance.randrange(3)}"
        columns = {**pipe.columns, name: kind}
        return pipe.then(f"extend {name} = {text}", [{**r, name: function(r)} for r in pipe.rows], columns=columns)

    def keep(self, pipe):
        names = [n for n in pipe.columns if self.roll(0.5)] or list(pipe.columns)[:1]
        out, parts = {}, []
        for name in names:
            alias = name if self.roll(0.8) or name == "time" else f"y{len(out)}"
            out[alias] = (name, pipe.columns[name])
            parts.append(name if alias == name else f"{alias} = {name}")
        kind = pipe.kind if "time" in out and pipe.kind in ("events", "windows", "rows") else "rows"
        if pipe.kind == "windows" and not {"start", "end"} <= out.keys():
            return pipe
        rows = [{alias: r.get(name) for alias, (name, _) in out.items()} for r in pipe.rows]
        return pipe.then("keep " + ", ".join(parts), rows, kind, {a: k for a, (_, k) in out.items()}, {})

    def drop(self, pipe):
        names = [n for n in pipe.columns if n not in ("time", "start", "end") and self.roll(0.2)]
        if not names or len(names) == len(pipe.columns):
            return pipe
        gone = set(names)
        return pipe.then("drop " + ", ".join(names), [{k: v for k, v in r.items() if k not in gone} for r in pipe.rows],
                         columns={n: k for n, k in pipe.columns.items() if n not in gone}, hidden={})

    def aggregate(self, columns):
        """(text, function of rows, type)"""
        numbers = [n for n, k in columns.items() if k in ("num", "dur")]
        name = self.pick(numbers) if numbers and self.roll(0.75) else self.pick(columns)
        kind = columns[name]
        values = lambda rows: [r[name] for r in rows if r.get(name) is not None]  # noqa: E731
        roll = self.chance.random()
        if roll < 0.2:
            return "count()", len, "num"
        if roll < 0.28:
            return f"count({name})", lambda rows: len(values(rows)), "num"
        if roll < 0.38:
            text, keep = self.condition(columns, 0)
            return f"count_if({text})", lambda rows: sum(map(bool, map(keep, rows))), "num"
        if roll < 0.48:
            return f"distinct({name})", lambda rows: naive.distinct(values(rows)), "num"
        if roll < 0.53 and kind in ("num", "str", "bool", "id", *ENUMS):
            count = self.pick((1, 2, 5, 100))
            return f"values({name}, {count})", lambda rows: naive.first_values(values(rows), count), "str"
        if roll < 0.6:
            function = self.pick(("first", "any", "last"))
            at = -1 if function == "last" else 0
            return f"{function}({name})", lambda rows: (values(rows) or [None])[at], kind
        if numbers and roll < 0.68:
            other = self.pick(numbers)
            function = self.pick(("arg_max", "arg_min"))

            def arg(rows):
                best = None
                for r in rows:
                    y = r.get(other)
                    if y is not None and r.get(name) is not None and (best is None or compare(">" if function == "arg_max" else "<", y, best[0])):
                        best = (y, r.get(name))
                return None if best is None else best[1]
            return f"{function}({name}, {other})", arg, kind
        if len(numbers) > 1 and roll < 0.72:
            a, b = self.pick(numbers), self.pick(numbers)
            if a == b:
                return "count()", len, "num"
            return f"corr({a}, {b})", lambda rows: naive.correlation([(r.get(a), r.get(b)) for r in rows]), "rough"
        if kind not in ("num", "dur"):
            return f"count({name})", lambda rows: len(values(rows)), "num"
        function = self.pick(("sum", "avg", "min", "max", "stddev", "quantile"))
        if function in ("min", "max"):
            pick = min if function == "min" else max
            return f"{function}({name})", lambda rows: pick(values(rows)) if values(rows) else None, kind
        if function == "sum":
            exact = lambda found: sum(found) if all(type(v) is int for v in found) else math.fsum(found)  # noqa: E731
            return f"sum({name})", lambda rows: naive.numeric(exact, values(rows)), kind
        if function == "avg":
            return f"avg({name})", lambda rows: naive.numeric(lambda f: math.fsum(f) / len(f), values(rows)), kind
        if function == "stddev":
            return f"stddev({name})", lambda rows: naive.numeric(naive.deviation, values(rows)), "rough"
        q = self.pick((0.5, 0.9, 0.25, 0.99, 0, 1))
        return f"quantile({q}, {name})", lambda rows: naive.numeric(lambda f: naive.quantile(q, f), values(rows)), kind

    def aggregates(self, columns, keys):
        # A name may stand only once among keys and aggregates.
        names = [n for n in ("a0", "a1", "a2", "a3", "a4") if n not in {key for key, _, _ in keys}]
        return [(names[i], *self.aggregate(columns)) for i in range(self.chance.randrange(1, 4))]

    def stats(self, pipe):
        keys, by = self.keys(pipe.all()) if self.roll(0.8) else ([], "")
        found = self.aggregates(pipe.all(), keys)
        text = "stats " + ", ".join(f"{n} = {t}" for n, t, _, _ in found)
        if keys:
            text += f" by ({by})"
            groups = naive.group(pipe.rows, [f for _, f, _ in keys])
        else:
            groups = [([], pipe.rows)]
        rows = [{**{n: v for (n, _, _), v in zip(keys, values)}, **{n: f(members) for n, _, f, _ in found}}
                for values, members in groups]
        return pipe.then(text, rows, "rows", {**{n: k for n, _, k in keys}, **{n: k for n, _, _, k in found}}, {})

    def stats_over_time(self, pipe):
        if not self.whole:
            return pipe
        window = self.pick((60, 120, 300)) * SECOND
        name, (text, function, kind) = "s0", self.pick((
            ("count()", len, "num"), ("rate()", lambda rows: len(rows) / (window / 1e9), "num"), self.aggregate(pipe.all())))
        if text.startswith("values(") or text.startswith(("any(", "first(", "last(", "arg_")) and kind not in ("num", "dur"):
            return pipe
        keys, by = self.keys(pipe.all(), 1)
        filled = text.startswith(("count", "rate"))
        rows, groups = [], naive.group(pipe.rows, [f for _, f, _ in keys])
        at = self.range[0]
        while at <= self.range[1]:
            for values, members in groups:
                inside = [r for r in members if at - window < r["time"] <= at]
                value = function(inside)
                if filled or (inside and value is not None):
                    rows.append({"time": Time(at), **{n: v for (n, _, _), v in zip(keys, values)}, name: value})
            at += self.step
        return pipe.then(f"stats {name} = {text} by ({by}) [{duration_text(window)}]", rows, "series",
                         {"time": "time", **{n: k for n, _, k in keys}, name: kind}, {})

    def sort(self, pipe):
        names = [n for n, k in pipe.columns.items() if k not in ("id", "rough")]
        if not names:
            return pipe
        keys = [(self.pick(names), self.roll(0.5)) for _ in range(self.pick((1, 1, 2)))]
        rows = list(pipe.rows)
        for name, down in reversed(keys):
            some = [r for r in rows if r.get(name) is not None]
            some.sort(key=lambda r: naive.sort_key(r[name]), reverse=down)
            if down:  # stable this way too: equal keys stay in order
                some = [r for _, r in sorted(enumerate([r for r in rows if r.get(name) is not None]),
                                             key=lambda item: naive.sort_key(item[1][name]), reverse=True)]
            rows = some + [r for r in rows if r.get(name) is None]
        return pipe.then("sort " + ", ".join(n + (" desc" if d else "") for n, d in keys), rows)

    def compare(self, pipe):
        # Derived columns that the query names before are compared too, which a plain evaluator does not know.
        if "rough" in pipe.columns.values() or any(name in pipe.text for name in SPAN_DERIVED):
            return pipe
        text, keep = self.condition(pipe.columns)
        names = [n for n, k in pipe.columns.items() if k in ("num", "str", "bool", *ENUMS)
                 and not re.search(rf"(?<![\w.\"]){re.escape(n)}(?![\w.\"])", text)]
        top = self.pick((0, 1, 5, 20))
        rows = naive.shares(pipe.rows, names, keep, top)
        return pipe.then(f"compare {text}" + (f" top {top}" if top else ""), rows, "rows",
                         {"attribute": "str", "value": "str", "selected": "num", "baseline": "num", "diff": "num"}, {})

    def limit(self, pipe):
        count = self.pick((0, 1, 3, 10, 50))
        if self.roll(0.5):
            return pipe.then(f"limit {count}", pipe.rows[:count])
        return pipe.then(f"tail {count}", pipe.rows[-count:] if count else [])

    def top(self, pipe):
        names = [n for n, k in pipe.all().items() if k in ("num", "dur")]
        if not names:
            return pipe
        name, count = self.pick(names), self.pick((1, 3, 10))

        def key(row):
            value = row.get(name)
            return (1, 0) if value is None else (0, -value)
        rows = sorted(pipe.rows, key=key)
        # Ties are broken by the columns that the rest of the query reads, which a plain evaluator does not know.
        if len({key(row) for row in rows}) < len(rows):
            return pipe
        text = f"top {count} by {name}"
        if self.roll(0.4):
            keys, by = self.keys(pipe.all(), 1)
            if "=" not in by:
                seen, kept = {}, []
                for r in rows:
                    group = naive.key_of(keys[0][1](r))
                    seen[group] = seen.get(group, 0) + 1
                    if seen[group] <= count:
                        kept.append(r)
                return pipe.then(text + f" per ({by})", kept)
        return pipe.then(text, rows[:count])

    def dedup(self, pipe):
        keys, by = self.keys(pipe.all())
        if "=" in by:
            return pipe
        seen, rows = set(), []
        for r in pipe.rows:
            key = tuple(naive.key_of(f(r)) for _, f, _ in keys)
            if key not in seen:
                seen.add(key)
                rows.append(r)
        return pipe.then(f"dedup ({by})", rows)

    def union(self, pipe):
        if pipe.kind != "events" or pipe.hidden == {} and pipe.columns.keys() not in (LOG_COLUMNS.keys(), SPAN_COLUMNS.keys()):
            return pipe
        other = self.logs() if self.roll(0.5) else self.spans()
        columns = {**pipe.columns, **other.columns}
        visible = [{n: r.get(n) for n in pipe.columns} for r in pipe.rows]
        return pipe.then(f"union ({other.text})", visible + [{n: r.get(n) for n in other.columns} for r in other.rows],
                         columns=columns, hidden={})

    def parse(self, pipe):
        if pipe.columns != LOG_COLUMNS or pipe.kind != "events":
            return pipe
        stage, names = self.pick((
            ('regexp "id=(?P<number>\\\\d+) user=(?P<who>\\\\w+)"', {"number": "num", "who": "str"}),
            ('pattern "<_> id=<number> user=<who>"', {"number": "num", "who": "str"}),
            ('logfmt', None)))
        if names is None:
            return pipe
        rows = []
        for r in pipe.rows:
            found = re.search(r"id=(\d+) user=(\w+)", r["message"])
            rows.append({**r, "number": int(found[1]), "who": found[2], "parse_error": None})
        return pipe.then(stage, rows, columns={**pipe.columns, **names, "parse_error": "str"})

    def let(self, pipe):
        """A name for `pipe`, or its text in parentheses."""
        if self.roll(0.5):
            return f"({pipe.text})"
        self.lets.append((f"l{len(self.lets)}", pipe))
        return self.lets[-1][0]

    def make_windows(self, pipe):
        keys, by = ([("service", lambda r: r.get("service"), "str")], "service") if self.roll(0.7) else ([], "")
        if by and "service" not in pipe.columns:
            keys, by = [], ""
        gap, pad = self.pick((0, 0, 5, 60)) * SECOND, self.pick(((0, 0), (-5, 0), (-30, 30), (0, 120)))
        pad = (pad[0] * SECOND, pad[1] * SECOND)
        text = "windows" + (f" by ({by})" if by else "")
        text += f" gap {duration_text(gap)}" if gap else ""
        if pad != (0, 0):
            text += f" pad {'-' if pad[0] < 0 else ''}{duration_text(-pad[0]) if pad[0] else '0s'}..{duration_text(pad[1]) if pad[1] else '0s'}"
        rows = naive.merge_windows(pipe.rows, [(n, f) for n, f, _ in keys], [naive.interval(r) for r in pipe.rows], gap, pad,
                                   lambda r: r.get("value"))
        columns = {**{n: k for n, _, k in keys}, "start": "time", "end": "time", "time": "time", "n": "num", "peak": "num"}
        return pipe.then(text, rows, "windows", columns, {})

    def windows(self, pipe):
        if "value" in pipe.columns or not self.whole:
            return pipe
        return self.make_windows(pipe)

    def where_set(self, pipe):
        negated = "not " if self.roll(0.35) else ""
        roll = self.chance.random()
        if roll < 0.4 and pipe.columns.get("trace_id") == "id" and pipe.text.count(" | ") == 0:
            members = self.source(True)
            names = ["trace_id"] + (["service"] if self.roll(0.3) else [])
        elif roll < 0.8 and "time" in pipe.columns and "service" in pipe.columns and pipe.kind == "events":
            members = self.make_windows(self.source(True))
            names = ["service", "time"] if "service" in members.columns and self.roll(0.8) else ["time"]
        elif pipe.columns.get("service") == "str":
            members, names = self.source(True), ["service"]
        else:
            return pipe
        text = ", ".join(names)
        left = f"({text})" if len(names) > 1 else text

        def keep(row):
            values = [naive.interval(row) if n == "time" else row.get(n) for n in names]
            return naive.in_set(values, names, members.rows) != bool(negated)
        return pipe.then(f"where {left} {negated}in {self.let(members)}", [r for r in pipe.rows if keep(r)])

    def joined(self, pipe, right, name, text, keys, rule, outer):
        columns = {**pipe.columns, **{f"{name}.{n}": k for n, k in right.columns.items()}}
        visible = [{n: r.get(n) for n in pipe.columns} for r in pipe.rows]
        rows = naive.join(visible, right.rows, name, keys, rule, outer, right.columns)
        return pipe.then(text, rows, columns=columns, hidden={})

    def join_equal(self, pipe):
        key = self.pick(("trace_id", "service"))
        if pipe.columns.get(key) is None or f"{key}" not in pipe.columns or "j.time" in pipe.columns or len(pipe.rows) > 150:
            return pipe
        right = self.source(True)
        if key == "service":
            right = self.stats(right)
            if right.columns.get("service") != "str" or len(right.rows) > 40:
                return pipe
        if key in ("trace_id",) and (pipe.columns[key] != "id" or pipe.text.count(" | ") > 0):
            return pipe
        outer = "left " if self.roll(0.4) else ""
        text = f"join {outer}{self.let(right)} as j on ({key})"
        return self.joined(pipe, right, "j", text, [(lambda r: r.get(key), key)], ("", lambda a, b: True), bool(outer))

    def join_near(self, pipe):
        if pipe.columns.get("service") != "str" or "j.time" in pipe.columns or len(pipe.rows) > 150 or not self.whole:
            return pipe
        outer = "left " if self.roll(0.4) else ""
        keys, on = [(lambda r: r.get("service"), "service")], "service"
        roll = self.chance.random()
        if roll < 0.3:
            right = self.make_windows(self.source(True))
            if "service" not in right.columns:
                keys, on = [], ""
            on, tail = (on + ", time" if on else "time"), ""
            rule = ("overlap", lambda a, b: naive.overlaps(naive.interval(a), naive.interval(b)))
        else:
            right = self.source(True)
            if roll < 0.65:
                low, high = self.pick(((-5, 5), (0, 30), (-20, 0), (-60, -10)))
                tail = f" within {low}s..{high}s"
                rule = ("within", lambda a, b: a["time"] + low * SECOND <= b["time"] <= a["time"] + high * SECOND)
            else:
                back = self.pick((1, 10, 120)) * SECOND
                tail = f" asof {duration_text(back)}"
                rule = ("asof", lambda a, b: a["time"] - back <= b["time"] <= a["time"])
        text = f"join {outer}{self.let(right)} as j on ({on}){tail}"
        return self.joined(pipe, right, "j", text, keys, rule, bool(outer))

    def join_gauge(self, pipe):
        if not {"service", "instance", "time"} <= pipe.columns.keys() or "g.value" in pipe.columns:
            return pipe
        outer, back = "left " if self.roll(0.4) else "", self.pick((15, 60, 300)) * SECOND
        rows = []
        for r in pipe.rows:
            samples = self.store.gauges.get((r.get("service"), r.get("instance")))
            value = None if samples is None else naive.at_instant(samples, r["time"], back)
            if value is not None:
                rows.append({**{n: r.get(n) for n in pipe.columns}, "g.value": value, "g.time": r["time"], "g.metric": "load",
                             "g.service": r["service"], "g.instance": r["instance"]})
            elif outer:
                rows.append({n: r.get(n) for n in pipe.columns})
        columns = {**pipe.columns, "g.time": "time", "g.value": "num", "g.instance": "str", "g.metric": "str", "g.service": "str"}
        return pipe.then(f"join {outer}(load) as g on (service, instance) asof {duration_text(back)}", rows, columns=columns,
                         hidden={})
