#include "engine/base/checksum.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace braid {
namespace {

// Bit by bit, from the definition.
uint32_t SlowCrc32c(std::string_view bytes) {
  uint32_t crc = 0xffffffff;
  for (char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

TEST(ChecksumTest, VectorsOfRfc3720) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(ChecksumTest, BothWaysAgreeWithTheDefinition) {
  std::mt19937_64 random(2);
  for (size_t size = 0; size < 100; ++size) {
    std::string bytes(size, 0);
    for (char& c : bytes) c = static_cast<char>(random());
    const uint32_t expected = SlowCrc32c(bytes);
    EXPECT_EQ(Crc32c(bytes), expected);
    EXPECT_EQ(Crc32cPortable(bytes), expected);
    const size_t cut = size == 0 ? 0 : random() % size;
    EXPECT_EQ(Crc32c(bytes.substr(cut), Crc32c(bytes.substr(0, cut))), expected);
    EXPECT_EQ(Crc32cPortable(bytes.substr(cut), Crc32cPortable(bytes.substr(0, cut))), expected);
  }
}

TEST(ChecksumTest, HashIsXxh3) {
  EXPECT_EQ(Hash64(""), 0x2d06800538d394c2u);  // published test vector of XXH3_64bits for no input
  EXPECT_NE(Hash64("a"), Hash64("b"));
}

}  // namespace
}  // namespace braid
