// Arithmetic on native histograms as PromQL defines it.
//
// Histograms of exponential schemas meet on the coarser of the two; zero buckets meet on the larger threshold; custom
// buckets meet on the bounds that both have. Custom and exponential buckets never mix.
// Source: Prometheus native histogram specification, sections "Histogram operations" and "Counter resets".
// Threads: free functions on values.
#pragma once

#include <string>

#include "braid/types.h"
#include "query/vector/series_value.h"

namespace braid::promql {

inline constexpr int32_t kCustomBucketSchema = -53;
inline bool HasCustomBuckets(const Histogram& histogram) { return histogram.schema == kCustomBucketSchema; }

ResetHint HintOf(const Histogram& histogram);
void SetHint(Histogram* histogram, ResetHint hint);

// Upper bound of bucket `index`: of the positive side for exponential schemas.
double ExponentialBound(int32_t schema, int32_t index);
double BucketBound(const Histogram& histogram, int32_t index);

struct HistogramOutcome {
  bool compatible = true;          // false: nothing was computed
  bool reset_collision = false;    // one side says "reset", the other "no reset"
  bool bounds_reconciled = false;  // custom bounds differed
};

HistogramOutcome AddHistogram(Histogram* sum, const Histogram& other);
HistogramOutcome SubtractHistogram(Histogram* difference, const Histogram& other);
void MultiplyHistogram(Histogram* histogram, double factor);
void DivideHistogram(Histogram* histogram, double divisor);  // by zero: buckets go, sums become NaN or Inf
// The histogram on a coarser exponential schema. REQUIRES: schema <= histogram.schema, no custom buckets.
void ReduceSchema(Histogram* histogram, int32_t schema);
// Removes empty buckets.
void CompactHistogram(Histogram* histogram);

// A histogram being summed up, with the rounding error of every field beside it.
class HistogramSum {
 public:
  explicit HistogramSum(const Histogram& first);
  HistogramOutcome Add(const Histogram& other) { return Combine(other, 1); }
  HistogramOutcome Subtract(const Histogram& other) { return Combine(other, -1); }
  void Multiply(double factor);
  void Divide(double divisor);
  void ReduceSchema(int32_t schema);
  bool HasOverflow() const;
  uint64_t MemoryBytes() const {
    return sizeof(*this) + (positive_.capacity() + negative_.capacity()) * sizeof(Cell) +
           custom_bounds_.capacity() * sizeof(double);
  }
  // The sum without and with the errors added in.
  Histogram Value() const { return Build(false); }
  Histogram Total() const { return Build(true); }

 private:
  struct Term {
    double value = 0;
    double error = 0;
    void Add(double term);
    void Add(const Term& term);
  };
  struct Cell {
    int32_t index;
    Term term;
  };
  using Cells = std::vector<Cell>;

  HistogramOutcome Combine(const Histogram& other, double sign);
  bool AdjustHint(ResetHint other);
  void WidenZero(double threshold);
  void TrimBelowZeroThreshold();
  void AddCells(const Cells& from, double sign, Cells* to) const;
  void AddMismatched(const HistogramSum& other, double sign);
  static void ReduceCells(int32_t shift, Cells* cells);
  Histogram Build(bool with_errors) const;

  int32_t schema_;
  ResetHint hint_;
  double zero_threshold_;
  Term zero_count_, count_, sum_;
  Cells positive_, negative_;
  std::vector<double> custom_bounds_;
};

// True if a counter was reset between `previous` and `current`, by `hint` (of current) or by what cannot shrink
// otherwise.
bool DetectReset(const Histogram& current, ResetHint hint, const Histogram& previous);

// Bit for bit, but for the hint.
bool SameHistogram(const Histogram& a, const Histogram& b);

// {count:3, sum:4.5, (0.5,1]:3}: the label value of count_values.
std::string HistogramText(const Histogram& histogram);

}  // namespace braid::promql
