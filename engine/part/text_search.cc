#include "engine/part/text_search.h"

#include <emmintrin.h>

#include <bit>
#include <cstring>

namespace braid {
size_t FindText(std::string_view text, std::string_view wanted, size_t from) {
  const size_t size = wanted.size();
  if (text.size() < size || from > text.size() - size) return std::string_view::npos;
  const char* const begin = text.data();
  const char* at = begin + from;
  const char* const last_start = begin + text.size() - size;
  const __m128i first = _mm_set1_epi8(wanted.front()), last = _mm_set1_epi8(wanted.back());
  // Sixteen places at once while the sixteen bytes at the wanted text's end are inside.
  for (; last_start - at >= 15; at += 16) {
    const __m128i starts = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i ends = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + size - 1));
    const __m128i both = _mm_and_si128(_mm_cmpeq_epi8(starts, first), _mm_cmpeq_epi8(ends, last));
    for (uint32_t places = static_cast<uint32_t>(_mm_movemask_epi8(both)); places != 0; places &= places - 1) {
      const char* const place = at + std::countr_zero(places);
      if (std::memcmp(place, wanted.data(), size) == 0) return static_cast<size_t>(place - begin);
    }
  }
  for (; at <= last_start; ++at) {
    if (std::memcmp(at, wanted.data(), size) == 0) return static_cast<size_t>(at - begin);
  }
  return std::string_view::npos;
}

}  // namespace braid
