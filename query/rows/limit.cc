// limit, tail and dedup.
#include <deque>
#include <numeric>
#include <utility>

#include "query/rows/column_concat.h"
#include "query/rows/key_table.h"
#include "query/rows/operators.h"
#include "query/rows/reservation.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

std::vector<uint32_t> RowsBetween(size_t begin, size_t end) {
  std::vector<uint32_t> rows(end - begin);
  std::iota(rows.begin(), rows.end(), static_cast<uint32_t>(begin));
  return rows;
}

class LimitOperator : public Operator {
 public:
  LimitOperator(OperatorPtr input, uint64_t count, QueryContext* context)
      : input_(std::move(input)), left_(count), context_(context) {}

  const Schema& schema() const override { return input_->schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    if (left_ == 0) return false;
    ASSIGN_OR_RETURN(const bool more, input_->Next(batch));
    if (!more) return false;
    if (batch->num_rows > left_) *batch = batch->Select(RowsBetween(0, left_));
    left_ -= batch->num_rows;
    return true;
  }

 private:
  OperatorPtr input_;
  uint64_t left_;
  QueryContext* context_;
};

class TailOperator : public Operator {
 public:
  TailOperator(OperatorPtr input, uint64_t count, QueryContext* context)
      : input_(std::move(input)), count_(count), context_(context), reservation_(context, "tail") {}

  const Schema& schema() const override { return input_->schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    if (!collected_) {
      RETURN_IF_ERROR(Collect());
      collected_ = true;
    }
    if (kept_.empty()) return false;
    *batch = std::move(kept_.front());
    kept_.pop_front();
    if (rows_ > count_) {
      *batch = batch->Select(RowsBetween(rows_ - count_, batch->num_rows));
      rows_ = count_;
    }
    return true;
  }

 private:
  absl::Status Collect() {
    uint64_t bytes = 0;
    while (count_ > 0) {
      RecordBatch batch;
      ASSIGN_OR_RETURN(const bool more, input_->Next(&batch));
      if (!more) break;
      RETURN_IF_ERROR(context_->CheckAlive());
      if (batch.num_rows == 0) continue;
      rows_ += batch.num_rows;
      bytes += ApproximateBytes(batch);
      kept_.push_back(std::move(batch));
      while (rows_ - kept_.front().num_rows >= count_) {
        rows_ -= kept_.front().num_rows;
        bytes -= ApproximateBytes(kept_.front());
        kept_.pop_front();
      }
      RETURN_IF_ERROR(reservation_.Set(bytes));
    }
    return absl::OkStatus();
  }

  OperatorPtr input_;
  uint64_t count_;
  QueryContext* context_;
  Reservation reservation_;
  std::deque<RecordBatch> kept_;
  uint64_t rows_ = 0;  // in kept_
  bool collected_ = false;
};

class DedupOperator : public Operator {
 public:
  DedupOperator(OperatorPtr input, std::vector<RowExpressionPtr> keys, QueryContext* context)
      : input_(std::move(input)),
        keys_(std::move(keys)),
        context_(context),
        reservation_(context, "dedup"),
        seen_(keys_.size(), NullKeys::kAreKeys) {}

  const Schema& schema() const override { return input_->schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    ASSIGN_OR_RETURN(const bool more, input_->Next(batch));
    if (!more || batch->num_rows == 0) return more;
    ReadColumns keys(keys_.size());
    for (const RowExpressionPtr& expression : keys_) RETURN_IF_ERROR(keys.Add(*expression, *batch));
    size_t known = seen_.size();
    seen_.Assign(keys.columns(), batch->num_rows, &numbers_);
    std::vector<uint32_t> rows;
    for (size_t row = 0; row < batch->num_rows; ++row) {
      // Keys are numbered in order of their first rows.
      if (numbers_[row] < known) continue;
      ++known;
      rows.push_back(static_cast<uint32_t>(row));
    }
    RETURN_IF_ERROR(reservation_.Set(seen_.bytes()));
    if (rows.size() < batch->num_rows) *batch = batch->Select(rows);
    return true;
  }

 private:
  OperatorPtr input_;
  std::vector<RowExpressionPtr> keys_;
  QueryContext* context_;
  Reservation reservation_;
  KeyTable seen_;
  std::vector<uint32_t> numbers_;
};

}  // namespace

OperatorPtr MakeLimit(OperatorPtr input, uint64_t count, QueryContext* context) {
  return std::make_unique<LimitOperator>(std::move(input), count, context);
}

OperatorPtr MakeTail(OperatorPtr input, uint64_t count, QueryContext* context) {
  return std::make_unique<TailOperator>(std::move(input), count, context);
}

OperatorPtr MakeDedup(OperatorPtr input, std::vector<RowExpressionPtr> keys, QueryContext* context) {
  return std::make_unique<DedupOperator>(std::move(input), std::move(keys), context);
}

}  // namespace braid
