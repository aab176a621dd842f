// Loops of aggregators.h over columns by type.
#pragma once

#include "query/rows/cells.h"
#include "query/rows/key_table.h"

namespace braid {

template <typename OnInt, typename OnDouble>
void ForEachNumber(const std::vector<uint32_t>& slots, const Column& column, const OnInt& on_int,
                   const OnDouble& on_double) {
  const size_t rows = slots.size();
  switch (column.type) {
    case Type::kInt:
    case Type::kDuration:
    case Type::kTimestamp:
      for (size_t i = 0; i < rows; ++i) {
        if (slots[i] != kNoKey && (column.valid.empty() || column.valid[i] != 0))
          on_int(i, column.type, column.ints[i]);
      }
      break;
    case Type::kDouble:
      for (size_t i = 0; i < rows; ++i) {
        if (slots[i] != kNoKey && (column.valid.empty() || column.valid[i] != 0)) on_double(i, column.doubles[i]);
      }
      break;
    case Type::kMixed:
    case Type::kString:
    case Type::kBool:
      for (size_t i = 0; i < rows; ++i) {
        if (slots[i] == kNoKey || column.IsNull(i)) continue;
        const CellView cell = CellAt(column, i);
        if (cell.type == Type::kInt) {
          on_int(i, Type::kInt, cell.integer);
        } else if (cell.type == Type::kBool) {
          on_int(i, Type::kInt, cell.integer);
        } else if (const auto number = NumberOf(cell)) {
          on_double(i, *number);
        }
      }
      break;
    default: break;
  }
}

}  // namespace braid
