#include "engine/db/db_impl.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/memory_guard.h"
#include "engine/base/status_macros.h"
#include "engine/db/open.h"
#include "engine/io/path.h"

namespace braid {
namespace {

// A group is one record of the WAL: large enough to share a sync, small enough not to hold up the first of it.
constexpr size_t kGroupBytesMax = size_t{4} << 20;
constexpr size_t kGroupBatchesMax = 512;
// kBuffered promises to lose at most a second; the sync itself takes a part of it.
constexpr auto kBufferedSyncAge = std::chrono::milliseconds(500);
// A count of series that takes longer than this is made again only after so many times as long.
constexpr auto kSeriesCountTime = std::chrono::milliseconds(20);
constexpr int kSeriesCountShare = 50;
// Small limits must not make a part of every few writes.
constexpr uint64_t kFlushBytesMin = uint64_t{64} << 10;
// A head of compressed samples is much smaller than its WAL, which replay has to read.
constexpr uint64_t kWalBytesPerHeadByte = 4;
// Flushing a head that is full of series with a sample or two each makes parts of labels, over and over. So what series
// take by themselves does not count, up to this many times the limit: 500,000 series with the default.
constexpr uint64_t kSeriesBytesPerHeadByte = 4;

size_t SizeOf(const BatchView& batch) {
  size_t size = batch.body.size();
  for (std::string_view series : batch.series) size += series.size();
  for (std::string_view stream : batch.streams) size += stream.size();
  return size;
}

}  // namespace

uint64_t FlushBytesOf(const Options& options) {
  uint64_t bytes = options.flush_bytes_max;
  // Two heads, and what queries take.
  if (options.memory_bytes_max > 0) bytes = std::min(bytes, options.memory_bytes_max / 8);
  // The WAL of two heads takes half of the disk's limit at most.
  if (options.disk_bytes_max > 0) bytes = std::min(bytes, options.disk_bytes_max / (4 * kWalBytesPerHeadByte));
  return std::max(bytes, std::min(options.flush_bytes_max, kFlushBytesMin));
}

absl::StatusOr<std::unique_ptr<DB>> OpenDB(const Options& options, const std::string& path, FileSystem* fs) {
  return GuardMemory("opening the store", [&]() -> absl::StatusOr<std::unique_ptr<DB>> {
    auto db = std::make_unique<DBImpl>(options, path, fs);
    RETURN_IF_ERROR(db->Open());
    return db;
  });
}

absl::StatusOr<std::unique_ptr<DB>> DB::Open(const Options& options, const std::string& path) {
  return OpenDB(options, path, FileSystem::Posix());
}

std::string DBImpl::WalDir() const { return JoinPath(path_, "wal"); }
std::string DBImpl::PartsDir() const { return JoinPath(path_, "parts"); }
std::string DBImpl::QuarantineDir() const { return JoinPath(path_, "quarantine"); }
std::string DBImpl::PartDir(uint64_t id) const { return JoinPath(PartsDir(), PartName(id)); }

absl::Status DBImpl::CheckWritable() const {
  std::lock_guard lock(mutex_);
  if (closed_) return absl::FailedPreconditionError("the store is closed");
  if (options_.read_only) return absl::FailedPreconditionError("the store was opened read-only");
  if (!counters_.read_only_reason.empty()) {
    return absl::UnavailableError("the store is read-only until it is opened again: " + counters_.read_only_reason);
  }
  return absl::OkStatus();
}

absl::Status DBImpl::Poison(const absl::Status& cause) {
  std::lock_guard lock(mutex_);
  if (counters_.read_only_reason.empty()) {
    counters_.read_only_reason = "out of memory";  // short enough to need none
    if (!cause.message().empty()) counters_.read_only_reason = std::string(Str(cause.message()));
  }
  room_.notify_all();
  return absl::UnavailableError("the store is read-only until it is opened again: " + counters_.read_only_reason);
}

bool DBImpl::HeadIsFull() const {
  // With a limit of memory the share of the head is all that it may have.
  const uint64_t spared = options_.memory_bytes_max > 0 ? 0 : flush_bytes_ * kSeriesBytesPerHeadByte;
  return active_->byte_size() >= flush_bytes_ + std::min(active_->series_byte_size(), spared) ||
         active_wal_bytes_ >= flush_bytes_ * kWalBytesPerHeadByte;
}

absl::Status DBImpl::Write(const WriteBatch& batch, const WriteOptions& options) {
  return GuardMemory("writing a batch", [&] { return WriteInGroup(batch, options); });
}

absl::Status DBImpl::WriteInGroup(const WriteBatch& batch, const WriteOptions& options) {
  BatchView view;
  RETURN_IF_ERROR(CheckBatch(batch, &view));
  const Durability durability = options.durability.value_or(options_.durability);
  if ((durability == Durability::kMemory) != (options_.durability == Durability::kMemory)) {
    return absl::InvalidArgumentError(durability == Durability::kMemory
                                          ? "a store with a WAL has no writes in memory alone"
                                          : "a store in memory has no durable or buffered writes");
  }
  RETURN_IF_ERROR(CheckWritable());
  if (batch.empty()) return absl::OkStatus();
  Writer writer{&view, durability == Durability::kDurable};
  std::unique_lock queue_lock(queue_mutex_);
  queue_.push_back(&writer);
  writer.wake.wait(queue_lock, [&] { return writer.done || queue_.front() == &writer; });
  if (writer.done) return writer.status;

  // This writer leads: it commits for those who wait behind it as well.
  if (options_.group_commit_window > 0) {
    writer.wake.wait_for(queue_lock, std::chrono::nanoseconds(options_.group_commit_window), [] { return false; });
  }
  std::vector<Writer*> group;
  absl::Status status = GuardMemory("gathering a group of batches", [&] {
    size_t bytes = 0;
    for (Writer* next : queue_) {
      const size_t size = SizeOf(*next->batch);
      if (!group.empty() && (bytes + size > kGroupBytesMax || group.size() == kGroupBatchesMax)) break;
      bytes += size;
      group.push_back(next);
    }
    return absl::OkStatus();
  });
  const size_t led = std::max<size_t>(group.size(), 1);  // without memory for a group, this writer alone
  queue_lock.unlock();
  const auto prepare = [&]() -> absl::Status {
    RETURN_IF_ERROR(WaitForRoom());
    RETURN_IF_ERROR(EnsureSegment());
    return reserve_.Keep();
  };
  if (status.ok()) status = GuardMemory("making room for a batch", prepare);
  if (status.ok()) {
    std::lock_guard commit_lock(commit_mutex_);
    status = CommitGroup(group);
  }
  queue_lock.lock();
  for (size_t i = 0; i < led; ++i) {
    Writer* const member = queue_.front();
    queue_.pop_front();
    if (member == &writer) continue;
    member->status = status;
    member->done = true;
    member->wake.notify_one();
  }
  if (!queue_.empty()) queue_.front()->wake.notify_one();
  return status;
}

absl::Status DBImpl::WaitForRoom() {
  std::unique_lock lock(mutex_);
  if (!options_.background_work || in_memory_only()) return absl::OkStatus();
  while (HeadIsFull() && frozen_ != nullptr) {
    if (closed_ || !counters_.read_only_reason.empty()) break;  // CommitGroup says so
    if (!flush_error_.ok()) {
      return absl::Status(flush_error_.code(),
                          absl::StrCat("the head is full and cannot be flushed: ", flush_error_.message()));
    }
    flush_wanted_.notify_one();
    room_.wait(lock);
  }
  return absl::OkStatus();
}

// The manifest knows of a segment before anything in it is acknowledged, so that one that goes missing is noticed. One
// that is begun when the head is switched is in the manifest with that head's flush.
absl::Status DBImpl::EnsureSegment() {
  if (segment_known_ || in_memory_only() || options_.durability == Durability::kMemory) return absl::OkStatus();
  std::lock_guard manifest_lock(manifest_mutex_);
  Manifest next = manifest_;
  {
    std::lock_guard commit_lock(commit_mutex_);
    RETURN_IF_ERROR(CheckWritable());
    if (wal_ == nullptr) {
      ASSIGN_OR_RETURN(wal_, WalWriter::Create(fs_, WalDir(), manifest_store_, next_segment_, last_sequence_ + 1));
      ++next_segment_;
      // Its header must not be torn by a power failure, or it would look like one that was removed.
      RETURN_IF_ERROR(SyncWal());
    }
    next.last_segment = wal_->segment();
  }
  RETURN_IF_ERROR(CommitManifest(next));
  segment_known_ = true;
  return absl::OkStatus();
}

absl::Status DBImpl::CommitGroup(const std::vector<Writer*>& group) {
  bool begun = false;
  const absl::Status status = GuardMemory("committing", [&] { return LogAndApply(group, &begun); });
  // The head may have a part of what the WAL has in whole: only replay puts that right.
  return status.ok() || !begun ? status : Poison(status);
}

absl::Status DBImpl::LogAndApply(const std::vector<Writer*>& group, bool* begun) {
  RETURN_IF_ERROR(CheckWritable());
  if (options_.background_work && !in_memory_only()) {
    bool full = false;
    {
      std::lock_guard lock(mutex_);
      full = HeadIsFull() && frozen_ == nullptr;
    }
    if (full) {
      RETURN_IF_ERROR(SwitchHead());
      flush_wanted_.notify_one();
    }
  }
  Head* const head = active_.get();  // only changed under commit_mutex_
  std::vector<Head::Resolved> resolved(group.size());
  for (size_t i = 0; i < group.size(); ++i) head->Resolve(*group[i]->batch, &resolved[i]);

  const uint64_t sequence = last_sequence_ + 1;
  uint64_t wal_size = 0;
  if (options_.durability != Durability::kMemory && !in_memory_only()) {
    if (wal_ == nullptr) {
      ASSIGN_OR_RETURN(wal_, WalWriter::Create(fs_, WalDir(), manifest_store_, next_segment_, sequence));
      ++next_segment_;
    }
    std::vector<WalWriter::Entry> entries;
    entries.reserve(group.size());
    for (size_t i = 0; i < group.size(); ++i) entries.push_back({&resolved[i], group[i]->batch->body});
    const absl::Status appended = wal_->AppendCommit(sequence, entries, head);
    if (!appended.ok()) return wal_->broken().ok() ? appended : Poison(appended);
    *begun = true;
    if (std::any_of(group.begin(), group.end(), [](const Writer* writer) { return writer->durable; })) {
      RETURN_IF_ERROR(SyncWal());
    } else {
      acknowledged_unsynced_ = true;
    }
    wal_size = wal_->size();
  }

  // On disk as promised: now it may be seen.
  *begun = true;
  for (size_t i = 0; i < group.size(); ++i) head->Apply(resolved[i], group[i]->batch->body);
  last_sequence_ = sequence;
  head->Publish();
  std::lock_guard lock(mutex_);
  if (acknowledged_unsynced_ && !unsynced_since_) {
    unsynced_since_ = Clock::now();
    sync_wanted_.notify_one();
  }
  counters_.batches_written += group.size();
  last_write_ = Clock::now();
  if (!active_since_) active_since_ = last_write_;
  if (wal_size > 0) {
    if (segments_.empty() || segments_.back().first != wal_->segment()) segments_.emplace_back(wal_->segment(), 0);
    active_wal_bytes_ += wal_size - segments_.back().second;
    segments_.back().second = wal_size;
  }
  return absl::OkStatus();
}

absl::Status DBImpl::SyncWal() {
  if (wal_ == nullptr || wal_->synced()) return absl::OkStatus();
  const absl::Status status = wal_->Sync(/*cut_to_synced=*/!acknowledged_unsynced_);
  if (!status.ok()) return Poison(status);
  acknowledged_unsynced_ = false;
  std::lock_guard lock(mutex_);
  unsynced_since_.reset();
  ++counters_.wal_syncs;
  return absl::OkStatus();
}

void DBImpl::SyncLoop() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      sync_wanted_.wait(lock, [&] { return closed_ || unsynced_since_; });
      if (closed_) return;
      const Clock::time_point due = *unsynced_since_ + kBufferedSyncAge;
      sync_wanted_.wait_until(lock, due, [&] { return closed_; });
      if (closed_) return;
      // A durable write may have synced meanwhile, and another buffered one begun.
      if (!unsynced_since_ || Clock::now() < *unsynced_since_ + kBufferedSyncAge) continue;
    }
    std::lock_guard lock(commit_mutex_);
    if (GuardMemory("syncing", [&] { return SyncWal(); }).ok()) continue;  // it poisons the store itself
    std::lock_guard state_lock(mutex_);
    unsynced_since_.reset();
  }
}

absl::Status DBImpl::SwitchHead() {
  auto next = std::make_shared<Head>();
  // Segments are on disk in whole before a later one begins: recovery counts on it.
  RETURN_IF_ERROR(SyncWal());
  wal_ = nullptr;
  std::lock_guard lock(mutex_);
  frozen_ = std::move(active_);
  frozen_sequence_ = last_sequence_;
  frozen_segment_end_ = next_segment_;
  active_ = std::move(next);
  active_since_.reset();
  active_wal_bytes_ = 0;
  ++generation_;
  return absl::OkStatus();
}

SourceList DBImpl::Sources() const {
  SourceList sources;
  sources.reserve(parts_.size() + 2);
  for (const LivePart& part : parts_) sources.push_back(part.view);
  if (frozen_) sources.push_back(frozen_->View());
  sources.push_back(active_->View());
  return sources;
}

std::shared_ptr<const Snapshot> DBImpl::GetSnapshot() const {
  std::lock_guard lock(mutex_);
  return MakeSnapshot(Sources());
}

DBStats DBImpl::Stats() const {
  SourceList sources;
  uint64_t generation = 0;
  DBStats stats;
  uint64_t series_in_heads = 0;
  {
    std::lock_guard lock(mutex_);
    stats = counters_;
    sources = Sources();
    generation = generation_;
    stats.parts = parts_.size();
    std::set<uint64_t> deletes;
    for (const LivePart& part : parts_) {
      stats.part_bytes += part.entry.bytes;
      deletes.insert(part.entry.deletes.begin(), part.entry.deletes.end());
    }
    stats.deletes_pending = deletes.size();
    for (const auto& [segment, size] : segments_) stats.wal_bytes += size;
    stats.reserve_bytes = reserve_.kept_bytes();
    stats.head_bytes = active_->byte_size() + (frozen_ ? frozen_->byte_size() : 0);
    series_in_heads = active_->cut().series + (frozen_ ? uint64_t{frozen_->cut().series} << 32 : 0);
  }
  for (const auto& source : sources) {
    const SourceCounts counts = source->counts();
    stats.samples += counts.samples;
    stats.logs += counts.rows[static_cast<int>(Table::kLogs)];
    stats.spans += counts.rows[static_cast<int>(Table::kSpans)];
    stats.exemplars += counts.rows[static_cast<int>(Table::kExemplars)];
  }
  const auto has_series = [](const auto& source) { return source->counts().series > 0; };
  const auto first = std::find_if(sources.begin(), sources.end(), has_series);
  if (stats.deletes_pending == 0 &&
      std::find_if(first == sources.end() ? first : first + 1, sources.end(), has_series) == sources.end()) {
    stats.series = first == sources.end() ? 0 : (*first)->counts().series;
    return stats;
  }
  // Distinct label sets need a merge of all label lists, so they are counted again only after a change; and where that
  // takes long, whoever asks often gets a count that is a little old.
  std::lock_guard lock(series_mutex_);
  const Clock::time_point now = Clock::now();
  const bool changed = series_generation_ != generation || series_in_heads_ != series_in_heads;
  if (changed &&
      (series_count_time_ < kSeriesCountTime || now >= series_counted_ + kSeriesCountShare * series_count_time_)) {
    SeriesSpec spec;
    spec.labels_only = true;
    auto scan = MakeSnapshot(std::move(sources))->OpenSeriesScan(spec);
    uint64_t count = 0;
    if (scan.ok()) {
      SeriesData data;
      while (true) {
        auto more = (*scan)->Next(&data);
        if (!more.ok() || !*more) break;
        ++count;
      }
    }
    series_count_ = count;
    series_generation_ = generation;
    series_in_heads_ = series_in_heads;
    series_counted_ = Clock::now();
    series_count_time_ = series_counted_ - now;
  }
  stats.series = series_count_;
  return stats;
}

absl::Status DBImpl::Close() {
  return GuardMemory("closing the store", [&] { return CloseFiles(); });
}

absl::Status DBImpl::CloseFiles() {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return absl::OkStatus();
    closed_ = true;
    room_.notify_all();
    flush_wanted_.notify_all();
    merge_wanted_.notify_all();
    sync_wanted_.notify_all();
  }
  if (sync_thread_.joinable()) sync_thread_.join();
  if (flush_thread_.joinable()) flush_thread_.join();
  if (merge_thread_.joinable()) merge_thread_.join();
  std::scoped_lock work_lock(flush_mutex_, merge_mutex_);
  absl::Status status;
  {
    std::lock_guard lock(commit_mutex_);
    if (wal_ != nullptr && wal_->broken().ok()) {
      status = SyncWal();
      if (status.ok()) status = wal_->AppendEnd(last_sequence_);
      if (status.ok()) status = SyncWal();
    }
    wal_ = nullptr;
  }
  if (!options_.read_only) RemoveObsolete();
  lock_ = nullptr;
  return status;
}

}  // namespace braid
