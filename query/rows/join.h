// join: equality, interval overlap, `within` and `asof`, alone or together with
// equality; and asof against a vector.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "query/rows/expression.h"
#include "query/rows/operator.h"
#include "query/rows/operators.h"

namespace braid {

struct JoinKeyPair {
  RowExpressionPtr left;   // bound against the left schema
  RowExpressionPtr right;  // bound against the right schema
};
struct JoinSpec {
  bool left_outer = false;
  std::string name;                                     // columns of the right side become `name.column`
  std::vector<JoinKeyPair> keys;                        // equality; without `time`
  bool overlap = false;                                 // `time` is among the keys: [time, end] of both sides meet
  std::optional<std::pair<Duration, Duration>> within;  // right time in left time + [first, second]
  std::optional<Duration> asof;                         // latest right row at or before the left time,
                                                        // at most so much older
  std::optional<std::set<std::string>> wanted;          // output columns that are read; others may be null. Unset: all
  // The left side is the one to index, and the right one streams: for a left
  // side that is at hand, where nobody cares for the order of rows. REQUIRES:
  // no time relation, not left_outer.
  bool index_left = false;
};
// Output: the left columns, then the right ones under their new names; the left
// kind; left order, then right time, then right order. Of `overlap`, `within`
// and `asof` at most one is set; the sides it needs must have `time`. Null keys
// and null times never match. A text key against an id, number or enum is read
// as such. One side, the right one unless said otherwise, is read to its end in
// the first Next and indexed; the other streams. Errors: InvalidArgument as
// above; ResourceExhausted beyond pairs_per_row_max matches of one left row.
absl::StatusOr<OperatorPtr> MakeJoin(OperatorPtr left, OperatorPtr right, JoinSpec spec, QueryContext* context);

// One series of a vector at the instants that were asked for.
struct InstantSeries {
  Labels labels;
  std::vector<uint8_t> present;  // one per instant
  std::vector<double> values;
  std::vector<std::shared_ptr<const Histogram>> histograms;  // empty, or one per instant; null: a float
};
// Evaluates the vector at ascending distinct instants, not empty, with `asof`'s
// duration as look-back.
using VectorReader = std::function<absl::StatusOr<std::vector<InstantSeries>>(const std::vector<Timestamp>& times)>;

struct VectorAsofSpec {
  bool left_outer = false;
  std::string name;
  std::vector<std::pair<RowExpressionPtr, std::string>> keys;  // left expression = label of the vector
  VectorReader reader;
  // The labels that become columns (besides `time`, `value`; "metric" is the
  // label __name__). Unset: all that are met; the factory itself then reads the
  // left side to its end and evaluates the vector.
  std::optional<std::vector<std::string>> labels;
};
// join R as name on (keys) asof d, R a vector: each left row gets the value of
// the matching series at its own time, as name.time (that time), name.value and
// name.label. At most one match; if several series have the row's key, the last
// in label order counts and a note says so. Rows without a time never match.
absl::StatusOr<OperatorPtr> MakeVectorAsof(OperatorPtr left, VectorAsofSpec spec, QueryContext* context);

}  // namespace braid
