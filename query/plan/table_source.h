// Reading a table of events: which stored columns a query's names mean, what of a pushdown a scan can use, and the
// operators that scan and put rows into source order.
//
// Threads: TableColumns is immutable; operators as always.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "query/plan/plan_tree.h"
#include "query/plan/pushdown.h"
#include "query/rows/operator.h"

namespace braid {

// The names of a table's columns as a query writes them.
class TableColumns {
 public:
  TableColumns(const Snapshot& snapshot, Table table);

  Table table() const { return table_; }
  // What to read for a name, the first that is not null counting; empty if no row has such a column.
  std::vector<ColumnRef> Resolve(const std::string& name) const;
  // Static type, kMixed if rows differ.
  Type TypeOf(const std::string& name) const;
  // What a query gets that names no columns: the built-in ones of the language, then attributes, rarely null first.
  std::vector<std::string> Default() const;
  // All names, for "did you mean".
  std::vector<std::string> Names() const;
  // The condition as a scan may skip by it: only where stored types leave no doubt that it means the same.
  std::optional<Predicate> AsPredicate(const PushedCondition& condition) const;
  // Rows of the table that meet `time`, roughly, and stored bytes of one row of these columns, roughly.
  double EstimateRows(TimeRange time) const;
  double EstimateRowBytes(const std::vector<std::string>& columns) const;

 private:
  const ColumnInfo* Find(ColumnLevel level, const std::string& name) const;
  std::vector<Type> TypesOf(const ColumnRef& ref) const;

  Table table_;
  std::vector<ColumnInfo> columns_;
  TimeRange extent_;
  double rows_ = 0;
};

// A scan to be: what is read and how its columns become those of `schema`.
struct TableScan {
  ScanSpec spec;
  Schema schema;
  std::vector<std::vector<size_t>> parts;  // per column of the schema: columns of the scan, the first not null counts
  Duration offset = 0;                     // added to the times
  bool empty = false;                      // a set ruled everything out: nothing is read
  std::shared_ptr<Slices> slices;          // null: all of `spec.time` at once
  Duration slice_width = 0;                // of the first slice
  double rows_estimated = 0;               // in all slices
};

// Conditions of `down` that the scan can use go into its spec; those used are described in `*details`. The time range
// is `down.range`; rows reached through a trace id come from any time (unless a condition on `time` says otherwise).
TableScan PlanTableScan(const TableColumns& columns, const std::vector<std::string>& names, const Pushdown& down,
                        Duration offset, QueryContext* context, std::vector<std::string>* details);

// Lets the scan read slice after slice if its range holds many more rows than are wanted.
void CutIntoSlices(const TableColumns& columns, std::shared_ptr<Slices> slices, QueryContext* context, TableScan* scan);

// Opens the scan at once; damaged blocks become notes "partial". `node` gets the scan's counters.
absl::StatusOr<OperatorPtr> OpenTableScan(TableScan scan, QueryContext* context, PlanNode* node);

// What the scan would read, by its pruning alone: sources, blocks and indexes go to node->scan, rows and bytes to its
// estimates. Reads indexes, no rows.
absl::Status EstimateScan(const TableScan& scan, QueryContext* context, PlanNode* node);

// Rows in the table's source order, (time, stream, arrival) of logs and (time, stream, trace_id, span_id, arrival) of
// the others, with the columns `keep` of the input (all but `stream` if unset). `first` / `last`: only so many are
// wanted; `slices` (may be null) tells the scan below when they are there. Blocking.
OperatorPtr MakeSourceOrder(OperatorPtr input, Table table, std::optional<std::vector<std::string>> keep,
                            std::optional<uint64_t> first, std::optional<uint64_t> last, std::shared_ptr<Slices> slices,
                            QueryContext* context);
// The columns that source order needs and that the table has.
std::vector<std::string> SourceOrderColumns(Table table);

}  // namespace braid
