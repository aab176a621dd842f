// Zipkin's spans, version 2, in JSON: an array of span objects (zipkin-api, zipkin2-api.yaml).
//
// Ids of 64 or 128 bits; times in microseconds; annotations become events; localEndpoint.serviceName becomes the
// service; tags that OpenTelemetry's Zipkin exporters write are put back where they belong (span_assembly.h). A span
// without a kind is internal. The server's half of a shared span keeps its id, which is the client's, and gets the
// attribute `zipkin.shared`.
//
// Threads: pure functions. Errors: InvalidArgument for a body that is no such array, ResourceExhausted for one that is
// too large. Spans that cannot be kept are rejected one by one.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/ingest_report.h"

namespace braid::ingest {

// `now` is the time of spans without one.
absl::Status DecodeZipkinJson(std::string_view body, Timestamp now, WriteBatch* batch, IngestReport* report);

}  // namespace braid::ingest
