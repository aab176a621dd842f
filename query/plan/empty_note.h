// Why an answer has no rows: the first stage that gave none, and the reason if one can be found.
//
// Threads: free functions.
#pragma once

#include <string>

#include "query/plan/plan_builder.h"

namespace braid {

// Adds the note "empty" if the answer has no rows, or only what `stats` makes of none. REQUIRES: the plan has run to
// its end.
void ExplainEmptyAnswer(const QueryAst& query, const PlanNode& root, PlanBuilder* builder, QueryContext* context);

// "no row of `logs` has a column 'usr', did you mean `user`?"
std::string NoSuchColumn(const TableColumns& columns, const std::string& name);

}  // namespace braid
