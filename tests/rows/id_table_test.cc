// Keys of ids against a map, whatever the ids look like.
#include "query/rows/id_table.h"

#include <map>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "query/rows/key_table.h"

namespace braid {
namespace {

using Key = std::vector<uint64_t>;

// Ids as programs make them: random, few, counted up, with a time in front, short ones in wide ones, all the same.
TraceId SomeId(int look, std::mt19937_64* random) {
  const uint64_t some = (*random)();
  switch (look) {
    case 0: return {some, (*random)()};
    case 1: return {7, some % 50};
    case 2: return {0, some % 5000};
    case 3: return {(0x65a00000 + some % 1000) << 32 | some >> 40, (*random)()};
    case 4: return {0, some};
    case 5: return {some % 3 == 0 ? 1 : ~uint64_t{0}, some % 100};
    default: return {3, 4};
  }
}

struct Keys {
  std::vector<Column> columns;
  std::vector<Key> rows;  // empty: a part is null
};

Keys RandomKeys(const std::vector<Type>& types, int look, size_t rows, bool nulls, std::mt19937_64* random) {
  Keys keys;
  keys.rows.resize(rows);
  std::vector<bool> known(rows, true);
  for (const Type type : types) {
    Column column;
    column.type = type;
    column.size = rows;
    if (nulls) column.valid.resize(rows);
    for (size_t row = 0; row < rows; ++row) {
      const bool valid = !nulls || (*random)() % 5 != 0;
      const TraceId id = SomeId(type == Type::kTraceId ? look : 2, random);
      known[row] = known[row] && valid;
      if (nulls) column.valid[row] = valid ? 1 : 0;
      if (type == Type::kTraceId) {
        column.trace_ids.push_back(valid ? id : TraceId());
        keys.rows[row].push_back(id.high);
      } else {
        column.ints.push_back(valid ? static_cast<int64_t>(id.low) : 0);
      }
      keys.rows[row].push_back(id.low);
    }
    keys.columns.push_back(std::move(column));
  }
  for (size_t row = 0; row < rows; ++row) {
    if (!known[row]) keys.rows[row].clear();
  }
  return keys;
}

void Compare(const std::vector<Type>& types, int look, size_t rows, bool nulls, std::mt19937_64* random) {
  SCOPED_TRACE("look " + std::to_string(look) + ", " + std::to_string(types.size()) + " columns, " +
               std::to_string(rows) + " rows");
  const Keys keys = RandomKeys(types, look, rows, nulls, random);
  IdTable table(types);
  std::vector<uint32_t> begins, order;
  ASSERT_TRUE(table.Build(PointersTo(keys.columns), rows, 2, &begins, &order).ok());
  std::map<Key, std::vector<uint32_t>> expected;
  for (uint32_t row = 0; row < rows; ++row) {
    if (!keys.rows[row].empty()) expected[keys.rows[row]].push_back(row);
  }
  ASSERT_EQ(table.size(), expected.size());
  ASSERT_EQ(begins.size(), expected.size() + 1);
  EXPECT_EQ(begins.back(), order.size());

  // The same rows and others like them.
  const Keys others = RandomKeys(types, look, rows, nulls, random);
  for (const Keys* probe : {&keys, &others}) {
    std::vector<uint32_t> numbers;
    std::vector<bool> compared(table.size());
    table.Find(PointersTo(probe->columns), rows, &numbers);
    ASSERT_EQ(numbers.size(), rows);
    for (size_t row = 0; row < rows; ++row) {
      const auto found = probe->rows[row].empty() ? expected.end() : expected.find(probe->rows[row]);
      if (found == expected.end()) {
        ASSERT_EQ(numbers[row], kNoKey);
        continue;
      }
      ASSERT_LT(numbers[row], table.size());
      ASSERT_EQ(order[begins[numbers[row]]], found->second[0]);
      if (compared[numbers[row]]) continue;
      compared[numbers[row]] = true;
      const std::vector<uint32_t> run(order.begin() + begins[numbers[row]], order.begin() + begins[numbers[row] + 1]);
      ASSERT_EQ(run, found->second);
    }
  }
}

TEST(IdTable, FindsTheRowsOfEachKey) {
  std::mt19937_64 random(1);
  const Type trace = Type::kTraceId, span = Type::kSpanId;
  for (int look = 0; look <= 6; ++look) {
    for (const std::vector<Type>& types : std::vector<std::vector<Type>>{{trace},
                                                                         {span},
                                                                         {trace, span},
                                                                         {span, trace},
                                                                         {trace, trace},
                                                                         {span, span, trace, trace},
                                                                         {trace, trace, trace, trace}}) {
      for (const size_t rows : {0, 1, 2, 17, 1000, 4000}) Compare(types, look, rows, rows % 2 == 1, &random);
    }
    Compare({trace, span}, look, 100'000, false, &random);
    Compare({trace}, look, 100'000, true, &random);
  }
}

TEST(IdTable, ColumnsOfAnotherTypeHaveNoKey) {
  std::mt19937_64 random(2);
  const Keys keys = RandomKeys({Type::kTraceId, Type::kSpanId}, 0, 100, false, &random);
  Column nulls;
  nulls.size = 100;
  IdTable table({Type::kTraceId, Type::kSpanId});
  std::vector<uint32_t> begins, order, numbers;
  ASSERT_TRUE(table.Build({&keys.columns[0], &nulls}, 100, 1, &begins, &order).ok());
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(begins, std::vector<uint32_t>{0});
  table.Find(PointersTo(keys.columns), 100, &numbers);
  EXPECT_EQ(numbers, std::vector<uint32_t>(100, kNoKey));
}

}  // namespace
}  // namespace braid
