// The part of Prometheus' HTTP API that Grafana and promtool use: queries, labels, series, metadata, build information.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <set>

#include "engine/base/status_macros.h"
#include "query/syntax/parser.h"
#include "server/app.h"
#include "server/ingest/json_text.h"
#include "server/prometheus_call.h"
#include "server/prometheus_json.h"
#include "server/request_time.h"
#include "server/status_code.h"

namespace braid::server {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;   // of an answer that is larger
constexpr size_t kPointsMax = 11'000;             // of one series, as in Prometheus
constexpr Duration kSubqueryStep = 60 * kSecond;  // of `[5m:]`: there it is the evaluation interval of rules

absl::StatusOr<size_t> LimitOf(const Params& params) {
  const std::string* text = Find(params, "limit");
  if (text == nullptr || text->empty()) return SIZE_MAX;
  size_t limit = 0;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (read.ec != std::errc() || read.ptr != text->data() + text->size()) {
    return absl::InvalidArgumentError("limit is not a number");
  }
  return limit == 0 ? SIZE_MAX : limit;
}

absl::StatusOr<TimeRange> RangeOf(const Params& params) {
  TimeRange range;
  if (const std::string* start = Find(params, "start"); start != nullptr && !start->empty()) {
    ASSIGN_OR_RETURN(range.start, ParsePrometheusTime(*start));
  }
  if (const std::string* end = Find(params, "end"); end != nullptr && !end->empty()) {
    ASSIGN_OR_RETURN(range.end, ParsePrometheusTime(*end));
  }
  return range;
}

class Call {
 public:
  Call(App* app, const http::Request& request, Params params)
      : app_(app),
        params_(std::move(params)),
        cancel_(request.cancelled),
        snapshot_(app->db->GetSnapshot()),
        may_stream_(!request.http2) {}

  absl::StatusOr<http::Response> Query(bool range) {
    std::vector<Timestamp> times;
    VectorContext context;
    if (range) {
      ASSIGN_OR_RETURN(const Timestamp start, Required("start"));
      ASSIGN_OR_RETURN(const Timestamp end, Required("end"));
      const std::string* step_text = Find(params_, "step");
      if (end < start) return BadParameter("end", "end timestamp must not be before start time");
      ASSIGN_OR_RETURN(const Duration step, StepOf(step_text == nullptr ? "" : *step_text));
      const uint64_t steps = (static_cast<uint64_t>(end) - static_cast<uint64_t>(start)) / static_cast<uint64_t>(step);
      if (steps > kPointsMax) {
        return absl::InvalidArgumentError(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution "
            "(?step=XX)");
      }
      for (uint64_t i = 0; i <= steps; ++i) times.push_back(start + static_cast<int64_t>(i) * step);
      context.step = step;
      context.end = end;  // of `@ end()`, even if no step falls on it
    } else {
      times.push_back(app_->now());
      if (Find(params_, "time") != nullptr) {
        ASSIGN_OR_RETURN(times[0], Required("time"));
      }
      context.step = kSubqueryStep;
    }
    context.subquery_step = kSubqueryStep;
    context.limits = app_->limits;
    if (const std::string* timeout = Find(params_, "timeout"); timeout != nullptr && !timeout->empty()) {
      const auto wanted = ParseRequestDuration(*timeout);
      if (!wanted.ok()) return BadParameter("timeout", "cannot parse \"" + *timeout + "\" to a valid duration");
      context.limits.time_max = std::min(context.limits.time_max, *wanted);
    }
    if (const std::string* lookback = Find(params_, "lookback_delta"); lookback != nullptr && !lookback->empty()) {
      const auto wanted = ParseRequestDuration(*lookback);
      if (!wanted.ok()) {
        return absl::InvalidArgumentError("error parsing lookback delta duration: cannot parse \"" + *lookback +
                                          "\" to a valid duration");
      }
      context.lookback = *wanted;
    }
    ASSIGN_OR_RETURN(const size_t limit, LimitOf(params_));
    const std::string* text = Find(params_, "query");
    ASSIGN_OR_RETURN(const ExprPtr expr, ParseParameter(text == nullptr ? "" : *text));
    std::vector<Note> notes = app_->missing;
    ScanStats stats;
    const auto begin = std::chrono::steady_clock::now();
    context.stats = &stats;
    context.snapshot = snapshot_;
    context.start = times.front();
    if (!range) context.end = times.back();
    context.cancel = cancel_;
    context.deadline_monotonic = std::chrono::steady_clock::now().time_since_epoch().count() + context.limits.time_max;
    context.notes = &notes;
    context.memory = std::make_shared<MemoryBudget>();
    ASSIGN_OR_RETURN(VectorResult result, EvaluateVector(*expr, times, context));
    if (range && (result.type == VectorType::kMatrix || result.type == VectorType::kString)) {
      return absl::InvalidArgumentError(std::string("invalid parameter \"query\": invalid expression type \"") +
                                        (result.type == VectorType::kMatrix ? "range vector" : "string") +
                                        "\" for range query, must be Scalar or instant Vector");
    }
    if (result.series.size() > limit) {
      result.series.resize(limit);
      notes.push_back({"warning", "results truncated due to limit"});
    }
    std::string end;
    if (const std::string* wanted = Find(params_, "stats"); wanted != nullptr && !wanted->empty()) {
      const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      const std::string seconds = std::to_string(took), samples = std::to_string(stats.rows_returned);
      end += ",\"stats\":{\"timings\":{\"evalTotalTime\":" + seconds +
             ",\"resultSortTime\":0,\"queryPreparationTime\":0,\"innerEvalTime\":" + seconds +
             ",\"execQueueTime\":0,\"execTotalTime\":" + seconds +
             "},\"samples\":{\"totalQueryableSamples\":" + samples + ",\"peakSamples\":" + samples + "}}";
    }
    end += "}" + EndOfSuccessJson(notes);
    return Body(std::make_shared<VectorResultWriter>(std::move(result), times, range), std::move(end), may_stream_);
  }

  // Calls `take` with the labels of every series that one of match[] selects; all series without match[].
  absl::Status EachSeries(bool match_required, const std::function<void(const Labels&)>& take) {
    ASSIGN_OR_RETURN(const TimeRange range, RangeOf(params_));
    std::vector<std::vector<Matcher>> selectors;
    for (const auto& [name, value] : params_) {
      if (name != "match[]") continue;
      const absl::StatusOr<ExprPtr> parsed = ParseVectorExpression(value);
      if (!parsed.ok()) return ParseError(parsed.status(), value);
      const ExprPtr& expr = *parsed;
      const Selector* selector = std::get_if<Selector>(&expr->node);
      if (selector == nullptr || selector->range) {
        return absl::InvalidArgumentError("invalid parameter \"match[]\": " + value + " is not a series selector");
      }
      std::vector<Matcher>& matchers = selectors.emplace_back();
      for (const LabelMatcher& matcher : selector->selector.matchers) matchers.push_back(matcher.matcher);
    }
    if (selectors.empty() && match_required) return absl::InvalidArgumentError("no match[] parameter provided");
    if (selectors.empty()) selectors.emplace_back();
    for (const std::vector<Matcher>& matchers : selectors) {
      SeriesSpec spec;
      spec.matchers = matchers;
      spec.time = range;
      spec.labels_only = true;
      ASSIGN_OR_RETURN(const std::unique_ptr<SeriesScan> scan, snapshot_->OpenSeriesScan(spec));
      SeriesData series;
      while (true) {
        ASSIGN_OR_RETURN(const bool more, scan->Next(&series));
        if (!more) break;
        take(series.labels);
        if (cancel_ != nullptr && *cancel_) return absl::CancelledError("the client went away");
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> LabelNames() {
    std::set<std::string> names;
    RETURN_IF_ERROR(EachSeries(false, [&](const Labels& labels) {
      for (const Label& label : labels) names.insert(label.name);
    }));
    return NamesJson(names);
  }

  absl::StatusOr<std::string> LabelValues(const std::string& label) {
    std::set<std::string> values;
    RETURN_IF_ERROR(EachSeries(false, [&](const Labels& labels) {
      if (const std::string_view value = FindLabel(labels, label); !value.empty()) values.insert(std::string(value));
    }));
    return NamesJson(values);
  }

  absl::StatusOr<std::string> Series() {
    std::set<Labels> found;
    RETURN_IF_ERROR(EachSeries(true, [&](const Labels& labels) { found.insert(labels); }));
    ASSIGN_OR_RETURN(const size_t limit, LimitOf(params_));
    std::string data = "[";
    size_t count = 0;
    for (const Labels& labels : found) {
      if (count++ == limit) break;
      if (count > 1) data += ",";
      AppendLabels(labels, &data);
    }
    return SuccessJson(data + "]", Truncated(found.size(), limit));
  }

  absl::StatusOr<std::string> Metadata() {
    ASSIGN_OR_RETURN(const size_t limit, LimitOf(params_));
    const std::string* wanted = Find(params_, "metric");
    std::string data = "{";
    size_t count = 0;
    for (const MetricMetadata& metadata : snapshot_->Metadata()) {
      if (wanted != nullptr && !wanted->empty() && *wanted != metadata.metric) continue;
      if (count++ == limit) break;
      if (count > 1) data += ",";
      ingest::AppendJsonString(metadata.metric, &data);
      data += ":[{\"type\":";
      ingest::AppendJsonString(metadata.type, &data);
      data += ",\"help\":";
      ingest::AppendJsonString(metadata.help, &data);
      data += ",\"unit\":";
      ingest::AppendJsonString(metadata.unit, &data);
      data += "}]";
    }
    return SuccessJson(data + "}", {});
  }

 private:
  // The result between the beginning of the answer and `end`.
  static http::Response Body(std::shared_ptr<VectorResultWriter> writer, std::string end, bool may_stream) {
    http::Response response = JsonResponse(200, "{\"status\":\"success\",\"data\":{");
    do {
      writer->Next(kPieceBytes, &response.body);
    } while (!writer->done() && !may_stream);
    if (writer->done()) {
      response.body += end;
      return response;
    }
    response.stream = [writer = std::move(writer), end = std::move(end)](std::string* piece) {
      if (!writer->Next(kPieceBytes, piece)) return false;
      if (writer->done()) piece->append(end);
      return true;
    };
    return response;
  }

  absl::StatusOr<Timestamp> Required(const std::string& name) {
    const std::string* text = Find(params_, name);
    const auto time = ParsePrometheusTime(text == nullptr ? "" : *text);
    if (!time.ok()) return BadParameter(name, MessageOf(time.status()));
    return *time;
  }

  static absl::StatusOr<Duration> StepOf(const std::string& text) {
    if (text.rfind('-', 0) == 0 || text.find_first_not_of("0.") == std::string::npos) {
      if (text.empty()) return BadParameter("step", "cannot parse \"\" to a valid duration");
      return BadParameter("step",
                          "zero or negative query resolution step widths are not accepted. Try a positive integer");
    }
    const auto step = ParseRequestDuration(text);
    if (!step.ok()) return BadParameter("step", "cannot parse \"" + text + "\" to a valid duration");
    return *step;
  }

  static std::vector<Note> Truncated(size_t found, size_t limit) {
    if (found <= limit) return {};
    return {{"warning", "results truncated due to limit"}};
  }

  absl::StatusOr<std::string> NamesJson(const std::set<std::string>& names) {
    ASSIGN_OR_RETURN(const size_t limit, LimitOf(params_));
    std::string data = "[";
    size_t count = 0;
    for (const std::string& name : names) {
      if (count++ == limit) break;
      if (count > 1) data += ",";
      ingest::AppendJsonString(name, &data);
    }
    return SuccessJson(data + "]", Truncated(names.size(), limit));
  }

  App* app_;
  Params params_;
  std::shared_ptr<const std::atomic<bool>> cancel_;
  std::shared_ptr<const Snapshot> snapshot_;
  bool may_stream_;
};

using Action = std::function<absl::StatusOr<http::Response>(Call* call, const std::string& segment)>;

absl::StatusOr<http::Response> Json(absl::StatusOr<std::string> json) {
  if (!json.ok()) return json.status();
  return JsonResponse(200, *std::move(json));
}

http::Response Handle(App* app, const http::Request& request, const std::string& segment, bool is_query,
                      const Action& action) {
  const auto begin = std::chrono::steady_clock::now();
  auto params = ParamsOf(request);
  const auto run = [&]() -> absl::StatusOr<http::Response> {
    if (!params.ok()) return params.status();
    Call call(app, request, *std::move(params));
    return action(&call, segment);
  };
  absl::StatusOr<http::Response> response = run();
  if (is_query) {
    const absl::StatusCode code = response.status().code();
    const Outcome outcome =
        response.ok()                                ? Outcome::kOk
        : code == absl::StatusCode::kInvalidArgument ? Outcome::kBadQuery
        : code == absl::StatusCode::kResourceExhausted || code == absl::StatusCode::kDeadlineExceeded ? Outcome::kLimit
                                                                                                      : Outcome::kError;
    app->metrics.CountQuery(QueryApi::kPrometheus, outcome, (std::chrono::steady_clock::now() - begin).count());
  }
  if (!response.ok()) return PrometheusError(response.status());
  return *std::move(response);
}

}  // namespace

void AddPrometheusRoutes(App* app, Router* router) {
  const auto add = [&](const char* methods, const char* path, const char* hint, bool is_query, Action action) {
    router->Add(methods, path, http::Lane::kSlow, hint,
                [app, is_query, action = std::move(action)](const http::Request& request, const std::string& segment) {
                  return Handle(app, request, segment, is_query, action);
                });
  };
  add("GET POST", "/api/v1/query", "PromQL at one instant (Prometheus' API)", true,
      [](Call* call, const std::string&) { return call->Query(false); });
  add("GET POST", "/api/v1/query_range", "PromQL over a range", true,
      [](Call* call, const std::string&) { return call->Query(true); });
  add("GET POST", "/api/v1/labels", "label names", false,
      [](Call* call, const std::string&) { return Json(call->LabelNames()); });
  add("GET", "/api/v1/label/{}/values", "values of a label", false,
      [](Call* call, const std::string& label) { return Json(call->LabelValues(label)); });
  add("GET POST", "/api/v1/series", "label sets of series", false,
      [](Call* call, const std::string&) { return Json(call->Series()); });
  add("GET", "/api/v1/metadata", "type, unit and help of metrics", false,
      [](Call* call, const std::string&) { return Json(call->Metadata()); });
  // No "features": Grafana takes a server that has them for Mimir.
  router->Add("GET", "/api/v1/status/buildinfo", http::Lane::kFast, "what Grafana asks to know the server by",
              [](const http::Request&, const std::string&) {
                return JsonResponse(200, SuccessJson("{\"version\":\"3.0.0\",\"revision\":\"\",\"branch\":\"\","
                                                     "\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\"}",
                                                     {}));
              });
}

}  // namespace braid::server
