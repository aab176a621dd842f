// The order in which people number things: "node2" before "node10".
#pragma once

#include <string_view>

namespace braid::promql {

// Runs of digits compare as numbers, all else by bytes. <0, 0, >0; 0 only for equal texts.
int CompareNaturally(std::string_view a, std::string_view b);

}  // namespace braid::promql
