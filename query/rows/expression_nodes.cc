#include "query/rows/expression_nodes.h"

#include <cmath>
#include <utility>

#include "query/syntax/status_macros.h"

namespace braid {
namespace {

class ColumnRead : public RowExpression {
 public:
  ColumnRead(size_t index, Type type) : index_(index), type_(type) {}
  Type type() const override { return type_; }
  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    if (index_ >= batch.columns.size()) return absl::InternalError("a batch has fewer columns than its schema");
    return batch.columns[index_];
  }
  const Column* Find(const RecordBatch& batch) const override {
    return index_ < batch.columns.size() ? &batch.columns[index_] : nullptr;
  }

 private:
  size_t index_;
  Type type_;
};

class Logic : public RowExpression {
 public:
  Logic(BinaryOp op, RowExpressionPtr left, RowExpressionPtr right)
      : op_(op), left_(std::move(left)), right_(std::move(right)) {}
  Type type() const override { return Type::kBool; }
  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    ASSIGN_OR_RETURN(const Column left, left_->Evaluate(batch));
    // The right side is evaluated only where the left does not decide: conditions get dearer from left to right.
    std::vector<uint8_t> flags(batch.num_rows);
    std::vector<uint32_t> open;
    for (size_t row = 0; row < batch.num_rows; ++row) {
      flags[row] = IsTrue(left, row) ? 1 : 0;
      if ((flags[row] != 0) == (op_ == BinaryOp::kAnd)) open.push_back(static_cast<uint32_t>(row));
    }
    if (open.empty()) return BoolColumn(std::move(flags));
    if (open.size() * 2 > batch.num_rows) {
      ASSIGN_OR_RETURN(const Column right, right_->Evaluate(batch));
      for (const uint32_t row : open) flags[row] = IsTrue(right, row) ? 1 : 0;
    } else {
      ASSIGN_OR_RETURN(const Column right, right_->Evaluate(batch.Select(open)));
      for (size_t i = 0; i < open.size(); ++i) flags[open[i]] = IsTrue(right, i) ? 1 : 0;
    }
    return BoolColumn(std::move(flags));
  }

 private:
  BinaryOp op_;
  RowExpressionPtr left_;
  RowExpressionPtr right_;
};

class Not : public RowExpression {
 public:
  explicit Not(RowExpressionPtr operand) : operand_(std::move(operand)) {}
  Type type() const override { return Type::kBool; }
  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    ASSIGN_OR_RETURN(const Column operand, operand_->Evaluate(batch));
    std::vector<uint8_t> flags(batch.num_rows);
    for (size_t row = 0; row < batch.num_rows; ++row) flags[row] = IsTrue(operand, row) ? 0 : 1;
    return BoolColumn(std::move(flags));
  }

 private:
  RowExpressionPtr operand_;
};

class Membership : public RowExpression {
 public:
  Membership(std::vector<RowExpressionPtr> keys, std::shared_ptr<const MemberSet> set, bool negated, int end_column)
      : keys_(std::move(keys)), set_(std::move(set)), negated_(negated), end_column_(end_column) {}
  Type type() const override { return Type::kBool; }
  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    ReadColumns keys(keys_.size());
    for (const RowExpressionPtr& key : keys_) RETURN_IF_ERROR(keys.Add(*key, batch));
    const Column* end = end_column_ < 0 ? nullptr : &batch.columns[static_cast<size_t>(end_column_)];
    ASSIGN_OR_RETURN(std::vector<uint8_t> flags, set_->Contains(keys.columns(), end, batch.num_rows));
    if (negated_) {
      for (uint8_t& flag : flags) flag = flag == 0 ? 1 : 0;
    }
    return BoolColumn(std::move(flags));
  }

 private:
  std::vector<RowExpressionPtr> keys_;
  std::shared_ptr<const MemberSet> set_;
  bool negated_;
  int end_column_;
};

}  // namespace

absl::StatusOr<Column> ConstantExpression::Evaluate(const RecordBatch& batch) const {
  return Repeat(cell_, batch.num_rows);
}

const Column* ConstantOf(const RowExpressionPtr& expression) {
  const auto* constant = dynamic_cast<const ConstantExpression*>(expression.get());
  return constant == nullptr ? nullptr : &constant->cell();
}

Column NullCell() {
  Column cell;
  cell.size = 1;
  return cell;
}

Column BoolCell(bool value) { return IntCell(Type::kBool, value ? 1 : 0); }

Column IntCell(Type type, int64_t value) {
  Column cell;
  cell.type = type;
  cell.size = 1;
  cell.ints = {value};
  return cell;
}

Column DoubleCell(double value) {
  Column cell;
  cell.type = Type::kDouble;
  cell.size = 1;
  cell.doubles = {value};
  return cell;
}

Column StringCell(std::string_view value) {
  Column cell;
  cell.type = Type::kString;
  cell.size = 1;
  cell.codes = {0};
  cell.dictionary = StringDictionary::Make({value});
  return cell;
}

Column TraceIdCell(TraceId id) {
  Column cell;
  cell.type = Type::kTraceId;
  cell.size = 1;
  cell.trace_ids = {id};
  return cell;
}

Column ValueCell(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return BoolCell(*flag);
  if (const auto* integer = std::get_if<int64_t>(&value)) return IntCell(Type::kInt, *integer);
  if (const auto* number = std::get_if<double>(&value)) return DoubleCell(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return StringCell(*text);
  return NullCell();
}

Column Repeat(const Column& cell, size_t size) {
  Column column;
  column.type = cell.type;
  column.size = size;
  if (cell.IsNull(0)) {
    column.type = Type::kNull;
    return column;
  }
  column.ints.assign(cell.ints.empty() ? 0 : size, cell.ints.empty() ? 0 : cell.ints[0]);
  column.doubles.assign(cell.doubles.empty() ? 0 : size, cell.doubles.empty() ? 0 : cell.doubles[0]);
  column.codes.assign(cell.codes.empty() ? 0 : size, cell.codes.empty() ? 0 : cell.codes[0]);
  column.dictionary = cell.dictionary;
  column.trace_ids.assign(cell.trace_ids.empty() ? 0 : size, cell.trace_ids.empty() ? TraceId() : cell.trace_ids[0]);
  if (!cell.mixed.empty()) column.mixed.assign(size, cell.mixed[0]);
  if (!cell.histograms.empty()) column.histograms.assign(size, cell.histograms[0]);
  return column;
}

Column BoolColumn(std::vector<uint8_t> flags) {
  Column column;
  column.type = Type::kBool;
  column.size = flags.size();
  column.ints.assign(flags.begin(), flags.end());
  return column;
}

RowExpressionPtr MakeConstant(Column cell) { return std::make_shared<ConstantExpression>(std::move(cell)); }

RowExpressionPtr MakeColumnRead(size_t index, Type type) { return std::make_shared<ColumnRead>(index, type); }

RowExpressionPtr MakeLogic(BinaryOp op, RowExpressionPtr left, RowExpressionPtr right) {
  return std::make_shared<Logic>(op, std::move(left), std::move(right));
}

RowExpressionPtr MakeNot(RowExpressionPtr operand) { return std::make_shared<Not>(std::move(operand)); }

RowExpressionPtr MakeMembership(std::vector<RowExpressionPtr> keys, std::shared_ptr<const MemberSet> set, bool negated,
                                int end_column) {
  return std::make_shared<Membership>(std::move(keys), std::move(set), negated, end_column);
}

}  // namespace braid
