#include "query/rows/row_order.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "query/rows/expression.h"
#include "query/rows/sort_in_steps.h"

namespace braid {
namespace {

constexpr uint64_t kNullOrder = UINT64_MAX;
constexpr uint64_t kNanOrder = UINT64_MAX - 1;

uint64_t OrderOfInt(int64_t value) { return static_cast<uint64_t>(value) ^ (uint64_t{1} << 63); }

uint64_t OrderOfDouble(double value) {
  if (value == 0) value = 0;  // -0 and 0 are equal
  const auto bits = std::bit_cast<uint64_t>(value);
  return (bits >> 63) != 0 ? ~bits : bits | uint64_t{1} << 63;
}

bool IsNan(const Column& column, size_t row) {
  if (column.type == Type::kDouble) return std::isnan(column.doubles[row]);
  if (column.type != Type::kMixed) return false;
  const double* number = std::get_if<double>(&column.mixed[row]);
  return number != nullptr && std::isnan(*number);
}

bool IsNothing(const Column& column, size_t row) {
  return column.IsNull(row) ||
         (column.type == Type::kMixed && std::holds_alternative<std::monostate>(column.mixed[row]));
}

// Any column by its ranks: for types whose values do not fit 64 bits.
absl::Status RankRows(const Column& column, const std::vector<uint32_t>& rows, const QueryContext* context,
                      std::vector<uint64_t>* numbers) {
  std::vector<uint32_t> sorted = rows;
  const auto before = [&](uint32_t a, uint32_t b) {
    const int order = CompareCells(column, a, column, b);
    return order != 0 ? order < 0 : a < b;
  };
  RETURN_IF_ERROR(SortInSteps(&sorted, before, context));
  uint64_t rank = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0 && CompareCells(column, sorted[i - 1], column, sorted[i]) != 0) ++rank;
    (*numbers)[sorted[i]] = rank;
  }
  return absl::OkStatus();
}

// Texts by the ranks of the dictionary entries that rows use.
absl::Status RankTexts(const Column& column, const std::vector<uint32_t>& rows, const QueryContext* context,
                       std::vector<uint64_t>* numbers) {
  const auto& values = column.dictionary->values;
  constexpr uint64_t kUnused = UINT64_MAX;
  std::vector<uint64_t> ranks(values.size(), kUnused);
  std::vector<uint32_t> used;
  for (uint32_t row : rows) {
    if (ranks[column.codes[row]] != kUnused) continue;
    ranks[column.codes[row]] = 0;
    used.push_back(column.codes[row]);
  }
  RETURN_IF_ERROR(SortInSteps(
      &used, [&](uint32_t a, uint32_t b) { return values[a] < values[b]; }, context));
  uint64_t rank = 0;
  for (size_t i = 0; i < used.size(); ++i) {
    if (i > 0 && values[used[i - 1]] != values[used[i]]) ++rank;
    ranks[used[i]] = rank;
  }
  for (uint32_t row : rows) (*numbers)[row] = ranks[column.codes[row]];
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<uint64_t>> OrderNumbers(const Column& column, size_t rows, bool descending,
                                                   const QueryContext* context) {
  std::vector<uint64_t> numbers(rows, kNullOrder);
  if (column.type == Type::kNull) return numbers;
  std::vector<uint32_t> plain;  // neither null nor NaN
  plain.reserve(rows);
  for (size_t row = 0; row < rows; ++row) {
    if (IsNothing(column, row)) continue;
    if (IsNan(column, row)) {
      numbers[row] = kNanOrder;
    } else {
      plain.push_back(static_cast<uint32_t>(row));
    }
  }
  switch (column.type) {
    case Type::kDouble:
      for (uint32_t row : plain) numbers[row] = OrderOfDouble(column.doubles[row]);
      break;
    case Type::kString: RETURN_IF_ERROR(RankTexts(column, plain, context, &numbers)); break;
    case Type::kMixed:
    case Type::kTraceId:
    case Type::kHistogram: RETURN_IF_ERROR(RankRows(column, plain, context, &numbers)); break;
    case Type::kSpanId:
    case Type::kInt:
    case Type::kDuration:
    case Type::kTimestamp: {
      // The two greatest values would collide with null and NaN; ranks then.
      const bool collides = std::any_of(plain.begin(), plain.end(), [&](uint32_t row) {
        return column.ints[row] >= INT64_MAX - 1 || (column.type == Type::kSpanId && column.ints[row] < 0) ||
               column.ints[row] <= INT64_MIN + 1;
      });
      if (collides) {
        RETURN_IF_ERROR(RankRows(column, plain, context, &numbers));
      } else {
        for (uint32_t row : plain) numbers[row] = OrderOfInt(column.ints[row]);
      }
      break;
    }
    default:
      for (uint32_t row : plain) numbers[row] = OrderOfInt(column.ints[row]);
  }
  if (descending) {
    for (uint32_t row : plain) numbers[row] = kNanOrder - 1 - numbers[row];
  }
  return numbers;
}

absl::StatusOr<std::vector<uint32_t>> SortedRows(const std::vector<Column>& columns, size_t rows,
                                                 const QueryContext* context) {
  std::vector<uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::vector<uint64_t>> numbers;
  for (const Column& column : columns) {
    ASSIGN_OR_RETURN(std::vector<uint64_t> of_column, OrderNumbers(column, rows, false, context));
    numbers.push_back(std::move(of_column));
  }
  const auto before = [&](uint32_t a, uint32_t b) {
    for (const auto& column : numbers) {
      if (column[a] != column[b]) return column[a] < column[b];
    }
    return false;
  };
  RETURN_IF_ERROR(SortInSteps(&order, before, context));
  return order;
}

}  // namespace braid
