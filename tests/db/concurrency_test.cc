// Many writers and readers at once, with flushes, merges, retention and statistics behind them: every read sees whole
// writes, what was acknowledged before it began, and values that were written. Run under ThreadSanitizer as well.
//   BRAID_TEST_SECONDS=n   (2)   how long
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/db/open.h"
#include "tests/support/scratch_dir.h"

namespace braid {
namespace {

constexpr int kWriters = 32, kReaders = 32;
constexpr Timestamp kStart = 1'700'000'000 * kSecond;

// Write number `n` of a writer: a sample, a log record and a span that say so.
void FillBatch(int writer, uint64_t n, WriteBatch* batch) {
  const std::string name = "writer" + std::to_string(writer), text = "write " + std::to_string(n);
  const Timestamp time = kStart + static_cast<Timestamp>(n) * kMillisecond;
  const LabelView labels[] = {{"__name__", "written"}, {"writer", name}};
  batch->AddSample(batch->AddSeries(labels), time, static_cast<double>(n));
  Stream stream;
  stream.resource = {{"service.name", name}};
  const auto from = batch->AddStream(stream);
  const AttributeView attributes[] = {{"n", static_cast<int64_t>(n)}};
  LogRecord log;
  log.time = time;
  log.message = text;
  log.trace_id = {static_cast<uint64_t>(writer) + 1, n + 1};
  log.attributes = attributes;
  batch->AddLog(from, log);
  Span span;
  span.trace_id = log.trace_id;
  span.span_id = {n + 1};
  span.name = text;
  span.start = time;
  span.end = time + 1;
  span.attributes = attributes;
  batch->AddSpan(from, span);
}

// The writes of one writer that a table shows are 0, 1, 2, ... without a gap and with their text; returns how many.
uint64_t CountRows(const Snapshot& snapshot, Table table, const std::string& service) {
  ScanSpec spec;
  spec.table = table;
  spec.columns = {{ColumnLevel::kAny, table == Table::kLogs ? "message" : "name"}, {ColumnLevel::kAny, "n"}};
  Predicate predicate;
  predicate.column = {ColumnLevel::kAny, "service"};
  predicate.values = {service};
  spec.predicates = {predicate};
  spec.columns.push_back(predicate.column);
  auto scan = snapshot.OpenScan(spec);
  EXPECT_TRUE(scan.ok()) << scan.status();
  if (!scan.ok()) return 0;
  std::vector<bool> met;
  uint64_t count = 0;
  RecordBatch batch;
  while (true) {
    auto more = (*scan)->Next(&batch);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) break;
    for (size_t row = 0; row < batch.num_rows; ++row) {
      if (ToText(View(batch.columns[2].ValueAt(row))) != service) continue;
      const uint64_t n = std::stoull(ToText(View(batch.columns[1].ValueAt(row))));
      EXPECT_EQ(ToText(View(batch.columns[0].ValueAt(row))), "write " + std::to_string(n));
      if (met.size() <= n) met.resize(n + 1);
      EXPECT_FALSE(met[n]) << "twice";
      met[n] = true;
      ++count;
    }
  }
  EXPECT_EQ(count, met.size()) << "a gap";
  EXPECT_TRUE((*scan)->stats().damaged.empty());
  return count;
}

uint64_t CountSamples(const Snapshot& snapshot, const std::string& writer) {
  SeriesSpec spec;
  spec.matchers = {{Matcher::Op::kEqual, "writer", writer}};
  auto scan = snapshot.OpenSeriesScan(spec);
  EXPECT_TRUE(scan.ok()) << scan.status();
  SeriesData data;
  uint64_t count = 0;
  while (scan.ok()) {
    auto more = (*scan)->Next(&data);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) break;
    for (size_t i = 0; i < data.times.size(); ++i) {
      EXPECT_EQ(data.values[i], static_cast<double>(i));
      EXPECT_EQ(data.times[i], kStart + static_cast<Timestamp>(i) * kMillisecond);
    }
    count += data.times.size();
  }
  return count;
}

TEST(ConcurrencyTest, WritersReadersAndBackgroundWork) {
  const char* text = std::getenv("BRAID_TEST_SECONDS");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(text == nullptr ? 2 : std::atoi(text));
  const ScratchDir scratch;
  Options options;
  options.flush_bytes_max = 1 << 20;
  auto opened = DB::Open(options, (scratch.path() / "db").string());
  ASSERT_TRUE(opened.ok()) << opened.status();
  DB* const db = opened->get();
  std::vector<std::atomic<uint64_t>> acknowledged(kWriters);
  std::atomic<uint64_t> reads = 0;
  std::atomic<bool> failed = false;
  const auto goes_on = [&] { return std::chrono::steady_clock::now() < until && !failed; };
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      for (uint64_t n = 0; goes_on(); ++n) {
        WriteBatch batch;
        FillBatch(w, n, &batch);
        const absl::Status status = db->Write(batch);
        EXPECT_TRUE(status.ok()) << status;
        if (!status.ok()) failed = true;
        acknowledged[static_cast<size_t>(w)] = n + 1;
        // So that readers get a turn, and the store does not outgrow them.
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
  }
  for (int r = 0; r < kReaders; ++r) {
    threads.emplace_back([&, r] {
      std::mt19937_64 random(static_cast<uint64_t>(r));
      while (goes_on()) {
        const auto w = static_cast<size_t>(random() % kWriters);
        const std::string writer = "writer" + std::to_string(w);
        const uint64_t before = acknowledged[w];
        const auto snapshot = db->GetSnapshot();
        const uint64_t logs = CountRows(*snapshot, Table::kLogs, writer);
        const uint64_t spans = CountRows(*snapshot, Table::kSpans, writer);
        const uint64_t samples = CountSamples(*snapshot, writer);
        EXPECT_GE(logs, before);
        EXPECT_EQ(logs, spans);
        EXPECT_EQ(logs, samples);
        if (testing::Test::HasFailure()) failed = true;
        ++reads;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
  }
  threads.emplace_back([&] {
    while (goes_on()) {
      EXPECT_TRUE(db->Compact().ok());
      EXPECT_TRUE(db->Flush().ok());
      db->Stats();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  });
  for (std::thread& thread : threads) thread.join();
  uint64_t written = 0;
  for (int w = 0; w < kWriters; ++w) {
    const uint64_t count = acknowledged[static_cast<size_t>(w)];
    written += count;
    EXPECT_EQ(CountSamples(*db->GetSnapshot(), "writer" + std::to_string(w)), count);
  }
  const DBStats stats = db->Stats();
  std::printf("%d writers, %d readers: %llu writes, %llu reads, %llu flushes, %llu merges\n", kWriters, kReaders,
              static_cast<unsigned long long>(written), static_cast<unsigned long long>(reads.load()),
              static_cast<unsigned long long>(stats.flushes), static_cast<unsigned long long>(stats.merges));
  EXPECT_GT(reads, 0u);
  EXPECT_GT(stats.flushes, 0u);
  ASSERT_TRUE(db->Close().ok());
}

}  // namespace
}  // namespace braid
