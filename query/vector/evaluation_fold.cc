// count_over_time, min_over_time, max_over_time of windows that share no sample: whole runs of samples are answered by
// what their part knows of them, without decoding.
#include <algorithm>
#include <cmath>

#include "braid/series_fold.h"
#include "query/syntax/status_macros.h"
#include "query/vector/evaluation.h"
#include "query/vector/range_window.h"
#include "query/vector/series_pool.h"

namespace braid::promql {
namespace {

enum class Fold { kCount, kMin, kMax };

bool ParseFold(const std::string& name, Fold* fold) {
  if (name == "count_over_time") return *fold = Fold::kCount, true;
  if (name == "min_over_time") return *fold = Fold::kMin, true;
  if (name == "max_over_time") return *fold = Fold::kMax, true;
  return false;
}

// The value of one window, built up in order of time.
struct WindowValue {
  uint64_t count = 0;
  double extreme = std::numeric_limits<double>::quiet_NaN();  // of what is not NaN

  void Add(uint64_t samples, double value, Fold fold) {
    count += samples;
    if (std::isnan(value)) return;
    if (std::isnan(extreme) || (fold == Fold::kMax ? value > extreme : value < extreme)) extreme = value;
  }
};

// The greatest (or least) of values without NaN; of equal ones the first, which matters between 0 and -0 alone.
double ExtremeOf(const double* values, size_t count, bool max) {
  // Several at a time, for each waits for the one before it.
  constexpr size_t kLanes = 8;
  double best = values[0];
  size_t i = 0;
  if (count >= kLanes) {
    double lanes[kLanes];
    std::copy_n(values, kLanes, lanes);
    for (i = kLanes; i + kLanes <= count; i += kLanes) {
      for (size_t k = 0; k < kLanes; ++k) {
        const double value = values[i + k];
        lanes[k] = max ? (value > lanes[k] ? value : lanes[k]) : (value < lanes[k] ? value : lanes[k]);
      }
    }
    for (const double lane : lanes) best = (max ? lane > best : lane < best) ? lane : best;
  }
  for (; i < count; ++i) best = (max ? values[i] > best : values[i] < best) ? values[i] : best;
  return best != 0 ? best : *std::find(values, values + count, 0.0);
}

// Windows (end - range, end] as closed ranges of nanoseconds; empty if two of them overlap.
std::vector<TimeRange> DisjointRanges(const WindowEnds& windows) {
  std::vector<TimeRange> ranges;
  for (const Timestamp end : windows.ends) {
    const TimeRange range{SaturatingSubtract(end, windows.range - 1), end};
    if (!ranges.empty() && ranges.back().end >= range.start) return {};
    ranges.push_back(range);
  }
  return ranges;
}

}  // namespace

absl::StatusOr<bool> Evaluation::EachFolded(const CallExpr& call, const Instants& times, SeriesSink sink) {
  Fold fold;
  if (call.args.size() != 1 || !ParseFold(call.function, &fold)) return false;
  const Expr& range_vector = WithoutParens(*call.args[0].expr);
  const auto* selector = std::get_if<Selector>(&range_vector.node);
  if (selector == nullptr || !selector->range) return false;
  const WindowEnds windows = EndsOf(range_vector, times);
  const std::vector<TimeRange> ranges = DisjointRanges(windows);
  if (ranges.empty()) return false;

  ASSIGN_OR_RETURN(std::unique_ptr<SeriesScan> scan,
                   OpenSeries(selector->selector, {ranges.front().start, ranges.back().end}));
  auto* folding = dynamic_cast<FoldingSeriesScan*>(scan.get());
  if (folding == nullptr) return false;
  folding->FoldInside(ranges);
  const auto work = [&](SeriesData&& data, const std::vector<SampleFold>& folds, Annotations* annotations,
                        std::vector<EvalSeries>* out) -> absl::Status {
    RETURN_IF_ERROR(CheckAlive());
    EvalSeries series(std::move(data.labels), true, times.size());
    bool mixed = false, any = false;
    // Runs of samples are taken at once where none of them needs a look of its own.
    const bool plain = data.histograms.empty() && folds.empty() && !HasNan(data.values);
    size_t next = 0, next_fold = 0;
    for (size_t step = 0; step < ranges.size(); ++step) {
      WindowValue value;
      double first = 0;  // for a window of nothing but NaN
      bool histograms = false;
      while (next < data.times.size() && data.times[next] < ranges[step].start) ++next;
      if (plain) {
        const size_t end = FirstAfter(data.times, next, data.times.size(), ranges[step].end);
        if (end > next) {
          value.count = end - next;
          if (fold != Fold::kCount) value.extreme = ExtremeOf(&data.values[next], end - next, fold == Fold::kMax);
        }
        next = end;
      }
      while (!plain) {
        const bool sample = next < data.times.size() && data.times[next] <= ranges[step].end;
        const bool run = next_fold < folds.size() && folds[next_fold].last <= ranges[step].end;
        if (!sample && !run) break;
        if (run && (!sample || folds[next_fold].first < data.times[next])) {
          const SampleFold& at = folds[next_fold++];
          value.Add(at.count, fold == Fold::kMax ? at.max : at.min, fold);
          continue;
        }
        const size_t i = next++;
        if (IsStaleNan(data.values[i])) continue;
        if (!data.histograms.empty() && data.histograms[i] != nullptr) {
          histograms = true;
          if (fold == Fold::kCount) ++value.count;
          continue;
        }
        if (value.count == 0) first = data.values[i];
        value.Add(1, data.values[i], fold);
      }
      if (value.count == 0) continue;
      any = true;
      mixed = mixed || (histograms && fold != Fold::kCount);
      const double extreme = std::isnan(value.extreme) ? first : value.extreme;
      series.SetFloat(step, fold == Fold::kCount ? static_cast<double>(value.count) : extreme);
    }
    if (mixed) {
      annotations->HistogramIgnoredInMixedRange(FindLabel(series.labels, kMetricNameLabel), range_vector.place);
    }
    if (any) out->push_back(std::move(series));
    return absl::OkStatus();
  };
  const auto make = [&work](Annotations* annotations) -> SeriesWork {
    return [&work, annotations](SeriesData&& data, const std::vector<SampleFold>& folds, std::vector<EvalSeries>* out) {
      return work(std::move(data), folds, annotations, out);
    };
  };
  RETURN_IF_ERROR(WorkOnSeries(std::move(scan), make, sink));
  return true;
}

}  // namespace braid::promql
