// The bytes of a WAL segment (docs/format/wal.md): names, sizes, limits, and the two headers.
//
//   segment := segment_header record*
//   segment_header (48 bytes) := "BRAIDWAL" fixed32(version) fixed32(features) fixed64(segment id) fixed64(store id)
//                    fixed64(first sequence) fixed32(crc of the 40 bytes before) fixed32(0)
//   record  := record_header payload
//   record_header (32 bytes) := fixed32(payload size) fixed32(crc of the payload) fixed64(sequence) fixed64(synced)
//                    byte(kind) byte(compression) fixed16(0) fixed32(crc of the 28 bytes before)
//   Both checksums of a record are CRC-32C seeded with that of (store id, segment id, offset of the record), so that a
//   record which stands in a wrong place, or in another store's file, is not valid.
//   synced  := every byte of this segment before this offset was on disk when the record was written. It tells what a
//              power failure may have torn from what must be there: damage before it is corruption.
//   payload := what `compression` made of: commit (kind 1, grammar: wal_writer.h) | nothing (kind 2, clean end)
//              Compressed payloads begin with varint(plain size).
//
// Threads: pure functions. Errors: false for bytes that are no such header.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace braid {

inline constexpr std::string_view kWalMagic = "BRAIDWAL";
inline constexpr uint32_t kWalVersion = 1;
inline constexpr uint32_t kWalFeatures = 0;  // a bit that is not known here makes the segment a newer format's
inline constexpr size_t kWalSegmentHeaderBytes = 48;
inline constexpr size_t kWalRecordHeaderBytes = 32;
// A batch of kMaxBatchBytes with the names of its series and streams fits with room to spare.
inline constexpr uint32_t kWalPayloadBytesMax = uint32_t{768} << 20;
// Smaller payloads are not worth compressing.
inline constexpr size_t kWalCompressBytesMin = 512;
// Room asked of the file system ahead of the end, so that most commits do not change the file's extents.
inline constexpr uint64_t kWalPreallocateBytes = uint64_t{4} << 20;

enum class WalRecordKind : uint8_t { kCommit = 1, kEnd = 2 };

struct WalSegmentHeader {
  uint32_t version = kWalVersion;
  uint32_t features = kWalFeatures;
  uint64_t segment = 0;
  uint64_t store = 0;
  uint64_t first_sequence = 0;
};

struct WalRecordHeader {
  uint32_t payload_size = 0;
  uint32_t payload_crc = 0;
  uint64_t sequence = 0;
  uint64_t synced = 0;
  WalRecordKind kind = WalRecordKind::kCommit;
  uint8_t compression = 0;
};

// Where a record stands: the seed of its checksums.
uint32_t WalSeed(uint64_t store, uint64_t segment, uint64_t offset);

std::string EncodeWalSegmentHeader(const WalSegmentHeader& header);
// False if the bytes are damaged. Version and features are the caller's to judge.
bool DecodeWalSegmentHeader(std::string_view bytes, WalSegmentHeader* header);

void EncodeWalRecordHeader(const WalRecordHeader& header, uint32_t seed, std::string* out);
bool DecodeWalRecordHeader(std::string_view bytes, uint32_t seed, WalRecordHeader* header);

// "000000000012.wal" and back.
std::string WalSegmentName(uint64_t segment);
bool ParseWalSegmentName(std::string_view name, uint64_t* segment);

}  // namespace braid
