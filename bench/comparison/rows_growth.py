"""G rows: ten times the data, the second core, start, idle memory, size of the program."""
import os
import shutil
import statistics
import subprocess
import time

from .events import braid_with, window
from .rows_traces import trace_braid
from .table import Row

G_LOG = "logs | stats n = count() by (service, level)"


def growth_row(context, row, what, unit, small, large, bound, note="", sets=None, higher=False):
    entry = Row(row, " -> ".join(sets or context.event_sets()), what, unit, higher, (("braid 1x", bound),), note)
    entry.scores = {"braid": large, "braid 1x": small}
    context.table.add(entry)


def on_both(context, ask):
    """ask(store, name, options) gives wall ms; medians for 1x and 10x, measured in turn."""
    small, large = context.event_sets()
    times = {small: [], large: []}
    for _ in range(context.repeats * 2 + 1):
        for name in (small, large):
            times[name].append(ask(braid_with(context, name), name, window(context, name)))
    return statistics.median(times[small][1:]), statistics.median(times[large][1:])


def g1(context):
    def trace(store, name, options):
        traces = context.spans(name).traces[:20]
        return statistics.median(store.ask(trace_braid(t), **options)[0] for t in traces)
    growth_row(context, "G1", "trace by id", "ms", *on_both(context, trace), 1.3)
    words = {name: context.once(("rare word", name), context.logs(name).rare_word) for name in context.event_sets()}
    growth_row(context, "G1", "a word that one line has", "ms",
               *on_both(context, lambda store, name, o: store.ask(f'logs |= "{words[name]}" | keep span_id', **o)[0]), 1.3)


def g2(context):
    narrow = {"start": "2026-01-01T10:10:00Z", "end": "2026-01-01T10:10:10Z"}
    growth_row(context, "G2", "20 newest lines of a word, of one service", "ms",
               *on_both(context, lambda store, name, o: store.ask(
                   'logs{service = "payment"} |= "deployed" | limit 20', **o)[0]), 2.0)
    growth_row(context, "G2", "10 seconds of error spans, limit 20", "ms",
               *on_both(context, lambda store, name, o: store.ask("spans{status = error} | limit 20", **narrow)[0]), 2.0,
               "ten times the rows are in the range")


def g3(context):
    growth_row(context, "G3", "count by service and level over all", "ms",
               *on_both(context, lambda store, name, o: store.ask(G_LOG, **o)[0]), 10.5)
    growth_row(context, "G3", "pattern over all messages", "ms",
               *on_both(context, lambda store, name, o: store.ask('logs |~ "[0-9]{3}7[0-9]? ms" | stats n = count()', **o)[0]),
               10.5)


def ingest(context, name, *flags, cores=None, connections=1):
    """(lines per CPU second, per wall second, peak KB) of the set's lines over HTTP."""
    data = context.logs(name)
    store = context.braid(*flags, cores=cores)
    store.start()
    bodies = list(data.bodies())
    before, began = store.server.cpu(), time.monotonic()
    if connections == 1:
        store.jsonl(bodies)
    else:
        import threading
        from .processes import Http

        def send(part):
            http = Http(store.server.port)
            for body, _ in part:
                status, _ = http.request("POST", "/ingest/jsonl", body)
                assert status == 200, status
        threads = [threading.Thread(target=send, args=(bodies[i::connections],)) for i in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    wall = time.monotonic() - began
    cpu, peak = store.server.cpu() - before, store.server.peak_kb()
    context.drop(store)
    return data.lines / cpu, data.lines / wall, peak


def g4(context):
    """Ten times the larger set, so that the smaller fills heads too and makes parts of them."""
    small, large = context.event_sets()[1], context.ten_times_lines()
    runs = [(ingest(context, small), ingest(context, large)) for _ in range(context.ingest_repeats)]
    growth_row(context, "G4", "log lines per core-second", "1000/s", statistics.median(r[0][0] for r in runs) / 1e3,
               statistics.median(r[1][0] for r in runs) / 1e3, 1 / 0.9, sets=(small, large), higher=True,
               note="heads of the default size, 64 MB; only a set of this size fills several")
    growth_row(context, "G4", "peak memory while taking them", "MB", statistics.median(r[0][2] for r in runs) / 1e3,
               statistics.median(r[1][2] for r in runs) / 1e3, 1.2, sets=(small, large))


def g5(context):
    """The same store served on one core and on two."""
    name = context.event_sets()[1]
    questions = {"pattern over all messages": 'logs |~ "[0-9]{3}7[0-9]? ms" | stats n = count()',
                 "full join lines x spans": "logs | join spans as s on (trace_id, span_id) | stats n = count()"}
    if len(os.sched_getaffinity(0)) < 2:
        return
    cores = sorted(os.sched_getaffinity(0))[:2]
    shared = braid_with(context, name)
    times = {}
    everything = os.sched_getaffinity(0)
    pid = shared.server.process.pid

    def pin(to):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), to)
    for _ in range(context.repeats):
        for count in (1, 2):
            pin(set(cores[:count]))
            for what, text in questions.items():
                times.setdefault((what, count), []).append(shared.ask(text, **window(context, name))[0])
    pin(everything)
    for what in questions:
        row = Row("G5", name, f"second core: {what}", "ms", False, (("braid, one core", 1 / 1.7),))
        row.scores = {"braid": statistics.median(times[what, 2]), "braid, one core": statistics.median(times[what, 1])}
        context.table.add(row)
    one, two = (ingest(context, name, "--flush-mb", "16", cores=set(used), connections=4) for used in (cores[:1], cores))
    row = Row("G5", name, "second core: log lines per second, 4 connections", "1000/s", True, (("braid, one core", 1 / 1.9),),
              "the sender shares the two cores")
    row.scores = {"braid": two[1] / 1e3, "braid, one core": one[1] / 1e3}
    context.table.add(row)


def g7(context):
    row = Row("G7", "empty store", "start to ready", "ms", False, (), "goal 50 ms")
    row.limit = 50
    memory = Row("G8", "empty store", "idle memory", "MB", False, (), "goal 15 MB")
    memory.limit = 15
    makers = {"braid": context.braid, "victoria-metrics": context.victoria, "prometheus": context.prometheus}
    for label, make in makers.items():
        times = []
        for number in range(context.repeats):
            store = make()
            if store is None:
                break
            times.append(store.start() * 1e3)
            if number == 0:
                time.sleep(2)
                memory.scores[label] = store.server.resident_kb() / 1e3
            context.drop(store)
        if times:
            row.scores[label] = statistics.median(times)
    context.table.add(row)
    context.table.add(memory)
    row = Row("G7", "nezha-day", "start to ready after a clean stop", "ms", False, (), "goal 200 ms")
    row.limit = 200
    store = context.braid()
    store.import_files(context.logs("nezha-day").path, context.spans("nezha-day").path)
    times = []
    for _ in range(context.repeats):
        times.append(store.start() * 1e3)
        store.stop()
    row.scores["braid"] = statistics.median(times)
    context.table.add(row)
    context.drop(store)


def g8(context):
    row = Row("G8", "program", "size, stripped", "MB", False, (), "goal 15 MB")
    row.limit = 15
    stripped = os.path.join(context.work, "braid.stripped")
    shutil.copy(context.braid_path, stripped)
    subprocess.run(["strip", stripped], check=True)
    row.scores["braid"] = os.path.getsize(stripped) / 1e6
    for label, path in (("victoria-metrics", context.peers.victoria), ("prometheus", context.peers.prometheus)):
        if path:
            row.scores[label] = os.path.getsize(path) / 1e6
    os.unlink(stripped)
    context.table.add(row)


ROWS = {"G1": g1, "G2": g2, "G3": g3, "G4": g4, "G5": g5, "G7": g7, "G8": g8}
