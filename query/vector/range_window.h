// Left-open windows (at - range, at] sliding over the samples of one series.
#pragma once

#include <cstddef>

#include "braid/snapshot.h"
#include "query/syntax/ast.h"
#include "query/vector/series_value.h"

namespace braid::promql {

// a - b, kept inside the range of timestamps.
Timestamp SaturatingSubtract(Timestamp a, Duration b);

// Samples [float_begin, float_end) and [histogram_begin, histogram_end) of `*series` lie in (start, end], or for the
// functions that look beyond it (anchored, smoothed) in (start - reach, end + reach].
struct Window {
  const SampleSeries* series = nullptr;
  size_t float_begin = 0, float_end = 0;
  size_t histogram_begin = 0, histogram_end = 0;
  Timestamp start = 0;  // exclusive
  Timestamp end = 0;
  Timestamp at = 0;  // the instant that asks; differs from `end` by offset or @
  Duration range = 0;
  WindowEdge edge = WindowEdge::kPlain;

  size_t floats() const { return float_end - float_begin; }
  size_t histograms() const { return histogram_end - histogram_begin; }
  bool empty() const { return floats() + histograms() == 0; }
};

// Moves a window over a series. Ends must not go back from one call to the next.
class WindowSlider {
 public:
  // `edge`, `reach`: an anchored window reaches back by `reach`, a smoothed one both ways.
  WindowSlider(const SampleSeries* series, Duration range, WindowEdge edge = WindowEdge::kPlain, Duration reach = 0);
  // The window for instant `at` that ends at `end`.
  const Window& MoveTo(Timestamp end, Timestamp at);

 private:
  Window window_;
  const Duration before_, after_;
};

// Takes the stored samples apart; stale markers go. Histogram hints are completed by ReadHints.
SampleSeries ToSampleSeries(SeriesData&& data);

// What the samples of a counter histogram say about resets: the producer's word where there is one, otherwise found by
// comparing each with the sample before it, as a store that detects resets when it writes would have noted.
std::vector<ResetHint> ReadHints(const std::vector<HistogramPtr>& histograms);

}  // namespace braid::promql
