// Hash64 of checksum.h for loops over millions of short texts, inlined into them.
// Threads: pure functions.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <string_view>

#include "engine/base/checksum.h"

namespace braid {

// As Hash64(bytes).
inline uint64_t InlineHash64(std::string_view bytes) {
  // Words are short: the branches for longer texts stay out of the caller.
  if (bytes.size() <= 16) return XXH3_64bits(bytes.data(), bytes.size());
  return Hash64(bytes);
}

}  // namespace braid
