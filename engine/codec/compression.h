// General compression of blocks.
// Threads: pure functions (contexts are per thread inside). Errors: DataLoss; declared sizes are checked against
// `size_max` before anything is allocated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace braid {

// On disk; numbers never change their meaning.
enum class Compression : uint8_t { kNone = 0, kLz4 = 1, kZstd = 2 };

// Appends the compressed bytes and returns what was used: kNone if compression does not pay.
Compression Compress(Compression wanted, int zstd_level, std::string_view bytes, std::string* out);
absl::Status Decompress(Compression compression, std::string_view bytes, size_t plain_size, size_t size_max,
                        std::string* out);

}  // namespace braid
