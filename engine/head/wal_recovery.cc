#include "engine/head/wal_recovery.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/head/wal_reader.h"
#include "engine/io/atomic_file.h"
#include "engine/io/path.h"

namespace braid {
namespace {

constexpr size_t kCopyBytes = size_t{1} << 20;

class WalRecovery {
 public:
  WalRecovery(const WalRecoverySpec& spec, Head* head) : spec_(spec), head_(head) {
    result_.last_sequence = spec.flushed_sequence;
    result_.tail.last_sequence = spec.flushed_sequence;
    result_.next_segment = spec.first_segment;
  }

  absl::StatusOr<WalRecoveryResult> Run() {
    RETURN_IF_ERROR(ListSegments());
    for (size_t i = 0; i < segments_.size() && !stopped_; ++i) RETURN_IF_ERROR(ReplaySegment(i));
    if (!spec_.read_only && !result_.segments.empty()) RETURN_IF_ERROR(Settle(result_.segments.back().first));
    return std::move(result_);
  }

 private:
  std::string PathOf(uint64_t segment) const { return JoinPath(spec_.dir, WalSegmentName(segment)); }

  // What a process that was killed left with the kernel is built upon from now on, so it must be on disk. If its last
  // sync failed, another one proves nothing, so a segment that was not closed is written anew; on a full disk it is
  // synced, and the store can be read.
  absl::Status Settle(uint64_t segment) {
    if (!last_ended_) {
      const absl::Status status = RewriteFile(spec_.fs, PathOf(segment));
      if (!absl::IsResourceExhausted(status)) return status;
    }
    ASSIGN_OR_RETURN(auto file, spec_.fs->OpenAppend(PathOf(segment), /*keep=*/true));
    return file->Sync();
  }

  absl::Status ListSegments() {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, spec_.fs->List(spec_.dir));
    for (const std::string& name : names) {
      uint64_t segment = 0;
      if (!spec_.read_only && name.ends_with(kTempSuffix)) {
        RETURN_IF_ERROR(spec_.fs->Remove(JoinPath(spec_.dir, name)));
        continue;
      }
      if (!ParseWalSegmentName(name, &segment)) continue;
      result_.next_segment = std::max(result_.next_segment, segment + 1);
      if (segment >= spec_.first_segment) {
        segments_.push_back(segment);
      } else if (!spec_.read_only) {
        RETURN_IF_ERROR(spec_.fs->Remove(JoinPath(spec_.dir, name)));
      }
    }
    std::sort(segments_.begin(), segments_.end());
    return absl::OkStatus();
  }

  absl::Status ReplaySegment(size_t index) {
    const uint64_t segment = segments_[index];
    last_ended_ = false;
    ASSIGN_OR_RETURN(std::unique_ptr<WalReader> reader, WalReader::Open(spec_.fs, PathOf(segment)));
    reader->SetPlace(spec_.store, segment);
    auto replayer = std::make_unique<WalReplayer>(head_, spec_.mode == Recovery::kSalvage);
    WalSegmentHeader header;
    ASSIGN_OR_RETURN(const bool header_ok, reader->ReadHeader(&header));
    uint64_t offset = kWalSegmentHeaderBytes;
    std::string why;
    bool foreign = false;
    if (!header_ok) {
      why = "the header is damaged";
      offset = 0;
    } else if (header.version > kWalVersion || (header.features & ~kWalFeatures) != 0) {
      return absl::FailedPreconditionError(
          absl::StrCat(PathOf(segment), " was written by a newer version of Braid (format ", header.version, ")"));
    } else if (header.segment != segment || header.store != spec_.store) {
      why = "the header is that of another segment or store";
      foreign = true;
      offset = 0;
    } else if (header.first_sequence != result_.last_sequence + 1) {
      why = absl::StrCat("it begins with commit ", header.first_sequence, " where ", result_.last_sequence + 1,
                         " is due");
      RETURN_IF_ERROR(MeetCorruption(index, reader.get(), 0, why));
      if (stopped_) return absl::OkStatus();
      if (header.first_sequence > result_.last_sequence) result_.last_sequence = header.first_sequence - 1;
      result_.set_aside.push_back(absl::StrCat("WAL segment ", segment, ": ", why));
      why.clear();
    }
    bool ended = false;
    WalRecord record;
    while (true) {
      if (why.empty()) {
        if (offset == reader->size()) break;
        ASSIGN_OR_RETURN(const bool valid, reader->ReadRecord(offset, &record, &why));
        if (valid) RETURN_IF_ERROR(TakeRecord(record, replayer.get(), &ended, &why));
        if (valid && why.empty()) {
          offset = record.end;
          continue;
        }
      }
      const uint64_t damage = offset;
      ASSIGN_OR_RETURN(bool corrupt, IsCorrupt(index, reader.get(), damage));
      // Its checksum is right, so nothing was torn; perhaps it is the manifest that is another store's.
      // And the manifest names a segment only when its header is on disk.
      corrupt = corrupt || (damage == 0 && (foreign || segment <= spec_.last_segment));
      if (!corrupt) {
        if (damage >= kWalSegmentHeaderBytes) SetTail(segment, damage, ended, std::move(replayer));
        return CutTorn(segment, damage, reader->size());
      }
      RETURN_IF_ERROR(MeetCorruption(index, reader.get(), damage, why));
      if (stopped_) return absl::OkStatus();
      why.clear();
      // Salvage: on with the next record that checks.
      ASSIGN_OR_RETURN(const bool found, reader->FindRecord(damage + 1, result_.last_sequence + 1, &record));
      const uint64_t next = found ? record.offset : reader->size();
      RETURN_IF_ERROR(SetAside(segment, reader.get(), damage, next, why_of_last_));
      if (found && record.header.kind == WalRecordKind::kCommit) result_.last_sequence = record.header.sequence - 1;
      offset = next;
    }
    SetTail(segment, reader->size(), ended, std::move(replayer));
    result_.segments.emplace_back(segment, reader->size());
    last_ended_ = ended;
    return absl::OkStatus();
  }

  void SetTail(uint64_t segment, uint64_t offset, bool ended, std::unique_ptr<WalReplayer> replayer) {
    result_.tail = {segment, offset, ended, std::move(replayer), result_.last_sequence};
  }

  // Applies a valid record. `*why` is set if it does not fit in here after all.
  absl::Status TakeRecord(const WalRecord& record, WalReplayer* replayer, bool* ended, std::string* why) {
    if (*ended) {
      *why = "a record follows the end mark";
    } else if (record.header.kind == WalRecordKind::kEnd) {
      *ended = true;
    } else if (record.header.sequence != result_.last_sequence + 1) {
      *why = absl::StrCat("commit ", record.header.sequence, " stands where ", result_.last_sequence + 1, " is due");
    } else {
      const absl::Status status = replayer->Apply(record.plain, &result_.batches);
      if (status.ok()) {
        result_.last_sequence = record.header.sequence;
      } else {
        *why = std::string(Str(status.message()));
      }
    }
    return absl::OkStatus();
  }

  // Does anything prove that the bytes at `damage` were on disk?
  absl::StatusOr<bool> IsCorrupt(size_t index, WalReader* reader, uint64_t damage) {
    if (index + 1 < segments_.size()) return true;
    WalRecord record;
    for (uint64_t from = damage;; from = record.end) {
      ASSIGN_OR_RETURN(const bool found, reader->FindRecord(from, 0, &record));
      if (!found) return false;
      if (record.header.synced > damage) return true;
      // A record whose checksums are right but whose content is not was written so; no power failure does that.
      if (record.offset == damage) return true;
    }
  }

  absl::Status CutTorn(uint64_t segment, uint64_t damage, uint64_t size) {
    result_.torn_bytes += size - damage;
    if (spec_.read_only) {
      result_.segments.emplace_back(segment, damage);
      return absl::OkStatus();
    }
    if (damage < kWalSegmentHeaderBytes) {
      RETURN_IF_ERROR(spec_.fs->Remove(PathOf(segment)));
      return spec_.fs->SyncDir(spec_.dir);
    }
    RETURN_IF_ERROR(Truncate(segment, damage));
    result_.segments.emplace_back(segment, damage);
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t segment, uint64_t size) {
    ASSIGN_OR_RETURN(auto file, spec_.fs->OpenAppend(PathOf(segment), /*keep=*/true));
    RETURN_IF_ERROR(file->Truncate(size));
    return file->Sync();
  }

  // Answers DataLoss, or prepares what the mode wants: point-in-time ends the replay here.
  absl::Status MeetCorruption(size_t index, WalReader* reader, uint64_t damage, const std::string& why) {
    const uint64_t segment = segments_[index];
    why_of_last_ = why;
    if (spec_.mode == Recovery::kRefuse) {
      return absl::DataLossError(
          absl::StrCat("WAL segment ", PathOf(segment), " is damaged at offset ", damage, ": ", why,
                       "; what follows was on disk once, so this is no torn end. Open with recovery point-in-time "
                       "(`braid serve --recover=point-in-time`) to keep what stands before it, or salvage "
                       "(`--recover=salvage`) to keep every record that checks"));
    }
    if (spec_.mode == Recovery::kSalvage) {
      result_.must_flush = true;
      return absl::OkStatus();
    }
    stopped_ = true;
    // A segment that begins at a wrong commit has nothing worth keeping in front of the damage.
    const uint64_t begin = damage <= kWalSegmentHeaderBytes ? 0 : damage;
    RETURN_IF_ERROR(SetAside(segment, reader, begin, reader->size(), why));
    for (size_t i = index + 1; i < segments_.size(); ++i) {
      ASSIGN_OR_RETURN(auto later, WalReader::Open(spec_.fs, PathOf(segments_[i])));
      RETURN_IF_ERROR(SetAside(segments_[i], later.get(), 0, later->size(), "it follows the damage"));
    }
    if (spec_.read_only) {
      result_.segments.emplace_back(segment, damage);
      return absl::OkStatus();
    }
    // From the newest to the oldest: a crash in between leaves the damage in place, to be met again.
    for (size_t i = segments_.size() - 1; i > index; --i) {
      RETURN_IF_ERROR(spec_.fs->Remove(PathOf(segments_[i])));
      RETURN_IF_ERROR(spec_.fs->SyncDir(spec_.dir));
    }
    if (begin == 0) {
      RETURN_IF_ERROR(spec_.fs->Remove(PathOf(segment)));
      return spec_.fs->SyncDir(spec_.dir);
    }
    RETURN_IF_ERROR(Truncate(segment, damage));
    result_.segments.emplace_back(segment, damage);
    return absl::OkStatus();
  }

  // Copies bytes [begin, end) of a segment to quarantine.
  absl::Status SetAside(uint64_t segment, WalReader* reader, uint64_t begin, uint64_t end, const std::string& why) {
    result_.set_aside.push_back(absl::StrCat("WAL segment ", segment, " bytes ", begin, "-", end, ": ", why));
    if (spec_.read_only || begin >= end) return absl::OkStatus();
    RETURN_IF_ERROR(spec_.fs->CreateDir(spec_.quarantine_dir));
    RETURN_IF_ERROR(spec_.fs->SyncDir(DirName(spec_.quarantine_dir)));
    const std::string path =
        JoinPath(spec_.quarantine_dir, absl::StrCat(WalSegmentName(segment), ".", begin, "-", end));
    ASSIGN_OR_RETURN(auto from, spec_.fs->OpenRead(PathOf(segment)));
    ASSIGN_OR_RETURN(auto to, spec_.fs->OpenAppend(path, /*keep=*/false));
    std::string bytes;
    for (uint64_t at = begin; at < end && at < reader->size(); at += bytes.size()) {
      RETURN_IF_ERROR(from->Read(at, std::min<uint64_t>(kCopyBytes, end - at), &bytes));
      if (bytes.empty()) break;
      RETURN_IF_ERROR(to->Append(bytes));
    }
    RETURN_IF_ERROR(to->Sync());
    return spec_.fs->SyncDir(spec_.quarantine_dir);
  }

  const WalRecoverySpec& spec_;
  Head* const head_;
  WalRecoveryResult result_;
  std::vector<uint64_t> segments_;
  std::string why_of_last_;
  bool stopped_ = false;
  bool last_ended_ = false;  // the segment read last has its end mark
};

}  // namespace

absl::StatusOr<WalRecoveryResult> RecoverWal(const WalRecoverySpec& spec, Head* head) {
  return WalRecovery(spec, head).Run();
}

}  // namespace braid
