// Stages that have one input: binding their expressions and choosing their operators.

#include <algorithm>
#include <set>
#include <utility>

#include "query/plan/plan_builder.h"
#include "query/rows/aggregate.h"
#include "query/rows/cells.h"
#include "query/rows/expression_nodes.h"
#include "query/rows/windows.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// The longest range selector of a vector expression.
Duration LongestRange(const Expr& expr) {
  Duration longest = 0;
  const auto include = [&longest](const ExprPtr& child) {
    if (child != nullptr) longest = std::max(longest, LongestRange(*child));
  };
  if (const auto* selector = std::get_if<Selector>(&expr.node)) return selector->range.value_or(0);
  if (const auto* subquery = std::get_if<SubqueryExpr>(&expr.node)) {
    include(subquery->inner);
    return longest + subquery->range;
  }
  if (const auto* node = std::get_if<AggregationExpr>(&expr.node)) include(node->inner);
  if (const auto* node = std::get_if<UnaryExpr>(&expr.node)) include(node->operand);
  if (const auto* node = std::get_if<ParenExpr>(&expr.node)) include(node->inner);
  if (const auto* node = std::get_if<BinaryExpr>(&expr.node)) {
    include(node->left);
    include(node->right);
  }
  if (const auto* node = std::get_if<CallExpr>(&expr.node)) {
    for (const Item& argument : node->args) include(argument.expr);
  }
  return longest;
}

// A status without a place gets that of the stage.
absl::Status AtStage(const absl::Status& status, const Stage& stage, const char* code) {
  if (status.ok() || !absl::IsInvalidArgument(status) || ErrorOf(status)) return status;
  return ErrorAt(stage.place, code, std::string(status.message()));
}

absl::StatusOr<OperatorPtr> AtStage(absl::StatusOr<OperatorPtr> op, const Stage& stage, const char* code) {
  if (op.ok()) return op;
  return AtStage(op.status(), stage, code);
}

}  // namespace

absl::StatusOr<OperatorPtr> PlanBuilder::ApplyStage(const Pipeline& pipeline, size_t index, OperatorPtr input,
                                                    PlanNode* node, TimeRange range) {
  const Stage& stage = pipeline.stages[index];
  const Schema schema = input->schema();
  if (const auto* filter = std::get_if<LineFilter>(&stage.node)) {
    return AtStage(MakeLineFilter(std::move(input), *filter, context_), stage, "E058");
  }
  if (const auto* where = std::get_if<WhereStage>(&stage.node)) {
    ASSIGN_OR_RETURN(RowExpressionPtr condition, Bind(*where->condition, schema, node));
    return MakeFilter(std::move(input), std::move(condition), context_);
  }
  if (const auto* extend = std::get_if<ExtendStage>(&stage.node)) {
    Schema seen = schema;
    std::vector<NamedExpression> items;
    for (const Item& item : extend->items) {
      ASSIGN_OR_RETURN(RowExpressionPtr bound, Bind(*item.expr, seen, node));
      seen = WithColumn(std::move(seen), ItemName(item), bound->type());
      items.push_back(NamedExpression{ItemName(item), std::move(bound)});
    }
    return MakeExtend(std::move(input), std::move(items), context_);
  }
  if (const auto* keep = std::get_if<KeepStage>(&stage.node)) {
    ASSIGN_OR_RETURN(std::vector<NamedExpression> items, BindItems(keep->items, schema, node));
    return MakeKeep(std::move(input), std::move(items), context_);
  }
  if (const auto* drop = std::get_if<DropStage>(&stage.node)) {
    std::vector<std::string> names;
    for (const Item& item : drop->items) names.push_back(ItemName(item));
    return MakeDrop(std::move(input), names, context_);
  }
  if (const auto* top = std::get_if<TopStage>(&stage.node)) {
    ASSIGN_OR_RETURN(RowExpressionPtr by, Bind(*top->expr, schema, node));
    std::vector<RowExpressionPtr> per;
    for (const Item& item : top->per) {
      ASSIGN_OR_RETURN(RowExpressionPtr bound, Bind(*item.expr, schema, node));
      per.push_back(std::move(bound));
    }
    return MakeTop(std::move(input), top->count, std::move(by), std::move(per), context_);
  }
  if (const auto* sort = std::get_if<SortStage>(&stage.node)) {
    std::vector<SortSpec> keys;
    for (const SortKey& key : sort->keys) {
      ASSIGN_OR_RETURN(RowExpressionPtr bound, Bind(*key.expr, schema, node));
      keys.push_back(SortSpec{std::move(bound), key.descending});
    }
    return MakeSort(std::move(input), std::move(keys), context_);
  }
  if (const auto* limit = std::get_if<LimitStage>(&stage.node)) {
    return limit->tail ? MakeTail(std::move(input), limit->count, context_)
                       : MakeLimit(std::move(input), limit->count, context_);
  }
  if (const auto* dedup = std::get_if<DedupStage>(&stage.node)) {
    std::vector<RowExpressionPtr> keys;
    for (const Item& item : dedup->keys) {
      ASSIGN_OR_RETURN(RowExpressionPtr bound, Bind(*item.expr, schema, node));
      keys.push_back(std::move(bound));
    }
    return MakeDedup(std::move(input), std::move(keys), context_);
  }
  if (const auto* compare = std::get_if<CompareStage>(&stage.node)) {
    ASSIGN_OR_RETURN(RowExpressionPtr condition, Bind(*compare->condition, schema, node));
    std::vector<const FieldRef*> fields;
    CollectFields(*compare->condition, &fields);
    std::vector<std::string> excluded;
    for (const FieldRef* field : fields) excluded.push_back(FieldName(*field));
    return MakeCompare(std::move(input), std::move(condition), std::move(excluded), compare->top, context_);
  }
  if (const auto* stats = std::get_if<StatsStage>(&stage.node)) {
    return AtStage(ApplyStats(*stats, std::move(input), node), stage, "E061");
  }
  if (const auto* windows = std::get_if<WindowsStage>(&stage.node)) {
    return AtStage(ApplyWindows(pipeline, index, *windows, std::move(input), node), stage, "E061");
  }
  if (const auto* parse = std::get_if<ParseStage>(&stage.node)) {
    return AtStage(ApplyParse(pipeline, index, *parse, std::move(input), node), stage, "E058");
  }
  if (const auto* around = std::get_if<ContextStage>(&stage.node)) {
    return AtStage(ApplyContext(pipeline, index, *around, std::move(input), node, range), stage, "E061");
  }
  return absl::InternalError("a stage with two inputs came to the stages with one");
}

absl::StatusOr<OperatorPtr> PlanBuilder::ApplyStats(const StatsStage& stats, OperatorPtr input, PlanNode* node) {
  const Schema schema = input->schema();
  StatsSpec spec;
  spec.window = stats.window;
  ASSIGN_OR_RETURN(spec.by, BindItems(stats.by, schema, node));
  std::set<std::string> names;
  for (const NamedExpression& key : spec.by) names.insert(key.name);
  for (const Item& item : stats.aggregates) {
    if (!names.insert(ItemName(item)).second) {
      return ErrorAt(item.place.length == 0 ? item.expr->place : item.place, "E022",
                     "stats would have two columns named '" + ItemName(item) + "'", "give this one another name");
    }
    const Expr* expr = item.expr.get();
    while (const auto* paren = std::get_if<ParenExpr>(&expr->node)) expr = paren->inner.get();
    const auto* call = std::get_if<CallExpr>(&expr->node);
    const Place& place = item.place.length == 0 ? expr->place : item.place;
    if (call == nullptr) {
      return ErrorAt(place, "E064", "stats takes aggregates such as count() or max(duration)",
                     "calculate with their results in a following `| extend`");
    }
    const auto function = FindAggregate(call->function, call->args.size());
    if (!function) {
      bool known = false;
      for (size_t arguments = 0; arguments <= 3; ++arguments) known = known || FindAggregate(call->function, arguments);
      return ErrorAt(call->name_place, known ? "E061" : "E060",
                     known ? call->function + "() does not take " + std::to_string(call->args.size()) + " arguments"
                           : "unknown aggregate " + call->function + "()",
                     known ? ""
                           : "there are: count count_if rate sum avg min max stddev quantile histogram distinct any "
                             "first last arg_min arg_max corr values");
    }
    AggregateItem aggregate;
    aggregate.name = ItemName(item);
    aggregate.function = *function;
    std::vector<RowExpressionPtr> arguments;
    for (const Item& argument : call->args) {
      ASSIGN_OR_RETURN(RowExpressionPtr bound, Bind(*argument.expr, schema, node));
      arguments.push_back(std::move(bound));
    }
    size_t values = 0;
    if (*function == AggregateFunction::kQuantile) {
      const Column* constant = ConstantOf(arguments[0]);
      const auto quantile = constant == nullptr ? std::nullopt : NumberOf(CellAt(*constant, 0));
      if (!quantile || !(*quantile >= 0 && *quantile <= 1)) {
        return ErrorAt(call->args[0].expr->place, "E061", "quantile() needs a constant between 0 and 1 first",
                       "quantile(0.95, duration)");
      }
      aggregate.quantile = *quantile;
      values = 1;
    } else if (*function == AggregateFunction::kValues && arguments.size() == 2) {
      const Column* constant = ConstantOf(arguments[1]);
      const auto count = constant == nullptr ? std::nullopt : NumberOf(CellAt(*constant, 0));
      if (!count || !(*count >= 1 && *count <= static_cast<double>(kAggregateValuesMax))) {
        return ErrorAt(call->args[1].expr->place, "E061",
                       "values() needs a constant number of 1 to " + std::to_string(kAggregateValuesMax));
      }
      aggregate.values_max = static_cast<uint64_t>(*count);
      arguments.pop_back();
    }
    if (values < arguments.size()) aggregate.x = arguments[values];
    if (values + 1 < arguments.size()) aggregate.y = arguments[values + 1];
    spec.aggregates.push_back(std::move(aggregate));
  }
  return MakeStats(std::move(input), std::move(spec), context_);
}

absl::StatusOr<OperatorPtr> PlanBuilder::ApplyWindows(const Pipeline& pipeline, size_t stage,
                                                      const WindowsStage& windows, OperatorPtr input, PlanNode* node) {
  const Schema schema = input->schema();
  WindowsSpec spec;
  spec.step = schema.kind == Kind::kSeries && context_->start != context_->end ? context_->step : 0;
  spec.gap = windows.gap.value_or(spec.step);
  if (windows.pad) spec.pad = {windows.pad->from.value, windows.pad->to.value};
  if (windows.has_by) {
    ASSIGN_OR_RETURN(spec.by, BindItems(windows.by, schema, node));
  } else if (schema.kind != Kind::kEvents) {
    static constexpr std::string_view kOwn[] = {"time", "start", "end", "n", "peak", "value", "histogram"};
    for (size_t i = 0; i < schema.columns.size(); ++i) {
      const SchemaColumn& column = schema.columns[i];
      const bool label = schema.kind == Kind::kWindows
                             ? std::find(std::begin(kOwn), std::end(kOwn), column.name) == std::end(kOwn)
                             : column.type == Type::kString;
      if (label) spec.by.push_back(NamedExpression{column.name, MakeColumnRead(i, column.type)});
    }
  }
  // What a range selector saw lies before the samples that it made.
  if (schema.kind == Kind::kSeries && stage < pipeline.stages.size()) {
    const Expr* vector = nullptr;
    if (const auto* source = std::get_if<VectorSource>(&pipeline.source)) vector = source->expr.get();
    if (const auto* let = std::get_if<LetRef>(&pipeline.source)) {
      if (const Pipeline* named = FindLet(let->name)) vector = PureVector(*named);
    }
    const Duration selected = vector == nullptr ? 0 : LongestRange(*vector);
    if (selected > 0 && spec.pad.first > -selected) {
      context_->AddNote("hint", "windows are made of values over ranges of " + FormatDuration(selected) + "; `pad -" +
                                    FormatDuration(selected) + "..0s` makes them include what was seen");
    }
  }
  return MakeWindows(std::move(input), std::move(spec), context_);
}

absl::StatusOr<OperatorPtr> PlanBuilder::ApplyParse(const Pipeline& pipeline, size_t stage, const ParseStage& parse,
                                                    OperatorPtr input, PlanNode* node) {
  ParseSpec spec;
  spec.format = parse.format;
  spec.pattern = parse.pattern;
  if (parse.from != nullptr) {
    ASSIGN_OR_RETURN(spec.from, Bind(*parse.from, input->schema(), node));
  }
  Table table = Table::kLogs;
  if (const auto* source = std::get_if<EventSource>(&pipeline.source)) table = TableOf(source->table);
  for (const auto& [name, type] : BuiltinColumns(table)) spec.builtins.push_back(name);
  const ColumnNeeds& needs = needs_.At(pipeline, stage + 1);
  if (!needs.all && (parse.format == ParseStage::Format::kJson || parse.format == ParseStage::Format::kLogfmt)) {
    spec.columns.emplace(needs.names.begin(), needs.names.end());
    // `attr.x` after parsing means the x that was parsed.
    for (const std::string& name : needs.names) {
      if (name.rfind("attr.", 0) == 0) spec.columns->push_back(name.substr(5));
    }
  }
  // Names that parsing makes are not unknown, whatever the table has.
  std::erase_if(unknown_columns_, [table](const auto& unknown) { return unknown.second == table; });
  return MakeParse(std::move(input), std::move(spec), context_);
}

absl::StatusOr<OperatorPtr> PlanBuilder::ApplyContext(const Pipeline& pipeline, size_t stage,
                                                      const ContextStage& around, OperatorPtr input, PlanNode* node,
                                                      TimeRange range) {
  (void)node;
  ContextSpec spec;
  spec.window = around.window;
  const TableColumns& columns = ColumnsOf(Table::kLogs);
  std::vector<std::string> names;
  for (const SchemaColumn& column : input->schema().columns) names.push_back(column.name);
  for (const std::string& name : SourceOrderColumns(Table::kLogs)) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  (void)stage;
  (void)pipeline;
  Pushdown any;
  any.range = range;
  std::vector<std::string> details;
  spec.reader_schema = PlanTableScan(columns, names, any, 0, context_, &details).schema;
  spec.bounds = range;
  const auto widen = [](const Bound& bound) { return bound.is_count ? Duration{0} : bound.value; };
  spec.bounds.start = Moved(range.start, std::min<Duration>(widen(around.window.from), 0));
  spec.bounds.end = Moved(range.end, std::max<Duration>(widen(around.window.to), 0));
  spec.reader = [this, &columns, names](int64_t stream, TimeRange time) -> absl::StatusOr<RecordBatch> {
    Pushdown down;
    down.range = time;
    std::vector<std::string> used;
    TableScan plan = PlanTableScan(columns, names, down, 0, context_, &used);
    plan.spec.predicates.push_back(
        Predicate{ColumnRef{ColumnLevel::kBuiltin, "stream"}, Predicate::Op::kEqual, {Value(stream)}});
    ASSIGN_OR_RETURN(OperatorPtr scan, OpenTableScan(std::move(plan), context_, nullptr));
    const Schema schema = scan->schema();
    const auto column = static_cast<size_t>(schema.Find("stream"));
    scan = MakeFilter(
        std::move(scan),
        MakeComparison(BinaryOp::kEqual, MakeColumnRead(column, Type::kInt), MakeConstant(IntCell(Type::kInt, stream))),
        context_);
    scan = MakeSourceOrder(std::move(scan), Table::kLogs, names, std::nullopt, std::nullopt, nullptr, context_);
    return Drain(scan.get(), context_, "context");
  };
  // The columns by which streams are found again go unless a later stage names them.
  const ColumnNeeds& needs = needs_.At(pipeline, stage + 1);
  ASSIGN_OR_RETURN(OperatorPtr op, MakeContext(std::move(input), std::move(spec), context_));
  if (needs.names.count("stream") == 0) op = MakeDrop(std::move(op), {"stream"}, context_);
  return op;
}

}  // namespace braid
