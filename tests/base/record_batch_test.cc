#include "braid/record_batch.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "braid/snapshot.h"

namespace braid {
namespace {

TEST(ColumnBuilderTest, NullsBeforeAndAfter) {
  ColumnBuilder builder;
  builder.AppendNull();
  builder.AppendInt(Type::kLevel, 5);
  builder.AppendNull();
  const Column column = builder.Finish();
  EXPECT_EQ(column.type, Type::kLevel);
  EXPECT_EQ(column.valid, (std::vector<uint8_t>{0, 1, 0}));
  EXPECT_EQ(column.ints, (std::vector<int64_t>{0, 5, 0}));
  EXPECT_EQ(column.ValueAt(1), Value("error"));
  EXPECT_EQ(column.ValueAt(2), Value());
  EXPECT_EQ(builder.size(), 0u);
  ColumnBuilder nothing;
  nothing.AppendNull();
  EXPECT_TRUE(nothing.Finish().IsNull(0));
}

TEST(ColumnBuilderTest, WidensIntsToDoublesOnlyWhereExact) {
  ColumnBuilder builder;
  builder.AppendValue(int64_t{3});
  builder.AppendValue(1.5);
  builder.AppendValue(int64_t{1} << 53);
  Column column = builder.Finish();
  EXPECT_EQ(column.type, Type::kDouble);
  EXPECT_EQ(column.doubles, (std::vector<double>{3, 1.5, 9007199254740992.0}));
  builder.AppendValue(int64_t{9007199254740993});
  builder.AppendValue(1.5);
  column = builder.Finish();
  EXPECT_EQ(column.type, Type::kMixed);
  EXPECT_EQ(column.ValueAt(0), Value(int64_t{9007199254740993}));
  builder.AppendValue(1.5);
  builder.AppendNull();
  builder.AppendValue(int64_t{9007199254740993});
  column = builder.Finish();
  EXPECT_EQ(column.type, Type::kMixed);
  EXPECT_EQ(column.ValueAt(0), Value(1.5));
  EXPECT_TRUE(column.IsNull(1));
}

TEST(ColumnBuilderTest, RangesAreTheirRows) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<Column> sources;
    for (int i = 0; i < 3; ++i) {
      ColumnBuilder source;
      const int kind = static_cast<int>(random() % 5);
      for (int row = 0; row < 40; ++row) {
        const int64_t number = static_cast<int64_t>(random() % 6);
        const bool null = random() % (round % 3 + 1) != 0;
        if (null) source.AppendNull();
        if (!null && kind == 0) source.AppendInt(Type::kInt, number);
        if (!null && kind == 1) source.AppendDouble(static_cast<double>(number) + 0.5);
        if (!null && kind == 2) source.AppendString("text" + std::to_string(number));
        if (!null && kind == 3) source.AppendTraceId({1, static_cast<uint64_t>(number)});
        if (!null && kind == 4) number < 3 ? source.AppendString("t") : source.AppendInt(Type::kInt, number);
      }
      sources.push_back(source.Finish());
    }
    ColumnBuilder by_range, by_row;
    if (round % 2 == 0) by_range.BorrowTexts(std::make_shared<int>());
    std::vector<std::vector<uint32_t>> codes(sources.size());
    for (int run = 0; run < 10; ++run) {
      const size_t of = random() % (round % 4 == 0 ? 1 : sources.size()), begin = random() % 40;
      const size_t end = begin + random() % (41 - begin);
      by_range.AppendRange(sources[of], begin, end, &codes[of]);
      for (size_t row = begin; row < end; ++row) by_row.AppendFrom(sources[of], row);
    }
    const Column a = by_range.Finish(), b = by_row.Finish();
    ASSERT_EQ(a.type, b.type);
    ASSERT_EQ(a.size, b.size);
    EXPECT_EQ(a.valid, b.valid);
    for (size_t row = 0; row < a.size; ++row) EXPECT_EQ(a.ValueAt(row), b.ValueAt(row));
    if (a.type != Type::kString) continue;
    EXPECT_TRUE(a.dictionary->distinct);
    EXPECT_EQ(a.dictionary->values, b.dictionary->values);
  }
}

TEST(ColumnBuilderTest, MixedKeepsEveryValue) {
  ColumnBuilder builder;
  builder.AppendString("a");
  builder.AppendTraceId({1, 2});
  builder.AppendInt(Type::kSpanId, 255);
  builder.AppendValue(true);
  builder.AppendHistogram(nullptr);
  const Column column = builder.Finish();
  EXPECT_EQ(column.type, Type::kMixed);
  EXPECT_EQ(column.ValueAt(0), Value("a"));
  EXPECT_EQ(column.ValueAt(1), Value("00000000000000010000000000000002"));
  EXPECT_EQ(column.ValueAt(2), Value("00000000000000ff"));
  EXPECT_EQ(column.ValueAt(3), Value(true));
  EXPECT_TRUE(column.IsNull(4));
}

TEST(ColumnBuilderTest, StringsShareCodes) {
  std::mt19937 random(1);
  ColumnBuilder builder;
  std::vector<std::string> model;
  for (int i = 0; i < 20000; ++i) {
    model.push_back("s" + std::to_string(random() % 3000));
    builder.AppendString(model.back());
  }
  const Column column = builder.Finish();
  EXPECT_EQ(column.dictionary->values.size(), std::set<std::string>(model.begin(), model.end()).size());
  for (size_t i = 0; i < model.size(); ++i) ASSERT_EQ(column.StringAt(i), model[i]);
  for (int i = 0; i < 100000; ++i) builder.AppendString(std::to_string(i));  // beyond what is shared
  const Column distinct = builder.Finish();
  for (size_t i = 0; i < distinct.size; ++i) ASSERT_EQ(distinct.StringAt(i), std::to_string(i));
}

TEST(ColumnTest, SelectAndAppendFrom) {
  ColumnBuilder builder;
  for (int i = 0; i < 5; ++i) builder.AppendString(std::to_string(i));
  builder.AppendNull();
  RecordBatch batch{6, {builder.Finish()}};
  const RecordBatch selected = batch.Select({5, 3, 3});
  ASSERT_EQ(selected.num_rows, 3u);
  EXPECT_TRUE(selected.columns[0].IsNull(0));
  EXPECT_EQ(selected.columns[0].StringAt(1), "3");
  ColumnBuilder copy;
  for (size_t row = 0; row < 3; ++row) copy.AppendFrom(selected.columns[0], row);
  const Column column = copy.Finish();
  EXPECT_EQ(column.type, Type::kString);
  EXPECT_EQ(column.StringAt(2), "3");
}

TEST(ColumnTest, HistogramText) {
  Histogram histogram;
  histogram.count = 4;
  histogram.sum = 4.5;
  histogram.zero_threshold = 0.25;
  histogram.zero_count = 1;
  histogram.positive = {{1, 2}};
  histogram.negative = {{0, 1}};
  ColumnBuilder builder;
  builder.AppendHistogram(std::make_shared<Histogram>(histogram));
  EXPECT_EQ(builder.Finish().ValueAt(0), Value("{count:4, sum:4.5, [-1,-0.5):1, [-0.25,0.25]:1, (1,2]:2}"));
}

TEST(TablesTest, EveryTableHasTimeStreamAndIds) {
  for (int i = 0; i < kTableCount; ++i) {
    std::map<std::string, Type> columns;
    for (const auto& [name, type] : BuiltinColumns(static_cast<Table>(i))) {
      EXPECT_TRUE(columns.emplace(name, type).second) << name;
    }
    EXPECT_EQ(columns["time"], Type::kTimestamp);
    EXPECT_EQ(columns["stream"], Type::kInt);
    EXPECT_EQ(columns["trace_id"], Type::kTraceId);
    EXPECT_EQ(columns["service"], Type::kString);
  }
  EXPECT_EQ(ToString(Table::kLinks), "links");
}

TEST(TablesTest, StatsAddUp) {
  ScanStats a;
  a.rows_read = 3;
  a.indexes = {"terms"};
  ScanStats b = a;
  b.indexes.push_back("trace index");
  b.damaged = {"x"};
  a.Add(b);
  EXPECT_EQ(a.rows_read, 6u);
  EXPECT_EQ(a.indexes, (std::vector<std::string>{"terms", "trace index"}));
  EXPECT_EQ(a.damaged.size(), 1u);
}

}  // namespace
}  // namespace braid
