// OTLP/HTTP (opentelemetry.io/docs/specs/otlp, 1.x): answers in the content type of the request, partial_success for
// records that were not taken, google.rpc.Status for requests that were not.
#include "server/app.h"
#include "server/ingest/otlp_json.h"
#include "server/ingest/otlp_protobuf.h"
#include "server/ingest_request.h"

namespace braid::server {
namespace {

http::Response OtlpResponse(int status, bool json, std::string body) {
  http::Response response;
  response.status = status;
  response.content_type = json ? "application/json" : "application/x-protobuf";
  response.body = std::move(body);
  return response;
}

http::Response OtlpError(int http_status, bool json, const absl::Status& status) {
  const int code = static_cast<int>(status.code());  // google.rpc.Code has the same numbers
  const std::string message = MessageOf(status);
  return OtlpResponse(
      http_status, json,
      json ? ingest::EncodeRpcStatusJson(code, message) : ingest::EncodeRpcStatusProtobuf(code, message));
}

http::Response HandleOtlp(App* app, ingest::OtlpSignal signal, const http::Request& request) {
  const std::string type = request.MediaType();
  const bool json = type == "application/json";
  if (!json && type != "application/x-protobuf" && type != "application/protobuf") {
    app->metrics.CountRequest(Protocol::kOtlp, request.body.size());
    app->metrics.CountRejected(Protocol::kOtlp, Reject::kUnsupported, 1);
    return TextResponse(415, "Content-Type '" + type.substr(0, 100) +
                                 "' is not OTLP; send application/x-protobuf or application/json\n");
  }
  const Timestamp now = app->now();
  const IngestOutcome outcome = IngestBody(app, Protocol::kOtlp, Stage::kOtlpWrite, request, nullptr,
                                           [&](std::string_view body, WriteBatch* batch, ingest::IngestReport* report) {
                                             return json ? ingest::DecodeOtlpJson(signal, body, now, batch, report)
                                                         : ingest::DecodeOtlpProtobuf(signal, body, now, batch, report);
                                           });
  if (!outcome.status.ok()) return OtlpError(HttpStatusOf(outcome.status, outcome.stage), json, outcome.status);
  const std::string message = outcome.report.Summary();
  return OtlpResponse(200, json,
                      json ? ingest::EncodeOtlpResponseJson(signal, outcome.report.rejected, message)
                           : ingest::EncodeOtlpResponseProtobuf(outcome.report.rejected, message));
}

}  // namespace

void AddOtlpRoutes(App* app, Router* router) {
  using ingest::OtlpSignal;
  // The prefixes are those under which Prometheus, Mimir and Loki take OTLP: exporters that are configured for one of
  // them need only another host.
  for (const char* prefix : {"", "/otlp", "/api/v1/otlp"}) {
    const std::string at = prefix;
    const auto add = [&](const char* path, OtlpSignal signal, const char* hint) {
      router->Add(
          "POST", at + path, http::Lane::kFast, hint,
          [app, signal](const http::Request& request, const std::string&) { return HandleOtlp(app, signal, request); });
    };
    add("/v1/traces", OtlpSignal::kTraces, "OTLP traces, protobuf or JSON");
    add("/v1/logs", OtlpSignal::kLogs, "OTLP logs, protobuf or JSON");
    add("/v1/metrics", OtlpSignal::kMetrics, "OTLP metrics, protobuf or JSON");
  }
}

}  // namespace braid::server
