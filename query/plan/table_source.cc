#include "query/plan/table_source.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "query/plan/scan_operator.h"
#include "query/rows/cells.h"
#include "query/rows/column_concat.h"
#include "query/rows/reservation.h"
#include "query/rows/time_text.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// A bounded source order sorts and cuts whenever it holds so many times more rows than are wanted, or so many.
constexpr size_t kPruneFactor = 4;
constexpr size_t kPruneRowsMin = 65'536;
// Rows that the first slice of a range should hold.
constexpr double kSliceRows = 16'384;

// Narrows `*range` by `time op value`.
void ApplyTimeCondition(const PushedCondition& condition, TimeRange* range) {
  if (condition.values.size() != 1) return;
  CellView value = CellAt(condition.values[0], 0);
  if (value.type == Type::kString) {
    const auto time = TimeOfText(value.text);
    if (!time) return;  // the binder answers the error
    value.type = Type::kTimestamp;
    value.integer = *time;
  }
  if (value.type != Type::kTimestamp) return;
  switch (condition.op) {
    case Predicate::Op::kGreater:
    case Predicate::Op::kGreaterEqual: range->start = std::max(range->start, value.integer); break;
    case Predicate::Op::kLess:
    case Predicate::Op::kLessEqual: range->end = std::min(range->end, value.integer); break;
    case Predicate::Op::kEqual:
      range->start = std::max(range->start, value.integer);
      range->end = std::min(range->end, value.integer);
      break;
    default: break;
  }
}

// The ids that a condition on trace_id leaves, sorted.
std::optional<std::vector<TraceId>> IdsOf(const PushedCondition& condition) {
  std::vector<TraceId> ids;
  for (const Column& cell : condition.values) {
    const CellView value = CellAt(cell, 0);
    TraceId id;
    if (value.type == Type::kTraceId) {
      id = value.trace_id;
    } else if (value.type != Type::kString || !ParseTraceId(value.text, &id)) {
      return std::nullopt;  // the binder answers the error
    }
    ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

struct TimedRow {
  int64_t time;
  uint32_t row;
};

// Stable. Many rows by one digit after the other, the least first.
void SortByTime(std::vector<TimedRow>* rows) {
  constexpr size_t kFewRows = 2048;
  constexpr int kDigitBits = 11;
  const auto earlier = [](const TimedRow& a, const TimedRow& b) { return a.time < b.time; };
  if (rows->size() < kFewRows) {
    std::stable_sort(rows->begin(), rows->end(), earlier);
    return;
  }
  const auto [least, greatest] = std::minmax_element(rows->begin(), rows->end(), earlier);
  const auto from = static_cast<uint64_t>(least->time);
  const uint64_t extent = static_cast<uint64_t>(greatest->time) - from;
  std::vector<TimedRow> sorted(rows->size());
  for (int shift = 0; shift < 64 && extent >> shift != 0; shift += kDigitBits) {
    const auto digit = [&](const TimedRow& row) {
      return (static_cast<uint64_t>(row.time) - from) >> shift & ((uint64_t{1} << kDigitBits) - 1);
    };
    std::array<uint32_t, (size_t{1} << kDigitBits) + 1> begins{};
    for (const TimedRow& row : *rows) ++begins[digit(row) + 1];
    std::partial_sum(begins.begin(), begins.end(), begins.begin());
    TimedRow* const out = sorted.data();
    for (const TimedRow& row : *rows) out[begins[digit(row)]++] = row;
    rows->swap(sorted);
  }
}

class SourceOrder : public Operator {
 public:
  SourceOrder(OperatorPtr input, std::vector<std::string> keys, std::optional<std::vector<std::string>> keep,
              std::optional<uint64_t> first, std::optional<uint64_t> last, std::shared_ptr<Slices> slices,
              QueryContext* context)
      : input_(std::move(input)),
        keys_(std::move(keys)),
        first_(first),
        last_(last),
        slices_(std::move(slices)),
        context_(context),
        reservation_(context, "source order") {
    const Schema& from = input_->schema();
    schema_.kind = from.kind;
    for (size_t i = 0; i < from.columns.size(); ++i) {
      const std::string& name = from.columns[i].name;
      const bool kept = keep ? std::find(keep->begin(), keep->end(), name) != keep->end() : name != "stream";
      if (!kept) continue;
      picked_.push_back(i);
      schema_.columns.push_back(from.columns[i]);
    }
  }

  const Schema& schema() const override { return schema_; }

  absl::StatusOr<bool> TakeWhole(RecordBatch* rows) override {
    ASSIGN_OR_RETURN(*rows, ReadSorted());
    return true;
  }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    if (sorted_ == nullptr) {
      ASSIGN_OR_RETURN(RecordBatch rows, ReadSorted());
      sorted_ = MakeBatchSource(schema_, std::move(rows));
    }
    return sorted_->Next(batch);
  }

 private:
  absl::StatusOr<RecordBatch> ReadSorted() {
    if (!first_ && !last_) {
      ASSIGN_OR_RETURN(RecordBatch rows, DrainInto(input_.get(), context_, &reservation_));
      const std::vector<uint32_t> order = OrderOf(rows);
      return PickSorted(std::move(rows), order);
    }
    // Only the ends of the order are wanted: hold a few times as many rows and cut.
    const uint64_t wanted = first_ ? *first_ : *last_;
    const size_t hold = static_cast<size_t>(
        std::max<uint64_t>(kPruneRowsMin, wanted < UINT32_MAX ? wanted * kPruneFactor : UINT32_MAX));
    std::vector<ColumnConcat> held(input_->schema().columns.size());
    size_t num_held = 0;
    const auto finish = [&] {
      RecordBatch rows;
      rows.num_rows = num_held;
      for (ColumnConcat& column : held) rows.columns.push_back(column.Finish());
      held = std::vector<ColumnConcat>(held.size());
      return rows;
    };
    while (true) {
      RecordBatch batch;
      ASSIGN_OR_RETURN(const bool more, input_->Next(&batch));
      if (!more) break;
      RETURN_IF_ERROR(context_->CheckAlive());
      if (batch.num_rows == 0) continue;
      for (size_t i = 0; i < held.size(); ++i) held[i].Append(std::move(batch.columns[i]));
      num_held += batch.num_rows;
      if (slices_ != nullptr && num_held >= wanted) slices_->enough = true;
      if (num_held <= hold) continue;
      RecordBatch rows = finish();
      std::vector<uint32_t> order = OrderOf(rows);
      Cut(&order);
      rows = rows.Select(order);
      RETURN_IF_ERROR(reservation_.Set(ApproximateBytes(rows)));
      for (size_t i = 0; i < held.size(); ++i) held[i].Append(std::move(rows.columns[i]));
      num_held = rows.num_rows;
    }
    RecordBatch rows = finish();
    if (rows.num_rows == 0) {
      for (size_t i = 0; i < rows.columns.size(); ++i) {
        const Type type = input_->schema().columns[i].type;
        rows.columns[i] = ColumnBuilder(type == Type::kMixed ? Type::kNull : type).Finish();
      }
    }
    RETURN_IF_ERROR(reservation_.Set(ApproximateBytes(rows)));
    std::vector<uint32_t> order = OrderOf(rows);
    Cut(&order);
    return PickSorted(std::move(rows), order);
  }

  void Cut(std::vector<uint32_t>* order) const {
    if (first_ && order->size() > *first_) order->resize(*first_);
    if (last_ && order->size() > *last_) order->erase(order->begin(), order->end() - static_cast<ptrdiff_t>(*last_));
  }

  std::vector<uint32_t> OrderOf(const RecordBatch& rows) const {
    const Column* keys[4] = {};
    for (size_t i = 0; i < keys_.size() && i < 4; ++i) {
      const int index = input_->schema().Find(keys_[i]);
      if (index >= 0) keys[i] = &rows.columns[static_cast<size_t>(index)];
    }
    // By the first key, `time`, nearly all is decided: sort its values where they stand together.
    std::vector<TimedRow> entries(rows.num_rows);
    const bool timed = keys[0] != nullptr && keys[0]->type == Type::kTimestamp && keys[0]->valid.empty();
    for (size_t row = 0; row < entries.size(); ++row) {
      entries[row] = {timed ? keys[0]->ints[row] : 0, static_cast<uint32_t>(row)};
    }
    const auto before = [&](const TimedRow& a, const TimedRow& b) {
      if (a.time != b.time) return a.time < b.time;
      for (size_t i = timed ? 1 : 0; i < 4; ++i) {
        if (keys[i] == nullptr) continue;
        // A stream is a 64-bit fingerprint kept in a signed column; any fixed order of them does.
        const int order = CompareCells(*keys[i], a.row, *keys[i], b.row);
        if (order != 0) return order < 0;
      }
      return a.row < b.row;
    };
    if (!std::is_sorted(entries.begin(), entries.end(), before)) {
      SortByTime(&entries);
      // Rows of one time stand as they came.
      for (size_t begin = 0; begin < entries.size();) {
        size_t end = begin + 1;
        while (end < entries.size() && entries[end].time == entries[begin].time) ++end;
        if (end - begin > 1) {
          std::sort(entries.begin() + static_cast<ptrdiff_t>(begin), entries.begin() + static_cast<ptrdiff_t>(end),
                    before);
        }
        begin = end;
      }
    }
    std::vector<uint32_t> order(entries.size());
    for (size_t i = 0; i < entries.size(); ++i) order[i] = entries[i].row;
    return order;
  }

  RecordBatch PickSorted(RecordBatch rows, const std::vector<uint32_t>& order) const {
    RecordBatch picked;
    picked.num_rows = order.size();
    const bool in_order = order.size() == rows.num_rows && std::is_sorted(order.begin(), order.end());
    for (const size_t index : picked_) {
      picked.columns.push_back(in_order ? std::move(rows.columns[index]) : rows.columns[index].Select(order));
    }
    return picked;
  }

  OperatorPtr input_;
  std::vector<std::string> keys_;
  std::optional<uint64_t> first_;
  std::optional<uint64_t> last_;
  std::shared_ptr<Slices> slices_;
  QueryContext* context_;
  Reservation reservation_;
  Schema schema_;
  std::vector<size_t> picked_;
  OperatorPtr sorted_;
};

}  // namespace

std::vector<std::string> SourceOrderColumns(Table table) {
  std::vector<std::string> names;
  for (const char* name : {"time", "stream", "trace_id", "span_id"}) {
    // Lines of one process that bear the same time stay as they arrived, whatever their traces.
    if (table == Table::kLogs && (std::string_view(name) == "trace_id" || std::string_view(name) == "span_id"))
      continue;
    for (const auto& [builtin, type] : BuiltinColumns(table)) {
      if (builtin == name) names.push_back(builtin);
    }
  }
  return names;
}

TableScan PlanTableScan(const TableColumns& columns, const std::vector<std::string>& names, const Pushdown& down,
                        Duration offset, QueryContext* context, std::vector<std::string>* details) {
  TableScan scan;
  ScanSpec& spec = scan.spec;
  spec.table = columns.table();
  spec.use_indexes = context->use_indexes;
  scan.offset = offset;
  scan.schema.kind = Kind::kEvents;
  for (const std::string& name : names) {
    const std::vector<ColumnRef> refs = columns.Resolve(name);
    if (refs.empty() || scan.schema.Find(name) >= 0) continue;
    std::vector<size_t> parts;
    for (const ColumnRef& ref : refs) {
      const auto found = std::find(spec.columns.begin(), spec.columns.end(), ref);
      parts.push_back(static_cast<size_t>(found - spec.columns.begin()));
      if (found == spec.columns.end()) spec.columns.push_back(ref);
    }
    // A stored column is handed over, not copied: a second name for it needs a column of its own.
    if (parts.size() == 1 && parts[0] + 1 < spec.columns.size()) {
      for (const auto& other : scan.parts) {
        if (std::find(other.begin(), other.end(), parts[0]) != other.end()) {
          spec.columns.push_back(refs[0]);
          parts[0] = spec.columns.size() - 1;
          break;
        }
      }
    }
    scan.schema.columns.push_back(SchemaColumn{name, columns.TypeOf(name)});
    scan.parts.push_back(std::move(parts));
  }

  TimeRange range = down.range;
  const auto meet = [&](std::shared_ptr<const std::vector<TraceId>> ids) {
    if (spec.trace_ids == nullptr) {
      range = TimeRange();  // a trace is never cut
      spec.trace_ids = std::move(ids);
      return;
    }
    auto both = std::make_shared<std::vector<TraceId>>();
    std::set_intersection(spec.trace_ids->begin(), spec.trace_ids->end(), ids->begin(), ids->end(),
                          std::back_inserter(*both));
    spec.trace_ids = std::move(both);
  };
  for (const PushedCondition& condition : down.conditions) {
    if (!IsTraceCondition(condition)) continue;
    if (auto ids = IdsOf(condition)) {
      meet(std::make_shared<const std::vector<TraceId>>(*std::move(ids)));
      details->push_back("pushed " + condition.text);
    }
  }
  for (const PushedSet& set : down.sets) {
    if (set.planned_only) details->push_back("first " + set.text);
    if (set.trace_ids == nullptr || set.columns[static_cast<size_t>(set.trace_key)] != "trace_id") continue;
    meet(set.trace_ids);
    details->push_back(set.text + " (" + std::to_string(set.trace_ids->size()) + " ids)");
  }
  for (const PushedCondition& condition : down.conditions) {
    if (condition.column == "time") {
      ApplyTimeCondition(condition, &range);
      continue;
    }
    if (IsTraceCondition(condition)) continue;
    if (auto predicate = columns.AsPredicate(condition)) {
      spec.predicates.push_back(*std::move(predicate));
      details->push_back("pushed " + condition.text);
    }
  }
  for (const PushedSet& set : down.sets) {
    if (!set.texts.empty() && set.columns.size() == 1) {
      PushedCondition condition;
      condition.column = set.columns[0];
      condition.op = Predicate::Op::kIn;
      for (const std::string& text : set.texts) {
        Column cell;
        cell.type = Type::kString;
        cell.size = 1;
        cell.codes = {0};
        cell.dictionary = StringDictionary::Make({text});
        condition.values.push_back(std::move(cell));
      }
      if (auto predicate = columns.AsPredicate(condition)) {
        spec.predicates.push_back(*std::move(predicate));
        details->push_back(set.text + " (" + std::to_string(set.texts.size()) + " values)");
      }
    }
    if (set.intervals != nullptr && offset == 0) {
      auto intervals = std::make_shared<IntervalSet>(*set.intervals);
      bool usable = true;
      for (size_t i = 0; i < intervals->keys.size() && usable; ++i) {
        const auto refs = columns.Resolve(set.interval_columns[i]);
        usable = refs.size() == 1 && columns.TypeOf(set.interval_columns[i]) == Type::kString;
        if (usable) intervals->keys[i] = refs[0];
      }
      // What lasts may begin before the intervals; of instants the hull bounds the time.
      if (spec.table != Table::kSpans) {
        range.start = std::max(range.start, set.time.start);
        range.end = std::min(range.end, set.time.end);
      }
      if (usable) {
        details->push_back(set.text + " (" + std::to_string(intervals->entries.size()) + " keys, " +
                           std::to_string(set.size) + " intervals)");
        spec.intervals.push_back(std::move(intervals));
      }
    }
    scan.empty = scan.empty || (set.size == 0 && !set.planned_only);
  }
  if (columns.table() == Table::kLogs) {
    spec.terms = down.terms;
    for (const std::string& term : spec.terms) details->push_back("pushed |= \"" + term + "\"");
  }
  spec.time = TimeRange{ShiftBack(range.start, offset), ShiftBack(range.end, offset)};
  scan.empty = scan.empty || spec.time.empty() || (spec.trace_ids != nullptr && spec.trace_ids->empty());
  return scan;
}

void CutIntoSlices(const TableColumns& columns, std::shared_ptr<Slices> slices, QueryContext* context,
                   TableScan* scan) {
  // Rows of traces are found by index, at any time.
  if (scan->empty || scan->spec.trace_ids != nullptr || !context->use_indexes) return;
  const TimeRange extent = context->snapshot->Range(scan->spec.table);
  const TimeRange range{std::max(scan->spec.time.start, extent.start), std::min(scan->spec.time.end, extent.end)};
  if (extent.empty() || range.empty()) return;
  const double rows = columns.EstimateRows(range);
  const double target = std::max(kSliceRows, 2 * static_cast<double>(slices->wanted));
  if (rows <= 2 * target) return;
  const double length = static_cast<double>(range.end) - static_cast<double>(range.start);
  scan->slice_width = static_cast<Duration>(std::clamp(length * target / rows, 1.0, 4e18));
  scan->slices = std::move(slices);
  scan->rows_estimated = rows;
  scan->spec.time = range;
}

absl::StatusOr<OperatorPtr> OpenTableScan(TableScan scan, QueryContext* context, PlanNode* node) {
  std::unique_ptr<Scan> opened;
  const TimeRange range = scan.spec.time;
  if (scan.slices != nullptr) {
    TimeRange& slice = scan.spec.time;
    if (scan.slices->backwards) {
      slice.start = std::max(range.start, ShiftBack(range.end, scan.slice_width));
    } else {
      slice.end = std::min(range.end, ShiftBack(range.start, -scan.slice_width));
    }
  }
  if (!scan.empty) {
    ASSIGN_OR_RETURN(opened, context->snapshot->OpenScan(scan.spec));
  } else if (node != nullptr) {
    node->details.push_back("not read: a set is empty");
  }
  return MakeScanOperator(std::move(scan), std::move(opened), range, context, node);
}

absl::Status EstimateScan(const TableScan& scan, QueryContext* context, PlanNode* node) {
  if (scan.empty) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::unique_ptr<Scan> opened, context->snapshot->OpenScan(scan.spec));
  auto* splittable = dynamic_cast<SplittableScan*>(opened.get());
  if (splittable == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::unique_ptr<SplitScan> split, splittable->PlanSplit());
  node->scan = split->planned();
  node->rows_estimated = static_cast<double>(split->planned().rows_read);
  node->bytes_estimated = static_cast<double>(split->bytes_planned());
  return absl::OkStatus();
}

OperatorPtr MakeSourceOrder(OperatorPtr input, Table table, std::optional<std::vector<std::string>> keep,
                            std::optional<uint64_t> first, std::optional<uint64_t> last, std::shared_ptr<Slices> slices,
                            QueryContext* context) {
  return std::make_unique<SourceOrder>(std::move(input), SourceOrderColumns(table), std::move(keep), first, last,
                                       std::move(slices), context);
}

}  // namespace braid
