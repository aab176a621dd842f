// Why an answer has no rows: the first stage that gave none, and the reason if one can be found.
//
// Threads: free functions.
#pragma once

#include "query/plan/plan_builder.h"

namespace braid {

// Adds the note "empty". REQUIRES: the plan has run to its end and gave no rows.
void ExplainEmptyAnswer(const QueryAst& query, const PlanNode& root, PlanBuilder* builder, QueryContext* context);

}  // namespace braid
