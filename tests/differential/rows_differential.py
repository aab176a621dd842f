"""Random queries over events and rows against the program and a plain evaluator, which must agree.

  rows_differential.py [--braid PATH] [--seed 1] [--queries 20000] [--store 2000] [--show 10] [--print FILE]

A small seeded store of logs, spans and a gauge goes to a server of its own; every query's answer is compared row by row, in
order, with what naive_rows.py makes of the same rows: numbers within 1e-9, durations within 2 ns. The exit status is 1 if
one differs. --print writes the texts to a file, one JSON string a line.
"""
import argparse
import collections
import json
import math
import os
import random
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "program")]
import server_process  # noqa: E402
from naive_rows import Id, Span, Time, Word  # noqa: E402
from rows_grammar import SPAN_DERIVED, Grammar  # noqa: E402
from rows_store import Store  # noqa: E402


def time_of(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    import calendar
    import time
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int(fraction.ljust(9, "0") or 0)


def same(found, wanted):
    if isinstance(wanted, Word):
        return found == wanted.word
    if isinstance(wanted, Time):
        return isinstance(found, str) and time_of(found) == wanted
    if isinstance(wanted, Span):
        return isinstance(found, (int, float)) and abs(found - int(wanted)) <= 2
    if isinstance(wanted, bool) or isinstance(found, bool):
        return found is wanted
    if isinstance(wanted, (int, float)):
        if isinstance(found, str):
            found = float(found)
        if math.isnan(wanted):
            return isinstance(found, float) and math.isnan(found)
        return isinstance(found, (int, float)) and abs(found - wanted) <= 1e-9 * max(abs(found), abs(wanted), 1e-3)
    return found == (str(wanted) if isinstance(wanted, Id) else wanted)


def difference(answer, pipe):
    """What differs between the program's answer and the rows of `pipe`; empty if nothing does."""
    if answer["kind"] != pipe.kind:
        return f"kind {answer['kind']}, expected {pipe.kind}"
    names = [column["name"] for column in answer["columns"]]
    if len(answer["rows"]) != len(pipe.rows):
        return f"{len(answer['rows'])} rows, expected {len(pipe.rows)}"
    for number, (cells, wanted) in enumerate(zip(answer["rows"], pipe.rows)):
        found = {name: cell for name, cell in zip(names, cells) if cell is not None}
        # Derived columns of spans are in the answer if the query names them anywhere.
        found = {name: cell for name, cell in found.items() if name in pipe.columns or name.removeprefix("j.") not in SPAN_DERIVED}
        expected = {name: wanted.get(name) for name in pipe.columns if wanted.get(name) is not None}
        if found.keys() != expected.keys():
            return f"row {number} has {sorted(found.keys() ^ expected.keys())} more or less: {found}"
        for name, value in expected.items():
            if not same(found[name], value):
                shown = value.word if isinstance(value, Word) else value
                return f"row {number}, {name}: {found[name]!r}, expected {shown!r}"
    return ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--braid")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries", type=int, default=20000)
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--store", type=int, default=2000, help="queries that are asked of one store")
    parser.add_argument("--print")
    settings = parser.parse_args()
    if settings.braid:
        server_process.PROGRAM = settings.braid
    work = tempfile.mkdtemp(prefix="braid-rows-")
    counts, shown, texts = collections.Counter(), 0, []
    chance = random.Random(settings.seed)
    asked = 0
    try:
        while asked < settings.queries:
            # A store for some thousand queries; every second one is merged into a part before it is asked.
            store = Store(chance)
            server = server_process.Server(os.path.join(work, f"store-{asked}"))
            server.start()
            store.write(server)
            if asked // settings.store % 2 == 1:  # a restart flushes what is in memory
                server.stop()
                server.start()
            grammar = Grammar(chance, store)
            try:
                for _ in range(min(settings.store, settings.queries - asked)):
                    text, start, end, step, pipe = grammar.query()
                    asked += 1
                    texts.append(text)
                    try:
                        answer = server.query(text, start=str(start), end=str(end), step=f"{step // 10**9}s", limit=100000)
                        what = difference(answer, pipe)
                    except RuntimeError as error:
                        what = str(error)
                    outcome = "DIFFERENT" if what else "equal" if pipe.rows else "equal, empty"
                    counts[outcome] += 1
                    if what and shown < settings.show:
                        shown += 1
                        print(f"DIFFERENT [{start}, {end}] step {step / 1e9}s\n{text}\n  {what}", flush=True)
            finally:
                server.stop()
    finally:
        shutil.rmtree(work)
    if settings.print:
        with open(settings.print, "w", encoding="utf-8") as out:
            out.writelines(json.dumps(text) + "\n" for text in texts)
    print(f"seed {settings.seed}, {asked} queries: " + ", ".join(f"{n} {what}" for what, n in counts.most_common()))
    if not counts["DIFFERENT"]:
        print(f"[  PASSED  ] {asked} tests.")
    sys.exit(1 if counts["DIFFERENT"] else 0)


if __name__ == "__main__":
    main()
