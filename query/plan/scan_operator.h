// The operator that reads a table: columns of the store become those of a schema, by one thread or by several.
//
// Threads: as Operator. Ownership: context and node outlive the operator.
#pragma once

#include <memory>

#include "braid/split_scan.h"
#include "query/plan/plan_tree.h"
#include "query/plan/table_source.h"
#include "query/rows/operator.h"

namespace braid {

// Reads `opened`, or nothing if it is null; where `plan.slices` is set, then the further slices of `range`. `node` may
// be null.
OperatorPtr MakeScanOperator(TableScan plan, std::unique_ptr<Scan> opened, TimeRange range, QueryContext* context,
                             PlanNode* node);

// `time` earlier by `offset`, staying at the ends of the range of times.
Timestamp ShiftBack(Timestamp time, Duration offset);

}  // namespace braid
