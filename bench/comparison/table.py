"""Measured rows: what each store scored, its ratio to the best peer, and the goal; as lines, Markdown and JSON."""
import json
import statistics
import time

from .processes import Profile

ORDER = ["braid", "braid over HTTP", "braid buffered", "victoria-metrics", "prometheus", "duckdb", "clickhouse",
         "sqlite-fts5", "zstd -3", "grep", "rg", "braid 1x", "braid, one core"]

SHORT = {"braid over HTTP": "over HTTP", "braid buffered": "buffered", "victoria-metrics": "VM", "prometheus": "Prom",
         "duckdb": "DuckDB", "clickhouse": "CH", "sqlite-fts5": "SQLite", "braid 1x": "1x", "braid, one core": "one core"}


class Row:
    """One measure. `scores` and `cpu` map store to number; ratio < 1 always means that Braid is better."""

    def __init__(self, row, data, what, unit, higher_is_better=False, goals=(), note=""):
        self.row, self.data, self.what, self.unit = row, data, what, unit
        self.higher_is_better = higher_is_better
        self.goals = goals  # (peer, ratio at most)
        self.scores, self.cpu, self.note = {}, {}, note
        self.profile = []  # the largest parts of Braid's time
        self.limit = None  # an absolute bound instead of a peer

    def ratio(self, peer, scores=None):
        scores = self.scores if scores is None else scores
        ours, theirs = scores.get("braid"), scores.get(peer)
        if not ours or not theirs:
            return None
        return theirs / ours if self.higher_is_better else ours / theirs

    def verdicts(self):
        out = []
        for peer, bound in self.goals:
            ratio = self.ratio(peer)
            if ratio is not None:
                out.append((peer, ratio, bound, ratio <= bound))
        if self.limit is not None and "braid" in self.scores:
            ratio = self.scores["braid"] / self.limit
            out.append(("limit", ratio, 1.0, ratio <= 1.0))
        return out

    def met(self):
        verdicts = self.verdicts()
        return None if not verdicts else all(v[3] for v in verdicts)

    def as_dict(self):
        return {"row": self.row, "data": self.data, "what": self.what, "unit": self.unit, "scores": self.scores,
                "cpu_ms": self.cpu, "higher_is_better": self.higher_is_better, "note": self.note,
                "profile": self.profile,
                "verdicts": [{"peer": p, "ratio": r, "at_most": b, "met": m} for p, r, b, m in self.verdicts()]}


def number(value):
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"


def cell(row, name):
    if name not in row.scores:
        return ""
    text = number(row.scores[name])
    return text + (f" ({number(row.cpu[name])})" if name in row.cpu else "")


def cpu_part(row, peer):
    """The ratio of CPU times beside that of wall times: on a busy machine only the former says something."""
    ratio = row.ratio(peer, row.cpu)
    return f", CPU {ratio:.2f}" if ratio is not None else ""


class Table:
    def __init__(self, path=None, head=""):
        self.rows = []
        self.path = path
        self.head = head
        self.began = time.monotonic()

    def add(self, row):
        self.rows.append(row)
        scores = ", ".join(f"{name} {cell(row, name)}" for name in ORDER if name in row.scores)
        verdicts = "; ".join(f"{'ok' if met else 'MISS'} {ratio:.2f} of {peer} (at most {bound:.2g}{cpu_part(row, peer)})"
                             for peer, ratio, bound, met in row.verdicts())
        print(f"[{time.monotonic() - self.began:5.0f} s] {row.row} {row.data}: {row.what} [{row.unit}]: {scores}"
              + (f" -> {verdicts}" if verdicts else "") + (f"  # {row.note}" if row.note else ""), flush=True)
        if self.path:
            with open(self.path, "w") as file:
                file.write(self.markdown())
            with open(self.path + ".json", "w") as file:
                json.dump([r.as_dict() for r in self.rows], file, indent=1)

    def markdown(self):
        out = [self.head, "",
               "Times are wall ms, and in brackets CPU ms of the server, medians. The ratio is Braid to that peer; below 1",
               "Braid is better, whatever the unit.", "",
               "| row | data | measure | unit | Braid | others | ratio (goal) | |", "|---|---|---|---|---|---|---|---|"]
        for r in self.rows:
            verdicts = "; ".join(f"{ratio:.2f} {SHORT.get(peer, peer)} (≤ {bound:.2g}){cpu_part(r, peer)}"
                                 for peer, ratio, bound, _ in r.verdicts())
            others = ", ".join(f"{SHORT.get(n, n)} {cell(r, n)}" for n in ORDER if n in r.scores and n != "braid")
            met = r.met()
            out.append(f"| {r.row} | {r.data} | {r.what} | {r.unit} | {cell(r, 'braid')} | {others} | {verdicts} | "
                       f"{'' if met is None else 'met' if met else '**behind**'} |")
        notes = []
        for r in self.rows:
            if r.note and (r.row, r.note) not in notes:
                notes.append((r.row, r.note))
        out += [""] + [f"- {row}: {note}" for row, note in notes]
        if any(r.profile for r in self.rows):
            out += ["", "Where Braid's CPU time goes:", ""]
            out += [f"- {r.row} {r.data}, {r.what}: {'; '.join(r.profile)}" for r in self.rows if r.profile]
        misses = [f"{r.row} {r.data} {r.what}" for r in self.rows if r.met() is False]
        out += ["", f"{len(misses)} of {sum(r.met() is not None for r in self.rows)} measures behind their goal"
                + (": " + "; ".join(misses) if misses else "") + "."]
        return "\n".join(out) + "\n"


def interleaved(runs, repeats, budget_ms=20_000):
    """Runs A B C A B C ...: {name: median of wall ms}. `runs` maps name to a function that returns wall ms."""
    times = {name: [] for name in runs}
    for name, run in runs.items():
        run()  # warm
    for _ in range(repeats):
        for name, run in runs.items():
            if len(times[name]) < 3 or sum(times[name]) < budget_ms:
                times[name].append(run())
    return {name: statistics.median(values) for name, values in times.items()}


def profiled(context, server, run, seconds=2):
    """Runs again and again under a profiler, if one is wanted; the largest parts."""
    with Profile(server.process.pid, context.work, context.profile) as profile:
        until = time.monotonic() + (seconds if context.profile else 0)
        while time.monotonic() < until:
            run()
    return profile.parts


def server_cpu_ms(server, run, wall_ms):
    """CPU of the server's process for one run, over enough runs to be read from a clock of 10 ms."""
    count = max(1, min(60, int(300 / max(wall_ms, 0.1))))
    before = server.cpu()
    for _ in range(count):
        run()
    return (server.cpu() - before) * 1e3 / count
