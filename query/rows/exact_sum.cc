#include "query/rows/exact_sum.h"

#include <cmath>
#include <limits>
#include <utility>

namespace braid {
namespace {

// a + b = *sum + *error exactly.
void TwoSum(double a, double b, double* sum, double* error) {
  *sum = a + b;
  const double b_part = *sum - a;
  *error = (a - (*sum - b_part)) + (b - b_part);
}

}  // namespace

DoubleDouble operator+(DoubleDouble a, DoubleDouble b) {
  DoubleDouble sum;
  double error;
  TwoSum(a.high, b.high, &sum.high, &error);
  error += a.low + b.low;
  TwoSum(sum.high, error, &sum.high, &sum.low);
  return sum;
}

DoubleDouble operator-(DoubleDouble a, DoubleDouble b) { return a + DoubleDouble{-b.high, -b.low}; }

DoubleDouble operator*(DoubleDouble a, DoubleDouble b) {
  DoubleDouble product;
  const double high = a.high * b.high;
  const double error = std::fma(a.high, b.high, -high) + a.high * b.low + a.low * b.high;
  TwoSum(high, error, &product.high, &product.low);
  return product;
}

void ExactSum::AddFinite(double value) {
  size_t kept = 0;
  for (const double part : parts_) {
    double sum;
    double error;
    TwoSum(value, part, &sum, &error);
    if (error != 0) parts_[kept++] = error;
    value = sum;
  }
  parts_.resize(kept);
  if (std::isinf(value)) {  // beyond the range of double
    (value > 0 ? plus_infinity_ : minus_infinity_) = true;
    parts_.clear();
  } else if (value != 0) {
    parts_.push_back(value);
  }
}

void ExactSum::Add(double value) {
  if (std::isfinite(value)) [[likely]] {
    AddFinite(value);
  } else if (std::isnan(value)) {
    nan_ = true;
  } else {
    (value > 0 ? plus_infinity_ : minus_infinity_) = true;
  }
}

void ExactSum::AddProduct(double a, double b) {
  const double product = a * b;
  Add(product);
  if (!std::isfinite(product)) return;
  const double error = std::fma(a, b, -product);
  if (error != 0) AddFinite(error);
}

void ExactSum::AddInteger(__int128 value) {
  // Pieces of 48 bits, each exact.
  const bool negative = value < 0;
  auto rest = negative ? -static_cast<unsigned __int128>(value) : static_cast<unsigned __int128>(value);
  for (int shift = 0; rest != 0; shift += 48, rest >>= 48) {
    const auto piece = static_cast<uint64_t>(rest & 0xffff'ffff'ffffULL);
    const double term = std::ldexp(static_cast<double>(piece), shift);
    if (piece != 0) AddFinite(negative ? -term : term);
  }
}

void ExactSum::Merge(const ExactSum& other) {
  nan_ = nan_ || other.nan_;
  plus_infinity_ = plus_infinity_ || other.plus_infinity_;
  minus_infinity_ = minus_infinity_ || other.minus_infinity_;
  for (const double part : other.parts_) AddFinite(part);
}

void ExactSum::Clear() {
  parts_.clear();
  nan_ = plus_infinity_ = minus_infinity_ = false;
}

double ExactSum::Round() const {
  if (nan_ || (plus_infinity_ && minus_infinity_)) return std::numeric_limits<double>::quiet_NaN();
  if (plus_infinity_) return HUGE_VAL;
  if (minus_infinity_) return -HUGE_VAL;
  if (parts_.empty()) return 0;
  size_t next = parts_.size() - 1;
  double sum = parts_[next];
  double error = 0;
  while (next > 0 && error == 0) TwoSum(sum, parts_[--next], &sum, &error);
  // `sum` is right but for the case that what is left decides a tie that was rounded to even the other way.
  if (error != 0 && next > 0 && (error < 0) == (parts_[next - 1] < 0)) {
    const double twice = 2 * error;
    const double moved = sum + twice;
    if (moved - sum == twice) sum = moved;
  }
  return sum;
}

DoubleDouble ExactSum::RoundTwice() const {
  DoubleDouble rounded{Round(), 0};
  if (!std::isfinite(rounded.high)) return rounded;
  ExactSum rest = *this;
  rest.AddFinite(-rounded.high);
  rounded.low = rest.Round();
  return rounded;
}

}  // namespace braid
