// Which columns are stored, and the order of rows in a part.
#include "engine/part/row_order.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "engine/part/source.h"

namespace braid {
namespace {

using ColumnList = std::vector<std::pair<std::string, Type>>;

bool IsDerived(Table table, std::string_view name) {
  if (name == "service" || name == "instance" || name == "scope.name" || name == "scope.version") return true;
  if (table == Table::kSpans) return name == "duration";
  if (table == Table::kExemplars) return name == "metric";
  return false;
}

std::array<ColumnList, kTableCount> MakeStoredColumns() {
  std::array<ColumnList, kTableCount> lists;
  for (int table = 0; table < kTableCount; ++table) {
    for (const auto& column : BuiltinColumns(static_cast<Table>(table))) {
      if (!IsDerived(static_cast<Table>(table), column.first)) lists[table].push_back(column);
    }
  }
  return lists;
}

size_t StoredIndex(Table table, std::string_view name) {
  const ColumnList& columns = StoredColumns(table);
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].first == name) return i;
  }
  return columns.size();
}

int Compare(int64_t a, int64_t b) { return a < b ? -1 : a > b ? 1 : 0; }

int64_t IntAt(const Column* column, size_t row) { return column->ints.empty() ? 0 : column->ints[row]; }
TraceId TraceAt(const Column* column, size_t row) {
  return column->trace_ids.empty() ? TraceId{} : column->trace_ids[row];
}

}  // namespace

const ColumnList& StoredColumns(Table table) {
  static const auto& lists = *new std::array<ColumnList, kTableCount>(MakeStoredColumns());
  return lists[static_cast<size_t>(table)];
}

RowKeys::RowKeys(Table table, const RecordBatch& rows)
    : by_trace_(table == Table::kSpans || table == Table::kEvents || table == Table::kLinks),
      breaks_by_trace_(table == Table::kExemplars),
      breaks_by_span_(by_trace_),
      time_(&rows.columns[StoredIndex(table, "time")]),
      stream_(&rows.columns[StoredIndex(table, "stream")]),
      trace_id_(&rows.columns[StoredIndex(table, "trace_id")]),
      span_id_(&rows.columns[StoredIndex(table, "span_id")]) {}

int RowKeys::Compare(size_t row, const RowKeys& other, size_t other_row) const {
  if (by_trace_) {
    auto order = TraceAt(trace_id_, row) <=> TraceAt(other.trace_id_, other_row);
    if (order != 0) return order < 0 ? -1 : 1;
  } else if (int order = braid::Compare(IntAt(stream_, row), IntAt(other.stream_, other_row)); order != 0) {
    return order;
  }
  if (int order = braid::Compare(IntAt(time_, row), IntAt(other.time_, other_row)); order != 0) return order;
  if (breaks_by_span_) {
    uint64_t a = static_cast<uint64_t>(IntAt(span_id_, row));
    uint64_t b = static_cast<uint64_t>(IntAt(other.span_id_, other_row));
    return a < b ? -1 : a > b ? 1 : 0;
  }
  if (breaks_by_trace_) {
    auto order = TraceAt(trace_id_, row) <=> TraceAt(other.trace_id_, other_row);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  return 0;
}

std::vector<uint32_t> PartOrder(Table table, const RecordBatch& rows) {
  std::vector<uint32_t> order(rows.num_rows);
  std::iota(order.begin(), order.end(), 0);
  RowKeys keys(table, rows);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return keys.Compare(a, keys, b) < 0; });
  return order;
}

}  // namespace braid
