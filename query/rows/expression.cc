#include "query/rows/expression.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "query/rows/expression_nodes.h"
#include "query/rows/functions.h"
#include "query/rows/member_sets.h"
#include "query/rows/time_text.h"
#include "query/syntax/errors.h"
#include "query/syntax/function_table.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// TraceQL's names of what has a name here already.
struct Alias {
  std::string_view theirs;
  std::string_view ours;
};
constexpr Alias kAliases[] = {
    {"span:duration", "duration"},
    {"span:name", "name"},
    {"span:kind", "kind"},
    {"span:status", "status"},
    {"span:statusMessage", "status_message"},
    {"span:id", "span_id"},
    {"span:parentID", "parent_id"},
    {"trace:id", "trace_id"},
    {"trace:duration", "trace.duration"},
    {"trace:rootName", "root.name"},
    {"trace:rootService", "root.service"},
    {"event:name", "name"},
    {"link:traceID", "linked_trace_id"},
    {"link:spanID", "linked_span_id"},
    {"instrumentation:name", "scope.name"},
    {"instrumentation:version", "scope.version"},
};

// The enum that a name stands for wherever it is built in.
Type EnumOfName(const FieldRef& field) {
  const std::string name = FieldName(field);
  const size_t dot = name.rfind('.');
  const std::string_view last = std::string_view(name).substr(dot == std::string::npos ? 0 : dot + 1);
  if (last == "level") return Type::kLevel;
  if (last == "status") return Type::kStatus;
  if (last == "kind") return Type::kSpanKind;
  return Type::kNull;
}

const FieldRef* FieldOf(const Expr& expr) {
  if (const auto* paren = std::get_if<ParenExpr>(&expr.node)) return FieldOf(*paren->inner);
  return std::get_if<FieldRef>(&expr.node);
}

// A bare word, such as the `error` of `status = error`.
const std::string* WordOf(const Expr& expr) {
  const auto* field = std::get_if<FieldRef>(&expr.node);
  return field != nullptr && !field->leading_dot && field->path.size() == 1 ? &field->path[0] : nullptr;
}

bool IsComparison(BinaryOp op) { return op >= BinaryOp::kEqual && op <= BinaryOp::kGreaterEqual; }

// Is `word` a value of the enum column next to it?
bool IsEnumWordFor(const Expr& word, const Expr& other) {
  const std::string* text = WordOf(word);
  const FieldRef* field = FieldOf(other);
  if (text == nullptr || field == nullptr) return false;
  const Type type = EnumOfName(*field);
  return type != Type::kNull && ParseEnumWord(type, *text).has_value();
}

class Binder {
 public:
  explicit Binder(const BindScope& scope) : scope_(scope) {}

  absl::StatusOr<RowExpressionPtr> Bind(const Expr& expr) {
    return std::visit([&](const auto& node) { return BindNode(node, expr); }, expr.node);
  }

 private:
  using Result = absl::StatusOr<RowExpressionPtr>;

  Result BindNode(const NumberLiteral& node, const Expr&) {
    return MakeConstant(node.integer ? IntCell(Type::kInt, *node.integer) : DoubleCell(node.value));
  }
  Result BindNode(const DurationLiteral& node, const Expr&) {
    return MakeConstant(IntCell(Type::kDuration, node.value));
  }
  Result BindNode(const TimestampLiteral& node, const Expr&) {
    return MakeConstant(IntCell(Type::kTimestamp, node.value));
  }
  Result BindNode(const StringLiteral& node, const Expr&) { return MakeConstant(StringCell(node.value)); }
  Result BindNode(const BoolLiteral& node, const Expr&) { return MakeConstant(BoolCell(node.value)); }
  Result BindNode(const NullLiteral&, const Expr&) { return MakeConstant(NullCell()); }

  Result BindNode(const ParamRef& node, const Expr& expr) {
    if (scope_.context != nullptr) {
      const auto found = scope_.context->params.find(node.name);
      if (found != scope_.context->params.end()) return MakeConstant(ValueCell(found->second));
    }
    return ErrorAt(expr.place, "E065", "no value was given for $" + node.name, "pass it with the query");
  }

  Result BindNode(const FieldRef& node, const Expr&) {
    const std::string name = FieldName(node);
    int index = scope_.schema == nullptr ? -1 : scope_.schema->Find(name);
    // After `keep` or `json` a forced level means the plain column if no other is there.
    if (index < 0 && scope_.schema != nullptr && name.rfind("attr.", 0) == 0)
      index = scope_.schema->Find(name.substr(5));
    if (index < 0) return MakeConstant(NullCell());
    const auto column = static_cast<size_t>(index);
    return MakeColumnRead(column, scope_.schema->columns[column].type);
  }

  Result BindNode(const ParenExpr& node, const Expr&) { return Bind(*node.inner); }

  Result BindNode(const UnaryExpr& node, const Expr& expr) {
    ASSIGN_OR_RETURN(RowExpressionPtr operand, Bind(*node.operand));
    if (node.op == UnaryOp::kNot) return Fold(MakeNot(std::move(operand)));
    if (node.op == UnaryOp::kPlus) return operand;
    const Type type = operand->type();
    if (IsEnum(type) || type == Type::kBool || type == Type::kTimestamp || type == Type::kTraceId ||
        type == Type::kSpanId || type == Type::kHistogram) {
      return ErrorAt(expr.place, "E069", "cannot negate a " + std::string(ToString(type)));
    }
    return Fold(MakeNegation(std::move(operand)));
  }

  Result BindNode(const BinaryExpr& node, const Expr& expr) {
    if (node.op == BinaryOp::kAnd || node.op == BinaryOp::kOr) {
      ASSIGN_OR_RETURN(RowExpressionPtr left, Bind(*node.left));
      ASSIGN_OR_RETURN(RowExpressionPtr right, Bind(*node.right));
      return Fold(MakeLogic(node.op, std::move(left), std::move(right)));
    }
    if (node.op == BinaryOp::kMatch || node.op == BinaryOp::kNotMatch) return BindRegex(node);
    if (IsComparison(node.op)) return BindComparison(node);
    if (node.op == BinaryOp::kUnless) {
      return ErrorAt(node.op_place, "E069", "'unless' joins vectors; rows have no such operator", "write `and not`");
    }
    ASSIGN_OR_RETURN(RowExpressionPtr left, Bind(*node.left));
    ASSIGN_OR_RETURN(RowExpressionPtr right, Bind(*node.right));
    for (const auto& [side, operand] : {std::pair(&left, &node.left), std::pair(&right, &node.right)}) {
      const Type type = (*side)->type();
      const bool text =
          ConstantOf(*side) != nullptr && type == Type::kString && !NumberOf(CellAt(*ConstantOf(*side), 0));
      if (text || IsEnum(type) || type == Type::kBool || type == Type::kTraceId || type == Type::kSpanId ||
          type == Type::kHistogram) {
        return ErrorAt((*operand)->place, "E069", "cannot calculate with a " + std::string(ToString(type)));
      }
    }
    RowExpressionPtr result = MakeArithmetic(node.op, left, right);
    if (result->type() == Type::kNull && left->type() != Type::kNull && right->type() != Type::kNull) {
      return ErrorAt(expr.place, "E069",
                     "a " + std::string(ToString(left->type())) + " and a " + std::string(ToString(right->type())) +
                         " do not go together here");
    }
    return Fold(std::move(result));
  }

  Result BindRegex(const BinaryExpr& node) {
    ASSIGN_OR_RETURN(RowExpressionPtr text, Bind(*node.left));
    ASSIGN_OR_RETURN(RowExpressionPtr pattern, Bind(*node.right));
    const Column* constant = ConstantOf(pattern);
    if (constant == nullptr || constant->type != Type::kString) {
      return ErrorAt(node.right->place, "E058", "the right side of =~ and !~ is a regular expression in quotes");
    }
    auto match = MakeRegexMatch(std::move(text), std::string(constant->StringAt(0)), node.op == BinaryOp::kNotMatch);
    if (!match.ok()) {
      return ErrorAt(node.right->place, "E058", "bad regular expression: " + std::string(match.status().message()),
                     "RE2 syntax; look-around and back-references are not part of it");
    }
    return Fold(*std::move(match));
  }

  Result BindComparison(const BinaryExpr& node) {
    RowExpressionPtr sides[2];
    const Expr* exprs[2] = {node.left.get(), node.right.get()};
    // The column first: it says how the word or text next to it is to be read.
    const bool left_is_word = WordOf(*node.left) != nullptr && !IsSchemaColumn(*node.left);
    const int first = left_is_word ? 1 : 0;
    ASSIGN_OR_RETURN(sides[first], Bind(*exprs[first]));
    ASSIGN_OR_RETURN(sides[1 - first], BindBeside(*exprs[1 - first], sides[first]->type()));
    ASSIGN_OR_RETURN(sides[first], ReadAs(sides[first], *exprs[first], sides[1 - first]->type()));
    RETURN_IF_ERROR(CheckComparable(node, sides[0]->type(), sides[1]->type()));
    return Fold(MakeComparison(node.op, sides[0], sides[1]));
  }

  bool IsSchemaColumn(const Expr& expr) const {
    const FieldRef* field = FieldOf(expr);
    return field != nullptr && scope_.schema != nullptr && scope_.schema->Find(FieldName(*field)) >= 0;
  }

  // Binds what stands next to a value of type `other`.
  Result BindBeside(const Expr& expr, Type other) {
    if (IsEnum(other)) {
      if (const std::string* word = WordOf(expr)) {
        // A column of this name and type wins (`root.status = status`), a word does over any other column.
        const auto value = ParseEnumWord(other, *word);
        if (value) return MakeConstant(IntCell(other, *value));
        if (!IsSchemaColumn(expr)) return UnknownWord(expr, other, *word);
      }
    }
    ASSIGN_OR_RETURN(RowExpressionPtr bound, Bind(expr));
    return ReadAs(std::move(bound), expr, other);
  }

  // A constant text next to an id, an enum or a time is read as such, once.
  Result ReadAs(RowExpressionPtr bound, const Expr& expr, Type other) {
    const Column* constant = ConstantOf(bound);
    if (constant == nullptr || constant->type != Type::kString) return bound;
    const std::string text(constant->StringAt(0));
    if (text.empty()) return bound;
    if (other == Type::kTraceId) {
      TraceId id;
      if (!ParseTraceId(text, &id)) return BadId(expr, "trace", text, 32);
      return MakeConstant(TraceIdCell(id));
    }
    if (other == Type::kSpanId) {
      SpanId id;
      if (!ParseSpanId(text, &id)) return BadId(expr, "span", text, 16);
      return MakeConstant(IntCell(Type::kSpanId, static_cast<int64_t>(id.value)));
    }
    if (IsEnum(other)) {
      const auto value = ParseEnumWord(other, text);
      if (!value) return UnknownWord(expr, other, text);
      return MakeConstant(IntCell(other, *value));
    }
    if (other == Type::kTimestamp) {
      const auto time = TimeOfText(text);
      if (!time) return ErrorAt(expr.place, "E065", "\"" + text + "\" is not a time", kTimeHint);
      return MakeConstant(IntCell(other, *time));
    }
    // A text that is a number stays one: seconds, as every number beside a duration.
    if (other == Type::kDuration && !NumberOf(CellAt(*constant, 0))) {
      const auto duration = DurationOfText(text);
      if (!duration) return ErrorAt(expr.place, "E065", "\"" + text + "\" is not a duration", kDurationHint);
      return MakeConstant(IntCell(other, *duration));
    }
    return bound;
  }

  static absl::Status BadId(const Expr& expr, const std::string& what, const std::string& text, int digits) {
    return ErrorAt(expr.place, "E068", "\"" + text + "\" is not a " + what + " id",
                   "up to " + std::to_string(digits) + " hex digits, dashes allowed");
  }
  static absl::Status UnknownWord(const Expr& expr, Type type, const std::string& word) {
    return ErrorAt(expr.place, "E068", "'" + word + "' is not a " + std::string(ToString(type)), EnumHint(type, word));
  }

  static absl::Status CheckComparable(const BinaryExpr& node, Type a, Type b) {
    const auto group = [](Type type) {
      switch (type) {
        case Type::kInt:
        case Type::kDouble:
        case Type::kDuration: return 1;
        case Type::kTimestamp: return 2;
        case Type::kTraceId: return 3;
        case Type::kSpanId: return 4;
        case Type::kLevel: return 5;
        case Type::kSpanKind: return 6;
        case Type::kStatus: return 7;
        case Type::kBool: return 8;
        case Type::kHistogram: return 9;
        default: return 0;  // texts and unknown types go with everything
      }
    };
    const int x = group(a);
    const int y = group(b);
    if (x == 0 || y == 0 || x == y || (x <= 2 && y <= 2 && a != Type::kDuration && b != Type::kDuration)) {
      return absl::OkStatus();
    }
    return ErrorAt(node.op_place, "E069",
                   "a " + std::string(ToString(a)) + " cannot be compared with a " + std::string(ToString(b)),
                   IsEnum(a)   ? "one of " + EnumWords(a)
                   : IsEnum(b) ? "one of " + EnumWords(b)
                               : "");
  }

  Result BindNode(const CallExpr& node, const Expr& expr) {
    if (node.function == "start" || node.function == "end" || node.function == "step") {
      if (!node.args.empty()) {
        return ErrorAt(node.name_place, "E061", node.function + "() takes no arguments");
      }
      if (scope_.context == nullptr) return ErrorAt(node.name_place, "E061", node.function + "() has no meaning here");
      if (node.function == "step") return MakeConstant(IntCell(Type::kDuration, scope_.context->step));
      return MakeConstant(
          IntCell(Type::kTimestamp, node.function == "start" ? scope_.context->start : scope_.context->end));
    }
    if (node.function == "scalar") {
      const PipelineExpr* pipeline = nullptr;
      if (node.args.size() == 1) {
        const Expr* argument = node.args[0].expr.get();
        while (const auto* paren = std::get_if<ParenExpr>(&argument->node)) argument = paren->inner.get();
        pipeline = std::get_if<PipelineExpr>(&argument->node);
      }
      if (pipeline == nullptr || !scope_.scalar) {
        return ErrorAt(node.name_place, "E061", "scalar() takes one pipeline", "scalar(logs{...} | stats count())");
      }
      ASSIGN_OR_RETURN(const Value value, scope_.scalar(*pipeline->pipeline));
      return MakeConstant(ValueCell(value));
    }
    if (!IsRowFunction(node.function)) return UnknownFunction(node);
    std::vector<RowExpressionPtr> arguments;
    for (const Item& argument : node.args) {
      if (!argument.name.empty()) {
        return ErrorAt(argument.place, "E061", node.function + "() takes its arguments without names");
      }
      ASSIGN_OR_RETURN(RowExpressionPtr bound, Bind(*argument.expr));
      arguments.push_back(std::move(bound));
    }
    auto function = MakeFunction(node.function, std::move(arguments), scope_.context);
    if (!function.ok()) return ErrorAt(expr.place, "E061", std::string(function.status().message()));
    return Fold(*std::move(function));
  }

  static absl::Status UnknownFunction(const CallExpr& node) {
    static constexpr std::array kAggregates = {"count", "count_if", "rate",     "sum",       "avg",      "min",
                                               "max",   "stddev",   "quantile", "histogram", "distinct", "any",
                                               "first", "last",     "arg_min",  "arg_max",   "corr",     "values"};
    if (std::find(kAggregates.begin(), kAggregates.end(), node.function) != kAggregates.end()) {
      return ErrorAt(node.name_place, "E064", node.function + "() belongs into a stats stage",
                     "| stats " + node.function + "(...) by (...)");
    }
    return ErrorAt(node.name_place, "E060", "unknown function " + node.function + "()",
                   DidYouMean(node.function, RowFunctionNames()));
  }

  Result BindNode(const InExpr& node, const Expr& expr) {
    if (!scope_.build_set) return ErrorAt(expr.place, "E061", "'in' cannot stand here");
    std::vector<RowExpressionPtr> keys;
    std::vector<std::string> names;
    int end_column = -1;
    for (const ExprPtr& key : node.keys) {
      ASSIGN_OR_RETURN(RowExpressionPtr bound, Bind(*key));
      keys.push_back(std::move(bound));
      const FieldRef* field = FieldOf(*key);
      names.push_back(field == nullptr ? std::string() : FieldName(*field));
      if (names.back() == "time" && scope_.schema != nullptr) {
        const int end = scope_.schema->Find("end");
        if (end >= 0 && scope_.schema->columns[static_cast<size_t>(end)].type == Type::kTimestamp) end_column = end;
      }
    }
    // Times of a list match by overlap, as those of every set.
    const bool listed = node.set_pipeline == nullptr && node.set_name.empty();
    if (listed && keys.size() == 1 && names[0] != "time") return BindList(node, std::move(keys[0]));
    ASSIGN_OR_RETURN(std::shared_ptr<const MemberSet> set, scope_.build_set(node, names));
    return MakeMembership(std::move(keys), std::move(set), node.negated, end_column);
  }

  // `x in (1, "a", $p)`: the values are read as those that stand behind `x =`.
  Result BindList(const InExpr& node, RowExpressionPtr key) {
    std::vector<ExprPtr> values = node.set_values;
    if (!node.set_param.empty()) {
      auto parameter = std::make_shared<Expr>();
      parameter->node = ParamRef{node.set_param};
      parameter->place = node.set_place;
      values = {std::move(parameter)};
    }
    std::vector<Column> cells;
    for (const ExprPtr& value : values) {
      ASSIGN_OR_RETURN(const RowExpressionPtr bound, BindBeside(*value, key->type()));
      const Column* constant = ConstantOf(bound);
      if (constant == nullptr) return ErrorAt(value->place, "E054", "a list holds values, not expressions on rows");
      cells.push_back(*constant);
    }
    std::vector<RowExpressionPtr> keys = {std::move(key)};
    return MakeMembership(std::move(keys), MakeValueList(std::move(cells)), node.negated, -1);
  }

  Result BindNode(const TupleExpr&, const Expr& expr) {
    return ErrorAt(expr.place, "E069", "a list in parentheses is only a value before `in`", "(a, b) in (...)");
  }
  Result BindNode(const PipelineExpr&, const Expr& expr) {
    return ErrorAt(expr.place, "E069", "a pipeline is not a value",
                   "use scalar(...) for a single value, `in (...)` for a set");
  }
  Result BindNode(const Selector&, const Expr& expr) { return VectorOnly(expr); }
  Result BindNode(const SubqueryExpr&, const Expr& expr) { return VectorOnly(expr); }
  Result BindNode(const AggregationExpr&, const Expr& expr) { return VectorOnly(expr); }
  static absl::Status VectorOnly(const Expr& expr) {
    return ErrorAt(expr.place, "E069", "a vector expression cannot stand in a condition on rows",
                   "start a pipeline with it, or join it");
  }

  // What has only constants below is computed now. A batch without columns is enough only for an expression that reads
  // none: the others answer an error.
  static RowExpressionPtr Fold(RowExpressionPtr expression) {
    RecordBatch one;
    one.num_rows = 1;
    auto value = expression->Evaluate(one);
    if (!value.ok() || value->size != 1) return expression;
    return MakeConstant(*std::move(value));
  }

  const BindScope& scope_;
};

void Collect(const Expr& expr, std::vector<const FieldRef*>* fields);

struct Collector {
  std::vector<const FieldRef*>* fields;

  void operator()(const FieldRef& node) const { fields->push_back(&node); }
  void operator()(const ParenExpr& node) const { Collect(*node.inner, fields); }
  void operator()(const UnaryExpr& node) const { Collect(*node.operand, fields); }
  void operator()(const BinaryExpr& node) const {
    const bool compares = IsComparison(node.op);
    if (!compares || !IsEnumWordFor(*node.left, *node.right)) Collect(*node.left, fields);
    if (!compares || !IsEnumWordFor(*node.right, *node.left)) Collect(*node.right, fields);
  }
  void operator()(const CallExpr& node) const {
    for (const Item& argument : node.args) Collect(*argument.expr, fields);
  }
  void operator()(const TupleExpr& node) const {
    for (const ExprPtr& part : node.parts) Collect(*part, fields);
  }
  void operator()(const InExpr& node) const {
    for (const ExprPtr& key : node.keys) Collect(*key, fields);
  }
  template <typename Other>
  void operator()(const Other&) const {}
};

void Collect(const Expr& expr, std::vector<const FieldRef*>* fields) { std::visit(Collector{fields}, expr.node); }

}  // namespace

absl::StatusOr<RowExpressionPtr> BindExpression(const Expr& expr, const BindScope& scope) {
  return Binder(scope).Bind(expr);
}

absl::StatusOr<const Column*> ReadColumn(const RowExpression& expression, const RecordBatch& batch, Column* storage) {
  if (const Column* column = expression.Find(batch)) return column;
  ASSIGN_OR_RETURN(*storage, expression.Evaluate(batch));
  return storage;
}

absl::Status ReadColumns::Add(const RowExpression& expression, const RecordBatch& batch) {
  if (const Column* column = expression.Find(batch)) {
    columns_.push_back(column);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(Column column, expression.Evaluate(batch));
  storage_.push_back(std::move(column));
  columns_.push_back(&storage_.back());
  return absl::OkStatus();
}

absl::Status EvaluateCondition(const RowExpression& condition, const RecordBatch& batch, std::vector<uint32_t>* rows) {
  rows->clear();
  if (const auto* constant = dynamic_cast<const ConstantExpression*>(&condition)) {
    if (!IsTrue(constant->cell(), 0)) return absl::OkStatus();
    rows->resize(batch.num_rows);
    for (size_t row = 0; row < batch.num_rows; ++row) (*rows)[row] = static_cast<uint32_t>(row);
    return absl::OkStatus();
  }
  Column storage;
  ASSIGN_OR_RETURN(const Column* flags, ReadColumn(condition, batch, &storage));
  if (flags->type == Type::kBool && flags->valid.empty()) {
    // Without a branch that nobody could foretell.
    rows->resize(batch.num_rows);
    uint32_t* const out = rows->data();
    const int64_t* const flag = flags->ints.data();
    size_t kept = 0;
    for (size_t row = 0; row < batch.num_rows; ++row) {
      out[kept] = static_cast<uint32_t>(row);
      kept += flag[row] != 0 ? 1 : 0;
    }
    rows->resize(kept);
    return absl::OkStatus();
  }
  for (size_t row = 0; row < batch.num_rows; ++row) {
    if (IsTrue(*flags, row)) rows->push_back(static_cast<uint32_t>(row));
  }
  return absl::OkStatus();
}

void CollectFields(const Expr& expr, std::vector<const FieldRef*>* fields) { Collect(expr, fields); }

std::string FieldName(const FieldRef& field) {
  std::string name;
  for (size_t i = 0; i < field.path.size(); ++i) {
    if (i > 0) name += '.';
    name += field.path[i];
  }
  if (field.leading_dot) return name;
  if (field.path.size() == 1) {
    for (const Alias& alias : kAliases) {
      if (name == alias.theirs) return std::string(alias.ours);
    }
  }
  if (field.path.size() > 1) {
    // TraceQL's scopes: span.x is the attribute x, instrumentation.x that of the scope.
    if (field.path[0] == "span") return "attr." + name.substr(field.path[0].size() + 1);
    if (field.path[0] == "instrumentation") return "scope." + name.substr(field.path[0].size() + 1);
  }
  return name;
}

}  // namespace braid
