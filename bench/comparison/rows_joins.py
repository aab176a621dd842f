"""C rows: joins of the three signals, and the walkthrough."""
from .events import compare_sql
from .table import Row

ENGINES = ("duckdb", "clickhouse")
LEVEL = (("duckdb", 1.0), ("clickhouse", 1.0))
THIRD = (("duckdb", 1 / 3), ("clickhouse", 1 / 3))


def level_of(context, name):
    return f'lower("{context.logs(name).level}")'


def c1(context):
    for name in ("nezha-day", context.event_sets()[1]):
        sql = {e: "select service, count(*), sum(duration_ns) from spans where trace_id in (select trace_id from logs "
                  f"where {level_of(context, name)} = 'error') group by 1" for e in ENGINES}
        compare_sql(context, Row("C1", name, "error lines, their traces, spans by service", "ms", False, THIRD), name,
                    "let errs = logs{level = error};\n"
                    "spans | where trace_id in errs | stats n = count(), d = sum(duration) by (service)", sql)


def c2(context):
    for name in ("nezha-day", context.event_sets()[1]):
        sql = {e: "select s.service, count(*), sum(s.duration_ns) from logs l join spans s on l.trace_id = s.trace_id "
                  "and l.span_id = s.span_id group by 1" for e in ENGINES}
        compare_sql(context, Row("C2", name, "full join lines x spans by (trace id, span id)", "ms", False, LEVEL), name,
                    "logs | join spans as s on (trace_id, span_id) "
                    "| stats n = count(), d = sum(s.duration) by (service = s.service)", sql)


CPU = "container_cpu_usage_millicores"


def c3(context):
    name = "nezha-day"
    service = "ts-order-service"
    cpu = (f"select r.pod as pod, s.time * 1000000 as t, s.value as value from samples s join series r "
           f"on s.series = r.series where r.metric = '{CPU}'")
    sql = {
        "duckdb": f"with c as ({cpu}) select count(*), sum(c.value), max(c.value) from spans x asof join c on "
                  f"x.instance = c.pod and x.start_ns >= c.t where x.service = '{service}' and x.start_ns - c.t <= 120000000000",
        "clickhouse": f"with c as ({cpu}) select count(*), sum(c.value), max(c.value) from (select * from spans where "
                      f"service = '{service}') x asof join c on x.instance = c.pod and x.start_ns >= c.t "
                      "where x.start_ns - c.t <= 120000000000"}
    compare_sql(context, Row("C3", name, "as-of: one service's spans with its pod's CPU", "ms", False, THIRD), name,
                f'spans{{service = "{service}"}} | join samples{{metric = "{CPU}"}} as c on (instance = pod) asof 120s '
                "| stats n = count(), s = sum(c.value), m = max(c.value)", sql)
    sql = {
        "duckdb": "with l as (select *, epoch_ns(timestamp) as t from logs), x as (select service, start_ns, duration_ns from "
                  "spans where kind = 'server') select l.service, count(*), sum(x.duration_ns) from l asof join x on "
                  "l.service = x.service and l.t >= x.start_ns where l.t - x.start_ns <= 60000000000 group by 1",
        "clickhouse": "with l as (select service, toUnixTimestamp64Nano(timestamp) as t from logs), x as (select service, "
                      "start_ns, duration_ns from spans where kind = 'server') select l.service, count(*), "
                      "sum(if(l.t - x.start_ns <= 60000000000, 1, 0)) from l asof join x on l.service = x.service and "
                      "l.t >= x.start_ns where l.t - x.start_ns <= 60000000000 group by 1"}
    sql["duckdb"] = sql["duckdb"].replace("sum(x.duration_ns)", "sum(if(l.t - x.start_ns <= 60000000000, 1, 0))")
    compare_sql(context, Row("C3", name, "as-of: every line with the last server span of its service", "ms", False,
                             THIRD), name,
                "logs | join spans{kind = server} as x on (service) asof 60s | stats n = count(), m = count(x.duration) "
                "by (service)", sql)


HOT = 300


def c4(context):
    """Samples above a bound make intervals by service; error lines in them; their traces; spans by service."""
    name = "nezha-day"
    level = level_of(context, name)

    def intervals(over):
        return (
            f"hot as (select r.service as service, s.time as t from samples s join series r on s.series = r.series "
            f"where r.metric = '{CPU}' and s.value > {HOT}), "
            f"marked as (select service, t, case when t - lag(t, 1) over (partition by service order by t {over}) <= 60000 "
            "then 0 else 1 end as fresh from hot), "
            f"numbered as (select service, t, sum(fresh) over (partition by service order by t {over}) as island from marked), "
            "spells as (select service, (min(t) - 60000) * 1000000 as a, (max(t) + 60000) * 1000000 as b from numbered "
            "group by service, island)")
    time_of = {"duckdb": "epoch_ns(l.timestamp)", "clickhouse": "toUnixTimestamp64Nano(l.timestamp)"}
    lag = {"duckdb": "lag(t, 1)", "clickhouse": "lagInFrame(t, 1)"}
    frame = {"duckdb": "", "clickhouse": "rows between unbounded preceding and current row"}
    sql = {}
    for e in ENGINES:
        text = intervals(frame[e]).replace("lag(t, 1)", lag[e])
        sql[e] = (f"with {text}, errs as (select distinct l.trace_id as trace_id from logs l join spells w on "
                  f"l.service = w.service where {level} = 'error' and {time_of[e]} between w.a and w.b) "
                  "select service, count(*), sum(duration_ns) from spans where trace_id in (select trace_id from errs) "
                  "group by 1")
    compare_sql(context, Row("C4", name, "walkthrough: hot pods, intervals, error lines, traces, spans by service", "ms",
                             False, LEVEL, "intervals from the stored samples, not from a grid of steps"), name,
                f'let hot  = samples{{metric = "{CPU}"}} | where value > {HOT} | windows by (service) gap 1m pad -1m..1m;\n'
                "let errs = logs{level = error} | where (service, time) in hot;\n"
                "spans | where trace_id in errs | stats n = count(), d = sum(duration) by (service)", sql)


ROWS = {"C1": c1, "C2": c2, "C3": c3, "C4": c4}
