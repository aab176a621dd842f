// A file system that tells of each moment before, within and after every call that changes something on disk, by a name
// such as "flush: before sync part logs". What is told decides what happens: nothing, or the end of the process.
//
// Threads: as those of the file system underneath; `told` is called in the thread that makes the call.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/io/file_system.h"

namespace braid {

class FailpointFileSystem : public FileSystem {
 public:
  using Told = std::function<void(const std::string& failpoint)>;
  // `root` is the directory of the store: names of places are taken relative to it.
  FailpointFileSystem(FileSystem* base, std::string root, Told told)
      : base_(base), root_(std::move(root)), told_(std::move(told)) {}

  // The first word of the names from now on: what the store is doing.
  void SetActivity(std::string activity) { activity_ = std::move(activity); }

  absl::StatusOr<std::unique_ptr<AppendFile>> OpenAppend(const std::string& path, bool keep) override;
  absl::StatusOr<std::unique_ptr<RandomReadFile>> OpenRead(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override;
  absl::Status CreateDir(const std::string& dir) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Link(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveDir(const std::string& dir) override;
  absl::Status SyncDir(const std::string& dir) override;
  absl::StatusOr<uint64_t> FreeBytes(const std::string& dir) override;
  absl::StatusOr<bool> IsDirectory(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path, const std::string& owner) override;

  // "wal segment", "part logs.index", "manifest", ...: what a path of the store is.
  std::string PlaceOf(const std::string& path) const;
  void Tell(const char* when, const char* verb, const std::string& path) const;

 private:
  template <typename Call>
  auto Around(const char* verb, const std::string& path, const Call& call) const {
    Tell("before", verb, path);
    auto result = call();
    Tell("after", verb, path);
    return result;
  }

  FileSystem* const base_;
  const std::string root_;
  const Told told_;
  std::string activity_ = "open";
};

}  // namespace braid
