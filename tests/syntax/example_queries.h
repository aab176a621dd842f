// The example queries of the language, by number.
#pragma once

#include <string_view>

namespace braid {

struct ExampleQuery {
  std::string_view name;
  std::string_view text;
};

inline constexpr ExampleQuery kExampleQueries[] = {
    {"Q1",
     R"q(let p99   = histogram_quantile(0.99, sum by (service, le) (rate(http_request_duration_seconds_bucket[2m])));
let spike = p99 > 500ms | windows by (service) gap 1m pad -2m..0s;
let errs  = logs{level >= error} | where (service, time) in spike;
spans{status = error or self_time > 500ms}
  | where trace_id in errs
  | stats n = count(), self = sum(self_time), why = any(status_message), trace = any(trace_id) by (service, name)
  | top 5 by self)q"},
    {"Q2", R"q(exemplars{metric = "http_request_duration_seconds_bucket", service = "checkout"}
  | where value > 1
  | top 3 by value
  | join logs{level >= warn} as l on (trace_id)
  | keep value, trace_id, l.time, l.service, l.message
  | sort l.time)q"},
    {"Q3", R"q(spans{trace_id = $trace} | keep time, what = "span", service, text = name, duration, span_id
  | union (logs{trace_id = $trace}   | keep time, what = "log",   service, text = message, span_id)
  | union (events{trace_id = $trace} | keep time, what = "event", service, text = name, span_id)
  | sort time)q"},
    {"Q4", R"q((logs{level >= error} | stats rate() by (service) [5m])
  / on (service) sum by (service) (rate(http_requests_total[5m])) * 100)q"},
    {"Q5", R"q(let deploys = logs{service = "payment", event.name = "deploy"};
logs{service = "payment", level >= warn}
  | extend pat = pattern(message), fresh = time in (deploys | windows pad 0s..1h)
  | stats before = count_if(not fresh), after = count_if(fresh), sample = any(message) by (pat)
  | where before = 0
  | top 10 by after)q"},
    {"Q6", R"q(spans{status = error, kind = server}
  | where (trace_id, service) not in (logs{level >= error})
  | stats n = count(), trace = any(trace_id) by (service, name)
  | top 10 by n)q"},
    {"Q7", R"q(spans{service = "frontend", name = "POST /order"}
  | where trace_id not in (spans{name = "persist-order"})
  | join left logs{level >= warn} as l on (trace_id)
  | keep time, trace_id, l.time, l.service, l.message
  | sort time, l.time desc
  | dedup (trace_id))q"},
    {"Q8", R"q(let slow = spans{service = "frontend", kind = server, duration > 1s};
spans{critical}
  | where trace_id in slow
  | stats self = sum(self_time), calls = count() by (service, name)
  | top 5 by self)q"},
    {"Q9", R"q(spans{service = "payment", kind = server} | compare duration > 1s or status = error top 10)q"},
    {"Q10", R"q(spans{service = "payment", kind = server, duration > 500ms}
  | join (db_pool_in_use / db_pool_size) as pool on (service, instance) asof 30s
  | join (rate(process_cpu_seconds_total[1m])) as cpu on (service, instance) asof 1m
  | keep time, trace_id, duration, instance, pool = pool.value, cpu = cpu.value
  | top 5 by duration)q"},
    {"Q11",
     R"q(let bad   = sum by (service) (rate(http_requests_total{code =~ "5.."}[1m])) / sum by (service) (rate(http_requests_total[1m]));
let spike = bad > 0.05 | windows by (service) gap 2m;
spike
  | join (logs |~ "OOMKilled|deployed|config reload|certificate") as l on () within -10m..0s
  | keep service, start, lag = start - l.time, l.service, l.message
  | sort lag)q"},
    {"Q12", R"q(logs{service = "frontend"}
  | where trace_id in (spans{status = error, service = "payment"})
  | stats lines = count(), traces = distinct(trace_id) by (tenant = attr.tenant_id)
  | top 20 by traces)q"},
    {"Q13",
     R"q(logs{level >= error} |= "panic" | context -3..10 | keep time, service, instance, level, message, trace_id)q"},
    {"Q14", R"q(let seen   = spans{kind = server} | stats rate() by (service) [5m];
let served = sum by (service) (rate(http_requests_total[5m]));
seen / on (service) served | where value < 0.9 or value > 1.1)q"},
    {"Q15", R"q(let bad = spans{service = "frontend", kind = server} | where status = error or duration > 300ms;
bad
  | stats n = count(), worst = max(duration), trace = arg_max(trace_id, duration) by (route = http.route)
  | extend share = n / scalar(bad | stats count())
  | join left logs{level >= error} as l on (trace = trace_id)
  | dedup (route)
  | top 5 by n)q"},
    {"Q16", R"q(spans{kind = client}
  | stats calls = count() by (trace_id, service, peer = peer.service, name)
  | where calls > 3
  | join left (logs |~ "(?i)rate limit|too many requests|lock wait") as l on (trace_id)
  | stats traces = distinct(trace_id), most = max(calls), limited = count(l.message) by (service, peer)
  | top 10 by traces)q"},
    {"Q17",
     R"q(let p99 = histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{service = "checkout"}[2m])));
{service =~ "checkout|payment|postgres", __name__ !~ ".*_(bucket|total)"}
  | join p99 as p on (time)
  | stats r = corr(value, p.value) by (metric, service, instance)
  | top 10 by abs(r))q"},
    {"Q18", R"q(logs |= "connection reset"
  | join (logs |= "circuit opened") as c on (service, instance) within 0s..30s
  | join spans{status = error} as s on (service) within -5s..30s
  | keep time, service, instance, gap = c.time - time, s.trace_id, s.name
  | dedup (s.trace_id))q"},
    {"Q19",
     R"q(let cur = spans{kind = server}           | stats p95 = quantile(0.95, duration) by (service, route = http.route);
let old = spans{kind = server} offset 7d | stats p95 = quantile(0.95, duration) by (service, route = http.route);
cur
  | join old as o on (service, route)
  | extend ratio = p95 / o.p95
  | where ratio > 1.5
  | join left (logs{level >= error} | stats errors = count() by (service)) as e on (service)
  | top 10 by ratio)q"},
    {"Q20", R"q(spans{kind = consumer}
  | join links as l on (trace_id, span_id)
  | join spans{kind = producer} as p on (l.linked_trace_id = trace_id, l.linked_span_id = span_id)
  | extend topic = messaging.destination.name, lag = time - p.end
  | join (max by (topic) (kafka_consumer_lag)) as k on (topic) asof 1m
  | stats p99 = quantile(0.99, lag), backlog = max(k.value), n = count() by (topic))q"},
    {"E21", R"q(spans{db.system != "", duration > 200ms} | keep time, trace_id, service, text = name
  | union (logs{level >= error} | keep time, trace_id, service, text = message)
  | where trace_id in (spans{test.name != ""})
  | sort time)q"},
    {"E22", R"q(spans{service = "frontend"} >> {service = "payment"} avoiding {service = "gateway"}
  | stats n = count(), trace = any(trace_id) by (service, name))q"},
    {"E23",
     R"q(logs{trace_id != null} | where trace_id not in (spans) | stats n = count(), sample = any(message) by (service) | top 10 by n)q"},
    {"E24",
     R"q(histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{service="checkout"}[5m]))) unless on () (maintenance_mode == 1))q"},
    {"E25",
     R"q(logs{service = "nginx"} |= "GET" != "/healthz" | pattern "<ip> - - [<_>] \"<method> <path> <_>\" <status> <bytes>" | stats rate() by (status) [1m])q"},
    {"E26", R"q(over -1h..now step 30s;
let base = spans{kind = server} | stats p99 = quantile(0.99, duration) by (service, name);
spans{kind = server}
  | join base as b on (service, name)
  | where duration > 2 * b.p99
  | limit 20)q"},
    {"E27", R"q(explain spans{status = error} | where trace_id in (logs{level >= error} |= "timeout"))q"},
    {"E28",
     R"q(let spike = histogram_quantile(0.99, sum by (service, le) (rate(http_request_duration_seconds_bucket[2m]))) > 500ms
  | windows by (service) gap 1m pad -2m..0s;
logs{level >= error}
  | join spike as s on (service, time)
  | stats n = count(), peak = max(s.peak), began = min(s.start) by (service, pat = pattern(message))
  | top 10 by n)q"},
};

}  // namespace braid
