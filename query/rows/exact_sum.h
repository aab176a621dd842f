// A sum of doubles that is exact until it is rounded once, so that it does not depend on the order of its terms.
//
// Method: J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates", 1997:
// the sum is kept as an expansion of doubles that do not overlap. Usually two or three of them.
#pragma once

#include <cstdint>
#include <vector>

namespace braid {

// A number of twice the precision of double, as an unevaluated sum.
struct DoubleDouble {
  double high = 0;
  double low = 0;
};
DoubleDouble operator+(DoubleDouble a, DoubleDouble b);
DoubleDouble operator-(DoubleDouble a, DoubleDouble b);
DoubleDouble operator*(DoubleDouble a, DoubleDouble b);

class ExactSum {
 public:
  void Add(double value);
  void AddProduct(double a, double b);  // a * b without its rounding error
  void AddInteger(__int128 value);
  void Merge(const ExactSum& other);
  void Clear();
  // The sum rounded to nearest even; NaN and infinities as adding them one by one would give.
  double Round() const;
  DoubleDouble RoundTwice() const;

 private:
  void AddFinite(double value);

  std::vector<double> parts_;  // ascending magnitude, none zero
  bool nan_ = false;
  bool plus_infinity_ = false;
  bool minus_infinity_ = false;
};

}  // namespace braid
