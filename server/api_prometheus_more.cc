// The rest of Prometheus' HTTP API that clients ask for: exemplars, formatting, and what a server says about itself.
// Braid evaluates no rules and has no configuration file, so rules, alerts and the like are valid and empty.
#include <map>
#include <set>

#include "engine/base/status_macros.h"
#include "query/plan/result_writer.h"
#include "query/syntax/literals.h"
#include "query/syntax/parser.h"
#include "server/app.h"
#include "server/ingest/json_text.h"
#include "server/prometheus_call.h"
#include "server/prometheus_json.h"
#include "server/request_time.h"
#include "server/status_code.h"

namespace braid::server {
namespace {

constexpr size_t kExemplarsMax = 10'000;

// Seconds or RFC 3339 as everywhere; milliseconds too, which Grafana sends here.
absl::StatusOr<Timestamp> ExemplarTime(const Params& params, std::string_view name, Timestamp otherwise) {
  const std::string* text = Find(params, name);
  if (text == nullptr || text->empty()) return otherwise;
  const auto time = ParsePrometheusTime(*text);
  if (time.ok()) return *time;
  if (text->size() < 17 && text->find_first_not_of("0123456789") == std::string::npos) {
    return std::stoll(*text) * kMillisecond;
  }
  return BadParameter(name, MessageOf(time.status()));
}

void CollectSelectors(const Expr& expr, std::vector<const VectorSelector*>* selectors) {
  if (const auto* selector = std::get_if<Selector>(&expr.node)) selectors->push_back(&selector->selector);
  if (const auto* paren = std::get_if<ParenExpr>(&expr.node)) CollectSelectors(*paren->inner, selectors);
  if (const auto* unary = std::get_if<UnaryExpr>(&expr.node)) CollectSelectors(*unary->operand, selectors);
  if (const auto* subquery = std::get_if<SubqueryExpr>(&expr.node)) CollectSelectors(*subquery->inner, selectors);
  if (const auto* aggregation = std::get_if<AggregationExpr>(&expr.node)) {
    CollectSelectors(*aggregation->inner, selectors);
  }
  if (const auto* binary = std::get_if<BinaryExpr>(&expr.node)) {
    CollectSelectors(*binary->left, selectors);
    CollectSelectors(*binary->right, selectors);
  }
  if (const auto* call = std::get_if<CallExpr>(&expr.node)) {
    for (const Item& item : call->args) CollectSelectors(*item.expr, selectors);
  }
}

// exemplars{metric = "x", attr."le" = "1"}
std::string ExemplarQuery(const VectorSelector& selector) {
  std::string text = "exemplars{";
  for (const LabelMatcher& m : selector.matchers) {
    constexpr std::string_view kOps[] = {" = ", " != ", " =~ ", " !~ "};
    if (text.back() != '{') text += ", ";
    text += m.matcher.name == kMetricNameLabel ? "metric" : "attr." + PrintString(m.matcher.name);
    text += std::string(kOps[static_cast<int>(m.matcher.op)]) + PrintString(m.matcher.value);
  }
  return text + "}";
}

class Exemplars {
 public:
  Exemplars(App* app, const http::Request& request)
      : snapshot_(app->db->GetSnapshot()), cancel_(request.cancelled), limits_(app->limits), now_(app->now()) {}

  absl::Status Add(const VectorSelector& selector, TimeRange range) {
    // The names that series have: what else a row carries is the exemplar's own.
    std::set<std::string> series_labels;
    SeriesSpec spec;
    spec.time = range;
    spec.labels_only = true;
    for (const LabelMatcher& m : selector.matchers) spec.matchers.push_back(m.matcher);
    ASSIGN_OR_RETURN(const std::unique_ptr<SeriesScan> scan, snapshot_->OpenSeriesScan(spec));
    SeriesData series;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, scan->Next(&series));
      if (!more) break;
      for (const Label& label : series.labels) series_labels.insert(label.name);
    }
    QueryOptions options;
    options.start = range.start;
    options.end = range.end;
    options.step = kSecond;
    options.now = now_;
    options.limits = limits_;
    options.limits.rows_max = kExemplarsMax;
    options.cancel = cancel_;
    if (range.start > range.end) return absl::OkStatus();
    // A range of centuries has more steps than a grid may; tables have no grid.
    options.step = std::max<Duration>(kSecond, (range.end / 1000) - (range.start / 1000));
    ASSIGN_OR_RETURN(const braid::Query query, braid::Query::Parse(ExemplarQuery(selector)));
    ASSIGN_OR_RETURN(const std::unique_ptr<ResultReader> reader, query.Execute(snapshot_, options));
    RecordBatch batch;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, reader->Next(&batch));
      if (!more) return absl::OkStatus();
      for (size_t row = 0; row < batch.num_rows; ++row) AddRow(reader->columns(), batch, row, series_labels);
    }
  }

  std::string Json() const {
    std::string json = "[";
    for (const auto& [labels, exemplars] : by_series_) {
      if (json.size() > 1) json += ",";
      json += "{\"seriesLabels\":{" + labels + "},\"exemplars\":[" + exemplars + "]}";
    }
    return json + "]";
  }

 private:
  void AddRow(const std::vector<ResultColumn>& columns, const RecordBatch& batch, size_t row,
              const std::set<std::string>& series_labels) {
    std::string series, own, value;
    Timestamp time = 0;
    for (size_t c = 0; c < columns.size(); ++c) {
      const Column& column = batch.columns[c];
      if (column.IsNull(row)) continue;
      const std::string& name = columns[c].name;
      if (name == "time") {
        time = column.ints[row];
        continue;
      }
      const std::string text = PlainValue(column, row);
      if (name == "value") {
        value = text;
        continue;
      }
      const bool of_series = name == "metric" || series_labels.count(name) > 0;
      std::string* to = of_series ? &series : &own;
      if (!to->empty()) *to += ",";
      ingest::AppendJsonString(name == "metric" ? std::string(kMetricNameLabel) : name, to);
      *to += ":";
      ingest::AppendJsonString(text, to);
    }
    std::string& list = by_series_[series];
    if (!list.empty()) list += ",";
    list += "{\"labels\":{" + own + "},\"value\":";
    ingest::AppendJsonString(value, &list);
    list += ",\"timestamp\":";
    AppendPrometheusTime(time, &list);
    list += "}";
  }

  const std::shared_ptr<const Snapshot> snapshot_;
  const std::shared_ptr<const std::atomic<bool>> cancel_;
  const QueryLimits limits_;
  const Timestamp now_;
  std::map<std::string, std::string> by_series_;
};

absl::StatusOr<std::string> QueryExemplars(App* app, const http::Request& request) {
  ASSIGN_OR_RETURN(const Params params, ParamsOf(request));
  ASSIGN_OR_RETURN(const Timestamp start, ExemplarTime(params, "start", kMinTimestamp));
  ASSIGN_OR_RETURN(const Timestamp end, ExemplarTime(params, "end", kMaxTimestamp));
  if (end < start) return BadParameter("end", "end timestamp must not be before start timestamp");
  const std::string* text = Find(params, "query");
  ASSIGN_OR_RETURN(const ExprPtr expr, ParseParameter(text == nullptr ? "" : *text));
  std::vector<const VectorSelector*> selectors;
  CollectSelectors(*expr, &selectors);
  Exemplars exemplars(app, request);
  for (const VectorSelector* selector : selectors) {
    RETURN_IF_ERROR(exemplars.Add(*selector, {start, end}));
  }
  return SuccessJson(exemplars.Json(), {});
}

absl::StatusOr<std::string> FormatQuery(const http::Request& request) {
  ASSIGN_OR_RETURN(const Params params, ParamsOf(request));
  const std::string* text = Find(params, "query");
  ASSIGN_OR_RETURN(const ExprPtr expr, ParseParameter(text == nullptr ? "" : *text));
  std::string data;
  ingest::AppendJsonString(Print(*expr), &data);
  return SuccessJson(data, {});
}

std::string RuntimeInfo(Timestamp started) {
  const std::string at = "\"" + PrintTimestamp(started) + "\"";
  return "{\"startTime\":" + at + ",\"CWD\":\"\",\"reloadConfigSuccess\":true,\"lastConfigTime\":" + at +
         ",\"corruptionCount\":0,\"goroutineCount\":0,\"GOMAXPROCS\":0,\"GOMEMLIMIT\":0,\"GOGC\":\"\",\"GODEBUG\":\"\","
         "\"storageRetention\":\"\"}";
}

}  // namespace

void AddMorePrometheusRoutes(App* app, Router* router) {
  router->Add("GET POST", "/api/v1/query_exemplars", http::Lane::kSlow, "exemplars of the series in an expression",
              [app](const http::Request& request, const std::string&) {
                const auto json = QueryExemplars(app, request);
                return json.ok() ? JsonResponse(200, *json) : PrometheusError(json.status());
              });
  router->Add("GET POST", "/api/v1/format_query", http::Lane::kFast, "an expression in canonical form",
              [](const http::Request& request, const std::string&) {
                const auto json = FormatQuery(request);
                return json.ok() ? JsonResponse(200, *json) : PrometheusError(json.status());
              });
  const auto fixed = [&](const char* path, std::string data, const char* hint) {
    router->Add(
        "GET", path, http::Lane::kFast, hint,
        [json = SuccessJson(data, {})](const http::Request&, const std::string&) { return JsonResponse(200, json); });
  };
  fixed("/api/v1/rules", "{\"groups\":[]}", "none: Braid evaluates no rules");
  fixed("/api/v1/alerts", "{\"alerts\":[]}", "none");
  fixed("/api/v1/alertmanagers", "{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}", "none");
  fixed("/api/v1/notifications", "[]", "none");
  fixed("/api/v1/status/flags", "{}", "none");
  fixed("/api/v1/status/config", "{\"yaml\":\"\"}", "none");
  fixed("/api/v1/status/walreplay", "{\"min\":0,\"max\":0,\"current\":0}", "done when the server listens");
  fixed("/api/v1/status/runtimeinfo", RuntimeInfo(app->now()), "since when the server runs");
  router->Add("GET", "/api/v1/status/tsdb", http::Lane::kSlow, "how many series there are",
              [app](const http::Request&, const std::string&) {
                const auto snapshot = app->db->GetSnapshot();
                const TimeRange range = snapshot->SampleRange();
                std::string data = "{\"headStats\":{\"numSeries\":" + std::to_string(app->db->Stats().series) +
                                   ",\"numLabelPairs\":0,\"chunkCount\":0,\"minTime\":" +
                                   std::to_string(range.empty() ? 0 : range.start / kMillisecond) +
                                   ",\"maxTime\":" + std::to_string(range.empty() ? 0 : range.end / kMillisecond) +
                                   "},\"seriesCountByMetricName\":[],\"labelValueCountByLabelName\":[],"
                                   "\"memoryInBytesByLabelName\":[],\"seriesCountByLabelValuePair\":[]}";
                return JsonResponse(200, SuccessJson(data, {}));
              });
}

}  // namespace braid::server
