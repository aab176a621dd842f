// The range and step of a query: from the caller, from `over`, or by default.
//
// Threads: free functions.
#pragma once

#include "absl/status/statusor.h"
#include "braid/query.h"
#include "query/syntax/ast.h"

namespace braid {

struct QueryRange {
  Timestamp start = 0;
  Timestamp end = 0;
  Duration step = 0;
};

// `over` wins over the options; without either the last hour before options.now counts. Errors carry the place.
absl::StatusOr<QueryRange> RangeOf(const QueryAst& query, const QueryOptions& options);

// About a 250th of the range, rounded up to the next of 1 2 5 10 20 50 100 200 500 ms, 1 2 5 10 15 30 s,
// 1 2 5 10 15 30 min, 1 2 3 6 12 h and whole days.
Duration DefaultStep(Duration range);

}  // namespace braid
