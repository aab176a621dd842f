// Times of a row group in a byte each: where rows of all times stand together, as spans in order of traces, a narrow
// range is looked for in an eighth of the memory.
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
  // Drops rows outside of the range and keeps all that are inside, and some beside it. Does nothing, and answers false,
  // where the range is too wide for that to pay. REQUIRES: the range is not empty; keep has a row for each time.
  bool Filter(const TimeRange& range, RowMask* keep) const;
  size_t bytes() const { return steps_.size() + sizeof(*this); }

 private:
  Timestamp least_ = 0, greatest_ = 0;
  int shift_ = 0;               // a step is 2^shift_ ns
  std::vector<uint8_t> steps_;  // from the least time on
};

}  // namespace braid
