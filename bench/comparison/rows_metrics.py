"""M rows: remote write, bytes per sample, range aggregates, very many series, recovery."""
import json
import os
import statistics
import struct
import subprocess
import time

from . import metric_data
from .answers import prom_difference, prom_points
from .processes import Profile, tree_bytes
from .table import Row, interleaved, profiled, server_cpu_ms


def served(store, seconds=6):
    """Waits until what the store does after the last request is done, as far as it does it by itself."""
    time.sleep(seconds)


def m1(context):
    for name in ("prometheus-self", "nezha-day", "generated"):
        data = context.metrics(name)
        bodies = data.bodies()
        row = Row("M1", name, "samples per server core-second, remote write", "1000/s", True,
                  (("victoria-metrics", 1.0), ("prometheus", 1 / 3)),
                  "CPU from the first request until 6 s after the last; Braid acknowledges after fdatasync, the peers "
                  "do not; Braid flushes at 8 MB so that the making of parts is in it")
        makers = {"braid": lambda: context.braid("--flush-mb", "8"),
                  "braid buffered": lambda: context.braid("--flush-mb", "8", durability="buffered"),
                  "victoria-metrics": context.victoria, "prometheus": context.prometheus}
        rates = {}
        for _ in range(context.ingest_repeats if name != "generated" else 1):
            for label, make in makers.items():
                store = make()
                if store is None:
                    continue
                store.start()
                before = store.server.cpu()
                with Profile(store.server.process.pid, context.work, context.profile and label == "braid") as profile:
                    store.remote_write(bodies)
                    served(store)
                row.profile = profile.parts or row.profile
                rates.setdefault(label, []).append(data.samples / (store.server.cpu() - before) / 1e3)
                context.drop(store)
        row.scores = {label: statistics.median(values) for label, values in rates.items()}
        context.table.add(row)


CLICKHOUSE_CODECS = [("DoubleDelta, ZSTD(1)", "Gorilla, ZSTD(1)"), ("DoubleDelta, ZSTD(1)", "ZSTD(1)"),
                     ("DoubleDelta, ZSTD(3)", "ZSTD(3)"), ("DoubleDelta, ZSTD(1)", "Gorilla"),
                     ("DoubleDelta, ZSTD(1)", "FPC(12), ZSTD(1)"), ("Delta, ZSTD(3)", "Delta, ZSTD(3)")]


def clickhouse_sample_bytes(context, data):
    samples, series = data.csv()
    best = None
    engine = context.sql("clickhouse")
    for number, (time_codec, value_codec) in enumerate(CLICKHOUSE_CODECS):
        table = f"samples{number}"
        try:
            engine.run(f"create table {table} (series UInt32 codec(Delta, ZSTD(1)), time Int64 codec({time_codec}), "
                       f"value Float64 codec({value_codec})) engine = MergeTree order by (series, time)")
            engine.run(f"insert into {table} select * from file('{samples}', CSV, "
                       "'series UInt32, time Int64, value Float64')")
            engine.run(f"optimize table {table} final")
        except RuntimeError as error:
            print(f"compare: {error}")
            continue
        size = int(engine.run("select sum(bytes_on_disk) from system.parts where active and database = "
                              f"currentDatabase() and table = '{table}'", True)["rows"][0][0])
        best = min(best or (size, value_codec), (size, value_codec))
    engine.run("create table series (series UInt32, metric LowCardinality(String), service LowCardinality(String), "
               "pod LowCardinality(String), labels String codec(ZSTD(1))) engine = MergeTree order by series")
    engine.run(f"insert into series select * from file('{series}', JSONEachRow)")
    index = int(engine.run("select sum(bytes_on_disk) from system.parts where active and table = 'series'", True)
                ["rows"][0][0])
    context.drop(engine)
    return best[0] + index, best[1]


def changed_values(context, store, data, api):
    """How many samples do not come back bit by bit: (changed, missing)."""
    changed = missing = 0
    wanted = {}
    for labels, (times, values) in zip(data.series, data.columns):
        wanted[tuple(sorted(labels.items()))] = dict(zip(times, values))
    found = {}
    if api == "export":
        _, answer = store.server.http.request("GET", "/api/v1/export?match[]={__name__!=%22%22}")
        for line in answer.splitlines():
            series = json.loads(line)
            values = [float("nan") if v is None else float(v) for v in series["values"]]
            key = tuple(sorted(series["metric"].items()))
            found.setdefault(key, {}).update(zip(series["timestamps"], values))
    else:
        start, end = data.range_s()
        for metric in sorted({labels["__name__"] for labels in data.series}):
            _, answer = store.prom(f"{metric}[{int(end - start) + 10}s]", time_s=end + 1)
            for key, points in prom_points(answer).items():
                found[key] = {round(t * 1000): v for t, v in points}
    for key, samples in wanted.items():
        back = found.get(key, {})
        for at, value in samples.items():
            if at not in back:
                missing += 1
            elif struct.pack("<d", back[at]) != struct.pack("<d", value) and (value == value or back[at] == back[at]):
                changed += 1
    return changed, missing


def m3(context):
    for name in ("prometheus-self", "nezha-day", "generated"):
        data = context.metrics(name)
        row = Row("M3", name, "stored bytes per sample with index, bit-exact", "B/sample", False,
                  (("clickhouse", 1.0),) if name != "nezha-day" else ())
        braid = context.braid()
        braid.import_files(data.text)
        row.scores["braid"] = braid.stored_bytes() / data.samples
        check = not context.quick and name != "generated"
        notes = []
        if check:
            braid.start()
            changed, missing = changed_values(context, braid, data, "prom")
            if changed or missing:
                raise RuntimeError(f"M3 {name}: braid changed {changed} samples and lost {missing}")
        context.drop(braid)
        victoria = context.victoria()
        if victoria:
            victoria.start()
            victoria.remote_write(data.bodies())
            victoria.settle()
            if check:
                changed, missing = changed_values(context, victoria, data, "export")
                notes.append(f"VictoriaMetrics changed {changed:,} and dropped {missing:,} of {data.samples:,} samples")
            victoria.stop()
            row.scores["victoria-metrics"] = victoria.stored_bytes() / data.samples
            context.drop(victoria)
        if context.peers.promtool:
            folder = context.folder("blocks")
            os.makedirs(folder)
            subprocess.run([context.peers.promtool, "tsdb", "create-blocks-from", "openmetrics", data.open_metrics(),
                            folder], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            row.scores["prometheus"] = tree_bytes(folder) / data.samples
        if context.peers.clickhouse:
            size, codec = clickhouse_sample_bytes(context, data)
            row.scores["clickhouse"] = size / data.samples
            notes.append(f"ClickHouse's best codec of the value: {codec}")
        if context.peers.duckdb:
            duck = context.sql("duckdb")
            samples, series = data.csv()
            duck.run(f"create table samples as select * from read_csv('{samples}', header=false, columns="
                     "{'series':'UINTEGER','time':'BIGINT','value':'DOUBLE'}) order by series, time")
            duck.run(f"create table series as select * from read_json('{series}', format='newline_delimited')")
            duck.run("checkpoint")
            row.scores["duckdb"] = os.path.getsize(os.path.join(duck.folder, "store.duckdb")) / data.samples
            context.drop(duck)
        row.scores["zstd -3"] = len(subprocess.run(["zstd", "-3", "-c", data.text], capture_output=True,
                                                   check=True).stdout) / data.samples
        row.note = "; ".join(notes)
        context.table.add(row)


def metric_servers(context, name):
    """The three with the data set in them, settled; loaded once."""
    def make():
        data = context.metrics(name)
        braid = context.braid()
        braid.import_files(data.text)
        stores = {"braid": braid}
        for label, store in (("victoria-metrics", context.victoria()), ("prometheus", context.prometheus())):
            if store:
                stores[label] = store
        for label, store in stores.items():
            store.start()
            if label != "braid":
                store.remote_write(data.bodies())
        if "victoria-metrics" in stores:
            stores["victoria-metrics"].settle()
        return stores
    return context.once(("servers", name), make)


def compare_prom(context, stores, row, query, tolerances=None, **when):
    """Checks the answers and times the query on all of them."""
    answers = {label: store.prom(query, **when)[1] for label, store in stores.items()}
    if not prom_points(answers["braid"]):
        raise RuntimeError(f"{row.row}: {query} finds nothing")
    notes = []
    for label in answers:
        if label == "braid":
            continue
        difference = prom_difference(answers["braid"], answers[label], (tolerances or {}).get(label, 1e-9))
        if difference and label == "prometheus":
            raise RuntimeError(f"{row.row}: {query}: braid and prometheus differ: {difference}")
        if difference:
            notes.append(f"{label}: {difference}")
    runs = {label: lambda store=store: store.prom(query, **when)[0] for label, store in stores.items()}
    row.scores = interleaved(runs, context.repeats)
    for label, run in runs.items():
        row.cpu[label] = server_cpu_ms(stores[label].server, run, row.scores[label])
    row.profile = profiled(context, stores["braid"].server, runs["braid"])
    row.note = "; ".join(notes)
    context.table.add(row)


VICTORIA = (("victoria-metrics", 1.0),)


def generated_range(context):
    """Start and end of the generated series' last part, in seconds; up to six hours."""
    start, end = context.metrics("generated").range_s()
    return start, end


def m6(context):
    stores = metric_servers(context, "generated")
    start, end = generated_range(context)
    compare_prom(context, stores, Row("M6", "generated", "sum(rate(x[5m])), 2,000 series, 6 h, step 60 s", "ms", False,
                                      VICTORIA), "sum(rate(http_requests_total[5m]))", start=start + 300, end=end, step=60)
    stores = metric_servers(context, "prometheus-self")
    start, end = context.metrics("prometheus-self").range_s()
    compare_prom(context, stores, Row("M6", "prometheus-self", "sum by (le)(rate(x_bucket[5m])), 11 days, step 5 min", "ms",
                                      False, VICTORIA),
                 "sum by (le) (rate(prometheus_tsdb_compaction_duration_seconds_bucket[5m]))", start=int(start) + 300,
                 end=int(end), step=300)


def m7(context):
    stores = metric_servers(context, "generated")
    start, end = generated_range(context)
    span = int(end - start)
    row = Row("M7", "generated", "max by (role)(max_over_time(all[whole range]))", "ms", False, VICTORIA)
    compare_prom(context, stores, row, f'max by (role) (max_over_time({{job="bench"}}[{span + 15}s]))', time_s=end)
    if span >= 7200:
        row = Row("M7", "generated", "the same with [1h], step 1 h", "ms", False, VICTORIA)
        compare_prom(context, stores, row, 'max by (role) (max_over_time({job="bench"}[1h]))', start=start + 3600,
                     end=end, step=3600)
    stores = metric_servers(context, "prometheus-self")
    start, end = context.metrics("prometheus-self").range_s()
    row = Row("M7", "prometheus-self", "count(last_over_time(all[1h])), 11 days, step 1 h", "ms", False, VICTORIA)
    compare_prom(context, stores, row, 'count(last_over_time({job="prometheus"}[1h]))', start=int(start) + 3600,
                 end=int(end), step=3600)


def m8(context):
    stores = metric_servers(context, "generated")
    start, end = generated_range(context)
    row = Row("M8", "generated", "sum by (instance)(rate(x[5m])), 200 groups, step 60 s", "ms", False, VICTORIA)
    compare_prom(context, stores, row, "sum by (instance) (rate(http_requests_total[5m]))", start=start + 300, end=end,
                 step=60)


def many_series(context):
    """Braid, VictoriaMetrics and Prometheus with very many series each, and what the load cost."""
    def make():
        series, steps = (20_000, 5) if context.quick else (500_000, 20)
        bodies = metric_data.many_series_bodies(context.inputs, series, steps)
        stores, rates = {}, {}
        for label, make_store in (("braid", context.braid), ("victoria-metrics", context.victoria),
                                  ("prometheus", context.prometheus)):
            store = make_store()
            if not store:
                continue
            store.start()
            before = store.server.cpu()
            store.remote_write(bodies)
            rates[label] = series * steps / (store.server.cpu() - before) / 1e3
            stores[label] = store
        time.sleep(6)
        return {"stores": stores, "rates": rates, "series": series, "steps": steps,
                "peaks": {label: store.server.peak_kb() for label, store in stores.items()}}
    return context.once("many series", make)


def m9(context):
    many = many_series(context)
    time_s = metric_data.START_MS / 1000 + 15 * many["steps"]
    row = Row("M9", f"{many['series']:,} series", "count(count_over_time(all[1h]))", "ms", False, VICTORIA)
    compare_prom(context, many["stores"], row, 'count(count_over_time({__name__="pod_requests_total"}[1h]))',
                 time_s=time_s)


def m10(context):
    many = many_series(context)
    row = Row("M10", f"{many['series']:,} series", "peak memory per active series", "KB", False, VICTORIA,
              f"{many['steps']} samples a series by remote write, 8 labels")
    row.scores = {label: peak / many["series"] for label, peak in many["peaks"].items()}
    context.table.add(row)
    row = Row("M2", f"{many['series']:,} series", "samples per core-second, new series", "1000/s", True)
    row.scores = dict(many["rates"])
    context.table.add(row)


def m11(context):
    many = many_series(context)
    row = Row("M11", f"{many['series']:,} series, {many['series'] * many['steps']:,} samples", "kill -9 to ready", "s",
              False, (("prometheus", 0.1),))
    time_s = metric_data.START_MS / 1000 + 15 * many["steps"]
    notes = []
    for label, store in many["stores"].items():
        store.server.kill()
        row.scores[label] = store.start()
        _, answer = store.prom('sum(count_over_time({__name__="pod_requests_total"}[1h]))', time_s=time_s)
        points = list(prom_points(answer).values())
        lost = many["series"] * many["steps"] - (points[0][0][1] if points else 0)
        notes.append(f"{label} lost {lost:,.0f}")
        if label == "braid" and lost:
            raise RuntimeError(f"M11: braid lost {lost} samples")
    notes.append("Braid flushes a head that was not written to for 75 s, as here before the kill")
    row.note = ", ".join(notes)
    context.table.add(row)


ROWS = {"M1": m1, "M3": m3, "M6": m6, "M7": m7, "M8": m8, "M9": m9, "M10": m10, "M11": m11}
