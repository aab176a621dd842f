#include "engine/head/wal_reader.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "engine/base/checksum.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"
#include "engine/codec/compression.h"

namespace braid {
namespace {

constexpr size_t kWindowBytes = size_t{1} << 20;
// LZ4 makes at most 255 bytes of one.
constexpr uint64_t kExpansionMax = 256;
constexpr uint32_t kLost = UINT32_MAX;

// Cheap signs that a record header may stand here, before its checksum is computed.
bool MayBeHeader(std::string_view bytes, uint64_t left, uint64_t least_sequence) {
  const uint8_t kind = static_cast<uint8_t>(bytes[24]);
  if ((kind != 1 && kind != 2) || bytes[26] != 0 || bytes[27] != 0) return false;
  uint32_t size = 0;
  uint64_t sequence = 0;
  std::memcpy(&size, bytes.data(), sizeof(size));
  std::memcpy(&sequence, bytes.data() + 8, sizeof(sequence));
  return size <= left - kWalRecordHeaderBytes && sequence >= least_sequence;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WalReader>> WalReader::Open(FileSystem* fs, const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<RandomReadFile> file, fs->OpenRead(path));
  return std::unique_ptr<WalReader>(new WalReader(std::move(file)));
}

absl::StatusOr<std::string_view> WalReader::View(uint64_t offset, size_t size) {
  const bool inside = offset >= window_offset_ && offset + size <= window_offset_ + window_.size();
  if (!inside) {
    window_offset_ = offset;
    RETURN_IF_ERROR(file_->Read(offset, std::max(size, kWindowBytes), &window_));
  }
  return std::string_view(window_).substr(offset - window_offset_, size);
}

absl::StatusOr<bool> WalReader::ReadHeader(WalSegmentHeader* header) {
  ASSIGN_OR_RETURN(const std::string_view bytes, View(0, kWalSegmentHeaderBytes));
  return DecodeWalSegmentHeader(bytes, header);
}

absl::StatusOr<bool> WalReader::ReadRecord(uint64_t offset, WalRecord* record, std::string* why) {
  ASSIGN_OR_RETURN(std::string_view bytes, View(offset, kWalRecordHeaderBytes));
  if (bytes.size() < kWalRecordHeaderBytes) {
    *why = "the file ends within a record's header";
    return false;
  }
  const uint32_t seed = WalSeed(store_, segment_, offset);
  if (!DecodeWalRecordHeader(bytes, seed, &record->header)) {
    *why = "the checksum of a record's header does not match";
    return false;
  }
  const size_t size = record->header.payload_size;
  if (size > file_->size() - offset - kWalRecordHeaderBytes) {
    *why = "the file ends within a record";
    return false;
  }
  ASSIGN_OR_RETURN(bytes, View(offset + kWalRecordHeaderBytes, size));
  if (bytes.size() < size) {
    *why = "the file ends within a record";
    return false;
  }
  if (Crc32c(bytes, seed) != record->header.payload_crc) {
    *why = "the checksum of a record does not match";
    return false;
  }
  record->offset = offset;
  record->end = offset + kWalRecordHeaderBytes + size;
  record->plain.clear();
  if (record->header.compression == static_cast<uint8_t>(Compression::kNone)) {
    record->plain.assign(bytes);
    return true;
  }
  Decoder in(bytes);
  uint64_t plain_size = 0;
  if (record->header.compression != static_cast<uint8_t>(Compression::kLz4) ||
      !in.ReadVarintMax(std::min<uint64_t>(kWalPayloadBytesMax, bytes.size() * kExpansionMax), &plain_size) ||
      !Decompress(Compression::kLz4, in.rest(), plain_size, kWalPayloadBytesMax, &record->plain).ok()) {
    *why = "a record cannot be decompressed";
    return false;
  }
  return true;
}

absl::StatusOr<bool> WalReader::FindRecord(uint64_t from, uint64_t sequence, WalRecord* record) {
  std::string why;
  // Headers that check but lead to payloads that do not are rare; a file made to have many of them must not cost more
  // than a few times its size.
  uint64_t budget = 4 * file_->size() + kWindowBytes;
  for (uint64_t at = from; at + kWalRecordHeaderBytes <= file_->size(); ++at) {
    ASSIGN_OR_RETURN(const std::string_view bytes, View(at, kWalRecordHeaderBytes));
    if (bytes.size() < kWalRecordHeaderBytes) return false;
    if (!MayBeHeader(bytes, file_->size() - at, sequence)) continue;
    if (!DecodeWalRecordHeader(bytes, WalSeed(store_, segment_, at), &record->header)) continue;
    if (record->header.payload_size > budget) return false;
    budget -= record->header.payload_size;
    ASSIGN_OR_RETURN(const bool valid, ReadRecord(at, record, &why));
    if (valid) return true;
  }
  return false;
}

absl::Status WalReplayer::Decode(std::string_view commit, std::vector<Batch>* batches) {
  auto bad = [](const char* what) { return absl::DataLossError(what); };
  Decoder in(commit);
  uint64_t series_before = 0, streams_before = 0, count = 0;
  if (!in.ReadVarintMax(kLost - 1, &series_before) || !in.ReadVarintMax(kLost - 1, &streams_before) ||
      !in.ReadVarintMax(in.remaining(), &count)) {
    return bad("a commit is not readable");
  }
  for (auto [before, table] : {std::pair(series_before, &series_), std::pair(streams_before, &streams_)}) {
    if (before == table->size()) continue;
    // A definition takes at least two bytes of a segment; more than that were never defined.
    if (!allow_gaps_ || before < table->size() || before - table->size() > (uint64_t{1} << 28)) {
      return bad("a commit does not follow the one before it");
    }
    table->resize(before, kLost);
  }
  batches->resize(count);
  auto read_refs = [&](bool of_series, std::vector<uint32_t>* table, std::vector<uint32_t>* refs) -> absl::Status {
    uint64_t size = 0;
    if (!in.ReadVarintMax(in.remaining(), &size)) return bad("a commit's references are not readable");
    refs->reserve(size);
    for (uint64_t i = 0; i < size; ++i) {
      uint64_t ref = 0;
      if (!in.ReadVarint(&ref)) return bad("a commit's references are not readable");
      if (ref == 0) {
        std::string_view bytes;
        if (!in.ReadBytes(&bytes)) return bad("a definition is not readable");
        const absl::Status check = of_series ? CheckLabels(bytes) : CheckStream(bytes);
        if (!check.ok()) return absl::DataLossError(check.message());
        table->push_back(of_series ? head_->series().FindOrAdd(bytes) : head_->streams().FindOrAdd(bytes));
        refs->push_back(table->back());
      } else if (ref > table->size() || (*table)[ref - 1] == kLost) {
        return bad("a commit refers to a series or stream whose definition is not there");
      } else {
        refs->push_back((*table)[ref - 1]);
      }
    }
    return absl::OkStatus();
  };
  for (Batch& batch : *batches) {
    RETURN_IF_ERROR(read_refs(true, &series_, &batch.resolved.series));
    RETURN_IF_ERROR(read_refs(false, &streams_, &batch.resolved.streams));
    if (!in.ReadBytes(&batch.body)) return bad("a batch's body is not readable");
    const absl::Status check = CheckBody(batch.body, batch.resolved.series.size(), batch.resolved.streams.size());
    if (!check.ok()) return absl::DataLossError(check.message());
  }
  return in.done() ? absl::OkStatus() : bad("bytes follow a commit's batches");
}

absl::Status WalReplayer::Apply(std::string_view commit, uint64_t* batches) {
  std::vector<Batch> decoded;
  const size_t series_before = series_.size(), streams_before = streams_.size();
  if (absl::Status status = Decode(commit, &decoded); !status.ok()) {
    series_.resize(series_before);
    streams_.resize(streams_before);
    return status;
  }
  for (const Batch& batch : decoded) head_->Apply(batch.resolved, batch.body);
  head_->Publish();
  *batches += decoded.size();
  return absl::OkStatus();
}

}  // namespace braid
