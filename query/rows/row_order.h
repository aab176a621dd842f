// Values as numbers whose order is the order of the values: sorting compares these instead of cells.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/record_batch.h"

namespace braid {

// One number per row, ordered as CompareCells orders the values; equal values get equal numbers. With `descending` the
// order is turned round for all but nulls and NaN, which stay last (NaN right before null).
std::vector<uint64_t> OrderNumbers(const Column& column, size_t rows, bool descending);

// Rows 0 .. rows - 1 in stable order of the columns, ascending, the first one deciding.
std::vector<uint32_t> SortedRows(const std::vector<Column>& columns, size_t rows);

}  // namespace braid
