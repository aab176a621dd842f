#include "server/ingest_request.h"

namespace braid::server {
namespace {

// Bytes of memory for a byte of decoded body: with the slack of growing; of a JSON document also simdjson's index. The
// batch counts by itself.
constexpr size_t kWeight = 2;
constexpr size_t kJsonWeight = 12;

Reject ReasonOf(const absl::Status& status, Stage stage) {
  if (stage != Stage::kDecode) return Reject::kStorage;
  if (status.code() == absl::StatusCode::kUnavailable) return Reject::kOverload;
  if (status.code() == absl::StatusCode::kResourceExhausted) return Reject::kTooLarge;
  if (status.code() == absl::StatusCode::kUnimplemented) return Reject::kUnsupported;
  return Reject::kMalformed;
}

absl::Status DecodeTo(const IngestBytes& bytes, const BodyDecoder& decode, ingest::DecodeBudget::Share* share,
                      WriteBatch* batch, ingest::IngestReport* report) {
  if (!bytes.coding.ok()) return bytes.coding.status();
  if (*bytes.coding == ingest::Coding::kIdentity) {
    if (!share->Grow(bytes.body.size())) return ingest::TooManyBodies();
    return decode(bytes.body, batch, report);
  }
  const auto body = ingest::DecodeContent(*bytes.coding, bytes.body, ingest::DecodeLimits(), share);
  if (!body.ok()) return body.status();
  return decode(body->view(), batch, report);
}

// More than bodies of the usual size (1 MB) need is given back.
constexpr size_t kKeptBatchBytesMax = size_t{1} << 20;

class KeptBatch {
 public:
  explicit KeptBatch(WriteBatch* batch) : batch_(batch) { batch_->Clear(); }
  ~KeptBatch() {
    if (batch_->byte_size() > kKeptBatchBytesMax) *batch_ = WriteBatch();
  }
  KeptBatch(const KeptBatch&) = delete;
  KeptBatch& operator=(const KeptBatch&) = delete;

 private:
  WriteBatch* const batch_;
};

absl::Status ReadDurability(std::string_view text, WriteOptions* options) {
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

// Senders try again and again while the disk is full: once in a while is enough.
constexpr Duration kFailureLogInterval = 10 * kSecond;

void SayRejected(App* app, Protocol protocol, const IngestOutcome& outcome) {
  if (app->log == nullptr) return;
  const bool failed = outcome.stage != Stage::kDecode;
  if (failed) {
    const Timestamp now = app->now();
    Timestamp last = app->failure_logged.load();
    if (last != 0 && now - last < kFailureLogInterval) return;
    if (!app->failure_logged.compare_exchange_strong(last, now)) return;
  }
  app->log->Write(failed ? Level::kError : Level::kDebug, failed ? "cannot store what is sent" : "request rejected",
                  {{"protocol", std::string(ProtocolName(protocol))}, {"error", MessageOf(outcome.status)}});
}

}  // namespace

IngestOutcome Ingest(App* app, Protocol protocol, Stage write_stage, const IngestBytes& bytes,
                     const BodyDecoder& decode) {
  app->metrics.CountRequest(protocol, bytes.body.size());
  IngestOutcome outcome;
  outcome.report.gate = app->series_gate.get();
  outcome.report.now = app->now();
  // Memory is kept from one request to the next: fresh pages cost more than what is written to them.
  thread_local WriteBatch batch;
  const KeptBatch kept(&batch);
  // Held until the batch is written.
  ingest::DecodeBudget::Share share(&app->decode_budget, bytes.json_document ? kJsonWeight : kWeight);
  outcome.report.share = &share;
  outcome.status = DecodeTo(bytes, decode, &share, &batch, &outcome.report);
  if (outcome.status.ok() && !outcome.report.Fits(batch)) {
    outcome.status = outcome.report.no_room
                         ? ingest::TooManyBodies()
                         : absl::ResourceExhaustedError("the body unfolds to more than one write may hold");
  }
  outcome.report.share = nullptr;  // the report outlives it
  if (outcome.status.ok() && !batch.empty()) {
    WriteOptions options;
    outcome.status = ReadDurability(bytes.durability, &options);
    if (outcome.status.ok()) outcome.status = app->db->Write(batch, options);
    // What passed the decoders and the DB still refuses is the request's fault, not the store's.
    if (outcome.status.code() != absl::StatusCode::kInvalidArgument) outcome.stage = write_stage;
  }
  if (!outcome.status.ok()) {
    app->metrics.CountRejected(protocol, ReasonOf(outcome.status, outcome.stage), 1);
    SayRejected(app, protocol, outcome);
    return outcome;
  }
  outcome.stored = batch.counts();
  app->metrics.CountAccepted(protocol, outcome.stored);
  const uint64_t over_limit = outcome.report.over_limit;
  if (over_limit > 0) app->metrics.CountRejected(protocol, Reject::kSeriesLimit, over_limit);
  if (outcome.report.rejected > over_limit) {
    app->metrics.CountRejected(protocol, Reject::kRecord, outcome.report.rejected - over_limit);
  }
  return outcome;
}

IngestOutcome IngestBody(App* app, Protocol protocol, Stage write_stage, const http::Request& request,
                         const ingest::Coding* coding, const BodyDecoder& decode) {
  IngestBytes bytes;
  bytes.body = request.body;
  bytes.durability = request.HeaderValue("X-Braid-Durability");
  if (coding != nullptr) {
    bytes.coding = *coding;
  } else {
    bytes.coding = ingest::ParseContentEncoding(request.HeaderValue("Content-Encoding"));
  }
  const bool lines = protocol == Protocol::kJsonLines || protocol == Protocol::kElastic;
  bytes.json_document = !lines && request.MediaType() == "application/json";
  return Ingest(app, protocol, write_stage, bytes, decode);
}

}  // namespace braid::server
