// Comparisons and regular expressions, with short cuts for the columns that scans give most: texts against a constant
// are compared once per dictionary entry, integers of one type without looking at cells.

#include <re2/re2.h>

#include <utility>

#include "query/rows/expression_nodes.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

bool Holds(BinaryOp op, Order order) {
  switch (op) {
    case BinaryOp::kEqual: return order == Order::kEqual;
    case BinaryOp::kNotEqual: return order != Order::kEqual;
    case BinaryOp::kLess: return order == Order::kLess;
    case BinaryOp::kLessEqual: return order == Order::kLess || order == Order::kEqual;
    case BinaryOp::kGreater: return order == Order::kGreater;
    case BinaryOp::kGreaterEqual: return order == Order::kGreater || order == Order::kEqual;
    default: return false;
  }
}

// Null is never ordered, not even against itself or the empty text.
bool HoldsFor(BinaryOp op, const CellView& a, const CellView& b) {
  if ((a.null() || b.null()) && op != BinaryOp::kEqual && op != BinaryOp::kNotEqual) return false;
  return Holds(op, CompareByRule(a, b));
}

BinaryOp Mirror(BinaryOp op) {
  switch (op) {
    case BinaryOp::kLess: return BinaryOp::kGreater;
    case BinaryOp::kLessEqual: return BinaryOp::kGreaterEqual;
    case BinaryOp::kGreater: return BinaryOp::kLess;
    case BinaryOp::kGreaterEqual: return BinaryOp::kLessEqual;
    default: return op;
  }
}

bool ComparesAsIntegers(Type type) {
  return type == Type::kInt || type == Type::kTimestamp || type == Type::kDuration || type == Type::kBool ||
         IsEnum(type);
}

template <typename Test>
std::vector<uint8_t> TestIntegers(const Column& column, Test test, bool null_answer) {
  std::vector<uint8_t> flags(column.size);
  for (size_t row = 0; row < column.size; ++row) flags[row] = test(column.ints[row]) ? 1 : 0;
  if (!column.valid.empty()) {
    for (size_t row = 0; row < column.size; ++row) {
      if (column.valid[row] == 0) flags[row] = null_answer ? 1 : 0;
    }
  }
  return flags;
}

std::vector<uint8_t> CompareIntegers(BinaryOp op, const Column& column, int64_t value) {
  switch (op) {
    case BinaryOp::kEqual:
      return TestIntegers(
          column, [value](int64_t x) { return x == value; }, false);
    case BinaryOp::kNotEqual:
      return TestIntegers(
          column, [value](int64_t x) { return x != value; }, true);
    case BinaryOp::kLess:
      return TestIntegers(
          column, [value](int64_t x) { return x < value; }, false);
    case BinaryOp::kLessEqual:
      return TestIntegers(
          column, [value](int64_t x) { return x <= value; }, false);
    case BinaryOp::kGreater:
      return TestIntegers(
          column, [value](int64_t x) { return x > value; }, false);
    default:
      return TestIntegers(
          column, [value](int64_t x) { return x >= value; }, false);
  }
}

// Applies `test` to the text of every row: once per dictionary entry if that is less work.
template <typename Test>
std::vector<uint8_t> TestTexts(const Column& column, Test test, bool null_answer) {
  std::vector<uint8_t> flags(column.size, null_answer ? 1 : 0);
  const auto& values = column.dictionary->values;
  if (values.size() <= column.size) {
    std::vector<uint8_t> answers(values.size(), 2);
    for (size_t row = 0; row < column.size; ++row) {
      if (column.IsNull(row)) continue;
      uint8_t& answer = answers[column.codes[row]];
      if (answer == 2) answer = test(values[column.codes[row]]) ? 1 : 0;
      flags[row] = answer;
    }
    return flags;
  }
  for (size_t row = 0; row < column.size; ++row) {
    if (!column.IsNull(row)) flags[row] = test(values[column.codes[row]]) ? 1 : 0;
  }
  return flags;
}

class Comparison : public RowExpression {
 public:
  Comparison(BinaryOp op, RowExpressionPtr left, RowExpressionPtr right)
      : op_(op), left_(std::move(left)), right_(std::move(right)) {
    if (ConstantOf(left_) != nullptr && ConstantOf(right_) == nullptr) {
      std::swap(left_, right_);
      op_ = Mirror(op_);
    }
  }

  Type type() const override { return Type::kBool; }

  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    Column left_storage, right_storage;
    ASSIGN_OR_RETURN(const Column* left, ReadColumn(*left_, batch, &left_storage));
    if (const Column* constant = ConstantOf(right_)) return BoolColumn(CompareWith(*left, *constant));
    ASSIGN_OR_RETURN(const Column* right, ReadColumn(*right_, batch, &right_storage));
    std::vector<uint8_t> flags(batch.num_rows);
    for (size_t row = 0; row < batch.num_rows; ++row) {
      flags[row] = HoldsFor(op_, CellAt(*left, row), CellAt(*right, row)) ? 1 : 0;
    }
    return BoolColumn(std::move(flags));
  }

 private:
  std::vector<uint8_t> CompareWith(const Column& left, const Column& constant) const {
    const CellView value = CellAt(constant, 0);
    if (left.type == value.type && ComparesAsIntegers(left.type)) return CompareIntegers(op_, left, value.integer);
    if (left.type == Type::kString && left.dictionary != nullptr) {
      CellView cell;
      cell.type = Type::kString;
      return TestTexts(
          left,
          [&](std::string_view text) {
            cell.text = text;
            return HoldsFor(op_, cell, value);
          },
          HoldsFor(op_, CellView(), value));
    }
    std::vector<uint8_t> flags(left.size);
    if (left.type == Type::kTraceId && value.type == Type::kTraceId &&
        (op_ == BinaryOp::kEqual || op_ == BinaryOp::kNotEqual)) {
      for (size_t row = 0; row < left.size; ++row) {
        const bool equal = !left.IsNull(row) && left.trace_ids[row] == value.trace_id;
        flags[row] = equal == (op_ == BinaryOp::kEqual) ? 1 : 0;
      }
      return flags;
    }
    for (size_t row = 0; row < left.size; ++row) flags[row] = HoldsFor(op_, CellAt(left, row), value) ? 1 : 0;
    return flags;
  }

  BinaryOp op_;
  RowExpressionPtr left_;
  RowExpressionPtr right_;
};

class RegexMatch : public RowExpression {
 public:
  RegexMatch(RowExpressionPtr text, std::unique_ptr<const RE2> regex, bool negated)
      : text_(std::move(text)), regex_(std::move(regex)), negated_(negated) {}

  Type type() const override { return Type::kBool; }

  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    Column storage_column;
    ASSIGN_OR_RETURN(const Column* read, ReadColumn(*text_, batch, &storage_column));
    const Column& column = *read;
    const auto matches = [this](std::string_view text) {
      return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *regex_) != negated_;
    };
    if (column.type == Type::kString && column.dictionary != nullptr) {
      return BoolColumn(TestTexts(column, matches, matches("")));
    }
    std::vector<uint8_t> flags(batch.num_rows);
    std::string storage;
    for (size_t row = 0; row < batch.num_rows; ++row)
      flags[row] = matches(TextOf(CellAt(column, row), &storage)) ? 1 : 0;
    return BoolColumn(std::move(flags));
  }

 private:
  RowExpressionPtr text_;
  std::unique_ptr<const RE2> regex_;
  bool negated_;
};

}  // namespace

RowExpressionPtr MakeComparison(BinaryOp op, RowExpressionPtr left, RowExpressionPtr right) {
  return std::make_shared<Comparison>(op, std::move(left), std::move(right));
}

absl::StatusOr<RowExpressionPtr> MakeRegexMatch(RowExpressionPtr text, const std::string& pattern, bool negated) {
  RE2::Options options;
  options.set_dot_nl(true);  // messages have several lines; a dot that stops at the first would surprise
  options.set_log_errors(false);
  auto regex = std::make_unique<const RE2>(pattern, options);
  if (!regex->ok()) return absl::InvalidArgumentError(regex->error());
  return std::make_shared<RegexMatch>(std::move(text), std::move(regex), negated);
}

}  // namespace braid
