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
#include "engine/part/column_cache.h"
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

// The columns of one row group by reference: stored, derived from stream or other columns, or coalesced (kAny). Columns
// that were decoded before come from the ColumnCache, and those decoded now go there.
class ColumnResolver {
 public:
  // `cache` may be null.
  ColumnResolver(const TableContext* context, uint32_t group, ColumnCache* cache)
      : context_(context),
        group_(&context->file->groups()[group]),
        number_(group),
        cache_(cache),
        reader_(context->file.get(), group_),
        rows_(group_->rows),
        touched_(group_->blocks.size(), 0) {}
  // The result lives as long as the resolver.
  absl::StatusOr<const Column*> Resolve(const ColumnRef& ref);
  // Where texts of the column that contain `literal` may be. Texts that are searched for the second time get a filter.
  // REQUIRES: `ref` has been resolved.
  TextFilters::Parts PartsWith(const ColumnRef& ref, std::string_view literal);
  // The column's times in short, once they are looked at for the second time; null else.
  // REQUIRES: `ref` has been resolved.
  const CoarseTimes* TimesOf(const ColumnRef& ref);
  // Stored bytes of the blocks behind the columns resolved until now, whether they had to be read or not.
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  // Resolves the column of `ref` by `make` unless it is known.
  template <typename Make>
  absl::StatusOr<const Column*> Known(const ColumnRef& ref, const Make& make);
  absl::StatusOr<const Column*> Stored(ColumnLevel level, const std::string& name);
  absl::StatusOr<Column> Make(const ColumnRef& ref);
  absl::StatusOr<Column> MakeBuiltin(const std::string& name);
  absl::StatusOr<Column> MakeAny(const std::string& name);
  absl::StatusOr<Column> FromStream(ColumnLevel level, const std::string& name);
  absl::StatusOr<Column> FromSeriesLabels(const std::string& name);
  absl::Status Read(ColumnLevel level, const std::string& name, Column* column);

  const TableContext* context_;
  const RowGroup* group_;
  uint32_t number_;
  ColumnCache* cache_;
  GroupReader reader_;
  size_t rows_;
  std::map<ColumnRef, ColumnCache::Entry> made_;
  std::vector<ColumnRef> found_;  // those of made_ that were in the cache
  std::vector<uint32_t> blocks_;  // behind the column that is being made
  std::vector<uint8_t> touched_;  // per block of the group
  uint64_t bytes_read_ = 0;
};

}  // namespace braid
