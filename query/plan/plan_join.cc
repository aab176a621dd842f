// Joins and unions: which side is read first, and what the first tells the
// other.

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "query/plan/plan_builder.h"
#include "query/rows/cells.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// The distinct texts of a column, unless there are too many.
std::vector<std::string> TextsOf(const Column& column) {
  std::set<std::string_view> texts;
  if (column.type != Type::kString) return {};
  for (size_t row = 0; row < column.size; ++row) {
    if (!column.IsNull(row)) texts.insert(column.StringAt(row));
    if (texts.size() > kListedTextsMax) return {};
  }
  return {texts.begin(), texts.end()};
}

constexpr const char* kHashJoin = "hash join";

// So many rows, and more than one for so many of the other side, have most of its traces: to list the ids would cost
// more than to read the rows that they rule out.
constexpr size_t kManyRowsMin = 65'536;
constexpr double kOtherRowsPerRow = 4;

std::string DescribeJoin(const JoinStage& join) {
  if (join.within) return "band merge";
  if (join.asof) return "as-of merge";
  for (const JoinKey& key : join.keys) {
    if (key.is_time) return "interval sweep";
  }
  return kHashJoin;
}

// Can rows of the pipeline be asked for by their trace id, down to its source?
bool ReachesTraces(const Pipeline& pipeline) {
  if (!std::holds_alternative<EventSource>(pipeline.source)) return false;
  Pushdown down;
  PushedSet set;
  set.columns = {"trace_id"};
  set.trace_key = 0;
  set.trace_ids = std::make_shared<const std::vector<TraceId>>();
  set.size = 1;
  down.sets.push_back(std::move(set));
  for (auto stage = pipeline.stages.rbegin(); stage != pipeline.stages.rend(); ++stage) {
    if (std::holds_alternative<JoinStage>(stage->node) || std::holds_alternative<UnionStage>(stage->node)) continue;
    PushThrough(*stage, TableOf(std::get<EventSource>(pipeline.source).table), &down);
  }
  return !down.sets.empty() && down.sets[0].trace_ids != nullptr;
}

}  // namespace

double PlanBuilder::EstimateRows(const Pipeline& pipeline, const Pushdown& down) {
  double rows = 0;
  if (const auto* let = std::get_if<LetRef>(&pipeline.source)) {
    const Pipeline* named = FindLet(let->name);
    if (named == nullptr) return 0;
    rows = EstimateRows(*named, down);
  } else if (std::holds_alternative<VectorSource>(pipeline.source)) {
    // A vector is evaluated whole; its steps are known, its series are few.
    rows = 1000;
  } else {
    const auto& source = std::get<EventSource>(pipeline.source);
    if (source.table == SourceTable::kSamples) return 1e9;
    rows = ColumnsOf(TableOf(source.table)).EstimateRows(down.range);
    // Each condition is taken to leave a tenth.
    size_t conditions = down.conditions.size();
    if (source.spanset != nullptr) conditions += source.spanset->leaf() ? source.spanset->matchers.size() : 1;
    rows *= std::pow(0.1, static_cast<double>(std::min<size_t>(conditions, 4)));
  }
  for (const Stage& stage : pipeline.stages) {
    if (std::holds_alternative<WhereStage>(stage.node) || std::holds_alternative<LineFilter>(stage.node)) rows *= 0.1;
    if (std::holds_alternative<StatsStage>(stage.node) || std::holds_alternative<WindowsStage>(stage.node) ||
        std::holds_alternative<CompareStage>(stage.node)) {
      rows = std::min(rows, 100.0);
    }
    if (const auto* limit = std::get_if<LimitStage>(&stage.node))
      rows = std::min(rows, static_cast<double>(limit->count));
    if (const auto* top = std::get_if<TopStage>(&stage.node)) rows = std::min(rows, static_cast<double>(top->count));
  }
  return rows;
}

absl::StatusOr<std::optional<PushedSet>> PlanBuilder::KeysAsSet(const JoinStage& join, const Schema& schema,
                                                                const RecordBatch& rows, bool rows_are_left) {
  SetInput input;
  input.num_rows = rows.num_rows;
  bool by_time = join.within || join.asof;
  for (const JoinKey& key : join.keys) {
    if (key.is_time) {
      by_time = true;
      continue;
    }
    const std::string left = PlainField(*key.left);
    const std::string other = rows_are_left ? key.right : left;
    if (other.empty()) continue;
    Column column;
    if (rows_are_left) {
      ASSIGN_OR_RETURN(const RowExpressionPtr bound, Bind(*key.left, schema, nullptr));
      ASSIGN_OR_RETURN(column, bound->Evaluate(rows));
    } else {
      const int index = schema.Find(key.right);
      if (index < 0) continue;
      column = rows.columns[static_cast<size_t>(index)];
    }
    input.names.push_back(other);
    input.columns.push_back(std::move(column));
    input.probe_types.push_back(other == "trace_id" ? Type::kTraceId : Type::kMixed);
  }
  const TimeColumns times = FindTimeColumns(schema);
  if (by_time && times.time >= 0) {
    // The other side's times that can meet a row's: its interval, moved by the
    // band.
    Duration from = 0;
    Duration to = 0;
    if (join.within) {
      from = rows_are_left ? join.within->from.value : -join.within->to.value;
      to = rows_are_left ? join.within->to.value : -join.within->from.value;
    } else if (join.asof) {
      (rows_are_left ? from : to) = rows_are_left ? -*join.asof : *join.asof;
    }
    const bool overlap = !join.within && !join.asof;
    Column starts = rows.columns[static_cast<size_t>(times.time)];
    Column ends = overlap && times.end >= 0 ? rows.columns[static_cast<size_t>(times.end)] : starts;
    if (starts.type == Type::kTimestamp && ends.type == Type::kTimestamp) {
      for (int64_t& time : starts.ints) time = Moved(time, from);
      for (int64_t& time : ends.ints) time = Moved(time, to);
      input.names.emplace_back("time");
      input.columns.push_back(std::move(starts));
      input.ends = std::move(ends);
      input.probe_types.push_back(Type::kTimestamp);
    }
  }
  if (input.names.empty()) return std::optional<PushedSet>();
  ASSIGN_OR_RETURN(const BuiltSet built, BuildMemberSet(input, context_, /*for_scans=*/true));
  PushedSet pushed;
  pushed.columns = input.names;
  pushed.trace_ids = built.trace_ids;
  pushed.trace_key = built.trace_key;
  pushed.intervals = built.intervals;
  if (pushed.intervals != nullptr) {
    for (const ColumnRef& key : pushed.intervals->keys) pushed.interval_columns.push_back(key.name);
  }
  if (input.names.size() == 1) pushed.texts = TextsOf(input.columns[0]);
  pushed.time = built.time;
  pushed.size = built.size;
  for (const std::string& name : input.names) pushed.text += (pushed.text.empty() ? "(" : ", ") + name;
  pushed.text += ") in " + (rows_are_left ? std::string("left side") : join.name);
  return std::optional<PushedSet>(std::move(pushed));
}

// Is reading all rows of the right side, whose source is a table, about as good as reading those of the left side's
// traces, and the same? Rows of a trace that is asked for by its id count whatever their time.
bool PlanBuilder::ReadsAllTraces(const JoinStage& join, size_t left_rows, TimeRange range) {
  if (join.within || join.asof || left_rows < kManyRowsMin) return false;
  if (std::any_of(join.keys.begin(), join.keys.end(), [](const JoinKey& key) { return key.is_time; })) return false;
  const auto& source = std::get<EventSource>(join.right->source);
  if (source.offset != 0 || source.table == SourceTable::kSamples) return false;
  const Table table = TableOf(source.table);
  const TimeRange extent = context_->snapshot->Range(table);
  const bool inside = range.start <= extent.start && extent.end <= range.end;
  return inside && ColumnsOf(table).EstimateRows(extent) <= kOtherRowsPerRow * static_cast<double>(left_rows);
}

absl::StatusOr<BuiltPipeline> PlanBuilder::BuildJoin(const Pipeline& pipeline, size_t stage_index, Pushdown down) {
  const Stage& stage = pipeline.stages[stage_index];
  const auto& join = std::get<JoinStage>(stage.node);
  auto node = std::make_unique<PlanNode>();
  node->text = stage.text;
  down.first.reset();
  down.last.reset();

  // Conditions on `name.x` are the right side's; a left join keeps rows that
  // have no right side.
  const std::string prefix = join.name + ".";
  Pushdown right_down = down;
  RenamePushed(&right_down, [&](const std::string& name) {
    return name.starts_with(prefix) ? name.substr(prefix.size()) : std::string();
  });
  if (join.left_outer) right_down.DropConditions();
  right_down.terms.clear();
  std::erase_if(right_down.sets, [](const PushedSet& set) { return set.size == 0; });
  RenamePushed(&down, [&](const std::string& name) { return name.starts_with(prefix) ? std::string() : name; });

  if (join.asof) {
    if (const Expr* vector = PureVector(*join.right)) {
      return BuildVectorAsof(pipeline, stage_index, *vector, std::move(down), std::move(node));
    }
    right_down.range.start = Moved(right_down.range.start, -*join.asof);
  }
  if (join.within) {
    right_down.range.start = Moved(right_down.range.start, std::min<Duration>(join.within->from.value, 0));
    right_down.range.end = Moved(right_down.range.end, std::max<Duration>(join.within->to.value, 0));
  }
  // Several matches of a row come in the right side's order, and of right rows
  // at one time as-of takes the last.
  right_down.ordered = down.ordered || join.asof.has_value();
  right_down.carry_order = false;

  bool by_trace = false;
  for (const JoinKey& key : join.keys) by_trace = by_trace || (!key.is_time && key.right == "trace_id");
  const bool reached = by_trace && ReachesTraces(*join.right);
  Pipeline left_part = pipeline;
  left_part.stages.resize(stage_index);
  const bool left_first =
      reached || join.left_outer || EstimateRows(left_part, down) <= EstimateRows(*join.right, right_down);
  // A left side that was read first is at hand: it is indexed where the order
  // of rows does not matter.
  const bool index_left =
      left_first && !down.ordered && !join.left_outer && DescribeJoin(join) == std::string_view(kHashJoin);
  node->details.push_back(DescribeJoin(join) + (left_first ? ", left side first" : ", right side first"));

  BuiltPipeline left;
  BuiltPipeline right;
  const auto take_right = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(right, BuildWhole(*join.right, right_down));
    right.node->role = "join " + join.name;
    return absl::OkStatus();
  };
  // Reads the side that comes first and tells the other which keys there are.
  const auto read_first = [&](BuiltPipeline* first, Pushdown* other, bool first_is_left) -> absl::Status {
    if (dry_) return absl::OkStatus();
    const Schema schema = first->op->schema();
    first->op = MakeParallel(std::move(first->op), context_);
    ASSIGN_OR_RETURN(RecordBatch rows, Drain(first->op.get(), context_, "join"));
    if (!reached || !ReadsAllTraces(join, rows.num_rows, other->range)) {
      ASSIGN_OR_RETURN(std::optional<PushedSet> set, KeysAsSet(join, schema, rows, first_is_left));
      if (set) other->sets.push_back(*std::move(set));
    }
    first->op = MakeBatchSource(schema, std::move(rows));
    return absl::OkStatus();
  };
  if (left_first) {
    ASSIGN_OR_RETURN(left, Build(pipeline, stage_index, down));
    RETURN_IF_ERROR(read_first(&left, &right_down, true));
    RETURN_IF_ERROR(take_right());
  } else {
    RETURN_IF_ERROR(take_right());
    RETURN_IF_ERROR(read_first(&right, &down, false));
    ASSIGN_OR_RETURN(left, Build(pipeline, stage_index, down));
  }

  JoinSpec spec;
  spec.left_outer = join.left_outer;
  spec.name = join.name;
  spec.index_left = index_left && !dry_;
  spec.asof = join.asof;
  if (join.within) spec.within = {join.within->from.value, join.within->to.value};
  const ColumnNeeds& needs = needs_.At(pipeline, stage_index + 1);
  if (!needs.all) spec.wanted = needs.names;
  const Schema right_schema = right.op->schema();
  for (const JoinKey& key : join.keys) {
    if (key.is_time) {
      spec.overlap = true;
      continue;
    }
    JoinKeyPair pair;
    ASSIGN_OR_RETURN(pair.left, Bind(*key.left, left.op->schema(), node.get()));
    Expr field;
    field.node = FieldRef{{key.right}, true};
    field.place = key.place;
    ASSIGN_OR_RETURN(pair.right, Bind(field, right_schema, node.get()));
    spec.keys.push_back(std::move(pair));
  }
  node->children.push_back(std::move(left.node));
  node->children.push_back(std::move(right.node));
  if (!spec.index_left) left.op = MakeParallel(std::move(left.op), context_);
  auto op = MakeJoin(std::move(left.op), MakeParallel(std::move(right.op), context_), std::move(spec), context_);
  if (!op.ok()) {
    if (absl::IsInvalidArgument(op.status()) && !ErrorOf(op.status())) {
      return ErrorAt(stage.place, "E041", std::string(op.status().message()));
    }
    return op.status();
  }
  BuiltPipeline built;
  built.op = Measure(*std::move(op), node.get());
  built.node = std::move(node);
  return built;
}

absl::StatusOr<BuiltPipeline> PlanBuilder::BuildVectorAsof(const Pipeline& pipeline, size_t stage_index,
                                                           const Expr& vector, Pushdown down,
                                                           std::unique_ptr<PlanNode> node) {
  const Stage& stage = pipeline.stages[stage_index];
  const auto& join = std::get<JoinStage>(stage.node);
  ASSIGN_OR_RETURN(BuiltPipeline left, Build(pipeline, stage_index, std::move(down)));
  node->details.emplace_back("vector at the left rows' own times");
  node->children.push_back(std::move(left.node));
  auto right = std::make_unique<PlanNode>();
  right->text = join.right->source_text.empty() ? Print(vector) : join.right->source_text;
  right->role = "join " + join.name;
  right->is_source = true;
  PlanNode* right_node = node->Add(std::move(right));

  VectorAsofSpec spec;
  spec.left_outer = join.left_outer;
  spec.name = join.name;
  std::vector<std::string> labels;
  for (const JoinKey& key : join.keys) {
    ASSIGN_OR_RETURN(RowExpressionPtr bound, Bind(*key.left, left.op->schema(), node.get()));
    spec.keys.emplace_back(std::move(bound), key.right);
    labels.push_back(key.right);
  }
  const ColumnNeeds& needs = needs_.At(*join.right, 0);
  if (!needs.all || dry_) {
    spec.labels.emplace();
    for (const std::string& name : needs.names) {
      if (name != "time" && name != "start" && name != "end" && name != "value") spec.labels->push_back(name);
    }
  }
  const Duration lookback = *join.asof;
  spec.reader = [this, &vector, right_node, labels,
                 lookback](const std::vector<Timestamp>& times) -> absl::StatusOr<std::vector<InstantSeries>> {
    // Look-back is open at its far end, a match at most `asof` older is not.
    ASSIGN_OR_RETURN(VectorResult result, EvaluateAt(vector, times, right_node, lookback + 1));
    std::vector<InstantSeries> series;
    for (VectorSeries& entry : result.series) {
      InstantSeries instant;
      instant.labels = std::move(entry.labels);
      for (const std::string& name : labels) {
        if (!FindLabel(instant.labels, name).empty()) continue;
        for (const std::string& fallback : FallbackLabels(name)) {
          const std::string value(FindLabel(instant.labels, fallback));
          if (value.empty()) continue;
          instant.labels.push_back(Label{name, value});
          std::sort(instant.labels.begin(), instant.labels.end());
          break;
        }
      }
      for (const uint8_t present : entry.present) right_node->rows += present;
      instant.present = std::move(entry.present);
      instant.values = std::move(entry.values);
      instant.histograms = std::move(entry.histograms);
      series.push_back(std::move(instant));
    }
    right_node->ran = true;
    return series;
  };
  auto op = MakeVectorAsof(std::move(left.op), std::move(spec), context_);
  if (!op.ok()) {
    if (absl::IsInvalidArgument(op.status()) && !ErrorOf(op.status())) {
      return ErrorAt(stage.place, "E041", std::string(op.status().message()));
    }
    return op.status();
  }
  BuiltPipeline built;
  built.op = Measure(*std::move(op), node.get());
  built.node = std::move(node);
  return built;
}

absl::StatusOr<BuiltPipeline> PlanBuilder::BuildUnion(const Pipeline& pipeline, size_t stage_index, Pushdown down) {
  const Stage& stage = pipeline.stages[stage_index];
  const auto& append = std::get<UnionStage>(stage.node);
  auto node = std::make_unique<PlanNode>();
  node->text = stage.text;
  down.last.reset();
  const bool carry_order = std::exchange(down.carry_order, false);
  (void)carry_order;
  ASSIGN_OR_RETURN(BuiltPipeline left, Build(pipeline, stage_index, down));
  ASSIGN_OR_RETURN(BuiltPipeline right, BuildWhole(*append.right, std::move(down)));
  right.node->role = "union";
  node->children.push_back(std::move(left.node));
  node->children.push_back(std::move(right.node));
  BuiltPipeline built;
  built.op = Measure(MakeUnion(std::move(left.op), std::move(right.op), context_), node.get());
  built.node = std::move(node);
  return built;
}

}  // namespace braid
