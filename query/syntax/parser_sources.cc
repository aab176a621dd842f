#include "query/syntax/parser_state.h"
#include "query/syntax/vector_types.h"

namespace braid {
namespace {

struct SpanOperator {
  SpanOp op;
  Spanset::Mode mode;
};

std::optional<SpanOperator> SpanOperatorOf(TokenType type) {
  using Mode = Spanset::Mode;
  switch (type) {
    case TokenType::kGreater: return SpanOperator{SpanOp::kChild, Mode::kPlain};
    case TokenType::kDescendant: return SpanOperator{SpanOp::kDescendant, Mode::kPlain};
    case TokenType::kLess: return SpanOperator{SpanOp::kParent, Mode::kPlain};
    case TokenType::kAncestor: return SpanOperator{SpanOp::kAncestor, Mode::kPlain};
    case TokenType::kSibling: return SpanOperator{SpanOp::kSibling, Mode::kPlain};
    case TokenType::kNotChild: return SpanOperator{SpanOp::kChild, Mode::kNot};
    case TokenType::kNotDescendant: return SpanOperator{SpanOp::kDescendant, Mode::kNot};
    case TokenType::kNotParent: return SpanOperator{SpanOp::kParent, Mode::kNot};
    case TokenType::kNotAncestor: return SpanOperator{SpanOp::kAncestor, Mode::kNot};
    case TokenType::kNotMatch: return SpanOperator{SpanOp::kSibling, Mode::kNot};
    case TokenType::kUnionChild: return SpanOperator{SpanOp::kChild, Mode::kUnion};
    case TokenType::kUnionDescendant: return SpanOperator{SpanOp::kDescendant, Mode::kUnion};
    case TokenType::kUnionParent: return SpanOperator{SpanOp::kParent, Mode::kUnion};
    case TokenType::kUnionAncestor: return SpanOperator{SpanOp::kAncestor, Mode::kUnion};
    case TokenType::kUnionSibling: return SpanOperator{SpanOp::kSibling, Mode::kUnion};
    case TokenType::kAndAnd: return SpanOperator{SpanOp::kAnd, Mode::kPlain};
    case TokenType::kOrOr: return SpanOperator{SpanOp::kOr, Mode::kPlain};
    default: return std::nullopt;
  }
}

bool TableOf(std::string_view word, SourceTable* table) {
  for (const SourceTable candidate : {SourceTable::kLogs, SourceTable::kSpans, SourceTable::kEvents,
                                      SourceTable::kLinks, SourceTable::kExemplars, SourceTable::kSamples}) {
    if (word != ToString(candidate)) continue;
    *table = candidate;
    return true;
  }
  return false;
}

}  // namespace

bool Parser::AtTable(size_t ahead) const {
  SourceTable table;
  return !promql_ && Is(TokenType::kName, ahead) && TableOf(TextOf(Peek(ahead)), &table);
}

// A spanset stands on both sides of a structural operator; a number or a name stands behind a comparison.
bool Parser::AtSpanOperator() const {
  return SpanOperatorOf(Peek().type).has_value() && (Is(TokenType::kLeftBrace, 1) || Is(TokenType::kLeftParen, 1));
}

bool Parser::ParseEventSource(EventSource* source) {
  TableOf(TextOf(Advance()), &source->table);
  const bool spans = source->table == SourceTable::kSpans;
  if (Is(TokenType::kLeftBrace) || (spans && Is(TokenType::kLeftParen))) {
    source->spanset = ParseSpanset(source->table);
    if (source->spanset == nullptr) return false;
  } else if (spans && AtSpanOperator()) {
    return Unexpected("spans", "", "every spanset has its braces: spans{} >> {...}");
  }
  if (IsAnyCaseWord("offset")) {
    Advance();
    const bool negative = Accept(TokenType::kMinus);
    if (!ParseDurationToken(&source->offset, "offset")) return false;
    if (negative) source->offset = -source->offset;
  }
  return EventsUsedAsVector(source->table);
}

bool Parser::EventsUsedAsVector(SourceTable table) {
  const Token& token = Peek();
  std::string range;
  switch (token.type) {
    case TokenType::kLeftBracket:
      if (Is(TokenType::kDuration, 1)) range = std::string(TextOf(Peek(1)));
      break;
    case TokenType::kNotEqual:
    case TokenType::kNotMatch:
      if (Is(TokenType::kString, 1)) return true;  // a line filter
      break;
    case TokenType::kPlus:
    case TokenType::kMinus:
    case TokenType::kStar:
    case TokenType::kSlash:
    case TokenType::kPercent:
    case TokenType::kCaret:
    case TokenType::kEqual:
    case TokenType::kLess:
    case TokenType::kLessEqual:
    case TokenType::kGreater:
    case TokenType::kGreaterEqual: break;
    case TokenType::kAt:
      return Fail(token.place, "E070", "'@' is not supported on events",
                  "give the range with `over ... ;`, or move it with `offset 1h`");
    default: return true;
  }
  std::string_view function;
  std::vector<std::string> grouping;
  if (token.type == TokenType::kLeftBracket && !calls_.empty()) function = calls_.back().function;
  for (auto call = calls_.rbegin(); call != calls_.rend() && grouping.empty(); ++call) grouping = call->grouping;
  const VectorProblem problem =
      EventsAsVector(token.place, std::string(ToString(table)) + "{...}", function, grouping, range);
  return Fail(problem.place, problem.code, problem.message, problem.hint);
}

SpansetPtr Parser::ParseSpanset(SourceTable table) {
  const InExpression in_expression(this);
  const size_t first = at_;
  SpansetPtr left = ParseSpansetPrimary(table);
  while (left != nullptr && AtSpanOperator()) {
    const Token& token = Peek();
    if (table != SourceTable::kSpans) {
      const std::string name(ToString(table));
      return Fail(token.place, "E030", "structural operator '" + std::string(TextOf(token)) + "' only works on spans",
                  name + " have no parent/child structure; join them with `where trace_id in (...)`");
    }
    if (!CountOperator(token.place)) return nullptr;
    const SpanOperator op = *SpanOperatorOf(token.type);
    Advance();
    auto node = std::make_shared<Spanset>();
    node->op = op.op;
    node->mode = op.mode;
    node->left = std::move(left);
    node->right = ParseSpansetPrimary(table);
    if (node->right == nullptr) return nullptr;
    if (IsWord("avoiding")) {
      if (op.op != SpanOp::kDescendant && op.op != SpanOp::kAncestor) {
        return Fail(Peek().place, "E031", "`avoiding` needs a path between two spans", "it follows `>>` or `<<`");
      }
      Advance();
      node->avoiding = ParseSpansetPrimary(table);
      if (node->avoiding == nullptr) return nullptr;
    }
    node->place = PlaceFrom(first);
    left = std::move(node);
  }
  return left;
}

SpansetPtr Parser::ParseSpansetPrimary(SourceTable table) {
  const Nesting nesting(this);
  if (!nesting.ok()) return nullptr;
  const size_t first = at_;
  if (Is(TokenType::kLeftParen)) {
    const Place opening = Advance().place;
    SpansetPtr inner = ParseSpanset(table);
    if (inner == nullptr || !Close(TokenType::kRightParen, opening, "spanset")) return nullptr;
    return inner;
  }
  if (!Is(TokenType::kLeftBrace)) return Unexpected("spanset", "\"{\"");
  const Place opening = Advance().place;
  auto leaf = std::make_shared<Spanset>();
  while (!Is(TokenType::kRightBrace)) {
    if (Is(TokenType::kEnd)) return Fail(opening, "E015", "unclosed left brace");
    ExprPtr matcher = ParseExpr(Position::kRow);
    if (matcher == nullptr) return nullptr;
    leaf->matchers.push_back(std::move(matcher));
    if (Is(TokenType::kRightBrace) || Is(TokenType::kEnd)) break;
    if (!Accept(TokenType::kComma)) return Unexpected("matchers", "\",\" or \"}\"");
  }
  if (!Close(TokenType::kRightBrace, opening, "matchers")) return nullptr;
  leaf->place = PlaceFrom(first);
  return leaf;
}

}  // namespace braid
