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

}  // namespace
}  // namespace braid::ingest
