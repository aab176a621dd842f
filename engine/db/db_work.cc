// Flush, merge and retention.
#include <malloc.h>

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "engine/base/memory_guard.h"
#include "engine/base/status_macros.h"
#include "engine/db/compaction.h"
#include "engine/db/db_impl.h"
#include "engine/db/masked_part.h"
#include "engine/head/wal_format.h"
#include "engine/io/path.h"
#include "engine/part/part_merge.h"

namespace braid {
namespace {

// How often the threads look for work that nobody announces: age, retention, and another try after a failure.
constexpr auto kFlushInterval = std::chrono::milliseconds(500);
constexpr auto kMergeInterval = std::chrono::seconds(5);
// A head that nobody has written to for so long is flushed if its WAL would take a while to replay: a store at rest
// opens at once, whatever ends its process. Longer than the usual intervals of scraping and of exporters, so that
// bursts do not make a part each; and a WAL of which replay takes a tenth of a second is worth one.
constexpr auto kRestingTime = std::chrono::seconds(75);
constexpr uint64_t kRestingWalBytes = uint64_t{8} << 20;

Timestamp NewestOf(const Source& source) {
  TimeRange range = source.SampleRange();
  Timestamp newest = range.empty() ? kMinTimestamp : range.end;
  for (int table = 0; table < kTableCount; ++table) {
    range = source.Range(static_cast<Table>(table));
    if (!range.empty()) newest = std::max(newest, range.end);
  }
  return newest;
}

bool IsEmpty(const PartEntry& part) {
  return part.samples == 0 &&
         std::all_of(std::begin(part.rows), std::end(part.rows), [](uint64_t rows) { return rows == 0; });
}

Timestamp WallClock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void DBImpl::FlushLoop() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (!closed_ && (frozen_ == nullptr || !flush_error_.ok())) flush_wanted_.wait_for(lock, kFlushInterval);
      if (closed_) return;
    }
    GuardMemory("flushing", [&] { return FlushIfDue(); }).IgnoreError();  // kept in flush_error_, and tried again
  }
}

void DBImpl::MergeLoop() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (!closed_) merge_wanted_.wait_for(lock, kMergeInterval);
      if (closed_) return;
    }
    bool merged = true;
    while (merged) {
      merged = false;
      if (!GuardMemory("merging", [&] { return MergeIfDue(&merged); }).ok()) break;
      std::lock_guard lock(mutex_);
      if (closed_) return;
    }
  }
}

absl::Status DBImpl::FlushIfDue() {
  if (in_memory_only() || !CheckWritable().ok()) return absl::OkStatus();
  std::lock_guard flush_lock(flush_mutex_);
  bool pending = false, due = false, resting = false;
  {
    std::lock_guard lock(mutex_);
    pending = frozen_ != nullptr;
    resting = active_wal_bytes_ >= kRestingWalBytes && Clock::now() - last_write_ >= kRestingTime;
    due = HeadIsFull() || resting ||
          (active_since_ && Clock::now() - *active_since_ >= std::chrono::nanoseconds(options_.flush_age_max));
    due = due && !active_->cut().empty();
  }
  if (pending) RETURN_IF_ERROR(FlushFrozen());
  if (!due) return absl::OkStatus();
  {
    // A writer may have frozen the head meanwhile.
    std::lock_guard commit_lock(commit_mutex_);
    if (!HasFrozenHead()) RETURN_IF_ERROR(SwitchHead());
  }
  RETURN_IF_ERROR(FlushFrozen());
  // The allocator would keep what the head took until the next one needs it.
  if (resting) malloc_trim(0);
  return absl::OkStatus();
}

bool DBImpl::HasFrozenHead() const {
  std::lock_guard lock(mutex_);
  return frozen_ != nullptr;
}

absl::Status DBImpl::Flush() {
  return GuardMemory("flushing", [&] { return FlushAll(); });
}

absl::Status DBImpl::FlushAll() {
  RETURN_IF_ERROR(CheckWritable());
  if (in_memory_only()) return absl::OkStatus();
  std::lock_guard flush_lock(flush_mutex_);
  while (true) {
    // Writers may have frozen a head before this call, or in between.
    bool frozen = false;
    {
      std::lock_guard commit_lock(commit_mutex_);
      std::unique_lock lock(mutex_);
      frozen = frozen_ != nullptr;
      if (!frozen && active_->cut().empty()) return absl::OkStatus();
      lock.unlock();
      if (!frozen) RETURN_IF_ERROR(SwitchHead());
    }
    RETURN_IF_ERROR(FlushFrozen());
    if (!frozen) return absl::OkStatus();
  }
}

absl::Status DBImpl::FlushFrozen() {
  std::shared_ptr<Head> head;
  {
    std::lock_guard lock(mutex_);
    head = frozen_;
  }
  if (head == nullptr) return absl::OkStatus();
  const absl::Status status = GuardMemory("flushing", [&] { return WriteFrozen(head); });
  {
    std::lock_guard lock(mutex_);
    flush_error_ = status;
    if (status.ok()) ++counters_.flushes;
    room_.notify_all();
  }
  merge_wanted_.notify_one();
  return status;
}

absl::Status DBImpl::WriteFrozen(const std::shared_ptr<Head>& head) {
  const std::shared_ptr<const Source> view = head->View();
  std::optional<LivePart> added;
  if (!head->cut().empty()) {
    ASSIGN_OR_RETURN(added, WritePart({view.get()}, fs_));
    std::lock_guard lock(mutex_);
    flushed_bytes_ += added->entry.bytes;
    ++flushed_parts_;
  }
  return Install({}, std::move(added), head.get(), {});
}

absl::StatusOr<LivePart> DBImpl::WritePart(const std::vector<const Source*>& sources, FileSystem* fs) {
  absl::StatusOr<LivePart> part = WritePartOnce(sources, fs);
  // What is merged or flushed gives more room free than it takes, in parts or in the WAL.
  if (absl::IsResourceExhausted(part.status()) && reserve_.Release()) part = WritePartOnce(sources, fs);
  if (part.ok()) {
    std::lock_guard lock(mutex_);
    counters_.part_bytes_written += part->entry.bytes;
  }
  return part;
}

absl::StatusOr<LivePart> DBImpl::WritePartOnce(const std::vector<const Source*>& sources, FileSystem* fs) {
  uint64_t id = 0;
  {
    std::lock_guard lock(manifest_mutex_);
    id = manifest_.next_part++;
  }
  const std::string dir = PartDir(id);
  auto write = [&]() -> absl::StatusOr<LivePart> {
    RETURN_IF_ERROR(fs_->CreateDir(dir));
    ASSIGN_OR_RETURN(std::unique_ptr<PartWriter> writer, PartWriter::Create(fs, dir));
    RETURN_IF_ERROR(MergeSources(sources, writer.get()));
    RETURN_IF_ERROR(writer->Finish());
    RETURN_IF_ERROR(fs_->SyncDir(PartsDir()));
    LivePart part;
    ASSIGN_OR_RETURN(part.part, Part::Open(fs_, dir, PartName(id)));
    part.view = part.part;
    part.entry.id = id;
    part.entry.bytes = part.part->byte_size();
    part.entry.time = part.part->time_range();
    const SourceCounts counts = part.part->counts();
    part.entry.samples = counts.samples;
    std::copy(std::begin(counts.rows), std::end(counts.rows), std::begin(part.entry.rows));
    return part;
  };
  absl::StatusOr<LivePart> part = GuardMemory("writing a part", write);
  if (!part.ok()) RemovePartDir(dir).IgnoreError();
  return part;
}

absl::Status DBImpl::CommitManifest(Manifest next) {
  ++next.generation;
  next.DropSettledDeletes();
  const auto write = [&] { return WriteManifest(fs_, path_, next); };
  absl::Status status = GuardMemory("writing the manifest", write);
  if (absl::IsResourceExhausted(status) && reserve_.Release()) status = GuardMemory("writing the manifest", write);
  if (!status.ok()) {
    // Was the new one put in place? If so, only the disk knows which of the two will be found after a power failure.
    const absl::StatusOr<Manifest> on_disk = ReadManifest(fs_, path_);
    if (!on_disk.ok() || on_disk->generation != manifest_.generation) return Poison(status);
    return status;
  }
  manifest_ = std::move(next);
  return absl::OkStatus();
}

absl::Status DBImpl::Install(const std::vector<uint64_t>& removed, std::optional<LivePart> added, const Head* flushed,
                             const std::set<uint64_t>& carried_out) {
  auto is_removed = [&](uint64_t id) { return std::find(removed.begin(), removed.end(), id) != removed.end(); };
  std::lock_guard manifest_lock(manifest_mutex_);
  Manifest next = manifest_;
  std::vector<LivePart> parts, gone;
  {
    std::lock_guard lock(mutex_);
    if (added) {
      // Deletes that came while the part was being written have still to be carried out.
      std::set<uint64_t> late;
      for (const LivePart& part : parts_) {
        if (is_removed(part.entry.id)) late.insert(part.entry.deletes.begin(), part.entry.deletes.end());
      }
      for (uint64_t id : carried_out) late.erase(id);
      added->entry.deletes.assign(late.begin(), late.end());
      added->view = MaskPart(added->part, manifest_.DeletesOf(added->entry));
    }
    bool placed = !added;
    for (const LivePart& part : parts_) {
      if (!is_removed(part.entry.id)) {
        parts.push_back(part);
        continue;
      }
      if (!placed) parts.push_back(*added);
      placed = true;
      gone.push_back(part);
      gone.back().view = nullptr;  // it would be a reader of the part
    }
    if (!placed) parts.push_back(*added);
    // From the new manifest on nothing may fail, not for want of memory either.
    obsolete_.reserve(obsolete_.size() + gone.size());
    if (flushed != nullptr) {
      next.first_segment = frozen_segment_end_;
      next.flushed_sequence = frozen_sequence_;
      const bool later = !segments_.empty() && segments_.back().first >= next.first_segment;
      next.last_segment = later ? segments_.back().first : 0;
      if (!later) segment_known_ = false;
    }
  }
  next.parts.clear();
  for (const LivePart& part : parts) next.parts.push_back(part.entry);
  const uint64_t first_segment = next.first_segment;
  if (absl::Status status = CommitManifest(std::move(next)); !status.ok()) {
    // Which manifest counts is not known once the store is poisoned; the next Open sees to the files.
    if (added && CheckWritable().ok()) RemovePartDir(PartDir(added->entry.id)).IgnoreError();
    return status;
  }
  {
    std::lock_guard lock(mutex_);
    parts_ = std::move(parts);
    obsolete_.insert(obsolete_.end(), gone.begin(), gone.end());
    if (flushed != nullptr) frozen_ = nullptr;
    ++generation_;
  }
  // What fails from here on is garbage that the next Open removes.
  const auto remove = [&] {
    if (flushed != nullptr) RemoveSegments(first_segment).IgnoreError();
    gone.clear();
    RemoveObsolete();
    return absl::OkStatus();
  };
  GuardMemory("removing what was merged", remove).IgnoreError();
  return absl::OkStatus();
}

absl::Status DBImpl::RemoveSegments(uint64_t end) {
  std::vector<uint64_t> old;
  {
    std::lock_guard lock(mutex_);
    auto keep = std::partition_point(segments_.begin(), segments_.end(), [&](const auto& s) { return s.first < end; });
    for (auto it = segments_.begin(); it != keep; ++it) old.push_back(it->first);
    segments_.erase(segments_.begin(), keep);
  }
  for (uint64_t segment : old) RETURN_IF_ERROR(fs_->Remove(JoinPath(WalDir(), WalSegmentName(segment))));
  return old.empty() ? absl::OkStatus() : fs_->SyncDir(WalDir());
}

absl::Status DBImpl::RemovePartDir(const std::string& dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_->List(dir));
  for (const std::string& name : names) RETURN_IF_ERROR(fs_->Remove(JoinPath(dir, name)));
  return fs_->RemoveDir(dir);
}

void DBImpl::RemoveObsolete() {
  std::vector<LivePart> unread;
  {
    std::lock_guard lock(mutex_);
    // Nobody can begin to read a part that is out of the list, so a count of one stays one.
    auto is_unread = [](const LivePart& part) { return part.part.use_count() == 1; };
    std::copy_if(obsolete_.begin(), obsolete_.end(), std::back_inserter(unread), is_unread);
    auto in_unread = [&](const LivePart& part) {
      return std::any_of(unread.begin(), unread.end(), [&](const LivePart& u) { return u.entry.id == part.entry.id; });
    };
    obsolete_.erase(std::remove_if(obsolete_.begin(), obsolete_.end(), in_unread), obsolete_.end());
  }
  for (LivePart& part : unread) {
    part.part = nullptr;  // closes its files
    RemovePartDir(PartDir(part.entry.id)).IgnoreError();
  }
}

absl::Status DBImpl::RemoveExpired() {
  if (options_.retention <= 0 && options_.disk_bytes_max == 0) return absl::OkStatus();
  uint64_t wal_bytes = 0;
  std::vector<PartEntry> entries;
  SourceList sources;
  {
    std::lock_guard lock(mutex_);
    for (const LivePart& part : parts_) entries.push_back(part.entry);
    for (const auto& [segment, size] : segments_) wal_bytes += size;
    sources = Sources();
  }
  Timestamp newest = kMinTimestamp;
  for (const auto& source : sources) newest = std::max(newest, NewestOf(*source));
  sources.clear();
  std::set<size_t> picked;
  for (size_t i : PickExpired(entries, newest, WallClock(), options_.retention)) picked.insert(i);
  for (size_t i : PickOverBudget(entries, wal_bytes, options_.disk_bytes_max)) picked.insert(i);
  std::vector<uint64_t> removed;
  for (size_t i : picked) removed.push_back(entries[i].id);
  return removed.empty() ? absl::OkStatus() : Install(removed, std::nullopt, nullptr, {});
}

absl::Status DBImpl::MergeIfDue(bool* merged) {
  *merged = false;
  if (in_memory_only() || !CheckWritable().ok()) return absl::OkStatus();
  std::lock_guard merge_lock(merge_mutex_);
  RETURN_IF_ERROR(RemoveExpired());
  RemoveObsolete();
  reserve_.Keep().IgnoreError();  // writers are told
  std::vector<LivePart> parts;
  CompactionLimits limits = LimitsFor(options_.retention, options_.disk_bytes_max);
  {
    std::lock_guard lock(mutex_);
    parts = parts_;
    if (flushed_parts_ > 0) limits.flush_bytes = flushed_bytes_ / flushed_parts_;
  }
  std::vector<PartEntry> entries;
  for (const LivePart& part : parts) {
    entries.push_back(part.entry);
    if (unmergeable_.contains(part.entry.id)) entries.back().bytes = UINT64_MAX;  // too large for every merge
  }
  auto [begin, end] = PickMerge(entries, limits);
  if (begin == end) {
    // No merge is due that would carry out a delete: then a part is rewritten for its sake.
    const auto has_deletes = [&](const LivePart& part) {
      return !part.entry.deletes.empty() && !unmergeable_.contains(part.entry.id);
    };
    begin = static_cast<size_t>(std::find_if(parts.begin(), parts.end(), has_deletes) - parts.begin());
    if (begin == parts.size()) return absl::OkStatus();
    end = begin + 1;
  }
  std::vector<LivePart> picked(parts.begin() + static_cast<ptrdiff_t>(begin),
                               parts.begin() + static_cast<ptrdiff_t>(end));
  parts.clear();
  RETURN_IF_ERROR(MergeParts(std::move(picked)));
  *merged = true;
  return absl::OkStatus();
}

absl::Status DBImpl::MergeParts(std::vector<LivePart> parts) {
  std::vector<const Source*> sources;
  std::vector<uint64_t> ids;
  std::set<uint64_t> carried_out;
  for (const LivePart& part : parts) {
    sources.push_back(part.view.get());
    ids.push_back(part.entry.id);
    carried_out.insert(part.entry.deletes.begin(), part.entry.deletes.end());
  }
  absl::StatusOr<LivePart> merged = WritePart(sources, options_.merge_bytes_per_second_max > 0 ? &merge_fs_ : fs_);
  if (!merged.ok()) {
    // Damaged blocks must not get lost in a merge: the parts stay as they are, and queries say what is missing.
    if (absl::IsDataLoss(merged.status())) unmergeable_.insert(ids.begin(), ids.end());
    return merged.status();
  }
  sources.clear();
  parts.clear();
  std::optional<LivePart> added = *std::move(merged);
  if (IsEmpty(added->entry)) {
    // Everything was deleted.
    const uint64_t id = added->entry.id;
    added.reset();
    RemovePartDir(PartDir(id)).IgnoreError();
  }
  RETURN_IF_ERROR(Install(ids, std::move(added), nullptr, carried_out));
  std::lock_guard lock(mutex_);
  ++counters_.merges;
  return absl::OkStatus();
}

absl::Status DBImpl::Tick() {
  return GuardMemory("doing the due work", [&] { return DoDueWork(); });
}

absl::Status DBImpl::DoDueWork() {
  RETURN_IF_ERROR(CheckWritable());
  if (in_memory_only()) return absl::OkStatus();
  {
    std::lock_guard lock(commit_mutex_);
    RETURN_IF_ERROR(SyncWal());
  }
  RETURN_IF_ERROR(FlushIfDue());
  bool merged = true;
  while (merged) RETURN_IF_ERROR(MergeIfDue(&merged));
  return absl::OkStatus();
}

absl::Status DBImpl::Compact() {
  return GuardMemory("merging all parts", [&] { return MergeAll(); });
}

absl::Status DBImpl::MergeAll() {
  RETURN_IF_ERROR(CheckWritable());
  if (in_memory_only()) return absl::OkStatus();
  std::lock_guard merge_lock(merge_mutex_);
  std::vector<LivePart> parts;
  {
    std::lock_guard lock(mutex_);
    parts = parts_;
  }
  const bool due = parts.size() > 1 || (parts.size() == 1 && !parts[0].entry.deletes.empty());
  return due ? MergeParts(std::move(parts)) : absl::OkStatus();
}

}  // namespace braid
