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

// The Encoder side: free functions that append to a string.
inline void PutByte(std::string* out, uint8_t value) { out->push_back(static_cast<char>(value)); }
void PutFixed32(std::string* out, uint32_t value);
void PutFixed64(std::string* out, uint64_t value);
void PutDouble(std::string* out, double value);  // its 64 bits, fixed64
void PutVarint(std::string* out, uint64_t value);
void PutZigzag(std::string* out, int64_t value);
void PutBytes(std::string* out, std::string_view bytes);
inline void PutRaw(std::string* out, std::string_view bytes) { out->append(bytes); }

// The only way to read foreign bytes. Every Read... returns false, and leaves its target alone, if the bytes run out or
// are no such value; from then on all fail. What it hands out points into the bytes it was given.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ReadByte(uint8_t* value);
  bool ReadFixed32(uint32_t* value);
  bool ReadFixed64(uint64_t* value);
  bool ReadDouble(double* value);
  bool ReadVarint(uint64_t* value);
  bool ReadVarint32(uint32_t* value);                 // fails above 2^32 - 1
  bool ReadVarintMax(uint64_t max, uint64_t* value);  // fails above `max`: for counts, before allocating
  bool ReadZigzag(int64_t* value);
  bool ReadBytes(std::string_view* bytes);  // with its length before it
  bool ReadRaw(size_t size, std::string_view* bytes);
  bool Skip(size_t size);

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

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace braid
