// Canonical text of a tree. What the parser built is printed with its own parentheses (ParenExpr); trees built by hand
// get those that precedence asks for.
#include <type_traits>
#include <utility>

#include "query/syntax/kind_check.h"
#include "query/syntax/literals.h"
#include "query/syntax/parser.h"

namespace braid {
namespace {

constexpr std::string_view kBinarySpellings[] = {"+",  "-", "*",  "/",  "%",  "^",  "atan2", "==",  "!=", "<",
                                                 "<=", ">", ">=", "</", ">/", "=~", "!~",    "and", "or", "unless"};

bool IsPlainName(std::string_view name, bool dots) {
  bool start = true;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (start ? !letter : !letter && !(c >= '0' && c <= '9') && c != ':' && c != '.') return false;
    if (c == '.' && !dots) return false;
    start = c == '.';
  }
  return !name.empty() && !start;
}

// Names that a metric cannot be called by without quotes: sources, and words that read as numbers or as beginnings.
bool IsReserved(std::string_view name) {
  for (const SourceTable table : {SourceTable::kLogs, SourceTable::kSpans, SourceTable::kEvents, SourceTable::kLinks,
                                  SourceTable::kExemplars, SourceTable::kSamples}) {
    if (name == ToString(table)) return true;
  }
  if (name == "explain" || name == "over" || name == "let") return true;
  if (name.size() != 3) return false;
  const std::string lower = {static_cast<char>(name[0] | 0x20), static_cast<char>(name[1] | 0x20),
                             static_cast<char>(name[2] | 0x20)};
  return lower == "inf" || lower == "nan";
}

std::string LabelText(const std::string& name) { return IsPlainName(name, true) ? name : PrintString(name); }

std::string Labels(const std::vector<std::string>& labels) {
  std::string out = "(";
  for (size_t i = 0; i < labels.size(); ++i) out += (i > 0 ? ", " : "") + LabelText(labels[i]);
  return out + ")";
}

enum Precedence : int {
  kLowest = 0,
  kOr = 1,
  kAnd = 2,
  kNot = 3,
  kCompare = 4,
  kSum = 5,
  kProduct = 6,
  kUnary = 7,
  kPow = 8,
  kPostfix = 9
};

int PrecedenceOf(BinaryOp op) {
  switch (op) {
    case BinaryOp::kOr: return kOr;
    case BinaryOp::kAnd:
    case BinaryOp::kUnless: return kAnd;
    case BinaryOp::kAdd:
    case BinaryOp::kSub: return kSum;
    case BinaryOp::kMul:
    case BinaryOp::kDiv:
    case BinaryOp::kMod:
    case BinaryOp::kAtan2: return kProduct;
    case BinaryOp::kPow: return kPow;
    default: return kCompare;
  }
}

int PrecedenceOf(const Expr& expr) {
  if (const auto* binary = std::get_if<BinaryExpr>(&expr.node)) return PrecedenceOf(binary->op);
  if (const auto* unary = std::get_if<UnaryExpr>(&expr.node)) return unary->op == UnaryOp::kNot ? kNot : kUnary;
  if (std::holds_alternative<InExpr>(expr.node)) return kCompare;
  if (const auto* number = std::get_if<NumberLiteral>(&expr.node)) return number->value < 0 ? kUnary : kPostfix;
  if (const auto* duration = std::get_if<DurationLiteral>(&expr.node)) return duration->value < 0 ? kUnary : kPostfix;
  return kPostfix;
}

std::string TimeText(Timestamp at) {
  // Milliseconds are what a number after `@` can say.
  if (at % kMillisecond != 0) return PrintTimestamp(at);
  const int64_t ms = at / kMillisecond;
  const uint64_t size = ms < 0 ? -static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
  std::string fraction = std::to_string(1000 + size % 1000).substr(1);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return (ms < 0 ? "-" : "") + std::to_string(size / 1000) + (fraction.empty() ? "" : "." + fraction);
}

class Printer {
 public:
  std::string Text(const Expr& expr, int at_least = kLowest) {
    std::string text = std::visit([&](const auto& node) { return Node(node); }, expr.node);
    return PrecedenceOf(expr) < at_least ? "(" + text + ")" : text;
  }

  std::string Text(const Pipeline& pipeline) {
    const bool outer = std::exchange(rows_, true);
    std::string out;
    if (const auto* events = std::get_if<EventSource>(&pipeline.source)) {
      out = std::string(ToString(events->table));
      if (events->spanset != nullptr) out += Text(*events->spanset, false);
      if (events->offset != 0) out += " offset " + PrintDuration(events->offset);
    } else if (const auto* let = std::get_if<LetRef>(&pipeline.source)) {
      out = let->name;
    } else {
      rows_ = false;
      out = Text(*std::get<VectorSource>(pipeline.source).expr);
      rows_ = true;
    }
    for (const Stage& stage : pipeline.stages) {
      out += std::holds_alternative<LineFilter>(stage.node) ? " " : " | ";
      out += std::string(VerbOf(stage));
      out += std::visit([&](const auto& node) { return Arguments(node); }, stage.node);
    }
    rows_ = outer;
    return out;
  }

  std::string Text(const QueryAst& query) {
    std::string out;
    if (query.explain == QueryAst::ExplainMode::kPlan) out += "explain ";
    if (query.explain == QueryAst::ExplainMode::kAnalyze) out += "explain analyze ";
    if (query.over.has_value()) {
      out += "over " + Text(query.over->start) + ".." + Text(query.over->end);
      if (query.over->step.has_value()) out += " step " + PrintDuration(*query.over->step);
      out += "; ";
    }
    for (const LetClause& let : query.lets) out += "let " + let.name + " = " + Text(*let.pipeline) + "; ";
    return out + Text(*query.body);
  }

 private:
  static std::string Text(const TimeExpr& time) {
    switch (time.base) {
      case TimeExpr::Base::kNow: return "now";
      case TimeExpr::Base::kRelative: return PrintDuration(-time.value);
      case TimeExpr::Base::kAbsolute: return PrintTimestamp(time.value);
      case TimeExpr::Base::kParam: return "$" + time.param;
    }
    return "";
  }

  std::string Text(const Spanset& spanset, bool nested) {
    if (spanset.leaf()) {
      std::string out = "{";
      for (size_t i = 0; i < spanset.matchers.size(); ++i) out += (i > 0 ? ", " : "") + Text(*spanset.matchers[i]);
      return out + "}";
    }
    constexpr std::string_view kSpellings[] = {">", ">>", "<", "<<", "~", "&&", "||"};
    std::string out = Text(*spanset.left, false) + " ";
    if (spanset.mode == Spanset::Mode::kNot) out += "!";
    if (spanset.mode == Spanset::Mode::kUnion) out += "&";
    out += std::string(kSpellings[static_cast<int>(spanset.op)]) + " " + Text(*spanset.right, true);
    if (spanset.avoiding != nullptr) out += " avoiding " + Text(*spanset.avoiding, true);
    return nested ? "(" + out + ")" : out;
  }

  // ---- expressions
  std::string Node(const NumberLiteral& n) {
    if (n.integer.has_value()) return std::to_string(*n.integer);
    const std::string text = PrintNumber(n.value);
    // What was written with a fraction or an exponent stays inexact.
    return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
  }
  std::string Node(const DurationLiteral& d) { return PrintDuration(d.value); }
  std::string Node(const TimestampLiteral& t) { return PrintTimestamp(t.value); }
  std::string Node(const StringLiteral& s) { return PrintString(s.value); }
  std::string Node(const BoolLiteral& b) { return b.value ? "true" : "false"; }
  std::string Node(const NullLiteral&) { return "null"; }
  std::string Node(const ParamRef& p) { return "$" + p.name; }

  std::string Node(const FieldRef& field) {
    std::string out;
    for (size_t i = 0; i < field.path.size(); ++i) {
      if (i > 0 || field.leading_dot) out += ".";
      const std::string& part = field.path[i];
      // The first part without a dot before it cannot be quoted: that would be a string.
      const bool bare = IsPlainName(part, false) || (i == 0 && !field.leading_dot);
      out += bare ? part : PrintString(part);
    }
    return out;
  }

  std::string Node(const Selector& s) {
    const VectorSelector& selector = s.selector;
    const bool quoted = !selector.metric.empty() && (!IsPlainMetric(selector.metric) || IsReserved(selector.metric));
    std::string inside;
    bool name_seen = false;
    for (const LabelMatcher& label : selector.matchers) {
      const Matcher& m = label.matcher;
      if (!name_seen && !selector.metric.empty() && m.name == kMetricNameLabel && m.op == Matcher::Op::kEqual &&
          m.value == selector.metric) {
        name_seen = true;
        if (quoted) inside += (inside.empty() ? "" : ", ") + PrintString(m.value);
        continue;
      }
      constexpr std::string_view kOps[] = {"=", "!=", "=~", "!~"};
      inside += (inside.empty() ? "" : ", ") + LabelText(m.name) + std::string(kOps[static_cast<int>(m.op)]) +
                (label.param.empty() ? PrintString(m.value) : "$" + label.param);
    }
    std::string out = quoted ? "" : selector.metric;
    if (!inside.empty() || out.empty()) out += "{" + inside + "}";
    if (s.range.has_value()) out += "[" + Length(*s.range, s.range_expr) + "]";
    if (s.edge == WindowEdge::kAnchored) out += " anchored";
    if (s.edge == WindowEdge::kSmoothed) out += " smoothed";
    return out + Modifiers(s.time);
  }

  static bool IsPlainMetric(std::string_view name) {
    if (name.substr(0, 1) == ":") name.remove_prefix(1);
    return IsPlainName(name, true);
  }

  std::string Length(Duration constant, const ExprPtr& open) {
    return open != nullptr ? Text(*open) : PrintDuration(constant);
  }

  std::string Modifiers(const TimeModifiers& time) {
    std::string out;
    if (time.at_start) out += " @ start()";
    if (time.at_end) out += " @ end()";
    if (time.at.has_value()) out += " @ " + TimeText(*time.at);
    if (time.offset_expr != nullptr) {
      const auto* unary = std::get_if<UnaryExpr>(&time.offset_expr->node);
      out +=
          " offset " + (unary != nullptr ? "-" + Text(*unary->operand, kPostfix) : Text(*time.offset_expr, kPostfix));
    }
    if (time.offset != 0) out += " offset " + PrintDuration(time.offset);
    return out;
  }

  std::string Node(const SubqueryExpr& s) {
    return Text(*s.inner, kPostfix) + "[" + Length(s.range, s.range_expr) + ":" +
           (s.step.has_value() ? Length(*s.step, s.step_expr) : "") + "]" + Modifiers(s.time);
  }

  std::string Node(const AggregationExpr& a) {
    std::string out = a.op;
    if (a.has_grouping) out += (a.without ? " without " : " by ") + Labels(a.grouping) + " ";
    out += "(";
    if (a.param != nullptr) out += Text(*a.param) + ", ";
    return out + Text(*a.inner) + ")";
  }

  std::string Node(const UnaryExpr& u) {
    if (u.op == UnaryOp::kNot) return "not " + Text(*u.operand, kNot);
    return (u.op == UnaryOp::kMinus ? "-" : "+") + Text(*u.operand, kUnary);
  }

  std::string Node(const BinaryExpr& b) {
    const int precedence = PrecedenceOf(b.op);
    const bool right_to_left = b.op == BinaryOp::kPow;
    std::string out = Text(*b.left, right_to_left ? kPostfix : precedence) + " ";
    out += rows_ && b.op == BinaryOp::kEqual ? "=" : kBinarySpellings[static_cast<int>(b.op)];
    if (b.return_bool) out += " bool";
    if (b.matching.given) {
      out += (b.matching.on ? " on " : " ignoring ") + Labels(b.matching.labels);
      if (b.matching.group != VectorMatching::Group::kOneToOne) {
        out += b.matching.group == VectorMatching::Group::kLeft ? " group_left " : " group_right ";
        out += Labels(b.matching.include);
      }
    }
    if (b.matching.fill_left) out += " fill_left (" + PrintNumber(*b.matching.fill_left) + ")";
    if (b.matching.fill_right) out += " fill_right (" + PrintNumber(*b.matching.fill_right) + ")";
    return out + " " + Text(*b.right, right_to_left ? kUnary : precedence + 1);
  }

  std::string Node(const CallExpr& call) {
    std::string out = call.function + "(";
    for (size_t i = 0; i < call.args.size(); ++i) {
      if (i > 0) out += ", ";
      // The argument of scalar() is a pipeline without parentheses of its own.
      const auto* pipeline = std::get_if<PipelineExpr>(&call.args[i].expr->node);
      const bool bare = pipeline != nullptr && call.function == "scalar" && call.args.size() == 1;
      out += bare ? Text(*pipeline->pipeline) : Text(*call.args[i].expr);
    }
    return out + ")";
  }

  std::string Node(const ParenExpr& paren) { return "(" + Text(*paren.inner) + ")"; }

  std::string Node(const TupleExpr& tuple) {
    std::string out = "(";
    for (size_t i = 0; i < tuple.parts.size(); ++i) out += (i > 0 ? ", " : "") + Text(*tuple.parts[i]);
    return out + ")";
  }

  std::string Node(const PipelineExpr& p) {
    const bool name = std::holds_alternative<LetRef>(p.pipeline->source) && p.pipeline->stages.empty();
    return name ? Text(*p.pipeline) : "(" + Text(*p.pipeline) + ")";
  }

  std::string Node(const InExpr& in) {
    std::string out;
    if (in.keys.size() == 1) {
      out = Text(*in.keys[0], kSum);
    } else {
      for (const ExprPtr& key : in.keys) out += (out.empty() ? "(" : ", ") + Text(*key);
      out += ")";
    }
    out += in.negated ? " not in " : " in ";
    if (!in.set_name.empty()) return out + in.set_name;
    if (!in.set_param.empty()) return out + "$" + in.set_param;
    if (in.set_pipeline != nullptr) return out + "(" + Text(*in.set_pipeline) + ")";
    out += "(";
    for (size_t i = 0; i < in.set_values.size(); ++i) out += (i > 0 ? ", " : "") + Text(*in.set_values[i]);
    return out + ")";
  }

  // ---- stages, behind their verbs
  std::string Items(const std::vector<Item>& items) {
    std::string out;
    for (const Item& item : items) {
      out += out.empty() ? "" : ", ";
      if (!item.name.empty()) out += item.name + " = ";
      out += Text(*item.expr);
    }
    return out;
  }
  std::string Group(const std::vector<Item>& items) { return "(" + Items(items) + ")"; }

  static std::string Text(const Bound& bound) {
    return bound.is_count ? std::to_string(bound.value) : PrintDuration(bound.value);
  }
  static std::string Text(const Window& window) { return Text(window.from) + ".." + Text(window.to); }

  std::string Operand(const Pipeline& pipeline) {
    const bool bare = pipeline.stages.empty() && !std::holds_alternative<VectorSource>(pipeline.source);
    return bare ? Text(pipeline) : "(" + Text(pipeline) + ")";
  }

  std::string Arguments(const LineFilter& f) { return " " + PrintString(f.text); }
  std::string Arguments(const WhereStage& s) { return " " + Text(*s.condition); }
  std::string Arguments(const ExtendStage& s) { return " " + Items(s.items); }
  std::string Arguments(const KeepStage& s) { return " " + Items(s.items); }
  std::string Arguments(const DropStage& s) { return " " + Items(s.items); }
  std::string Arguments(const ParseStage& s) {
    std::string out;
    if (s.format == ParseStage::Format::kRegexp || s.format == ParseStage::Format::kPattern)
      out += " " + PrintString(s.pattern);
    if (s.from != nullptr) out += " from " + Text(*s.from);
    return out;
  }
  std::string Arguments(const StatsStage& s) {
    std::string out = " " + Items(s.aggregates);
    if (s.has_by) out += " by " + Group(s.by);
    if (s.window.has_value()) out += " [" + PrintDuration(*s.window) + "]";
    return out;
  }
  std::string Arguments(const TopStage& s) {
    return " " + std::to_string(s.count) + " by " + Text(*s.expr) + (s.per.empty() ? "" : " per " + Group(s.per));
  }
  std::string Arguments(const SortStage& s) {
    std::string out;
    for (const SortKey& key : s.keys)
      out += (out.empty() ? " " : ", ") + Text(*key.expr) + (key.descending ? " desc" : "");
    return out;
  }
  std::string Arguments(const LimitStage& s) { return " " + std::to_string(s.count); }
  std::string Arguments(const DedupStage& s) { return " " + Group(s.keys); }
  std::string Arguments(const JoinStage& s) {
    std::string out = (s.left_outer ? " left " : " ") + Operand(*s.right) + " as " + s.name + " on (";
    for (size_t i = 0; i < s.keys.size(); ++i) {
      const std::string left = Text(*s.keys[i].left);
      out += (i > 0 ? ", " : "") + left;
      if (const std::string right = RightKey(s.keys[i].right); right != left) out += " = " + right;
    }
    out += ")";
    if (s.within.has_value()) out += " within " + Text(*s.within);
    if (s.asof.has_value()) out += " asof " + PrintDuration(*s.asof);
    return out;
  }
  // A right key is kept as a column's name. Quotes go around whatever is not a name behind its first part.
  static std::string RightKey(const std::string& key) {
    std::string_view rest = key;
    std::string out;
    if (rest.substr(0, 1) == ".") {
      rest.remove_prefix(1);
      return IsPlainName(rest, true) ? key : "." + PrintString(rest);
    }
    const size_t dot = rest.find('.');
    if (IsPlainName(rest, true) || dot == std::string_view::npos) return key;
    return std::string(rest.substr(0, dot)) + "." + PrintString(rest.substr(dot + 1));
  }
  std::string Arguments(const UnionStage& s) { return " " + Operand(*s.right); }
  std::string Arguments(const WindowsStage& s) {
    std::string out;
    if (s.has_by) out += " by " + Group(s.by);
    if (s.gap.has_value()) out += " gap " + PrintDuration(*s.gap);
    if (s.pad.has_value()) out += " pad " + Text(*s.pad);
    return out;
  }
  std::string Arguments(const ContextStage& s) { return " " + Text(s.window); }
  std::string Arguments(const CompareStage& s) {
    return " " + Text(*s.condition) + (s.top > 0 ? " top " + std::to_string(s.top) : "");
  }

  bool rows_ = false;  // row position, where equality is written =
};

}  // namespace

std::string Print(const QueryAst& query) { return Printer().Text(query); }
std::string Print(const Pipeline& pipeline) { return Printer().Text(pipeline); }
std::string Print(const Expr& expr) { return Printer().Text(expr); }

}  // namespace braid
