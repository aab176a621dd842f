// What a crash, a full disk, a failing disk or flipped bits do to a store, against the durability contract
// (docs/durability.md).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/db/open.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/fault_file_system.h"

namespace braid {
namespace {

constexpr char kSegment[] = "db/wal/000000000001.wal";

Options Quiet(Durability durability = Durability::kDurable) {
  Options options;
  options.background_work = false;
  options.durability = durability;
  return options;
}

// Writes `count` numbered batches; the size of the WAL before each and after the last.
std::vector<uint64_t> WriteSome(FileSystem* fs, uint64_t count, bool close, std::unique_ptr<DB>* keep = nullptr) {
  auto db = OpenDB(Quiet(), "db", fs);
  EXPECT_TRUE(db.ok()) << db.status();
  std::vector<uint64_t> sizes;
  for (uint64_t n = 0; n < count; ++n) {
    sizes.push_back((*db)->Stats().wal_bytes);
    EXPECT_TRUE(WriteNumbered(db->get(), n).ok());
  }
  sizes.push_back((*db)->Stats().wal_bytes);
  sizes[0] = 48;  // a segment header
  if (close) {
    EXPECT_TRUE((*db)->Close().ok());
  }
  if (keep != nullptr) *keep = *std::move(db);
  return sizes;
}

TEST(CrashTest, AWalCutAnywhereGivesBackTheWritesThatAreWhole) {
  FaultFileSystem fs;
  std::unique_ptr<DB> db;
  const std::vector<uint64_t> sizes = WriteSome(&fs, 5, /*close=*/false, &db);
  const auto image = fs.KillImage();
  const std::string wal = image->Contents(kSegment);
  ASSERT_EQ(wal.size(), sizes.back());
  for (size_t cut = 0; cut < wal.size(); ++cut) {
    image->SetContents(kSegment, wal.substr(0, cut));
    uint64_t whole = 0;
    while (whole + 1 < sizes.size() && sizes[whole + 1] <= cut) ++whole;
    auto reopened = OpenDB(Quiet(), "db", image.get());
    if (cut < 48) {
      // The manifest names the segment, so its header was on disk: this is no torn end.
      ASSERT_TRUE(absl::IsDataLoss(reopened.status())) << cut << ": " << reopened.status();
      continue;
    }
    ASSERT_TRUE(reopened.ok()) << cut << ": " << reopened.status();
    const DBStats stats = (*reopened)->Stats();
    ASSERT_EQ(stats.samples, whole) << cut;
    ASSERT_EQ(stats.replayed_batches, whole) << cut;
    ASSERT_EQ(stats.torn_bytes, cut - sizes[whole]) << cut;
    if (cut % 32 == 0) {
      ASSERT_EQ(NumbersIn(*(*reopened)->GetSnapshot()), FirstNumbers(whole)) << cut;
      // And writing goes on.
      ASSERT_TRUE(WriteNumbered(reopened->get(), whole).ok());
      ASSERT_TRUE((*reopened)->Close().ok());
      reopened = OpenDB(Quiet(), "db", image.get());
      ASSERT_TRUE(reopened.ok()) << cut << ": " << reopened.status();
      ASSERT_EQ(NumbersIn(*(*reopened)->GetSnapshot()), FirstNumbers(whole + 1)) << cut;
      *reopened = nullptr;
      for (const std::string& file : image->Files()) {
        if (file.find(".wal") == std::string::npos) continue;
        ASSERT_TRUE(image->Remove(file).ok());
      }
    }
  }
}

TEST(CrashTest, EveryFlippedBitOfAClosedWalIsDetectedOrHarmless) {
  FaultFileSystem fs;
  const std::vector<uint64_t> sizes = WriteSome(&fs, 4, /*close=*/true);
  const std::string wal = fs.Contents(kSegment);
  ASSERT_EQ(wal.size(), sizes.back() + 32);  // the end mark
  for (size_t at = 0; at < wal.size(); ++at) {
    std::string damaged = wal;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at * 5 % 8)));
    fs.SetContents(kSegment, damaged);
    auto db = OpenDB(Quiet(), "db", &fs);
    if (at < sizes.back()) {
      ASSERT_TRUE(absl::IsDataLoss(db.status())) << at << ": " << db.status();
      EXPECT_NE(db.status().ToString().find(kSegment), std::string::npos);
    } else {
      ASSERT_TRUE(db.ok()) << at << ": " << db.status();
      ASSERT_EQ((*db)->Stats().samples, 4u);
    }
    fs.SetContents(kSegment, wal);
  }
}

TEST(CrashTest, RecoveryModesKeepWhatTheyPromiseAndSetTheRestAside) {
  FaultFileSystem fs;
  const std::vector<uint64_t> sizes = WriteSome(&fs, 9, /*close=*/true);
  const std::string wal = fs.Contents(kSegment);
  for (uint64_t hit = 0; hit < 9; ++hit) {
    for (const Recovery mode : {Recovery::kPointInTime, Recovery::kSalvage}) {
      const auto image = fs.KillImage();
      std::string damaged = wal;
      damaged[sizes[hit] + 40] ^= 1;
      image->SetContents(kSegment, damaged);
      Options options = Quiet();
      options.recovery = mode;
      auto db = OpenDB(options, "db", image.get());
      ASSERT_TRUE(db.ok()) << db.status();
      const std::vector<uint64_t> numbers = NumbersIn(*(*db)->GetSnapshot());
      EXPECT_FALSE((*db)->Stats().quarantined.empty());
      if (mode == Recovery::kPointInTime) {
        EXPECT_EQ(numbers, FirstNumbers(hit));
      } else {
        // Later commits that named no series or stream of the lost one are kept: the first three and two define them.
        EXPECT_GE(numbers.size(), hit);
        if (hit >= 3) {
          EXPECT_EQ(numbers.size(), 8u);
        }
        EXPECT_FALSE(std::binary_search(numbers.begin(), numbers.end(), hit));
      }
      ASSERT_TRUE(WriteNumbered(db->get(), 50).ok());
      ASSERT_TRUE((*db)->Close().ok());
      bool kept = false;
      for (const std::string& file : image->Files()) {
        if (file.find("quarantine/") == std::string::npos) continue;
        const std::string bytes = image->Contents(file);
        kept = kept || bytes.find(damaged.substr(sizes[hit], sizes[hit + 1] - sizes[hit])) != std::string::npos;
      }
      EXPECT_TRUE(kept) << "the damaged bytes are not in quarantine";
      auto again = OpenDB(Quiet(), "db", image.get());
      ASSERT_TRUE(again.ok()) << again.status();
      std::vector<uint64_t> expected = numbers;
      expected.push_back(50);
      EXPECT_EQ(NumbersIn(*(*again)->GetSnapshot()), expected);
    }
  }
}

// The same commit of another store, of the same size and at the same place: what a block that was given to another file
// before would hold.
TEST(CrashTest, ARecordOfAnotherStoreIsNotTaken) {
  FaultFileSystem fs, other;
  const std::vector<uint64_t> sizes = WriteSome(&fs, 3, /*close=*/true);
  {
    auto db = OpenDB(Quiet(), "db", &other);
    ASSERT_TRUE(db.ok());
    for (const uint64_t n : {6, 7, 8}) ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
    ASSERT_EQ((*db)->Stats().wal_bytes, sizes.back());
  }
  const std::string foreign = other.Contents(kSegment);
  for (size_t i = 0; i < 3; ++i) {
    const auto image = fs.KillImage();
    std::string wal = image->Contents(kSegment);
    wal.replace(sizes[i], sizes[i + 1] - sizes[i], foreign, sizes[i], sizes[i + 1] - sizes[i]);
    image->SetContents(kSegment, wal);
    const auto db = OpenDB(Quiet(), "db", image.get());
    EXPECT_TRUE(absl::IsDataLoss(db.status())) << "commit " << i << ": " << db.status();
  }
}

// The part that salvage writes while the store opens must not be taken for the leftover of an earlier flush.
TEST(CrashTest, ALeftoverOfAFlushKeepsItsNumber) {
  FaultFileSystem fs;
  const std::vector<uint64_t> sizes = WriteSome(&fs, 9, /*close=*/true);
  std::string wal = fs.Contents(kSegment);
  wal[sizes[5] + 40] ^= 1;
  fs.SetContents(kSegment, wal);
  ASSERT_TRUE(fs.CreateDir("db/parts/000000000001").ok());
  fs.SetContents("db/parts/000000000001/meta", "half a par");
  Options options = Quiet();
  options.recovery = Recovery::kSalvage;
  const std::vector<uint64_t> kept = {0, 1, 2, 3, 4, 6, 7, 8};
  for (const Options& one : {options, Quiet()}) {
    auto db = OpenDB(one, "db", &fs);
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_EQ(NumbersIn(*(*db)->GetSnapshot()), kept);
  }
}

// Merging what can be read of a damaged part would make its report, and the rest of the bytes, disappear.
TEST(CrashTest, ADamagedBlockIsNotMergedAway) {
  FaultFileSystem fs;
  std::unique_ptr<DB> db;
  WriteSome(&fs, 3, /*close=*/false, &db);
  ASSERT_TRUE(db->Flush().ok());
  for (uint64_t n = 3; n < 6; ++n) ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
  ASSERT_TRUE(db->Flush().ok());
  const auto damage_seen = [](const DB& store) {
    const auto snapshot = store.GetSnapshot();
    ScanSpec spec;
    spec.columns = {{ColumnLevel::kBuiltin, "message"}};
    auto rows = snapshot->OpenScan(spec);
    RecordBatch batch;
    while (rows.ok() && (*rows)->Next(&batch).value_or(false)) continue;
    auto samples = snapshot->OpenSeriesScan({});
    SeriesData series;
    while (samples.ok() && (*samples)->Next(&series).value_or(false)) continue;
    return !(*rows)->stats().damaged.empty() || !(*samples)->stats().damaged.empty();
  };
  for (const char* name : {"logs", "samples"}) {
    const std::string file = std::string("db/parts/000000000001/") + name, bytes = fs.Contents(file);
    int cases = 0;
    for (size_t at = 40; at < bytes.size(); at += 8) {
      const auto image = fs.KillImage();
      std::string damaged = bytes;
      damaged[at] ^= 1;
      image->SetContents(file, damaged);
      auto opened = OpenDB(Quiet(), "db", image.get());
      ASSERT_TRUE(opened.ok()) << opened.status();
      if (!(*opened)->Stats().quarantined.empty() || !damage_seen(**opened)) continue;
      ++cases;
      SCOPED_TRACE(file + " at " + std::to_string(at));
      EXPECT_TRUE(absl::IsDataLoss((*opened)->Compact()));
      EXPECT_TRUE((*opened)->Tick().ok());
      EXPECT_EQ((*opened)->Stats().parts, 2u);
      EXPECT_TRUE(damage_seen(**opened));
      EXPECT_EQ(image->Contents(file), damaged);
    }
    EXPECT_GT(cases, 3) << name;
  }
}

TEST(CrashTest, OneDamagedByteOfTheManifestIsHarmless) {
  FaultFileSystem fs;
  std::unique_ptr<DB> db;
  WriteSome(&fs, 3, /*close=*/false, &db);
  ASSERT_TRUE(db->Flush().ok());
  db = nullptr;
  const std::string manifest = fs.Contents("db/MANIFEST");
  for (size_t at = 0; at < manifest.size(); at += at < 200 || at >= 4096 ? 1 : 61) {
    std::string damaged = manifest;
    damaged[at] ^= static_cast<char>(1 << (at % 8));
    fs.SetContents("db/MANIFEST", damaged);
    auto opened = OpenDB(Quiet(), "db", &fs);
    ASSERT_TRUE(opened.ok()) << at << ": " << opened.status();
    ASSERT_EQ((*opened)->Stats().samples, 3u) << at;
  }
  std::string both = manifest;
  both[30] ^= 1;
  both[4096 + 30] ^= 1;
  fs.SetContents("db/MANIFEST", both);
  EXPECT_TRUE(absl::IsDataLoss(OpenDB(Quiet(), "db", &fs).status()));
  std::string newer = manifest;
  newer[8] = 3;
  fs.SetContents("db/MANIFEST", newer.substr(0, 4096));
  EXPECT_FALSE(OpenDB(Quiet(), "db", &fs).ok());
}

// Writes with flushes and merges between; tells which writes were acknowledged. Ends early when the store cannot open.
std::set<uint64_t> RunWorkload(FaultFileSystem* fs, bool may_read = true) {
  std::set<uint64_t> acked;
  uint64_t n = 0;
  for (int session = 0; session < 2; ++session) {
    auto db = OpenDB(Quiet(), "db", fs);
    if (!db.ok()) return acked;
    for (int i = 0; i < 6; ++i, ++n) {
      if (WriteNumbered(db->get(), n).ok()) acked.insert(n);
      if (i % 3 == 1) (*db)->Flush().IgnoreError();
    }
    (*db)->Compact().IgnoreError();
    if (WriteNumbered(db->get(), n).ok()) acked.insert(n);
    ++n;
    // What was acknowledged is visible, whatever failed (if reading itself does not).
    if (!may_read || !fs->fault_happened()) continue;
    const std::vector<uint64_t> seen = NumbersIn(*(*db)->GetSnapshot());
    EXPECT_TRUE(std::includes(seen.begin(), seen.end(), acked.begin(), acked.end()));
  }
  return acked;
}

void CheckImage(FaultFileSystem* image, const std::set<uint64_t>& acked, const std::string& what) {
  auto db = OpenDB(Quiet(), "db", image);
  ASSERT_TRUE(db.ok()) << what << ": " << db.status();
  EXPECT_TRUE((*db)->Stats().quarantined.empty()) << what;
  const std::vector<uint64_t> found = NumbersIn(*(*db)->GetSnapshot());
  EXPECT_TRUE(std::includes(found.begin(), found.end(), acked.begin(), acked.end())) << what;
  EXPECT_TRUE(WriteNumbered(db->get(), 77).ok()) << what;
}

TEST(CrashTest, AnyOperationMayFailWithoutLosingWhatWasAcknowledged) {
  FaultFileSystem clean;
  ASSERT_EQ(RunWorkload(&clean).size(), 14u);
  const uint64_t operations = clean.operations();
  // Every operation with BRAID_TEST_LONG set; else some, others each time the workload changes.
  const uint64_t step = std::getenv("BRAID_TEST_LONG") != nullptr ? 1 : 31;
  for (uint64_t at = 0; at < operations; at += step) {
    for (const auto fault : {FaultFileSystem::Fault::kOnce, FaultFileSystem::Fault::kForGood}) {
      if (fault == FaultFileSystem::Fault::kForGood && at % 4 != 0) continue;
      FaultFileSystem fs;
      const bool space = at % 3 == 0;
      fs.FailAt(at, space ? absl::ResourceExhaustedError("no space") : absl::UnavailableError("input/output error"),
                fault, /*short_write=*/at % 2 == 0);
      const std::set<uint64_t> acked = RunWorkload(&fs, fault == FaultFileSystem::Fault::kOnce);
      const std::string what = "operation " + std::to_string(at) + (space ? " no space" : " io error");
      const auto after_power_loss = fs.CrashImage();
      CheckImage(after_power_loss.get(), acked, what + ", power loss");
      const auto after_kill = fs.KillImage();
      CheckImage(after_kill.get(), acked, what + ", kill");
      if (HasFatalFailure()) return;
    }
  }
}

TEST(CrashTest, AFailedSyncMakesTheStoreReadOnlyAndIsNotTriedAgain) {
  FaultFileSystem fs;
  std::unique_ptr<DB> db;
  WriteSome(&fs, 3, /*close=*/false, &db);
  // A durable write is an append and a sync (room was taken before).
  fs.FailAt(fs.operations() + 1, absl::UnavailableError("input/output error"));
  EXPECT_TRUE(absl::IsUnavailable(WriteNumbered(db.get(), 3)));
  ASSERT_TRUE(fs.fault_happened());
  EXPECT_TRUE(absl::IsUnavailable(WriteNumbered(db.get(), 4)));
  EXPECT_TRUE(absl::IsUnavailable(db->Flush()));
  EXPECT_NE(db->Stats().read_only_reason, "");
  EXPECT_EQ(NumbersIn(*db->GetSnapshot()), FirstNumbers(3));
  for (const auto& image : {fs.KillImage(), fs.CrashImage()}) {
    auto reopened = OpenDB(Quiet(), "db", image.get());
    ASSERT_TRUE(reopened.ok()) << reopened.status();
    EXPECT_EQ(NumbersIn(*(*reopened)->GetSnapshot()), FirstNumbers(3));
  }
}

TEST(CrashTest, WhatAFailedSyncLeftUnsyncedIsWrittenAnewAtOpen) {
  FaultFileSystem fs;
  {
    auto db = OpenDB(Quiet(Durability::kBuffered), "db", &fs);
    ASSERT_TRUE(db.ok());
    ASSERT_TRUE(WriteNumbered(db->get(), 0).ok());
    fs.FailAt(fs.operations(), absl::UnavailableError("input/output error"));
    EXPECT_FALSE((*db)->Tick().ok());
    fs.ClearFaults();
  }
  {
    // The kernel still shows the write, and calls every further sync a success.
    auto db = OpenDB(Quiet(), "db", &fs);
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_EQ(NumbersIn(*(*db)->GetSnapshot()), FirstNumbers(1));
    ASSERT_TRUE(WriteNumbered(db->get(), 1).ok());
    const auto image = fs.CrashImage();
    auto reopened = OpenDB(Quiet(), "db", image.get());
    ASSERT_TRUE(reopened.ok()) << reopened.status();
    EXPECT_EQ(NumbersIn(*(*reopened)->GetSnapshot()), FirstNumbers(2));
  }
}

TEST(CrashTest, AStoreWhoseCreationFailedHalfwayIsDurableOnceItOpens) {
  for (uint64_t at = 0;; ++at) {
    FaultFileSystem fs;
    fs.FailAt(at, absl::UnavailableError("input/output error"));
    OpenDB(Quiet(), "db", &fs).status().IgnoreError();
    if (!fs.fault_happened()) break;
    fs.ClearFaults();
    auto db = OpenDB(Quiet(), "db", &fs);
    ASSERT_TRUE(db.ok()) << at << ": " << db.status();
    ASSERT_TRUE(WriteNumbered(db->get(), 0).ok());
    const auto image = fs.CrashImage();
    auto reopened = OpenDB(Quiet(), "db", image.get());
    ASSERT_TRUE(reopened.ok()) << at << ": " << reopened.status();
    EXPECT_EQ(NumbersIn(*(*reopened)->GetSnapshot()), FirstNumbers(1)) << at;
  }
}

// The directories of a new store are on disk before its manifest counts on them: a manifest that names a segment of a
// directory that is not there would look like a store that has lost its WAL.
TEST(CrashTest, PowerLossAtAnyMomentBeforeTheSecondWrite) {
  uint64_t operations = 0;
  for (uint64_t at = 0; at <= operations; ++at) {
    FaultFileSystem fs;
    fs.FailAt(at == 0 ? UINT64_MAX : at - 1, absl::UnavailableError("no power"), FaultFileSystem::Fault::kForGood);
    std::set<uint64_t> acked;
    if (auto db = OpenDB(Quiet(), "db", &fs); db.ok()) {
      if (WriteNumbered(db->get(), 0).ok()) acked.insert(0);
    }
    if (at == 0) operations = fs.operations();
    for (uint64_t seed = 0; seed < 24; ++seed) {
      CheckImage(fs.CrashImage(seed).get(), acked,
                 "operation " + std::to_string(at) + ", seed " + std::to_string(seed));
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(operations, 20u);
}

TEST(CrashTest, AFullDiskRefusesBeforeTheAckAndWritingResumes) {
  FaultFileSystem fs;
  std::unique_ptr<DB> db;
  WriteSome(&fs, 4, /*close=*/false, &db);
  fs.SetFreeBytes(100);
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = WriteNumbered(db.get(), 60 + i);
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(db->Flush()));
  EXPECT_EQ(NumbersIn(*db->GetSnapshot()), FirstNumbers(4));
  fs.SetFreeBytes(uint64_t{1} << 30);
  for (uint64_t n = 4; n < 8; ++n) ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
  ASSERT_TRUE(db->Flush().ok());
  EXPECT_EQ(NumbersIn(*db->GetSnapshot()), FirstNumbers(8));
  const auto image = fs.CrashImage();
  CheckImage(image.get(), {0, 1, 2, 3, 4, 5, 6, 7}, "full disk");
}

// A flush that fails leaves two segments behind: the one of the head that waits for it, and the one of the writes
// since. The first must be whole on disk when the second begins, or a power failure leaves a gap.
TEST(CrashTest, ASegmentIsOnDiskBeforeTheNextBegins) {
  FaultFileSystem fs;
  auto db = OpenDB(Quiet(Durability::kBuffered), "db", &fs);
  ASSERT_TRUE(db.ok());
  for (uint64_t n = 0; n < 3; ++n) ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
  fs.SetFreeBytes(0);
  ASSERT_TRUE(absl::IsResourceExhausted((*db)->Flush()));
  fs.SetFreeBytes(uint64_t{1} << 30);
  WriteOptions durable;
  durable.durability = Durability::kDurable;
  WriteBatch batch;
  AddNumbered(3, &batch);
  ASSERT_TRUE((*db)->Write(batch, durable).ok());
  CheckImage(fs.CrashImage().get(), {0, 1, 2, 3}, "power loss");
}

// What of a refused write has reached the segment must not stand at its end when the next segment begins.
TEST(CrashTest, WhatArrivedOfARefusedWriteIsCutBeforeTheNextSegment) {
  FaultFileSystem fs;
  std::unique_ptr<DB> db;
  WriteSome(&fs, 3, /*close=*/false, &db);
  fs.SetFreeBytes(100);
  ASSERT_TRUE(absl::IsResourceExhausted(WriteNumbered(db.get(), 60)));
  ASSERT_TRUE(absl::IsResourceExhausted(db->Flush()));
  fs.SetFreeBytes(uint64_t{1} << 30);
  for (uint64_t n = 3; n < 5; ++n) ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
  for (const auto& image : {fs.KillImage(), fs.CrashImage()}) CheckImage(image.get(), {0, 1, 2, 3, 4}, "refused write");
}

TEST(CrashTest, PowerLossLeavesAPrefixThatHoldsEverythingAcknowledged) {
  for (uint64_t seed = 0; seed < 80; ++seed) {
    std::mt19937_64 random(seed);
    FaultFileSystem fs;
    const bool durable = seed % 2 == 0;
    auto db = OpenDB(Quiet(durable ? Durability::kDurable : Durability::kBuffered), "db", &fs);
    ASSERT_TRUE(db.ok());
    const uint64_t count = random() % 12;
    uint64_t flushed = 0;
    for (uint64_t n = 0; n < count; ++n) {
      ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
      if (random() % 5 == 0) {
        ASSERT_TRUE((*db)->Flush().ok());
        flushed = n + 1;
      }
      if (random() % 9 == 0) {
        ASSERT_TRUE((*db)->Compact().ok());
      }
    }
    const auto image = fs.CrashImage(seed);
    auto reopened = OpenDB(Quiet(), "db", image.get());
    ASSERT_TRUE(reopened.ok()) << "seed " << seed << ": " << reopened.status();
    const std::vector<uint64_t> found = NumbersIn(*(*reopened)->GetSnapshot());
    EXPECT_EQ(found, FirstNumbers(found.size())) << "seed " << seed;
    EXPECT_GE(found.size(), durable ? count : flushed) << "seed " << seed;
    EXPECT_LE(found.size(), count) << "seed " << seed;
  }
}

TEST(CrashTest, KillLosesNothingThatIsBuffered) {
  FaultFileSystem fs;
  auto db = OpenDB(Quiet(Durability::kBuffered), "db", &fs);
  ASSERT_TRUE(db.ok());
  for (uint64_t n = 0; n < 20; ++n) ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
  const auto image = fs.KillImage();
  auto reopened = OpenDB(Quiet(), "db", image.get());
  ASSERT_TRUE(reopened.ok());
  EXPECT_EQ(NumbersIn(*(*reopened)->GetSnapshot()), FirstNumbers(20));
}

}  // namespace
}  // namespace braid
