"""Stores that hold a data set's lines and spans, loaded once; and one way to check and time a question on all of them."""
import os

from . import sql_tables
from .answers import rows_of, same_rows
from .stores import SqliteFts
from .table import interleaved, profiled, server_cpu_ms

# The index over words that ClickHouse has for this; the plain table is asked too, the better one counts.
CLICKHOUSE_TEXT = "index words message type text(tokenizer = 'splitByNonAlpha') granularity 64"


def braid_with(context, name):
    """A served Braid with everything of the set, imported (so: flushed into parts)."""
    def make():
        store = context.braid()
        files = [context.logs(name).path]
        if name != "zeek":
            files.append(context.spans(name).path)
        if name == "nezha-day":
            files.append(context.metrics(name).text)
        store.import_files(*files)
        store.start()
        return store
    return context.once(("braid", name), make)


def library_with(context, name):
    """The same store in a process of its own, without HTTP."""
    def make():
        library = braid_with(context, name).library()
        return context.own(library) if library else None
    return context.once(("library", name), make)


def sql_with(context, engine_name, name, spans=True):
    def make():
        engine = context.sql(engine_name)
        if engine is None:
            return None
        logs = context.logs(name)
        if engine_name == "clickhouse" and logs.message:
            try:
                sql_tables.load_logs(engine, logs, CLICKHOUSE_TEXT)
            except RuntimeError as error:
                print(f"compare: {error}")
                engine.run("drop table if exists logs")
                sql_tables.load_logs(engine, logs)
        else:
            sql_tables.load_logs(engine, logs)
        if spans and name != "zeek":
            sql_tables.load_spans(engine, context.spans(name))
        if name == "nezha-day":
            sql_tables.load_samples(engine, context.metrics(name))
        if engine_name == "clickhouse":
            for table in ("logs", "spans", "samples", "series"):
                if spans and name != "zeek" or table == "logs":
                    if table in ("samples", "series") and name != "nezha-day":
                        continue
                    engine.run(f"optimize table {table} final")
        return engine
    return context.once((engine_name, name, spans), make)


def sqlite_with(context, name):
    def make():
        store = context.own(SqliteFts(context.folder("sqlite")))
        store.load(context.logs(name))
        return store
    return context.once(("sqlite", name), make)


def compare_sql(context, row, name, text, sql, options=None, shape=None, extra=None, tolerance=1e-9):
    """Asks Braid `text` and each engine its `sql[engine]` (list: the fastest counts); checks, times, adds the row.

    `shape` maps Braid's rows to those of the SQL answers. `extra` gives more runs that need no check.
    """
    braid = braid_with(context, name)
    options = {"limit": 1_000_000, **window(context, name), **(options or {})}
    found = rows_of(braid.ask(text, **options)[1])
    ours = [shape(r) for r in found if shape(r) is not None] if shape else found
    if not ours:
        raise RuntimeError(f"{row.row}: {text} finds nothing")
    # The SQL engines answer in their own process; so does Braid for the ratio. Over HTTP it is measured beside that.
    library = library_with(context, name)
    cpus = {}

    def ask():
        return braid.ask(text, **options)[0]
    runs = {"braid": ask}
    if library:
        rows = library.ask(text, **options)["rows"]
        if rows != len(found):
            raise RuntimeError(f"{row.row}: {text}: {rows} rows in the process, {len(found)} over HTTP")

        def in_process():
            answer = library.ask(text, **options)
            cpus.setdefault("braid", []).append(answer["cpu_ms"])
            return answer["ms"]
        runs = {"braid": in_process, "braid over HTTP": ask}
    for engine_name, statements in sql.items():
        engine = sqlite_with(context, name) if engine_name == "sqlite-fts5" else sql_with(context, engine_name, name)
        if engine is None:
            continue
        best = None
        for statement in [statements] if isinstance(statements, str) else statements:
            try:
                answer = engine.run(statement) if engine_name == "sqlite-fts5" else engine.run(statement, True)
            except RuntimeError as error:
                print(f"compare: {error}")
                continue
            difference = same_rows(ours, answer["rows"], tolerance)
            if difference:
                raise RuntimeError(f"{row.row} {name}: braid and {engine_name} differ: {difference}\n  {statement}")
            took = min(answer["ms"], timed(engine, engine_name, statement)["ms"])
            if best is None or took < best[0]:
                best = (took, statement)
        if best is None:
            continue

        def run(engine=engine, statement=best[1], label=engine_name):
            answer = timed(engine, label, statement)
            cpus.setdefault(label, []).append(answer["cpu_ms"])
            return answer["ms"]
        runs[engine_name] = run
    runs.update(extra or {})
    row.scores = interleaved(runs, context.repeats)
    for label, values in cpus.items():
        row.cpu[label] = sorted(values)[len(values) // 2]
    over_http = "braid over HTTP" if library else "braid"
    row.cpu[over_http] = server_cpu_ms(braid.server, ask, row.scores[over_http])
    row.profile = profiled(context, braid.server, ask)
    context.table.add(row)
    return ours


def timed(engine, name, statement):
    return engine.run(statement) if name == "sqlite-fts5" else engine.run(statement, True)


def window(context, name):
    """Start and end of the set, for Braid, whose queries always have a range."""
    if name == "nezha-day":
        return {"start": "2023-01-30T00:00:00Z", "end": "2023-01-31T00:00:00Z"}
    if name == "zeek":
        return {"start": "1970-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}  # some lines have no time: that of arrival
    return {"start": "2026-01-01T09:00:00Z", "end": "2026-01-01T12:00:00Z"}


def log_bytes_on_disk(context, data):
    store = context.braid()
    cpu = store.import_files(data.path)
    size = store.stored_bytes()
    context.drop(store)
    return size, cpu


def exists(path):
    return path and os.path.exists(path)
