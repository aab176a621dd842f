// stats: grouping and aggregates, over everything or over windows that slide along the step grid.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "query/rows/expression.h"
#include "query/rows/operator.h"
#include "query/rows/operators.h"

namespace braid {

enum class AggregateFunction : uint8_t {
  kCount,        // count()            rows; int
  kCountValues,  // count(x)           rows where x is not null; int
  kCountIf,      // count_if(x)        rows where x is true; int
  kRate,         // rate()             rows per second; double
  kRateOf,       // rate(x)            sum of x per second; double
  kSum,          // sum(x)             int of ints (double beyond 2^63), duration of durations, else double
  kAvg,          // avg(x)             duration of durations, timestamp of timestamps, else double
  kMin,          // min(x), max(x)     type of x; by the order of CompareCells; NaN only if there is nothing else
  kMax,
  kStddev,     // stddev(x)          of the population; duration of durations, else double
  kQuantile,   // quantile(q, x)     linear between ranks; duration of durations, timestamp of timestamps, else double
  kHistogram,  // histogram(x)       native histogram, schema 3; durations in seconds
  kDistinct,   // distinct(x)        number of different values; int
  kAny,        // any(x), first(x)   first not null in row order; type of x
  kFirst,
  kLast,    // last(x)
  kArgMin,  // arg_min(x, y)      x where y is least / greatest, the first of equals; type of x
  kArgMax,
  kCorr,    // corr(x, y)         Pearson; double; null for fewer than two pairs, NaN without variance
  kValues,  // values(x, n)       first n different values in row order, as the text of a JSON array; string
};
// By its name in the language and its number of arguments ("count", 1 is kCountValues). Unset if there is none.
std::optional<AggregateFunction> FindAggregate(std::string_view name, size_t arguments);
// Static type of the result for a column of type `x`.
Type AggregateType(AggregateFunction function, Type x);
// Whether the result depends on the order of rows: the planner must then deliver source order.
bool IsOrderSensitive(AggregateFunction function);
// Whether an empty window counts as 0 (count, count_if, rate) rather than as a gap.
bool IsZeroWhenEmpty(AggregateFunction function);

struct AggregateItem {
  std::string name;  // of the output column
  AggregateFunction function = AggregateFunction::kCount;
  RowExpressionPtr x;       // bound against the input; null for count() and rate()
  RowExpressionPtr y;       // arg_min, arg_max, corr
  double quantile = 0;      // of kQuantile, in [0, 1]
  uint64_t values_max = 0;  // of kValues, 1..kAggregateValuesMax
};
inline constexpr uint64_t kAggregateValuesMax = 1000;
// Up to so many values per group quantile and distinct are exact; beyond they are estimated (1 % relative error of
// the value, about 1 % of the count) and a note "approximate" says so.
inline constexpr size_t kExactValuesMax = 65'536;

struct StatsSpec {
  std::vector<NamedExpression> by;
  std::vector<AggregateItem> aggregates;
  // stats ... [w]: for each step t of the context's grid (start, start + step, ... <= end; step 0: `end` alone) the
  // rows with time in (t - w, t]. The input must have `time` and should be widened by w.
  std::optional<Duration> window;
};
// stats a by (k). Output: the `by` columns, then the aggregates, kind kRows, by key with nulls last; null is a key;
// without `by` exactly one row. Aggregates of nothing are null (counts 0, rates 0, sum null).
// stats a by (k) [w]. Output: time, the `by` columns, the aggregates, kind kSeries, by time, then key. A key seen
// anywhere has a row at each step if one of the aggregates is zero when empty, else only where one has a value. Without
// `by` the one key counts as seen.
// rate() outside windows is per second of the context's range [start, end].
// Sums are exact and rounded once, so no result but those of order-sensitive functions depends on the order of rows.
// Errors: InvalidArgument for bad arguments; ResourceExhausted beyond groups_max groups or the memory limit.
absl::StatusOr<OperatorPtr> MakeStats(OperatorPtr input, StatsSpec spec, QueryContext* context);

}  // namespace braid
