#include "engine/codec/int_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "engine/codec/bit_packing.h"
#include "engine/codec/column_codec.h"

namespace braid {
namespace {

using Ints = std::vector<int64_t>;

// Lists of the shapes that the codec looks for, and some that break it open: extremes, outliers, wrap-around.
Ints MakeList(std::mt19937_64& random, size_t count) {
  Ints values(count);
  const int shape = static_cast<int>(random() % 10);
  const int64_t base = static_cast<int64_t>(random());
  const int width = static_cast<int>(random() % 64);
  uint64_t running = random();
  for (size_t i = 0; i < count; ++i) {
    const uint64_t noise = random() & ((uint64_t{2} << width) - 1);
    switch (shape) {
      case 0: values[i] = base; break;
      case 1: values[i] = static_cast<int64_t>(running += 15'000'000'000); break;
      case 2: values[i] = static_cast<int64_t>(running += 15'000'000'000 + random() % 7 * 1'000'000); break;
      case 3: values[i] = static_cast<int64_t>(noise); break;
      case 4: values[i] = static_cast<int64_t>(static_cast<uint64_t>(base) + noise); break;
      case 5: values[i] = static_cast<int64_t>(random()); break;
      case 6:
        values[i] = random() % 40 == 0 ? static_cast<int64_t>(random()) : static_cast<int64_t>(random() % 8);
        break;
      case 7: values[i] = random() % 2 == 0 ? INT64_MIN : INT64_MAX; break;
      case 8: values[i] = static_cast<int64_t>(i * i) * -4096; break;
      default: values[i] = random() % 3 == 0 ? static_cast<int64_t>(running += noise) : static_cast<int64_t>(running);
    }
  }
  return values;
}

TEST(BitPackingTest, AgreesWithBitByBit) {
  std::mt19937_64 random(7);
  for (uint32_t width = 0; width <= 64; ++width) {
    for (size_t count : {size_t{1}, size_t{7}, size_t{8}, size_t{77}, size_t{127}, kBlockValues}) {
      std::vector<uint64_t> values(count);
      for (uint64_t& value : values) value = random();
      std::string packed;
      PackBits(values.data(), count, width, &packed);
      ASSERT_EQ(packed.size(), (count * width + 7) / 8);
      std::vector<uint64_t> unpacked(count);
      UnpackBits(packed.data(), count, width, unpacked.data());
      for (size_t i = 0; i < count; ++i) {
        uint64_t expected = 0;
        for (uint32_t bit = 0; bit < width; ++bit) {
          const size_t at = i * width + bit;
          const uint64_t set = (static_cast<uint8_t>(packed[at / 8]) >> (at % 8)) & 1;
          ASSERT_EQ(set, (values[i] >> bit) & 1);
          expected |= set << bit;
        }
        ASSERT_EQ(unpacked[i], expected);
      }
    }
  }
}

TEST(IntCodecTest, RoundTrips) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 1500; ++round) {
    const Ints values = MakeList(random, random() % 400);
    const std::string bytes = EncodeInts(values);
    Ints back;
    ASSERT_TRUE(DecodeInts(bytes, values.size(), &back).ok());
    ASSERT_EQ(back, values);
    ASSERT_LE(bytes.size(), values.size() * 8 + (values.size() + 127) / 128 * 12 + 24);
    if (!values.empty()) {
      EXPECT_FALSE(DecodeInts(bytes, 0, &back).ok());
      EXPECT_FALSE(DecodeInts(bytes + "x", values.size(), &back).ok());
    }
  }
}

TEST(IntCodecTest, GoldenBytes) {
  const auto hex = [](const Ints& values) {
    std::string text;
    for (unsigned char c : EncodeInts(values)) {
      text += "0123456789abcdef"[c >> 4];
      text += "0123456789abcdef"[c & 15];
    }
    return text;
  };
  EXPECT_EQ(hex({}), "");
  EXPECT_EQ(hex({-3, -3}), "0005");        // constant, zigzag(-3)
  EXPECT_EQ(hex({10, 13, 16}), "011406");  // linear, zigzag(10), zigzag(3)
  // Order 0: width 2, base zigzag(5), then 0 1 3 2 in two bits each, low first: 10 11 01 00.
  EXPECT_EQ(hex({5, 6, 8, 7}), "02020ab4");
  // Multiples of 1000 from 7000: origin zigzag(7000), gcd 1000, then 0 1 3 2 as above with base 0.
  EXPECT_EQ(hex({7000, 8000, 10000, 9000}), "0ab06de8070200b4");
}

TEST(IntCodecTest, CostsWhatItShould) {
  Ints scrape;
  for (int64_t i = 0; i < 1000; ++i) scrape.push_back(1'700'000'000'000'000'000 + i * 15'000'000'000);
  EXPECT_LE(EncodeInts(scrape).size(), 24u);
  std::mt19937_64 random(9);
  Ints jitter = scrape;
  for (int64_t& time : jitter) time += static_cast<int64_t>(random() % 4) * 1'000'000;
  EXPECT_LE(EncodeInts(jitter).size(), 1000 * 3 / 8 + 80u);
  Ints gap = scrape;
  for (size_t i = 500; i < gap.size(); ++i) gap[i] += 3600'000'000'000;
  EXPECT_LE(EncodeInts(gap).size(), 60u);
}

// Skewed residuals of one and of two bytes: what the compressed byte planes are for.
Ints MakeSkewed(std::mt19937_64& random, uint64_t range) {
  Ints values(600);
  int64_t running = -1'000'000;
  for (int64_t& value : values) {
    const bool far = random() % 4 == 0;
    running += static_cast<int64_t>(far ? random() % range : random() % 3);
    value = running;
  }
  return values;
}

TEST(IntCodecTest, BytePlanes) {
  constexpr uint8_t kPlanes = 16;
  std::mt19937_64 random(11);
  for (uint64_t range : {uint64_t{200}, uint64_t{256}, uint64_t{257}, uint64_t{60'000}, uint64_t{65'536}}) {
    for (int round = 0; round < 20; ++round) {
      const Ints values = MakeSkewed(random, range);
      const std::string bytes = EncodeInts(values);
      ASSERT_EQ(bytes[0] & kPlanes, kPlanes) << range;
      Ints back;
      ASSERT_TRUE(DecodeInts(bytes, values.size(), &back).ok());
      ASSERT_EQ(back, values);
      // As if they were varints, or of one value more: other values or none, and no reading beyond the end.
      std::string other = bytes;
      other[0] = static_cast<char>(other[0] & ~kPlanes);
      if (DecodeInts(other, values.size(), &back).ok()) {
        EXPECT_NE(back, values);
      }
      EXPECT_FALSE(DecodeInts(bytes, values.size() + 1, &back).ok());
      for (size_t i = 0; i < bytes.size(); i += 7) {
        std::string bad = bytes;
        bad[i] = static_cast<char>(bad[i] ^ (1 << random() % 8));
        if (DecodeInts(bad, values.size(), &back).ok()) {
          EXPECT_EQ(back.size(), values.size());
        }
      }
    }
  }
  // Planes belong to the compressed kinds alone.
  Ints back;
  EXPECT_FALSE(DecodeInts("\x10\x05", 2, &back).ok());
}

TEST(IntCodecTest, OutliersOnBothSidesOfAnyNumber) {
  std::mt19937_64 random(12);
  for (size_t count = 1; count <= kBlockValues; ++count) {
    for (size_t outliers : {size_t{0}, size_t{1}, size_t{5}, size_t{16}, size_t{17}}) {
      Ints values(count);
      for (int64_t& value : values) value = static_cast<int64_t>(random() % 16);
      for (size_t i = 0; i < outliers; ++i) {
        const auto far = static_cast<int64_t>(random() % (uint64_t{1} << (20 + random() % 40)));
        values[random() % count] = random() % 2 == 0 ? far : -far;
      }
      if (random() % 2 == 0) std::sort(values.begin(), values.end());
      Ints back;
      ASSERT_TRUE(DecodeInts(EncodeInts(values), count, &back).ok());
      ASSERT_EQ(back, values);
    }
  }
}

TEST(IntCodecTest, DamagedBytesAreRefusedOrMakeValues) {
  std::mt19937_64 random(10);
  for (int round = 0; round < 150; ++round) {
    const Ints values = MakeList(random, 1 + random() % 300);
    const std::string good = EncodeInts(values);
    Ints back;
    for (size_t i = 0; i < good.size(); i += 1 + good.size() / 100) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << random() % 8));
      if (DecodeInts(bad, values.size(), &back).ok()) {
        EXPECT_EQ(back.size(), values.size());
      }
      EXPECT_FALSE(DecodeInts(good.substr(0, i), values.size(), &back).ok());
    }
  }
}

}  // namespace
}  // namespace braid
