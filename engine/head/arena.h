// Bytes that live as long as the head and never move.
// Threads: Copy by one thread at a time; what it returned may be read by those who were told of it afterwards.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "engine/memory/large_allocator.h"

namespace braid {

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() {
    for (const std::span<char> block : blocks_) LargeAllocator<char>().deallocate(block.data(), block.size());
  }

  std::string_view Copy(std::string_view bytes) {
    if (bytes.empty()) return {};
    if (bytes.size() > left_) {
      // Large texts get a block of their own, so that they do not waste the rest of the current one.
      const size_t size = bytes.size() > block_bytes_ / 4 ? bytes.size() : block_bytes_;
      blocks_.emplace_back();
      blocks_.back() = {LargeAllocator<char>().allocate(size), size};
      byte_size_ += size;
      if (size == bytes.size()) {
        std::memcpy(blocks_.back().data(), bytes.data(), size);
        return {blocks_.back().data(), size};
      }
      at_ = blocks_.back().data();
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
  static constexpr size_t kBlockBytesMax = size_t{1} << 20;
  std::vector<std::span<char>> blocks_;
  char* at_ = nullptr;
  size_t left_ = 0;
  size_t block_bytes_ = size_t{4} << 10;  // of the next block: a small head stays small
  size_t byte_size_ = 0;
};

}  // namespace braid
