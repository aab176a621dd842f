// One evaluation of a vector expression: walks the tree and passes series on one by one.
//
// Shape: Each() calls its sink once per series of the result, so that an aggregation over any number of series holds
// only
// its groups. Nodes that need all series at once (binary operators, sort, topk, ...) Collect() first.
// Threads: one; series that are read are worked out on others too, which look at the context alone. Lives for one call
// of EvaluateVector.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/memory/hash_map.h"
#include "query/syntax/ast.h"
#include "query/syntax/durations.h"
#include "query/syntax/function_table.h"
#include "query/vector/annotations.h"
#include "query/vector/evaluator.h"
#include "query/vector/series_pool.h"
#include "query/vector/series_value.h"

namespace braid::promql {

// The expression without the parentheses around it.
const Expr& WithoutParens(const Expr& expr);

// What the open durations of an expression may ask the query for.
DurationScope ScopeOf(const VectorContext& context);

// Where a range vector is looked at: one window (end - range, end] for each instant.
struct WindowEnds {
  Duration range = 0;
  std::vector<Timestamp> ends;
  bool fixed = false;  // all ends are equal (@)
  WindowEdge edge = WindowEdge::kPlain;
};

class Evaluation {
 public:
  explicit Evaluation(const VectorContext& context)
      : context_(context), memory_(context.memory != nullptr ? context.memory : std::make_shared<MemoryBudget>()) {}

  absl::StatusOr<VectorResult> Run(const Expr& expr, const Instants& times);

 private:
  MemoryHold Hold() const { return {memory_, context_.limits.memory_bytes_max, "the vector expression"}; }
  struct Collected {
    std::vector<EvalSeries> series;
    MemoryHold hold;
  };

  // evaluation.cc
  ExprType TypeOf(const Expr& expr) const;
  absl::Status Each(const Expr& expr, const Instants& times, SeriesSink sink);
  absl::StatusOr<Collected> Collect(const Expr& expr, const Instants& times);
  absl::StatusOr<std::vector<double>> Scalar(const Expr& expr, const Instants& times);
  absl::StatusOr<std::string> Text(const Expr& expr) const;
  absl::Status CheckAlive() const;
  absl::Status EachUnary(const UnaryExpr& unary, const Instants& times, SeriesSink sink);
  absl::Status EachOfPipeline(const Expr& expr, const PipelineExpr& operand, const Instants& times, SeriesSink sink);
  absl::StatusOr<VectorResult> Finish(const Expr& expr, Collected collected);
  static bool KeepsOrder(const Expr& expr);

  // evaluation_select.cc
  std::vector<Timestamp> LookupTimes(const TimeModifiers& time, const Instants& times) const;
  Duration SubqueryStep(const SubqueryExpr& subquery) const;
  absl::StatusOr<Instants> SubqueryInstants(const Expr& expr, const WindowEnds& windows, MemoryHold* hold) const;
  WindowEnds EndsOf(const Expr& range_vector, const Instants& times) const;
  absl::StatusOr<std::unique_ptr<SeriesScan>> OpenSeries(const VectorSelector& selector, TimeRange range) const;
  absl::Status ScanSeries(const VectorSelector& selector, TimeRange range,
                          absl::FunctionRef<absl::Status(SeriesData&&)> sink);
  // Each series of the scan worked out, on several threads if there is much to do.
  absl::Status WorkOnSeries(std::unique_ptr<SeriesScan> scan, MakeSeriesWork make, SeriesSink sink);
  // With `sample_times`, values are the times of the samples found.
  absl::Status EachSelected(const Selector& selector, const Instants& times, bool sample_times, SeriesSink sink);
  // `x smoothed`: values between samples by straight lines.
  absl::Status EachSmoothed(const Expr& expr, const Selector& selector, const Instants& times, SeriesSink sink);
  // From when to when the windows of a selector read.
  TimeRange SampleRange(const WindowEnds& windows) const;
  absl::Status EachSamples(const Expr& range_vector, const WindowEnds& windows, SampleSink sink);
  absl::StatusOr<VectorResult> RunMatrix(const Expr& expr, const Instants& times);

  // evaluation_call.cc
  absl::Status EachCall(const Expr& expr, const CallExpr& call, const Instants& times, SeriesSink sink);
  absl::StatusOr<std::vector<double>> ScalarCall(const Expr& expr, const CallExpr& call, const Instants& times);
  absl::Status EachRangeCall(const Expr& expr, const CallExpr& call, size_t range_argument, const Instants& times,
                             SeriesSink sink);
  absl::Status EachElementwise(const Expr& expr, const CallExpr& call, const Instants& times, SeriesSink sink);
  absl::Status EachDate(const CallExpr& call, const Instants& times, SeriesSink sink);
  absl::Status EachAbsent(const CallExpr& call, const Instants& times, SeriesSink sink);
  absl::Status EachSorted(const Expr& expr, const CallExpr& call, const Instants& times, SeriesSink sink);
  absl::Status EachTimestamp(const CallExpr& call, const Instants& times, SeriesSink sink);

  // evaluation_fold.cc: false if this call, or this store, cannot be answered from folds of samples
  absl::StatusOr<bool> EachFolded(const CallExpr& call, const Instants& times, SeriesSink sink);

  // evaluation_labels.cc
  absl::Status EachLabelReplace(const Expr& expr, const CallExpr& call, const Instants& times, SeriesSink sink);
  absl::Status EachLabelJoin(const Expr& expr, const CallExpr& call, const Instants& times, SeriesSink sink);

  // evaluation_histogram.cc
  absl::Status EachHistogramValue(const CallExpr& call, const Instants& times, SeriesSink sink);
  absl::Status EachHistogramQuantile(const Expr& expr, const CallExpr& call, const Instants& times, SeriesSink sink);

  // evaluation_info.cc
  absl::Status EachInfo(const Expr& expr, const CallExpr& call, const Instants& times, SeriesSink sink);

  // evaluation_aggregate.cc, evaluation_rank.cc
  absl::Status EachAggregated(const Expr& expr, const AggregationExpr& aggregation, const Instants& times,
                              SeriesSink sink);
  absl::Status EachRanked(const Expr& expr, const AggregationExpr& aggregation, const Instants& times, SeriesSink sink);
  absl::Status EachQuantile(const AggregationExpr& aggregation, const Instants& times, SeriesSink sink);
  absl::Status EachCountedValue(const Expr& expr, const AggregationExpr& aggregation, const Instants& times,
                                SeriesSink sink);

  // evaluation_binary.cc, evaluation_set.cc
  absl::Status EachBinary(const Expr& expr, const BinaryExpr& binary, const Instants& times, SeriesSink sink);
  absl::Status EachWithScalar(const Expr& expr, const BinaryExpr& binary, const Instants& times, SeriesSink sink);
  absl::Status EachMatched(const Expr& expr, const BinaryExpr& binary, const Instants& times, SeriesSink sink);
  absl::Status EachOfSets(const Expr& expr, const BinaryExpr& binary, const Instants& times, SeriesSink sink);

  // An error at `expr`, in Prometheus' words.
  static absl::Status ErrorOn(const Expr& expr, std::string message);

  const VectorContext& context_;
  Annotations annotations_;
  ScanStats stats_;
  const std::shared_ptr<MemoryBudget> memory_;
};

// Joins series that have the same labels: the points of all go into the one that came first. Two points of one label
// set
// at one instant are an error.
class SeriesMerger {
 public:
  absl::Status Add(EvalSeries&& series);
  std::vector<EvalSeries> Take() { return std::move(series_); }

 private:
  HashMap<std::string, size_t> index_;
  std::vector<EvalSeries> series_;
};

}  // namespace braid::promql
