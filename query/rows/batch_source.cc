#include <algorithm>
#include <atomic>
#include <memory>
#include <numeric>
#include <utility>

#include "query/rows/column_concat.h"
#include "query/rows/operator.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// Rows of one slice: as many as a scan gives at most.
constexpr size_t kSourceSliceRows = 8192;

RecordBatch SliceOf(const RecordBatch& rows, size_t begin, size_t end) {
  std::vector<uint32_t> slice(end - begin);
  std::iota(slice.begin(), slice.end(), static_cast<uint32_t>(begin));
  return rows.Select(slice);
}

// One thread's share of a batch: slice after slice, as far as others leave
// them.
class SliceReader : public Operator {
 public:
  struct Shared {
    RecordBatch rows;
    std::atomic<size_t> next{0};
  };
  SliceReader(const Schema* schema, std::shared_ptr<Shared> shared) : schema_(schema), shared_(std::move(shared)) {}

  const Schema& schema() const override { return *schema_; }
  uint64_t place() const override { return place_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    const size_t begin = shared_->next.fetch_add(kSourceSliceRows, std::memory_order_relaxed);
    if (begin >= shared_->rows.num_rows) return false;
    place_ = begin;
    *batch = SliceOf(shared_->rows, begin, std::min(shared_->rows.num_rows, begin + kSourceSliceRows));
    return true;
  }

 private:
  const Schema* schema_;
  std::shared_ptr<Shared> shared_;
  uint64_t place_ = 0;
};

class BatchSource : public Operator {
 public:
  BatchSource(Schema schema, RecordBatch rows) : schema_(std::move(schema)), rows_(std::move(rows)) {}

  const Schema& schema() const override { return schema_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    if (next_row_ >= rows_.num_rows) return false;
    if (next_row_ == 0 && rows_.num_rows <= kSourceSliceRows) {
      next_row_ = rows_.num_rows;
      *batch = std::move(rows_);
      rows_ = RecordBatch();
      return true;
    }
    const size_t end = std::min(rows_.num_rows, next_row_ + kSourceSliceRows);
    *batch = SliceOf(rows_, next_row_, end);
    next_row_ = end;
    return true;
  }

  absl::StatusOr<bool> TakeWhole(RecordBatch* rows) override {
    *rows = std::exchange(rows_, RecordBatch());
    return true;
  }

  std::vector<OperatorPtr> Split(size_t parts) override {
    const size_t useful = std::min(parts, rows_.num_rows / kSourceSliceRows);
    if (useful < 2) return {};
    auto shared = std::make_shared<SliceReader::Shared>();
    shared->rows = std::move(rows_);
    rows_ = RecordBatch();
    std::vector<OperatorPtr> split;
    for (size_t i = 0; i < useful; ++i) split.push_back(std::make_unique<SliceReader>(&schema_, shared));
    return split;
  }

 private:
  Schema schema_;
  RecordBatch rows_;
  size_t next_row_ = 0;
};

}  // namespace

absl::StatusOr<RecordBatch> Drain(Operator* op, QueryContext* context, const char* owner) {
  RecordBatch all;
  ASSIGN_OR_RETURN(const bool whole, op->TakeWhole(&all));
  if (whole) {
    RETURN_IF_ERROR(context->Reserve(ApproximateBytes(all), owner));
    return all;
  }
  const size_t num_columns = op->schema().columns.size();
  std::vector<ColumnConcat> columns(num_columns);
  // The dictionary counted last per column: most batches of one source share
  // it.
  std::vector<const StringDictionary*> counted(num_columns, nullptr);
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
    RETURN_IF_ERROR(context->Reserve(bytes, owner));
    for (size_t i = 0; i < num_columns; ++i) columns[i].Append(std::move(batch.columns[i]));
    all.num_rows += batch.num_rows;
  }
  all.columns.reserve(num_columns);
  for (size_t i = 0; i < num_columns; ++i) {
    Column column = columns[i].Finish();
    if (all.num_rows == 0) {
      const Type type = op->schema().columns[i].type;
      column = ColumnBuilder(type == Type::kMixed ? Type::kNull : type).Finish();
    }
    all.columns.push_back(std::move(column));
  }
  return all;
}

OperatorPtr MakeBatchSource(Schema schema, RecordBatch rows) {
  return std::make_unique<BatchSource>(std::move(schema), std::move(rows));
}

}  // namespace braid
