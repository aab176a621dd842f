// Arithmetic of rows. Integers stay integers under + - * % while they fit; everything else is a double. Durations and
// timestamps keep their meaning where there is one:
//   timestamp - timestamp = duration     timestamp +- duration or seconds = timestamp
//   duration +- duration or seconds = duration     duration * or / number = duration     duration / duration = number
// Anything with null, or with a text that is no number, is null. NaN stays.

#include <cmath>
#include <optional>
#include <utility>

#include "query/rows/expression_nodes.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

bool IsPlainNumber(Type type) { return type == Type::kInt || type == Type::kDouble; }

// Nanoseconds from a double, null if it does not fit.
std::optional<int64_t> ToNanoseconds(double value) {
  if (!(value >= -9.2233720368547758e18 && value < 9.2233720368547758e18)) return std::nullopt;
  return static_cast<int64_t>(std::llround(value));
}

double Compute(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd: return a + b;
    case BinaryOp::kSub: return a - b;
    case BinaryOp::kMul: return a * b;
    case BinaryOp::kDiv: return a / b;
    case BinaryOp::kMod: return std::fmod(a, b);
    case BinaryOp::kPow: return std::pow(a, b);
    case BinaryOp::kAtan2: return std::atan2(a, b);
    default: return std::nan("");
  }
}

std::optional<int64_t> ComputeExact(BinaryOp op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case BinaryOp::kAdd: return __builtin_add_overflow(a, b, &result) ? std::nullopt : std::optional(result);
    case BinaryOp::kSub: return __builtin_sub_overflow(a, b, &result) ? std::nullopt : std::optional(result);
    case BinaryOp::kMul: return __builtin_mul_overflow(a, b, &result) ? std::nullopt : std::optional(result);
    case BinaryOp::kMod:
      if (b == 0 || b == -1) return std::nullopt;
      return a % b;
    default: return std::nullopt;
  }
}

// What two types make, whatever their values: kNull if they make nothing, kMixed if it depends on the values.
Type ResultType(BinaryOp op, Type a, Type b) {
  const bool add_sub = op == BinaryOp::kAdd || op == BinaryOp::kSub;
  for (const Type type : {a, b}) {
    if (type == Type::kMixed || type == Type::kString) return Type::kMixed;
  }
  if (a == Type::kTimestamp && b == Type::kTimestamp) return op == BinaryOp::kSub ? Type::kDuration : Type::kNull;
  if (a == Type::kTimestamp) {
    return add_sub && (b == Type::kDuration || IsPlainNumber(b)) ? Type::kTimestamp : Type::kNull;
  }
  if (b == Type::kTimestamp) {
    return op == BinaryOp::kAdd && (a == Type::kDuration || IsPlainNumber(a)) ? Type::kTimestamp : Type::kNull;
  }
  if (a == Type::kDuration && b == Type::kDuration) {
    return add_sub || op == BinaryOp::kMod ? Type::kDuration : Type::kDouble;
  }
  if (a == Type::kDuration && IsPlainNumber(b)) {
    return op == BinaryOp::kPow || op == BinaryOp::kAtan2 ? Type::kDouble : Type::kDuration;
  }
  if (b == Type::kDuration && IsPlainNumber(a)) {
    return add_sub || op == BinaryOp::kMul ? Type::kDuration : Type::kDouble;
  }
  if (a == Type::kInt && b == Type::kInt) {
    return op == BinaryOp::kDiv || op == BinaryOp::kPow || op == BinaryOp::kAtan2 ? Type::kDouble : Type::kInt;
  }
  if (IsPlainNumber(a) && IsPlainNumber(b)) return Type::kDouble;
  return Type::kNull;
}

void AppendResult(BinaryOp op, CellView a, CellView b, ColumnBuilder* builder) {
  // A text takes part as the number that it spells.
  for (CellView* cell : {&a, &b}) {
    if (cell->type != Type::kString) continue;
    const auto number = ParseNumber(cell->text);
    *cell = CellView();
    if (number) {
      cell->type = Type::kDouble;
      cell->number = *number;
    }
  }
  const Type result = ResultType(op, a.type, b.type);
  switch (result) {
    case Type::kInt: {
      if (const auto exact = ComputeExact(op, a.integer, b.integer)) {
        builder->AppendInt(Type::kInt, *exact);
      } else {
        builder->AppendDouble(Compute(op, static_cast<double>(a.integer), static_cast<double>(b.integer)));
      }
      return;
    }
    case Type::kDouble: builder->AppendDouble(Compute(op, *NumberOf(a), *NumberOf(b))); return;
    case Type::kTimestamp:
    case Type::kDuration: {
      std::optional<int64_t> value;
      if (!IsPlainNumber(a.type) && !IsPlainNumber(b.type)) {
        value = ComputeExact(op, a.integer, b.integer);
      } else if (op == BinaryOp::kMul || op == BinaryOp::kDiv) {
        const CellView& span = a.type == Type::kDuration ? a : b;
        const CellView& factor = a.type == Type::kDuration ? b : a;
        if (op == BinaryOp::kMul && factor.type == Type::kInt) {
          value = ComputeExact(op, span.integer, factor.integer);
        } else {
          value = ToNanoseconds(Compute(op, static_cast<double>(span.integer), *NumberOf(factor)));
        }
      } else {
        const auto in_nanoseconds = [](const CellView& cell) -> std::optional<int64_t> {
          if (cell.type == Type::kInt) return ComputeExact(BinaryOp::kMul, cell.integer, kSecond);
          return cell.type == Type::kDouble ? ToNanoseconds(cell.number * 1e9) : std::optional(cell.integer);
        };
        const auto x = in_nanoseconds(a);
        const auto y = in_nanoseconds(b);
        if (x && y) value = ComputeExact(op, *x, *y);
      }
      if (value) {
        builder->AppendInt(result, *value);
      } else {
        builder->AppendNull();
      }
      return;
    }
    default: builder->AppendNull();
  }
}

class Arithmetic : public RowExpression {
 public:
  Arithmetic(BinaryOp op, RowExpressionPtr left, RowExpressionPtr right)
      : op_(op), left_(std::move(left)), right_(std::move(right)) {}

  Type type() const override { return ResultType(op_, left_->type(), right_->type()); }

  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    ASSIGN_OR_RETURN(const Column left, left_->Evaluate(batch));
    ASSIGN_OR_RETURN(const Column right, right_->Evaluate(batch));
    if (left.type == Type::kDouble && right.type == Type::kDouble && left.valid.empty() && right.valid.empty()) {
      Column column;
      column.type = Type::kDouble;
      column.size = batch.num_rows;
      column.doubles.resize(batch.num_rows);
      for (size_t row = 0; row < batch.num_rows; ++row) {
        column.doubles[row] = Compute(op_, left.doubles[row], right.doubles[row]);
      }
      return column;
    }
    ColumnBuilder builder;
    for (size_t row = 0; row < batch.num_rows; ++row)
      AppendResult(op_, CellAt(left, row), CellAt(right, row), &builder);
    return builder.Finish();
  }

 private:
  BinaryOp op_;
  RowExpressionPtr left_;
  RowExpressionPtr right_;
};

class Negation : public RowExpression {
 public:
  explicit Negation(RowExpressionPtr operand) : operand_(std::move(operand)) {}

  Type type() const override {
    const Type type = operand_->type();
    if (type == Type::kString || type == Type::kMixed) return Type::kMixed;
    return IsPlainNumber(type) || type == Type::kDuration ? type : Type::kNull;
  }

  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    ASSIGN_OR_RETURN(const Column operand, operand_->Evaluate(batch));
    ColumnBuilder builder;
    for (size_t row = 0; row < batch.num_rows; ++row) {
      const CellView cell = CellAt(operand, row);
      if ((cell.type == Type::kInt || cell.type == Type::kDuration) && cell.integer != INT64_MIN) {
        builder.AppendInt(cell.type, -cell.integer);
      } else if (const auto number = NumberOf(cell); number && cell.type != Type::kTimestamp) {
        builder.AppendDouble(-*number);
      } else {
        builder.AppendNull();
      }
    }
    return builder.Finish();
  }

 private:
  RowExpressionPtr operand_;
};

}  // namespace

RowExpressionPtr MakeArithmetic(BinaryOp op, RowExpressionPtr left, RowExpressionPtr right) {
  return std::make_shared<Arithmetic>(op, std::move(left), std::move(right));
}

RowExpressionPtr MakeNegation(RowExpressionPtr operand) { return std::make_shared<Negation>(std::move(operand)); }

}  // namespace braid
