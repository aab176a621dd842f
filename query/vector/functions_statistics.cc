// quantile, spread, regression and smoothing over the floats of a window.
#include <cmath>
#include <limits>

#include "query/vector/functions_range.h"
#include "query/vector/histogram_quantile.h"
#include "query/vector/kahan_sum.h"
#include "query/vector/number_text.h"
#include "query/vector/special_values.h"

namespace braid::promql {
namespace {

// Functions that look at floats only and say so when there are histograms beside them.
class FloatStatistic : public RangeFunction {
 public:
  FloatStatistic(size_t floats_min, const RangeCall& call) : call_(call), floats_min_(floats_min) {}

  absl::Status Apply(const Window& w, size_t step, EvalSeries* out) override {
    if (w.floats() > 0 && w.histograms() > 0) {
      call_.annotations->HistogramIgnoredInMixedRange(FindLabel(w.series->labels, kMetricNameLabel), call_.place);
    }
    if (w.floats() < floats_min_) return absl::OkStatus();
    double result = 0;
    if (absl::Status status = Compute(w, step, &result); !status.ok()) return status;
    out->SetFloat(step, result);
    return absl::OkStatus();
  }

 protected:
  virtual absl::Status Compute(const Window& w, size_t step, double* result) = 0;
  double Scalar(size_t argument, size_t step) const { return call_.scalars[argument][step]; }
  void CopyFloats(const Window& w) {
    values_.assign(w.series->floats.begin() + static_cast<std::ptrdiff_t>(w.float_begin),
                   w.series->floats.begin() + static_cast<std::ptrdiff_t>(w.float_end));
  }

  const RangeCall call_;
  std::vector<double> values_;

 private:
  const size_t floats_min_;
};

class QuantileOverTime : public FloatStatistic {
 public:
  explicit QuantileOverTime(const RangeCall& call) : FloatStatistic(1, call) {}

 protected:
  absl::Status Compute(const Window& w, size_t step, double* result) override {
    const double q = Scalar(0, step);
    if (!(q >= 0 && q <= 1)) call_.annotations->InvalidQuantile(q, call_.place);
    CopyFloats(w);
    *result = QuantileOfValues(q, &values_);
    return absl::OkStatus();
  }
};

class MadOverTime : public FloatStatistic {
 public:
  explicit MadOverTime(const RangeCall& call) : FloatStatistic(1, call) {}

 protected:
  absl::Status Compute(const Window& w, size_t, double* result) override {
    CopyFloats(w);
    for (double value : values_) {
      if (std::isnan(value)) {
        *result = kNan;
        return absl::OkStatus();
      }
    }
    const double median = QuantileOfValues(0.5, &values_);
    for (double& value : values_) value = std::fabs(value - median);
    *result = QuantileOfValues(0.5, &values_);
    return absl::OkStatus();
  }
};

// Welford's method with compensated sums.
class VarianceOverTime : public FloatStatistic {
 public:
  VarianceOverTime(bool deviation, const RangeCall& call) : FloatStatistic(1, call), deviation_(deviation) {}

 protected:
  absl::Status Compute(const Window& w, size_t, double* result) override {
    double count = 0, mean = 0, mean_error = 0, squares = 0, squares_error = 0;
    for (size_t i = w.float_begin; i < w.float_end; ++i) {
      const double value = w.series->floats[i];
      ++count;
      const double delta = value - (mean + mean_error);
      KahanAdd(delta / count, &mean, &mean_error);
      KahanAdd(delta * (value - (mean + mean_error)), &squares, &squares_error);
    }
    const double variance = (squares + squares_error) / count;
    *result = deviation_ ? std::sqrt(variance) : variance;
    return absl::OkStatus();
  }

 private:
  const bool deviation_;
};

struct Line {
  double slope, intercept;
};

// Least squares over the window, with times in seconds from `origin`.
Line Regression(const Window& w, Timestamp origin) {
  const std::vector<double>& values = w.series->floats;
  double n = 0;
  double sum_x = 0, sum_y = 0, sum_xy = 0, sum_xx = 0;
  double error_x = 0, error_y = 0, error_xy = 0, error_xx = 0;
  bool constant = true;
  const double first = values[w.float_begin];
  for (size_t i = w.float_begin; i < w.float_end; ++i) {
    const double y = values[i];
    if (i > w.float_begin && y != first) constant = false;
    ++n;
    const double x = Seconds(w.series->float_times[i] - origin);
    KahanAdd(x, &sum_x, &error_x);
    KahanAdd(y, &sum_y, &error_y);
    KahanAdd(x * y, &sum_xy, &error_xy);
    KahanAdd(x * x, &sum_xx, &error_xx);
  }
  if (constant) return std::isinf(first) ? Line{kNan, kNan} : Line{0, first};
  sum_x += error_x;
  sum_y += error_y;
  sum_xy += error_xy;
  sum_xx += error_xx;
  const double covariance = sum_xy - sum_x * sum_y / n;
  const double variance = sum_xx - sum_x * sum_x / n;
  const double slope = covariance / variance;
  return {slope, sum_y / n - slope * sum_x / n};
}

class Deriv : public FloatStatistic {
 public:
  explicit Deriv(const RangeCall& call) : FloatStatistic(2, call) {}

 protected:
  absl::Status Compute(const Window& w, size_t, double* result) override {
    *result = Regression(w, w.series->float_times[w.float_begin]).slope;
    return absl::OkStatus();
  }
};

class PredictLinear : public FloatStatistic {
 public:
  explicit PredictLinear(const RangeCall& call) : FloatStatistic(2, call) {}

 protected:
  absl::Status Compute(const Window& w, size_t step, double* result) override {
    const Line line = Regression(w, w.at);
    *result = line.slope * Scalar(0, step) + line.intercept;
    return absl::OkStatus();
  }
};

// Holt's linear method.
class DoubleExponentialSmoothing : public FloatStatistic {
 public:
  explicit DoubleExponentialSmoothing(const RangeCall& call) : FloatStatistic(2, call) {}

  absl::Status Apply(const Window& w, size_t step, EvalSeries* out) override {
    const double smoothing = Scalar(0, step), trend = Scalar(1, step);
    if (smoothing <= 0 || smoothing >= 1) {
      return absl::InvalidArgumentError("invalid smoothing factor. Expected: 0 < sf < 1, got: " +
                                        std::to_string(smoothing));
    }
    if (trend <= 0 || trend >= 1) {
      return absl::InvalidArgumentError("invalid trend factor. Expected: 0 < tf < 1, got: " + std::to_string(trend));
    }
    return FloatStatistic::Apply(w, step, out);
  }

 protected:
  absl::Status Compute(const Window& w, size_t step, double* result) override {
    const double smoothing = Scalar(0, step), trend = Scalar(1, step);
    const std::vector<double>& values = w.series->floats;
    double before = 0;
    double level = values[w.float_begin];
    double slope = values[w.float_begin + 1] - values[w.float_begin];
    for (size_t i = w.float_begin + 1; i < w.float_end; ++i) {
      if (i > w.float_begin + 1) slope = trend * (level - before) + (1 - trend) * slope;
      const double next = smoothing * values[i] + (1 - smoothing) * (level + slope);
      before = level;
      level = next;
    }
    *result = level;
    return absl::OkStatus();
  }
};

}  // namespace

std::unique_ptr<RangeFunction> MakeStatisticFunction(std::string_view name, const RangeCall& call) {
  if (name == "quantile_over_time") return std::make_unique<QuantileOverTime>(call);
  if (name == "mad_over_time") return std::make_unique<MadOverTime>(call);
  if (name == "stddev_over_time") return std::make_unique<VarianceOverTime>(true, call);
  if (name == "stdvar_over_time") return std::make_unique<VarianceOverTime>(false, call);
  if (name == "deriv") return std::make_unique<Deriv>(call);
  if (name == "predict_linear") return std::make_unique<PredictLinear>(call);
  if (name == "double_exponential_smoothing" || name == "holt_winters") {
    return std::make_unique<DoubleExponentialSmoothing>(call);
  }
  return nullptr;
}

}  // namespace braid::promql
