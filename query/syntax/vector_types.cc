#include "query/syntax/vector_types.h"

#include <algorithm>
#include <type_traits>

#include "absl/strings/ascii.h"
#include "query/syntax/kind_check.h"
#include "query/syntax/literals.h"
#include "re2/re2.h"

namespace braid {
namespace {

using Problem = std::optional<VectorProblem>;

bool IsComparison(BinaryOp op) { return op >= BinaryOp::kEqual && op <= BinaryOp::kGreaterEqual; }
bool IsSet(BinaryOp op) { return op >= BinaryOp::kAnd; }
std::string_view SetName(BinaryOp op) { return op == BinaryOp::kAnd ? "and" : op == BinaryOp::kOr ? "or" : "unless"; }

VectorProblem TypeProblem(const Place& place, std::string message, std::string hint = "") {
  return {"E055", std::move(message), std::move(hint), place};
}

class Checker {
 public:
  Problem Check(const Expr& expr) {
    return std::visit([&](const auto& node) { return CheckNode(expr, node); }, expr.node);
  }

 private:
  template <typename T>
  Problem CheckNode(const Expr&, const T&) {
    return std::nullopt;  // leaves
  }

  Problem CheckNode(const Expr& expr, const Selector& selector) {
    return CheckSelector(expr.place, selector.selector, false);
  }

  Problem CheckSelector(const Place& place, const VectorSelector& selector, bool may_be_empty) {
    std::string_view name;
    bool not_empty = may_be_empty;
    for (const LabelMatcher& m : selector.matchers) {
      const Matcher& matcher = m.matcher;
      if (matcher.name == kMetricNameLabel && matcher.op == Matcher::Op::kEqual) {
        if (!name.empty()) {
          return VectorProblem{
              "E057", "metric name must not be set twice: " + PrintString(name) + " or " + PrintString(matcher.value),
              "", place};
        }
        if (!selector.metric.empty()) name = selector.metric;
      } else if (matcher.name == kMetricNameLabel && !selector.metric.empty()) {
        return VectorProblem{
            "E057",
            "metric name must not be set twice: " + PrintString(selector.metric) + " or " + PrintString(matcher.value),
            "", place};
      }
      if (!m.param.empty()) {
        not_empty |= matcher.op == Matcher::Op::kEqual || matcher.op == Matcher::Op::kRegex;
        continue;
      }
      bool matches_empty = matcher.value.empty();
      if (matcher.op == Matcher::Op::kRegex || matcher.op == Matcher::Op::kNotRegex) {
        RE2::Options options;
        options.set_log_errors(false);
        options.set_dot_nl(true);
        options.set_max_mem(8 << 20);
        const RE2 pattern(matcher.value, options);
        if (!pattern.ok()) {
          return VectorProblem{"E058", "error parsing regexp: " + pattern.error(), "patterns are RE2", m.place};
        }
        matches_empty = RE2::FullMatch("", pattern);
      }
      const bool negative = matcher.op == Matcher::Op::kNotEqual || matcher.op == Matcher::Op::kNotRegex;
      not_empty |= matches_empty == negative;
    }
    if (!not_empty) {
      return VectorProblem{"E057", "vector selector must contain at least one non-empty matcher",
                           "name the metric, or use a matcher that does not match \"\"", place};
    }
    return std::nullopt;
  }

  Problem CheckNode(const Expr& expr, const SubqueryExpr& subquery) {
    if (Problem p = CheckOperand(*subquery.inner)) return p;
    const ExprType type = TypeOf(*subquery.inner);
    if (type != ExprType::kVector) {
      constexpr std::string_view kShort[] = {"scalar", "vector", "matrix", "string"};
      return TypeProblem(expr.place, "subquery is only allowed on instant vector, got " +
                                         std::string(kShort[static_cast<int>(type)]) + " instead");
    }
    return std::nullopt;
  }

  // Checks `expr` and that, if it is a pipeline, its rows are a vector's.
  Problem CheckOperand(const Expr& expr) {
    const auto* pipeline = std::get_if<PipelineExpr>(&expr.node);
    if (pipeline == nullptr) return Check(expr);
    const Kind kind = pipeline->pipeline->kind;
    if (kind == Kind::kSeries || kind == Kind::kScalar) return std::nullopt;
    if (kind == Kind::kEvents) {
      return EventsAsVector(expr.place, SourceOf(*pipeline->pipeline), function_, grouping_, "");
    }
    return VectorProblem{"E045", "a pipeline of kind " + std::string(ToString(kind)) + " is not a vector",
                         "give its `stats` a window to get a series: stats ... by (...) [5m]", expr.place};
  }

  Problem CheckNode(const Expr& expr, const PipelineExpr&) { return CheckOperand(expr); }
  Problem CheckNode(const Expr&, const ParenExpr& paren) { return CheckOperand(*paren.inner); }

  Problem CheckNode(const Expr& expr, const UnaryExpr& unary) {
    if (Problem p = CheckOperand(*unary.operand)) return p;
    const ExprType type = TypeOf(*unary.operand);
    if (type != ExprType::kScalar && type != ExprType::kVector) {
      return TypeProblem(expr.place,
                         "unary expression only allowed on expressions of type scalar or instant vector, got \"" +
                             std::string(ToString(type)) + "\"");
    }
    return std::nullopt;
  }

  Problem CheckNode(const Expr& expr, const AggregationExpr& aggregation) {
    const std::string_view function = std::exchange(function_, aggregation.op);
    std::vector<std::string> grouping = std::move(grouping_);
    grouping_.clear();
    if (!aggregation.without) grouping_ = aggregation.grouping;
    Problem problem = CheckOperand(*aggregation.inner);
    function_ = function;
    grouping_ = std::move(grouping);
    if (problem) return problem;
    if (TypeOf(*aggregation.inner) != ExprType::kVector) {
      return TypeProblem(aggregation.inner->place, "expected type instant vector in aggregation expression, got " +
                                                       std::string(ToString(TypeOf(*aggregation.inner))));
    }
    if (aggregation.param == nullptr) return std::nullopt;
    if (Problem p = CheckOperand(*aggregation.param)) return p;
    const ExprType want = FindVectorAggregation(aggregation.op)->param;
    if (TypeOf(*aggregation.param) != want) {
      return TypeProblem(aggregation.param->place, "expected type " + std::string(ToString(want)) +
                                                       " in aggregation parameter, got " +
                                                       std::string(ToString(TypeOf(*aggregation.param))));
    }
    (void)expr;
    return std::nullopt;
  }

  Problem CheckNode(const Expr& expr, const CallExpr& call) {
    const VectorFunction& f = *FindVectorFunction(call.function);
    const int count = static_cast<int>(call.args.size());
    const std::string in_call = " argument(s) in call to \"" + call.function + "\", got " + std::to_string(count);
    const auto count_problem = [&](std::string_view bound, int n) {
      return VectorProblem{"E061", "expected " + std::string(bound) + std::to_string(n) + in_call, "", expr.place};
    };
    if (f.variadic == 0) {
      if (count != f.args_count) return count_problem("", f.args_count);
    } else {
      const int least = f.args_count - 1;
      if (count < least) return count_problem("at least ", least);
      if (f.variadic > 0 && count > least + f.variadic) return count_problem("at most ", least + f.variadic);
    }
    if (call.function == "info" && count > 1) {
      const Expr& labels = *call.args[1].expr;
      const auto* selector = std::get_if<Selector>(&labels.node);
      if (selector == nullptr || selector->range.has_value()) {
        return VectorProblem{"E055", "expected label selectors only", "", labels.place};
      }
      if (!selector->selector.metric.empty()) {
        return VectorProblem{"E055", "expected label selectors only, got vector selector instead", "", labels.place};
      }
      if (Problem p = CheckSelector(labels.place, selector->selector, true)) return p;
    }
    for (int i = 0; i < count; ++i) {
      const Expr& arg = *call.args[i].expr;
      const bool label_selector = call.function == "info" && i == 1;
      const std::string_view function = std::exchange(function_, call.function);
      Problem problem = label_selector ? std::nullopt : CheckOperand(arg);
      function_ = function;
      if (problem) return problem;
      const ExprType want = f.args[std::min<int>(i, f.args_count - 1)];
      const ExprType got = TypeOf(arg);
      if (got != want) {
        std::string hint;
        if (want == ExprType::kMatrix && got == ExprType::kVector) {
          hint = "add a range: " + call.function + "(...[5m])";
        } else if (want == ExprType::kVector && got == ExprType::kMatrix) {
          hint = "take the range away, or apply rate(), avg_over_time() or the like first";
        }
        return TypeProblem(arg.place,
                           "expected type " + std::string(ToString(want)) + " in call to function \"" + call.function +
                               "\", got " + std::string(ToString(got)),
                           std::move(hint));
      }
    }
    return std::nullopt;
  }

  Problem CheckNode(const Expr& expr, const BinaryExpr& binary) {
    if (Problem p = CheckOperand(*binary.left)) return p;
    if (Problem p = CheckOperand(*binary.right)) return p;
    const ExprType left = TypeOf(*binary.left);
    const ExprType right = TypeOf(*binary.right);
    const VectorMatching& matching = binary.matching;
    const auto at_op = [&](std::string message, std::string hint = "") {
      return VectorProblem{"E056", std::move(message), std::move(hint), binary.op_place};
    };
    if (binary.return_bool && !IsComparison(binary.op)) {
      return at_op("bool modifier can only be used on comparison operators");
    }
    if (IsComparison(binary.op) && !binary.return_bool && left == ExprType::kScalar && right == ExprType::kScalar) {
      return at_op("comparisons between scalars must use BOOL modifier", "write `== bool`, `> bool`, ...");
    }
    if (matching.on) {
      for (const std::string& label : matching.labels) {
        if (std::find(matching.include.begin(), matching.include.end(), label) != matching.include.end()) {
          return at_op("label \"" + label + "\" must not occur in ON and GROUP clause at once");
        }
      }
    }
    for (const auto& [side, type] : {std::pair{&binary.left, left}, std::pair{&binary.right, right}}) {
      if (type != ExprType::kScalar && type != ExprType::kVector) {
        return TypeProblem((*side)->place, "binary expression must contain only scalar and instant vector types");
      }
    }
    if (left != ExprType::kVector || right != ExprType::kVector) {
      if (!matching.labels.empty()) {
        return VectorProblem{"E056", "vector matching only allowed between instant vectors", "", expr.place};
      }
      if (matching.fill_left || matching.fill_right) {
        return VectorProblem{"E056", "filling in missing series only allowed between instant vectors", "", expr.place};
      }
      if (IsSet(binary.op)) {
        return VectorProblem{
            "E056", "set operator \"" + std::string(SetName(binary.op)) + "\" not allowed in binary scalar expression",
            "", expr.place};
      }
    } else if (IsSet(binary.op) && matching.group != VectorMatching::Group::kOneToOne) {
      return VectorProblem{"E056", "no grouping allowed for \"" + std::string(SetName(binary.op)) + "\" operation", "",
                           expr.place};
    } else if (IsSet(binary.op) && (matching.fill_left || matching.fill_right)) {
      return VectorProblem{"E056", "filling in missing series not allowed for set operators", "", expr.place};
    }
    return std::nullopt;
  }

  std::string_view function_;
  std::vector<std::string> grouping_;
};

}  // namespace

ExprType TypeOf(const Expr& expr) {
  return std::visit(
      [](const auto& node) -> ExprType {
        using T = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<T, StringLiteral>) {
          return ExprType::kString;
        } else if constexpr (std::is_same_v<T, Selector>) {
          return node.range.has_value() ? ExprType::kMatrix : ExprType::kVector;
        } else if constexpr (std::is_same_v<T, SubqueryExpr>) {
          return ExprType::kMatrix;
        } else if constexpr (std::is_same_v<T, AggregationExpr>) {
          return ExprType::kVector;
        } else if constexpr (std::is_same_v<T, UnaryExpr>) {
          return TypeOf(*node.operand);
        } else if constexpr (std::is_same_v<T, ParenExpr>) {
          return TypeOf(*node.inner);
        } else if constexpr (std::is_same_v<T, BinaryExpr>) {
          const bool scalar = TypeOf(*node.left) == ExprType::kScalar && TypeOf(*node.right) == ExprType::kScalar;
          return scalar ? ExprType::kScalar : ExprType::kVector;
        } else if constexpr (std::is_same_v<T, CallExpr>) {
          const VectorFunction* f = FindVectorFunction(node.function);
          return f != nullptr ? f->result : ExprType::kVector;
        } else if constexpr (std::is_same_v<T, PipelineExpr>) {
          return node.pipeline->kind == Kind::kScalar ? ExprType::kScalar : ExprType::kVector;
        } else {
          return ExprType::kScalar;
        }
      },
      expr.node);
}

std::string SourceOf(const Pipeline& pipeline) {
  if (const auto* events = std::get_if<EventSource>(&pipeline.source))
    return std::string(ToString(events->table)) + "{...}";
  if (const auto* let = std::get_if<LetRef>(&pipeline.source)) return let->name;
  return "...";
}

std::optional<VectorProblem> CheckVector(const Expr& expr) { return Checker().Check(expr); }

VectorProblem EventsAsVector(const Place& place, std::string_view source, std::string_view function,
                             const std::vector<std::string>& grouping, std::string_view range) {
  // The aggregate of `stats` that does what the function would have done to log lines.
  std::string aggregate = "rate()";
  const std::string lower = absl::AsciiStrToLower({function.data(), function.size()});
  if (lower == "count_over_time" || lower == "count" || lower == "increase") {
    aggregate = "count()";
  } else if (const size_t suffix = lower.find("_over_time"); suffix != std::string::npos) {
    const std::string name = lower.substr(0, suffix);
    aggregate = name == "quantile" ? "quantile(0.9, x)"
                : name == "sum" || name == "avg" || name == "min" || name == "max" || name == "first" ||
                        name == "last" || name == "stddev"
                    ? name + "(x)"
                    : "count()";
  } else if (lower == "avg" || lower == "min" || lower == "max" || lower == "stddev") {
    aggregate = lower + "(x)";
  } else if (lower == "quantile") {
    aggregate = "quantile(0.9, x)";
  }
  std::string by;
  for (const std::string& label : grouping) by += (by.empty() ? " by (" : ", ") + label;
  if (!by.empty()) by += ")";
  const std::string window = range.empty() ? "5m" : std::string(range);
  const std::string subject = function.empty() ? "a vector operation" : std::string(function) + "()";
  return {"E045", subject + " over events is written as a stage",
          "(" + std::string(source) + " | stats " + aggregate + by + " [" + window + "])", place};
}

}  // namespace braid
