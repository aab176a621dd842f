#include "server/ingest/otlp_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/ingest/json_text.h"

namespace braid::ingest {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Resource attributes that say where a series comes from, and the labels they become. `service` is the name that logs
// and spans carry too, so that a join needs no renaming. Of attributes for one label the first counts.
constexpr std::pair<std::string_view, std::string_view> kPromoted[] = {
    {"service.name", "service"},
    {"service.instance.id", "instance"},
    {"k8s.pod.name", "instance"},
    {"host.name", "instance"},
    {"k8s.namespace.name", "namespace"},
    {"k8s.pod.name", "pod"},
    {"k8s.container.name", "container"},
    {"container.name", "container"},
    {"k8s.node.name", "node"},
    {"k8s.cluster.name", "cluster"},
    {"host.name", "host"},
    {"deployment.environment.name", "env"},
    {"deployment.environment", "env"},
};

std::string TextOf(const ValueView& value) { return ToText(value); }

void SetLabel(std::vector<Label>* labels, std::string name, std::string value) {
  if (value.empty()) return;
  for (Label& label : *labels) {
    if (label.name == name) {
      label.value = std::move(value);
      return;
    }
  }
  labels->push_back({std::move(name), std::move(value)});
}

bool HasLabel(const std::vector<Label>& labels, std::string_view name) {
  return std::any_of(labels.begin(), labels.end(), [&](const Label& label) { return label.name == name; });
}

// Attributes as labels. Two attributes that sanitize to one name are joined with ";" in the order of their names, so
// that neither is lost and the result does not depend on the order sent.
void AddAttributes(std::span<const AttributeView> attributes, std::string_view prefix, std::vector<Label>* labels) {
  struct Entry {
    std::string name;
    std::string_view original;
    std::string value;
  };
  std::vector<Entry> entries;
  for (const AttributeView& attribute : attributes) {
    std::string value = TextOf(attribute.value);
    if (value.empty()) continue;
    entries.push_back(
        {PrometheusLabelName(std::string(prefix) + std::string(attribute.name)), attribute.name, std::move(value)});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.name != b.name ? a.name < b.name : a.original < b.original;
  });
  for (size_t i = 0; i < entries.size(); ++i) {
    std::string value = std::move(entries[i].value);
    while (i + 1 < entries.size() && entries[i + 1].name == entries[i].name) value += ";" + entries[++i].value;
    SetLabel(labels, entries[i].name, std::move(value));
  }
}

std::string BoundText(double bound) { return std::isinf(bound) && bound > 0 ? "+Inf" : ToText(ValueView(bound)); }

}  // namespace

OtlpExemplar* OtlpPoint::AddExemplar() {
  if (exemplar_count == exemplars.size()) exemplars.emplace_back();
  OtlpExemplar* exemplar = &exemplars[exemplar_count++];
  exemplar->time = 0;
  exemplar->value = 0;
  exemplar->trace_id = {};
  exemplar->span_id = {};
  exemplar->attributes.Clear();
  return exemplar;
}

void OtlpPoint::Clear() {
  attributes.Clear();
  start = time = 0;
  flags = 0;
  has_value = has_sum = has_min = has_max = false;
  value = sum = min = max = 0;
  count = zero_count = 0;
  zero_threshold = 0;
  scale = positive_offset = negative_offset = 0;
  bucket_counts.clear();
  bounds.clear();
  positive_counts.clear();
  negative_counts.clear();
  quantiles.clear();
  exemplar_count = 0;
}

void OtlpMetricsWriter::BeginResource(const AttributeList& attributes) {
  resource_labels_.clear();
  target_labels_.clear();
  newest_ = 0;
  const std::string service(attributes.Text("service.name"));
  const std::string space(attributes.Text("service.namespace"));
  if (!service.empty()) SetLabel(&resource_labels_, "job", space.empty() ? service : space + "/" + service);
  for (const auto& [attribute, label] : kPromoted) {
    if (HasLabel(resource_labels_, label)) continue;
    for (const AttributeView& view : attributes.views()) {
      if (view.name == attribute) SetLabel(&resource_labels_, std::string(label), TextOf(view.value));
    }
  }
  AddAttributes(attributes.views(), "", &target_labels_);
}

void OtlpMetricsWriter::BeginScope(std::string_view name, std::string_view version, std::string_view schema_url,
                                   const AttributeList& attributes) {
  scope_labels_.clear();
  AddAttributes(attributes.views(), "otel_scope_", &scope_labels_);
  SetLabel(&scope_labels_, "otel_scope_name", std::string(name));
  SetLabel(&scope_labels_, "otel_scope_version", std::string(version));
  SetLabel(&scope_labels_, "otel_scope_schema_url", std::string(schema_url));
}

void OtlpMetricsWriter::BeginMetric(const OtlpMetric& metric) {
  metric_ = metric;
  name_ = PrometheusMetricName(metric);
  name_base_ = name_;
  constexpr std::string_view kTotal = "_total";
  if (name_base_.ends_with(kTotal)) name_base_.resize(name_base_.size() - kTotal.size());
  MetricMetadata metadata;
  metadata.metric = name_;
  const bool delta = metric.temporality == OtlpTemporality::kDelta;
  switch (metric.kind) {
    case OtlpMetricKind::kGauge: metadata.type = "gauge"; break;
    case OtlpMetricKind::kSum: metadata.type = metric.monotonic && !delta ? "counter" : "gauge"; break;
    case OtlpMetricKind::kHistogram:
    case OtlpMetricKind::kExponentialHistogram: metadata.type = "histogram"; break;
    case OtlpMetricKind::kSummary: metadata.type = "summary"; break;
    case OtlpMetricKind::kNone: return;
  }
  metadata.unit = RepairUtf8(metric.unit);
  metadata.help = RepairUtf8(metric.description);
  batch_->AddMetadata(metadata);
}

void OtlpMetricsWriter::MakeLabels(const AttributeList& attributes) {
  labels_ = resource_labels_;
  for (const Label& label : scope_labels_) SetLabel(&labels_, label.name, label.value);
  // What the program says about the point wins over what its resource says.
  AddAttributes(attributes.views(), "", &labels_);
  if (metric_.temporality == OtlpTemporality::kDelta) SetLabel(&labels_, "__temporality__", "delta");
  std::erase_if(labels_, [](const Label& label) { return label.name == kMetricNameLabel; });
}

WriteBatch::SeriesRef OtlpMetricsWriter::Series(std::string_view name, std::string_view extra, std::string_view value) {
  // One point of many buckets and long labels could fill memory by itself; the decoder refuses a batch of this size.
  if (!report_->Fits(*batch_)) return 0;
  views_.clear();
  views_.push_back({kMetricNameLabel, name});
  for (const Label& label : labels_) {
    if (label.name != extra) views_.push_back({label.name, label.value});
  }
  if (!extra.empty()) views_.push_back({extra, value});
  return batch_->AddSeries(views_);
}

std::string OtlpMetricsWriter::Problem(const OtlpPoint& point) const {
  const bool gone = (point.flags & kNoRecordedValueFlag) != 0;
  if (metric_.name.empty()) return "metric without a name";
  if (point.time < 0 || point.start < 0) return "time is after the year 2262";
  if (point.attributes.views().size() > kLabelsMax) {
    return "more than " + std::to_string(kLabelsMax) + " attributes on a data point";
  }
  const bool accumulates = metric_.kind == OtlpMetricKind::kSum || metric_.kind == OtlpMetricKind::kHistogram ||
                           metric_.kind == OtlpMetricKind::kExponentialHistogram;
  if (accumulates && metric_.temporality == OtlpTemporality::kUnspecified) {
    return "aggregation temporality is unspecified: neither delta nor cumulative";
  }
  if (metric_.kind == OtlpMetricKind::kHistogram) {
    const std::vector<double>& bounds = point.bounds;
    if (!std::is_sorted(bounds.begin(), bounds.end()) ||
        std::any_of(bounds.begin(), bounds.end(), [](double bound) { return std::isnan(bound); })) {
      return "explicit bounds do not ascend";
    }
    if (bounds.size() > kHistogramBucketsMax) return "too many buckets";
    const bool fits = point.bucket_counts.empty() ? bounds.empty() : point.bucket_counts.size() == bounds.size() + 1;
    if (!fits && !gone) {
      return std::to_string(point.bucket_counts.size()) + " bucket counts for " + std::to_string(bounds.size()) +
             " bounds";
    }
  } else if (metric_.kind == OtlpMetricKind::kExponentialHistogram) {
    if (point.positive_counts.size() + point.negative_counts.size() > kHistogramBucketsMax) return "too many buckets";
    if (point.scale < -4) return "scale " + std::to_string(point.scale) + " is below -4";
  } else if (metric_.kind == OtlpMetricKind::kSummary) {
    if (point.quantiles.size() > kHistogramBucketsMax) return "too many quantiles";
  } else if (!point.has_value && !gone) {
    return "data point without a value";
  }
  return "";
}

void OtlpMetricsWriter::AddPoint(OtlpPoint* point) {
  if (std::string problem = Problem(*point); !problem.empty()) {
    report_->Reject(1, place_->Text(), std::move(problem));
    return;
  }
  if (point->time == 0) point->time = now_;
  const bool gone = (point->flags & kNoRecordedValueFlag) != 0;
  MakeLabels(point->attributes);
  views_.clear();
  views_.push_back({kMetricNameLabel, name_});
  for (const Label& label : labels_) views_.push_back({label.name, label.value});
  // A classic histogram or summary is a series for each bound or quantile, and some more.
  const uint64_t series = metric_.kind == OtlpMetricKind::kHistogram ? point->bounds.size() + 3
                          : metric_.kind == OtlpMetricKind::kSummary ? point->quantiles.size() + 2
                                                                     : 1;
  if (std::string problem; !report_->Admit(views_, series, 1, &problem)) {
    report_->Reject(1, place_->Text(), std::move(problem));
    return;
  }
  switch (metric_.kind) {
    case OtlpMetricKind::kGauge:
    case OtlpMetricKind::kSum:
      if (gone) point->value = StaleNan();
      AddNumber(point);
      break;
    case OtlpMetricKind::kHistogram: AddHistogram(*point, gone); break;
    case OtlpMetricKind::kExponentialHistogram: AddExponential(*point, gone); break;
    case OtlpMetricKind::kSummary: AddSummary(*point, gone); break;
    case OtlpMetricKind::kNone: return;
  }
  if (!gone) AddCreated(*point);
  newest_ = std::max(newest_, point->time);
  ++report_->accepted;
}

void OtlpMetricsWriter::AddNumber(OtlpPoint* point) {
  const WriteBatch::SeriesRef series = Series(name_);
  batch_->AddSample(series, point->time, point->value);
  AddExemplars(*point, series, -kInfinity, kInfinity);
}

// Classic histogram: cumulative `_bucket{le}` series, `_count` and, if known, `_sum`.
void OtlpMetricsWriter::AddHistogram(const OtlpPoint& point, bool gone) {
  const auto sample = [&](WriteBatch::SeriesRef series, double value) {
    batch_->AddSample(series, point.time, gone ? StaleNan() : value);
  };
  const std::string bucket = name_ + "_bucket";
  uint64_t cumulative = 0;
  double below = -kInfinity;
  for (size_t i = 0; i < point.bounds.size(); ++i) {
    if (i < point.bucket_counts.size()) cumulative += point.bucket_counts[i];
    // A bound of infinity is the last bucket, which is written below.
    if (std::isinf(point.bounds[i]) && point.bounds[i] > 0) break;
    const WriteBatch::SeriesRef series = Series(bucket, "le", BoundText(point.bounds[i]));
    sample(series, static_cast<double>(cumulative));
    AddExemplars(point, series, below, point.bounds[i]);
    below = point.bounds[i];
  }
  const WriteBatch::SeriesRef last = Series(bucket, "le", "+Inf");
  sample(last, static_cast<double>(point.count));
  AddExemplars(point, last, below, kInfinity);
  sample(Series(name_ + "_count"), static_cast<double>(point.count));
  if (point.has_sum || gone) sample(Series(name_ + "_sum"), point.sum);
  if (!gone) AddExtremes(point);
}

// Native histogram. OTLP bucket `offset + i` covers (base^index, base^(index+1)], ours base^(index-1) to base^index.
// Scales above 8 are merged down, as Prometheus does: its schemas end there.
void OtlpMetricsWriter::AddExponential(const OtlpPoint& point, bool gone) {
  Histogram histogram;
  const int shift = point.scale > 8 ? std::min(point.scale - 8, 31) : 0;
  histogram.schema = std::min(point.scale, 8);
  histogram.zero_threshold = point.zero_threshold;
  histogram.zero_count = static_cast<double>(point.zero_count);
  histogram.count = gone ? StaleNan() : static_cast<double>(point.count);
  histogram.sum = gone ? StaleNan() : point.sum;
  histogram.is_gauge = metric_.temporality == OtlpTemporality::kDelta;
  const auto fill = [&](int32_t offset, const std::vector<uint64_t>& counts, std::vector<Histogram::Bucket>* buckets) {
    for (size_t i = 0; i < counts.size(); ++i) {
      const int64_t index = ((int64_t{offset} + static_cast<int64_t>(i)) >> shift) + 1;
      if (counts[i] == 0 || index > INT32_MAX || index < INT32_MIN) continue;
      if (!buckets->empty() && buckets->back().index == index) {
        buckets->back().count += static_cast<double>(counts[i]);
      } else {
        buckets->push_back({static_cast<int32_t>(index), static_cast<double>(counts[i])});
      }
    }
  };
  fill(point.positive_offset, point.positive_counts, &histogram.positive);
  fill(point.negative_offset, point.negative_counts, &histogram.negative);
  const WriteBatch::SeriesRef series = Series(name_);
  batch_->AddHistogram(series, point.time, histogram);
  AddExemplars(point, series, -kInfinity, kInfinity);
  if (!gone) AddExtremes(point);
}

void OtlpMetricsWriter::AddSummary(const OtlpPoint& point, bool gone) {
  const auto sample = [&](WriteBatch::SeriesRef series, double value) {
    batch_->AddSample(series, point.time, gone ? StaleNan() : value);
  };
  for (const auto& [quantile, value] : point.quantiles) sample(Series(name_, "quantile", BoundText(quantile)), value);
  sample(Series(name_ + "_sum"), point.sum);
  sample(Series(name_ + "_count"), static_cast<double>(point.count));
}

// Prometheus has no place for a histogram's smallest and largest value; they are gauges of their own.
void OtlpMetricsWriter::AddExtremes(const OtlpPoint& point) {
  if (point.has_min) batch_->AddSample(Series(name_ + "_min"), point.time, point.min);
  if (point.has_max) batch_->AddSample(Series(name_ + "_max"), point.time, point.max);
}

// When counting began, in seconds, as OpenMetrics' `_created`.
void OtlpMetricsWriter::AddCreated(const OtlpPoint& point) {
  const bool counts = (metric_.kind == OtlpMetricKind::kSum && metric_.monotonic) ||
                      metric_.kind == OtlpMetricKind::kHistogram ||
                      metric_.kind == OtlpMetricKind::kExponentialHistogram || metric_.kind == OtlpMetricKind::kSummary;
  if (!counts || point.start <= 0 || metric_.temporality == OtlpTemporality::kDelta) return;
  batch_->AddSample(Series(name_base_ + "_created"), point.time, static_cast<double>(point.start) / 1e9);
}

void OtlpMetricsWriter::AddExemplars(const OtlpPoint& point, WriteBatch::SeriesRef series, double above, double up_to) {
  for (size_t i = 0; i < point.exemplar_count; ++i) {
    const OtlpExemplar& from = point.exemplars[i];
    const bool inside = above < from.value && from.value <= up_to;
    const bool everywhere = above == -kInfinity && up_to == kInfinity;
    if (!inside && !everywhere) continue;
    Exemplar exemplar;
    exemplar.time = from.time > 0 ? from.time : point.time;  // one after 2262 cannot be kept
    exemplar.value = from.value;
    exemplar.trace_id = from.trace_id;
    exemplar.span_id = from.span_id;
    exemplar.attributes = from.attributes.views();
    batch_->AddExemplar(series, exemplar);
  }
}

void OtlpMetricsWriter::EndResource() {
  // As Prometheus: only if the resource says more than job and instance, and something to join it to was written.
  const bool says_more = std::any_of(target_labels_.begin(), target_labels_.end(), [](const Label& label) {
    return label.name != "service_name" && label.name != "service_namespace" && label.name != "service_instance_id";
  });
  const bool identified = HasLabel(resource_labels_, "job") || HasLabel(resource_labels_, "instance");
  if (newest_ == 0 || !says_more || !identified) return;
  labels_ = resource_labels_;
  for (const Label& label : target_labels_) {
    if (label.name != kMetricNameLabel) SetLabel(&labels_, label.name, label.value);
  }
  batch_->AddSample(Series("target_info"), newest_, 1);
}

}  // namespace braid::ingest
