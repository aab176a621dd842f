// The example queries parse, print, and read back as the same tree.
#include <gtest/gtest.h>

#include "query/syntax/parser.h"
#include "tests/syntax/example_queries.h"
#include "tests/syntax/tree_text.h"

namespace braid {
namespace {

TEST(Examples, ParsePrintAndReadBackAsTheSameTree) {
  for (const ExampleQuery& example : kExampleQueries) {
    const auto query = ParseQuery(example.text);
    ASSERT_TRUE(query.ok()) << example.name << "\n" << Format(*ErrorOf(query.status()), example.text);
    const std::string text = Print(**query);
    const auto again = ParseQuery(text);
    ASSERT_TRUE(again.ok()) << example.name << "\n" << Format(*ErrorOf(again.status()), text);
    EXPECT_EQ(TreeText(**query), TreeText(**again)) << example.name;
    EXPECT_EQ(Print(**again), text) << example.name;
  }
}

TEST(Examples, HaveTheirKinds) {
  const std::pair<std::string_view, Kind> kKinds[] = {
      {"Q1", Kind::kRows},    {"Q2", Kind::kRows},    {"Q3", Kind::kEvents},  {"Q4", Kind::kSeries},
      {"Q5", Kind::kRows},    {"Q7", Kind::kEvents},  {"Q9", Kind::kRows},    {"Q11", Kind::kRows},
      {"Q13", Kind::kEvents}, {"Q14", Kind::kSeries}, {"Q17", Kind::kRows},   {"Q18", Kind::kEvents},
      {"E21", Kind::kEvents}, {"E24", Kind::kSeries}, {"E25", Kind::kSeries}, {"E26", Kind::kEvents},
      {"E28", Kind::kRows},
  };
  for (const auto& [name, kind] : kKinds) {
    for (const ExampleQuery& example : kExampleQueries) {
      if (example.name != name) continue;
      const auto query = ParseQuery(example.text);
      ASSERT_TRUE(query.ok());
      EXPECT_EQ(ToString((*query)->body->kind), ToString(kind)) << name;
    }
  }
}

TEST(Examples, TextsOfStagesAndItemsAreAsWritten) {
  const auto query = ParseQuery(
      "logs{level >= error}  |=  \"x\" # why\n  | stats n =\n count( ),  m = max( a+b ) by (svc = service) [5m]\n | "
      "top 5  by n");
  ASSERT_TRUE(query.ok());
  const Pipeline& body = *(*query)->body;
  EXPECT_EQ(body.source_text, "logs{level >= error}");
  ASSERT_EQ(body.stages.size(), 3u);
  EXPECT_EQ(body.stages[0].text, "|= \"x\"");
  EXPECT_EQ(body.stages[1].text, "stats n = count( ), m = max( a+b ) by (svc = service) [5m]");
  EXPECT_EQ(body.stages[2].text, "top 5 by n");
  const auto& stats = std::get<StatsStage>(body.stages[1].node);
  EXPECT_EQ(stats.aggregates[1].text, "max( a+b )");
  EXPECT_EQ(stats.aggregates[1].name, "m");
  EXPECT_EQ(body.stages[2].place.line, 4u);
  EXPECT_EQ(body.stages[2].place.column, 4u);
}

}  // namespace
}  // namespace braid
