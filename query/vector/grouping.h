// Which group a series belongs to: by (...) or without (...).
#pragma once

#include <string>
#include <vector>

#include "engine/memory/hash_map.h"
#include "query/syntax/ast.h"
#include "query/vector/label_set.h"

namespace braid::promql {

class Grouping {
 public:
  explicit Grouping(const AggregationExpr& aggregation)
      : without_(aggregation.without), names_(SortedNames(aggregation.grouping)) {
    // The metric name never survives `without`.
    hidden_ = names_;
    if (without_) {
      hidden_.emplace_back(kMetricNameLabel);
      hidden_ = SortedNames(std::move(hidden_));
    }
  }

  // Groups are numbered 0, 1, ... in the order in which they are met.
  size_t GroupOf(const Labels& labels) {
    std::string key = without_ ? SignatureExcluding(labels, hidden_) : SignatureOf(labels, names_);
    const auto [it, added] = index_.try_emplace(std::move(key), labels_.size());
    if (added) labels_.push_back(without_ ? WithoutLabels(labels, hidden_) : KeepLabels(labels, names_));
    return it->second;
  }
  size_t size() const { return labels_.size(); }
  Labels TakeLabels(size_t group) { return std::move(labels_[group]); }

 private:
  const bool without_;
  std::vector<std::string> names_;
  std::vector<std::string> hidden_;
  HashMap<std::string, size_t> index_;
  std::vector<Labels> labels_;
};

}  // namespace braid::promql
