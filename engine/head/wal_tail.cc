#include "engine/head/wal_tail.h"

#include <algorithm>

#include "engine/base/status_macros.h"
#include "engine/io/path.h"

namespace braid {
namespace {

enum class Step : uint8_t { kDone, kAgain, kLost };

std::string PathOf(const WalTailSpec& spec, uint64_t segment) { return JoinPath(spec.dir, WalSegmentName(segment)); }

// The segment that follows what was read; 0 = none yet.
absl::StatusOr<uint64_t> NextSegment(const WalTailSpec& spec, uint64_t after) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, spec.fs->List(spec.dir));
  uint64_t next = 0;
  for (const std::string& name : names) {
    uint64_t segment = 0;
    if (!ParseWalSegmentName(name, &segment) || segment <= after || segment < spec.first_segment) continue;
    next = next == 0 ? segment : std::min(next, segment);
  }
  return next;
}

// Reads records of the segment to its end, or to one that is not whole. `*whole` = it was the end.
absl::StatusOr<Step> ReadOn(const WalTailSpec& spec, WalTail* tail, uint64_t* batches, bool* whole) {
  ASSIGN_OR_RETURN(const std::unique_ptr<WalReader> reader, WalReader::Open(spec.fs, PathOf(spec, tail->segment)));
  reader->SetPlace(spec.store, tail->segment);
  if (reader->size() < tail->offset) return Step::kLost;
  WalRecord record;
  std::string why;
  while (tail->offset < reader->size()) {
    ASSIGN_OR_RETURN(const bool valid, reader->ReadRecord(tail->offset, &record, &why));
    if (!valid) break;
    if (record.header.kind == WalRecordKind::kEnd) {
      tail->ended = true;
    } else {
      if (tail->ended || record.header.sequence != tail->last_sequence + 1) return Step::kLost;
      if (!tail->replayer->Apply(record.plain, batches).ok()) return Step::kLost;
      tail->last_sequence = record.header.sequence;
    }
    tail->offset = record.end;
  }
  *whole = tail->offset == reader->size();
  return Step::kDone;
}

// Goes to the beginning of a segment.
absl::StatusOr<Step> Enter(const WalTailSpec& spec, uint64_t segment, Head* head, WalTail* tail) {
  ASSIGN_OR_RETURN(const std::unique_ptr<WalReader> reader, WalReader::Open(spec.fs, PathOf(spec, segment)));
  if (reader->size() < kWalSegmentHeaderBytes) return Step::kDone;  // being made
  WalSegmentHeader header;
  ASSIGN_OR_RETURN(const bool header_ok, reader->ReadHeader(&header));
  const bool follows = header_ok && header.version <= kWalVersion && (header.features & ~kWalFeatures) == 0 &&
                       header.store == spec.store && header.segment == segment &&
                       header.first_sequence == tail->last_sequence + 1;
  if (!follows) return Step::kLost;
  tail->segment = segment;
  tail->offset = kWalSegmentHeaderBytes;
  tail->ended = false;
  tail->replayer = std::make_unique<WalReplayer>(head, /*allow_gaps=*/false);
  return Step::kAgain;
}

absl::StatusOr<Step> Advance(const WalTailSpec& spec, Head* head, WalTail* tail, uint64_t* batches) {
  bool whole = true;
  if (tail->segment != 0) {
    ASSIGN_OR_RETURN(const Step read, ReadOn(spec, tail, batches, &whole));
    if (read == Step::kLost) return read;
  }
  ASSIGN_OR_RETURN(const uint64_t next, NextSegment(spec, tail->segment));
  if (next == 0) return Step::kDone;
  // A later segment proves that this one is complete, but it may have grown since it was read.
  if (tail->segment != 0) {
    ASSIGN_OR_RETURN(const Step read, ReadOn(spec, tail, batches, &whole));
    if (read == Step::kLost || !whole) return Step::kLost;
  }
  return Enter(spec, next, head, tail);
}

}  // namespace

absl::StatusOr<bool> FollowWal(const WalTailSpec& spec, Head* head, WalTail* tail, uint64_t* batches) {
  while (true) {
    const absl::StatusOr<Step> step = Advance(spec, head, tail, batches);
    if (absl::IsNotFound(step.status())) return false;
    RETURN_IF_ERROR(step.status());
    if (*step != Step::kAgain) return *step == Step::kDone;
  }
}

}  // namespace braid
