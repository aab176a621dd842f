// The plain values that every part of Braid speaks in: times, ids, labels, attribute values.
//
// Threads: values; no shared state. Times are int64 nanoseconds since the Unix epoch, UTC, for all signals.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace braid {

using Timestamp = int64_t;  // nanoseconds since 1970-01-01T00:00:00Z
using Duration = int64_t;   // nanoseconds

inline constexpr Timestamp kMinTimestamp = INT64_MIN;
inline constexpr Timestamp kMaxTimestamp = INT64_MAX;
inline constexpr Duration kMillisecond = 1'000'000;
inline constexpr Duration kSecond = 1'000'000'000;

// Both ends included. Empty if end < start.
struct TimeRange {
  Timestamp start = kMinTimestamp;
  Timestamp end = kMaxTimestamp;

  bool Contains(Timestamp t) const { return start <= t && t <= end; }
  bool Overlaps(const TimeRange& other) const { return start <= other.end && other.start <= end; }
  bool empty() const { return end < start; }
  friend bool operator==(const TimeRange&, const TimeRange&) = default;
};

// W3C trace id: 16 bytes, big-endian halves, so that numeric order is byte order. Zero means "none".
struct TraceId {
  uint64_t high = 0;
  uint64_t low = 0;

  bool IsZero() const { return (high | low) == 0; }
  friend auto operator<=>(const TraceId&, const TraceId&) = default;
};

// W3C span id: 8 bytes, big-endian. Zero means "none".
struct SpanId {
  uint64_t value = 0;

  bool IsZero() const { return value == 0; }
  friend auto operator<=>(const SpanId&, const SpanId&) = default;
};

std::string ToHex(TraceId id);  // 32 lower-case digits
std::string ToHex(SpanId id);   // 16 lower-case digits

// Reads hex of any case and of 1..32 (1..16) digits, dashes skipped, short ids padded on the left (64-bit Jaeger,
// Zipkin and Datadog ids). Returns false, leaving `*id` alone, for anything else.
bool ParseTraceId(std::string_view text, TraceId* id);
bool ParseSpanId(std::string_view text, SpanId* id);

// Severity of a log record, ordered. Ranges of OpenTelemetry severity numbers: 1-4 trace, 5-8 debug, ... 21-24 fatal.
enum class Level : uint8_t { kUnset = 0, kTrace = 1, kDebug = 2, kInfo = 3, kWarn = 4, kError = 5, kFatal = 6 };
// As in OTLP `Span.SpanKind`.
enum class SpanKind : uint8_t { kUnset = 0, kInternal = 1, kServer = 2, kClient = 3, kProducer = 4, kConsumer = 5 };
// As in OTLP `Status.StatusCode`.
enum class StatusCode : uint8_t { kUnset = 0, kOk = 1, kError = 2 };

std::string_view ToString(Level level);                // "unset", "trace", ... "fatal"
std::string_view ToString(SpanKind kind);              // "unset", "internal", ...
std::string_view ToString(StatusCode code);            // "unset", "ok", "error"
bool ParseLevel(std::string_view text, Level* level);  // any case; also "warning", "err", "critical", "notice", ...
bool ParseSpanKind(std::string_view text, SpanKind* kind);
bool ParseStatusCode(std::string_view text, StatusCode* code);
Level LevelOfSeverity(int severity_number);  // 0 or out of range -> kUnset
int SeverityOfLevel(Level level);            // lowest severity number of the level; 0 for kUnset

// A Prometheus label pair, and a label set sorted by name without empty values or repeated names.
struct Label {
  std::string name;
  std::string value;
  friend auto operator<=>(const Label&, const Label&) = default;
};
using Labels = std::vector<Label>;
inline constexpr std::string_view kMetricNameLabel = "__name__";

// Value of label `name`, or "" if absent. Works on any sorted or unsorted set.
std::string_view FindLabel(const Labels& labels, std::string_view name);
// `name{a="b"}` with Prometheus escaping.
std::string ToString(const Labels& labels);

// The value of an attribute. OTLP arrays and nested maps inside arrays are kept as their JSON text, bytes as base64.
using Value = std::variant<std::monostate, bool, int64_t, double, std::string>;
// The same without owning the text. Valid as long as the bytes that it was made from.
using ValueView = std::variant<std::monostate, bool, int64_t, double, std::string_view>;

struct Attribute {
  std::string name;
  Value value;
  friend bool operator==(const Attribute&, const Attribute&) = default;
};
struct AttributeView {
  std::string_view name;
  ValueView value;
};

ValueView View(const Value& value);
Value Own(const ValueView& value);
// Text as a user would write it: numbers in shortest form, booleans as true/false, null as "".
std::string ToText(const ValueView& value);

// A native (exponential or custom-bucket) histogram sample. One type for OTLP exponential histograms and Prometheus
// native histograms; counts are float so that both integer and float flavours fit without loss below 2^53.
// Source: OTLP metrics.proto `ExponentialHistogramDataPoint`; Prometheus native histogram specification.
struct Histogram {
  int32_t schema = 0;  // bucket i covers (base^(i-1), base^i], base = 2^(2^-schema); -53 = `custom_bounds` are used
  double zero_threshold = 0;
  double zero_count = 0;
  double count = 0;
  double sum = 0;
  bool is_gauge = false;      // no reset detection
  bool reset_unknown = true;  // false: the producer said that no reset happened since the sample before
  struct Bucket {
    int32_t index;
    double count;
    friend bool operator==(const Bucket&, const Bucket&) = default;
  };
  std::vector<Bucket> positive;  // ascending index, populated or explicitly zero buckets
  std::vector<Bucket> negative;
  std::vector<double> custom_bounds;  // ascending upper bounds, only with schema -53
  bool reset = false;                 // the producer said that the counter was reset just before this sample
  friend bool operator==(const Histogram&, const Histogram&) = default;
};

// The value by which Prometheus marks a series as gone: a NaN of this very bit pattern.
inline constexpr uint64_t kStaleNanBits = 0x7ff0000000000002ULL;
bool IsStaleNan(double value);
double StaleNan();

}  // namespace braid
