// Each kind of file of a store cut, emptied, deleted, without permission, or replaced by a directory, a link, a pipe:
// the store opens, refuses with a reason, or sets aside; quickly, and without touching what is sound.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/db/open.h"
#include "tests/support/sample_store.h"
#include "tests/support/scratch_dir.h"

namespace braid {
namespace {

namespace stdfs = std::filesystem;

Options Quiet(bool read_only = false) {
  Options options;
  options.background_work = false;
  options.read_only = read_only;
  return options;
}

class AnyFileTest : public testing::Test {
 protected:
  void SetUp() override {
    stdfs::permissions(scratch_.path(), stdfs::perms::all);
    auto db = DB::Open(Quiet(), Path().string());
    ASSERT_TRUE(db.ok()) << db.status();
    auto store = WriteSampleStore(db->get(), 6);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    whole_ = AnswerOf(store_.All());
    ASSERT_TRUE((*db)->Close().ok());
    *db = nullptr;
    stdfs::copy(Path(), scratch_.path() / "copy", stdfs::copy_options::recursive);
    for (const auto& entry : stdfs::recursive_directory_iterator(Path())) {
      if (entry.is_regular_file()) files_.push_back(stdfs::relative(entry.path(), Path()).string());
    }
    std::sort(files_.begin(), files_.end());
    ASSERT_GT(files_.size(), 15u);
  }

  stdfs::path Path() const { return scratch_.path() / "db"; }
  void Restore() {
    stdfs::remove_all(Path());
    stdfs::copy(scratch_.path() / "copy", Path(), stdfs::copy_options::recursive);
  }

  // Opens the store as it is, read-only and for writing, and asks it for everything.
  void Check(const std::string& file, const std::string& what) {
    SCOPED_TRACE(file + " " + what);
    ::alarm(60);  // it must not hang
    for (const bool read_only : {true, false}) {
      auto db = DB::Open(Quiet(read_only), Path().string());
      if (!db.ok()) {
        EXPECT_FALSE(db.status().message().empty());
        EXPECT_FALSE(absl::IsInternal(db.status())) << db.status();
        // A file of a part never keeps the store from opening.
        EXPECT_FALSE(file.starts_with("parts/")) << db.status();
        EXPECT_NE(db.status().ToString().find(Path().string()), std::string::npos) << "no path: " << db.status();
        continue;
      }
      const StoreAnswer found = AnswerOf(*(*db)->GetSnapshot());
      if (Difference(whole_, found).empty()) continue;
      EXPECT_EQ(Altered(store_, whole_, found), "");
      EXPECT_TRUE(!(*db)->Stats().quarantined.empty() || !found.damaged.empty() || (*db)->Stats().torn_bytes > 0)
          << "missing without a word: " << Difference(whole_, found);
    }
    ::alarm(0);
  }

  ScratchDir scratch_;
  SampleStore store_;
  StoreAnswer whole_;
  std::vector<std::string> files_;
};

TEST_F(AnyFileTest, WhateverBecomesOfAFile) {
  struct Fate {
    const char* what;
    std::function<void(const stdfs::path&)> befall;
  };
  const std::vector<Fate> fates = {
      {"is empty", [](const stdfs::path& file) { stdfs::resize_file(file, 0); }},
      {"lost its last byte",
       [](const stdfs::path& file) { stdfs::resize_file(file, std::max<uint64_t>(stdfs::file_size(file), 1) - 1); }},
      {"is half as long", [](const stdfs::path& file) { stdfs::resize_file(file, stdfs::file_size(file) / 2); }},
      {"is longer, with zeros",
       [](const stdfs::path& file) { stdfs::resize_file(file, stdfs::file_size(file) + 5000); }},
      {"is very long, with zeros", [](const stdfs::path& file) { stdfs::resize_file(file, uint64_t{200} << 20); }},
      {"is deleted", [](const stdfs::path& file) { stdfs::remove(file); }},
      {"is a directory",
       [](const stdfs::path& file) {
         stdfs::remove(file);
         stdfs::create_directory(file);
         std::ofstream(file / "inside") << "x";
       }},
      {"is a link to itself",
       [](const stdfs::path& file) {
         stdfs::remove(file);
         stdfs::create_symlink(file.filename(), file);
       }},
      {"is a link to nothing",
       [](const stdfs::path& file) {
         stdfs::remove(file);
         stdfs::create_symlink("nowhere", file);
       }},
      {"is a link to the store",
       [](const stdfs::path& file) {
         stdfs::remove(file);
         stdfs::create_symlink(file.parent_path(), file);
       }},
      {"is a pipe",
       [](const stdfs::path& file) {
         stdfs::remove(file);
         ::mkfifo(file.c_str(), 0644);
       }},
      {"is a device without end",
       [](const stdfs::path& file) {
         stdfs::remove(file);
         stdfs::create_symlink("/dev/zero", file);
       }},
      {"is another file",
       [](const stdfs::path& file) { stdfs::resize_file(file, 0), std::ofstream(file) << "a letter to my aunt\n"; }},
  };
  uint64_t cases = 0;
  for (const std::string& file : files_) {
    for (const Fate& fate : fates) {
      fate.befall(Path() / file);
      Check(file, fate.what);
      Restore();
      ++cases;
    }
  }
  // Whole directories, too.
  for (const char* directory : {"wal", "parts", "parts/000000000001"}) {
    for (const int kind : {0, 1, 2}) {
      stdfs::remove_all(Path() / directory);
      if (kind == 1) std::ofstream(Path() / directory) << "a file";
      if (kind == 2) ::mkfifo((Path() / directory).c_str(), 0644);
      SCOPED_TRACE(directory);
      ::alarm(60);
      for (const bool read_only : {true, false}) {
        auto db = DB::Open(Quiet(read_only), Path().string());
        if (db.ok()) {
          EXPECT_EQ(Altered(store_, whole_, AnswerOf(*(*db)->GetSnapshot())), "");
        } else {
          EXPECT_FALSE(absl::IsInternal(db.status())) << db.status();
        }
      }
      ::alarm(0);
      Restore();
      ++cases;
    }
  }
  std::printf("%llu files and directories replaced\n", static_cast<unsigned long long>(cases));
}

// As a user to whom a file is forbidden. Root, to whom nothing is, becomes nobody for it.
TEST_F(AnyFileTest, WithoutPermissionItSaysSoAndSetsNothingAside) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0) {
      for (const auto& entry : stdfs::recursive_directory_iterator(scratch_.path())) {
        if (::chown(entry.path().c_str(), 65534, 65534) != 0) ::_exit(2);
      }
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    }
    int failed = 0;
    for (const std::string& file : files_) {
      const bool is_lock = file == "LOCK";
      if (::chmod((Path() / file).c_str(), 0) != 0) ::_exit(2);
      const auto before = std::distance(stdfs::recursive_directory_iterator(Path()), {});
      const absl::Status status = DB::Open(Quiet(), Path().string()).status();
      const auto after = std::distance(stdfs::recursive_directory_iterator(Path()), {});
      // Indexes are read when a query wants them.
      const bool is_index = file.ends_with(".index");
      if (!is_index && !absl::IsPermissionDenied(status)) {
        std::fprintf(stderr, "%s forbidden: %s\n", file.c_str(), status.ToString().c_str());
        ++failed;
      }
      if (!is_index && !is_lock && before != after) {
        std::fprintf(stderr, "%s forbidden: files have come or gone\n", file.c_str());
        ++failed;
      }
      if (::chmod((Path() / file).c_str(), 0644) != 0) ::_exit(2);
    }
    for (const char* directory : {"", "wal", "parts", "parts/000000000001"}) {
      const stdfs::path path = Path() / directory;
      if (::chmod(path.c_str(), 0) != 0) ::_exit(2);
      for (const bool read_only : {true, false}) {
        const absl::Status status = DB::Open(Quiet(read_only), Path().string()).status();
        if (absl::IsPermissionDenied(status) && status.ToString().find(Path().string()) != std::string::npos) continue;
        std::fprintf(stderr, "directory '%s' forbidden: %s\n", directory, status.ToString().c_str());
        ++failed;
      }
      if (::chmod(path.c_str(), 0755) != 0) ::_exit(2);
    }
    auto db = DB::Open(Quiet(), Path().string());
    if (!db.ok() || !Difference(whole_, AnswerOf(*(*db)->GetSnapshot())).empty()) ++failed;
    ::_exit(failed == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

// In a mount namespace of its own, so that nobody else sees the mount; it ends with the process.
TEST_F(AnyFileTest, OnAReadOnlyMountItSaysSoAndCanBeRead) {
  constexpr int kCannotMount = 77;
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string path = Path().string();
    if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ::_exit(kCannotMount);
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0 ||
        ::mount(nullptr, path.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) !=
            0) {
      ::_exit(kCannotMount);
    }
    int failed = 0;
    const auto expect = [&](const absl::Status& status, const std::string& word) {
      const std::string text = status.ToString();
      if (absl::IsPermissionDenied(status) && text.find(path) != std::string::npos &&
          text.find("Read-only file system") != std::string::npos && text.find(word) != std::string::npos) {
        return;
      }
      std::fprintf(stderr, "%s\n", text.c_str());
      ++failed;
    };
    expect(DB::Open(Quiet(), path).status(), "open it read-only?");
    expect(DB::Open(Quiet(), path + "/new").status(), "new");
    auto db = DB::Open(Quiet(/*read_only=*/true), path);
    if (!db.ok() || !Difference(whole_, AnswerOf(*(*db)->GetSnapshot())).empty()) {
      std::fprintf(stderr, "reading: %s\n", db.status().ToString().c_str());
      ++failed;
    }
    ::_exit(failed == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == kCannotMount) GTEST_SKIP() << "this process may not mount";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace braid
