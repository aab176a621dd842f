// Reading: selectors, range selectors, sub-queries.
#include <algorithm>

#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"
#include "query/vector/evaluation.h"
#include "query/vector/histogram_math.h"
#include "query/vector/label_set.h"
#include "query/vector/number_text.h"
#include "query/vector/range_window.h"
#include "query/vector/series_pool.h"
#include "query/vector/window_edge.h"

namespace braid::promql {
namespace {

constexpr Duration kDefaultSubqueryStep = 60 * kSecond;

// Largest multiple of `step` that is not above `time`.
Timestamp AlignDown(Timestamp time, Duration step) {
  Timestamp remainder = time % step;
  if (remainder < 0) remainder += step;
  return SaturatingSubtract(time, remainder);
}

SampleSeries ToSamples(EvalSeries&& from, const Instants& times) {
  SampleSeries series;
  series.labels = std::move(from.labels);
  series.drop_name = from.drop_name;
  for (size_t i = 0; i < times.size(); ++i) {
    if (from.present[i] == 0) continue;
    if (from.IsHistogram(i)) {
      // A sub-query may skip samples or return one twice, so what they say about resets does not hold here.
      const bool gauge = HintOf(*from.histograms[i]) == ResetHint::kGauge;
      series.histogram_times.push_back(times[i]);
      series.histograms.push_back(std::move(from.histograms[i]));
      series.hints.push_back(gauge ? ResetHint::kGauge : ResetHint::kUnknown);
    } else {
      series.float_times.push_back(times[i]);
      series.floats.push_back(from.values[i]);
    }
  }
  return series;
}

}  // namespace

std::vector<Timestamp> Evaluation::LookupTimes(const TimeModifiers& time, const Instants& times) const {
  std::vector<Timestamp> lookups;
  lookups.reserve(times.size());
  for (Timestamp t : times) {
    if (time.at) t = *time.at;
    if (time.at_start) t = context_.start;
    if (time.at_end) t = context_.end;
    lookups.push_back(SaturatingSubtract(t, time.offset));
  }
  return lookups;
}

Duration Evaluation::SubqueryStep(const SubqueryExpr& subquery) const {
  if (subquery.step && *subquery.step > 0) return *subquery.step;
  if (context_.subquery_step > 0) return context_.subquery_step;
  return context_.step > 0 ? context_.step : kDefaultSubqueryStep;
}

WindowEnds Evaluation::EndsOf(const Expr& expr, const Instants& times) const {
  const Expr& range_vector = WithoutParens(expr);
  WindowEnds windows;
  const TimeModifiers* time = nullptr;
  if (const auto* selector = std::get_if<Selector>(&range_vector.node)) {
    windows.range = selector->range.value_or(0);
    windows.edge = selector->edge;
    time = &selector->time;
  } else {
    const auto& subquery = std::get<SubqueryExpr>(range_vector.node);
    windows.range = subquery.range;
    time = &subquery.time;
  }
  windows.ends = LookupTimes(*time, times);
  windows.fixed = time->at.has_value() || time->at_start || time->at_end;
  return windows;
}

// The union of all instants at which the windows look; each window sees the multiples of the step inside it.
absl::StatusOr<Instants> Evaluation::SubqueryInstants(const Expr& expr, const WindowEnds& windows,
                                                      MemoryHold* hold) const {
  const Duration step = SubqueryStep(std::get<SubqueryExpr>(expr.node));
  Instants instants;
  const uint64_t count_max = hold->room() / sizeof(Timestamp);
  for (Timestamp end : windows.ends) {
    const Timestamp last = AlignDown(end, step);
    Timestamp next = AlignDown(SaturatingSubtract(end, windows.range), step) + step;
    if (!instants.empty()) next = std::max(next, instants.back() + step);
    if (next > last) continue;
    const auto more = static_cast<uint64_t>((last - next) / step) + 1;
    if (more > count_max) {
      return ErrorAt(expr.place, "E081", "this sub-query asks for more instants than the query's memory limit allows",
                     "take a longer step or a shorter range");
    }
    RETURN_IF_ERROR(hold->Add(more * sizeof(Timestamp)));
    // Windows that overlap add a few instants each.
    if (more > 1024) instants.reserve(instants.size() + more);
    for (; next <= last; next += step) instants.push_back(next);
  }
  return instants;
}

absl::StatusOr<std::unique_ptr<SeriesScan>> Evaluation::OpenSeries(const VectorSelector& selector,
                                                                   TimeRange range) const {
  SeriesSpec spec;
  spec.matchers.reserve(selector.matchers.size());
  for (const LabelMatcher& matcher : selector.matchers) {
    spec.matchers.push_back(matcher.matcher);
    if (matcher.param.empty()) continue;
    const auto* params = context_.params;
    const auto it = params == nullptr ? std::map<std::string, Value>::const_iterator() : params->find(matcher.param);
    if (params == nullptr || it == params->end() || !std::holds_alternative<std::string>(it->second)) {
      return ErrorAt(matcher.place, "E065", "parameter $" + matcher.param + " must be given as a string");
    }
    spec.matchers.back().value = std::get<std::string>(it->second);
  }
  spec.time = range;
  if (context_.snapshot == nullptr) return absl::InvalidArgumentError("there is no data to read");
  return context_.snapshot->OpenSeriesScan(spec);
}

absl::Status Evaluation::ScanSeries(const VectorSelector& selector, TimeRange range,
                                    absl::FunctionRef<absl::Status(SeriesData&&)> sink) {
  ASSIGN_OR_RETURN(std::unique_ptr<SeriesScan> scan, OpenSeries(selector, range));
  MemoryHold hold = Hold();
  SeriesData data;
  while (true) {
    RETURN_IF_ERROR(CheckAlive());
    ASSIGN_OR_RETURN(const bool more, scan->Next(&data));
    if (!more) break;
    RETURN_IF_ERROR(hold.Set(BytesOf(data)));
    RETURN_IF_ERROR(sink(std::move(data)));
  }
  stats_.Add(scan->stats());
  return absl::OkStatus();
}

absl::Status Evaluation::WorkOnSeries(std::unique_ptr<SeriesScan> scan, MakeSeriesWork make, SeriesSink sink) {
  SeriesPool pool(std::move(scan), context_.threads, Hold(), make);
  RETURN_IF_ERROR(pool.Each(sink, &annotations_));
  stats_.Add(pool.stats());
  return absl::OkStatus();
}

absl::Status Evaluation::EachSelected(const Selector& selector, const Instants& times, bool sample_times,
                                      SeriesSink sink) {
  const std::vector<Timestamp> lookups = LookupTimes(selector.time, times);
  const TimeRange range{SaturatingSubtract(lookups.front(), context_.lookback - 1), lookups.back()};
  const auto work = [&](SeriesData&& data, const std::vector<SampleFold>&, std::vector<EvalSeries>* out) {
    RETURN_IF_ERROR(CheckAlive());
    EvalSeries series(std::move(data.labels), false, times.size());
    std::vector<ResetHint> hints;
    if (!data.histograms.empty()) {
      // Hints follow from the histograms alone; `hints` is parallel to all samples.
      std::vector<HistogramPtr> histograms;
      for (size_t i = 0; i < data.times.size(); ++i) {
        if (data.histograms[i] != nullptr && !IsStaleNan(data.values[i])) histograms.push_back(data.histograms[i]);
      }
      const std::vector<ResetHint> found = ReadHints(histograms);
      hints.resize(data.times.size(), ResetHint::kUnknown);
      for (size_t i = 0, h = 0; i < data.times.size(); ++i) {
        if (data.histograms[i] != nullptr && !IsStaleNan(data.values[i])) hints[i] = found[h++];
      }
    }
    bool any = false;
    size_t next = 0;  // first sample after the instant
    for (size_t step = 0; step < times.size(); ++step) {
      const Timestamp at = lookups[step];
      while (next < data.times.size() && data.times[next] <= at) ++next;
      if (next == 0) continue;
      const size_t i = next - 1;
      if (data.times[i] <= SaturatingSubtract(at, context_.lookback) || IsStaleNan(data.values[i])) continue;
      any = true;
      if (sample_times) {
        series.SetFloat(step, Seconds(data.times[i]));
      } else if (hints.empty() || data.histograms[i] == nullptr) {
        series.present[step] = 1;
        series.values[step] = data.values[i];
      } else {
        if (HintOf(*data.histograms[i]) != hints[i]) {
          auto hinted = std::make_shared<Histogram>(*data.histograms[i]);
          SetHint(hinted.get(), hints[i]);
          data.histograms[i] = std::move(hinted);
        }
        series.SetHistogram(step, data.histograms[i]);
      }
    }
    if (any) out->push_back(std::move(series));
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(std::unique_ptr<SeriesScan> scan, OpenSeries(selector.selector, range));
  return WorkOnSeries(
      std::move(scan), [&work](Annotations*) -> SeriesWork { return work; }, sink);
}

TimeRange Evaluation::SampleRange(const WindowEnds& windows) const {
  TimeRange range{SaturatingSubtract(windows.ends.front(), windows.range - 1), windows.ends.back()};
  if (windows.edge != WindowEdge::kPlain) range.start = SaturatingSubtract(range.start, context_.lookback);
  if (windows.edge == WindowEdge::kSmoothed) range.end = SaturatingSubtract(range.end, -context_.lookback);
  return range;
}

absl::Status Evaluation::EachSamples(const Expr& expr, const WindowEnds& windows, SampleSink sink) {
  const Expr& range_vector = WithoutParens(expr);
  if (const auto* selector = std::get_if<Selector>(&range_vector.node)) {
    return ScanSeries(selector->selector, SampleRange(windows), [&](SeriesData&& data) {
      SampleSeries series = ToSampleSeries(std::move(data));
      return series.empty() ? absl::OkStatus() : sink(std::move(series));
    });
  }
  MemoryHold hold = Hold();
  ASSIGN_OR_RETURN(const Instants instants, SubqueryInstants(range_vector, windows, &hold));
  if (instants.empty()) return absl::OkStatus();
  const auto& subquery = std::get<SubqueryExpr>(range_vector.node);
  if (TypeOf(*subquery.inner) == ExprType::kScalar) {
    ASSIGN_OR_RETURN(std::vector<double> values, Scalar(*subquery.inner, instants));
    SampleSeries series;
    series.float_times = instants;
    series.floats = std::move(values);
    return sink(std::move(series));
  }
  // Series that only the operators inside tell apart by instants may come in pieces.
  SeriesMerger merger;
  RETURN_IF_ERROR(Each(*subquery.inner, instants, [&](EvalSeries&& series) {
    RETURN_IF_ERROR(hold.Add(series.MemoryBytes()));
    return merger.Add(std::move(series));
  }));
  for (EvalSeries& series : merger.Take()) {
    RETURN_IF_ERROR(CheckAlive());
    SampleSeries samples = ToSamples(std::move(series), instants);
    if (!samples.empty()) RETURN_IF_ERROR(sink(std::move(samples)));
  }
  return absl::OkStatus();
}

absl::StatusOr<VectorResult> Evaluation::RunMatrix(const Expr& expr, const Instants& times) {
  if (times.size() != 1) {
    return ErrorOn(expr, "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector");
  }
  VectorResult result;
  result.type = VectorType::kMatrix;
  const WindowEnds windows = EndsOf(expr, times);
  MemoryHold hold = Hold();
  RETURN_IF_ERROR(EachSamples(expr, windows, [&](SampleSeries&& samples) {
    RETURN_IF_ERROR(hold.Add(samples.MemoryBytes()));
    WindowSlider slider(&samples, windows.range, windows.edge, context_.lookback);
    const Window& w = slider.MoveTo(windows.ends[0], times[0]);
    if (windows.edge != WindowEdge::kPlain) {
      const std::string word = windows.edge == WindowEdge::kAnchored ? "anchored" : "smoothed";
      if (w.histograms() > 0) return ErrorOn(expr, word + " modifier is not supported with histograms");
      SeriesData cut = CutToEdges(w);
      cut.labels = samples.labels;
      if (!cut.times.empty()) result.matrix.push_back(std::move(cut));
      return absl::OkStatus();
    }
    SeriesData series;
    series.labels = samples.labels;
    if (samples.drop_name) RemoveMetricName(&series.labels);
    size_t f = w.float_begin, h = w.histogram_begin;
    while (f < w.float_end || h < w.histogram_end) {
      if (h == w.histogram_end || (f < w.float_end && samples.float_times[f] <= samples.histogram_times[h])) {
        series.times.push_back(samples.float_times[f]);
        series.values.push_back(samples.floats[f++]);
        if (w.histograms() > 0) series.histograms.push_back(nullptr);
      } else {
        auto histogram = std::make_shared<Histogram>(*samples.histograms[h]);
        SetHint(histogram.get(), samples.hints[h]);
        series.times.push_back(samples.histogram_times[h++]);
        series.values.push_back(histogram->sum);
        series.histograms.push_back(std::move(histogram));
      }
    }
    if (!series.times.empty()) result.matrix.push_back(std::move(series));
    return absl::OkStatus();
  }));
  std::sort(result.matrix.begin(), result.matrix.end(),
            [](const SeriesData& a, const SeriesData& b) { return a.labels < b.labels; });
  for (size_t i = 1; i < result.matrix.size(); ++i) {
    if (result.matrix[i].labels == result.matrix[i - 1].labels) {
      return ErrorOn(expr, "vector cannot contain metrics with the same labelset");
    }
  }
  if (result.matrix.size() > context_.limits.series_max) {
    return ErrorAt(expr.place, "E085",
                   "the result has more series than series_max = " + std::to_string(context_.limits.series_max),
                   "select fewer or raise the limit");
  }
  result.memory = std::make_shared<MemoryHold>(std::move(hold));
  return result;
}

}  // namespace braid::promql
