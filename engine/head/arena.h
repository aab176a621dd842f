// Bytes that live as long as the head and never move.
// Threads: Copy by one thread at a time; what it returned may be read by those who were told of it afterwards.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace braid {

class Arena {
 public:
  std::string_view Copy(std::string_view bytes) {
    if (bytes.empty()) return {};
    if (bytes.size() > left_) {
      // Large texts get a block of their own, so that they do not waste the rest of the current one.
      const size_t size = bytes.size() > block_bytes_ / 4 ? bytes.size() : block_bytes_;
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
      byte_size_ += size;
      if (size == bytes.size()) {
        std::memcpy(blocks_.back().get(), bytes.data(), size);
        return {blocks_.back().get(), size};
      }
      at_ = blocks_.back().get();
      left_ = size;
      block_bytes_ = std::min(block_bytes_ * 2, kBlockBytesMax);
    }
    std::memcpy(at_, bytes.data(), bytes.size());
    const std::string_view copy(at_, bytes.size());
    at_ += bytes.size();
    left_ -= bytes.size();
    return copy;
  }
  size_t byte_size() const { return byte_size_; }

 private:
  static constexpr size_t kBlockBytesMax = size_t{256} << 10;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* at_ = nullptr;
  size_t left_ = 0;
  size_t block_bytes_ = size_t{4} << 10;  // of the next block: a small head stays small
  size_t byte_size_ = 0;
};

}  // namespace braid
