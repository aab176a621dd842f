// The DB: group commit into the WAL and the head, flush and merge behind it, snapshots of both.
//
// Locks, in the order in which they are taken:
//   flush_mutex_     one flush at a time
//   merge_mutex_     one merge or retention step at a time
//   manifest_mutex_  one change of the list of parts at a time
//   commit_mutex_    the WAL segment and the writer's side of the active head; held by the leader of a group
//   mutex_           what snapshots see: parts, frozen head, active head; and counters. Never held over IO.
// queue_mutex_ stands alone. No thread waits for another's work while it holds commit_mutex_ or mutex_.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "braid/db.h"
#include "engine/db/manifest.h"
#include "engine/db/snapshot_impl.h"
#include "engine/head/batch_reader.h"
#include "engine/head/head.h"
#include "engine/head/wal_recovery.h"
#include "engine/head/wal_writer.h"
#include "engine/io/file_system.h"
#include "engine/part/part.h"

namespace braid {

struct LivePart {
  PartEntry entry;
  std::shared_ptr<const Part> part;
};

class DBImpl : public DB {
 public:
  DBImpl(const Options& options, std::string path, FileSystem* fs)
      : options_(options), path_(std::move(path)), fs_(fs), active_(std::make_shared<Head>()) {}
  ~DBImpl() override { Close().IgnoreError(); }

  absl::Status Open();  // once, before anything else (db_open.cc)

  absl::Status Write(const WriteBatch& batch) override;
  std::shared_ptr<const Snapshot> GetSnapshot() const override;
  absl::Status Flush() override;
  absl::Status Tick() override;
  absl::Status Compact() override;
  DBStats Stats() const override;
  absl::Status Close() override;

 private:
  struct Writer {
    const BatchView* batch;
    absl::Status status;
    bool done = false;
    std::condition_variable wake;
  };
  using Clock = std::chrono::steady_clock;

  // db_open.cc
  absl::Status OpenFiles();
  absl::Status OpenDirectory(bool* create);
  absl::Status CreateStore();
  absl::Status OpenParts();
  absl::Status Quarantine(uint64_t part, const std::string& why);
  absl::Status RemoveOrphans();
  absl::Status ReplayWal();

  // db_impl.cc
  bool in_memory_only() const { return path_.empty(); }
  absl::Status CheckWritable() const;
  absl::Status WaitForRoom();
  absl::Status CommitGroup(const std::vector<Writer*>& group);  // REQUIRES: commit_mutex_
  absl::Status SwitchHead();                                    // REQUIRES: commit_mutex_, no frozen head
  absl::Status SyncWal();                                       // REQUIRES: commit_mutex_
  absl::Status Poison(const absl::Status& cause);
  bool HeadIsFull() const;     // REQUIRES: mutex_
  SourceList Sources() const;  // REQUIRES: mutex_
  std::string WalDir() const;
  std::string PartsDir() const;
  std::string QuarantineDir() const;
  std::string PartDir(uint64_t id) const;

  // db_work.cc
  void FlushLoop();
  void MergeLoop();
  absl::Status FlushIfDue();
  bool HasFrozenHead() const;
  absl::Status FlushFrozen();  // REQUIRES: flush_mutex_
  absl::Status MergeIfDue(bool* merged);
  absl::Status MergeParts(std::vector<LivePart> parts);  // REQUIRES: merge_mutex_
  absl::Status RemoveExpired();                          // REQUIRES: merge_mutex_
  absl::StatusOr<LivePart> WritePart(const std::vector<const Source*>& sources);
  // Changes the list of parts, durably and then visibly: `added` takes the place of the first of `removed` (or the
  // end). A flush passes its head, which disappears in the same instant.
  absl::Status Install(const std::vector<uint64_t>& removed, const std::optional<LivePart>& added, const Head* flushed);
  void RemoveObsolete();
  absl::Status RemovePartDir(const std::string& dir);
  absl::Status RemoveSegments(uint64_t end);

  const Options options_;
  const std::string path_;
  FileSystem* const fs_;
  std::unique_ptr<FileLock> lock_;

  std::mutex flush_mutex_;
  std::mutex merge_mutex_;
  std::mutex manifest_mutex_;
  Manifest manifest_;  // guarded by manifest_mutex_

  std::mutex commit_mutex_;
  std::unique_ptr<WalWriter> wal_;  // null until something is written
  uint64_t manifest_store_ = 0;     // set by Open
  uint64_t next_segment_ = 1;
  uint64_t last_sequence_ = 0;
  Clock::time_point last_sync_ = Clock::now();

  std::mutex queue_mutex_;
  std::deque<Writer*> queue_;

  mutable std::mutex mutex_;
  std::shared_ptr<Head> active_;
  std::shared_ptr<Head> frozen_;                   // being flushed
  uint64_t frozen_sequence_ = 0;                   // its last commit
  uint64_t frozen_segment_end_ = 0;                // its WAL segments are below this
  std::optional<Clock::time_point> active_since_;  // its first write
  uint64_t active_wal_bytes_ = 0;
  std::vector<LivePart> parts_;                          // oldest first
  std::vector<LivePart> obsolete_;                       // out of the manifest, perhaps still read
  std::vector<std::pair<uint64_t, uint64_t>> segments_;  // number and size of the WAL's files
  absl::Status flush_error_;                             // of the last attempt
  bool closed_ = false;
  DBStats counters_;              // those that only grow, and what Open found
  std::condition_variable room_;  // frozen_ is gone, or flush_error_ was set, or closed
  std::condition_variable flush_wanted_;
  std::condition_variable merge_wanted_;
  std::set<uint64_t> unmergeable_;  // parts with damaged blocks; guarded by merge_mutex_

  mutable std::mutex series_mutex_;
  mutable uint64_t series_generation_ = 0;  // what series_count_ was counted of
  mutable uint64_t series_in_heads_ = UINT64_MAX;
  mutable uint64_t series_count_ = 0;
  uint64_t generation_ = 0;  // of parts_ and frozen_; guarded by mutex_

  std::thread flush_thread_;
  std::thread merge_thread_;
};

}  // namespace braid
