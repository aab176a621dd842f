// Names of metrics and labels: the unit words and suffixes of OpenTelemetry's Prometheus compatibility specification.
#include <string>
#include <string_view>
#include <utility>

#include "server/ingest/otlp_metrics.h"

namespace braid::ingest {
namespace {

// UCUM units as instrument makers write them, and Prometheus' words for them.
constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
    {"d", "days"},
    {"h", "hours"},
    {"min", "minutes"},
    {"s", "seconds"},
    {"ms", "milliseconds"},
    {"us", "microseconds"},
    {"ns", "nanoseconds"},
    {"By", "bytes"},
    {"KiBy", "kibibytes"},
    {"MiBy", "mebibytes"},
    {"GiBy", "gibibytes"},
    {"TiBy", "tibibytes"},
    {"KBy", "kilobytes"},
    {"MBy", "megabytes"},
    {"GBy", "gigabytes"},
    {"TBy", "terabytes"},
    {"B", "bytes"},
    {"KB", "kilobytes"},
    {"MB", "megabytes"},
    {"GB", "gigabytes"},
    {"TB", "terabytes"},
    {"m", "meters"},
    {"V", "volts"},
    {"A", "amperes"},
    {"J", "joules"},
    {"W", "watts"},
    {"g", "grams"},
    {"Cel", "celsius"},
    {"Hz", "hertz"},
    {"%", "percent"},
    {"1", ""},
};
constexpr std::pair<std::string_view, std::string_view> kPerUnits[] = {
    {"s", "second"}, {"m", "minute"}, {"min", "minute"}, {"h", "hour"},
    {"d", "day"},    {"w", "week"},   {"mo", "month"},   {"y", "year"},
};

bool IsLetterOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// Letters, digits and colons stay; every other run becomes one underscore, none at the ends.
std::string Words(std::string_view text, bool colons) {
  std::string words;
  for (char c : text) {
    if (IsLetterOrDigit(c) || (colons && c == ':')) {
      words.push_back(c);
    } else if (!words.empty() && words.back() != '_') {
      words.push_back('_');
    }
  }
  while (!words.empty() && words.back() == '_') words.pop_back();
  return words;
}

std::string UnitWord(std::string_view unit, bool per) {
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  while (!unit.empty() && unit.back() == ' ') unit.remove_suffix(1);
  if (per) {
    for (const auto& [ucum, word] : kPerUnits) {
      if (ucum == unit) return std::string(word);
    }
  } else {
    for (const auto& [ucum, word] : kUnits) {
      if (ucum == unit) return std::string(word);
    }
  }
  return Words(unit, false);
}

// "By/s" -> "bytes_per_second"; annotations such as "{requests}" name no unit.
std::string UnitSuffix(std::string_view unit) {
  if (unit.find_first_of("{}") != std::string_view::npos) {
    // "{packets}/s" still tells that it is per second.
    std::string plain;
    int depth = 0;
    for (char c : unit) {
      if (c == '{') {
        ++depth;
      } else if (c == '}') {
        if (depth > 0) --depth;
      } else if (depth == 0) {
        plain.push_back(c);
      }
    }
    return UnitSuffix(plain);
  }
  const size_t slash = unit.find('/');
  std::string suffix = UnitWord(unit.substr(0, slash), false);
  if (slash != std::string_view::npos) {
    const std::string per = UnitWord(unit.substr(slash + 1), true);
    if (!per.empty()) suffix += (suffix.empty() ? "per_" : "_per_") + per;
  }
  return suffix;
}

// True if `word` stands among the words of `name` already.
bool HasWord(std::string_view name, std::string_view word) {
  for (size_t at = name.find(word); at != std::string_view::npos; at = name.find(word, at + 1)) {
    const bool starts = at == 0 || name[at - 1] == '_';
    const size_t end = at + word.size();
    if (starts && (end == name.size() || name[end] == '_')) return true;
  }
  return false;
}

}  // namespace

std::string PrometheusMetricName(const OtlpMetric& metric) {
  std::string name = Words(metric.name, true);
  if (name.empty()) name = "unnamed";
  if (name.front() >= '0' && name.front() <= '9') name.insert(name.begin(), '_');
  const bool counter = metric.kind == OtlpMetricKind::kSum && metric.monotonic;
  // "_total" comes last, after the unit.
  constexpr std::string_view kTotal = "_total";
  if (counter && name.size() > kTotal.size() && name.ends_with(kTotal)) name.resize(name.size() - kTotal.size());
  const std::string unit = UnitSuffix(metric.unit);
  if (!unit.empty() && !HasWord(name, unit)) name += "_" + unit;
  if (metric.kind == OtlpMetricKind::kGauge && metric.unit == "1" && !HasWord(name, "ratio")) name += "_ratio";
  if (counter) name += kTotal;
  return name;
}

std::string PrometheusLabelName(std::string_view attribute) {
  std::string name;
  name.reserve(attribute.size());
  for (char c : attribute) name.push_back(IsLetterOrDigit(c) ? c : '_');
  if (name.empty()) name = "_";
  if (name.front() >= '0' && name.front() <= '9') name.insert(0, "key_");
  return name;
}

}  // namespace braid::ingest
