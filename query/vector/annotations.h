// What an evaluation has to say beside its result: warnings and infos in Prometheus' words.
//
// Threads: one at a time. Each text is kept once, with the place where it was met first.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "braid/query.h"
#include "query/syntax/ast.h"

namespace braid::promql {

class Annotations {
 public:
  enum class HistogramOperation : uint8_t { kAddition, kSubtraction, kAggregation };

  // Warnings.
  void InvalidQuantile(double quantile, const Place& place);
  void InvalidRatio(double ratio, double capped, const Place& place);
  void BadBucketLabel(std::string_view metric, std::string_view label, const Place& place);
  void MixedFloatsHistograms(std::string_view metric, const Place& place);
  void MixedFloatsHistogramsInAggregation(const Place& place);
  void MixedClassicNativeHistograms(std::string_view metric, const Place& place);
  void HistogramNotCounter(std::string_view metric, const Place& place);
  void HistogramNotGauge(std::string_view metric, const Place& place);
  void MixedExponentialCustomHistograms(std::string_view metric, const Place& place);
  void IncompatibleBucketLayout(std::string_view op, const Place& place);
  void SortInRangeQuery(const Place& place);
  void CounterResetCollision(HistogramOperation operation, const Place& place);

  // Infos.
  void PossibleNonCounter(std::string_view metric, const Place& place);
  void IncompatibleTypes(std::string_view left, std::string_view op, std::string_view right, const Place& place);
  void HistogramIgnoredInAggregation(std::string_view aggregation, const Place& place);
  void HistogramIgnoredInMixedRange(std::string_view metric, const Place& place);
  void QuantileOfNan(std::string_view metric, const Place& place);
  void QuantileSkewedByNan(std::string_view metric, const Place& place);
  void FractionWithoutNan(std::string_view metric, const Place& place);
  void MismatchedCustomBuckets(HistogramOperation operation, const Place& place);
  // Buckets [min_bucket, max_bucket] of a classic histogram had to be raised at instant `time`, by at most `max_diff`.
  void ForcedMonotonicity(std::string_view metric, Timestamp time, double min_bucket, double max_bucket,
                          double max_diff, const Place& place);

  // What is there already keeps its place.
  void Add(const Annotations& later);
  // Appends everything to `*notes`, kinds "warning" and "info", each text once.
  void Flush(std::vector<Note>* notes) const;

 private:
  void Warn(std::string text, const Place& place);
  void Inform(std::string text, const Place& place);

  struct Entry {
    bool warning = false;
    Place place;
  };
  struct Monotonicity {
    Place place;
    Timestamp first = 0, last = 0;
    double min_bucket = 0, max_bucket = 0, max_diff = 0;
    uint64_t count = 0;
  };
  std::map<std::string, Entry> entries_;
  std::map<std::string, Monotonicity> monotonicity_;
};

}  // namespace braid::promql
