#include "query/vector/histogram_quantile.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "query/vector/histogram_math.h"
#include "query/vector/kahan_sum.h"
#include "query/vector/special_values.h"

namespace braid::promql {
namespace {

// Relative differences between neighbouring classic buckets below this are taken for rounding.
constexpr double kSmallDelta = 1e-12;

struct Range {
  double lower, upper, count;
};

// All buckets from the lowest to the highest bound; those beside the zero bucket are cut at its threshold.
std::vector<Range> AllBuckets(const Histogram& histogram) {
  std::vector<Range> ranges;
  ranges.reserve(histogram.negative.size() + histogram.positive.size() + 1);
  const double threshold = histogram.zero_threshold;
  for (auto it = histogram.negative.rbegin(); it != histogram.negative.rend(); ++it) {
    Range range{-BucketBound(histogram, it->index), -BucketBound(histogram, it->index - 1), it->count};
    if (range.upper < 0 && range.upper > -threshold) range.upper = -threshold;
    ranges.push_back(range);
  }
  if (histogram.zero_count > 0) ranges.push_back({-threshold, threshold, histogram.zero_count});
  for (const Histogram::Bucket& bucket : histogram.positive) {
    Range range{BucketBound(histogram, bucket.index - 1), BucketBound(histogram, bucket.index), bucket.count};
    if (range.lower > 0 && range.lower < threshold) range.lower = threshold;
    ranges.push_back(range);
  }
  return ranges;
}

// A zero bucket reaches only to the side on which there are other buckets.
void CutZeroBucket(const Histogram& histogram, Range* range) {
  if (histogram.negative.empty() && !histogram.positive.empty()) {
    range->lower = 0;
  } else if (histogram.positive.empty() && !histogram.negative.empty()) {
    range->upper = 0;
  }
}

bool AlmostEqual(double a, double b, double tolerance) {
  if (a == b) return true;
  const double sum = std::fabs(a) + std::fabs(b);
  const double difference = std::fabs(a - b);
  constexpr double kMinNormal = std::numeric_limits<double>::min();
  if (a == 0 || b == 0 || sum < kMinNormal) return difference < tolerance * kMinNormal;
  return difference / std::min(sum, std::numeric_limits<double>::max()) < tolerance;
}

void MergeEqualBounds(std::vector<ClassicBucket>* buckets) {
  size_t last = 0;
  for (size_t i = 1; i < buckets->size(); ++i) {
    if ((*buckets)[i].upper == (*buckets)[last].upper) {
      (*buckets)[last].count += (*buckets)[i].count;
    } else {
      (*buckets)[++last] = (*buckets)[i];
    }
  }
  buckets->resize(last + 1);
}

MonotonicityFix MakeMonotonic(std::vector<ClassicBucket>* buckets) {
  MonotonicityFix fix;
  fix.min_bucket = kInfinity;
  fix.max_bucket = -kInfinity;
  double before = (*buckets)[0].count;
  for (size_t i = 1; i < buckets->size(); ++i) {
    ClassicBucket& bucket = (*buckets)[i];
    if (bucket.count == before) continue;
    if (AlmostEqual(before, bucket.count, kSmallDelta)) {
      bucket.count = before;
    } else if (bucket.count < before) {
      fix.forced = true;
      fix.min_bucket = std::min(fix.min_bucket, bucket.upper);
      fix.max_bucket = std::max(fix.max_bucket, bucket.upper);
      fix.max_diff = std::max(fix.max_diff, before - bucket.count);
      bucket.count = before;
    } else {
      before = bucket.count;
    }
  }
  return fix;
}

}  // namespace

double FractionBelow(double lower, double upper, double value, bool linear) {
  if (linear) return (value - lower) / (upper - lower);
  const double log_lower = std::log2(std::fabs(lower)), log_upper = std::log2(std::fabs(upper));
  const double log_value = std::log2(std::fabs(value));
  if (value > 0) return (log_value - log_lower) / (log_upper - log_lower);
  return 1 - (log_value - log_upper) / (log_lower - log_upper);
}

double NativeQuantile(double q, const Histogram& histogram, NanEffect* effect) {
  *effect = NanEffect::kNone;
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  if (histogram.count == 0 || std::isnan(q)) return kNan;
  std::vector<Range> ranges = AllBuckets(histogram);
  // NaN observations count in the total but are in no bucket, so they count as the highest: go upwards then.
  const bool upwards = std::isnan(histogram.sum) || q < 0.5;
  double rank = (upwards ? q : 1 - q) * histogram.count;
  if (!upwards) std::reverse(ranges.begin(), ranges.end());

  double count = 0;
  Range found{0, 0, 0};
  size_t next = 0;
  while (next < ranges.size()) {
    found = ranges[next++];
    if (found.count == 0) continue;
    count += found.count;
    if (count >= rank) break;
  }
  const bool custom = HasCustomBuckets(histogram);
  if (!custom && found.lower < 0 && found.upper > 0) {
    CutZeroBucket(histogram, &found);
  } else if (custom) {
    if (found.lower == -kInfinity) {
      if (found.upper <= 0) return found.upper;
      found.lower = 0;
    } else if (found.upper == kInfinity) {
      return found.lower;
    }
  }
  count = std::min(count, histogram.count);
  if (count < rank) {
    if (!std::isnan(histogram.sum)) return found.upper;
    *effect = NanEffect::kResultIsNan;
    return kNan;
  }
  rank = upwards ? rank - (count - found.count) : count - rank;
  if (std::isnan(histogram.sum)) {
    double total = count;
    for (size_t i = next; i < ranges.size(); ++i) total += ranges[i].count;
    if (total < histogram.count) *effect = NanEffect::kResultIsSkewed;
  }
  const double fraction = rank / found.count;
  if (custom || (found.lower <= 0 && found.upper >= 0)) return found.lower + (found.upper - found.lower) * fraction;
  const double log_lower = std::log2(std::fabs(found.lower));
  const double log_upper = std::log2(std::fabs(found.upper));
  if (found.lower > 0) return std::exp2(log_lower + (log_upper - log_lower) * fraction);
  return -std::exp2(log_upper + (log_lower - log_upper) * (1 - fraction));
}

double NativeFraction(double lower, double upper, const Histogram& histogram, NanEffect* effect) {
  *effect = NanEffect::kNone;
  if (histogram.count == 0 || std::isnan(lower) || std::isnan(upper)) return kNan;
  if (lower >= upper) return 0;
  const bool custom = HasCustomBuckets(histogram);
  const std::vector<Range> ranges = AllBuckets(histogram);
  double rank = 0, lower_rank = 0, upper_rank = 0;
  bool lower_set = false, upper_set = false;
  double in_buckets = 0;
  for (const Range& range : ranges) in_buckets += range.count;

  for (Range range : ranges) {
    const bool zero_bucket = range.lower <= 0 && range.upper >= 0;
    if (zero_bucket) CutZeroBucket(histogram, &range);
    const auto rank_at = [&](double value) {
      const bool linear = custom || zero_bucket;
      // In a bucket without lower end there is nothing to interpolate.
      if (linear && range.lower == -kInfinity) return range.count;
      return rank + range.count * FractionBelow(range.lower, range.upper, value, linear);
    };
    if (!lower_set && range.lower >= lower) {
      lower_rank = rank;
      lower_set = true;
    }
    if (!upper_set && range.lower >= upper) {
      upper_rank = rank;
      upper_set = true;
    }
    if (!lower_set && range.lower < lower && range.upper > lower) {
      lower_rank = rank_at(lower);
      lower_set = true;
    }
    if (!upper_set && range.lower < upper && range.upper > upper) {
      upper_rank = rank_at(upper);
      upper_set = true;
    }
    if (lower_set && upper_set) break;
    rank += range.count;
  }
  double count = histogram.count;
  if (std::isnan(histogram.sum)) {
    count = in_buckets;
    if (count < histogram.count) *effect = NanEffect::kExcluded;
  }
  if (!lower_set || lower_rank > count) lower_rank = count;
  if (!upper_set || upper_rank > count) upper_rank = count;
  return (upper_rank - lower_rank) / histogram.count;
}

double NativeVariance(const Histogram& histogram) {
  const double mean = histogram.sum / histogram.count;
  double variance = 0, error = 0;
  for (const Range& range : AllBuckets(histogram)) {
    if (range.count == 0) continue;
    double middle = 0;
    if (HasCustomBuckets(histogram)) {
      middle = (range.upper + range.lower) / 2;
    } else if (!(range.lower <= 0 && range.upper >= 0)) {
      middle = std::sqrt(range.upper * range.lower);
      if (range.upper < 0) middle = -middle;
    }
    const double delta = middle - mean;
    KahanAdd(range.count * delta * delta, &variance, &error);
  }
  return (variance + error) / histogram.count;
}

double ClassicQuantile(double q, std::vector<ClassicBucket>* buckets, MonotonicityFix* fix) {
  *fix = {};
  if (std::isnan(q)) return kNan;
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  if (buckets->back().upper != kInfinity) return kNan;
  MergeEqualBounds(buckets);
  *fix = MakeMonotonic(buckets);
  const std::vector<ClassicBucket>& b = *buckets;
  if (b.size() < 2 || b.back().count == 0) return kNan;
  double rank = q * b.back().count;
  const size_t last = b.size() - 1;
  const size_t at = std::partition_point(b.begin(), b.end() - 1,
                                         [rank](const ClassicBucket& bucket) { return !(bucket.count >= rank); }) -
                    b.begin();
  if (at == last) return b[last - 1].upper;
  if (at == 0 && b[0].upper <= 0) return b[0].upper;
  double start = 0;
  double count = b[at].count;
  if (at > 0) {
    start = b[at - 1].upper;
    count -= b[at - 1].count;
    rank -= b[at - 1].count;
  }
  return start + (b[at].upper - start) * (rank / count);
}

double ClassicFraction(double lower, double upper, std::vector<ClassicBucket>* buckets) {
  if (buckets->back().upper != kInfinity) return kNan;
  MergeEqualBounds(buckets);
  const double count = buckets->back().count;
  if (count == 0 || std::isnan(lower) || std::isnan(upper)) return kNan;
  if (lower >= upper) return 0;
  double rank = 0, lower_rank = 0, upper_rank = 0;
  bool lower_set = false, upper_set = false;
  double from = buckets->front().upper <= 0 ? -kInfinity : 0;
  for (const ClassicBucket& bucket : *buckets) {
    const double to = bucket.upper;
    const auto rank_at = [&](double value) {
      if (from == -kInfinity) return bucket.count;
      return rank + (bucket.count - rank) * (value - from) / (to - from);
    };
    if (!lower_set && from >= lower) {
      lower_rank = rank;
      lower_set = true;
    }
    if (!upper_set && from >= upper) {
      upper_rank = rank;
      upper_set = true;
    }
    if (!lower_set && from < lower && to > lower) {
      lower_rank = rank_at(lower);
      lower_set = true;
    }
    if (!upper_set && from < upper && to > upper) {
      upper_rank = rank_at(upper);
      upper_set = true;
    }
    if (lower_set && upper_set) break;
    rank = bucket.count;
    from = to;
  }
  if (!lower_set || lower_rank > count) lower_rank = count;
  if (!upper_set || upper_rank > count) upper_rank = count;
  return (upper_rank - lower_rank) / count;
}

double QuantileOfValues(double q, std::vector<double>* values) {
  if (values->empty() || std::isnan(q)) return kNan;
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  const double n = static_cast<double>(values->size());
  const double rank = q * (n - 1);
  const size_t lower = static_cast<size_t>(std::max(0.0, std::floor(rank)));
  const size_t upper = std::min(values->size() - 1, lower + 1);
  const double weight = rank - std::floor(rank);
  const auto less = [](double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && !std::isnan(b);
    return a < b;
  };
  // Two ranks are needed, not the whole order.
  const auto lower_it = values->begin() + static_cast<std::ptrdiff_t>(lower);
  std::nth_element(values->begin(), lower_it, values->end(), less);
  const double low = *lower_it;
  const double high = upper == lower ? low : *std::min_element(lower_it + 1, values->end(), less);
  return low * (1 - weight) + high * weight;
}

}  // namespace braid::promql
