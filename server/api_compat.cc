// Ways in that senders made for other stores know: Loki's push, Zipkin's spans, Jaeger's collector and its sampling.
#include <string>

#include "server/app.h"
#include "server/ingest/jaeger_thrift.h"
#include "server/ingest/loki_push.h"
#include "server/ingest/zipkin_json.h"
#include "server/ingest_request.h"

namespace braid::server {
namespace {

http::Response Unsupported(App* app, Protocol protocol, const http::Request& request, std::string text) {
  app->metrics.CountRequest(protocol, request.body.size());
  app->metrics.CountRejected(protocol, Reject::kUnsupported, 1);
  return TextResponse(415, std::move(text));
}

// These protocols have no partial success: `success` says that all is stored, 400 that something was refused (the rest
// is stored) and that sending it again is of no use.
http::Response PlainResponse(const IngestOutcome& outcome, int success) {
  if (!outcome.status.ok()) {
    return TextResponse(HttpStatusOf(outcome.status, outcome.stage), MessageOf(outcome.status) + "\n");
  }
  if (outcome.report.rejected > 0) return TextResponse(400, outcome.report.Summary() + "\n");
  http::Response response;
  response.status = success;
  response.content_type.clear();
  return response;
}

http::Response LokiPush(App* app, const http::Request& request) {
  const std::string type = request.MediaType();
  const bool json = type == "application/json";
  // Loki's agents send protobuf under this name or none.
  if (!json && !type.empty() && type != "application/x-protobuf") {
    return Unsupported(app, Protocol::kLoki, request,
                       "Loki pushes are taken as application/json or application/x-protobuf (with snappy)\n");
  }
  const Timestamp now = app->now();
  // Agents compress their protobuf without saying so.
  const ingest::Coding snappy = ingest::Coding::kSnappy;
  const bool implied = !json && request.HeaderValue("Content-Encoding").empty();
  return PlainResponse(IngestBody(app, Protocol::kLoki, Stage::kWrite, request, implied ? &snappy : nullptr,
                                  [&](std::string_view body, WriteBatch* batch, ingest::IngestReport* report) {
                                    return json ? ingest::DecodeLokiJson(body, now, batch, report)
                                                : ingest::DecodeLokiProtobuf(body, now, batch, report);
                                  }),
                       204);
}

http::Response ZipkinSpans(App* app, const http::Request& request) {
  const std::string type = request.MediaType();
  if (!type.empty() && type != "application/json" && type != "text/plain") {
    return Unsupported(app, Protocol::kZipkin, request, "Zipkin's spans are taken as application/json (version 2)\n");
  }
  const Timestamp now = app->now();
  return PlainResponse(IngestBody(app, Protocol::kZipkin, Stage::kWrite, request, nullptr,
                                  [&](std::string_view body, WriteBatch* batch, ingest::IngestReport* report) {
                                    return ingest::DecodeZipkinJson(body, now, batch, report);
                                  }),
                       202);
}

http::Response JaegerSpans(App* app, const http::Request& request) {
  const std::string type = request.MediaType();
  if (!type.empty() && type.find("thrift") == std::string::npos && type != "application/octet-stream") {
    return Unsupported(app, Protocol::kJaeger, request, "Jaeger's spans are taken as application/x-thrift\n");
  }
  return PlainResponse(IngestBody(app, Protocol::kJaeger, Stage::kWrite, request, nullptr, ingest::DecodeJaegerThrift),
                       202);
}

// Jaeger's clients sample one trace in a thousand until they are told better: all, because what is to be kept is
// decided where whole traces can be seen.
http::Response JaegerSampling(App*, const http::Request& request) {
  const std::string* service = request.QueryValue("service");
  if (service == nullptr || service->empty()) return TextResponse(400, "the parameter service is missing\n");
  return JsonResponse(200, R"({"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":1}})");
}

}  // namespace

void AddCompatRoutes(App* app, Router* router) {
  const auto add = [&](const char* method, const char* path, const char* hint,
                       http::Response (*handle)(App*, const http::Request&)) {
    router->Add(method, path, http::Lane::kFast, hint,
                [app, handle](const http::Request& request, const std::string&) { return handle(app, request); });
  };
  add("POST", "/loki/api/v1/push", "Loki push, JSON or protobuf", LokiPush);
  add("POST", "/api/prom/push", "the same, under Loki's first path", LokiPush);
  add("POST", "/api/v2/spans", "Zipkin spans, JSON", ZipkinSpans);
  add("POST", "/api/traces", "Jaeger batches, Thrift", JaegerSpans);
  add("GET", "/sampling", "Jaeger sampling: keep every trace", JaegerSampling);
  add("GET", "/api/sampling", "the same, under the collector's path", JaegerSampling);
}

}  // namespace braid::server
