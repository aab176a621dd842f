#include "query/rows/reservation.h"

#include <utility>
#include <vector>

#include "query/rows/column_concat.h"
#include "query/syntax/status_macros.h"

namespace braid {

absl::StatusOr<RecordBatch> DrainInto(Operator* op, QueryContext* context, Reservation* reservation) {
  // Drain gives back nothing, so the bytes that it took are counted here and held by the caller.
  const size_t num_columns = op->schema().columns.size();
  std::vector<ColumnConcat> columns(num_columns);
  std::vector<const StringDictionary*> counted(num_columns, nullptr);
  RecordBatch all;
  while (true) {
    RecordBatch batch;
    ASSIGN_OR_RETURN(const bool more, op->Next(&batch));
    if (!more) break;
    RETURN_IF_ERROR(context->CheckAlive());
    if (batch.num_rows == 0) continue;
    uint64_t bytes = 0;
    for (size_t i = 0; i < num_columns; ++i) {
      const Column& column = batch.columns[i];
      const bool fresh = column.dictionary != nullptr && column.dictionary.get() != counted[i];
      bytes += fresh ? ApproximateBytes(column) : ApproximateRowBytes(column);
      if (fresh) counted[i] = column.dictionary.get();
    }
    RETURN_IF_ERROR(reservation->Add(bytes));
    for (size_t i = 0; i < num_columns; ++i) columns[i].Append(std::move(batch.columns[i]));
    all.num_rows += batch.num_rows;
  }
  for (size_t i = 0; i < num_columns; ++i) {
    const Type type = op->schema().columns[i].type;
    all.columns.push_back(all.num_rows == 0 ? ColumnBuilder(type == Type::kMixed ? Type::kNull : type).Finish()
                                            : columns[i].Finish());
  }
  return all;
}

}  // namespace braid
