#include "server/delete_request.h"

#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/status_macros.h"
#include "query/plan/span_source.h"
#include "query/rows/cells.h"
#include "query/syntax/parser.h"

namespace braid::server {
namespace {

// Doubles up to this are whole numbers exactly.
constexpr double kExactIntegers = 9007199254740992.0;

absl::Status Bad(const std::string& what) {
  return absl::InvalidArgumentError(
      what +
      "; a delete takes a series selector such as up{job=\"x\"}, or logs{...} or spans{...} with conditions "
      "column = value or column in (value, ...)");
}

const Expr& Unwrap(const Expr& expr) {
  const Expr* inner = &expr;
  while (const auto* paren = std::get_if<ParenExpr>(&inner->node)) inner = paren->inner.get();
  return *inner;
}

bool IsBuiltin(Table table, const std::string& name, Type* type) {
  for (const auto& [builtin, builtin_type] : BuiltinColumns(table)) {
    if (builtin != name) continue;
    *type = builtin_type;
    return true;
  }
  return false;
}

// As the query language finds columns: built-in ones, attr. resource. scope. by level, else whichever has it.
ColumnRef ColumnOf(Table table, const std::string& name, Type* type) {
  *type = Type::kMixed;
  if (IsBuiltin(table, name, type)) {
    const bool elsewhere = name == "service" || name == "instance" || name == "level";
    return {elsewhere ? ColumnLevel::kAny : ColumnLevel::kBuiltin, name};
  }
  for (const auto& [prefix, level] :
       {std::pair("attr.", ColumnLevel::kAttribute), std::pair("resource.", ColumnLevel::kResource),
        std::pair("scope.", ColumnLevel::kScope)}) {
    if (name.starts_with(prefix)) return {level, name.substr(std::string_view(prefix).size())};
  }
  return {ColumnLevel::kAny, name};
}

std::string NameOf(const FieldRef& field) {
  std::string name;
  for (const std::string& part : field.path) name += (name.empty() ? "" : ".") + part;
  return name;
}

// Enums are compared by number.
absl::StatusOr<Value> ValueOfWord(Type type, const std::string& word, bool quoted) {
  Level level;
  SpanKind kind;
  StatusCode code;
  if (type == Type::kLevel && ParseLevel(word, &level)) return Value(static_cast<int64_t>(level));
  if (type == Type::kSpanKind && ParseSpanKind(word, &kind)) return Value(static_cast<int64_t>(kind));
  if (type == Type::kStatus && ParseStatusCode(word, &code)) return Value(static_cast<int64_t>(code));
  if (type == Type::kLevel || type == Type::kSpanKind || type == Type::kStatus) {
    return Bad("'" + word + "' is no such value");
  }
  if (!quoted) return Bad("'" + word + "' stands without quotes");
  return Value(word);
}

// Appends what a text in quotes is equal to: in a query it is also the number or truth value that it spells.
absl::Status AddText(Type type, const std::string& text, std::vector<Value>* values) {
  TraceId trace;
  SpanId span;
  if (text.empty()) return Bad("\"\" would choose rows by what they lack");
  switch (type) {
    case Type::kTraceId:
      if (!ParseTraceId(text, &trace)) return Bad("'" + text + "' is no trace id");
      break;
    case Type::kSpanId:
      if (!ParseSpanId(text, &span)) return Bad("'" + text + "' is no span id");
      break;
    case Type::kInt:
    case Type::kDouble:
    case Type::kBool:
    case Type::kDuration:
    case Type::kTimestamp: return Bad("'" + text + "' is a text, which the column does not hold");
    default: break;
  }
  ASSIGN_OR_RETURN(values->emplace_back(), ValueOfWord(type, text, true));
  if (type != Type::kMixed) return absl::OkStatus();
  if (const std::optional<double> number = ParseNumber(text)) {
    values->emplace_back(*number);
    if (*number >= -kExactIntegers && *number <= kExactIntegers && *number == std::trunc(*number)) {
      values->emplace_back(static_cast<int64_t>(*number));
    }
  }
  if (text == "true" || text == "false") values->emplace_back(text == "true");
  return absl::OkStatus();
}

// Appends the value, and where an attribute may hold a number as text, its text too.
absl::Status AddValue(Type type, const Expr& wrapped, std::vector<Value>* values) {
  const Expr& expr = Unwrap(wrapped);
  if (const auto* text = std::get_if<StringLiteral>(&expr.node)) {
    RETURN_IF_ERROR(AddText(type, text->value, values));
  } else if (const auto* number = std::get_if<NumberLiteral>(&expr.node)) {
    if (number->integer) {
      values->emplace_back(*number->integer);
    } else {
      values->emplace_back(number->value);
    }
    if (type == Type::kMixed) values->emplace_back(ToText(View(values->back())));
  } else if (const auto* flag = std::get_if<BoolLiteral>(&expr.node)) {
    values->emplace_back(flag->value);
    if (type == Type::kMixed) values->emplace_back(std::string(flag->value ? "true" : "false"));
  } else if (const auto* duration = std::get_if<DurationLiteral>(&expr.node)) {
    values->emplace_back(duration->value);
  } else if (const auto* time = std::get_if<TimestampLiteral>(&expr.node)) {
    values->emplace_back(time->value);
  } else if (const auto* word = std::get_if<FieldRef>(&expr.node)) {
    ASSIGN_OR_RETURN(values->emplace_back(), ValueOfWord(type, NameOf(*word), false));
  } else {
    return Bad("a condition compares with more than a literal");
  }
  return absl::OkStatus();
}

absl::Status AddCondition(Table table, const Expr& wrapped, std::vector<Predicate>* predicates) {
  const Expr& expr = Unwrap(wrapped);
  const auto* binary = std::get_if<BinaryExpr>(&expr.node);
  if (binary != nullptr && binary->op == BinaryOp::kAnd) {
    RETURN_IF_ERROR(AddCondition(table, *binary->left, predicates));
    return AddCondition(table, *binary->right, predicates);
  }
  const auto* in = std::get_if<InExpr>(&expr.node);
  const FieldRef* field = nullptr;
  Predicate predicate;
  predicate.op = Predicate::Op::kIn;
  Type type = Type::kMixed;
  if (binary != nullptr && binary->op == BinaryOp::kEqual) {
    field = std::get_if<FieldRef>(&Unwrap(*binary->left).node);
  } else if (in != nullptr && !in->negated && in->keys.size() == 1 && !in->set_values.empty()) {
    field = std::get_if<FieldRef>(&Unwrap(*in->keys[0]).node);
  }
  if (field == nullptr) return Bad("a condition is no equality");
  const std::string name = NameOf(*field);
  if (name.find(':') != std::string::npos) return Bad("'" + name + "' is a name of TraceQL; name the column itself");
  if (table == Table::kSpans && IsTraceColumn(name)) return Bad("'" + name + "' is worked out, not stored");
  predicate.column = ColumnOf(table, name, &type);
  if (binary != nullptr) {
    RETURN_IF_ERROR(AddValue(type, *binary->right, &predicate.values));
  } else {
    for (const ExprPtr& value : in->set_values) RETURN_IF_ERROR(AddValue(type, *value, &predicate.values));
  }
  predicates->push_back(std::move(predicate));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DeleteSpec> ParseDeleteSelector(std::string_view text) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const QueryAst> query, ParseQuery(text));
  if (query->explain != QueryAst::ExplainMode::kNone || query->over || !query->lets.empty() || query->body == nullptr ||
      !query->body->stages.empty()) {
    return Bad("this is a query");
  }
  DeleteSpec spec;
  if (const auto* vector = std::get_if<VectorSource>(&query->body->source)) {
    const auto* selector = std::get_if<Selector>(&Unwrap(*vector->expr).node);
    if (selector == nullptr || selector->range || selector->time.offset != 0 || selector->time.at ||
        selector->time.at_start || selector->time.at_end) {
      return Bad("this is no plain series selector");
    }
    for (const LabelMatcher& matcher : selector->selector.matchers) {
      if (!matcher.param.empty()) return Bad("a parameter has no value here");
      spec.matchers.push_back(matcher.matcher);
    }
    return spec;
  }
  const auto* events = std::get_if<EventSource>(&query->body->source);
  if (events == nullptr || (events->table != SourceTable::kLogs && events->table != SourceTable::kSpans)) {
    return Bad("neither logs, nor spans, nor series are chosen");
  }
  const Table table = events->table == SourceTable::kLogs ? Table::kLogs : Table::kSpans;
  spec.signal = table == Table::kLogs ? DeleteSpec::Signal::kLogs : DeleteSpec::Signal::kSpans;
  if (events->offset != 0) return Bad("an offset has no meaning here");
  if (events->spanset == nullptr) return spec;
  if (!events->spanset->leaf()) return Bad("structural operators choose traces, not spans alone");
  for (const ExprPtr& matcher : events->spanset->matchers) {
    RETURN_IF_ERROR(AddCondition(table, *matcher, &spec.predicates));
  }
  return spec;
}

}  // namespace braid::server
