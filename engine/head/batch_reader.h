// Reading an encoded batch (grammar: write_batch.cc), whether a caller has just made it or the WAL kept it.
//
// Threads: pure functions and values. Ownership: what is decoded points into the bytes that were given.
// Errors: every function refuses, and never reads outside, bytes that no WriteBatch wrote.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "braid/snapshot.h"
#include "braid/write_batch.h"
#include "engine/base/coding.h"

namespace braid {

struct BatchItem {
  enum class Kind : uint8_t { kSample = 1, kHistogram = 2, kExemplar = 3, kMetadata = 4, kLog = 5, kSpan = 6 };
  Kind kind = Kind::kSample;
  uint32_t ref = 0;          // series or stream of this batch; not checked against their count
  Timestamp time = 0;        // samples and histograms
  double value = 0;          // samples
  std::string_view payload;  // everything else
};

class BodyReader {
 public:
  explicit BodyReader(std::string_view body) : in_(body) {}
  // False at the end and at the first bad item: then ok() is false.
  bool Next(BatchItem* item);
  bool ok() const { return in_.ok(); }

 private:
  Decoder in_;
  uint32_t last_series_ = 0;
  Timestamp last_time_ = 0;
};

// A view of each kind of record. `attributes` are read separately because a scan rarely wants them.
struct LogView {
  LogRecord record;  // without attributes
  std::string_view attributes;
};
struct SpanView {
  Span span;  // without attributes, events and links
  std::string_view attributes;
  std::vector<std::string_view> events;
  std::vector<std::string_view> links;
};
struct EventView {
  SpanEvent event;
  std::string_view attributes;
};
struct LinkView {
  SpanLink link;
  std::string_view attributes;
};
struct ExemplarView {
  Exemplar exemplar;
  std::string_view attributes;
};

bool DecodeLog(std::string_view payload, LogView* log);
bool DecodeSpan(std::string_view payload, SpanView* span);
// Without events and links, which stand behind `attributes`.
bool DecodeSpanFields(std::string_view payload, SpanView* span);
bool DecodeEvent(std::string_view payload, EventView* event);
bool DecodeLink(std::string_view payload, LinkView* link);
bool DecodeExemplar(std::string_view payload, ExemplarView* exemplar);
bool DecodeMetadata(std::string_view payload, MetricMetadata* metadata);
bool DecodeHistogram(std::string_view payload, Histogram* histogram);
// Labels as the series section has them. Checked: at least one, ascending by name, no empty value.
bool DecodeLabels(std::string_view bytes, Labels* labels);
bool DecodeStream(std::string_view bytes, Stream* stream);

// The attributes of a log record, span, event or link that was checked, with what follows them, nothing else decoded.
std::string_view AttributesOf(Table table, std::string_view payload);

// Steps through encoded attributes (with the count before them).
class AttributeReader {
 public:
  explicit AttributeReader(std::string_view attributes);
  bool Next(AttributeView* attribute);
  bool done() const { return left_ == 0 && in_.done(); }

 private:
  Decoder in_;
  uint64_t left_ = 0;
};

// The three sections of a batch, or of what the WAL kept of one.
struct BatchView {
  std::vector<std::string_view> series;  // labels of each
  std::vector<std::string_view> streams;
  std::string_view body;
};

// Splits a batch and checks everything that DB::Write promises to refuse. InvalidArgument says what is wrong and where.
absl::Status CheckBatch(const WriteBatch& batch, BatchView* view);
// The same check of a body whose series and streams are known to be good.
absl::Status CheckBody(std::string_view body, size_t series_count, size_t stream_count);
absl::Status CheckLabels(std::string_view bytes);
absl::Status CheckStream(std::string_view bytes);

}  // namespace braid
