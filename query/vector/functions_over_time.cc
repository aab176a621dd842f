// sum_over_time, avg_over_time, count_over_time, present_over_time, first and last, and the extremes.
#include <cmath>

#include "query/vector/functions_range.h"
#include "query/vector/histogram_math.h"
#include "query/vector/kahan_sum.h"
#include "query/vector/number_text.h"

namespace braid::promql {
namespace {

using Operation = Annotations::HistogramOperation;

// Sums of whole numbers below 2^53 are exact in any order, so that a running sum gives what summing each window anew
// would give.
class WholeNumberSums {
 public:
  void Begin(const std::vector<double>& values) {
    constexpr double kExactMax = 9007199254740992.0;
    exact_ = false;
    running_.clear();
    double sum = 0, magnitude = 0;
    running_.reserve(values.size() + 1);
    running_.push_back(0);
    for (double value : values) {
      if (!(std::fabs(value) < kExactMax) || std::trunc(value) != value || (value == 0 && std::signbit(value))) return;
      magnitude += std::fabs(value);
      if (magnitude >= kExactMax) return;
      sum += value;
      running_.push_back(sum);
    }
    exact_ = true;
  }
  bool exact() const { return exact_; }
  double Sum(const Window& w) const { return running_[w.float_end] - running_[w.float_begin]; }

 private:
  bool exact_ = false;
  std::vector<double> running_;
};

class SumOverTime : public RangeFunction {
 public:
  SumOverTime(bool average, const RangeCall& call)
      : average_(average), place_(call.place), annotations_(call.annotations) {}

  void Begin(const SampleSeries& series) override { whole_.Begin(series.floats); }

  absl::Status Apply(const Window& w, size_t step, EvalSeries* out) override {
    if (w.histograms() > 0) {
      if (w.floats() > 0) {
        annotations_->MixedFloatsHistograms(FindLabel(w.series->labels, kMetricNameLabel), place_);
      } else {
        ApplyHistograms(w, step, out);
      }
      return absl::OkStatus();
    }
    const double count = static_cast<double>(w.floats());
    if (whole_.exact()) {
      out->SetFloat(step, average_ ? whole_.Sum(w) / count : whole_.Sum(w));
    } else {
      out->SetFloat(step, average_ ? Average(w) : Sum(w));
    }
    return absl::OkStatus();
  }

 private:
  static double Sum(const Window& w) {
    double sum = 0, error = 0;
    for (size_t i = w.float_begin; i < w.float_end; ++i) KahanAdd(w.series->floats[i], &sum, &error);
    return std::isinf(sum) ? sum : sum + error;
  }

  // Sum by count; where the sum would overflow, the mean is carried on instead.
  static double Average(const Window& w) {
    const std::vector<double>& values = w.series->floats;
    double sum = values[w.float_begin], error = 0, count = 1;
    size_t i = w.float_begin + 1;
    for (; i < w.float_end; ++i) {
      double next = sum, next_error = error;
      KahanAdd(values[i], &next, &next_error);
      if (std::isinf(next)) break;
      sum = next;
      error = next_error;
      ++count;
    }
    if (i == w.float_end) return sum / count + error / count;
    double mean = sum / count;
    error /= count;
    for (; i < w.float_end; ++i) {
      ++count;
      const double share = (count - 1) / count;
      mean *= share;
      error *= share;
      KahanAdd(values[i] / count, &mean, &error);
    }
    return mean + error;
  }

  void ApplyHistograms(const Window& w, size_t step, EvalSeries* out) {
    bool reset_seen = false, no_reset_seen = false, reconciled = false, incremental = false;
    const auto note_hint = [&](ResetHint hint) {
      reset_seen = reset_seen || hint == ResetHint::kReset;
      no_reset_seen = no_reset_seen || hint == ResetHint::kNotReset;
    };
    const auto& points = w.series->histograms;
    HistogramSum sum = [&] {
      Histogram first = *points[w.histogram_begin];
      SetHint(&first, w.series->hints[w.histogram_begin]);
      return HistogramSum(first);
    }();
    note_hint(w.series->hints[w.histogram_begin]);
    double count = 1;
    for (size_t i = w.histogram_begin + 1; i < w.histogram_end; ++i) {
      note_hint(w.series->hints[i]);
      ++count;
      Histogram point = *points[i];
      SetHint(&point, w.series->hints[i]);
      HistogramOutcome outcome;
      if (!incremental) {
        HistogramSum next = sum;
        outcome = next.Add(point);
        if (outcome.compatible) {
          reconciled = reconciled || outcome.bounds_reconciled;
          if (!average_ || !next.HasOverflow()) {
            sum = std::move(next);
            continue;
          }
          incremental = true;
          sum.Divide(count - 1);
        }
      }
      if (incremental) {
        DivideHistogram(&point, count);
        sum.Multiply((count - 1) / count);
        outcome = sum.Add(point);
        reconciled = reconciled || outcome.bounds_reconciled;
      }
      if (!outcome.compatible) {
        annotations_->MixedExponentialCustomHistograms(FindLabel(w.series->labels, kMetricNameLabel), place_);
        return;
      }
    }
    if (average_ && !incremental) sum.Divide(count);
    if (reset_seen && no_reset_seen) annotations_->CounterResetCollision(Operation::kAggregation, place_);
    if (reconciled) annotations_->MismatchedCustomBuckets(Operation::kAggregation, place_);
    out->SetHistogram(step, std::make_shared<Histogram>(sum.Total()));
  }

  const bool average_;
  const Place place_;
  Annotations* const annotations_;
  WholeNumberSums whole_;
};

class CountOverTime : public RangeFunction {
 public:
  absl::Status Apply(const Window& w, size_t step, EvalSeries* out) override {
    out->SetFloat(step, static_cast<double>(w.floats() + w.histograms()));
    return absl::OkStatus();
  }
};

class PresentOverTime : public RangeFunction {
 public:
  absl::Status Apply(const Window&, size_t step, EvalSeries* out) override {
    out->SetFloat(step, 1);
    return absl::OkStatus();
  }
};

// The first or last sample of the window, or its time.
class EdgeOverTime : public RangeFunction {
 public:
  EdgeOverTime(bool last, bool time) : last_(last), time_(time) {}

  absl::Status Apply(const Window& w, size_t step, EvalSeries* out) override {
    const SampleSeries& s = *w.series;
    const size_t f = last_ ? w.float_end - 1 : w.float_begin;
    const size_t h = last_ ? w.histogram_end - 1 : w.histogram_begin;
    bool take_float = w.histograms() == 0;
    if (!take_float && w.floats() > 0) {
      take_float = last_ ? s.float_times[f] > s.histogram_times[h] : s.float_times[f] < s.histogram_times[h];
    }
    if (time_) {
      out->SetFloat(step, Seconds(take_float ? s.float_times[f] : s.histogram_times[h]));
    } else if (take_float) {
      out->SetFloat(step, s.floats[f]);
    } else {
      out->SetHistogram(step, WithHint(s.histograms[h], s.hints[h]));
    }
    return absl::OkStatus();
  }

 private:
  static HistogramPtr WithHint(const HistogramPtr& histogram, ResetHint hint) {
    if (HintOf(*histogram) == hint) return histogram;
    auto copy = std::make_shared<Histogram>(*histogram);
    SetHint(copy.get(), hint);
    return copy;
  }

  const bool last_, time_;
};

// max, min and the times of them. Candidates wait in a queue of which each is beaten by none of the later ones. NaN
// only
// counts if there is nothing else.
class ExtremeOverTime : public RangeFunction {
 public:
  ExtremeOverTime(bool max, bool time, const RangeCall& call)
      : max_(max), time_(time), place_(call.place), annotations_(call.annotations) {}

  void Begin(const SampleSeries&) override {
    queue_.clear();
    head_ = 0;
    next_ = 0;
    overlapping_ = false;
  }

  absl::Status Apply(const Window& w, size_t step, EvalSeries* out) override {
    if (w.floats() == 0) return absl::OkStatus();
    if (w.histograms() > 0) {
      annotations_->HistogramIgnoredInMixedRange(FindLabel(w.series->labels, kMetricNameLabel), place_);
    }
    const std::vector<double>& values = w.series->floats;
    if (!overlapping_ && !time_) {
      if (next_ <= w.float_begin) {
        out->SetFloat(step, ExtremeOf(values.data() + w.float_begin, w.floats()));
        next_ = w.float_end;
        return absl::OkStatus();
      }
      // From here on the queue pays; it has to be filled from the window's beginning.
      overlapping_ = true;
      next_ = w.float_begin;
    }
    if (next_ < w.float_begin) {
      next_ = w.float_begin;
      queue_.clear();
      head_ = 0;
    }
    for (; next_ < w.float_end; ++next_) {
      const double value = values[next_];
      if (std::isnan(value)) continue;
      while (queue_.size() > head_ && Beats(value, values[queue_.back()])) queue_.pop_back();
      queue_.push_back(next_);
    }
    while (head_ < queue_.size() && queue_[head_] < w.float_begin) ++head_;
    const bool found = head_ < queue_.size();
    if (time_) {
      // Of a window of nothing but NaN the last sample is the answer.
      out->SetFloat(step, Seconds(w.series->float_times[found ? queue_[head_] : w.float_end - 1]));
    } else {
      out->SetFloat(step, found ? values[queue_[head_]] : values[w.float_begin]);
    }
    return absl::OkStatus();
  }

 private:
  // The extreme of a window that shares no sample with the one before. NaN compares false and so never wins.
  double ExtremeOf(const double* values, size_t count) const {
    size_t from = 0;
    while (from < count && std::isnan(values[from])) ++from;
    if (from == count) return values[0];
    // Four chains, for one would wait for each comparison before the next.
    double best[4] = {values[from], values[from], values[from], values[from]};
    size_t i = from;
    if (max_) {
      for (; i + 4 <= count; i += 4) {
        for (size_t k = 0; k < 4; ++k) best[k] = values[i + k] > best[k] ? values[i + k] : best[k];
      }
    } else {
      for (; i + 4 <= count; i += 4) {
        for (size_t k = 0; k < 4; ++k) best[k] = values[i + k] < best[k] ? values[i + k] : best[k];
      }
    }
    for (; i < count; ++i) best[0] = Beats(values[i], best[0]) ? values[i] : best[0];
    for (size_t k = 1; k < 4; ++k) best[0] = Beats(best[k], best[0]) ? best[k] : best[0];
    if (best[0] != 0) return best[0];
    // Of 0 and -0 the first one stands.
    for (i = from; i < count && values[i] != 0; ++i) continue;
    return values[i];
  }

  bool Beats(double later, double earlier) const {
    if (time_ && later == earlier) return true;
    return max_ ? later > earlier : later < earlier;
  }

  const bool max_, time_;
  const Place place_;
  Annotations* const annotations_;
  std::vector<size_t> queue_;  // from head_ on
  size_t head_ = 0;
  size_t next_ = 0;           // the first sample that was not looked at yet
  bool overlapping_ = false;  // windows of this series share samples
};

}  // namespace

std::unique_ptr<RangeFunction> MakeSumFunction(std::string_view name, const RangeCall& call) {
  if (name == "sum_over_time") return std::make_unique<SumOverTime>(false, call);
  if (name == "avg_over_time") return std::make_unique<SumOverTime>(true, call);
  if (name == "count_over_time") return std::make_unique<CountOverTime>();
  if (name == "present_over_time" || name == "absent_over_time") return std::make_unique<PresentOverTime>();
  return nullptr;
}

std::unique_ptr<RangeFunction> MakeExtremeFunction(std::string_view name, const RangeCall& call) {
  if (name == "first_over_time") return std::make_unique<EdgeOverTime>(false, false);
  if (name == "last_over_time") return std::make_unique<EdgeOverTime>(true, false);
  if (name == "ts_of_first_over_time") return std::make_unique<EdgeOverTime>(false, true);
  if (name == "ts_of_last_over_time") return std::make_unique<EdgeOverTime>(true, true);
  if (name == "max_over_time") return std::make_unique<ExtremeOverTime>(true, false, call);
  if (name == "min_over_time") return std::make_unique<ExtremeOverTime>(false, false, call);
  if (name == "ts_of_max_over_time") return std::make_unique<ExtremeOverTime>(true, true, call);
  if (name == "ts_of_min_over_time") return std::make_unique<ExtremeOverTime>(false, true, call);
  return nullptr;
}

std::unique_ptr<RangeFunction> MakeRangeFunction(std::string_view name, RangeCall call) {
  for (auto* make : {&MakeRateFunction, &MakeSumFunction, &MakeExtremeFunction, &MakeStatisticFunction}) {
    if (auto function = make(name, call)) return function;
  }
  return nullptr;
}

bool DependsOnWindowAlone(std::string_view name) {
  // The other arguments may change with the step.
  return name != "predict_linear" && name != "quantile_over_time" && name != "double_exponential_smoothing";
}

}  // namespace braid::promql
