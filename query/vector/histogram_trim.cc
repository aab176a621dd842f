#include "query/vector/histogram_trim.h"

#include <cmath>

#include "query/vector/histogram_math.h"
#include "query/vector/histogram_quantile.h"

namespace braid::promql {
namespace {

// How many observations stay, and the value that stands for each of them in the sum.
struct Kept {
  double count = 0;
  double value = 0;
};

double FiniteOrZero(double value) { return std::isinf(value) ? 0 : value; }

class Trimmer {
 public:
  Trimmer(double limit, bool below, bool linear) : limit_(limit), below_(below), linear_(linear) {}

  Kept OfBucket(double lower, double upper, double count, bool positive) const {
    const bool whole = below_ ? upper <= limit_ : lower >= limit_;
    if (whole) return {count, Middle(lower, upper, positive)};
    const bool nothing = below_ ? lower >= limit_ : upper <= limit_;
    // A limit that is no number compares with nothing and so keeps nothing.
    if (nothing || std::isnan(limit_)) return {};
    if (std::isinf(lower) || std::isinf(upper)) return OfEndlessBucket(lower, upper, count);
    const double under = limit_ <= lower   ? 0
                         : limit_ >= upper ? count
                                           : count * FractionBelow(lower, upper, limit_, linear_);
    if (below_) return {under, Middle(lower, limit_, positive)};
    return {count - under, Middle(limit_, upper, positive)};
  }

  Kept OfZeroBucket(double lower, double upper, double count) const {
    const bool whole = below_ ? limit_ >= upper : limit_ <= lower;
    if (whole) return {count, (lower + upper) / 2};
    const bool nothing = below_ ? limit_ <= lower : limit_ >= upper;
    if (nothing) return {};
    if (below_) return {count * (limit_ - lower) / (upper - lower), (lower + limit_) / 2};
    return {count * (upper - limit_) / (upper - lower), (limit_ + upper) / 2};
  }

 private:
  // The limit lies inside a bucket that has no lower or no upper end; of how its observations lie nothing is known.
  Kept OfEndlessBucket(double lower, double upper, double count) const {
    if (std::isinf(lower) && lower < 0) {
      // The lowest custom bucket is taken to begin at zero if it ends above it.
      const bool from_zero = upper > 0 && std::isfinite(upper);
      if (below_) {
        if (limit_ > 0 && from_zero) return {count * limit_ / upper, limit_ / 2};
        if (upper <= 0) return {count, limit_};
        return {0, FiniteOrZero(upper)};
      }
      if (limit_ >= 0 && std::isfinite(upper)) return {count * (1 - limit_ / upper), (limit_ + upper) / 2};
      return {0, FiniteOrZero(upper)};
    }
    if (!below_ && limit_ >= lower) return {count, limit_};
    return {0, FiniteOrZero(lower)};
  }

  double Middle(double lower, double upper, bool positive) const {
    if (std::isinf(lower)) {
      if (std::isinf(upper)) return 0;
      return upper > 0 ? upper / 2 : upper;
    }
    if (std::isinf(upper)) return lower;
    if (linear_) return (lower + upper) / 2;
    const double middle = std::sqrt(std::fabs(lower * upper));
    return positive ? middle : -middle;
  }

  const double limit_;
  const bool below_, linear_;
};

}  // namespace

void TrimHistogram(Histogram* histogram, double limit, bool below) {
  const Trimmer trimmer(limit, below, HasCustomBuckets(*histogram));
  double count = 0, sum = 0;
  bool changed = false;
  const auto keep = [&](double* bucket, const Kept& kept) {
    changed = changed || *bucket != kept.count;
    *bucket = kept.count;
    count += kept.count;
    sum += kept.value * kept.count;
  };
  bool has_positive = false, has_negative = false;
  for (Histogram::Bucket& bucket : histogram->positive) {
    if (bucket.count == 0) continue;
    has_positive = true;
    const double lower = BucketBound(*histogram, bucket.index - 1), upper = BucketBound(*histogram, bucket.index);
    keep(&bucket.count, trimmer.OfBucket(lower, upper, bucket.count, true));
  }
  for (Histogram::Bucket& bucket : histogram->negative) {
    if (bucket.count == 0) continue;
    has_negative = true;
    const double lower = -BucketBound(*histogram, bucket.index), upper = -BucketBound(*histogram, bucket.index - 1);
    keep(&bucket.count, trimmer.OfBucket(lower, upper, bucket.count, false));
  }
  if (histogram->zero_count > 0) {
    const double lower = has_positive && !has_negative ? 0 : -histogram->zero_threshold;
    const double upper = has_negative && !has_positive ? 0 : histogram->zero_threshold;
    keep(&histogram->zero_count, trimmer.OfZeroBucket(lower, upper, histogram->zero_count));
  }
  if (!changed) return;
  histogram->count = count;
  histogram->sum = sum;
  CompactHistogram(histogram);
}

}  // namespace braid::promql
