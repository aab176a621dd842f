// The S-expressions that the other tests compare; lives in a _test.cc so that the test program picks it up.
#include "tests/syntax/tree_text.h"

#include <gtest/gtest.h>

#include "query/syntax/kind_check.h"

namespace braid {
namespace {

std::string Number(double v) {
  if (v != v) return "nan";
  std::string text = std::to_string(v);
  return text;
}

std::string Of(const TimeModifiers& t) {
  std::string out;
  if (t.offset != 0) out += " offset=" + std::to_string(t.offset);
  if (t.offset_expr != nullptr) out += " offset=" + TreeText(*t.offset_expr);
  if (t.at.has_value()) out += " at=" + std::to_string(*t.at);
  if (t.at_start) out += " at=start";
  if (t.at_end) out += " at=end";
  return out;
}
std::string Of(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const std::string& s : list) out += "'" + s + "'";
  return out + "]";
}
std::string Of(const std::vector<Item>& items) {
  std::string out = "[";
  for (const Item& i : items) out += "{" + i.name + ":" + TreeText(*i.expr) + "}";
  return out + "]";
}
std::string Of(const Bound& b) { return std::to_string(b.value) + (b.is_count ? "#" : "ns"); }
std::string Of(const Window& w) { return Of(w.from) + ".." + Of(w.to); }
std::string Of(const Spanset& s) {
  std::string out = "<";
  if (s.leaf()) {
    for (const ExprPtr& m : s.matchers) out += TreeText(*m) + ",";
  } else {
    out += Of(*s.left) + " op" + std::to_string(int(s.op)) + "/" + std::to_string(int(s.mode)) + " " + Of(*s.right);
    if (s.avoiding != nullptr) out += " avoiding " + Of(*s.avoiding);
  }
  return out + ">";
}

struct ExprText {
  std::string operator()(const NumberLiteral& n) const {
    return n.integer.has_value() ? std::to_string(*n.integer) : Number(n.value);
  }
  std::string operator()(const DurationLiteral& d) const { return std::to_string(d.value) + "ns"; }
  std::string operator()(const TimestampLiteral& t) const { return "t" + std::to_string(t.value); }
  std::string operator()(const StringLiteral& s) const { return "'" + s.value + "'"; }
  std::string operator()(const BoolLiteral& b) const { return b.value ? "true" : "false"; }
  std::string operator()(const NullLiteral&) const { return "null"; }
  std::string operator()(const ParamRef& p) const { return "$" + p.name; }
  std::string operator()(const FieldRef& f) const {
    std::string out = f.leading_dot ? "." : "";
    for (size_t i = 0; i < f.path.size(); ++i) out += (i > 0 ? "/" : "") + f.path[i];
    return out;
  }
  std::string operator()(const Selector& s) const {
    std::string out = "sel(" + s.selector.metric;
    for (const LabelMatcher& m : s.selector.matchers) {
      out += " " + m.matcher.name + "/" + std::to_string(int(m.matcher.op)) + "/" + m.matcher.value + m.param;
    }
    if (s.range.has_value()) out += " range=" + std::to_string(*s.range);
    if (s.range_expr != nullptr) out += "=" + TreeText(*s.range_expr);
    if (s.edge != WindowEdge::kPlain) out += s.edge == WindowEdge::kAnchored ? " anchored" : " smoothed";
    return out + Of(s.time) + ")";
  }
  std::string operator()(const SubqueryExpr& s) const {
    return "sub(" + TreeText(*s.inner) + " " + std::to_string(s.range) + ":" + std::to_string(s.step.value_or(-1)) +
           (s.range_expr != nullptr ? " range=" + TreeText(*s.range_expr) : "") +
           (s.step_expr != nullptr ? " step=" + TreeText(*s.step_expr) : "") + Of(s.time) + ")";
  }
  std::string operator()(const AggregationExpr& a) const {
    return "agg(" + a.op + (a.has_grouping ? (a.without ? " without" : " by") + Of(a.grouping) : "") +
           (a.param != nullptr ? " " + TreeText(*a.param) : "") + " " + TreeText(*a.inner) + ")";
  }
  std::string operator()(const UnaryExpr& u) const {
    return std::string("(") +
           (u.op == UnaryOp::kMinus  ? "neg "
            : u.op == UnaryOp::kPlus ? "pos "
                                     : "not ") +
           TreeText(*u.operand) + ")";
  }
  std::string operator()(const BinaryExpr& b) const {
    static const char* const kNames[] = {"+",  "-", "*",  "/",  "%",  "^",  "atan2", "=",   "!=", "<",
                                         "<=", ">", ">=", "</", ">/", "=~", "!~",    "and", "or", "unless"};
    std::string out = "(" + std::string(kNames[int(b.op)]);
    if (b.return_bool) out += " bool";
    if (b.matching.fill_left) out += " fill_left=" + Number(*b.matching.fill_left);
    if (b.matching.fill_right) out += " fill_right=" + Number(*b.matching.fill_right);
    if (b.matching.given) {
      out += (b.matching.on ? " on" : " ignoring") + Of(b.matching.labels);
      if (b.matching.group != VectorMatching::Group::kOneToOne) {
        out += (b.matching.group == VectorMatching::Group::kLeft ? " left" : " right") + Of(b.matching.include);
      }
    }
    return out + " " + TreeText(*b.left) + " " + TreeText(*b.right) + ")";
  }
  std::string operator()(const CallExpr& c) const { return c.function + Of(c.args); }
  std::string operator()(const ParenExpr& p) const { return "paren(" + TreeText(*p.inner) + ")"; }
  std::string operator()(const TupleExpr& t) const {
    std::string out = "tuple(";
    for (const ExprPtr& p : t.parts) out += TreeText(*p) + ",";
    return out + ")";
  }
  std::string operator()(const PipelineExpr& p) const { return "pipe(" + TreeText(*p.pipeline) + ")"; }
  std::string operator()(const InExpr& in) const {
    std::string out = std::string("(") + (in.negated ? "notin" : "in") + " [";
    for (const ExprPtr& k : in.keys) out += TreeText(*k) + ",";
    out += "] " + in.set_name + in.set_param;
    if (in.set_pipeline != nullptr) out += TreeText(*in.set_pipeline);
    for (const ExprPtr& v : in.set_values) out += TreeText(*v) + ",";
    return out + ")";
  }
};

struct StageText {
  std::string operator()(const LineFilter& s) const { return std::to_string(int(s.op)) + s.text; }
  std::string operator()(const WhereStage& s) const { return TreeText(*s.condition); }
  std::string operator()(const ExtendStage& s) const { return Of(s.items); }
  std::string operator()(const KeepStage& s) const { return Of(s.items); }
  std::string operator()(const DropStage& s) const { return Of(s.items); }
  std::string operator()(const ParseStage& s) const {
    return s.pattern + (s.from != nullptr ? " from " + TreeText(*s.from) : "");
  }
  std::string operator()(const StatsStage& s) const {
    return Of(s.aggregates) + (s.has_by ? " by " + Of(s.by) : "") + " w" + std::to_string(s.window.value_or(-1));
  }
  std::string operator()(const TopStage& s) const { return std::to_string(s.count) + TreeText(*s.expr) + Of(s.per); }
  std::string operator()(const SortStage& s) const {
    std::string out;
    for (const SortKey& k : s.keys) out += TreeText(*k.expr) + (k.descending ? "v" : "^");
    return out;
  }
  std::string operator()(const LimitStage& s) const { return std::to_string(s.count); }
  std::string operator()(const DedupStage& s) const { return Of(s.keys); }
  std::string operator()(const JoinStage& s) const {
    std::string out = (s.left_outer ? "left " : "") + TreeText(*s.right) + " as " + s.name;
    for (const JoinKey& k : s.keys) out += " " + TreeText(*k.left) + "=" + k.right + (k.is_time ? "!" : "");
    if (s.within.has_value()) out += " within " + Of(*s.within);
    if (s.asof.has_value()) out += " asof " + std::to_string(*s.asof);
    return out;
  }
  std::string operator()(const UnionStage& s) const { return TreeText(*s.right); }
  std::string operator()(const WindowsStage& s) const {
    return (s.has_by ? Of(s.by) : "") + " gap" + std::to_string(s.gap.value_or(-1)) +
           (s.pad.has_value() ? " pad" + Of(*s.pad) : "");
  }
  std::string operator()(const ContextStage& s) const { return Of(s.window); }
  std::string operator()(const CompareStage& s) const {
    return TreeText(*s.condition) + " top" + std::to_string(s.top);
  }
};

std::string Of(const TimeExpr& t) { return std::to_string(int(t.base)) + "/" + std::to_string(t.value) + t.param; }

}  // namespace

std::string TreeText(const Expr& expr) { return std::visit(ExprText{}, expr.node); }

std::string TreeText(const Pipeline& pipeline) {
  std::string out;
  if (const auto* e = std::get_if<EventSource>(&pipeline.source)) {
    out = std::string(ToString(e->table)) + (e->spanset != nullptr ? Of(*e->spanset) : "") + "@" +
          std::to_string(e->offset);
  } else if (const auto* let = std::get_if<LetRef>(&pipeline.source)) {
    out = "&" + let->name;
  } else {
    out = TreeText(*std::get<VectorSource>(pipeline.source).expr);
  }
  for (const Stage& s : pipeline.stages) out += "|" + std::string(VerbOf(s)) + " " + std::visit(StageText{}, s.node);
  return out + ":" + std::string(ToString(pipeline.kind));
}

std::string TreeText(const QueryAst& query) {
  std::string out = std::to_string(int(query.explain)) + ";";
  if (query.over.has_value()) {
    out +=
        Of(query.over->start) + ".." + Of(query.over->end) + "/" + std::to_string(query.over->step.value_or(-1)) + ";";
  }
  for (const LetClause& let : query.lets) out += let.name + "=" + TreeText(*let.pipeline) + ";";
  return out + TreeText(*query.body);
}

}  // namespace braid
