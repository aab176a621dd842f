#include "query/vector/histogram_math.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "query/vector/kahan_sum.h"
#include "query/vector/number_text.h"
#include "query/vector/special_values.h"

namespace braid::promql {
namespace {

// Index on a schema that is `shift` steps coarser.
int32_t CoarserIndex(int32_t index, int32_t shift) { return ((index - 1) >> shift) + 1; }

std::vector<double> CommonBounds(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> common;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
  return common;
}

}  // namespace

ResetHint HintOf(const Histogram& histogram) {
  if (histogram.is_gauge) return ResetHint::kGauge;
  if (histogram.reset) return ResetHint::kReset;
  return histogram.reset_unknown ? ResetHint::kUnknown : ResetHint::kNotReset;
}

void SetHint(Histogram* histogram, ResetHint hint) {
  histogram->is_gauge = hint == ResetHint::kGauge;
  histogram->reset = hint == ResetHint::kReset;
  histogram->reset_unknown = hint != ResetHint::kNotReset && hint != ResetHint::kReset;
}

double ExponentialBound(int32_t schema, int32_t index) {
  // The bucket that ends at 2^1024 holds the largest finite numbers; the one after it holds infinity.
  constexpr int64_t kOverflowExponent = 1024;
  if (schema < 0) {
    const int64_t exponent = static_cast<int64_t>(index) * (int64_t{1} << std::min(-schema, 30));
    if (exponent == kOverflowExponent) return std::numeric_limits<double>::max();
    return std::ldexp(1.0, static_cast<int>(std::clamp<int64_t>(exponent, -5000, 5000)));
  }
  const int32_t per_power = int32_t{1} << std::min(schema, 30);
  const int32_t fraction = index & (per_power - 1);
  const int64_t exponent = index >> std::min(schema, 30);
  if (fraction == 0 && exponent == kOverflowExponent) return std::numeric_limits<double>::max();
  return std::ldexp(std::exp2(static_cast<double>(fraction) / per_power), static_cast<int>(exponent));
}

double BucketBound(const Histogram& histogram, int32_t index) {
  if (!HasCustomBuckets(histogram)) return ExponentialBound(histogram.schema, index);
  if (index < 0) return -kInfinity;
  if (static_cast<size_t>(index) >= histogram.custom_bounds.size()) return kInfinity;
  return histogram.custom_bounds[index];
}

void HistogramSum::Term::Add(double term) { KahanAdd(term, &value, &error); }

void HistogramSum::Term::Add(const Term& term) {
  KahanAdd(term.value, &value, &error);
  if (term.error != 0) KahanAdd(term.error, &value, &error);
}

HistogramSum::HistogramSum(const Histogram& first)
    : schema_(first.schema),
      hint_(HintOf(first)),
      zero_threshold_(first.zero_threshold),
      zero_count_{first.zero_count, 0},
      count_{first.count, 0},
      sum_{first.sum, 0},
      custom_bounds_(first.custom_bounds) {
  positive_.reserve(first.positive.size());
  negative_.reserve(first.negative.size());
  for (const Histogram::Bucket& bucket : first.positive) positive_.push_back({bucket.index, {bucket.count, 0}});
  for (const Histogram::Bucket& bucket : first.negative) negative_.push_back({bucket.index, {bucket.count, 0}});
}

// Returns true for a collision of "reset" and "no reset".
bool HistogramSum::AdjustHint(ResetHint other) {
  if (other == hint_ || hint_ == ResetHint::kGauge) return false;
  if (other == ResetHint::kGauge) {
    hint_ = ResetHint::kGauge;
    return false;
  }
  const bool collision = hint_ != ResetHint::kUnknown && other != ResetHint::kUnknown;
  hint_ = ResetHint::kUnknown;
  return collision;
}

// Makes the zero bucket reach at least to `threshold`; further if that lies inside a populated bucket.
void HistogramSum::WidenZero(double threshold) {
  if (threshold <= zero_threshold_) return;
  for (bool again = true; again;) {
    again = false;
    Term zero = zero_count_;
    for (const Cell& cell : positive_) {
      if (ExponentialBound(schema_, cell.index - 1) >= threshold) break;
      zero.Add(cell.term);
      const double upper = ExponentialBound(schema_, cell.index);
      if (upper > threshold) {
        if (cell.term.value != 0) threshold = upper;
        break;
      }
    }
    for (const Cell& cell : negative_) {
      if (ExponentialBound(schema_, cell.index - 1) >= threshold) break;
      zero.Add(cell.term);
      const double upper = ExponentialBound(schema_, cell.index);
      if (upper > threshold) {
        if (cell.term.value != 0) {
          // The positive side has to be looked at once more with the wider threshold.
          threshold = upper;
          again = true;
        }
        break;
      }
    }
    if (!again) zero_count_ = zero;
  }
  zero_threshold_ = threshold;
  TrimBelowZeroThreshold();
}

void HistogramSum::TrimBelowZeroThreshold() {
  for (Cells* cells : {&positive_, &negative_}) {
    std::erase_if(*cells,
                  [this](const Cell& cell) { return ExponentialBound(schema_, cell.index - 1) < zero_threshold_; });
  }
}

void HistogramSum::ReduceCells(int32_t shift, Cells* cells) {
  size_t kept = 0;
  for (size_t i = 0; i < cells->size(); ++i) {
    Cell cell = (*cells)[i];
    cell.index = CoarserIndex(cell.index, shift);
    if (kept > 0 && (*cells)[kept - 1].index == cell.index) {
      (*cells)[kept - 1].term.Add(cell.term);
    } else {
      (*cells)[kept++] = cell;
    }
  }
  cells->resize(kept);
}

void HistogramSum::ReduceSchema(int32_t schema) {
  if (schema >= schema_) return;
  ReduceCells(std::min(schema_ - schema, 31), &positive_);
  ReduceCells(std::min(schema_ - schema, 31), &negative_);
  schema_ = schema;
}

void HistogramSum::AddCells(const Cells& from, double sign, Cells* to) const {
  const bool exponential = schema_ != kCustomBucketSchema;
  Cells merged;
  merged.reserve(to->size() + from.size());
  size_t a = 0;
  bool below_threshold = exponential && zero_threshold_ > 0;
  for (const Cell& cell : from) {
    if (below_threshold && ExponentialBound(schema_, cell.index) <= zero_threshold_) continue;
    below_threshold = false;
    while (a < to->size() && (*to)[a].index < cell.index) merged.push_back((*to)[a++]);
    const Term term{sign * cell.term.value, sign * cell.term.error};
    if (a < to->size() && (*to)[a].index == cell.index) {
      merged.push_back((*to)[a++]);
      merged.back().term.Add(term);
    } else {
      merged.push_back({cell.index, term});
    }
  }
  merged.insert(merged.end(), to->begin() + static_cast<std::ptrdiff_t>(a), to->end());
  *to = std::move(merged);
}

// Maps both sides to the bounds that they have in common.
void HistogramSum::AddMismatched(const HistogramSum& other, double sign) {
  const std::vector<double> common = CommonBounds(custom_bounds_, other.custom_bounds_);
  std::vector<Term> target(common.size() + 1);
  const auto map = [&](const HistogramSum& from, double factor) {
    for (const Cell& cell : from.positive_) {
      size_t index = common.size();
      if (cell.index >= 0 && static_cast<size_t>(cell.index) < from.custom_bounds_.size()) {
        const double bound = from.custom_bounds_[cell.index];
        index = std::lower_bound(common.begin(), common.end(), bound) - common.begin();
      }
      target[index].Add(Term{factor * cell.term.value, factor * cell.term.error});
    }
  };
  map(*this, 1);
  map(other, sign);
  positive_.clear();
  for (size_t i = 0; i < target.size(); ++i) {
    if (target[i].value != 0 || target[i].error != 0) positive_.push_back({static_cast<int32_t>(i), target[i]});
  }
  custom_bounds_ = common;
}

HistogramOutcome HistogramSum::Combine(const Histogram& histogram, double sign) {
  HistogramOutcome outcome;
  if ((schema_ == kCustomBucketSchema) != HasCustomBuckets(histogram)) {
    outcome.compatible = false;
    return outcome;
  }
  HistogramSum other(histogram);
  outcome.reset_collision = AdjustHint(other.hint_);
  const auto add_term = [sign](const Term& term, Term* to) { to->Add(Term{sign * term.value, sign * term.error}); };
  if (schema_ == kCustomBucketSchema) {
    add_term(other.count_, &count_);
    add_term(other.sum_, &sum_);
    if (custom_bounds_ == other.custom_bounds_) {
      AddCells(other.positive_, sign, &positive_);
    } else {
      outcome.bounds_reconciled = true;
      AddMismatched(other, sign);
    }
    return outcome;
  }
  while (zero_threshold_ != other.zero_threshold_) {
    if (std::isnan(zero_threshold_) || std::isnan(other.zero_threshold_)) break;
    other.WidenZero(zero_threshold_);
    WidenZero(other.zero_threshold_);
  }
  add_term(other.zero_count_, &zero_count_);
  add_term(other.count_, &count_);
  add_term(other.sum_, &sum_);
  const int32_t schema = std::min(schema_, other.schema_);
  ReduceSchema(schema);
  other.ReduceSchema(schema);
  AddCells(other.positive_, sign, &positive_);
  AddCells(other.negative_, sign, &negative_);
  return outcome;
}

void HistogramSum::Multiply(double factor) {
  const auto scale = [factor](Term* term) {
    term->value *= factor;
    term->error *= factor;
  };
  scale(&zero_count_);
  scale(&count_);
  scale(&sum_);
  for (Cell& cell : positive_) scale(&cell.term);
  for (Cell& cell : negative_) scale(&cell.term);
  if (factor < 0) hint_ = ResetHint::kGauge;
}

void HistogramSum::Divide(double divisor) {
  const auto scale = [divisor](Term* term) {
    term->value /= divisor;
    term->error /= divisor;
  };
  scale(&zero_count_);
  scale(&count_);
  scale(&sum_);
  if (divisor == 0) {
    positive_.clear();
    negative_.clear();
    return;
  }
  for (Cell& cell : positive_) scale(&cell.term);
  for (Cell& cell : negative_) scale(&cell.term);
  if (divisor < 0) hint_ = ResetHint::kGauge;
}

bool HistogramSum::HasOverflow() const {
  if (std::isinf(zero_count_.value) || std::isinf(count_.value) || std::isinf(sum_.value)) return true;
  const auto infinite = [](const Cell& cell) { return std::isinf(cell.term.value); };
  return std::any_of(positive_.begin(), positive_.end(), infinite) ||
         std::any_of(negative_.begin(), negative_.end(), infinite) ||
         std::any_of(custom_bounds_.begin(), custom_bounds_.end(), [](double bound) { return std::isinf(bound); });
}

Histogram HistogramSum::Build(bool with_errors) const {
  const auto value = [with_errors](const Term& term) { return with_errors ? term.value + term.error : term.value; };
  Histogram histogram;
  histogram.schema = schema_;
  histogram.zero_threshold = zero_threshold_;
  histogram.zero_count = value(zero_count_);
  histogram.count = value(count_);
  histogram.sum = value(sum_);
  histogram.custom_bounds = custom_bounds_;
  histogram.positive.reserve(positive_.size());
  histogram.negative.reserve(negative_.size());
  for (const Cell& cell : positive_) histogram.positive.push_back({cell.index, value(cell.term)});
  for (const Cell& cell : negative_) histogram.negative.push_back({cell.index, value(cell.term)});
  SetHint(&histogram, hint_);
  return histogram;
}

HistogramOutcome AddHistogram(Histogram* sum, const Histogram& other) {
  HistogramSum terms(*sum);
  const HistogramOutcome outcome = terms.Add(other);
  if (outcome.compatible) *sum = terms.Value();
  return outcome;
}

HistogramOutcome SubtractHistogram(Histogram* difference, const Histogram& other) {
  HistogramSum terms(*difference);
  const HistogramOutcome outcome = terms.Subtract(other);
  if (outcome.compatible) *difference = terms.Value();
  return outcome;
}

void MultiplyHistogram(Histogram* histogram, double factor) {
  histogram->zero_count *= factor;
  histogram->count *= factor;
  histogram->sum *= factor;
  for (Histogram::Bucket& bucket : histogram->positive) bucket.count *= factor;
  for (Histogram::Bucket& bucket : histogram->negative) bucket.count *= factor;
  if (factor < 0) SetHint(histogram, ResetHint::kGauge);
}

void DivideHistogram(Histogram* histogram, double divisor) {
  histogram->zero_count /= divisor;
  histogram->count /= divisor;
  histogram->sum /= divisor;
  if (divisor == 0) {
    histogram->positive.clear();
    histogram->negative.clear();
    return;
  }
  for (Histogram::Bucket& bucket : histogram->positive) bucket.count /= divisor;
  for (Histogram::Bucket& bucket : histogram->negative) bucket.count /= divisor;
  if (divisor < 0) SetHint(histogram, ResetHint::kGauge);
}

void ReduceSchema(Histogram* histogram, int32_t schema) {
  HistogramSum terms(*histogram);
  terms.ReduceSchema(schema);
  *histogram = terms.Value();
}

void CompactHistogram(Histogram* histogram) {
  const auto is_empty = [](const Histogram::Bucket& bucket) { return bucket.count == 0; };
  std::erase_if(histogram->positive, is_empty);
  std::erase_if(histogram->negative, is_empty);
}

}  // namespace braid::promql
