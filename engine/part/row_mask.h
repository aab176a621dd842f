// Which rows of a row group are left: a byte a row, looked at many rows at once.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <vector>

namespace braid {

// keep[row] = 1 while the row may pass, else 0.
using RowMask = std::vector<uint8_t>;

// Whether any row is left, and whether all are.
bool AnyKept(const RowMask& keep);
bool AllKept(const RowMask& keep);
// The numbers of the rows left, ascending.
std::vector<uint32_t> KeptRows(const RowMask& keep);

// Drops the rows whose value is outside of [low, high]; `inside` false: those whose value is within. Rows dropped
// before cost next to nothing where many of them stand together. REQUIRES: keep has as many rows as `values` entries.
void KeepByRange(const int64_t* values, int64_t low, int64_t high, bool inside, RowMask* keep);
// The same for small numbers that are inside.
void KeepByStep(const uint16_t* steps, uint16_t first, uint16_t last, RowMask* keep);
// Drops the rows whose code does not pass; `passes` has an entry a code.
void KeepByCodes(const uint32_t* codes, const std::vector<uint8_t>& passes, RowMask* keep);

// Calls `test(row)` for the rows left and drops those for which it is false.
template <typename Test>
void KeepIf(RowMask* keep, const Test& test);

}  // namespace braid

#include "engine/part/row_mask_inl.h"
