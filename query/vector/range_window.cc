#include "query/vector/range_window.h"

#include <algorithm>

#include "query/vector/histogram_math.h"

namespace braid::promql {

bool HasNan(const std::vector<double>& values) {
  // As wide as the values, so that they are compared several at a time.
  int64_t found = 0;
  for (const double value : values) found |= -static_cast<int64_t>(value != value);
  return found != 0;
}

size_t FirstAfter(const std::vector<Timestamp>& times, size_t from, size_t to, Timestamp bound) {
  for (const size_t near = std::min(to, from + 8); from < near; ++from) {
    if (times[from] > bound) return from;
  }
  size_t reach = 1;
  while (reach <= to - from && times[from + reach - 1] <= bound) {
    from += reach;
    reach *= 2;
  }
  const auto begin = times.begin() + static_cast<ptrdiff_t>(from);
  const auto end = begin + static_cast<ptrdiff_t>(std::min(reach - 1, to - from));
  return static_cast<size_t>(std::upper_bound(begin, end, bound) - times.begin());
}

WindowSlider::WindowSlider(const SampleSeries* series, Duration range, WindowEdge edge, Duration reach)
    : before_(edge == WindowEdge::kPlain ? 0 : reach), after_(edge == WindowEdge::kSmoothed ? reach : 0) {
  window_.series = series;
  window_.range = range;
  window_.edge = edge;
}

std::vector<ResetHint> ReadHints(const std::vector<HistogramPtr>& histograms) {
  std::vector<ResetHint> hints;
  hints.reserve(histograms.size());
  for (size_t i = 0; i < histograms.size(); ++i) {
    const Histogram& current = *histograms[i];
    ResetHint hint = HintOf(current);
    if (hint == ResetHint::kUnknown && i > 0) {
      const Histogram& before = *histograms[i - 1];
      if (before.is_gauge) {
        // A counter that follows a gauge: nothing to compare with.
      } else if (current.count < before.count) {
        hint = ResetHint::kReset;
      } else if (current.schema == before.schema && current.zero_threshold == before.zero_threshold &&
                 current.custom_bounds == before.custom_bounds) {
        hint = DetectReset(current, hint, before) ? ResetHint::kReset : ResetHint::kNotReset;
      }
    }
    hints.push_back(hint);
  }
  return hints;
}

SampleSeries ToSampleSeries(SeriesData&& data) {
  SampleSeries series;
  series.labels = std::move(data.labels);
  if (data.histograms.empty()) {
    series.float_times = std::move(data.times);
    series.floats = std::move(data.values);
    if (!HasNan(series.floats)) return series;
    size_t kept = 0;
    for (size_t i = 0; i < series.floats.size(); ++i) {
      if (IsStaleNan(series.floats[i])) continue;
      series.float_times[kept] = series.float_times[i];
      series.floats[kept++] = series.floats[i];
    }
    series.float_times.resize(kept);
    series.floats.resize(kept);
    return series;
  }
  for (size_t i = 0; i < data.times.size(); ++i) {
    if (IsStaleNan(data.values[i])) continue;
    if (data.histograms[i] == nullptr) {
      series.float_times.push_back(data.times[i]);
      series.floats.push_back(data.values[i]);
    } else {
      series.histogram_times.push_back(data.times[i]);
      series.histograms.push_back(std::move(data.histograms[i]));
    }
  }
  series.hints = ReadHints(series.histograms);
  return series;
}

}  // namespace braid::promql
