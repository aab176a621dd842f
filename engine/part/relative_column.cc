#include "engine/part/relative_column.h"

#include <vector>

#include "engine/base/coding.h"
#include "engine/base/status_macros.h"
#include "engine/codec/column_codec.h"
#include "engine/memory/number_table.h"
#include "engine/part/columns.h"

namespace braid {
namespace {

// Differences wrap, and wrap back.
int64_t Minus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
int64_t Plus(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }

// The first row of each id.
class RowsById {
 public:
  explicit RowsById(const Column& ids) : ids_(ids.ints.data()) {
    for (uint32_t row = 0; row < ids.size; ++row) {
      if (!ids.IsNull(row) && Find(ids_[row]) == NumberTable::kNone) rows_.Add(HashOf(ids_[row]), row);
    }
  }
  uint32_t Find(int64_t id) const {
    return rows_.Find(HashOf(id), [&](uint32_t row) { return ids_[row] == id; });
  }

 private:
  // NumberTable looks at the upper half alone.
  static uint64_t HashOf(int64_t id) { return static_cast<uint64_t>(id) * 0x9e3779b97f4a7c15ULL; }

  const int64_t* ids_;
  NumberTable rows_;
};

}  // namespace

Relation RelationOf(Table table, std::string_view builtin) {
  if (table == Table::kLogs && builtin == "observed_time") return Relation::kToTime;
  if (table == Table::kSpans && builtin == "parent_id") return Relation::kToSpan;
  return Relation::kNone;
}

Column SubtractTime(Column column, const Column& time) {
  for (size_t row = 0; row < column.size; ++row) {
    column.ints[row] = column.IsNull(row) ? 0 : Minus(column.ints[row], time.ints[row]);
  }
  return column;
}

void AddTime(const Column& time, Column* column) {
  if (column->type == Type::kNull) return;
  for (size_t row = 0; row < column->size; ++row) {
    if (!column->IsNull(row)) column->ints[row] = Plus(column->ints[row], time.ints[row]);
  }
}

std::string EncodeParents(const Column& parents, const Column& span_ids) {
  const RowsById rows_of(span_ids);
  Column rows = parents;
  rows.type = Type::kInt;
  std::vector<int64_t> ids;
  for (uint32_t row = 0; row < parents.size; ++row) {
    if (parents.IsNull(row)) continue;
    const uint32_t at = rows_of.Find(parents.ints[row]);
    bool found = at != NumberTable::kNone && at != row;
    rows.ints[row] = found ? static_cast<int64_t>(at) - row : 0;
    if (!found) ids.push_back(parents.ints[row]);
  }
  std::string out;
  PutBytes(&out, EncodeColumn(rows));
  std::string encoded;
  PutVarint(&encoded, ids.size());
  encoded += EncodeInts(ids);
  PutBytes(&out, encoded);
  return out;
}

absl::Status DecodeParents(std::string_view bytes, const Column& span_ids, Column* parents) {
  Decoder in(bytes);
  std::string_view rows_bytes, ids_bytes;
  if (!in.ReadBytes(&rows_bytes) || !in.ReadBytes(&ids_bytes) || !in.done()) {
    return absl::DataLossError("parents do not parse");
  }
  RETURN_IF_ERROR(DecodeColumn(rows_bytes, span_ids.size, parents));
  Decoder ids_in(ids_bytes);
  uint64_t count;
  std::vector<int64_t> ids;
  if (!IsWellFormed(*parents, span_ids.size) || parents->type != Type::kInt ||
      !ids_in.ReadVarintMax(span_ids.size, &count)) {
    return absl::DataLossError("parents do not parse");
  }
  RETURN_IF_ERROR(DecodeInts(ids_in.rest(), count, &ids));
  size_t next = 0;
  for (size_t row = 0; row < parents->size; ++row) {
    if (parents->IsNull(row)) continue;
    int64_t step = parents->ints[row];
    if (step == 0) {
      if (next == ids.size()) return absl::DataLossError("parents lack ids");
      parents->ints[row] = ids[next++];
      continue;
    }
    int64_t at = Plus(static_cast<int64_t>(row), step);
    if (at < 0 || at >= static_cast<int64_t>(span_ids.size) || span_ids.IsNull(static_cast<size_t>(at))) {
      return absl::DataLossError("a parent is no row");
    }
    parents->ints[row] = span_ids.ints[static_cast<size_t>(at)];
  }
  if (next != ids.size()) return absl::DataLossError("parents have too many ids");
  parents->type = Type::kSpanId;
  return absl::OkStatus();
}

}  // namespace braid
