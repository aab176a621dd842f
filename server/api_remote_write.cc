// Prometheus remote write, 1.0 and 2.0 (prometheus.io/docs/specs/prw): which message a body is stands in the `proto`
// parameter of its Content-Type.
#include <algorithm>
#include <string>

#include "server/app.h"
#include "server/ingest/remote_write.h"
#include "server/ingest/remote_write_v2.h"
#include "server/ingest_request.h"

namespace braid::server {
namespace {

constexpr std::string_view kFirst = "prometheus.WriteRequest";
constexpr std::string_view kSecond = "io.prometheus.write.v2.Request";

// Value of the parameter `proto`; "" if there is none.
std::string ProtoOf(std::string_view type) {
  std::string compact(type);
  std::erase_if(compact, [](char c) { return c == ' ' || c == '\t' || c == '"'; });
  for (size_t at = compact.find(';'); at != std::string::npos; at = compact.find(';', at + 1)) {
    constexpr std::string_view kName = "proto=";
    const std::string_view parameter = std::string_view(compact).substr(at + 1);
    if (http::EqualsIgnoreCase(parameter.substr(0, kName.size()), kName)) {
      return std::string(parameter.substr(kName.size(), parameter.find(';') - kName.size()));
    }
  }
  return "";
}

// The protocol has no partial success: 400 tells the sender to drop what was refused; the rest is stored, and since
// version 2.0 the headers say how much that is.
http::Response RemoteWrite(App* app, const http::Request& request) {
  const std::string type = request.MediaType();
  const std::string proto = ProtoOf(request.HeaderValue("Content-Type"));
  const bool second = proto == kSecond;
  // 415 makes a sender choose the other version.
  if ((!type.empty() && type != "application/x-protobuf") || (!second && !proto.empty() && proto != kFirst)) {
    app->metrics.CountRequest(Protocol::kRemoteWrite, request.body.size());
    app->metrics.CountRejected(Protocol::kRemoteWrite, Reject::kUnsupported, 1);
    return TextResponse(415, "remote write is taken as application/x-protobuf, with proto=" + std::string(kFirst) +
                                 " (or none) or proto=" + std::string(kSecond) + "\n");
  }
  // Senders that leave the header away still compress.
  const ingest::Coding snappy = ingest::Coding::kSnappy;
  const bool named = !request.HeaderValue("Content-Encoding").empty();
  ingest::RemoteWriteCounts counts;
  const IngestOutcome outcome =
      IngestBody(app, Protocol::kRemoteWrite, Stage::kWrite, request, named ? nullptr : &snappy,
                 [&](std::string_view body, WriteBatch* batch, ingest::IngestReport* report) {
                   return second ? ingest::DecodeRemoteWriteV2(body, batch, report, &counts)
                                 : ingest::DecodeRemoteWrite(body, batch, report);
                 });
  http::Response response;
  if (!outcome.status.ok()) {
    counts = {};
    response = TextResponse(HttpStatusOf(outcome.status, outcome.stage), MessageOf(outcome.status) + "\n");
  } else if (outcome.report.rejected > 0) {
    const bool over_limit = outcome.report.over_limit > 0;
    response = TextResponse(over_limit ? 429 : 400, outcome.report.Summary() + "\n");
    if (over_limit) response.headers.push_back({"Retry-After", "60"});
  } else {
    response.status = 204;
    response.content_type.clear();
  }
  if (second) {
    const std::string prefix = "X-Prometheus-Remote-Write-";
    response.headers.push_back({prefix + "Samples-Written", std::to_string(counts.samples)});
    response.headers.push_back({prefix + "Histograms-Written", std::to_string(counts.histograms)});
    response.headers.push_back({prefix + "Exemplars-Written", std::to_string(counts.exemplars)});
  }
  return response;
}

}  // namespace

void AddRemoteWriteRoutes(App* app, Router* router) {
  const auto handle = [app](const http::Request& request, const std::string&) { return RemoteWrite(app, request); };
  for (const char* path : {"/api/v1/write", "/api/v1/push", "/api/prom/remote/write"}) {
    router->Add("POST", path, http::Lane::kFast, "Prometheus remote write, 1.0 and 2.0", handle);
  }
}

}  // namespace braid::server
