// Opening a store: its directory, its manifest, its parts, its WAL.
#include <unistd.h>

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/db/db_impl.h"
#include "engine/db/masked_part.h"
#include "engine/db/quarantine.h"
#include "engine/head/wal_format.h"
#include "engine/io/atomic_file.h"
#include "engine/io/path.h"

namespace braid {
namespace {

constexpr char kLockName[] = "LOCK";
// A commit that waits longer for company costs more than the sync that it saves.
constexpr Duration kGroupCommitWindowMax = 5 * kMillisecond;

uint64_t RandomStoreId() {
  std::random_device device;
  const uint64_t id = (uint64_t{device()} << 32) ^ device();
  return id != 0 ? id : 1;
}

bool IsOurs(const std::string& name) {
  return name == kLockName || name == absl::StrCat(Absl(kManifestName), Absl(kTempSuffix));
}

absl::Status WithText(const absl::Status& status, const std::string& text) {
  return absl::Status(status.code(), absl::StrCat(text, status.message()));
}

// May the part be set aside for this? Not if trying again, or a newer program, could read it.
bool IsDamage(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsNotFound(status) || absl::IsInvalidArgument(status);
}

}  // namespace

absl::Status DBImpl::Open() {
  if (options_.group_commit_window < 0 || options_.group_commit_window > kGroupCommitWindowMax) {
    return absl::InvalidArgumentError("group_commit_window is more than 5 ms");
  }
  if (in_memory_only()) {
    if (options_.durability == Durability::kMemory && !options_.read_only) return absl::OkStatus();
    return absl::InvalidArgumentError("a store without a path must have Durability::kMemory and be writable");
  }
  const absl::Status status = options_.read_only ? OpenBeside({}) : OpenFiles();
  if (!status.ok()) {
    closed_ = true;
    return status;
  }
  if (options_.background_work && !options_.read_only) {
    flush_thread_ = std::thread([this] { FlushLoop(); });
    merge_thread_ = std::thread([this] { MergeLoop(); });
    if (options_.durability != Durability::kMemory) sync_thread_ = std::thread([this] { SyncLoop(); });
  }
  return absl::OkStatus();
}

absl::Status DBImpl::OpenFiles() {
  bool create = false;
  RETURN_IF_ERROR(OpenDirectory(&create));
  if (!options_.read_only) {
    absl::StatusOr<std::unique_ptr<FileLock>> lock =
        fs_->Lock(JoinPath(path_, kLockName), absl::StrCat("process ", ::getpid()));
    if (absl::IsFailedPrecondition(lock.status())) return WithText(lock.status(), path_ + " is in use: ");
    if (!lock.ok()) return WithText(lock.status(), path_ + " cannot be written (open it read-only?): ");
    lock_ = *std::move(lock);
  }
  // Only now is nobody else creating it.
  absl::StatusOr<Manifest> manifest = ReadManifest(fs_, path_);
  if (absl::IsNotFound(manifest.status()) && create) {
    RETURN_IF_ERROR(CreateStore());
  } else if (!manifest.ok()) {
    return manifest.status();
  } else {
    manifest_ = *std::move(manifest);
  }
  manifest_store_ = manifest_.store;
  if (!options_.read_only) {
    // Also where a crash came between the manifest and its directories.
    RETURN_IF_ERROR(fs_->CreateDir(WalDir()));
    RETURN_IF_ERROR(fs_->CreateDir(PartsDir()));
    RETURN_IF_ERROR(fs_->SyncDir(path_));
    fs_->Remove(JoinPath(path_, absl::StrCat(Absl(kManifestName), Absl(kTempSuffix)))).IgnoreError();
  }
  counters_.quarantined_before = ListQuarantine(fs_, QuarantineDir());
  RETURN_IF_ERROR(OpenParts());
  std::vector<std::string> orphans;
  if (!options_.read_only) {
    ASSIGN_OR_RETURN(orphans, FindOrphans());
  }
  RETURN_IF_ERROR(ReplayWal());
  if (options_.read_only) return absl::OkStatus();
  // Only now is it known whether all that the manifest counts on is there.
  RETURN_IF_ERROR(RemoveOrphans(orphans));
  reserve_.Keep().IgnoreError();  // writers are told
  return absl::OkStatus();
}

absl::Status DBImpl::OpenDirectory(bool* create) {
  const absl::StatusOr<bool> is_directory = fs_->IsDirectory(path_);
  if (absl::IsNotFound(is_directory.status())) {
    if (!options_.create_if_missing || options_.read_only) {
      return absl::NotFoundError(path_ + " does not exist");
    }
    RETURN_IF_ERROR(fs_->CreateDir(path_));
    *create = true;
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(is_directory.status());
  if (!*is_directory) return absl::InvalidArgumentError(path_ + " is a file, not the directory of a store");
  ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_->List(path_));
  if (std::find(names.begin(), names.end(), kManifestName) != names.end()) return absl::OkStatus();
  for (const std::string& name : names) {
    if (name == "wal" || name == "parts") {
      return absl::DataLossError(
          absl::StrCat(path_, " has a ", name, " directory of a store, but its ", Absl(kManifestName), " is missing"));
    }
    if (!IsOurs(name)) {
      return absl::InvalidArgumentError(path_ + " is not a store: it is not empty and has no " +
                                        std::string(kManifestName));
    }
  }
  if (!options_.create_if_missing || options_.read_only) {
    return absl::FailedPreconditionError(path_ + " is not a store: the directory is empty");
  }
  *create = true;
  return absl::OkStatus();
}

absl::Status DBImpl::CreateStore() {
  // A manifest says that the directory itself is durable, whichever attempt made it. Who may not read the parent did
  // not make it.
  const absl::Status synced = fs_->SyncDir(DirName(path_));
  if (!synced.ok() && !absl::IsPermissionDenied(synced)) return synced;
  manifest_ = {};
  manifest_.store = RandomStoreId();
  manifest_.generation = 1;
  return WriteManifest(fs_, path_, manifest_);
}

absl::Status DBImpl::OpenParts() {
  std::vector<std::pair<uint64_t, std::string>> damaged;
  for (const PartEntry& entry : manifest_.parts) {
    LivePart live{entry, nullptr, nullptr};
    const auto before = std::find_if(reusable_.begin(), reusable_.end(),
                                     [&](const LivePart& part) { return part.entry.id == entry.id; });
    if (before != reusable_.end()) {
      live.part = before->part;
      live.view = MaskPart(live.part, manifest_.DeletesOf(entry));
      parts_.push_back(std::move(live));
      continue;
    }
    absl::StatusOr<std::shared_ptr<Part>> part = Part::Open(fs_, PartDir(entry.id), PartName(entry.id));
    if (part.ok()) {
      const SourceCounts counts = (*part)->counts();
      const bool same = counts.samples == entry.samples &&
                        std::equal(std::begin(entry.rows), std::end(entry.rows), std::begin(counts.rows));
      if (!same) part = absl::DataLossError("it holds other rows than the manifest says");
    }
    if (part.ok()) {
      live.part = *std::move(part);
      live.view = MaskPart(live.part, manifest_.DeletesOf(entry));
      parts_.push_back(std::move(live));
    } else if (!IsDamage(part.status())) {
      return part.status();
    } else if (options_.read_only && !missing_is_damage_ && absl::IsNotFound(part.status())) {
      return part.status();  // a writer merged it away: begin again with the new manifest
    } else {
      damaged.emplace_back(entry.id, std::string(Str(part.status().message())));
    }
  }
  for (const auto& [id, why] : damaged) {
    counters_.quarantined.push_back(absl::StrCat("part ", PartName(id), ": ", why));
    if (!options_.read_only) RETURN_IF_ERROR(Quarantine(id, why));
  }
  if (damaged.empty() || options_.read_only) return absl::OkStatus();
  // The directories have moved already: after a crash here they are missing, but never taken for orphans.
  Manifest next = manifest_;
  ++next.generation;
  next.parts.clear();
  for (const LivePart& part : parts_) next.parts.push_back(part.entry);
  next.DropSettledDeletes();
  RETURN_IF_ERROR(WriteManifest(fs_, path_, next));
  manifest_ = std::move(next);
  return absl::OkStatus();
}

absl::Status DBImpl::Quarantine(uint64_t part, const std::string& why) {
  const std::string from = PartDir(part);
  if (absl::IsNotFound(fs_->IsDirectory(from).status())) return absl::OkStatus();
  RETURN_IF_ERROR(fs_->CreateDir(QuarantineDir()));
  RETURN_IF_ERROR(fs_->SyncDir(path_));
  std::string to = JoinPath(QuarantineDir(), "part-" + PartName(part));
  const std::string base = to;
  for (int n = 2;; ++n) {
    const absl::StatusOr<bool> taken = fs_->IsDirectory(to);
    if (absl::IsNotFound(taken.status())) break;
    RETURN_IF_ERROR(taken.status());
    to = absl::StrCat(base, "-", n);
  }
  RETURN_IF_ERROR(fs_->Rename(from, to));
  RETURN_IF_ERROR(fs_->SyncDir(QuarantineDir()));
  RETURN_IF_ERROR(fs_->SyncDir(PartsDir()));
  return WriteFileAtomically(fs_, to + kReasonSuffix, why + "\n");
}

absl::StatusOr<std::vector<std::string>> DBImpl::FindOrphans() {
  std::vector<std::string> orphans;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_->List(PartsDir()));
  for (const std::string& name : names) {
    bool live = false;
    for (const PartEntry& entry : manifest_.parts) live = live || PartName(entry.id) == name;
    if (live) continue;
    // A part that was begun, or merged away, or whose removal was cut short. Anything else is not ours to remove.
    if (name.empty() || name.find_first_not_of("0123456789") != std::string::npos) continue;
    const absl::StatusOr<bool> is_directory = fs_->IsDirectory(JoinPath(PartsDir(), name));
    if (!is_directory.ok() || !*is_directory) continue;
    orphans.push_back(name);
    // Its number must not be given out again while it may still be there.
    uint64_t id = 0;
    if (name.size() < 19) id = std::stoull(name);
    manifest_.next_part = std::max(manifest_.next_part, id + 1);
  }
  return orphans;
}

absl::Status DBImpl::RemoveOrphans(const std::vector<std::string>& orphans) {
  for (const std::string& name : orphans) {
    // Where something is missing the manifest may be an old one, and this the part that a newer one named.
    const bool is_garbage = counters_.quarantined.empty();
    if (is_garbage || name.size() >= 19) {
      RemovePartDir(JoinPath(PartsDir(), name)).IgnoreError();
    } else if (PartName(std::stoull(name)) == name) {
      RETURN_IF_ERROR(Quarantine(std::stoull(name), "the manifest, which names what is not there, does not name it"));
    }
  }
  return absl::OkStatus();
}

absl::Status DBImpl::ReportMissingSegment(const WalRecoveryResult& result) {
  const uint64_t last = manifest_.last_segment;
  const bool kept =
      std::any_of(segments_.begin(), segments_.end(), [&](const auto& segment) { return segment.first == last; });
  if (last < manifest_.first_segment || kept) return absl::OkStatus();
  if (result.next_segment <= last) {
    const std::string why = "it is missing, and with it what was written there last";
    counters_.quarantined.push_back(absl::StrCat("WAL segment ", last, ": ", why));
    next_segment_ = last + 1;
    if (!options_.read_only) {
      RETURN_IF_ERROR(fs_->CreateDir(QuarantineDir()));
      RETURN_IF_ERROR(fs_->SyncDir(path_));
      RETURN_IF_ERROR(
          WriteFileAtomically(fs_, JoinPath(QuarantineDir(), WalSegmentName(last) + kReasonSuffix), why + "\n"));
    }
  }
  if (options_.read_only) return absl::OkStatus();
  // It was reported, or set aside; only once.
  Manifest next = manifest_;
  next.last_segment = 0;
  std::lock_guard lock(manifest_mutex_);
  return CommitManifest(std::move(next));
}

absl::Status DBImpl::ReplayWal() {
  WalRecoverySpec spec;
  spec.fs = fs_;
  spec.dir = WalDir();
  spec.quarantine_dir = QuarantineDir();
  spec.store = manifest_.store;
  spec.first_segment = manifest_.first_segment;
  spec.last_segment = manifest_.last_segment;
  spec.flushed_sequence = manifest_.flushed_sequence;
  spec.mode = options_.recovery;
  spec.read_only = options_.read_only;
  ASSIGN_OR_RETURN(WalRecoveryResult result, RecoverWal(spec, active_.get()));
  next_segment_ = result.next_segment;
  last_sequence_ = result.last_sequence;
  if (options_.read_only) tail_ = std::move(result.tail);
  counters_.replayed_batches = result.batches;
  counters_.torn_bytes = result.torn_bytes;
  counters_.quarantined.insert(counters_.quarantined.end(), result.set_aside.begin(), result.set_aside.end());
  segments_ = std::move(result.segments);
  for (const auto& [segment, size] : segments_) active_wal_bytes_ += size;
  RETURN_IF_ERROR(ReportMissingSegment(result));
  last_write_ = Clock::now();
  if (!active_->cut().empty()) active_since_ = last_write_;
  if (!result.must_flush || options_.read_only) return absl::OkStatus();
  {
    std::lock_guard lock(commit_mutex_);
    RETURN_IF_ERROR(SwitchHead());
  }
  std::lock_guard lock(flush_mutex_);
  return FlushFrozen();
}

}  // namespace braid
