// Left-open windows (at - range, at] sliding over the samples of one series.
#pragma once

#include <cstddef>

#include "braid/snapshot.h"
#include "query/syntax/ast.h"
#include "query/vector/series_value.h"

namespace braid::promql {

// a - b, kept inside the range of timestamps.
inline Timestamp SaturatingSubtract(Timestamp a, Duration b) {
  Timestamp result;
  if (__builtin_sub_overflow(a, b, &result)) return b > 0 ? kMinTimestamp : kMaxTimestamp;
  return result;
}

// Position of the first time in [from, to) that is after `bound`, or `to`. Windows move on by few samples, or by many
// where they do not overlap.
size_t FirstAfter(const std::vector<Timestamp>& times, size_t from, size_t to, Timestamp bound);

// Without a branch per value, for it is asked of every sample.
bool HasNan(const std::vector<double>& values);

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
  const Window& MoveTo(Timestamp end, Timestamp at) {
    Window& w = window_;
    w.at = at;
    w.end = end;
    w.start = SaturatingSubtract(end, w.range);
    const Timestamp low = SaturatingSubtract(w.start, before_), high = SaturatingSubtract(w.end, -after_);
    floats_.MoveTo(w.series->float_times, low, high, &w.float_begin, &w.float_end);
    if (!w.series->histogram_times.empty()) {
      histograms_.MoveTo(w.series->histogram_times, low, high, &w.histogram_begin, &w.histogram_end);
    }
    return w;
  }

 private:
  // Samples by which the edges of the window moved last: those of a series of regular times move alike, so that a look
  // at two neighbours is enough.
  class Edges {
   public:
    void MoveTo(const std::vector<Timestamp>& times, Timestamp low, Timestamp high, size_t* begin, size_t* end) {
      Move(times, high, times.size(), &end_stride_, end);
      Move(times, low, *end, &begin_stride_, begin);
    }

   private:
    static void Move(const std::vector<Timestamp>& times, Timestamp bound, size_t limit, size_t* stride, size_t* edge) {
      const size_t guess = *edge + *stride;
      if (guess <= limit && (*stride == 0 || times[guess - 1] <= bound) && (guess == limit || times[guess] > bound)) {
        *edge = guess;
        return;
      }
      const size_t found = FirstAfter(times, *edge, limit, bound);
      *stride = found - *edge;
      *edge = found;
    }
    size_t begin_stride_ = 0, end_stride_ = 0;
  };

  Window window_;
  const Duration before_, after_;
  Edges floats_, histograms_;
};

// Takes the stored samples apart; stale markers go. Histogram hints are completed by ReadHints.
SampleSeries ToSampleSeries(SeriesData&& data);

// What the samples of a counter histogram say about resets: the producer's word where there is one, otherwise found by
// comparing each with the sample before it, as a store that detects resets when it writes would have noted.
std::vector<ResetHint> ReadHints(const std::vector<HistogramPtr>& histograms);

}  // namespace braid::promql
