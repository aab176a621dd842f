// Sorting of many rows for a query that may be given up meanwhile.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "query/rows/operator.h"
#include "query/syntax/status_macros.h"

namespace braid {

// As std::stable_sort, but asks between its steps whether the query is still wanted. Takes the memory of the items once
// more while it works.
template <typename T, typename Less>
absl::Status SortInSteps(std::vector<T>* items, const Less& less, const QueryContext* context) {
  constexpr size_t kRun = 8192;  // items that are sorted in one step
  const size_t count = items->size();
  const auto at = [](std::vector<T>* in, size_t place) { return in->begin() + static_cast<std::ptrdiff_t>(place); };
  for (size_t begin = 0; begin < count; begin += kRun) {
    RETURN_IF_ERROR(context->CheckAlive());
    std::stable_sort(at(items, begin), at(items, std::min(count, begin + kRun)), less);
  }
  if (count <= kRun) return absl::OkStatus();
  std::vector<T> merged(count);
  for (size_t run = kRun; run < count; run *= 2) {
    for (size_t begin = 0; begin < count; begin += 2 * run) {
      RETURN_IF_ERROR(context->CheckAlive());
      const size_t middle = std::min(count, begin + run), end = std::min(count, begin + 2 * run);
      std::merge(at(items, begin), at(items, middle), at(items, middle), at(items, end), at(&merged, begin), less);
    }
    items->swap(merged);
  }
  return absl::OkStatus();
}

}  // namespace braid
