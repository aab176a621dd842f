#include "query/vector/label_set.h"

#include <algorithm>

#include "query/vector/number_text.h"

namespace braid::promql {
namespace {

void AppendPair(const Label& label, std::string* text) {
  // 0xff is no byte of UTF-8, so names and values cannot run into each other.
  text->append(label.name);
  text->push_back('\xff');
  text->append(label.value);
  text->push_back('\xff');
}

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::binary_search(names.begin(), names.end(), name);
}

}  // namespace

void SetLabel(Labels* labels, std::string_view name, std::string_view value) {
  if (value.empty()) {
    RemoveLabel(labels, name);
    return;
  }
  const auto it = std::lower_bound(labels->begin(), labels->end(), name,
                                   [](const Label& label, std::string_view n) { return label.name < n; });
  if (it != labels->end() && it->name == name) {
    it->value = std::string(value);
  } else {
    labels->insert(it, Label{std::string(name), std::string(value)});
  }
}

void RemoveLabel(Labels* labels, std::string_view name) {
  const auto it = std::find_if(labels->begin(), labels->end(), [&](const Label& label) { return label.name == name; });
  if (it != labels->end()) labels->erase(it);
}

void RemoveMetricName(Labels* labels) {
  for (const std::string_view name : {kMetricNameLabel, std::string_view("__type__"), std::string_view("__unit__")}) {
    RemoveLabel(labels, name);
  }
}

Labels KeepLabels(const Labels& labels, const std::vector<std::string>& names) {
  Labels kept;
  for (const Label& label : labels) {
    if (Contains(names, label.name)) kept.push_back(label);
  }
  return kept;
}

Labels WithoutLabels(const Labels& labels, const std::vector<std::string>& names) {
  Labels kept;
  for (const Label& label : labels) {
    if (!Contains(names, label.name)) kept.push_back(label);
  }
  return kept;
}

std::string SignatureOf(const Labels& labels, const std::vector<std::string>& names) {
  std::string text;
  for (const Label& label : labels) {
    if (Contains(names, label.name)) AppendPair(label, &text);
  }
  return text;
}

std::string SignatureExcluding(const Labels& labels, const std::vector<std::string>& names) {
  std::string text;
  for (const Label& label : labels) {
    if (!Contains(names, label.name)) AppendPair(label, &text);
  }
  return text;
}

std::string SignatureOfAll(const Labels& labels) {
  std::string text;
  for (const Label& label : labels) AppendPair(label, &text);
  return text;
}

std::vector<std::string> SortedNames(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string LabelsText(const Labels& labels) {
  std::string text = "{";
  for (const Label& label : labels) {
    if (text.size() > 1) text += ", ";
    text += label.name;
    text += '=';
    text += QuotedText(label.value);
  }
  return text + "}";
}

bool IsLabelName(std::string_view name) {
  if (name.empty()) return false;
  for (size_t i = 0; i < name.size();) {
    const unsigned char c = static_cast<unsigned char>(name[i]);
    if (c < 0x80) {
      ++i;
      continue;
    }
    const size_t length = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 0;
    if (length == 0 || i + length > name.size()) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(name[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

}  // namespace braid::promql
