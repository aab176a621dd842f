#include "server/ingest/prometheus_protobuf.h"

#include <vector>

#include "server/ingest/ingest_limits.h"

namespace braid::ingest {
namespace {

using protozero::pbf_reader;

constexpr uint32_t Varint(uint32_t field) { return protozero::tag_and_type(field, protozero::pbf_wire_type::varint); }
constexpr uint32_t Fixed64(uint32_t field) { return protozero::tag_and_type(field, protozero::pbf_wire_type::fixed64); }
constexpr uint32_t Bytes(uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::length_delimited);
}

struct BucketSpan {
  int32_t offset = 0;
  uint32_t length = 0;
};

BucketSpan DecodeSpan(pbf_reader message) {
  BucketSpan span;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case Varint(1): span.offset = message.get_sint32(); break;
      case Varint(2): span.length = message.get_uint32(); break;
      default: message.skip();
    }
  }
  return span;
}

// One side of a histogram: spans and the counts they lay out, as differences (integer histograms) or as they are.
struct Side {
  std::vector<BucketSpan> spans;
  std::vector<int64_t> deltas;
  std::vector<double> counts;

  size_t size() const { return deltas.size() + counts.size(); }

  bool LayOut(std::vector<Histogram::Bucket>* buckets) const {
    const size_t given = counts.empty() ? deltas.size() : counts.size();
    size_t next = 0;
    int64_t index = 0;
    uint64_t running = 0;
    for (const BucketSpan& span : spans) {
      index += span.offset;
      if (span.length > given - next) return false;
      for (uint32_t i = 0; i < span.length; ++i, ++index, ++next) {
        if (index > INT32_MAX || index < INT32_MIN) return false;
        double count;
        if (counts.empty()) {
          running += static_cast<uint64_t>(deltas[next]);
          count = static_cast<double>(static_cast<int64_t>(running));
        } else {
          count = counts[next];
        }
        buckets->push_back({static_cast<int32_t>(index), count});
      }
    }
    return next == given;
  }
};

bool Ascends(const std::vector<Histogram::Bucket>& list) {
  for (size_t i = 1; i < list.size(); ++i) {
    if (list[i - 1].index >= list[i].index) return false;
  }
  return true;
}

}  // namespace

std::string DecodePrometheusHistogram(pbf_reader message, Timestamp* time, Histogram* histogram) {
  bool fits = true;
  Side negative, positive;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case Varint(1): histogram->count = static_cast<double>(message.get_uint64()); break;
      case Fixed64(2): histogram->count = message.get_double(); break;
      case Fixed64(3): histogram->sum = message.get_double(); break;
      case Varint(4): histogram->schema = message.get_sint32(); break;
      case Fixed64(5): histogram->zero_threshold = message.get_double(); break;
      case Varint(6): histogram->zero_count = static_cast<double>(message.get_uint64()); break;
      case Fixed64(7): histogram->zero_count = message.get_double(); break;
      case Bytes(8): negative.spans.push_back(DecodeSpan(message.get_message())); break;
      case Bytes(9):
        for (int64_t delta : message.get_packed_sint64()) negative.deltas.push_back(delta);
        break;
      case Bytes(10):
        for (double count : message.get_packed_double()) negative.counts.push_back(count);
        break;
      case Bytes(11): positive.spans.push_back(DecodeSpan(message.get_message())); break;
      case Bytes(12):
        for (int64_t delta : message.get_packed_sint64()) positive.deltas.push_back(delta);
        break;
      case Bytes(13):
        for (double count : message.get_packed_double()) positive.counts.push_back(count);
        break;
      case Varint(14): {
        const int32_t hint = message.get_enum();  // 0 unknown, 1 yes, 2 no, 3 gauge
        histogram->is_gauge = hint == 3;
        histogram->reset_unknown = hint != 2;
        break;
      }
      case Varint(15): fits = TimeOfMillis(message.get_int64(), time); break;
      case Bytes(16):
        for (double bound : message.get_packed_double()) histogram->custom_bounds.push_back(bound);
        break;
      default: message.skip();
    }
  }
  if (!fits) return "timestamp is beyond the range of nanoseconds";
  if (negative.size() + positive.size() + histogram->custom_bounds.size() > kHistogramBucketsMax) {
    return "more than " + std::to_string(kHistogramBucketsMax) + " buckets";
  }
  if (histogram->schema != -53 && (histogram->schema < -4 || histogram->schema > 8)) {
    return "native histogram of schema " + std::to_string(histogram->schema) + "; -4 to 8 and -53 are known";
  }
  if (!negative.LayOut(&histogram->negative) || !positive.LayOut(&histogram->positive)) {
    return "bucket spans and counts of a native histogram do not agree";
  }
  if (!Ascends(histogram->negative) || !Ascends(histogram->positive)) return "bucket spans overlap";
  return "";
}

const char* PrometheusTypeName(int32_t type) {
  static constexpr const char* kTypes[] = {"unknown",   "counter", "gauge", "histogram",
                                           "histogram", "summary", "info",  "stateset"};
  return type >= 0 && type < 8 ? kTypes[type] : "unknown";
}

std::string ProblemOfLabels(std::span<const LabelView> labels) {
  if (labels.empty()) return "series without labels";
  if (labels.size() > kLabelsMax) return "more than " + std::to_string(kLabelsMax) + " labels";
  size_t bytes = 0;
  bool valued = false;
  for (size_t i = 0; i < labels.size(); ++i) {
    bytes += labels[i].name.size() + labels[i].value.size();
    valued = valued || !labels[i].value.empty();
    if (labels[i].name.empty()) return "label without a name";
    for (size_t j = 0; j < i; ++j) {
      if (labels[i].name == labels[j].name) return "label " + std::string(labels[i].name) + " is given twice";
    }
  }
  if (bytes > kLabelBytesMax) return "labels of more than " + std::to_string(kLabelBytesMax) + " bytes";
  return valued ? "" : "series without labels";
}

std::string ProblemOfSeries(std::span<const LabelView> labels) {
  std::string problem = ProblemOfLabels(labels);
  if (!problem.empty()) return problem;
  for (const LabelView& label : labels) {
    if (label.name == kMetricNameLabel && !label.value.empty()) return "";
  }
  return "series without a metric name (label __name__)";
}

bool TakeExemplarId(std::string_view name, std::string_view value, Exemplar* exemplar) {
  if (name == "trace_id" || name == "traceID" || name == "traceId") return ParseTraceId(value, &exemplar->trace_id);
  if (name == "span_id" || name == "spanID" || name == "spanId") return ParseSpanId(value, &exemplar->span_id);
  return false;
}

bool TimeOfMillis(int64_t millis, Timestamp* time) { return !__builtin_mul_overflow(millis, kMillisecond, time); }

}  // namespace braid::ingest
