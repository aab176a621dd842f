// Queries by name, and the runner.
#include <algorithm>
#include <chrono>
#include <filesystem>

#include "bench/workloads/workload.h"
#include "braid/query.h"
#include "engine/base/status_macros.h"

namespace braid::bench {
namespace {

struct NamedQuery {
  const char* name;
  const char* what;
  const char* text;  // null: made from the data
};

// The metrics are those of the generator and of Nezha; a query of the other one finds nothing and says so.
constexpr NamedQuery kQueries[] = {
    {"range-aggregate", "sum(rate(...)) of every request counter", nullptr},
    {"group-by", "the same by service", nullptr},
    {"needle", "lines with one rare word (--needle)", nullptr},
    {"regex", "lines with a pattern without a usable word",
     R"(logs |~ "[0-9]{2}7[0-9]? ?ms|[a-f0-9]{3}7" | stats n = count())"},
    {"count-by", "lines by service and level", "logs | stats n = count() by (service, level)"},
    {"find-trace", "all spans of one trace", nullptr},
    {"attr-search", "failed spans above 5 ms",
     "spans{status = error, duration > 5ms} | keep trace_id, span_id, duration"},
    {"join-filtered", "error lines, their traces, spans by service",
     "let errs = logs{level = error}; spans | where trace_id in errs | stats n = count(), d = sum(duration) by "
     "(service)"},
    {"join-full", "lines x spans by trace and span id",
     "logs | join spans as s on (trace_id, span_id) | stats n = count(), d = sum(s.duration) by (service = s.service)"},
    {"asof", "each line with the last server span of its service",
     "logs | join spans{kind = server} as x on (service) asof 60s | stats n = count() by (service)"},
    {"walkthrough", "spike, error lines in it, their traces, slow spans", nullptr},
};

constexpr char kShopWalkthrough[] = R"(
let p99   = histogram_quantile(0.99, sum by (service, le) (rate(http_request_duration_seconds_bucket[2m])));
let spike = p99 > 500ms | windows by (service) gap 1m pad -2m..0s;
let errs  = logs{level >= error} | where (service, time) in spike;
spans{status = error or self_time > 500ms} | where trace_id in errs
  | stats n = count(), self = sum(self_time) by (service, name) | top 5 by self)";
constexpr char kPodWalkthrough[] = R"(
let hot   = samples{metric = "container_cpu_usage_millicores"} | top 3 by value | windows by (service) gap 1m pad -1m..1m;
let lines = logs{level != info} | where time in hot;
spans | where trace_id in lines and (service, time) in hot
  | stats n = count(), self = sum(self_time) by (service, name) | top 3 by self)";

bool HasMetric(const Snapshot& snapshot, const std::string& metric) {
  SeriesSpec spec;
  spec.matchers.push_back({Matcher::Op::kEqual, std::string(kMetricNameLabel), metric});
  spec.time = snapshot.SampleRange();
  spec.labels_only = true;
  auto scan = snapshot.OpenSeriesScan(spec);
  SeriesData data;
  return scan.ok() && (*scan)->Next(&data).value_or(false);
}

TimeRange ExtentOf(const Snapshot& snapshot) {
  TimeRange extent = snapshot.SampleRange();
  for (int table = 0; table < kTableCount; ++table) {
    const TimeRange range = snapshot.Range(static_cast<Table>(table));
    if (range.empty()) continue;
    extent = extent.empty() ? range : TimeRange{std::min(extent.start, range.start), std::max(extent.end, range.end)};
  }
  return extent;
}

}  // namespace

const std::vector<Workload>& Workloads() {
  static const std::vector<Workload> workloads = [] {
    std::vector<Workload> all = {{"fill-metrics", "write the samples, until they lie in parts"},
                                 {"fill-logs", "write the log lines"},
                                 {"fill-traces", "write the spans"},
                                 {"fill-mixed", "write all three in turn"},
                                 {"flush", "a full head becomes a part"},
                                 {"open", "open a flushed store"},
                                 {"replay", "open a store whose records are all in the WAL"},
                                 {"scan", "decode everything"}};
    for (const NamedQuery& query : kQueries) all.push_back({query.name, query.what});
    return all;
  }();
  return workloads;
}

WorkloadRun::WorkloadRun(const WorkloadSettings& settings, const Telemetry& telemetry)
    : settings_(settings), telemetry_(telemetry) {
  std::filesystem::create_directories(settings_.folder);
}

WorkloadRun::~WorkloadRun() {
  filled_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(settings_.folder, ignored);
}

// The trace of a span somewhere in the middle of the store.
absl::StatusOr<std::string> WorkloadRun::SomeTrace() {
  ASSIGN_OR_RETURN(DB * db, Filled());
  const auto snapshot = db->GetSnapshot();
  ScanSpec spec;
  spec.table = Table::kSpans;
  spec.columns = {{ColumnLevel::kBuiltin, "trace_id"}};
  spec.time = snapshot->Range(Table::kSpans);
  ASSIGN_OR_RETURN(const std::unique_ptr<Scan> scan, snapshot->OpenScan(spec));
  std::vector<TraceId> ids;
  for (RecordBatch batch;;) {
    ASSIGN_OR_RETURN(const bool more, scan->Next(&batch));
    if (!more) break;
    if (batch.num_rows > 0) ids.push_back(batch.columns[0].trace_ids[batch.num_rows / 2]);
  }
  if (ids.empty()) return absl::NotFoundError("no spans");
  return ToHex(ids[ids.size() / 2]);
}

absl::StatusOr<std::string> WorkloadRun::QueryText(const std::string& name) {
  for (const NamedQuery& query : kQueries) {
    if (query.name == name && query.text != nullptr) return std::string(query.text);
  }
  ASSIGN_OR_RETURN(DB * db, Filled());
  const bool shop = HasMetric(*db->GetSnapshot(), "http_requests_total");
  const std::string counters = shop ? "rate(http_requests_total[5m])" : "rate({__name__!=\"\"}[5m])";
  if (name == "range-aggregate") return "sum(" + counters + ")";
  if (name == "group-by") return "sum by (service) (" + counters + ")";
  if (name == "needle") return "logs |= \"" + settings_.needle + "\" | keep time, service, message";
  if (name == "find-trace") {
    ASSIGN_OR_RETURN(const std::string trace, SomeTrace());
    return "spans{trace_id = \"" + trace + "\"}";
  }
  return std::string(shop ? kShopWalkthrough : kPodWalkthrough);
}

absl::StatusOr<Measurement> WorkloadRun::Ask(const std::string& name) {
  ASSIGN_OR_RETURN(DB * db, Filled());
  ASSIGN_OR_RETURN(const std::string text, QueryText(name));
  ASSIGN_OR_RETURN(const Query query, Query::Parse(text));
  const std::shared_ptr<const Snapshot> snapshot = db->GetSnapshot();
  const TimeRange extent = ExtentOf(*snapshot);
  QueryOptions options;
  options.start = extent.start;
  options.end = options.now = extent.end;
  options.step = std::max<Duration>(15 * kSecond, (extent.end - extent.start) / 2000 / kSecond * kSecond);
  options.threads = settings_.threads;
  Measurement m;
  m.unit = "queries";
  for (int i = -1; i < settings_.repeats; ++i) {  // the first one warms
    const Stopwatch watch;
    ASSIGN_OR_RETURN(const std::unique_ptr<ResultReader> result, query.Execute(snapshot, options));
    uint64_t rows = 0;
    for (RecordBatch batch;;) {
      ASSIGN_OR_RETURN(const bool more, result->Next(&batch));
      if (!more) break;
      rows += batch.num_rows;
    }
    const double took = watch.WallSeconds();
    if (i < 0) {
      m.rows = rows;
      if (rows == 0) return absl::NotFoundError(name + " finds nothing in this data");
      continue;
    }
    if (rows != m.rows) return absl::InternalError(name + ": the same query on the same data gave other rows");
    m.cpu_seconds += watch.CpuSeconds();
    m.wall_seconds += took;
    m.latencies_ms.push_back(took * 1e3);
    for (const StageReport& stage : result->summary().stages) m.bytes += stage.bytes;
  }
  m.count = settings_.repeats;
  m.note = std::to_string(m.rows) + " rows";
  return m;
}

absl::StatusOr<Measurement> WorkloadRun::Run(const std::string& name) {
  absl::StatusOr<Measurement> m = name.rfind("fill-", 0) == 0 ? Fill(name)
                                  : name == "flush"           ? FlushFilled()
                                  : name == "open"            ? OpenStore(false)
                                  : name == "replay"          ? OpenStore(true)
                                  : name == "scan"            ? ScanAll()
                                                              : Ask(name);
  if (m.ok()) m->workload = name;
  return m;
}

}  // namespace braid::bench
