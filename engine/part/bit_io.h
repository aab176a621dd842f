// Bits into bytes, low bit of a byte first. For the term index.
// Threads: values. Errors: the reader never reads outside its bytes; its first failure sticks.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace braid {

class BitWriter {
 public:
  // The low `count` bits, 0 to 56.
  void Put(uint64_t bits, int count) {
    word_ |= bits << used_;
    used_ += count;
    while (used_ >= 8) {
      out_.push_back(static_cast<char>(word_ & 0xff));
      word_ >>= 8;
      used_ -= 8;
    }
  }
  void PutRice(uint64_t value, int k) {
    for (uint64_t ones = value >> k; ones > 0;) {
      int count = static_cast<int>(ones < 32 ? ones : 32);
      Put((uint64_t{1} << count) - 1, count);
      ones -= static_cast<uint64_t>(count);
    }
    Put(0, 1);
    Put(value & ((uint64_t{1} << k) - 1), k);
  }
  // REQUIRES: 0 < value < 2^32.
  void PutGamma(uint64_t value) {
    int width = static_cast<int>(std::bit_width(value));
    Put(0, width - 1);
    for (int i = width - 1; i >= 0; --i) Put((value >> i) & 1, 1);
  }
  std::string Finish() {
    if (used_ > 0) out_.push_back(static_cast<char>(word_ & 0xff));
    word_ = 0;
    used_ = 0;
    return std::move(out_);
  }

 private:
  std::string out_;
  uint64_t word_ = 0;
  int used_ = 0;
};

class BitReader {
 public:
  explicit BitReader(std::string_view bytes) : bytes_(bytes) {}

  bool Read(int count, uint64_t* value) {
    *value = 0;
    for (int done = 0; done < count;) {
      if (Empty()) return false;
      int take = count - done < used_ ? count - done : used_;
      *value |= (word_ & ((uint64_t{1} << take) - 1)) << done;
      Drop(take);
      done += take;
    }
    return true;
  }
  bool ReadRice(int k, uint64_t* value) {
    uint64_t ones = 0;
    while (true) {
      if (Empty()) return false;
      int run = std::countr_one(word_);  // bits above used_ are zero
      ones += static_cast<uint64_t>(run);
      if (run < used_) {
        Drop(run + 1);
        break;
      }
      Drop(run);
    }
    uint64_t low;
    if (ones >> (63 - k) != 0 || !Read(k, &low)) return false;
    *value = ones << k | low;
    return true;
  }
  bool ReadGamma(uint64_t* value) {
    int zeros = 0;
    uint64_t bit;
    while (true) {
      if (!Read(1, &bit)) return false;
      if (bit == 1) break;
      if (++zeros > 31) return false;
    }
    *value = 1;
    for (int i = 0; i < zeros; ++i) {
      if (!Read(1, &bit)) return false;
      *value = *value << 1 | bit;
    }
    return true;
  }

 private:
  // Refills; true at the end of the bytes.
  bool Empty() {
    if (used_ > 0) return false;
    while (used_ < 56 && at_ < bytes_.size()) {
      word_ |= static_cast<uint64_t>(static_cast<uint8_t>(bytes_[at_++])) << used_;
      used_ += 8;
    }
    return used_ == 0;
  }
  void Drop(int count) {
    word_ >>= count;
    used_ -= count;
  }

  std::string_view bytes_;
  size_t at_ = 0;
  uint64_t word_ = 0;
  int used_ = 0;
};

}  // namespace braid
