// Changing and comparing label sets. Every set is sorted by name, has no empty values and no repeated names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "braid/types.h"

namespace braid::promql {

// Adds or replaces; an empty value removes.
void SetLabel(Labels* labels, std::string_view name, std::string_view value);
void RemoveLabel(Labels* labels, std::string_view name);
// The name and what describes the metric: __type__ and __unit__.
void RemoveMetricName(Labels* labels);

// REQUIRES: `names` sorted.
Labels KeepLabels(const Labels& labels, const std::vector<std::string>& names);
Labels WithoutLabels(const Labels& labels, const std::vector<std::string>& names);

// A text that is equal for two sets exactly if they agree on the labels named (or, Excluding, on all others).
// REQUIRES: `names` sorted.
std::string SignatureOf(const Labels& labels, const std::vector<std::string>& names);
std::string SignatureExcluding(const Labels& labels, const std::vector<std::string>& names);
std::string SignatureOfAll(const Labels& labels);

std::vector<std::string> SortedNames(std::vector<std::string> names);

// {__name__="up", job="a"}: the form of Prometheus' error messages.
std::string LabelsText(const Labels& labels);

// Any non-empty UTF-8 text names a label.
bool IsLabelName(std::string_view name);

}  // namespace braid::promql
