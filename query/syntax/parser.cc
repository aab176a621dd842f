#include "query/syntax/parser.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "query/syntax/errors.h"
#include "query/syntax/foreign_words.h"
#include "query/syntax/function_table.h"
#include "query/syntax/literals.h"
#include "query/syntax/parser_state.h"
#include "query/syntax/vector_types.h"

namespace braid {
namespace {

// Texts kept for reports and column names; a longer one tells nobody more.
constexpr size_t kKeptTextMax = 1000;

}  // namespace

bool Parser::Nesting::ok() const {
  if (parser_->depth_ <= kNestingMax) return true;
  parser_->Fail(parser_->Peek().place, "E082", "the query nests more than 200 deep", "name its parts with `let`");
  return false;
}

bool Parser::IsAnyCaseWord(std::string_view word, size_t ahead) const {
  if (!Is(TokenType::kName, ahead)) return false;
  const std::string_view text = TextOf(Peek(ahead));
  return absl::EqualsIgnoreCase({text.data(), text.size()}, {word.data(), word.size()});
}

std::string Parser::TextFrom(size_t first) const {
  std::string out;
  for (size_t i = first; i < at_; ++i) {
    const Place& place = list_.tokens[i].place;
    if (i > first) {
      const Place& before = list_.tokens[i - 1].place;
      if (before.offset + before.length < place.offset) out.push_back(' ');
    }
    out.append(text_.substr(place.offset, place.length));
    if (out.size() > kKeptTextMax) {
      size_t cut = kKeptTextMax;
      while (cut > 0 && (static_cast<unsigned char>(out[cut]) & 0xC0) == 0x80) --cut;
      return out.substr(0, cut) + "...";
    }
  }
  return out;
}

Place Parser::PlaceFrom(size_t first) const {
  Place place = list_.tokens[first].place;
  if (at_ > first) {
    const Place& last = list_.tokens[at_ - 1].place;
    place.length = last.offset + last.length - place.offset;
  }
  return place;
}

Parser::Failed Parser::Fail(const Place& place, std::string code, std::string message, std::string hint) {
  if (!error_.has_value()) {
    // A picture shows one line, so the carets end with it.
    const std::string_view body = text_.substr(place.offset, place.length);
    const uint32_t length = CountCharacters(body, 0, std::min(body.size(), body.find('\n')));
    error_ = QueryError{std::move(code), std::move(message),   place.line,
                        place.column,    std::max(1u, length), std::move(hint)};
  }
  return {};
}

Parser::Failed Parser::FailWith(const absl::Status& status) {
  if (!error_.has_value()) error_ = ErrorOf(status);
  return {};
}

std::string Parser::Describe(const Token& token) const {
  std::string text(TextOf(token).substr(0, 60));
  switch (token.type) {
    case TokenType::kEnd: return "end of input";
    case TokenType::kName: {
      for (const std::string_view keyword :
           {"by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset"}) {
        if (absl::EqualsIgnoreCase(text, {keyword.data(), keyword.size()})) {
          return promql_ ? "<" + std::string(keyword) + ">" : "\"" + text + "\"";
        }
      }
      if (promql_ && FindVectorAggregation(text) != nullptr) return "<aggr:" + absl::AsciiStrToLower(text) + ">";
      return "identifier \"" + text + "\"";
    }
    case TokenType::kNumber: return "number \"" + text + "\"";
    case TokenType::kDuration: return "duration \"" + text + "\"";
    case TokenType::kTimestamp: return "time \"" + text + "\"";
    case TokenType::kString: return "string " + PrintString(text.size() >= 2 ? StringOf(token).substr(0, 60) : text);
    case TokenType::kParam: return "parameter \"" + text + "\"";
    case TokenType::kPlus:
    case TokenType::kMinus:
    case TokenType::kStar:
    case TokenType::kSlash:
    case TokenType::kPercent:
    case TokenType::kCaret:
    case TokenType::kEqual:
    case TokenType::kNotEqual:
    case TokenType::kLess:
    case TokenType::kLessEqual:
    case TokenType::kGreater:
    case TokenType::kGreaterEqual:
    case TokenType::kMatch:
    case TokenType::kNotMatch: return promql_ ? "<op:" + text + ">" : "\"" + text + "\"";
    default: return "\"" + text + "\"";
  }
}

std::string Parser::ForeignStartHint() const {
  if (promql_ || list_.tokens.size() < 2 || list_.tokens[0].type != TokenType::kName) return "";
  return std::string(braid::ForeignStartHint(TextOf(list_.tokens[0])));
}

Parser::Failed Parser::Unexpected(std::string_view context, std::string_view expected, std::string hint) {
  const Token& token = Peek();
  if (token.type == TokenType::kEnd && !open_parens_.empty()) {
    return Fail(open_parens_.back(), "E015", "unclosed left parenthesis");
  }
  if (hint.empty()) hint = ForeignStartHint();
  if (!promql_ && token.type == TokenType::kAssign) {
    const bool named = at_ == 1 && list_.tokens[0].type == TokenType::kName;
    const std::string name =
        named ? "to name a pipeline write `let " + std::string(TextOf(list_.tokens[0])) + " = ...;`, " : "";
    return Fail(token.place, "E046", "'=' is not an operator here", name + "to compare values write ==");
  }
  if (token.type == TokenType::kDefine) {
    return Fail(token.place, "E014", "':=' is not an operator here", "write `let x = ...;`");
  }
  if (token.type == TokenType::kPipeArrow) {
    return Fail(token.place, "E014", "'|>' is not an operator here", "stages begin with `|`");
  }
  if (token.type == TokenType::kTrimLower || token.type == TokenType::kTrimUpper) {
    return Fail(token.place, "E070",
                "'" + std::string(TextOf(token)) + "' cuts native histograms in vector expressions",
                "to compare, put a space behind < or >");
  }
  std::string message = "unexpected " + Describe(token);
  if (!context.empty()) message += " in " + std::string(context);
  if (!expected.empty()) message += ", expected " + std::string(expected);
  return Fail(token.place, "E010", std::move(message), std::move(hint));
}

bool Parser::Expect(TokenType type, std::string_view context, std::string_view expected) {
  if (Accept(type)) return true;
  return Unexpected(context, expected);
}

bool Parser::Close(TokenType type, const Place& opening, std::string_view context) {
  if (Accept(type)) return true;
  if (!Is(TokenType::kEnd)) return Unexpected(context);
  const std::string_view what = type == TokenType::kRightParen     ? "parenthesis"
                                : type == TokenType::kRightBracket ? "bracket"
                                                                   : "brace";
  return Fail(opening, "E015", "unclosed left " + std::string(what));
}

bool Parser::CountOperator(const Place& place) {
  if (++operators_ <= kOperatorsMax) return true;
  return Fail(place, "E083", "more than 500 operators in one expression",
              "write long lists as `x in (...)`, or use a pattern");
}

std::vector<std::string_view> Parser::LetNames() const {
  std::vector<std::string_view> names;
  for (const auto& [name, info] : lets_) names.push_back(name);
  return names;
}

// `explain` is a metric's name too: what follows decides.
bool Parser::AtExplain() const {
  if (!IsWord("explain")) return false;
  switch (Peek(1).type) {
    case TokenType::kName:
      for (const std::string_view word : {"and", "or", "unless", "atan2", "offset"}) {
        if (IsAnyCaseWord(word, 1)) return false;
      }
      return true;
    case TokenType::kLeftParen:
    case TokenType::kNumber:
    case TokenType::kString:
    case TokenType::kParam:
    case TokenType::kDuration: return true;
    default: return false;
  }
}

bool Parser::AtOver() const {
  if (!IsWord("over")) return false;
  switch (Peek(1).type) {
    case TokenType::kMinus: return Is(TokenType::kDuration, 2) && Is(TokenType::kDotDot, 3);
    case TokenType::kDuration:
    case TokenType::kTimestamp:
    case TokenType::kParam:
    case TokenType::kNumber: return true;
    default: return IsWord("now", 1);
  }
}

bool Parser::ParseTime(TimeExpr* time) {
  if (AcceptWord("now")) {
    time->base = TimeExpr::Base::kNow;
    return true;
  }
  const bool negative = Accept(TokenType::kMinus);
  if (Is(TokenType::kDuration)) {
    time->base = TimeExpr::Base::kRelative;
    const int64_t value = NumberOf(Advance()).integer;
    time->value = negative ? value : -value;
    return true;
  }
  if (!negative && Is(TokenType::kTimestamp)) {
    time->base = TimeExpr::Base::kAbsolute;
    time->value = NumberOf(Advance()).integer;
    return true;
  }
  if (!negative && Is(TokenType::kParam)) {
    time->base = TimeExpr::Base::kParam;
    time->param = StringOf(Advance());
    return true;
  }
  return Unexpected("`over`", "a time", "write -1h, now, 2026-01-31T10:00:00Z or a $parameter");
}

bool Parser::ParseOver(OverClause* over) {
  const size_t first = at_++;
  if (!ParseTime(&over->start)) return false;
  if (!Accept(TokenType::kDotDot)) return Unexpected("`over`", "\"..\"", "write `over -1h..now;`");
  if (!ParseTime(&over->end)) return false;
  const TimeExpr& a = over->start;
  const TimeExpr& b = over->end;
  const auto before_now = [](const TimeExpr& t) { return t.base == TimeExpr::Base::kNow ? 0 : t.value; };
  const auto relative = [](const TimeExpr& t) {
    return t.base == TimeExpr::Base::kNow || t.base == TimeExpr::Base::kRelative;
  };
  const bool reversed =
      (relative(a) && relative(b) && before_now(a) < before_now(b)) ||
      (a.base == TimeExpr::Base::kAbsolute && b.base == TimeExpr::Base::kAbsolute && a.value > b.value);
  if (reversed) {
    return Fail(PlaceFrom(first + 1), "E035", "the range ends before it starts",
                "times before now have a minus: `over -1h..now;`");
  }
  if (AcceptWord("step")) {
    Duration step = 0;
    const Place place = Peek().place;
    if (!ParseDurationToken(&step, "`step`")) return false;
    if (step <= 0) return Fail(place, "E035", "a step must be longer than 0");
    over->step = step;
  }
  return Expect(TokenType::kSemicolon, "`over`", "\";\"");
}

bool Parser::ParseLet(QueryAst* query) {
  ++at_;
  if (!Is(TokenType::kName)) return Unexpected("`let`", "a name");
  const Token& name = Advance();
  const std::string text(TextOf(name));
  const std::string quoted = "'" + text + "'";
  if (text.find('.') != std::string::npos || text.find(':') != std::string::npos) {
    return Fail(name.place, "E022", quoted + " cannot name a pipeline", "use letters, digits and _");
  }
  for (const SourceTable table : {SourceTable::kLogs, SourceTable::kSpans, SourceTable::kEvents, SourceTable::kLinks,
                                  SourceTable::kExemplars, SourceTable::kSamples}) {
    if (text == ToString(table)) return Fail(name.place, "E022", quoted + " is a source and cannot be renamed");
  }
  if (lets_.count(text) > 0) return Fail(name.place, "E021", quoted + " is defined twice");
  if (!Accept(TokenType::kAssign)) {
    if (Is(TokenType::kDefine)) {
      return Fail(Peek().place, "E014", "':=' is not an operator here", "write `let " + text + " = ...;`");
    }
    return Unexpected("`let`", "\"=\"");
  }
  PipelinePtr pipeline = ParsePipeline(false);
  if (pipeline == nullptr) return false;
  if (!Is(TokenType::kSemicolon)) {
    return Unexpected("`let`", "\";\"", Is(TokenType::kEnd) || Is(TokenType::kName) ? "end the `let` with `;`" : "");
  }
  Advance();
  if (query->lets.size() == kLetsMax) return Fail(name.place, "E084", "the query has more than 200 lets");
  lets_.emplace(text, LetInfo{FlowOf(*pipeline)});
  query->lets.push_back({text, std::move(pipeline), name.place});
  return true;
}

std::shared_ptr<const QueryAst> Parser::ParseQuery() {
  auto query = std::make_shared<QueryAst>();
  if (Is(TokenType::kEnd)) {
    return Fail(Peek().place, "E009", "no expression found in input",
                "a query starts with a source: logs{...}, spans{...} or a metric");
  }
  if (AtExplain()) {
    Advance();
    query->explain = QueryAst::ExplainMode::kPlan;
    if (IsWord("analyze") && !Is(TokenType::kEnd, 1) && !Is(TokenType::kPipe, 1)) {
      Advance();
      query->explain = QueryAst::ExplainMode::kAnalyze;
    }
  }
  if (AtOver()) {
    query->over.emplace();
    if (!ParseOver(&*query->over)) return nullptr;
  }
  while (IsWord("let") && Is(TokenType::kName, 1)) {
    if (!ParseLet(query.get())) return nullptr;
  }
  query->body = ParsePipeline(false);
  if (query->body == nullptr) return nullptr;
  Accept(TokenType::kSemicolon);
  if (!Is(TokenType::kEnd)) {
    const bool after_end = at_ > 0 && list_.tokens[at_ - 1].type == TokenType::kSemicolon;
    return Unexpected("", "", after_end ? "one query at a time; name the parts before it with `let`" : "");
  }
  return query;
}

ExprPtr Parser::ParseVectorOnly() {
  if (Is(TokenType::kEnd)) return Fail(Peek().place, "E009", "no expression found in input");
  ExprPtr expr = ParseExpr(Position::kVector);
  if (expr == nullptr) return nullptr;
  if (!Is(TokenType::kEnd)) return Unexpected();
  if (!CheckVectorSource(*expr)) return nullptr;
  return expr;
}

bool Parser::CheckVectorSource(const Expr& expr) {
  std::optional<VectorProblem> problem = CheckVector(expr);
  if (!problem.has_value()) return true;
  return Fail(problem->place, std::move(problem->code), std::move(problem->message), std::move(problem->hint));
}

Flow Parser::FlowOf(const Pipeline& pipeline) const {
  Flow flow;
  if (const auto* events = std::get_if<EventSource>(&pipeline.source)) {
    flow = FlowOfSource(events->table);
  } else if (const auto* let = std::get_if<LetRef>(&pipeline.source)) {
    flow = lets_.find(let->name)->second.flow;
  } else {
    flow = FlowOfVector(TypeOf(*std::get<VectorSource>(pipeline.source).expr));
  }
  for (const Stage& stage : pipeline.stages) ApplyStage(stage, &flow);
  return flow;
}

bool Parser::ParseSource(Pipeline* pipeline, Flow* flow, bool inner) {
  const size_t first = at_;
  if (AtTable()) {
    EventSource source;
    if (!ParseEventSource(&source)) return false;
    *flow = FlowOfSource(source.table);
    pipeline->source = std::move(source);
    pipeline->source_text = TextFrom(first);
    return true;
  }
  ExprPtr expr = ParseExpr(Position::kVector);
  if (expr == nullptr) return false;
  if (const auto* nested = std::get_if<PipelineExpr>(&expr->node)) {
    // ( pipeline ) | stages is the pipeline with more stages.
    *pipeline = *nested->pipeline;
    *flow = FlowOf(*pipeline);
    return true;
  }
  const bool staged = Is(TokenType::kPipe);
  if ((!inner || staged) && !CheckVectorSource(*expr)) return false;
  *flow = FlowOfVector(TypeOf(*expr));
  pipeline->source = VectorSource{std::move(expr)};
  pipeline->source_text = TextFrom(first);
  return true;
}

PipelinePtr Parser::ParsePipeline(bool inner) {
  const size_t first = at_;
  auto pipeline = std::make_shared<Pipeline>();
  Flow flow;
  // A sub-query inside `stats` has stages of its own.
  const bool allowed = std::exchange(aggregates_allowed_, false);
  const bool seen = aggregate_seen_;
  if (!ParseSource(pipeline.get(), &flow, inner)) return nullptr;
  if (!ParseStages(pipeline.get(), &flow)) return nullptr;
  aggregates_allowed_ = allowed;
  aggregate_seen_ = seen;
  pipeline->kind = flow.kind;
  pipeline->place = PlaceFrom(first);
  return pipeline;
}

absl::StatusOr<std::shared_ptr<const QueryAst>> ParseQuery(std::string_view text) {
  absl::StatusOr<TokenList> tokens = Tokenize(text);
  if (!tokens.ok()) return tokens.status();
  Parser parser(text, *std::move(tokens), false);
  std::shared_ptr<const QueryAst> query = parser.ParseQuery();
  if (query == nullptr) return MakeError(*parser.error());
  return query;
}

absl::StatusOr<ExprPtr> ParseVectorExpression(std::string_view text) {
  // The error as Prometheus would have put it, with the places inside for those who want a picture.
  const auto reworded = [](const absl::Status& status) {
    const QueryError error = *ErrorOf(status);
    absl::Status out(status.code(), std::to_string(error.line) + ":" + std::to_string(error.column) +
                                        ": parse error: " + error.message);
    status.ForEachPayload([&](auto url, const absl::Cord& payload) { out.SetPayload(url, payload); });
    return out;
  };
  absl::StatusOr<TokenList> tokens = Tokenize(text);
  if (!tokens.ok()) return reworded(tokens.status());
  Parser parser(text, *std::move(tokens), true);
  ExprPtr expr = parser.ParseVectorOnly();
  if (expr == nullptr) return reworded(MakeError(*parser.error()));
  return expr;
}

}  // namespace braid
