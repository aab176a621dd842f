#include "engine/base/coding.h"

namespace braid {

void PutFixed32(std::string* out, uint32_t value) { out->append(reinterpret_cast<const char*>(&value), sizeof(value)); }
void PutFixed64(std::string* out, uint64_t value) { out->append(reinterpret_cast<const char*>(&value), sizeof(value)); }
void PutDouble(std::string* out, double value) { PutFixed64(out, std::bit_cast<uint64_t>(value)); }

void PutVarint(std::string* out, uint64_t value) {
  char buffer[kMaxVarintBytes];
  size_t size = 0;
  while (value >= 0x80) {
    buffer[size++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  buffer[size++] = static_cast<char>(value);
  out->append(buffer, size);
}

void PutZigzag(std::string* out, int64_t value) { PutVarint(out, ZigzagEncode(value)); }

void PutBytes(std::string* out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out->append(bytes);
}

bool Decoder::ReadByte(uint8_t* value) { return ReadWord(value); }
bool Decoder::ReadFixed32(uint32_t* value) { return ReadWord(value); }
bool Decoder::ReadFixed64(uint64_t* value) { return ReadWord(value); }
bool Decoder::ReadDouble(double* value) { return ReadWord(value); }

bool Decoder::ReadVarint(uint64_t* value) {
  if (at_ != end_ && static_cast<uint8_t>(*at_) < 0x80) {
    *value = static_cast<uint8_t>(*at_++);
    return true;
  }
  uint64_t result = 0;
  const char* at = at_;
  for (uint32_t shift = 0; shift < 64; shift += 7) {
    if (at == end_) return Fail();
    const uint64_t byte = static_cast<uint8_t>(*at++);
    // The tenth byte has room for one bit only.
    if (shift == 63 && byte > 1) return Fail();
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      at_ = at;
      return true;
    }
  }
  return Fail();
}

bool Decoder::ReadVarint32(uint32_t* value) {
  uint64_t wide;
  if (!ReadVarintMax(UINT32_MAX, &wide)) return false;
  *value = static_cast<uint32_t>(wide);
  return true;
}

bool Decoder::ReadVarintMax(uint64_t max, uint64_t* value) {
  uint64_t wide;
  if (!ReadVarint(&wide)) return false;
  if (wide > max) return Fail();
  *value = wide;
  return true;
}

bool Decoder::ReadZigzag(int64_t* value) {
  uint64_t wide;
  if (!ReadVarint(&wide)) return false;
  *value = ZigzagDecode(wide);
  return true;
}

bool Decoder::ReadBytes(std::string_view* bytes) {
  uint64_t size;
  return ReadVarint(&size) && ReadRaw(size, bytes);
}

bool Decoder::ReadRaw(size_t size, std::string_view* bytes) {
  if (remaining() < size || !ok_) return Fail();
  *bytes = {at_, size};
  at_ += size;
  return true;
}

bool Decoder::Skip(size_t size) {
  std::string_view skipped;
  return ReadRaw(size, &skipped);
}

}  // namespace braid
