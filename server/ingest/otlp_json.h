// OTLP export requests in JSON, as SDKs send them (one document) and as the Collector's file exporter writes them (one
// a line): ids in hex, enums as numbers or names, 64-bit integers as strings or numbers, unknown fields ignored, names
// in lowerCamelCase or as in the .proto files.
//
// Threads: a decoder belongs to one thread at a time. Errors: as in otlp_protobuf.h.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/ingest_report.h"
#include "server/ingest/otlp_records.h"

namespace braid::ingest {

class OtlpJsonDecoder {
 public:
  OtlpJsonDecoder();
  ~OtlpJsonDecoder();

  // Appends one document of any signal. `signals` gets those that it named ("resourceSpans", ...); a document that
  // names none is InvalidArgument, but for an empty object.
  struct Signals {
    bool metrics = false, logs = false, traces = false;
  };
  absl::Status Decode(std::string_view document, Timestamp now, WriteBatch* batch, IngestReport* report,
                      Signals* signals);

 private:
  struct Parser;  // keeps its memory from document to document
  std::unique_ptr<Parser> parser_;
};

// One request for one signal: a document that names another signal is InvalidArgument.
absl::Status DecodeOtlpJson(OtlpSignal signal, std::string_view body, Timestamp now, WriteBatch* batch,
                            IngestReport* report);

std::string EncodeOtlpResponseJson(OtlpSignal signal, uint64_t rejected, std::string_view message);
std::string EncodeRpcStatusJson(int code, std::string_view message);

}  // namespace braid::ingest
