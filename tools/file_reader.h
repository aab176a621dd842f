// Reads a file or standard input as plain bytes, whatever it is compressed with (gzip and zstd are told by their first
// bytes, not by the name).
//
// Threads: one thread. Errors: NotFound, PermissionDenied, DataLoss for damaged compressed data.
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
  virtual ~FileReader() = default;

  // Appends the next plain bytes (some 256 KB) to `*bytes`; false at the end.
  virtual absl::StatusOr<bool> Read(std::string* bytes) = 0;
  // Of the file as stored, for progress. `file_size` is 0 if unknown.
  virtual uint64_t file_position() const = 0;
  virtual uint64_t file_size() const = 0;
};

}  // namespace braid
