// Dense numbers for distinct keys: what grouping, dedup, sets and joins hash with.
//
// A value of one column becomes a number by a typed table (texts once per dictionary entry, not once per row); the
// numbers of several columns are folded pairwise. Values are one key if they are equal: int 1 is double 1.0, -0 is 0,
// every NaN is one key, an enum is its word; durations, times and ids are apart from plain numbers (see CoerceKey).
//
// Threads: Find may be called from many threads once nothing is assigned any more, each with its own cache.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "braid/record_batch.h"
#include "engine/memory/hash_map.h"

namespace braid {

inline constexpr uint32_t kNoKey = UINT32_MAX;

enum class NullKeys : uint8_t {
  kAreKeys,     // null is a key like any other (stats, dedup)
  kNeverMatch,  // rows with a null in a key have none (join, in)
};

// The numbers of a dictionary's entries, as far as they are known; lives as long as batches share the dictionary.
struct DictionaryNumbers {
  std::shared_ptr<const StringDictionary> dictionary;
  std::vector<uint32_t> numbers;  // kUnknown, or what the table said
  static constexpr uint32_t kUnknown = UINT32_MAX - 1;
};

// The distinct values of one column, numbered by first meeting.
class ValueNumbers {
 public:
  void Assign(const Column& column, size_t rows, NullKeys nulls, std::vector<uint32_t>* numbers);
  void Find(const Column& column, size_t rows, NullKeys nulls, DictionaryNumbers* cache,
            std::vector<uint32_t>* numbers) const;
  size_t size() const { return size_; }
  uint64_t bytes() const { return bytes_; }
  // One row per number: the value as first met. Leaves the table unusable.
  Column TakeValues() { return values_.Finish(); }

 private:
  struct TextHash {
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  uint32_t AssignText(std::string_view text, const Column& column, size_t row);
  uint32_t FindText(std::string_view text) const;
  uint32_t AssignWord(uint8_t kind, uint64_t bits, const Column& column, size_t row);
  uint32_t FindWord(uint8_t kind, uint64_t bits) const;
  uint32_t Add(const Column& column, size_t row, uint64_t bytes);
  std::string_view KeepText(std::string_view text);
  template <typename OnText, typename OnWord, typename OnId>
  static uint32_t Visit(const Column& column, size_t row, const OnText& on_text, const OnWord& on_word,
                        const OnId& on_id);

  size_t size_ = 0;
  uint64_t bytes_ = 0;
  uint32_t null_number_ = kNoKey;
  HashMap<std::string_view, uint32_t, TextHash, std::equal_to<>> texts_;
  HashMap<std::pair<uint64_t, uint8_t>, uint32_t> words_;
  HashMap<std::pair<uint64_t, uint64_t>, uint32_t> ids_;
  ColumnBuilder values_;
  DictionaryNumbers cache_;
  std::vector<std::unique_ptr<char[]>> arena_;
  size_t arena_left_ = 0;
  char* arena_at_ = nullptr;
};

// Where columns stand, as keys are given.
std::vector<const Column*> PointersTo(const std::vector<Column>& columns);

class KeyTable {
 public:
  KeyTable(size_t columns, NullKeys nulls);

  // The number of each row's key; keys met first get the next number. Without columns every row has key 0.
  void Assign(const std::vector<const Column*>& keys, size_t rows, std::vector<uint32_t>* numbers);
  // The same without adding: kNoKey for keys never assigned.
  using Cache = std::vector<DictionaryNumbers>;
  void Find(const std::vector<const Column*>& keys, size_t rows, Cache* cache, std::vector<uint32_t>* numbers) const;

  size_t size() const { return size_; }
  uint64_t bytes() const;
  // Per key column one row per number. Leaves the table unusable.
  std::vector<Column> TakeKeys();

 private:
  struct Fold {
    HashMap<uint64_t, uint32_t> numbers;
    std::vector<std::pair<uint32_t, uint32_t>> parts;
  };

  NullKeys nulls_;
  size_t size_ = 0;
  std::vector<ValueNumbers> columns_;
  std::vector<Fold> folds_;  // folds_[i] joins what stands for columns 0..i with column i + 1
};

// What keys of these two types are compared as: the more exact type where one is a text (or unknown), kDouble for
// numbers of two kinds and durations against numbers, kMixed where each value speaks for itself.
Type KeyTypeOf(Type a, Type b);
// The column for comparison as `target`: texts become ids, enums, numbers or booleans where they can and null where
// not, durations against numbers become seconds. Answers `column` itself or `*storage`.
const Column& CoerceKey(const Column& column, Type target, Column* storage);

}  // namespace braid
