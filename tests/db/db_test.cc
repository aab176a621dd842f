#include "braid/db.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/db/compaction.h"
#include "engine/db/open.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/fault_file_system.h"

namespace braid {
namespace {

Options Quiet() {
  Options options;
  options.background_work = false;
  return options;
}

std::unique_ptr<DB> MustOpen(const Options& options, FileSystem* fs, const std::string& path = "db") {
  auto db = OpenDB(options, path, fs);
  EXPECT_TRUE(db.ok()) << db.status();
  return db.ok() ? *std::move(db) : nullptr;
}

TEST(DBTest, MemoryOnlyStoreShowsWhatWasWritten) {
  Options options;
  options.durability = Durability::kMemory;
  auto db = DB::Open(options, "");
  ASSERT_TRUE(db.ok()) << db.status();
  for (uint64_t n = 0; n < 10; ++n) ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
  EXPECT_EQ(NumbersIn(*(*db)->GetSnapshot()), FirstNumbers(10));
  const DBStats stats = (*db)->Stats();
  EXPECT_EQ(stats.series, 3u);
  EXPECT_EQ(stats.samples, 10u);
  EXPECT_EQ(stats.logs, 10u);
  EXPECT_EQ(stats.spans, 10u);
  EXPECT_EQ(stats.exemplars, 10u);
}

TEST(DBTest, OldSnapshotsDoNotSeeLaterWrites) {
  FaultFileSystem fs;
  auto db = MustOpen(Quiet(), &fs);
  std::vector<std::shared_ptr<const Snapshot>> snapshots;
  for (uint64_t n = 0; n < 300; ++n) {
    if (n % 37 == 0) snapshots.push_back(db->GetSnapshot());
    ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
    if (n == 150) {
      ASSERT_TRUE(db->Flush().ok());
    }
  }
  for (size_t i = 0; i < snapshots.size(); ++i) EXPECT_EQ(NumbersIn(*snapshots[i]), FirstNumbers(i * 37)) << i;
}

TEST(DBTest, RefusesBadBatchesWhole) {
  FaultFileSystem fs;
  auto db = MustOpen(Quiet(), &fs);
  const LabelView twice[] = {{"a", "1"}, {"a", "2"}};
  const LabelView empty[] = {{"a", ""}};
  const LabelView good[] = {{"a", "1"}};
  auto refused = [&](auto fill, const char* what) {
    WriteBatch batch;
    AddNumbered(0, &batch);
    fill(&batch);
    const absl::Status status = db->Write(batch);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(status.ToString().find(what), std::string::npos) << status;
  };
  refused([&](WriteBatch* batch) { batch->AddSeries(twice); }, "twice");
  refused([&](WriteBatch* batch) { batch->AddSeries(empty); }, "no label");
  refused([&](WriteBatch* batch) { batch->AddSeries({}); }, "no label");
  refused([&](WriteBatch* batch) { batch->AddSample(batch->AddSeries(good) + 1, 1, 1); }, "not named");
  refused([&](WriteBatch* batch) { batch->AddLog(7, {}); }, "not named");
  refused(
      [&](WriteBatch* batch) {
        Span span;
        span.span_id = {1};
        batch->AddSpan(batch->AddStream({}), span);
      },
      "trace id is zero");
  refused(
      [&](WriteBatch* batch) {
        Span span;
        span.trace_id = {1, 1};
        batch->AddSpan(batch->AddStream({}), span);
      },
      "id is zero");
  EXPECT_TRUE(NumbersIn(*db->GetSnapshot()).empty());
  db = nullptr;
  db = MustOpen(Quiet(), &fs);
  EXPECT_TRUE(NumbersIn(*db->GetSnapshot()).empty());
}

TEST(DBTest, KeepsEverythingThroughReopenFlushAndCompact) {
  FaultFileSystem fs;
  uint64_t written = 0;
  for (int round = 0; round < 4; ++round) {
    auto db = MustOpen(Quiet(), &fs);
    ASSERT_EQ(NumbersIn(*db->GetSnapshot()), FirstNumbers(written));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(WriteNumbered(db.get(), written++).ok());
    if (round % 2 == 0) {
      ASSERT_TRUE(db->Flush().ok());
      EXPECT_EQ(db->Stats().wal_bytes, 0u);
    }
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(WriteNumbered(db.get(), written++).ok());
    ASSERT_EQ(NumbersIn(*db->GetSnapshot()), FirstNumbers(written));
    ASSERT_TRUE(db->Compact().ok());
    ASSERT_EQ(NumbersIn(*db->GetSnapshot()), FirstNumbers(written));
    EXPECT_LE(db->Stats().parts, 1u);
    ASSERT_TRUE(db->Close().ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(WriteNumbered(db.get(), 0)));
  }
}

TEST(DBTest, BackgroundWorkFlushesAndMergesWhileWritersWait) {
  FaultFileSystem fs;
  Options options;
  options.flush_bytes_max = 64 << 10;
  auto db = MustOpen(options, &fs);
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    size_t last = 0;
    while (!stop) {
      const size_t seen = NumbersIn(*db->GetSnapshot()).size();
      EXPECT_GE(seen, last);
      last = seen;
    }
  });
  std::vector<std::thread> writers;
  for (uint64_t w = 0; w < 3; ++w) {
    writers.emplace_back([&, w] {
      for (uint64_t i = 0; i < 60; ++i) ASSERT_TRUE(WriteNumbered(db.get(), i * 3 + w).ok());
    });
  }
  for (std::thread& writer : writers) writer.join();
  stop = true;
  reader.join();
  EXPECT_EQ(NumbersIn(*db->GetSnapshot()), FirstNumbers(180));
  EXPECT_GT(db->Stats().flushes, 0u);
  db = nullptr;
  db = MustOpen(Quiet(), &fs);
  EXPECT_EQ(NumbersIn(*db->GetSnapshot()), FirstNumbers(180));
}

TEST(DBTest, TickMergesSmallNeighbours) {
  FaultFileSystem fs;
  auto db = MustOpen(Quiet(), &fs);
  for (uint64_t n = 0; n < 12; ++n) {
    ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
    ASSERT_TRUE(db->Flush().ok());
  }
  EXPECT_EQ(db->Stats().parts, 12u);
  const auto before = db->GetSnapshot();
  ASSERT_TRUE(db->Tick().ok());
  EXPECT_LT(db->Stats().parts, 4u);
  EXPECT_EQ(NumbersIn(*db->GetSnapshot()), FirstNumbers(12));
  EXPECT_EQ(NumbersIn(*before), FirstNumbers(12));  // of parts that are gone
}

TEST(DBTest, TheSampleWrittenLastCountsAcrossParts) {
  FaultFileSystem fs;
  auto db = MustOpen(Quiet(), &fs);
  const LabelView labels[] = {{"a", "1"}};
  for (int round = 0; round < 5; ++round) {
    WriteBatch batch;
    const auto series = batch.AddSeries(labels);
    for (int t = 0; t < 10; ++t) batch.AddSample(series, TimeOf(t * round), round);
    ASSERT_TRUE(db->Write(batch).ok());
    if (round != 3) {
      ASSERT_TRUE(db->Flush().ok());
    }
  }
  for (int pass = 0; pass < 2; ++pass) {
    auto scan = db->GetSnapshot()->OpenSeriesScan({});
    ASSERT_TRUE(scan.ok());
    SeriesData data;
    ASSERT_TRUE(*(*scan)->Next(&data));
    std::map<Timestamp, double> expected;
    for (int round = 0; round < 5; ++round) {
      for (int t = 0; t < 10; ++t) expected[TimeOf(t * round)] = round;
    }
    ASSERT_EQ(data.times.size(), expected.size());
    for (size_t i = 0; i < data.times.size(); ++i) EXPECT_EQ(data.values[i], expected.at(data.times[i]));
    ASSERT_TRUE(db->Compact().ok());
  }
}

TEST(DBTest, RetentionFollowsTheData) {
  FaultFileSystem fs;
  Options options = Quiet();
  options.retention = 1000 * kSecond;
  auto db = MustOpen(options, &fs);
  ASSERT_TRUE(WriteNumbered(db.get(), 0).ok());
  ASSERT_TRUE(db->Flush().ok());
  ASSERT_TRUE(WriteNumbered(db.get(), 900).ok());
  ASSERT_TRUE(db->Flush().ok());
  ASSERT_TRUE(db->Tick().ok());
  EXPECT_EQ(db->Stats().parts, 2u);
  ASSERT_TRUE(WriteNumbered(db.get(), 1500).ok());
  ASSERT_TRUE(db->Tick().ok());
  EXPECT_EQ(NumbersIn(*db->GetSnapshot()), (std::vector<uint64_t>{900, 1500}));
}

TEST(DBTest, NeitherTheClockNorOneRecordEmptiesAStore) {
  constexpr Duration kDay = 24 * 3600 * kSecond, kRetention = 10 * kDay;
  const Timestamp now = kFirstTime;
  std::vector<PartEntry> parts(3);
  parts[0].time = {now - 30 * kDay, now - 20 * kDay};
  parts[1].time = {now - 9 * kDay, now - 8 * kDay};
  parts[2].time = {now - kDay, now};
  const std::vector<size_t> first = {0}, none;
  EXPECT_EQ(PickExpired(parts, now, now, kRetention), first);
  EXPECT_EQ(PickExpired(parts, now, now + 3650 * kDay, kRetention), first);  // the clock jumps ahead
  EXPECT_EQ(PickExpired(parts, now, now - 3650 * kDay, kRetention), none);   // and back: nothing is removed
  parts[2].time.end = kMaxTimestamp;                                         // a record of the far future
  EXPECT_EQ(PickExpired(parts, kMaxTimestamp, now, kRetention), first);
  EXPECT_EQ(PickExpired(parts, kMaxTimestamp, now, 0), none);
}

TEST(DBTest, SaysWhyItCannotOpenAndChangesNothing) {
  FaultFileSystem fs;
  ASSERT_TRUE(fs.CreateDir("other").ok());
  fs.SetContents("other/holiday.jpg", "x");
  fs.SetContents("plain", "x");
  const auto files = fs.Files();
  auto code = [&](const std::string& path, const Options& options) { return OpenDB(options, path, &fs).status(); };
  EXPECT_TRUE(absl::IsInvalidArgument(code("other", Quiet()))) << code("other", Quiet());
  EXPECT_TRUE(absl::IsInvalidArgument(code("plain", Quiet()))) << code("plain", Quiet());
  Options reader = Quiet();
  reader.read_only = true;
  EXPECT_TRUE(absl::IsNotFound(code("none", reader)));
  EXPECT_EQ(fs.Files(), files);

  auto db = MustOpen(Quiet(), &fs);
  const absl::Status in_use = code("db", Quiet());
  EXPECT_TRUE(absl::IsFailedPrecondition(in_use)) << in_use;
  EXPECT_NE(in_use.ToString().find("process"), std::string::npos) << in_use;
  db = nullptr;
  std::string manifest = fs.Contents("db/MANIFEST");
  fs.SetContents("db/MANIFEST", "");
  EXPECT_TRUE(absl::IsDataLoss(code("db", Quiet())));
  fs.SetContents("db/MANIFEST", manifest);
  ASSERT_TRUE(fs.Remove("db/MANIFEST").ok());
  EXPECT_TRUE(absl::IsDataLoss(code("db", Quiet())));
}

TEST(DBTest, ReadersSeeTheStateAtOpenBesideALiveWriter) {
  FaultFileSystem fs;
  auto writer = MustOpen(Quiet(), &fs);
  for (uint64_t n = 0; n < 10; ++n) ASSERT_TRUE(WriteNumbered(writer.get(), n).ok());
  ASSERT_TRUE(writer->Flush().ok());
  for (uint64_t n = 10; n < 15; ++n) ASSERT_TRUE(WriteNumbered(writer.get(), n).ok());
  Options options;
  options.read_only = true;
  auto reader = MustOpen(options, &fs);
  ASSERT_TRUE(WriteNumbered(writer.get(), 15).ok());
  ASSERT_TRUE(writer->Flush().ok());
  ASSERT_TRUE(writer->Compact().ok());
  EXPECT_EQ(NumbersIn(*reader->GetSnapshot()), FirstNumbers(15));
  EXPECT_TRUE(absl::IsFailedPrecondition(WriteNumbered(reader.get(), 99)));
  EXPECT_TRUE(absl::IsFailedPrecondition(reader->Flush()));
}

TEST(DBTest, DamagedPartsAreSetAsideAndDoNotPreventOpening) {
  FaultFileSystem fs;
  auto db = MustOpen(Quiet(), &fs);
  for (uint64_t n = 0; n < 10; ++n) ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
  ASSERT_TRUE(db->Flush().ok());
  ASSERT_TRUE(WriteNumbered(db.get(), 10).ok());
  ASSERT_TRUE(db->Flush().ok());
  db = nullptr;
  for (const std::string& file : fs.Files()) {
    if (file.find("parts/000000000001/") != std::string::npos) fs.SetContents(file, "");
  }
  db = MustOpen(Quiet(), &fs);
  EXPECT_EQ(NumbersIn(*db->GetSnapshot()), std::vector<uint64_t>{10});
  ASSERT_EQ(db->Stats().quarantined.size(), 1u);
  db = nullptr;
  bool kept = false;
  for (const std::string& file : fs.Files())
    kept = kept || file.find("quarantine/part-000000000001/") != std::string::npos;
  EXPECT_TRUE(kept);
  db = MustOpen(Quiet(), &fs);
  EXPECT_TRUE(db->Stats().quarantined.empty());
}

TEST(DBTest, LeftoversAreRemovedAtOpen) {
  FaultFileSystem fs;
  MustOpen(Quiet(), &fs);
  ASSERT_TRUE(fs.CreateDir("db/parts/000000000044").ok());
  fs.SetContents("db/parts/000000000044/samples", "half a part");
  fs.SetContents("db/MANIFEST.tmp", "half a manifest");
  auto db = MustOpen(Quiet(), &fs);
  for (const std::string& file : fs.Files()) {
    EXPECT_EQ(file.find("000000000044"), std::string::npos) << file;
    EXPECT_EQ(file.find(".tmp"), std::string::npos) << file;
  }
}

}  // namespace
}  // namespace braid
