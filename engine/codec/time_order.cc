#include "engine/codec/time_order.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace braid {
namespace {

// Of the pairs (i, i + 1) from `from` on. Without a branch per time.
bool HasPairOutOfOrder(std::span<const Timestamp> times, size_t from, bool strict) {
  bool found = false;
  for (size_t i = from + 1; i < times.size(); ++i) {
    found |= strict ? times[i - 1] >= times[i] : times[i - 1] > times[i];
  }
  return found;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) bool HasPairOutOfOrderAvx2(std::span<const Timestamp> times, bool strict) {
  // All bits of a lane: none of its pairs is out of order so far.
  __m256i ordered = _mm256_set1_epi64x(-1);
  size_t i = 0;
  for (; i + 5 <= times.size(); i += 4) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(times.data() + i));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(times.data() + i + 1));
    ordered = strict ? _mm256_and_si256(ordered, _mm256_cmpgt_epi64(second, first))
                     : _mm256_andnot_si256(_mm256_cmpgt_epi64(first, second), ordered);
  }
  return _mm256_movemask_epi8(ordered) != -1 || HasPairOutOfOrder(times, i, strict);
}

bool HasPairOutOfOrder(std::span<const Timestamp> times, bool strict) {
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  return avx2 ? HasPairOutOfOrderAvx2(times, strict) : HasPairOutOfOrder(times, 0, strict);
}
#else
bool HasPairOutOfOrder(std::span<const Timestamp> times, bool strict) { return HasPairOutOfOrder(times, 0, strict); }
#endif

}  // namespace

bool IsAscending(std::span<const Timestamp> times) { return !HasPairOutOfOrder(times, true); }
bool IsNotDescending(std::span<const Timestamp> times) { return !HasPairOutOfOrder(times, false); }

}  // namespace braid
