// Numbers that are none.
#pragma once

#include <limits>

namespace braid::promql {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace braid::promql
