#include "query/vector/number_text.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "query/vector/civil_time.h"

namespace braid::promql {
namespace {

constexpr int kExponentFrom = 6;

std::string SpecialText(double value) {
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}

}  // namespace

std::string GeneralText(double value) {
  if (!std::isfinite(value)) return SpecialText(value);
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  char buffer[400];
  const auto scientific = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const std::string text(buffer, scientific.ptr);
  const int exponent = std::atoi(text.c_str() + text.find('e') + 1);
  // Where the exponent form begins does not depend on the number of digits.
  if (exponent < -4 || exponent >= kExponentFrom) return text;
  const auto fixed = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed);
  return std::string(buffer, fixed.ptr);
}

std::string FixedText(double value) {
  std::string text;
  AppendFixedText(value, &text);
  return text;
}

void AppendFixedText(double value, std::string* out) {
  if (!std::isfinite(value)) {
    out->append(SpecialText(value));
    return;
  }
  char buffer[400];
  const auto fixed = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed);
  out->append(buffer, fixed.ptr);
}

std::string OpenMetricsText(double value) {
  std::string text = GeneralText(value);
  if (!std::isfinite(value)) return text;
  if (text.find_first_of("e.") == std::string::npos) text += ".0";
  return text;
}

std::string TwoDigitText(double value) {
  if (!std::isfinite(value)) return SpecialText(value);
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.2g", value);
  return buffer;
}

std::string QuotedText(std::string_view text) {
  std::string quoted = "\"";
  for (size_t i = 0; i < text.size();) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    char escape[8];
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += static_cast<char>(c);
      ++i;
    } else if (c == '\n' || c == '\t' || c == '\r') {
      quoted += c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r";
      ++i;
    } else if (c < 0x20 || c == 0x7f) {
      std::snprintf(escape, sizeof(escape), "\\x%02x", c);
      quoted += escape;
      ++i;
    } else if (c < 0x80) {
      quoted += static_cast<char>(c);
      ++i;
    } else {
      size_t length = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;
      if (c >= 0xf5) length = 1;
      bool valid = length > 1 && i + length <= text.size();
      for (size_t k = 1; valid && k < length; ++k) valid = (static_cast<unsigned char>(text[i + k]) & 0xc0) == 0x80;
      if (valid) {
        quoted.append(text.substr(i, length));
        i += length;
      } else {
        std::snprintf(escape, sizeof(escape), "\\x%02x", c);
        quoted += escape;
        ++i;
      }
    }
  }
  return quoted + "\"";
}

std::string Rfc3339Text(Timestamp time) {
  int64_t seconds = time / kSecond;
  if (time % kSecond < 0) --seconds;
  const CivilTime civil = CivilFromSeconds(seconds);
  char buffer[96];
  std::snprintf(buffer, sizeof(buffer), "%04lld-%02d-%02dT%02d:%02d:%02dZ", static_cast<long long>(civil.year),
                civil.month, civil.day, civil.hour, civil.minute, civil.second);
  return buffer;
}

std::optional<double> ParseFloatText(std::string_view text) {
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) return std::nullopt;
  }
  if (text.empty()) return std::nullopt;
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

double Seconds(int64_t nanoseconds) {
  if (nanoseconds % kMillisecond == 0) return static_cast<double>(nanoseconds / kMillisecond) / 1e3;
  return static_cast<double>(nanoseconds) / 1e9;
}

}  // namespace braid::promql
