#include "engine/part/table_scan.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "braid/split_scan.h"
#include "engine/base/status_macros.h"
#include "engine/part/columns.h"
#include "engine/part/group_pruner.h"
#include "engine/part/row_filter.h"

namespace braid {
namespace {

// What all pieces of one scan share.
struct ScanPlan {
  TableContext context;
  ScanSpec spec;
  std::vector<IntervalFilter> intervals;
  std::vector<uint32_t> groups;  // numbers of those that are left
  ScanStats stats;               // of pruning
};

std::shared_ptr<const ScanPlan> PlanScan(TableContext context, const ScanSpec& spec) {
  auto plan = std::make_shared<ScanPlan>();
  plan->context = std::move(context);
  plan->spec = spec;
  plan->stats.sources_total = 1;
  for (const auto& set : spec.intervals) {
    if (set != nullptr) plan->intervals.emplace_back(set);
  }
  if (plan->context.file == nullptr) return plan;
  if (spec.use_indexes) {
    plan->groups = GroupPruner(&plan->context, &plan->spec, &plan->stats).Prune(plan->intervals);
  } else {
    plan->groups.resize(plan->context.file->groups().size());
    std::iota(plan->groups.begin(), plan->groups.end(), 0);
  }
  if (plan->groups.empty()) return plan;
  plan->stats.sources_read = 1;
  plan->stats.blocks_total = plan->context.file->groups().size();
  return plan;
}

// Reads the groups [begin, end) of the plan.
class TableScan : public SplittableScan {
 public:
  TableScan(std::shared_ptr<const ScanPlan> plan, size_t begin, size_t end, ScanStats stats)
      : plan_(std::move(plan)),
        context_(plan_->context),
        spec_(plan_->spec),
        at_(begin),
        end_(end),
        stats_(std::move(stats)) {}

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    while (at_ < end_) {
      const uint32_t number = plan_->groups[at_++];
      const RowGroup& group = context_.file->groups()[number];
      ++stats_.blocks_read;
      stats_.rows_read += group.rows;
      ColumnResolver columns(&context_, number, ColumnCache::Shared());
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

  absl::StatusOr<std::unique_ptr<SplitScan>> PlanSplit() override;

 private:
  // Fills `*batch`; without rows if none is left.
  absl::Status ReadGroup(const RowGroup& group, ColumnResolver* columns, RecordBatch* batch) {
    *batch = RecordBatch();
    RowMask keep(group.rows, 1);
    RETURN_IF_ERROR(FilterExactly(group, columns, &keep));
    if (spec_.use_indexes && AnyKept(keep)) RETURN_IF_ERROR(FilterFurther(columns, &keep));
    if (!AnyKept(keep)) return absl::OkStatus();
    const bool all = AllKept(keep);
    const std::vector<uint32_t> rows = all ? std::vector<uint32_t>() : KeptRows(keep);
    batch->columns.reserve(spec_.columns.size());
    for (const ColumnRef& ref : spec_.columns) {
      ASSIGN_OR_RETURN(const Column* column, columns->Resolve(ref));
      batch->columns.push_back(all ? *column : column->Select(rows));
    }
    batch->num_rows = all ? group.rows : rows.size();
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
      // Of logs, which are stored in order of time, few row groups are left, and they mostly have their rows in range.
      const bool scattered = end == nullptr && context_.table == Table::kSpans;
      const CoarseTimes* coarse = scattered ? columns->TimesOf({ColumnLevel::kBuiltin, "time"}) : nullptr;
      FilterByTime(spec_.time, *time, end, coarse, keep);
    }
    if (spec_.trace_ids != nullptr) {
      ASSIGN_OR_RETURN(const Column* trace, Builtin(columns, "trace_id"));
      const bool ascending = context_.table == Table::kSpans || context_.table == Table::kEvents ||
                             context_.table == Table::kLinks;  // part.h, AddRows
      FilterByTrace(*spec_.trace_ids, *trace, ascending, keep);
    }
    return absl::OkStatus();
  }

  absl::Status FilterFurther(ColumnResolver* columns, RowMask* keep) {
    for (const Predicate& predicate : spec_.predicates) {
      ASSIGN_OR_RETURN(const Column* column, columns->Resolve(predicate.column));
      FilterByPredicate(predicate, *column, keep);
      if (!AnyKept(*keep)) return absl::OkStatus();
    }
    for (const IntervalFilter& filter : plan_->intervals) {
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
      if (!AnyKept(*keep)) return absl::OkStatus();
    }
    if (context_.table != Table::kLogs) return absl::OkStatus();
    for (const std::string& term : spec_.terms) {
      ASSIGN_OR_RETURN(const Column* message, Builtin(columns, "message"));
      const TextFilters::Parts parts = columns->PartsWith({ColumnLevel::kBuiltin, "message"}, term);
      FilterByTerm(term, *message, parts, keep);
    }
    return absl::OkStatus();
  }

  const std::shared_ptr<const ScanPlan> plan_;
  const TableContext& context_;
  const ScanSpec& spec_;
  size_t at_;
  size_t end_;
  ScanStats stats_;
};

// A piece is a row group.
class TableSplit : public SplitScan {
 public:
  explicit TableSplit(std::shared_ptr<const ScanPlan> plan) : plan_(std::move(plan)), planned_(plan_->stats) {
    planned_.blocks_read += plan_->groups.size();
    for (uint32_t number : plan_->groups) planned_.rows_read += plan_->context.file->groups()[number].rows;
  }

  size_t pieces() const override { return plan_->groups.size(); }
  absl::StatusOr<std::unique_ptr<Scan>> OpenPiece(size_t piece) const override {
    return std::make_unique<TableScan>(plan_, piece, piece + 1, ScanStats());
  }
  const ScanStats& planned() const override { return planned_; }
  uint64_t bytes_planned() const override {
    if (plan_->groups.empty()) return 0;
    std::vector<uint32_t> wanted;
    for (const ColumnRef& ref : plan_->spec.columns) AddStoredColumns(ref, &wanted);
    uint64_t bytes = 0;
    for (uint32_t number : plan_->groups) {
      for (const RowGroup::Block& block : plan_->context.file->groups()[number].blocks) {
        const bool used = std::any_of(block.columns.begin(), block.columns.end(), [&](uint32_t column) {
          return std::find(wanted.begin(), wanted.end(), column) != wanted.end();
        });
        if (used) bytes += block.ref.size;
      }
    }
    return bytes;
  }

 private:
  // The stored columns that a column is made from, as far as that is known without reading.
  void AddStoredColumns(const ColumnRef& ref, std::vector<uint32_t>* wanted) const {
    const auto add = [&](ColumnLevel level, const std::string& name) {
      const int column = plan_->context.file->FindColumn({level, name});
      if (column >= 0) wanted->push_back(static_cast<uint32_t>(column));
    };
    switch (ref.level) {
      case ColumnLevel::kAttribute: return add(ref.level, ref.name);
      case ColumnLevel::kResource:
      case ColumnLevel::kScope: return add(ColumnLevel::kBuiltin, "stream");
      default: break;
    }
    add(ColumnLevel::kBuiltin, ref.name);
    if (StreamTable::IsDerived(ref.name)) add(ColumnLevel::kBuiltin, "stream");
    if (ref.name == "duration") {
      add(ColumnLevel::kBuiltin, "time");
      add(ColumnLevel::kBuiltin, "end");
    }
    if (ref.name == "parent_id") add(ColumnLevel::kBuiltin, "span_id");
    if (ref.name == "metric") add(ColumnLevel::kAttribute, std::string(kMetricNameLabel));
    if (ref.level == ColumnLevel::kAny) add(ColumnLevel::kAttribute, ref.name);
  }

  const std::shared_ptr<const ScanPlan> plan_;
  ScanStats planned_;
};

absl::StatusOr<std::unique_ptr<SplitScan>> TableScan::PlanSplit() { return std::make_unique<TableSplit>(plan_); }

class OrderedScan : public Scan {
 public:
  OrderedScan(TableContext context, std::vector<ColumnRef> refs)
      : context_(std::move(context)), refs_(std::move(refs)) {
    stats_.sources_total = 1;
  }
  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    *batch = RecordBatch();
    if (context_.file == nullptr || at_ >= context_.file->groups().size()) return false;
    const RowGroup& group = context_.file->groups()[at_];
    // Merges read everything once: the cache stays with what queries ask for.
    ColumnResolver columns(&context_, static_cast<uint32_t>(at_++), nullptr);
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
  std::shared_ptr<const ScanPlan> plan = PlanScan(std::move(context), spec);
  const size_t groups = plan->groups.size();
  ScanStats stats = plan->stats;
  return std::make_unique<TableScan>(std::move(plan), 0, groups, std::move(stats));
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
