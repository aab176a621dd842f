#include "server/ingest_request.h"

namespace braid::server {
namespace {

Reject ReasonOf(const absl::Status& status, Stage stage) {
  if (stage != Stage::kDecode) return Reject::kStorage;
  if (status.code() == absl::StatusCode::kResourceExhausted) return Reject::kTooLarge;
  if (status.code() == absl::StatusCode::kUnimplemented) return Reject::kUnsupported;
  return Reject::kMalformed;
}

absl::Status DecodeTo(const http::Request& request, const ingest::Coding* coding, const BodyDecoder& decode,
                      WriteBatch* batch, ingest::IngestReport* report) {
  ingest::Coding used;
  if (coding != nullptr) {
    used = *coding;
  } else {
    const auto parsed = ingest::ParseContentEncoding(request.HeaderValue("Content-Encoding"));
    if (!parsed.ok()) return parsed.status();
    used = *parsed;
  }
  if (used == ingest::Coding::kIdentity) return decode(request.body, batch, report);
  const auto body = ingest::DecodeContent(used, request.body, ingest::DecodeLimits());
  if (!body.ok()) return body.status();
  return decode(*body, batch, report);
}

// X-Braid-Durability: what a success of this one request means.
absl::Status ReadDurability(const http::Request& request, WriteOptions* options) {
  const std::string_view text = request.HeaderValue("X-Braid-Durability");
  if (text.empty()) return absl::OkStatus();
  if (text == "durable") {
    options->durability = Durability::kDurable;
  } else if (text == "buffered") {
    options->durability = Durability::kBuffered;
  } else {
    return absl::InvalidArgumentError("X-Braid-Durability is durable or buffered");
  }
  return absl::OkStatus();
}

}  // namespace

IngestOutcome IngestBody(App* app, Protocol protocol, Stage write_stage, const http::Request& request,
                         const ingest::Coding* coding, const BodyDecoder& decode) {
  app->metrics.CountRequest(protocol, request.body.size());
  IngestOutcome outcome;
  WriteBatch batch;
  outcome.status = DecodeTo(request, coding, decode, &batch, &outcome.report);
  if (outcome.status.ok() && batch.byte_size() > WriteBatch::kMaxBatchBytes) {
    outcome.status = absl::ResourceExhaustedError("the body unfolds to more than one write may hold");
  }
  if (outcome.status.ok() && !batch.empty()) {
    WriteOptions options;
    outcome.status = ReadDurability(request, &options);
    if (outcome.status.ok()) outcome.status = app->db->Write(batch, options);
    // What passed the decoders and the DB still refuses is the request's fault, not the store's.
    if (outcome.status.code() != absl::StatusCode::kInvalidArgument) outcome.stage = write_stage;
  }
  if (!outcome.status.ok()) {
    app->metrics.CountRejected(protocol, ReasonOf(outcome.status, outcome.stage), 1);
    return outcome;
  }
  const WriteBatch::Counts& counts = batch.counts();
  app->metrics.CountAccepted(protocol, {counts.samples, counts.logs, counts.spans, counts.exemplars});
  if (outcome.report.rejected > 0) app->metrics.CountRejected(protocol, Reject::kRecord, outcome.report.rejected);
  return outcome;
}

}  // namespace braid::server
