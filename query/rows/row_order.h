// Values as numbers whose order is the order of the values: sorting compares these instead of cells.
//
// Errors: those of CheckAlive of the query.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "braid/record_batch.h"
#include "query/rows/operator.h"

namespace braid {

// One number per row, ordered as CompareCells orders the values; equal values get equal numbers. With `descending` the
// order is turned round for all but nulls and NaN, which stay last (NaN right before null).
absl::StatusOr<std::vector<uint64_t>> OrderNumbers(const Column& column, size_t rows, bool descending,
                                                   const QueryContext* context);

// Rows 0 .. rows - 1 in stable order of the columns, ascending, the first one deciding.
absl::StatusOr<std::vector<uint32_t>> SortedRows(const std::vector<Column>& columns, size_t rows,
                                                 const QueryContext* context);

}  // namespace braid
