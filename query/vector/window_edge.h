// Windows that look beyond their ends (Prometheus' extended range selectors): `anchored` takes the last sample before
// an end for the value there, `smoothed` draws a straight line between the samples around it.
//
// Source: Prometheus documentation, "Feature flags", extended range selectors.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "query/vector/functions_range.h"
#include "query/vector/range_window.h"

namespace braid::promql {

// Prometheus' error for a function that cannot take such windows; empty if it can.
std::string EdgeProblem(WindowEdge edge, std::string_view function);

// rate, increase and delta without extrapolation: the difference of the values at both ends of the window.
std::unique_ptr<RangeFunction> MakeEdgeRate(std::string_view name, const RangeCall& call);

// The floats inside the window and one at each of its ends; empty if there is none behind its start. No labels.
SeriesData CutToEdges(const Window& window);

// Between two samples at time `at`. Counters: one that was reset in between has begun at zero.
double Interpolate(Timestamp t1, double v1, Timestamp t2, double v2, Timestamp at, bool is_counter);
struct HistogramSample {
  Timestamp time;
  const Histogram* histogram;
  ResetHint hint;
};
// Null if the buckets do not go together; an annotation says so.
HistogramPtr Interpolate(const HistogramSample& before, const HistogramSample& after, Timestamp at, bool is_counter,
                         std::string_view metric, const Place& place, Annotations* annotations);

}  // namespace braid::promql
