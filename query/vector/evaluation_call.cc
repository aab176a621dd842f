// Function calls: dispatch, functions point by point, range functions, dates, sorting, absence.
#include <algorithm>
#include <cmath>
#include <limits>

#include "query/syntax/status_macros.h"
#include "query/vector/civil_time.h"
#include "query/vector/evaluation.h"
#include "query/vector/functions_range.h"
#include "query/vector/label_set.h"
#include "query/vector/natural_order.h"
#include "query/vector/number_text.h"
#include "query/vector/special_values.h"
#include "query/vector/window_edge.h"

namespace braid::promql {
namespace {

constexpr double kPi = 3.14159265358979323846;

// Samples in windows between two questions whether the query is still wanted: about a millisecond's work.
constexpr size_t kSamplesPerCheck = 100'000;
constexpr size_t kFloatsPerHistogram = 50;

// NaN wins against any number.
double LargerOf(double a, double b) { return std::isnan(a) || std::isnan(b) ? kNan : std::max(a, b); }
double SmallerOf(double a, double b) { return std::isnan(a) || std::isnan(b) ? kNan : std::min(a, b); }
// An infinity that no bound could move wins against NaN when clamping.
double ClampToFloor(double low, double value) {
  return value == std::numeric_limits<double>::infinity() || low == std::numeric_limits<double>::infinity()
             ? std::numeric_limits<double>::infinity()
             : LargerOf(low, value);
}
double ClampToCeiling(double high, double value) {
  return value == -std::numeric_limits<double>::infinity() || high == -std::numeric_limits<double>::infinity()
             ? -std::numeric_limits<double>::infinity()
             : SmallerOf(high, value);
}

using FloatFunction = double (*)(double);

FloatFunction FindFloatFunction(std::string_view name) {
  struct Entry {
    std::string_view name;
    FloatFunction function;
  };
  static constexpr Entry kEntries[] = {
      {"abs", [](double v) { return std::fabs(v); }},
      {"acos", [](double v) { return std::acos(v); }},
      {"acosh", [](double v) { return std::acosh(v); }},
      {"asin", [](double v) { return std::asin(v); }},
      {"asinh", [](double v) { return std::asinh(v); }},
      {"atan", [](double v) { return std::atan(v); }},
      {"atanh", [](double v) { return std::atanh(v); }},
      {"ceil", [](double v) { return std::ceil(v); }},
      {"cos", [](double v) { return std::cos(v); }},
      {"cosh", [](double v) { return std::cosh(v); }},
      {"deg", [](double v) { return v * 180 / kPi; }},
      {"exp", [](double v) { return std::exp(v); }},
      {"floor", [](double v) { return std::floor(v); }},
      {"ln", [](double v) { return std::log(v); }},
      {"log10", [](double v) { return std::log10(v); }},
      {"log2", [](double v) { return std::log2(v); }},
      {"rad", [](double v) { return v * kPi / 180; }},
      {"sgn", [](double v) { return v < 0 ? -1.0 : v > 0 ? 1.0 : v; }},
      {"sin", [](double v) { return std::sin(v); }},
      {"sinh", [](double v) { return std::sinh(v); }},
      {"sqrt", [](double v) { return std::sqrt(v); }},
      {"tan", [](double v) { return std::tan(v); }},
      {"tanh", [](double v) { return std::tanh(v); }},
  };
  for (const Entry& entry : kEntries) {
    if (entry.name == name) return entry.function;
  }
  return nullptr;
}

using DateFunction = double (*)(const CivilTime&);

DateFunction FindDateFunction(std::string_view name) {
  struct Entry {
    std::string_view name;
    DateFunction function;
  };
  static constexpr Entry kEntries[] = {
      {"day_of_month", [](const CivilTime& t) { return static_cast<double>(t.day); }},
      {"day_of_week", [](const CivilTime& t) { return static_cast<double>(t.weekday); }},
      {"day_of_year", [](const CivilTime& t) { return static_cast<double>(t.day_of_year); }},
      {"days_in_month", [](const CivilTime& t) { return static_cast<double>(t.days_in_month); }},
      {"hour", [](const CivilTime& t) { return static_cast<double>(t.hour); }},
      {"minute", [](const CivilTime& t) { return static_cast<double>(t.minute); }},
      {"month", [](const CivilTime& t) { return static_cast<double>(t.month); }},
      {"year", [](const CivilTime& t) { return static_cast<double>(t.year); }},
  };
  for (const Entry& entry : kEntries) {
    if (entry.name == name) return entry.function;
  }
  return nullptr;
}

int64_t ToWholeSeconds(double seconds) {
  // What no 64-bit integer can hold becomes its lowest value, as on x86-64.
  if (!(seconds >= -9.2e18 && seconds <= 9.2e18)) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(seconds);
}

// The labels that a series must have had: those of `=` matchers that name their label once.
Labels LabelsOfAbsence(const Expr& argument) {
  const auto* selector = std::get_if<Selector>(&WithoutParens(argument).node);
  Labels labels;
  if (selector == nullptr) return labels;
  std::vector<std::string> seen;
  for (const LabelMatcher& m : selector->selector.matchers) {
    const std::string& name = m.matcher.name;
    if (name == kMetricNameLabel) continue;
    if (m.matcher.op == Matcher::Op::kEqual && std::find(seen.begin(), seen.end(), name) == seen.end()) {
      SetLabel(&labels, name, m.matcher.value);
      seen.push_back(name);
    } else {
      RemoveLabel(&labels, name);
    }
  }
  return labels;
}

bool LooksLikeCounter(std::string_view metric) {
  for (std::string_view suffix : {"_total", "_sum", "_count", "_bucket"}) {
    if (metric.size() >= suffix.size() && metric.substr(metric.size() - suffix.size()) == suffix) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::vector<double>> Evaluation::ScalarCall(const Expr& expr, const CallExpr& call,
                                                           const Instants& times) {
  const auto constant = [&times](double value) { return std::vector<double>(times.size(), value); };
  const std::string& name = call.function;
  if (name == "pi") return constant(kPi);
  if (name == "start") return constant(Seconds(context_.start));
  if (name == "end") return constant(Seconds(context_.end));
  if (name == "range") return constant(Seconds(context_.end - context_.start));
  if (name == "step") return constant(context_.start == context_.end ? 0 : Seconds(context_.step));
  if (name == "time") {
    std::vector<double> values;
    values.reserve(times.size());
    for (Timestamp t : times) values.push_back(Seconds(t));
    return values;
  }
  if (name == "min_of" || name == "max_of") {
    ASSIGN_OR_RETURN(std::vector<double> left, Scalar(*call.args[0].expr, times));
    ASSIGN_OR_RETURN(const std::vector<double> right, Scalar(*call.args[1].expr, times));
    for (size_t i = 0; i < left.size(); ++i) {
      left[i] = name == "min_of" ? SmallerOf(left[i], right[i]) : LargerOf(left[i], right[i]);
    }
    return left;
  }
  if (name != "scalar") return ErrorOn(expr, "expected a scalar here");
  const Expr& argument = *call.args[0].expr;
  if (TypeOf(argument) == ExprType::kScalar) return Scalar(argument, times);
  std::vector<double> values = constant(kNan);
  std::vector<uint8_t> found(times.size());
  RETURN_IF_ERROR(Each(argument, times, [&](EvalSeries&& series) {
    for (size_t i = 0; i < times.size(); ++i) {
      if (series.present[i] == 0 || series.IsHistogram(i)) continue;
      values[i] = found[i] != 0 ? kNan : series.values[i];
      found[i] = 1;
    }
    return absl::OkStatus();
  }));
  return values;
}

absl::Status Evaluation::EachCall(const Expr& expr, const CallExpr& call, const Instants& times, SeriesSink sink) {
  const std::string& name = call.function;
  for (size_t i = 0; i < call.args.size(); ++i) {
    if (TypeOf(*call.args[i].expr) == ExprType::kMatrix) return EachRangeCall(expr, call, i, times, sink);
  }
  if (name == "vector") {
    ASSIGN_OR_RETURN(std::vector<double> values, Scalar(*call.args[0].expr, times));
    EvalSeries series({}, false, 0);
    series.present.assign(times.size(), 1);
    series.values = std::move(values);
    return sink(std::move(series));
  }
  if (name == "absent") return EachAbsent(call, times, sink);
  if (name == "timestamp") return EachTimestamp(call, times, sink);
  // Braid stores no start times of samples, so there is nothing to answer with.
  if (name == "start_timestamp") return Each(*call.args[0].expr, times, [](EvalSeries&&) { return absl::OkStatus(); });
  if (name.rfind("sort", 0) == 0) return EachSorted(expr, call, times, sink);
  if (name == "label_replace") return EachLabelReplace(expr, call, times, sink);
  if (name == "label_join") return EachLabelJoin(expr, call, times, sink);
  if (name == "info") return EachInfo(expr, call, times, sink);
  if (name == "histogram_quantile" || name == "histogram_quantiles" || name == "histogram_fraction") {
    return EachHistogramQuantile(expr, call, times, sink);
  }
  if (name.rfind("histogram_", 0) == 0) return EachHistogramValue(call, times, sink);
  if (FindDateFunction(name) != nullptr) return EachDate(call, times, sink);
  return EachElementwise(expr, call, times, sink);
}

absl::Status Evaluation::EachElementwise(const Expr& expr, const CallExpr& call, const Instants& times,
                                         SeriesSink sink) {
  const std::string& name = call.function;
  std::vector<std::vector<double>> scalars;
  for (size_t i = 1; i < call.args.size(); ++i) {
    ASSIGN_OR_RETURN(std::vector<double> values, Scalar(*call.args[i].expr, times));
    scalars.push_back(std::move(values));
  }
  const FloatFunction function = FindFloatFunction(name);
  const bool clamp = name == "clamp", clamp_min = name == "clamp_min", clamp_max = name == "clamp_max";
  const bool round = name == "round";
  if (function == nullptr && !clamp && !clamp_min && !clamp_max && !round) {
    return ErrorOn(expr, "unknown function with name " + QuotedText(name));
  }
  return Each(*call.args[0].expr, times, [&](EvalSeries&& series) {
    for (size_t i = 0; i < times.size(); ++i) {
      if (series.present[i] == 0) continue;
      if (series.IsHistogram(i)) {
        series.Clear(i);
        continue;
      }
      double& value = series.values[i];
      if (function != nullptr) {
        value = function(value);
      } else if (round) {
        // Dividing by the inverse loses less than multiplying by the step.
        const double inverse = 1.0 / (scalars.empty() ? 1.0 : scalars[0][i]);
        value = std::floor(value * inverse + 0.5) / inverse;
      } else {
        const double low = clamp_max ? -std::numeric_limits<double>::infinity() : scalars[0][i];
        const double high = clamp ? scalars[1][i] : clamp_max ? scalars[0][i] : std::numeric_limits<double>::infinity();
        if (high < low) {
          series.Clear(i);
        } else {
          value = ClampToFloor(low, ClampToCeiling(high, value));
        }
      }
    }
    series.histograms.clear();
    series.drop_name = true;
    return series.AnyPresent() ? sink(std::move(series)) : absl::OkStatus();
  });
}

absl::Status Evaluation::EachRangeCall(const Expr& expr, const CallExpr& call, size_t range_argument,
                                       const Instants& times, SeriesSink sink) {
  const std::string& name = call.function;
  ASSIGN_OR_RETURN(const bool folded, EachFolded(call, times, sink));
  if (folded) return absl::OkStatus();
  const Expr& range_vector = *call.args[range_argument].expr;
  RangeCall range_call;
  // Annotations about a sub-query point to the beginning of the text, as Prometheus' do.
  const Expr& first = WithoutParens(*call.args[0].expr);
  range_call.place = std::holds_alternative<SubqueryExpr>(first.node) ? Place{} : first.place;
  range_call.annotations = &annotations_;
  for (size_t i = 0; i < call.args.size(); ++i) {
    if (i == range_argument) continue;
    ASSIGN_OR_RETURN(std::vector<double> values, Scalar(*call.args[i].expr, times));
    range_call.scalars.push_back(std::move(values));
  }
  const WindowEnds windows = EndsOf(range_vector, times);
  if (std::string problem = EdgeProblem(windows.edge, name); !problem.empty()) return ErrorOn(expr, std::move(problem));
  range_call.edge = windows.edge;
  const std::unique_ptr<RangeFunction> function = MakeRangeFunction(name, range_call);
  if (function == nullptr) return ErrorOn(expr, "unknown function with name " + QuotedText(name));

  const bool same_result = windows.fixed && DependsOnWindowAlone(name);
  const bool keeps_name = name == "last_over_time" || name == "first_over_time";
  const bool for_counters = name == "rate" || name == "increase";
  const bool absent = name == "absent_over_time";
  std::vector<uint8_t> covered(absent ? times.size() : 0);

  const auto apply = [&](RangeFunction* function, SampleSeries&& samples, Annotations* annotations,
                         std::vector<EvalSeries>* out) -> absl::Status {
    // Functions look at the labels of histograms alone, to name their metric in annotations.
    const bool may_take = samples.histogram_times.empty() && windows.edge == WindowEdge::kPlain;
    Labels labels = may_take ? std::move(samples.labels) : samples.labels;
    EvalSeries series(std::move(labels), samples.drop_name || !keeps_name, times.size());
    WindowSlider slider(&samples, windows.range, windows.edge, context_.lookback);
    function->Begin(samples);
    bool any = false, any_float = false;
    size_t looked_at = 0;  // samples since it was last asked whether to go on
    for (size_t step = 0; step < times.size(); ++step) {
      const Window& window = slider.MoveTo(windows.ends[step], times[step]);
      if (same_result && step > 0) {
        if (series.present[0] == 0) break;
        if (series.IsHistogram(0)) {
          series.SetHistogram(step, series.histograms[0]);
        } else {
          series.SetFloat(step, series.values[0]);
        }
        continue;
      }
      if (window.empty()) {
        if (!may_take) continue;
        // On to the first window that reaches the next sample: there may be days without any.
        if (window.float_end == samples.float_times.size()) break;
        const Timestamp before_next = SaturatingSubtract(samples.float_times[window.float_end], 1);
        step = FirstAfter(windows.ends, step + 1, times.size(), before_next) - 1;
        continue;
      }
      looked_at += window.floats() + kFloatsPerHistogram * window.histograms();
      if (looked_at >= kSamplesPerCheck) {
        RETURN_IF_ERROR(CheckAlive());
        looked_at = 0;
      }
      if (absl::Status status = function->Apply(window, step, &series); !status.ok()) {
        return ErrorOn(expr, std::string(status.message()));
      }
      any = any || series.present[step] != 0;
      any_float = any_float || (series.present[step] != 0 && !series.IsHistogram(step));
    }
    if (for_counters && any_float) {
      const std::string_view metric = FindLabel(series.labels, kMetricNameLabel);
      if (!metric.empty() && !LooksLikeCounter(metric)) annotations->PossibleNonCounter(metric, range_call.place);
    }
    if (any) out->push_back(std::move(series));
    return absl::OkStatus();
  };
  const auto take = [&](EvalSeries&& series) {
    if (!absent) return sink(std::move(series));
    for (size_t i = 0; i < times.size(); ++i) covered[i] |= series.present[i];
    return absl::OkStatus();
  };
  if (const auto* selector = std::get_if<Selector>(&WithoutParens(range_vector).node)) {
    const auto make = [&](Annotations* annotations) -> SeriesWork {
      std::shared_ptr<RangeFunction> function = MakeRangeFunction(name, range_call.With(annotations));
      return [&, function, annotations](SeriesData&& data, const std::vector<SampleFold>&,
                                        std::vector<EvalSeries>* out) -> absl::Status {
        RETURN_IF_ERROR(CheckAlive());
        SampleSeries samples = ToSampleSeries(std::move(data));
        return samples.empty() ? absl::OkStatus() : apply(function.get(), std::move(samples), annotations, out);
      };
    };
    ASSIGN_OR_RETURN(std::unique_ptr<SeriesScan> scan, OpenSeries(selector->selector, SampleRange(windows)));
    RETURN_IF_ERROR(WorkOnSeries(std::move(scan), make, take));
  } else {
    std::vector<EvalSeries> out;
    RETURN_IF_ERROR(EachSamples(range_vector, windows, [&](SampleSeries&& samples) -> absl::Status {
      out.clear();
      RETURN_IF_ERROR(apply(function.get(), std::move(samples), &annotations_, &out));
      return out.empty() ? absl::OkStatus() : take(std::move(out[0]));
    }));
  }
  if (!absent) return absl::OkStatus();
  EvalSeries series(LabelsOfAbsence(range_vector), true, times.size());
  for (size_t i = 0; i < times.size(); ++i) {
    if (covered[i] == 0) series.SetFloat(i, 1);
  }
  return series.AnyPresent() ? sink(std::move(series)) : absl::OkStatus();
}

absl::Status Evaluation::EachDate(const CallExpr& call, const Instants& times, SeriesSink sink) {
  const DateFunction function = FindDateFunction(call.function);
  if (call.args.empty()) {
    EvalSeries series({}, false, times.size());
    for (size_t i = 0; i < times.size(); ++i) {
      int64_t seconds = times[i] / kSecond;
      if (times[i] % kSecond < 0) --seconds;
      series.SetFloat(i, function(CivilFromSeconds(seconds)));
    }
    return sink(std::move(series));
  }
  return Each(*call.args[0].expr, times, [&](EvalSeries&& series) {
    for (size_t i = 0; i < times.size(); ++i) {
      if (series.present[i] == 0) continue;
      if (series.IsHistogram(i)) {
        series.Clear(i);
      } else {
        series.values[i] = function(CivilFromSeconds(ToWholeSeconds(series.values[i])));
      }
    }
    series.histograms.clear();
    series.drop_name = true;
    return series.AnyPresent() ? sink(std::move(series)) : absl::OkStatus();
  });
}

absl::Status Evaluation::EachAbsent(const CallExpr& call, const Instants& times, SeriesSink sink) {
  EvalSeries absence(LabelsOfAbsence(*call.args[0].expr), false, times.size());
  std::vector<uint8_t> covered(times.size());
  RETURN_IF_ERROR(Each(*call.args[0].expr, times, [&](EvalSeries&& series) {
    for (size_t i = 0; i < times.size(); ++i) covered[i] |= series.present[i];
    return absl::OkStatus();
  }));
  for (size_t i = 0; i < times.size(); ++i) {
    if (covered[i] == 0) absence.SetFloat(i, 1);
  }
  return absence.AnyPresent() ? sink(std::move(absence)) : absl::OkStatus();
}

absl::Status Evaluation::EachTimestamp(const CallExpr& call, const Instants& times, SeriesSink sink) {
  const auto drop_name = [&](EvalSeries&& series) {
    series.drop_name = true;
    return sink(std::move(series));
  };
  const Expr& argument = WithoutParens(*call.args[0].expr);
  if (const auto* selector = std::get_if<Selector>(&argument.node)) {
    return EachSelected(*selector, times, true, drop_name);
  }
  return Each(argument, times, [&](EvalSeries&& series) {
    for (size_t i = 0; i < times.size(); ++i) {
      if (series.present[i] != 0) series.values[i] = Seconds(times[i]);
    }
    series.histograms.clear();
    return drop_name(std::move(series));
  });
}

absl::Status Evaluation::EachSorted(const Expr& expr, const CallExpr& call, const Instants& times, SeriesSink sink) {
  const std::string& name = call.function;
  const bool by_label = name.rfind("sort_by_label", 0) == 0;
  const bool descending = name == "sort_desc" || name == "sort_by_label_desc";
  ASSIGN_OR_RETURN(Collected collected, Collect(*call.args[0].expr, times));
  std::vector<EvalSeries>& all = collected.series;
  if (!by_label) {
    for (EvalSeries& series : all) {
      for (size_t i = 0; i < times.size(); ++i) {
        if (series.IsHistogram(i)) series.Clear(i);
      }
      series.histograms.clear();
    }
    std::erase_if(all, [](const EvalSeries& series) { return !series.AnyPresent(); });
  }
  if (times.size() > 1) {
    annotations_.SortInRangeQuery(expr.place);
  } else if (by_label) {
    std::vector<std::string> names;
    for (size_t i = 1; i < call.args.size(); ++i) {
      ASSIGN_OR_RETURN(std::string label, Text(*call.args[i].expr));
      names.push_back(std::move(label));
    }
    std::stable_sort(all.begin(), all.end(), [&](const EvalSeries& a, const EvalSeries& b) {
      const EvalSeries& low = descending ? b : a;
      const EvalSeries& high = descending ? a : b;
      for (const std::string& label : names) {
        const int order = CompareNaturally(FindLabel(low.labels, label), FindLabel(high.labels, label));
        if (order != 0) return order < 0;
      }
      return low.labels < high.labels;
    });
  } else {
    std::stable_sort(all.begin(), all.end(), [descending](const EvalSeries& a, const EvalSeries& b) {
      const double x = a.values[0], y = b.values[0];
      if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);  // NaN stands last both ways
      return descending ? x > y : x < y;
    });
  }
  for (EvalSeries& series : all) RETURN_IF_ERROR(sink(std::move(series)));
  return absl::OkStatus();
}

}  // namespace braid::promql
