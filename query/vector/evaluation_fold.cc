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
    size_t next = 0, next_fold = 0;
    for (size_t step = 0; step < ranges.size(); ++step) {
      WindowValue value;
      double first = 0;  // for a window of nothing but NaN
      bool histograms = false;
      while (next < data.times.size() && data.times[next] < ranges[step].start) ++next;
      while (true) {
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
