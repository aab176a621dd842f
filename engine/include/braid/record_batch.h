// Columns of values: the unit in which scans and queries hand out data.
//
// Threads: values without shared mutable state; a batch may be read by many threads once filled.
// Ownership: a Column owns its values, or shares the owner of the bytes that it points to (string dictionaries).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "braid/types.h"

namespace braid {

enum class Type : uint8_t {
  kNull = 0,        // every value is null
  kBool = 1,        // ints: 0 or 1
  kInt = 2,         // ints
  kDouble = 3,      // doubles
  kString = 4,      // codes into dictionary
  kTimestamp = 5,   // ints: nanoseconds since the epoch
  kDuration = 6,    // ints: nanoseconds
  kTraceId = 7,     // trace_ids
  kSpanId = 8,      // ints: the 64 bits of the id
  kLevel = 9,       // ints: braid::Level
  kSpanKind = 10,   // ints: braid::SpanKind
  kStatus = 11,     // ints: braid::StatusCode
  kMixed = 12,      // mixed: values of several types under one name
  kHistogram = 13,  // histograms
};
std::string_view ToString(Type type);

// An immutable list of strings. Not necessarily sorted; values may repeat (a column of distinct messages is its own
// dictionary with codes 0, 1, 2, ...).
struct StringDictionary {
  std::vector<std::string_view> values;
  std::shared_ptr<const void> owner;  // keeps the bytes alive
  std::string bytes;                  // or holds them itself
  bool distinct = false;              // surely no text is there twice

  // Copies `texts` into a dictionary that owns its bytes.
  static std::shared_ptr<const StringDictionary> Make(const std::vector<std::string_view>& texts);
};

// Exactly one of the value vectors is used, as Type says, and has `size` entries; entries of null rows are zero.
struct Column {
  Type type = Type::kNull;
  size_t size = 0;
  std::vector<uint8_t> valid;  // empty: every row is valid (unless type is kNull); else 1 = valid, 0 = null
  std::vector<int64_t> ints;
  std::vector<double> doubles;
  std::vector<uint32_t> codes;
  std::shared_ptr<const StringDictionary> dictionary;
  std::vector<TraceId> trace_ids;
  std::vector<Value> mixed;
  std::vector<std::shared_ptr<const Histogram>> histograms;

  bool IsNull(size_t row) const { return type == Type::kNull || (!valid.empty() && valid[row] == 0); }
  // REQUIRES: type is kString and the row is not null.
  std::string_view StringAt(size_t row) const { return dictionary->values[codes[row]]; }
  // Any column as a generic value (ids as hex, enums as their words, times as int64). For output and tests, not loops.
  Value ValueAt(size_t row) const;
  // Rows `rows[0], rows[1], ...` of this column.
  Column Select(const std::vector<uint32_t>& rows) const;
};

struct RecordBatch {
  size_t num_rows = 0;
  std::vector<Column> columns;  // each of num_rows rows; names are with whoever asked for them

  RecordBatch Select(const std::vector<uint32_t>& rows) const;
};

// Appends values one by one; widens to kDouble or kMixed when types disagree (int and double make kDouble only where
// every int is exact). For building batches from rows: heads, operators, tests.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(Type type = Type::kNull) { column_.type = type; }
  void AppendNull();
  void AppendInt(Type type, int64_t value);  // kBool, kInt, kTimestamp, kDuration, kSpanId and the enums
  void AppendDouble(double value);
  void AppendString(std::string_view value);  // equal strings share a code while the dictionary is small
  void AppendTraceId(TraceId id);
  void AppendValue(const ValueView& value);
  void AppendHistogram(std::shared_ptr<const Histogram> histogram);
  // Row `row` of `from`, whatever its type.
  void AppendFrom(const Column& from, size_t row);
  // Rows [begin, end) of it. `codes` is empty at first and kept by the caller for each dictionary that it appends from,
  // until Finish: each of its texts is looked up once.
  void AppendRange(const Column& from, size_t begin, size_t end, std::vector<uint32_t>* codes);
  // Texts from here on are not copied; `owner` keeps them. REQUIRES: no text has come yet.
  void BorrowTexts(std::shared_ptr<const void> owner) { text_owner_ = std::move(owner); }
  size_t size() const { return column_.size; }
  // The column built so far; the builder is then empty and untyped, and borrows from the same owner.
  Column Finish();

 private:
  void Adopt(Type type);
  void PushValid(bool valid);

  void Widen(Type type);
  void WidenFrom(Type type);
  void PushZero();
  uint32_t CodeOf(std::string_view text);
  size_t texts() const { return text_owner_ == nullptr ? string_ends_.size() : borrowed_.size(); }
  std::string_view TextAt(size_t code) const;
  void GrowSlots();

  Column column_;
  // Distinct strings one after another, and where each ends; or where they are borrowed from.
  std::string string_bytes_;
  std::vector<size_t> string_ends_;
  std::vector<std::string_view> borrowed_;
  std::shared_ptr<const void> text_owner_;
  // Index over the strings by hash, open addressing.
  struct Slot {
    uint32_t hash = 0;
    uint32_t code = 0;  // + 1; 0 = empty
  };
  std::vector<Slot> string_slots_;
};

}  // namespace braid
