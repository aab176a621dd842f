// The sets of `x in S`: by hash, by sorted trace ids, by intervals per key; and what of them a scan can use.
//
// Threads: a built set is immutable and may be shared.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "query/rows/expression.h"
#include "query/rows/operator.h"

namespace braid {

// The rows of S, cut down to the columns that are compared.
struct SetInput {
  std::vector<std::string> names;  // of the keys, as in the expression; "time" is compared by overlap
  std::vector<Column> columns;     // one per name; that of "time" holds the starts
  Column ends;                     // ends of the rows' intervals; size 0: the rows are instants
  // Static types of the probing expressions, one per name (kMixed if unknown): a text is read as the other side's id,
  // number or enum, a duration against a number counts in seconds.
  std::vector<Type> probe_types;
  size_t num_rows = 0;
};

struct BuiltSet {
  std::shared_ptr<const MemberSet> set;
  uint64_t size = 0;           // distinct members: tuples, or intervals after merging
  bool only_instants = false;  // a time set in which nothing lasts: worth the note on overlap against instants
  // For ScanSpec::trace_ids: the sorted distinct trace ids of the members, if a key is a trace id; else null. With
  // more than one key this lets more rows pass than the set does.
  std::shared_ptr<const std::vector<TraceId>> trace_ids;
  int trace_key = -1;  // which key they are of
  // For ScanSpec::intervals, if a key is `time`: per key, or without keys where a key is not a text. Null otherwise.
  // The ColumnRefs are the names at level kAny.
  std::shared_ptr<const IntervalSet> intervals;
  TimeRange time;  // hull of the intervals; everything if `time` is no key, empty if there are none
};
// Rows with a null in a key are left out. Reserves the set's memory in `context` for good (owner "in"). `for_scans`:
// only what scans can use is wanted; `set` may then be null, and `size` an upper bound.
absl::StatusOr<BuiltSet> BuildMemberSet(const SetInput& input, QueryContext* context, bool for_scans = false);

// Listed values for one key, compared as `=` does; null never matches. REQUIRES: each of `cells` has one row.
std::shared_ptr<const MemberSet> MakeValueList(std::vector<Column> cells);

}  // namespace braid
