#include "query/rows/join.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "gmock/gmock.h"
#include "query/rows/key_table.h"
#include "query/rows/member_sets.h"
#include "tests/rows/table.h"

namespace braid {
namespace {

TestTable RandomTable(std::mt19937* random, Kind kind, size_t rows_max) {
  TestTable table = MakeTable(kind, {{"time", Type::kTimestamp},
                                     {"end", Type::kTimestamp},
                                     {"k", Type::kString},
                                     {"n", Type::kMixed},
                                     {"id", Type::kInt}});
  const size_t rows = (*random)() % rows_max;
  for (size_t i = 0; i < rows; ++i) {
    const auto time = static_cast<int64_t>((*random)() % 60);
    const auto number = static_cast<int64_t>((*random)() % 3);
    table.rows.push_back({(*random)() % 12 == 0 ? Null() : Time(time),
                          (*random)() % 5 == 0 ? Null() : Time(time + static_cast<int64_t>((*random)() % 20) - 3),
                          (*random)() % 8 == 0 ? Null() : Text(std::string(1, "abc"[(*random)() % 3])),
                          (*random)() % 8 == 0   ? Null()
                          : (*random)() % 2 == 0 ? Int(number)
                                                 : Num(static_cast<double>(number)),
                          Int(static_cast<int64_t>(i))});
  }
  return table;
}

double NumberOfCell(const TableCell& cell) {
  return cell.type == Type::kInt ? static_cast<double>(cell.integer) : cell.number;
}

enum class Mode { kEqual, kOverlap, kWithin, kAsof };

// Every pair, in the order that the language asks for.
Texts NestedLoops(const TestTable& left, const TestTable& right, Mode mode, size_t keys, bool outer) {
  Texts out;
  const Texts left_texts = RowTexts(left.rows);
  const Texts right_texts = RowTexts(right.rows);
  for (size_t i = 0; i < left.rows.size(); ++i) {
    const auto& l = left.rows[i];
    std::vector<size_t> matches;
    for (size_t j = 0; j < right.rows.size(); ++j) {
      const auto& r = right.rows[j];
      if (keys >= 1 && (l[2].type == Type::kNull || r[2].type == Type::kNull || l[2].text != r[2].text)) continue;
      if (keys >= 2 &&
          (l[3].type == Type::kNull || r[3].type == Type::kNull || NumberOfCell(l[3]) != NumberOfCell(r[3]))) {
        continue;
      }
      if (mode != Mode::kEqual && (l[0].type == Type::kNull || r[0].type == Type::kNull)) continue;
      const int64_t lt = l[0].integer, rt = r[0].integer;
      const int64_t le = l[1].type == Type::kNull ? lt : std::max(lt, l[1].integer);
      const int64_t re = r[1].type == Type::kNull ? rt : std::max(rt, r[1].integer);
      if (mode == Mode::kOverlap && (rt > le || re < lt)) continue;
      if (mode == Mode::kWithin && (rt < lt - 5 || rt > lt + 2)) continue;
      if (mode == Mode::kAsof && (rt > lt || lt - rt > 7)) continue;
      matches.push_back(j);
    }
    std::stable_sort(matches.begin(), matches.end(), [&](size_t a, size_t b) {
      const auto& x = right.rows[a][0];
      const auto& y = right.rows[b][0];
      return std::pair(x.type == Type::kNull, x.integer) < std::pair(y.type == Type::kNull, y.integer);
    });
    if (mode == Mode::kAsof && matches.size() > 1) matches = {matches.back()};
    for (const size_t j : matches) out.push_back(left_texts[i] + "|" + right_texts[j]);
    if (matches.empty() && outer) out.push_back(left_texts[i] + "|null|null|null|null|null");
  }
  return out;
}

TEST(Join, AgreesWithNestedLoops) {
  std::mt19937 random(21);
  for (int round = 0; round < 40; ++round) {
    const TestTable left = RandomTable(&random, Kind::kEvents, 30);
    const TestTable right = RandomTable(&random, Kind::kEvents, 30);
    for (const Mode mode : {Mode::kEqual, Mode::kOverlap, Mode::kWithin, Mode::kAsof}) {
      for (size_t keys = 0; keys <= 2; ++keys) {
        const bool outer = round % 2 == 0;
        QueryContext context;
        JoinSpec spec;
        spec.left_outer = outer;
        spec.name = "r";
        const char* names[] = {"k", "n"};
        for (size_t i = 0; i < keys; ++i) {
          spec.keys.push_back({Field(left.schema, names[i]), Field(right.schema, names[i])});
        }
        spec.overlap = mode == Mode::kOverlap;
        if (mode == Mode::kWithin) spec.within = {-5, 2};
        if (mode == Mode::kAsof) spec.asof = 7;
        auto join = MakeJoin(Source(left, random()), Source(right, random()), spec, &context);
        ASSERT_TRUE(join.ok()) << join.status();
        ASSERT_EQ(Names((*join)->schema()), "time,end,k,n,id,r.time,r.end,r.k,r.n,r.id");
        ASSERT_EQ(Rows(*join), NestedLoops(left, right, mode, keys, outer)) << static_cast<int>(mode) << " " << keys;
      }
    }
  }
}

TEST(Join, SemiJoinIsJoinThenDedup) {
  std::mt19937 random(22);
  for (int round = 0; round < 80; ++round) {
    const TestTable left = RandomTable(&random, Kind::kEvents, 40);
    const TestTable right = RandomTable(&random, Kind::kEvents, 40);
    for (const bool timed : {false, true}) {
      QueryContext context;
      const RecordBatch rows = ToBatch(right);
      SetInput input;
      input.names = {"k", "n"};
      if (timed) input.names = {"k", "time", "n"};
      for (const std::string& name : input.names) {
        input.columns.push_back(rows.columns[static_cast<size_t>(right.schema.Find(name))]);
        input.probe_types.push_back(left.schema.columns[static_cast<size_t>(left.schema.Find(name))].type);
      }
      input.ends = rows.columns[1];
      input.num_rows = rows.num_rows;
      auto set = BuildMemberSet(input, &context);
      ASSERT_TRUE(set.ok()) << set.status();
      const RecordBatch probe = ToBatch(left);
      std::vector<Column> keys;
      for (const std::string& name : input.names) {
        keys.push_back(probe.columns[static_cast<size_t>(left.schema.Find(name))]);
      }
      auto found = set->set->Contains(PointersTo(keys), &probe.columns[1], probe.num_rows);
      ASSERT_TRUE(found.ok()) << found.status();
      Texts kept;
      for (size_t row = 0; row < left.rows.size(); ++row) {
        if ((*found)[row] != 0) kept.push_back(RowText(left.rows[row]));
      }
      // The left rows of the join, each once.
      Texts joined;
      for (const std::string& text : NestedLoops(left, right, timed ? Mode::kOverlap : Mode::kEqual, 2, false)) {
        std::string head;
        size_t bars = 0;
        for (const char c : text) {
          if (c == '|' && ++bars == 5) break;
          head += c;
        }
        if (joined.empty() || joined.back() != head) joined.push_back(head);
      }
      ASSERT_EQ(kept, joined);
      if (!timed) continue;
      // What scans get lets all of these rows pass.
      ASSERT_NE(set->intervals, nullptr);
      for (size_t row = 0; row < left.rows.size(); ++row) {
        if ((*found)[row] == 0) continue;
        const int64_t from = left.rows[row][0].integer;
        const int64_t to = left.rows[row][1].type == Type::kNull ? from : std::max(from, left.rows[row][1].integer);
        bool passes = false;
        for (const IntervalSet::Entry& entry : set->intervals->entries) {
          for (const TimeRange& range : entry.ranges) passes = passes || range.Overlaps({from, to});
        }
        ASSERT_TRUE(passes);
        ASSERT_TRUE(set->time.Overlaps({from, to}));
      }
    }
  }
}

TEST(MemberSet, TraceIdsAreSortedAndReadTexts) {
  QueryContext context;
  SetInput input;
  input.names = {"trace_id"};
  ColumnBuilder ids;
  for (const uint64_t id : {9, 3, 9, 5}) ids.AppendTraceId({0, id});
  ids.AppendNull();
  input.columns = {ids.Finish()};
  input.probe_types = {Type::kString};
  input.num_rows = 5;
  auto set = BuildMemberSet(input, &context);
  ASSERT_TRUE(set.ok());
  EXPECT_THAT(*set->trace_ids, testing::ElementsAre(TraceId{0, 3}, TraceId{0, 5}, TraceId{0, 9}));
  EXPECT_EQ(set->size, 3u);
  ColumnBuilder texts;
  for (const char* text : {"0000-0005", "5", "4", "zz"}) texts.AppendString(text);
  texts.AppendNull();
  const Column column = texts.Finish();
  auto found = set->set->Contains({&column}, nullptr, 5);
  ASSERT_TRUE(found.ok());
  EXPECT_THAT(*found, testing::ElementsAre(1, 1, 0, 0, 0));
}

TEST(MemberSet, IntervalsPerServiceForScans) {
  QueryContext context;
  SetInput input;
  input.names = {"service", "time"};
  ColumnBuilder services, starts, ends;
  const std::tuple<const char*, int64_t, int64_t> rows[] = {{"b", 10, 20}, {"a", 5, 8}, {"b", 18, 30}, {"b", 40, 41}};
  for (const auto& [service, start, end] : rows) {
    services.AppendString(service);
    starts.AppendInt(Type::kTimestamp, start);
    ends.AppendInt(Type::kTimestamp, end);
  }
  input.columns = {services.Finish(), starts.Finish()};
  input.ends = ends.Finish();
  input.probe_types = {Type::kString, Type::kTimestamp};
  input.num_rows = 4;
  auto set = BuildMemberSet(input, &context);
  ASSERT_TRUE(set.ok());
  ASSERT_EQ(set->intervals->keys.size(), 1u);
  EXPECT_EQ(set->intervals->keys[0].name, "service");
  ASSERT_EQ(set->intervals->entries.size(), 2u);
  EXPECT_THAT(set->intervals->entries[0].key, testing::ElementsAre("a"));
  EXPECT_THAT(set->intervals->entries[1].ranges, testing::ElementsAre(TimeRange{10, 30}, TimeRange{40, 41}));
  EXPECT_EQ(set->time, (TimeRange{5, 41}));
  EXPECT_FALSE(set->only_instants);
}

TEST(Join, TooManyPairsIsAnError) {
  const TestTable table = MakeTable(Kind::kRows, {{"k", Type::kInt}}, {{Int(1)}, {Int(1)}, {Int(1)}});
  QueryContext context;
  context.limits.pairs_per_row_max = 2;
  JoinSpec spec;
  spec.name = "r";
  spec.keys.push_back({Field(table.schema, "k"), Field(table.schema, "k")});
  auto join = MakeJoin(Source(table), Source(table), spec, &context);
  ASSERT_TRUE(join.ok());
  EXPECT_EQ(TryRows(join->get()).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(Join, TextsMeetIdsAndMemoryIsGivenBack) {
  const TestTable left =
      MakeTable(Kind::kRows, {{"t", Type::kMixed}}, {{Text("7-0000000000000005")}, {Text("x")}, {Null()}});
  const TestTable right = MakeTable(Kind::kRows, {{"trace_id", Type::kTraceId}}, {{Trace(4)}, {Trace(5)}});
  QueryContext context;
  JoinSpec spec;
  spec.name = "r";
  spec.keys.push_back({Field(left.schema, "t"), Field(right.schema, "trace_id")});
  EXPECT_EQ(Rows(MakeJoin(Source(left), Source(right), spec, &context)).size(), 1u);
  EXPECT_EQ(context.reserved_bytes(), 0u);
}

TEST(Join, MemoryLimitIsAnError) {
  std::mt19937 random(2);
  TestTable right = MakeTable(Kind::kRows, {{"k", Type::kInt}});
  for (int64_t i = 0; i < 2000; ++i) right.rows.push_back({Int(i)});
  QueryContext context;
  context.limits.memory_bytes_max = 1000;
  JoinSpec spec;
  spec.name = "r";
  spec.keys.push_back({Field(right.schema, "k"), Field(right.schema, "k")});
  auto join = MakeJoin(Source(right), Source(right), spec, &context);
  ASSERT_TRUE(join.ok());
  EXPECT_EQ(TryRows(join->get()).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(VectorAsof, ValueAtTheTimeOfEachRow) {
  const TestTable left = MakeTable(
      Kind::kEvents, {{"time", Type::kTimestamp}, {"service", Type::kString}},
      {{Time(30), Text("a")}, {Time(10), Text("b")}, {Time(30), Text("b")}, {Null(), Text("a")}, {Time(20), Null()}});
  VectorAsofSpec spec;
  spec.left_outer = true;
  spec.name = "m";
  spec.keys = {{Field(left.schema, "service"), "service"}};
  std::vector<Timestamp> asked;
  spec.reader = [&](const std::vector<Timestamp>& times) -> absl::StatusOr<std::vector<InstantSeries>> {
    asked = times;
    // value = time / 10; series b has no sample at 10.
    std::vector<InstantSeries> series(2);
    series[0].labels = {{"service", "a"}, {"zone", "x"}};
    series[1].labels = {{"service", "b"}};
    for (const Timestamp time : times) {
      series[0].present.push_back(1);
      series[1].present.push_back(time == 10 ? 0 : 1);
      for (InstantSeries& one : series) one.values.push_back(static_cast<double>(time) / 10 + 0.5);
    }
    return series;
  };
  for (const bool labels_known : {false, true}) {
    QueryContext context;
    spec.labels.reset();
    if (labels_known) spec.labels = {"service", "zone"};
    auto join = MakeVectorAsof(Source(left), spec, &context);
    ASSERT_TRUE(join.ok()) << join.status();
    EXPECT_EQ(Names((*join)->schema()), "time,service,m.time,m.value,m.service,m.zone");
    EXPECT_THAT(Rows(*join),
                testing::ElementsAre("30|'a'|30|3.5|'a'|'x'", "10|'b'|null|null|null|null", "30|'b'|30|3.5|'b'|null",
                                     "null|'a'|null|null|null|null", "20|null|null|null|null|null"));
    EXPECT_THAT(asked, testing::ElementsAre(10, 20, 30));
  }
}

}  // namespace
}  // namespace braid
