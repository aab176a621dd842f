"""Tables of DuckDB and ClickHouse for the data sets, as their users would make them, filled from the same files."""
import json
import os

from .processes import cpu_seconds

LOW_CARDINALITY_MAX = 10_000


def keys_of(data):
    """{key: few distinct values?} of flat NDJSON whose values are texts."""
    distinct = {}
    with open(data.path) as file:
        for line in file:
            for key, value in json.loads(line).items():
                seen = distinct.setdefault(key, set())
                if len(seen) < LOW_CARDINALITY_MAX:
                    seen.add(str(value))
    return {key: len(seen) < LOW_CARDINALITY_MAX for key, seen in distinct.items()}


def quoted(names):
    return ", ".join(f'"{name}"' for name in names)


def cpu_of(engine, statements):
    """CPU seconds of the engine's process for the statements and the work they leave behind until the next answer."""
    before = cpu_seconds(engine.process.pid)
    for statement in statements:
        engine.run(statement)
    return cpu_seconds(engine.process.pid) - before


def load_logs(engine, data, index=""):
    """Returns CPU seconds. `index` is ClickHouse's index over the message."""
    if data.name == "zeek":
        return load_zeek(engine, data)
    if not hasattr(data, "keys"):
        data.keys = keys_of(data)
    order = quoted(data.order)
    if engine.name == "duckdb":
        columns = ", ".join(f"'{key}': '{'TIMESTAMP_NS' if key == data.time else 'VARCHAR'}'" for key in data.keys)
        return cpu_of(engine, [f"create table logs as select * from read_json('{data.path}', "
                               f"format='newline_delimited', columns={{{columns}}})", "checkpoint"])
    columns = []
    for key, few in data.keys.items():
        kind = ("DateTime64(9, 'UTC') codec(Delta, ZSTD(1))" if key == data.time
                else "LowCardinality(String)" if few else "String codec(ZSTD(1))")
        columns.append(f'"{key}" {kind}')
    text = f", {index}" if index else ""
    return cpu_of(engine, [
        f"create table logs ({', '.join(columns)}{text}) engine = MergeTree order by ({order}) "
        "settings default_compression_codec = 'ZSTD(1)'",
        "set date_time_input_format = 'best_effort'",
        f"insert into logs select * from file('{data.path}', JSONEachRow)"])


def load_zeek(engine, data):
    if engine.name == "duckdb":
        return cpu_of(engine, [f"create table logs as select * from read_json('{data.path}', format='newline_delimited', "
                               "sample_size=-1, maximum_depth=2, field_appearance_threshold=0, map_inference_threshold=-1)", "checkpoint"])
    # Its shapes disagree about types (`service` is a text here and a list there), which only the type JSON takes.
    return cpu_of(engine, [
        "create table logs (json JSON) engine = MergeTree order by tuple() settings default_compression_codec = 'ZSTD(1)'",
        f"insert into logs select json from file('{data.path}', JSONAsObject)"])


def table_bytes(engine, table):
    if engine.name == "duckdb":
        engine.run("checkpoint")
        return os.path.getsize(os.path.join(engine.folder, "store.duckdb"))
    engine.run(f"optimize table {table} final")
    return int(engine.run("select sum(bytes_on_disk) from system.parts where active and database = currentDatabase() "
                          f"and table = '{table}'", True)["rows"][0][0])


def load_spans(engine, data):
    if engine.name == "duckdb":
        return cpu_of(engine, [
            f"create table spans as select * from read_json('{data.rows}', format='newline_delimited', columns={{"
            "'trace_id': 'VARCHAR', 'span_id': 'VARCHAR', 'parent_id': 'VARCHAR', 'service': 'VARCHAR', "
            "'instance': 'VARCHAR', 'resource': 'MAP(VARCHAR, VARCHAR)', 'name': 'VARCHAR', 'kind': 'VARCHAR', "
            "'status': 'VARCHAR', 'status_message': 'VARCHAR', 'start_ns': 'BIGINT', 'end_ns': 'BIGINT', "
            "'duration_ns': 'BIGINT', 'attributes': 'MAP(VARCHAR, VARCHAR)', 'events': 'VARCHAR', 'links': 'VARCHAR'})",
            "checkpoint"])
    return cpu_of(engine, [
        # Order, map columns and the index over trace ids are those of OpenTelemetry's ClickHouse exporter.
        "create table spans (trace_id String codec(ZSTD(1)), span_id String codec(ZSTD(1)), parent_id String codec(ZSTD(1)), "
        "service LowCardinality(String), instance LowCardinality(String), "
        "resource Map(LowCardinality(String), String) codec(ZSTD(1)), name LowCardinality(String), "
        "kind LowCardinality(String), status LowCardinality(String), status_message String codec(ZSTD(1)), "
        "start_ns Int64 codec(Delta, ZSTD(1)), end_ns Int64 codec(Delta, ZSTD(1)), duration_ns Int64 codec(ZSTD(1)), "
        "attributes Map(LowCardinality(String), String) codec(ZSTD(1)), events String codec(ZSTD(1)), "
        "links String codec(ZSTD(1)), index by_trace trace_id type bloom_filter(0.001) granularity 1) "
        "engine = MergeTree order by (service, name, start_ns)",
        f"insert into spans select * from file('{data.rows}', JSONEachRow)"])


def load_samples(engine, data):
    samples, series = data.csv()
    if engine.name == "duckdb":
        return cpu_of(engine, [
            f"create table series as select * from read_json('{series}', format='newline_delimited')",
            f"create table samples as select * from read_csv('{samples}', header=false, columns="
            "{'series':'UINTEGER','time':'BIGINT','value':'DOUBLE'})", "checkpoint"])
    return cpu_of(engine, [
        "create table series (series UInt32, metric LowCardinality(String), service LowCardinality(String), "
        "pod LowCardinality(String), labels String codec(ZSTD(1))) engine = MergeTree order by (metric, series)",
        f"insert into series select * from file('{series}', JSONEachRow)",
        "create table samples (series UInt32 codec(Delta, ZSTD(1)), time Int64 codec(DoubleDelta, ZSTD(1)), "
        "value Float64 codec(Gorilla, ZSTD(1))) engine = MergeTree order by (series, time)",
        f"insert into samples select * from file('{samples}', CSV, 'series UInt32, time Int64, value Float64')"])
