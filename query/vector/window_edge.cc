#include "query/vector/window_edge.h"

#include <algorithm>

#include "query/vector/histogram_math.h"
#include "query/vector/label_set.h"
#include "query/vector/number_text.h"

namespace braid::promql {
namespace {

using Operation = Annotations::HistogramOperation;

// The samples of a window that matter: from `first`, the last one at or before its start if there is one, to `last`:
// anchored the last one of all, smoothed the first one at or behind its end.
struct Reach {
  size_t first, last;
  bool any;  // false: nothing lies behind the start
};

Reach ReachOf(const std::vector<Timestamp>& times, size_t begin, size_t end, const Window& w) {
  const auto at = [&times](size_t i) { return times.begin() + static_cast<ptrdiff_t>(i); };
  Reach reach{begin, end - 1, true};
  const size_t behind = static_cast<size_t>(std::upper_bound(at(begin), at(end - 1), w.start) - times.begin());
  if (behind > begin) reach.first = behind - 1;
  if (w.edge == WindowEdge::kSmoothed) {
    reach.last = static_cast<size_t>(std::lower_bound(at(begin), at(end - 1), w.end) - times.begin());
    if (times[reach.first] > w.end) reach.any = false;
  }
  if (times[reach.last] <= w.start) reach.any = false;
  return reach;
}

double LeftValue(const SampleSeries& s, const Window& w, const Reach& reach, bool is_counter) {
  const size_t i = reach.first;
  if (w.edge != WindowEdge::kSmoothed || s.float_times[i] >= w.start) return s.floats[i];
  return Interpolate(s.float_times[i], s.floats[i], s.float_times[i + 1], s.floats[i + 1], w.start, is_counter);
}

double RightValue(const SampleSeries& s, const Window& w, const Reach& reach, bool is_counter) {
  const size_t i = reach.last;
  if (w.edge != WindowEdge::kSmoothed || i == w.float_begin || s.float_times[i] <= w.end) return s.floats[i];
  return Interpolate(s.float_times[i - 1], s.floats[i - 1], s.float_times[i], s.floats[i], w.end, is_counter);
}

class EdgeRate : public RangeFunction {
 public:
  EdgeRate(bool is_counter, bool is_rate, const RangeCall& call)
      : is_counter_(is_counter), is_rate_(is_rate), place_(call.place), annotations_(call.annotations) {}

  absl::Status Apply(const Window& w, size_t step, EvalSeries* out) override {
    if (w.histograms() > 0) {
      const std::string_view metric = FindLabel(w.series->labels, kMetricNameLabel);
      if (w.floats() > 0) {
        annotations_->MixedFloatsHistograms(metric, place_);
      } else if (Histogram result; Difference(w, metric, &result)) {
        if (is_rate_) DivideHistogram(&result, Seconds(w.range));
        SetHint(&result, ResetHint::kGauge);
        CompactHistogram(&result);
        out->SetHistogram(step, std::make_shared<Histogram>(std::move(result)));
      }
      return absl::OkStatus();
    }
    const SampleSeries& s = *w.series;
    const Reach reach = ReachOf(s.float_times, w.float_begin, w.float_end, w);
    if (!reach.any) return absl::OkStatus();
    const double left = LeftValue(s, w, reach, is_counter_), right = RightValue(s, w, reach, is_counter_);
    double result = right - left;
    if (is_counter_) {
      // The values at the ends know of resets beside them; those between the samples inside are added here.
      const size_t begin = reach.first + (s.float_times[reach.first] <= w.start ? 1 : 0);
      const size_t end = reach.last + (s.float_times[reach.last] >= w.end ? 0 : 1);
      double before = left;
      for (size_t i = begin; i < end; ++i) {
        if (s.floats[i] < before) result += before;
        before = s.floats[i];
      }
      if (right < before) result += before;
    }
    out->SetFloat(step, is_rate_ ? result / Seconds(w.range) : result);
    return absl::OkStatus();
  }

 private:
  HistogramSample At(const SampleSeries& s, size_t i) const {
    return {s.histogram_times[i], s.histograms[i].get(), s.hints[i]};
  }
  bool Add(Histogram* sum, const Histogram& other, bool subtract, std::string_view metric) const {
    const HistogramOutcome outcome = subtract ? SubtractHistogram(sum, other) : AddHistogram(sum, other);
    if (!outcome.compatible) {
      annotations_->MixedExponentialCustomHistograms(metric, place_);
      return false;
    }
    if (outcome.bounds_reconciled) {
      annotations_->MismatchedCustomBuckets(subtract ? Operation::kSubtraction : Operation::kAddition, place_);
    }
    return true;
  }

  bool Difference(const Window& w, std::string_view metric, Histogram* result) const {
    const SampleSeries& s = *w.series;
    const Reach reach = ReachOf(s.histogram_times, w.histogram_begin, w.histogram_end, w);
    if (!reach.any) return false;
    const bool custom = HasCustomBuckets(*s.histograms[reach.first]);
    for (size_t i = reach.first; i <= reach.last; ++i) {
      if (HasCustomBuckets(*s.histograms[i]) != custom) {
        annotations_->MixedExponentialCustomHistograms(metric, place_);
        return false;
      }
      if (is_counter_ && s.hints[i] == ResetHint::kGauge) annotations_->HistogramNotCounter(metric, place_);
    }
    const bool smoothed = w.edge == WindowEdge::kSmoothed;
    const bool left_between = smoothed && s.histogram_times[reach.first] < w.start;
    const bool right_between = smoothed && reach.last > w.histogram_begin && s.histogram_times[reach.last] > w.end;
    HistogramPtr left = s.histograms[reach.first], right = s.histograms[reach.last];
    ResetHint right_hint = s.hints[reach.last];
    if (left_between) {
      left =
          Interpolate(At(s, reach.first), At(s, reach.first + 1), w.start, is_counter_, metric, place_, annotations_);
    }
    if (right_between) {
      right = Interpolate(At(s, reach.last - 1), At(s, reach.last), w.end, is_counter_, metric, place_, annotations_);
    }
    if (left == nullptr || right == nullptr) return false;
    if (!is_counter_ && (HintOf(*left) != ResetHint::kGauge || HintOf(*right) != ResetHint::kGauge)) {
      annotations_->HistogramNotGauge(metric, place_);
    }
    *result = *right;
    if (!Add(result, *left, true, metric)) return false;
    if (!is_counter_) return true;
    // What was counted before each reset between the two ends. A reset that the left end was interpolated over is known
    // to it already.
    size_t next = reach.first + 1;
    const Histogram* before = left.get();
    if (left_between && DetectReset(*s.histograms[next], s.hints[next], *s.histograms[reach.first])) {
      before = s.histograms[next++].get();
    }
    if (next > reach.last) return true;
    std::vector<const Histogram*> ended;
    for (size_t i = next; i < reach.last; ++i) {
      if (DetectReset(*s.histograms[i], s.hints[i], *before)) ended.push_back(before);
      before = s.histograms[i].get();
    }
    if (DetectReset(*right, right_hint, *before)) ended.push_back(before);
    return std::all_of(ended.begin(), ended.end(), [&](const Histogram* h) { return Add(result, *h, false, metric); });
  }

  const bool is_counter_, is_rate_;
  const Place place_;
  Annotations* const annotations_;
};

}  // namespace

std::string EdgeProblem(WindowEdge edge, std::string_view function) {
  const bool rates = function == "rate" || function == "increase" || function == "delta";
  if (edge == WindowEdge::kPlain || rates) return "";
  if (edge == WindowEdge::kSmoothed) {
    return "smoothed modifier can only be used with: delta, increase, rate - not with " + std::string(function);
  }
  if (function == "resets" || function == "changes") return "";
  return "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with " +
         std::string(function);
}

std::unique_ptr<RangeFunction> MakeEdgeRate(std::string_view name, const RangeCall& call) {
  return std::make_unique<EdgeRate>(name != "delta", name == "rate", call);
}

double Interpolate(Timestamp t1, double v1, Timestamp t2, double v2, Timestamp at, bool is_counter) {
  if (is_counter && v2 < v1) v1 = 0;
  return v1 + (v2 - v1) * static_cast<double>(at - t1) / static_cast<double>(t2 - t1);
}

HistogramPtr Interpolate(const HistogramSample& before, const HistogramSample& after, Timestamp at, bool is_counter,
                         std::string_view metric, const Place& place, Annotations* annotations) {
  auto result = std::make_shared<Histogram>(at == before.time ? *before.histogram : *after.histogram);
  if (at == before.time || at == after.time) return result;
  const double share = static_cast<double>(at - before.time) / static_cast<double>(after.time - before.time);
  if (is_counter && DetectReset(*after.histogram, after.hint, *before.histogram)) {
    MultiplyHistogram(result.get(), share);
    return result;
  }
  const HistogramOutcome down = SubtractHistogram(result.get(), *before.histogram);
  if (!down.compatible) {
    annotations->MixedExponentialCustomHistograms(metric, place);
    return nullptr;
  }
  MultiplyHistogram(result.get(), share);
  const HistogramOutcome up = AddHistogram(result.get(), *before.histogram);
  if (down.bounds_reconciled) annotations->MismatchedCustomBuckets(Operation::kSubtraction, place);
  if (up.bounds_reconciled) annotations->MismatchedCustomBuckets(Operation::kAddition, place);
  return result;
}

SeriesData CutToEdges(const Window& w) {
  SeriesData cut;
  if (w.floats() == 0) return cut;
  const SampleSeries& s = *w.series;
  const Reach reach = ReachOf(s.float_times, w.float_begin, w.float_end, w);
  if (s.float_times[reach.last] <= w.start) return cut;
  const auto add = [&cut](Timestamp time, double value) {
    cut.times.push_back(time);
    cut.values.push_back(value);
  };
  add(w.start, LeftValue(s, w, reach, false));
  for (size_t i = reach.first; i <= reach.last; ++i) {
    if (s.float_times[i] > w.start && s.float_times[i] < w.end) add(s.float_times[i], s.floats[i]);
  }
  add(w.end, RightValue(s, w, reach, false));
  return cut;
}

}  // namespace braid::promql
