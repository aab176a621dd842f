// A reader beside a live writer: opening while parts and segments come and go, and seeing what is newer.
#include <algorithm>
#include <chrono>
#include <thread>

#include "engine/base/memory_guard.h"
#include "engine/base/status_macros.h"
#include "engine/db/db_impl.h"
#include "engine/db/masked_part.h"
#include "engine/db/store_copy.h"

namespace braid {
namespace {

// The writer changes the manifest a few times a second at the most; a state is caught between two changes.
constexpr int kFollowAttempts = 20;
// An error that stays while the manifest does is one. It is looked at again all the same, because the WAL's last
// segment may be cut by a writer that opens or fails.
constexpr int kAttemptsAtOneManifest = 3;
constexpr auto kBetweenFollowAttempts = std::chrono::milliseconds(10);

}  // namespace

absl::Status DBImpl::OpenBeside(std::vector<LivePart> opened_before) {
  absl::Status status;
  int same = 0;
  for (int attempt = 0; attempt < kFollowAttempts && same < kAttemptsAtOneManifest; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(kBetweenFollowAttempts * attempt);
    {
      std::lock_guard lock(mutex_);
      opened_before.insert(opened_before.end(), parts_.begin(), parts_.end());
      parts_.clear();
      segments_.clear();
      counters_ = {};
      active_ = std::make_shared<Head>();
      active_wal_bytes_ = 0;
      manifest_ = {};
      tail_ = {};
      reusable_ = opened_before;
      missing_is_damage_ = same == kAttemptsAtOneManifest - 1;
    }
    status = OpenFiles();
    if (manifest_.generation == 0) break;  // no store
    const absl::StatusOr<Manifest> now = ReadManifest(fs_, path_);
    if (!now.ok()) {
      if (status.ok()) status = now.status();
      break;
    }
    // Parts that were merged meanwhile are open here. But where the WAL begins, and what is deleted, must be of one
    // instant with what was read of the WAL.
    const bool moved = now->first_segment != manifest_.first_segment || now->next_delete != manifest_.next_delete;
    // What is missing is damage only as long as no merge can have removed it.
    const bool unchanged = now->generation == manifest_.generation;
    if (status.ok() && !moved && (unchanged || counters_.quarantined.empty())) break;
    if (status.ok()) status = absl::UnavailableError(path_ + " changed too often while it was opened");
    same = unchanged ? same + 1 : 0;
  }
  reusable_.clear();
  return status;
}

absl::Status DBImpl::Refresh() try {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return absl::FailedPreconditionError("the store is closed");
  }
  if (!options_.read_only) return absl::OkStatus();
  std::lock_guard refresh_lock(flush_mutex_);
  ASSIGN_OR_RETURN(const Manifest now, ReadManifest(fs_, path_));
  if (now.store == manifest_.store && now.first_segment == manifest_.first_segment &&
      now.next_delete == manifest_.next_delete && counters_.quarantined.empty()) {
    ASSIGN_OR_RETURN(const bool followed, Follow(now));
    if (followed) return absl::OkStatus();
  }
  // A flush, a delete or damage: everything anew, but for the parts that are open.
  DBImpl fresh(options_, path_, fs_);
  RETURN_IF_ERROR(fresh.OpenBeside(parts_));
  std::scoped_lock lock(mutex_, fresh.mutex_);
  parts_.swap(fresh.parts_);
  active_.swap(fresh.active_);
  segments_.swap(fresh.segments_);
  std::swap(counters_, fresh.counters_);
  std::swap(manifest_, fresh.manifest_);
  std::swap(tail_, fresh.tail_);
  ++generation_;
  fresh.closed_ = true;
  return absl::OkStatus();
} catch (const std::bad_alloc&) {
  return OutOfMemory("looking for what is new");
}

absl::StatusOr<bool> DBImpl::Follow(const Manifest& now) {
  std::vector<LivePart> parts;
  if (now.generation != manifest_.generation) {
    // Merges alone.
    for (const PartEntry& entry : now.parts) {
      const auto known =
          std::find_if(parts_.begin(), parts_.end(), [&](const LivePart& part) { return part.entry == entry; });
      if (known != parts_.end()) {
        parts.push_back(*known);
        continue;
      }
      absl::StatusOr<std::shared_ptr<Part>> part = Part::Open(fs_, PartDir(entry.id), PartName(entry.id));
      if (!part.ok()) return false;
      LivePart live{entry, *std::move(part), nullptr};
      live.view = MaskPart(live.part, now.DeletesOf(entry));
      parts.push_back(std::move(live));
    }
  } else {
    parts = parts_;
  }
  WalTailSpec spec;
  spec.fs = fs_;
  spec.dir = WalDir();
  spec.store = now.store;
  spec.first_segment = now.first_segment;
  uint64_t batches = 0;
  ASSIGN_OR_RETURN(const bool followed, FollowWal(spec, active_.get(), &tail_, &batches));
  if (!followed) return false;
  // Was it the WAL of this manifest?
  ASSIGN_OR_RETURN(const Manifest then, ReadManifest(fs_, path_));
  if (then.first_segment != now.first_segment || then.next_delete != now.next_delete) return false;
  std::lock_guard lock(mutex_);
  if (now.generation != manifest_.generation) ++generation_;
  parts_ = std::move(parts);
  manifest_ = now;
  counters_.replayed_batches += batches;
  return true;
}

absl::Status DBImpl::Backup(const std::string& target) try {
  if (in_memory_only()) return absl::FailedPreconditionError("a store without a path cannot be copied");
  {
    std::lock_guard lock(mutex_);
    if (closed_) return absl::FailedPreconditionError("the store is closed");
  }
  // A short WAL is a quick restore; on a full disk it is copied as it is.
  if (CheckWritable().ok()) Flush().IgnoreError();
  return CopyStore(fs_, path_, target, /*link=*/true);
} catch (const std::bad_alloc&) {
  return OutOfMemory("copying the store");
}

}  // namespace braid
