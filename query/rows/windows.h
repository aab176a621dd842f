// windows: rows to time intervals, merged per key.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "query/rows/expression.h"
#include "query/rows/operator.h"
#include "query/rows/operators.h"

namespace braid {

// A time moved by `offset`, or the end of all times on that side.
Timestamp Shift(Timestamp time, Duration offset);

struct WindowsSpec {
  std::vector<NamedExpression> by;  // the planner names all labels of a series where the query names none
  Duration gap = 0;                 // the planner puts in the default: one step for a series
  std::pair<Duration, Duration> pad = {0, 0};
  Duration step = 0;  // of a series: its samples become [t - step, t]
};
// windows. The input's kind says what a row is: kSeries [time - step, time]; kEvents [time, end] with a timestamp
// column `end`, else [time, time]; kWindows [start, end]. Rows without a time are left out. Rows of one key (null is a
// key) merge while the next start is at most `gap` after the greatest end; then the ends are moved by `pad`, and
// windows that this leaves empty go. Windows are closed at both ends. Output, kind kWindows: the `by` columns, start,
// end, time (= start), n (rows merged; int), peak (largest `value`, of windows largest `peak`; double, null without
// one, NaN not counted); by start, then end, then key. Blocking.
absl::StatusOr<OperatorPtr> MakeWindows(OperatorPtr input, WindowsSpec spec, QueryContext* context);

}  // namespace braid
