#include "engine/part/coarse_times.h"

#include <algorithm>
#include <bit>

namespace braid {
namespace {

constexpr int kStepBits = 16;

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
    steps_[row] = static_cast<uint16_t>(Since(least_, times[row]) >> shift_);
  }
}

void CoarseTimes::Filter(const TimeRange& range, const int64_t* times, RowMask* keep) const {
  if (steps_.empty() || range.end < least_ || greatest_ < range.start) {
    std::fill(keep->begin(), keep->end(), uint8_t{0});
    return;
  }
  const auto first = static_cast<uint16_t>(Since(least_, std::max(range.start, least_)) >> shift_);
  const auto last = static_cast<uint16_t>(Since(least_, std::min(range.end, greatest_)) >> shift_);
  const uint16_t* const steps = steps_.data();
  KeepByStep(steps, first, last, keep);
  if (shift_ == 0) return;
  KeepIf(keep,
         [=, &range](size_t row) { return (steps[row] != first && steps[row] != last) || range.Contains(times[row]); });
}

}  // namespace braid
