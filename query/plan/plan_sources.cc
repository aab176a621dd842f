// Sources of pipelines: tables, samples, vectors, lets.

#include <algorithm>
#include <utility>

#include "query/plan/plan_builder.h"
#include "query/plan/query_range.h"
#include "query/plan/series_reason.h"
#include "query/plan/span_source.h"
#include "query/syntax/literals.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

std::string SourceText(const Pipeline& pipeline) {
  if (!pipeline.source_text.empty()) return pipeline.source_text;
  if (const auto* vector = std::get_if<VectorSource>(&pipeline.source)) return Print(*vector->expr);
  if (const auto* let = std::get_if<LetRef>(&pipeline.source)) return let->name;
  return "source";
}

std::unique_ptr<PlanNode> SourceNode(const Pipeline& pipeline, TimeRange range) {
  auto node = std::make_unique<PlanNode>();
  node->text = SourceText(pipeline);
  node->is_source = true;
  node->range = range;
  return node;
}

// Names that stages ask for without meaning a column of a table.
bool IsStageName(const std::string& name) {
  return name == "start" || name == "end" || name == "value" || name == "peak" || name == "stream" || name == "time";
}

}  // namespace

absl::StatusOr<OperatorPtr> PlanBuilder::FilterMatchers(OperatorPtr op, const Spanset* spanset, PlanNode* node) {
  if (spanset == nullptr) return op;
  const Schema schema = op->schema();
  for (const ExprPtr& matcher : spanset->matchers) {
    ASSIGN_OR_RETURN(RowExpressionPtr condition, Bind(*matcher, schema, node));
    op = MakeFilter(std::move(op), std::move(condition), context_);
  }
  return op;
}

absl::StatusOr<BuiltPipeline> PlanBuilder::BuildTable(const Pipeline& pipeline, const EventSource& source,
                                                      Pushdown down) {
  BuiltPipeline built;
  built.node = SourceNode(pipeline, down.range);
  PlanNode* node = built.node.get();
  node->is_table = true;
  node->table = TableOf(source.table);
  const TableColumns& columns = ColumnsOf(node->table);

  const ColumnNeeds& needs = needs_.At(pipeline, 0);
  std::vector<std::string> names;
  const auto add = [&names](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  if (needs.all) names = columns.Default();
  for (const std::string& name : needs.names) add(name);
  if (down.carry_order) {
    for (const std::string& name : SourceOrderColumns(node->table)) add(name);
  }
  // Something must be read to count rows.
  if (names.empty()) add("time");
  bool whole_traces = false;
  for (const std::string& name : names) {
    if (node->table == Table::kSpans && IsTraceColumn(name)) {
      whole_traces = true;
    } else if (!IsStageName(name) && columns.Resolve(name).empty()) {
      unknown_columns_.emplace_back(name, node->table);
    }
  }

  const Spanset* spanset = source.spanset.get();
  const bool structural = spanset != nullptr && !spanset->leaf();
  const Spanset* certain = spanset == nullptr ? nullptr : ResultLeaf(*spanset);
  if (certain != nullptr) {
    for (const ExprPtr& matcher : certain->matchers) RETURN_IF_ERROR(PushCondition(matcher, &down, node));
  }
  node->rows_estimated = columns.EstimateRows(down.range);
  if (whole_traces || structural) {
    SpanSourceSpec spec;
    spec.columns = names;
    // The leaves are matched on whole traces: what they read must be there, too.
    spec.spanset = spanset;
    spec.down = std::move(down);
    spec.offset = source.offset;
    spec.bind = [this, node](const Expr& matcher, const Schema& schema) { return Bind(matcher, schema, node); };
    node->bytes_estimated = node->rows_estimated * (columns.EstimateRowBytes(names) + 32);
    node->details.push_back(structural ? "whole traces, nested sets" : "whole traces");
    ASSIGN_OR_RETURN(built.op, MakeSpanSource(columns, std::move(spec), context_, node, dry_));
    built.op = Measure(std::move(built.op), node);
    return built;
  }
  TableScan scan = PlanTableScan(columns, names, down, source.offset, context_, &node->details);
  if (scan.empty) node->rows_estimated = 0;
  if (scan.spec.trace_ids != nullptr) {
    node->rows_estimated = std::min(node->rows_estimated, 20.0 * static_cast<double>(scan.spec.trace_ids->size()));
  }
  node->bytes_estimated = node->rows_estimated * columns.EstimateRowBytes(names);
  PlanNode* counted = node;
  if (dry_ && !scan.empty) {
    RETURN_IF_ERROR(EstimateScan(scan, context_, node));
    scan.empty = true;
    counted = nullptr;
  }
  if (down.slices != nullptr) CutIntoSlices(columns, down.slices, context_, &scan);
  ASSIGN_OR_RETURN(built.op, OpenTableScan(std::move(scan), context_, counted));
  ASSIGN_OR_RETURN(built.op, FilterMatchers(std::move(built.op), spanset, node));
  built.op = Measure(std::move(built.op), node);
  return built;
}

absl::StatusOr<BuiltPipeline> PlanBuilder::BuildSamples(const Pipeline& pipeline, const EventSource& source,
                                                        Pushdown down) {
  BuiltPipeline built;
  built.node = SourceNode(pipeline, down.range);
  PlanNode* node = built.node.get();
  const Spanset* spanset = source.spanset.get();
  if (spanset != nullptr) {
    for (const ExprPtr& matcher : spanset->matchers) RETURN_IF_ERROR(PushCondition(matcher, &down, node));
  }
  TimeRange range = down.range;
  range.start = Moved(range.start, -source.offset);
  range.end = Moved(range.end, -source.offset);
  std::vector<Matcher> matchers = MatchersOf(down.conditions);
  for (const Matcher& matcher : matchers)
    node->details.push_back("pushed " + matcher.name + " = \"" + matcher.value + "\"");
  if (source.offset == 0) {
    for (const PushedSet& set : down.sets) {
      if (set.intervals == nullptr) continue;
      range.start = std::max(range.start, set.time.start);
      range.end = std::min(range.end, set.time.end);
      if (auto matcher = MatcherOfKeys(set)) {
        node->details.push_back(set.text + " (" + std::to_string(set.intervals->entries.size()) + " keys)");
        matchers.push_back(*std::move(matcher));
      }
    }
  }
  ASSIGN_OR_RETURN(built.op, OpenSamples(matchers, range, needs_.At(pipeline, 0), context_, node));
  if (source.offset != 0) {
    ASSIGN_OR_RETURN(RecordBatch rows, Drain(built.op.get(), context_, "samples"));
    const Schema schema = built.op->schema();
    const int time = schema.Find("time");
    for (int64_t& value : rows.columns[static_cast<size_t>(time)].ints) value += source.offset;
    built.op = MakeBatchSource(schema, std::move(rows));
  }
  ASSIGN_OR_RETURN(built.op, FilterMatchers(std::move(built.op), spanset, node));
  built.op = Measure(std::move(built.op), node);
  return built;
}

absl::StatusOr<VectorResult> PlanBuilder::EvaluateAt(const Expr& expr, const std::vector<Timestamp>& times,
                                                     PlanNode* node, Duration lookback) {
  VectorContext vector;
  vector.threads = context_->threads;
  vector.snapshot = context_->snapshot;
  vector.start = context_->start;
  vector.end = context_->end;
  vector.step = context_->start == context_->end ? 0 : context_->step;
  vector.lookback = lookback;
  vector.params = &context_->params;
  vector.limits = context_->limits;
  vector.memory = context_->memory();
  vector.cancel = context_->cancel;
  vector.deadline_monotonic = context_->deadline_steady_ns;
  std::vector<Note> notes;
  ScanStats stats;
  vector.notes = &notes;
  vector.stats = &stats;
  vector.evaluate_pipeline = [this, node](const Pipeline& pipeline, const std::vector<Timestamp>& at) {
    return EvaluateOperand(pipeline, at, node);
  };
  vector.evaluate_let = [this, node](const std::string& name,
                                     const std::vector<Timestamp>& at) -> absl::StatusOr<VectorResult> {
    const Pipeline* let = FindLet(name);
    if (let == nullptr) return absl::InvalidArgumentError("no `let` is named " + name);
    return EvaluateOperand(*let, at, node);
  };
  ASSIGN_OR_RETURN(VectorResult result, EvaluateVector(expr, times, vector));
  for (Note& note : notes) context_->AddNote(std::move(note.kind), std::move(note.text));
  for (const std::string& damaged : stats.damaged) context_->AddNote("partial", "samples are missing: " + damaged);
  node->scan.Add(stats);
  return result;
}

absl::StatusOr<VectorResult> PlanBuilder::EvaluateOperand(const Pipeline& pipeline, const std::vector<Timestamp>& times,
                                                          PlanNode* node) {
  if (const Expr* vector = PureVector(pipeline)) return EvaluateAt(*vector, times, node, 300 * kSecond);
  ASSIGN_OR_RETURN(const std::vector<Timestamp> grid,
                   StepGrid(context_->start, context_->start == context_->end ? 0 : context_->step, BaseRange()));
  const auto evaluate = [&](PlanBuilder* builder, TimeRange range,
                            const std::vector<Timestamp>& at) -> absl::StatusOr<VectorResult> {
    Pushdown down;
    down.range = range;
    ASSIGN_OR_RETURN(BuiltPipeline built, builder->BuildWhole(pipeline, std::move(down)));
    built.node->role = "operand";
    PlanNode* child = node->Add(std::move(built.node));
    ASSIGN_OR_RETURN(const RowSet rows, builder->ReadAll(BuiltPipeline{std::move(built.op), nullptr}, "operand"));
    (void)child;
    auto result = VectorOfRows(rows.schema, rows.rows, at, context_);
    if (!result.ok() && absl::IsInvalidArgument(result.status()) && !ErrorOf(result.status())) {
      return ErrorAt(pipeline.place, "E066", std::string(result.status().message()));
    }
    return result;
  };
  if (times == grid) return evaluate(this, BaseRange(), times);
  // Other instants: as one grid if they are evenly spaced, else one by one.
  const auto child_builder = [&](Timestamp start, Timestamp end, Duration step) {
    auto context = std::make_unique<QueryContext>(*context_);
    context->start = start;
    context->end = end;
    context->step = step;
    contexts_.push_back(std::move(context));
    builders_.push_back(std::make_unique<PlanBuilder>(query_, contexts_.back().get(), dry_));
    return builders_.back().get();
  };
  bool even = true;
  for (size_t i = 2; i < times.size(); ++i) even = even && times[i] - times[i - 1] == times[1] - times[0];
  VectorResult all;
  if (even) {
    const Duration step = times.size() > 1 ? times[1] - times[0] : context_->step;
    PlanBuilder* builder = child_builder(times.front(), times.back(), step);
    auto result = evaluate(builder, TimeRange{times.front(), times.back()}, times);
    for (const Note& note : contexts_.back()->notes()) context_->AddNote(note.kind, note.text);
    return result;
  }
  constexpr size_t kInstantsMax = 1000;
  if (times.size() > kInstantsMax) {
    return ErrorAt(pipeline.place, "E085",
                   "a pipeline inside a vector expression would be run for each of " + std::to_string(times.size()) +
                       " instants; at most " + std::to_string(kInstantsMax) + " are allowed",
                   "take a longer step or a shorter range");
  }
  std::map<Labels, VectorSeries> series;
  for (size_t i = 0; i < times.size(); ++i) {
    PlanBuilder* builder = child_builder(times[i], times[i], context_->step);
    ASSIGN_OR_RETURN(const VectorResult one, evaluate(builder, TimeRange{times[i], times[i]}, {times[i]}));
    for (const VectorSeries& point : one.series) {
      VectorSeries& target = series[point.labels];
      target.labels = point.labels;
      target.present.resize(times.size());
      target.values.resize(times.size());
      target.present[i] = point.present[0];
      target.values[i] = point.values[0];
    }
  }
  for (auto& [labels, entry] : series) all.series.push_back(std::move(entry));
  return all;
}

void PlanBuilder::HintAtGaps(const Expr& expr) {
  // Who names a step means it.
  const Duration step = context_->step;
  if (context_->start == context_->end || step != DefaultStep(context_->end - context_->start)) return;
  std::vector<const Selector*> selectors;
  CollectSelectors(expr, &selectors);
  for (const Selector* selector : selectors) {
    if (!selector->range || selector->range_expr != nullptr || *selector->range >= step) continue;
    context_->AddNote("hint", "step " + PrintDuration(step) + " is longer than the window [" +
                                  PrintDuration(*selector->range) +
                                  "]: most samples are not seen; pass start, end and step");
    return;
  }
}

absl::StatusOr<BuiltPipeline> PlanBuilder::BuildVector(const Pipeline& pipeline, const VectorSource& source,
                                                       const Pushdown& down) {
  BuiltPipeline built;
  built.node = SourceNode(pipeline, down.range);
  const Duration step = context_->start == context_->end ? 0 : context_->step;
  TimeRange range = down.range;
  // Conditions on the time leave steps out; the series at the others stay what they are.
  ASSIGN_OR_RETURN(const std::vector<Timestamp> times, StepGrid(context_->start, step, range));
  RowSet rows;
  rows.schema.kind = Kind::kSeries;
  rows.schema.columns = {{"time", Type::kTimestamp}, {"value", Type::kDouble}};
  const ColumnNeeds& needs = needs_.At(pipeline, 0);
  if (dry_ || times.empty()) {
    built.node->details.push_back(std::to_string(times.size()) + " steps");
    for (const std::string& name : needs.names) {
      if (rows.schema.Find(name) < 0) rows.schema.columns.push_back({name, Type::kString});
    }
    for (const SchemaColumn& column : rows.schema.columns)
      rows.rows.columns.push_back(ColumnBuilder(column.type).Finish());
  } else {
    HintAtGaps(*source.expr);
    const int64_t begin = PlanClock();
    ASSIGN_OR_RETURN(const VectorResult vector, EvaluateAt(*source.expr, times, built.node.get(), 300 * kSecond));
    built.node->details.push_back("series " + std::to_string(vector.series.size()) + "  steps " +
                                  std::to_string(times.size()));
    ASSIGN_OR_RETURN(rows, RowsOfVector(vector, times, needs, context_));
    built.node->prepare_ns = PlanClock() - begin;
  }
  built.op = Measure(MakeBatchSource(std::move(rows.schema), std::move(rows.rows)), built.node.get());
  return built;
}

absl::StatusOr<BuiltPipeline> PlanBuilder::BuildLet(const Pipeline& pipeline, const LetRef& let, Pushdown down) {
  const Pipeline* named = FindLet(let.name);
  if (named == nullptr) return ErrorAt(pipeline.place, "E020", "no `let` is named " + let.name);
  if (needs_.UsesOf(let.name) <= 1 || dry_) {
    ASSIGN_OR_RETURN(BuiltPipeline built, BuildWhole(*named, std::move(down)));
    built.node->role = "let " + let.name;
    return built;
  }
  // Used more than once: read once per range, without what one of the users knows.
  BuiltPipeline built;
  built.node = SourceNode(pipeline, down.range);
  built.node->text = let.name;
  const auto key = std::pair(let.name, std::pair(down.range.start, down.range.end));
  auto found = evaluated_lets_.find(key);
  if (found == evaluated_lets_.end()) {
    Pushdown plain;
    plain.range = down.range;
    ASSIGN_OR_RETURN(BuiltPipeline whole, BuildWhole(*named, std::move(plain)));
    whole.node->role = "let " + let.name;
    built.node->Add(std::move(whole.node));
    ASSIGN_OR_RETURN(RowSet rows, ReadAll(BuiltPipeline{std::move(whole.op), nullptr}, "let"));
    found = evaluated_lets_.emplace(key, std::move(rows)).first;
  } else {
    built.node->details.push_back("evaluated above");
  }
  built.op = Measure(MakeBatchSource(found->second.schema, found->second.rows), built.node.get());
  return built;
}

}  // namespace braid
