#include <algorithm>
#include <limits>

#include "query/syntax/parser_state.h"

namespace braid {
namespace {

constexpr int kOr = 1, kAnd = 2, kNot = 3, kCompare = 4, kSum = 5, kProduct = 6;

struct Operator {
  BinaryOp op;
  int precedence;
};

bool FindOperator(TokenType type, Operator* out) {
  switch (type) {
    case TokenType::kOrOr: *out = {BinaryOp::kOr, kOr}; return true;
    case TokenType::kAndAnd: *out = {BinaryOp::kAnd, kAnd}; return true;
    case TokenType::kAssign:
    case TokenType::kEqual: *out = {BinaryOp::kEqual, kCompare}; return true;
    case TokenType::kNotEqual: *out = {BinaryOp::kNotEqual, kCompare}; return true;
    case TokenType::kLess: *out = {BinaryOp::kLess, kCompare}; return true;
    case TokenType::kLessEqual: *out = {BinaryOp::kLessEqual, kCompare}; return true;
    case TokenType::kGreater: *out = {BinaryOp::kGreater, kCompare}; return true;
    case TokenType::kGreaterEqual: *out = {BinaryOp::kGreaterEqual, kCompare}; return true;
    case TokenType::kTrimUpper: *out = {BinaryOp::kTrimUpper, kCompare}; return true;
    case TokenType::kTrimLower: *out = {BinaryOp::kTrimLower, kCompare}; return true;
    case TokenType::kMatch: *out = {BinaryOp::kMatch, kCompare}; return true;
    case TokenType::kNotMatch: *out = {BinaryOp::kNotMatch, kCompare}; return true;
    case TokenType::kPlus: *out = {BinaryOp::kAdd, kSum}; return true;
    case TokenType::kMinus: *out = {BinaryOp::kSub, kSum}; return true;
    case TokenType::kStar: *out = {BinaryOp::kMul, kProduct}; return true;
    case TokenType::kSlash: *out = {BinaryOp::kDiv, kProduct}; return true;
    case TokenType::kPercent: *out = {BinaryOp::kMod, kProduct}; return true;
    default: return false;
  }
}

bool IsEvents(const Expr& expr) {
  const auto* pipeline = std::get_if<PipelineExpr>(&expr.node);
  return pipeline != nullptr && pipeline->pipeline->kind == Kind::kEvents;
}

}  // namespace

ExprPtr Parser::ParseBinary(Position position, int min_precedence) {
  const InExpression in_expression(this);
  const size_t first = at_;
  const bool rows = position == Position::kRow;
  ExprPtr left;
  if (rows && (Is(TokenType::kNot) || IsAnyCaseWord("not"))) {
    if (min_precedence > kNot) return Unexpected("expression", "", "put `not ...` in parentheses");
    const Nesting nesting(this);
    if (!nesting.ok()) return nullptr;
    Advance();
    ExprPtr operand = ParseBinary(position, kNot);
    if (operand == nullptr) return nullptr;
    left = Make(UnaryExpr{UnaryOp::kNot, std::move(operand)}, first);
  } else {
    left = ParseUnary(position);
  }
  while (left != nullptr) {
    Operator op;
    const Token& token = Peek();
    if (token.type == TokenType::kName) {
      if (IsAnyCaseWord("or")) {
        op = {BinaryOp::kOr, kOr};
      } else if (IsAnyCaseWord("and")) {
        op = {BinaryOp::kAnd, kAnd};
      } else if (!rows && IsAnyCaseWord("unless")) {
        op = {BinaryOp::kUnless, kAnd};
      } else if (IsAnyCaseWord("atan2")) {
        op = {BinaryOp::kAtan2, kProduct};
      } else if (rows && (IsAnyCaseWord("in") || (IsAnyCaseWord("not") && IsAnyCaseWord("in", 1)))) {
        if (kCompare < min_precedence) return left;
        const bool negated = IsAnyCaseWord("not");
        at_ += negated ? 2 : 1;
        left = ParseIn(std::move(left), first, negated);
        continue;
      } else {
        return left;
      }
    } else if (!FindOperator(token.type, &op)) {
      return left;
    }
    if (!rows && (token.type == TokenType::kNotEqual || token.type == TokenType::kNotMatch) && IsEvents(*left)) {
      return left;  // a line filter
    }
    if (op.precedence < min_precedence) return left;
    if (!rows && (token.type == TokenType::kMatch || token.type == TokenType::kNotMatch)) {
      return Unexpected("", "", "compare labels in the braces of a selector, or rows after `| where`");
    }
    if (!rows && token.type == TokenType::kAssign) return Unexpected();
    if (rows && (token.type == TokenType::kTrimUpper || token.type == TokenType::kTrimLower)) return Unexpected();
    if (!CountOperator(token.place)) return nullptr;
    BinaryExpr binary;
    binary.op = op.op;
    binary.op_place = token.place;
    Advance();
    if (!rows && !ParseModifiers(&binary)) return nullptr;
    binary.right = ParseBinary(position, op.precedence + 1);
    if (binary.right == nullptr) return nullptr;
    binary.left = std::move(left);
    left = Make(std::move(binary), first);
  }
  return left;
}

ExprPtr Parser::ParseUnary(Position position) {
  const Nesting nesting(this);
  if (!nesting.ok()) return nullptr;
  const size_t first = at_;
  if (Is(TokenType::kMinus) || Is(TokenType::kPlus)) {
    const UnaryOp op = Is(TokenType::kMinus) ? UnaryOp::kMinus : UnaryOp::kPlus;
    Advance();
    ExprPtr operand = ParseUnary(position);
    if (operand == nullptr) return nullptr;
    return Make(UnaryExpr{op, std::move(operand)}, first);
  }
  ExprPtr left = position == Position::kVector ? ParsePostfix() : ParseRowPrimary();
  if (left == nullptr || !Is(TokenType::kCaret)) return left;
  if (!CountOperator(Peek().place)) return nullptr;
  BinaryExpr binary;
  binary.op = BinaryOp::kPow;
  binary.op_place = Peek().place;
  Advance();
  if (position == Position::kVector && !ParseModifiers(&binary)) return nullptr;
  binary.right = ParseUnary(position);
  if (binary.right == nullptr) return nullptr;
  binary.left = std::move(left);
  return Make(std::move(binary), first);
}

bool Parser::ParseModifiers(BinaryExpr* binary) {
  if (IsAnyCaseWord("bool")) {
    Advance();
    binary->return_bool = true;
  }
  VectorMatching& matching = binary->matching;
  const bool on = IsAnyCaseWord("on");
  if ((on || IsAnyCaseWord("ignoring")) && Is(TokenType::kLeftParen, 1)) {
    Advance();
    matching.given = true;
    matching.on = on;
    if (!ParseLabels(&matching.labels)) return false;
    const bool left = IsAnyCaseWord("group_left");
    if (left || IsAnyCaseWord("group_right")) {
      Advance();
      matching.group = left ? VectorMatching::Group::kLeft : VectorMatching::Group::kRight;
      // Labels are optional, and so `group_left (x)` always names one: a parenthesised operand needs `group_left ()
      // (x)`.
      if (Is(TokenType::kLeftParen) && !ParseLabels(&matching.include)) return false;
    }
  } else if (IsAnyCaseWord("group_left") || IsAnyCaseWord("group_right")) {
    return Unexpected("", "", "write `on (...) group_left (...)` or `ignoring (...) group_left (...)`");
  }
  return ParseFill(&matching);
}

// fill (0), fill_left (0), fill_right (0): what a series that is missing on a side is taken for.
bool Parser::ParseFill(VectorMatching* matching) {
  const auto at_fill = [this](std::string_view word) { return IsAnyCaseWord(word) && Is(TokenType::kLeftParen, 1); };
  const bool both = at_fill("fill");
  while (both || at_fill("fill_left") || at_fill("fill_right")) {
    const bool left = IsAnyCaseWord("fill_left");
    std::optional<double>* target = left ? &matching->fill_left : &matching->fill_right;
    if (target->has_value()) return Unexpected();
    const size_t sign = Is(TokenType::kMinus, 2) || Is(TokenType::kPlus, 2) ? 1 : 0;
    const bool number = Is(TokenType::kNumber, 2 + sign) || Is(TokenType::kDuration, 2 + sign) ||
                        IsAnyCaseWord("inf", 2 + sign) || IsAnyCaseWord("nan", 2 + sign);
    if (!number) return Unexpected("fill modifier", "number");
    at_ += 2;
    const bool negative = Is(TokenType::kMinus);
    at_ += sign;
    const ExprPtr literal = ParseLiteral();
    double value = 0;
    if (const auto* n = std::get_if<NumberLiteral>(&literal->node)) value = n->value;
    if (const auto* d = std::get_if<DurationLiteral>(&literal->node)) value = static_cast<double>(d->value) / 1e9;
    if (!Expect(TokenType::kRightParen, "fill modifier", "\")\"")) return false;
    *target = negative ? -value : value;
    if (both) {
      matching->fill_left = matching->fill_right;
      break;
    }
  }
  return true;
}

bool Parser::ParseLabels(std::vector<std::string>* labels) {
  if (!Is(TokenType::kLeftParen)) {
    return Unexpected("grouping opts", "\"(\"",
                      Is(TokenType::kName) ? "write (" + std::string(TextOf(Peek())) + ")" : "");
  }
  const Place opening = Advance().place;
  while (!Is(TokenType::kRightParen)) {
    std::string label;
    if (Is(TokenType::kName)) {
      label = std::string(TextOf(Advance()));
    } else if (Is(TokenType::kString)) {
      label = StringOf(Advance());
    } else if (Is(TokenType::kEnd)) {
      return Fail(opening, "E015", "unclosed left parenthesis");
    } else {
      return Unexpected("grouping opts", "label");
    }
    if (std::find(labels->begin(), labels->end(), label) == labels->end()) labels->push_back(std::move(label));
    if (Is(TokenType::kRightParen) || Is(TokenType::kEnd)) break;
    if (!Accept(TokenType::kComma)) return Unexpected("grouping opts", "\",\" or \")\"");
  }
  return Close(TokenType::kRightParen, opening, "grouping opts");
}

bool Parser::AtLiteral() const {
  switch (Peek().type) {
    case TokenType::kNumber:
    case TokenType::kDuration:
    case TokenType::kTimestamp:
    case TokenType::kString:
    case TokenType::kParam: return true;
    default: return (IsAnyCaseWord("inf") || IsAnyCaseWord("nan")) && !Is(TokenType::kLeftBrace, 1);
  }
}

ExprPtr Parser::ParseLiteral() {
  const size_t first = at_;
  const Token& token = Advance();
  switch (token.type) {
    case TokenType::kNumber: {
      const NumberPayload& number = NumberOf(token);
      NumberLiteral literal{number.value, std::nullopt};
      if (number.is_integer) literal.integer = number.integer;
      return Make(literal, first);
    }
    case TokenType::kDuration: return Make(DurationLiteral{NumberOf(token).integer}, first);
    case TokenType::kTimestamp: return Make(TimestampLiteral{NumberOf(token).integer}, first);
    case TokenType::kString: return Make(StringLiteral{StringOf(token)}, first);
    case TokenType::kParam:
      if (promql_) return Fail(token.place, "E010", "unexpected character: '$'");
      return Make(ParamRef{StringOf(token)}, first);
    default: {
      const bool nan = (TextOf(token)[0] | 0x20) == 'n';
      const double value = nan ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
      return Make(NumberLiteral{value, std::nullopt}, first);
    }
  }
}

}  // namespace braid
