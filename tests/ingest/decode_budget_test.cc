#include "server/ingest/decode_budget.h"

#include <gtest/gtest.h>

#include <optional>

namespace braid::ingest {
namespace {

TEST(DecodeBudget, TheFirstAlwaysGoesOn) {
  DecodeBudget budget(100);
  std::optional<DecodeBudget::Share> first, second, third;
  first.emplace(&budget, 2);
  second.emplace(&budget, 1);
  third.emplace(&budget, 1);
  EXPECT_TRUE(first->Grow(20));
  EXPECT_TRUE(second->Grow(50));
  EXPECT_EQ(budget.used(), 90u);
  EXPECT_FALSE(second->Grow(61));
  EXPECT_FALSE(third->Grow(11));
  EXPECT_TRUE(third->Grow(10));
  EXPECT_TRUE(third->Grow(5));  // has it already
  EXPECT_TRUE(first->Grow(1000));
  EXPECT_EQ(budget.used(), 2060u);
  EXPECT_FALSE(second->Grow(51));
  first.reset();
  EXPECT_EQ(budget.used(), 60u);
  EXPECT_TRUE(second->Grow(500));  // now it is the first
  EXPECT_FALSE(third->Grow(11));
  second.reset();
  third.reset();
  EXPECT_EQ(budget.used(), 0u);
}

TEST(DecodeBudget, TheBatchCountsAsItGrows) {
  DecodeBudget budget(1 << 20);
  {
    DecodeBudget::Share first(&budget, 2), second(&budget, 2);
    EXPECT_TRUE(second.Grow(100));
    EXPECT_EQ(budget.used(), 200u);
    size_t held = 0;
    for (size_t bytes = 0; bytes < (1 << 20) && second.GrowBatch(bytes); bytes += 100) held = bytes;
    // What it holds fits, with what is beside the text, and most of the budget was of use.
    EXPECT_GE(budget.used(), 200 + 2 * held);
    EXPECT_LE(budget.used(), size_t{1} << 20);
    EXPECT_GE(4 * held, size_t{1} << 20);
    EXPECT_FALSE(second.Grow(200 << 10));  // the body does not get what the batch has
    EXPECT_TRUE(first.GrowBatch(10 << 20));
  }
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace braid::ingest
