#include "query/rows/select_rows.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "query/rows/operators.h"

namespace braid {

Column SelectOrNull(const Column& column, const std::vector<uint32_t>& rows) {
  const bool holes = std::find(rows.begin(), rows.end(), kNoRow) != rows.end();
  if (!holes) return column.Select(rows);
  if (column.size == 0 || column.type == Type::kNull) {
    Column nulls;
    nulls.size = rows.size();
    return nulls;
  }
  std::vector<uint32_t> present = rows;
  std::replace(present.begin(), present.end(), kNoRow, uint32_t{0});
  Column selected = column.Select(present);
  if (selected.valid.empty()) selected.valid.assign(rows.size(), 1);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] != kNoRow) continue;
    selected.valid[i] = 0;
    if (!selected.ints.empty()) selected.ints[i] = 0;
    if (!selected.doubles.empty()) selected.doubles[i] = 0;
    if (!selected.codes.empty()) selected.codes[i] = 0;
    if (!selected.trace_ids.empty()) selected.trace_ids[i] = TraceId();
    if (!selected.mixed.empty()) selected.mixed[i] = Value();
    if (!selected.histograms.empty()) selected.histograms[i] = nullptr;
  }
  return selected;
}

JoinedRows::JoinedRows(const Schema& left, const Schema& right, const std::string& name,
                       const std::optional<std::set<std::string>>& wanted)
    : schema_(left), left_columns_(left.columns.size()) {
  for (const SchemaColumn& column : right.columns) {
    const std::string joined = name + "." + column.name;
    schema_ = WithColumn(std::move(schema_), joined, column.type);
    places_.push_back(static_cast<size_t>(schema_.Find(joined)));
  }
  for (const SchemaColumn& column : schema_.columns) {
    wanted_.push_back(!wanted || wanted->count(column.name) > 0 ? 1 : 0);
  }
}

RecordBatch JoinedRows::Assemble(const RecordBatch& left, const std::vector<uint32_t>& left_rows,
                                 const RecordBatch& right, const std::vector<uint32_t>& right_rows) const {
  RecordBatch rows;
  rows.num_rows = left_rows.size();
  if (rows.num_rows == 0) return rows;
  rows.columns.resize(schema_.columns.size());
  for (size_t i = 0; i < left_columns_; ++i) {
    if (wanted_[i] != 0) rows.columns[i] = left.columns[i].Select(left_rows);
  }
  for (size_t i = 0; i < places_.size(); ++i) {
    if (wanted_[places_[i]] != 0) rows.columns[places_[i]] = SelectOrNull(right.columns[i], right_rows);
  }
  for (Column& column : rows.columns) column.size = rows.num_rows;
  return rows;
}

}  // namespace braid
