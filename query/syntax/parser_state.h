// The recursive descent parser: one class, its rules in several files.
//
//   parser.cc           the query around its pipelines: explain, over, let; pipelines; errors
//   parser_sources.cc   events and spansets
//   parser_stages.cc    the stages and what only they use: items, windows
//   parser_binary.cc    operators of both positions, by precedence
//   parser_vector.cc    vector position: selectors, calls, aggregations, modifiers
//   parser_rows.cc      row position: fields, calls, sets
//
// The first error wins: Fail records it and returns a value that is false, and every rule gives up when one of its
// parts has. Depth is bounded where rules nest (Nesting), length of chains by the count of operators, so that neither
// this parser nor any walk over its trees can exhaust a stack.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "query/syntax/ast.h"
#include "query/syntax/kind_check.h"
#include "query/syntax/lexer.h"

namespace braid {

inline constexpr int kNestingMax = 200;
// Left-deep chains (a or b or ...) make trees as deep as they are long; walks over them recurse. Per stage or source,
// with everything nested inside.
inline constexpr int kOperatorsMax = 500;
// Stages and lets become operators that pull from each other, again one frame each.
inline constexpr int kStagesMax = 1000;
inline constexpr int kLetsMax = 200;

enum class Position : uint8_t { kVector, kRow };

class Parser {
 public:
  // `promql`: one PromQL expression and nothing of the rest, so no word is reserved.
  Parser(std::string_view text, TokenList list, bool promql) : text_(text), list_(std::move(list)), promql_(promql) {}

  std::shared_ptr<const QueryAst> ParseQuery();
  ExprPtr ParseVectorOnly();
  const std::optional<QueryError>& error() const { return error_; }

 private:
  // False, and null for any pointer.
  struct Failed {
    operator bool() const { return false; }
    template <typename T>
    operator std::shared_ptr<T>() const {
      return nullptr;
    }
  };
  class Nesting {
   public:
    explicit Nesting(Parser* parser) : parser_(parser) { ++parser_->depth_; }
    ~Nesting() { --parser_->depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    bool ok() const;

   private:
    Parser* parser_;
  };
  // One expression, or one that stands inside it.
  class InExpression {
   public:
    explicit InExpression(Parser* parser) : parser_(parser) {
      if (parser_->expression_depth_++ == 0) parser_->operators_ = 0;
    }
    ~InExpression() { --parser_->expression_depth_; }
    InExpression(const InExpression&) = delete;
    InExpression& operator=(const InExpression&) = delete;

   private:
    Parser* parser_;
  };
  // What stands around an expression, for errors that show what to write instead.
  struct CallScope {
    std::string function;
    std::vector<std::string> grouping;
  };

  // ---- tokens
  const Token& Peek(size_t ahead = 0) const { return list_.tokens[std::min(at_ + ahead, list_.tokens.size() - 1)]; }
  const Token& Advance() { return list_.tokens[at_ + 1 < list_.tokens.size() ? at_++ : at_]; }
  bool Is(TokenType type, size_t ahead = 0) const { return Peek(ahead).type == type; }
  std::string_view TextOf(const Token& token) const { return text_.substr(token.place.offset, token.place.length); }
  bool IsWord(std::string_view word, size_t ahead = 0) const {
    return Is(TokenType::kName, ahead) && TextOf(Peek(ahead)) == word;
  }
  bool IsAnyCaseWord(std::string_view word, size_t ahead = 0) const;
  bool Accept(TokenType type) { return Is(type) && (Advance(), true); }
  bool AcceptWord(std::string_view word) { return IsWord(word) && (Advance(), true); }
  const NumberPayload& NumberOf(const Token& token) const { return list_.numbers[token.payload]; }
  const std::string& StringOf(const Token& token) const { return list_.strings[token.payload]; }
  // Source text of the tokens from `first` up to the next one to read, on one line; cut if very long.
  std::string TextFrom(size_t first) const;
  Place PlaceFrom(size_t first) const;

  // ---- errors (parser.cc)
  Failed Fail(const Place& place, std::string code, std::string message, std::string hint = "");
  Failed FailWith(const absl::Status& status);  // of a status that carries a QueryError
  // "unexpected X in <context>, expected <expected>" at the next token.
  Failed Unexpected(std::string_view context = "", std::string_view expected = "", std::string hint = "");
  std::string Describe(const Token& token) const;
  std::string ForeignStartHint() const;
  bool Expect(TokenType type, std::string_view context, std::string_view expected);
  bool Close(TokenType type, const Place& opening, std::string_view context);
  bool CountOperator(const Place& place);

  // ---- queries (parser.cc)
  bool AtExplain() const;
  bool AtOver() const;
  bool ParseOver(OverClause* over);
  bool ParseTime(TimeExpr* time);
  bool ParseLet(QueryAst* query);
  // Source and stages. `inner`: in parentheses or as argument, where a bare vector expression is checked by what
  // stands around it.
  PipelinePtr ParsePipeline(bool inner);
  bool ParseSource(Pipeline* pipeline, Flow* flow, bool inner);
  bool CheckVectorSource(const Expr& expr);
  Flow FlowOf(const Pipeline& pipeline) const;

  // ---- sources (parser_sources.cc)
  bool AtTable(size_t ahead = 0) const;
  bool ParseEventSource(EventSource* source);
  SpansetPtr ParseSpanset(SourceTable table);
  SpansetPtr ParseSpansetPrimary(SourceTable table);
  bool AtSpanOperator() const;
  bool EventsUsedAsVector(SourceTable table);

  // ---- stages (parser_stages.cc)
  bool ParseStages(Pipeline* pipeline, Flow* flow);
  bool ParseOneStage(Stage* stage);
  bool ParseVerb(Stage* stage);
  bool AtForeignOperator();  // the error is made
  bool UnknownVerb();
  bool ParseItems(std::vector<Item>* items);                                // a, b = c
  bool ParseGroupItems(std::vector<Item>* items, std::string_view clause);  // (a, b = c)
  bool ParseItem(Item* item);
  bool ParseStats(StatsStage* stats);
  bool ParseTop(TopStage* top);
  bool ParseSort(SortStage* sort);
  bool ParseJoin(JoinStage* join);
  bool ParseJoinKeys(std::vector<JoinKey>* keys);
  bool ParseWindows(WindowsStage* windows);
  bool ParseFrom(ExprPtr* from);
  PipelinePtr ParseOperand(std::string_view stage);
  // `counts`: numbers are row counts; else only zero may go without a unit.
  bool ParseWindow(Window* window, bool counts);
  bool ParseBound(Bound* bound, bool counts, int* sign);
  bool ParseCount(uint64_t* count, std::string_view stage);
  bool ParseDurationToken(Duration* duration, std::string_view context);

  // ---- expressions of both positions (parser_binary.cc)
  ExprPtr ParseExpr(Position position) { return ParseBinary(position, 1); }
  ExprPtr ParseBinary(Position position, int min_precedence);
  ExprPtr ParseUnary(Position position);
  bool ParseModifiers(BinaryExpr* binary);
  bool ParseFill(VectorMatching* matching);
  bool ParseLabels(std::vector<std::string>* labels);
  ExprPtr ParseLiteral();  // REQUIRES: AtLiteral()
  bool AtLiteral() const;

  // ---- vector position (parser_vector.cc)
  ExprPtr ParsePostfix();
  ExprPtr ParseVectorPrimary();
  ExprPtr ParseVectorParen();
  ExprPtr ParseSelector(std::string metric, size_t first);
  bool ParseLabelMatchers(VectorSelector* selector);
  ExprPtr ParseCall(size_t first);
  ExprPtr ParseAggregation(size_t first);
  bool ParseArgs(std::vector<Item>* args);
  ExprPtr ParseVectorArg();
  ExprPtr ParseBrackets(ExprPtr inner, size_t first);
  ExprPtr ParseOffset(ExprPtr inner, size_t first);
  ExprPtr ParseAt(ExprPtr inner, size_t first);
  ExprPtr ParseEdge(ExprPtr inner, size_t first);
  // Durations and numbers as PromQL 3 lets one compute with them.
  ExprPtr ParseDurationExpr(std::string_view context, int min_precedence);
  ExprPtr ParseDurationPrimary(std::string_view context);
  ExprPtr ParseDurationCall();
  // A length of time that is above zero: `*range`, or `*open` if it is known only when the query runs.
  bool ParseRange(Duration* range, ExprPtr* open, std::string_view context);
  ExprPtr LetOperand(const Token& name);

  // ---- row position (parser_rows.cc)
  ExprPtr ParseRowPrimary();
  ExprPtr ParseRowParen();
  ExprPtr ParseRowCall(size_t first);
  // The text of a date such as 2026-01-31, which is numbers and minus signs to the lexer, or "".
  std::string DateAt() const;
  ExprPtr ParseField();
  ExprPtr ParseIn(ExprPtr left, size_t first, bool negated);
  bool ParseSet(InExpr* in);
  bool ParseSetList(InExpr* in);
  bool AtValueList(const InExpr& in) const;

  template <typename Node>
  ExprPtr Make(Node node, size_t first) const {
    return std::make_shared<const Expr>(Expr{std::move(node), PlaceFrom(first)});
  }
  std::vector<std::string_view> LetNames() const;

  std::string_view text_;
  TokenList list_;
  bool promql_;
  size_t at_ = 0;
  int depth_ = 0;
  int operators_ = 0;
  int expression_depth_ = 0;
  int stages_ = 0;
  // In `stats` items, outside of an aggregate's arguments.
  bool aggregates_allowed_ = false;
  bool aggregate_seen_ = false;
  std::vector<Place> open_parens_;
  std::vector<CallScope> calls_;
  struct LetInfo {
    Flow flow;
  };
  std::map<std::string, LetInfo, std::less<>> lets_;
  std::optional<QueryError> error_;
};

}  // namespace braid
