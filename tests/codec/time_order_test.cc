// Order of times against the standard library, with the disorder at every place.
#include "engine/codec/time_order.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "gtest/gtest.h"

namespace braid {
namespace {

TEST(TimeOrder, IsThatOfTheStandardLibrary) {
  for (size_t size = 0; size < 20; ++size) {
    for (size_t place = 0; place <= size; ++place) {
      for (const Timestamp value : {kMinTimestamp, Timestamp{-1}, Timestamp{0}, Timestamp{100}, kMaxTimestamp}) {
        for (const Timestamp step : {0, 1, 7}) {
          std::vector<Timestamp> times(size);
          for (size_t i = 0; i < size; ++i) times[i] = static_cast<Timestamp>(i) * step - 20;
          if (place < size) times[place] = value;
          EXPECT_EQ(IsNotDescending(times), std::is_sorted(times.begin(), times.end()));
          EXPECT_EQ(IsAscending(times),
                    std::adjacent_find(times.begin(), times.end(), std::greater_equal<>()) == times.end());
        }
      }
    }
  }
}

}  // namespace
}  // namespace braid
