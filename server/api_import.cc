// The other ways in: Prometheus text and remote write, JSON lines.
#include <string>
#include <vector>

#include "server/app.h"
#include "server/ingest/json_lines.h"
#include "server/ingest/json_text.h"
#include "server/ingest/prometheus_text.h"
#include "server/ingest/remote_write.h"
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
    http::Response response = JsonResponse(status, json + "}}\n");
    if (status == 503) response.headers.push_back({"Retry-After", "5"});
    return response;
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
  return JsonResponse(report.accepted == 0 && report.rejected > 0 ? 400 : 200, std::move(json));
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

http::Response RemoteWrite(App* app, const http::Request& request) {
  const std::string type = request.MediaType();
  const std::string_view header = request.HeaderValue("Content-Type");
  const bool second = header.find("io.prometheus.write.v2") != std::string_view::npos;
  // 415 makes a sender of version 2 fall back to 1.0.
  if ((!type.empty() && type != "application/x-protobuf") || second) {
    app->metrics.CountRequest(Protocol::kRemoteWrite, request.body.size());
    app->metrics.CountRejected(Protocol::kRemoteWrite, Reject::kUnsupported, 1);
    return TextResponse(415,
                        "remote write is taken as application/x-protobuf of prometheus.WriteRequest (version 1.0)\n");
  }
  // Senders that leave the header away still compress.
  const ingest::Coding snappy = ingest::Coding::kSnappy;
  const bool named = !request.HeaderValue("Content-Encoding").empty();
  const IngestOutcome outcome =
      IngestBody(app, Protocol::kRemoteWrite, Stage::kWrite, request, named ? nullptr : &snappy,
                 [](std::string_view body, WriteBatch* batch, ingest::IngestReport* report) {
                   return ingest::DecodeRemoteWrite(body, batch, report);
                 });
  if (!outcome.status.ok()) {
    http::Response response =
        TextResponse(HttpStatusOf(outcome.status, outcome.stage), MessageOf(outcome.status) + "\n");
    if (response.status == 503) response.headers.push_back({"Retry-After", "5"});
    return response;
  }
  // The protocol has no partial success: 400 tells the sender to drop what was refused; the rest is stored.
  if (outcome.report.rejected > 0) return TextResponse(400, outcome.report.Summary() + "\n");
  http::Response response;
  response.status = 204;
  response.content_type.clear();
  return response;
}

}  // namespace

void AddImportRoutes(App* app, Router* router) {
  const auto add = [&](const char* path, const char* hint, http::Response (*handle)(App*, const http::Request&)) {
    router->Add("POST", path, http::Lane::kFast, hint,
                [app, handle](const http::Request& request, const std::string&) { return handle(app, request); });
  };
  add("/api/v1/import/prometheus", "Prometheus text or OpenMetrics", ImportPrometheus);
  add("/api/v1/write", "Prometheus remote write 1.0", RemoteWrite);
  add("/api/v1/push", "the same", RemoteWrite);
  add("/ingest/jsonl", "JSON lines: one log record a line", ImportJsonLines);
  add("/insert/jsonline", "the same, under VictoriaLogs' path", ImportJsonLines);
}

}  // namespace braid::server
