// Joins columns of several batches to one.
//
// Threads: one at a time. Ownership: the result shares the dictionaries that its texts come from.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "braid/record_batch.h"

namespace braid {

class ColumnConcat {
 public:
  ColumnConcat();
  ~ColumnConcat();
  ColumnConcat(ColumnConcat&&) noexcept;
  ColumnConcat& operator=(ColumnConcat&&) noexcept;

  void Append(const Column& column);
  // The same; a column that stays the only one is handed on as it is.
  void Append(Column&& column);
  // The rows so far, in order of Append. Columns of one type keep it; others widen as ColumnBuilder does.
  Column Finish();

 private:
  struct Texts;

  void AppendRows(const Column& column);
  void AppendTexts(const Column& column);
  void Widen(const Column& column);

  std::optional<Column> only_;  // the rows so far, as long as they came at once
  Column column_;
  std::unique_ptr<Texts> texts_;            // of kString columns
  std::unique_ptr<ColumnBuilder> builder_;  // set once types disagreed
};

// Memory that the column holds, shared dictionaries counted in full.
uint64_t ApproximateBytes(const Column& column);
uint64_t ApproximateBytes(const RecordBatch& batch);
// The same without dictionaries: what a row more costs.
uint64_t ApproximateRowBytes(const Column& column);

}  // namespace braid
