#include "engine/base/coding.h"

#include <gtest/gtest.h>

#include <random>

namespace braid {
namespace {

TEST(CodingTest, KnownBytes) {
  std::string out;
  PutVarint(&out, 300);
  PutZigzag(&out, -2);
  PutFixed32(&out, 0x01020304);
  PutBytes(&out, "hi");
  EXPECT_EQ(out, std::string("\xac\x02\x03\x04\x03\x02\x01\x02hi", 10));
  std::string most;
  PutVarint(&most, UINT64_MAX);
  EXPECT_EQ(most.size(), kMaxVarintBytes);
  EXPECT_EQ(VarintSize(UINT64_MAX), 10u);
  EXPECT_EQ(VarintSize(0), 1u);
  EXPECT_EQ(VarintSize(127), 1u);
  EXPECT_EQ(VarintSize(128), 2u);
}

TEST(CodingTest, RoundTripsEveryWidth) {
  std::string out;
  std::vector<uint64_t> values = {0, 1, UINT64_MAX};
  for (int bit = 0; bit < 64; ++bit) {
    values.push_back(uint64_t{1} << bit);
    values.push_back((uint64_t{1} << bit) - 1);
  }
  for (uint64_t value : values) {
    const size_t before = out.size();
    PutVarint(&out, value);
    EXPECT_EQ(out.size() - before, VarintSize(value));
    PutZigzag(&out, static_cast<int64_t>(value));
    PutFixed64(&out, value);
  }
  Decoder decoder(out);
  for (uint64_t value : values) {
    uint64_t varint;
    int64_t zigzag;
    uint64_t fixed;
    ASSERT_TRUE(decoder.ReadVarint(&varint) && decoder.ReadZigzag(&zigzag) && decoder.ReadFixed64(&fixed));
    EXPECT_EQ(varint, value);
    EXPECT_EQ(zigzag, static_cast<int64_t>(value));
    EXPECT_EQ(fixed, value);
  }
  EXPECT_TRUE(decoder.done());
}

TEST(CodingTest, FailuresStickAndNeverReadOutside) {
  Decoder endless("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");  // more than 64 bits
  uint64_t value = 7;
  EXPECT_FALSE(endless.ReadVarint(&value));
  EXPECT_EQ(value, 7u);
  EXPECT_FALSE(endless.ok());
  uint8_t byte;
  EXPECT_FALSE(endless.ReadByte(&byte));

  std::string claims_much;
  PutVarint(&claims_much, UINT64_MAX);
  claims_much += "x";
  Decoder lying(claims_much);
  std::string_view bytes;
  EXPECT_FALSE(lying.ReadBytes(&bytes));
  EXPECT_FALSE(lying.done());

  Decoder empty("");
  EXPECT_TRUE(empty.done());
  EXPECT_FALSE(empty.ReadRaw(1, &bytes));
  EXPECT_FALSE(empty.done());
  Decoder failed("abc");
  EXPECT_FALSE(failed.ReadVarintMax(96, &value));
  EXPECT_FALSE(failed.ReadRaw(0, &bytes));
}

TEST(CodingTest, RandomBytesAreReadOrRefused) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 24, 0);
    for (char& c : bytes) c = static_cast<char>(random());
    Decoder decoder(bytes);
    size_t last = decoder.remaining() + 1;
    while (decoder.ok() && decoder.remaining() < last) {
      last = decoder.remaining();
      uint64_t number;
      std::string_view view;
      switch (random() % 3) {
        case 0: decoder.ReadVarint(&number); break;
        case 1: decoder.ReadBytes(&view); break;
        default: decoder.ReadFixed64(&number); break;
      }
      ASSERT_LE(decoder.remaining(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace braid
