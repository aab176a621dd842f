// Counter resets, equality and text of native histograms.
#include <bit>
#include <cmath>
#include <limits>

#include "query/vector/histogram_math.h"
#include "query/vector/number_text.h"

namespace braid::promql {
namespace {

using Buckets = std::vector<Histogram::Bucket>;

// `current` and `previous` on the same schema, without the buckets that lie in the zero bucket.
bool AnyBucketShrank(const Buckets& current, const Buckets& previous) {
  size_t at = 0;
  for (const Histogram::Bucket& before : previous) {
    while (at < current.size() && current[at].index < before.index) ++at;
    const bool found = at < current.size() && current[at].index == before.index;
    if (found ? current[at].count < before.count : before.count != 0) return true;
  }
  return false;
}

Buckets AboveZeroBucket(const Buckets& buckets, int32_t schema, double zero_threshold) {
  if (zero_threshold == 0) return buckets;
  Buckets above;
  for (const Histogram::Bucket& bucket : buckets) {
    if (above.empty() && ExponentialBound(schema, bucket.index) <= zero_threshold) continue;
    above.push_back(bucket);
  }
  return above;
}

// Custom bounds differ: compares the counts between every two bounds that both have.
bool AnyCommonRangeShrank(const Histogram& current, const Histogram& previous) {
  const auto count_up_to = [](const Histogram& histogram, double bound, size_t* at) {
    double count = 0;
    while (*at < histogram.positive.size() && BucketBound(histogram, histogram.positive[*at].index) <= bound) {
      count += histogram.positive[(*at)++].count;
    }
    return count;
  };
  size_t i = 0, j = 0, current_at = 0, previous_at = 0;
  while (i <= current.custom_bounds.size() && j <= previous.custom_bounds.size()) {
    const double a = BucketBound(current, static_cast<int32_t>(i));
    const double b = BucketBound(previous, static_cast<int32_t>(j));
    if (a == b) {
      if (count_up_to(current, a, &current_at) < count_up_to(previous, a, &previous_at)) return true;
      ++i;
      ++j;
    } else if (a < b) {
      ++i;
    } else {
      ++j;
    }
  }
  return false;
}

bool SameBits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

bool SameBuckets(const Buckets& a, const Buckets& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].index != b[i].index || !SameBits(a[i].count, b[i].count)) return false;
  }
  return true;
}

}  // namespace

bool DetectReset(const Histogram& current, ResetHint hint, const Histogram& previous) {
  if (hint == ResetHint::kReset) return true;
  if (hint == ResetHint::kNotReset) return false;
  if (current.count < previous.count) return true;
  if (HasCustomBuckets(current)) {
    if (!HasCustomBuckets(previous)) return true;
    if (current.custom_bounds != previous.custom_bounds) return AnyCommonRangeShrank(current, previous);
    return AnyBucketShrank(current.positive, previous.positive);
  }
  // A finer schema or a narrower zero bucket cannot come from counting on.
  if (current.schema > previous.schema || HasCustomBuckets(previous)) return true;
  if (current.zero_threshold < previous.zero_threshold) return true;
  if (current.schema == previous.schema && current.zero_threshold == previous.zero_threshold) {
    if (current.zero_count < previous.zero_count) return true;
    if (current.zero_threshold == 0) {
      return AnyBucketShrank(current.positive, previous.positive) ||
             AnyBucketShrank(current.negative, previous.negative);
    }
  }
  // An empty histogram with the wider zero bucket makes `before` adopt that threshold.
  HistogramSum before(previous);
  Histogram wider;
  wider.schema = previous.schema;
  wider.zero_threshold = current.zero_threshold;
  before.Add(wider);
  before.ReduceSchema(current.schema);
  const Histogram adapted = before.Value();
  // The threshold went on because it fell inside a populated bucket.
  if (adapted.zero_threshold != current.zero_threshold) return true;
  if (current.zero_count < adapted.zero_count) return true;
  for (bool positive : {true, false}) {
    const Buckets& now = positive ? current.positive : current.negative;
    const Buckets& then = positive ? adapted.positive : adapted.negative;
    if (AnyBucketShrank(AboveZeroBucket(now, current.schema, current.zero_threshold),
                        AboveZeroBucket(then, current.schema, current.zero_threshold))) {
      return true;
    }
  }
  return false;
}

bool SameHistogram(const Histogram& a, const Histogram& b) {
  return a.schema == b.schema && SameBits(a.count, b.count) && SameBits(a.sum, b.sum) &&
         (!HasCustomBuckets(a) || a.custom_bounds == b.custom_bounds) && a.zero_threshold == b.zero_threshold &&
         SameBits(a.zero_count, b.zero_count) && SameBuckets(a.negative, b.negative) &&
         SameBuckets(a.positive, b.positive);
}

std::string HistogramText(const Histogram& histogram) {
  std::string text = "{count:" + GeneralText(histogram.count) + ", sum:" + GeneralText(histogram.sum);
  const auto add = [&text](char open, double lower, double upper, char close, double count) {
    text += ", ";
    text += open;
    text += GeneralText(lower) + "," + GeneralText(upper);
    text += close;
    text += ":" + GeneralText(count);
  };
  for (auto it = histogram.negative.rbegin(); it != histogram.negative.rend(); ++it) {
    if (it->count == 0) continue;
    add('[', -BucketBound(histogram, it->index), -BucketBound(histogram, it->index - 1), ')', it->count);
  }
  if (histogram.zero_count != 0) {
    add('[', -histogram.zero_threshold, histogram.zero_threshold, ']', histogram.zero_count);
  }
  for (const Histogram::Bucket& bucket : histogram.positive) {
    if (bucket.count == 0) continue;
    const double lower = BucketBound(histogram, bucket.index - 1);
    add(std::isinf(lower) ? '[' : '(', lower, BucketBound(histogram, bucket.index), ']', bucket.count);
  }
  return text + "}";
}

}  // namespace braid::promql
