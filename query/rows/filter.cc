// where and the line filters: operators that only drop rows.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "query/rows/cells.h"
#include "query/rows/operators.h"
#include "query/syntax/status_macros.h"
#include "re2/re2.h"

namespace braid {
namespace {

// Keeps `rows` (ascending) of the batch, without copying when that is all of them.
void KeepRows(const std::vector<uint32_t>& rows, RecordBatch* batch) {
  if (rows.size() == batch->num_rows) return;
  *batch = batch->Select(rows);
}

class FilterOperator : public Operator {
 public:
  FilterOperator(OperatorPtr input, RowExpressionPtr condition, QueryContext* context)
      : input_(std::move(input)), condition_(std::move(condition)), context_(context) {}

  const Schema& schema() const override { return input_->schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    ASSIGN_OR_RETURN(const bool more, input_->Next(batch));
    if (!more || batch->num_rows == 0) return more;
    RETURN_IF_ERROR(EvaluateCondition(*condition_, *batch, &rows_));
    KeepRows(rows_, batch);
    return true;
  }

  std::vector<OperatorPtr> Split(size_t parts) override {
    std::vector<OperatorPtr> split = input_->Split(parts);
    for (OperatorPtr& part : split) part = std::make_unique<FilterOperator>(std::move(part), condition_, context_);
    return split;
  }
  uint64_t place() const override { return input_->place(); }

 private:
  OperatorPtr input_;
  RowExpressionPtr condition_;
  QueryContext* context_;
  std::vector<uint32_t> rows_;
};

class LineFilterOperator : public Operator {
 public:
  LineFilterOperator(OperatorPtr input, LineFilter filter, std::shared_ptr<const RE2> regex, QueryContext* context)
      : input_(std::move(input)),
        filter_(std::move(filter)),
        regex_(std::move(regex)),
        context_(context),
        message_(input_->schema().Find("message")) {}

  const Schema& schema() const override { return input_->schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    ASSIGN_OR_RETURN(const bool more, input_->Next(batch));
    if (!more || batch->num_rows == 0) return more;
    rows_.clear();
    const Column none;
    const Column& column = message_ < 0 ? none : batch->columns[static_cast<size_t>(message_)];
    if (column.type == Type::kString) {
      RETURN_IF_ERROR(TestTexts(column, batch->num_rows));
    } else {
      std::string storage;
      for (size_t row = 0; row < batch->num_rows; ++row) {
        if (Test(column.type == Type::kNull ? "" : TextOf(CellAt(column, row), &storage))) {
          rows_.push_back(static_cast<uint32_t>(row));
        }
      }
    }
    KeepRows(rows_, batch);
    return true;
  }

  std::vector<OperatorPtr> Split(size_t parts) override {
    std::vector<OperatorPtr> split = input_->Split(parts);
    for (OperatorPtr& part : split) {
      part = std::make_unique<LineFilterOperator>(std::move(part), filter_, regex_, context_);
    }
    return split;
  }
  uint64_t place() const override { return input_->place(); }

 private:
  absl::Status TestTexts(const Column& column, size_t rows) {
    const bool null_passes = Test("");
    // A dictionary that many rows share is tested entry by entry, as far as rows ask for it.
    const bool shared = column.dictionary->values.size() < rows;
    if (shared) verdicts_.assign(column.dictionary->values.size(), kUntested);
    for (size_t row = 0; row < rows; ++row) {
      if (row % kRowsPerCheck == 0) RETURN_IF_ERROR(context_->CheckAlive());
      bool passes = null_passes;
      if (!column.IsNull(row)) {
        if (shared) {
          uint8_t& verdict = verdicts_[column.codes[row]];
          if (verdict == kUntested) verdict = Test(column.StringAt(row)) ? 1 : 0;
          passes = verdict == 1;
        } else {
          passes = Test(column.StringAt(row));
        }
      }
      if (passes) rows_.push_back(static_cast<uint32_t>(row));
    }
    return absl::OkStatus();
  }

  bool Test(std::string_view text) const {
    switch (filter_.op) {
      case LineFilter::Op::kContains: return text.find(filter_.text) != std::string_view::npos;
      case LineFilter::Op::kNotContains: return text.find(filter_.text) == std::string_view::npos;
      case LineFilter::Op::kRegex: return Search(text);
      case LineFilter::Op::kNotRegex: return !Search(text);
    }
    return false;
  }

  bool Search(std::string_view text) const {
    return regex_->Match(re2::StringPiece(text.data(), text.size()), 0, text.size(), RE2::UNANCHORED, nullptr, 0);
  }

  static constexpr uint8_t kUntested = 2;
  static constexpr size_t kRowsPerCheck = 256;  // texts may be long

  OperatorPtr input_;
  LineFilter filter_;
  std::shared_ptr<const RE2> regex_;
  QueryContext* context_;
  int message_;
  std::vector<uint32_t> rows_;
  std::vector<uint8_t> verdicts_;
};

}  // namespace

OperatorPtr MakeFilter(OperatorPtr input, RowExpressionPtr condition, QueryContext* context) {
  return std::make_unique<FilterOperator>(std::move(input), std::move(condition), context);
}

absl::StatusOr<OperatorPtr> MakeLineFilter(OperatorPtr input, const LineFilter& filter, QueryContext* context) {
  std::shared_ptr<const RE2> regex;
  if (filter.op == LineFilter::Op::kRegex || filter.op == LineFilter::Op::kNotRegex) {
    RE2::Options options;
    options.set_log_errors(false);
    regex = std::make_shared<const RE2>(filter.text, options);
    if (!regex->ok()) return absl::InvalidArgumentError("bad regular expression: " + regex->error());
  }
  return OperatorPtr(std::make_unique<LineFilterOperator>(std::move(input), filter, std::move(regex), context));
}

}  // namespace braid
