// OTLP export requests in protobuf (opentelemetry-proto 1.x: ExportMetricsServiceRequest, ExportLogsServiceRequest,
// ExportTraceServiceRequest).
//
// Threads: pure functions. Errors: InvalidArgument for bytes that are not such a message (the batch is then to be
// thrown away), ResourceExhausted for one that unfolds to too much. Single records that cannot be kept are counted in
// `report`.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/ingest_report.h"
#include "server/ingest/otlp_records.h"

namespace braid::ingest {

// Appends what `body` holds to `*batch`. `now` is the time of records that have none.
absl::Status DecodeOtlpProtobuf(OtlpSignal signal, std::string_view body, Timestamp now, WriteBatch* batch,
                                IngestReport* report);

// The answers: Export...ServiceResponse with its partial_success (empty if nothing was rejected), google.rpc.Status.
std::string EncodeOtlpResponseProtobuf(uint64_t rejected, std::string_view message);
std::string EncodeRpcStatusProtobuf(int code, std::string_view message);

}  // namespace braid::ingest
