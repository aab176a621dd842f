// Order of texts that mostly differ in their first byte, as names of labels do: no call for those.
// Threads: pure functions.
#pragma once

#include <string_view>

namespace braid {

// As name.compare(other).
inline int CompareNames(std::string_view name, std::string_view other) {
  if (!name.empty() && !other.empty() && name[0] != other[0]) {
    return static_cast<unsigned char>(name[0]) < static_cast<unsigned char>(other[0]) ? -1 : 1;
  }
  return name.compare(other);
}

}  // namespace braid
