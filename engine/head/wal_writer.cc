#include "engine/head/wal_writer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/checksum.h"
#include "engine/base/coding.h"
#include "engine/base/memory_guard.h"
#include "engine/base/status_macros.h"
#include "engine/codec/compression.h"
#include "engine/io/path.h"

namespace braid {

absl::StatusOr<std::unique_ptr<WalWriter>> WalWriter::Create(FileSystem* fs, const std::string& dir, uint64_t store,
                                                             uint64_t segment, uint64_t first_sequence) {
  const std::string path = JoinPath(dir, WalSegmentName(segment));
  ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file, fs->OpenAppend(path, /*keep=*/false));
  WalSegmentHeader header;
  header.segment = segment;
  header.store = store;
  header.first_sequence = first_sequence;
  RETURN_IF_ERROR(file->Append(EncodeWalSegmentHeader(header)));
  // A header that is not sound is damage, then, and never a torn end.
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(fs->SyncDir(dir));
  return std::unique_ptr<WalWriter>(new WalWriter(std::move(file), store, segment));
}

void WalWriter::EncodeCommit(const std::vector<Entry>& batches, Head* head, std::vector<WalPlace*>* defined) {
  plain_.clear();
  PutVarint(&plain_, series_defined_);
  PutVarint(&plain_, streams_defined_);
  PutVarint(&plain_, batches.size());
  auto refer = [&](WalPlace* place, std::string_view bytes, uint32_t* count) {
    if (place->segment == segment_) {
      PutVarint(&plain_, uint64_t{place->number} + 1);
      return;
    }
    PutVarint(&plain_, 0);
    PutBytes(&plain_, bytes);
    defined->push_back(place);
    *place = {segment_, (*count)++};
  };
  for (const Entry& batch : batches) {
    PutVarint(&plain_, batch.resolved->series.size());
    for (uint32_t series : batch.resolved->series) {
      refer(&head->series().wal_place(series), head->series().labels(series), &series_defined_);
    }
    PutVarint(&plain_, batch.resolved->streams.size());
    for (uint32_t stream : batch.resolved->streams) {
      refer(&head->streams().wal_place(stream), head->streams().stream(stream).bytes, &streams_defined_);
    }
    PutBytes(&plain_, batch.body);
  }
}

absl::Status WalWriter::AppendCommit(uint64_t sequence, const std::vector<Entry>& batches, Head* head) {
  const uint32_t series_before = series_defined_, streams_before = streams_defined_;
  std::vector<WalPlace*> defined;
  absl::Status status = GuardMemory("writing the WAL", [&] {
    EncodeCommit(batches, head, &defined);
    return AppendRecord(sequence, WalRecordKind::kCommit, plain_);
  });
  if (!status.ok()) {
    // What this record would have defined is not in the segment.
    for (WalPlace* place : defined) *place = {};
    series_defined_ = series_before;
    streams_defined_ = streams_before;
  }
  if (plain_.capacity() > (size_t{16} << 20)) plain_ = std::string();
  return status;
}

absl::Status WalWriter::AppendEnd(uint64_t sequence) { return AppendRecord(sequence, WalRecordKind::kEnd, {}); }

absl::Status WalWriter::AppendRecord(uint64_t sequence, WalRecordKind kind, std::string_view plain) {
  RETURN_IF_ERROR(broken_);
  if (plain.size() > kWalPayloadBytesMax) return absl::InvalidArgumentError("commit is too large for the WAL");
  const uint64_t offset = file_->size();
  std::string compressed;
  Compression used = Compression::kNone;
  if (plain.size() >= kWalCompressBytesMin) {
    PutVarint(&compressed, plain.size());
    used = Compress(Compression::kLz4, 0, plain, &compressed);
  }
  const std::string_view payload = used == Compression::kNone ? plain : std::string_view(compressed);
  const uint32_t seed = WalSeed(store_, segment_, offset);
  WalRecordHeader header;
  header.payload_size = static_cast<uint32_t>(payload.size());
  header.payload_crc = Crc32c(payload, seed);
  header.sequence = sequence;
  header.synced = synced_;
  header.kind = kind;
  header.compression = static_cast<uint8_t>(used);
  record_.clear();
  EncodeWalRecordHeader(header, seed, &record_);
  record_.append(payload);

  absl::Status status;
  if (offset + record_.size() > preallocated_) {
    const uint64_t more = record_.size() + kWalPreallocateBytes;
    status = file_->Preallocate(more);
    // Room ahead is a wish; only the record itself must fit, and Append will tell.
    if (status.ok()) preallocated_ = offset + more;
  }
  status = file_->Append(record_);
  if (record_.capacity() > (size_t{16} << 20)) record_ = std::string();
  if (status.ok()) return status;
  cut_ = true;
  const absl::Status cut = file_->Truncate(offset);
  if (!cut.ok()) {
    broken_ = absl::UnavailableError(
        absl::StrCat("WAL segment ", segment_, ": ", status.message(), "; then ", cut.message()));
  } else if (!absl::IsResourceExhausted(status)) {
    broken_ = absl::UnavailableError(absl::StrCat("WAL segment ", segment_, ": ", status.message()));
  } else {
    preallocated_ = 0;
  }
  return broken_.ok() ? status : broken_;
}

absl::Status WalWriter::Sync(bool cut_to_synced) {
  RETURN_IF_ERROR(broken_);
  if (synced()) return absl::OkStatus();
  const absl::Status status = GuardMemory("telling why a sync failed", [&] { return file_->Sync(); });
  if (status.ok()) {
    synced_ = file_->size();
    cut_ = false;
    return status;
  }
  // The kernel may have dropped the dirty pages and call the next sync a success, so there is no next sync.
  broken_ = absl::Status(absl::StatusCode::kUnavailable, "");  // needs no memory
  broken_ = absl::UnavailableError(absl::StrCat("WAL segment ", segment_, ": ", status.message()));
  if (cut_to_synced) file_->Truncate(std::max<uint64_t>(synced_, kWalSegmentHeaderBytes)).IgnoreError();
  return broken_;
}

}  // namespace braid
