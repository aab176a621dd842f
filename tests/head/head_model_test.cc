// The head against the naive model: what its views show, and that they go on showing it.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "engine/head/head.h"
#include "tests/support/naive_store.h"

namespace braid {
namespace {

// Applies a batch without making it visible.
absl::Status ApplyTo(Head* head, const WriteBatch& batch) {
  BatchView view;
  absl::Status status = CheckBatch(batch, &view);
  if (!status.ok()) return status;
  Head::Resolved resolved;
  head->Resolve(view, &resolved);
  head->Apply(resolved, batch.body());
  return absl::OkStatus();
}

NaiveWrites Pointers(const std::vector<std::unique_ptr<NaiveWrite>>& writes, size_t count) {
  NaiveWrites pointers;
  for (size_t i = 0; i < count; ++i) pointers.push_back(writes[i].get());
  return pointers;
}

class HeadModelTest : public ::testing::TestWithParam<bool> {};

TEST_P(HeadModelTest, ViewsShowTheirCommitForEver) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    std::mt19937_64 random(seed);
    NaiveWriteSpec spec;
    spec.extremes = GetParam();
    auto head = std::make_shared<Head>();
    std::vector<std::unique_ptr<NaiveWrite>> writes;
    std::vector<std::pair<size_t, std::shared_ptr<const Source>>> views;
    auto check = [&](const Source& view, size_t count) {
      const NaiveWrites there = Pointers(writes, count);
      ExpectSame(there, view, AllScans(), {SeriesSpec()});
      for (int i = 0; i < 3; ++i) {
        const auto table = static_cast<Table>(random() % kTableCount);
        ExpectSame(there, view, {RandomScanSpec(table, spec, &random)}, {RandomSeriesSpec(spec, &random)});
      }
    };
    for (int commit = 0; commit < 25; ++commit) {
      for (uint64_t i = random() % 4; i > 0; --i) {
        WriteBatch batch;
        // Half of the time a little later than before, so that there are both samples in order and late ones.
        if (!spec.extremes && random() % 2 == 0) spec.around += 10 * kSecond;
        writes.push_back(std::make_unique<NaiveWrite>(MakeNaiveWrite(writes.size(), spec, &random, &batch)));
        ASSERT_TRUE(ApplyTo(head.get(), batch).ok());
      }
      const std::shared_ptr<const Source> unpublished = head->View();
      const size_t visible = views.empty() ? 0 : views.back().first;
      if (commit % 5 == 0 && !views.empty()) ExpectSame(Pointers(writes, visible), *unpublished, AllScans(), {{}});
      head->Publish();
      views.emplace_back(writes.size(), head->View());
      // Most views go at once, so that the head forgets what only they could see.
      if (views.size() > 3 && random() % 3 != 0) views.erase(views.begin() + random() % (views.size() - 1));
      const auto& [count, view] = views[random() % views.size()];
      check(*view, count);
      ASSERT_FALSE(HasFailure()) << "seed " << seed << " commit " << commit;
    }
    for (const auto& [count, view] : views) check(*view, count);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Times, HeadModelTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Extremes" : "Ordinary"; });

TEST(HeadTest, CountsAndRangesAreThoseOfTheRows) {
  std::mt19937_64 random(5);
  NaiveWriteSpec spec;
  auto head = std::make_shared<Head>();
  std::vector<std::unique_ptr<NaiveWrite>> writes;
  for (uint64_t n = 0; n < 40; ++n) {
    WriteBatch batch;
    writes.push_back(std::make_unique<NaiveWrite>(MakeNaiveWrite(n, spec, &random, &batch)));
    ASSERT_TRUE(ApplyTo(head.get(), batch).ok());
  }
  head->Publish();
  const auto view = head->View();
  uint64_t samples = 0, rows[kTableCount] = {};
  TimeRange ranges[kTableCount], sample_range{kMaxTimestamp, kMinTimestamp};
  for (TimeRange& range : ranges) range = {kMaxTimestamp, kMinTimestamp};
  for (const auto& write : writes) {
    samples += write->samples.size();
    for (const NaiveSample& sample : write->samples) {
      sample_range = {std::min(sample_range.start, sample.time), std::max(sample_range.end, sample.time)};
    }
    for (int table = 0; table < kTableCount; ++table) {
      for (const NaiveRow& row : write->rows[table]) {
        ++rows[table];
        ranges[table] = {std::min(ranges[table].start, row.time), std::max({ranges[table].end, row.time, row.end})};
      }
    }
  }
  EXPECT_EQ(view->counts().samples, samples);
  EXPECT_EQ(view->SampleRange(), sample_range);
  for (int table = 0; table < kTableCount; ++table) {
    EXPECT_EQ(view->counts().rows[table], rows[table]);
    EXPECT_EQ(view->Range(static_cast<Table>(table)), ranges[table]);
  }
  EXPECT_TRUE(view->MayContainTrace(TraceId{uint64_t{3} << 60, 3}));
  EXPECT_FALSE(view->MayContainTrace(TraceId{3, 3}));
  EXPECT_GT(head->byte_size(), 0u);
}

// More rows than a block and more samples than a chunk hold, in and out of order.
TEST(HeadTest, ManyBlocksAndChunks) {
  std::mt19937_64 random(11);
  auto head = std::make_shared<Head>();
  const LabelView labels[] = {{"a", "1"}};
  std::map<Timestamp, double> samples;
  std::vector<Timestamp> logs;
  std::vector<std::pair<std::map<Timestamp, double>, std::shared_ptr<const Source>>> views;
  for (int commit = 0; commit < 100; ++commit) {
    WriteBatch batch;
    const auto series = batch.AddSeries(labels);
    const auto stream = batch.AddStream({});
    for (int i = 0; i < 100; ++i) {
      const Timestamp in_order = commit * 100 + i;
      const Timestamp time = random() % 5 == 0 ? static_cast<Timestamp>(random() % 10000) : in_order;
      const auto value = static_cast<double>(random() % 100);
      batch.AddSample(series, time, value);
      samples[time] = value;
      LogRecord log;
      log.time = time;
      batch.AddLog(stream, log);
      logs.push_back(time);
    }
    ASSERT_TRUE(ApplyTo(head.get(), batch).ok());
    head->Publish();
    if (commit % 9 == 0) views.emplace_back(samples, head->View());
  }
  views.emplace_back(samples, head->View());
  for (const auto& [expected, view] : views) {
    const Timestamp start = static_cast<Timestamp>(random() % 9000);
    for (const TimeRange range : {TimeRange{}, TimeRange{start, start + 700}}) {
      SeriesSpec spec;
      spec.time = range;
      auto scan = view->OpenSeriesScan(spec);
      ASSERT_TRUE(scan.ok());
      std::map<Timestamp, double> found, wanted;
      SeriesData data;
      while (*(*scan)->Next(&data)) {
        for (size_t i = 0; i < data.times.size(); ++i) found[data.times[i]] = data.values[i];
      }
      for (const auto& [time, value] : expected) {
        if (range.Contains(time)) wanted[time] = value;
      }
      EXPECT_EQ(found, wanted);
    }
  }
  ScanSpec spec;
  spec.columns = {{ColumnLevel::kBuiltin, "time"}};
  spec.time = {2500, 2600};
  auto scan = views.back().second->OpenScan(spec);
  ASSERT_TRUE(scan.ok());
  std::vector<Timestamp> found, wanted;
  RecordBatch batch;
  while (*(*scan)->Next(&batch)) found.insert(found.end(), batch.columns[0].ints.begin(), batch.columns[0].ints.end());
  for (Timestamp time : logs) {
    if (spec.time.Contains(time)) wanted.push_back(time);
  }
  EXPECT_EQ(found, wanted);  // one stream without ids: arrival order within equal times, and a head keeps it throughout
}

TEST(HeadTest, ViewsAreReadWhileTheHeadIsWritten) {
  NaiveWriteSpec spec;
  std::mt19937_64 random(3);
  auto head = std::make_shared<Head>();
  std::vector<std::unique_ptr<NaiveWrite>> writes;
  std::vector<WriteBatch> batches(120);
  for (size_t n = 0; n < batches.size(); ++n) {
    writes.push_back(std::make_unique<NaiveWrite>(MakeNaiveWrite(n, spec, &random, &batches[n])));
  }
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      const auto view = head->View();
      // The batches in the view, by its log records; all else must be of the same batches.
      std::set<int64_t> seen;
      auto scan = view->OpenScan(AllScans()[0]);
      ASSERT_TRUE(scan.ok());
      for (const auto& [arrival, text] : RowsOf(scan->get(), Table::kLogs)) seen.insert(arrival / 1000);
      ASSERT_TRUE(seen.empty() || *seen.rbegin() + 1 == static_cast<int64_t>(seen.size()));
      ExpectSame(Pointers(writes, seen.size()), *view, AllScans(), {SeriesSpec()});
      if (::testing::Test::HasFailure()) return;
    }
  });
  for (const WriteBatch& batch : batches) {
    ASSERT_TRUE(ApplyTo(head.get(), batch).ok());
    head->Publish();
  }
  stop = true;
  reader.join();
  ExpectSame(Pointers(writes, writes.size()), *head->View(), AllScans(), {SeriesSpec()});
}

}  // namespace
}  // namespace braid
