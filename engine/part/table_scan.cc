#include "engine/part/table_scan.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/part/columns.h"
#include "engine/part/group_pruner.h"
#include "engine/part/row_filter.h"

namespace braid {
namespace {

class TableScan : public Scan {
 public:
  TableScan(TableContext context, const ScanSpec& spec) : context_(std::move(context)), spec_(spec) {
    stats_.sources_total = 1;
    for (const auto& set : spec_.intervals) {
      if (set != nullptr) intervals_.emplace_back(set);
    }
    if (context_.file == nullptr) return;
    if (spec_.use_indexes) {
      groups_ = GroupPruner(&context_, &spec_, &stats_).Prune(intervals_);
    } else {
      groups_.resize(context_.file->groups().size());
      std::iota(groups_.begin(), groups_.end(), 0);
    }
    if (groups_.empty()) return;
    stats_.sources_read = 1;
    stats_.blocks_total = context_.file->groups().size();
  }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    while (at_ < groups_.size()) {
      const RowGroup& group = context_.file->groups()[groups_[at_++]];
      ++stats_.blocks_read;
      stats_.rows_read += group.rows;
      ColumnResolver columns(&context_, &group);
      absl::Status status = ReadGroup(group, &columns, batch);
      stats_.bytes_read += columns.bytes_read();
      if (absl::IsDataLoss(status)) {
        stats_.damaged.push_back(std::string(status.message()));
        continue;
      }
      RETURN_IF_ERROR(status);
      if (batch->num_rows == 0) continue;
      stats_.rows_returned += batch->num_rows;
      return true;
    }
    *batch = RecordBatch();
    return false;
  }

  const ScanStats& stats() const override { return stats_; }

 private:
  static bool Any(const RowMask& keep) { return std::find(keep.begin(), keep.end(), 1) != keep.end(); }

  // Fills `*batch`; without rows if none is left.
  absl::Status ReadGroup(const RowGroup& group, ColumnResolver* columns, RecordBatch* batch) {
    *batch = RecordBatch();
    RowMask keep(group.rows, 1);
    RETURN_IF_ERROR(FilterExactly(group, columns, &keep));
    if (spec_.use_indexes && Any(keep)) RETURN_IF_ERROR(FilterFurther(columns, &keep));
    if (!Any(keep)) return absl::OkStatus();
    std::vector<uint32_t> rows;
    for (uint32_t row = 0; row < group.rows; ++row) {
      if (keep[row] != 0) rows.push_back(row);
    }
    for (const ColumnRef& ref : spec_.columns) {
      ASSIGN_OR_RETURN(const Column* column, columns->Resolve(ref));
      batch->columns.push_back(rows.size() == group.rows ? *column : column->Select(rows));
    }
    batch->num_rows = rows.size();
    return absl::OkStatus();
  }

  absl::StatusOr<const Column*> Builtin(ColumnResolver* columns, const char* name) {
    return columns->Resolve({ColumnLevel::kBuiltin, name});
  }
  // Times are never null in a part; the check keeps damaged bytes from reading outside.
  absl::StatusOr<const Column*> Time(ColumnResolver* columns) {
    ASSIGN_OR_RETURN(const Column* time, Builtin(columns, "time"));
    if (time->type == Type::kNull) {
      return absl::DataLossError(absl::StrCat(context_.file->file().name(), ": a row group without times"));
    }
    return time;
  }

  absl::Status FilterExactly(const RowGroup& group, ColumnResolver* columns, RowMask* keep) {
    bool overlap = spec_.overlap && context_.table == Table::kSpans;
    bool inside = spec_.time.start <= group.time.start && group.time.end <= spec_.time.end;
    if (!inside || spec_.time.empty()) {
      ASSIGN_OR_RETURN(const Column* time, Time(columns));
      const Column* end = nullptr;
      if (overlap) {
        ASSIGN_OR_RETURN(end, Builtin(columns, "end"));
      }
      FilterByTime(spec_.time, *time, end, keep);
    }
    if (spec_.trace_ids != nullptr) {
      ASSIGN_OR_RETURN(const Column* trace, Builtin(columns, "trace_id"));
      FilterByTrace(*spec_.trace_ids, *trace, keep);
    }
    return absl::OkStatus();
  }

  absl::Status FilterFurther(ColumnResolver* columns, RowMask* keep) {
    for (const Predicate& predicate : spec_.predicates) {
      ASSIGN_OR_RETURN(const Column* column, columns->Resolve(predicate.column));
      FilterByPredicate(predicate, *column, keep);
      if (!Any(*keep)) return absl::OkStatus();
    }
    for (const IntervalFilter& filter : intervals_) {
      std::vector<const Column*> keys;
      for (const ColumnRef& ref : filter.set().keys) {
        ASSIGN_OR_RETURN(keys.emplace_back(), columns->Resolve(ref));
      }
      ASSIGN_OR_RETURN(const Column* time, Time(columns));
      const Column* end = nullptr;
      if (context_.table == Table::kSpans) {
        ASSIGN_OR_RETURN(end, Builtin(columns, "end"));
      }
      filter.Filter(keys, *time, end, keep);
      if (!Any(*keep)) return absl::OkStatus();
    }
    if (context_.table != Table::kLogs) return absl::OkStatus();
    for (const std::string& term : spec_.terms) {
      ASSIGN_OR_RETURN(const Column* message, Builtin(columns, "message"));
      FilterByTerm(term, *message, keep);
    }
    return absl::OkStatus();
  }

  TableContext context_;
  ScanSpec spec_;
  std::vector<IntervalFilter> intervals_;
  std::vector<uint32_t> groups_;
  size_t at_ = 0;
  ScanStats stats_;
};

class OrderedScan : public Scan {
 public:
  OrderedScan(TableContext context, std::vector<ColumnRef> refs)
      : context_(std::move(context)), refs_(std::move(refs)) {
    stats_.sources_total = 1;
  }
  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    *batch = RecordBatch();
    if (context_.file == nullptr || at_ >= context_.file->groups().size()) return false;
    const RowGroup& group = context_.file->groups()[at_++];
    ColumnResolver columns(&context_, &group);
    for (const ColumnRef& ref : refs_) {
      ASSIGN_OR_RETURN(const Column* column, columns.Resolve(ref));
      batch->columns.push_back(*column);
    }
    batch->num_rows = group.rows;
    stats_.bytes_read += columns.bytes_read();
    stats_.rows_read += group.rows;
    stats_.rows_returned += group.rows;
    return true;
  }
  const ScanStats& stats() const override { return stats_; }

 private:
  TableContext context_;
  std::vector<ColumnRef> refs_;
  size_t at_ = 0;
  ScanStats stats_;
};

}  // namespace

std::unique_ptr<Scan> MakeTableScan(TableContext context, const ScanSpec& spec) {
  return std::make_unique<TableScan>(std::move(context), spec);
}

OrderedRows MakeOrderedRows(TableContext context, const std::vector<ColumnRef>& more) {
  OrderedRows rows;
  for (const auto& [name, type] : StoredColumns(context.table)) rows.columns.push_back({ColumnLevel::kBuiltin, name});
  size_t stored = rows.columns.size();
  if (context.file != nullptr) {
    for (const TableColumn& column : context.file->columns()) {
      if (column.ref.level == ColumnLevel::kAttribute && column.rows > 0) rows.columns.push_back(column.ref);
    }
  }
  std::sort(rows.columns.begin() + static_cast<ptrdiff_t>(stored), rows.columns.end());
  std::vector<ColumnRef> refs = rows.columns;
  refs.insert(refs.end(), more.begin(), more.end());
  rows.scan = std::make_unique<OrderedScan>(std::move(context), std::move(refs));
  return rows;
}

}  // namespace braid
