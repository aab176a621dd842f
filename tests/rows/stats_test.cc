#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "gmock/gmock.h"
#include "query/rows/aggregate.h"
#include "query/rows/cardinality_sketch.h"
#include "query/rows/exact_sum.h"
#include "query/rows/quantile_sketch.h"
#include "query/rows/windows.h"
#include "tests/rows/table.h"

namespace braid {
namespace {

AggregateItem Item(const Schema& schema, const std::string& name, AggregateFunction function, const std::string& x = "",
                   const std::string& y = "", double quantile = 0.5, uint64_t values_max = 3) {
  AggregateItem item;
  item.name = name;
  item.function = function;
  if (!x.empty()) item.x = Field(schema, x);
  if (!y.empty()) item.y = Field(schema, y);
  item.quantile = quantile;
  item.values_max = values_max;
  return item;
}

Schema EventSchema() {
  return Schema{Kind::kEvents,
                {{"time", Type::kTimestamp},
                 {"k", Type::kString},
                 {"g", Type::kMixed},
                 {"x", Type::kDouble},
                 {"d", Type::kDuration}}};
}

TestTable RandomEvents(std::mt19937* random, size_t rows_max) {
  TestTable table{EventSchema(), {}};
  const size_t rows = (*random)() % rows_max;
  for (size_t i = 0; i < rows; ++i) {
    const auto g = static_cast<int64_t>((*random)() % 3);
    table.rows.push_back({Time(static_cast<int64_t>((*random)() % 200) - 20),
                          (*random)() % 6 == 0 ? Null() : Text(std::string(1, "abc"[(*random)() % 3])),
                          (*random)() % 6 == 0   ? Null()
                          : (*random)() % 2 == 0 ? Int(g)
                                                 : Num(static_cast<double>(g)),
                          (*random)() % 6 == 0 ? Null() : Num(static_cast<double>((*random)() % 1000) / 8 - 20),
                          (*random)() % 6 == 0 ? Null() : Length(static_cast<int64_t>((*random)() % 5000))});
  }
  return table;
}

TEST(Stats, AgreesWithNaiveGroups) {
  std::mt19937 random(31);
  for (int round = 0; round < 60; ++round) {
    const TestTable table = RandomEvents(&random, 80);
    QueryContext context;
    context.start = 0;
    context.end = 10 * kSecond;
    StatsSpec spec;
    spec.by = {{"k", Field(table.schema, "k")}, {"g", Field(table.schema, "g")}};
    using F = AggregateFunction;
    spec.aggregates = {
        Item(table.schema, "n", F::kCount),         Item(table.schema, "nx", F::kCountValues, "x"),
        Item(table.schema, "r", F::kRate),          Item(table.schema, "s", F::kSum, "x"),
        Item(table.schema, "sd", F::kSum, "d"),     Item(table.schema, "lo", F::kMin, "x"),
        Item(table.schema, "hi", F::kMax, "d"),     Item(table.schema, "med", F::kQuantile, "x", "", 0.5),
        Item(table.schema, "u", F::kDistinct, "x"), Item(table.schema, "any", F::kAny, "d"),
        Item(table.schema, "last", F::kLast, "d"),  Item(table.schema, "at", F::kArgMax, "time", "x")};
    auto stats = MakeStats(Source(table, random()), spec, &context);
    ASSERT_TRUE(stats.ok()) << stats.status();
    ASSERT_EQ(Names((*stats)->schema()), "k,g,n,nx,r,s,sd,lo,hi,med,u,any,last,at");
    // Keys in order: texts, then null; numbers, then null.
    std::map<std::pair<std::string, double>, std::vector<size_t>> groups;
    for (size_t i = 0; i < table.rows.size(); ++i) {
      const auto& row = table.rows[i];
      const std::string k = row[1].type == Type::kNull ? "~" : row[1].text;
      const double g = row[2].type == Type::kNull  ? 99
                       : row[2].type == Type::kInt ? static_cast<double>(row[2].integer)
                                                   : row[2].number;
      groups[{k, g}].push_back(i);
    }
    Texts expected;
    for (const auto& [key, rows] : groups) {
      std::vector<double> xs;
      std::vector<int64_t> ds;
      TableCell at = Null();
      double best = -1e300;
      for (const size_t i : rows) {
        const auto& row = table.rows[i];
        if (row[3].type != Type::kNull) {
          xs.push_back(row[3].number);
          if (row[3].number > best) {
            best = row[3].number;
            at = row[0];
          }
        }
        if (row[4].type != Type::kNull) ds.push_back(row[4].integer);
      }
      const auto count = static_cast<int64_t>(rows.size());
      // Multiples of 1/8 add up exactly.
      std::vector<TableCell> out = {key.first == "~" ? Null() : Text(key.first),
                                    key.second == 99 ? Null() : Num(key.second), Int(count),
                                    Int(static_cast<int64_t>(xs.size())), Num(static_cast<double>(count) / 10)};
      out.push_back(xs.empty() ? Null() : Num(std::accumulate(xs.begin(), xs.end(), 0.0)));
      out.push_back(ds.empty() ? Null() : Length(std::accumulate(ds.begin(), ds.end(), int64_t{0})));
      const std::set<double> unique(xs.begin(), xs.end());
      out.push_back(xs.empty() ? Null() : Num(*unique.begin()));
      out.push_back(ds.empty() ? Null() : Length(*std::max_element(ds.begin(), ds.end())));
      std::sort(xs.begin(), xs.end());
      if (xs.empty()) {
        out.push_back(Null());
      } else {
        const size_t middle = xs.size() / 2;
        out.push_back(Num(xs.size() % 2 == 1 ? xs[middle] : xs[middle - 1] * 0.5 + xs[middle] * 0.5));
      }
      out.push_back(Int(static_cast<int64_t>(unique.size())));
      out.push_back(ds.empty() ? Null() : Length(ds.front()));
      out.push_back(ds.empty() ? Null() : Length(ds.back()));
      out.push_back(at);
      expected.push_back(RowText(out));
    }
    ASSERT_EQ(Rows(*stats), expected);
    stats->reset();
    ASSERT_EQ(context.reserved_bytes(), 0u);
  }
}

TEST(Stats, WithoutByExactlyOneRowEvenOfNothing) {
  const TestTable table{EventSchema(), {}};
  QueryContext context;
  context.end = kSecond;
  StatsSpec spec;
  using F = AggregateFunction;
  spec.aggregates = {Item(table.schema, "n", F::kCount), Item(table.schema, "r", F::kRate),
                     Item(table.schema, "s", F::kSum, "x"), Item(table.schema, "q", F::kQuantile, "x"),
                     Item(table.schema, "u", F::kDistinct, "k")};
  EXPECT_THAT(Rows(MakeStats(Source(table), spec, &context)), testing::ElementsAre("0|0|null|null|0"));
  spec.by = {{"k", Field(table.schema, "k")}};
  EXPECT_TRUE(Rows(MakeStats(Source(table), spec, &context)).empty());
}

TEST(Stats, NanAndTypes) {
  const double nan = std::nan("");
  const TestTable table =
      MakeTable(Kind::kRows, {{"x", Type::kDouble}, {"i", Type::kInt}, {"d", Type::kDuration}, {"t", Type::kTimestamp}},
                {{Num(nan), Int(1), Length(3), Time(10)},
                 {Num(2), Int(2), Length(4), Time(13)},
                 {Num(1), Int(5), Length(8), Time(11)}});
  QueryContext context;
  StatsSpec spec;
  using F = AggregateFunction;
  const Schema& s = table.schema;
  spec.aggregates = {Item(s, "a", F::kMax, "x"),
                     Item(s, "b", F::kMin, "x"),
                     Item(s, "c", F::kSum, "x"),
                     Item(s, "e", F::kSum, "i"),
                     Item(s, "f", F::kAvg, "d"),
                     Item(s, "g", F::kAvg, "t"),
                     Item(s, "h", F::kMin, "t"),
                     Item(s, "j", F::kQuantile, "d", "", 1),
                     Item(s, "k", F::kValues, "i", "", 0, 2),
                     Item(s, "l", F::kStddev, "i")};
  EXPECT_THAT(Rows(MakeStats(Source(table), spec, &context)),
              testing::ElementsAre("2|1|NaN|8|5|11|10|8|'[1,2]'|" + CellText(Num(std::sqrt(26.0 / 9)))));
}

TEST(Stats, SumsDoNotDependOnOrder) {
  std::mt19937 random(33);
  std::vector<double> values;
  for (int i = 0; i < 2000; ++i) {
    values.push_back(std::ldexp(static_cast<double>(random()) - 2e9, static_cast<int>(random() % 200) - 100));
  }
  ExactSum first;
  for (const double value : values) first.Add(value);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(values.begin(), values.end(), random);
    ExactSum left, right;
    for (size_t i = 0; i < values.size(); ++i) (i % 3 == 0 ? left : right).Add(values[i]);
    left.Merge(right);
    ASSERT_EQ(left.Round(), first.Round());
    for (const double value : values) left.Add(-value);
    ASSERT_EQ(left.Round(), 0);
  }
  ExactSum ties;  // 1 + 2^-53 + 2^-106 is above the tie and rounds up
  for (const double value : {1.0, 0x1p-53, 0x1p-106}) ties.Add(value);
  EXPECT_EQ(ties.Round(), 1 + 0x1p-52);
  ExactSum big;
  big.AddInteger(static_cast<__int128>(INT64_MAX) * 4 + 1);
  big.AddInteger(-static_cast<__int128>(INT64_MAX) * 4);
  EXPECT_EQ(big.Round(), 1);
}

TEST(Stats, CorrelationOfHugeOffsets) {
  // Values around 1e9 with small movements: naive sums of squares would lose them.
  TestTable table = MakeTable(Kind::kRows, {{"x", Type::kDouble}, {"y", Type::kDouble}});
  for (int i = 0; i < 100; ++i) table.rows.push_back({Num(1e9 + i * 1e-3), Num(-2.0 * i + 7)});
  QueryContext context;
  StatsSpec spec;
  spec.aggregates = {Item(table.schema, "r", AggregateFunction::kCorr, "x", "y")};
  auto stats = MakeStats(Source(table), spec, &context);
  RecordBatch batch;
  ASSERT_TRUE((*stats)->Next(&batch).value());
  EXPECT_NEAR(batch.columns[0].doubles[0], -1, 1e-6);
}

TEST(Stats, SketchesStayWithinTheirError) {
  std::mt19937_64 random(34);
  QuantileSketch sketch(100);
  CardinalitySketch counter;
  std::vector<double> values;
  for (int i = 0; i < 20'000; ++i) {
    const double value = std::exp(static_cast<double>(random() % 10'000) / 1000 - 3) * (i % 4 == 0 ? -1 : 1);
    values.push_back(value);
    sketch.Add(value);
    counter.Add(random());
  }
  std::sort(values.begin(), values.end());
  ASSERT_TRUE(sketch.approximate());
  for (const double q : {0.0, 0.01, 0.2, 0.5, 0.9, 0.99, 1.0}) {
    const double exact = values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
    EXPECT_LE(std::abs(sketch.Quantile(q) - exact), std::abs(exact) * 0.0101) << q;
  }
  EXPECT_NEAR(counter.Estimate(), 20'000, 20'000 * 0.03);
}

TEST(Stats, ApproximationsAreNoted) {
  TestTable table = MakeTable(Kind::kRows, {{"x", Type::kInt}});
  QueryContext context;
  StatsSpec spec;
  spec.aggregates = {Item(table.schema, "u", AggregateFunction::kDistinct, "x"),
                     Item(table.schema, "q", AggregateFunction::kQuantile, "x", "", 0.5)};
  const size_t count = kExactValuesMax + 5000;
  Column column;
  column.type = Type::kInt;
  for (size_t i = 0; i < count; ++i) column.ints.push_back(static_cast<int64_t>(i));
  column.size = count;
  RecordBatch rows;
  rows.num_rows = count;
  rows.columns = {column};
  auto stats = MakeStats(MakeBatchSource(table.schema, rows), spec, &context);
  RecordBatch batch;
  ASSERT_TRUE((*stats)->Next(&batch).value());
  EXPECT_NEAR(static_cast<double>(batch.columns[0].ints[0]), static_cast<double>(count),
              static_cast<double>(count) * 0.03);
  EXPECT_NEAR(batch.columns[1].doubles[0], static_cast<double>(count) / 2, static_cast<double>(count) / 2 * 0.0101);
  ASSERT_EQ(context.notes().size(), 2u);
  EXPECT_EQ(context.notes()[0].kind, "approximate");
}

TEST(Stats, TooManyGroupsIsAnError) {
  TestTable table = MakeTable(Kind::kRows, {{"x", Type::kInt}}, {{Int(1)}, {Int(2)}, {Int(3)}});
  QueryContext context;
  context.limits.groups_max = 2;
  StatsSpec spec;
  spec.by = {{"x", Field(table.schema, "x")}};
  auto stats = MakeStats(Source(table), spec, &context);
  EXPECT_EQ(TryRows(stats->get()).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(WindowedStats, AgreesWithItsDefinition) {
  std::mt19937 random(35);
  for (int round = 0; round < 60; ++round) {
    const TestTable table = RandomEvents(&random, 60);
    QueryContext context;
    context.start = static_cast<int64_t>(random() % 50);
    context.end = context.start + static_cast<int64_t>(random() % 100);
    context.step = 1 + static_cast<int64_t>(random() % 25);
    const auto window = 1 + static_cast<int64_t>(random() % 40);
    const bool by = round % 3 != 0;
    const bool zero = round % 2 == 0;
    StatsSpec spec;
    spec.window = window;
    if (by) spec.by = {{"k", Field(table.schema, "k")}};
    using F = AggregateFunction;
    if (zero) spec.aggregates.push_back(Item(table.schema, "r", F::kRate));
    spec.aggregates.push_back(Item(table.schema, "hi", F::kMax, "x"));
    spec.aggregates.push_back(Item(table.schema, "low", F::kQuantile, "x", "", 0));
    // Rows are not in the order of time, which must not matter: theirs counts.
    spec.aggregates.push_back(Item(table.schema, "first", F::kFirst, "x"));
    spec.aggregates.push_back(Item(table.schema, "last", F::kLast, "x"));
    auto stats = MakeStats(Source(table, random()), spec, &context);
    ASSERT_TRUE(stats.ok());
    std::vector<int64_t> steps;
    if (context.end > context.start) {
      for (int64_t t = context.start; t <= context.end; t += context.step) steps.push_back(t);
    } else {
      steps.push_back(context.end);
    }
    std::set<std::string> keys;
    const auto key_of = [&](size_t i) {
      return table.rows[i][1].type == Type::kNull ? std::string("~") : table.rows[i][1].text;
    };
    for (size_t i = 0; i < table.rows.size(); ++i) {
      const int64_t time = table.rows[i][0].integer;
      if (by && time > steps.front() - window && time <= steps.back()) keys.insert(key_of(i));
    }
    if (!by) keys.insert("");
    Texts expected;
    for (const int64_t t : steps) {
      for (const std::string& key : keys) {
        size_t count = 0;
        std::vector<double> xs;
        for (size_t i = 0; i < table.rows.size(); ++i) {
          const int64_t time = table.rows[i][0].integer;
          if (time <= t - window || time > t || (by && key_of(i) != key)) continue;
          ++count;
          if (table.rows[i][3].type != Type::kNull) xs.push_back(table.rows[i][3].number);
        }
        if (!zero && xs.empty()) continue;
        std::vector<TableCell> row = {Time(t)};
        if (by) row.push_back(key == "~" ? Null() : Text(key));
        if (zero) row.push_back(Num(static_cast<double>(count) / (static_cast<double>(window) / 1e9)));
        row.push_back(xs.empty() ? Null() : Num(*std::max_element(xs.begin(), xs.end())));
        row.push_back(xs.empty() ? Null() : Num(*std::min_element(xs.begin(), xs.end())));
        row.push_back(xs.empty() ? Null() : Num(xs.front()));
        row.push_back(xs.empty() ? Null() : Num(xs.back()));
        expected.push_back(RowText(row));
      }
    }
    ASSERT_EQ(Rows(*stats), expected) << "round " << round;
  }
}

// ---- windows

TEST(Windows, AgreeWithUnitStepsOfTime) {
  std::mt19937 random(36);
  for (int round = 0; round < 60; ++round) {
    TestTable table = MakeTable(
        Kind::kEvents,
        {{"time", Type::kTimestamp}, {"end", Type::kTimestamp}, {"k", Type::kString}, {"value", Type::kDouble}});
    const bool series = round % 3 == 0;
    if (series) table.schema.kind = Kind::kSeries;
    for (size_t i = random() % 25; i > 0; --i) {
      const auto time = static_cast<int64_t>(random() % 200) + 50;
      table.rows.push_back({random() % 9 == 0 ? Null() : Time(time),
                            random() % 4 == 0 ? Null() : Time(time + static_cast<int64_t>(random() % 9)),
                            random() % 5 == 0 ? Null() : Text(std::string(1, "ab"[random() % 2])),
                            random() % 5 == 0 ? Null() : Num(static_cast<double>(random() % 10))});
    }
    WindowsSpec spec;
    spec.by = {{"k", Field(table.schema, "k")}};
    spec.gap = static_cast<int64_t>(random() % 6);
    spec.step = 7;
    spec.pad = {static_cast<int64_t>(random() % 7) - 4, static_cast<int64_t>(random() % 7) - 4};
    QueryContext context;
    auto windows = MakeWindows(Source(table, random()), spec, &context);
    ASSERT_TRUE(windows.ok());
    ASSERT_EQ(Names((*windows)->schema()), "k,start,end,time,n,peak");
    // Merge pairwise until nothing changes.
    struct Window {
      int64_t start, end;
      std::string key;
      int64_t rows;
      TableCell peak;
    };
    std::vector<Window> all;
    for (const auto& row : table.rows) {
      if (row[0].type == Type::kNull) continue;
      const int64_t time = row[0].integer;
      const int64_t end = series || row[1].type == Type::kNull ? time : std::max(time, row[1].integer);
      all.push_back({series ? time - 7 : time, end, row[2].type == Type::kNull ? "~" : row[2].text, 1, row[3]});
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < all.size() && !changed; ++i) {
        for (size_t j = 0; j < all.size() && !changed; ++j) {
          if (i == j || all[i].key != all[j].key) continue;
          if (all[i].start > all[j].start || all[j].start - all[i].end > spec.gap) continue;
          all[i].end = std::max(all[i].end, all[j].end);
          all[i].rows += all[j].rows;
          if (all[i].peak.type == Type::kNull ||
              (all[j].peak.type != Type::kNull && all[j].peak.number > all[i].peak.number))
            all[i].peak = all[j].peak;
          all.erase(all.begin() + static_cast<ptrdiff_t>(j));
          changed = true;
        }
      }
    }
    for (Window& window : all) {
      window.start += spec.pad.first;
      window.end += spec.pad.second;
    }
    std::erase_if(all, [](const Window& window) { return window.end < window.start; });
    std::sort(all.begin(), all.end(), [](const Window& a, const Window& b) {
      return std::tie(a.start, a.end, a.key) < std::tie(b.start, b.end, b.key);
    });
    Texts expected;
    for (const Window& window : all) {
      expected.push_back(RowText({window.key == "~" ? Null() : Text(window.key), Time(window.start), Time(window.end),
                                  Time(window.start), Int(window.rows), window.peak}));
    }
    ASSERT_EQ(Rows(*windows), expected);
  }
}

}  // namespace
}  // namespace braid
