#include <algorithm>
#include <iterator>

#include "absl/strings/str_split.h"
#include "query/syntax/errors.h"
#include "query/syntax/function_table.h"
#include "query/syntax/parser_state.h"

namespace braid {
namespace {

// `p95` and `median` as other languages call quantiles; "" for anything else.
std::string AsQuantile(std::string_view function, std::string_view column) {
  std::string digits;
  if (function == "median") digits = "5";
  if (function.size() >= 2 && function.size() <= 5 && function[0] == 'p') digits = std::string(function.substr(1));
  if (digits.empty() || digits == "100" || digits.find_first_not_of("0123456789") != std::string::npos) return "";
  if (function[0] == 'p' && digits.size() == 1) digits = "0" + digits;
  return "quantile(0." + digits + ", " + std::string(column) + ")";
}

}  // namespace

ExprPtr Parser::ParseRowPrimary() {
  const size_t first = at_;
  if (const std::string date = DateAt(); !date.empty()) {
    return Fail(Peek().place, "E006", "a date without a time of day would be a subtraction of numbers",
                "write " + date + "T00:00:00Z");
  }
  if (IsWord("now") && (Is(TokenType::kMinus, 1) || Is(TokenType::kPlus, 1)) && Is(TokenType::kDuration, 2)) {
    return Fail(Peek().place, "E006", "`now` stands in a range, not in a row expression",
                "write end() " + std::string(TextOf(Peek(1))) + " " + std::string(TextOf(Peek(2))) +
                    ", or set the range: `over -1h..now; ...`");
  }
  if (AtLiteral()) return ParseLiteral();
  if (Is(TokenType::kLeftParen)) return ParseRowParen();
  if (Is(TokenType::kDot)) return ParseField();
  if (!Is(TokenType::kName)) return Unexpected("expression");
  for (const std::string_view word : {"and", "or", "in", "not"}) {
    if (IsAnyCaseWord(word)) return Unexpected("expression");
  }
  if (Is(TokenType::kLeftParen, 1)) return ParseRowCall(first);
  if (Is(TokenType::kLeftBrace, 1)) {
    return Fail(Peek().place, "E053", "a source cannot stand in a row expression",
                AtTable() ? "for one value of it write scalar(" + std::string(TextOf(Peek())) + "{...} | stats count())"
                          : "for a metric at the time of each row write `join (...) as m on (...) asof 1m`");
  }
  if (IsWord("true") || IsWord("false")) {
    const bool value = IsWord("true");
    Advance();
    return Make(BoolLiteral{value}, first);
  }
  if (AcceptWord("null")) return Make(NullLiteral{}, first);
  return ParseField();
}

std::string Parser::DateAt() const {
  static constexpr struct {
    TokenType type;
    uint32_t length;
  } kShape[] = {{TokenType::kNumber, 4},
                {TokenType::kMinus, 1},
                {TokenType::kNumber, 2},
                {TokenType::kMinus, 1},
                {TokenType::kNumber, 2}};
  std::string date;
  for (size_t i = 0; i < std::size(kShape); ++i) {
    const Token& token = Peek(i);
    const bool joined = i == 0 || token.place.offset == Peek(0).place.offset + date.size();
    if (token.type != kShape[i].type || token.place.length != kShape[i].length || !joined) return "";
    date += TextOf(token);
  }
  return date;
}

ExprPtr Parser::ParseField() {
  const size_t first = at_;
  FieldRef field;
  const auto add_name = [&](std::string_view name) {
    for (const auto part : absl::StrSplit(absl::string_view(name.data(), name.size()), '.')) {
      field.path.emplace_back(part.data(), part.size());
    }
  };
  if (Is(TokenType::kName)) {
    add_name(TextOf(Advance()));
  } else if (Is(TokenType::kDot)) {
    field.leading_dot = true;
  } else {
    return Unexpected("expression", "a column");
  }
  while (Is(TokenType::kDot)) {
    Advance();
    if (Is(TokenType::kName)) {
      add_name(TextOf(Advance()));
    } else if (Is(TokenType::kString)) {
      field.path.push_back(StringOf(Advance()));
    } else {
      return Unexpected("column name", "a name or a string");
    }
  }
  return Make(std::move(field), first);
}

ExprPtr Parser::ParseRowParen() {
  const size_t first = at_;
  const Place opening = Advance().place;
  if (AtTable() && (Is(TokenType::kPipe, 1) || Is(TokenType::kPipeEqual, 1) || Is(TokenType::kPipeMatch, 1))) {
    return Fail(Peek().place, "E053", "a source cannot stand in a row expression",
                "for one value of it write scalar(" + std::string(TextOf(Peek())) + " | stats count())");
  }
  open_parens_.push_back(opening);
  ExprPtr inner = ParseExpr(Position::kRow);
  if (inner == nullptr) return nullptr;
  if (!Is(TokenType::kComma)) {
    if (!Close(TokenType::kRightParen, opening, "expression")) return nullptr;
    open_parens_.pop_back();
    return Make(ParenExpr{std::move(inner)}, first);
  }
  TupleExpr tuple;
  tuple.parts.push_back(std::move(inner));
  while (Accept(TokenType::kComma)) {
    ExprPtr part = ParseExpr(Position::kRow);
    if (part == nullptr) return nullptr;
    tuple.parts.push_back(std::move(part));
  }
  if (!Close(TokenType::kRightParen, opening, "tuple")) return nullptr;
  open_parens_.pop_back();
  if (!IsAnyCaseWord("in") && !(IsAnyCaseWord("not") && IsAnyCaseWord("in", 1))) {
    return Fail(PlaceFrom(first), "E050", "a tuple stands only before `in`", "write `(a, b) in set`");
  }
  return Make(std::move(tuple), first);
}

ExprPtr Parser::ParseRowCall(size_t first) {
  const Token& name = Advance();
  CallExpr call;
  call.function = std::string(TextOf(name));
  call.name_place = name.place;
  const RowFunction* function = FindRowFunction(call.function);
  if (function == nullptr) {
    std::string hint = DidYouMean(call.function, RowFunctionNames());
    if (const std::string quantile = AsQuantile(call.function, Is(TokenType::kName, 1) ? TextOf(Peek(1)) : "x");
        !quantile.empty()) {
      hint = "write " + quantile;
    }
    if (FindVectorFunction(call.function) != nullptr) hint = "PromQL's functions stand before the first `|`";
    return Fail(name.place, "E060", "unknown function with name \"" + call.function.substr(0, 100) + "\"",
                std::move(hint));
  }
  if (function->aggregate && !aggregates_allowed_) {
    return Fail(name.place, "E051", call.function + "() is an aggregate and stands in `stats`",
                aggregate_seen_ ? "aggregates do not nest; use two `stats`"
                                : "write `... | stats " + call.function + "(...) by (...)`");
  }
  const Place opening = Advance().place;
  open_parens_.push_back(opening);
  const bool allowed = aggregates_allowed_;
  if (function->aggregate) {
    aggregates_allowed_ = false;
    aggregate_seen_ = true;
  }
  while (!Is(TokenType::kRightParen)) {
    const size_t start = at_;
    Item arg;
    if (call.function == "scalar") {
      PipelinePtr pipeline = ParsePipeline(false);
      if (pipeline == nullptr) return nullptr;
      arg.expr = Make(PipelineExpr{std::move(pipeline)}, start);
    } else {
      arg.expr = ParseExpr(Position::kRow);
      if (arg.expr == nullptr) return nullptr;
    }
    arg.text = TextFrom(start);
    arg.place = PlaceFrom(start);
    call.args.push_back(std::move(arg));
    if (Is(TokenType::kLeftBracket)) {
      return Fail(Peek().place, "E049", "a range cannot stand in a row expression", "`stats ... [5m]` groups by time");
    }
    if (!Accept(TokenType::kComma)) break;
  }
  if (!Close(TokenType::kRightParen, opening, "function call")) return nullptr;
  open_parens_.pop_back();
  aggregates_allowed_ = allowed;
  const int count = static_cast<int>(call.args.size());
  if (count < function->args_min || (function->args_max != 255 && count > function->args_max)) {
    std::string expected = std::to_string(function->args_min);
    if (function->args_max == 255) {
      expected = "at least " + expected;
    } else if (function->args_max != function->args_min) {
      expected += " to " + std::to_string(function->args_max);
    }
    return Fail(
        PlaceFrom(first), "E061",
        "expected " + expected + " argument(s) in call to \"" + call.function + "\", got " + std::to_string(count));
  }
  return Make(std::move(call), first);
}

ExprPtr Parser::ParseIn(ExprPtr left, size_t first, bool negated) {
  const Nesting nesting(this);
  if (!nesting.ok() || !CountOperator(list_.tokens[at_ - 1].place)) return nullptr;
  InExpr in;
  in.negated = negated;
  if (const auto* tuple = std::get_if<TupleExpr>(&left->node)) {
    in.keys = tuple->parts;
  } else if (const auto* paren = std::get_if<ParenExpr>(&left->node)) {
    in.keys = {paren->inner};
  } else {
    in.keys = {std::move(left)};
  }
  if (!ParseSet(&in)) return nullptr;
  return Make(std::move(in), first);
}

bool Parser::ParseSet(InExpr* in) {
  const size_t first = at_;
  if (Is(TokenType::kName)) {
    const std::string name(TextOf(Peek()));
    if (lets_.find(name) == lets_.end()) {
      std::string hint = DidYouMean(name, LetNames());
      if (hint.empty()) {
        hint = AtTable() ? "a sub-query has parentheses: in (" + name + "{...})"
                         : "name it with `let " + name + " = ...;`, or write a list: in (\"a\", \"b\")";
      }
      return Fail(Peek().place, "E020", "no `let` is named '" + name + "'", std::move(hint));
    }
    Advance();
    in->set_name = name;
  } else if (Is(TokenType::kParam)) {
    in->set_param = StringOf(Advance());
  } else if (Is(TokenType::kLeftParen)) {
    const Place opening = Advance().place;
    open_parens_.push_back(opening);
    if (AtValueList(*in)) {
      if (!ParseSetList(in)) return false;
    } else {
      PipelinePtr pipeline = ParsePipeline(false);
      if (pipeline == nullptr) return false;
      if (Is(TokenType::kComma)) {
        // (p, q) is (p | union (q)).
        auto all = std::make_shared<Pipeline>(*pipeline);
        Flow flow = FlowOf(*pipeline);
        while (Accept(TokenType::kComma)) {
          const size_t start = at_;
          Stage stage;
          PipelinePtr right = ParsePipeline(false);
          if (right == nullptr) return false;
          stage.node = UnionStage{std::move(right)};
          stage.place = PlaceFrom(start);
          stage.text = "union " + TextFrom(start);
          if (auto problem = ApplyStage(stage, &flow)) {
            return Fail(stage.place, problem->code, problem->message, problem->hint);
          }
          all->stages.push_back(std::move(stage));
        }
        all->kind = flow.kind;
        pipeline = std::move(all);
      }
      in->set_pipeline = std::move(pipeline);
    }
    if (!Close(TokenType::kRightParen, opening, "set")) return false;
    open_parens_.pop_back();
  } else {
    return Unexpected("set", "a name, a $parameter or \"(\"");
  }
  in->set_place = PlaceFrom(first);
  return true;
}

// Values and bare words behind one another, and no pipeline. One bare word alone is a metric, unless the key is an
// enum, whose values are bare words.
bool Parser::AtValueList(const InExpr& in) const {
  size_t ahead = Is(TokenType::kMinus) || Is(TokenType::kPlus) ? 1 : 0;
  const auto ends = [&] { return Is(TokenType::kComma, ahead + 1) || Is(TokenType::kRightParen, ahead + 1); };
  switch (Peek(ahead).type) {
    case TokenType::kNumber:
    case TokenType::kDuration:
    case TokenType::kTimestamp:
    case TokenType::kString:
    case TokenType::kParam: return ends();
    case TokenType::kName: break;
    case TokenType::kRightParen: return true;
    default: return false;
  }
  if (ahead > 0 || !ends() || AtTable()) return false;
  const std::string_view word = TextOf(Peek());
  if (word == "true" || word == "false" || word == "null") return true;
  if (lets_.find(word) != lets_.end()) return false;
  if (Is(TokenType::kComma, 1)) return true;
  if (in.keys.size() != 1) return false;
  const auto* key = std::get_if<FieldRef>(&in.keys[0]->node);
  if (key == nullptr) return false;
  const std::string& name = key->path.back();
  return name == "level" || name == "status" || name == "kind" || name == "span:status" || name == "span:kind";
}

bool Parser::ParseSetList(InExpr* in) {
  while (!Is(TokenType::kRightParen)) {
    const size_t first = at_;
    const bool negative = Is(TokenType::kMinus);
    if (negative || Is(TokenType::kPlus)) Advance();
    if (AtLiteral() && !(negative && (Is(TokenType::kString) || Is(TokenType::kParam) || Is(TokenType::kTimestamp)))) {
      ExprPtr value = ParseLiteral();
      if (value == nullptr) return false;
      if (negative) {
        if (const auto* number = std::get_if<NumberLiteral>(&value->node)) {
          NumberLiteral minus{-number->value, std::nullopt};
          if (number->integer.has_value()) minus.integer = -*number->integer;
          value = Make(minus, first);
        } else if (const auto* duration = std::get_if<DurationLiteral>(&value->node)) {
          value = Make(DurationLiteral{-duration->value}, first);
        }
      }
      in->set_values.push_back(std::move(value));
    } else if (!negative && (IsWord("true") || IsWord("false"))) {
      const bool value = IsWord("true");
      Advance();
      in->set_values.push_back(Make(BoolLiteral{value}, first));
    } else if (!negative && AcceptWord("null")) {
      in->set_values.push_back(Make(NullLiteral{}, first));
    } else if (!negative && Is(TokenType::kName)) {
      const std::string word(TextOf(Advance()));
      in->set_values.push_back(Make(StringLiteral{word}, first));
    } else {
      return Unexpected("list", "a value");
    }
    if (!Accept(TokenType::kComma)) break;
  }
  return true;
}

}  // namespace braid
