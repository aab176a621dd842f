// Durations that are computed: [5m + 30s], [2 * step()], offset -min_of(step(), 1m), [$window].
//
// Constant ones become numbers when the text is parsed. Those that ask for the step, the range or a parameter stay in
// the tree as expressions, `open`, until the query runs.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "query/syntax/ast.h"

namespace braid {

// What an open duration may ask for.
struct DurationScope {
  Duration step = 0;   // 0: the query asks for one instant
  Duration range = 0;  // from the start to the end of the query
  const std::map<std::string, Value>* params = nullptr;
};

// The value in seconds. Errors say what is wrong and where: division by zero, a parameter that is no duration.
absl::StatusOr<double> DurationSeconds(const Expr& expr, const DurationScope& scope);

// True if the value is known only when the query runs.
bool IsOpenDuration(const Expr& expr);

// True if some range, offset or sub-query step inside a vector expression is open.
bool HasOpenDurations(const Expr& expr);

// The vector expression with every open duration replaced by its value. Pipelines inside stay as they are: they
// evaluate their own vector expressions.
absl::StatusOr<ExprPtr> CloseDurations(const Expr& expr, const DurationScope& scope);

}  // namespace braid
