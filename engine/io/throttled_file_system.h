// A file system that writes no faster than it is told to, for work that can wait.
//
// Threads: as FileSystem; all files share the rate. Ownership: `fs` outlives it and its files.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/status_macros.h"
#include "engine/io/file_system.h"

namespace braid {

class ThrottledFileSystem : public FileSystem {
 public:
  ThrottledFileSystem(FileSystem* fs, uint64_t bytes_per_second) : fs_(fs), bytes_per_second_(bytes_per_second) {}

  absl::StatusOr<std::unique_ptr<AppendFile>> OpenAppend(const std::string& path, bool keep) override {
    ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file, fs_->OpenAppend(path, keep));
    return std::make_unique<File>(std::move(file), this);
  }
  absl::StatusOr<std::unique_ptr<RandomReadFile>> OpenRead(const std::string& path) override {
    return fs_->OpenRead(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override { return fs_->List(dir); }
  absl::Status CreateDir(const std::string& dir) override { return fs_->CreateDir(dir); }
  absl::Status Rename(const std::string& from, const std::string& to) override { return fs_->Rename(from, to); }
  absl::Status Link(const std::string& from, const std::string& to) override { return fs_->Link(from, to); }
  absl::Status Remove(const std::string& path) override { return fs_->Remove(path); }
  absl::Status RemoveDir(const std::string& dir) override { return fs_->RemoveDir(dir); }
  absl::Status SyncDir(const std::string& dir) override { return fs_->SyncDir(dir); }
  absl::StatusOr<uint64_t> FreeBytes(const std::string& dir) override { return fs_->FreeBytes(dir); }
  absl::StatusOr<bool> IsDirectory(const std::string& path) override { return fs_->IsDirectory(path); }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path, const std::string& owner) override {
    return fs_->Lock(path, owner);
  }

 private:
  using Clock = std::chrono::steady_clock;

  class File : public AppendFile {
   public:
    File(std::unique_ptr<AppendFile> file, ThrottledFileSystem* owner) : file_(std::move(file)), owner_(owner) {}
    absl::Status Append(std::string_view bytes) override {
      owner_->Await(bytes.size());
      return file_->Append(bytes);
    }
    absl::Status Sync() override { return file_->Sync(); }
    absl::Status Preallocate(uint64_t bytes) override { return file_->Preallocate(bytes); }
    absl::Status Truncate(uint64_t size) override { return file_->Truncate(size); }
    uint64_t size() const override { return file_->size(); }

   private:
    const std::unique_ptr<AppendFile> file_;
    ThrottledFileSystem* const owner_;
  };

  // Sleeps until what was written before has had its time.
  void Await(uint64_t bytes) {
    Clock::time_point start;
    {
      std::lock_guard lock(mutex_);
      start = std::max(next_, Clock::now());
      next_ = start + std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(bytes) * 1e9 /
                                                                    static_cast<double>(bytes_per_second_)));
    }
    std::this_thread::sleep_until(start);
  }

  FileSystem* const fs_;
  const uint64_t bytes_per_second_;
  std::mutex mutex_;
  Clock::time_point next_{};
};

}  // namespace braid
