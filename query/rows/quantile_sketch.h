// Values of one group for quantiles: all of them while they are few, then counts in buckets of 1 % relative width.
//
// The buckets are those of C. Masson, J. Rim, H. Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
// relative-error guarantees", VLDB 2019: value v > 0 falls into bucket ceil(log(v) / log(gamma)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace braid {

class QuantileSketch {
 public:
  static constexpr double kRelativeError = 0.01;

  // `exact_max`: values kept as they are before the buckets take over.
  explicit QuantileSketch(size_t exact_max) : exact_max_(exact_max) {}

  void Add(double value);  // NaN is counted apart
  void Merge(const QuantileSketch& other);
  void Clear();
  bool approximate() const { return buckets_ != nullptr; }
  bool empty() const { return count_ == 0 && nans_ == 0; }
  // Linear interpolation between the two nearest ranks of q * (n - 1); exact, or within kRelativeError of the value at
  // the lower rank. NaN if there are only NaNs. REQUIRES: not empty, q in [0, 1].
  double Quantile(double q) const;
  uint64_t bytes() const;

 private:
  struct Buckets {
    std::map<int32_t, uint64_t> positive;
    std::map<int32_t, uint64_t> negative;
    uint64_t zeros = 0;
    double least = 0;
    double greatest = 0;
  };

  void AddToBuckets(double value, uint64_t count);
  void SwitchToBuckets();
  double ValueAtRank(uint64_t rank) const;

  size_t exact_max_;
  uint64_t count_ = 0;  // without NaNs
  uint64_t nans_ = 0;
  mutable std::vector<double> values_;  // reordered by Quantile
  std::unique_ptr<Buckets> buckets_;
};

}  // namespace braid
