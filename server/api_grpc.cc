// OTLP/gRPC: the unary Export calls of the three collector services (opentelemetry-proto 1.x), read by the decoders of
// OTLP over HTTP and written by the same path.
//
// Codes are those of the OTLP specification: what a sender may try again is UNAVAILABLE with a RetryInfo; a full disk
// is that too.
#include "server/app.h"
#include "server/http/grpc_status.h"
#include "server/ingest/otlp_protobuf.h"
#include "server/ingest_request.h"

namespace braid::server {
namespace {

using http::GrpcCode;
using ingest::OtlpSignal;

constexpr int kRetrySeconds = 5;  // as Retry-After over HTTP

bool SignalOf(std::string_view path, OtlpSignal* signal) {
  constexpr std::string_view kPackage = "/opentelemetry.proto.collector.";
  if (!path.starts_with(kPackage)) return false;
  path.remove_prefix(kPackage.size());
  if (path == "trace.v1.TraceService/Export") {
    *signal = OtlpSignal::kTraces;
  } else if (path == "metrics.v1.MetricsService/Export") {
    *signal = OtlpSignal::kMetrics;
  } else if (path == "logs.v1.LogsService/Export") {
    *signal = OtlpSignal::kLogs;
  } else {
    return false;
  }
  return true;
}

http::Response ErrorOf(const IngestOutcome& outcome) {
  const std::string text = MessageOf(outcome.status);
  const bool decoding = outcome.stage == Stage::kDecode;
  switch (outcome.status.code()) {
    case absl::StatusCode::kInvalidArgument: return http::GrpcError(GrpcCode::kInvalidArgument, text, 0);
    case absl::StatusCode::kUnimplemented: return http::GrpcError(GrpcCode::kUnimplemented, text, 0);
    case absl::StatusCode::kResourceExhausted:
      // The body itself is too large, or the disk is full.
      if (decoding) return http::GrpcError(GrpcCode::kResourceExhausted, text, 0);
      return http::GrpcError(GrpcCode::kUnavailable, text, kRetrySeconds);
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kFailedPrecondition:  // read-only, or closing
      return http::GrpcError(GrpcCode::kUnavailable, text, kRetrySeconds);
    default: return http::GrpcError(GrpcCode::kInternal, text, 0);
  }
}

}  // namespace

http::Response HandleGrpc(App* app, const http::Request& request) {
  if (!http::IsGrpc(request) || request.method != "POST") {
    http::Response response = TextResponse(
        415,
        "this port takes gRPC (POST, Content-Type application/grpc): OTLP's Export calls for traces, metrics and "
        "logs\n");
    return response;
  }
  OtlpSignal signal;
  if (!SignalOf(request.path, &signal)) {
    return http::GrpcError(GrpcCode::kUnimplemented,
                           "there is no " + request.path.substr(0, 200) +
                               "; served is Export of opentelemetry.proto.collector.trace.v1.TraceService, "
                               "metrics.v1.MetricsService and logs.v1.LogsService",
                           0);
  }
  const auto reject = [&](GrpcCode code, std::string text) {
    app->metrics.CountRequest(Protocol::kOtlpGrpc, request.body.size());
    app->metrics.CountRejected(Protocol::kOtlpGrpc, Reject::kMalformed, 1);
    return http::GrpcError(code, text, 0);
  };
  bool compressed = false;
  IngestBytes bytes;
  bytes.durability = request.HeaderValue("X-Braid-Durability");
  if (!http::TakeGrpcMessage(request.body, &compressed, &bytes.body)) {
    return reject(GrpcCode::kInternal, "the call does not hold exactly one gRPC message");
  }
  if (compressed) {
    bytes.coding = ingest::ParseContentEncoding(request.HeaderValue("grpc-encoding"));
    if (bytes.coding.ok() && *bytes.coding == ingest::Coding::kIdentity) {
      return reject(GrpcCode::kInternal, "the message is marked as compressed, but there is no grpc-encoding");
    }
  }
  const IngestOutcome outcome = Ingest(app, Protocol::kOtlpGrpc, Stage::kOtlpWrite, bytes,
                                       [&](std::string_view body, WriteBatch* batch, ingest::IngestReport* report) {
                                         return ingest::DecodeOtlpProtobuf(signal, body, app->now(), batch, report);
                                       });
  if (!outcome.status.ok()) return ErrorOf(outcome);
  return http::GrpcReply(ingest::EncodeOtlpResponseProtobuf(outcome.report.rejected, outcome.report.Summary()));
}

}  // namespace braid::server
