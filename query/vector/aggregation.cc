#include "query/vector/aggregation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "query/vector/kahan_sum.h"
#include "query/vector/special_values.h"

namespace braid::promql {
namespace {

using Operation = Annotations::HistogramOperation;

std::string_view NameOf(FoldOp op) {
  switch (op) {
    case FoldOp::kSum: return "sum";
    case FoldOp::kAvg: return "avg";
    case FoldOp::kMin: return "min";
    case FoldOp::kMax: return "max";
    case FoldOp::kCount: return "count";
    case FoldOp::kGroup: return "group";
    case FoldOp::kStddev: return "stddev";
    case FoldOp::kStdvar: return "stdvar";
  }
  return "";
}

}  // namespace

bool ParseFoldOp(std::string_view name, FoldOp* op) {
  for (FoldOp candidate : {FoldOp::kSum, FoldOp::kAvg, FoldOp::kMin, FoldOp::kMax, FoldOp::kCount, FoldOp::kGroup,
                           FoldOp::kStddev, FoldOp::kStdvar}) {
    if (NameOf(candidate) == name) {
      *op = candidate;
      return true;
    }
  }
  return false;
}

GroupFold::GroupFold(FoldOp op, size_t steps) : op_(op), count_(steps), value_(steps) {
  const bool needs_error = op == FoldOp::kSum || op == FoldOp::kAvg || op == FoldOp::kStddev || op == FoldOp::kStdvar;
  if (needs_error) error_.resize(steps);
}

void GroupFold::Add(const EvalSeries& series, Annotations* annotations, const Place& place) {
  drop_name_ = drop_name_ || series.drop_name;
  switch (op_) {
    case FoldOp::kSum:
    case FoldOp::kAvg:
      if (op_ == FoldOp::kSum) {
        AddSums(series);
      } else {
        AddAverages(series);
      }
      for (size_t i = 0; i < series.histograms.size(); ++i) {
        if (series.IsHistogram(i)) AddHistogram(series, i, annotations, place);
      }
      return;
    case FoldOp::kCount:
    case FoldOp::kGroup:
      for (size_t i = 0; i < count_.size(); ++i) count_[i] += series.present[i];
      return;
    case FoldOp::kMin:
    case FoldOp::kMax: return AddExtremes(series, annotations, place);
    case FoldOp::kStddev:
    case FoldOp::kStdvar: return AddVariances(series, annotations, place);
  }
}

void GroupFold::AddSums(const EvalSeries& series) {
  const bool mixed = !series.histograms.empty();
  const size_t steps = count_.size();
  const uint8_t* present = series.present.data();
  const double* values = series.values.data();
  for (size_t i = 0; i < steps; ++i) {
    if (present[i] == 0 || (mixed && series.histograms[i] != nullptr)) continue;
    if (count_[i]++ == 0) {
      value_[i] = values[i];
    } else {
      KahanAdd(values[i], &value_[i], &error_[i]);
    }
  }
}

void GroupFold::AddAverages(const EvalSeries& series) {
  const bool mixed = !series.histograms.empty();
  for (size_t i = 0; i < count_.size(); ++i) {
    if (series.present[i] == 0 || (mixed && series.histograms[i] != nullptr)) continue;
    const double value = series.values[i];
    if (count_[i]++ == 0) {
      value_[i] = value;
      continue;
    }
    const double count = count_[i];
    if (incremental_.empty() || incremental_[i] == 0) {
      double sum = value_[i], error = error_[i];
      KahanAdd(value, &sum, &error);
      if (!std::isinf(sum)) {
        value_[i] = sum;
        error_[i] = error;
        continue;
      }
      // The sum would overflow: carry the mean on instead.
      incremental_.resize(count_.size());
      incremental_[i] = 1;
      value_[i] /= count - 1;
      error_[i] /= count - 1;
    }
    const double share = (count - 1) / count;
    value_[i] *= share;
    error_[i] *= share;
    KahanAdd(value / count, &value_[i], &error_[i]);
  }
}

void GroupFold::AddExtremes(const EvalSeries& series, Annotations* annotations, const Place& place) {
  const bool max = op_ == FoldOp::kMax;
  for (size_t i = 0; i < count_.size(); ++i) {
    if (series.present[i] == 0) continue;
    if (series.IsHistogram(i)) {
      annotations->HistogramIgnoredInAggregation(NameOf(op_), place);
      continue;
    }
    const double value = series.values[i];
    const bool better = max ? value_[i] < value : value_[i] > value;
    if (count_[i]++ == 0 || better || std::isnan(value_[i])) value_[i] = value;
  }
}

void GroupFold::AddVariances(const EvalSeries& series, Annotations* annotations, const Place& place) {
  for (size_t i = 0; i < count_.size(); ++i) {
    if (series.present[i] == 0) continue;
    if (series.IsHistogram(i)) {
      annotations->HistogramIgnoredInAggregation(NameOf(op_), place);
      continue;
    }
    const double value = series.values[i];
    double& mean = error_[i];
    if (count_[i]++ == 0) {
      mean = value;
      value_[i] = std::isfinite(value) ? 0 : kNan;
      continue;
    }
    const double delta = value - mean;
    mean += delta / count_[i];
    value_[i] += delta * (value - mean);
  }
}

uint64_t GroupFold::HistogramBytes() const {
  uint64_t bytes = histograms_.size() * sizeof(HistogramState);
  for (const HistogramState& state : histograms_) bytes += state.sum == nullptr ? 0 : state.sum->MemoryBytes();
  return bytes;
}

void GroupFold::AddHistogram(const EvalSeries& series, size_t step, Annotations* annotations, const Place& place) {
  if (histograms_.empty()) histograms_.resize(count_.size());
  HistogramState& state = histograms_[step];
  const Histogram& histogram = *series.histograms[step];
  const ResetHint hint = HintOf(histogram);
  state.has_histogram = true;
  ++state.count;
  if (state.incompatible) return;
  state.reset_seen = state.reset_seen || hint == ResetHint::kReset;
  state.no_reset_seen = state.no_reset_seen || hint == ResetHint::kNotReset;
  if (state.sum == nullptr) {
    state.sum = std::make_unique<HistogramSum>(histogram);
    return;
  }
  HistogramOutcome outcome;
  if (op_ == FoldOp::kSum) {
    outcome = state.sum->Add(histogram);
  } else {
    if (!state.incremental) {
      HistogramSum next = *state.sum;
      outcome = next.Add(histogram);
      if (!outcome.compatible || !next.HasOverflow()) {
        if (outcome.compatible) *state.sum = std::move(next);
      } else {
        state.incremental = true;
        state.sum->Divide(state.count - 1);
      }
    }
    if (state.incremental) {
      Histogram share = histogram;
      DivideHistogram(&share, state.count);
      state.sum->Multiply((state.count - 1) / state.count);
      outcome = state.sum->Add(share);
    }
  }
  if (!outcome.compatible) {
    annotations->MixedExponentialCustomHistograms(FindLabel(series.labels, kMetricNameLabel), place);
    state.incompatible = true;
  }
  if (outcome.bounds_reconciled) annotations->MismatchedCustomBuckets(Operation::kAggregation, place);
}

HistogramPtr GroupFold::FinishHistogram(HistogramState* state, Annotations* annotations, const Place& place) {
  if (state->incompatible) return nullptr;
  if (op_ == FoldOp::kAvg && !state->incremental) state->sum->Divide(state->count);
  auto total = std::make_shared<Histogram>(state->sum->Total());
  CompactHistogram(total.get());
  if (state->reset_seen && state->no_reset_seen) annotations->CounterResetCollision(Operation::kAggregation, place);
  return total;
}

EvalSeries GroupFold::Finish(Annotations* annotations, const Place& place) {
  EvalSeries series({}, drop_name_, 0);
  const size_t steps = count_.size();
  series.present.resize(steps);
  for (size_t i = 0; i < steps; ++i) {
    const double count = count_[i];
    if (count == 0) continue;
    series.present[i] = 1;
    switch (op_) {
      case FoldOp::kSum: value_[i] += error_[i]; break;
      case FoldOp::kAvg:
        if (!incremental_.empty() && incremental_[i] != 0) {
          value_[i] += error_[i];
        } else {
          value_[i] = value_[i] / count + error_[i] / count;
        }
        break;
      case FoldOp::kCount: value_[i] = count; break;
      case FoldOp::kGroup: value_[i] = 1; break;
      case FoldOp::kStdvar: value_[i] /= count; break;
      case FoldOp::kStddev: value_[i] = std::sqrt(value_[i] / count); break;
      case FoldOp::kMin:
      case FoldOp::kMax: break;
    }
  }
  series.values = std::move(value_);
  for (size_t i = 0; i < histograms_.size(); ++i) {
    HistogramState& state = histograms_[i];
    if (!state.has_histogram) continue;
    if (count_[i] > 0) {
      annotations->MixedFloatsHistogramsInAggregation(place);
      series.Clear(i);
    } else if (HistogramPtr total = FinishHistogram(&state, annotations, place); total != nullptr) {
      series.SetHistogram(i, std::move(total));
    }
  }
  return series;
}

}  // namespace braid::promql
