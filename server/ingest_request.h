// The steps that every ingest route takes: undo the body's encoding, decode it to a batch, write the batch, count.
//
// Threads: pure but for the App.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/app.h"
#include "server/ingest/content_encoding.h"
#include "server/ingest/ingest_report.h"
#include "server/status_code.h"

namespace braid::server {

struct IngestOutcome {
  absl::Status status;  // ok only if the DB has the batch
  Stage stage = Stage::kDecode;
  ingest::IngestReport report;
  WriteBatch::Counts stored;  // all zero unless ok
};

// `decode` fills the batch from the decoded body.
using BodyDecoder = std::function<absl::Status(std::string_view body, WriteBatch* batch, ingest::IngestReport* report)>;

struct IngestBytes {
  std::string_view body;  // as sent
  absl::StatusOr<ingest::Coding> coding = ingest::Coding::kIdentity;
  bool json_document = false;   // one JSON document: its index takes several times its size
  std::string_view durability;  // X-Braid-Durability: what a success of this one request means; may be empty
};

IngestOutcome Ingest(App* app, Protocol protocol, Stage write_stage, const IngestBytes& bytes,
                     const BodyDecoder& decode);

// The same of a request's body. `coding`: what to undo; from the request's Content-Encoding if null.
IngestOutcome IngestBody(App* app, Protocol protocol, Stage write_stage, const http::Request& request,
                         const ingest::Coding* coding, const BodyDecoder& decode);

}  // namespace braid::server
