// Series as rows and rows as series: what stands between PromQL's vectors and pipelines.
//
// Threads: free functions; the operator as always.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "query/plan/column_needs.h"
#include "query/plan/plan_tree.h"
#include "query/plan/pushdown.h"
#include "query/rows/operator.h"
#include "query/vector/evaluator.h"

namespace braid {

struct RowSet {
  Schema schema;
  RecordBatch rows;
};

// The rows of a vector on `times`: time, value, metric (the label __name__, where a series has one), the labels; by
// time, then in the vector's order. Absent points give no row. A column `histogram` is there if a point is one, whose
// `value` is null. `service` and `instance` are made up from service_name, job, ... where `needs` asks for them and no
// label has the name. A string gives one row.
absl::StatusOr<RowSet> RowsOfVector(const VectorResult& vector, const std::vector<Timestamp>& times,
                                    const ColumnNeeds& needs, QueryContext* context);

// Rows of a pipeline as a vector on `times`: rows at other times are left out. The value is the column `value`, else
// the last numeric one; labels are the texts of all others that are not null; `metric` becomes __name__.
// InvalidArgument if there is no number or two rows of one time have the same labels.
absl::StatusOr<VectorResult> VectorOfRows(const Schema& schema, const RecordBatch& rows,
                                          const std::vector<Timestamp>& times, QueryContext* context);

// samples{...}: every stored sample in the range, with the columns of RowsOfVector; by time, then labels.
absl::StatusOr<OperatorPtr> OpenSamples(const std::vector<Matcher>& matchers, TimeRange range, const ColumnNeeds& needs,
                                        QueryContext* context, PlanNode* node);
// The matchers by which conditions on samples rows can be looked up; the others are left to the rows.
std::vector<Matcher> MatchersOf(const std::vector<PushedCondition>& conditions);

// The label values that a set of intervals with one key leaves, as a matcher; unset if there are too many.
std::optional<Matcher> MatcherOfKeys(const PushedSet& set);

// The labels that stand in for a missing label `service` or `instance`.
const std::vector<std::string>& FallbackLabels(const std::string& name);

// start, start + step, ... within `range`, on the grid that goes through `origin`; one instant, range.end, without
// step. E067 for more than kGridStepsMax of them: windows and joins may ask for a range far wider than the query's own.
inline constexpr int64_t kGridStepsMax = 1'000'000;
absl::StatusOr<std::vector<Timestamp>> StepGrid(Timestamp origin, Duration step, TimeRange range);

}  // namespace braid
