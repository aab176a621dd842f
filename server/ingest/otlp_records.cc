#include "server/ingest/otlp_records.h"

#include <algorithm>

#include "server/ingest/content_encoding.h"

namespace braid::ingest {
namespace {

uint64_t BigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = (value << 8) | static_cast<uint8_t>(bytes[i]);
  return value;
}

std::string Index(const char* name, size_t index) { return std::string(name) + "[" + std::to_string(index) + "]"; }

}  // namespace

std::string OtlpPlace::Text() const {
  switch (signal) {
    case OtlpSignal::kMetrics:
      return Index("resourceMetrics", resource) + Index(".scopeMetrics", scope) + Index(".metrics", metric) +
             Index(".dataPoints", record);
    case OtlpSignal::kLogs:
      return Index("resourceLogs", resource) + Index(".scopeLogs", scope) + Index(".logRecords", record);
    case OtlpSignal::kTraces:
      return Index("resourceSpans", resource) + Index(".scopeSpans", scope) + Index(".spans", record);
  }
  return "";
}

bool TraceIdOfBytes(std::string_view bytes, TraceId* id) {
  *id = {};
  if (bytes.size() != 16) return false;
  *id = {BigEndian(bytes), BigEndian(bytes.substr(8))};
  return true;
}

bool SpanIdOfBytes(std::string_view bytes, SpanId* id) {
  *id = {};
  if (bytes.size() != 8) return false;
  *id = {BigEndian(bytes)};
  return true;
}

absl::Status CheckBatchSize(const WriteBatch& batch, IngestReport* report) {
  if (report->Fits(batch)) return absl::OkStatus();
  if (report->no_room) return TooManyBodies();
  return absl::ResourceExhaustedError("the request unfolds to more than " +
                                      std::to_string(WriteBatch::kMaxBatchBytes >> 20) +
                                      " MiB of records; send it in smaller requests");
}

void OtlpRecords::BeginResource(const AttributeList& attributes, std::string_view schema_url) {
  stream_ = Stream();
  stream_.resource = attributes.Owned();
  stream_.resource_schema_url = schema_url;
  named_ = false;
}

void OtlpRecords::BeginScope(std::string_view name, std::string_view version, std::string_view schema_url,
                             const AttributeList& attributes) {
  stream_.scope_name = name;
  stream_.scope_version = version;
  stream_.scope_schema_url = schema_url;
  stream_.scope_attributes = attributes.Owned();
  named_ = false;
}

WriteBatch::StreamRef OtlpRecords::Ref() {
  if (!named_) {
    ref_ = batch_->AddStream(stream_);
    named_ = true;
  }
  return ref_;
}

void OtlpRecords::AddLog(LogRecord* record, const AttributeList& attributes) {
  if (record->time < 0 || record->observed_time < 0) {
    report_->Reject(1, place_->Text(), "time is after the year 2262");
    return;
  }
  if (record->time == 0) {
    record->time = record->observed_time != 0 ? record->observed_time : now_;
    if (record->observed_time == 0) ++report_->untimed;
  }
  if (record->severity_number < 0 || record->severity_number > 24) record->severity_number = 0;
  if (record->severity_number == 0 && !record->severity_text.empty()) {
    Level level;
    if (ParseLevel(record->severity_text, &level)) record->severity_number = SeverityOfLevel(level);
  }
  record->attributes = attributes.views();
  record->dropped_attributes += attributes.dropped();
  batch_->AddLog(Ref(), *record);
  ++report_->accepted;
}

void OtlpRecords::AddSpan(Span* span, const AttributeList& attributes) {
  const char* problem = nullptr;
  if (span->trace_id.IsZero()) {
    problem = "trace id is missing, zero or not of 16 bytes";
  } else if (span->span_id.IsZero()) {
    problem = "span id is missing, zero or not of 8 bytes";
  } else if (span->start < 0 || span->end < 0) {
    problem = "time is after the year 2262";
  } else if (std::any_of(span->events.begin(), span->events.end(), [](const SpanEvent& e) { return e.time < 0; })) {
    problem = "time of an event is after the year 2262";
  }
  if (problem != nullptr) {
    report_->Reject(1, place_->Text(), problem);
    return;
  }
  span->attributes = attributes.views();
  span->dropped_attributes += attributes.dropped();
  batch_->AddSpan(Ref(), *span);
  ++report_->accepted;
}

}  // namespace braid::ingest
