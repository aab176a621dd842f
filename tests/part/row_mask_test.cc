// Rows that are left: many at once as one after another.
#include "engine/part/row_mask.h"

#include <random>
#include <vector>

#include "braid/snapshot.h"
#include "engine/part/row_filter.h"
#include "gtest/gtest.h"

namespace braid {
namespace {

// Masks in which single rows, runs or nothing at all were dropped before.
RowMask RandomMask(std::mt19937* random, size_t rows) {
  RowMask keep(rows, 1);
  const int one_in = std::uniform_int_distribution<int>(1, 60)(*random);
  uint8_t now = 1;
  for (uint8_t& row : keep) {
    if (std::uniform_int_distribution<int>(0, one_in)(*random) == 0) now ^= 1;
    row = now;
  }
  return keep;
}

TEST(RowMask, CountsAndListsWhatIsLeft) {
  std::mt19937 random(1);
  for (size_t rows = 0; rows < 300; ++rows) {
    const RowMask keep = RandomMask(&random, rows);
    std::vector<uint32_t> expected;
    for (size_t row = 0; row < rows; ++row) {
      if (keep[row] != 0) expected.push_back(static_cast<uint32_t>(row));
    }
    EXPECT_EQ(KeptRows(keep), expected);
    EXPECT_EQ(AnyKept(keep), !expected.empty());
    EXPECT_EQ(AllKept(keep), expected.size() == rows);
  }
}

TEST(RowMask, WholeNumbersAreComparedAsOneByOne) {
  using Op = Predicate::Op;
  std::mt19937 random(2);
  const std::vector<int64_t> some = {INT64_MIN, INT64_MIN + 1, -7, -1, 0, 1, 7, INT64_MAX - 1, INT64_MAX};
  std::uniform_int_distribution<size_t> pick(0, some.size() - 1);
  for (size_t round = 0; round < 2000; ++round) {
    Column column;
    column.type = Type::kInt;
    column.size = round % 150;
    for (size_t row = 0; row < column.size; ++row) column.ints.push_back(some[pick(random)]);
    if (round % 3 == 0) column.valid = RandomMask(&random, column.size);
    Predicate predicate;
    predicate.op = static_cast<Op>(round % 7);
    predicate.values = {some[pick(random)]};
    if (round % 5 == 0) predicate.values.emplace_back(some[pick(random)]);
    const RowMask before = RandomMask(&random, column.size);
    RowMask keep = before;
    FilterByPredicate(predicate, column, &keep);
    for (size_t row = 0; row < column.size; ++row) {
      const bool passes = MayMatch(predicate, column.IsNull(row) ? ValueView() : ValueView(column.ints[row]));
      EXPECT_EQ(keep[row] != 0, before[row] != 0 && passes) << "op " << round % 7 << " of " << column.ints[row];
    }
  }
}

TEST(RowMask, TextsOfASmallDictionaryAreComparedAsOneByOne) {
  std::mt19937 random(3);
  for (size_t round = 0; round < 500; ++round) {
    const size_t texts = round % 5 + 1;
    std::vector<std::string_view> words = {"cart", "front", "payment", "cart", "stock"};
    words.resize(texts);
    Column column;
    column.type = Type::kString;
    column.dictionary = StringDictionary::Make(words);
    column.size = 8 * texts + round % 130;
    for (size_t row = 0; row < column.size; ++row) {
      column.codes.push_back(std::uniform_int_distribution<uint32_t>(0, static_cast<uint32_t>(texts) - 1)(random));
    }
    Predicate predicate;
    predicate.op = round % 2 == 0 ? Predicate::Op::kEqual : Predicate::Op::kNotEqual;
    predicate.values = {std::string(round % 3 == 0 ? "payment" : round % 3 == 1 ? "cart" : "absent")};
    const RowMask before = RandomMask(&random, column.size);
    RowMask keep = before;
    FilterByPredicate(predicate, column, &keep);
    for (size_t row = 0; row < column.size; ++row) {
      EXPECT_EQ(keep[row] != 0, before[row] != 0 && MayMatch(predicate, column.StringAt(row)));
    }
  }
}

TEST(RowMask, CoarseTimesAreAsGoodAsTheTimes) {
  std::mt19937_64 random(5);
  std::mt19937 masks(6);
  const std::vector<int64_t> edges = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
  for (size_t round = 0; round < 2000; ++round) {
    const auto some = [&] {
      if (round % 4 == 0) return edges[random() % edges.size()];
      const auto wide = static_cast<int64_t>(random() >> (random() % 2 == 0 ? 1 : 40));
      return round % 4 == 1 ? wide : wide % 100'000;
    };
    std::vector<int64_t> times(random() % 100);
    for (int64_t& time : times) time = some();
    TimeRange range{some(), some()};
    if (range.empty()) std::swap(range.start, range.end);
    if (round % 3 == 0) range.end = range.start;
    const RowMask before = RandomMask(&masks, times.size());
    RowMask keep = before;
    CoarseTimes(times).Filter(range, times.data(), &keep);
    for (size_t row = 0; row < times.size(); ++row) {
      EXPECT_EQ(keep[row] != 0, before[row] != 0 && range.Contains(times[row]));
    }
  }
}

TEST(RowMask, TimesInsideOfARangeWithAndWithoutAnEnd) {
  std::mt19937 random(4);
  std::uniform_int_distribution<int64_t> some(-50, 50);
  for (size_t round = 0; round < 1000; ++round) {
    Column time, end;
    time.type = end.type = Type::kTimestamp;
    time.size = end.size = round % 140;
    for (size_t row = 0; row < time.size; ++row) {
      time.ints.push_back(some(random));
      end.ints.push_back(some(random));
    }
    const TimeRange range{some(random), some(random)};
    const bool lasting = round % 2 == 0;
    const RowMask before = RandomMask(&random, time.size);
    RowMask keep = before;
    const CoarseTimes coarse(time.ints);
    FilterByTime(range, time, lasting ? &end : nullptr, round % 3 == 0 ? &coarse : nullptr, &keep);
    for (size_t row = 0; row < time.size; ++row) {
      const TimeRange own{time.ints[row], lasting ? std::max(time.ints[row], end.ints[row]) : time.ints[row]};
      EXPECT_EQ(keep[row] != 0, before[row] != 0 && !range.empty() && range.Overlaps(own));
    }
  }
}

}  // namespace
}  // namespace braid
