// Cutting, spreading and laying over each other of columns.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/record_batch.h"

namespace braid {

Column NullColumn(size_t rows);
// Rows [begin, end). The dictionary holds only what these rows use.
Column SliceColumn(const Column& column, size_t begin, size_t end);
// A column of `rows` rows that has dense's values at `at` (ascending) and nulls elsewhere. REQUIRES: at.size() ==
// dense.size, and every entry is below `rows`.
Column SpreadColumn(const Column& dense, const std::vector<uint32_t>& at, size_t rows);
// Row by row the first that is not null. REQUIRES: equal sizes, at least one.
Column CoalesceColumns(std::vector<Column> columns);
size_t CountNonNull(const Column& column);
// Memory that the column takes, its dictionary included, roughly.
size_t ColumnBytes(const Column& column);
// The vectors are as long as `rows` and codes are in bounds, as Column promises: for columns made from foreign bytes.
bool IsWellFormed(const Column& column, size_t rows);

}  // namespace braid
