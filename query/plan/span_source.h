// spans{...} with structural operators or columns that only whole traces can tell: root.*, parent.*, trace.duration,
// trace.spans, self_time, critical.
//
// Two scans: first the traces in question, then all of their spans, so that no tree is cut by the query's range.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "query/plan/table_source.h"

namespace braid {

// Is it one of the columns that need the trace around a span?
bool IsTraceColumn(const std::string& name);

struct SpanSourceSpec {
  std::vector<std::string> columns;  // wanted, derived ones among them
  const Spanset* spanset = nullptr;  // may be null
  Pushdown down;                     // with the conditions of `spanset`'s matchers where they hold for every result
  Duration offset = 0;
  // Binds a matcher against the schema of the source.
  std::function<absl::StatusOr<RowExpressionPtr>(const Expr& matcher, const Schema& schema)> bind;
};

// The spans selected, with their columns, in no particular order. Reads everything in the first Next. `dry`: `node` is
// told what will be read at least, for explain.
absl::StatusOr<OperatorPtr> MakeSpanSource(const TableColumns& columns, SpanSourceSpec spec, QueryContext* context,
                                           PlanNode* node, bool dry);

// The leaf whose matchers every result of the spanset satisfies, or null.
const Spanset* ResultLeaf(const Spanset& spanset);

}  // namespace braid
