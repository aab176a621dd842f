// Storage that only grows and never moves what it holds: one writer appends while readers look at the entries below a
// count that was handed to them (through a mutex) earlier.
//
// Threads: PushBack by one thread at a time; operator[] by any, for indexes it was told of after they were pushed.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "engine/memory/large_allocator.h"

namespace braid {

template <typename T>
class SegmentedVector {
 public:
  SegmentedVector() = default;
  SegmentedVector(const SegmentedVector&) = delete;
  SegmentedVector& operator=(const SegmentedVector&) = delete;
  ~SegmentedVector() {
    for (uint32_t i = 0; i < size_; ++i) std::destroy_at(&(*this)[i]);
    for (size_t block = 0; block < blocks_.size() && blocks_[block] != nullptr; ++block) {
      LargeAllocator<T>().deallocate(blocks_[block], kFirst << block);
    }
  }

  // REQUIRES: fewer than 2^32 entries.
  T& PushBack(T value) {
    const auto [block, offset] = Place(size_);
    // Only entries that are there are constructed: the rest of a large block is memory that was never touched.
    if (blocks_[block] == nullptr) blocks_[block] = LargeAllocator<T>().allocate(kFirst << block);
    T* slot = std::construct_at(blocks_[block] + offset, std::move(value));
    ++size_;
    return *slot;
  }
  T& operator[](uint32_t index) {
    const auto [block, offset] = Place(index);
    return blocks_[block][offset];
  }
  const T& operator[](uint32_t index) const {
    const auto [block, offset] = Place(index);
    return blocks_[block][offset];
  }
  uint32_t size() const { return size_; }  // for the writer

 private:
  static constexpr uint64_t kFirst = 256;  // entries of the first block; each next block is twice as large
  static std::pair<size_t, size_t> Place(uint32_t index) {
    const uint64_t shifted = index + kFirst;
    const size_t block = static_cast<size_t>(std::bit_width(shifted / kFirst)) - 1;
    return {block, static_cast<size_t>(shifted - (kFirst << block))};
  }

  std::array<T*, 26> blocks_{};
  uint32_t size_ = 0;
};

}  // namespace braid
