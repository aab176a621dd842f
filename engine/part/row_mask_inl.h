// Loops of row_mask.h.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace braid {

// Rows that are passed by with one look where none of them is left.
inline constexpr size_t kMaskBlock = 32;

inline bool AnyKeptOf(const uint8_t* block) {
  uint64_t words[kMaskBlock / 8];
  std::memcpy(words, block, sizeof words);
  return (words[0] | words[1] | words[2] | words[3]) != 0;
}

// The rows of a block that are left, a bit each.
inline uint32_t KeptBits(const uint8_t* block) {
#if defined(__x86_64__)
  const __m128i zero = _mm_setzero_si128();
  const __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block)), zero);
  const __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 16)), zero);
  return ~(static_cast<uint32_t>(_mm_movemask_epi8(low)) | static_cast<uint32_t>(_mm_movemask_epi8(high)) << 16);
#else
  uint32_t bits = 0;
  for (size_t i = 0; i < kMaskBlock; ++i) bits |= static_cast<uint32_t>(block[i] != 0) << i;
  return bits;
#endif
}

template <typename Test>
void KeepIf(RowMask* keep, const Test& test) {
  uint8_t* const mask = keep->data();
  const size_t rows = keep->size();
  size_t begin = 0;
  for (; begin + kMaskBlock <= rows; begin += kMaskBlock) {
    if (!AnyKeptOf(mask + begin)) continue;
    for (uint32_t bits = KeptBits(mask + begin); bits != 0; bits &= bits - 1) {
      const size_t row = begin + static_cast<size_t>(std::countr_zero(bits));
      if (!test(row)) mask[row] = 0;
    }
  }
  for (; begin < rows; ++begin) {
    if (mask[begin] != 0 && !test(begin)) mask[begin] = 0;
  }
}

}  // namespace braid
