// `x smoothed` at instants: the value on the straight line between the samples around each.
#include <algorithm>

#include "query/syntax/status_macros.h"
#include "query/vector/evaluation.h"
#include "query/vector/label_set.h"
#include "query/vector/range_window.h"
#include "query/vector/window_edge.h"

namespace braid::promql {

absl::Status Evaluation::EachSmoothed(const Expr& expr, const Selector& selector, const Instants& times,
                                      SeriesSink sink) {
  const std::vector<Timestamp> lookups = LookupTimes(selector.time, times);
  const TimeRange range{SaturatingSubtract(lookups.front(), context_.lookback - 1),
                        SaturatingSubtract(lookups.back(), -context_.lookback)};
  return ScanSeries(selector.selector, range, [&](SeriesData&& data) {
    const SampleSeries samples = ToSampleSeries(std::move(data));
    const std::string_view metric = FindLabel(samples.labels, kMetricNameLabel);
    EvalSeries series(samples.labels, false, times.size());
    // Windows of no length: what lies within the look-back on both sides of an instant.
    WindowSlider slider(&samples, 0, WindowEdge::kSmoothed, context_.lookback);
    for (size_t step = 0; step < times.size(); ++step) {
      const Timestamp at = lookups[step];
      const Window& w = slider.MoveTo(at, times[step]);
      if (w.empty()) continue;
      if (w.floats() > 0 && w.histograms() > 0) {
        annotations_.MixedFloatsHistograms(metric, expr.place);
        continue;
      }
      const bool floats = w.floats() > 0;
      const std::vector<Timestamp>& found = floats ? samples.float_times : samples.histogram_times;
      const size_t begin = floats ? w.float_begin : w.histogram_begin;
      const size_t end = floats ? w.float_end : w.histogram_end;
      const auto first = found.begin() + static_cast<ptrdiff_t>(begin),
                 last = found.begin() + static_cast<ptrdiff_t>(end);
      const size_t i = static_cast<size_t>(std::lower_bound(first, last, at) - found.begin());
      const bool exact = i < end && found[i] == at;
      if (!exact && i == begin) continue;
      if (floats) {
        const bool between = !exact && i < end;
        series.SetFloat(
            step, exact     ? samples.floats[i]
                  : between ? Interpolate(found[i - 1], samples.floats[i - 1], found[i], samples.floats[i], at, false)
                            : samples.floats[i - 1]);
        continue;
      }
      if (exact) {
        series.SetHistogram(step, samples.histograms[i]);
      } else if (i == end) {
        series.SetHistogram(step, samples.histograms[i - 1]);
      } else {
        const HistogramSample before{found[i - 1], samples.histograms[i - 1].get(), samples.hints[i - 1]};
        const HistogramSample after{found[i], samples.histograms[i].get(), samples.hints[i]};
        const bool counter = before.hint != ResetHint::kGauge || after.hint != ResetHint::kGauge;
        HistogramPtr value = Interpolate(before, after, at, counter, metric, expr.place, &annotations_);
        if (value != nullptr) series.SetHistogram(step, std::move(value));
      }
    }
    return series.AnyPresent() ? sink(std::move(series)) : absl::OkStatus();
  });
}

}  // namespace braid::promql
