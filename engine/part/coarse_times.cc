#include "engine/part/coarse_times.h"

#include <algorithm>
#include <bit>

namespace braid {
namespace {

constexpr int kStepBits = 8;
// Ranges of more steps leave so many rows that all times might as well be compared.
constexpr uint64_t kStepsMax = 32;

// Exact for all pairs of times.
uint64_t Since(Timestamp from, Timestamp time) { return static_cast<uint64_t>(time) - static_cast<uint64_t>(from); }

}  // namespace

CoarseTimes::CoarseTimes(const std::vector<int64_t>& times) : steps_(times.size()) {
  if (times.empty()) return;
  const auto [least, greatest] = std::minmax_element(times.begin(), times.end());
  least_ = *least;
  greatest_ = *greatest;
  shift_ = std::max(0, static_cast<int>(std::bit_width(Since(least_, greatest_))) - kStepBits);
  for (size_t row = 0; row < times.size(); ++row) {
    steps_[row] = static_cast<uint8_t>(Since(least_, times[row]) >> shift_);
  }
}

bool CoarseTimes::Filter(const TimeRange& range, RowMask* keep) const {
  if (steps_.empty() || range.end < least_ || greatest_ < range.start) {
    std::fill(keep->begin(), keep->end(), uint8_t{0});
    return true;
  }
  const uint64_t first = Since(least_, std::max(range.start, least_)) >> shift_;
  const uint64_t last = Since(least_, std::min(range.end, greatest_)) >> shift_;
  if (last - first >= kStepsMax) return false;
  KeepByStep(steps_.data(), static_cast<uint8_t>(first), static_cast<uint8_t>(last), keep);
  return true;
}

}  // namespace braid
