// An allocator for memory of many megabytes that comes and goes as a whole: from a mebibyte on it is pages of its own,
// which go back to the system when they are freed. malloc would take it from the heap of the thread after the first
// time, where what outlives it keeps it from going back: a server then holds twice what it uses.
//
// Threads: any. Errors: std::bad_alloc.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

namespace braid {

template <typename T>
class LargeAllocator {
 public:
  using value_type = T;

  LargeAllocator() = default;
  template <typename Other>
  LargeAllocator(const LargeAllocator<Other>&) {}

  T* allocate(size_t count) {
    if (count < kPagesFrom / sizeof(T)) return std::allocator<T>().allocate(count);
    if (count > SIZE_MAX / sizeof(T)) throw std::bad_array_new_length();
    void* const pages =
        ::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    return static_cast<T*>(pages);
  }
  void deallocate(T* memory, size_t count) {
    if (count < kPagesFrom / sizeof(T)) {
      std::allocator<T>().deallocate(memory, count);
    } else {
      ::munmap(memory, count * sizeof(T));
    }
  }
  // Moves `count` entries to room for `wanted`, of pages without a copy. REQUIRES: wanted > count.
  T* grow(T* memory, size_t count, size_t wanted) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (count < kPagesFrom / sizeof(T)) {
      T* const moved = allocate(wanted);
      if (count > 0) std::memcpy(moved, memory, count * sizeof(T));
      deallocate(memory, count);
      return moved;
    }
    if (wanted > SIZE_MAX / sizeof(T)) throw std::bad_array_new_length();
    void* const moved = ::mremap(memory, count * sizeof(T), wanted * sizeof(T), MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) throw std::bad_alloc();
    return static_cast<T*>(moved);
  }
  template <typename Other>
  bool operator==(const LargeAllocator<Other>&) const {
    return true;
  }

 private:
  static constexpr size_t kPagesFrom = size_t{1} << 20;
};

}  // namespace braid
