// From the rows of a head to columns.
//
// Null values: ids of zero, empty texts, an observed time, severity, flags or dropped count of zero, and an unset
// level. `kind` and `status` are never null: "unset" is one of their words. Threads: one thread per object. REQUIRES:
// the head outlives it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "braid/record_batch.h"
#include "braid/snapshot.h"
#include "engine/head/batch_reader.h"
#include "engine/head/row_table.h"
#include "engine/memory/hash_map.h"

namespace braid {

class Head;

Type TypeOf(const ValueView& value);

// One row at a time, decoded.
class RowReader {
 public:
  RowReader(const Head* head, Table table);
  void Load(const Row& row);
  // Built-in columns by their place in BuiltinColumns(table).
  bool IsNull(size_t builtin) const;
  bool Append(size_t builtin, ColumnBuilder* column) const;  // false, appending nothing, if it is null
  // The record's own attributes, then (exemplars) the labels of the series that have no attribute's name.
  template <typename Visit>
  void ForEachAttribute(Visit visit) const {
    AttributeReader reader(attributes_);
    AttributeView attribute;
    while (reader.Next(&attribute)) visit(attribute);
    for (const AttributeView& label : labels_) visit(label);
  }
  uint32_t owner() const { return row_->owner; }

 private:
  // Hands the value of a built-in column to the one of `sink`'s methods that goes with its kind: Integer, Count (null
  // if zero), Text (null if empty), Trace (null if zero), Number. What `sink` answers.
  template <typename Sink>
  bool Give(size_t builtin, Sink&& sink) const;

  const Head* const head_;
  const Table table_;
  std::vector<int> codes_;
  const std::vector<std::pair<std::string, Type>>& builtins_;
  const Row* row_ = nullptr;
  LogView log_;
  SpanView span_;
  EventView event_;
  LinkView link_;
  ExemplarView exemplar_;
  std::string_view attributes_;
  std::vector<AttributeView> labels_;
  struct SeriesTexts {
    std::string service, instance, metric;
  };
  std::unordered_map<uint32_t, SeriesTexts> series_texts_;  // of exemplars' series
  const SeriesTexts* texts_ = nullptr;
};

// Fills batches of the columns that a scan asked for.
class RowProjector {
 public:
  // REQUIRES: built-in names are known. Batches keep `owner`, which keeps the head's bytes.
  RowProjector(const Head* head, Table table, const std::vector<ColumnRef>& columns, std::shared_ptr<const void> owner);
  void Add(const Row& row);
  size_t rows() const { return rows_; }
  RecordBatch Finish();  // and begins anew

 private:
  struct Slot {
    int builtin = -1;  // place in BuiltinColumns, -1 = none
    bool attribute = false;
    bool resource = false;
    bool scope = false;
    std::string name;
    // Values, and the rows that have them: attributes that few rows have cost nothing in the others. The rows are
    // listed from the first gap on.
    ColumnBuilder builder;
    uint32_t values = 0;
    uint32_t last_row = 0;
    std::vector<uint32_t> rows;
    bool HasRow(size_t row) const { return values > 0 && last_row == row; }
    void AddRow(uint32_t row);
  };
  const std::vector<ValueView>& StreamValues(uint32_t stream);

  const Head* const head_;
  RowReader reader_;
  std::vector<Slot> slots_;
  std::vector<size_t> builtin_slots_;
  std::vector<size_t> stream_slots_;
  // Slots that want an attribute, by hash of its name.
  HashMap<uint64_t, std::vector<size_t>> attribute_slots_;
  // Attributes of the last row in their order, and who wants them: the next row mostly has the same.
  struct Wanted {
    std::string_view name;
    const std::vector<size_t>* slots = nullptr;
  };
  std::vector<Wanted> last_row_;
  HashMap<uint32_t, std::vector<ValueView>> stream_values_;
  size_t rows_ = 0;
};

}  // namespace braid
