#include "query/rows/cardinality_sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace braid {
namespace {

constexpr double kAlphaInfinity = 0.721347520444481703680;  // 1 / (2 ln 2)

// Ertl's helper series for registers at zero and at their greatest value.
double Sigma(double x) {
  if (x == 1) return HUGE_VAL;
  double y = 1;
  double z = x;
  double last;
  do {
    x *= x;
    last = z;
    z += x * y;
    y += y;
  } while (z != last);
  return z;
}

double Tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1;
  double z = 1 - x;
  double last;
  do {
    x = std::sqrt(x);
    last = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (z != last);
  return z / 3;
}

}  // namespace

void CardinalitySketch::Add(uint64_t hash) {
  const size_t index = hash >> (64 - kPrecision);
  // The bit set at the bottom ends the run of zeros at the number of bits left.
  const uint64_t rest = hash << kPrecision | uint64_t{1} << (kPrecision - 1);
  const auto rank = static_cast<uint8_t>(std::countl_zero(rest) + 1);
  registers_[index] = std::max(registers_[index], rank);
}

void CardinalitySketch::Merge(const CardinalitySketch& other) {
  for (size_t i = 0; i < registers_.size(); ++i) registers_[i] = std::max(registers_[i], other.registers_[i]);
}

double CardinalitySketch::Estimate() const {
  constexpr int kMaxRank = 64 - kPrecision + 1;
  const auto m = static_cast<double>(kRegisters);
  std::vector<double> counts(kMaxRank + 1, 0);
  for (const uint8_t rank : registers_) ++counts[std::min<int>(rank, kMaxRank)];
  double z = m * Tau(1 - counts[kMaxRank] / m);
  for (int rank = kMaxRank - 1; rank >= 1; --rank) z = 0.5 * (z + counts[static_cast<size_t>(rank)]);
  z += m * Sigma(counts[0] / m);
  return kAlphaInfinity * m * m / z;
}

}  // namespace braid
