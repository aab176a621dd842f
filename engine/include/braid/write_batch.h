// A WriteBatch collects samples, exemplars, log records and spans that are to be written together: after a crash the
// whole batch is there or none of it is.
//
// Threads: one thread fills a batch; a filled batch may be read by many.
// Ownership: every Add... copies what it is given; views need to live only for the call.
// Limits: the encoded batch is at most kMaxBatchBytes; DB::Write answers InvalidArgument beyond it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "braid/types.h"

namespace braid {

// Where telemetry comes from: OpenTelemetry resource plus instrumentation scope. Log records and spans belong to a
// stream; two streams are the same if all fields are equal (attribute order does not matter).
struct Stream {
  std::vector<Attribute> resource;  // e.g. service.name, k8s.pod.name; names unique
  std::string resource_schema_url;
  std::string scope_name;
  std::string scope_version;
  std::vector<Attribute> scope_attributes;
  std::string scope_schema_url;
  friend bool operator==(const Stream&, const Stream&) = default;
};

struct LogRecord {
  Timestamp time = 0;
  Timestamp observed_time = 0;     // 0 = unknown
  int severity_number = 0;         // OpenTelemetry 1..24, 0 = unset
  std::string_view severity_text;  // as sent
  std::string_view message;        // body; a structured body is its JSON text
  std::string_view event_name;
  TraceId trace_id;
  SpanId span_id;
  uint32_t flags = 0;  // W3C trace flags and the reserved bits, as in OTLP
  uint32_t dropped_attributes = 0;
  std::span<const AttributeView> attributes;
};

struct SpanEvent {
  Timestamp time = 0;
  std::string_view name;
  std::span<const AttributeView> attributes;
  uint32_t dropped_attributes = 0;
};

struct SpanLink {
  TraceId trace_id;
  SpanId span_id;
  std::string_view trace_state;
  uint32_t flags = 0;
  std::span<const AttributeView> attributes;
  uint32_t dropped_attributes = 0;
};

struct Span {
  TraceId trace_id;  // REQUIRES: not zero
  SpanId span_id;    // REQUIRES: not zero
  SpanId parent_id;  // zero = root
  std::string_view trace_state;
  uint32_t flags = 0;
  std::string_view name;
  SpanKind kind = SpanKind::kUnset;
  Timestamp start = 0;
  Timestamp end = 0;  // an end before the start is kept as sent; its duration counts as 0
  StatusCode status = StatusCode::kUnset;
  std::string_view status_message;
  std::span<const AttributeView> attributes;
  std::span<const SpanEvent> events;
  std::span<const SpanLink> links;
  uint32_t dropped_attributes = 0;
  uint32_t dropped_events = 0;
  uint32_t dropped_links = 0;
};

struct Exemplar {
  Timestamp time = 0;
  double value = 0;
  TraceId trace_id;
  SpanId span_id;
  std::span<const AttributeView> attributes;  // the exemplar's labels other than the two ids
};

// What a metric is, as told by its producer. The last word written for a metric counts.
struct MetricMetadata {
  std::string metric;  // name without labels
  std::string type;    // "counter", "gauge", "histogram", "summary", "info", "stateset", "unknown"
  std::string unit;
  std::string help;
  friend bool operator==(const MetricMetadata&, const MetricMetadata&) = default;
};

struct LabelView {
  std::string_view name;
  std::string_view value;
};

class WriteBatch {
 public:
  // Numbers that are valid in this batch until Clear().
  using SeriesRef = uint32_t;
  using StreamRef = uint32_t;

  static constexpr size_t kMaxBatchBytes = size_t{256} << 20;

  // Names a series. Labels come in any order; empty values are dropped. Naming the same set twice is allowed and costs
  // its bytes again. REQUIRES: at least one label, names not repeated (DB::Write answers InvalidArgument).
  SeriesRef AddSeries(std::span<const LabelView> labels);
  void AddSample(SeriesRef series, Timestamp time, double value);
  void AddHistogram(SeriesRef series, Timestamp time, const Histogram& histogram);
  void AddExemplar(SeriesRef series, const Exemplar& exemplar);
  void AddMetadata(const MetricMetadata& metadata);

  StreamRef AddStream(const Stream& stream);
  void AddLog(StreamRef stream, const LogRecord& record);
  void AddSpan(StreamRef stream, const Span& span);

  struct Counts {
    uint64_t samples = 0;  // float and histogram samples
    uint64_t exemplars = 0;
    uint64_t logs = 0;
    uint64_t spans = 0;
    uint64_t metadata = 0;
  };
  const Counts& counts() const { return counts_; }
  bool empty() const { return series_count_ == 0 && stream_count_ == 0 && body_.empty(); }
  size_t byte_size() const { return series_.size() + streams_.size() + body_.size(); }
  void Clear();

  // The three encoded sections (grammar: engine/head/write_batch.cc). Series and streams are apart from the body so
  // that the WAL can write labels once per segment and copy the body as it is.
  std::string_view series_section() const { return series_; }
  std::string_view streams_section() const { return streams_; }
  std::string_view body() const { return body_; }
  uint32_t series_count() const { return series_count_; }
  uint32_t stream_count() const { return stream_count_; }

 private:
  std::string series_;
  std::string streams_;
  std::string body_;
  uint32_t series_count_ = 0;
  uint32_t stream_count_ = 0;
  uint32_t last_series_ = 0;  // samples are written as differences to the sample before
  Timestamp last_sample_time_ = 0;
  Counts counts_;
};

}  // namespace braid
