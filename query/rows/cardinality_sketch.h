// The number of different hashes seen, within about 1 %.
//
// Method: P. Flajolet et al., "HyperLogLog", 2007, with the estimator of O. Ertl, "New cardinality estimation
// algorithms for HyperLogLog sketches", 2017, which needs no correction tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace braid {

class CardinalitySketch {
 public:
  CardinalitySketch() : registers_(kRegisters, 0) {}
  void Add(uint64_t hash);  // of good quality in all bits
  void Merge(const CardinalitySketch& other);
  double Estimate() const;
  static constexpr uint64_t bytes() { return kRegisters; }

 private:
  static constexpr int kPrecision = 14;  // standard error 1.04 / sqrt(2^14) = 0.81 %
  static constexpr size_t kRegisters = size_t{1} << kPrecision;

  std::vector<uint8_t> registers_;
};

}  // namespace braid
