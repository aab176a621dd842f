// What the functions of row position are made of: a body for one value or one row, and an output that counts into the
// query's memory while it grows.
//
// Threads: as RowExpression.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "query/rows/cells.h"
#include "query/rows/expression.h"
#include "query/rows/reservation.h"
#include "query/syntax/status_macros.h"

namespace braid {

using Arguments = std::vector<RowExpressionPtr>;

// Where a function puts its values.
class Output {
 public:
  Output(QueryContext* context, const char* owner) : context_(context), owner_(owner) {
    if (context != nullptr) reservation_.emplace(context, owner);
  }
  void AppendNull() { builder_.AppendNull(); }
  void AppendInt(Type type, int64_t value) { builder_.AppendInt(type, value); }
  void AppendDouble(double value) { builder_.AppendDouble(value); }
  void AppendString(std::string_view value) {
    text_bytes_ += value.size();
    builder_.AppendString(value);
  }
  void AppendFrom(const Column& column, size_t row) {
    if (column.type == Type::kString && !column.IsNull(row)) text_bytes_ += column.StringAt(row).size();
    builder_.AppendFrom(column, row);
  }
  size_t size() const { return builder_.size(); }

  // How long the next text may be.
  uint64_t room() const {
    if (context_ == nullptr) return UINT64_MAX;
    const uint64_t used = context_->reserved_bytes();
    return context_->limits.memory_bytes_max - std::min(used, context_->limits.memory_bytes_max);
  }
  // The next text would be longer than room().
  void Overflow() {
    if (status_.ok()) status_ = context_->Reserve(context_->limits.memory_bytes_max + 1, owner_);
    AppendNull();
  }
  // Asked after every value; looks at time and memory now and then.
  absl::Status Check() {
    if (!status_.ok() || context_ == nullptr) return status_;
    const bool grown = text_bytes_ >= checked_bytes_ + kBytesPerCheck;
    if (!grown && builder_.size() % kRowsPerCheck != 0) return absl::OkStatus();
    checked_bytes_ = text_bytes_;
    RETURN_IF_ERROR(reservation_->Set(text_bytes_ + builder_.size() * kBytesPerRow));
    return context_->CheckAlive();
  }
  Column Finish() { return builder_.Finish(); }

 private:
  static constexpr size_t kRowsPerCheck = 64;
  static constexpr uint64_t kBytesPerCheck = 1 << 16;
  static constexpr uint64_t kBytesPerRow = 16;

  QueryContext* context_;
  const char* owner_;
  std::optional<Reservation> reservation_;
  ColumnBuilder builder_;
  uint64_t text_bytes_ = 0;
  uint64_t checked_bytes_ = 0;
  absl::Status status_;
};

// A function that knows whose query it works for. `context` may be null: then nothing is limited.
class Function : public RowExpression {
 public:
  explicit Function(Type type) : type_(type) {}
  Type type() const override { return type_; }
  void Watch(QueryContext* context, const char* owner) {
    context_ = context;
    owner_ = owner;
  }

 protected:
  Output MakeOutput() const { return Output(context_, owner_); }

 private:
  Type type_;
  QueryContext* context_ = nullptr;
  const char* owner_ = "";
};
using FunctionPtr = std::shared_ptr<Function>;

// A function of one value, for each row or, of texts, for each dictionary entry.
class PerCell : public Function {
 public:
  using Body = std::function<void(const CellView&, Output*)>;
  PerCell(RowExpressionPtr operand, Type type, Body body)
      : Function(type), operand_(std::move(operand)), body_(std::move(body)) {}

  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    ASSIGN_OR_RETURN(const Column column, operand_->Evaluate(batch));
    if (column.type == Type::kString && column.dictionary->values.size() <= column.size) return EvaluateTexts(column);
    Output output = MakeOutput();
    for (size_t row = 0; row < column.size; ++row) {
      body_(CellAt(column, row), &output);
      RETURN_IF_ERROR(output.Check());
    }
    return output.Finish();
  }

 private:
  // Entry 0 of the answers is that of null, entry i + 1 that of the dictionary's text i.
  absl::StatusOr<Column> EvaluateTexts(const Column& column) const {
    std::vector<uint32_t> answer_of(column.dictionary->values.size() + 1, UINT32_MAX);
    Output answers = MakeOutput();
    std::vector<uint32_t> picks(column.size);
    for (size_t row = 0; row < column.size; ++row) {
      const size_t entry = column.IsNull(row) ? 0 : size_t{column.codes[row]} + 1;
      if (answer_of[entry] == UINT32_MAX) {
        answer_of[entry] = static_cast<uint32_t>(answers.size());
        body_(CellAt(column, row), &answers);
        RETURN_IF_ERROR(answers.Check());
      }
      picks[row] = answer_of[entry];
    }
    return answers.Finish().Select(picks);
  }

  RowExpressionPtr operand_;
  Body body_;
};

// A function of several values of a row.
class PerRow : public Function {
 public:
  using Body = std::function<void(const std::vector<Column>&, size_t row, Output*)>;
  PerRow(Arguments arguments, Type type, Body body)
      : Function(type), arguments_(std::move(arguments)), body_(std::move(body)) {}

  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    std::vector<Column> columns;
    columns.reserve(arguments_.size());
    for (const RowExpressionPtr& argument : arguments_) {
      ASSIGN_OR_RETURN(Column column, argument->Evaluate(batch));
      columns.push_back(std::move(column));
    }
    Output output = MakeOutput();
    for (size_t row = 0; row < batch.num_rows; ++row) {
      body_(columns, row, &output);
      RETURN_IF_ERROR(output.Check());
    }
    return output.Finish();
  }

 private:
  Arguments arguments_;
  Body body_;
};

}  // namespace braid
