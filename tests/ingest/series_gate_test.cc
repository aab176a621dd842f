#include "server/ingest/series_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "server/ingest/prometheus_text.h"
#include "tests/ingest/batch_text.h"

namespace braid::ingest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

bool Admit(SeriesGate* gate, const std::string& metric, const std::string& user, Timestamp now = 0) {
  const std::vector<LabelView> labels = {{"__name__", metric}, {"job", "j"}, {"user", user}};
  return gate->Admit(labels, now);
}

TEST(SeriesGate, NewSeriesAreRefusedAndKnownOnesGoOn) {
  SeriesGate gate(10);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Admit(&gate, "small", std::to_string(i)));
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(Admit(&gate, "large", std::to_string(i)));
  EXPECT_EQ(gate.active(), 10u);
  for (int i = 7; i < 20; ++i) EXPECT_FALSE(Admit(&gate, "large", std::to_string(i)));
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(Admit(&gate, "large", std::to_string(i)));
  EXPECT_TRUE(Admit(&gate, "small", "0"));
  EXPECT_EQ(gate.active(), 10u);
  EXPECT_THAT(gate.Refusal(),
              AllOf(HasSubstr("10 active series"), HasSubstr("large (7)"), HasSubstr("label user has 13")));
}

TEST(SeriesGate, TheOrderOfLabelsDoesNotMatter) {
  SeriesGate gate(1);
  const std::vector<LabelView> one = {{"__name__", "a"}, {"x", "1"}, {"y", ""}},
                               other = {{"x", "1"}, {"__name__", "a"}};
  const std::vector<LabelView> swapped = {{"__name__", "a"}, {"1", "x"}};
  EXPECT_TRUE(gate.Admit(one, 0));
  EXPECT_TRUE(gate.Admit(other, 0));
  EXPECT_FALSE(gate.Admit(swapped, 0));
}

TEST(SeriesGate, ASeriesIsTheSameInAMessage) {
  SeriesGate gate(1);
  const std::vector<LabelView> sorted = {{"__name__", "a"}, {"x", "1"}},
                               other = {{"x", "1"}, {"e", ""}, {"__name__", "a"}};
  // Two fields 1 of a TimeSeries, each a Label of name (1) and value (2).
  const std::string message =
      "\x0a\x0d\x0a\x08__name__\x12\x01"
      "a"
      "\x0a\x06\x0a\x01"
      "x\x12\x01"
      "1";
  EXPECT_TRUE(gate.AdmitMessage(message, sorted, 0));
  EXPECT_TRUE(gate.Admit(sorted, 0));
  EXPECT_TRUE(gate.Admit(other, 0));
  EXPECT_EQ(gate.active(), 1u);
  const std::vector<LabelView> next = {{"__name__", "a"}, {"x", "2"}};
  EXPECT_FALSE(gate.Admit(next, 0));
}

TEST(SeriesGate, WhatDoesNotComeAnyMoreMakesRoom) {
  SeriesGate gate(2);
  EXPECT_TRUE(Admit(&gate, "m", "a"));
  EXPECT_TRUE(Admit(&gate, "m", "b"));
  EXPECT_TRUE(Admit(&gate, "m", "b", SeriesGate::kWindow));
  EXPECT_FALSE(Admit(&gate, "m", "c", SeriesGate::kWindow));  // a may come again
  EXPECT_TRUE(Admit(&gate, "m", "c", 2 * SeriesGate::kWindow));
  EXPECT_EQ(gate.active(), 2u);
  EXPECT_FALSE(Admit(&gate, "m", "a", 2 * SeriesGate::kWindow));
  EXPECT_TRUE(Admit(&gate, "m", "b", 2 * SeriesGate::kWindow));
}

TEST(SeriesGate, ABodyKeepsItsKnownSeries) {
  SeriesGate gate(2);
  for (int round = 0; round < 2; ++round) {
    IngestReport report;
    report.gate = &gate;
    WriteBatch batch;
    PrometheusTextParser parser({});
    parser.ParseBody("a 1\nb 2\nc 3\nd 4\na 5\n", &batch, &report);
    EXPECT_THAT(BatchText(batch), ElementsAre("a 1 @0", "b 2 @0", "a 5 @0"));
    EXPECT_EQ(report.rejected, 2u);
    EXPECT_EQ(report.over_limit, 2u);
    EXPECT_THAT(report.Summary(), HasSubstr("line 3: there are 2 active series"));
  }
}

}  // namespace
}  // namespace braid::ingest
