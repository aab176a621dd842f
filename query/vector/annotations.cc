#include "query/vector/annotations.h"

#include <algorithm>

#include "query/vector/number_text.h"

namespace braid::promql {
namespace {

std::string PlaceText(const Place& place) {
  return " (" + std::to_string(place.line) + ":" + std::to_string(place.column) + ")";
}

std::string WithMetric(std::string text, std::string_view metric) {
  return metric.empty() ? text : text + " for metric name " + QuotedText(metric);
}

std::string_view OperationName(Annotations::HistogramOperation operation) {
  switch (operation) {
    case Annotations::HistogramOperation::kAddition: return "addition";
    case Annotations::HistogramOperation::kSubtraction: return "subtraction";
    case Annotations::HistogramOperation::kAggregation: return "aggregation";
  }
  return "";
}

}  // namespace

void Annotations::Warn(std::string text, const Place& place) {
  entries_.emplace("PromQL warning: " + std::move(text), Entry{true, place});
}

void Annotations::Inform(std::string text, const Place& place) {
  entries_.emplace("PromQL info: " + std::move(text), Entry{false, place});
}

void Annotations::InvalidQuantile(double quantile, const Place& place) {
  Warn("quantile value should be between 0 and 1, got " + GeneralText(quantile), place);
}

void Annotations::InvalidRatio(double ratio, double capped, const Place& place) {
  Warn("ratio value should be between -1 and 1, got " + GeneralText(ratio) + ", capping to " + GeneralText(capped),
       place);
}

void Annotations::BadBucketLabel(std::string_view metric, std::string_view label, const Place& place) {
  Warn(WithMetric("bucket label \"le\" is missing or has a malformed value of " + QuotedText(label), metric), place);
}

void Annotations::MixedFloatsHistograms(std::string_view metric, const Place& place) {
  Warn("encountered a mix of histograms and floats for metric name " + QuotedText(metric), place);
}

void Annotations::MixedFloatsHistogramsInAggregation(const Place& place) {
  Warn("encountered a mix of histograms and floats for aggregation", place);
}

void Annotations::MixedClassicNativeHistograms(std::string_view metric, const Place& place) {
  Warn(WithMetric("vector contains a mix of classic and native histograms", metric), place);
}

void Annotations::HistogramNotCounter(std::string_view metric, const Place& place) {
  Warn("this native histogram metric is not a counter: " + QuotedText(metric), place);
}

void Annotations::HistogramNotGauge(std::string_view metric, const Place& place) {
  Warn("this native histogram metric is not a gauge: " + QuotedText(metric), place);
}

void Annotations::MixedExponentialCustomHistograms(std::string_view metric, const Place& place) {
  Warn("vector contains a mix of histograms with exponential and custom buckets schemas for metric name " +
           QuotedText(metric),
       place);
}

void Annotations::IncompatibleBucketLayout(std::string_view op, const Place& place) {
  Warn("incompatible bucket layout encountered for binary operator " + std::string(op), place);
}

void Annotations::SortInRangeQuery(const Place& place) {
  Warn("sort is ineffective for range queries since results are always ordered by labels", place);
}

void Annotations::CounterResetCollision(HistogramOperation operation, const Place& place) {
  Warn("conflicting counter resets during histogram " + std::string(OperationName(operation)), place);
}

void Annotations::PossibleNonCounter(std::string_view metric, const Place& place) {
  Inform("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + QuotedText(metric),
         place);
}

void Annotations::IncompatibleTypes(std::string_view left, std::string_view op, std::string_view right,
                                    const Place& place) {
  Inform("incompatible sample types encountered for binary operator " + QuotedText(op) + ": " + std::string(left) +
             " " + std::string(op) + " " + std::string(right),
         place);
}

void Annotations::HistogramIgnoredInAggregation(std::string_view aggregation, const Place& place) {
  Inform("ignored histogram in " + std::string(aggregation) + " aggregation", place);
}

void Annotations::HistogramIgnoredInMixedRange(std::string_view metric, const Place& place) {
  Inform("ignored histograms in a range containing both floats and histograms for metric name " + QuotedText(metric),
         place);
}

void Annotations::QuantileOfNan(std::string_view metric, const Place& place) {
  Inform(WithMetric("input to histogram_quantile has NaN observations, result is NaN", metric), place);
}

void Annotations::QuantileSkewedByNan(std::string_view metric, const Place& place) {
  Inform(WithMetric("input to histogram_quantile has NaN observations, result is skewed higher", metric), place);
}

void Annotations::FractionWithoutNan(std::string_view metric, const Place& place) {
  Inform(WithMetric("input to histogram_fraction has NaN observations, which are excluded from all fractions", metric),
         place);
}

void Annotations::MismatchedCustomBuckets(HistogramOperation operation, const Place& place) {
  Inform("mismatched custom buckets were reconciled during " + std::string(OperationName(operation)), place);
}

void Annotations::ForcedMonotonicity(std::string_view metric, Timestamp time, double min_bucket, double max_bucket,
                                     double max_diff, const Place& place) {
  std::string text = WithMetric(
      "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
      "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)",
      metric);
  const auto [it, added] = monotonicity_.try_emplace(std::move(text));
  Monotonicity& entry = it->second;
  if (added) {
    entry = {place, time, time, min_bucket, max_bucket, max_diff, 1};
    return;
  }
  entry.first = std::min(entry.first, time);
  entry.last = std::max(entry.last, time);
  entry.min_bucket = std::min(entry.min_bucket, min_bucket);
  entry.max_bucket = std::max(entry.max_bucket, max_bucket);
  entry.max_diff = std::max(entry.max_diff, max_diff);
  ++entry.count;
}

void Annotations::Add(const Annotations& later) {
  entries_.insert(later.entries_.begin(), later.entries_.end());
  for (const auto& [text, m] : later.monotonicity_) {
    const auto [it, added] = monotonicity_.emplace(text, m);
    if (added) continue;
    Monotonicity& mine = it->second;
    mine.first = std::min(mine.first, m.first);
    mine.last = std::max(mine.last, m.last);
    mine.min_bucket = std::min(mine.min_bucket, m.min_bucket);
    mine.max_bucket = std::max(mine.max_bucket, m.max_bucket);
    mine.max_diff = std::max(mine.max_diff, m.max_diff);
    mine.count += m.count;
  }
}

void Annotations::Flush(std::vector<Note>* notes) const {
  const auto add = [notes](bool warning, std::string text) {
    for (const Note& note : *notes) {
      if (note.text == text) return;
    }
    notes->push_back(Note{warning ? "warning" : "info", std::move(text)});
  };
  for (const auto& [text, entry] : entries_) add(entry.warning, text + PlaceText(entry.place));
  for (const auto& [text, m] : monotonicity_) {
    add(false, text + ", from buckets " + GeneralText(m.min_bucket) + " to " + GeneralText(m.max_bucket) +
                   ", with a max diff of " + TwoDigitText(m.max_diff) + ", over " + std::to_string(m.count) +
                   " samples from " + Rfc3339Text(m.first) + " to " + Rfc3339Text(m.last) + PlaceText(m.place));
  }
}

}  // namespace braid::promql
