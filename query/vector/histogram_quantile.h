// Quantiles, fractions and spread of one histogram, native or classic.
//
// Interpolation: linear in custom buckets, classic buckets and the zero bucket; exponential in exponential buckets.
// Source: Prometheus documentation, "Query functions", histogram_quantile and histogram_fraction.
#pragma once

#include <vector>

#include "braid/types.h"

namespace braid::promql {

// What a caller should tell its user about an input with NaN observations.
enum class NanEffect : uint8_t { kNone, kResultIsNan, kResultIsSkewed, kExcluded };

// Share of a bucket's observations at or below `value`, which lies inside it.
double FractionBelow(double lower, double upper, double value, bool linear);
double NativeQuantile(double q, const Histogram& histogram, NanEffect* effect);
double NativeFraction(double lower, double upper, const Histogram& histogram, NanEffect* effect);
double NativeVariance(const Histogram& histogram);

// A bucket of a classic histogram: observations up to `upper`.
struct ClassicBucket {
  double upper;
  double count;
};

// What had to be changed to make counts rise with their bounds.
struct MonotonicityFix {
  bool forced = false;
  double min_bucket = 0, max_bucket = 0, max_diff = 0;
};

// REQUIRES: `*buckets` not empty, ascending by bound; it is changed. NaN unless the last bound is +Inf.
double ClassicQuantile(double q, std::vector<ClassicBucket>* buckets, MonotonicityFix* fix);
double ClassicFraction(double lower, double upper, std::vector<ClassicBucket>* buckets);

// The quantile of plain values, interpolated between ranks; NaN sorts first. Reorders `*values`.
double QuantileOfValues(double q, std::vector<double>* values);

}  // namespace braid::promql
