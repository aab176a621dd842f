// What completion offers where, with a vocabulary that is known.
#include "tools/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tools/answer_output.h"
#include "tools/query_shell.h"

namespace braid {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

class Vocabulary : public QueryTarget {
 public:
  absl::Status Run(const QuerySettings&, const std::string&) override { return absl::OkStatus(); }
  std::vector<std::string> Metrics() override { return {"http_requests_total", "up"}; }
  std::vector<std::string> Labels(const std::string& metric) override {
    return metric == "up" ? std::vector<std::string>{"instance", "job"} : std::vector<std::string>{"code", "service"};
  }
  std::vector<std::string> LabelValues(const std::string& metric, const std::string& label) override {
    return {metric + "." + label + ".a", metric + "." + label + ".b"};
  }
  std::vector<std::string> Columns(const std::string& table) override { return {table + "_column", "http.route"}; }
  std::vector<std::string> ColumnValues(const std::string& table, const std::string& column) override {
    return {table + "-" + column + "-x"};
  }
  std::string Name() const override { return "test"; }
};

std::vector<std::string> Words(const std::string& text) {
  Vocabulary vocabulary;
  return Complete(text, &vocabulary).words;
}

TEST(Completion, NamesStagesBehindAPipe) {
  EXPECT_THAT(Words("logs | st"), ElementsAre("stats"));
  EXPECT_THAT(Words("logs |"), AllOf(Contains("where"), Contains("join"), Not(Contains("rate"))));
  EXPECT_THAT(Words("logs |= \"x\" | whe"), ElementsAre("where"));
}

TEST(Completion, NamesMetricsFunctionsAndTablesWhereASourceStands) {
  EXPECT_THAT(Words("htt"), ElementsAre("http_requests_total"));
  EXPECT_THAT(Words("ra"), AllOf(Contains("rate"), Contains("rad")));
  EXPECT_THAT(Words("sum(rate(u"), ElementsAre("up"));
  EXPECT_THAT(Words("spa"), ElementsAre("spans"));
}

TEST(Completion, NamesLabelsOfTheMetricAndColumnsOfTheTable) {
  EXPECT_THAT(Words("up{"), AllOf(Contains("instance"), Contains("job"), Not(Contains("code"))));
  EXPECT_THAT(Words("sum(rate(http_requests_total{c"), ElementsAre("code"));
  EXPECT_THAT(Words("logs{mes"), ElementsAre("message"));
  EXPECT_THAT(Words("spans{dur"), ElementsAre("duration"));
  EXPECT_THAT(Words("spans | where http.r"), ElementsAre("http.route"));
  EXPECT_THAT(Words("logs | stats count() by (serv"), ElementsAre("service"));
}

TEST(Completion, NamesValues) {
  EXPECT_THAT(Words("up{job=\""), ElementsAre("up.job.a", "up.job.b"));
  EXPECT_THAT(Words("logs{service = \"logs-"), ElementsAre("logs-service-x"));
  EXPECT_THAT(Words("logs | where service = \""), ElementsAre("logs-service-x"));
  EXPECT_THAT(Words("logs{level >= er"), ElementsAre("error"));
}

TEST(Completion, TellsWhereTheWordBegins) {
  Vocabulary vocabulary;
  EXPECT_EQ(Complete("logs | wh", &vocabulary).begin, 7u);
  EXPECT_EQ(Complete("up{job=\"up", &vocabulary).begin, 8u);
}

TEST(Completion, KnowsNamesThatWereGiven) {
  EXPECT_THAT(Words("let errors = logs{level = error}; spans | where trace_id in err"), ElementsAre("errors"));
  EXPECT_THAT(Words("# logs{\nup{jo"), ElementsAre("job"));
}

TEST(QueryShell, SeesWhetherAStatementGoesOn) {
  for (const char* open : {"logs{", "sum(rate(up[5m])", "logs |", "let x = logs;", "logs | where", "up +", "\"abc"}) {
    EXPECT_TRUE(IsUnfinished(open)) << open;
  }
  for (const char* done : {"logs", "sum(up))", "logs | nosuch", "up == 1"}) {
    EXPECT_FALSE(IsUnfinished(done)) << done;
  }
}

TEST(QueryShell, KeepsAStatementAsOneLine) {
  EXPECT_EQ(OneLine("logs # all of them\n  | limit 5\n"), "logs    | limit 5");
  EXPECT_EQ(OneLine("logs |= \"# no comment\""), "logs |= \"# no comment\"");
}

TEST(Sparkline, ScalesFromLeastToGreatest) {
  EXPECT_EQ(Sparkline({0, 1, 2, 3, 4, 5, 6, 7}, 60), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(Sparkline({5, 5}, 60), "▅▅");
  EXPECT_EQ(Sparkline({0, std::nan(""), 7}, 60), "▁ █");
  // Two values to a cell: the greater one counts.
  EXPECT_EQ(Sparkline({0, 7, 0, 0}, 2), "█▁");
}

}  // namespace
}  // namespace braid
