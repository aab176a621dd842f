#include "engine/memory/large_allocator.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <new>
#include <vector>

namespace braid {
namespace {

size_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  size_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * 4096;
}

TEST(LargeAllocator, KeepsWhatGrowsFromTheHeapToPagesAndGivesPagesBack) {
  std::vector<uint64_t, LargeAllocator<uint64_t>> numbers;
  constexpr size_t kCount = size_t{4} << 20;
  while (numbers.size() < kCount) numbers.push_back(numbers.size());
  for (size_t i = 0; i < kCount; ++i) ASSERT_EQ(numbers[i], i);
  const size_t before = ResidentBytes();
  EXPECT_GE(before, kCount * 8);
  numbers = {};
  numbers.shrink_to_fit();
  EXPECT_LE(ResidentBytes() + kCount * 8, before + (size_t{4} << 20));
}

TEST(LargeAllocator, RefusesWhatNobodyHas) {
  EXPECT_THROW(LargeAllocator<uint64_t>().allocate(SIZE_MAX / 4), std::bad_array_new_length);
  EXPECT_THROW(LargeAllocator<uint64_t>().allocate(SIZE_MAX / 16), std::bad_alloc);
}

}  // namespace
}  // namespace braid
