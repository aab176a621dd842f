// Words of a log message, as the inverted index knows them: maximal runs of ASCII letters, digits, '_' and of bytes
// >= 0x80, case kept, at least 2 and at most kMaxTokenBytes bytes (longer runs are cut into pieces of that size).
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace braid {

inline constexpr size_t kMinTokenBytes = 2;
inline constexpr size_t kMaxTokenBytes = 64;

// Calls `emit(token)` for each token in order; repeats are not removed.
template <typename Emit>
void ForEachToken(std::string_view text, Emit emit);

// Tokens that every message containing `literal` as a substring surely has: those of `literal` that do not touch its
// ends (there the word could go on in the message).
std::vector<std::string> RequiredTokens(std::string_view literal);

}  // namespace braid

#include "engine/codec/tokenizer_inl.h"
