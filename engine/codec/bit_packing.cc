#include "engine/codec/bit_packing.h"

#include <array>
#include <cstring>
#include <utility>

namespace braid {
namespace {

// Words are loaded whole, so a block must be readable this far beyond its end.
constexpr size_t kLoadSlack = 16;

uint64_t LoadWord(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// One function per width, so that shifts and masks are constants of its loop: eight values take `width` bytes.
template <uint32_t width>
void UnpackWidth(const char* packed, size_t count, uint64_t* values) {
  if constexpr (width == 0) {
    std::memset(values, 0, count * sizeof(*values));
  } else {
    constexpr uint64_t kMask = width == 64 ? ~uint64_t{0} : (uint64_t{1} << (width % 64)) - 1;
    for (size_t i = 0; i < count; i += 8, packed += width) {
#pragma GCC unroll 8
      for (uint32_t k = 0; k < 8; ++k) {
        const uint32_t bit = k * width;
        const uint32_t shift = bit % 8;
        uint64_t value = LoadWord(packed + bit / 8) >> shift;
        if (width + shift > 64) {
          value |= static_cast<uint64_t>(static_cast<uint8_t>(packed[bit / 8 + 8])) << (64 - shift) % 64;
        }
        values[i + k] = value & kMask;
      }
    }
  }
}

using UnpackFunction = void (*)(const char*, size_t, uint64_t*);
template <uint32_t... widths>
constexpr std::array<UnpackFunction, sizeof...(widths)> MakeTable(std::integer_sequence<uint32_t, widths...>) {
  return {&UnpackWidth<widths>...};
}
constexpr auto kUnpack = MakeTable(std::make_integer_sequence<uint32_t, 65>());

}  // namespace

void PackBits(const uint64_t* values, size_t count, uint32_t width, std::string* out) {
  if (width == 0) return;
  const uint64_t mask = width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
  const size_t before = out->size();
  out->resize(before + PackedBytes(count, width) + kLoadSlack);
  char* at = out->data() + before;
  uint64_t pending = 0;
  uint32_t bits = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t value = values[i] & mask;
    pending |= value << bits;
    if (bits + width >= 64) {
      std::memcpy(at, &pending, 8);
      at += 8;
      const uint32_t taken = 64 - bits;
      pending = taken == 64 ? 0 : value >> taken;
      bits = bits + width - 64;
    } else {
      bits += width;
    }
  }
  std::memcpy(at, &pending, 8);
  out->resize(before + PackedBytes(count, width));
}

void UnpackBits(const char* packed, size_t count, uint32_t width, uint64_t* values) {
  // A copy costs little beside the unpacking and lets it load words beyond the end of the block.
  char padded[kBlockValues * 8 + kLoadSlack];
  const size_t bytes = PackedBytes(count, width);
  std::memcpy(padded, packed, bytes);
  if (count == kBlockValues) {
    std::memset(padded + bytes, 0, kLoadSlack);
    kUnpack[width](padded, count, values);
    return;
  }
  std::memset(padded + bytes, 0, sizeof(padded) - bytes);
  uint64_t unpacked[kBlockValues];
  kUnpack[width](padded, count, unpacked);
  std::memcpy(values, unpacked, count * sizeof(*values));
}

}  // namespace braid
