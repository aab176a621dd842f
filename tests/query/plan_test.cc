// What the cases cannot show: plans, reports, limits, cancelling, forms of answers, and filters against a naive model.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <limits>
#include <random>

#include "braid/db.h"
#include "query/plan/query_range.h"
#include "query/plan/result_writer.h"
#include "query/rows/cells.h"
#include "tests/support/case_runner.h"

namespace braid {
namespace {

std::unique_ptr<DB> OpenMemory() {
  Options options;
  options.durability = Durability::kMemory;
  options.background_work = false;
  auto db = DB::Open(options, "");
  EXPECT_TRUE(db.ok()) << db.status();
  return db.ok() ? *std::move(db) : nullptr;
}

std::unique_ptr<DB> Load(const std::string& text) {
  auto db = OpenMemory();
  WriteBatch batch;
  EXPECT_EQ(ParseLoads(text, &batch), "");
  EXPECT_TRUE(db->Write(batch).ok());
  return db;
}

QueryOptions Hour() {
  QueryOptions options;
  options.start = 0;
  options.end = options.now = 3600 * kSecond;
  options.step = 60 * kSecond;
  return options;
}

absl::StatusOr<std::unique_ptr<ResultReader>> Execute(const DB& db, const std::string& text,
                                                      const QueryOptions& options) {
  auto query = Query::Parse(text);
  if (!query.ok()) return query.status();
  return query->Execute(db.GetSnapshot(), options);
}

constexpr const char* kRecords = R"(load_logs
  10s api error "time out, \"sir\"" trace=a1 big=9007199254740993 flag=true
  20s web info "ok" ratio=0.1

load_spans
  10s +1s api server error "GET" trace=a1 span=b1
  20s +1s web server ok "GET" trace=a2 span=b2
)";

TEST(Plan, DefaultSteps) {
  EXPECT_EQ(DefaultStep(0), kMillisecond);
  EXPECT_EQ(DefaultStep(3600 * kSecond), 15 * kSecond);        // 14.4 s
  EXPECT_EQ(DefaultStep(10 * kSecond), 50 * kMillisecond);     // 40 ms
  EXPECT_EQ(DefaultStep(24 * 3600 * kSecond), 600 * kSecond);  // 345.6 s
  EXPECT_EQ(DefaultStep(int64_t{600} * 86400 * kSecond), 3 * 86400 * kSecond);
}

TEST(Plan, ExplainTellsWhatIsPushedAndWhichSideComesFirst) {
  const auto db = Load(kRecords);
  const auto query = Query::Parse(
      "let errs = logs{level >= error} |= \"time\"; spans{status = error} | where trace_id in errs | stats n = count() "
      "by (name)");
  ASSERT_TRUE(query.ok());
  const auto plan = query->Explain(db->GetSnapshot(), Hour());
  ASSERT_TRUE(plan.ok()) << plan.status();
  for (const char* part : {"pushed status == error", "pushed level >= error", "pushed |= \"time\"", "trace_id in errs",
                           "estimated", "stats n = count() by (name)"}) {
    EXPECT_NE(plan->find(part), std::string::npos) << part << "\n" << *plan;
  }
  const auto analyzed = Execute(*db, "explain analyze " + query->text(), Hour());
  ASSERT_TRUE(analyzed.ok()) << analyzed.status();
  RecordBatch batch;
  while (*(*analyzed)->Next(&batch)) {
  }
  const std::string& text = (*analyzed)->summary().explain;
  EXPECT_NE(text.find("trace_id in errs (1 ids)"), std::string::npos) << text;
  EXPECT_NE(text.find("rows 1"), std::string::npos) << text;
}

TEST(Plan, ExplainClaimsOnlyWhatItKnows) {
  const auto db = Load(kRecords);
  const auto logs = Query::Parse("logs | keep message")->Explain(db->GetSnapshot(), Hour());
  ASSERT_TRUE(logs.ok());
  EXPECT_NE(logs->find("parts 1/1"), std::string::npos) << *logs;
  EXPECT_NE(logs->find("estimated read"), std::string::npos) << *logs;
  const auto vector = Query::Parse("up")->Explain(db->GetSnapshot(), Hour());
  ASSERT_TRUE(vector.ok());
  EXPECT_EQ(vector->find("estimated"), std::string::npos) << *vector;
}

TEST(Plan, HintsForWordsOfOtherLanguages) {
  for (const auto& [text, hint] : {std::pair("spans | stats p95(duration)", "write quantile(0.95, duration)"),
                                   std::pair("logs | where message contains \"x\"", "write contains(message, \"x\")"),
                                   std::pair("logs | stats count by (service)", "write count()")}) {
    const auto query = Query::Parse(text);
    const auto error = ErrorOf(query.status());
    ASSERT_TRUE(error) << text;
    EXPECT_EQ(error->hint, hint);
  }
}

TEST(Plan, StagesReportRows) {
  const auto db = Load(kRecords);
  const auto reader = Execute(*db, "logs | where level = error | keep message", Hour());
  ASSERT_TRUE(reader.ok());
  RecordBatch batch;
  while (*(*reader)->Next(&batch)) {
  }
  const auto& stages = (*reader)->summary().stages;
  ASSERT_EQ(stages.size(), 3U);
  EXPECT_EQ(stages[1].rows_out, 1U);
  EXPECT_EQ(stages[2].rows_in, 1U);
  EXPECT_EQ(stages[2].rows_out, 1U);
}

// Whole traces are read in two scans, and vector expressions before anyone asks for rows.
TEST(Plan, SourcesReportWhatTheyReadAndHowLong) {
  const auto db = Load(kRecords);
  const auto source = [&](const std::string& text, std::string* explain) {
    const auto reader = Execute(*db, "explain analyze " + text, Hour());
    EXPECT_TRUE(reader.ok()) << text << reader.status();
    RecordBatch batch;
    while (*(*reader)->Next(&batch)) {
    }
    *explain = (*reader)->summary().explain;
    return (*reader)->summary().stages.at(0);
  };
  std::string explain;
  const uint64_t spans = source("spans | stats sum(duration)", &explain).rows_in;
  EXPECT_GT(spans, 0U);
  EXPECT_EQ(source("spans | stats sum(self_time)", &explain).rows_in, spans);
  EXPECT_NE(explain.find("parts 1/1"), std::string::npos) << explain;
  EXPECT_GT(source("sum(up) | stats max(value)", &explain).time, 0);
}

// Log records in an order of their own, two per instant, every thousandth an error.
std::unique_ptr<DB> LoadMany(int records, const std::string& folder) {
  Options options;
  options.durability = Durability::kBuffered;
  options.background_work = false;
  auto opened = DB::Open(options, folder);
  EXPECT_TRUE(opened.ok()) << opened.status();
  if (!opened.ok()) return nullptr;
  std::unique_ptr<DB> db = *std::move(opened);
  std::mt19937_64 random(7);
  std::vector<int> numbers(static_cast<size_t>(records));
  for (int i = 0; i < records; ++i) numbers[static_cast<size_t>(i)] = i;
  std::shuffle(numbers.begin(), numbers.end(), random);
  std::string text = "load_logs\n";
  for (const int number : numbers) {
    text += "  " + std::to_string(number / 2 * 10) + "ms " + (number % 2 == 0 ? "a" : "b") +
            (number % 1000 == 999 ? " error" : " info") + " \"m" + std::to_string(number) + "\"\n";
  }
  WriteBatch batch;
  EXPECT_EQ(ParseLoads(text, &batch), "");
  EXPECT_TRUE(db->Write(batch).ok());
  EXPECT_TRUE(db->Flush().ok());
  return db;
}

TEST(Plan, FirstAndLastRowsReadOnlySlicesOfTheRange) {
  constexpr int kRecords = 100'000;
  const std::string folder = testing::TempDir() + "braid_slices_" + std::to_string(getpid());
  auto db = LoadMany(kRecords, folder);
  ASSERT_NE(db, nullptr);
  struct Case {
    std::string text;
    std::vector<int> times;  // in steps of 10 ms
    uint64_t rows_read_max;
  };
  const Case cases[] = {
      {"logs | limit 5", {0, 0, 1, 1, 2}, kRecords / 2},
      {"logs | tail 3", {49'998, 49'999, 49'999}, kRecords / 2},
      {"logs | limit 0", {}, kRecords / 2},
      {"logs{level = error} | keep time | limit 2", {499, 999}, kRecords / 2},
      {"logs | where message = \"m99999\" or message = \"m7\" | limit 9", {3, 49'999}, 2 * kRecords},
      {"logs{service = \"b\"} | where time >= start() + 250s | extend x = 1 | limit 2", {25'000, 25'001}, kRecords / 2},
      {"logs | where message =~ \"m900.0\" | tail 2", {45'040, 45'045}, 2 * kRecords},
  };
  for (const Case& one : cases) {
    for (const bool use_indexes : {true, false}) {
      SCOPED_TRACE(one.text + (use_indexes ? "" : " without indexes"));
      QueryOptions options = Hour();
      options.use_indexes = use_indexes;
      auto reader = Execute(*db, one.text, options);
      ASSERT_TRUE(reader.ok()) << reader.status();
      std::vector<int> times;
      RecordBatch batch;
      while (*(*reader)->Next(&batch)) {
        for (size_t row = 0; row < batch.num_rows; ++row) {
          times.push_back(static_cast<int>(batch.columns[0].ints[row] / (10 * kMillisecond)));
        }
      }
      EXPECT_EQ(times, one.times);
      const uint64_t read = (*reader)->summary().stages[0].rows_in;
      if (use_indexes) {
        EXPECT_LE(read, one.rows_read_max);
      }
    }
  }
  db.reset();
  std::filesystem::remove_all(folder);
}

TEST(Plan, LimitsAreQueryErrors) {
  const auto db = Load(kRecords);
  QueryOptions options = Hour();
  options.limits.groups_max = 1;
  auto reader = Execute(*db, "logs | stats count() by (service)", options);
  absl::Status status = reader.status();
  if (reader.ok()) AsCaseTable(reader->get(), &status);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  const auto error = ErrorOf(status);
  ASSERT_TRUE(error) << status;
  EXPECT_EQ(error->code, "E085");
  EXPECT_NE(error->hint, "");
}

TEST(Plan, TimesOfOverAsNumbers) {
  const auto db = Load(kRecords);
  for (const Value& from : {Value(int64_t{15}), Value(15.5), Value(std::string("15")), Value(std::string("-59m45s"))}) {
    QueryOptions options = Hour();
    options.params["a"] = from;
    auto reader = Execute(*db, "over $a..now; logs | keep time", options);
    ASSERT_TRUE(reader.ok()) << reader.status();
    absl::Status status;
    EXPECT_EQ(AsCaseTable(reader->get(), &status), (std::vector<std::string>{"time", "20s"}));
  }
  for (const int64_t from : {int64_t{1'700'000'000}, int64_t{1'700'000'000'000}, int64_t{1'700'000'000'000'000},
                             int64_t{1'700'000'000'000'000'000}}) {
    QueryOptions options;
    options.now = 0;
    options.params["a"] = from;
    auto reader = Execute(*db, "over $a..$a; logs | keep time, s = start()", options);
    ASSERT_TRUE(reader.ok()) << reader.status();
    absl::Status status;
    AsCaseTable(reader->get(), &status);
    ASSERT_FALSE((*reader)->summary().notes.empty());
    EXPECT_NE((*reader)->summary().notes[0].text.find("2023-11-14T22:13:20Z..2023-11-14T22:13:20Z"), std::string::npos)
        << (*reader)->summary().notes[0].text;
  }
}

TEST(Plan, LimitsAndCancelling) {
  const auto db = Load(kRecords);
  QueryOptions options = Hour();
  options.limits.memory_bytes_max = 16;
  auto reader = Execute(*db, "logs", options);
  absl::Status status = reader.status();
  if (reader.ok()) AsCaseTable(reader->get(), &status);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_NE(status.message().find("E081"), absl::string_view::npos);

  options = Hour();
  options.cancel = std::make_shared<std::atomic<bool>>(true);
  reader = Execute(*db, "logs | stats count()", options);
  status = reader.status();
  if (reader.ok()) AsCaseTable(reader->get(), &status);
  EXPECT_TRUE(absl::IsCancelled(status)) << status;

  options = Hour();
  options.limits.time_max = 1;
  reader = Execute(*db, "logs | stats count()", options);
  status = reader.status();
  if (reader.ok()) AsCaseTable(reader->get(), &status);
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
}

// Such a name is null in every row, and two of them are equal: an answer, and still not what was meant.
TEST(Plan, ComparingWithAnUnknownNameIsNoted) {
  const auto db = Load(kRecords);
  const auto hints = [&](const std::string& text) {
    auto reader = Execute(*db, text, Hour());
    EXPECT_TRUE(reader.ok()) << text << reader.status();
    absl::Status status;
    if (reader.ok()) AsCaseTable(reader->get(), &status);
    std::string all;
    for (const Note& note : (*reader)->summary().notes) {
      if (note.kind == "hint") all += note.text + "\n";
    }
    return all;
  };
  for (const char* text : {"spans{statuss = error}", "logs{foo = bar}", "logs | where not (foo != bar) | limit 1"}) {
    EXPECT_NE(hints(text).find("no row has a column"), std::string::npos) << text;
  }
  for (const char* text : {"logs{service = checkout}", "logs | where service = checkout",
                           "logs{lower(service) = checkout}", "logs{service != checkout}"}) {
    EXPECT_EQ(hints(text), "no row has a column 'checkout', so it is null; quote a text: \"checkout\"\n") << text;
  }
  for (const char* text : {"logs | keep time, mesage", "logs | stats distinct(mesage)", "logs | top 3 by mesage",
                           "logs | stats count() by (mesage)", "logs | sort mesage"}) {
    EXPECT_EQ(hints(text), "no row of `logs` has a column 'mesage', did you mean `message`?\n") << text;
  }
  for (const char* text :
       {"spans{status = error}", "logs | extend mesage = 1 | keep mesage", "logs | json | keep foo",
        "spans | keep self_time, root.name", "let s = spans; logs | join s as o on (trace_id) | keep o.name, message",
        "logs | stats foo = count() by (service) | sort foo", "logs{level = error}", "logs{service = null}",
        "logs{foo = \"bar\"}", "logs{big = ratio}", "logs | extend foo = 1, bar = 1 | where foo = bar",
        "logs | json | where foo = bar", "logs | extend foo = 1 | where big = foo"}) {
    EXPECT_EQ(hints(text), "") << text;
  }
}

TEST(ResultWriter, FormsOfValues) {
  const auto db = Load(kRecords);
  const std::string text =
      "logs | keep time, level, message, trace_id, big, flag, ratio, gap = time - start(), nan = ratio * 0 / 0";
  auto reader = Execute(*db, text, Hour());
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto json = ToJson(reader->get());
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->substr(0, json->find(",\"columns\"")),
            R"({"kind":"events","rows":[["1970-01-01T00:00:10Z","error","time out, \"sir\"",)"
            R"("000000000000000000000000000000a1",9007199254740993,true,null,10000000000,null],)"
            R"(["1970-01-01T00:00:20Z","info","ok",null,null,null,0.1,20000000000,"NaN"]])");
  EXPECT_NE(json->find(R"({"name":"gap","type":"duration"})"), std::string::npos);
  EXPECT_NE(json->find(R"("truncated":false)"), std::string::npos);
  reader = Execute(*db, text, Hour());
  EXPECT_EQ(*ToNdjson(reader->get()),
            "{\"time\":\"1970-01-01T00:00:10Z\",\"level\":\"error\",\"message\":\"time out, \\\"sir\\\"\","
            "\"trace_id\":\"000000000000000000000000000000a1\",\"big\":9007199254740993,\"flag\":true,"
            "\"gap\":10000000000}\n"
            "{\"time\":\"1970-01-01T00:00:20Z\",\"level\":\"info\",\"message\":\"ok\",\"ratio\":0.1,"
            "\"gap\":20000000000,\"nan\":\"NaN\"}\n");
  reader = Execute(*db, "logs | keep message, flag", Hour());
  EXPECT_EQ(*ToCsv(reader->get()), "message,flag\n\"time out, \"\"sir\"\"\",true\nok,\n");
  std::string quoted;
  AppendJsonString("a\x01\xff\xc3\xa9\n", &quoted);
  EXPECT_EQ(quoted, "\"a\\u0001\xef\xbf\xbd\xc3\xa9\\n\"");
}

// Random logs and random conjunctions: the answer is that of a loop over the records, whatever the state of the store.
TEST(Plan, FiltersAgreeWithANaiveModel) {
  struct Record {
    int64_t seconds;
    std::string service;
    int level;
    std::string message;
    int code;  // -1: none
  };
  std::mt19937 random(7);
  const auto roll = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::vector<Record> records;
  WriteBatch batch;
  static constexpr const char* kServices[] = {"a", "b", "c"};
  static constexpr const char* kMessages[] = {"alpha beta", "beta gamma", "gamma delta", "delta"};
  for (int i = 0; i < 400; ++i) {
    Record record{roll(3000), kServices[roll(3)], 1 + roll(6), kMessages[roll(4)], roll(4) - 1};
    records.push_back(record);
    Stream stream;
    stream.resource = {{"service.name", record.service}};
    LogRecord log;
    log.time = record.seconds * kSecond;
    log.severity_number = SeverityOfLevel(static_cast<Level>(record.level));
    log.message = record.message;
    std::vector<AttributeView> attributes;
    if (record.code >= 0) attributes.push_back({"code", ValueView(int64_t{record.code})});
    log.attributes = attributes;
    batch.AddLog(batch.AddStream(stream), log);
  }
  const auto db = OpenMemory();
  ASSERT_TRUE(db->Write(batch).ok());
  static constexpr const char* kLevels[] = {"unset", "trace", "debug", "info", "warn", "error", "fatal"};
  for (int round = 0; round < 200; ++round) {
    const std::string service = kServices[roll(3)];
    const int level = 1 + roll(6);
    const int code = roll(3);
    const int from = roll(3000);
    const int to = from + roll(1000);
    const int shape = roll(5);
    std::string text = "logs";
    if (shape == 0) text += "{service = \"" + service + "\", level >= " + kLevels[level] + "}";
    if (shape == 1) text += " |= \"beta\" | where code = " + std::to_string(code);
    if (shape == 2) text += " | where code != " + std::to_string(code) + " and service in (\"a\", \"" + service + "\")";
    if (shape == 3) text += " | where service =~ \"a|" + service + "\" or level = " + kLevels[level];
    if (shape == 4)
      text += " | extend s = service | where s = \"" + service + "\" and not (code > " + std::to_string(code) + ")";
    text += " | where time >= start() and time < end() | stats n = count(), s = sum(code)";
    int64_t count = 0;
    int64_t sum = 0;
    bool any = false;
    for (const Record& record : records) {
      if (record.seconds < from || record.seconds >= to) continue;
      bool passes = false;
      if (shape == 0) passes = record.service == service && record.level >= level;
      if (shape == 1) passes = record.message.find("beta") != std::string::npos && record.code == code;
      if (shape == 2) passes = record.code != code && (record.service == "a" || record.service == service);
      if (shape == 3) passes = record.service == "a" || record.service == service || record.level == level;
      if (shape == 4) passes = record.service == service && !(record.code > code);
      if (!passes) continue;
      ++count;
      if (record.code >= 0) {
        sum += record.code;
        any = true;
      }
    }
    QueryOptions options = Hour();
    options.start = from * kSecond;
    options.end = to * kSecond;
    auto reader = Execute(*db, text, options);
    ASSERT_TRUE(reader.ok()) << text << reader.status();
    absl::Status status;
    const auto rows = AsCaseTable(reader->get(), &status);
    ASSERT_EQ(rows.size(), 2U) << text << status;
    EXPECT_EQ(rows[1], std::to_string(count) + " | " + (any ? std::to_string(sum) : "-")) << text;
  }
}

// What `=` says of one value, `in` says of a list; `not in` says the opposite. Indexes change nothing.
TEST(Plan, InOverAListIsEqualToOneOfIt) {
  WriteBatch batch;
  Stream stream;
  stream.resource = {{"service.name", "a"}};
  const auto ref = batch.AddStream(stream);
  const std::string many_zeros = std::string(70, '0') + "244";
  using Text = std::string_view;
  const std::vector<ValueView> mixed = {int64_t{244}, 2.5,       Text("244"),      Text("2.50"), Text("244.0"),   true,
                                        Text("true"), Text("x"), int64_t{1} << 60, false,        Text(many_zeros)};
  int64_t at = 0;
  for (const ValueView& value : mixed) {
    for (int column = 0; column < 4; ++column) {
      // Of one type each, and one of all.
      const bool fits[] = {std::holds_alternative<int64_t>(value), std::holds_alternative<double>(value),
                           std::holds_alternative<Text>(value), true};
      if (!fits[column]) continue;
      static constexpr const char* kNames[] = {"whole", "ratio", "text", "any"};
      const std::vector<AttributeView> attributes = {{kNames[column], value}};
      LogRecord log;
      log.time = ++at * kSecond;
      log.message = "m";
      log.attributes = attributes;
      batch.AddLog(ref, log);
    }
  }
  const auto db = OpenMemory();
  ASSERT_TRUE(db->Write(batch).ok());
  const auto count = [&](const std::string& condition) {
    int answers[2] = {};
    for (const bool use_indexes : {false, true}) {
      QueryOptions options = Hour();
      options.use_indexes = use_indexes;
      auto reader = Execute(*db, "logs | where " + condition + " | stats n = count()", options);
      EXPECT_TRUE(reader.ok()) << condition << reader.status();
      absl::Status status;
      const auto rows = reader.ok() ? AsCaseTable(reader->get(), &status) : std::vector<std::string>();
      EXPECT_EQ(rows.size(), 2U) << condition << status;
      answers[use_indexes ? 1 : 0] = rows.size() == 2 ? std::stoi(rows[1]) : -1;
    }
    EXPECT_EQ(answers[0], answers[1]) << condition;
    return answers[0];
  };
  int found = 0;
  const std::vector<std::string> values = {"244",       "\"244\"", "2.5",      "\"2.5\"",
                                           "\"244.0\"", "true",    "\"true\"", "\"x\"",
                                           "false",     "244s",    "\"nan\"",  "1152921504606846976"};
  for (const std::string name : {"whole", "ratio", "text", "any"}) {
    // A number beside a truth value is an error to `=`.
    const auto apart = [&](const std::string& v) {
      return (name == "whole" || name == "ratio") && (v == "true" || v == "false");
    };
    for (const std::string& a : values) {
      if (apart(a)) continue;
      const int equal = count(name + " = " + a);
      found += equal;
      const std::string one = name + " in (" + a + ")";
      EXPECT_EQ(count(one), equal) << one;
      EXPECT_EQ(count(name + " not in (" + a + ")"), at - equal) << one;
      for (const std::string& b : values) {
        if (apart(b)) continue;
        const std::string two = name + " in (" + a + ", " + b + ", null)";
        const int either = count("if(" + name + " = " + a + ", 1, 0) = 1 or " + name + " = " + b);
        EXPECT_EQ(count(two), either) << two;
      }
    }
  }
  EXPECT_GT(found, 30);
}

}  // namespace
}  // namespace braid
