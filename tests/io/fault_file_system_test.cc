#include "tests/support/fault_file_system.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/base/status_macros.h"
#include "engine/io/atomic_file.h"

namespace braid {
namespace {

absl::Status Append(FileSystem* fs, const std::string& path, std::string_view bytes, bool sync) {
  ASSIGN_OR_RETURN(auto file, fs->OpenAppend(path, true));
  RETURN_IF_ERROR(file->Append(bytes));
  return sync ? file->Sync() : absl::OkStatus();
}

TEST(FaultFileSystemTest, CrashKeepsSyncedBytesOfSyncedEntriesAlone) {
  FaultFileSystem fs;
  ASSERT_TRUE(fs.CreateDir("/d").ok());
  ASSERT_TRUE(fs.SyncDir("/").ok());
  ASSERT_TRUE(Append(&fs, "/d/both", "kept", true).ok());
  ASSERT_TRUE(Append(&fs, "/d/bytes_not_synced", "lost", false).ok());
  ASSERT_TRUE(fs.SyncDir("/d").ok());
  ASSERT_TRUE(Append(&fs, "/d/both", " and lost", false).ok());
  ASSERT_TRUE(Append(&fs, "/d/entry_not_synced", "x", true).ok());
  EXPECT_EQ(fs.Contents("/d/both"), "kept and lost");
  const auto image = fs.CrashImage();
  EXPECT_EQ(*image->List("/d"), (std::vector<std::string>{"both", "bytes_not_synced"}));
  EXPECT_EQ(image->Contents("/d/both"), "kept");
  EXPECT_EQ(image->Contents("/d/bytes_not_synced"), "");
  EXPECT_EQ(fs.KillImage()->Contents("/d/entry_not_synced"), "x");
}

TEST(FaultFileSystemTest, RenameAndRemoveNeedTheDirectorySynced) {
  FaultFileSystem fs;
  ASSERT_TRUE(Append(&fs, "a", "new", true).ok());
  ASSERT_TRUE(Append(&fs, "b", "old", true).ok());
  ASSERT_TRUE(fs.SyncDir(".").ok());
  ASSERT_TRUE(fs.Rename("a", "b").ok());
  EXPECT_EQ(fs.CrashImage()->Contents("b"), "old");
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const auto image = fs.CrashImage(seed);
    seen.insert(image->Contents("b"));
    // A rename happens whole or not at all.
    EXPECT_EQ(image->Contents("a"), image->Contents("b") == "old" ? "new" : "");
  }
  EXPECT_EQ(seen, (std::set<std::string>{"new", "old"}));
  ASSERT_TRUE(fs.SyncDir(".").ok());
  EXPECT_EQ(fs.CrashImage()->Contents("b"), "new");
  ASSERT_TRUE(fs.Remove("b").ok());
  EXPECT_EQ(fs.CrashImage()->Files(), (std::vector<std::string>{"b"}));
  ASSERT_TRUE(fs.SyncDir(".").ok());
  EXPECT_TRUE(fs.CrashImage()->Files().empty());
}

TEST(FaultFileSystemTest, SeededCrashesTearWrites) {
  FaultFileSystem fs;
  ASSERT_TRUE(Append(&fs, "w", "0123", true).ok());
  ASSERT_TRUE(fs.SyncDir("/").ok());
  ASSERT_TRUE(Append(&fs, "w", "4567", false).ok());
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const std::string content = fs.CrashImage(seed)->Contents("w");
    EXPECT_EQ(std::string("01234567").substr(0, content.size()), content);
    seen.insert(content);
    EXPECT_EQ(fs.CrashImage(seed)->Contents("w"), content);  // a seed always tells the same
  }
  EXPECT_EQ(seen, (std::set<std::string>{"0123", "01234", "012345", "0123456", "01234567"}));
}

TEST(FaultFileSystemTest, FailsOnceOrForGood) {
  FaultFileSystem fs;
  fs.FailAt(1, absl::UnavailableError("EIO"), FaultFileSystem::Fault::kOnce, /*short_write=*/true);
  auto file = fs.OpenAppend("f", false);
  EXPECT_EQ((*file)->Append("abcdef").code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(fs.fault_happened());
  EXPECT_EQ(fs.Contents("f"), "abc");
  EXPECT_EQ((*file)->size(), 0u);
  EXPECT_TRUE((*file)->Append("xy").ok());  // written over what the failed one left
  EXPECT_EQ(fs.Contents("f"), "xyc");
  fs.FailAt(fs.operations(), absl::UnavailableError("EIO"), FaultFileSystem::Fault::kForGood);
  EXPECT_FALSE((*file)->Sync().ok());
  EXPECT_FALSE(fs.List("/").ok());
  fs.ClearFaults();
  EXPECT_TRUE(fs.SyncDir("/").ok());
  EXPECT_TRUE((*file)->Sync().ok());
  EXPECT_EQ(fs.CrashImage()->Contents("f"), "");  // the failed sync lost them for good
  EXPECT_EQ(fs.log().front(), "open f");
  EXPECT_EQ(fs.log()[1], "append f 6 FAILED");
}

TEST(FaultFileSystemTest, RunsOutOfSpaceAndLocks) {
  FaultFileSystem fs;
  fs.SetFreeBytes(4);
  auto file = fs.OpenAppend("f", false);
  EXPECT_TRUE((*file)->Append("abc").ok());
  EXPECT_EQ((*file)->Append("def").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(fs.Contents("f"), "abcd");
  EXPECT_EQ((*file)->Preallocate(1).code(), absl::StatusCode::kResourceExhausted);
  auto lock = fs.Lock("LOCK", "me");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(fs.Lock("LOCK", "you").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(fs.KillImage()->Lock("LOCK", "you").ok());
  lock->reset();
  EXPECT_TRUE(fs.Lock("LOCK", "you").ok());
}

// The promise of WriteFileAtomically, at every operation and every kind of crash: old or new, and new once it said OK.
TEST(FaultFileSystemTest, AtomicFileIsOldOrNewAfterEveryFaultAndCrash) {
  for (uint64_t at = 0;; ++at) {
    FaultFileSystem fs;
    ASSERT_TRUE(WriteFileAtomically(&fs, "m", "old").ok());
    fs.FailAt(fs.operations() + at, absl::UnavailableError("EIO"), FaultFileSystem::Fault::kForGood, true);
    const absl::Status status = WriteFileAtomically(&fs, "m", "new content");
    fs.ClearFaults();
    for (uint64_t seed = 0; seed < 50; ++seed) {
      const std::string content = (seed == 0 ? fs.CrashImage() : fs.CrashImage(seed))->Contents("m");
      EXPECT_TRUE(content == "new content" || (!status.ok() && content == "old")) << at << ": " << content;
    }
    if (!fs.fault_happened()) {
      EXPECT_TRUE(status.ok());
      EXPECT_GE(at, 5u);
      break;
    }
    EXPECT_FALSE(status.ok());
  }
}

}  // namespace
}  // namespace braid
