// Dense numbers for keys that are ids: what joins by trace and span look up. As KeyTable, for columns of fixed width,
// in one table over all columns of the key.
//
// A key's bucket is given by the leading bits of its first id, and within a few buckets from there by the others: rows
// in order of traces, as spans are stored, find their keys close together in memory. Ids are random or begin with a
// time; where they crowd together after all, a bucket, whose keys are sorted, is searched by halving.
//
// Threads: Find may be called from many threads once the table is built.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "braid/record_batch.h"

namespace braid {

class IdTable {
 public:
  static constexpr size_t kColumnsMax = 4;
  // Can keys of these types be numbered here?
  static bool Fits(const std::vector<Type>& types);

  // REQUIRES: Fits(types).
  explicit IdTable(std::vector<Type> types);
  // Numbers the keys of `rows` rows; rows with a null in a key have none. `*order` becomes the rows by number of their
  // key, ascending for each; those of number n stand in [(*begins)[n], (*begins)[n + 1]). Many rows are shared out
  // among `threads` threads. Called once. ResourceExhausted: no memory on one of them.
  // REQUIRES: the columns have the table's types or are all null.
  absl::Status Build(const std::vector<const Column*>& keys, size_t rows, size_t threads, std::vector<uint32_t>* begins,
                     std::vector<uint32_t>* order);
  // The number of each row's key: kNoKey for keys that were not there, for nulls, and where a column has another type.
  void Find(const std::vector<const Column*>& keys, size_t rows, std::vector<uint32_t>* numbers) const;

  size_t size() const { return size_; }
  // Bytes of a table of so many different keys.
  uint64_t BytesFor(size_t keys) const { return keys * (width_ * sizeof(uint64_t) + 2 * sizeof(uint32_t)); }

 private:
  class Reader;
  // Reads the columns' keys in the order of words; false if no row can have one.
  bool Open(const std::vector<const Column*>& keys, Reader* reader) const;
  template <size_t kWidth>
  class RunSorter;
  template <size_t kWidth>
  absl::Status BuildRows(const Reader& reader, size_t rows, size_t threads, std::vector<uint32_t>* begins,
                         std::vector<uint32_t>* order);
  template <size_t kWidth>
  uint64_t BucketOf(const uint64_t* words) const;
  template <size_t kWidth>
  uint32_t FindIn(uint32_t begin, uint32_t end, const uint64_t* words) const;
  template <size_t kWidth>
  void FindRows(const Reader& reader, size_t rows, uint32_t* numbers) const;
  TraceId FirstId(const uint64_t* words) const { return {words[0], first_wide_ ? words[1] : 0}; }

  std::vector<Type> types_;
  std::vector<size_t> columns_;  // in the order in which a key's words have them: a trace id first
  bool first_wide_ = false;      // the first id is a trace's
  size_t width_ = 0;             // words of a key
  TraceId least_, greatest_;     // first ids
  int skipped_bits_ = 0;         // leading bits that all first ids share
  int bucket_bits_ = 0;
  std::vector<uint32_t> starts_;       // of each bucket: the number of its first key
  std::unique_ptr<uint64_t[]> words_;  // `width_` of each key, by number
  size_t size_ = 0;
};

}  // namespace braid
