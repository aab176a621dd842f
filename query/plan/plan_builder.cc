#include "query/plan/plan_builder.h"

#include <algorithm>
#include <utility>

#include "query/plan/empty_note.h"
#include "query/plan/span_source.h"
#include "query/rows/aggregate.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

bool IsFilter(const Stage& stage) {
  return std::holds_alternative<LineFilter>(stage.node) || std::holds_alternative<WhereStage>(stage.node);
}

// How many of the first stages only filter rows: source order is made after them.
size_t LeadingFilters(const Pipeline& pipeline) {
  size_t count = 0;
  while (count < pipeline.stages.size() && IsFilter(pipeline.stages[count])) ++count;
  return count;
}

// Does the stage make the same of its input whatever the order of its rows?
bool ForgetsOrder(const Stage& stage) {
  if (const auto* stats = std::get_if<StatsStage>(&stage.node)) {
    return std::all_of(stats->aggregates.begin(), stats->aggregates.end(), [](const Item& item) {
      const auto* call = std::get_if<CallExpr>(&item.expr->node);
      const auto function = call == nullptr ? std::nullopt : FindAggregate(call->function, call->args.size());
      return function && !IsOrderSensitive(*function);
    });
  }
  return std::holds_alternative<WindowsStage>(stage.node) || std::holds_alternative<CompareStage>(stage.node) ||
         std::holds_alternative<ContextStage>(stage.node) || std::holds_alternative<TopStage>(stage.node);
}

// Does the stage read its input to the end before it gives anything? (stats splits it by itself)
bool ReadsAllFirst(const Stage& stage) {
  return std::holds_alternative<WindowsStage>(stage.node) || std::holds_alternative<CompareStage>(stage.node) ||
         std::holds_alternative<ContextStage>(stage.node) || std::holds_alternative<TopStage>(stage.node);
}

}  // namespace

Timestamp Moved(Timestamp time, Duration by) {
  if (time == kMinTimestamp || time == kMaxTimestamp) return time;
  Timestamp moved = 0;
  if (__builtin_add_overflow(time, by, &moved)) return by > 0 ? kMaxTimestamp : kMinTimestamp;
  return moved;
}

Table TableOf(SourceTable table) {
  switch (table) {
    case SourceTable::kSpans: return Table::kSpans;
    case SourceTable::kEvents: return Table::kEvents;
    case SourceTable::kLinks: return Table::kLinks;
    case SourceTable::kExemplars: return Table::kExemplars;
    default: return Table::kLogs;
  }
}

PlanBuilder::PlanBuilder(const QueryAst& query, QueryContext* context, bool dry)
    : query_(query), context_(context), dry_(dry), needs_(query) {
  for (const LetClause& let : query.lets) lets_[let.name] = let.pipeline;
}

const TableColumns& PlanBuilder::ColumnsOf(Table table) {
  std::unique_ptr<TableColumns>& columns = columns_[table];
  if (columns == nullptr) columns = std::make_unique<TableColumns>(*context_->snapshot, table);
  return *columns;
}

const Pipeline* PlanBuilder::FindLet(const std::string& name) const {
  const auto found = lets_.find(name);
  return found == lets_.end() ? nullptr : found->second.get();
}

const Expr* PlanBuilder::PureVector(const Pipeline& pipeline) const {
  if (!pipeline.stages.empty()) return nullptr;
  if (const auto* vector = std::get_if<VectorSource>(&pipeline.source)) return vector->expr.get();
  if (const auto* let = std::get_if<LetRef>(&pipeline.source)) {
    const Pipeline* named = FindLet(let->name);
    return named == nullptr ? nullptr : PureVector(*named);
  }
  return nullptr;
}

absl::StatusOr<BuiltPipeline> PlanBuilder::BuildBody() {
  Pushdown down;
  down.range = BaseRange();
  if (context_->limits.rows_max < UINT64_MAX) down.first = context_->limits.rows_max + 1;
  return BuildWhole(*query_.body, std::move(down));
}

absl::StatusOr<RowSet> PlanBuilder::ReadAll(BuiltPipeline built, const char* owner) {
  RowSet set;
  set.schema = built.op->schema();
  const OperatorPtr op = MakeParallel(std::move(built.op), context_);
  ASSIGN_OR_RETURN(set.rows, Drain(op.get(), context_, owner));
  return set;
}

absl::StatusOr<BuiltPipeline> PlanBuilder::Build(const Pipeline& pipeline, size_t stages, Pushdown down) {
  const auto* source = std::get_if<EventSource>(&pipeline.source);
  const bool is_table = source != nullptr && source->table != SourceTable::kSamples;
  if (!is_table || stages != LeadingFilters(pipeline) || !down.ordered) {
    return BuildUnordered(pipeline, stages, std::move(down));
  }
  // Filters first, on rows as the scan gives them; then the order for what they leave.
  const std::optional<uint64_t> first = std::exchange(down.first, std::nullopt);
  const std::optional<uint64_t> last = std::exchange(down.last, std::nullopt);
  down.ordered = false;
  down.carry_order = true;
  std::shared_ptr<Slices> slices;
  if (first || last) {
    slices = std::make_shared<Slices>();
    slices->backwards = !first;
    slices->wanted = first ? *first : *last;
    down.slices = slices;
  }
  ASSIGN_OR_RETURN(BuiltPipeline built, BuildUnordered(pipeline, stages, std::move(down)));
  std::optional<std::vector<std::string>> keep;
  const ColumnNeeds& needs = needs_.At(pipeline, stages);
  if (!needs.all) keep.emplace(needs.names.begin(), needs.names.end());
  built.op = MakeSourceOrder(MakeParallel(std::move(built.op), context_), TableOf(source->table), std::move(keep),
                             first, last, std::move(slices), context_);
  if (first || last) {
    built.node->details.push_back((first ? "first " : "last ") + std::to_string(first ? *first : *last));
  }
  return built;
}

absl::StatusOr<BuiltPipeline> PlanBuilder::BuildUnordered(const Pipeline& pipeline, size_t stages, Pushdown down) {
  if (stages == 0) return BuildSource(pipeline, std::move(down));
  const size_t index = stages - 1;
  const Stage& stage = pipeline.stages[index];
  if (std::holds_alternative<JoinStage>(stage.node)) return BuildJoin(pipeline, index, std::move(down));
  if (std::holds_alternative<UnionStage>(stage.node)) return BuildUnion(pipeline, index, std::move(down));

  auto node = std::make_unique<PlanNode>();
  node->text = stage.text;
  const TimeRange range = down.range;
  const auto* source = std::get_if<EventSource>(&pipeline.source);
  PushThrough(stage, source == nullptr ? Table::kLogs : TableOf(source->table), &down);
  if (const auto* where = std::get_if<WhereStage>(&stage.node)) {
    RETURN_IF_ERROR(PushCondition(where->condition, &down, node.get()));
  } else if (const auto* limit = std::get_if<LimitStage>(&stage.node)) {
    (limit->tail ? down.last : down.first) = limit->count;
    down.ordered = true;
  } else if (const auto* stats = std::get_if<StatsStage>(&stage.node)) {
    if (stats->window) down.range.start = Moved(down.range.start, -*stats->window);
    down.ordered = true;
  } else if (const auto* windows = std::get_if<WindowsStage>(&stage.node)) {
    if (windows->pad) {
      // A window that meets the range after padding may come from rows outside it.
      down.range.start = Moved(down.range.start, -std::max<Duration>(windows->pad->to.value, 0));
      down.range.end = Moved(down.range.end, -std::min<Duration>(windows->pad->from.value, 0));
    }
  } else if (std::holds_alternative<DedupStage>(stage.node)) {
    down.ordered = true;
  }
  if (ForgetsOrder(stage)) down.ordered = false;
  // Context finds its stream again by the order columns.
  if (std::holds_alternative<ContextStage>(stage.node)) down.carry_order = true;

  ASSIGN_OR_RETURN(BuiltPipeline input, Build(pipeline, index, std::move(down)));
  node->children.insert(node->children.begin(), std::move(input.node));
  if (ReadsAllFirst(stage)) input.op = MakeParallel(std::move(input.op), context_);
  ASSIGN_OR_RETURN(OperatorPtr op, ApplyStage(pipeline, index, std::move(input.op), node.get(), range));
  BuiltPipeline built;
  built.op = Measure(std::move(op), node.get());
  built.node = std::move(node);
  return built;
}

absl::Status PlanBuilder::PushCondition(const ExprPtr& condition, Pushdown* down, PlanNode* node) {
  std::vector<ExprPtr> conjuncts;
  SplitConjuncts(condition, &conjuncts);
  for (const ExprPtr& conjunct : conjuncts) {
    if (auto pushed = AsPushed(*conjunct, context_)) {
      down->conditions.push_back(*std::move(pushed));
      continue;
    }
    const auto* in = std::get_if<InExpr>(&conjunct->node);
    if (in == nullptr || in->negated) continue;
    std::vector<std::string> names;
    for (const ExprPtr& key : in->keys) names.push_back(PlainField(*key));
    ASSIGN_OR_RETURN(const EvaluatedSet* set, EvaluateSet(*in, names, node));
    if (!set->pushed.columns.empty()) down->sets.push_back(set->pushed);
  }
  return absl::OkStatus();
}

absl::StatusOr<BuiltPipeline> PlanBuilder::BuildSource(const Pipeline& pipeline, Pushdown down) {
  if (const auto* let = std::get_if<LetRef>(&pipeline.source)) return BuildLet(pipeline, *let, std::move(down));
  if (const auto* vector = std::get_if<VectorSource>(&pipeline.source)) return BuildVector(pipeline, *vector, down);
  const auto& source = std::get<EventSource>(pipeline.source);
  if (source.table == SourceTable::kSamples) return BuildSamples(pipeline, source, std::move(down));
  return BuildTable(pipeline, source, std::move(down));
}

absl::StatusOr<RowExpressionPtr> PlanBuilder::Bind(const Expr& expr, const Schema& schema, PlanNode* node) {
  HintAtUnknownNames(expr, schema);
  BindScope scope;
  scope.schema = &schema;
  scope.context = context_;
  scope.build_set = [this, node](
                        const InExpr& in,
                        const std::vector<std::string>& names) -> absl::StatusOr<std::shared_ptr<const MemberSet>> {
    ASSIGN_OR_RETURN(const EvaluatedSet* set, EvaluateSet(in, names, node));
    return set->set;
  };
  scope.scalar = [this, node, &expr](const Pipeline& pipeline) {
    return EvaluateScalar(pipeline, pipeline.place.length == 0 ? expr.place : pipeline.place, node);
  };
  return BindExpression(expr, scope);
}

void PlanBuilder::HintAtUnknownNames(const Expr& expr, const Schema& schema) {
  if (unknown_columns_.empty()) return;
  const auto find = [&](const Expr& side) {
    const std::string name = PlainField(side);
    const int at = name.empty() ? -1 : schema.Find(name);
    if (name.empty() || (at >= 0 && schema.columns[static_cast<size_t>(at)].type != Type::kNull)) {
      return unknown_columns_.end();
    }
    return std::find_if(unknown_columns_.begin(), unknown_columns_.end(),
                        [&](const auto& column) { return column.first == name; });
  };
  const auto unknown = [&](const Expr& side) { return find(side) != unknown_columns_.end(); };
  // `keep nosuch`, `sum(nosuch)`, `top 3 by nosuch`: nothing but nulls.
  if (const auto column = find(expr); column != unknown_columns_.end()) {
    context_->AddNote("hint", NoSuchColumn(ColumnsOf(column->second), column->first));
  }
  EachPart(expr, [&](const Expr& node) {
    const auto* binary = std::get_if<BinaryExpr>(&node.node);
    if (binary == nullptr || binary->op < BinaryOp::kEqual || binary->op > BinaryOp::kGreaterEqual) return;
    if (!unknown(*binary->right)) return;
    const std::string left = PlainField(*binary->left), right = PlainField(*binary->right);
    std::vector<const FieldRef*> fields;
    CollectFields(*binary->left, &fields);
    if (fields.empty()) return;  // beside a plain value it is meant as a column
    const bool both = unknown(*binary->left);
    context_->AddNote("hint", "no row has a column '" + (both ? left + "' or '" : "") + right + "', so " +
                                  (both ? "both are" : "it is") + " null; quote a text: \"" + right + "\"");
  });
}

absl::StatusOr<std::vector<NamedExpression>> PlanBuilder::BindItems(const std::vector<Item>& items,
                                                                    const Schema& schema, PlanNode* node) {
  std::vector<NamedExpression> bound;
  for (const Item& item : items) {
    ASSIGN_OR_RETURN(RowExpressionPtr expression, Bind(*item.expr, schema, node));
    bound.push_back(NamedExpression{ItemName(item), std::move(expression)});
  }
  return bound;
}

}  // namespace braid
