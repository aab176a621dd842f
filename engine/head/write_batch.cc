// batch      := three sections; the caller of WriteBatch sees none of this, the WAL copies the body as it is.
//
// series     := series_entry*                     the n-th entry is series n of this batch
//   series_entry := bytes(labels)                 labels := { bytes(name) bytes(value) }, ascending by name
// streams    := stream_entry*                     the n-th entry is stream n of this batch
//   stream_entry := bytes(stream)
//   stream     := attributes(resource) bytes(schema url) bytes(scope name) bytes(scope version)
//                 attributes(scope) bytes(scope schema url)            attributes ascending by name
// body       := item*
//   item     := 1 zigzag(series - last series) zigzag(time - last time) fixed64(value's bits)           a sample
//             | 2 zigzag(series - last series) zigzag(time - last time) bytes(histogram)
//             | 3 varint(series) bytes(exemplar)
//             | 4 bytes(metadata)
//             | 5 varint(stream) bytes(log)
//             | 6 varint(stream) bytes(span)
//   "last" is that of the sample or histogram before, at first 0; differences wrap around.
//
// log        := byte(has) fixed64(time) [1: fixed64(observed time)] [2: zigzag(severity)] [4: trace_id] [8:
// fixed64(span_id)]
//               [16: varint(flags)] [32: varint(dropped attributes)]
//               bytes(severity text) bytes(message) bytes(event name) attributes
// span       := byte(has) fixed64(start) zigzag(end - start) trace_id fixed64(span_id) [1: fixed64(parent_id)]
//               [2: varint(flags)] [4: varint(dropped attributes) varint(dropped events) varint(dropped links)]
//               byte(kind) byte(status) bytes(trace state) bytes(name) bytes(status message) attributes
//               varint(count) bytes(event)* varint(count) bytes(link)*
// event      := fixed64(time) varint(dropped attributes) bytes(name) attributes
// link       := trace_id fixed64(span_id) varint(flags) varint(dropped attributes) bytes(trace state) attributes
// exemplar   := byte(has) fixed64(time) fixed64(value's bits) [1: trace_id] [2: fixed64(span_id)] attributes
// metadata   := bytes(metric) bytes(type) bytes(unit) bytes(help)
// histogram  := zigzag(schema) byte(1: gauge, 2: reset unknown, 4: reset) fixed64 zero threshold, zero count, count,
// sum
//               buckets(positive) buckets(negative) varint(count) fixed64(custom bound)*
//   buckets  := varint(count) { zigzag(index - last index) fixed64(count's bits) }*
// attributes := varint(count) { bytes(name) value }*
//   value    := 0 | 1 (false) | 2 (true) | 3 zigzag | 4 fixed64(double's bits) | 5 bytes
// trace_id   := fixed64(high) fixed64(low)
#include "braid/write_batch.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "engine/base/coding.h"
#include "engine/base/text_order.h"
#include "engine/head/batch_reader.h"

namespace braid {
namespace {

void PutTraceId(std::string* out, TraceId id) {
  PutFixed64(out, id.high);
  PutFixed64(out, id.low);
}

char* PutBytesTo(char* at, std::string_view bytes) {
  at = PutVarintTo(at, bytes.size());
  return std::copy(bytes.begin(), bytes.end(), at);  // also of no bytes, which may stand nowhere
}

template <typename T>
char* PutFixedTo(char* at, T value) {
  std::memcpy(at, &value, sizeof(value));
  return at + sizeof(value);
}

char* PutValueTo(char* at, const ValueView& value) {
  switch (value.index()) {
    case 0: *at++ = 0; return at;
    case 1: *at++ = std::get<bool>(value) ? 2 : 1; return at;
    case 2: *at++ = 3; return PutVarintTo(at, ZigzagEncode(std::get<int64_t>(value)));
    case 3: *at++ = 4; return PutFixedTo(at, std::get<double>(value));
    default: *at++ = 5; return PutBytesTo(at, std::get<std::string_view>(value));
  }
}

// Bytes that attributes take at most.
size_t RoomOf(std::span<const AttributeView> attributes) {
  size_t room = kMaxVarintBytes;
  for (const AttributeView& attribute : attributes) {
    const auto* text = std::get_if<std::string_view>(&attribute.value);
    room += 2 * kMaxVarintBytes + 1 + attribute.name.size() + (text != nullptr ? text->size() : 0);
  }
  return room;
}

char* PutAttributesTo(char* at, std::span<const AttributeView> attributes) {
  at = PutVarintTo(at, attributes.size());
  for (const AttributeView& attribute : attributes) {
    at = PutValueTo(PutBytesTo(at, attribute.name), attribute.value);
  }
  return at;
}

void PutAttributes(std::string* out, std::span<const AttributeView> attributes) {
  // One growth, then plain copies.
  const size_t before = out->size();
  out->resize(before + RoomOf(attributes));
  char* const end = PutAttributesTo(out->data() + before, attributes);
  out->resize(static_cast<size_t>(end - out->data()));
}

void PutSortedAttributes(std::string* out, const std::vector<Attribute>& attributes) {
  std::vector<AttributeView> sorted;
  sorted.reserve(attributes.size());
  for (const Attribute& attribute : attributes) sorted.push_back({attribute.name, View(attribute.value)});
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const AttributeView& a, const AttributeView& b) { return a.name < b.name; });
  PutAttributes(out, sorted);
}

void PutBuckets(std::string* out, const std::vector<Histogram::Bucket>& buckets) {
  PutVarint(out, buckets.size());
  int64_t last = 0;
  for (const Histogram::Bucket& bucket : buckets) {
    PutZigzag(out, bucket.index - last);
    PutDouble(out, bucket.count);
    last = bucket.index;
  }
}

void PutHistogram(std::string* out, const Histogram& histogram) {
  PutZigzag(out, histogram.schema);
  PutByte(out, static_cast<uint8_t>((histogram.is_gauge ? 1 : 0) | (histogram.reset_unknown ? 2 : 0) |
                                    (histogram.reset ? 4 : 0)));
  PutDouble(out, histogram.zero_threshold);
  PutDouble(out, histogram.zero_count);
  PutDouble(out, histogram.count);
  PutDouble(out, histogram.sum);
  PutBuckets(out, histogram.positive);
  PutBuckets(out, histogram.negative);
  PutVarint(out, histogram.custom_bounds.size());
  for (double bound : histogram.custom_bounds) PutDouble(out, bound);
}

int64_t WrappingDifference(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

// What a thread keeps of the room for one record, from one record to the next.
constexpr size_t kKeptScratchBytes = size_t{64} << 10;

// Filled anew for each record that is written with its length before it.
std::string& Scratch() {
  thread_local std::string scratch;
  if (scratch.capacity() > kKeptScratchBytes) scratch = std::string();
  scratch.clear();
  return scratch;
}

// The same as plain room: a string would clear it first. What is too large to keep goes to `*large`.
char* ScratchOf(size_t bytes, std::unique_ptr<char[]>* large) {
  if (bytes > kKeptScratchBytes) {
    *large = std::make_unique_for_overwrite<char[]>(bytes);
    return large->get();
  }
  thread_local const auto room = std::make_unique_for_overwrite<char[]>(kKeptScratchBytes);
  return room.get();
}

}  // namespace

WriteBatch::SeriesRef WriteBatch::AddSeries(std::span<const LabelView> labels) {
  // Canonical bytes make the series' identity a comparison of bytes. Callers mostly come sorted already.
  size_t size = 0;
  bool in_order = true;
  const LabelView* last = nullptr;
  for (const LabelView& label : labels) {
    in_order = in_order && !label.value.empty() && (last == nullptr || CompareNames(last->name, label.name) < 0);
    size += VarintSize(label.name.size()) + label.name.size() + VarintSize(label.value.size()) + label.value.size();
    last = &label;
  }
  thread_local std::vector<LabelView> sorted;
  if (!in_order) {
    sorted.clear();
    size = 0;
    for (const LabelView& label : labels) {
      if (label.value.empty()) continue;
      sorted.push_back(label);
      size += VarintSize(label.name.size()) + label.name.size() + VarintSize(label.value.size()) + label.value.size();
    }
    auto by_name = [](const LabelView& a, const LabelView& b) { return a.name < b.name; };
    std::stable_sort(sorted.begin(), sorted.end(), by_name);
    labels = sorted;
  }
  // One growth of the section, then plain copies.
  const size_t before = series_.size();
  series_.resize(before + kMaxVarintBytes + size);
  char* at = PutVarintTo(series_.data() + before, size);
  for (const LabelView& label : labels) at = PutBytesTo(PutBytesTo(at, label.name), label.value);
  series_.resize(static_cast<size_t>(at - series_.data()));
  return series_count_++;
}

void WriteBatch::AddSample(SeriesRef series, Timestamp time, double value) {
  char item[1 + 2 * kMaxVarintBytes + sizeof(value)];
  item[0] = static_cast<char>(BatchItem::Kind::kSample);
  char* at = PutVarintTo(item + 1, ZigzagEncode(int64_t{series} - int64_t{last_series_}));
  at = PutVarintTo(at, ZigzagEncode(WrappingDifference(time, last_sample_time_)));
  std::memcpy(at, &value, sizeof(value));
  body_.append(item, static_cast<size_t>(at - item) + sizeof(value));
  last_series_ = series;
  last_sample_time_ = time;
  ++counts_.samples;
}

void WriteBatch::AddHistogram(SeriesRef series, Timestamp time, const Histogram& histogram) {
  std::string& bytes = Scratch();
  PutHistogram(&bytes, histogram);
  PutByte(&body_, static_cast<uint8_t>(BatchItem::Kind::kHistogram));
  PutZigzag(&body_, int64_t{series} - int64_t{last_series_});
  PutZigzag(&body_, WrappingDifference(time, last_sample_time_));
  PutBytes(&body_, bytes);
  last_series_ = series;
  last_sample_time_ = time;
  ++counts_.samples;
}

void WriteBatch::AddExemplar(SeriesRef series, const Exemplar& exemplar) {
  std::string& bytes = Scratch();
  const bool has_trace = !exemplar.trace_id.IsZero(), has_span = !exemplar.span_id.IsZero();
  PutByte(&bytes, static_cast<uint8_t>((has_trace ? 1 : 0) | (has_span ? 2 : 0)));
  PutFixed64(&bytes, static_cast<uint64_t>(exemplar.time));
  PutDouble(&bytes, exemplar.value);
  if (has_trace) PutTraceId(&bytes, exemplar.trace_id);
  if (has_span) PutFixed64(&bytes, exemplar.span_id.value);
  PutAttributes(&bytes, exemplar.attributes);
  PutByte(&body_, static_cast<uint8_t>(BatchItem::Kind::kExemplar));
  PutVarint(&body_, series);
  PutBytes(&body_, bytes);
  ++counts_.exemplars;
}

void WriteBatch::AddMetadata(const MetricMetadata& metadata) {
  std::string& bytes = Scratch();
  PutBytes(&bytes, metadata.metric);
  PutBytes(&bytes, metadata.type);
  PutBytes(&bytes, metadata.unit);
  PutBytes(&bytes, metadata.help);
  PutByte(&body_, static_cast<uint8_t>(BatchItem::Kind::kMetadata));
  PutBytes(&body_, bytes);
  ++counts_.metadata;
}

WriteBatch::StreamRef WriteBatch::AddStream(const Stream& stream) {
  std::string& bytes = Scratch();
  PutSortedAttributes(&bytes, stream.resource);
  PutBytes(&bytes, stream.resource_schema_url);
  PutBytes(&bytes, stream.scope_name);
  PutBytes(&bytes, stream.scope_version);
  PutSortedAttributes(&bytes, stream.scope_attributes);
  PutBytes(&bytes, stream.scope_schema_url);
  PutBytes(&streams_, bytes);
  return stream_count_++;
}

void WriteBatch::AddLog(StreamRef stream, const LogRecord& record) {
  uint8_t has = 0;
  if (record.observed_time != 0) has |= 1;
  if (record.severity_number != 0) has |= 2;
  if (!record.trace_id.IsZero()) has |= 4;
  if (!record.span_id.IsZero()) has |= 8;
  if (record.flags != 0) has |= 16;
  if (record.dropped_attributes != 0) has |= 32;
  constexpr size_t kFixedBytes = 1 + 5 * sizeof(uint64_t) + 6 * kMaxVarintBytes;
  const size_t bytes_max = kFixedBytes + record.severity_text.size() + record.message.size() +
                           record.event_name.size() + RoomOf(record.attributes);
  std::unique_ptr<char[]> large;
  char* const bytes = ScratchOf(bytes_max, &large);
  char* at = bytes;
  *at++ = static_cast<char>(has);
  at = PutFixedTo(at, record.time);
  if (has & 1) at = PutFixedTo(at, record.observed_time);
  if (has & 2) at = PutVarintTo(at, ZigzagEncode(record.severity_number));
  if (has & 4) at = PutFixedTo(PutFixedTo(at, record.trace_id.high), record.trace_id.low);
  if (has & 8) at = PutFixedTo(at, record.span_id.value);
  if (has & 16) at = PutVarintTo(at, record.flags);
  if (has & 32) at = PutVarintTo(at, record.dropped_attributes);
  at = PutBytesTo(at, record.severity_text);
  at = PutBytesTo(at, record.message);
  at = PutBytesTo(at, record.event_name);
  at = PutAttributesTo(at, record.attributes);
  const auto size = static_cast<size_t>(at - bytes);
  char head[1 + 2 * kMaxVarintBytes];
  head[0] = static_cast<char>(BatchItem::Kind::kLog);
  char* const head_end = PutVarintTo(PutVarintTo(head + 1, stream), size);
  body_.append(head, static_cast<size_t>(head_end - head));
  body_.append(bytes, size);
  ++counts_.logs;
}

void WriteBatch::AddSpan(StreamRef stream, const Span& span) {
  std::string& bytes = Scratch();
  uint8_t has = 0;
  if (!span.parent_id.IsZero()) has |= 1;
  if (span.flags != 0) has |= 2;
  if ((span.dropped_attributes | span.dropped_events | span.dropped_links) != 0) has |= 4;
  PutByte(&bytes, has);
  PutFixed64(&bytes, static_cast<uint64_t>(span.start));
  PutZigzag(&bytes, WrappingDifference(span.end, span.start));
  PutTraceId(&bytes, span.trace_id);
  PutFixed64(&bytes, span.span_id.value);
  if (has & 1) PutFixed64(&bytes, span.parent_id.value);
  if (has & 2) PutVarint(&bytes, span.flags);
  if (has & 4) {
    PutVarint(&bytes, span.dropped_attributes);
    PutVarint(&bytes, span.dropped_events);
    PutVarint(&bytes, span.dropped_links);
  }
  PutByte(&bytes, static_cast<uint8_t>(span.kind));
  PutByte(&bytes, static_cast<uint8_t>(span.status));
  PutBytes(&bytes, span.trace_state);
  PutBytes(&bytes, span.name);
  PutBytes(&bytes, span.status_message);
  PutAttributes(&bytes, span.attributes);
  thread_local std::string part;
  PutVarint(&bytes, span.events.size());
  for (const SpanEvent& event : span.events) {
    part.clear();
    PutFixed64(&part, static_cast<uint64_t>(event.time));
    PutVarint(&part, event.dropped_attributes);
    PutBytes(&part, event.name);
    PutAttributes(&part, event.attributes);
    PutBytes(&bytes, part);
  }
  PutVarint(&bytes, span.links.size());
  for (const SpanLink& link : span.links) {
    part.clear();
    PutTraceId(&part, link.trace_id);
    PutFixed64(&part, link.span_id.value);
    PutVarint(&part, link.flags);
    PutVarint(&part, link.dropped_attributes);
    PutBytes(&part, link.trace_state);
    PutAttributes(&part, link.attributes);
    PutBytes(&bytes, part);
  }
  PutByte(&body_, static_cast<uint8_t>(BatchItem::Kind::kSpan));
  PutVarint(&body_, stream);
  PutBytes(&body_, bytes);
  ++counts_.spans;
}

void WriteBatch::Clear() {
  series_.clear();
  streams_.clear();
  body_.clear();
  series_count_ = 0;
  stream_count_ = 0;
  last_series_ = 0;
  last_sample_time_ = 0;
  counts_ = {};
}

}  // namespace braid
