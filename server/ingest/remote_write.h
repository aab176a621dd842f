// Prometheus remote write 1.0: snappy block of a protobuf `prometheus.WriteRequest` (samples, exemplars, native
// histograms, metadata).
//
// Threads: pure functions. Errors: InvalidArgument for bytes that are no such message, ResourceExhausted for one too
// large. Series without labels or with repeated names are rejected one by one.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/ingest_report.h"

namespace braid::ingest {

// `body` is decompressed already (content_encoding.h).
absl::Status DecodeRemoteWrite(std::string_view body, WriteBatch* batch, IngestReport* report);

}  // namespace braid::ingest
