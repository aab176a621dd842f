#include "query/vector/binary_operation.h"

#include "query/vector/histogram_math.h"
#include "query/vector/histogram_trim.h"

namespace braid::promql {
namespace {

using Operation = Annotations::HistogramOperation;

bool Combine(BinaryOp op, const Histogram& left, const Histogram& right, const Place& place, Annotations* annotations,
             OperationResult* result) {
  const bool add = op == BinaryOp::kAdd;
  auto combined = std::make_shared<Histogram>(left);
  const HistogramOutcome outcome = add ? AddHistogram(combined.get(), right) : SubtractHistogram(combined.get(), right);
  if (!outcome.compatible) {
    annotations->IncompatibleBucketLayout(OperatorText(op), place);
    return false;
  }
  const Operation operation = add ? Operation::kAddition : Operation::kSubtraction;
  if (!add) SetHint(combined.get(), ResetHint::kGauge);
  if (outcome.reset_collision) annotations->CounterResetCollision(operation, place);
  if (outcome.bounds_reconciled) annotations->MismatchedCustomBuckets(operation, place);
  CompactHistogram(combined.get());
  result->point = {0, std::move(combined)};
  return true;
}

HistogramPtr Scaled(const Histogram& histogram, double factor, bool divide) {
  auto scaled = std::make_shared<Histogram>(histogram);
  if (divide) {
    DivideHistogram(scaled.get(), factor);
  } else {
    MultiplyHistogram(scaled.get(), factor);
  }
  CompactHistogram(scaled.get());
  return scaled;
}

}  // namespace

std::string_view OperatorText(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd: return "+";
    case BinaryOp::kSub: return "-";
    case BinaryOp::kMul: return "*";
    case BinaryOp::kDiv: return "/";
    case BinaryOp::kMod: return "%";
    case BinaryOp::kPow: return "^";
    case BinaryOp::kAtan2: return "atan2";
    case BinaryOp::kEqual: return "==";
    case BinaryOp::kNotEqual: return "!=";
    case BinaryOp::kLess: return "<";
    case BinaryOp::kLessEqual: return "<=";
    case BinaryOp::kGreater: return ">";
    case BinaryOp::kGreaterEqual: return ">=";
    case BinaryOp::kTrimUpper: return "</";
    case BinaryOp::kTrimLower: return ">/";
    case BinaryOp::kMatch: return "=~";
    case BinaryOp::kNotMatch: return "!~";
    case BinaryOp::kAnd: return "and";
    case BinaryOp::kOr: return "or";
    case BinaryOp::kUnless: return "unless";
  }
  return "";
}

bool IsComparison(BinaryOp op) { return op >= BinaryOp::kEqual && op <= BinaryOp::kGreaterEqual; }
bool ChangesMetric(BinaryOp op) { return op <= BinaryOp::kAtan2; }

bool ApplyToPoints(BinaryOp op, const Point& left, const Point& right, const Place& place, Annotations* annotations,
                   OperationResult* result) {
  result->kept = true;
  const bool trim = op == BinaryOp::kTrimUpper || op == BinaryOp::kTrimLower;
  if (left.histogram == nullptr && right.histogram == nullptr && !trim) {
    result->point = {ApplyToFloats(op, left.value, right.value, &result->kept), nullptr};
    return true;
  }
  if (left.histogram != nullptr && right.histogram != nullptr) {
    if (op == BinaryOp::kAdd || op == BinaryOp::kSub) {
      return Combine(op, *left.histogram, *right.histogram, place, annotations, result);
    }
    if (op == BinaryOp::kEqual || op == BinaryOp::kNotEqual) {
      result->kept = SameHistogram(*left.histogram, *right.histogram) == (op == BinaryOp::kEqual);
      result->point = {0, left.histogram};
      return true;
    }
  } else if (op == BinaryOp::kMul) {
    const Point& factor = left.histogram == nullptr ? left : right;
    const Point& scaled = left.histogram == nullptr ? right : left;
    result->point = {0, Scaled(*scaled.histogram, factor.value, false)};
    return true;
  } else if (op == BinaryOp::kDiv && left.histogram != nullptr) {
    result->point = {0, Scaled(*left.histogram, right.value, true)};
    return true;
  } else if (trim && left.histogram != nullptr) {
    auto trimmed = std::make_shared<Histogram>(*left.histogram);
    TrimHistogram(trimmed.get(), right.value, op == BinaryOp::kTrimUpper);
    result->point = {0, std::move(trimmed)};
    return true;
  }
  const auto type = [](const Point& point) { return point.histogram == nullptr ? "float" : "histogram"; };
  annotations->IncompatibleTypes(type(left), OperatorText(op), type(right), place);
  return false;
}

}  // namespace braid::promql
