#include "braid/types.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <span>

namespace braid {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

void PutHex(uint64_t value, std::string* out) {
  char digits[16];
  for (int i = 0; i < 16; ++i) digits[i] = kHexDigits[(value >> (60 - 4 * i)) & 15];
  out->append(digits, sizeof(digits));
}

// The value of each hex digit, 0xff of every other byte.
constexpr std::array<uint8_t, 256> kDigitValues = [] {
  std::array<uint8_t, 256> values;
  values.fill(0xff);
  for (uint8_t i = 0; i < 16; ++i) values[static_cast<uint8_t>(kHexDigits[i])] = i;
  for (uint8_t i = 10; i < 16; ++i) values[static_cast<size_t>('A' + i - 10)] = i;
  return values;
}();

// Sixteen digits; false if one of them is none.
bool ReadWord(const char* text, uint64_t* word) {
  uint64_t value = 0;
  uint8_t all = 0;
  for (int i = 0; i < 16; ++i) {
    const uint8_t digit = kDigitValues[static_cast<uint8_t>(text[i])];
    all |= digit;
    value = value << 4 | (digit & 15);
  }
  *word = value;
  return all < 16;
}

// Reads up to `digits_max` hex digits into 128 bits.
bool ParseHex(std::string_view text, int digits_max, uint64_t* high, uint64_t* low) {
  uint64_t h = 0;
  uint64_t l = 0;
  // Nearly all ids are written in full and without dashes.
  if (text.size() == 32 && digits_max == 32 && ReadWord(text.data(), high) && ReadWord(text.data() + 16, low)) {
    return true;
  }
  if (text.size() == 16 && ReadWord(text.data(), low)) {
    *high = 0;
    return true;
  }
  int digits = 0;
  for (char c : text) {
    if (c == '-') continue;
    const uint8_t digit = kDigitValues[static_cast<uint8_t>(c)];
    if (digit > 15 || ++digits > digits_max) return false;
    h = (h << 4) | (l >> 60);
    l = (l << 4) | digit;
  }
  if (digits == 0) return false;
  *high = h;
  *low = l;
  return true;
}

struct Word {
  std::string_view text;
  int value;
};

bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + ('a' - 'A')) : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

bool FindWord(std::span<const Word> words, std::string_view text, int* value) {
  for (const Word& word : words) {
    if (EqualsIgnoringCase(text, word.text)) {
      *value = word.value;
      return true;
    }
  }
  return false;
}

// The words of the enums come first, in order; then what other systems write for the same: syslog, log4j,
// java.util.logging, Python, glog, zap, pino and the OpenTelemetry short names.
constexpr Word kLevelWords[] = {
    {"unset", 0},     {"trace", 1},    {"debug", 2},       {"info", 3},        {"warn", 4},
    {"error", 5},     {"fatal", 6},    {"unspecified", 0}, {"trc", 1},         {"finest", 1},
    {"finer", 1},     {"verbose", 1},  {"all", 1},         {"trace2", 1},      {"trace3", 1},
    {"trace4", 1},    {"dbg", 2},      {"fine", 2},        {"config", 2},      {"debug2", 2},
    {"debug3", 2},    {"debug4", 2},   {"inf", 3},         {"information", 3}, {"informational", 3},
    {"notice", 3},    {"info2", 3},    {"info3", 3},       {"info4", 3},       {"log", 3},
    {"warning", 4},   {"wrn", 4},      {"warn2", 4},       {"warn3", 4},       {"warn4", 4},
    {"err", 5},       {"eror", 5},     {"severe", 5},      {"error2", 5},      {"error3", 5},
    {"error4", 5},    {"critical", 6}, {"crit", 6},        {"alert", 6},       {"emerg", 6},
    {"emergency", 6}, {"panic", 6},    {"dpanic", 6},      {"ftl", 6},         {"fatal2", 6},
    {"fatal3", 6},    {"fatal4", 6},   {"t", 1},           {"d", 2},           {"i", 3},
    {"n", 3},         {"w", 4},        {"e", 5},           {"f", 6},           {"c", 6}};

constexpr Word kKindWords[] = {{"unset", 0},    {"internal", 1}, {"server", 2},     {"client", 3},
                               {"producer", 4}, {"consumer", 5}, {"unspecified", 0}};
constexpr Word kStatusWords[] = {{"unset", 0}, {"ok", 1}, {"error", 2}, {"unspecified", 0}};

// "SPAN_KIND_SERVER", "STATUS_CODE_OK", "SEVERITY_NUMBER_INFO" are how OTLP/JSON spells its enums.
std::string_view WithoutPrefix(std::string_view text, std::string_view lower_prefix) {
  if (text.size() > lower_prefix.size() && EqualsIgnoringCase(text.substr(0, lower_prefix.size()), lower_prefix)) {
    text.remove_prefix(lower_prefix.size());
  }
  return text;
}

template <typename Enum>
std::string_view NameOf(std::span<const Word> words, Enum value, size_t count) {
  const size_t index = static_cast<size_t>(value);
  return index < count ? words[index].text : words[0].text;
}

bool IsLegacyName(std::string_view name, bool allow_colon) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!letter && !(allow_colon && c == ':')) return false;
  }
  return true;
}

void PutQuoted(std::string_view text, std::string* out) {
  out->push_back('"');
  for (char c : text) {
    if (c == '\\' || c == '"') {
      out->push_back('\\');
      out->push_back(c);
    } else if (c == '\n') {
      out->append("\\n");
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

std::string DoubleToText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  const double magnitude = std::fabs(value);
  // Digits rather than an exponent where people expect them: the bounds are JavaScript's.
  const auto format = magnitude == 0 || (magnitude >= 1e-6 && magnitude < 1e21) ? std::chars_format::fixed
                                                                                : std::chars_format::scientific;
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value, format);
  return std::string(buffer, result.ptr);
}

}  // namespace

std::string ToHex(TraceId id) {
  std::string text;
  text.reserve(32);
  PutHex(id.high, &text);
  PutHex(id.low, &text);
  return text;
}

std::string ToHex(SpanId id) {
  std::string text;
  text.reserve(16);
  PutHex(id.value, &text);
  return text;
}

bool ParseTraceId(std::string_view text, TraceId* id) { return ParseHex(text, 32, &id->high, &id->low); }

bool ParseSpanId(std::string_view text, SpanId* id) {
  uint64_t high;
  return ParseHex(text, 16, &high, &id->value);
}

std::string_view ToString(Level level) { return NameOf(kLevelWords, level, 7); }
std::string_view ToString(SpanKind kind) { return NameOf(kKindWords, kind, 6); }
std::string_view ToString(StatusCode code) { return NameOf(kStatusWords, code, 3); }

bool ParseLevel(std::string_view text, Level* level) {
  int value;
  if (!FindWord(kLevelWords, WithoutPrefix(text, "severity_number_"), &value)) return false;
  *level = static_cast<Level>(value);
  return true;
}

bool ParseSpanKind(std::string_view text, SpanKind* kind) {
  int value;
  if (!FindWord(kKindWords, WithoutPrefix(text, "span_kind_"), &value)) return false;
  *kind = static_cast<SpanKind>(value);
  return true;
}

bool ParseStatusCode(std::string_view text, StatusCode* code) {
  int value;
  if (!FindWord(kStatusWords, WithoutPrefix(text, "status_code_"), &value)) return false;
  *code = static_cast<StatusCode>(value);
  return true;
}

Level LevelOfSeverity(int severity_number) {
  if (severity_number < 1 || severity_number > 24) return Level::kUnset;
  return static_cast<Level>((severity_number - 1) / 4 + 1);
}

int SeverityOfLevel(Level level) { return level == Level::kUnset ? 0 : (static_cast<int>(level) - 1) * 4 + 1; }

std::string_view FindLabel(const Labels& labels, std::string_view name) {
  for (const Label& label : labels) {
    if (label.name == name) return label.value;
  }
  return {};
}

std::string ToString(const Labels& labels) {
  const std::string_view metric = FindLabel(labels, kMetricNameLabel);
  std::string text;
  std::string pairs;
  if (IsLegacyName(metric, true)) {
    text = metric;
  } else if (!metric.empty()) {
    PutQuoted(metric, &pairs);  // Prometheus 3 writes names of other characters inside the braces
  }
  for (const Label& label : labels) {
    if (label.name == kMetricNameLabel) continue;
    if (!pairs.empty()) pairs.append(", ");
    if (IsLegacyName(label.name, false)) {
      pairs.append(label.name);
    } else {
      PutQuoted(label.name, &pairs);
    }
    pairs.push_back('=');
    PutQuoted(label.value, &pairs);
  }
  if (pairs.empty() && !text.empty()) return text;
  return text + "{" + pairs + "}";
}

ValueView View(const Value& value) {
  return std::visit(
      [](const auto& held) -> ValueView {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::string>) {
          return std::string_view(held);
        } else {
          return held;
        }
      },
      value);
}

Value Own(const ValueView& value) {
  return std::visit(
      [](const auto& held) -> Value {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::string_view>) {
          return std::string(held);
        } else {
          return held;
        }
      },
      value);
}

std::string ToText(const ValueView& value) {
  if (const bool* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const int64_t* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  if (const double* number = std::get_if<double>(&value)) return DoubleToText(*number);
  if (const std::string_view* text = std::get_if<std::string_view>(&value)) return std::string(*text);
  return {};
}

bool IsStaleNan(double value) { return std::bit_cast<uint64_t>(value) == kStaleNanBits; }
double StaleNan() { return std::bit_cast<double>(kStaleNanBits); }

}  // namespace braid
