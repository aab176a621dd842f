// Spans of Jaeger's clients and of OpenTelemetry's Jaeger exporters: Thrift, compact or binary, found out from the
// first bytes. (Node's exporter sends binary where Jaeger's documentation has compact.)
//
//   UDP 6831, 6832:           message Agent.emitBatch(1: Batch)
//   HTTP POST /api/traces:    a bare Batch
//   Batch { 1: Process { 1: service name, 2: tags }, 2: list<Span> }        (jaeger-idl, thrift/jaeger.thrift)
//
// Ids are two's complement numbers, times microseconds. The process becomes the resource; logs become events, named by
// their field `event` or `message`; a reference becomes the parent if the span names none, else a link.
//
// Threads: pure functions. Errors: InvalidArgument for bytes that are no such message; nothing is in the batch then.
// ResourceExhausted for one that unfolds to too much. Spans without ids or with impossible times are rejected one by
// one.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/ingest_report.h"

namespace braid::ingest {

absl::Status DecodeJaegerThrift(std::string_view bytes, WriteBatch* batch, IngestReport* report);

}  // namespace braid::ingest
