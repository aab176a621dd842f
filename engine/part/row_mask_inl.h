// Loops of row_mask.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace braid {

// Rows that are passed by with one look where none of them is left.
inline constexpr size_t kMaskBlock = 32;

inline bool AnyKeptOf(const uint8_t* block) {
  uint64_t words[kMaskBlock / 8];
  std::memcpy(words, block, sizeof words);
  return (words[0] | words[1] | words[2] | words[3]) != 0;
}

template <typename Test>
void KeepIf(RowMask* keep, const Test& test) {
  uint8_t* const mask = keep->data();
  const size_t rows = keep->size();
  for (size_t begin = 0; begin < rows; begin += kMaskBlock) {
    const size_t end = std::min(rows, begin + kMaskBlock);
    if (end - begin == kMaskBlock && !AnyKeptOf(mask + begin)) continue;
    for (size_t row = begin; row < end;) {
      uint64_t eight = 0;
      if (row + 8 <= end) std::memcpy(&eight, mask + row, sizeof eight);
      if (row + 8 <= end && eight == 0) {
        row += 8;
        continue;
      }
      for (const size_t stop = std::min(end, row + 8); row < stop; ++row) {
        if (mask[row] != 0 && !test(row)) mask[row] = 0;
      }
    }
  }
}

}  // namespace braid
