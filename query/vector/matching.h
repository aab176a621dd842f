// Which series of two vectors belong together: on (...) or ignoring (...).
#pragma once

#include <string>
#include <vector>

#include "engine/memory/hash_map.h"
#include "query/syntax/ast.h"
#include "query/vector/series_value.h"

namespace braid::promql {

// Numbers the distinct values of the matching labels, over both sides.
class MatchKeys {
 public:
  explicit MatchKeys(const VectorMatching& matching);
  // The series of each key; keys met only later are missing at the end.
  std::vector<std::vector<size_t>> Assign(const std::vector<EvalSeries>& series);
  // The labels of on (...) or ignoring (...), sorted.
  const std::vector<std::string>& names() const { return names_; }

 private:
  const bool on_;
  std::vector<std::string> names_;
  std::vector<std::string> hidden_;  // without on: names and the metric name
  HashMap<std::string, size_t> keys_;
};

// 1 where at least one of the series has a point.
std::vector<uint8_t> AnyPresentAt(const std::vector<EvalSeries>& series, size_t steps);

// The error for two series of the "one" side that match the same series.
std::string DuplicateMessage(const VectorMatching& matching, const Labels& a, const Labels& b);

}  // namespace braid::promql
