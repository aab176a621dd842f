// Row expressions: rules of comparison, null, arithmetic and functions, and the fast paths against a naive reading.
#include "query/rows/expression.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "query/rows/cells.h"
#include "query/rows/functions.h"
#include "query/syntax/parser.h"

namespace braid {
namespace {

// The condition of `logs | where TEXT`.
ExprPtr ParseCondition(const std::string& text) {
  const auto query = ParseQuery("logs | where " + text);
  EXPECT_TRUE(query.ok()) << text << ": " << query.status();
  if (!query.ok()) return nullptr;
  return std::get<WhereStage>((*query)->body->stages[0].node).condition;
}

struct Rows {
  Schema schema;
  RecordBatch batch;

  void Add(const std::string& name, Column column) {
    batch.num_rows = column.size;
    schema.columns.push_back({name, column.type});
    batch.columns.push_back(std::move(column));
  }
};

absl::StatusOr<Column> Evaluate(const std::string& text, const Rows& rows, QueryContext* context = nullptr) {
  BindScope scope;
  scope.schema = &rows.schema;
  scope.context = context;
  const ExprPtr expr = ParseCondition(text);
  if (expr == nullptr) return absl::InvalidArgumentError("does not parse");
  auto bound = BindExpression(*expr, scope);
  if (!bound.ok()) return bound.status();
  return (*bound)->Evaluate(rows.batch);
}

std::string One(const std::string& text, const Rows& rows) {
  const auto column = Evaluate(text, rows);
  if (!column.ok()) return ErrorOf(column.status()) ? ErrorOf(column.status())->code : column.status().ToString();
  const CellView cell = CellAt(*column, 0);
  if (cell.null()) return "null";
  std::string storage;
  return std::string(TextOf(cell, &storage));
}

Rows OneRow() {
  Rows rows;
  ColumnBuilder text(Type::kString), number(Type::kInt), real(Type::kDouble), span(Type::kDuration),
      when(Type::kTimestamp);
  ColumnBuilder level(Type::kLevel), id(Type::kTraceId), nothing, digits(Type::kString), nan(Type::kDouble);
  text.AppendString("Hello");
  number.AppendInt(Type::kInt, int64_t{9007199254740993});
  real.AppendDouble(2.5);
  span.AppendInt(Type::kDuration, 500 * kMillisecond);
  when.AppendInt(Type::kTimestamp, 7200 * kSecond);
  level.AppendInt(Type::kLevel, 5);
  id.AppendTraceId(TraceId{0, 0xabc});
  nothing.AppendNull();
  digits.AppendString("12.5");
  nan.AppendDouble(std::nan(""));
  rows.Add("text", text.Finish());
  rows.Add("number", number.Finish());
  rows.Add("real", real.Finish());
  rows.Add("span", span.Finish());
  rows.Add("time", when.Finish());
  rows.Add("level", level.Finish());
  rows.Add("trace_id", id.Finish());
  rows.Add("nothing", nothing.Finish());
  rows.Add("digits", digits.Finish());
  rows.Add("nan", nan.Finish());
  return rows;
}

TEST(Expression, RulesOfTheLanguage) {
  const Rows rows = OneRow();
  const std::pair<const char*, const char*> cases[] = {
      // Null: two-valued.
      {"nothing = null", "true"},
      {"nothing = \"\"", "true"},
      {"nothing != null", "false"},
      {"missing = null", "true"},
      {"nothing < 1", "false"},
      {"not (nothing < 1)", "true"},
      {"nothing != 1", "true"},
      {"nothing + 1", "null"},
      {"null = null", "true"},
      // Numbers.
      {"number = 9007199254740993", "true"},
      {"number = 9007199254740992", "false"},
      {"number > 9007199254740992", "true"},
      {"real = 2.5", "true"},
      {"nan = nan", "false"},
      {"nan != nan", "true"},
      {"nan + 1", "NaN"},
      {"digits = 12.5", "true"},
      {"digits > 12", "true"},
      {"text > 12", "false"},
      {"text != 12", "true"},
      {"digits + 1", "13.5"},
      {"text + 1", "null"},
      {"7 / 2", "3.5"},
      {"7 % 4", "3"},
      {"2 ^ 3", "8"},
      // Durations and times.
      {"span > 0.4", "true"},
      {"span = 0.5", "true"},
      {"span >= 500ms", "true"},
      {"span * 2", "1s"},
      {"span / 250ms", "2"},
      {"time - span", "1970-01-01T01:59:59.5Z"},
      {"time + 1h", "1970-01-01T03:00:00Z"},
      {"(time + 1h) - time", "1h"},
      {"hour(time)", "2"},
      // Enums and ids.
      {"level = error", "true"},
      {"level >= warn", "true"},
      {"level = \"ERROR\"", "true"},
      {"level in (error)", "E061"},
      {"level = loud", "E068"},
      {"level > 3", "E069"},
      {"trace_id = \"ABC\"", "true"},
      {"trace_id = \"00-000abc\"", "true"},
      {"trace_id = \"xyz\"", "E068"},
      {"trace_id != null", "true"},
      // Texts.
      {"text =~ \"hel\"", "false"},
      {"text =~ \"(?i)hel.*\"", "true"},
      {"nothing =~ \".*\"", "true"},
      {"text =~ \"(\"", "E058"},
      {"contains(text, \"ell\")", "true"},
      {"replace(text, \"l+\", \"L\")", "HeLo"},
      {"extract(text, \"H(.)\")", "e"},
      {"extract(text, \"x\")", "null"},
      {"upper(text)", "HELLO"},
      {"len(text)", "5"},
      {"coalesce(nothing, text)", "Hello"},
      {"if(level = error, 1, 2)", "1"},
      {"bucket(real, 2)", "2"},
      {"bucket(time, 5h)", "1970-01-01T00:00:00Z"},
      {"abs(-2)", "2"},
      {"round(real)", "3"},
      {"sqrt(16)", "4"},
      {"level + 1", "E069"},
      {"\"a\" + 1", "E069"},
  };
  for (const auto& [text, expected] : cases) {
    const std::string got = One(text, rows);
    EXPECT_EQ(got, expected) << text;
  }
}

TEST(Expression, PatternsOfMessages) {
  EXPECT_EQ(PatternOf("took 15ms for user 42"), "took <_> for user <_>");
  EXPECT_EQ(PatternOf("from 10.0.0.1:8080 ok"), "from <_> ok");
  EXPECT_EQ(PatternOf("id 550e8400-e29b-41d4-a716-446655440000 gone"), "id <_> gone");
  EXPECT_EQ(PatternOf("span 4bf92f3577b34da6 at 0x7ffe"), "span <_> at <_>");
  EXPECT_EQ(PatternOf("no variables here"), "no variables here");
  EXPECT_EQ(PatternOf("x=-1.5 y=2"), "x=<_> y=<_>");
  EXPECT_EQ(PatternOf(""), "");
}

TEST(Expression, FormsOfTimesAndDurations) {
  EXPECT_EQ(FormatTimestamp(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatTimestamp(1675079932 * kSecond + 120), "2023-01-30T11:58:52.00000012Z");
  EXPECT_EQ(FormatTimestamp(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(FormatTimestamp(951782400 * kSecond), "2000-02-29T00:00:00Z");
  EXPECT_EQ(FormatDuration(90 * kSecond), "1m30s");
  EXPECT_EQ(FormatDuration(1'500'000), "1.5ms");
  EXPECT_EQ(FormatDuration(-3600 * kSecond), "-1h");
  EXPECT_EQ(FormatDuration(0), "0s");
}

// Random columns of every shape against random constants: the vectorised answer is that of single cells.
TEST(Expression, FastPathsAgreeWithSingleCells) {
  std::mt19937 random(20260131);
  const auto roll = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int round = 0; round < 300; ++round) {
    Rows rows;
    ColumnBuilder builder;
    const int shape = roll(6);
    const int count = 1 + roll(40);
    for (int i = 0; i < count; ++i) {
      if (roll(5) == 0) {
        builder.AppendNull();
      } else if (shape == 0 || (shape == 5 && roll(2) == 0)) {
        builder.AppendInt(Type::kInt, roll(7) - 3);
      } else if (shape == 1) {
        builder.AppendDouble((roll(9) - 4) / 2.0);
      } else if (shape == 2 || shape == 5) {
        static constexpr const char* kTexts[] = {"", "a", "b", "1", "1.5", "-2", "true"};
        builder.AppendString(kTexts[roll(7)]);
      } else if (shape == 3) {
        builder.AppendInt(Type::kDuration, (roll(7) - 3) * kSecond / 2);
      } else {
        builder.AppendInt(Type::kBool, roll(2));
      }
    }
    rows.Add("x", builder.Finish());
    static constexpr const char* kOps[] = {"=", "!=", "<", "<=", ">", ">="};
    static constexpr const char* kValues[] = {"1", "-1.5", "\"a\"", "\"1\"", "\"\"", "null", "500ms", "true"};
    const std::string op = kOps[roll(6)];
    const std::string value = kValues[roll(8)];
    const auto constant = Evaluate(value, rows);
    const auto fast = Evaluate("x " + op + " " + value, rows);
    if (!fast.ok()) continue;  // types that never meet are refused when bound
    ASSERT_TRUE(constant.ok());
    for (int row = 0; row < count; ++row) {
      const CellView a = CellAt(rows.batch.columns[0], static_cast<size_t>(row));
      const CellView b = CellAt(*constant, static_cast<size_t>(row));
      const Order order = CompareByRule(a, b);
      bool expected = false;
      if (op == "=") expected = order == Order::kEqual;
      if (op == "!=") expected = order != Order::kEqual;
      const bool ordered = !a.null() && !b.null();
      if (op == "<") expected = ordered && order == Order::kLess;
      if (op == "<=") expected = ordered && (order == Order::kLess || order == Order::kEqual);
      if (op == ">") expected = ordered && order == Order::kGreater;
      if (op == ">=") expected = ordered && (order == Order::kGreater || order == Order::kEqual);
      EXPECT_EQ(fast->ints[static_cast<size_t>(row)] != 0, expected)
          << "round " << round << " row " << row << " " << op << value;
    }
  }
}

TEST(Expression, KeysThatAreEqualHashAlike) {
  ColumnBuilder ints(Type::kInt), doubles(Type::kDouble);
  for (const int64_t value : {int64_t{0}, int64_t{1}, int64_t{-5}, int64_t{1} << 53, INT64_MAX, INT64_MIN}) {
    ints.AppendInt(Type::kInt, value);
    doubles.AppendDouble(static_cast<double>(value));
  }
  const Column a = ints.Finish();
  const Column b = doubles.Finish();
  for (size_t i = 0; i < a.size; ++i) {
    for (size_t j = 0; j < b.size; ++j) {
      if (!EqualCells(a, i, b, j)) continue;
      EXPECT_EQ(HashCell(a, i), HashCell(b, j));
    }
  }
  EXPECT_TRUE(EqualCells(a, 1, b, 1));
  EXPECT_FALSE(EqualCells(a, 4, b, 4));  // 2^63 - 1 is no double
}

}  // namespace
}  // namespace braid
