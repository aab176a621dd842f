// Compensated summation after Kahan and Neumaier. What it adds up differs from the true sum by about one rounding,
// whatever
// the order and size of the terms.
#pragma once

#include <cmath>

namespace braid::promql {

inline void KahanAdd(double term, double* sum, double* compensation) {
  const double total = *sum + term;
  if (std::isinf(total)) {
    *compensation = 0;
  } else if (std::fabs(*sum) >= std::fabs(term)) {
    *compensation += (*sum - total) + term;
  } else {
    *compensation += (term - total) + *sum;
  }
  *sum = total;
}

}  // namespace braid::promql
