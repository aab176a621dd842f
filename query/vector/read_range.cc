// From when to when an expression reads.
#include <algorithm>

#include "query/vector/evaluation.h"
#include "query/vector/range_window.h"

namespace braid {
namespace {

using promql::SaturatingSubtract;

constexpr TimeRange kNothing{kMaxTimestamp, kMinTimestamp};

TimeRange Union(TimeRange a, TimeRange b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {std::min(a.start, b.start), std::max(a.end, b.end)};
}

TimeRange Shift(TimeRange times, const TimeModifiers& time, const VectorContext& context) {
  if (time.at) times = {*time.at, *time.at};
  if (time.at_start) times = {context.start, context.start};
  if (time.at_end) times = {context.end, context.end};
  return {SaturatingSubtract(times.start, time.offset), SaturatingSubtract(times.end, time.offset)};
}

// Left-open windows end one nanosecond after their start.
TimeRange Widen(TimeRange times, Duration range) {
  return {SaturatingSubtract(times.start, std::max<Duration>(range - 1, 0)), times.end};
}

}  // namespace

TimeRange ReadRange(const Expr& expr, TimeRange times, const VectorContext& context) {
  if (HasOpenDurations(expr)) {
    const absl::StatusOr<ExprPtr> closed = CloseDurations(expr, promql::ScopeOf(context));
    return closed.ok() ? ReadRange(**closed, times, context) : kNothing;  // the evaluation will say what is wrong
  }
  struct Visitor {
    TimeRange times;
    const VectorContext& context;
    TimeRange operator()(const Selector& selector) const {
      TimeRange range = Widen(Shift(times, selector.time, context), selector.range.value_or(context.lookback));
      if (selector.edge == WindowEdge::kPlain) return range;
      if (selector.range) range.start = SaturatingSubtract(range.start, context.lookback);
      if (selector.edge == WindowEdge::kSmoothed) range.end = SaturatingSubtract(range.end, -context.lookback);
      return range;
    }
    TimeRange operator()(const SubqueryExpr& subquery) const {
      return ReadRange(*subquery.inner, Widen(Shift(times, subquery.time, context), subquery.range), context);
    }
    TimeRange operator()(const AggregationExpr& aggregation) const {
      const TimeRange inner = ReadRange(*aggregation.inner, times, context);
      return aggregation.param == nullptr ? inner : Union(inner, ReadRange(*aggregation.param, times, context));
    }
    TimeRange operator()(const UnaryExpr& unary) const { return ReadRange(*unary.operand, times, context); }
    TimeRange operator()(const BinaryExpr& binary) const {
      return Union(ReadRange(*binary.left, times, context), ReadRange(*binary.right, times, context));
    }
    TimeRange operator()(const CallExpr& call) const {
      TimeRange all = kNothing;
      for (const Item& item : call.args) all = Union(all, ReadRange(*item.expr, times, context));
      return all;
    }
    TimeRange operator()(const ParenExpr& paren) const { return ReadRange(*paren.inner, times, context); }
    TimeRange operator()(const PipelineExpr&) const { return times; }
    TimeRange operator()(const FieldRef&) const { return times; }
    TimeRange operator()(const NumberLiteral&) const { return kNothing; }
    TimeRange operator()(const DurationLiteral&) const { return kNothing; }
    TimeRange operator()(const TimestampLiteral&) const { return kNothing; }
    TimeRange operator()(const StringLiteral&) const { return kNothing; }
    TimeRange operator()(const BoolLiteral&) const { return kNothing; }
    TimeRange operator()(const NullLiteral&) const { return kNothing; }
    TimeRange operator()(const ParamRef&) const { return kNothing; }
    TimeRange operator()(const TupleExpr&) const { return kNothing; }
    TimeRange operator()(const InExpr&) const { return kNothing; }
  };
  return std::visit(Visitor{times, context}, expr.node);
}

}  // namespace braid
