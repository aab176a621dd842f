// What a pipeline is asked to give: a time range, and conditions that its consumer applies anyway and that may
// therefore be used to read less. Carried from the last stage of a pipeline to its source.
//
// Threads: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "braid/snapshot.h"
#include "query/rows/expression.h"
#include "query/rows/member_sets.h"
#include "query/syntax/ast.h"

namespace braid {

// A set of texts is worth a list in a scan up to so many.
inline constexpr size_t kListedTextsMax = 1000;

// `column op value` with a value known before the scan. The column is named as the stage at hand names it.
struct PushedCondition {
  std::string column;
  Predicate::Op op = Predicate::Op::kEqual;
  std::vector<Column> values;  // one cell each; several for kIn
  std::string word;            // or a bare word: the value of an enum if the column turns out to be one
  std::string text;            // for explain
};

// `(columns) in set`.
struct PushedSet {
  std::vector<std::string> columns;  // one per key, "" for one that is no plain column any more
  std::shared_ptr<const std::vector<TraceId>> trace_ids;
  int trace_key = -1;
  std::shared_ptr<const IntervalSet> intervals;  // keys in the order of `columns` without `time`
  std::vector<std::string> interval_columns;
  std::vector<std::string> texts;  // a set of one text column with few members
  TimeRange time;                  // hull of the intervals
  uint64_t size = 0;
  std::string text;           // for explain: "trace_id in errs"
  bool planned_only = false;  // explain without running: the set is not known
};

// Between a scan and source order that takes only first or last rows: the scan reads its range in slices of time, one
// behind the other, until source order has enough.
struct Slices {
  bool backwards = false;  // from the end of the range to its start: for last rows
  uint64_t wanted = 0;     // rows
  bool enough = false;     // set by source order; rows of further slices come behind those that it has
};

struct Pushdown {
  TimeRange range;  // the times asked for
  std::vector<PushedCondition> conditions;
  std::vector<PushedSet> sets;
  std::vector<std::string> terms;  // texts that `message` must contain
  // Whether the consumer cares for the order of rows, and how many of the first or last rows it takes.
  bool ordered = true;
  bool carry_order = false;  // the columns of source order must be among those given
  std::optional<uint64_t> first;
  std::optional<uint64_t> last;
  std::shared_ptr<Slices> slices;  // below the source order that cuts to `first` or `last`

  void DropConditions() {
    conditions.clear();
    sets.clear();
    terms.clear();
  }
};

// Splits `condition` at its top-level `and`s.
void SplitConjuncts(const ExprPtr& condition, std::vector<ExprPtr>* conjuncts);

// The condition in the form that can be pushed, if it has one: comparisons of a plain column with a value known now
// (literals, parameters, start() and the like), `or` of equalities of one column, contains(column, text), and matches
// of regular expressions that are lists of words. `context` gives parameters and the range.
std::optional<PushedCondition> AsPushed(const Expr& expr, QueryContext* context);

// What remains of `down` below a stage that turns rows with columns `names` into others: `source_of(name)` is the name
// below, or "" if there is none. The range and the order flags stay.
template <typename SourceOf>
void RenamePushed(Pushdown* down, const SourceOf& source_of) {
  std::vector<PushedCondition> conditions;
  for (PushedCondition& condition : down->conditions) {
    condition.column = source_of(condition.column);
    if (!condition.column.empty()) conditions.push_back(std::move(condition));
  }
  down->conditions = std::move(conditions);
  std::vector<PushedSet> sets;
  for (PushedSet& set : down->sets) {
    bool any = false;
    for (std::string& column : set.columns) {
      if (!column.empty()) column = source_of(column);
      any = any || !column.empty();
    }
    for (std::string& column : set.interval_columns) {
      column = source_of(column);
      if (column.empty()) set.intervals = nullptr;
    }
    if (source_of("time") != "time") set.intervals = nullptr;
    if (set.trace_key >= 0 && set.columns[static_cast<size_t>(set.trace_key)].empty()) set.trace_ids = nullptr;
    if (set.columns.size() != 1 || set.columns[0].empty()) set.texts.clear();
    // An empty set lets no row pass, whatever its columns have become.
    const bool usable = any && (set.trace_ids != nullptr || set.intervals != nullptr || !set.texts.empty());
    if (usable || set.size == 0 || (any && set.planned_only)) sets.push_back(std::move(set));
  }
  down->sets = std::move(sets);
  if (source_of("message") != "message") down->terms.clear();
}

// As RenamePushed, for a pipeline stage that has no sub-pipeline: what can be pushed through it.
void PushThrough(const Stage& stage, Table table, Pushdown* down);

// Does the condition reach rows through their trace id (language: "a trace is never cut")?
bool IsTraceCondition(const PushedCondition& condition);

}  // namespace braid
