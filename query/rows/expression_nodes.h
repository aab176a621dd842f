// The nodes that the binder makes of expressions. Inside of query/rows; users see RowExpression.
//
// Threads: immutable once made. Ownership: nodes share their operands.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "query/rows/cells.h"
#include "query/rows/expression.h"

namespace braid {

// A value known when the query was bound: one cell that stands for every row.
class ConstantExpression : public RowExpression {
 public:
  // REQUIRES: `cell` has one row.
  explicit ConstantExpression(Column cell) : cell_(std::move(cell)) {}
  Type type() const override { return cell_.type; }
  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override;
  const Column& cell() const { return cell_; }

 private:
  Column cell_;
};

// The constant behind an expression, or null if it depends on rows.
const Column* ConstantOf(const RowExpressionPtr& expression);

Column NullCell();
Column BoolCell(bool value);
Column IntCell(Type type, int64_t value);
Column DoubleCell(double value);
Column StringCell(std::string_view value);
Column TraceIdCell(TraceId id);
Column ValueCell(const Value& value);
// `cell`'s only row `size` times.
Column Repeat(const Column& cell, size_t size);
Column BoolColumn(std::vector<uint8_t> flags);

RowExpressionPtr MakeConstant(Column cell);
RowExpressionPtr MakeColumnRead(size_t index, Type type);

// `op` is kEqual ... kGreaterEqual.
RowExpressionPtr MakeComparison(BinaryOp op, RowExpressionPtr left, RowExpressionPtr right);
// =~ and !~, full match. InvalidArgument without place for a bad pattern.
absl::StatusOr<RowExpressionPtr> MakeRegexMatch(RowExpressionPtr text, const std::string& pattern, bool negated);
RowExpressionPtr MakeLogic(BinaryOp op, RowExpressionPtr left, RowExpressionPtr right);  // kAnd, kOr
RowExpressionPtr MakeNot(RowExpressionPtr operand);
// `op` is kAdd ... kAtan2.
RowExpressionPtr MakeArithmetic(BinaryOp op, RowExpressionPtr left, RowExpressionPtr right);
RowExpressionPtr MakeNegation(RowExpressionPtr operand);
RowExpressionPtr MakeMembership(std::vector<RowExpressionPtr> keys, std::shared_ptr<const MemberSet> set, bool negated,
                                int end_column);

// Is the cell true? Null and what is not a bool are not.
inline bool IsTrue(const Column& column, size_t row) {
  if (column.IsNull(row)) return false;
  if (column.type == Type::kBool) return column.ints[row] != 0;
  const CellView cell = CellAt(column, row);
  return cell.type == Type::kBool && cell.integer != 0;
}

}  // namespace braid
