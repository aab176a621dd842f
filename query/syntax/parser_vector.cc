#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "query/syntax/durations.h"
#include "query/syntax/errors.h"
#include "query/syntax/function_table.h"
#include "query/syntax/literals.h"
#include "query/syntax/parser_state.h"
#include "query/syntax/vector_types.h"

namespace braid {

ExprPtr Parser::ParsePostfix() {
  const size_t first = at_;
  ExprPtr expr = ParseVectorPrimary();
  while (expr != nullptr) {
    if (Is(TokenType::kLeftBracket)) {
      expr = ParseBrackets(std::move(expr), first);
    } else if (IsAnyCaseWord("offset")) {
      expr = ParseOffset(std::move(expr), first);
    } else if (Is(TokenType::kAt)) {
      expr = ParseAt(std::move(expr), first);
    } else if (IsAnyCaseWord("anchored") || IsAnyCaseWord("smoothed")) {
      expr = ParseEdge(std::move(expr), first);
    } else {
      break;
    }
  }
  return expr;
}

ExprPtr Parser::ParseVectorPrimary() {
  const size_t first = at_;
  if (AtLiteral()) return ParseLiteral();
  if (Is(TokenType::kLeftParen)) return ParseVectorParen();
  if (Is(TokenType::kLeftBrace)) return ParseSelector("", first);
  if (!Is(TokenType::kName)) return Unexpected();
  if (AtTable()) {
    // Not at the start of a pipeline: an operand, which the type check explains.
    EventSource source;
    if (!ParseEventSource(&source)) return nullptr;
    auto pipeline = std::make_shared<Pipeline>();
    pipeline->source = std::move(source);
    pipeline->kind = Kind::kEvents;
    pipeline->place = PlaceFrom(first);
    pipeline->source_text = TextFrom(first);
    return Make(PipelineExpr{std::move(pipeline)}, first);
  }
  const std::string name(TextOf(Peek()));
  if (FindVectorAggregation(name) != nullptr) {
    const bool grouped = IsAnyCaseWord("by", 1) || IsAnyCaseWord("without", 1);
    if (Is(TokenType::kLeftParen, 1) || (grouped && (Is(TokenType::kLeftParen, 2) || Is(TokenType::kName, 2)))) {
      return ParseAggregation(first);
    }
  }
  if (Is(TokenType::kLeftParen, 1)) return ParseCall(first);
  const Token& token = Advance();
  if (!promql_ && lets_.find(name) != lets_.end()) return LetOperand(token);
  return ParseSelector(name, first);
}

ExprPtr Parser::LetOperand(const Token& name) {
  const size_t first = at_ - 1;
  const std::string text(TextOf(name));
  if (Is(TokenType::kLeftBrace)) {
    return Fail(Peek().place, "E024", "'" + text + "' names a pipeline, which takes no matchers",
                "filter its rows with `| where ...`, or write {\"" + text + "\", ...} for the metric");
  }
  auto pipeline = std::make_shared<Pipeline>();
  pipeline->source = LetRef{text};
  pipeline->source_text = text;
  pipeline->kind = lets_.find(text)->second.flow.kind;
  pipeline->place = name.place;
  return Make(PipelineExpr{std::move(pipeline)}, first);
}

ExprPtr Parser::ParseVectorParen() {
  const size_t first = at_;
  const Place opening = Advance().place;
  open_parens_.push_back(opening);
  if (promql_) {
    ExprPtr inner = ParseExpr(Position::kVector);
    if (inner == nullptr || !Close(TokenType::kRightParen, opening, "")) return nullptr;
    open_parens_.pop_back();
    return Make(ParenExpr{std::move(inner)}, first);
  }
  PipelinePtr pipeline = ParsePipeline(true);
  if (pipeline == nullptr || !Close(TokenType::kRightParen, opening, "")) return nullptr;
  open_parens_.pop_back();
  const auto* vector = std::get_if<VectorSource>(&pipeline->source);
  if (vector != nullptr && pipeline->stages.empty()) return Make(ParenExpr{vector->expr}, first);
  return Make(PipelineExpr{std::move(pipeline)}, first);
}

ExprPtr Parser::ParseSelector(std::string metric, size_t first) {
  Selector selector;
  selector.selector.metric = metric;
  if (!metric.empty()) {
    selector.selector.matchers.push_back(
        {{Matcher::Op::kEqual, std::string(kMetricNameLabel), std::move(metric)}, PlaceFrom(first), ""});
  }
  if (Is(TokenType::kLeftBrace) && !ParseLabelMatchers(&selector.selector)) return nullptr;
  return Make(std::move(selector), first);
}

bool Parser::ParseLabelMatchers(VectorSelector* selector) {
  const Place opening = Advance().place;
  while (!Is(TokenType::kRightBrace)) {
    const size_t first = at_;
    if (!Is(TokenType::kName) && !Is(TokenType::kString)) {
      if (Is(TokenType::kEnd)) return Fail(opening, "E015", "unexpected end of input inside braces");
      return Unexpected("label matching", "identifier or \"}\"");
    }
    const bool quoted = Is(TokenType::kString);
    const Token& token = Advance();
    std::string name = quoted ? StringOf(token) : std::string(TextOf(token));
    LabelMatcher label;
    if (quoted && (Is(TokenType::kComma) || Is(TokenType::kRightBrace))) {
      label.matcher = {Matcher::Op::kEqual, std::string(kMetricNameLabel), name};
      if (selector->metric.empty()) {
        selector->metric = std::move(name);
        label.place = PlaceFrom(first);
        // The metric's matcher is the first one, wherever it was written.
        selector->matchers.insert(selector->matchers.begin(), std::move(label));
        if (Is(TokenType::kComma)) Advance();
        continue;
      }
    } else {
      label.matcher.name = std::move(name);
      switch (Peek().type) {
        case TokenType::kAssign: label.matcher.op = Matcher::Op::kEqual; break;
        case TokenType::kNotEqual: label.matcher.op = Matcher::Op::kNotEqual; break;
        case TokenType::kMatch: label.matcher.op = Matcher::Op::kRegex; break;
        case TokenType::kNotMatch: label.matcher.op = Matcher::Op::kNotRegex; break;
        case TokenType::kEnd: return Fail(opening, "E015", "unexpected end of input inside braces");
        default: {
          const bool range = Is(TokenType::kGreater) || Is(TokenType::kGreaterEqual) || Is(TokenType::kLess) ||
                             Is(TokenType::kLessEqual);
          return Unexpected(
              "label matching", "label matching operator",
              range && !promql_ ? "labels of metrics are only matched; for events write logs{...} or spans{...}" : "");
        }
      }
      Advance();
      if (Is(TokenType::kString)) {
        label.matcher.value = StringOf(Advance());
      } else if (Is(TokenType::kParam) && !promql_) {
        label.param = StringOf(Advance());
      } else if (Is(TokenType::kEnd)) {
        return Fail(opening, "E015", "unexpected end of input inside braces");
      } else {
        const bool bare = Is(TokenType::kName) || Is(TokenType::kNumber);
        return Unexpected("label matching", "string",
                          bare ? "labels of metrics are strings: \"" + std::string(TextOf(Peek())) + "\"" : "");
      }
    }
    label.place = PlaceFrom(first);
    selector->matchers.push_back(std::move(label));
    if (Is(TokenType::kRightBrace)) break;
    if (Is(TokenType::kEnd)) return Fail(opening, "E015", "unexpected end of input inside braces");
    if (!Accept(TokenType::kComma)) return Unexpected("label matching", "\",\" or \"}\"");
  }
  return Accept(TokenType::kRightBrace);
}

ExprPtr Parser::ParseVectorArg() {
  const size_t first = at_;
  if (promql_) return ParseExpr(Position::kVector);
  PipelinePtr pipeline = ParsePipeline(true);
  if (pipeline == nullptr) return nullptr;
  const auto* vector = std::get_if<VectorSource>(&pipeline->source);
  if (vector != nullptr && pipeline->stages.empty()) return vector->expr;
  return Make(PipelineExpr{std::move(pipeline)}, first);
}

bool Parser::ParseArgs(std::vector<Item>* args) {
  if (!Is(TokenType::kLeftParen)) return Unexpected("aggregation");
  const Place opening = Advance().place;
  open_parens_.push_back(opening);
  while (!Is(TokenType::kRightParen)) {
    const size_t first = at_;
    Item arg;
    arg.expr = ParseVectorArg();
    if (arg.expr == nullptr) return false;
    arg.text = TextFrom(first);
    arg.place = PlaceFrom(first);
    args->push_back(std::move(arg));
    if (!Is(TokenType::kComma)) break;
    const Place comma = Advance().place;
    if (Is(TokenType::kRightParen)) {
      return Fail(comma, "E010", "trailing commas not allowed in function call args");
    }
  }
  if (!Close(TokenType::kRightParen, opening, "")) return false;
  open_parens_.pop_back();
  return true;
}

ExprPtr Parser::ParseCall(size_t first) {
  const Token& name = Advance();
  CallExpr call;
  call.function = std::string(TextOf(name));
  call.name_place = name.place;
  const VectorFunction* function = FindVectorFunction(call.function);
  if (function == nullptr) {
    std::string hint;
    if (const RowFunction* row = FindRowFunction(call.function); row != nullptr && !promql_) {
      hint = row->aggregate ? "it is an aggregate: write `... | stats " + call.function + "(...)`"
                            : "it works on rows: write `... | extend x = " + call.function + "(...)`";
    } else {
      hint = DidYouMean(call.function, VectorFunctionNames());
    }
    return Fail(name.place, "E060", "unknown function with name " + PrintString(call.function.substr(0, 100)),
                std::move(hint));
  }
  calls_.push_back({call.function, {}});
  if (!ParseArgs(&call.args)) return nullptr;
  calls_.pop_back();
  return Make(std::move(call), first);
}

ExprPtr Parser::ParseAggregation(size_t first) {
  AggregationExpr aggregation;
  {
    const std::string_view written = TextOf(Advance());
    aggregation.op = absl::AsciiStrToLower({written.data(), written.size()});
  }
  const auto parse_grouping = [&] {
    if (!IsAnyCaseWord("by") && !IsAnyCaseWord("without")) return true;
    aggregation.without = IsAnyCaseWord("without");
    aggregation.has_grouping = true;
    Advance();
    return ParseLabels(&aggregation.grouping);
  };
  if (!parse_grouping()) return nullptr;
  calls_.push_back({aggregation.op, aggregation.without ? std::vector<std::string>{} : aggregation.grouping});
  std::vector<Item> args;
  if (!ParseArgs(&args)) return nullptr;
  calls_.pop_back();
  if (!aggregation.has_grouping && !parse_grouping()) return nullptr;

  const bool has_param = FindVectorAggregation(aggregation.op)->has_param;
  if (args.empty()) return Fail(PlaceFrom(first), "E061", "no arguments for aggregate expression provided");
  if (args.size() != (has_param ? 2 : 1)) {
    return Fail(PlaceFrom(first), "E061",
                "wrong number of arguments for aggregate expression provided, expected " +
                    std::to_string(has_param ? 2 : 1) + ", got " + std::to_string(args.size()));
  }
  if (has_param) aggregation.param = std::move(args[0].expr);
  aggregation.inner = std::move(args.back().expr);
  return Make(std::move(aggregation), first);
}

// step(), range(), min_of(a, b), max_of(a, b); the last two also by their older names.
ExprPtr Parser::ParseDurationCall() {
  const size_t first = at_;
  const Token& name = Advance();
  CallExpr call;
  call.function = std::string(TextOf(name));
  call.name_place = name.place;
  const bool of_query = call.function == "step" || call.function == "range";
  const bool of_two =
      call.function == "min_of" || call.function == "max_of" || call.function == "min" || call.function == "max";
  if (!of_query && !of_two) {
    return Fail(name.place, "E071", "'" + call.function + "' is no function of durations",
                "durations know step(), range(), min_of(a, b) and max_of(a, b)");
  }
  const Place opening = Advance().place;
  for (int i = 0; i < (of_two ? 2 : 0); ++i) {
    if (i > 0 && !Expect(TokenType::kComma, "duration expression", "\",\"")) return nullptr;
    const size_t begin = at_;
    Item arg;
    arg.expr = ParseDurationExpr("duration expression", 1);
    if (arg.expr == nullptr) return nullptr;
    arg.text = TextFrom(begin);
    arg.place = PlaceFrom(begin);
    call.args.push_back(std::move(arg));
  }
  if (!Close(TokenType::kRightParen, opening, "duration expression")) return nullptr;
  return Make(std::move(call), first);
}

ExprPtr Parser::ParseDurationPrimary(std::string_view context) {
  const Nesting nesting(this);
  if (!nesting.ok()) return nullptr;
  const size_t first = at_;
  if (Is(TokenType::kDuration) || Is(TokenType::kNumber)) return ParseLiteral();
  if (Is(TokenType::kParam) && !promql_) return ParseLiteral();
  if (Is(TokenType::kMinus) || Is(TokenType::kPlus)) {
    const UnaryOp op = Advance().type == TokenType::kMinus ? UnaryOp::kMinus : UnaryOp::kPlus;
    ExprPtr operand = ParseDurationExpr(context, 3);
    if (operand == nullptr) return nullptr;
    return Make(UnaryExpr{op, std::move(operand)}, first);
  }
  if (Is(TokenType::kLeftParen)) {
    const Place opening = Advance().place;
    ExprPtr inner = ParseDurationExpr(context, 1);
    if (inner == nullptr || !Close(TokenType::kRightParen, opening, context)) return nullptr;
    return Make(ParenExpr{std::move(inner)}, first);
  }
  if (Is(TokenType::kName) && Is(TokenType::kLeftParen, 1)) return ParseDurationCall();
  return Unexpected(context, "duration");
}

ExprPtr Parser::ParseDurationExpr(std::string_view context, int min_precedence) {
  const size_t first = at_;
  ExprPtr left = ParseDurationPrimary(context);
  while (left != nullptr) {
    BinaryExpr binary;
    int precedence = 1;
    switch (Peek().type) {
      case TokenType::kPlus: binary.op = BinaryOp::kAdd; break;
      case TokenType::kMinus: binary.op = BinaryOp::kSub; break;
      case TokenType::kStar: precedence = 2, binary.op = BinaryOp::kMul; break;
      case TokenType::kSlash: precedence = 2, binary.op = BinaryOp::kDiv; break;
      case TokenType::kPercent: precedence = 2, binary.op = BinaryOp::kMod; break;
      case TokenType::kCaret: precedence = 3, binary.op = BinaryOp::kPow; break;
      default: return left;
    }
    if (precedence < min_precedence) return left;
    if (!CountOperator(Peek().place)) return nullptr;
    binary.op_place = Advance().place;
    const Nesting nesting(this);
    if (!nesting.ok()) return nullptr;
    binary.right = ParseDurationExpr(context, precedence == 3 ? 3 : precedence + 1);
    if (binary.right == nullptr) return nullptr;
    binary.left = std::move(left);
    left = Make(std::move(binary), first);
  }
  return left;
}

bool Parser::ParseRange(Duration* range, ExprPtr* open, std::string_view context) {
  const size_t first = at_;
  if (Is(TokenType::kDuration) && (Is(TokenType::kRightBracket, 1) || Is(TokenType::kColon, 1))) {
    *range = NumberOf(Advance()).integer;  // exact to the nanosecond
  } else {
    ExprPtr expr = ParseDurationExpr(context, 1);
    if (expr == nullptr) return false;
    if (IsOpenDuration(*expr)) {
      *range = 0;
      *open = std::move(expr);
      return true;
    }
    const absl::StatusOr<double> seconds = DurationSeconds(*expr, {});
    if (!seconds.ok()) return FailWith(seconds.status());
    const std::optional<Duration> duration = DurationOfSeconds(*seconds);
    if (!duration.has_value()) return Fail(PlaceFrom(first), "E005", "duration out of range");
    *range = *duration;
  }
  if (*range > 0) return true;
  return Fail(PlaceFrom(first), "E055", "duration must be greater than 0");
}

// `x anchored`, `x[5m] smoothed`.
ExprPtr Parser::ParseEdge(ExprPtr inner, size_t first) {
  const bool anchored = IsAnyCaseWord("anchored");
  const std::string word(anchored ? "anchored" : "smoothed");
  const Place place = Advance().place;
  Expr copy = *inner;
  auto* selector = std::get_if<Selector>(&copy.node);
  if (selector == nullptr) {
    const bool subquery = std::holds_alternative<SubqueryExpr>(inner->node);
    return Fail(inner->place, "E057",
                word + " modifier " + (subquery ? "is not supported for subqueries" : "not implemented"),
                "it stands behind a selector: x[5m] " + word);
  }
  const WindowEdge edge = anchored ? WindowEdge::kAnchored : WindowEdge::kSmoothed;
  if (selector->edge != WindowEdge::kPlain && selector->edge != edge) {
    return Fail(place, "E057", "anchored and smoothed modifiers cannot be used together");
  }
  selector->edge = edge;
  copy.place = PlaceFrom(first);
  return std::make_shared<const Expr>(std::move(copy));
}

ExprPtr Parser::ParseBrackets(ExprPtr inner, size_t first) {
  const size_t bracket = at_;
  const Place opening = Advance().place;
  Duration range = 0;
  ExprPtr range_expr;
  if (Is(TokenType::kEnd)) return Fail(opening, "E015", "unclosed left bracket");
  if (!ParseRange(&range, &range_expr, "subquery or range selector")) return nullptr;
  if (Accept(TokenType::kColon)) {
    SubqueryExpr subquery;
    subquery.range = range;
    subquery.range_expr = std::move(range_expr);
    if (!Is(TokenType::kRightBracket)) {
      if (Is(TokenType::kEnd)) return Fail(opening, "E015", "unclosed left bracket");
      Duration step = 0;
      if (!ParseRange(&step, &subquery.step_expr, "subquery selector")) return nullptr;
      subquery.step = step;
    }
    if (!Close(TokenType::kRightBracket, opening, "subquery selector")) return nullptr;
    subquery.inner = std::move(inner);
    return Make(std::move(subquery), first);
  }
  if (!Is(TokenType::kEnd) && !Is(TokenType::kRightBracket)) {
    return Unexpected("subquery or range", "\":\" or \"]\"");
  }
  if (!Close(TokenType::kRightBracket, opening, "subquery or range")) return nullptr;

  if (const auto* nested = std::get_if<PipelineExpr>(&inner->node);
      nested != nullptr && nested->pipeline->kind == Kind::kEvents) {
    const VectorProblem problem =
        EventsAsVector(opening, SourceOf(*nested->pipeline), calls_.empty() ? "" : calls_.back().function, {}, "");
    return Fail(problem.place, problem.code, problem.message, problem.hint);
  }
  const auto* selector = std::get_if<Selector>(&inner->node);
  std::string wrong;
  if (selector == nullptr || selector->range.has_value()) {
    wrong = "ranges only allowed for vector selectors";
  } else if (selector->time.offset != 0 || selector->time.offset_expr != nullptr) {
    wrong = "no offset modifiers allowed before range";
  } else if (selector->time.at.has_value() || selector->time.at_start || selector->time.at_end) {
    wrong = "no @ modifiers allowed before range";
  }
  if (!wrong.empty()) {
    const std::string hint = selector == nullptr ? "for a sub-query write a colon: [5m:] or [5m:1m]" : "";
    return Fail(PlaceFrom(bracket), "E057", wrong, hint);
  }
  Selector ranged = *selector;
  ranged.range = range;
  ranged.range_expr = std::move(range_expr);
  return Make(std::move(ranged), first);
}

namespace {

// A copy of `expr` and the modifiers in it; null if it takes none.
TimeModifiers* ModifiersOf(Expr* expr) {
  if (auto* selector = std::get_if<Selector>(&expr->node)) return &selector->time;
  if (auto* subquery = std::get_if<SubqueryExpr>(&expr->node)) return &subquery->time;
  return nullptr;
}

}  // namespace

ExprPtr Parser::ParseOffset(ExprPtr inner, size_t first) {
  const Place place = Advance().place;
  const size_t value = at_;
  const bool negative = Is(TokenType::kMinus);
  if (negative || Is(TokenType::kPlus)) Advance();
  Duration offset = 0;
  ExprPtr open;
  if (Is(TokenType::kDuration)) {
    offset = NumberOf(Advance()).integer;
    if (negative) offset = -offset;
  } else {
    const bool call = Is(TokenType::kName) && Is(TokenType::kLeftParen, 1);
    if (!Is(TokenType::kNumber) && !Is(TokenType::kLeftParen) && !(Is(TokenType::kParam) && !promql_) && !call) {
      return Unexpected("offset", "number, duration, step(), or range()");
    }
    ExprPtr expr = ParseDurationPrimary("offset");
    if (expr == nullptr) return nullptr;
    if (negative) expr = Make(UnaryExpr{UnaryOp::kMinus, std::move(expr)}, value);
    if (IsOpenDuration(*expr)) {
      open = std::move(expr);
    } else {
      const absl::StatusOr<double> seconds = DurationSeconds(*expr, {});
      if (!seconds.ok()) return FailWith(seconds.status());
      const std::optional<Duration> duration = DurationOfSeconds(*seconds);
      if (!duration.has_value()) return Fail(PlaceFrom(value), "E005", "duration out of range");
      offset = *duration;
    }
  }
  Expr copy = *inner;
  TimeModifiers* modifiers = ModifiersOf(&copy);
  if (modifiers == nullptr) {
    return Fail(
        inner->place, "E057",
        "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery");
  }
  if (modifiers->offset != 0 || modifiers->offset_expr != nullptr) {
    return Fail(place, "E057", "offset may not be set multiple times");
  }
  modifiers->offset = offset;
  modifiers->offset_expr = std::move(open);
  copy.place = PlaceFrom(first);
  return std::make_shared<const Expr>(std::move(copy));
}

ExprPtr Parser::ParseAt(ExprPtr inner, size_t first) {
  const Place place = Advance().place;
  TimeModifiers at;
  const bool call = Is(TokenType::kLeftParen, 1) && Is(TokenType::kRightParen, 2);
  if (call && (IsAnyCaseWord("start") || IsAnyCaseWord("end"))) {
    (IsAnyCaseWord("start") ? at.at_start : at.at_end) = true;
    at_ += 3;
  } else if (Is(TokenType::kTimestamp)) {
    at.at = NumberOf(Advance()).integer;
  } else {
    const bool negative = Is(TokenType::kMinus);
    if (negative || Is(TokenType::kPlus)) Advance();
    double seconds = 0;
    if (Is(TokenType::kNumber) || AtLiteral()) {
      if (Is(TokenType::kDuration)) {
        seconds = static_cast<double>(NumberOf(Advance()).integer) / 1e9;
      } else if (Is(TokenType::kNumber)) {
        seconds = NumberOf(Advance()).value;
      } else if (Is(TokenType::kName)) {
        return Fail(Peek().place, "E057", "timestamp out of bounds for @ modifier: " + std::string(TextOf(Peek())));
      } else {
        return Unexpected("@", "timestamp");
      }
    } else {
      return Unexpected("@", "timestamp");
    }
    // Prometheus keeps milliseconds. Beyond our calendar there is no data on either side, so the ends of it will do.
    constexpr double kLimitMs = 9223372036854.0;
    const double ms = std::clamp(std::round((negative ? -seconds : seconds) * 1000), -kLimitMs, kLimitMs);
    at.at = static_cast<int64_t>(ms) * kMillisecond;
  }
  Expr copy = *inner;
  TimeModifiers* modifiers = ModifiersOf(&copy);
  if (modifiers == nullptr) {
    return Fail(inner->place, "E057",
                "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
  }
  if (modifiers->at.has_value() || modifiers->at_start || modifiers->at_end) {
    return Fail(place, "E057", "@ <timestamp> may not be set multiple times");
  }
  modifiers->at = at.at;
  modifiers->at_start = at.at_start;
  modifiers->at_end = at.at_end;
  copy.place = PlaceFrom(first);
  return std::make_shared<const Expr>(std::move(copy));
}

}  // namespace braid
