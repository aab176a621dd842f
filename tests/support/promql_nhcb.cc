#include "tests/support/promql_nhcb.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace braid {
namespace {

struct Collected {
  std::map<double, double> buckets;  // bound to cumulative count; the first of equal bounds counts
  double count = 0, sum = 0;
  bool has_count = false;
  bool any = false;
};

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() > suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

Histogram Convert(Collected collected) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (!collected.has_count && !collected.buckets.empty()) collected.count = collected.buckets.rbegin()->second;
  collected.buckets.emplace(kInfinity, collected.count);
  Histogram histogram;
  histogram.schema = -53;
  histogram.count = collected.count;
  histogram.sum = collected.sum;
  double before = 0;
  int32_t index = 0;
  for (const auto& [bound, count] : collected.buckets) {
    if (count != before) histogram.positive.push_back({index, count - before});
    if (!std::isinf(bound) || bound < 0) histogram.custom_bounds.push_back(bound);
    before = count;
    ++index;
  }
  return histogram;
}

}  // namespace

std::vector<SeriesNotation> ConvertClassicHistograms(const std::map<Labels, std::vector<SequenceValue>>& loaded) {
  std::map<Labels, std::vector<Collected>> by_base;
  for (const auto& [labels, values] : loaded) {
    const std::string name(FindLabel(labels, kMetricNameLabel));
    const bool bucket = EndsWith(name, "_bucket"), count = EndsWith(name, "_count"), sum = EndsWith(name, "_sum");
    if (!bucket && !count && !sum) continue;
    double bound = 0;
    if (bucket) {
      std::string text(FindLabel(labels, "le"));
      const auto parsed = ParseNotationNumber(text);
      if (!parsed || std::isnan(*parsed)) continue;
      bound = *parsed;
    }
    Labels base;
    for (const Label& label : labels) {
      if (label.name == "le") continue;
      base.push_back(label.name == kMetricNameLabel ? Label{label.name, name.substr(0, name.rfind('_'))} : label);
    }
    std::vector<Collected>& points = by_base[base];
    if (points.size() < values.size()) points.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i].omitted || values[i].histogram) continue;
      Collected& point = points[i];
      point.any = true;
      if (bucket) {
        point.buckets.emplace(bound, values[i].value);
      } else if (count) {
        point.count = values[i].value;
        point.has_count = true;
      } else {
        point.sum = values[i].value;
      }
    }
  }
  std::vector<SeriesNotation> converted;
  for (const auto& [labels, points] : by_base) {
    SeriesNotation series;
    series.labels = labels;
    for (const Collected& point : points) {
      SequenceValue value;
      value.omitted = !point.any;
      if (point.any) value.histogram = Convert(point);
      series.values.push_back(std::move(value));
    }
    converted.push_back(std::move(series));
  }
  return converted;
}

}  // namespace braid
