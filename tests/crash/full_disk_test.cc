// A real full disk: a small file system of its own, in a process of its own. Only root may mount one.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "engine/db/open.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/case_count.h"
#include "tests/support/scratch_dir.h"

namespace braid {
namespace {

namespace stdfs = std::filesystem;

// Checks of the child: it says what failed on stderr, and ends with 1.
#define CHILD_CHECK(condition)                                             \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      return 1;                                                            \
    }                                                                      \
  } while (false)

absl::Status WriteSeveral(DB* db, uint64_t* number) {
  WriteBatch batch;
  for (uint64_t i = 0; i < 60; ++i) AddNumbered(*number + i, &batch);
  const absl::Status status = db->Write(batch);
  if (status.ok()) *number += 60;
  return status;
}

// Takes what room is left but for a few pages.
void Fill(const stdfs::path& filler) {
  const int fd = ::open(filler.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  const std::string page(4096, 'x');
  while (::write(fd, page.data(), page.size()) > 0) {
  }
  ::close(fd);
}

int LiveOnASmallDisk(const stdfs::path& mount, uint64_t megabytes) {
  CHILD_CHECK(::unshare(CLONE_NEWNS) == 0);
  CHILD_CHECK(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
  const std::string size = "size=" + std::to_string(megabytes) + "m";
  CHILD_CHECK(::mount("braid_test", mount.c_str(), "tmpfs", 0, size.c_str()) == 0);
  // Some of it is taken from the start, so that the rest is soon full.
  const stdfs::path ballast = mount / "ballast";
  const int fd = ::open(ballast.c_str(), O_WRONLY | O_CREAT, 0644);
  CHILD_CHECK(fd >= 0 && ::posix_fallocate(fd, 0, static_cast<off_t>(megabytes) * 5 / 12 << 20) == 0);
  ::close(fd);
  Options options;
  options.flush_bytes_max = 1 << 20;
  uint64_t number = 0;
  auto db = DB::Open(options, (mount / "db").string());
  CHILD_CHECK(db.ok());
  for (int i = 0; i < 20; ++i) CHILD_CHECK(WriteSeveral(db->get(), &number).ok());
  for (int round = 0; round < 3; ++round) {
    if (round == 0) {
      // The store itself fills the disk.
      absl::Status status;
      while (status.ok()) status = WriteSeveral(db->get(), &number);
      std::fprintf(stderr, "full after %llu records: %s\n", static_cast<unsigned long long>(number),
                   status.ToString().c_str());
      CHILD_CHECK(absl::IsResourceExhausted(status));
    }
    Fill(mount / "filler");
    // Room that the WAL took ahead is used up first.
    uint64_t refused = 0;
    for (int i = 0; i < 20'000 && refused < 20; ++i) {
      const absl::Status status = WriteSeveral(db->get(), &number);
      CHILD_CHECK(status.ok() || absl::IsResourceExhausted(status));
      if (!status.ok()) ++refused;
    }
    CHILD_CHECK(refused == 20);
    CHILD_CHECK((*db)->Stats().read_only_reason.empty());
    CHILD_CHECK((*db)->Flush().ok() || (*db)->Stats().read_only_reason.empty());
    CHILD_CHECK((*db)->Stats().samples == number);  // reads go on, and nothing refused is there
    if (round == 0) {
      // More room: the store was all that filled the disk.
      const std::string more = "size=" + std::to_string(megabytes * 2) + "m";
      CHILD_CHECK(::mount("braid_test", mount.c_str(), "tmpfs", MS_REMOUNT, more.c_str()) == 0);
    }
    stdfs::remove(mount / "filler");
    // Writing resumes by itself, within five seconds.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    absl::Status status = WriteSeveral(db->get(), &number);
    while (!status.ok() && std::chrono::steady_clock::now() < until) {
      CHILD_CHECK(absl::IsResourceExhausted(status));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      status = WriteSeveral(db->get(), &number);
    }
    CHILD_CHECK(status.ok());
  }
  // Opened on a full disk, it can be read, and what was acknowledged is there.
  Fill(mount / "filler");
  CHILD_CHECK((*db)->Close().ok() || true);
  *db = nullptr;
  db = DB::Open(options, (mount / "db").string());
  if (!db.ok()) std::fprintf(stderr, "%s\n", db.status().ToString().c_str());
  CHILD_CHECK(db.ok());
  CHILD_CHECK((*db)->Stats().samples == number);
  stdfs::remove(mount / "filler");
  CHILD_CHECK(NumbersIn(*(*db)->GetSnapshot()).size() == number);
  CHILD_CHECK(!testing::Test::HasFailure());
  return 0;
}

TEST(FullDiskTest, ARealFullDiskRefusesAndWritingResumes) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount a small file system";
  const ScratchDir scratch;
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(300);
    ::_exit(LiveOnASmallDisk(scratch.path(), std::max<uint64_t>(CaseCount("FULL_DISK_MB", 12), 12)));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace braid
