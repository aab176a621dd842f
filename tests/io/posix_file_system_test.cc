#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "engine/base/status_macros.h"
#include "engine/io/atomic_file.h"
#include "engine/io/path.h"

namespace braid {
namespace {

class PosixFileSystemTest : public testing::Test {
 protected:
  PosixFileSystemTest() {
    std::string pattern = JoinPath(testing::TempDir(), "braid_io_XXXXXX");
    dir_ = ::mkdtemp(pattern.data());
  }
  ~PosixFileSystemTest() override { std::filesystem::remove_all(dir_); }
  std::string Path(std::string_view name) const { return JoinPath(dir_, name); }

  FileSystem* fs_ = FileSystem::Posix();
  std::string dir_;
};

TEST_F(PosixFileSystemTest, AppendsKeepsTruncates) {
  {
    auto file = fs_->OpenAppend(Path("a"), false);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Append("hello ").ok());
    ASSERT_TRUE((*file)->Preallocate(1 << 20).ok());
    ASSERT_TRUE((*file)->Append("world").ok());
    ASSERT_TRUE((*file)->Sync().ok());
    EXPECT_EQ((*file)->size(), 11u);
  }
  EXPECT_EQ(std::filesystem::file_size(Path("a")), 11u);  // preallocation does not show
  {
    auto file = fs_->OpenAppend(Path("a"), true);
    ASSERT_TRUE(file.ok());
    EXPECT_EQ((*file)->size(), 11u);
    ASSERT_TRUE((*file)->Truncate(5).ok());
    ASSERT_TRUE((*file)->Append("!").ok());
  }
  EXPECT_EQ(*ReadFile(fs_, Path("a"), 100), "hello!");
  { ASSERT_TRUE(fs_->OpenAppend(Path("a"), false).ok()); }
  EXPECT_EQ(*ReadFile(fs_, Path("a"), 100), "");
}

TEST_F(PosixFileSystemTest, ReadsOnlyWhatIsThere) {
  ASSERT_TRUE(WriteFileAtomically(fs_, Path("a"), "0123456789").ok());
  auto file = fs_->OpenRead(Path("a"));
  ASSERT_TRUE(file.ok());
  std::string bytes;
  ASSERT_TRUE((*file)->Read(3, 4, &bytes).ok());
  EXPECT_EQ(bytes, "3456");
  ASSERT_TRUE((*file)->Read(8, size_t{1} << 60, &bytes).ok());
  EXPECT_EQ(bytes, "89");
  ASSERT_TRUE((*file)->Read(UINT64_MAX, 1, &bytes).ok());
  EXPECT_EQ(bytes, "");
  EXPECT_EQ(ReadFile(fs_, Path("a"), 9).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(PosixFileSystemTest, DirectoriesAndErrors) {
  ASSERT_TRUE(fs_->CreateDir(Path("d")).ok());
  ASSERT_TRUE(fs_->CreateDir(Path("d")).ok());
  ASSERT_TRUE(WriteFileAtomically(fs_, Path("d/y"), "1").ok());
  ASSERT_TRUE(WriteFileAtomically(fs_, Path("d/x"), "2").ok());
  EXPECT_EQ(*fs_->List(Path("d")), (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(*fs_->IsDirectory(Path("d")));
  EXPECT_FALSE(*fs_->IsDirectory(Path("d/x")));
  EXPECT_FALSE(fs_->RemoveDir(Path("d")).ok());
  EXPECT_FALSE(fs_->CreateDir(Path("d/x")).ok());
  ASSERT_TRUE(fs_->Remove(Path("d/x")).ok());
  ASSERT_TRUE(fs_->Remove(Path("d/y")).ok());
  ASSERT_TRUE(fs_->RemoveDir(Path("d")).ok());
  for (const absl::Status& status :
       {fs_->List(Path("none")).status(), fs_->OpenRead(Path("none")).status(), fs_->Remove(Path("none")),
        fs_->IsDirectory(Path("none")).status(), fs_->Rename(Path("none"), Path("b")), fs_->SyncDir(Path("none"))}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_NE(Str(status.message()).find("none"), std::string_view::npos);
  }
  EXPECT_GT(*fs_->FreeBytes(dir_), 0u);
}

TEST_F(PosixFileSystemTest, AtomicFileLeavesNothingBeside) {
  ASSERT_TRUE(WriteFileAtomically(fs_, Path("m"), "one").ok());
  ASSERT_TRUE(WriteFileAtomically(fs_, Path("m"), "two").ok());
  EXPECT_EQ(*ReadFile(fs_, Path("m"), 10), "two");
  EXPECT_EQ(*fs_->List(dir_), (std::vector<std::string>{"m"}));
  EXPECT_FALSE(WriteFileAtomically(fs_, Path("no/m"), "x").ok());
}

TEST_F(PosixFileSystemTest, RemovingTheLockFileLetsNobodyIn) {
  auto lock = fs_->Lock(Path("LOCK"), "first");
  ASSERT_TRUE(lock.ok()) << lock.status();
  for (int attempt = 0; attempt < 2; ++attempt) {
    ASSERT_TRUE(fs_->Remove(Path("LOCK")).ok());
    const absl::Status refused = fs_->Lock(Path("LOCK"), "second").status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(refused.message().find("was removed"), absl::string_view::npos) << refused;
  }
  lock->reset();
  EXPECT_TRUE(fs_->Lock(Path("LOCK"), "third").ok());
}

TEST_F(PosixFileSystemTest, LockIsExclusiveInAndAcrossProcesses) {
  auto lock = fs_->Lock(Path("LOCK"), "pid 1 of test");
  ASSERT_TRUE(lock.ok()) << lock.status();
  const absl::Status refused = fs_->Lock(Path("LOCK"), "other").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(Str(refused.message()).find("pid 1 of test"), std::string_view::npos);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(fs_->Lock(Path("LOCK"), "child").ok() ? 1 : 0);
  int result = -1;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
  lock->reset();
  EXPECT_TRUE(fs_->Lock(Path("LOCK"), "next").ok());
}

TEST(PathTest, JoinsAndSplits) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(DirName("a/b"), "a");
  EXPECT_EQ(DirName("/b"), "/");
  EXPECT_EQ(DirName("b"), ".");
  EXPECT_EQ(BaseName("a/b"), "b");
  EXPECT_EQ(BaseName("b"), "b");
}

}  // namespace
}  // namespace braid
