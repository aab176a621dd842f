#include "query/vector/matching.h"

#include <algorithm>

#include "query/vector/label_set.h"

namespace braid::promql {
namespace {

std::vector<std::string> WithMetricName(std::vector<std::string> names) {
  names.emplace_back(kMetricNameLabel);
  return SortedNames(std::move(names));
}

}  // namespace

MatchKeys::MatchKeys(const VectorMatching& matching)
    : on_(matching.on), names_(SortedNames(matching.labels)), hidden_(WithMetricName(matching.labels)) {}

std::vector<std::vector<size_t>> MatchKeys::Assign(const std::vector<EvalSeries>& series) {
  std::vector<std::vector<size_t>> members(keys_.size());
  for (size_t s = 0; s < series.size(); ++s) {
    std::string key = on_ ? SignatureOf(series[s].labels, names_) : SignatureExcluding(series[s].labels, hidden_);
    const auto [it, added] = keys_.try_emplace(std::move(key), keys_.size());
    if (it->second >= members.size()) members.resize(it->second + 1);
    members[it->second].push_back(s);
  }
  return members;
}

std::vector<uint8_t> AnyPresentAt(const std::vector<EvalSeries>& series, size_t steps) {
  std::vector<uint8_t> any(steps);
  for (const EvalSeries& s : series) {
    for (size_t i = 0; i < steps; ++i) any[i] |= s.present[i];
  }
  return any;
}

std::string DuplicateMessage(const VectorMatching& matching, const Labels& a, const Labels& b) {
  const bool swapped = matching.group == VectorMatching::Group::kRight;
  const std::vector<std::string> names = SortedNames(matching.labels);
  const Labels group = matching.on ? KeepLabels(a, names) : WithoutLabels(a, WithMetricName(names));
  std::string first = LabelsText(a), second = LabelsText(b);
  if (first > second) std::swap(first, second);
  return "found duplicate series for the match group " + LabelsText(group) + " on the " + (swapped ? "left" : "right") +
         " hand-side of the operation: [" + first + ", " + second +
         "];many-to-many matching not allowed: matching labels must be unique on one side";
}

}  // namespace braid::promql
