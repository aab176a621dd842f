// Abseil's flat hash tables for entries that can be moved without failing, with the strong guarantee: if memory runs
// out while one grows it is as it was. (Abseil's own has by then changed its capacity, and can neither be used nor
// destroyed.)
//
// Threads: as flat_hash_map. Errors: std::bad_alloc from what adds entries.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

namespace braid {

// A block of memory taken before it is needed: by the thread that is about to need it.
class SpareBlock {
 public:
  static SpareBlock& OfThread() {
    static thread_local SpareBlock spare;
    return spare;
  }

  void Ensure(size_t wanted) {
    // Not a very large one for a small table.
    if (bytes_ >= wanted && (bytes_ <= kKeptBytes || bytes_ / 4 <= wanted)) return;
    void* const fitting = ::operator new(wanted);
    ::operator delete(memory_);
    memory_ = fitting;
    bytes_ = wanted;
  }
  // Null if it is smaller.
  void* Take(size_t wanted) {
    if (bytes_ < wanted) return nullptr;
    bytes_ = 0;
    return std::exchange(memory_, nullptr);
  }

 private:
  SpareBlock() = default;
  ~SpareBlock() { ::operator delete(memory_); }
  SpareBlock(const SpareBlock&) = delete;
  SpareBlock& operator=(const SpareBlock&) = delete;

  static constexpr size_t kKeptBytes = 4096;

  void* memory_ = nullptr;
  size_t bytes_ = 0;
};

template <typename T>
struct SpareAllocator {
  using value_type = T;

  SpareAllocator() = default;
  template <typename U>
  SpareAllocator(const SpareAllocator<U>&) {}  // NOLINT: an allocator converts

  T* allocate(size_t count) {
    const size_t bytes = count * sizeof(T);
    void* const spare = SpareBlock::OfThread().Take(bytes);
    return static_cast<T*>(spare != nullptr ? spare : ::operator new(bytes));
  }
  void deallocate(T* memory, size_t) { ::operator delete(memory); }
  friend bool operator==(const SpareAllocator&, const SpareAllocator&) { return true; }
  friend bool operator!=(const SpareAllocator&, const SpareAllocator&) { return false; }
};

// What the map and the set share: `Table` is Abseil's.
template <typename Table>
class SafeHashTable : public Table {
 public:
  SafeHashTable() = default;
  SafeHashTable(const SafeHashTable&) = delete;  // a copy that fails could not be destroyed
  SafeHashTable& operator=(const SafeHashTable&) = delete;
  SafeHashTable(SafeHashTable&&) noexcept = default;
  SafeHashTable& operator=(SafeHashTable&&) noexcept = default;

  // The next entry will be added without failing.
  void MakeRoom() {
    const size_t capacity = Table::capacity();
    // It grows when full to 7/8, where entries were erased to 25/32, and small ones then at any size.
    if (capacity <= kSmall || Table::size() + 1 >= capacity / 32 * 25)
      SpareBlock::OfThread().Ensure(BytesOf(capacity * 2 + 1));
  }
  void reserve(size_t entries) {
    SpareBlock::OfThread().Ensure(BytesOf(entries * 4));
    Table::reserve(entries);
  }

 private:
  static constexpr size_t kSmall = 31;

  // Slots, control bytes and what rounds them up.
  static size_t BytesOf(size_t capacity) { return capacity * (sizeof(typename Table::value_type) + 1) + 128; }
};

template <typename Key, typename Value, typename Hash = absl::container_internal::hash_default_hash<Key>,
          typename Equal = absl::container_internal::hash_default_eq<Key>>
class HashMap
    : public SafeHashTable<absl::flat_hash_map<Key, Value, Hash, Equal, SpareAllocator<std::pair<const Key, Value>>>> {
  using Map = absl::flat_hash_map<Key, Value, Hash, Equal, SpareAllocator<std::pair<const Key, Value>>>;
  static_assert(std::is_nothrow_move_constructible_v<Key> && std::is_nothrow_move_constructible_v<Value>);

 public:
  // REQUIRES: the mapped value is made of `arguments` without failing.
  template <typename... Arguments>
  auto try_emplace(Key key, Arguments&&... arguments) {
    this->MakeRoom();
    return Map::try_emplace(std::move(key), std::forward<Arguments>(arguments)...);
  }
  Value& operator[](Key key) {
    static_assert(std::is_nothrow_default_constructible_v<Value>);
    this->MakeRoom();
    return Map::operator[](std::move(key));
  }
  void insert() = delete;
  void emplace() = delete;
  void insert_or_assign() = delete;
};

template <typename Key, typename Hash = absl::container_internal::hash_default_hash<Key>,
          typename Equal = absl::container_internal::hash_default_eq<Key>>
class HashSet : public SafeHashTable<absl::flat_hash_set<Key, Hash, Equal, SpareAllocator<Key>>> {
  using Set = absl::flat_hash_set<Key, Hash, Equal, SpareAllocator<Key>>;
  static_assert(std::is_nothrow_move_constructible_v<Key>);

 public:
  auto insert(Key key) {
    this->MakeRoom();
    return Set::insert(std::move(key));
  }
  void emplace() = delete;
};

}  // namespace braid
