// Copies, readers beside the writer, budgets, durability of single writes, full disks.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "braid/backup.h"
#include "braid/inspect.h"
#include "engine/db/compaction.h"
#include "engine/db/open.h"
#include "engine/db/store_copy.h"
#include "engine/io/throttled_file_system.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/case_count.h"
#include "tests/support/fault_file_system.h"

namespace braid {
namespace {

namespace stdfs = std::filesystem;

Options Quiet(bool read_only = false) {
  Options options;
  options.background_work = false;
  options.read_only = read_only;
  return options;
}

std::unique_ptr<DB> MustOpen(const Options& options, FileSystem* fs, const std::string& path = "db") {
  auto db = OpenDB(options, path, fs);
  EXPECT_TRUE(db.ok()) << db.status();
  return db.ok() ? *std::move(db) : nullptr;
}

class RealDirTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = stdfs::path(::testing::TempDir()) / ("braid_lifecycle_" + std::to_string(::getpid()));
    stdfs::remove_all(root_);
    stdfs::create_directory(root_);
  }
  void TearDown() override { stdfs::remove_all(root_); }
  std::string At(const std::string& name) const { return (root_ / name).string(); }

  stdfs::path root_;
};

using BackupTest = RealDirTest;

TEST_F(BackupTest, WhileWritersWriteAndMergesRun) {
  Options options;
  options.flush_bytes_max = 64 << 10;
  options.durability = Durability::kBuffered;
  auto db = MustOpen(options, FileSystem::Posix(), At("db"));
  std::atomic<uint64_t> acknowledged{0};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t n = 0; !stop; ++n) {
      ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
      acknowledged = n + 1;
    }
  });
  absl::Cleanup end_writer = [&] {
    stop = true;
    writer.join();
  };
  // BRAID_TEST_BACKUPS=n   (3)
  const uint64_t copies = std::max<uint64_t>(CaseCount("BACKUPS", 3), 3);
  for (uint64_t copy = 0; copy < copies; ++copy) {
    const uint64_t at_least = acknowledged + 300;
    while (acknowledged < at_least) std::this_thread::yield();
    const uint64_t before = acknowledged;
    const std::string target = At("copy" + std::to_string(copy));
    // Through the DB, and as another process would.
    const absl::Status status = copy % 2 == 0 ? db->Backup(target) : BackupStore(At("db"), target);
    const uint64_t after = acknowledged + 1;
    ASSERT_TRUE(status.ok()) << status;
    const auto report = VerifyStore(target, nullptr);
    ASSERT_TRUE(report.ok() && report->problems.empty()) << (report.ok() ? report->problems[0] : "");
    const std::string restored = At("restored" + std::to_string(copy));
    ASSERT_TRUE(RestoreStore(target, restored, nullptr).ok());
    auto store = MustOpen(Quiet(), FileSystem::Posix(), restored);
    const auto numbers = NumbersIn(*store->GetSnapshot());
    EXPECT_EQ(numbers, FirstNumbers(numbers.size()));
    EXPECT_GE(numbers.size(), before);
    EXPECT_LE(numbers.size(), after);
    // The copy goes on by itself.
    EXPECT_TRUE(WriteNumbered(store.get(), numbers.size()).ok());
    store = nullptr;
    stdfs::remove_all(target);
    stdfs::remove_all(restored);
  }
  std::printf("%llu backups of %llu writes\n", static_cast<unsigned long long>(copies),
              static_cast<unsigned long long>(acknowledged.load()));
}

TEST_F(BackupTest, RefusesWhatItWouldOverwriteAndWhatIsDamaged) {
  auto db = MustOpen(Quiet(), FileSystem::Posix(), At("db"));
  for (uint64_t n = 0; n < 10; ++n) ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
  stdfs::create_directory(root_ / "full");
  std::ofstream(root_ / "full" / "x") << "x";
  EXPECT_TRUE(absl::IsFailedPrecondition(db->Backup(At("full"))));
  EXPECT_TRUE(absl::IsFailedPrecondition(db->Backup(At("db"))));
  EXPECT_TRUE(absl::IsNotFound(BackupStore(At("full"), At("none"))));
  for (const char* inside : {"db", "db/copy", "db/wal/copy", "full/../db/./copy"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(BackupStore(At("db"), At(inside)))) << inside;
  }
  EXPECT_FALSE(std::filesystem::exists(At("db/copy")));
  EXPECT_FALSE(stdfs::exists(root_ / "none"));
  ASSERT_TRUE(db->Backup(At("copy")).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(RestoreStore(At("copy"), At("db"), nullptr)));
  EXPECT_TRUE(absl::IsFailedPrecondition(RestoreStore(At("copy"), At("full"), nullptr)));
  // Files of parts are links, and stay when the store merges them away.
  struct stat info;
  ASSERT_EQ(::stat(At("copy/parts/000000000001/meta").c_str(), &info), 0);
  EXPECT_EQ(info.st_nlink, 2u);
  ASSERT_TRUE(WriteNumbered(db.get(), 10).ok());
  ASSERT_TRUE(db->Flush().ok());
  ASSERT_TRUE(db->Compact().ok());
  ASSERT_TRUE(RestoreStore(At("copy"), At("again"), nullptr).ok());
  auto again = MustOpen(Quiet(), FileSystem::Posix(), At("again"));
  EXPECT_EQ(NumbersIn(*again->GetSnapshot()), FirstNumbers(10));

  const std::string file = At("copy/parts/000000000001/logs");
  stdfs::resize_file(file, stdfs::file_size(file) - 1);
  const absl::Status status = RestoreStore(At("copy"), At("bad"), nullptr);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.ToString().find("000000000001"), std::string::npos) << status;
  EXPECT_FALSE(stdfs::exists(root_ / "bad"));
}

// When a part is listed it has just been merged into another and half of its files are gone.
class MergedAway : public ThrottledFileSystem {
 public:
  explicit MergedAway(FileSystem* fs) : ThrottledFileSystem(fs, uint64_t{1} << 40) {}
  DB* db = nullptr;

  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    if (dir.starts_with("db/parts/") && db != nullptr) {
      DB* const merging = std::exchange(db, nullptr);
      removals_left_ = 1;
      EXPECT_TRUE(merging->Compact().ok());
      removals_left_ = -1;
    }
    return ThrottledFileSystem::List(dir);
  }
  absl::Status Remove(const std::string& path) override {
    if (path.starts_with("db/parts/") && removals_left_ >= 0 && removals_left_-- == 0) {
      removals_left_ = 0;
      return absl::UnavailableError("not yet");
    }
    return ThrottledFileSystem::Remove(path);
  }

 private:
  int removals_left_ = -1;
};

TEST(StoreCopyTest, APartThatIsBeingRemovedIsNotTakenForWhole) {
  FaultFileSystem memory;
  MergedAway fs(&memory);
  auto db = MustOpen(Quiet(), &fs);
  for (uint64_t n = 0; n < 6; ++n) {
    ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
    if (n % 2 == 1) {
      ASSERT_TRUE(db->Flush().ok());
    }
  }
  fs.db = db.get();
  ASSERT_TRUE(CopyStore(&fs, "db", "copy", /*link=*/true).ok());
  EXPECT_EQ(fs.db, nullptr) << "no part was copied";
  auto copy = MustOpen(Quiet(), &memory, "copy");
  EXPECT_EQ(NumbersIn(*copy->GetSnapshot()), FirstNumbers(6));
}

TEST(StoreCopyTest, ACopyWhoseAnyOperationFailsIsNoStore) {
  for (uint64_t fail = 0;; ++fail) {
    FaultFileSystem fs;
    auto db = MustOpen(Quiet(), &fs);
    for (uint64_t n = 0; n < 6; ++n) {
      ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
      if (n == 3) {
        ASSERT_TRUE(db->Flush().ok());
      }
    }
    fs.FailAt(fs.operations() + fail, absl::UnavailableError("injected"));
    const absl::Status status = CopyStore(&fs, "db", "copy", /*link=*/true);
    const bool happened = fs.fault_happened();
    fs.ClearFaults();
    // After a power failure too: an acknowledged copy is whole, any other is no store, or is whole as well.
    auto image = fs.CrashImage();
    auto copy = OpenDB(Quiet(/*read_only=*/true), "copy", image.get());
    if (status.ok()) {
      ASSERT_TRUE(copy.ok()) << fail << copy.status();
    }
    if (copy.ok()) {
      EXPECT_EQ(NumbersIn(*(*copy)->GetSnapshot()), FirstNumbers(6)) << fail;
    }
    EXPECT_EQ(NumbersIn(*db->GetSnapshot()), FirstNumbers(6));
    if (!happened) break;
  }
}

TEST(FollowTest, ARefreshShowsWhatWasAcknowledged) {
  FaultFileSystem fs;
  auto writer = MustOpen(Quiet(), &fs);
  ASSERT_TRUE(WriteNumbered(writer.get(), 0).ok());
  auto reader = MustOpen(Quiet(/*read_only=*/true), &fs);
  uint64_t next = 1;
  for (int step = 0; step < 200; ++step) {
    const auto old = reader->GetSnapshot();
    const uint64_t shown = next;
    switch (step * 7 % 11) {
      case 1:
      case 2: ASSERT_TRUE(writer->Flush().ok()); break;
      case 3: ASSERT_TRUE(writer->Compact().ok()); break;
      case 4:
        ASSERT_TRUE(writer->Flush().ok());
        ASSERT_TRUE(WriteNumbered(writer.get(), next++).ok());
        ASSERT_TRUE(writer->Flush().ok());
        ASSERT_TRUE(writer->Compact().ok());
        break;
      case 5:
        // The writer goes and comes back, after a clean end or not.
        writer = nullptr;
        writer = MustOpen(Quiet(), &fs);
        break;
      default: ASSERT_TRUE(WriteNumbered(writer.get(), next++).ok());
    }
    ASSERT_TRUE(reader->Refresh().ok()) << step;
    EXPECT_EQ(NumbersIn(*reader->GetSnapshot()), FirstNumbers(next)) << step;
    EXPECT_EQ(NumbersIn(*old), FirstNumbers(shown)) << step;
    if (HasFailure()) return;
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(WriteNumbered(reader.get(), 1)));
  EXPECT_TRUE(writer->Refresh().ok());
}

TEST(FollowTest, ARefreshWithoutNewsReadsLittle) {
  FaultFileSystem fs;
  auto writer = MustOpen(Quiet(), &fs);
  for (uint64_t n = 0; n < 200; ++n) ASSERT_TRUE(WriteNumbered(writer.get(), n).ok());
  ASSERT_TRUE(writer->Flush().ok());
  for (uint64_t n = 200; n < 400; ++n) ASSERT_TRUE(WriteNumbered(writer.get(), n).ok());
  auto reader = MustOpen(Quiet(/*read_only=*/true), &fs);
  ASSERT_TRUE(WriteNumbered(writer.get(), 400).ok());
  const uint64_t replayed = reader->Stats().replayed_batches;
  ASSERT_TRUE(reader->Refresh().ok());
  EXPECT_EQ(reader->Stats().replayed_batches, replayed + 1);
  EXPECT_EQ(NumbersIn(*reader->GetSnapshot()), FirstNumbers(401));
}

// Readers in processes of their own, beside a writer that flushes and merges all the time: each sees at least what was
// acknowledged before it opened, and a prefix.
TEST_F(RealDirTest, ManyReadingProcesses) {
  int acknowledged_pipe[2];
  ASSERT_EQ(::pipe(acknowledged_pipe), 0);
  const std::string path = At("db");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(acknowledged_pipe[0]);
    Options options;
    options.flush_bytes_max = 64 << 10;
    options.durability = Durability::kBuffered;
    auto db = DB::Open(options, path);
    if (!db.ok()) ::_exit(1);
    for (uint64_t n = 0;; ++n) {
      if (!WriteNumbered(db->get(), n).ok()) ::_exit(2);
      if (::write(acknowledged_pipe[1], "x", 1) != 1) ::_exit(3);
    }
  }
  ::close(acknowledged_pipe[1]);
  uint64_t acknowledged = 0;
  auto take = [&](uint64_t until) {
    char bytes[4096];
    while (acknowledged < until) {
      const ssize_t got = ::read(acknowledged_pipe[0], bytes, std::min<uint64_t>(sizeof(bytes), until - acknowledged));
      if (got <= 0) return false;
      acknowledged += static_cast<uint64_t>(got);
    }
    return true;
  };
  std::unique_ptr<DB> follower;
  for (int round = 0; round < 15; ++round) {
    ASSERT_TRUE(take(acknowledged + 150)) << "the writer ended";
    const uint64_t before = acknowledged;
    auto reader = DB::Open(Quiet(/*read_only=*/true), path);
    ASSERT_TRUE(reader.ok()) << reader.status();
    auto numbers = NumbersIn(*(*reader)->GetSnapshot());
    EXPECT_EQ(numbers, FirstNumbers(numbers.size()));
    EXPECT_GE(numbers.size(), before);
    if (follower == nullptr) {
      follower = *std::move(reader);
      continue;
    }
    ASSERT_TRUE(follower->Refresh().ok());
    const auto snapshot = follower->GetSnapshot();
    numbers = NumbersIn(*snapshot);
    EXPECT_EQ(numbers, FirstNumbers(numbers.size()));
    EXPECT_GE(numbers.size(), before);
    EXPECT_TRUE(follower->Stats().quarantined.empty());
    // Its parts may be merged away by now; the snapshot can still be read, with indexes that nobody has looked at yet.
    ASSERT_TRUE(take(acknowledged + 150));
    EXPECT_EQ(NumbersIn(*snapshot), numbers);
  }
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself: " << WEXITSTATUS(status);
  ::close(acknowledged_pipe[0]);
}

TEST(BudgetTest, TheOldestPartsGoFirstWhateverTheySignal) {
  const auto entry = [](uint64_t id, uint64_t bytes, Timestamp end) {
    PartEntry part;
    part.id = id;
    part.bytes = bytes;
    part.time = {0, end};
    return part;
  };
  const std::vector<PartEntry> parts = {entry(1, 10, 30), entry(2, 20, 10), entry(3, 30, 20), entry(4, 40, 40)};
  EXPECT_TRUE(PickOverBudget(parts, 5, 0).empty());
  EXPECT_TRUE(PickOverBudget(parts, 5, 105).empty());
  EXPECT_EQ(PickOverBudget(parts, 5, 104), (std::vector<size_t>{1}));
  EXPECT_EQ(PickOverBudget(parts, 5, 84), (std::vector<size_t>{1, 2}));
  EXPECT_EQ(PickOverBudget(parts, 200, 100).size(), 4u);
}

TEST(BudgetTest, PartsAndWalStayBelowTheLimit) {
  FaultFileSystem fs;
  Options options = Quiet();
  options.disk_bytes_max = 100 << 10;
  auto db = MustOpen(options, &fs);
  uint64_t n = 0;
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(WriteNumbered(db.get(), n++).ok());
    ASSERT_TRUE(db->Flush().ok());
    ASSERT_TRUE(db->Tick().ok());
    const DBStats stats = db->Stats();
    EXPECT_LE(stats.part_bytes + stats.wal_bytes, options.disk_bytes_max) << round;
  }
  const auto numbers = NumbersIn(*db->GetSnapshot());
  ASSERT_FALSE(numbers.empty());
  EXPECT_GT(numbers.front(), 0u);
  EXPECT_EQ(numbers.back(), n - 1);
  EXPECT_EQ(numbers.size(), n - numbers.front());
}

TEST(DurabilityTest, ARequestMayAskForLessOrMore) {
  FaultFileSystem fs;
  auto db = MustOpen(Quiet(), &fs);
  WriteBatch batch;
  AddNumbered(0, &batch);
  ASSERT_TRUE(db->Write(batch).ok());
  const uint64_t syncs = db->Stats().wal_syncs;
  WriteOptions buffered, durable, memory;
  buffered.durability = Durability::kBuffered;
  durable.durability = Durability::kDurable;
  memory.durability = Durability::kMemory;
  batch.Clear();
  AddNumbered(1, &batch);
  ASSERT_TRUE(db->Write(batch, buffered).ok());
  EXPECT_EQ(db->Stats().wal_syncs, syncs);
  // Killed, it is there; after a power failure it need not be.
  auto killed = fs.KillImage();
  EXPECT_EQ(NumbersIn(*MustOpen(Quiet(), killed.get())->GetSnapshot()), FirstNumbers(2));
  auto crashed = fs.CrashImage();
  EXPECT_EQ(NumbersIn(*MustOpen(Quiet(), crashed.get())->GetSnapshot()), FirstNumbers(1));
  batch.Clear();
  AddNumbered(2, &batch);
  ASSERT_TRUE(db->Write(batch, durable).ok());
  EXPECT_EQ(db->Stats().wal_syncs, syncs + 1);
  crashed = fs.CrashImage();
  EXPECT_EQ(NumbersIn(*MustOpen(Quiet(), crashed.get())->GetSnapshot()), FirstNumbers(3));
  EXPECT_TRUE(absl::IsInvalidArgument(db->Write(batch, memory)));
  Options slow = Quiet();
  slow.group_commit_window = 6 * kMillisecond;
  EXPECT_TRUE(absl::IsInvalidArgument(OpenDB(slow, "other", &fs).status()));
}

TEST(DurabilityTest, WhatIsBufferedIsSyncedInTheBackground) {
  FaultFileSystem fs;
  Options options;
  options.durability = Durability::kBuffered;
  auto db = MustOpen(options, &fs);
  ASSERT_TRUE(WriteNumbered(db.get(), 0).ok());
  const uint64_t syncs = db->Stats().wal_syncs;
  ASSERT_TRUE(WriteNumbered(db.get(), 1).ok());
  // Nobody writes any more.
  while (db->Stats().wal_syncs == syncs) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  auto crashed = fs.CrashImage();
  EXPECT_EQ(NumbersIn(*MustOpen(Quiet(), crashed.get())->GetSnapshot()), FirstNumbers(2));
}

TEST(FullDiskTest, TheReserveLetsDataBeRemovedAndWritingResumes) {
  FaultFileSystem fs;
  Options options = Quiet();
  options.reserve_bytes = 1 << 20;
  auto db = MustOpen(options, &fs);
  EXPECT_EQ(db->Stats().reserve_bytes, options.reserve_bytes);
  for (uint64_t n = 0; n < 50; ++n) ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
  ASSERT_TRUE(db->Flush().ok());
  for (uint64_t n = 50; n < 60; ++n) ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
  fs.SetFreeBytes(0);
  absl::Status status;
  uint64_t next = 60;
  for (; next < 10'000; ++next) {
    status = WriteNumbered(db.get(), next);
    if (!status.ok()) break;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(NumbersIn(*db->GetSnapshot()), FirstNumbers(next));
  // From here on what is needed comes out of the reserve: the file system gives back what removed files took.
  fs.SetFreeBytes(options.reserve_bytes);
  DeleteSpec spec;
  spec.time = {TimeOf(0), TimeOf(39)};
  ASSERT_TRUE(db->Delete({spec}).ok());
  fs.SetFreeBytes(uint64_t{1} << 30);
  // The reserve comes back by itself, and then writes do.
  for (int tries = 0; tries < 300; ++tries) {
    ASSERT_TRUE(db->Tick().ok());
    status = WriteNumbered(db.get(), next);
    if (status.ok()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(db->Stats().reserve_bytes, options.reserve_bytes);
}

TEST_F(RealDirTest, WhatWasSetAsideIsMentionedUntilItIsTakenAway) {
  auto db = MustOpen(Quiet(), FileSystem::Posix(), At("db"));
  for (uint64_t n = 0; n < 4; ++n) {
    ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
    if (n < 2) {
      ASSERT_TRUE(db->Flush().ok());
    }
  }
  db = nullptr;
  // A file of a part has become a directory.
  stdfs::remove(root_ / "db/parts/000000000001/logs");
  stdfs::create_directory(root_ / "db/parts/000000000001/logs");
  db = MustOpen(Quiet(), FileSystem::Posix(), At("db"));
  ASSERT_NE(db, nullptr);
  EXPECT_EQ(NumbersIn(*db->GetSnapshot()), (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(db->Stats().quarantined.size(), 1u);
  db = nullptr;
  for (const bool read_only : {true, false}) {
    db = MustOpen(Quiet(read_only), FileSystem::Posix(), At("db"));
    EXPECT_TRUE(db->Stats().quarantined.empty());
    ASSERT_EQ(db->Stats().quarantined_before.size(), 1u);
    EXPECT_NE(db->Stats().quarantined_before[0].find("part-000000000001: "), std::string::npos);
    EXPECT_NE(db->Stats().quarantined_before[0].find("regular file"), std::string::npos);
  }
  EXPECT_EQ(VerifyStore(At("db"), nullptr)->set_aside.size(), 1u);
  db = nullptr;

  // The only WAL segment is gone.
  for (const auto& entry : stdfs::directory_iterator(root_ / "db/wal")) stdfs::remove(entry.path());
  EXPECT_FALSE(VerifyStore(At("db"), nullptr)->problems.empty());
  for (const bool read_only : {true, false}) {
    db = MustOpen(Quiet(read_only), FileSystem::Posix(), At("db"));
    ASSERT_EQ(db->Stats().quarantined.size(), 1u);
    EXPECT_NE(db->Stats().quarantined[0].find("missing"), std::string::npos) << db->Stats().quarantined[0];
    EXPECT_EQ(NumbersIn(*db->GetSnapshot()), std::vector<uint64_t>{1});
    db = nullptr;
  }
  db = MustOpen(Quiet(), FileSystem::Posix(), At("db"));
  EXPECT_TRUE(db->Stats().quarantined.empty());
  EXPECT_EQ(db->Stats().quarantined_before.size(), 2u);
  ASSERT_TRUE(WriteNumbered(db.get(), 5).ok());
  db = nullptr;
  stdfs::remove_all(root_ / "db/quarantine");
  db = MustOpen(Quiet(), FileSystem::Posix(), At("db"));
  EXPECT_TRUE(db->Stats().quarantined_before.empty());
  EXPECT_EQ(NumbersIn(*db->GetSnapshot()), (std::vector<uint64_t>{1, 5}));
}

TEST(MergeTest, BackgroundMergesKeepToTheirRate) {
  FaultFileSystem fs;
  Options options = Quiet();
  options.merge_bytes_per_second_max = 400 << 10;
  auto db = MustOpen(options, &fs);
  for (uint64_t n = 0; n < 40; ++n) {
    ASSERT_TRUE(WriteNumbered(db.get(), n).ok());
    if (n % 10 == 9) {
      ASSERT_TRUE(db->Flush().ok());
    }
  }
  const uint64_t flushed = db->Stats().part_bytes_written;
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(db->Compact().ok());
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const uint64_t merged = db->Stats().part_bytes_written - flushed;
  ASSERT_GT(merged, 0u);
  // The last write need not wait for its own time to pass.
  EXPECT_GT(took * static_cast<double>(options.merge_bytes_per_second_max), static_cast<double>(merged) * 0.4);
  EXPECT_EQ(NumbersIn(*db->GetSnapshot()), FirstNumbers(40));
}

}  // namespace
}  // namespace braid
