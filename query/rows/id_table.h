// Dense numbers for keys that are ids: what joins by trace and span hash with. As KeyTable, for columns of fixed width,
// in one table over all columns of the key.
//
// Threads: Find may be called from many threads once nothing is assigned any more.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "braid/record_batch.h"

namespace braid {

class IdTable {
 public:
  static constexpr size_t kColumnsMax = 4;
  // Can keys of these types be numbered here?
  static bool Fits(const std::vector<Type>& types);

  // REQUIRES: Fits(types).
  explicit IdTable(std::vector<Type> types);
  // The number of each row's key, by first meeting; kNoKey where a key is null. Called once.
  // REQUIRES: the columns have the table's types or are all null.
  void Assign(const std::vector<Column>& keys, size_t rows, std::vector<uint32_t>* numbers);
  // The same without adding: kNoKey for keys never assigned, and where a column has another type.
  void Find(const std::vector<Column>& keys, size_t rows, std::vector<uint32_t>* numbers) const;

  size_t size() const { return size_; }
  uint64_t bytes() const { return slots_.size() * sizeof(uint32_t) + words_.size() * sizeof(uint64_t); }

 private:
  using Words = std::array<uint64_t, 2 * kColumnsMax>;
  bool ReadKey(const std::vector<Column>& keys, size_t row, Words* words) const;
  // The slot of the key or the free one where it belongs.
  size_t SlotOf(const Words& words, uint64_t hash) const;
  uint64_t HashOf(const Words& words) const;
  // Fetches the keys that stand in the first slots of these hashes.
  void PrefetchKeys(const uint64_t* hashes, size_t count) const;

  std::vector<Type> types_;
  size_t width_ = 0;             // words of a key
  std::vector<uint32_t> slots_;  // number + 1; 0 = free
  std::vector<uint64_t> words_;  // `width_` of each key, by number
  size_t size_ = 0;
};

}  // namespace braid
