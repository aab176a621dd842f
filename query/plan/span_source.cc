#include "query/plan/span_source.h"

#include <algorithm>
#include <set>
#include <utility>

#include "query/rows/column_concat.h"
#include "query/rows/reservation.h"
#include "query/rows/spanset.h"
#include "query/rows/trace_tree.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

std::string BaseOf(const std::string& name) {
  const size_t dot = name.find('.');
  return name.substr(dot + 1);
}

bool IsRelative(const std::string& name) { return name.rfind("root.", 0) == 0 || name.rfind("parent.", 0) == 0; }

Type TraceColumnType(const TableColumns& columns, const std::string& name) {
  if (name == "self_time" || name == "trace.duration") return Type::kDuration;
  if (name == "critical") return Type::kBool;
  if (name == "trace.spans") return Type::kInt;
  const std::string base = BaseOf(name);
  return IsTraceColumn(base) ? TraceColumnType(columns, base) : columns.TypeOf(base);
}

// `column` at other rows; kNone gives null.
Column Gather(const Column& column, const std::vector<uint32_t>& rows) {
  ColumnBuilder builder(column.type == Type::kMixed ? Type::kNull : column.type);
  for (const uint32_t row : rows) {
    if (row == TraceTree::kNone) {
      builder.AppendNull();
    } else {
      builder.AppendFrom(column, row);
    }
  }
  return builder.Finish();
}

class SpanSource : public Operator {
 public:
  SpanSource(const TableColumns& columns, SpanSourceSpec spec, QueryContext* context, PlanNode* node)
      : columns_(columns), spec_(std::move(spec)), context_(context), node_(node), reservation_(context, "traces") {
    schema_.kind = Kind::kEvents;
    for (const std::string& name : spec_.columns) {
      if (schema_.Find(name) >= 0) continue;
      if (IsTraceColumn(name)) {
        schema_.columns.push_back({name, TraceColumnType(columns_, name)});
      } else if (!columns_.Resolve(name).empty()) {
        schema_.columns.push_back({name, columns_.TypeOf(name)});
      }
    }
  }

  absl::Status Bind() {
    if (spec_.spanset == nullptr) return absl::OkStatus();
    leaves_ = SpansetLeaves(*spec_.spanset);
    for (const Spanset* leaf : leaves_) {
      std::vector<RowExpressionPtr> matchers;
      for (const ExprPtr& matcher : leaf->matchers) {
        ASSIGN_OR_RETURN(RowExpressionPtr bound, spec_.bind(*matcher, schema_));
        matchers.push_back(std::move(bound));
      }
      matchers_.push_back(std::move(matchers));
    }
    return absl::OkStatus();
  }

  // What the first scan reads, for explain.
  TableScan PlanCandidates(std::vector<std::string>* details) const {
    return PlanTableScan(columns_, {"trace_id"}, spec_.down, spec_.offset, context_, details);
  }

  const Schema& schema() const override { return schema_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    if (rows_ == nullptr) {
      ASSIGN_OR_RETURN(RecordBatch rows, Read());
      rows_ = MakeBatchSource(schema_, std::move(rows));
    }
    return rows_->Next(batch);
  }

 private:
  absl::StatusOr<RecordBatch> Read() {
    RecordBatch empty;
    for (const SchemaColumn& column : schema_.columns) {
      empty.columns.push_back(ColumnBuilder(column.type == Type::kMixed ? Type::kNull : column.type).Finish());
    }
    std::vector<std::string> details;
    TableScan candidates = PlanCandidates(&details);
    // Rows of a trace that was asked for by its id count whatever their time.
    const TimeRange wanted = candidates.spec.time;
    PlanNode first;
    ASSIGN_OR_RETURN(const std::shared_ptr<const std::vector<TraceId>> ids, ReadIds(std::move(candidates), &first));
    if (ids->empty()) {
      node_->scan = first.scan;
      return empty;
    }

    std::vector<std::string> names = {"trace_id", "span_id", "parent_id", "time", "end", "stream"};
    for (const SchemaColumn& column : schema_.columns) AddStored(column.name, &names);
    Pushdown whole;
    PushedSet set;
    set.columns = {"trace_id"};
    set.trace_key = 0;
    set.trace_ids = ids;
    set.size = ids->size();
    whole.sets.push_back(std::move(set));
    PlanNode second;
    TableScan plan = PlanTableScan(columns_, names, whole, spec_.offset, context_, &details);
    ASSIGN_OR_RETURN(OperatorPtr opened, OpenTableScan(std::move(plan), context_, &second));
    const OperatorPtr scan = MakeParallel(std::move(opened), context_);
    const Schema stored_schema = scan->schema();
    ASSIGN_OR_RETURN(RecordBatch stored, DrainInto(scan.get(), context_, &reservation_));
    node_->scan = BothScans(first.scan, second.scan);
    if (stored.num_rows == 0) return empty;
    return Select(stored_schema, std::move(stored), wanted);
  }

  // The two scans read the same parts in turn: those, their blocks and rows are counted once, the bytes of both.
  static ScanStats BothScans(const ScanStats& first, const ScanStats& second) {
    ScanStats both = first;
    both.Add(second);
    for (const auto count : {&ScanStats::sources_total, &ScanStats::sources_read, &ScanStats::blocks_total,
                             &ScanStats::blocks_read, &ScanStats::rows_read, &ScanStats::rows_returned}) {
      both.*count = std::max(first.*count, second.*count);
    }
    return both;
  }

  static void AddStored(const std::string& name, std::vector<std::string>* names) {
    std::string stored = name;
    while (IsRelative(stored)) stored = BaseOf(stored);
    if (IsTraceColumn(stored)) return;
    if (std::find(names->begin(), names->end(), stored) == names->end()) names->push_back(stored);
  }

  absl::StatusOr<std::shared_ptr<const std::vector<TraceId>>> ReadIds(TableScan plan, PlanNode* node) {
    ASSIGN_OR_RETURN(OperatorPtr opened, OpenTableScan(std::move(plan), context_, node));
    const OperatorPtr scan = MakeParallel(std::move(opened), context_);
    auto ids = std::make_shared<std::vector<TraceId>>();
    size_t compact_at = 65'536;
    const auto compact = [&ids] {
      std::sort(ids->begin(), ids->end());
      ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
    };
    while (true) {
      RecordBatch batch;
      ASSIGN_OR_RETURN(const bool more, scan->Next(&batch));
      if (!more) break;
      if (batch.num_rows == 0) continue;
      const Column& column = batch.columns[0];
      for (size_t row = 0; row < batch.num_rows; ++row) {
        if (!column.IsNull(row)) ids->push_back(column.trace_ids[row]);
      }
      if (ids->size() >= compact_at) {
        compact();
        compact_at = std::max<size_t>(65'536, ids->size() * 2);
        RETURN_IF_ERROR(reservation_.Set(compact_at * sizeof(TraceId)));
      }
    }
    compact();
    return ids;
  }

  absl::StatusOr<RecordBatch> Select(const Schema& stored_schema, RecordBatch stored, TimeRange wanted) {
    const auto stored_column = [&](const char* name) -> const Column& {
      return stored.columns[static_cast<size_t>(stored_schema.Find(name))];
    };
    // Siblings that start together keep a fixed order whatever the scan's: the tree takes rows as they come.
    stored = SortedByTrace(stored_schema, std::move(stored));
    SpanArrays arrays;
    arrays.trace_ids = stored_column("trace_id").trace_ids;
    arrays.span_ids = stored_column("span_id").ints;
    // A column of nothing but nulls may come without values.
    std::vector<int64_t> no_parents;
    const Column& parents = stored_column("parent_id");
    if (parents.ints.empty()) {
      no_parents.resize(stored.num_rows);
      arrays.parent_ids = no_parents;
    } else {
      arrays.parent_ids = parents.ints;
    }
    arrays.starts = stored_column("time").ints;
    arrays.ends = stored_column("end").ints;
    ASSIGN_OR_RETURN(const TraceTree tree, BuildTraceTree(arrays, context_));
    RETURN_IF_ERROR(reservation_.Add(TraceTreeBytes(stored.num_rows)));

    RecordBatch spans;
    spans.num_rows = stored.num_rows;
    for (const SchemaColumn& column : schema_.columns) {
      spans.columns.push_back(ColumnOf(column.name, stored_schema, stored, tree));
    }
    std::vector<uint8_t> selected(stored.num_rows, 1);
    if (spec_.spanset != nullptr) {
      std::vector<std::vector<uint8_t>> matches;
      for (const std::vector<RowExpressionPtr>& leaf : matchers_) {
        ASSIGN_OR_RETURN(std::vector<uint8_t> flags, MatchLeaf(leaf, spans));
        matches.push_back(std::move(flags));
      }
      if (spec_.spanset->leaf()) {
        selected = std::move(matches[0]);
      } else {
        ASSIGN_OR_RETURN(selected, EvaluateSpanset(*spec_.spanset, tree, matches, context_));
      }
    }
    const std::vector<int64_t>& times = stored_column("time").ints;
    const TimeRange range = Shifted(wanted);
    std::vector<uint32_t> rows;
    for (size_t row = 0; row < stored.num_rows; ++row) {
      if (selected[row] != 0 && range.Contains(times[row])) rows.push_back(static_cast<uint32_t>(row));
    }
    return rows.size() == spans.num_rows ? std::move(spans) : spans.Select(rows);
  }

  static RecordBatch SortedByTrace(const Schema& schema, RecordBatch stored) {
    const auto column = [&](const char* name) -> const Column& {
      return stored.columns[static_cast<size_t>(schema.Find(name))];
    };
    const Column& traces = column("trace_id");
    const Column& times = column("time");
    const Column& streams = column("stream");
    const Column& spans = column("span_id");
    const auto before = [&](uint32_t a, uint32_t b) {
      if (traces.trace_ids[a] != traces.trace_ids[b]) return traces.trace_ids[a] < traces.trace_ids[b];
      if (times.ints[a] != times.ints[b]) return times.ints[a] < times.ints[b];
      if (const int order = CompareCells(streams, a, streams, b); order != 0) return order < 0;
      return CompareCells(spans, a, spans, b) < 0;
    };
    std::vector<uint32_t> order(stored.num_rows);
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
    // Parts hold spans in nearly this order.
    if (std::is_sorted(order.begin(), order.end(), before)) return stored;
    std::stable_sort(order.begin(), order.end(), before);
    return stored.Select(order);
  }

  // The range as the scan's rows have it: their times are shifted already.
  TimeRange Shifted(TimeRange range) const {
    if (range.start != kMinTimestamp) range.start += spec_.offset;
    if (range.end != kMaxTimestamp) range.end += spec_.offset;
    return range;
  }

  static absl::StatusOr<std::vector<uint8_t>> MatchLeaf(const std::vector<RowExpressionPtr>& matchers,
                                                        const RecordBatch& spans) {
    std::vector<uint8_t> flags(spans.num_rows, 1);
    for (const RowExpressionPtr& matcher : matchers) {
      std::vector<uint32_t> rows;
      RETURN_IF_ERROR(EvaluateCondition(*matcher, spans, &rows));
      std::vector<uint8_t> holds(spans.num_rows, 0);
      for (const uint32_t row : rows) holds[row] = 1;
      for (size_t row = 0; row < flags.size(); ++row) flags[row] &= holds[row];
    }
    return flags;
  }

  static Column ColumnOf(const std::string& name, const Schema& schema, const RecordBatch& stored,
                         const TraceTree& tree) {
    const size_t count = stored.num_rows;
    if (IsRelative(name)) {
      const Column base = ColumnOf(BaseOf(name), schema, stored, tree);
      if (name.rfind("parent.", 0) == 0) return Gather(base, tree.parent);
      return Gather(base, tree.root);
    }
    Column column;
    column.size = count;
    if (name == "self_time") {
      column.type = Type::kDuration;
      column.ints = tree.self_time;
    } else if (name == "critical") {
      column.type = Type::kBool;
      column.ints.assign(tree.critical.begin(), tree.critical.end());
    } else if (name == "trace.duration" || name == "trace.spans") {
      column.type = name == "trace.spans" ? Type::kInt : Type::kDuration;
      column.ints.resize(count);
      for (size_t row = 0; row < count; ++row) {
        const TraceTree::Trace& trace = tree.traces[tree.trace[row]];
        column.ints[row] = name == "trace.spans" ? int64_t{trace.end} - trace.begin : trace.finish - trace.start;
      }
    } else {
      const int index = schema.Find(name);
      if (index >= 0) return stored.columns[static_cast<size_t>(index)];
    }
    return column;
  }

  const TableColumns columns_;
  SpanSourceSpec spec_;
  QueryContext* context_;
  PlanNode* node_;
  Reservation reservation_;
  Schema schema_;
  std::vector<const Spanset*> leaves_;
  std::vector<std::vector<RowExpressionPtr>> matchers_;
  OperatorPtr rows_;
};

}  // namespace

bool IsTraceColumn(const std::string& name) {
  return name == "self_time" || name == "critical" || name == "trace.duration" || name == "trace.spans" ||
         IsRelative(name);
}

const Spanset* ResultLeaf(const Spanset& spanset) {
  if (spanset.leaf()) return &spanset;
  if (spanset.mode == Spanset::Mode::kUnion || spanset.op == SpanOp::kAnd || spanset.op == SpanOp::kOr) return nullptr;
  return ResultLeaf(*spanset.right);
}

absl::StatusOr<OperatorPtr> MakeSpanSource(const TableColumns& columns, SpanSourceSpec spec, QueryContext* context,
                                           PlanNode* node, bool dry) {
  auto source = std::make_unique<SpanSource>(columns, std::move(spec), context, node);
  RETURN_IF_ERROR(source->Bind());
  // For explain, which shows what the first of the two scans would read without running anything.
  const TableScan candidates = source->PlanCandidates(&node->details);
  if (dry) {
    // Then the spans of the traces found: which those are is not known yet.
    const double whole_traces = node->bytes_estimated;
    RETURN_IF_ERROR(EstimateScan(candidates, context, node));
    node->bytes_estimated += whole_traces;
  }
  return OperatorPtr(std::move(source));
}

}  // namespace braid
