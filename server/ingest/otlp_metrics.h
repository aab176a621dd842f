// OTLP metrics to Prometheus series, by the rules of OpenTelemetry's "Prometheus and OpenMetrics Compatibility" and as
// Prometheus' own OTLP receiver does it. docs/http.md, "How OTLP metrics become series", has the rules for users.
//
// Threads: one thread. Ownership: the writer keeps views only until the call that ends their scope.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/attribute_list.h"
#include "server/ingest/ingest_report.h"
#include "server/ingest/otlp_records.h"

namespace braid::ingest {

enum class OtlpMetricKind : uint8_t { kNone, kGauge, kSum, kHistogram, kExponentialHistogram, kSummary };
enum class OtlpTemporality : uint8_t { kUnspecified = 0, kDelta = 1, kCumulative = 2 };
inline constexpr uint32_t kNoRecordedValueFlag = 1;

struct OtlpMetric {
  std::string_view name, description, unit;
  OtlpMetricKind kind = OtlpMetricKind::kNone;
  OtlpTemporality temporality = OtlpTemporality::kUnspecified;
  bool monotonic = false;
};

struct OtlpExemplar {
  Timestamp time = 0;
  double value = 0;
  TraceId trace_id;
  SpanId span_id;
  AttributeList attributes;
};

// A data point of any kind; what a kind does not have stays empty.
struct OtlpPoint {
  AttributeList attributes;
  Timestamp start = 0;
  Timestamp time = 0;
  uint32_t flags = 0;
  bool has_value = false;
  double value = 0;  // gauge, sum
  uint64_t count = 0;
  bool has_sum = false, has_min = false, has_max = false;
  double sum = 0, min = 0, max = 0;
  std::vector<uint64_t> bucket_counts;  // histogram
  std::vector<double> bounds;
  int32_t scale = 0;  // exponential histogram
  uint64_t zero_count = 0;
  double zero_threshold = 0;
  int32_t positive_offset = 0, negative_offset = 0;
  std::vector<uint64_t> positive_counts, negative_counts;
  std::vector<std::pair<double, double>> quantiles;  // summary
  std::deque<OtlpExemplar> exemplars;
  size_t exemplar_count = 0;  // those in use; the rest wait for the next point

  OtlpExemplar* AddExemplar();
  void Clear();
};

// "http.server.duration" of unit "s" -> "http_server_duration_seconds"; monotonic sums end in "_total", ratios (unit
// "1" of a gauge) in "_ratio".
std::string PrometheusMetricName(const OtlpMetric& metric);
// "http.route" -> "http_route".
std::string PrometheusLabelName(std::string_view attribute);

class OtlpMetricsWriter {
 public:
  // All outlive the writer. Points without a time get `now`; `place` says where the decoder is when one is rejected.
  OtlpMetricsWriter(Timestamp now, const OtlpPlace* place, WriteBatch* batch, IngestReport* report)
      : now_(now), place_(place), batch_(batch), report_(report) {}

  void BeginResource(const AttributeList& attributes);
  void BeginScope(std::string_view name, std::string_view version, std::string_view schema_url,
                  const AttributeList& attributes);
  void BeginMetric(const OtlpMetric& metric);
  // One data point of the metric; rejected points are counted in the report with their place.
  void AddPoint(OtlpPoint* point);
  void EndResource();  // writes target_info

 private:
  using LabelList = std::vector<Label>;

  // What is wrong with the point, or "".
  std::string Problem(const OtlpPoint& point) const;
  void MakeLabels(const AttributeList& attributes);
  // The series `name` + the point's labels + one more label (none if `extra` is empty).
  WriteBatch::SeriesRef Series(std::string_view name, std::string_view extra = {}, std::string_view value = {});
  void AddNumber(OtlpPoint* point);
  void AddHistogram(const OtlpPoint& point, bool gone);
  void AddExponential(const OtlpPoint& point, bool gone);
  void AddSummary(const OtlpPoint& point, bool gone);
  void AddExtremes(const OtlpPoint& point);
  void AddCreated(const OtlpPoint& point);
  void AddExemplars(const OtlpPoint& point, WriteBatch::SeriesRef series, double above, double up_to);

  Timestamp now_;
  const OtlpPlace* place_;
  WriteBatch* batch_;
  IngestReport* report_;

  LabelList resource_labels_;  // put on every series
  LabelList target_labels_;    // of target_info
  LabelList scope_labels_;
  LabelList labels_;  // of the current point, sorted by name
  std::vector<LabelView> views_;
  Timestamp newest_ = 0;  // of the resource's points
  OtlpMetric metric_;
  std::string name_;
  std::string name_base_;  // without "_total"
};

}  // namespace braid::ingest
