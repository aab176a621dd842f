#include "query/vector/evaluation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "query/syntax/durations.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"
#include "query/vector/histogram_math.h"
#include "query/vector/label_set.h"
#include "query/vector/number_text.h"
#include "query/vector/range_window.h"
#include "query/vector/special_values.h"

namespace braid::promql {
namespace {

// What a node of the tree has of its own for each instant while those below it are worked out: scalar arguments, the
// times to look at, the series that is passing through.
constexpr uint64_t kFrameBytes = 32;

const char kSameLabelset[] = "vector cannot contain metrics with the same labelset";

double NumberOf(const Value& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* b = std::get_if<bool>(&value)) return *b ? 1 : 0;
  return kNan;
}

}  // namespace

DurationScope ScopeOf(const VectorContext& context) {
  const bool instant = context.start == context.end;
  return {instant ? 0 : context.step, SaturatingSubtract(context.end, context.start), context.params};
}

const Expr& WithoutParens(const Expr& expr) {
  const Expr* inner = &expr;
  while (const auto* paren = std::get_if<ParenExpr>(&inner->node)) inner = paren->inner.get();
  return *inner;
}

absl::Status Evaluation::ErrorOn(const Expr& expr, std::string message) {
  return ErrorAt(expr.place, "E065", std::move(message));
}

absl::Status SeriesMerger::Add(EvalSeries&& series) {
  const auto [it, added] = index_.try_emplace(SignatureOfAll(series.labels), series_.size());
  if (added) {
    series_.push_back(std::move(series));
    return absl::OkStatus();
  }
  EvalSeries& target = series_[it->second];
  for (size_t i = 0; i < series.present.size(); ++i) {
    if (series.present[i] == 0) continue;
    if (target.present[i] != 0) return absl::InvalidArgumentError(kSameLabelset);
    if (series.IsHistogram(i)) {
      target.SetHistogram(i, std::move(series.histograms[i]));
    } else {
      target.SetFloat(i, series.values[i]);
    }
  }
  return absl::OkStatus();
}

absl::Status Evaluation::CheckAlive() const {
  if (context_.cancel != nullptr && context_.cancel->load(std::memory_order_relaxed)) {
    return absl::CancelledError("the query was cancelled");
  }
  if (context_.deadline_monotonic != 0) {
    const int64_t now =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count();
    if (now > context_.deadline_monotonic) {
      return absl::DeadlineExceededError("the query took longer than time_max; ask for less or raise the limit");
    }
  }
  return absl::OkStatus();
}

ExprType Evaluation::TypeOf(const Expr& expr) const {
  struct Visitor {
    const Evaluation& evaluation;
    ExprType operator()(const NumberLiteral&) const { return ExprType::kScalar; }
    ExprType operator()(const DurationLiteral&) const { return ExprType::kScalar; }
    ExprType operator()(const TimestampLiteral&) const { return ExprType::kScalar; }
    ExprType operator()(const BoolLiteral&) const { return ExprType::kScalar; }
    ExprType operator()(const StringLiteral&) const { return ExprType::kString; }
    ExprType operator()(const ParamRef& param) const {
      if (evaluation.context_.params == nullptr) return ExprType::kScalar;
      const auto it = evaluation.context_.params->find(param.name);
      const bool is_text = it != evaluation.context_.params->end() && std::holds_alternative<std::string>(it->second);
      return is_text ? ExprType::kString : ExprType::kScalar;
    }
    ExprType operator()(const Selector& selector) const {
      return selector.range.has_value() ? ExprType::kMatrix : ExprType::kVector;
    }
    ExprType operator()(const SubqueryExpr&) const { return ExprType::kMatrix; }
    ExprType operator()(const AggregationExpr&) const { return ExprType::kVector; }
    ExprType operator()(const UnaryExpr& unary) const { return evaluation.TypeOf(*unary.operand); }
    ExprType operator()(const BinaryExpr& binary) const {
      const bool scalar =
          evaluation.TypeOf(*binary.left) == ExprType::kScalar && evaluation.TypeOf(*binary.right) == ExprType::kScalar;
      return scalar ? ExprType::kScalar : ExprType::kVector;
    }
    ExprType operator()(const CallExpr& call) const {
      const VectorFunction* function = FindVectorFunction(call.function);
      return function == nullptr ? ExprType::kVector : function->result;
    }
    ExprType operator()(const ParenExpr& paren) const { return evaluation.TypeOf(*paren.inner); }
    ExprType operator()(const PipelineExpr& pipeline) const {
      return pipeline.pipeline->kind == Kind::kScalar ? ExprType::kScalar : ExprType::kVector;
    }
    ExprType operator()(const FieldRef&) const { return ExprType::kVector; }
    ExprType operator()(const NullLiteral&) const { return ExprType::kScalar; }
    ExprType operator()(const TupleExpr&) const { return ExprType::kVector; }
    ExprType operator()(const InExpr&) const { return ExprType::kVector; }
  };
  return std::visit(Visitor{*this}, expr.node);
}

absl::StatusOr<std::string> Evaluation::Text(const Expr& argument) const {
  const Expr& expr = WithoutParens(argument);
  if (const auto* literal = std::get_if<StringLiteral>(&expr.node)) return literal->value;
  if (const auto* param = std::get_if<ParamRef>(&expr.node); param != nullptr && context_.params != nullptr) {
    const auto it = context_.params->find(param->name);
    if (it != context_.params->end()) {
      if (const auto* text = std::get_if<std::string>(&it->second)) return *text;
    }
  }
  return ErrorOn(expr, "expected a string here");
}

absl::StatusOr<std::vector<double>> Evaluation::Scalar(const Expr& argument, const Instants& times) {
  const Expr& expr = WithoutParens(argument);
  MemoryHold frame = Hold();
  RETURN_IF_ERROR(frame.Add(times.size() * kFrameBytes));
  const auto constant = [&times](double value) { return std::vector<double>(times.size(), value); };
  if (const auto* number = std::get_if<NumberLiteral>(&expr.node)) return constant(number->value);
  if (const auto* duration = std::get_if<DurationLiteral>(&expr.node)) return constant(Seconds(duration->value));
  if (const auto* time = std::get_if<TimestampLiteral>(&expr.node)) return constant(Seconds(time->value));
  if (const auto* flag = std::get_if<BoolLiteral>(&expr.node)) return constant(flag->value ? 1 : 0);
  if (const auto* param = std::get_if<ParamRef>(&expr.node)) {
    const bool known = context_.params != nullptr && context_.params->count(param->name) > 0;
    if (!known) return ErrorOn(expr, "no value was given for parameter $" + param->name);
    return constant(NumberOf(context_.params->at(param->name)));
  }
  if (const auto* unary = std::get_if<UnaryExpr>(&expr.node)) {
    ASSIGN_OR_RETURN(std::vector<double> values, Scalar(*unary->operand, times));
    if (unary->op == UnaryOp::kMinus) {
      for (double& value : values) value = -value;
    }
    return values;
  }
  if (const auto* call = std::get_if<CallExpr>(&expr.node)) return ScalarCall(expr, *call, times);
  if (const auto* pipeline = std::get_if<PipelineExpr>(&expr.node)) {
    std::vector<double> values(times.size(), kNan);
    RETURN_IF_ERROR(EachOfPipeline(expr, *pipeline, times, [&](EvalSeries&& s) {
      for (size_t i = 0; i < times.size(); ++i) {
        if (s.present[i] != 0) values[i] = s.values[i];
      }
      return absl::OkStatus();
    }));
    return values;
  }
  if (const auto* binary = std::get_if<BinaryExpr>(&expr.node)) {
    ASSIGN_OR_RETURN(std::vector<double> left, Scalar(*binary->left, times));
    ASSIGN_OR_RETURN(const std::vector<double> right, Scalar(*binary->right, times));
    for (size_t i = 0; i < left.size(); ++i) {
      const double a = left[i], b = right[i];
      switch (binary->op) {
        case BinaryOp::kAdd: left[i] = a + b; break;
        case BinaryOp::kSub: left[i] = a - b; break;
        case BinaryOp::kMul: left[i] = a * b; break;
        case BinaryOp::kDiv: left[i] = a / b; break;
        case BinaryOp::kMod: left[i] = std::fmod(a, b); break;
        case BinaryOp::kPow: left[i] = std::pow(a, b); break;
        case BinaryOp::kAtan2: left[i] = std::atan2(a, b); break;
        case BinaryOp::kEqual: left[i] = a == b; break;
        case BinaryOp::kNotEqual: left[i] = a != b; break;
        case BinaryOp::kLess: left[i] = a < b; break;
        case BinaryOp::kLessEqual: left[i] = a <= b; break;
        case BinaryOp::kGreater: left[i] = a > b; break;
        case BinaryOp::kGreaterEqual: left[i] = a >= b; break;
        default: return ErrorOn(expr, "this operator is not allowed between scalars");
      }
    }
    return left;
  }
  return ErrorOn(expr, "expected a scalar here");
}

absl::Status Evaluation::EachOfPipeline(const Expr& expr, const PipelineExpr& operand, const Instants& times,
                                        SeriesSink sink) {
  const Pipeline& pipeline = *operand.pipeline;
  const auto* let = std::get_if<LetRef>(&pipeline.source);
  const bool is_name = let != nullptr && pipeline.stages.empty();
  if (is_name ? !context_.evaluate_let : !context_.evaluate_pipeline) {
    return ErrorOn(expr, "a pipeline cannot stand here");
  }
  ASSIGN_OR_RETURN(VectorResult result,
                   is_name ? context_.evaluate_let(let->name, times) : context_.evaluate_pipeline(pipeline, times));
  for (VectorSeries& from : result.series) {
    if (from.present.size() != times.size() || from.values.size() != times.size()) {
      return absl::InternalError("an operand has other instants than it was asked for");
    }
    EvalSeries series;
    series.labels = std::move(from.labels);
    series.present = std::move(from.present);
    series.values = std::move(from.values);
    series.histograms = std::move(from.histograms);
    RETURN_IF_ERROR(sink(std::move(series)));
  }
  return absl::OkStatus();
}

absl::Status Evaluation::EachUnary(const UnaryExpr& unary, const Instants& times, SeriesSink sink) {
  if (unary.op != UnaryOp::kMinus) return Each(*unary.operand, times, sink);
  return Each(*unary.operand, times, [&](EvalSeries&& series) {
    for (size_t i = 0; i < series.present.size(); ++i) {
      if (series.present[i] == 0) continue;
      if (series.IsHistogram(i)) {
        auto negated = std::make_shared<Histogram>(*series.histograms[i]);
        MultiplyHistogram(negated.get(), -1);
        series.histograms[i] = std::move(negated);
      } else {
        series.values[i] = -series.values[i];
      }
    }
    series.drop_name = true;
    return sink(std::move(series));
  });
}

absl::Status Evaluation::Each(const Expr& expr, const Instants& times, SeriesSink sink) {
  RETURN_IF_ERROR(CheckAlive());
  MemoryHold frame = Hold();
  RETURN_IF_ERROR(frame.Add(times.size() * kFrameBytes));
  if (const auto* paren = std::get_if<ParenExpr>(&expr.node)) return Each(*paren->inner, times, sink);
  if (const auto* selector = std::get_if<Selector>(&expr.node); selector != nullptr && !selector->range) {
    if (selector->edge == WindowEdge::kSmoothed) return EachSmoothed(expr, *selector, times, sink);
    return EachSelected(*selector, times, false, sink);
  }
  if (const auto* unary = std::get_if<UnaryExpr>(&expr.node)) return EachUnary(*unary, times, sink);
  if (const auto* binary = std::get_if<BinaryExpr>(&expr.node)) return EachBinary(expr, *binary, times, sink);
  if (const auto* aggregation = std::get_if<AggregationExpr>(&expr.node)) {
    return EachAggregated(expr, *aggregation, times, sink);
  }
  if (const auto* call = std::get_if<CallExpr>(&expr.node)) return EachCall(expr, *call, times, sink);
  if (const auto* pipeline = std::get_if<PipelineExpr>(&expr.node)) {
    return EachOfPipeline(expr, *pipeline, times, sink);
  }
  return ErrorOn(expr, "expected an instant vector here");
}

absl::StatusOr<Evaluation::Collected> Evaluation::Collect(const Expr& expr, const Instants& times) {
  Collected collected{{}, Hold()};
  RETURN_IF_ERROR(Each(expr, times, [&](EvalSeries&& series) {
    RETURN_IF_ERROR(collected.hold.Add(series.MemoryBytes()));
    collected.series.push_back(std::move(series));
    return absl::OkStatus();
  }));
  return collected;
}

// Sorting and ranking decide the order at one instant; what works point by point keeps it.
bool Evaluation::KeepsOrder(const Expr& outer) {
  const Expr& expr = WithoutParens(outer);
  if (const auto* call = std::get_if<CallExpr>(&expr.node)) return call->function.rfind("sort", 0) == 0;
  if (const auto* aggregation = std::get_if<AggregationExpr>(&expr.node)) {
    return aggregation->op == "topk" || aggregation->op == "bottomk";
  }
  if (const auto* unary = std::get_if<UnaryExpr>(&expr.node)) return KeepsOrder(*unary->operand);
  return false;
}

absl::StatusOr<VectorResult> Evaluation::Finish(const Expr& expr, Collected result_series) {
  std::vector<EvalSeries>& collected = result_series.series;
  SeriesMerger merger;
  for (EvalSeries& series : collected) {
    if (!series.AnyPresent()) continue;
    if (series.drop_name) RemoveMetricName(&series.labels);
    if (absl::Status status = merger.Add(std::move(series)); !status.ok()) {
      return ErrorOn(expr, std::string(status.message()));
    }
  }
  collected = merger.Take();
  if (collected.size() > context_.limits.series_max) {
    return ErrorAt(expr.place, "E085",
                   "the result has " + std::to_string(collected.size()) +
                       " series, more than series_max = " + std::to_string(context_.limits.series_max),
                   "aggregate or select fewer, or raise the limit");
  }
  VectorResult result;
  result.series.reserve(collected.size());
  for (EvalSeries& series : collected) {
    result.series.push_back(
        {std::move(series.labels), std::move(series.present), std::move(series.values), std::move(series.histograms)});
  }
  result.memory = std::make_shared<MemoryHold>(std::move(result_series.hold));
  return result;
}

absl::StatusOr<VectorResult> Evaluation::Run(const Expr& expr, const Instants& times) {
  absl::StatusOr<VectorResult> result = [&]() -> absl::StatusOr<VectorResult> {
    switch (TypeOf(expr)) {
      case ExprType::kString: {
        VectorResult text;
        text.type = VectorType::kString;
        ASSIGN_OR_RETURN(text.text, Text(expr));
        return text;
      }
      case ExprType::kScalar: {
        VectorResult scalar;
        scalar.type = VectorType::kScalar;
        ASSIGN_OR_RETURN(std::vector<double> values, Scalar(expr, times));
        scalar.series.push_back({{}, std::vector<uint8_t>(times.size(), 1), std::move(values), {}});
        return scalar;
      }
      case ExprType::kMatrix: return RunMatrix(expr, times);
      case ExprType::kVector: break;
    }
    ASSIGN_OR_RETURN(Collected collected, Collect(expr, times));
    ASSIGN_OR_RETURN(VectorResult vector, Finish(expr, std::move(collected)));
    vector.sorted = times.size() == 1 && KeepsOrder(expr);
    if (!vector.sorted) {
      std::sort(vector.series.begin(), vector.series.end(),
                [](const VectorSeries& a, const VectorSeries& b) { return a.labels < b.labels; });
    }
    return vector;
  }();
  if (context_.notes != nullptr) annotations_.Flush(context_.notes);
  if (context_.stats != nullptr) context_.stats->Add(stats_);
  return result;
}

}  // namespace braid::promql

namespace braid {

absl::StatusOr<VectorResult> EvaluateVector(const Expr& expr, const std::vector<Timestamp>& times,
                                            const VectorContext& context) {
  if (times.empty()) return absl::InvalidArgumentError("an evaluation needs at least one instant");
  if (!HasOpenDurations(expr)) return promql::Evaluation(context).Run(expr, times);
  ASSIGN_OR_RETURN(const ExprPtr closed, CloseDurations(expr, promql::ScopeOf(context)));
  return promql::Evaluation(context).Run(*closed, times);
}

}  // namespace braid
