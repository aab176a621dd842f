// Functions of histograms: of native ones alone, and quantiles and fractions of native and classic ones.
#include <algorithm>
#include <cmath>

#include "engine/memory/hash_map.h"
#include "query/syntax/status_macros.h"
#include "query/vector/evaluation.h"
#include "query/vector/histogram_math.h"
#include "query/vector/histogram_quantile.h"
#include "query/vector/label_set.h"
#include "query/vector/number_text.h"

namespace braid::promql {
namespace {

constexpr std::string_view kBucketLabel = "le";

// The bucket series of one classic histogram, ascending by bound.
struct ClassicHistogram {
  Labels labels;                                   // without le
  std::vector<std::pair<double, size_t>> buckets;  // bound, index of the series
};

}  // namespace

absl::Status Evaluation::EachHistogramValue(const CallExpr& call, const Instants& times, SeriesSink sink) {
  const std::string& name = call.function;
  double (*function)(const Histogram&) = nullptr;
  if (name == "histogram_count") function = [](const Histogram& h) { return h.count; };
  if (name == "histogram_sum") function = [](const Histogram& h) { return h.sum; };
  if (name == "histogram_avg") function = [](const Histogram& h) { return h.sum / h.count; };
  if (name == "histogram_stdvar") function = [](const Histogram& h) { return NativeVariance(h); };
  if (name == "histogram_stddev") function = [](const Histogram& h) { return std::sqrt(NativeVariance(h)); };
  if (function == nullptr) return absl::InvalidArgumentError("unknown function with name " + QuotedText(name));
  return Each(*call.args[0].expr, times, [&](EvalSeries&& series) {
    for (size_t i = 0; i < times.size(); ++i) {
      if (series.present[i] == 0) continue;
      if (series.IsHistogram(i)) {
        series.values[i] = function(*series.histograms[i]);
      } else {
        series.Clear(i);
      }
    }
    series.histograms.clear();
    series.drop_name = true;
    return series.AnyPresent() ? sink(std::move(series)) : absl::OkStatus();
  });
}

absl::Status Evaluation::EachHistogramQuantile(const Expr& expr, const CallExpr& call, const Instants& times,
                                               SeriesSink sink) {
  const bool fraction = call.function == "histogram_fraction";
  const bool several = call.function == "histogram_quantiles";
  const Expr& vector = *call.args[fraction ? 2 : several ? 0 : 1].expr;
  const Place& place = WithoutParens(vector).place;

  // Scalar arguments: the quantiles, or the two ends of the fraction.
  std::vector<std::vector<double>> scalars;
  std::string quantile_label;
  if (several) {
    ASSIGN_OR_RETURN(quantile_label, Text(*call.args[1].expr));
  }
  for (size_t a = several ? 2 : 0; a < (fraction ? 2 : several ? call.args.size() : 1); ++a) {
    ASSIGN_OR_RETURN(std::vector<double> values, Scalar(*call.args[a].expr, times));
    for (double q : values) {
      if (!fraction && !(q >= 0 && q <= 1)) annotations_.InvalidQuantile(q, WithoutParens(*call.args[a].expr).place);
    }
    scalars.push_back(std::move(values));
  }
  ASSIGN_OR_RETURN(Collected collected, Collect(vector, times));
  std::vector<EvalSeries>& all = collected.series;

  // Which series are buckets of which histogram.
  std::vector<ClassicHistogram> classics;
  HashMap<std::string, size_t> classic_index;
  for (size_t s = 0; s < all.size(); ++s) {
    bool any_float = false;
    for (size_t i = 0; i < times.size() && !any_float; ++i) {
      any_float = all[s].present[i] != 0 && !all[s].IsHistogram(i);
    }
    if (!any_float) continue;
    const std::string_view text = FindLabel(all[s].labels, kBucketLabel);
    const std::optional<double> bound = ParseFloatText(text);
    if (!bound) {
      annotations_.BadBucketLabel(FindLabel(all[s].labels, kMetricNameLabel), text, place);
      continue;
    }
    const auto [it, added] =
        classic_index.try_emplace(SignatureExcluding(all[s].labels, {std::string(kBucketLabel)}), classics.size());
    if (added) {
      classics.emplace_back();
      classics.back().labels = all[s].labels;
      RemoveLabel(&classics.back().labels, kBucketLabel);
    }
    classics[it->second].buckets.emplace_back(*bound, s);
  }
  for (ClassicHistogram& classic : classics) {
    std::stable_sort(classic.buckets.begin(), classic.buckets.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }

  // A native histogram beside buckets of the same name and labels: neither is taken.
  std::vector<std::vector<uint8_t>> conflicts(classics.size());
  for (EvalSeries& series : all) {
    if (series.histograms.empty()) continue;
    const auto it = classic_index.find(SignatureOfAll(series.labels));
    if (it == classic_index.end()) continue;
    for (size_t i = 0; i < times.size(); ++i) {
      if (!series.IsHistogram(i)) continue;
      bool any_bucket = false;
      for (const auto& [bound, s] : classics[it->second].buckets) {
        any_bucket = any_bucket || (all[s].present[i] != 0 && !all[s].IsHistogram(i));
      }
      if (!any_bucket) continue;
      annotations_.MixedClassicNativeHistograms(FindLabel(series.labels, kMetricNameLabel), place);
      conflicts[it->second].resize(times.size());
      conflicts[it->second][i] = 1;
      series.Clear(i);
    }
  }

  SeriesMerger merger;
  const auto emit = [&](EvalSeries&& series, size_t q) -> absl::Status {
    if (!series.AnyPresent()) return absl::OkStatus();
    RETURN_IF_ERROR(collected.hold.Add(series.MemoryBytes()));
    if (!several) {
      if (absl::Status status = merger.Add(std::move(series)); !status.ok()) {
        return ErrorOn(expr, std::string(status.message()));
      }
      return absl::OkStatus();
    }
    // The label follows the quantile, which may change with the instant.
    std::vector<std::pair<std::string, EvalSeries>> by_label;
    for (size_t i = 0; i < times.size(); ++i) {
      if (series.present[i] == 0) continue;
      const std::string text = OpenMetricsText(scalars[q][i]);
      auto found = std::find_if(by_label.begin(), by_label.end(), [&](const auto& e) { return e.first == text; });
      if (found == by_label.end()) {
        EvalSeries labelled(series.labels, true, times.size());
        SetLabel(&labelled.labels, quantile_label, text);
        RETURN_IF_ERROR(collected.hold.Add(labelled.MemoryBytes()));
        found = by_label.insert(by_label.end(), {text, std::move(labelled)});
      }
      found->second.SetFloat(i, series.values[i]);
    }
    for (auto& [text, labelled] : by_label) {
      if (absl::Status status = merger.Add(std::move(labelled)); !status.ok()) {
        return ErrorOn(expr, std::string(status.message()));
      }
    }
    return absl::OkStatus();
  };

  std::vector<ClassicBucket> buckets;
  for (size_t q = 0; q < (fraction ? 1 : scalars.size()); ++q) {
    for (const EvalSeries& from : all) {
      if (from.histograms.empty()) continue;
      RETURN_IF_ERROR(CheckAlive());
      EvalSeries series(from.labels, true, times.size());
      const std::string_view metric = FindLabel(from.labels, kMetricNameLabel);
      for (size_t i = 0; i < times.size(); ++i) {
        if (!from.IsHistogram(i)) continue;
        NanEffect effect;
        const Histogram& histogram = *from.histograms[i];
        series.SetFloat(i, fraction ? NativeFraction(scalars[0][i], scalars[1][i], histogram, &effect)
                                    : NativeQuantile(scalars[q][i], histogram, &effect));
        if (effect == NanEffect::kResultIsNan) annotations_.QuantileOfNan(metric, place);
        if (effect == NanEffect::kResultIsSkewed) annotations_.QuantileSkewedByNan(metric, place);
        if (effect == NanEffect::kExcluded) annotations_.FractionWithoutNan(metric, place);
      }
      RETURN_IF_ERROR(emit(std::move(series), q));
    }
    for (size_t c = 0; c < classics.size(); ++c) {
      RETURN_IF_ERROR(CheckAlive());
      const ClassicHistogram& classic = classics[c];
      EvalSeries series(classic.labels, true, times.size());
      for (size_t i = 0; i < times.size(); ++i) {
        if (!conflicts[c].empty() && conflicts[c][i] != 0) continue;
        buckets.clear();
        for (const auto& [bound, s] : classic.buckets) {
          if (all[s].present[i] != 0 && !all[s].IsHistogram(i)) buckets.push_back({bound, all[s].values[i]});
        }
        if (buckets.empty()) continue;
        if (fraction) {
          series.SetFloat(i, ClassicFraction(scalars[0][i], scalars[1][i], &buckets));
          continue;
        }
        MonotonicityFix fix;
        series.SetFloat(i, ClassicQuantile(scalars[q][i], &buckets, &fix));
        if (fix.forced) {
          annotations_.ForcedMonotonicity(FindLabel(classic.labels, kMetricNameLabel), times[i], fix.min_bucket,
                                          fix.max_bucket, fix.max_diff, place);
        }
      }
      RETURN_IF_ERROR(emit(std::move(series), q));
    }
  }
  for (EvalSeries& series : merger.Take()) RETURN_IF_ERROR(sink(std::move(series)));
  return absl::OkStatus();
}

}  // namespace braid::promql
