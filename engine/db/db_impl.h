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

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "braid/db.h"
#include "engine/db/disk_reserve.h"
#include "engine/db/manifest.h"
#include "engine/db/snapshot_impl.h"
#include "engine/head/batch_reader.h"
#include "engine/head/head.h"
#include "engine/head/wal_recovery.h"
#include "engine/head/wal_tail.h"
#include "engine/head/wal_writer.h"
#include "engine/io/file_system.h"
#include "engine/io/path.h"
#include "engine/io/throttled_file_system.h"
#include "engine/part/part.h"

namespace braid {

struct LivePart {
  PartEntry entry;
  std::shared_ptr<const Part> part;
  std::shared_ptr<const Source> view;  // the part through its deletes; null once it is out of the manifest
};

// What the limits of memory and disk leave of Options::flush_bytes_max.
uint64_t FlushBytesOf(const Options& options);

class DBImpl : public DB {
 public:
  DBImpl(const Options& options, std::string path, FileSystem* fs)
      : options_(options),
        flush_bytes_(FlushBytesOf(options)),
        path_(std::move(path)),
        fs_(fs),
        merge_fs_(fs, options.merge_bytes_per_second_max),
        reserve_(fs, JoinPath(path_, "RESERVE"), options.reserve_bytes),
        active_(std::make_shared<Head>()) {}
  ~DBImpl() override { Close().IgnoreError(); }

  absl::Status Open();  // once, before anything else (db_open.cc)

  using DB::Write;
  absl::Status Write(const WriteBatch& batch, const WriteOptions& options) override;
  std::shared_ptr<const Snapshot> GetSnapshot() const override;
  absl::Status Flush() override;
  absl::Status Tick() override;
  absl::Status Compact() override;
  absl::Status Delete(const std::vector<DeleteSpec>& specs) override;
  absl::Status Backup(const std::string& target) override;
  absl::Status Refresh() override;
  DBStats Stats() const override;
  absl::Status Close() override;

 private:
  struct Writer {
    const BatchView* batch;
    bool durable;
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
  // Part directories that the manifest does not name. Their numbers are not given out again.
  absl::StatusOr<std::vector<std::string>> FindOrphans();
  absl::Status RemoveOrphans(const std::vector<std::string>& orphans);
  absl::Status ReplayWal();
  absl::Status ReportMissingSegment(const WalRecoveryResult& result);

  // db_follow.cc
  absl::Status OpenBeside(std::vector<LivePart> opened_before);
  // False: what is newer cannot be had without opening anew. REQUIRES: flush_mutex_
  absl::StatusOr<bool> Follow(const Manifest& now);

  // db_impl.cc
  bool in_memory_only() const { return path_.empty(); }
  absl::Status CheckWritable() const;
  absl::Status EnsureSegment();
  absl::Status WaitForRoom();
  absl::Status WriteInGroup(const WriteBatch& batch, const WriteOptions& options);
  absl::Status CommitGroup(const std::vector<Writer*>& group);  // REQUIRES: commit_mutex_
  // `*begun` once there is something that an error would leave half-done.
  absl::Status LogAndApply(const std::vector<Writer*>& group, bool* begun);  // REQUIRES: commit_mutex_
  absl::Status CloseFiles();
  absl::Status SwitchHead();  // REQUIRES: commit_mutex_, no frozen head
  absl::Status SyncWal();     // REQUIRES: commit_mutex_
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
  void SyncLoop();
  absl::Status FlushIfDue();
  bool HasFrozenHead() const;
  absl::Status FlushAll();
  absl::Status FlushFrozen();                                   // REQUIRES: flush_mutex_
  absl::Status WriteFrozen(const std::shared_ptr<Head>& head);  // REQUIRES: flush_mutex_
  absl::Status DoDueWork();
  absl::Status MergeAll();
  absl::Status MergeIfDue(bool* merged);
  absl::Status MergeParts(std::vector<LivePart> parts);  // REQUIRES: merge_mutex_
  absl::Status RemoveExpired();                          // REQUIRES: merge_mutex_
  // `fs`: where it is written.
  absl::StatusOr<LivePart> WritePart(const std::vector<const Source*>& sources, FileSystem* fs);
  absl::StatusOr<LivePart> WritePartOnce(const std::vector<const Source*>& sources, FileSystem* fs);
  // Changes the list of parts, durably and then visibly: `added` takes the place of the first of `removed` (or the
  // end). A flush passes its head, which disappears in the same instant; a merge the deletes that it left out.
  absl::Status Install(const std::vector<uint64_t>& removed, std::optional<LivePart> added, const Head* flushed,
                       const std::set<uint64_t>& carried_out);
  // Makes `next` the manifest. An error that leaves the disk in doubt poisons the store.
  absl::Status CommitManifest(Manifest next);  // REQUIRES: manifest_mutex_
  // db_delete.cc
  // Finds the parts that hold what the specs remove, an answer for each spec; `known` has those of parts seen before.
  absl::Status FindDeleted(const std::vector<DeleteSpec>& specs, std::map<uint64_t, std::vector<bool>>* known) const;
  absl::StatusOr<bool> InstallDeletes(const std::vector<DeleteSpec>& specs,
                                      const std::map<uint64_t, std::vector<bool>>& known, bool force);
  void RemoveObsolete();
  absl::Status RemovePartDir(const std::string& dir);
  absl::Status RemoveSegments(uint64_t end);

  const Options options_;
  const uint64_t flush_bytes_;  // memory of the head at which it is flushed
  const std::string path_;
  FileSystem* const fs_;
  ThrottledFileSystem merge_fs_;  // used if there is a limit
  DiskReserve reserve_;
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
  std::atomic<bool> segment_known_{false};  // the manifest has the present WAL segment, or will with the next flush
  bool acknowledged_unsynced_ = false;      // some of what is not synced was acknowledged as buffered

  std::mutex queue_mutex_;
  std::deque<Writer*> queue_;

  mutable std::mutex mutex_;
  std::shared_ptr<Head> active_;
  std::shared_ptr<Head> frozen_;                   // being flushed
  uint64_t frozen_sequence_ = 0;                   // its last commit
  uint64_t frozen_segment_end_ = 0;                // its WAL segments are below this
  std::optional<Clock::time_point> active_since_;  // its first write
  Clock::time_point last_write_;                   // or when the store was opened
  uint64_t active_wal_bytes_ = 0;
  std::vector<LivePart> parts_;                          // oldest first
  std::vector<LivePart> obsolete_;                       // out of the manifest, perhaps still read
  std::vector<std::pair<uint64_t, uint64_t>> segments_;  // number and size of the WAL's files
  absl::Status flush_error_;                             // of the last attempt
  uint64_t flushed_bytes_ = 0, flushed_parts_ = 0;       // since Open
  bool closed_ = false;
  DBStats counters_;              // those that only grow, and what Open found
  std::condition_variable room_;  // frozen_ is gone, or flush_error_ was set, or closed
  std::condition_variable flush_wanted_;
  std::condition_variable merge_wanted_;
  std::optional<Clock::time_point> unsynced_since_;  // the oldest acknowledged write that is not synced
  std::condition_variable sync_wanted_;
  // Of a store that is opened read-only; guarded by flush_mutex_, as manifest_ is there.
  WalTail tail_;
  std::vector<LivePart> reusable_;  // parts that were opened before
  bool missing_is_damage_ = false;  // not a sign of a writer at work

  std::set<uint64_t> unmergeable_;  // parts with damaged blocks; guarded by merge_mutex_

  mutable std::mutex series_mutex_;
  mutable uint64_t series_generation_ = 0;  // what series_count_ was counted of
  mutable uint64_t series_in_heads_ = UINT64_MAX;
  mutable uint64_t series_count_ = 0;
  mutable Clock::time_point series_counted_;     // when that was
  mutable Clock::duration series_count_time_{};  // and how long it took
  uint64_t generation_ = 0;                      // of parts_ and frozen_; guarded by mutex_

  std::thread flush_thread_;
  std::thread merge_thread_;
  std::thread sync_thread_;
};

}  // namespace braid
