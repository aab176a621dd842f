// Prometheus text, JSON lines, plain text, times, sniffing and files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <tuple>
#include <utility>

#include "server/ingest/file_ingest.h"
#include "server/ingest/json_lines.h"
#include "server/ingest/prometheus_text.h"
#include "server/ingest/time_text.h"
#include "tests/ingest/batch_text.h"

namespace braid::ingest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Timestamp kNow = 1'700'000'000'000'000'000;

TEST(PrometheusText, SamplesMetadataAndEscapes) {
  PrometheusTextOptions options;
  options.now = kNow;
  options.labels = {{"job", "node"}, {"x", "default"}};
  PrometheusTextParser parser(options);
  WriteBatch batch;
  IngestReport report;
  parser.ParseBody(
      "# HELP http_requests_total The \\\\ number\\nof\n"
      "# TYPE http_requests_total counter\r\n"
      "http_requests_total{method=\"post\",code=\"200\",} 1027 1395066363000\n"
      "\n"
      "# a comment\n"
      "  esc {x=\"a\\\"b\\\\c\\nd\"} +Inf\n"
      "bare -0x1p-2\n"
      "nan NaN -5\n"
      "{\"quoted.name\",l=\"v\"} 1e400\n",
      &batch, &report);
  EXPECT_THAT(
      BatchText(batch),
      ElementsAre(
          "metadata http_requests_total unknown unit= help=The \\ number\nof",
          "metadata http_requests_total counter unit= help=The \\ number\nof",
          "http_requests_total{code=\"200\",job=\"node\",method=\"post\",x=\"default\"} 1027 @1395066363000000000",
          "esc{job=\"node\",x=\"a\\\"b\\\\c\\nd\"} +Inf @1700000000000000000",
          "bare{job=\"node\",x=\"default\"} -0.25 @1700000000000000000",
          "nan{job=\"node\",x=\"default\"} NaN @-5000000",
          "{\"quoted.name\",job=\"node\",l=\"v\",x=\"default\"} +Inf @1700000000000000000"));
  EXPECT_EQ(report.accepted, 5u);
  EXPECT_EQ(report.rejected, 0u);
}

TEST(PrometheusText, OpenMetrics) {
  PrometheusTextParser parser(PrometheusTextOptions{});
  WriteBatch batch;
  IngestReport report;
  parser.ParseBody(
      "# TYPE a counter\n# UNIT a seconds\n"
      "a_total{b=\"1\"} 3 1520879607.789 # {trace_id=\"0102030405060708090a0b0c0d0e0f10\",user=\"u\"} 0.67 "
      "1520879606.5\n"
      "a_total 4 1520879607 # {} 1\n"
      "# EOF\n",
      &batch, &report);
  EXPECT_THAT(BatchText(batch),
              ElementsAre("metadata a_total counter unit= help=", "metadata a_total counter unit=seconds help=",
                          "exemplar of a_total{b=\"1\"} 0.67 @1520879606500000000 "
                          "trace=0102030405060708090a0b0c0d0e0f10 span=0000000000000000 [user=u]",
                          "a_total{b=\"1\"} 3 @1520879607789000000",
                          "exemplar of a_total 1 @1520879607000000000 trace=00000000000000000000000000000000 "
                          "span=0000000000000000 []",
                          "a_total 4 @1520879607000000000"));
}

TEST(PrometheusText, BadLinesAreNamedAndTheRestIsKept) {
  PrometheusTextParser parser(PrometheusTextOptions{});
  WriteBatch batch;
  IngestReport report;
  parser.ParseBody(
      "ok 1\n9bad 1\na{b=\"c} 1\na{b=\"c\"\na{b=\"1\",b=\"2\"} 1\na\na x\na 1 x\na 1 2 3\na{b} 1\n"
      "{a=\"b\"} 1\na \xff\nok 2\n# EOF\nlate 1\n",
      &batch, &report);
  EXPECT_EQ(report.accepted, 2u);
  EXPECT_EQ(report.rejected, 12u);
  ASSERT_EQ(report.errors.size(), kErrorsKeptMax);
  EXPECT_EQ(report.errors[0].line, 2u);
  EXPECT_EQ(report.errors[3].line, 5u);
  EXPECT_EQ(report.errors[3].message, "label b is given twice");
}

std::vector<std::string> ParseJsonLines(const std::string& body, JsonLinesOptions options, IngestReport* report) {
  options.now = kNow;
  JsonLinesParser parser(options);
  WriteBatch batch;
  parser.ParseBody(body, &batch, report);
  return BatchText(batch);
}

TEST(JsonLines, KnownKeysIdentityAndTypes) {
  IngestReport report;
  EXPECT_THAT(
      ParseJsonLines(
          R"({"event":"paid","level":"warning","timestamp":"2023-01-30T11:58:52.797987762Z","service":"shop","pod":"p-1",)"
          R"("trace_id":"c0b1ec165eb854118b39c2e5db8cc2a0","span_id":"2007d7d9d78a152f","requestId":"r7","n":1,"big":18446744073709551615,)"
          R"("f":1.5,"ok":true,"none":null,"http":{"status":200,"tags":["a",{"b":1}]}})",
          {}, &report),
      ElementsAre("log {pod=p-1 service=shop |  } @1675079932797987762 observed=1700000000000000000 13/warning "
                  "'paid' event= trace=c0b1ec165eb854118b39c2e5db8cc2a0 span=2007d7d9d78a152f flags=0 dropped=0 "
                  "[request_id=r7 n=int:1 big=double:" +
                  ToText(ValueView(18446744073709551615.0)) +
                  " f=double:1.5 ok=bool:true http.status=int:200 http.tags=[\"a\",{\"b\":1}]]"));
}

TEST(JsonLines, SpellingsOfTimeLevelAndIds) {
  const auto first = [](const std::string& line) {
    IngestReport report;
    return ParseJsonLines(line, {}, &report).at(0);
  };
  EXPECT_THAT(first(R"({"ts":1675079932})"), HasSubstr("@1675079932000000000 "));
  EXPECT_THAT(first(R"({"time":1675079932123})"), HasSubstr("@1675079932123000000 "));
  EXPECT_THAT(first(R"({"ts":1675079932123456})"), HasSubstr("@1675079932123456000 "));
  EXPECT_THAT(first(R"({"ts":"1675079932123456789"})"), HasSubstr("@1675079932123456789 "));
  EXPECT_THAT(first(R"({"ts":1675079932.25})"), HasSubstr("@1675079932250000000 "));
  EXPECT_THAT(first(R"({"asctime":"2023-01-30 11:58:52,797"})"), HasSubstr("@1675079932797000000 "));
  EXPECT_THAT(first(R"({"time":"soon"})"), HasSubstr("@1700000000000000000 "));
  EXPECT_THAT(first(R"({"time":"soon"})"), HasSubstr("[time=soon]"));
  EXPECT_THAT(first(R"({"level":30,"msg":"pino"})"), HasSubstr(" 9/30 'pino'"));
  EXPECT_THAT(first(R"({"level":3,"short_message":"gelf"})"), HasSubstr(" 17/3 'gelf'"));
  EXPECT_THAT(first(R"({"log":{"level":"error"},"message":"ecs"})"), HasSubstr(" 17/error 'ecs'"));
  EXPECT_THAT(first(R"({"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})"),
              HasSubstr("trace=4bf92f3577b34da6a3ce929d0e0e4736 span=00f067aa0ba902b7 flags=1"));
  EXPECT_THAT(first(R"({"dd.trace_id":"10","dd.span_id":"11"})"),
              HasSubstr("trace=0000000000000000000000000000000a span=000000000000000b"));
  EXPECT_THAT(first(R"({"trace_id":"no hex"})"), HasSubstr("[trace_id=no hex]"));
  EXPECT_THAT(first(R"({"message":"m","event":"e"})"), HasSubstr("'m' event= "));
  EXPECT_THAT(first(R"({"message":"m","event":"e"})"), HasSubstr("[event=e]"));
}

TEST(JsonLines, WhatCannotBeReadIsKeptRaw) {
  IngestReport report;
  JsonLinesOptions options;
  options.service = "web";
  const auto lines =
      ParseJsonLines("{\"message\":\"a\"}\n * Running on http://x\n\n[1]\n{\"message\":\"b\"", options, &report);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[0], HasSubstr("log {service.name=web |  }"));
  EXPECT_THAT(lines[1], HasSubstr("'* Running on http://x'"));
  EXPECT_THAT(lines[1], HasSubstr("[parse_error=not JSON"));
  EXPECT_THAT(lines[2], HasSubstr("[parse_error=not a JSON object]"));
  EXPECT_EQ(report.accepted, 4u);
  EXPECT_EQ(report.kept_raw, 3u);
  EXPECT_EQ(report.errors[0].line, 2u);
  EXPECT_EQ(report.errors[2].line, 5u);
}

// A parser that has seen other lines reads a line as one that has not.
TEST(JsonLines, WhatCameBeforeDoesNotMatter) {
  const std::string fields[] = {R"("time":"2023-01-30T11:54:00Z")",
                                R"("ts":1675079640)",
                                R"("msg":"hello")",
                                R"("message":"there")",
                                R"("level":"warn")",
                                R"("severity":3)",
                                R"("service":"a")",
                                R"("service":"b")",
                                R"("pod":7)",
                                R"("req_id":"r1")",
                                R"("request_id":"r2")",
                                R"("trace_id":"0102030405060708090a0b0c0d0e0f10")",
                                R"("trace_id":"none")",
                                R"("n":1)",
                                R"("n":1.5)",
                                R"("n":null)",
                                R"("o":{"p":{"q":true},"r":[1,"\u00e4"]})",
                                R"("s":"\udc00")",
                                R"("":"no name")"};
  std::mt19937_64 random(6);
  JsonLinesOptions options;
  options.now = 1;
  options.stream_fields = {"request_id"};
  JsonLinesParser seasoned(options);
  for (int n = 0; n < 3000; ++n) {
    std::string line = "{";
    for (uint64_t i = 0; i < random() % 7; ++i) line += (i == 0 ? "" : ",") + fields[random() % std::size(fields)];
    line += "}";
    JsonLinesParser fresh(options);
    WriteBatch batches[2];
    IngestReport reports[2];
    seasoned.ParseLine(line, &batches[0], &reports[0]);
    seasoned.ForgetBatch();
    fresh.ParseLine(line, &batches[1], &reports[1]);
    ASSERT_EQ(BatchText(batches[0]), BatchText(batches[1])) << line;
  }
}

// What follows a line in its body, be it the rest of a text that was cut, is no part of it.
TEST(JsonLines, ABodyIsItsLines) {
  const std::string pieces[] = {
      "{\"message\":\"", "a",    "\"}", "\n",  "\n",       "\r\n", "{}",   "\\", "\\u00e9", "\\ud800",
      "\xc3\xa9",        "\xff", ":1",  "1e5", "{\"n\":2", ",",    "true", "]",  " ",       std::string(70, 'x')};
  std::mt19937_64 random(7);
  JsonLinesOptions options;
  options.now = kNow;
  for (int n = 0; n < 5000; ++n) {
    std::string body;
    for (uint64_t i = 0; i < random() % 40; ++i) body += pieces[random() % std::size(pieces)];
    JsonLinesParser whole(options), by_line(options);
    WriteBatch batches[2];
    IngestReport reports[2];
    whole.ParseBody(body, &batches[0], &reports[0]);
    for (size_t at = 0; at < body.size();) {
      const size_t end = std::min(body.find('\n', at), body.size());
      by_line.ParseLine(std::string(body, at, end - at), &batches[1], &reports[1]);
      at = end + 1;
    }
    ASSERT_EQ(BatchText(batches[0]), BatchText(batches[1])) << body;
    ASSERT_EQ(reports[0].kept_raw, reports[1].kept_raw) << body;
  }
}

TEST(JsonLines, FieldsNamedByTheCaller) {
  IngestReport report;
  JsonLinesOptions options;
  options.message_fields = {"text"};
  options.time_fields = {"when"};
  options.stream_fields = {"tenant"};
  EXPECT_THAT(ParseJsonLines(R"({"text":"x","message":"y","when":5,"tenant":"t"})", options, &report).at(0),
              HasSubstr("log {tenant=t |  } @5000000000 observed=1700000000000000000 0/ 'x' event="));
}

TEST(JsonLines, AByteOrderMarkIsPassedOver) {
  IngestReport report;
  EXPECT_THAT(ParseJsonLines("\xef\xbb\xbf{\"message\":\"x\"}", {}, &report).at(0), HasSubstr(" 'x' event="));
  EXPECT_EQ(report.kept_raw, 0u);
}

TEST(Times, Texts) {
  const auto time = [](std::string_view text) {
    Timestamp parsed = -1;
    return ParseTimeText(text, &parsed) ? parsed : -1;
  };
  EXPECT_EQ(time("1970-01-01T00:00:01Z"), 1'000'000'000);
  EXPECT_EQ(time("2023-01-30T11:58:52.797987762Z"), 1'675'079'932'797'987'762);
  EXPECT_EQ(time("2023-01-30T13:58:52+02:00"), 1'675'079'932'000'000'000);
  EXPECT_EQ(time("2023-01-30 05:58:52-0600"), 1'675'079'932'000'000'000);
  EXPECT_EQ(time("2024-02-29"), 1'709'164'800'000'000'000);
  EXPECT_EQ(time("2023-02-29"), -1);
  EXPECT_EQ(time("2023-13-01"), -1);
  EXPECT_EQ(time("2023-01-30T24:00:00Z"), -1);
  EXPECT_EQ(time("2023-01-30T11:58:52Zx"), -1);
  EXPECT_EQ(time("9999-01-01"), -1);
  // The ends of int64.
  EXPECT_EQ(time("1677-09-21T00:12:44Z"), -9'223'372'036'000'000'000);
  EXPECT_EQ(time("1677-09-21T00:12:43.145224193Z"), INT64_MIN + 1);
  EXPECT_EQ(time("1677-09-21T00:12:43.145224191Z"), -1);
  EXPECT_EQ(time("1969-12-31T23:59:59.75Z"), -250'000'000);
  EXPECT_EQ(time("2262-04-11T23:47:16Z"), 9'223'372'036'000'000'000);
  EXPECT_EQ(time("2262-04-11T23:47:16.854775807Z"), INT64_MAX);
  EXPECT_EQ(time("2262-04-11T23:47:16.854775808Z"), -1);
  EXPECT_EQ(time("0000-01-01"), -1);
}

TEST(Sniff, Formats) {
  EXPECT_EQ(SniffFormat("# HELP a b\n# TYPE a gauge\na{x=\"1\"} 2 3\n"), FileFormat::kPrometheusText);
  EXPECT_EQ(SniffFormat("# TYPE a counter\n# UNIT a s\na_total 2\n"), FileFormat::kOpenMetrics);
  EXPECT_EQ(SniffFormat("{\"resourceLogs\":[{\"resource\":"), FileFormat::kOtlpJson);
  EXPECT_EQ(SniffFormat("{\n  \"resourceSpans\": [\n"), FileFormat::kOtlpJson);
  EXPECT_EQ(SniffFormat("{\"message\":\"\\\"resourceLogs\\\"\"}\n"), FileFormat::kJsonLines);
  EXPECT_EQ(SniffFormat(" * Running\n{\"event\":\"a\"}\n"), FileFormat::kPlainText);
  EXPECT_EQ(SniffFormat("1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET\"\n"), FileFormat::kPlainText);
  EXPECT_EQ(SniffFormat(""), FileFormat::kPlainText);
}

absl::StatusOr<FileIngestResult> Ingest(const std::string& file, FileIngestOptions options, size_t step,
                                        std::vector<std::string>* lines, size_t* batches) {
  size_t at = 0;
  return FileIngest::Run(
      options,
      [&](char* buffer, size_t size) -> absl::StatusOr<size_t> {
        const size_t take = std::min({size, step, file.size() - at});
        file.copy(buffer, take, at);
        at += take;
        return take;
      },
      [&](const WriteBatch& batch) {
        for (std::string& line : BatchText(batch)) lines->push_back(std::move(line));
        ++*batches;
        return absl::OkStatus();
      },
      nullptr);
}

TEST(FileIngest, PiecesAndBatchesDoNotMatter) {
  std::string file;
  for (int i = 0; i < 3000; ++i) {
    file += "{\"message\":\"m" + std::to_string(i) + "\",\"ts\":" + std::to_string(1'600'000'000 + i) +
            ",\"service\":\"s" + std::to_string(i % 3) + "\"}\n";
  }
  file += "broken";
  FileIngestOptions options;
  options.now = kNow;
  std::vector<std::string> once, pieces;
  size_t batches = 0, many = 0;
  ASSERT_TRUE(Ingest(file, options, SIZE_MAX, &once, &batches).ok());
  EXPECT_EQ(batches, 1u);
  options.batch_bytes = 10'000;
  const auto result = Ingest(file, options, 777, &pieces, &many);
  ASSERT_TRUE(result.ok());
  EXPECT_GT(many, 5u);
  EXPECT_EQ(once.size(), 3001u);
  EXPECT_EQ(once, pieces);
  EXPECT_EQ(result->format, FileFormat::kJsonLines);
  EXPECT_EQ(result->counts.logs, 3001u);
  EXPECT_EQ(result->report.kept_raw, 1u);
  EXPECT_EQ(result->report.errors[0].line, 3001u);
}

TEST(FileIngest, SpreadDocumentOverlongLineAndErrorsOfTheSink) {
  FileIngestOptions options;
  options.now = kNow;
  std::vector<std::string> lines;
  size_t batches = 0;
  auto result =
      Ingest("{\n \"resourceLogs\": [ {\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"x\"}}]}]}\n]\n}\n",
             options, 10, &lines, &batches);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->counts.logs, 1u);

  lines.clear();
  const std::string overlong = "a 1\n" + std::string(kLineBytesMax + 10, 'x') + "\nb 2\n";
  result = Ingest(overlong, options, 100'000, &lines, &batches);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->counts.samples, 2u);
  EXPECT_EQ(result->report.rejected, 1u);
  EXPECT_EQ(result->report.errors[0].line, 2u);
}

TEST(FileIngest, ABinaryFileIsNotTakenForText) {
  const auto run = [](const std::string& text, FileIngestOptions options) {
    bool done = false;
    options.now = 7;
    const auto read = [&](char* buffer, size_t) -> absl::StatusOr<size_t> {
      if (std::exchange(done, true)) return 0;
      return text.copy(buffer, text.size());
    };
    return FileIngest::Run(
        options, read, [](const WriteBatch&) { return absl::OkStatus(); }, nullptr);
  };
  const std::string binary(
      "\x7f"
      "ELF\2\1\1\0\0\0 some text\n",
      21);
  EXPECT_EQ(run(binary, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  FileIngestOptions as_text;
  as_text.detect = false;
  EXPECT_EQ(run(binary, as_text)->counts.logs, 1u);
}

TEST(FileIngest, RecordsWithoutATimeAreCounted) {
  for (const auto& [text, records, untimed] : std::vector<std::tuple<std::string, uint64_t, uint64_t>>{
           {"{\"msg\":\"a\"}\n{\"msg\":\"b\",\"time\":\"2026-01-01T00:00:00Z\"}\n", 2, 1},
           {"a_total 1\nb 2 1700000000000\n", 2, 1},
           {"no time\n2026-01-01T00:00:00Z one\nas the line before it\n", 3, 1},
           {"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{},{\"timeUnixNano\":\"5\"},{\"observedTimeUnixNano\":"
            "\"6\"}]}]}]}\n",
            3, 1}}) {
    bool done = false;
    FileIngestOptions options;
    options.now = 7;
    const auto result = FileIngest::Run(
        options,
        [&, &body = text](char* buffer, size_t) -> absl::StatusOr<size_t> {
          if (std::exchange(done, true)) return 0;
          return body.copy(buffer, body.size());
        },
        [](const WriteBatch&) { return absl::OkStatus(); }, nullptr);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->counts.logs + result->counts.samples, records) << text;
    EXPECT_EQ(result->report.untimed, untimed) << text;
  }
}

}  // namespace
}  // namespace braid::ingest
