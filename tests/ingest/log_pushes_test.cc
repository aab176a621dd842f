// Loki's pushes and Elasticsearch's bulk requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <protozero/pbf_writer.hpp>

#include "server/ingest/elastic_bulk.h"
#include "server/ingest/loki_push.h"
#include "tests/ingest/batch_text.h"

namespace braid::ingest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

constexpr Timestamp kNow = 1'700'000'000 * kSecond;

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(LokiLabels, ReadsGoStrings) {
  Pairs labels;
  ASSERT_TRUE(ParseLokiLabels(R"({app="shop", level = "info",path=`C:\x "y"`,})", &labels));
  EXPECT_THAT(labels, ElementsAre(Pair("app", "shop"), Pair("level", "info"), Pair("path", R"(C:\x "y")")));
  ASSERT_TRUE(ParseLokiLabels(R"( { a="\"\\\n\t\x41\101\u00e9\U0001F600}," } )", &labels));
  EXPECT_THAT(labels, ElementsAre(Pair("a", "\"\\\n\tAA\xc3\xa9\xf0\x9f\x98\x80},")));
  ASSERT_TRUE(ParseLokiLabels("{}", &labels));
  EXPECT_THAT(labels, IsEmpty());
  for (const char* bad :
       {"", "{", "}", "{a}", "{a=}", "{a=\"b}", "{a=\"b\"", "{a=\"b\" c=\"d\"}", "{=\"b\"}", "{a=\"b\"}x", "{,}",
        "a=\"b\"", "{a='b'}", R"({a="\q"})", R"({a="\x4"})", R"({a="\ud800"})", R"({a="\777"})", R"({a="\)"}) {
    EXPECT_FALSE(ParseLokiLabels(bad, &labels)) << bad;
  }
}

constexpr const char* kLokiJson = R"({"streams":[
{"stream":{"service_name":"shop","level":"error","pod":"p1","empty":""},"values":[
  ["1700000000000000001","it broke"],
  ["1700000000000000002","slow",{"trace_id":"463ac35c9f6413ad48485a3953bb6124","spanID":"a2fb4a1d1a96d312","detected_level":"warn","user":"u1","n":5}],
  [1700000000000000003,"a number as time"],
  ["soon","no time"]]},
{"stream":{"a":1},"values":[["1","x"]]},
{"labels":"{job=\"old\"}","entries":[{"ts":"2023-11-14T22:13:20.5Z","line":"first form"}]}]})";

TEST(LokiPush, JsonOfBothForms) {
  WriteBatch batch;
  IngestReport report;
  ASSERT_TRUE(DecodeLokiJson(kLokiJson, kNow, &batch, &report).ok());
  EXPECT_EQ(report.accepted, 4u);
  EXPECT_EQ(report.rejected, 2u);
  EXPECT_THAT(report.Summary(), AllOf(HasSubstr("streams[0].values[3]: the entry has no readable time"),
                                      HasSubstr("streams[1].values[0]: the value of a label is not a string")));
  const std::string zero_ids = "trace=00000000000000000000000000000000 span=0000000000000000 flags=0 dropped=0 ";
  const auto lines = BatchText(batch);
  ASSERT_EQ(lines.size(), 4u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_THAT(lines[i], AllOf(HasSubstr("service_name=shop "), HasSubstr("pod=p1 "), Not(HasSubstr("empty"))));
  }
  EXPECT_THAT(lines[0], HasSubstr("|  } @1700000000000000001 observed=1700000000000000000 17/error 'it broke' event= " +
                                  zero_ids + "[]"));
  EXPECT_THAT(lines[1], HasSubstr("13/warn 'slow' event= trace=463ac35c9f6413ad48485a3953bb6124 span=a2fb4a1d1a96d312 "
                                  "flags=0 dropped=0 [user=u1 n=5]"));
  EXPECT_THAT(lines[2], HasSubstr("@1700000000000000003 "));
  EXPECT_THAT(lines[3], AllOf(StartsWith("log {job=old |  } @1700000000500000000 "), HasSubstr(" 0/ 'first form' ")));
}

TEST(LokiPush, RefusesOtherShapes) {
  for (const char* body :
       {"", "[]", "{}", "{\"streams\":5}", "{\"streams\":[5]}", "{\"streams\":[{\"stream\":{}}]}",
        "{\"streams\":[{\"stream\":{},\"values\":[5]}]}", "{\"streams\":[{\"stream\":{},\"values\":[[\"1\"]]}]}",
        "{\"streams\":[{\"stream\":{},\"values\":[[\"1\",2]]}]}",
        "{\"streams\":[{\"stream\":{},\"values\":[[\"1\",\"a\",3]]}]}"}) {
    WriteBatch batch;
    IngestReport report;
    EXPECT_EQ(DecodeLokiJson(body, kNow, &batch, &report).code(), absl::StatusCode::kInvalidArgument) << body;
  }
}

std::string LokiProtobuf() {
  std::string body;
  const auto stream = [&](const char* labels, int64_t seconds, int32_t nanos, const char* line, bool metadata) {
    std::string time, pair, entry, message;
    protozero::pbf_writer timestamp(time);
    timestamp.add_int64(1, seconds);
    timestamp.add_int32(2, nanos);
    protozero::pbf_writer fields(entry);
    fields.add_message(1, time);
    fields.add_string(2, line);
    if (metadata) {
      protozero::pbf_writer label(pair);
      label.add_string(1, "traceID");
      label.add_string(2, "48485a3953bb6124");
      fields.add_message(3, pair);
    }
    protozero::pbf_writer writer(message);
    writer.add_message(2, entry);  // before its labels, which protobuf allows
    writer.add_string(1, labels);
    writer.add_uint64(3, 12345);  // hash
    protozero::pbf_writer(body).add_message(1, message);
  };
  stream("{job=\"varlogs\", level=\"warn\"}", 1'700'000'000, 7, "a", true);
  stream("broken", 1, 0, "b", false);
  stream("{job=\"varlogs\"}", INT64_MAX, 0, "c", false);
  return body;
}

TEST(LokiPush, Protobuf) {
  WriteBatch batch;
  IngestReport report;
  ASSERT_TRUE(DecodeLokiProtobuf(LokiProtobuf(), kNow, &batch, &report).ok());
  EXPECT_EQ(report.rejected, 2u);
  EXPECT_THAT(BatchText(batch),
              ElementsAre("log {job=varlogs |  } @1700000000000000007 observed=1700000000000000000 13/warn 'a' event= "
                          "trace=000000000000000048485a3953bb6124 span=0000000000000000 flags=0 dropped=0 []"));
  EXPECT_EQ(DecodeLokiProtobuf("\xff", kNow, &batch, &report).code(), absl::StatusCode::kInvalidArgument);
}

constexpr const char* kBulk =
    "{\"create\":{\"_index\":\"logs-a\",\"_id\":\"x\"}}\n"
    "{\"@timestamp\":\"2023-11-14T22:13:20Z\",\"message\":\"one\",\"log\":{\"level\":\"error\"},\"host\":{\"name\":"
    "\"h\"}}\n"
    "{\"index\":{}}\r\n"
    "{\"message\":\"two\"}\r\n"
    "\n"
    "{\"update\":{\"_index\":\"i\",\"_id\":7}}\n"
    "{\"doc\":{\"a\":1}}\n"
    "{\"delete\":{\"_index\":\"i\",\"_id\":\"8\"}}\n"
    "{\"index\":{\"_index\":\"i\"}}\n"
    "not json\n"
    "{\"create\":{}}\n"
    "{\"message\":\"last\"}";

TEST(ElasticBulk, ItemsInOrder) {
  WriteBatch batch;
  IngestReport report;
  std::vector<BulkItem> items;
  ASSERT_TRUE(DecodeElasticBulk(kBulk, {kNow, "default"}, &batch, &report, &items).ok());
  std::vector<std::string> texts;
  for (const BulkItem& item : items) {
    texts.push_back(std::string(item.action) + " " + item.index + " " + item.id + ": " + item.error.substr(0, 8));
  }
  EXPECT_THAT(texts, ElementsAre("create logs-a x: ", "index default : ", "update i 7: records ",
                                 "delete i 8: records ", "index i : not JSON", "create default : "));
  EXPECT_EQ(report.accepted, 3u);
  EXPECT_EQ(report.rejected, 3u);
  const auto lines = BatchText(batch);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[0], AllOf(HasSubstr("elasticsearch.index=logs-a "), HasSubstr("host.name=h "),
                              HasSubstr("@1700000000000000000 observed="), HasSubstr(" 17/error 'one' "),
                              HasSubstr("[elasticsearch.id=x]")));
  EXPECT_THAT(lines[1], AllOf(StartsWith("log {elasticsearch.index=default |"), HasSubstr("'two'")));
  EXPECT_THAT(lines[2], AllOf(StartsWith("log {elasticsearch.index=default |"), HasSubstr("'last'")));
}

TEST(ElasticBulk, RefusesWhatIsNoBulkRequest) {
  const std::string many = [] {
    std::string text;
    for (size_t i = 0; i <= kBulkItemsMax; ++i) text += "{\"delete\":{}}\n";
    return text;
  }();
  for (const std::string& body : {std::string(), std::string("\n\n"), std::string("{\"message\":\"a\",\"b\":1}\n"),
                                  std::string("{\"create\":{}}\n"), std::string("{\"create\":5}\n{}\n"),
                                  std::string("x\n"), std::string("{\"erase\":{}}\n{}\n"), std::string(100'000, '{')}) {
    WriteBatch batch;
    IngestReport report;
    std::vector<BulkItem> items;
    EXPECT_EQ(DecodeElasticBulk(body, {kNow, ""}, &batch, &report, &items).code(), absl::StatusCode::kInvalidArgument)
        << body.substr(0, 40);
  }
  WriteBatch batch;
  IngestReport report;
  std::vector<BulkItem> items;
  EXPECT_EQ(DecodeElasticBulk(many, {kNow, ""}, &batch, &report, &items).code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace braid::ingest
