// Functions of range vectors: from the samples of one series in a window to one value.
//
// Threads: a function object belongs to one evaluation. The window slides forward, so that a function may carry on from
// the window before: sums of whole numbers, counts, extremes and resets cost amortised constant time per sample.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "query/vector/annotations.h"
#include "query/vector/range_window.h"
#include "query/vector/series_value.h"

namespace braid::promql {

struct RangeCall {
  std::vector<std::vector<double>> scalars;  // arguments that are no range vector, one value per step each
  Place place;                               // of the first argument, where annotations point
  Annotations* annotations = nullptr;
  WindowEdge edge = WindowEdge::kPlain;

  // The same call, annotating elsewhere.
  RangeCall With(Annotations* others) const {
    RangeCall call = *this;
    call.annotations = others;
    return call;
  }
};

class RangeFunction {
 public:
  virtual ~RangeFunction() = default;
  // A new series; windows start again at its beginning.
  virtual void Begin(const SampleSeries& series) { (void)series; }
  // Sets point `step` of `*out`, or leaves it absent. REQUIRES: the window is not empty.
  virtual absl::Status Apply(const Window& window, size_t step, EvalSeries* out) = 0;
};

// Null for a name that is no range function. absent_over_time is made from present_over_time by the evaluator.
std::unique_ptr<RangeFunction> MakeRangeFunction(std::string_view name, RangeCall call);

// The families, each answering null for names that are not its own.
std::unique_ptr<RangeFunction> MakeRateFunction(std::string_view name, const RangeCall& call);
std::unique_ptr<RangeFunction> MakeSumFunction(std::string_view name, const RangeCall& call);
std::unique_ptr<RangeFunction> MakeExtremeFunction(std::string_view name, const RangeCall& call);
std::unique_ptr<RangeFunction> MakeStatisticFunction(std::string_view name, const RangeCall& call);

// True if the result does not depend on the instant that asks, only on the window.
bool DependsOnWindowAlone(std::string_view name);

}  // namespace braid::promql
