#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "gmock/gmock.h"
#include "query/rows/operators.h"
#include "query/rows/row_order.h"
#include "query/rows/sort_in_steps.h"
#include "re2/re2.h"
#include "tests/rows/table.h"

namespace braid {
namespace {

using testing::ElementsAre;

TestTable RandomTable(std::mt19937* random, size_t rows_max) {
  TestTable table = MakeTable(Kind::kEvents, {{"time", Type::kTimestamp},
                                              {"k", Type::kString},
                                              {"x", Type::kDouble},
                                              {"m", Type::kMixed},
                                              {"t", Type::kTraceId}});
  for (size_t i = (*random)() % rows_max; i > 0; --i) {
    TableCell mixed = Null();
    switch ((*random)() % 4) {
      case 0: mixed = Int(static_cast<int64_t>((*random)() % 4)); break;
      case 1: mixed = Num(static_cast<double>((*random)() % 8) / 2); break;
      case 2: mixed = Text(std::string(1, "xy"[(*random)() % 2])); break;
      default: break;
    }
    table.rows.push_back({Time(static_cast<int64_t>((*random)() % 10)),
                          (*random)() % 5 == 0 ? Null() : Text(std::string(1, "abc"[(*random)() % 3])),
                          (*random)() % 6 == 0   ? Null()
                          : (*random)() % 6 == 0 ? Num(std::nan(""))
                                                 : Num(static_cast<double>((*random)() % 6) - 2),
                          mixed, (*random)() % 5 == 0 ? Null() : Trace((*random)() % 3)});
  }
  return table;
}

// Order of one column by the definition: values, NaN, null; `descending` turns values only.
int Compare(const Column& column, size_t a, size_t b, bool descending) {
  const auto rank = [&](size_t row) {
    if (column.IsNull(row)) return 2;
    return column.type == Type::kDouble && std::isnan(column.doubles[row]) ? 1 : 0;
  };
  if (rank(a) != rank(b)) return rank(a) - rank(b);
  if (rank(a) != 0) return 0;
  const int order = CompareCells(column, a, column, b);
  return descending ? -order : order;
}

TEST(Order, SortAndTopAgreeWithDefinition) {
  std::mt19937 random(41);
  for (int round = 0; round < 60; ++round) {
    const TestTable table = RandomTable(&random, 60);
    const RecordBatch all = ToBatch(table);
    const size_t first = random() % 5;
    const size_t second = random() % 5;
    const bool descending = random() % 2 == 0;
    QueryContext context;
    const auto field = [&](size_t place) { return Field(table.schema, table.schema.columns[place].name); };
    std::vector<size_t> order(table.rows.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      const int by_first = Compare(all.columns[first], a, b, descending);
      return by_first != 0 ? by_first < 0 : Compare(all.columns[second], a, b, !descending) < 0;
    });
    Texts expected;
    for (const size_t i : order) expected.push_back(RowText(table.rows[i]));
    ASSERT_EQ(
        Rows(MakeSort(Source(table, random()), {{field(first), descending}, {field(second), !descending}}, &context)),
        expected);

    // top n by x [per k]
    const uint64_t count = random() % 8;
    const bool per = random() % 2 == 0;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      if (a == b) return false;
      if (const int by = Compare(all.columns[2], a, b, true); by != 0) return by < 0;
      for (const Column& column : all.columns) {
        if (const int cells = CompareCells(column, a, column, b); cells != 0) return cells < 0;
      }
      return a < b;
    });
    std::map<std::string, uint64_t> taken;
    expected.clear();
    for (const size_t i : order) {
      if (taken[per ? CellText(table.rows[i][1]) : ""]++ < count) expected.push_back(RowText(table.rows[i]));
    }
    std::vector<RowExpressionPtr> groups;
    if (per) groups.push_back(field(1));
    ASSERT_EQ(Rows(MakeTop(Source(table, random()), count, field(2), groups, &context)), expected);
    ASSERT_EQ(context.reserved_bytes(), 0u);
  }
}

TEST(Order, TopOfManyRowsCompacts) {
  TestTable table = MakeTable(Kind::kRows, {{"x", Type::kInt}});
  for (int64_t i = 0; i < 30'000; ++i) table.rows.push_back({Int(i * 7919 % 30'011)});
  QueryContext context;
  const Texts rows = Rows(MakeTop(Source(table), 3000, Field(table.schema, "x"), {}, &context));
  std::vector<int64_t> values;
  for (const auto& row : table.rows) values.push_back(row[0].integer);
  std::sort(values.rbegin(), values.rend());
  ASSERT_EQ(rows.size(), 3000u);
  for (size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(rows[i], std::to_string(values[i]));
}

TEST(Order, ExtremesOfIntegers) {
  ColumnBuilder builder;
  for (const int64_t value : {INT64_MAX, INT64_MIN, int64_t{0}, INT64_MAX - 1}) builder.AppendInt(Type::kInt, value);
  builder.AppendNull();
  const Column column = builder.Finish();
  const QueryContext context;
  const auto sorted = SortedRows({column}, 5, &context);
  ASSERT_TRUE(sorted.ok());
  EXPECT_THAT(*sorted, ElementsAre(1, 2, 3, 0, 4));
}

TEST(Order, SortingInStepsIsStableSorting) {
  std::mt19937 random(43);
  const auto by_key = [](const std::pair<int, int>& a, const std::pair<int, int>& b) { return a.first < b.first; };
  QueryContext context;
  for (const int count : {0, 1, 8191, 8192, 8193, 40'000, 131'072}) {
    std::vector<std::pair<int, int>> items;
    for (int i = 0; i < count; ++i) items.emplace_back(static_cast<int>(random() % 1000), i);
    auto expected = items;
    std::stable_sort(expected.begin(), expected.end(), by_key);
    ASSERT_TRUE(SortInSteps(&items, by_key, &context).ok());
    ASSERT_EQ(items, expected) << count;
  }
  // A query that is given up while it sorts: nothing is compared any more.
  auto cancel = std::make_shared<std::atomic<bool>>(false);
  context.cancel = cancel;
  std::vector<int> numbers(1'000'000);
  size_t compared = 0;
  const auto counted = [&](int a, int b) {
    if (++compared == 100'000) *cancel = true;
    return a < b;
  };
  EXPECT_TRUE(absl::IsCancelled(SortInSteps(&numbers, counted, &context)));
  EXPECT_LT(compared, 300'000u);
}

TEST(Stages, LimitTailDedupUnionAgreeWithDefinition) {
  std::mt19937 random(42);
  for (int round = 0; round < 60; ++round) {
    const TestTable table = RandomTable(&random, 50);
    const Texts all = RowTexts(table.rows);
    const size_t count = random() % 60;
    const size_t kept = std::min(count, all.size());
    QueryContext context;
    ASSERT_EQ(Rows(MakeLimit(Source(table, random()), count, &context)),
              Texts(all.begin(), all.begin() + static_cast<ptrdiff_t>(kept)));
    ASSERT_EQ(Rows(MakeTail(Source(table, random()), count, &context)),
              Texts(all.end() - static_cast<ptrdiff_t>(kept), all.end()));
    std::set<std::string> seen;
    Texts distinct;
    for (size_t i = 0; i < all.size(); ++i) {
      const auto& row = table.rows[i];
      // CellText shows a whole double as the integer that it equals.
      if (seen.insert(CellText(row[3]) + "|" + CellText(row[4]) + "|" + CellText(row[1])).second)
        distinct.push_back(all[i]);
    }
    ASSERT_EQ(Rows(MakeDedup(Source(table, random()),
                             {Field(table.schema, "m"), Field(table.schema, "t"), Field(table.schema, "k")}, &context)),
              distinct);
    ASSERT_EQ(context.reserved_bytes(), 0u);
  }
}

TEST(Stages, UnionMatchesNames) {
  const TestTable left = MakeTable(Kind::kEvents, {{"time", Type::kTimestamp}, {"a", Type::kInt}}, {{Time(1), Int(2)}});
  const TestTable right =
      MakeTable(Kind::kRows, {{"b", Type::kString}, {"a", Type::kString}}, {{Text("x"), Text("y")}});
  QueryContext context;
  const OperatorPtr both = MakeUnion(Source(left), Source(right), &context);
  EXPECT_EQ(Names(both->schema()), "time,a,b");
  EXPECT_EQ(both->schema().kind, Kind::kRows);
  EXPECT_EQ(both->schema().columns[1].type, Type::kMixed);
  EXPECT_THAT(Rows(both), ElementsAre("1|2|null", "null|'y'|'x'"));
}

TEST(Stages, ExtendKeepDrop) {
  const TestTable table =
      MakeTable(Kind::kEvents, {{"time", Type::kTimestamp}, {"a", Type::kInt}}, {{Time(1), Int(2)}, {Time(3), Null()}});
  QueryContext context;
  const auto plus = [](size_t place) {
    return std::make_shared<RowFunction>(Type::kInt, [place](const RecordBatch& batch, size_t row) {
      return batch.columns[place].IsNull(row) ? Null() : Int(batch.columns[place].ints[row] + 1);
    });
  };
  // a is replaced in place; b sees the new a.
  const OperatorPtr extended = MakeExtend(Source(table), {{"a", plus(1)}, {"b", plus(1)}}, &context);
  EXPECT_EQ(Names(extended->schema()), "time,a,b");
  EXPECT_THAT(Rows(extended), ElementsAre("1|3|4", "3|null|null"));
  const OperatorPtr kept = MakeKeep(Source(table), {{"z", plus(1)}, {"a", Field(table.schema, "a")}}, &context);
  EXPECT_EQ(kept->schema().kind, Kind::kRows);
  EXPECT_THAT(Rows(kept), ElementsAre("3|2", "null|null"));
  const OperatorPtr dropped = MakeDrop(Source(table), {"a", "none"}, &context);
  EXPECT_EQ(dropped->schema().kind, Kind::kEvents);
  EXPECT_THAT(Rows(dropped), ElementsAre("1", "3"));
}

TEST(Stages, LineFilters) {
  const TestTable table =
      MakeTable(Kind::kEvents, {{"message", Type::kString}},
                {{Text("an error")}, {Null()}, {Text("fine")}, {Text("an error")}, {Text("Error 7")}});
  QueryContext context;
  const auto run = [&](LineFilter::Op op, const char* text) {
    return Rows(MakeLineFilter(Source(table), LineFilter{op, text}, &context));
  };
  EXPECT_THAT(run(LineFilter::Op::kContains, "error"), ElementsAre("'an error'", "'an error'"));
  EXPECT_THAT(run(LineFilter::Op::kNotContains, "error"), ElementsAre("null", "'fine'", "'Error 7'"));
  EXPECT_THAT(run(LineFilter::Op::kRegex, "(?i)error \\d|^$"), ElementsAre("null", "'Error 7'"));
  EXPECT_THAT(run(LineFilter::Op::kNotRegex, "(?i)error"), ElementsAre("null", "'fine'"));
  EXPECT_FALSE(MakeLineFilter(Source(table), LineFilter{LineFilter::Op::kRegex, "("}, &context).ok());
}

// Texts one after another in memory are searched together; each must be answered as if it stood alone.
TEST(Stages, LineFiltersOfTextsThatStandTogether) {
  QueryContext context;
  std::mt19937 random(5);
  for (int round = 0; round < 40; ++round) {
    auto dictionary = std::make_shared<StringDictionary>();
    std::vector<size_t> ends;
    for (size_t i = 0, count = 1 + random() % 300; i < count; ++i) {
      const size_t length = random() % 6;
      for (size_t k = 0; k < length; ++k) dictionary->bytes += "ab 1\n"[random() % (round % 2 == 0 ? 2 : 5)];
      ends.push_back(dictionary->bytes.size());
    }
    size_t begin = 0;
    for (const size_t end : ends) {
      dictionary->values.push_back(std::string_view(dictionary->bytes).substr(begin, end - begin));
      begin = end;
    }
    Column message;
    message.type = Type::kString;
    message.dictionary = dictionary;
    for (uint32_t i = 0; i < ends.size(); ++i) {
      for (size_t times = random() % 3; times > 0; --times) message.codes.push_back(i);
    }
    message.size = message.codes.size();
    for (const char* pattern : {"ab", "a.b", "b{3}", "[^a]1", "^a", "a$", "\\ba", "a\\B", "(?s)b.b", "\\Aab|b\\z",
                                "a|b|1", "", "x", "b$|aaa", "[[^]b", "(?i)A1"}) {
      for (const auto op : {LineFilter::Op::kRegex, LineFilter::Op::kNotRegex}) {
        RecordBatch rows;
        rows.num_rows = message.size;
        rows.columns = {message};
        Schema schema{Kind::kRows, {{"message", Type::kString}}};
        auto filter = MakeLineFilter(MakeBatchSource(schema, rows), LineFilter{op, pattern}, &context);
        ASSERT_TRUE(filter.ok()) << pattern;
        Texts expected;
        for (size_t row = 0; row < message.size; ++row) {
          const std::string_view text = message.StringAt(row);
          const bool found = RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern);
          if (found == (op == LineFilter::Op::kRegex)) expected.push_back("'" + std::string(text) + "'");
        }
        EXPECT_EQ(Rows(std::move(filter)), expected) << pattern;
      }
    }
  }
}

// ---- parsing

Texts Parsed(ParseStage::Format format, const std::string& pattern, const std::vector<std::string>& lines,
             std::string* names, std::optional<std::vector<std::string>> columns = {}) {
  TestTable table =
      MakeTable(Kind::kEvents, {{"message", Type::kString}, {"level", Type::kString}, {"old", Type::kInt}});
  for (const std::string& line : lines) table.rows.push_back({Text(line), Text("info"), Int(1)});
  QueryContext context;
  ParseSpec spec;
  spec.format = format;
  spec.pattern = pattern;
  spec.columns = std::move(columns);
  spec.builtins = {"message", "level", "time"};
  auto parse = MakeParse(Source(table), spec, &context);
  EXPECT_TRUE(parse.ok()) << parse.status();
  if (!parse.ok()) return {};
  *names = Names((*parse)->schema());
  Texts rows = Rows(*parse);
  for (std::string& row : rows) row = row.substr(row.find("'info'|") + 7);
  return rows;
}

TEST(Parse, Json) {
  std::string names;
  EXPECT_THAT(
      Parsed(ParseStage::Format::kJson, "",
             {R"({"a":1,"b":{"c":"x","d":[1, 2]},"level":"error","time":5})",
              R"({"a":2.5,"a":7,"old":9,"e":null,"f":true})", "{oops", "[1]", "", R"({"a":18446744073709551615})"},
             &names),
      ElementsAre("1|1|'x'|'[1,2]'|null|null", "9|7|null|null|true|null", "1|null|null|null|null|'not JSON'",
                  "1|null|null|null|null|'not a JSON object'", "1|null|null|null|null|'not JSON'",
                  "1|18446744073709551616|null|null|null|null"));
  EXPECT_EQ(names, "message,level,old,a,b.c,b.d,f,parse_error");
  EXPECT_THAT(Parsed(ParseStage::Format::kJson, "", {R"({"a":1,"b":{"c":"x"}})", "{}"}, &names, {{"b.c", "level"}}),
              ElementsAre("1|'x'|null", "1|null|null"));
  EXPECT_EQ(names, "message,level,old,b.c,parse_error");
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += R"({"a":)";
  deep += "1" + std::string(100, '}');
  EXPECT_THAT(Parsed(ParseStage::Format::kJson, "", {deep}, &names), ElementsAre("1|'JSON nested too deeply'"));
}

TEST(Parse, Logfmt) {
  std::string names;
  EXPECT_THAT(
      Parsed(ParseStage::Format::kLogfmt, "",
             {R"(ts=12 msg="a \"b\" c" ok=true plain n=1.5 id=007)", "no pairs", R"(a="open)", "=x k= "}, &names),
      ElementsAre("1|12|'a \"b\" c'|true|1.5|'007'|null|null", "1|null|null|null|null|null|null|'no key=value pair'",
                  "1|null|null|null|null|null|null|'a quoted value does not end'",
                  "1|null|null|null|null|null|''|null"));
  EXPECT_EQ(names, "message,level,old,ts,msg,ok,n,id,k,parse_error");
}

TEST(Parse, RegexpAndPattern) {
  std::string names;
  EXPECT_THAT(Parsed(ParseStage::Format::kRegexp, R"(status=(?<status>\d+)( took (?P<took>\S+))?)",
                     {"x status=404 took 1.25", "status=200", "?"}, &names),
              ElementsAre("1|404|1.25|null", "1|200|null|null", "1|null|null|'no match'"));
  EXPECT_EQ(names, "message,level,old,status,took,parse_error");
  EXPECT_THAT(Parsed(ParseStage::Format::kPattern, "<ip> - - [<_>] \"<method> <path> <_>\" <status> <bytes>",
                     {"1.2.3.4 - - [now] \"GET /a HTTP/1.1\" 200 17", "garbage"}, &names),
              ElementsAre("1|'1.2.3.4'|'GET'|'/a'|200|17|null", "1|null|null|null|null|null|'no match'"));
  QueryContext context;
  const TestTable table = MakeTable(Kind::kEvents, {{"message", Type::kString}});
  for (const auto& [format, pattern] :
       {std::pair{ParseStage::Format::kRegexp, "(a)"}, std::pair{ParseStage::Format::kRegexp, "("},
        std::pair{ParseStage::Format::kPattern, "<_>"}, std::pair{ParseStage::Format::kPattern, "<a><b>"},
        std::pair{ParseStage::Format::kPattern, "<a> <a>"}}) {
    ParseSpec spec;
    spec.format = format;
    spec.pattern = pattern;
    EXPECT_EQ(MakeParse(Source(table), spec, &context).status().code(), absl::StatusCode::kInvalidArgument) << pattern;
  }
}

TEST(Parse, ForeignBytesAreSafe) {
  std::mt19937 random(43);
  const std::string seeds[] = {R"({"a":{"b":[1,2,{"c":"\u00e9"}],"d":1e5},"e":"x"})",
                               R"(a=1 b="x \u00e9 \n" c=true d="")"};
  for (int round = 0; round < 500; ++round) {
    std::string line = seeds[random() % 2];
    for (size_t i = random() % 4; i > 0; --i) {
      const size_t at = random() % line.size();
      if (random() % 2 == 0) {
        line[at] = static_cast<char>(random());
      } else {
        line.erase(at, 1 + random() % 5);
      }
      if (line.empty()) line = "{";
    }
    std::string names;
    const auto format = random() % 2 == 0 ? ParseStage::Format::kJson : ParseStage::Format::kLogfmt;
    ASSERT_EQ(Parsed(format, "", {line}, &names).size(), 1u);
  }
}

// ---- context

TEST(Context, AgreesWithDefinition) {
  std::mt19937 random(44);
  for (int round = 0; round < 60; ++round) {
    TestTable store =
        MakeTable(Kind::kEvents, {{"time", Type::kTimestamp}, {"stream", Type::kInt}, {"message", Type::kString}});
    const int64_t unit = random() % 2 == 0 ? 1 : kSecond;
    for (size_t i = 5 + random() % 40; i > 0; --i) {
      store.rows.push_back({Time(static_cast<int64_t>(random() % 100) * unit), Int(static_cast<int64_t>(random() % 3)),
                            Text(std::string(1, "abc"[random() % 3]))});
    }
    std::stable_sort(store.rows.begin(), store.rows.end(), [](const auto& a, const auto& b) {
      return std::pair(a[0].integer, a[1].integer) < std::pair(b[0].integer, b[1].integer);
    });
    TestTable matches{store.schema, {}};
    std::vector<size_t> matched;
    for (size_t i = 0; i < store.rows.size(); ++i) {
      if (store.rows[i][2].text != "a") continue;
      matched.push_back(i);
      matches.rows.push_back(store.rows[i]);
    }
    ContextSpec spec;
    const bool count_before = random() % 2 == 0;
    const bool count_after = random() % 2 == 0;
    spec.window.from = {-static_cast<int64_t>(random() % 5) * (count_before ? 1 : unit), count_before};
    spec.window.to = {static_cast<int64_t>(random() % 5) * (count_after ? 1 : unit), count_after};
    spec.bounds = {0, 100 * unit};
    spec.reader_schema = store.schema;
    spec.reader = [&](int64_t stream, TimeRange range) -> absl::StatusOr<RecordBatch> {
      TestTable rows{store.schema, {}};
      for (const auto& row : store.rows) {
        if (row[1].integer == stream && range.Contains(row[0].integer)) rows.rows.push_back(row);
      }
      return ToBatch(rows);
    };
    std::set<size_t> wanted;
    for (const size_t m : matched) {
      std::vector<size_t> stream;
      for (size_t i = 0; i < store.rows.size(); ++i) {
        if (store.rows[i][1].integer == store.rows[m][1].integer) stream.push_back(i);
      }
      const auto at = std::find(stream.begin(), stream.end(), m) - stream.begin();
      for (ptrdiff_t j = 0; j < static_cast<ptrdiff_t>(stream.size()); ++j) {
        const int64_t distance = store.rows[stream[static_cast<size_t>(j)]][0].integer - store.rows[m][0].integer;
        // A side given as a duration also covers rows of the match's own time on its other side.
        const bool begins = count_before ? j - at >= spec.window.from.value : distance >= spec.window.from.value;
        const bool ends = count_after ? j - at <= spec.window.to.value : distance <= spec.window.to.value;
        if (begins && ends) wanted.insert(stream[static_cast<size_t>(j)]);
      }
    }
    Texts expected;
    for (const size_t i : wanted) expected.push_back(RowText(store.rows[i]));
    QueryContext context;
    ASSERT_EQ(Rows(MakeContext(Source(matches, random()), spec, &context)), expected) << round;
    ASSERT_EQ(context.reserved_bytes(), 0u);
  }
}

// ---- compare

TEST(Compare, SharesOfValues) {
  const TestTable table = MakeTable(
      Kind::kEvents, {{"time", Type::kTimestamp}, {"slow", Type::kBool}, {"zone", Type::kString}, {"n", Type::kInt}},
      {{Time(1), Bool(true), Text("a"), Int(1)},
       {Time(2), Bool(true), Text("a"), Null()},
       {Time(3), Bool(false), Text("a"), Int(1)},
       {Time(4), Bool(false), Text("b"), Int(2)},
       {Time(5), Bool(false), Text("b"), Int(1)},
       {Time(6), Bool(false), Null(), Int(1)}});
  QueryContext context;
  const auto condition = std::make_shared<RowFunction>(
      Type::kBool, [](const RecordBatch& batch, size_t row) { return Bool(batch.columns[1].ints[row] != 0); });
  EXPECT_THAT(
      Rows(MakeCompare(Source(table), condition, {"slow"}, 0, &context)),
      ElementsAre("'zone'|'a'|1|0.25|0.75", "'zone'|'b'|0|0.5|-0.5", "'n'|'1'|0.5|0.75|-0.25", "'n'|'2'|0|0.25|-0.25"));
  EXPECT_EQ(Rows(MakeCompare(Source(table), condition, {"slow"}, 1, &context)).size(), 1u);
}

}  // namespace
}  // namespace braid
