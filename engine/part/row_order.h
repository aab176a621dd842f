// Comparing rows by the sort key of their table (part.h, AddRows).
// Threads: values that point into a batch, which must stay where it is.
#pragma once

#include "braid/record_batch.h"
#include "braid/snapshot.h"

namespace braid {

class RowKeys {
 public:
  // REQUIRES: the batch's columns begin with StoredColumns(table).
  RowKeys(Table table, const RecordBatch& rows);
  // < 0, 0, > 0. REQUIRES: both are of one table.
  int Compare(size_t row, const RowKeys& other, size_t other_row) const;

 private:
  bool by_trace_;         // trace_id first, else stream first
  bool breaks_by_trace_;  // trace_id after time
  bool breaks_by_span_;   // span_id after time
  const Column* time_;
  const Column* stream_;
  const Column* trace_id_;
  const Column* span_id_;
};

}  // namespace braid
