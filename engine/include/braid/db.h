// A DB is one directory that keeps metrics, logs and traces together: one WAL, one snapshot, atomic across the three.
//
// Threads: every method may be called from many threads at once.
// Ownership: the caller owns the DB; snapshots taken from it may outlive it.
// Errors: InvalidArgument = the caller, DataLoss = the disk, ResourceExhausted / Unavailable = limits,
// FailedPrecondition = in use, read-only or a newer format, Internal = a bug of Braid's.
// Running out of memory is ResourceExhausted too, and leaves the store intact, or read-only until it is opened again if
// the WAL was written already; calls without a Status (here, of a Snapshot and of a WriteBatch) throw std::bad_alloc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/delete_spec.h"
#include "braid/options.h"
#include "braid/snapshot.h"
#include "braid/write_batch.h"

namespace braid {

struct DBStats {
  uint64_t samples = 0;  // stored now, head and parts; duplicates not yet folded count
  uint64_t series = 0;   // distinct label sets, head and parts
  uint64_t exemplars = 0;
  uint64_t logs = 0;
  uint64_t spans = 0;
  uint64_t parts = 0;
  uint64_t part_bytes = 0;
  uint64_t wal_bytes = 0;
  uint64_t head_bytes = 0;       // memory
  uint64_t batches_written = 0;  // since Open
  uint64_t wal_syncs = 0;
  uint64_t flushes = 0;
  uint64_t merges = 0;
  uint64_t part_bytes_written = 0;              // by flushes and merges, since Open
  uint64_t deletes_pending = 0;                 // deletes that some part has still to be read through
  uint64_t replayed_batches = 0;                // by Open
  uint64_t torn_bytes = 0;                      // cut from the end of the WAL by Open
  uint64_t reserve_bytes = 0;                   // kept back for a full disk
  std::vector<std::string> quarantined;         // "part <name>: why", and WAL ranges set aside, by this Open
  std::vector<std::string> quarantined_before;  // the same by earlier ones: what still lies in quarantine/
  std::string read_only_reason;                 // not empty once a failed write has made the store read-only
};

class DB {
 public:
  // Opens or creates the store at `path`, replays its WAL, sets damaged parts aside. FailedPrecondition if another
  // process has it open for writing (the message names its pid) or it was written by a newer format.
  static absl::StatusOr<std::unique_ptr<DB>> Open(const Options& options, const std::string& path);

  virtual ~DB() = default;  // closes; an unflushed head stays in the WAL

  // Writes the batch: whole or not at all, durable as Options says, visible to every snapshot taken after it returned.
  virtual absl::Status Write(const WriteBatch& batch, const WriteOptions& options) = 0;
  absl::Status Write(const WriteBatch& batch) { return Write(batch, WriteOptions()); }
  // Sees every Write that returned before, and no batch in part.
  virtual std::shared_ptr<const Snapshot> GetSnapshot() const = 0;
  // Moves the head to a part and waits for it.
  virtual absl::Status Flush() = 0;
  // Does the due background work (flush, merge, retention) in this thread. For background_work = false.
  virtual absl::Status Tick() = 0;
  // Merges all parts into one. Long: reads and writes the whole store.
  virtual absl::Status Compact() = 0;
  // Deletes what any of the specs chooses of all that was written before the call; what is written later stays, even if
  // it is the same. Durable when it returns, all of it or nothing; no snapshot taken afterwards shows any of it. The
  // bytes go as merges rewrite the parts, which background work (or Tick) does for the sake of deletes alone too. Moves
  // the head to a part first. InvalidArgument for a bad spec (then nothing is deleted); ResourceExhausted while more
  // than 1,000 deletes wait for merges; FailedPrecondition for a store without a path.
  virtual absl::Status Delete(const std::vector<DeleteSpec>& specs) = 0;
  // Copies the store to `target` while it is in use; as BackupStore (braid/backup.h).
  virtual absl::Status Backup(const std::string& target) = 0;
  // Of a store that was opened read-only: lets later snapshots see what its writer has acknowledged meanwhile. Cheap
  // where little was written since. A store that is written to here sees everything anyway.
  virtual absl::Status Refresh() = 0;
  virtual DBStats Stats() const = 0;
  // Stops background work and releases the directory. Later calls answer FailedPrecondition.
  virtual absl::Status Close() = 0;
};

}  // namespace braid
