#include "query/rows/time_text.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "query/syntax/literals.h"

namespace braid {
namespace {

// Nanoseconds of one unit of a number of this size.
int64_t ScaleOf(double size) {
  if (size < 1e11) return kSecond;
  if (size < 1e14) return kMillisecond;
  return size < 1e17 ? 1000 : 1;
}

template <typename Number>
std::optional<Number> WholeNumber(std::string_view text) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

std::optional<int64_t> WholeLiteral(std::string_view text, ScannedNumber::Kind kind) {
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  const ScannedNumber scanned = ScanNumber(text);
  if (!scanned.error.empty() || scanned.kind != kind || scanned.length != text.size()) return std::nullopt;
  return scanned.integer;
}

}  // namespace

std::optional<Timestamp> TimeOfEpoch(int64_t number) {
  Timestamp time = 0;
  if (__builtin_mul_overflow(number, ScaleOf(std::fabs(static_cast<double>(number))), &time)) return std::nullopt;
  return time;
}

std::optional<Timestamp> TimeOfEpoch(double number) {
  if (!std::isfinite(number) || std::fabs(number) >= 9.2e18) return std::nullopt;
  const int64_t scale = ScaleOf(std::fabs(number));
  // The whole part is exact; the fraction of a double near 1.7e9 is good for microseconds and no more.
  const double whole = std::floor(number);
  const double fraction = std::round((number - whole) * 1e6) / 1e6;
  Timestamp time = 0;
  if (__builtin_mul_overflow(static_cast<int64_t>(whole), scale, &time)) return std::nullopt;
  if (__builtin_add_overflow(time, std::llround(fraction * static_cast<double>(scale)), &time)) return std::nullopt;
  return time;
}

std::optional<Timestamp> TimeOfText(std::string_view text) {
  if (const auto integer = WholeNumber<int64_t>(text)) return TimeOfEpoch(*integer);
  if (const auto number = WholeNumber<double>(text)) return TimeOfEpoch(*number);
  std::string written(text);
  // RFC 3339 allows small letters and, for readers' sake, a space.
  if (written.size() > 10 && (written[10] == ' ' || written[10] == 't')) written[10] = 'T';
  if (!written.empty() && written.back() == 'z') written.back() = 'Z';
  return WholeLiteral(written, ScannedNumber::Kind::kTimestamp);
}

std::optional<Duration> DurationOfText(std::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  const auto duration = WholeLiteral(text, ScannedNumber::Kind::kDuration);
  if (!duration) return std::nullopt;
  return negative ? -*duration : *duration;
}

}  // namespace braid
