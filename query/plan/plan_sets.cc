// Sub-queries that stand in expressions: the sets of `in`, and scalar().

#include <algorithm>
#include <set>
#include <utility>

#include "query/plan/plan_builder.h"
#include "query/rows/cells.h"
#include "query/rows/expression_nodes.h"
#include "query/rows/time_text.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// The type of a built-in column wherever the name stands: how the members of a set are to be read.
Type ProbeType(const std::string& name) {
  const size_t dot = name.rfind('.');
  const std::string last = name.substr(dot == std::string::npos ? 0 : dot + 1);
  if (last == "linked_trace_id") return Type::kTraceId;
  for (const Table table : {Table::kSpans, Table::kLogs, Table::kLinks}) {
    for (const auto& [builtin, type] : BuiltinColumns(table)) {
      if (builtin == last && (type == Type::kTraceId || type == Type::kSpanId || IsEnum(type))) return type;
    }
  }
  return Type::kMixed;
}

std::string SetText(const InExpr& in, const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + (name.empty() ? std::string("...") : name);
  if (names.size() > 1) text = "(" + text + ")";
  text += in.negated ? " not in " : " in ";
  if (!in.set_name.empty()) return text + in.set_name;
  if (!in.set_param.empty()) return text + "$" + in.set_param;
  return text + (in.set_pipeline != nullptr ? "sub-query" : "list");
}

// Stands for a set that explain does not read.
class UnknownSet : public MemberSet {
 public:
  absl::StatusOr<std::vector<uint8_t>> Contains(const std::vector<const Column*>&, const Column*,
                                                size_t) const override {
    return absl::FailedPreconditionError("the set was planned, not read");
  }
};

}  // namespace

absl::StatusOr<RowSet> PlanBuilder::RowsOfSet(const InExpr& in, const std::vector<std::string>& names, PlanNode* node) {
  RowSet set;
  if (in.set_pipeline != nullptr || !in.set_name.empty()) {
    Pipeline reference;
    reference.source = LetRef{in.set_name};
    reference.place = in.set_place;
    reference.source_text = in.set_name;
    Pushdown down;
    down.range = BaseRange();
    down.ordered = false;
    BuiltPipeline built;
    if (in.set_pipeline != nullptr) {
      ASSIGN_OR_RETURN(built, BuildWhole(*in.set_pipeline, std::move(down)));
    } else {
      ASSIGN_OR_RETURN(built, BuildLet(reference, LetRef{in.set_name}, std::move(down)));
    }
    built.node->role = built.node->role.empty() ? "in" : "in " + in.set_name;
    if (node != nullptr) {
      // The input of the stage comes first; it is put there once it is built.
      node->Add(std::move(built.node));
    }
    std::unique_ptr<PlanNode> kept = std::move(built.node);
    if (dry_) {
      set.schema = built.op->schema();
      return set;
    }
    return ReadAll(BuiltPipeline{std::move(built.op), nullptr}, "in");
  }
  // Values: a column per key.
  std::vector<ColumnBuilder> columns(names.size());
  size_t rows = 0;
  const auto add = [&](const Expr& value, size_t key) -> absl::Status {
    if (const auto* word = std::get_if<FieldRef>(&value.node); word != nullptr && word->path.size() == 1) {
      const Type type = ProbeType(names[key]);
      const auto parsed = IsEnum(type) ? ParseEnumWord(type, word->path[0]) : std::nullopt;
      if (!parsed) {
        return ErrorAt(value.place, "E054", "a list of values cannot hold the column '" + word->path[0] + "'",
                       IsEnum(type) ? EnumHint(type, word->path[0]) : "texts stand in quotes");
      }
      columns[key].AppendInt(type, *parsed);
      return absl::OkStatus();
    }
    Schema nothing;
    ASSIGN_OR_RETURN(const RowExpressionPtr bound, Bind(value, nothing, node));
    const Column* constant = ConstantOf(bound);
    if (constant == nullptr) return ErrorAt(value.place, "E054", "a list holds values, not expressions on rows");
    const CellView cell = CellAt(*constant, 0);
    if (cell.type == Type::kString && names[key] == "time") {
      const auto time = TimeOfText(cell.text);
      if (!time) return ErrorAt(value.place, "E065", "\"" + std::string(cell.text) + "\" is not a time", kTimeHint);
      columns[key].AppendInt(Type::kTimestamp, *time);
      return absl::OkStatus();
    }
    if (cell.type == Type::kString && !cell.text.empty()) {
      const Type type = ProbeType(names[key]);
      TraceId trace;
      SpanId span;
      const std::string text(cell.text);
      if ((type == Type::kTraceId && !ParseTraceId(text, &trace)) ||
          (type == Type::kSpanId && !ParseSpanId(text, &span))) {
        return ErrorAt(value.place, "E068", "\"" + text + "\" is not an id",
                       in.set_param.empty() ? "hex digits, dashes allowed"
                                            : "a parameter holds one value; write several as `in ($a, $b)`");
      }
      if (IsEnum(type) && !ParseEnumWord(type, text)) {
        return ErrorAt(value.place, "E068", "'" + text + "' is not a " + std::string(ToString(type)),
                       EnumHint(type, text));
      }
    }
    columns[key].AppendFrom(*constant, 0);
    return absl::OkStatus();
  };
  std::vector<ExprPtr> values = in.set_values;
  if (!in.set_param.empty()) {
    auto parameter = std::make_shared<Expr>();
    parameter->node = ParamRef{in.set_param};
    parameter->place = in.set_place;
    values = {parameter};
  }
  for (const ExprPtr& value : values) {
    const auto* tuple = std::get_if<TupleExpr>(&value->node);
    const size_t width = tuple == nullptr ? 1 : tuple->parts.size();
    if (width != names.size()) {
      return ErrorAt(
          value->place, "E063",
          "the set has " + std::to_string(width) + " values where " + std::to_string(names.size()) + " are compared");
    }
    for (size_t key = 0; key < width; ++key) RETURN_IF_ERROR(add(tuple == nullptr ? *value : *tuple->parts[key], key));
    ++rows;
  }
  set.rows.num_rows = rows;
  for (size_t key = 0; key < names.size(); ++key) {
    set.rows.columns.push_back(columns[key].Finish());
    set.schema.columns.push_back({names[key], set.rows.columns.back().type});
  }
  return set;
}

absl::StatusOr<const PlanBuilder::EvaluatedSet*> PlanBuilder::EvaluateSet(const InExpr& in,
                                                                          const std::vector<std::string>& names,
                                                                          PlanNode* node) {
  const auto known = sets_.find(&in);
  if (known != sets_.end()) return &known->second;
  EvaluatedSet evaluated;
  evaluated.key_names = names;
  evaluated.pushed.text = SetText(in, names);
  const bool has_names = std::all_of(names.begin(), names.end(), [](const std::string& name) { return !name.empty(); });

  ASSIGN_OR_RETURN(RowSet rows, RowsOfSet(in, names, node));
  // The one column of a set matches whatever its name. Which columns there are is known from the text; a scan may give
  // fewer or more than that.
  std::optional<std::vector<std::string>> declared;
  if (in.set_pipeline != nullptr) declared = StaticColumns(*in.set_pipeline, lets_);
  if (const Pipeline* let = FindLet(in.set_name)) declared = StaticColumns(*let, lets_);
  SetInput input;
  input.num_rows = rows.rows.num_rows;
  for (size_t key = 0; key < names.size(); ++key) {
    const std::string& name = names[key];
    const TimeColumns times = FindTimeColumns(rows.schema);
    int index = rows.schema.Find(name);
    if (name == "time" && times.time >= 0) {
      index = times.time;
      if (!dry_ && times.end >= 0) input.ends = rows.rows.columns[static_cast<size_t>(times.end)];
    } else if (names.size() == 1 && declared && declared->size() == 1 && rows.schema.Find((*declared)[0]) >= 0) {
      index = rows.schema.Find((*declared)[0]);
    } else if (names.size() == 1 && rows.schema.columns.size() == 1) {
      index = 0;
    }
    const bool missing =
        index < 0 && declared && std::find(declared->begin(), declared->end(), name) == declared->end();
    if (name.empty() && index < 0) {
      return ErrorAt(in.set_place, "E063", "a computed key needs a set of one column", "| keep x");
    }
    if (missing) {
      std::string columns;
      for (const std::string& column : *declared) columns += (columns.empty() ? "" : ", ") + column;
      return ErrorAt(in.set_place, "E063", "the set has no column '" + name + "'", "it has: " + columns);
    }
    input.names.push_back(name.empty() ? "key" : name);
    input.probe_types.push_back(name == "time" ? Type::kTimestamp : ProbeType(name));
    if (dry_) continue;
    if (index < 0) {
      // No row of the set has such a column: it is null everywhere.
      Column nulls;
      nulls.size = rows.rows.num_rows;
      input.columns.push_back(std::move(nulls));
    } else {
      input.columns.push_back(rows.rows.columns[static_cast<size_t>(index)]);
    }
  }
  if (dry_) {
    evaluated.set = std::make_shared<UnknownSet>();
    if (has_names) {
      evaluated.pushed.columns = names;
      evaluated.pushed.planned_only = true;
    }
    return &sets_.emplace(&in, std::move(evaluated)).first->second;
  }
  auto built = BuildMemberSet(input, context_);
  if (!built.ok()) {
    if (absl::IsInvalidArgument(built.status()) && !ErrorOf(built.status())) {
      return ErrorAt(in.set_place, "E063", std::string(built.status().message()));
    }
    return built.status();
  }
  if (built->only_instants && built->size > 0) {
    context_->AddNote("hint",
                      "nothing overlaps an instant but another at the very same time; add `| windows pad 30s` to " +
                          (in.set_name.empty() ? std::string("the set") : in.set_name));
  }
  evaluated.set = built->set;
  PushedSet& pushed = evaluated.pushed;
  if (has_names) {
    pushed.columns = names;
    pushed.trace_ids = built->trace_ids;
    pushed.trace_key = built->trace_key;
    pushed.intervals = built->intervals;
    if (pushed.intervals != nullptr) {
      for (const ColumnRef& key : pushed.intervals->keys) pushed.interval_columns.push_back(key.name);
    }
    if (names.size() == 1 && input.columns[0].type == Type::kString && built->size <= kListedTextsMax) {
      std::set<std::string> texts;
      for (size_t row = 0; row < input.num_rows; ++row) {
        if (!input.columns[0].IsNull(row)) texts.emplace(input.columns[0].StringAt(row));
      }
      pushed.texts.assign(texts.begin(), texts.end());
    }
  }
  pushed.time = built->time;
  pushed.size = built->size;
  if (node != nullptr) node->details.push_back("set of " + std::to_string(built->size));
  return &sets_.emplace(&in, std::move(evaluated)).first->second;
}

absl::StatusOr<Value> PlanBuilder::EvaluateScalar(const Pipeline& pipeline, const Place& place, PlanNode* node) {
  Pushdown down;
  down.range = BaseRange();
  ASSIGN_OR_RETURN(BuiltPipeline built, BuildWhole(pipeline, std::move(down)));
  built.node->role = "scalar";
  if (node != nullptr) node->Add(std::move(built.node));
  const std::unique_ptr<PlanNode> kept = std::move(built.node);
  if (dry_) return Value();
  ASSIGN_OR_RETURN(const RowSet rows, ReadAll(BuiltPipeline{std::move(built.op), nullptr}, "scalar"));
  if (rows.rows.num_rows != 1) {
    return ErrorAt(place, "E062",
                   "scalar() needs exactly one row, this pipeline gave " + std::to_string(rows.rows.num_rows),
                   "end it with `| stats ...` without `by`, or `| limit 1`");
  }
  const Column& column = rows.rows.columns.back();
  const CellView cell = CellAt(column, 0);
  // Values know no durations and times: as numbers they are seconds.
  if (cell.type == Type::kDuration || cell.type == Type::kTimestamp) return Value(*NumberOf(cell));
  return column.ValueAt(0);
}

}  // namespace braid
