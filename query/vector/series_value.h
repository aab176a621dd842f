// What the evaluator computes with: series on the instants of an evaluation, and series of raw samples.
//
// Threads: values. Nothing here is seen outside query/vector.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "braid/snapshot.h"
#include "braid/types.h"

namespace braid::promql {

using HistogramPtr = std::shared_ptr<const Histogram>;
// Ascending, without repeats.
using Instants = std::vector<Timestamp>;

// What they take in memory: labels with the text by which mergers and groupings know them; of histograms each once
// where neighbours are the same.
uint64_t BytesOf(const Labels& labels);
uint64_t BytesOf(const std::vector<HistogramPtr>& histograms);
inline uint64_t BytesOf(const SeriesData& series) {
  return BytesOf(series.labels) + series.times.size() * 16 + BytesOf(series.histograms);
}

// One series on the instants of an evaluation. A present point is a float, or a histogram if `histograms` has an entry
// for it; `histograms` stays empty as long as all points are floats.
struct EvalSeries {
  Labels labels;
  bool drop_name = false;  // the metric name goes at the very end: label_replace may still look at it
  std::vector<uint8_t> present;
  std::vector<double> values;
  std::vector<HistogramPtr> histograms;

  EvalSeries() = default;
  EvalSeries(Labels series_labels, bool drop, size_t steps)
      : labels(std::move(series_labels)), drop_name(drop), present(steps), values(steps) {}

  bool IsHistogram(size_t step) const { return !histograms.empty() && histograms[step] != nullptr; }
  void SetFloat(size_t step, double value) {
    present[step] = 1;
    values[step] = value;
    if (!histograms.empty()) histograms[step] = nullptr;
  }
  void SetHistogram(size_t step, HistogramPtr histogram) {
    if (histograms.empty()) histograms.resize(present.size());
    present[step] = 1;
    values[step] = 0;
    histograms[step] = std::move(histogram);
  }
  void Clear(size_t step) {
    present[step] = 0;
    values[step] = 0;
    if (!histograms.empty()) histograms[step] = nullptr;
  }
  bool AnyPresent() const {
    for (uint8_t p : present) {
      if (p != 0) return true;
    }
    return false;
  }
  uint64_t MemoryBytes() const { return sizeof(*this) + BytesOf(labels) + present.size() * 9 + BytesOf(histograms); }
};

// Receives series one after the other; a status that is not OK ends the evaluation.
using SeriesSink = absl::FunctionRef<absl::Status(EvalSeries&&)>;

// How a histogram sample relates to the one before it.
enum class ResetHint : uint8_t { kUnknown, kReset, kNotReset, kGauge };

// The samples of one series without stale markers, floats and histograms apart, each ascending in time.
struct SampleSeries {
  Labels labels;
  bool drop_name = false;
  std::vector<Timestamp> float_times;
  std::vector<double> floats;
  std::vector<Timestamp> histogram_times;
  std::vector<HistogramPtr> histograms;
  std::vector<ResetHint> hints;  // of histograms; may say more than the stored hint, see ReadHints

  bool empty() const { return float_times.empty() && histogram_times.empty(); }
  uint64_t MemoryBytes() const {
    return sizeof(*this) + BytesOf(labels) + float_times.size() * 16 + histogram_times.size() * 9 + BytesOf(histograms);
  }
};

using SampleSink = absl::FunctionRef<absl::Status(SampleSeries&&)>;

}  // namespace braid::promql
