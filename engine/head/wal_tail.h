// Following the end of a WAL that another process writes to. Nothing on disk is changed.
//
// Threads: one at a time, who is also the head's writer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/head/head.h"
#include "engine/head/wal_reader.h"
#include "engine/io/file_system.h"

namespace braid {

// How far a WAL was read.
struct WalTail {
  uint64_t segment = 0;                   // 0 = none yet
  uint64_t offset = 0;                    // of the first record that was not read
  bool ended = false;                     // the segment has its end mark
  std::unique_ptr<WalReplayer> replayer;  // of the segment
  uint64_t last_sequence = 0;
};

struct WalTailSpec {
  FileSystem* fs = nullptr;
  std::string dir;
  uint64_t store = 0;
  uint64_t first_segment = 0;
};

// Applies what was appended since to `*head`. False: it cannot be followed from here, because segments have gone or do
// not continue what was read; then the store has to be read anew. A record that is not whole yet is left for later.
absl::StatusOr<bool> FollowWal(const WalTailSpec& spec, Head* head, WalTail* tail, uint64_t* batches);

}  // namespace braid
