// absl::flat_hash_map for entries that can be made without failing, with the strong guarantee: if memory runs out while
// it grows it is as it was. (Abseil's own has by then changed its capacity, and can neither be used nor destroyed.)
//
// Threads: as flat_hash_map. Errors: std::bad_alloc from what adds entries.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace braid {

// A block of memory taken before it is needed.
struct SpareBlock {
  void* memory = nullptr;
  size_t bytes = 0;

  SpareBlock() = default;
  SpareBlock(const SpareBlock&) = delete;
  SpareBlock& operator=(const SpareBlock&) = delete;
  ~SpareBlock() { ::operator delete(memory); }
  void Ensure(size_t wanted) {
    if (bytes >= wanted) return;
    void* const larger = ::operator new(wanted);
    ::operator delete(memory);
    memory = larger;
    bytes = wanted;
  }
  void* Take() {
    bytes = 0;
    return std::exchange(memory, nullptr);
  }
};

// Gives out the spare block if it is large enough.
template <typename T>
class SpareAllocator {
 public:
  using value_type = T;
  explicit SpareAllocator(SpareBlock* spare) : spare_(spare) {}
  template <typename U>
  SpareAllocator(const SpareAllocator<U>& other) : spare_(other.spare()) {}  // NOLINT: an allocator converts

  T* allocate(size_t count) {
    const size_t bytes = count * sizeof(T);
    return static_cast<T*>(spare_->bytes >= bytes ? spare_->Take() : ::operator new(bytes));
  }
  void deallocate(T* memory, size_t) { ::operator delete(memory); }
  SpareBlock* spare() const { return spare_; }
  friend bool operator==(const SpareAllocator& a, const SpareAllocator& b) { return a.spare_ == b.spare_; }
  friend bool operator!=(const SpareAllocator& a, const SpareAllocator& b) { return a.spare_ != b.spare_; }

 private:
  SpareBlock* spare_;
};

template <typename Key, typename Value, typename Hash = absl::container_internal::hash_default_hash<Key>>
class HashMap : private SpareBlock,
                public absl::flat_hash_map<Key, Value, Hash, absl::container_internal::hash_default_eq<Key>,
                                           SpareAllocator<std::pair<const Key, Value>>> {
  using Allocator = SpareAllocator<std::pair<const Key, Value>>;
  using Map = absl::flat_hash_map<Key, Value, Hash, absl::container_internal::hash_default_eq<Key>, Allocator>;
  static_assert(std::is_nothrow_copy_constructible_v<Key> && std::is_nothrow_default_constructible_v<Value>);

 public:
  HashMap() : Map(0, Hash(), absl::container_internal::hash_default_eq<Key>(), Allocator(this)) {}
  HashMap(const HashMap&) = delete;
  HashMap& operator=(const HashMap&) = delete;

  // The next entry will be added without failing.
  void MakeRoom() {
    const size_t capacity = Map::capacity();
    if (Map::size() + 1 >= capacity - capacity / 8) Ensure(BytesOf(capacity * 2 + 1));
  }
  // REQUIRES: the mapped value is made without failing.
  template <typename... Arguments>
  auto try_emplace(const Key& key, Arguments&&... arguments) {
    MakeRoom();
    return Map::try_emplace(key, std::forward<Arguments>(arguments)...);
  }
  Value& operator[](const Key& key) {
    MakeRoom();
    return Map::operator[](key);
  }
  void reserve(size_t entries) {
    Ensure(BytesOf(entries * 4));
    Map::reserve(entries);
  }
  void insert() = delete;
  void emplace() = delete;
  void insert_or_assign() = delete;

 private:
  // Slots, control bytes and what rounds them up.
  static size_t BytesOf(size_t capacity) { return capacity * (sizeof(typename Map::value_type) + 1) + 128; }
};

}  // namespace braid
