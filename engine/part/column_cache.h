// Decoded columns of row groups, kept for the next scan that wants them: most questions are asked of the same few
// columns of recent parts, and decoding costs several times what looking at the values does.
//
// Two generations: columns go into the young one; when it is full it becomes the old one, and what was old and not
// asked for since is dropped. A look-up moves an old entry to the young generation.
//
// Threads: all. Ownership: entries are shared with the scans that use them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "braid/snapshot.h"
#include "engine/memory/hash_map.h"
#include "engine/part/coarse_times.h"
#include "engine/part/text_filters.h"

namespace braid {

// Bytes that decoded columns may take in a process: the columns that queries ask for of some millions of rows.
inline constexpr size_t kColumnCacheBytes = size_t{128} << 20;

class ColumnCache {
 public:
  // One column of one row group of an open table file.
  struct Key {
    uint64_t file = 0;  // NewFile of its reader
    uint32_t group = 0;
    ColumnRef ref;
    friend bool operator==(const Key&, const Key&) = default;
    template <typename H>
    friend H AbslHashValue(H state, const Key& key) {
      return H::combine(std::move(state), key.file, key.group, static_cast<int>(key.ref.level), key.ref.name);
    }
  };
  struct Entry {
    std::shared_ptr<const Column> column;
    std::vector<uint32_t> blocks;              // of the group: those that it was decoded from
    std::shared_ptr<const CoarseTimes> times;  // of a column of times; null until it is looked at a second time
  };

  explicit ColumnCache(size_t bytes_max) : generation_bytes_max_(bytes_max / 2) {}
  // The cache of this process.
  static ColumnCache* Shared();

  // A number that no other open file has.
  uint64_t NewFile() { return files_.fetch_add(1, std::memory_order_relaxed); }
  bool Find(const Key& key, Entry* entry);
  void Put(Key key, Entry entry);
  // Keeps Entry::times of a column that is here.
  void Attach(const Key& key, std::shared_ptr<const CoarseTimes> times);
  // The filters of a column's texts in all row groups, whatever the key's group; null if there are none.
  std::shared_ptr<TextFilters> FindFilters(Key key);
  // Adds the texts of the key's row group, of so many that the file has, to the filters of its column.
  void AddToFilters(const Key& key, size_t groups, const StringDictionary& texts);
  // Forgets the columns of a file that is closed.
  void Drop(uint64_t file);
  size_t bytes() const;

 private:
  struct Kept {
    Entry entry;
    std::shared_ptr<TextFilters> filters;  // of all row groups, under a group of its own
    size_t bytes = 0;
  };
  using Generation = HashMap<Key, Kept>;
  // Null if it is not here; else it is young from now on. REQUIRES: mutex_ is held.
  Kept* Touch(const Key& key);
  Kept* Add(Key key, Kept kept);

  const size_t generation_bytes_max_;
  std::atomic<uint64_t> files_{1};
  mutable std::mutex mutex_;
  Generation young_;
  Generation old_;
  size_t young_bytes_ = 0;
  size_t old_bytes_ = 0;
};

}  // namespace braid
