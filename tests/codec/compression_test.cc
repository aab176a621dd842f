#include "engine/codec/compression.h"

#include <gtest/gtest.h>

#include <random>

namespace braid {
namespace {

TEST(CompressionTest, RoundTripsAndFallsBack) {
  std::mt19937 random(6);
  std::string noise(5000, 0);
  for (char& c : noise) c = static_cast<char>(random());
  const std::string text = [] {
    std::string made;
    for (int i = 0; i < 500; ++i) made += "line " + std::to_string(i % 17) + "\n";
    return made;
  }();
  for (const std::string& plain : {std::string(), std::string("x"), noise, text}) {
    for (Compression wanted : {Compression::kNone, Compression::kLz4, Compression::kZstd}) {
      std::string packed = "before";
      const Compression used = Compress(wanted, 3, plain, &packed);
      EXPECT_EQ(packed.substr(0, 6), "before");
      packed.erase(0, 6);
      if (plain == noise) {
        EXPECT_EQ(used, Compression::kNone);
      }
      if (plain == text) {
        EXPECT_EQ(used, wanted);
      }
      std::string back;
      ASSERT_TRUE(Decompress(used, packed, plain.size(), plain.size(), &back).ok());
      EXPECT_EQ(back, plain);
      EXPECT_FALSE(Decompress(used, packed, plain.size() + 1, plain.size(), &back).ok());
      EXPECT_FALSE(Decompress(used, packed, plain.size() + 1, SIZE_MAX, &back).ok());
    }
  }
}

TEST(CompressionTest, DamagedBytesAreRefusedWithoutTakingMemory) {
  std::string packed;
  const std::string plain(10000, 'a');
  for (Compression wanted : {Compression::kLz4, Compression::kZstd}) {
    packed.clear();
    ASSERT_EQ(Compress(wanted, 3, plain, &packed), wanted);
    std::string back;
    EXPECT_FALSE(Decompress(wanted, packed, size_t{1} << 30, size_t{1} << 40, &back).ok());
    EXPECT_LT(back.capacity(), size_t{1} << 20);
    for (size_t i = 0; i < packed.size(); ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        std::string bad = packed;
        bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
        const absl::Status status = Decompress(wanted, bad, plain.size(), plain.size(), &back);
        EXPECT_TRUE(status.ok() || absl::IsDataLoss(status));
      }
      EXPECT_FALSE(Decompress(wanted, packed.substr(0, i), plain.size(), plain.size(), &back).ok());
    }
  }
  std::string back;
  EXPECT_FALSE(Decompress(static_cast<Compression>(9), "x", 1, 1, &back).ok());
}

}  // namespace
}  // namespace braid
