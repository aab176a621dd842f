// Replaying the WAL into a head when a store is opened, and deciding what damage means.
//
// Torn: damaged bytes at the end of the last segment that were never said to be on disk. They are cut and counted.
// Corrupt: any other damage, because a later record, or a later segment, proves that those bytes were on disk once.
//
// Threads: one call at a time per store. Errors: DataLoss (kRefuse) names segment and offset; FailedPrecondition for a
// newer format; the file system's own.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "braid/options.h"
#include "engine/head/head.h"
#include "engine/head/wal_tail.h"
#include "engine/io/file_system.h"

namespace braid {

struct WalRecoverySpec {
  FileSystem* fs = nullptr;
  std::string dir;
  std::string quarantine_dir;
  uint64_t store = 0;
  uint64_t first_segment = 0;     // older ones are leftovers
  uint64_t flushed_sequence = 0;  // the last commit that is in parts
  uint64_t last_segment = 0;      // the newest that the manifest knows; its header is on disk
  Recovery mode = Recovery::kRefuse;
  bool read_only = false;  // change nothing on disk
};

struct WalRecoveryResult {
  uint64_t last_sequence = 0;
  uint64_t next_segment = 0;  // a number never used before
  uint64_t batches = 0;
  uint64_t torn_bytes = 0;
  std::vector<std::string> set_aside;  // what was copied to quarantine, and why
  // The head holds what the segments as they stand do not replay to: it must reach a part before they are read again.
  bool must_flush = false;
  std::vector<std::pair<uint64_t, uint64_t>> segments;  // number and size of those that are kept
  WalTail tail;                                         // how far it was read, for those who follow it
};

absl::StatusOr<WalRecoveryResult> RecoverWal(const WalRecoverySpec& spec, Head* head);

}  // namespace braid
