// The loop behind ForEachToken, here because it is inlined into its callers.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "engine/codec/tokenizer.h"

namespace braid {

inline constexpr std::array<bool, 256> kTokenBytes = [] {
  std::array<bool, 256> table{};
  for (int byte = 0; byte < 256; ++byte) {
    table[static_cast<size_t>(byte)] = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                                       (byte >= '0' && byte <= '9') || byte == '_' || byte >= 0x80;
  }
  return table;
}();

inline bool IsTokenByte(char c) { return kTokenBytes[static_cast<uint8_t>(c)]; }

// Bit i of the result: byte i of the 64 at `bytes` belongs to a token.
inline uint64_t TokenBits(const char* bytes) {
  uint64_t bits = 0;
#if defined(__x86_64__)
  // Bytes >= 0x80 are negative: signed comparisons keep them out of the ASCII ranges, and their high bit is the answer.
  const auto between = [](__m128i of, char low, char high) {
    return _mm_and_si128(_mm_cmpgt_epi8(of, _mm_set1_epi8(static_cast<char>(low - 1))),
                         _mm_cmplt_epi8(of, _mm_set1_epi8(static_cast<char>(high + 1))));
  };
  for (int part = 0; part < 4; ++part) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + part * 16));
    const __m128i letters = between(_mm_or_si128(text, _mm_set1_epi8(0x20)), 'a', 'z');
    const __m128i others = _mm_or_si128(between(text, '0', '9'), _mm_cmpeq_epi8(text, _mm_set1_epi8('_')));
    const int found = _mm_movemask_epi8(_mm_or_si128(text, _mm_or_si128(letters, others)));
    bits |= static_cast<uint64_t>(static_cast<uint32_t>(found)) << (part * 16);
  }
#else
  for (int i = 0; i < 64; ++i) bits |= uint64_t{IsTokenByte(bytes[i])} << i;
#endif
  return bits;
}

template <typename Emit>
void ForEachToken(std::string_view text, Emit emit) {
  const auto emit_run = [&](size_t begin, size_t end) {
    for (; end - begin > kMaxTokenBytes; begin += kMaxTokenBytes) emit(text.substr(begin, kMaxTokenBytes));
    if (end - begin >= kMinTokenBytes) emit(text.substr(begin, end - begin));
  };
  // 64 bytes at a time: where runs begin and end is found without looking at every byte.
  size_t begin = 0;
  bool open = false;  // a run has begun at `begin`, in an earlier block
  for (size_t at = 0; at < text.size(); at += 64) {
    uint64_t bits;
    if (text.size() - at >= 64) {
      bits = TokenBits(text.data() + at);
    } else {
      char rest[64] = {};
      std::memcpy(rest, text.data() + at, text.size() - at);
      bits = TokenBits(rest);
    }
    if (open) {
      if (bits == ~uint64_t{0}) continue;
      const int end = std::countr_one(bits);
      emit_run(begin, at + static_cast<size_t>(end));
      bits &= ~uint64_t{0} << end;
      open = false;
    }
    while (bits != 0) {
      const int first = std::countr_zero(bits);
      const int end = first + std::countr_one(bits >> first);
      if (end == 64) {
        begin = at + static_cast<size_t>(first);
        open = true;
        break;
      }
      emit_run(at + static_cast<size_t>(first), at + static_cast<size_t>(end));
      bits &= ~uint64_t{0} << end;
    }
  }
  if (open) emit_run(begin, text.size());
}

}  // namespace braid
