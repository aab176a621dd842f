// Which rows of a row group may still pass: the row by row form of a ScanSpec's conditions. All but time and trace ids
// are supersets: a row is dropped only if it surely fails.
//
// Threads: pure functions over values; IntervalFilter may be shared.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "braid/snapshot.h"
#include "engine/part/coarse_times.h"
#include "engine/part/row_mask.h"
#include "engine/part/text_filters.h"

namespace braid {

// Whether a row with this value may satisfy the predicate. Null satisfies only kNotEqual; values of different types are
// unequal and unordered; NaN equals nothing.
bool MayMatch(const Predicate& predicate, const ValueView& value);
void FilterByPredicate(const Predicate& predicate, const Column& column, RowMask* keep);
// Rows whose text contains `term`; only the parts that may have it are searched.
void FilterByTerm(const std::string& term, const Column& column, const TextFilters::Parts& parts, RowMask* keep);
// Exact. `ids` is sorted; `ascending`: so is the column.
void FilterByTrace(const std::vector<TraceId>& ids, const Column& column, bool ascending, RowMask* keep);
// Exact. With `end` (spans, overlap) a row passes if [time, end] meets the range; an end before its time counts as
// time. `coarse`, of these times, may be null.
void FilterByTime(const TimeRange& range, const Column& time, const Column* end, const CoarseTimes* coarse,
                  RowMask* keep);

class IntervalFilter {
 public:
  explicit IntervalFilter(std::shared_ptr<const IntervalSet> set) : set_(std::move(set)) {}
  const IntervalSet& set() const { return *set_; }
  // The key's ranges; null if it has none.
  const std::vector<TimeRange>* Find(const std::vector<std::string>& key) const;
  static bool Meets(const std::vector<TimeRange>& ranges, const TimeRange& range);
  // Whether any entry has a range that meets `range`.
  bool AnyMeets(const TimeRange& range) const;
  // `keys` as set().keys names them; `end` may be null.
  void Filter(const std::vector<const Column*>& keys, const Column& time, const Column* end, RowMask* keep) const;

 private:
  std::shared_ptr<const IntervalSet> set_;
};

}  // namespace braid
