// Writing numbers and texts to bytes, and reading them back.
//
//   fixed32, fixed64  little-endian
//   varint            7 bits a byte, low first, high bit = more follow; at most 10 bytes
//   zigzag            varint of (v << 1) ^ (v >> 63)
//   bytes             varint length, then the bytes
//
// Threads: values. Errors: a Decoder never reads outside its bytes; its first failure sticks.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace braid {

static_assert(std::endian::native == std::endian::little, "formats are written by copying little-endian words");

inline constexpr size_t kMaxVarintBytes = 10;

inline uint64_t ZigzagEncode(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline int64_t ZigzagDecode(uint64_t value) { return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1)); }

inline size_t VarintSize(uint64_t value) { return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7; }

// The Encoder side: free functions that append to a string. They stand in the header because every record that is
// written or read passes through dozens of them.
inline void PutByte(std::string* out, uint8_t value) { out->push_back(static_cast<char>(value)); }
inline void PutFixed32(std::string* out, uint32_t value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}
inline void PutFixed64(std::string* out, uint64_t value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}
// Its 64 bits, fixed64.
inline void PutDouble(std::string* out, double value) { PutFixed64(out, std::bit_cast<uint64_t>(value)); }
// Writes a varint to `at`, which has room for kMaxVarintBytes; returns the end.
inline char* PutVarintTo(char* at, uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<char>(value);
  return at;
}
inline void PutVarint(std::string* out, uint64_t value) {
  if (value < 0x80) return out->push_back(static_cast<char>(value));
  char buffer[kMaxVarintBytes];
  out->append(buffer, static_cast<size_t>(PutVarintTo(buffer, value) - buffer));
}
inline void PutZigzag(std::string* out, int64_t value) { PutVarint(out, ZigzagEncode(value)); }
inline void PutBytes(std::string* out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out->append(bytes);
}
inline void PutRaw(std::string* out, std::string_view bytes) { out->append(bytes); }

// The only way to read foreign bytes. Every Read... returns false, and leaves its target alone, if the bytes run out or
// are no such value; from then on all fail. What it hands out points into the bytes it was given.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ReadByte(uint8_t* value) { return ReadWord(value); }
  bool ReadFixed32(uint32_t* value) { return ReadWord(value); }
  bool ReadFixed64(uint64_t* value) { return ReadWord(value); }
  bool ReadDouble(double* value) { return ReadWord(value); }
  bool ReadVarint(uint64_t* value) {
    if (at_ != end_ && static_cast<uint8_t>(*at_) < 0x80) {
      *value = static_cast<uint8_t>(*at_++);
      return true;
    }
    return ReadLongVarint(value);
  }
  // Fails above 2^32 - 1.
  bool ReadVarint32(uint32_t* value) {
    uint64_t wide;
    if (!ReadVarintMax(UINT32_MAX, &wide)) return false;
    *value = static_cast<uint32_t>(wide);
    return true;
  }
  // Fails above `max`: for counts, before allocating.
  bool ReadVarintMax(uint64_t max, uint64_t* value) {
    uint64_t wide;
    if (!ReadVarint(&wide)) return false;
    if (wide > max) return Fail();
    *value = wide;
    return true;
  }
  bool ReadZigzag(int64_t* value) {
    uint64_t wide;
    if (!ReadVarint(&wide)) return false;
    *value = ZigzagDecode(wide);
    return true;
  }
  // With its length before it.
  bool ReadBytes(std::string_view* bytes) {
    uint64_t size;
    return ReadVarint(&size) && ReadRaw(size, bytes);
  }
  bool ReadRaw(size_t size, std::string_view* bytes) {
    if (remaining() < size || !ok_) return Fail();
    *bytes = {at_, size};
    at_ += size;
    return true;
  }
  bool Skip(size_t size) {
    std::string_view skipped;
    return ReadRaw(size, &skipped);
  }

  size_t remaining() const { return static_cast<size_t>(end_ - at_); }
  std::string_view rest() const { return {at_, remaining()}; }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && at_ == end_; }  // used up exactly
  bool Fail() {                                     // for callers that find a value wrong; returns false
    ok_ = false;
    at_ = end_;
    return false;
  }

 private:
  template <typename T>
  bool ReadWord(T* value) {
    if (remaining() < sizeof(T)) return Fail();
    std::memcpy(value, at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }
  // Of several bytes, or of none.
  bool ReadLongVarint(uint64_t* value);

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace braid
