// The loop behind ForEachToken, here because it is inlined into its callers.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

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

template <typename Emit>
void ForEachToken(std::string_view text, Emit emit) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    while (at != end && !IsTokenByte(*at)) ++at;
    if (at == end) return;
    const char* piece = at;
    while (at != end && IsTokenByte(*at)) ++at;
    while (static_cast<size_t>(at - piece) > kMaxTokenBytes) {
      emit(std::string_view(piece, kMaxTokenBytes));
      piece += kMaxTokenBytes;
    }
    if (static_cast<size_t>(at - piece) >= kMinTokenBytes)
      emit(std::string_view(piece, static_cast<size_t>(at - piece)));
  }
}

}  // namespace braid
