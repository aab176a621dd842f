#include "engine/codec/postings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace braid {
namespace {

using Model = std::set<uint32_t>;

std::vector<uint32_t> List(const Model& model) { return {model.begin(), model.end()}; }

// Sets of the shapes that take different containers: sparse, runs, dense, empty.
Model RandomSet(std::mt19937& random, uint32_t end) {
  Model model;
  switch (random() % 4) {
    case 0: break;
    case 1:
      for (int i = 0; i < 200; ++i) model.insert(random() % end);
      break;
    case 2:
      for (int i = 0; i < 5; ++i) {
        const uint32_t begin = random() % end;
        for (uint32_t v = begin; v < std::min(end, begin + 3000); ++v) model.insert(v);
      }
      break;
    default:
      for (uint32_t v = 0; v < end; ++v) {
        if (random() % 3 == 0) model.insert(v);
      }
  }
  return model;
}

Postings FromModel(const Model& model) {
  Postings postings;
  postings.AddMany(List(model));
  return postings;
}

TEST(PostingsTest, AgreesWithASet) {
  std::mt19937 random(3);
  constexpr uint32_t kEnd = 30000;
  for (int round = 0; round < 30; ++round) {
    const Model a = RandomSet(random, kEnd);
    const Model b = RandomSet(random, kEnd);
    Model both, either, without;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::inserter(either, either.end()));
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::inserter(without, without.end()));
    Postings p = FromModel(a);
    p.And(FromModel(b));
    EXPECT_EQ(p.ToVector(), List(both));
    p = FromModel(a);
    p.Or(FromModel(b));
    EXPECT_EQ(p.ToVector(), List(either));
    p = FromModel(a);
    p.AndNot(FromModel(b));
    EXPECT_EQ(p.ToVector(), List(without));
    p = FromModel(a);
    EXPECT_EQ(p.Count(), a.size());
    for (int i = 0; i < 50; ++i) {
      const uint32_t begin = random() % kEnd;
      const uint32_t end = random() % 8 == 0 ? begin : begin + random() % 500;
      EXPECT_EQ(p.Contains(begin), a.count(begin) == 1);
      const auto low = a.lower_bound(begin);
      EXPECT_EQ(p.IntersectsRange(begin, end), low != a.end() && *low < end);
      EXPECT_EQ(p.ToVector(begin, end), std::vector<uint32_t>(low, a.lower_bound(std::max(begin, end))));
    }
    const std::string bytes = p.Serialize();
    const auto parsed = Postings::Parse(bytes, a.empty() ? 0 : *a.rbegin() + 1);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->ToVector(), List(a));
    if (!a.empty()) {
      EXPECT_FALSE(Postings::Parse(bytes, *a.rbegin()).ok());
    }
  }
}

TEST(PostingsTest, ListsAreSerializedAsTheirSet) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 500; ++round) {
    std::set<uint32_t> set;
    const uint64_t range = uint64_t{1} << (1 + random() % 32);
    for (uint64_t i = random() % 8; i > 0; --i) set.insert(static_cast<uint32_t>(random() % range));
    const std::vector<uint32_t> ordinals(set.begin(), set.end());
    Postings postings;
    postings.AddMany(ordinals);
    EXPECT_EQ(Postings::Serialize(ordinals), postings.Serialize());
  }
}

TEST(PostingsTest, RangesAndSelf) {
  EXPECT_TRUE(Postings::Range(5, 5).empty());
  EXPECT_EQ(Postings::Range(5, 8).ToVector(), (std::vector<uint32_t>{5, 6, 7}));
  Postings p = Postings::Range(1, 100000);
  EXPECT_LT(p.Serialize().size(), 40u);  // runs, not bits
  p.And(p);
  p.Or(p);
  EXPECT_EQ(p.Count(), 99999u);
  p.AndNot(p);
  EXPECT_TRUE(p.empty());
  p.Add(UINT32_MAX);
  EXPECT_TRUE(p.Contains(UINT32_MAX));
}

TEST(PostingsTest, GoldenBytes) {
  Postings p;
  p.AddMany({3, 4, 300});
  EXPECT_EQ(p.Serialize(), std::string("\x00\x03\x00\xa7\x02", 5));
  EXPECT_EQ(Postings().Serialize(), std::string(1, '\0'));
}

TEST(PostingsTest, DamagedBytesAreRefusedOrMakeASoundSet) {
  std::mt19937 random(4);
  for (int round = 0; round < 4; ++round) {
    Model model;
    if (round == 0) {
      model = {1, 2, 3, 70000};
    } else if (round == 1) {
      for (uint32_t v = 0; v < 60000; v += 1 + random() % 20) model.insert(v);  // a bitset or an array
    } else if (round == 2) {
      for (uint32_t v = 0; v < 9000; ++v) model.insert(v * 16 % 300000);
    } else {
      for (uint32_t v = 100; v < 200000; ++v) {
        if (v % 1000 != 7) model.insert(v);  // runs
      }
    }
    const std::string good = FromModel(model).Serialize();
    for (size_t i = 0; i < std::min<size_t>(good.size(), 600); ++i) {
      for (int flip : {1, 0x80, 0xff}) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ flip);
        const auto parsed = Postings::Parse(bad, 400000);
        if (!parsed.ok()) continue;
        const std::vector<uint32_t> values = parsed->ToVector();
        EXPECT_TRUE(std::is_sorted(values.begin(), values.end()));
        EXPECT_TRUE(values.empty() || values.back() < 400000);
        Postings other = FromModel(model);
        other.And(*parsed);
        other.Or(*parsed);
      }
      EXPECT_TRUE(i < 6 || !Postings::Parse(good.substr(0, i), 400000).ok() || good[0] == 0);
    }
  }
}

}  // namespace
}  // namespace braid
