// Reading one segment of the WAL, damaged or not.
//
// Threads: one at a time. Errors: only what the file system answers; damage is not an error here but a finding.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/head/head.h"
#include "engine/head/wal_format.h"
#include "engine/io/file_system.h"

namespace braid {

struct WalRecord {
  uint64_t offset = 0;
  uint64_t end = 0;  // of the record in the file
  WalRecordHeader header;
  std::string plain;  // payload, decompressed
};

class WalReader {
 public:
  // Takes the file's size now as its end.
  static absl::StatusOr<std::unique_ptr<WalReader>> Open(FileSystem* fs, const std::string& path);

  uint64_t size() const { return file_->size(); }
  // False if the segment's header is damaged.
  absl::StatusOr<bool> ReadHeader(WalSegmentHeader* header);
  // What the records' checksums are seeded with.
  void SetPlace(uint64_t store, uint64_t segment) {
    store_ = store;
    segment_ = segment;
  }
  // False, and `*why`, if no valid record stands at `offset`.
  absl::StatusOr<bool> ReadRecord(uint64_t offset, WalRecord* record, std::string* why);
  // The first valid record at or behind `from` whose sequence is at least `sequence`; false if there is none.
  absl::StatusOr<bool> FindRecord(uint64_t from, uint64_t sequence, WalRecord* record);

 private:
  explicit WalReader(std::unique_ptr<RandomReadFile> file) : file_(std::move(file)) {}
  // A view of the bytes, shorter only at the end of the file. Valid until the next call.
  absl::StatusOr<std::string_view> View(uint64_t offset, size_t size);

  const std::unique_ptr<RandomReadFile> file_;
  uint64_t store_ = 0;
  uint64_t segment_ = 0;
  uint64_t window_offset_ = 0;
  std::string window_;
};

// Turns the commits of one segment back into batches of a head, in the order of the segment.
class WalReplayer {
 public:
  // With `allow_gaps` definitions may be missing, and commits that need them are refused.
  WalReplayer(Head* head, bool allow_gaps) : head_(head), allow_gaps_(allow_gaps) {}
  // Applies and publishes the whole commit, or nothing. DataLoss says what is wrong with it.
  absl::Status Apply(std::string_view commit, uint64_t* batches);

 private:
  struct Batch {
    Head::Resolved resolved;
    std::string_view body;
  };
  absl::Status Decode(std::string_view commit, std::vector<Batch>* batches);

  Head* const head_;
  const bool allow_gaps_;
  std::vector<uint32_t> series_;  // number in the head of each defined in the segment
  std::vector<uint32_t> streams_;
};

}  // namespace braid
