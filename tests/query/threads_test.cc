// Queries over many parts and row groups: whatever the number of threads, with indexes or without, and after a merge,
// answers are the same to the byte; and what a query may take is bounded.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "braid/db.h"
#include "braid/query.h"
#include "tests/support/case_runner.h"

namespace braid {
namespace {

constexpr int kRecords = 18'000;

// Lines and spans of a small shop, written in four pieces: three parts, some of several row groups, and the head.
class ManyParts : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new std::string(testing::TempDir() + "braid_threads_" + std::to_string(getpid()));
    std::filesystem::remove_all(*folder_);
    Options options;
    options.durability = Durability::kBuffered;
    options.background_work = false;
    auto db = DB::Open(options, *folder_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = db->release();
    const int ends[] = {9000, 10'000, 16'000, kRecords};
    int record = 0;
    for (const int end : ends) {
      WriteBatch batch;
      const WriteBatch::StreamRef streams[] = {
          batch.AddStream({{{"service.name", std::string("cart")}}, "", "", "", {}, ""}),
          batch.AddStream({{{"service.name", std::string("pay")}}, "", "", "", {}, ""})};
      for (; record < end; ++record) Add(record, streams, &batch);
      ASSERT_TRUE(db_->Write(batch).ok());
      if (end != kRecords) ASSERT_TRUE(db_->Flush().ok());
    }
  }
  static void TearDownTestSuite() {
    delete db_;
    std::filesystem::remove_all(*folder_);
    delete folder_;
  }

  // Spread over time by a step that is coprime to the count, so that every part meets every time.
  static Timestamp TimeOf(int record) { return static_cast<Timestamp>(record) * 7919 % kRecords * 200 * kMillisecond; }

  static void Add(int record, const WriteBatch::StreamRef* streams, WriteBatch* batch) {
    const TraceId trace{5, static_cast<uint64_t>(record % 2500 + 1)};
    const SpanId id{static_cast<uint64_t>(record + 1)};
    const std::string message = "order " + std::to_string(record) + (record % 97 == 0 ? " failed" : " done");
    const std::string route = "/r" + std::to_string(record % 5);
    const AttributeView attributes[] = {{"http.route", std::string_view(route)}, {"size", int64_t{record % 1000}}};
    LogRecord line;
    line.time = TimeOf(record);
    line.severity_number = record % 97 == 0 ? 17 : 9;
    line.message = message;
    line.trace_id = trace;
    line.span_id = id;
    line.attributes = attributes;
    batch->AddLog(streams[record % 2], line);
    Span span;
    span.trace_id = trace;
    span.span_id = id;
    if (record >= 2500) span.parent_id = SpanId{static_cast<uint64_t>(record - 2500 + 1)};
    span.name = record % 3 == 0 ? "GET" : "POST";
    span.kind = record % 2 == 0 ? SpanKind::kServer : SpanKind::kClient;
    span.start = TimeOf(record);
    span.end = span.start + record % 1013 * kMillisecond;
    span.status = record % 97 == 0 ? StatusCode::kError : StatusCode::kOk;
    span.attributes = attributes;
    batch->AddSpan(streams[record / 2 % 2], span);
  }

  static QueryOptions Hour() {
    QueryOptions options;
    options.start = 0;
    options.end = options.now = 3600 * kSecond;
    options.step = 60 * kSecond;
    options.limits.rows_max = 100'000;
    return options;
  }

  static std::vector<std::string> Answer(const std::string& text, const QueryOptions& options) {
    absl::Status status;
    std::vector<std::string> lines;
    const auto query = Query::Parse(text);
    status = query.status();
    if (status.ok()) {
      auto reader = query->Execute(db_->GetSnapshot(), options);
      status = reader.status();
      if (status.ok()) lines = AsCaseTable(reader->get(), &status);
    }
    EXPECT_TRUE(status.ok()) << text << ": " << status;
    return lines;
  }

  static std::string* folder_;
  static DB* db_;
};
std::string* ManyParts::folder_ = nullptr;
DB* ManyParts::db_ = nullptr;

constexpr const char* kQueries[] = {
    "logs | keep time, service, message",
    "logs | where size > 500 and message !~ \".*7 .*\" | keep time, message, size",
    "logs |= \"failed\" | keep message",
    "logs | stats n = count(), s = sum(size), d = distinct(trace_id), q = quantile(0.9, size) by (service, level)",
    "logs | stats n = count(), f = first(message), l = last(message), v = values(size, 5) by (http.route)",
    "logs | stats n = count() by (service) [5m]",
    "logs | extend p = pattern(message) | stats n = count() by (p)",
    "logs | sort size desc, message | limit 50 | keep message",
    "logs | top 20 by size | keep message, size",
    "logs | tail 7 | keep time, message",
    "spans | stats n = count(), d = sum(duration), s = sum(self_time), m = max(self_time) by (service, name)",
    "spans{status = error} | keep time, name, duration, parent.name, root.name",
    "let e = logs{level >= error}; spans | where trace_id in e | stats n = count(), d = sum(duration) by (service)",
    "logs | join spans as s on (trace_id, span_id) | stats n = count(), d = sum(s.duration) by (service = s.service)",
    "logs{level >= error} | join spans{kind = server} as s on (service) asof 60s | keep time, message, s.time, s.name",
    "spans{status = error} | join left logs{level >= error} as l on (trace_id) within -1m..1m | keep time, name, "
    "l.message",
    "logs{level >= error} | windows by (service) gap 10s pad 1s | keep service, start, end, n",
    "spans{name = \"GET\"} >> {name = \"POST\"} | stats n = count() by (kind)",
    "spans | compare status = error top 5",
    "logs | dedup (size) | keep time, message | limit 30",
};

TEST_F(ManyParts, AnswersDoNotDependOnThreadsOrIndexes) {
  for (const bool merged : {false, true}) {
    static std::vector<std::vector<std::string>> wanted;
    if (merged) {
      ASSERT_TRUE(db_->Flush().ok());
      ASSERT_TRUE(db_->Compact().ok());
    }
    for (size_t i = 0; i < std::size(kQueries); ++i) {
      QueryOptions options = Hour();
      options.threads = 1;
      if (!merged) {
        wanted.push_back(Answer(kQueries[i], options));
        ASSERT_GT(wanted[i].size(), 1U) << kQueries[i];
      }
      for (const int threads : {1, 2, 5}) {
        for (const bool indexes : {true, false}) {
          if (!indexes && threads == 5) continue;
          options.threads = threads;
          options.use_indexes = indexes;
          ASSERT_EQ(Answer(kQueries[i], options), wanted[i])
              << kQueries[i] << " by " << threads << (indexes ? "" : " without indexes") << (merged ? ", merged" : "");
        }
      }
    }
  }
  // Some of them by hand.
  QueryOptions options = Hour();
  options.threads = 2;
  EXPECT_EQ(Answer("logs | stats n = count()", options)[1], std::to_string(kRecords));
  EXPECT_EQ(Answer("logs |= \"failed\" | stats n = count()", options)[1], std::to_string((kRecords + 96) / 97));
  EXPECT_EQ(Answer("logs | join spans as s on (trace_id, span_id) | stats n = count()", options)[1],
            std::to_string(kRecords));
}

TEST_F(ManyParts, ExplainKnowsPartsBlocksAndBytesBeforeTheRun) {
  const auto explain = [&](const std::string& text) {
    const auto query = Query::Parse(text);
    EXPECT_TRUE(query.ok()) << query.status();
    const auto plan = query->Explain(db_->GetSnapshot(), Hour());
    EXPECT_TRUE(plan.ok()) << plan.status();
    return *plan;
  };
  const std::string all = explain("spans | keep duration");
  EXPECT_EQ(all.find("parts 0"), std::string::npos) << all;
  EXPECT_NE(all.find("estimated 18,000 rows"), std::string::npos) << all;
  const std::string one = explain("spans{trace_id = \"00000000000000050000000000000001\"} | keep duration");
  EXPECT_NE(one.find("[trace index]"), std::string::npos) << one;
  EXPECT_EQ(one.find("estimated 18,000 rows"), std::string::npos) << one;
  EXPECT_NE(one.find("estimated read"), std::string::npos) << one;
}

TEST_F(ManyParts, BytesReadAreLimited) {
  for (const int threads : {1, 3}) {
    QueryOptions options = Hour();
    options.threads = threads;
    options.limits.scan_bytes_max = 1000;
    const auto query = Query::Parse("logs | stats n = count() by (message)");
    auto reader = query->Execute(db_->GetSnapshot(), options);
    absl::Status status = reader.status();
    if (reader.ok()) AsCaseTable(reader->get(), &status);
    const auto error = ErrorOf(status);
    ASSERT_TRUE(error) << status;
    EXPECT_EQ(error->code, "E085");
  }
}

// The most memory a child process had while it answered, in bytes; the error's code and message in `*error`.
uint64_t PeakOfChild(const DB& db, const std::string& text, const QueryOptions& options, std::string* error) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    std::string said = "no error";
    const auto query = Query::Parse(text);
    absl::Status status = query.status();
    if (status.ok()) {
      auto reader = query->Execute(db.GetSnapshot(), options);
      status = reader.status();
      if (status.ok()) AsCaseTable(reader->get(), &status);
    }
    if (const auto problem = ErrorOf(status)) said = problem->code + " " + problem->message;
    if (!status.ok() && !ErrorOf(status)) said = status.ToString();
    (void)!write(ends[1], said.data(), said.size());
    _exit(0);
  }
  close(ends[1]);
  char buffer[1000];
  const ssize_t length = read(ends[0], buffer, sizeof buffer);
  close(ends[0]);
  error->assign(buffer, length > 0 ? static_cast<size_t>(length) : 0);
  int status = 0;
  rusage usage{};
  EXPECT_EQ(wait4(child, &status, 0, &usage), child);
  EXPECT_TRUE(WIFEXITED(status));
  return static_cast<uint64_t>(usage.ru_maxrss) << 10;
}

TEST_F(ManyParts, AQueryOverItsMemoryLimitEndsInBoundedMemory) {
  QueryOptions options = Hour();
  options.threads = 1;  // the child of a fork has one
  std::string error;
  const uint64_t idle = PeakOfChild(*db_, "logs | limit 1 | keep time", options, &error);
  EXPECT_EQ(error, "no error");
  std::string grow = "message";
  for (int i = 0; i < 50; ++i) grow = "replace(" + grow + ", \"(.)\", \"\\\\1\\\\1\")";
  const std::string big = "replace(message, \".\", \"" + std::string(4000, 'x') + "\")";
  const std::pair<std::string, std::string> cases[] = {
      {"logs | extend a = " + grow + " | stats n = count() by (a)", "replace"},  // 2^50 times as long
      {"logs | extend a = " + big + " | sort a | keep a", ""},                   // 1.5 GB
      {"logs | keep a = " + big + ", b = " + big + ", c = " + big, ""},
      {"logs | join logs as r on (http.route) | sort message | keep message, r.message", ""},  // 65 million pairs
      {"logs | stats n = count(), d = distinct(trace_id) by (size, message)", "stats"},
  };
  for (const auto& [text, owner] : cases) {
    options.limits.time_max = 3600 * kSecond;
    options.limits.memory_bytes_max = (owner == "stats" ? uint64_t{2} : uint64_t{24}) << 20;
    const uint64_t peak = PeakOfChild(*db_, text, options, &error);
    EXPECT_EQ(error.substr(0, 4), "E081") << text << ": " << error;
    EXPECT_NE(error.find(owner), std::string::npos) << error;
    // The limit several times over: allocators keep what was given back, sanitizers more.
    EXPECT_LT(peak, idle + (uint64_t{350} << 20)) << text;
  }
}

TEST_F(ManyParts, TimeRunsOutInsideABatch) {
  QueryOptions options = Hour();
  options.limits.time_max = 60 * kMillisecond;
  std::string slow = "message";
  for (int i = 0; i < 50; ++i) slow = "replace(" + slow + ", \"([a-z0-9 ]+)+\", \"\\\\1\")";
  const auto query = Query::Parse("logs | extend a = " + slow + " | stats n = count() by (a)");
  ASSERT_TRUE(query.ok()) << query.status();
  auto reader = query->Execute(db_->GetSnapshot(), options);
  absl::Status status = reader.status();
  if (reader.ok()) AsCaseTable(reader->get(), &status);
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
}

}  // namespace
}  // namespace braid
