// The other ways in: Prometheus text, JSON lines.
#include <string>
#include <vector>

#include "server/app.h"
#include "server/ingest/json_lines.h"
#include "server/ingest/json_text.h"
#include "server/ingest/prometheus_text.h"
#include "server/ingest_request.h"

namespace braid::server {
namespace {

// {"accepted":..,"rejected":..,"kept_raw":..,"errors":[{"line":..,"message":..}]} or {"error":{...}}.
http::Response ReportResponse(const IngestOutcome& outcome) {
  if (!outcome.status.ok()) {
    const int status = HttpStatusOf(outcome.status, outcome.stage);
    std::string json = "{\"error\":{\"code\":";
    ingest::AppendJsonString(CodeName(outcome.status.code()), &json);
    json += ",\"message\":";
    ingest::AppendJsonString(MessageOf(outcome.status), &json);
    return JsonResponse(status, json + "}}\n");
  }
  const ingest::IngestReport& report = outcome.report;
  std::string json = "{\"accepted\":" + std::to_string(report.accepted) +
                     ",\"rejected\":" + std::to_string(report.rejected) +
                     ",\"kept_raw\":" + std::to_string(report.kept_raw) + ",\"errors\":[";
  for (size_t i = 0; i < report.errors.size(); ++i) {
    if (i > 0) json += ",";
    json += "{\"line\":" + std::to_string(report.errors[i].line) + ",\"message\":";
    ingest::AppendJsonString(report.errors[i].message, &json);
    json += "}";
  }
  json += "]}\n";
  // Not one record taken and some refused: nothing was kept, and a success would be a lie.
  const int failure = report.over_limit > 0 ? 429 : 400;
  http::Response response = JsonResponse(report.accepted == 0 && report.rejected > 0 ? failure : 200, std::move(json));
  if (response.status == 429) response.headers.push_back({"Retry-After", "60"});
  return response;
}

http::Response ImportPrometheus(App* app, const http::Request& request) {
  ingest::PrometheusTextOptions options;
  options.now = app->now();
  options.openmetrics = request.MediaType() == "application/openmetrics-text";
  for (const auto& [name, value] : request.query) {
    // As VictoriaMetrics: ?extra_label=job=node; and ?job=node for the shell.
    const size_t equals = value.find('=');
    if (name == "extra_label" && equals != std::string::npos) {
      options.labels.push_back({value.substr(0, equals), value.substr(equals + 1)});
    } else if (name == "timestamp") {
      int64_t millis = 0;
      const bool digits =
          !value.empty() && value.size() <= 15 && value.find_first_not_of("0123456789") == std::string::npos;
      if (!digits) return TextResponse(400, "timestamp is not a number of milliseconds\n");
      millis = std::stoll(value);
      options.now = millis * kMillisecond;
    } else if (name == "job" || name == "instance" || name == "service") {
      options.labels.push_back({name, value});
    } else {
      return TextResponse(400, "unknown parameter '" + name.substr(0, 100) +
                                   "'; known are extra_label, timestamp, job, instance and service\n");
    }
  }
  return ReportResponse(IngestBody(app, Protocol::kPrometheusText, Stage::kWrite, request, nullptr,
                                   [&](std::string_view body, WriteBatch* batch, ingest::IngestReport* report) {
                                     ingest::PrometheusTextParser(options).ParseBody(body, batch, report);
                                     return absl::OkStatus();
                                   }));
}

std::vector<std::string> SplitNames(const std::string& text) {
  std::vector<std::string> names;
  for (size_t start = 0; start <= text.size();) {
    const size_t comma = std::min(text.find(',', start), text.size());
    if (comma > start) names.push_back(text.substr(start, comma - start));
    start = comma + 1;
  }
  return names;
}

http::Response ImportJsonLines(App* app, const http::Request& request) {
  ingest::JsonLinesOptions options;
  options.now = app->now();
  for (const auto& [name, value] : request.query) {
    if (name == "service") {
      options.service = value;
    } else if (name == "_msg_field") {
      options.message_fields = SplitNames(value);
    } else if (name == "_time_field") {
      options.time_fields = SplitNames(value);
    } else if (name == "_stream_fields") {
      options.stream_fields = SplitNames(value);
    } else {
      return TextResponse(400, "unknown parameter '" + name.substr(0, 100) +
                                   "'; known are service, _msg_field, _time_field and _stream_fields\n");
    }
  }
  return ReportResponse(IngestBody(app, Protocol::kJsonLines, Stage::kWrite, request, nullptr,
                                   [&](std::string_view body, WriteBatch* batch, ingest::IngestReport* report) {
                                     ingest::JsonLinesParser(options).ParseBody(body, batch, report);
                                     return absl::OkStatus();
                                   }));
}

}  // namespace

void AddImportRoutes(App* app, Router* router) {
  const auto add = [&](const char* path, const char* hint, http::Response (*handle)(App*, const http::Request&)) {
    router->Add("POST", path, http::Lane::kFast, hint,
                [app, handle](const http::Request& request, const std::string&) { return handle(app, request); });
  };
  add("/api/v1/import/prometheus", "Prometheus text or OpenMetrics", ImportPrometheus);
  add("/ingest/jsonl", "JSON lines: one log record a line", ImportJsonLines);
  add("/insert/jsonline", "the same, under VictoriaLogs' path", ImportJsonLines);
}

}  // namespace braid::server
