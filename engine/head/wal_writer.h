// Writing one segment of the WAL. A segment can be read alone: labels and streams are written in it when it first needs
// them, and then referred to by number.
//
//   commit  := varint(series defined before) varint(streams defined before) varint(count) batch*
//   batch   := varint(count) ref(labels)* varint(count) ref(stream)* bytes(body)        (grammar: write_batch.cc)
//   ref(x)  := varint(number + 1) | 0 bytes(x)      the latter defines x and gives it the segment's next number
//
// Threads: one at a time. Errors: ResourceExhausted = no space, and the segment is as it was before; after any other
// error the segment is not to be written again (broken() says why).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/head/head.h"
#include "engine/head/wal_format.h"
#include "engine/io/file_system.h"

namespace braid {

class WalWriter {
 public:
  // Creates the segment and makes its name durable.
  static absl::StatusOr<std::unique_ptr<WalWriter>> Create(FileSystem* fs, const std::string& dir, uint64_t store,
                                                           uint64_t segment, uint64_t first_sequence);

  // A batch with its series and streams in the numbers of `head`.
  struct Entry {
    const Head::Resolved* resolved;
    std::string_view body;
  };
  // Writes the batches as one record: after a crash all of them are there or none.
  absl::Status AppendCommit(uint64_t sequence, const std::vector<Entry>& batches, Head* head);
  // Says that nothing follows and all before is on disk, so that damage to the last commit can be told from a torn one.
  absl::Status AppendEnd(uint64_t sequence);
  // Makes all that was appended durable. A failure is final; `cut_to_synced` then also takes back what was not durable,
  // as far as the file system still can: no caller was told that it was written.
  absl::Status Sync(bool cut_to_synced);

  uint64_t segment() const { return segment_; }
  uint64_t size() const { return file_->size(); }
  bool synced() const { return synced_ == file_->size() && !cut_; }
  const absl::Status& broken() const { return broken_; }

 private:
  WalWriter(std::unique_ptr<AppendFile> file, uint64_t store, uint64_t segment)
      : file_(std::move(file)), store_(store), segment_(segment) {}
  absl::Status AppendRecord(uint64_t sequence, WalRecordKind kind, std::string_view plain);
  void EncodeCommit(const std::vector<Entry>& batches, Head* head, std::vector<WalPlace*>* defined);

  const std::unique_ptr<AppendFile> file_;
  const uint64_t store_;
  const uint64_t segment_;
  uint32_t series_defined_ = 0;
  uint32_t streams_defined_ = 0;
  uint64_t synced_ = 0;
  bool cut_ = false;  // bytes of a failed append were taken back; until a sync a power failure may bring them back
  uint64_t preallocated_ = 0;
  absl::Status broken_;
  std::string plain_;
  std::string record_;
};

}  // namespace braid
