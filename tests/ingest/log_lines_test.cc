// Lines of programs as log records: forms, stack traces, levels, times, ids.
#include "server/ingest/log_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "server/ingest/plain_line.h"
#include "server/ingest/terminal_codes.h"
#include "tests/ingest/batch_text.h"

namespace braid::ingest {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr Timestamp kNow = 1'700'000'000'000'000'000;  // 2023-11-14T22:13:20Z

std::vector<std::string> Records(const std::string& text, LogLinesOptions options = {}) {
  LogLinesParser parser(std::move(options));
  WriteBatch batch;
  BatchLogSink sink;
  sink.set_batch(&batch);
  IngestReport report;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) parser.ParseLine(line, kNow, &sink, &report);
  parser.Finish(&sink, &report);
  EXPECT_EQ(report.accepted, batch.counts().logs);
  return BatchText(batch);
}

std::string Record(const std::string& line, LogLinesOptions options = {}) {
  const auto records = Records(line, std::move(options));
  EXPECT_EQ(records.size(), 1u) << line;
  return records.empty() ? "" : records[0];
}

TEST(LogLines, EachLineByItsOwnForm) {
  LogLinesOptions options;
  options.service = "web";
  options.source = {{"service.instance.id", "i1"}};
  options.attributes = {{"log.iostream", "stderr"}};
  const auto records = Records(
      " * Running on http://127.0.0.1:5000\n"
      "{\"event\":\"hi\",\"level\":\"info\",\"request_id\":\"r-1\",\"n\":2,\"service\":\"own\"}\n"
      "\n"
      "level=warn msg=\"slow query\" took=1.5 rows=7 ok=true code=007 requestId=42\n"
      "127.0.0.1 - - [14/Nov/2023 22:13:19] \"GET /a?request_id=r-2 HTTP/1.1\" 404 -\n",
      options);
  ASSERT_THAT(records, SizeIs(4));
  const std::string at_now = " @1700000000000000000 observed=1700000000000000000 ";
  EXPECT_EQ(records[0], "log {service.instance.id=i1 service.name=web |  }" + at_now +
                            "0/ ' * Running on http://127.0.0.1:5000' event= trace=" + std::string(32, '0') +
                            " span=" + std::string(16, '0') + " flags=0 dropped=0 [log.iostream=stderr]");
  EXPECT_THAT(records[1], AllOf(StartsWith("log {service=own service.instance.id=i1 |  }" + at_now + "9/info 'hi'"),
                                EndsWith("[request_id=r-1 n=int:2 log.iostream=stderr]")));
  EXPECT_THAT(records[2],
              AllOf(HasSubstr("13/warn 'slow query'"),
                    EndsWith("[took=double:1.5 rows=int:7 ok=bool:true code=007 request_id=42 log.iostream=stderr]")));
  EXPECT_THAT(records[3],
              AllOf(HasSubstr("@1699999999000000000 observed=1700000000000000000 13/ '127.0.0.1 - - ["),
                    EndsWith("[request_id=r-2 log.iostream=stderr client.address=127.0.0.1 http.request.method=GET "
                             "url.path=/a url.query=request_id=r-2 network.protocol.version=1.1 "
                             "http.response.status_code=int:404]")));
}

TEST(LogLines, AccessLines) {
  EXPECT_THAT(
      Record(R"(1.2.3.4 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 500 2326 "http://r/" )"
             R"("Mozilla/4.08 [en]")"),
      AllOf(HasSubstr("@971211336000000000 observed"), HasSubstr(" 17/ '"),
            EndsWith("[client.address=1.2.3.4 user.name=frank http.request.method=GET url.path=/apache_pb.gif "
                     "network.protocol.version=1.0 http.response.status_code=int:500 "
                     "http.response.body.size=int:2326 http.request.header.referer=http://r/ "
                     "user_agent.original=Mozilla/4.08 [en]]")));
  EXPECT_THAT(Record(R"(INFO:     [::1]:52134 - "POST /x HTTP/1.1" 201 Created)"),
              AllOf(HasSubstr(" 9/ '"), HasSubstr("client.address=[::1]:52134 http.request.method=POST url.path=/x")));
  // Werkzeug colours lines inside; its line may be the message of another logger.
  EXPECT_THAT(Record("127.0.0.1 - - [14/Nov/2023 22:13:19] \"\x1b[35m\x1b[1mGET / HTTP/1.1\x1b[0m\" 500 -"),
              AllOf(HasSubstr("'127.0.0.1 - - [14/Nov/2023 22:13:19] \"GET / HTTP/1.1\" 500 -'"), HasSubstr(" 17/ ")));
  EXPECT_THAT(
      Record(R"({"event":"127.0.0.1 - - [1/1/1] \"\u001b[33mGET /a HTTP/1.1\u001b[0m\" 404 -","level":"info"})"),
      AllOf(HasSubstr("9/info"), HasSubstr("url.path=/a"), HasSubstr("status_code=int:404"), Not(HasSubstr("\x1b"))));
  for (const char* other : {R"(said "GET / HTTP/1.1" 200)", R"(1.2.3.4 - - "GET / HTTP/1.1" 200)",
                            R"(1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 20)",
                            R"(1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0)"}) {
    EXPECT_THAT(Record(other), Not(HasSubstr("url.path"))) << other;
  }
}

TEST(LogLines, StackTraceBelongsToTheErrorBeforeIt) {
  const std::string trace =
      "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nKeyError: 'k'\n\n"
      "During handling of the above exception, another exception occurred:\n\n"
      "Traceback (most recent call last):\n  File \"a.py\", line 3\nshop.OutOfStock: item 7\n";
  auto records = Records("{\"event\":\"failed\",\"level\":\"error\",\"request_id\":\"r\"}\n" + trace + "next\n");
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_THAT(
      records[0],
      AllOf(HasSubstr("17/error 'failed'"), HasSubstr("request_id=r exception.stacktrace=Traceback"),
            HasSubstr("line 3\nshop.OutOfStock: item 7 exception.type=shop.OutOfStock exception.message=item 7]")));
  EXPECT_THAT(records[1], HasSubstr("'next'"));
  // A plain record's text goes on.
  records = Records("[2023-11-14 22:00:00,250] ERROR in app: Exception on / [GET]\n" + trace);
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_THAT(records[0],
              AllOf(HasSubstr("@1699999200250000000 "), HasSubstr("17/ '[2023-11-14 22:00:00,250] ERROR in app"),
                    HasSubstr("[GET]\nTraceback (most"), HasSubstr("item 7' event="),
                    HasSubstr("exception.type=shop.OutOfStock"), Not(HasSubstr("exception.stacktrace"))));
  // A record that is no error has nothing to do with it, nor has an access line.
  for (const char* before : {"{\"event\":\"fine\",\"level\":\"info\"}", "INFO fine",
                             "1.2.3.4 - - [14/Nov/2023 22:13:19] \"GET / HTTP/1.1\" 500 -", "level=debug msg=fine"}) {
    records = Records(std::string(before) + "\n" + trace);
    ASSERT_THAT(records, SizeIs(2)) << before;
    EXPECT_THAT(records[1], AllOf(HasSubstr("17/ 'Traceback"), HasSubstr("exception.type=shop.OutOfStock")));
  }
  EXPECT_THAT(Records("a plain word\n" + trace), SizeIs(1));
}

TEST(LogLines, StackTracesOfOtherLanguages) {
  auto records = Records(
      "2023-11-14 22:00:00.000 ERROR 1 --- [main] c.e.App : no luck\n"
      "java.lang.IllegalStateException: top\n\tat c.e.App.main(App.java:7)\n\t... 3 more\n"
      "Caused by: java.io.IOException: disk\n\tat c.e.Disk.read(Disk.java:1)\n"
      "2023-11-14 22:00:01.000  INFO 1 --- [main] c.e.App : on\n"
      "Exception in thread \"main\" java.lang.Error: end\n\tat x.Y.z(Y.java:1)\n");
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_THAT(records[0], AllOf(HasSubstr("17/ '2023"), HasSubstr("Disk.java:1)' event="),
                                HasSubstr("[exception.type=java.lang.IllegalStateException exception.message=top]")));
  EXPECT_THAT(records[1], HasSubstr("9/ '"));
  EXPECT_THAT(records[2], AllOf(HasSubstr("17/ 'Exception in"), HasSubstr("exception.type=java.lang.Error")));

  records = Records(
      "{\"msg\":\"serving\",\"level\":\"info\"}\n"
      "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.main()\n"
      "\t/src/main.go:8 +0x1d\ncreated by main.start in goroutine 7\n\t/src/main.go:3 +0x2\nexit status 2\n"
      "listening again\n");
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_THAT(records[1],
              AllOf(HasSubstr("21/ 'panic: runtime"), HasSubstr("\n\ngoroutine 1 [running]:\nmain.main()"),
                    HasSubstr("exit status 2' event="), HasSubstr("[exception.type=panic exception.message=")));

  records = Records(
      "/app/x.js:3\nTypeError: Cannot read properties of undefined\n    at Object.<anonymous> (/app/x.js:3:7)\n"
      "    at node:internal/main:1\nthread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\n"
      "note: run with `RUST_BACKTRACE=1`\n");
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_THAT(records[0], HasSubstr("exception.type=TypeError exception.message=Cannot read properties"));
  EXPECT_THAT(records[1], AllOf(HasSubstr("RUST_BACKTRACE=1`' event="), HasSubstr("exception.message=index out of")));
}

TEST(LogLines, IndentedLinesJoinPlainOnesOnly) {
  EXPECT_THAT(Records("SELECT *\n  FROM t\n\tWHERE x\n * Debug mode: off\n"), SizeIs(2));
  EXPECT_THAT(Records("{\"msg\":\"a\"}\n  a table\n  of two\n"), SizeIs(2));
  // A line that never ends its record does not make it grow for ever.
  std::string many = "start\n";
  for (int i = 0; i < 300; ++i) many += "  " + std::string(10'000, 'x') + "\n";
  EXPECT_THAT(Records(many), SizeIs(3));
}

TEST(LogLines, TimesOfLinesWithoutOne) {
  const std::string text = "2023-01-30 11:58:52,797 INFO a\nb\n{\"msg\":\"c\"}\n";
  LogLinesOptions file;
  file.live = false;
  auto records = Records(text, file);
  ASSERT_THAT(records, SizeIs(3));
  for (const std::string& record : records) EXPECT_THAT(record, HasSubstr("@1675079932797000000 "));
  records = Records(text);
  EXPECT_THAT(records[1], HasSubstr("@1700000000000000000 "));
  EXPECT_THAT(records[2], HasSubstr("@1700000000000000000 "));
}

TEST(LogLines, LocalTimesOfALiveProgram) {
  LogLinesOptions options;
  options.zone_offset = 2 * 3600 * kSecond;
  EXPECT_THAT(Record("2023-11-15 00:13:19,500 WARNING x", options), HasSubstr("@1699999999500000000 "));
  EXPECT_THAT(Record("{\"msg\":\"x\",\"ts\":\"2023-11-15T00:13:19\"}", options), HasSubstr("@1699999999000000000 "));
  // UTC stays what it is, and so does a time of another day.
  EXPECT_THAT(Record("2023-11-14T22:13:19Z x", options), HasSubstr("@1699999999000000000 "));
  EXPECT_THAT(Record("2023-11-14 00:13:19 x", options), HasSubstr("@1699920799000000000 "));
}

TEST(LogLines, WholeSecondsOfALiveProgramStayInOrder) {
  LogLinesParser parser(LogLinesOptions{});
  WriteBatch batch;
  BatchLogSink sink;
  sink.set_batch(&batch);
  IngestReport report;
  const Timestamp now = kNow + 700 * kMillisecond;
  parser.ParseLine("1.2.3.4 - - [14/Nov/2023 22:13:20] \"GET / HTTP/1.1\" 200 -", now, &sink, &report);
  parser.ParseLine("2023-11-14T22:13:20.000000001Z a", now, &sink, &report);
  parser.ParseLine("2023-11-14T22:13:19Z b", now, &sink, &report);
  parser.ParseLine("2023-11-14T22:13:21Z c", now, &sink, &report);
  parser.Finish(&sink, &report);
  const auto records = BatchText(batch);
  ASSERT_THAT(records, SizeIs(4));
  EXPECT_THAT(records[0], HasSubstr("@1700000000700000000 "));
  EXPECT_THAT(records[1], HasSubstr("@1700000000000000001 "));
  EXPECT_THAT(records[2], HasSubstr("@1699999999000000000 "));
  EXPECT_THAT(records[3], HasSubstr("@1700000001000000000 "));
}

TEST(LogLines, IdsInFreeText) {
  EXPECT_THAT(
      Record("2023-11-14 22:00:00,000 INFO [app] [trace_id=4bf92f3577b34da6a3ce929d0e0e4736 "
             "span_id=00f067aa0ba902b7 resource.service.name=x] - done (request_id='q-7')"),
      AllOf(HasSubstr("trace=4bf92f3577b34da6a3ce929d0e0e4736 span=00f067aa0ba902b7"), EndsWith("[request_id=q-7]")));
}

TEST(LogLines, NumberedRecordsAndBadText) {
  LogLinesOptions options;
  options.last_number = std::make_shared<uint64_t>();
  const auto records = Records("a\nb\xff\n{\"x\":1\n{'user': 1}\n", options);
  ASSERT_THAT(records, SizeIs(4));
  EXPECT_THAT(records[0], EndsWith("[log.record.number=int:1]"));
  EXPECT_THAT(records[1], AllOf(HasSubstr("'b\xef\xbf\xbd'"), EndsWith("[log.record.number=int:2]")));
  EXPECT_THAT(records[2], HasSubstr("'{\"x\":1'"));
  EXPECT_THAT(records[3], HasSubstr("'{'user': 1}'"));
}

TEST(PlainLine, TimesAndLevels) {
  const auto time = [](std::string_view line, Timestamp now = kNow) {
    Timestamp found = 0;
    return FindLineTime(line, now, &found) ? found : -1;
  };
  EXPECT_EQ(time("Nov 14 22:13:20 host sshd[1]: x"), kNow);
  EXPECT_EQ(time("Dec 31 23:59:59 host x", 1'704'067'205 * kSecond), 1'704'067'199 * kSecond);  // read on 1 January
  EXPECT_EQ(time("E1114 22:13:20.250000    7 a.go:12] x"), kNow + 250 * kMillisecond);
  EXPECT_EQ(time("2023/11/14 22:13:20 x"), kNow);
  EXPECT_EQ(time("Nov 14 2023"), -1);
  EXPECT_EQ(time("Nothing 1 22:13:20"), -1);
  EXPECT_EQ(FindLineLevel("E1114 22:13:20.250000    7 a.go:12] x"), Level::kError);
  EXPECT_EQ(FindLineLevel("error: no such file"), Level::kError);
  EXPECT_EQ(FindLineLevel("Warning: deprecated"), Level::kWarn);
  EXPECT_EQ(FindLineLevel("INFO:root:x"), Level::kInfo);
  EXPECT_EQ(FindLineLevel("an error: in a sentence"), Level::kUnset);
  EXPECT_EQ(FindLineLevel("2023/11/14 22:13:20 [error] 1#1: x"), Level::kError);
}

TEST(TerminalCodes, AreTakenOff) {
  EXPECT_EQ(StripTerminalCodes("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x1b]0;t\a."),
            "red link .");
  EXPECT_EQ(StripTerminalCodes("a\x1b"), "a");
  EXPECT_EQ(StripTerminalCodes("\x1b[31"), "");
  EXPECT_EQ(StripTerminalCodes("\x1b]0;never ends"), "]0;never ends");
}

}  // namespace
}  // namespace braid::ingest
