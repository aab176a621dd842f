// One span of a format that knows only tags (Jaeger, Zipkin) on its way into a batch.
//
// OpenTelemetry's exporters for those formats hide among the tags what the formats have no field for: kind, status,
// scope, trace state, numbers of what was dropped, and the whole resource. Finish() puts all of it back where it
// belongs (opentelemetry.io/docs/specs/otel/trace/sdk_exporters/jaeger and /zipkin, read backwards).
//
// Threads: one thread. Ownership: views given to an assembly live until Finish().
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/attribute_list.h"
#include "server/ingest/ingest_report.h"

namespace braid::ingest {

// What a tag `error` means.
enum class ErrorTag {
  kTruth,     // Jaeger: an error if it is true
  kPresence,  // Zipkin: an error, and its value is the message
};

class SpanAssembly {
 public:
  // Both outlive the object.
  SpanAssembly(ErrorTag error_tag, WriteBatch* batch, IngestReport* report)
      : error_tag_(error_tag), batch_(batch), report_(report) {}

  // The resource that the next spans share.
  void BeginResource(std::vector<Attribute> resource);

  // The next span: fill `span` but for attributes, events and links, and `tags`.
  void BeginSpan();
  Span span;
  AttributeList tags;
  // Attributes of the event or link; null beyond the limits, which counts it as dropped.
  AttributeList* AddEvent();
  // Of the event that was added last.
  void FinishEvent(Timestamp time, std::string_view name) {
    events_.back().time = time;
    events_.back().name = tags.arena().CleanText(name);
  }
  AttributeList* AddLink(TraceId trace_id, SpanId span_id);
  // Writes the span, or rejects one without ids or with impossible times; `place` says where it stood.
  void Finish(size_t place);

 private:
  bool TakeKnownTag(const AttributeView& tag);
  bool TakeErrorTag(const ValueView& value);
  bool IsOfResource(const AttributeView& tag, bool* known) const;
  WriteBatch::StreamRef StreamOfTags();

  ErrorTag error_tag_;
  WriteBatch* batch_;
  IngestReport* report_;
  std::vector<Attribute> resource_;
  // Streams of the resource by what its spans add to it.
  absl::flat_hash_map<std::string, WriteBatch::StreamRef> streams_;
  size_t stream_count_ = 0;  // of all resources

  std::vector<SpanEvent> events_;
  std::vector<SpanLink> links_;
  std::deque<AttributeList> event_attributes_, link_attributes_;
  std::string_view scope_name_, scope_version_;
};

// Microseconds as nanoseconds; -1 if that is beyond their range, or negative.
Timestamp TimeOfMicros(int64_t micros);

}  // namespace braid::ingest
