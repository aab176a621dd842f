#include "server/request_time.h"

#include <charconv>
#include <cmath>
#include <string>

#include "engine/base/status_macros.h"
#include "server/ingest/time_text.h"

namespace braid::server {
namespace {

constexpr Duration kHour = 3600 * kSecond;

std::string Quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 100)) + "\""; }

bool ParseNumber(std::string_view text, double* number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), *number);
  return !text.empty() && read.ec == std::errc() && read.ptr == text.data() + text.size() && std::isfinite(*number);
}

// Seconds with decimals, exact to the nanosecond where the digits are.
bool ParseSeconds(std::string_view text, Timestamp* time) {
  double seconds;
  if (!ParseNumber(text, &seconds) || std::fabs(seconds) > 9.2e9) return false;
  const double whole = std::floor(seconds);
  *time = static_cast<int64_t>(whole) * kSecond + static_cast<int64_t>(std::llround((seconds - whole) * 1e6)) * 1000;
  return true;
}

Duration UnitOf(std::string_view unit) {
  if (unit == "ns") return 1;
  if (unit == "us") return 1000;
  if (unit == "ms") return kMillisecond;
  if (unit == "s") return kSecond;
  if (unit == "m") return 60 * kSecond;
  if (unit == "h") return kHour;
  if (unit == "d") return 24 * kHour;
  if (unit == "w") return 7 * 24 * kHour;
  if (unit == "y") return 365 * 24 * kHour;
  return 0;
}

}  // namespace

absl::StatusOr<Duration> ParseRequestDuration(std::string_view text) {
  const auto bad = [&] {
    return absl::InvalidArgumentError("duration " + Quoted(text) + " is not like 15s, 1h30m or 1.5 (seconds)");
  };
  Timestamp seconds;
  if (ParseSeconds(text, &seconds)) {
    if (seconds <= 0) return absl::InvalidArgumentError("duration " + Quoted(text) + " is not positive");
    return seconds;
  }
  Duration total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    int64_t number = 0;
    const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (read.ec != std::errc() || number < 0) return bad();
    rest.remove_prefix(static_cast<size_t>(read.ptr - rest.data()));
    size_t letters = 0;
    while (letters < rest.size() && rest[letters] >= 'a' && rest[letters] <= 'z') ++letters;
    Duration part;
    const Duration unit = UnitOf(rest.substr(0, letters));
    if (unit == 0 || __builtin_mul_overflow(number, unit, &part) || __builtin_add_overflow(total, part, &total)) {
      return bad();
    }
    rest.remove_prefix(letters);
  }
  if (total <= 0) return bad();
  return total;
}

absl::StatusOr<Timestamp> ParsePrometheusTime(std::string_view text) {
  Timestamp time;
  if (ParseSeconds(text, &time) || ingest::ParseTimeText(text, &time)) return time;
  return absl::InvalidArgumentError("cannot parse " + Quoted(text) + " to a valid timestamp");
}

absl::StatusOr<Timestamp> ParseRequestTime(std::string_view text, Timestamp now) {
  if (text.starts_with("now")) {
    const std::string_view rest = text.substr(3);
    if (rest.empty()) return now;
    if (rest.front() == '-' || rest.front() == '+') {
      ASSIGN_OR_RETURN(const Duration distance, ParseRequestDuration(rest.substr(1)));
      Timestamp moved;
      const bool past = rest.front() == '-';
      if (past ? __builtin_sub_overflow(now, distance, &moved) : __builtin_add_overflow(now, distance, &moved)) {
        return absl::InvalidArgumentError("time " + Quoted(text) + " lies outside of the years 1678 to 2261");
      }
      return moved;
    }
  }
  Timestamp time;
  if (ingest::ParseAnyTime(text, &time)) return time;
  return absl::InvalidArgumentError("time " + Quoted(text) +
                                    " is not RFC 3339 (2023-01-30T12:00:00Z), a number since 1970 or like now-1h");
}

}  // namespace braid::server
