// What the protobuf and the JSON form of OTLP have in common: places for messages, and log records and spans on their
// way into a batch.
//
// Threads: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/attribute_list.h"
#include "server/ingest/ingest_report.h"

namespace braid::ingest {

enum class OtlpSignal : uint8_t { kMetrics, kLogs, kTraces };

// Where in a request the decoder is.
struct OtlpPlace {
  OtlpSignal signal = OtlpSignal::kLogs;
  size_t resource = 0, scope = 0, metric = 0, record = 0;
  std::string Text() const;  // "resourceSpans[0].scopeSpans[1].spans[7]"
};

// Log records and spans of one resource after another.
class OtlpRecords {
 public:
  // All outlive the object.
  OtlpRecords(Timestamp now, const OtlpPlace* place, WriteBatch* batch, IngestReport* report)
      : now_(now), place_(place), batch_(batch), report_(report) {}

  void BeginResource(const AttributeList& attributes, std::string_view schema_url);
  void BeginScope(std::string_view name, std::string_view version, std::string_view schema_url,
                  const AttributeList& attributes);
  // Instead of both: the records that follow belong to a stream that this object has named in the batch before.
  void ResumeStream(WriteBatch::StreamRef ref) {
    ref_ = ref;
    named_ = true;
  }
  // Whether the stream is in the batch, which it is from its first record on, and under which number.
  bool IsNamed(WriteBatch::StreamRef* ref) const {
    *ref = ref_;
    return named_;
  }
  // `attributes` become the record's. A record without a time gets its observed time, else now. A level that stands
  // only in the severity text is read from it.
  void AddLog(LogRecord* record, const AttributeList& attributes);
  // Events and links are set already. Rejects spans without ids or with impossible times.
  void AddSpan(Span* span, const AttributeList& attributes);

 private:
  WriteBatch::StreamRef Ref();

  Timestamp now_;
  const OtlpPlace* place_;
  WriteBatch* batch_;
  IngestReport* report_;
  Stream stream_;
  bool named_ = false;  // the stream is in the batch as ref_
  WriteBatch::StreamRef ref_ = 0;
};

// 16 (8) bytes of a binary id; false, and zero, for another length.
bool TraceIdOfBytes(std::string_view bytes, TraceId* id);
bool SpanIdOfBytes(std::string_view bytes, SpanId* id);

// ResourceExhausted once a batch has outgrown what may be written at once, Unavailable if other bodies leave no room.
absl::Status CheckBatchSize(const WriteBatch& batch, IngestReport* report);

}  // namespace braid::ingest
