// Times of a row group in two bytes each: where rows of all times stand together, as spans in order of traces, a narrow
// range is looked for in a quarter of the memory, and only times at its ends are looked at in full.
//
// Threads: immutable once made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "braid/types.h"
#include "engine/part/row_mask.h"

namespace braid {

class CoarseTimes {
 public:
  explicit CoarseTimes(const std::vector<int64_t>& times);
  // Drops the rows outside of the range; `times` are those that it was made of. REQUIRES: the range is not empty; keep
  // has a row for each time.
  void Filter(const TimeRange& range, const int64_t* times, RowMask* keep) const;
  size_t bytes() const { return steps_.size() * sizeof(uint16_t) + sizeof(*this); }

 private:
  Timestamp least_ = 0, greatest_ = 0;
  int shift_ = 0;                // a step is 2^shift_ ns
  std::vector<uint16_t> steps_;  // from the least time on
};

}  // namespace braid
