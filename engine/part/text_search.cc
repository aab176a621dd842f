#include "engine/part/text_search.h"

#include <emmintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace braid {
namespace {

// Runs of five: ids in hexadecimal digits have a million of them, so that the few that a row group holds tell texts
// apart.
constexpr size_t kRunBytes = 5;
constexpr size_t kRunStep = 2;
// Bits of the filter per byte of text: with a run at every second byte, and many of them there before, one in four or
// less is set.
constexpr size_t kBitsPerByte = 1;
constexpr size_t kWordsMin = 16, kWordsMax = size_t{1} << 16;

}  // namespace

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

uint64_t TextFilter::Slot(const char* run) const {
  uint32_t four;
  std::memcpy(&four, run, 4);
  const uint64_t five = four | static_cast<uint64_t>(static_cast<uint8_t>(run[4])) << 32;
  return five * 0x9e3779b97f4a7c15u >> shift_;
}

TextFilter::TextFilter(const StringDictionary& texts) {
  size_t bytes = 0;
  for (std::string_view text : texts.values) bytes += text.size();
  const size_t words = std::clamp(std::bit_ceil(bytes * kBitsPerByte / 64 + 1), kWordsMin, kWordsMax);
  words_.assign(words, 0);
  shift_ = 64 - 6 - std::countr_zero(words);
  for (std::string_view text : texts.values) {
    for (size_t at = 0; at + kRunBytes <= text.size(); at += kRunStep) {
      const uint64_t slot = Slot(text.data() + at);
      words_[slot / 64] |= uint64_t{1} << (slot % 64);
    }
  }
}

bool TextFilter::HasRunsFrom(std::string_view literal, size_t first) const {
  for (size_t at = first; at + kRunBytes <= literal.size(); at += kRunStep) {
    const uint64_t slot = Slot(literal.data() + at);
    if ((words_[slot / 64] >> (slot % 64) & 1) == 0) return false;
  }
  return true;
}

bool TextFilter::MayContain(std::string_view literal) const {
  return HasRunsFrom(literal, 0) || HasRunsFrom(literal, 1);
}

}  // namespace braid
