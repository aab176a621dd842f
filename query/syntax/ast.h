// The parsed query. One expression grammar serves vector position (PromQL) and row position (stages, event matchers);
// the parser has already checked which forms stand where.
//
// Nodes are immutable after parsing and shared by pointer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "braid/query.h"
#include "braid/snapshot.h"
#include "braid/types.h"

namespace braid {

// A place in the query's text: bytes [offset, offset + length), line and column from 1.
struct Place {
  uint32_t offset = 0;
  uint32_t length = 0;
  uint32_t line = 1;
  uint32_t column = 1;
};

struct Expr;
struct Pipeline;
using ExprPtr = std::shared_ptr<const Expr>;
using PipelinePtr = std::shared_ptr<const Pipeline>;

// ---- leaves
struct NumberLiteral {
  double value;
  std::optional<int64_t> integer;
};  // integer: written without fraction, exact
struct DurationLiteral {
  Duration value;
};
struct TimestampLiteral {
  Timestamp value;
};
struct StringLiteral {
  std::string value;
};
struct BoolLiteral {
  bool value;
};
struct NullLiteral {};
struct ParamRef {
  std::string name;
};  // $name
// A column in row position: `service`, `attr.tenant_id`, `http.route`, `.x`, `l.message`, `attr."weird key"`. The
// path keeps the parts as written; quoted parts may hold dots. The binder decides what they mean.
struct FieldRef {
  std::vector<std::string> path;
  bool leading_dot = false;
};

// ---- vector position
// `param` set: the value is the caller's $param (a string), and `matcher.value` is empty.
struct LabelMatcher {
  Matcher matcher;
  Place place;
  std::string param;
};
struct VectorSelector {
  std::string metric;                  // may be empty
  std::vector<LabelMatcher> matchers;  // including the one for __name__ when `metric` is set
};
// Time modifiers of a selector or sub-query; at most one of the @ forms is set.
// Durations that are known only when the query runs stand as `..._expr`, with a placeholder beside them; see
// durations.h.
struct TimeModifiers {
  Duration offset = 0;
  ExprPtr offset_expr;
  std::optional<Timestamp> at;
  bool at_start = false;
  bool at_end = false;
};
// How a selector treats the ends of its window: as they are; the last sample before each end counts as standing on it
// (anchored); or the value there is interpolated between the samples around it (smoothed).
enum class WindowEdge : uint8_t { kPlain, kAnchored, kSmoothed };
struct Selector {
  VectorSelector selector;
  TimeModifiers time;
  std::optional<Duration> range;
  ExprPtr range_expr;
  WindowEdge edge = WindowEdge::kPlain;
};  // x, x[5m]
struct SubqueryExpr {
  ExprPtr inner;
  Duration range = 0;
  std::optional<Duration> step;
  TimeModifiers time;
  ExprPtr range_expr, step_expr;
};
struct AggregationExpr {  // sum by (a) (x), topk(3, x)
  std::string op;
  bool without = false;
  bool has_grouping = false;  // `by ()` is grouping by nothing, absence of it too; kept for printing
  std::vector<std::string> grouping;
  ExprPtr param;  // may be null
  ExprPtr inner;
};
struct VectorMatching {
  bool on = false;  // on (...) or ignoring (...)
  bool given = false;
  std::vector<std::string> labels;
  enum class Group : uint8_t { kOneToOne, kLeft, kRight } group = Group::kOneToOne;
  std::vector<std::string> include;             // labels of group_left / group_right
  std::optional<double> fill_left, fill_right;  // stands in for a series that is missing on that side
};

// ---- both
enum class UnaryOp : uint8_t { kMinus, kPlus, kNot };
enum class BinaryOp : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kAtan2,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kTrimUpper,  // </ and >/ of native histograms
  kTrimLower,
  kMatch,
  kNotMatch,  // =~ !~
  kAnd,
  kOr,
  kUnless,
};
struct UnaryExpr {
  UnaryOp op;
  ExprPtr operand;
};
struct BinaryExpr {
  BinaryOp op;
  ExprPtr left, right;
  bool return_bool = false;  // vector position
  VectorMatching matching;   // vector position
  Place op_place;
};
// A named argument or item: `n = count()`. `name` may be empty; `text` is the expression as written.
struct Item {
  std::string name;
  ExprPtr expr;
  std::string text;
  Place place;
};
struct CallExpr {
  std::string function;
  std::vector<Item> args;
  Place name_place;
};
struct ParenExpr {
  ExprPtr inner;
};  // kept so that printing gives the text back
struct TupleExpr {
  std::vector<ExprPtr> parts;
};  // (service, time)
// ( pipeline ) as operand, or as argument of scalar(). A `let` used as operand by its name is a pipeline that is
// nothing but its LetRef: kind set, no stages.
struct PipelineExpr {
  PipelinePtr pipeline;
};
// x in S, (x, y) not in S. S: a name (let), a parameter, one pipeline, or a list of values.
struct InExpr {
  std::vector<ExprPtr> keys;
  bool negated = false;
  std::string set_name;             // a let name
  std::string set_param;            // or $param
  PipelinePtr set_pipeline;         // or a sub-query
  std::vector<ExprPtr> set_values;  // or literals
  Place set_place;
};

struct Expr {
  std::variant<NumberLiteral, DurationLiteral, TimestampLiteral, StringLiteral, BoolLiteral, NullLiteral, ParamRef,
               FieldRef, Selector, SubqueryExpr, AggregationExpr, UnaryExpr, BinaryExpr, CallExpr, ParenExpr, TupleExpr,
               PipelineExpr, InExpr>
      node;
  Place place;
};

// ---- sources
enum class SourceTable : uint8_t { kLogs, kSpans, kEvents, kLinks, kExemplars, kSamples };

struct Spanset;
using SpansetPtr = std::shared_ptr<const Spanset>;
enum class SpanOp : uint8_t { kChild, kDescendant, kParent, kAncestor, kSibling, kAnd, kOr };  // > >> < << ~ && ||
struct Spanset {
  // A leaf holds matchers (conjunction; empty = all); an inner node combines two.
  std::vector<ExprPtr> matchers;
  SpansetPtr left, right, avoiding;
  SpanOp op = SpanOp::kAnd;
  enum class Mode : uint8_t { kPlain, kNot, kUnion } mode = Mode::kPlain;  // op, !op, &op
  Place place;
  bool leaf() const { return left == nullptr; }
};

struct EventSource {
  SourceTable table;
  SpansetPtr spanset;  // null = no braces. Only for spans may it be more than a leaf.
  Duration offset = 0;
};
struct LetRef {
  std::string name;
};  // a pipeline that starts from a `let`
struct VectorSource {
  ExprPtr expr;
};  // a vector expression

// ---- stages
struct Bound {
  Duration value = 0;
  bool is_count = false;
};  // `context` takes counts too
struct Window {
  Bound from, to;
};  // -10m..0s
struct SortKey {
  ExprPtr expr;
  bool descending = false;
};
struct JoinKey {
  ExprPtr left;
  std::string right;
  bool is_time = false;
  Place place;
};  // k, or left = right

struct LineFilter {
  enum class Op : uint8_t { kContains, kNotContains, kRegex, kNotRegex } op;
  std::string text;
};
struct WhereStage {
  ExprPtr condition;
};
struct ExtendStage {
  std::vector<Item> items;
};
struct KeepStage {
  std::vector<Item> items;
};
struct DropStage {
  std::vector<Item> items;
};
struct ParseStage {
  enum class Format : uint8_t { kJson, kLogfmt, kRegexp, kPattern } format;
  std::string pattern;
  ExprPtr from;
};
struct StatsStage {
  std::vector<Item> aggregates;
  bool has_by = false;
  std::vector<Item> by;
  std::optional<Duration> window;
};
struct TopStage {
  uint64_t count;
  ExprPtr expr;
  std::vector<Item> per;
};
struct SortStage {
  std::vector<SortKey> keys;
};
struct LimitStage {
  uint64_t count;
  bool tail = false;
};
struct DedupStage {
  std::vector<Item> keys;
};
struct JoinStage {
  bool left_outer = false;
  PipelinePtr right;
  std::string name;
  std::vector<JoinKey> keys;
  std::optional<Window> within;
  std::optional<Duration> asof;
};
struct UnionStage {
  PipelinePtr right;
};
struct WindowsStage {
  bool has_by = false;
  std::vector<Item> by;
  std::optional<Duration> gap;
  std::optional<Window> pad;
};
struct ContextStage {
  Window window;
};
struct CompareStage {
  ExprPtr condition;
  uint64_t top = 0;
};  // 0 = all

struct Stage {
  std::variant<LineFilter, WhereStage, ExtendStage, KeepStage, DropStage, ParseStage, StatsStage, TopStage, SortStage,
               LimitStage, DedupStage, JoinStage, UnionStage, WindowsStage, ContextStage, CompareStage>
      node;
  Place place;
  std::string text;  // as written, for reports
};

struct Pipeline {
  std::variant<EventSource, LetRef, VectorSource> source;
  std::vector<Stage> stages;
  Kind kind = Kind::kRows;  // set by the parser
  Place place;
  std::string source_text;
};

struct TimeExpr {  // of `over`
  enum class Base : uint8_t { kNow, kRelative, kAbsolute, kParam } base = Base::kNow;
  int64_t value = 0;  // kRelative: nanoseconds before now (positive); kAbsolute: the timestamp
  std::string param;
};
struct OverClause {
  TimeExpr start, end;
  std::optional<Duration> step;
};

struct LetClause {
  std::string name;
  PipelinePtr pipeline;
  Place place;
};

struct QueryAst {
  enum class ExplainMode : uint8_t { kNone, kPlan, kAnalyze } explain = ExplainMode::kNone;
  std::optional<OverClause> over;
  std::vector<LetClause> lets;
  PipelinePtr body;
};

}  // namespace braid
