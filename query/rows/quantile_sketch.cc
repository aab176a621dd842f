#include "query/rows/quantile_sketch.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace braid {
namespace {

constexpr double kGamma = (1 + QuantileSketch::kRelativeError) / (1 - QuantileSketch::kRelativeError);

int32_t BucketOf(double magnitude) {
  const double bounded = std::min(magnitude, std::numeric_limits<double>::max());
  return static_cast<int32_t>(std::ceil(std::log(bounded) / std::log(kGamma)));
}

// The value that is off by the same relative error at both ends of the bucket.
double MiddleOf(int32_t bucket) {
  const double value = std::exp(std::log(kGamma) * bucket) * 2 / (1 + kGamma);
  return std::min(value, std::numeric_limits<double>::max());
}

}  // namespace

void QuantileSketch::Add(double value) {
  if (std::isnan(value)) {
    ++nans_;
    return;
  }
  ++count_;
  if (buckets_ != nullptr) return AddToBuckets(value, 1);
  values_.push_back(value);
  if (values_.size() > exact_max_) SwitchToBuckets();
}

void QuantileSketch::SwitchToBuckets() {
  buckets_ = std::make_unique<Buckets>();
  buckets_->least = buckets_->greatest = values_.front();
  for (const double value : values_) AddToBuckets(value, 1);
  values_ = {};
}

void QuantileSketch::AddToBuckets(double value, uint64_t count) {
  buckets_->least = std::min(buckets_->least, value);
  buckets_->greatest = std::max(buckets_->greatest, value);
  if (value > 0) {
    buckets_->positive[BucketOf(value)] += count;
  } else if (value < 0) {
    buckets_->negative[BucketOf(-value)] += count;
  } else {
    buckets_->zeros += count;
  }
}

void QuantileSketch::Merge(const QuantileSketch& other) {
  nans_ += other.nans_;
  if (other.buckets_ == nullptr) {
    for (const double value : other.values_) Add(value);
    return;
  }
  if (buckets_ == nullptr) {
    if (values_.empty()) {
      buckets_ = std::make_unique<Buckets>();
      buckets_->least = other.buckets_->least;
      buckets_->greatest = other.buckets_->greatest;
    } else {
      SwitchToBuckets();
    }
  }
  count_ += other.count_;
  buckets_->least = std::min(buckets_->least, other.buckets_->least);
  buckets_->greatest = std::max(buckets_->greatest, other.buckets_->greatest);
  buckets_->zeros += other.buckets_->zeros;
  for (const auto& [bucket, count] : other.buckets_->positive) buckets_->positive[bucket] += count;
  for (const auto& [bucket, count] : other.buckets_->negative) buckets_->negative[bucket] += count;
}

void QuantileSketch::Clear() {
  count_ = nans_ = 0;
  values_.clear();
  buckets_ = nullptr;
}

double QuantileSketch::ValueAtRank(uint64_t rank) const {
  uint64_t seen = 0;
  const auto within = [this](double value) { return std::clamp(value, buckets_->least, buckets_->greatest); };
  for (auto bucket = buckets_->negative.rbegin(); bucket != buckets_->negative.rend(); ++bucket) {
    seen += bucket->second;
    if (rank < seen) return within(-MiddleOf(bucket->first));
  }
  seen += buckets_->zeros;
  if (rank < seen) return 0;
  for (const auto& [bucket, count] : buckets_->positive) {
    seen += count;
    if (rank < seen) return within(MiddleOf(bucket));
  }
  return buckets_->greatest;
}

double QuantileSketch::Quantile(double q) const {
  if (count_ == 0) return std::numeric_limits<double>::quiet_NaN();
  const double rank = q * static_cast<double>(count_ - 1);
  const auto lower = static_cast<uint64_t>(rank);
  if (buckets_ != nullptr) return ValueAtRank(lower);
  const auto at = values_.begin() + static_cast<ptrdiff_t>(lower);
  std::nth_element(values_.begin(), at, values_.end());
  const double low = *at;
  const double weight = rank - static_cast<double>(lower);
  if (weight == 0 || lower + 1 >= count_) return low;
  const double high = *std::min_element(at + 1, values_.end());
  if (low == high) return low;
  return low * (1 - weight) + high * weight;
}

uint64_t QuantileSketch::bytes() const {
  uint64_t bytes = values_.capacity() * sizeof(double);
  if (buckets_ != nullptr) bytes += sizeof(Buckets) + (buckets_->positive.size() + buckets_->negative.size()) * 56;
  return bytes;
}

}  // namespace braid
