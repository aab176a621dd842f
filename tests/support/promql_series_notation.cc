#include "tests/support/promql_series_notation.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace braid {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t'; }

void SkipSpace(std::string_view* text) {
  while (!text->empty() && IsSpace(text->front())) text->remove_prefix(1);
}

bool TakeChar(std::string_view* text, char c) {
  if (text->empty() || text->front() != c) return false;
  text->remove_prefix(1);
  return true;
}

std::string_view TakeName(std::string_view* text) {
  size_t size = 0;
  while (size < text->size() && (std::isalnum(static_cast<unsigned char>((*text)[size])) != 0 || (*text)[size] == '_' ||
                                 (*text)[size] == ':' || (*text)[size] == '.')) {
    ++size;
  }
  const std::string_view name = text->substr(0, size);
  text->remove_prefix(size);
  return name;
}

bool ParseLabels(std::string_view* text, Labels* labels) {
  while (true) {
    SkipSpace(text);
    if (TakeChar(text, '}')) return true;
    std::string name;
    if (!text->empty() && (text->front() == '"' || text->front() == '\'')) {
      std::optional<std::string> quoted = TakeQuoted(text);
      if (!quoted) return false;
      name = *quoted;
    } else {
      name = std::string(TakeName(text));
    }
    if (name.empty()) return false;
    SkipSpace(text);
    if (TakeChar(text, '=')) {
      SkipSpace(text);
      const std::optional<std::string> value = TakeQuoted(text);
      if (!value) return false;
      if (!value->empty()) labels->push_back({name, *value});
    } else {
      labels->push_back({std::string(kMetricNameLabel), name});  // {"metric name"}
    }
    SkipSpace(text);
    if (TakeChar(text, ',')) continue;
    return TakeChar(text, '}');
  }
}

std::optional<std::vector<double>> ParseNumberList(std::string_view text) {
  std::vector<double> values;
  while (true) {
    SkipSpace(&text);
    if (text.empty()) return values;
    size_t size = 0;
    while (size < text.size() && !IsSpace(text[size])) ++size;
    const std::optional<double> value = ParseNotationNumber(text.substr(0, size));
    if (!value) return std::nullopt;
    values.push_back(*value);
    text.remove_prefix(size);
  }
}

// The inside of {{ }}.
bool ParseHistogram(std::string_view text, Histogram* histogram, bool* hint_given) {
  int32_t offset = 0, negative_offset = 0;
  std::vector<double> buckets, negative_buckets;
  while (true) {
    SkipSpace(&text);
    if (text.empty()) break;
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos) return false;
    const std::string key(text.substr(0, colon));
    text.remove_prefix(colon + 1);
    SkipSpace(&text);
    std::string_view value;
    if (TakeChar(&text, '[')) {
      const size_t end = text.find(']');
      if (end == std::string_view::npos) return false;
      value = text.substr(0, end);
      text.remove_prefix(end + 1);
    } else {
      size_t size = 0;
      while (size < text.size() && !IsSpace(text[size])) ++size;
      value = text.substr(0, size);
      text.remove_prefix(size);
    }
    if (key == "counter_reset_hint") {
      *hint_given = true;
      histogram->is_gauge = value == "gauge";
      histogram->reset = value == "reset";
      histogram->reset_unknown = value == "gauge" || value == "unknown";
      continue;
    }
    const std::optional<std::vector<double>> numbers = ParseNumberList(value);
    if (!numbers) return false;
    const double number = numbers->empty() ? 0 : numbers->front();
    if (key == "schema")
      histogram->schema = static_cast<int32_t>(number);
    else if (key == "sum")
      histogram->sum = number;
    else if (key == "count")
      histogram->count = number;
    else if (key == "z_bucket")
      histogram->zero_count = number;
    else if (key == "z_bucket_w")
      histogram->zero_threshold = number;
    else if (key == "custom_values")
      histogram->custom_bounds = *numbers;
    else if (key == "offset")
      offset = static_cast<int32_t>(number);
    else if (key == "n_offset")
      negative_offset = static_cast<int32_t>(number);
    else if (key == "buckets")
      buckets = *numbers;
    else if (key == "n_buckets")
      negative_buckets = *numbers;
    else
      return false;
  }
  for (size_t i = 0; i < buckets.size(); ++i) {
    histogram->positive.push_back({offset + static_cast<int32_t>(i), buckets[i]});
  }
  for (size_t i = 0; i < negative_buckets.size(); ++i) {
    histogram->negative.push_back({negative_offset + static_cast<int32_t>(i), negative_buckets[i]});
  }
  return true;
}

// base + factor * delta, bucket by bucket; both have the same layout in cases.
Histogram AddScaled(const Histogram& base, const Histogram& delta, double factor) {
  Histogram sum = base;
  sum.count += factor * delta.count;
  sum.sum += factor * delta.sum;
  sum.zero_count += factor * delta.zero_count;
  const auto add = [factor](const std::vector<Histogram::Bucket>& from, std::vector<Histogram::Bucket>* to) {
    for (const Histogram::Bucket& bucket : from) {
      const auto it = std::lower_bound(to->begin(), to->end(), bucket.index,
                                       [](const Histogram::Bucket& b, int32_t index) { return b.index < index; });
      if (it != to->end() && it->index == bucket.index) {
        it->count += factor * bucket.count;
      } else {
        to->insert(it, {bucket.index, factor * bucket.count});
      }
    }
  };
  add(delta.positive, &sum.positive);
  add(delta.negative, &sum.negative);
  return sum;
}

bool TakeRepeat(std::string_view* text, size_t* repeat) {
  if (!TakeChar(text, 'x')) return false;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *repeat);
  if (error != std::errc() || *repeat > 1'000'000) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

bool ParseHistogramItem(std::string_view* text, std::vector<SequenceValue>* values) {
  const auto take = [text](Histogram* histogram, bool* hint_given) {
    const size_t end = text->find("}}");
    if (text->substr(0, 2) != "{{" || end == std::string_view::npos) return false;
    const bool ok = ParseHistogram(text->substr(2, end - 2), histogram, hint_given);
    text->remove_prefix(end + 2);
    return ok;
  };
  SequenceValue value;
  Histogram base, delta;
  if (!take(&base, &value.hint_given)) return false;
  double sign = 0;
  if (!text->empty() && (text->front() == '+' || text->front() == '-')) {
    sign = text->front() == '+' ? 1 : -1;
    text->remove_prefix(1);
    bool ignored = false;
    if (!take(&delta, &ignored)) return false;
  }
  size_t repeat = 0;
  if (!text->empty() && text->front() == 'x' && !TakeRepeat(text, &repeat)) return false;
  for (size_t i = 0; i <= repeat; ++i) {
    value.histogram = sign == 0 ? base : AddScaled(base, delta, sign * static_cast<double>(i));
    values->push_back(value);
  }
  return true;
}

// 3, -1.5e3, 1+2x3, 5-1x2, 7x4.
bool ParseFloatItem(std::string_view item, std::vector<SequenceValue>* values) {
  size_t split = std::string_view::npos;
  size_t repeat = 0;
  std::string_view head = item;
  const size_t x = item.rfind('x');  // 0x10 is zero, repeated, and no hexadecimal number
  if (x != std::string_view::npos) {
    std::string_view tail = item.substr(x);
    if (!TakeRepeat(&tail, &repeat) || !tail.empty()) return false;
    head = item.substr(0, x);
    for (size_t i = 1; i < head.size(); ++i) {
      const bool sign = head[i] == '+' || head[i] == '-';
      if (sign && head[i - 1] != 'e' && head[i - 1] != 'E') {
        split = i;
        break;
      }
    }
  }
  const std::optional<double> base = ParseNotationNumber(head.substr(0, split));
  if (!base) return false;
  double delta = 0;
  if (split != std::string_view::npos) {
    const std::optional<double> parsed = ParseNotationNumber(head.substr(split + 1));
    if (!parsed) return false;
    delta = head[split] == '-' ? -*parsed : *parsed;
  }
  SequenceValue value;
  value.value = *base;
  for (size_t i = 0; i <= repeat; ++i) {
    values->push_back(value);
    value.value += delta;
  }
  return true;
}

}  // namespace

std::optional<std::string> TakeQuoted(std::string_view* text) {
  if (text->empty()) return std::nullopt;
  const char quote = text->front();
  if (quote != '"' && quote != '\'' && quote != '`') return std::nullopt;
  text->remove_prefix(1);
  std::string out;
  while (!text->empty()) {
    const char c = text->front();
    text->remove_prefix(1);
    if (c == quote) return out;
    if (c != '\\' || quote == '`') {
      out += c;
      continue;
    }
    if (text->empty()) return std::nullopt;
    const char escape = text->front();
    text->remove_prefix(1);
    switch (escape) {
      case 'n': out += '\n'; break;
      case 't': out += '\t'; break;
      case 'r': out += '\r'; break;
      case 'x': {
        if (text->size() < 2) return std::nullopt;
        out += static_cast<char>(std::strtol(std::string(text->substr(0, 2)).c_str(), nullptr, 16));
        text->remove_prefix(2);
        break;
      }
      default: out += escape;
    }
  }
  return std::nullopt;
}

std::optional<double> ParseNotationNumber(std::string_view text) {
  const std::string copy(text);
  if (copy.empty() || IsSpace(copy[0])) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  if (end != copy.c_str() + copy.size()) return std::nullopt;
  return value;
}

std::optional<Duration> ParseNotationDuration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (const std::optional<double> seconds = ParseNotationNumber(text)) {
    return static_cast<Duration>(std::llround(*seconds * 1000)) * kMillisecond;
  }
  Duration total = 0;
  while (!text.empty()) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    Duration unit = 0;
    if (text.substr(0, 2) == "ms") {
      unit = kMillisecond;
      text.remove_prefix(2);
    } else if (!text.empty()) {
      switch (text.front()) {
        case 's': unit = kSecond; break;
        case 'm': unit = 60 * kSecond; break;
        case 'h': unit = 3600 * kSecond; break;
        case 'd': unit = 86400 * kSecond; break;
        case 'w': unit = 7 * 86400 * kSecond; break;
        case 'y': unit = 365 * 86400 * kSecond; break;
        default: return std::nullopt;
      }
      text.remove_prefix(1);
    }
    if (unit == 0) return std::nullopt;
    total += number * unit;
  }
  return total;
}

std::optional<SeriesNotation> ParseSeriesNotation(std::string_view text, std::string* error) {
  const std::string whole(text);
  SeriesNotation series;
  SkipSpace(&text);
  const std::string_view name = TakeName(&text);
  if (!name.empty()) series.labels.push_back({std::string(kMetricNameLabel), std::string(name)});
  SkipSpace(&text);
  if (text.substr(0, 1) == "{" && text.substr(0, 2) != "{{") {
    text.remove_prefix(1);
    if (!ParseLabels(&text, &series.labels)) {
      *error = "bad labels in: " + whole;
      return std::nullopt;
    }
  }
  std::sort(series.labels.begin(), series.labels.end());
  while (true) {
    SkipSpace(&text);
    if (text.empty()) return series;
    bool ok = true;
    if (text.substr(0, 2) == "{{") {
      ok = ParseHistogramItem(&text, &series.values);
    } else {
      size_t size = 0;
      while (size < text.size() && !IsSpace(text[size])) ++size;
      std::string_view item = text.substr(0, size);
      text.remove_prefix(size);
      SequenceValue value;
      if (item.front() == '_') {
        value.omitted = true;
        item.remove_prefix(1);
        size_t repeat = 1;
        ok = item.empty() || (TakeRepeat(&item, &repeat) && item.empty());
        series.values.insert(series.values.end(), repeat, value);
      } else if (item.substr(0, 5) == "stale") {
        value.value = StaleNan();
        item.remove_prefix(5);
        size_t repeat = 0;
        ok = item.empty() || (TakeRepeat(&item, &repeat) && item.empty());
        series.values.insert(series.values.end(), repeat + 1, value);
      } else {
        ok = ParseFloatItem(item, &series.values);
      }
    }
    if (!ok) {
      *error = "bad values in: " + whole;
      return std::nullopt;
    }
  }
}

}  // namespace braid
