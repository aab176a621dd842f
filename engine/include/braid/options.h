// Options of a DB. Each has a unit, a default and a reason.
#pragma once

#include <cstdint>
#include <optional>

#include "braid/types.h"

namespace braid {

enum class Durability : uint8_t {
  kDurable,   // Write returns after fdatasync of the WAL: survives power loss
  kBuffered,  // Write returns once the WAL bytes are with the kernel: survives kill -9, loses at most 1 s at power loss
  kMemory,    // no WAL: everything since the last flush is lost when the process ends
};

// What Open does when the WAL is damaged in its middle (valid records follow damaged bytes). A torn tail is never an
// error: it is cut, counted and reported.
enum class Recovery : uint8_t {
  kRefuse,       // Open answers DataLoss with segment and offset
  kPointInTime,  // keep what stands before the damage, set the rest aside in quarantine/
  kSalvage,      // also keep every later record that checks
};

struct Options {
  bool create_if_missing = true;
  // No lock, and nothing is changed on disk: for any number of reading processes beside the writing one. Sees all that
  // was acknowledged when it was opened, and at each DB::Refresh.
  bool read_only = false;
  Durability durability = Durability::kDurable;
  Recovery recovery = Recovery::kRefuse;

  // Memory of the head at which it is flushed to a part. Bounds memory and replay time. What series take by themselves
  // (about 500 bytes each) counts only beyond four times this, so that many series do not mean many flushes.
  uint64_t flush_bytes_max = uint64_t{64} << 20;
  // Age of the oldest record in the head at which it is flushed. Bounds the WAL of a quiet store.
  Duration flush_age_max = 2 * 3600 * kSecond;
  // Parts whose newest record is older than the newest record of the store by more than this are removed. 0 = keep.
  Duration retention = 0;
  // Parts and WAL together may take so many bytes; beyond it the oldest parts are removed, whatever signals they hold.
  // Merges need up to an eighth of it besides for a moment. 0 = no limit.
  uint64_t disk_bytes_max = 0;
  // What heads, and queries that keep to it, may take together: the head is flushed at an eighth of it if that is less
  // than flush_bytes_max. 0 = no limit.
  uint64_t memory_bytes_max = 0;
  // Room kept back in the file RESERVE, from which flushes, deletes, retention and merges go on when the disk is full.
  // While it cannot be kept, writes are refused (ResourceExhausted). 0 = none.
  uint64_t reserve_bytes = 0;
  // What merges in the background may write per second, so that they leave the disk to others. 0 = no limit.
  uint64_t merge_bytes_per_second_max = 0;
  // How long a commit may wait for others to share its fdatasync, at most 5 ms. 0 = only those that are already waiting
  // share.
  Duration group_commit_window = 0;
  // Flush and merge in a thread of the DB's own. false: only Flush() and Tick() do that work, in the caller's thread.
  bool background_work = true;
};

// Of one Write.
struct WriteOptions {
  // Instead of Options::durability. kBuffered and kDurable are possible wherever there is a WAL.
  std::optional<Durability> durability;
};

}  // namespace braid
