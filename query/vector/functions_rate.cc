// rate, increase, delta, irate, idelta, resets, changes.
#include <algorithm>
#include <cmath>

#include "query/vector/functions_range.h"
#include "query/vector/histogram_math.h"
#include "query/vector/number_text.h"
#include "query/vector/window_edge.h"

namespace braid::promql {
namespace {

using Operation = Annotations::HistogramOperation;

// Positions i at which a counter starts anew: value i is smaller than value i - 1. Windows walk through them in order.
class ResetList {
 public:
  void Begin(const std::vector<double>& values) {
    positions_.clear();
    first_ = last_ = 0;
    // Most counters have none: neighbours are compared without a branch per value, and looked at only if one shrinks.
    constexpr size_t kRun = 128;
    for (size_t begin = 1; begin < values.size(); begin += kRun) {
      const size_t end = std::min(values.size(), begin + kRun);
      bool any = false;
      for (size_t i = begin; i < end; ++i) any |= values[i] < values[i - 1];
      for (size_t i = begin; any && i < end; ++i) {
        if (values[i] < values[i - 1]) positions_.push_back(i);
      }
    }
  }
  // Narrows to the resets between two samples of [begin, end).
  void MoveTo(size_t begin, size_t end) {
    while (last_ < positions_.size() && positions_[last_] < end) ++last_;
    while (first_ < last_ && positions_[first_] <= begin) ++first_;
  }
  size_t count() const { return last_ - first_; }
  double ValuesBefore(const std::vector<double>& values, double sum) const {
    for (size_t i = first_; i < last_; ++i) sum += values[positions_[i] - 1];
    return sum;
  }

 private:
  std::vector<size_t> positions_;
  size_t first_ = 0, last_ = 0;
};

class ExtrapolatedRate : public RangeFunction {
 public:
  ExtrapolatedRate(bool is_counter, bool is_rate, const RangeCall& call)
      : is_counter_(is_counter), is_rate_(is_rate), place_(call.place), annotations_(call.annotations) {}

  void Begin(const SampleSeries& series) override {
    if (is_counter_) resets_.Begin(series.floats);
  }

  absl::Status Apply(const Window& w, size_t step, EvalSeries* out) override {
    if (w.range != range_) {
      range_ = w.range;
      range_seconds_ = Seconds(range_);
      placed_ = {};
    }
    if (w.histograms() > 0) return ApplyHistograms(w, step, out);
    if (w.floats() < 2) return absl::OkStatus();
    const std::vector<double>& values = w.series->floats;
    double result = values[w.float_end - 1] - values[w.float_begin];
    if (is_counter_) {
      resets_.MoveTo(w.float_begin, w.float_end);
      if (resets_.count() > 0) result = resets_.ValuesBefore(values, result);
    }
    const double first = values[w.float_begin];
    const Placed& placed =
        Locate(w, w.series->float_times[w.float_begin], w.series->float_times[w.float_end - 1], w.floats() - 1);
    const bool has_zero = is_counter_ && result > 0 && first >= 0;
    // The counter was zero further back than the window is stretched, beyond any doubt of rounding.
    const bool zero_is_far = placed.sampled * first > placed.to_start * result * 1.000001;
    const double factor =
        has_zero && !zero_is_far ? Stretched(placed, placed.sampled * (first / result)) : placed.factor;
    out->SetFloat(step, result * factor);
    return absl::OkStatus();
  }

 private:
  // Where a window's first and last sample lie in it, and what follows from that alone. Windows of a regular series lie
  // alike, so that the divisions are done once for many.
  struct Placed {
    Duration start_gap = -1, end_gap = -1, length = -1;  // to the first sample, from the last, between them
    size_t intervals = 0;
    double sampled = 0, to_start = 0, to_end = 0;  // in seconds; the latter two as far as the series is stretched
    double factor = 0;                             // if no zero is nearer than to_start
  };

  // The difference between first and last sample is stretched to the window's ends.
  const Placed& Locate(const Window& w, Timestamp first, Timestamp last, size_t intervals) {
    Placed& p = placed_;
    if (p.start_gap == first - w.start && p.end_gap == w.end - last && p.length == last - first &&
        p.intervals == intervals) {
      return p;
    }
    p.start_gap = first - w.start;
    p.end_gap = w.end - last;
    p.length = last - first;
    p.intervals = intervals;
    p.to_start = static_cast<double>(p.start_gap) / 1e9;
    p.to_end = static_cast<double>(p.end_gap) / 1e9;
    p.sampled = static_cast<double>(p.length) / 1e9;
    const double average = p.sampled / static_cast<double>(intervals);
    // A sample is missing at an end only if it is further away than usual; the series is taken to reach half a usual
    // distance beyond it then, and a counter never below zero.
    const double threshold = average * 1.1;
    if (p.to_start >= threshold) p.to_start = average / 2;
    if (p.to_end >= threshold) p.to_end = average / 2;
    p.factor = Stretched(p, p.to_start);
    return p;
  }
  // By how much, if the series begins at most `zero_at` seconds before its first sample.
  double Stretched(const Placed& p, double zero_at) const {
    const double to_start = std::min(p.to_start, zero_at);
    double factor = 1;
    if (p.sampled != 0) factor = (p.sampled + to_start + p.to_end) / p.sampled;
    if (is_rate_) factor /= range_seconds_;
    return factor;
  }
  // `zero_share`: how many sampled intervals before the first sample the counter would have been zero.
  double Factor(const Window& w, Timestamp first, Timestamp last, size_t intervals, bool has_zero, double zero_share) {
    const Placed& placed = Locate(w, first, last, intervals);
    return has_zero ? Stretched(placed, placed.sampled * zero_share) : placed.factor;
  }

  absl::Status ApplyHistograms(const Window& w, size_t step, EvalSeries* out) {
    const std::string_view metric = FindLabel(w.series->labels, kMetricNameLabel);
    if (w.floats() > 0) {
      annotations_->MixedFloatsHistograms(metric, place_);
      return absl::OkStatus();
    }
    if (w.histograms() < 2) return absl::OkStatus();
    Histogram result;
    if (!Difference(w, metric, &result)) return absl::OkStatus();
    const double first = w.series->histograms[w.histogram_begin]->count;
    const bool has_zero = is_counter_ && result.count > 0 && first >= 0;
    MultiplyHistogram(
        &result, Factor(w, w.series->histogram_times[w.histogram_begin], w.series->histogram_times[w.histogram_end - 1],
                        w.histograms() - 1, has_zero, first / result.count));
    out->SetHistogram(step, std::make_shared<Histogram>(std::move(result)));
    return absl::OkStatus();
  }

  // Last minus first, plus what was counted before each reset.
  bool Difference(const Window& w, std::string_view metric, Histogram* result) {
    const auto& points = w.series->histograms;
    const auto& hints = w.series->hints;
    const size_t begin = w.histogram_begin, end = w.histogram_end;
    const Histogram& last = *points[end - 1];
    if (is_counter_ && (hints[begin] == ResetHint::kGauge || hints[end - 1] == ResetHint::kGauge)) {
      annotations_->HistogramNotCounter(metric, place_);
    }
    HistogramPtr first = points[begin];
    if (is_counter_ && DetectReset(*points[begin + 1], hints[begin + 1], *first)) {
      // The first sample counts nothing then, so its bucket layout must not matter.
      auto empty = std::make_shared<Histogram>();
      empty->schema = points[begin + 1]->schema;
      empty->custom_bounds = points[begin + 1]->custom_bounds;
      first = std::move(empty);
    }
    const bool custom = HasCustomBuckets(*first);
    if (HasCustomBuckets(last) != custom) {
      annotations_->MixedExponentialCustomHistograms(metric, place_);
      return false;
    }
    int32_t schema = std::min(last.schema, first->schema);
    for (size_t i = begin + 1; is_counter_ && i + 1 < end; ++i) {
      if (hints[i] == ResetHint::kGauge) annotations_->HistogramNotCounter(metric, place_);
      schema = std::min(schema, points[i]->schema);
      if (HasCustomBuckets(*points[i]) != custom) {
        annotations_->MixedExponentialCustomHistograms(metric, place_);
        return false;
      }
    }
    HistogramSum sum(last);
    if (!custom) sum.ReduceSchema(schema);
    const HistogramOutcome outcome = sum.Subtract(*first);
    if (outcome.bounds_reconciled) annotations_->MismatchedCustomBuckets(Operation::kSubtraction, place_);
    if (is_counter_) {
      HistogramPtr before = first;
      for (size_t i = begin + 1; i < end; ++i) {
        if (DetectReset(*points[i], hints[i], *before)) {
          if (sum.Add(*before).bounds_reconciled) annotations_->MismatchedCustomBuckets(Operation::kAddition, place_);
        }
        before = points[i];
      }
    } else if (hints[begin] != ResetHint::kGauge || hints[end - 1] != ResetHint::kGauge) {
      annotations_->HistogramNotGauge(metric, place_);
    }
    *result = sum.Value();
    SetHint(result, ResetHint::kGauge);
    CompactHistogram(result);
    return true;
  }

  const bool is_counter_, is_rate_;
  const Place place_;
  Annotations* const annotations_;
  ResetList resets_;
  Duration range_ = 0;
  double range_seconds_ = 0;
  Placed placed_;
};

// The last samples of a window in order of time, floats and histograms together; floats first at equal times.
struct Sample {
  Timestamp time;
  double value;
  const Histogram* histogram;  // null for a float
  ResetHint hint;
};

// irate and idelta: the difference between the last two samples.
class InstantRate : public RangeFunction {
 public:
  InstantRate(bool is_rate, const RangeCall& call)
      : is_rate_(is_rate), place_(call.place), annotations_(call.annotations) {}

  absl::Status Apply(const Window& w, size_t step, EvalSeries* out) override {
    if (w.floats() + w.histograms() < 2) return absl::OkStatus();
    Sample last, before;
    size_t f = w.float_end, h = w.histogram_end;
    last = TakeLast(w, &f, &h);
    before = TakeLast(w, &f, &h);
    const Duration interval = last.time - before.time;
    if (interval == 0) return absl::OkStatus();
    const std::string_view metric = FindLabel(w.series->labels, kMetricNameLabel);
    if ((last.histogram == nullptr) != (before.histogram == nullptr)) {
      annotations_->MixedFloatsHistograms(metric, place_);
      return absl::OkStatus();
    }
    const double seconds = Seconds(interval);
    if (last.histogram == nullptr) {
      double result = last.value;
      if (!is_rate_ || !(last.value < before.value)) result -= before.value;
      out->SetFloat(step, is_rate_ ? result / seconds : result);
      return absl::OkStatus();
    }
    const bool any_gauge = last.hint == ResetHint::kGauge || before.hint == ResetHint::kGauge;
    const bool both_gauge = last.hint == ResetHint::kGauge && before.hint == ResetHint::kGauge;
    if (is_rate_ && any_gauge) annotations_->HistogramNotCounter(metric, place_);
    if (!is_rate_ && !both_gauge) annotations_->HistogramNotGauge(metric, place_);
    Histogram result = *last.histogram;
    if (!is_rate_ || !DetectReset(*last.histogram, last.hint, *before.histogram)) {
      const HistogramOutcome outcome = SubtractHistogram(&result, *before.histogram);
      if (!outcome.compatible) {
        annotations_->MixedExponentialCustomHistograms(metric, place_);
        return absl::OkStatus();
      }
      if (outcome.bounds_reconciled) annotations_->MismatchedCustomBuckets(Operation::kSubtraction, place_);
    }
    SetHint(&result, ResetHint::kGauge);
    CompactHistogram(&result);
    if (is_rate_) DivideHistogram(&result, seconds);
    out->SetHistogram(step, std::make_shared<Histogram>(std::move(result)));
    return absl::OkStatus();
  }

 private:
  static Sample TakeLast(const Window& w, size_t* f, size_t* h) {
    const SampleSeries& s = *w.series;
    const bool has_float = *f > w.float_begin, has_histogram = *h > w.histogram_begin;
    if (has_histogram && (!has_float || s.histogram_times[*h - 1] >= s.float_times[*f - 1])) {
      --*h;
      return {s.histogram_times[*h], 0, s.histograms[*h].get(), s.hints[*h]};
    }
    --*f;
    return {s.float_times[*f], s.floats[*f], nullptr, ResetHint::kUnknown};
  }

  const bool is_rate_;
  const Place place_;
  Annotations* const annotations_;
};

// resets and changes: how many neighbouring samples differ in a certain way. Counted once per series as a running
// count.
class TransitionCount : public RangeFunction {
 public:
  explicit TransitionCount(bool resets) : resets_(resets) {}

  void Begin(const SampleSeries& s) override {
    running_.assign(1, 0);
    size_t f = 0, h = 0;
    Sample before{0, 0, nullptr, ResetHint::kUnknown};
    double count = 0;
    while (f < s.floats.size() || h < s.histograms.size()) {
      Sample sample;
      if (h >= s.histograms.size() || (f < s.floats.size() && s.float_times[f] <= s.histogram_times[h])) {
        sample = {s.float_times[f], s.floats[f], nullptr, ResetHint::kUnknown};
        ++f;
      } else {
        sample = {s.histogram_times[h], 0, s.histograms[h].get(), s.hints[h]};
        ++h;
      }
      if (f + h > 1) {
        if (IsTransition(before, sample)) ++count;
        running_.push_back(count);
      }
      before = sample;
    }
  }

  absl::Status Apply(const Window& w, size_t step, EvalSeries* out) override {
    size_t first = w.float_begin + w.histogram_begin;
    const size_t last = w.float_end + w.histogram_end - 1;
    if (w.edge == WindowEdge::kAnchored) {
      const auto count_until_start = [&w](const std::vector<Timestamp>& times) {
        return static_cast<size_t>(std::upper_bound(times.begin(), times.end(), w.start) - times.begin());
      };
      const size_t inside = count_until_start(w.series->float_times) + count_until_start(w.series->histogram_times);
      if (inside > last) return absl::OkStatus();  // nothing behind the start
      if (inside > first) first = inside - 1;      // the last sample before it is what the others are compared with
    }
    out->SetFloat(step, running_[last] - running_[first]);
    return absl::OkStatus();
  }

 private:
  bool IsTransition(const Sample& before, const Sample& sample) const {
    if ((before.histogram == nullptr) != (sample.histogram == nullptr)) return true;
    if (sample.histogram != nullptr) {
      return resets_ ? DetectReset(*sample.histogram, sample.hint, *before.histogram)
                     : !SameHistogram(*sample.histogram, *before.histogram);
    }
    if (resets_) return sample.value < before.value;
    return sample.value != before.value && !(std::isnan(sample.value) && std::isnan(before.value));
  }

  const bool resets_;
  std::vector<double> running_;  // transitions up to sample i
};

}  // namespace

std::unique_ptr<RangeFunction> MakeRateFunction(std::string_view name, const RangeCall& call) {
  if (call.edge != WindowEdge::kPlain && (name == "rate" || name == "increase" || name == "delta")) {
    return MakeEdgeRate(name, call);
  }
  if (name == "rate") return std::make_unique<ExtrapolatedRate>(true, true, call);
  if (name == "increase") return std::make_unique<ExtrapolatedRate>(true, false, call);
  if (name == "delta") return std::make_unique<ExtrapolatedRate>(false, false, call);
  if (name == "irate") return std::make_unique<InstantRate>(true, call);
  if (name == "idelta") return std::make_unique<InstantRate>(false, call);
  if (name == "resets") return std::make_unique<TransitionCount>(true);
  if (name == "changes") return std::make_unique<TransitionCount>(false);
  return nullptr;
}

}  // namespace braid::promql
