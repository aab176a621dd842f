#include "engine/part/row_mask.h"

#include <algorithm>
#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace braid {
namespace {

constexpr int kBitCodes = 32;
// So few rows of a block are looked at one by one: the others' values are mostly far from the processor.
constexpr int kFewRows = 4;

// Row by row from `row` on, where no block of rows is left or the processor knows no better: `keeps(row)` for the rows
// of blocks of which some are left, without asking which.
template <typename Keeps>
void MeetRows(size_t row, size_t rows, uint8_t* mask, const Keeps& keeps) {
  while (row < rows) {
    const size_t end = std::min(rows, row + kMaskBlock);
    if (end - row == kMaskBlock && !AnyKeptOf(mask + row)) {
      row = end;
      continue;
    }
    for (; row < end; ++row) mask[row] &= static_cast<uint8_t>(keeps(row));
  }
}

void RangeRows(const int64_t* values, int64_t low, int64_t high, bool inside, size_t row, size_t rows, uint8_t* mask) {
  MeetRows(row, rows, mask, [=](size_t at) { return ((values[at] >= low) & (values[at] <= high)) == inside; });
}

void CodeRows(const uint32_t* codes, const uint8_t* passes, size_t row, size_t rows, uint8_t* mask) {
  MeetRows(row, rows, mask, [=](size_t at) { return passes[codes[at]]; });
}

void StepRows(const uint16_t* steps, uint16_t first, uint16_t last, size_t row, size_t rows, uint8_t* mask) {
  MeetRows(row, rows, mask, [=](size_t at) { return (steps[at] >= first) & (steps[at] <= last); });
}

#if defined(__x86_64__)
// The mask of a block without the rows whose bit is not set.
__attribute__((target("avx2"))) inline void MeetBlock(uint32_t bits, uint8_t* mask) {
  // Each of the four bytes of `bits` eight times, and then one bit of it a byte.
  const __m256i spread = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int32_t>(bits)), spread);
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
  auto* const at = reinterpret_cast<__m256i*>(mask);
  _mm256_storeu_si256(at, _mm256_and_si256(_mm256_loadu_si256(at), set));
}

__attribute__((target("avx2"))) void RangeRowsAvx2(const int64_t* values, int64_t low, int64_t high, bool inside,
                                                   size_t rows, uint8_t* mask) {
  const __m256i lows = _mm256_set1_epi64x(low), highs = _mm256_set1_epi64x(high);
  size_t row = 0;
  for (; row + kMaskBlock <= rows; row += kMaskBlock) {
    if (!AnyKeptOf(mask + row)) continue;
    if (uint32_t bits = KeptBits(mask + row); std::popcount(bits) <= kFewRows) {
      for (; bits != 0; bits &= bits - 1) {
        const size_t at = row + static_cast<size_t>(std::countr_zero(bits));
        mask[at] = ((values[at] >= low) & (values[at] <= high)) == inside;
      }
      continue;
    }
    uint32_t outside = 0;
    for (size_t i = 0; i < kMaskBlock; i += 4) {
      const __m256i four = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + row + i));
      const __m256i beyond = _mm256_or_si256(_mm256_cmpgt_epi64(lows, four), _mm256_cmpgt_epi64(four, highs));
      outside |= static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(beyond))) << i;
    }
    MeetBlock(inside ? ~outside : outside, mask + row);
  }
  RangeRows(values, low, high, inside, row, rows, mask);
}

// Codes up to kBitCodes: each is looked up as a bit of one word.
__attribute__((target("avx2"))) void CodeRowsAvx2(const uint32_t* codes, const std::vector<uint8_t>& passes,
                                                  size_t rows, uint8_t* mask) {
  uint32_t word = 0;
  for (size_t code = 0; code < passes.size(); ++code) word |= uint32_t{passes[code]} << code;
  const __m256i bits = _mm256_set1_epi32(static_cast<int32_t>(word));
  const __m256i last = _mm256_set1_epi32(kBitCodes - 1);
  size_t row = 0;
  for (; row + kMaskBlock <= rows; row += kMaskBlock) {
    if (!AnyKeptOf(mask + row)) continue;
    uint32_t kept = 0;
    for (size_t i = 0; i < kMaskBlock; i += 8) {
      const __m256i eight = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + row + i));
      // The code's bit becomes the sign.
      const __m256i signs = _mm256_sllv_epi32(bits, _mm256_sub_epi32(last, eight));
      kept |= static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(signs))) << i;
    }
    MeetBlock(kept, mask + row);
  }
  CodeRows(codes, passes.data(), row, rows, mask);
}

__attribute__((target("avx2"))) void StepRowsAvx2(const uint16_t* steps, uint16_t first, uint16_t last, size_t rows,
                                                  uint8_t* mask) {
  const __m256i firsts = _mm256_set1_epi16(static_cast<int16_t>(first));
  const __m256i lasts = _mm256_set1_epi16(static_cast<int16_t>(last));
  const auto inside = [&](const uint16_t* at) __attribute__((target("avx2"))) {
    const __m256i sixteen = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    return _mm256_cmpeq_epi16(sixteen, _mm256_min_epu16(_mm256_max_epu16(sixteen, firsts), lasts));
  };
  size_t row = 0;
  for (; row + kMaskBlock <= rows; row += kMaskBlock) {
    // Packing works on halves: their order is put right.
    const __m256i packed = _mm256_packs_epi16(inside(steps + row), inside(steps + row + 16));
    auto* const at = reinterpret_cast<__m256i*>(mask + row);
    _mm256_storeu_si256(at, _mm256_and_si256(_mm256_loadu_si256(at), _mm256_permute4x64_epi64(packed, 0xd8)));
  }
  StepRows(steps, first, last, row, rows, mask);
}

bool HasAvx2() {
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  return avx2;
}
#endif

}  // namespace

bool AnyKept(const RowMask& keep) { return !keep.empty() && std::memchr(keep.data(), 1, keep.size()) != nullptr; }

bool AllKept(const RowMask& keep) { return keep.empty() || std::memchr(keep.data(), 0, keep.size()) == nullptr; }

std::vector<uint32_t> KeptRows(const RowMask& keep) {
  const size_t total = static_cast<size_t>(std::count(keep.begin(), keep.end(), uint8_t{1}));
  // One place more, which is written for rows that are not kept.
  std::vector<uint32_t> rows(total + 1);
  size_t kept = 0, row = 0;
  for (; row + 8 <= keep.size() && kept < total; row += 8) {
    uint64_t eight;
    std::memcpy(&eight, keep.data() + row, sizeof eight);
    if (eight == 0) continue;
    // Without a branch that nobody could foretell.
    for (size_t i = 0; i < 8; ++i) {
      rows[kept] = static_cast<uint32_t>(row + i);
      kept += eight >> (8 * i) & 1;
    }
  }
  for (; row < keep.size() && kept < total; ++row) {
    rows[kept] = static_cast<uint32_t>(row);
    kept += keep[row];
  }
  rows.resize(total);
  return rows;
}

void KeepByRange(const int64_t* values, int64_t low, int64_t high, bool inside, RowMask* keep) {
#if defined(__x86_64__)
  if (HasAvx2()) return RangeRowsAvx2(values, low, high, inside, keep->size(), keep->data());
#endif
  RangeRows(values, low, high, inside, 0, keep->size(), keep->data());
}

void KeepByStep(const uint16_t* steps, uint16_t first, uint16_t last, RowMask* keep) {
#if defined(__x86_64__)
  if (HasAvx2()) return StepRowsAvx2(steps, first, last, keep->size(), keep->data());
#endif
  StepRows(steps, first, last, 0, keep->size(), keep->data());
}

void KeepByCodes(const uint32_t* codes, const std::vector<uint8_t>& passes, RowMask* keep) {
#if defined(__x86_64__)
  if (passes.size() <= size_t{kBitCodes} && HasAvx2()) return CodeRowsAvx2(codes, passes, keep->size(), keep->data());
#endif
  CodeRows(codes, passes.data(), 0, keep->size(), keep->data());
}

}  // namespace braid
