#include "engine/memory/number_table.h"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>
#include <vector>

namespace braid {
namespace {

TEST(NumberTableTest, FindsWhatWasAdded) {
  std::mt19937_64 random(1);
  std::vector<uint64_t> keys;
  std::unordered_map<uint64_t, uint32_t> model;
  NumberTable table;
  // Few different hashes, so that their slots run into each other.
  const auto hash_of = [](uint64_t key) { return key % 300 << 32; };
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t key = random() % 4000;
    const uint32_t found = table.Find(hash_of(key), [&](uint32_t number) { return keys[number] == key; });
    const auto known = model.find(key);
    ASSERT_EQ(found, known == model.end() ? NumberTable::kNone : known->second);
    if (found != NumberTable::kNone || random() % 2 == 0) continue;
    table.Add(hash_of(key), static_cast<uint32_t>(keys.size()));
    model[key] = static_cast<uint32_t>(keys.size());
    keys.push_back(key);
  }
  EXPECT_GT(keys.size(), 3000u);
}

}  // namespace
}  // namespace braid
