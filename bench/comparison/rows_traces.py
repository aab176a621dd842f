"""T rows: span ingest, bytes per span, one trace, search by attributes."""
import statistics

from . import sql_tables
from .answers import rows_of, same_rows
from .events import braid_with, compare_sql, library_with, sql_with, window
from .processes import Profile, forget_pages
from .rows_metrics import served
from .table import Row

BOTH = (("duckdb", 1.0), ("clickhouse", 1.0))
TENTH = (("duckdb", 0.1), ("clickhouse", 0.1))
ENGINES = ("duckdb", "clickhouse")


def span_sets(context):
    return ["nezha-day", context.event_sets()[1]]


def t1(context):
    for name in span_sets(context):
        data = context.spans(name)
        bodies = data.bodies()
        row = Row("T1", name, "spans per core-second", "1000/s", True, BOTH,
                  "Braid: OTLP protobuf over HTTP, acknowledged after fdatasync, flushed at 16 MB so that the making of "
                  "parts is in it; DuckDB and ClickHouse read flat rows from a file themselves")
        rates = {}
        for _ in range(context.ingest_repeats if name == "nezha-day" else 1):
            for label, durability in (("braid", "durable"), ("braid buffered", "buffered")):
                store = context.braid("--flush-mb", "16", durability=durability)
                store.start()
                before = store.server.cpu()
                with Profile(store.server.process.pid, context.work, context.profile and label == "braid") as profile:
                    store.traces(bodies)
                    served(store, 4)
                row.profile = profile.parts or row.profile
                rates.setdefault(label, []).append(data.spans / (store.server.cpu() - before) / 1e3)
                context.drop(store)
            for engine_name in ENGINES:
                engine = context.sql(engine_name)
                if engine:
                    rates.setdefault(engine_name, []).append(data.spans / sql_tables.load_spans(engine, data) / 1e3)
                    context.once(("span bytes", engine_name, name), lambda: sql_tables.table_bytes(engine, "spans"))
                    context.drop(engine)
        row.scores = {label: statistics.median(values) for label, values in rates.items()}
        context.table.add(row)


def sql_span_bytes(context, engine_name, data):
    engine = context.sql(engine_name)
    sql_tables.load_spans(engine, data)
    size = sql_tables.table_bytes(engine, "spans")
    context.drop(engine)
    return size


def t2(context):
    for name in span_sets(context):
        data = context.spans(name)
        row = Row("T2", name, "stored bytes per span with indexes", "B/span", False, BOTH)
        store = context.braid()
        cpu = store.import_files(data.path)
        row.scores["braid"] = store.stored_bytes() / data.spans
        row.note = f"`braid import` of OTLP/JSON: {data.spans / cpu / 1e3:.0f} thousand spans per core-second" if cpu else ""
        context.drop(store)
        for engine_name in ENGINES:
            if getattr(context.peers, engine_name):
                size = context.once(("span bytes", engine_name, name), lambda: sql_span_bytes(context, engine_name, data))
                row.scores[engine_name] = size / data.spans
        context.table.add(row)


def trace_sql(trace):
    return f"select span_id, parent_id, service, name, duration_ns from spans where trace_id = '{trace}'"


def trace_braid(trace):
    return f'spans{{trace_id = "{trace}"}} | keep span_id, parent_id, service, name, duration'


def t3(context, name=None):
    for name in [name] if name else span_sets(context):
        data = context.spans(name)
        braid = braid_with(context, name)
        options = {"limit": 100_000, **window(context, name)}
        traces = data.traces[:20 if context.quick else 60]
        engines = {e: sql_with(context, e, name) for e in ENGINES}
        library = library_with(context, name)
        ours_labels = ("braid", "braid over HTTP") if library else ("braid",)
        times = {label: [] for label in (*ours_labels, *(e for e in engines if engines[e]))}
        for trace in traces:
            ours = rows_of(braid.ask(trace_braid(trace), **options)[1])
            ours = [[r[0], r[1] or "", *r[2:]] for r in ours]
            for engine_name, engine in engines.items():
                if engine:
                    difference = same_rows(ours, engine.run(trace_sql(trace), True)["rows"])
                    if difference:
                        raise RuntimeError(f"T3 {trace}: braid and {engine_name} differ: {difference}")
        for _ in range(1 if context.quick else 3):
            for trace in traces:
                if library:
                    times["braid"].append(library.ask(trace_braid(trace), **options)["ms"])
                times[ours_labels[-1]].append(braid.ask(trace_braid(trace), **options)[0])
                for engine_name, engine in engines.items():
                    if engine:
                        times[engine_name].append(engine.run(trace_sql(trace), True)["ms"])
        for what, pick in (("p50", 0.5), ("p99", 0.99)):
            row = Row("T3", name, f"trace by id, warm, {what}", "ms", False, TENTH if what == "p50" else ())
            row.scores = {label: sorted(values)[int(len(values) * pick)] for label, values in times.items()}
            context.table.add(row)


def t4(context):
    name = "nezha-day"
    data = context.spans(name)
    options = {"limit": 100_000, **window(context, name)}
    row = Row("T4", name, "trace by id, cold cache", "ms", False, (), "a fresh process whose files are not in the page "
              "cache; the opening of the store is not counted; goal 10 ms")
    row.limit = 10
    store = context.braid()
    store.import_files(data.path)
    times = []
    for trace in data.traces[:3 if context.quick else 7]:
        forget_pages(store.folder)
        store.start()
        times.append(store.ask(trace_braid(trace), **options)[0])
        store.stop()
    row.scores["braid"] = statistics.median(times)
    context.drop(store)
    for engine_name in ENGINES:
        engine = context.sql(engine_name)
        if not engine:
            continue
        sql_tables.load_spans(engine, data)
        engine.stop()
        times = []
        from .stores import SqlEngine
        for trace in data.traces[:3 if context.quick else 7]:
            forget_pages(engine.folder)
            again = SqlEngine(engine_name, getattr(context.peers, engine_name), engine.folder)
            times.append(again.run(trace_sql(trace), True)["ms"])
            again.stop()
        row.scores[engine_name] = statistics.median(times)
        context.drop(engine)
    context.table.add(row)


def t5(context):
    for name in span_sets(context):
        if name == "nezha-day":
            braid = 'spans{service = "ts-food-service", status = error, duration > 10ms}'
            where = "service = 'ts-food-service' and status = 'error' and duration_ns > 10000000"
            attribute = ('spans{db.collection.name = "trip2", duration > 2ms}',
                         "attributes['db.collection.name'] = 'trip2' and duration_ns > 2000000")
        else:
            braid = 'spans{service = "payment", status = error, duration > 500ms}'
            where = "service = 'payment' and status = 'error' and duration_ns > 500000000"
            attribute = ('spans{http.route = "/charge", duration > 1s}',
                         "attributes['http.route'] = '/charge' and duration_ns > 1000000000")
        sql = {e: f"select trace_id, span_id, duration_ns from spans where {where}" for e in ENGINES}
        compare_sql(context, Row("T5", name, "service, status and duration", "ms", False, BOTH), name,
                    braid + " | keep trace_id, span_id, duration", sql)
        sql = {e: f"select count(*), sum(duration_ns) from spans where {attribute[1]}" for e in ENGINES}
        compare_sql(context, Row("T5", name, "an attribute and duration", "ms", False, BOTH), name,
                    attribute[0] + " | stats n = count(), d = sum(duration)", sql)
        sql = {e: "select service, quantile_disc(duration_ns, 0.99) from spans group by 1" for e in ENGINES}
        sql = {e: "select service, max(duration_ns), count(*) from spans group by 1" for e in ENGINES}
        compare_sql(context, Row("T5", name, "longest span and count by service, all spans", "ms", False, BOTH), name,
                    "spans | stats m = max(duration), n = count() by (service)", sql)


ROWS = {"T1": t1, "T2": t2, "T3": t3, "T4": t4, "T5": t5}
