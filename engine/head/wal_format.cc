#include "engine/head/wal_format.h"

#include <charconv>
#include <cstdio>

#include "engine/base/checksum.h"
#include "engine/base/coding.h"

namespace braid {
namespace {

constexpr std::string_view kSuffix = ".wal";

}  // namespace

uint32_t WalSeed(uint64_t store, uint64_t segment, uint64_t offset) {
  const uint64_t place[] = {store, segment, offset};
  return Crc32c({reinterpret_cast<const char*>(place), sizeof(place)});
}

std::string EncodeWalSegmentHeader(const WalSegmentHeader& header) {
  std::string out(kWalMagic);
  PutFixed32(&out, header.version);
  PutFixed32(&out, header.features);
  PutFixed64(&out, header.segment);
  PutFixed64(&out, header.store);
  PutFixed64(&out, header.first_sequence);
  PutFixed32(&out, Crc32c(out));
  PutFixed32(&out, 0);
  return out;
}

bool DecodeWalSegmentHeader(std::string_view bytes, WalSegmentHeader* header) {
  Decoder in(bytes);
  std::string_view magic;
  uint32_t crc = 0, zero = 0;
  return in.ReadRaw(kWalMagic.size(), &magic) && magic == kWalMagic && in.ReadFixed32(&header->version) &&
         in.ReadFixed32(&header->features) && in.ReadFixed64(&header->segment) && in.ReadFixed64(&header->store) &&
         in.ReadFixed64(&header->first_sequence) && in.ReadFixed32(&crc) && crc == Crc32c(bytes.substr(0, 40)) &&
         in.ReadFixed32(&zero) && zero == 0;
}

void EncodeWalRecordHeader(const WalRecordHeader& header, uint32_t seed, std::string* out) {
  const size_t start = out->size();
  PutFixed32(out, header.payload_size);
  PutFixed32(out, header.payload_crc);
  PutFixed64(out, header.sequence);
  PutFixed64(out, header.synced);
  PutByte(out, static_cast<uint8_t>(header.kind));
  PutByte(out, header.compression);
  PutByte(out, 0);
  PutByte(out, 0);
  PutFixed32(out, Crc32c(std::string_view(*out).substr(start), seed));
}

bool DecodeWalRecordHeader(std::string_view bytes, uint32_t seed, WalRecordHeader* header) {
  if (bytes.size() < kWalRecordHeaderBytes) return false;
  Decoder in(bytes);
  uint8_t kind = 0, zero[2] = {};
  uint32_t crc = 0;
  in.ReadFixed32(&header->payload_size);
  in.ReadFixed32(&header->payload_crc);
  in.ReadFixed64(&header->sequence);
  in.ReadFixed64(&header->synced);
  in.ReadByte(&kind);
  in.ReadByte(&header->compression);
  in.ReadByte(&zero[0]);
  in.ReadByte(&zero[1]);
  in.ReadFixed32(&crc);
  header->kind = static_cast<WalRecordKind>(kind);
  return header->payload_size <= kWalPayloadBytesMax && (kind == 1 || kind == 2) && (zero[0] | zero[1]) == 0 &&
         crc == Crc32c(bytes.substr(0, kWalRecordHeaderBytes - 4), seed);
}

std::string WalSegmentName(uint64_t segment) {
  char name[32];
  std::snprintf(name, sizeof(name), "%012llu", static_cast<unsigned long long>(segment));
  return std::string(name).append(kSuffix);
}

bool ParseWalSegmentName(std::string_view name, uint64_t* segment) {
  if (name.size() < 12 + kSuffix.size() || !name.ends_with(kSuffix)) return false;
  name.remove_suffix(kSuffix.size());
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), *segment);
  return error == std::errc() && end == name.data() + name.size();
}

}  // namespace braid
