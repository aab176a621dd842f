// sort and top.
#include <algorithm>
#include <numeric>
#include <utility>

#include "query/rows/column_concat.h"
#include "query/rows/key_table.h"
#include "query/rows/operators.h"
#include "query/rows/reservation.h"
#include "query/rows/row_order.h"
#include "query/rows/sort_in_steps.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// Gives out rows of a batch in a chosen order, a slice at a time.
class OrderedRows {
 public:
  void Reset(RecordBatch rows, std::vector<uint32_t> order) {
    rows_ = std::move(rows);
    order_ = std::move(order);
    at_ = 0;
  }
  bool Next(RecordBatch* batch) {
    if (at_ >= order_.size()) return false;
    const size_t end = std::min(order_.size(), at_ + kHeldRowsPerBatch);
    *batch = rows_.Select({order_.begin() + static_cast<ptrdiff_t>(at_), order_.begin() + static_cast<ptrdiff_t>(end)});
    at_ = end;
    return true;
  }

 private:
  RecordBatch rows_;
  std::vector<uint32_t> order_;
  size_t at_ = 0;
};

class SortOperator : public Operator {
 public:
  SortOperator(OperatorPtr input, std::vector<SortSpec> keys, QueryContext* context)
      : input_(std::move(input)), keys_(std::move(keys)), context_(context), reservation_(context, "sort") {}

  const Schema& schema() const override { return input_->schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    if (!sorted_) {
      RETURN_IF_ERROR(Sort());
      sorted_ = true;
    }
    return output_.Next(batch);
  }

 private:
  absl::Status Sort() {
    ASSIGN_OR_RETURN(RecordBatch rows, DrainInto(input_.get(), context_, &reservation_));
    RETURN_IF_ERROR(reservation_.Add(rows.num_rows * (8 + 8 * keys_.size())));
    std::vector<std::vector<uint64_t>> numbers;
    for (const SortSpec& key : keys_) {
      if (rows.num_rows == 0) break;
      ASSIGN_OR_RETURN(const Column column, key.expression->Evaluate(rows));
      ASSIGN_OR_RETURN(std::vector<uint64_t> of_key, OrderNumbers(column, rows.num_rows, key.descending, context_));
      numbers.push_back(std::move(of_key));
    }
    std::vector<uint32_t> order(rows.num_rows);
    std::iota(order.begin(), order.end(), 0);
    const auto before = [&](uint32_t a, uint32_t b) {
      for (const auto& column : numbers) {
        if (column[a] != column[b]) return column[a] < column[b];
      }
      return false;
    };
    RETURN_IF_ERROR(SortInSteps(&order, before, context_));
    output_.Reset(std::move(rows), std::move(order));
    return absl::OkStatus();
  }

  OperatorPtr input_;
  std::vector<SortSpec> keys_;
  QueryContext* context_;
  Reservation reservation_;
  bool sorted_ = false;
  OrderedRows output_;
};

// Keeps candidates in input order and cuts them down to the best whenever they have doubled.
class TopOperator : public Operator {
 public:
  TopOperator(OperatorPtr input, uint64_t count, RowExpressionPtr by, std::vector<RowExpressionPtr> per,
              QueryContext* context)
      : input_(std::move(input)),
        count_(count),
        by_(std::move(by)),
        per_(std::move(per)),
        context_(context),
        reservation_(context, "top"),
        groups_(per_.size(), NullKeys::kAreKeys) {}

  const Schema& schema() const override { return input_->schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    if (!done_) {
      RETURN_IF_ERROR(Collect());
      done_ = true;
    }
    return output_.Next(batch);
  }

 private:
  // Rows with what decides about them.
  struct Candidates {
    RecordBatch rows;
    Column by;
    std::vector<uint32_t> groups;
  };

  absl::Status Collect() {
    ResetBuffer();
    while (count_ > 0) {
      Candidates fresh;
      ASSIGN_OR_RETURN(const bool more, input_->Next(&fresh.rows));
      if (!more) break;
      RETURN_IF_ERROR(context_->CheckAlive());
      if (fresh.rows.num_rows == 0) continue;
      ASSIGN_OR_RETURN(fresh.by, by_->Evaluate(fresh.rows));
      ReadColumns per(per_.size());
      for (const RowExpressionPtr& expression : per_) RETURN_IF_ERROR(per.Add(*expression, fresh.rows));
      groups_.Assign(per.columns(), fresh.rows.num_rows, &fresh.groups);
      ASSIGN_OR_RETURN(std::vector<uint32_t> best, Best(fresh));
      Append(fresh, std::move(best));
      if (buffered_groups_.size() >= compact_at_) RETURN_IF_ERROR(Compact());
      RETURN_IF_ERROR(reservation_.Set(buffer_bytes_ + groups_.bytes()));
    }
    Candidates all = TakeBuffer();
    ASSIGN_OR_RETURN(std::vector<uint32_t> best, Best(all));
    output_.Reset(std::move(all.rows), std::move(best));
    return absl::OkStatus();
  }

  // The rows that may stay, best first.
  absl::StatusOr<std::vector<uint32_t>> Best(const Candidates& candidates) const {
    const size_t rows = candidates.rows.num_rows;
    ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers,
                     OrderNumbers(candidates.by, rows, /*descending=*/true, context_));
    std::vector<uint32_t> order(rows);
    std::iota(order.begin(), order.end(), 0);
    const auto before = [&](uint32_t a, uint32_t b) {
      if (numbers[a] != numbers[b]) return numbers[a] < numbers[b];
      for (const Column& column : candidates.rows.columns) {
        if (const int cells = CompareCells(column, a, column, b); cells != 0) return cells < 0;
      }
      return a < b;
    };
    if (per_.empty() && count_ < rows / 8) {
      const auto kept = static_cast<size_t>(count_);
      std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(kept), order.end(), before);
      order.resize(kept);
      return order;
    }
    RETURN_IF_ERROR(SortInSteps(&order, before, context_));
    if (per_.empty()) {
      order.resize(std::min<uint64_t>(count_, rows));
      return order;
    }
    std::vector<uint64_t> taken(groups_.size(), 0);
    std::erase_if(order, [&](uint32_t row) { return taken[candidates.groups[row]]++ >= count_; });
    return order;
  }

  void Append(const Candidates& from, std::vector<uint32_t> rows) {
    std::sort(rows.begin(), rows.end());
    const bool all = rows.size() == from.rows.num_rows;
    for (size_t i = 0; i < buffer_.size(); ++i) {
      const Column& column = i == 0 ? from.by : from.rows.columns[i - 1];
      if (all) {
        buffer_bytes_ += ApproximateRowBytes(column);
        buffer_[i].Append(column);
      } else {
        const Column selected = column.Select(rows);
        buffer_bytes_ += ApproximateRowBytes(selected);
        buffer_[i].Append(selected);
      }
    }
    for (uint32_t row : rows) buffered_groups_.push_back(from.groups[row]);
  }

  void ResetBuffer() {
    buffer_.clear();
    buffer_.resize(schema().columns.size() + 1);
    buffered_groups_.clear();
    buffer_bytes_ = 0;
  }

  Candidates TakeBuffer() {
    Candidates all;
    all.rows.num_rows = buffered_groups_.size();
    for (size_t i = 0; i < buffer_.size() && all.rows.num_rows > 0; ++i) {
      Column column = buffer_[i].Finish();
      if (i == 0) {
        all.by = std::move(column);
      } else {
        all.rows.columns.push_back(std::move(column));
      }
    }
    all.groups = std::move(buffered_groups_);
    ResetBuffer();
    return all;
  }

  absl::Status Compact() {
    const Candidates all = TakeBuffer();
    ASSIGN_OR_RETURN(std::vector<uint32_t> best, Best(all));
    Append(all, std::move(best));
    compact_at_ = std::max<size_t>(kHeldRowsPerBatch, 2 * buffered_groups_.size());
    return absl::OkStatus();
  }

  OperatorPtr input_;
  uint64_t count_;
  RowExpressionPtr by_;
  std::vector<RowExpressionPtr> per_;
  QueryContext* context_;
  Reservation reservation_;
  KeyTable groups_;
  std::vector<ColumnConcat> buffer_;  // `by`, then the columns
  std::vector<uint32_t> buffered_groups_;
  uint64_t buffer_bytes_ = 0;
  size_t compact_at_ = kHeldRowsPerBatch;
  bool done_ = false;
  OrderedRows output_;
};

}  // namespace

OperatorPtr MakeSort(OperatorPtr input, std::vector<SortSpec> keys, QueryContext* context) {
  return std::make_unique<SortOperator>(std::move(input), std::move(keys), context);
}

OperatorPtr MakeTop(OperatorPtr input, uint64_t count, RowExpressionPtr by, std::vector<RowExpressionPtr> per,
                    QueryContext* context) {
  return std::make_unique<TopOperator>(std::move(input), count, std::move(by), std::move(per), context);
}

}  // namespace braid
