// Loki's push requests: JSON, or protobuf `logproto.PushRequest` (grafana/loki, pkg/push/push.proto).
//
//   JSON      {"streams":[{"stream":{"app":"x"},"values":[["<ns>","line",{"trace_id":"..."}]]}]}
//   JSON, 1st {"streams":[{"labels":"{app=\"x\"}","entries":[{"ts":"<RFC 3339>","line":"..."}]}]}
//   protobuf  PushRequest { 1: Stream { 1: labels, 2: Entry { 1: Timestamp, 2: line, 3: structured metadata } } }
//
// The labels of a stream become its resource, structured metadata the attributes of the record. In both places `level`,
// `detected_level` and their like become the severity, in the metadata `trace_id` and `span_id` the ids.
//
// Threads: pure functions. Errors: InvalidArgument for a body that is no such request (the batch is then to be thrown
// away), ResourceExhausted for one too large. Streams with unreadable labels and entries without a time are rejected
// one by one.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/ingest_report.h"

namespace braid::ingest {

// `now` is the observed time of all records.
absl::Status DecodeLokiJson(std::string_view body, Timestamp now, WriteBatch* batch, IngestReport* report);
// `body` is decompressed already.
absl::Status DecodeLokiProtobuf(std::string_view body, Timestamp now, WriteBatch* batch, IngestReport* report);

// `{app="shop", level="info"}` with Go's strings: "..." with escapes, or `...`. False for anything else.
bool ParseLokiLabels(std::string_view text, std::vector<std::pair<std::string, std::string>>* labels);

}  // namespace braid::ingest
