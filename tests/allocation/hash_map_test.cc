#include "engine/memory/hash_map.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <new>
#include <string>

#include "tests/allocation/failing_new.h"

namespace braid {
namespace {

// Adds entries while the n-th allocation fails, for every n: the table then holds exactly what was added, and goes on.
template <typename Table, typename Add, typename Has>
void FailEachAllocation(const Add& add, const Has& has) {
  constexpr uint64_t kEntries = 300;
  for (uint64_t n = 0;; ++n) {
    Table table;
    uint64_t added = 0;
    bool happened = false;
    try {
      FailingNew failing(n);
      for (; added < kEntries; ++added) add(&table, added);
    } catch (const std::bad_alloc&) {
      happened = true;
    }
    ASSERT_EQ(table.size(), added);
    for (uint64_t key = 0; key < kEntries; ++key) ASSERT_EQ(has(table, key), key < added) << "allocation " << n;
    for (uint64_t key = 0; key < kEntries; ++key) add(&table, key);
    ASSERT_EQ(table.size(), kEntries);
    if (!happened) {
      EXPECT_GT(n, 5u);  // it grew more often than that
      return;
    }
  }
}

TEST(HashMapTest, OutlivesAFailedAllocation) {
  FailEachAllocation<HashMap<uint64_t, uint32_t>>(
      [](auto* map, uint64_t key) { map->try_emplace(key, static_cast<uint32_t>(key)); },
      [](const auto& map, uint64_t key) { return map.contains(key); });
}

TEST(HashMapTest, WithKeysThatAllocate) {
  FailEachAllocation<HashMap<std::string, uint32_t>>(
      [](auto* map, uint64_t key) { map->try_emplace(std::string(100, 'k') + std::to_string(key), 1u); },
      [](const auto& map, uint64_t key) { return map.contains(std::string(100, 'k') + std::to_string(key)); });
}

TEST(HashSetTest, OutlivesAFailedAllocation) {
  FailEachAllocation<HashSet<uint64_t>>([](auto* set, uint64_t key) { set->insert(key); },
                                        [](const auto& set, uint64_t key) { return set.contains(key); });
}

// Erased entries leave marks behind, and the table then grows earlier than its size tells.
TEST(HashMapTest, WithErasedEntries) {
  for (uint64_t n = 0; n < 200; ++n) {
    HashMap<uint64_t, uint32_t> map;
    uint64_t next = 0;
    try {
      FailingNew failing(n);
      for (; next < 4000; ++next) {
        map.try_emplace(next, 0u);
        if (next >= 100 && next % 5 != 0) map.erase(next - 100);
      }
    } catch (const std::bad_alloc&) {
    }
    const size_t size = map.size();
    map.try_emplace(UINT64_MAX, 0u);
    ASSERT_EQ(map.size(), size + 1);
  }
}

}  // namespace
}  // namespace braid
