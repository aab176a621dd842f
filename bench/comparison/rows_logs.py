"""L rows: log ingest, bytes per line, rare words, patterns, counts."""
import json
import os
import re
import statistics
import subprocess
import time

from . import sql_tables
from .events import CLICKHOUSE_TEXT, compare_sql, log_bytes_on_disk
from .processes import Profile
from .rows_metrics import served
from .stores import SqliteFts
from .table import Row

BOTH = (("duckdb", 1.0), ("clickhouse", 1.0))


def log_sets(context):
    return ["nezha-day", "zeek", context.event_sets()[1]]


def l1(context):
    for name in log_sets(context):
        data = context.logs(name)
        bodies = list(data.bodies())
        megabytes = data.raw_bytes / 1e6
        row = Row("L1", name, "log MB per core-second, indexed", "MB", True, BOTH,
                  "Braid: NDJSON over HTTP, acknowledged after fdatasync, flushed at 16 MB so that the making of parts "
                  "is in it; DuckDB and ClickHouse read the file themselves")
        rates = {}
        for _ in range(context.ingest_repeats if name != context.event_sets()[1] else 1):
            for label, durability in (("braid", "durable"), ("braid buffered", "buffered")):
                store = context.braid("--flush-mb", "16", durability=durability)
                store.start()
                before = store.server.cpu()
                with Profile(store.server.process.pid, context.work, context.profile and label == "braid") as profile:
                    store.jsonl(bodies)
                    served(store, 4)
                row.profile = profile.parts or row.profile
                rates.setdefault(label, []).append(megabytes / (store.server.cpu() - before))
                context.drop(store)
            for engine_name in ("duckdb", "clickhouse"):
                engine = context.sql(engine_name)
                if engine:
                    text = CLICKHOUSE_TEXT if engine_name == "clickhouse" and data.message else ""
                    rates.setdefault(engine_name, []).append(megabytes / sql_tables.load_logs(engine, data, text))
                    context.once(("log bytes", engine_name, name), lambda: sql_tables.table_bytes(engine, "logs"))
                    context.drop(engine)
        if data.message and not context.quick:
            store = context.own(SqliteFts(context.folder("sqlite")))
            rates["sqlite-fts5"] = [megabytes / store.load(data)]
            context.drop(store)
        row.scores = {label: statistics.median(values) for label, values in rates.items()}
        context.table.add(row)


def sql_log_bytes(context, engine_name, data):
    engine = context.sql(engine_name)
    sql_tables.load_logs(engine, data, CLICKHOUSE_TEXT if data.message and engine_name != "duckdb" else "")
    size = sql_tables.table_bytes(engine, "logs")
    context.drop(engine)
    return size


def l2(context):
    for name in log_sets(context):
        data = context.logs(name)
        row = Row("L2", name, "stored bytes per line with all indexes", "B/line", False, (("zstd -3", 1.0),))
        size, cpu = log_bytes_on_disk(context, data)
        row.scores["braid"] = size / data.lines
        row.scores["zstd -3"] = data.zstd_bytes() / data.lines
        row.note = f"`braid import` of the file: {data.raw_bytes / 1e6 / cpu:.0f} MB per core-second" if cpu else ""
        for engine_name in ("duckdb", "clickhouse"):
            if getattr(context.peers, engine_name):
                size = context.once(("log bytes", engine_name, name), lambda: sql_log_bytes(context, engine_name, data))
                row.scores[engine_name] = size / data.lines
        context.table.add(row)


def floor_tools(context, data, pattern, fixed):
    """grep and rg over the raw file, as far as they are there."""
    def run(command):
        def timed():
            began = time.perf_counter()
            subprocess.run(command, stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"})
            return (time.perf_counter() - began) * 1e3
        return timed
    kind = "-F" if fixed else "-E"
    tools = {"grep": run(["grep", "-c", kind, pattern, data.path])}
    if context.peers.ripgrep:
        tools["rg"] = run([context.peers.ripgrep, "-c", *(["-F"] if fixed else []), pattern, data.path])
    return tools


REPEATED = ("Braid searches all messages the first time and has a filter of them from the second time on; the median is of "
            "later times")


def l5(context):
    for name in ("nezha-day", context.event_sets()[1]):
        data = context.logs(name)
        word = context.once(("rare word", name), data.rare_word)
        goals = (("duckdb", 0.1), ("clickhouse", 0.1))
        sql = {"duckdb": f"select message from logs where contains(message, '{word}')",
               "clickhouse": [f"select message from logs where hasToken(message, '{word}')",
                              f"select message from logs where hasAllTokens(message, ['{word}'])"],
               "sqlite-fts5": "select message from logs where rowid in "
                              f"(select rowid from words where words match '{word}')"}
        compare_sql(context, Row("L5", name, "a word that one line has", "ms", False, goals, REPEATED), name,
                    f'logs |= "{word}" | keep message', sql, extra=floor_tools(context, data, word, True))
        absent = "qzxjkvabsent"
        sql = {"duckdb": f"select count(*) from logs where contains(message, '{absent}')",
               "clickhouse": [f"select count(*) from logs where hasToken(message, '{absent}')"],
               "sqlite-fts5": f"select count(*) from words where words match '{absent}'"}
        compare_sql(context, Row("L5", name, "a word that no line has", "ms", False, goals, REPEATED), name,
                    f'logs |= "{absent}" | stats n = count()', sql, extra=floor_tools(context, data, absent, True))
    data = context.logs("zeek")
    with open(data.path) as file:
        uid = next(json.loads(line)["uid"] for number, line in enumerate(file)
                   if number > data.lines // 2 and '"uid"' in line)
    sql = {"duckdb": f"select count(*) from logs where uid = '{uid}'",
           "clickhouse": f"select count(*) from logs where json.uid.:String = '{uid}'"}
    compare_sql(context, Row("L5", "zeek", "lines of one connection (attribute uid)", "ms", False, goals), "zeek",
                f'logs{{uid = "{uid}"}} | stats n = count()', sql)


# Patterns without a word that an index could look up.
PATTERNS = {"nezha-day": "[0-9a-f]{4}-4[0-9a-f]{3}-[ab][0-9a-f]{3}-", "": "[0-9]{3}[02468]5[0-9]? ?ms|[a-f0-9]{3}[02468]7"}


def l6(context):
    for name in ("nezha-day", context.event_sets()[1]):
        data = context.logs(name)
        pattern = PATTERNS.get(name, PATTERNS[""])
        sql = {"duckdb": f"select count(*) from logs where regexp_matches(message, '{pattern}')",
               "clickhouse": f"select count(*) from logs where match(message, '{pattern}')"}
        text = json.dumps(pattern)
        compare_sql(context, Row("L6", name, "count of lines with a pattern without a usable word", "ms", False, BOTH,
                                 "grep and rg search the whole raw lines, not only the message"), name,
                    f"logs |~ {text} | stats n = count()", sql, extra=floor_tools(context, data, pattern, False))
        assert re.compile(pattern)


def l7(context):
    for name in ("nezha-day", context.event_sets()[1]):
        data = context.logs(name)
        level = f'lower("{data.level}")'
        sql = {engine: f"select {level}, count(*) from logs group by 1" for engine in ("duckdb", "clickhouse")}
        compare_sql(context, Row("L7", name, "count by level", "ms", False, BOTH), name,
                    "logs | stats n = count() by (level)", sql)
        minute = {"duckdb": f'-((-epoch_ns("{data.time}")) // 60000000000) * 60',
                  "clickhouse": f'intDiv(toUnixTimestamp64Nano("{data.time}") + 59999999999, 60000000000) * 60'}
        minute["duckdb"] = f'((epoch_ns("{data.time}") + 59999999999) // 60000000000) * 60'
        sql = {engine: f"select {minute[engine]} as t, service, {level}, count(*) from logs group by 1, 2, 3"
               for engine in ("duckdb", "clickhouse")}

        def shape(r):  # the series is 0 where SQL has no row
            return None if not r[-1] else r
        compare_sql(context, Row("L7", name, "count by service, level, minute", "ms", False, BOTH), name,
                    "logs | stats n = count() by (service, level) [1m] | where n > 0 | keep t = time, service, level, n",
                    sql, {"step": "1m"}, shape=lambda r: time_in_seconds(r))
    sql = {"duckdb": "select _path, count(*) from logs group by 1",
           "clickhouse": "select json._path.:String as p, count(*) from logs group by 1"}
    compare_sql(context, Row("L7", "zeek", "count by attribute _path", "ms", False, BOTH), "zeek",
                "logs | stats n = count() by (_path)", sql)


def time_in_seconds(row):
    """The first cell of a row as whole seconds, whether it came as text or as a number."""
    from datetime import datetime
    at = row[0]
    if isinstance(at, str):
        at = datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()
    elif at > 1e14:
        at /= 1e9
    return [at, *row[1:]]


ROWS = {"L1": l1, "L2": l2, "L5": l5, "L6": l6, "L7": l7}
