// Reads the bytes of a file or of standard input, and tells how far it is.
//
// Threads: one thread. Errors: NotFound, PermissionDenied, InvalidArgument (a directory), Unavailable; each names the
// path.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace braid {

class FileReader {
 public:
  // "-" is standard input.
  static absl::StatusOr<std::unique_ptr<FileReader>> Open(const std::string& path);
  FileReader(std::string path, int fd, uint64_t size) : path_(std::move(path)), fd_(fd), size_(size) {}
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  ~FileReader();

  // Up to `size` bytes into `buffer`; 0 at the end.
  absl::StatusOr<size_t> Read(char* buffer, size_t size);
  absl::StatusOr<std::string> ReadAll();
  uint64_t position() const { return position_; }
  uint64_t size() const { return size_; }  // 0 if unknown

 private:
  std::string path_;
  int fd_;
  uint64_t size_;
  uint64_t position_ = 0;
};

}  // namespace braid
