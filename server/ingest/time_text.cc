#include "server/ingest/time_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>

namespace braid::ingest {
namespace {

// Reads exactly so many digits.
template <int kCount>
inline bool TakeDigits(std::string_view text, size_t* at, int64_t* value) {
  if (text.size() - *at < static_cast<size_t>(kCount)) return false;
  const char* const digits = text.data() + *at;
  uint32_t number = 0;
  bool wrong = false;
#pragma GCC unroll 4
  for (int i = 0; i < kCount; ++i) {
    const uint32_t digit = static_cast<uint32_t>(static_cast<uint8_t>(digits[i])) - '0';
    wrong |= digit > 9;
    number = number * 10 + digit;
  }
  if (wrong) return false;
  *at += kCount;
  *value = number;
  return true;
}

bool Take(std::string_view text, size_t* at, char c) {
  if (*at >= text.size() || text[*at] != c) return false;
  ++*at;
  return true;
}

unsigned DaysOfMonth(int64_t year, unsigned month) {
  static constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

// "Z", "+02:00", "+0200", "+02" or nothing.
int64_t TakeOffset(std::string_view text, size_t* at) {
  if (Take(text, at, 'Z') || Take(text, at, 'z')) return 0;
  if (*at >= text.size() || (text[*at] != '+' && text[*at] != '-')) return 0;
  const int64_t sign = text[*at] == '-' ? -1 : 1;
  size_t next = *at + 1;
  int64_t hours = 0, minutes = 0;
  if (!TakeDigits<2>(text, &next, &hours) || hours > 23) return 0;
  *at = next;
  Take(text, &next, ':');
  if (TakeDigits<2>(text, &next, &minutes) && minutes < 60) {
    *at = next;
  } else {
    minutes = 0;
  }
  return sign * (hours * 3600 + minutes * 60);
}

}  // namespace

// Howard Hinnant's days_from_civil (chrono-compatible low-level date algorithms).
int64_t DaysFromCivil(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const unsigned year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<int64_t>(day_of_era) - 719468;
}

bool ParseTimePrefix(std::string_view text, Timestamp* time, size_t* length) {
  size_t at = 0;
  int64_t year, month, day, hour = 0, minute = 0, second = 0, nanos = 0, offset = 0;
  if (!TakeDigits<4>(text, &at, &year)) return false;
  const char separator = at < text.size() ? text[at] : '\0';
  if (separator != '-' && separator != '/') return false;
  if (!Take(text, &at, separator) || !TakeDigits<2>(text, &at, &month) || !Take(text, &at, separator) ||
      !TakeDigits<2>(text, &at, &day)) {
    return false;
  }
  if (month < 1 || month > 12 || day < 1 || day > DaysOfMonth(year, static_cast<unsigned>(month))) return false;
  size_t end = at;
  if (Take(text, &at, 'T') || Take(text, &at, 't') || Take(text, &at, ' ')) {
    if (TakeDigits<2>(text, &at, &hour) && Take(text, &at, ':') && TakeDigits<2>(text, &at, &minute)) {
      if (Take(text, &at, ':') && !TakeDigits<2>(text, &at, &second)) return false;
      // A leap second is counted as the one before it, as POSIX clocks do.
      if (hour > 23 || minute > 59 || second > 60) return false;
      if (second == 60) second = 59;
      size_t fraction = at;
      if (Take(text, &fraction, '.') || Take(text, &fraction, ',')) {
        static constexpr int64_t kScales[] = {kSecond, 100'000'000, 10'000'000, 1'000'000, 100'000,
                                              10'000,  1'000,       100,        10,        1};
        const size_t first = fraction;
        for (; fraction < text.size() && text[fraction] >= '0' && text[fraction] <= '9'; ++fraction) {
          if (fraction - first < std::size(kScales) - 1) nanos = nanos * 10 + (text[fraction] - '0');
        }
        nanos *= kScales[std::min(fraction - first, std::size(kScales) - 1)];
        if (fraction > first) at = fraction;
      }
      offset = TakeOffset(text, &at);
      end = at;
    } else {
      hour = minute = 0;
    }
  }
  const int64_t days = DaysFromCivil(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  int64_t seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset;
  if (seconds < 0 && nanos > 0) {  // counted from above: the second in which int64 nanoseconds begin does not fit whole
    ++seconds;
    nanos -= kSecond;
  }
  // They reach from 1677-09-21T00:12:43.145224192Z to 2262-04-11T23:47:16.854775807Z.
  int64_t parsed;
  if (__builtin_mul_overflow(seconds, kSecond, &parsed) || __builtin_add_overflow(parsed, nanos, &parsed)) return false;
  *time = parsed;
  *length = end;
  return true;
}

bool ParseTimeText(std::string_view text, Timestamp* time) {
  Timestamp parsed;
  size_t length;
  if (!ParseTimePrefix(text, &parsed, &length) || length != text.size()) return false;
  *time = parsed;
  return true;
}

bool TimeOfNumber(int64_t number, Timestamp* time) {
  if (number == INT64_MIN) return false;
  const int64_t size = number < 0 ? -number : number;
  int64_t scale = 1;
  if (size < 100'000'000'000) {
    scale = kSecond;
  } else if (size < 100'000'000'000'000) {
    scale = kMillisecond;
  } else if (size < 100'000'000'000'000'000) {
    scale = 1000;
  }
  // The overflow built-ins write even where they fail.
  int64_t nanos;
  if (__builtin_mul_overflow(number, scale, &nanos)) return false;
  *time = nanos;
  return true;
}

bool TimeOfNumber(double number, Timestamp* time) {
  if (!std::isfinite(number)) return false;
  const double size = std::fabs(number);
  if (number == std::floor(number) && size < 9e18) return TimeOfNumber(static_cast<int64_t>(number), time);
  double scale = 1;
  if (size < 1e11) {
    scale = 1e9;
  } else if (size < 1e14) {
    scale = 1e6;
  } else if (size < 1e17) {
    scale = 1e3;
  }
  // The whole part is exact; the fraction of a double near 1.7e9 is good for microseconds and no more.
  const double whole = std::floor(number);
  const double fraction = std::round((number - whole) * 1e6) / 1e6;
  int64_t nanos;
  if (size * scale >= 9.2e18) return false;
  if (__builtin_mul_overflow(static_cast<int64_t>(whole), static_cast<int64_t>(scale), &nanos)) return false;
  if (__builtin_add_overflow(nanos, static_cast<int64_t>(std::llround(fraction * scale)), &nanos)) return false;
  *time = nanos;
  return true;
}

bool ParseAnyTime(std::string_view text, Timestamp* time) {
  if (text.empty()) return false;
  // Most times are no numbers, as their fifth byte tells.
  if (text.size() > 4 && text[4] == '-' && ParseTimeText(text, time)) return true;
  int64_t integer = 0;
  const char* end = text.data() + text.size();
  if (const auto read = std::from_chars(text.data(), end, integer); read.ec == std::errc() && read.ptr == end) {
    return TimeOfNumber(integer, time);
  }
  if (ParseTimeText(text, time)) return true;
  double real = 0;
  if (const auto read = std::from_chars(text.data(), end, real); read.ec == std::errc() && read.ptr == end) {
    return TimeOfNumber(real, time);
  }
  return false;
}

}  // namespace braid::ingest
