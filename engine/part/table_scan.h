// A scan over one table file of a part. Row groups are skipped by zone maps and the term index; of those that are left,
// columns are read as conditions need them, and the columns asked for only where a row is left.
//
// Threads: a scan belongs to one thread; TableContext is shared and immutable.
// Errors: a row group with a damaged block is left out and named in stats().damaged; a damaged term index is named
// there too, and the scan goes on without it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "braid/snapshot.h"
#include "engine/part/source.h"
#include "engine/part/stream_table.h"
#include "engine/part/table_file.h"
#include "engine/part/term_index.h"
#include "engine/part/trace_index.h"

namespace braid {

struct TableContext {
  Table table = Table::kLogs;
  std::shared_ptr<const TableFileReader> file;  // null if the part has no rows of the table
  std::shared_ptr<const StreamTable> streams;
  std::shared_ptr<const TraceFilter> traces;
  // Loads the term index when first asked; the same answer ever after.
  std::function<absl::StatusOr<const TermIndex*>()> terms;
  std::shared_ptr<const void> owner;  // keeps what `terms` points to
};

std::unique_ptr<Scan> MakeTableScan(TableContext context, const ScanSpec& spec);
// All rows, stored columns and then `more`, which the result does not name; damage is an error.
OrderedRows MakeOrderedRows(TableContext context, const std::vector<ColumnRef>& more);

// The columns of one row group by reference: stored, derived from stream or other columns, or coalesced (kAny).
class ColumnResolver {
 public:
  ColumnResolver(const TableContext* context, const RowGroup* group)
      : context_(context), reader_(context->file.get(), group), rows_(group->rows) {}
  // The result lives as long as the resolver.
  absl::StatusOr<const Column*> Resolve(const ColumnRef& ref);
  uint64_t bytes_read() const { return reader_.bytes_read(); }

 private:
  absl::StatusOr<const Column*> Stored(ColumnLevel level, const std::string& name);
  absl::StatusOr<Column> Make(const ColumnRef& ref);
  absl::StatusOr<Column> MakeBuiltin(const std::string& name);
  absl::StatusOr<Column> MakeAny(const std::string& name);
  absl::StatusOr<Column> FromStream(ColumnLevel level, const std::string& name);
  absl::StatusOr<Column> FromSeriesLabels(const std::string& name);

  const TableContext* context_;
  GroupReader reader_;
  size_t rows_;
  std::map<ColumnRef, Column> made_;
};

}  // namespace braid
