// Bit-packed blocks of unsigned integers, low bits first, in runs without gaps.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace braid {

inline constexpr size_t kBlockValues = 128;

inline size_t PackedBytes(size_t count, uint32_t width) { return (count * width + 7) / 8; }

// Appends PackedBytes(count, width) bytes. Bits of a value above `width` are dropped. REQUIRES: width <= 64.
void PackBits(const uint64_t* values, size_t count, uint32_t width, std::string* out);

// REQUIRES: count <= kBlockValues, width <= 64, PackedBytes(count, width) bytes at `packed`.
void UnpackBits(const char* packed, size_t count, uint32_t width, uint64_t* values);

}  // namespace braid
