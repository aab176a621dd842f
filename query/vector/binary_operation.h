// One binary operation on two points: floats, histograms, or one of each.
#pragma once

#include <cmath>
#include <string_view>

#include "query/syntax/ast.h"
#include "query/vector/annotations.h"
#include "query/vector/series_value.h"

namespace braid::promql {

// As written in an expression: "+", "atan2", ">=".
std::string_view OperatorText(BinaryOp op);
bool IsComparison(BinaryOp op);
// True for operators whose result is no longer the metric that it was made from.
bool ChangesMetric(BinaryOp op);

struct Point {
  double value = 0;
  HistogramPtr histogram;  // null for a float
};

struct OperationResult {
  Point point;       // comparisons: the left side
  bool kept = true;  // false: a comparison that does not hold
};

// Arithmetic and comparison of floats; `*kept` becomes false if a comparison does not hold.
inline double ApplyToFloats(BinaryOp op, double left, double right, bool* kept) {
  switch (op) {
    case BinaryOp::kAdd: return left + right;
    case BinaryOp::kSub: return left - right;
    case BinaryOp::kMul: return left * right;
    case BinaryOp::kDiv: return left / right;
    case BinaryOp::kMod: return std::fmod(left, right);
    case BinaryOp::kPow: return std::pow(left, right);
    case BinaryOp::kAtan2: return std::atan2(left, right);
    case BinaryOp::kEqual: *kept = left == right; return left;
    case BinaryOp::kNotEqual: *kept = left != right; return left;
    case BinaryOp::kLess: *kept = left < right; return left;
    case BinaryOp::kLessEqual: *kept = left <= right; return left;
    case BinaryOp::kGreater: *kept = left > right; return left;
    case BinaryOp::kGreaterEqual: *kept = left >= right; return left;
    default: *kept = false; return left;
  }
}

// Answers false if the operation is not defined for the two; an annotation says so.
bool ApplyToPoints(BinaryOp op, const Point& left, const Point& right, const Place& place, Annotations* annotations,
                   OperationResult* result);

}  // namespace braid::promql
