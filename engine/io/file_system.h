// The engine's only way to the disk. Tests put a fault-injecting implementation in its place.
//
// Threads: a FileSystem may be used by many threads; a file object by one at a time, but RandomReadFile::Read by many.
// Errors: NotFound, ResourceExhausted (ENOSPC, EDQUOT), PermissionDenied, InvalidArgument (no regular file where one is
// needed), else Unavailable; every message names the path and errno's text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace braid {

// Appends to one file. Nothing is buffered here: when Append returns the bytes are with the kernel.
class AppendFile {
 public:
  virtual ~AppendFile() = default;  // closes without syncing
  virtual absl::Status Append(std::string_view bytes) = 0;
  virtual absl::Status Sync() = 0;                       // fdatasync: bytes and size are on disk
  virtual absl::Status Preallocate(uint64_t bytes) = 0;  // room beyond the end, without changing the size's meaning
  virtual absl::Status Truncate(uint64_t size) = 0;
  virtual uint64_t size() const = 0;  // bytes appended, not what was preallocated
};

class RandomReadFile {
 public:
  virtual ~RandomReadFile() = default;
  // Reads up to `size` bytes at `offset` into `*bytes`; fewer only at the end of the file.
  virtual absl::Status Read(uint64_t offset, size_t size, std::string* bytes) const = 0;
  virtual uint64_t size() const = 0;
};

// Held as long as the object lives.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Creates the file or truncates it. With `keep` the bytes stand and appending goes on at the end.
  virtual absl::StatusOr<std::unique_ptr<AppendFile>> OpenAppend(const std::string& path, bool keep) = 0;
  virtual absl::StatusOr<std::unique_ptr<RandomReadFile>> OpenRead(const std::string& path) = 0;
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& dir) = 0;  // names, sorted, no dots
  virtual absl::Status CreateDir(const std::string& dir) = 0;                         // also if it is there already
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // A second name of a file that will not change again. An error of any kind may mean that it has to be copied.
  virtual absl::Status Link(const std::string& from, const std::string& to) {
    return absl::UnimplementedError("link " + from + " to " + to);
  }
  virtual absl::Status Remove(const std::string& path) = 0;    // a file
  virtual absl::Status RemoveDir(const std::string& dir) = 0;  // an empty directory
  virtual absl::Status SyncDir(const std::string& dir) = 0;    // entries of the directory are on disk
  virtual absl::StatusOr<uint64_t> FreeBytes(const std::string& dir) = 0;
  virtual absl::StatusOr<bool> IsDirectory(const std::string& path) = 0;  // NotFound if there is nothing
  // An exclusive lock on the file, which is created, and where the file system can on its directory; its content
  // becomes `owner`. FailedPrecondition, naming the owner that is written there, if another process (or handle) holds
  // it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path, const std::string& owner) = 0;

  static FileSystem* Posix();  // the real one; lives for ever
};

}  // namespace braid
