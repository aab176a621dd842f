#include "query/syntax/literals.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "query/syntax/characters.h"

namespace braid {
namespace {

bool IsWord(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
int HexValue(char c) { return IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10; }

struct Unit {
  std::string_view name;
  int64_t nanoseconds;
};
// From long to short: the order in which a combined duration names them.
constexpr std::array<Unit, 9> kUnits = {{{"y", 365 * 24 * 3600 * kSecond},
                                         {"w", 7 * 24 * 3600 * kSecond},
                                         {"d", 24 * 3600 * kSecond},
                                         {"h", 3600 * kSecond},
                                         {"m", 60 * kSecond},
                                         {"s", kSecond},
                                         {"ms", kMillisecond},
                                         {"us", 1000},
                                         {"ns", 1}}};

struct Size {
  std::string_view name;
  int64_t bytes;
};
constexpr std::array<Size, 12> kSizes = {{{"B", 1},
                                          {"kB", 1000},
                                          {"KB", 1000},
                                          {"MB", 1000 * 1000},
                                          {"GB", 1000 * 1000 * 1000},
                                          {"TB", int64_t{1000} * 1000 * 1000 * 1000},
                                          {"PB", int64_t{1000} * 1000 * 1000 * 1000 * 1000},
                                          {"KiB", 1024},
                                          {"MiB", 1024 * 1024},
                                          {"GiB", 1024 * 1024 * 1024},
                                          {"TiB", int64_t{1} << 40},
                                          {"PiB", int64_t{1} << 50}}};

int UnitIndex(std::string_view name) {
  for (size_t i = 0; i < kUnits.size(); ++i) {
    if (kUnits[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

// Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date
// algorithms").
int64_t DaysFromCivil(int64_t y, int m, int d) {
  y -= m <= 2;
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t yoe = y - era * 400;
  const int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + doe - 719468;
}

void CivilFromDays(int64_t z, int64_t* y, int* m, int* d) {
  z += 719468;
  const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const int64_t doe = z - era * 146097;
  const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int64_t mp = (5 * doy + 2) / 153;
  *d = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  *m = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  *y = yoe + era * 400 + (*m <= 2);
}

int DaysInMonth(int year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

// dddd-dd-ddT decides: no number, duration or PromQL expression looks like this.
bool LooksLikeTimestamp(std::string_view text) {
  constexpr std::string_view kShape = "dddd-dd-ddT";
  if (text.size() < kShape.size()) return false;
  for (size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] == 'd' ? !IsDigit(text[i]) : text[i] != kShape[i]) return false;
  }
  return true;
}

bool TakeDigits(std::string_view text, size_t* at, int count, int* value) {
  *value = 0;
  for (int i = 0; i < count; ++i, ++*at) {
    if (*at >= text.size() || !IsDigit(text[*at])) return false;
    *value = *value * 10 + (text[*at] - '0');
  }
  return true;
}

bool TakeChar(std::string_view text, size_t* at, char c) {
  if (*at >= text.size() || text[*at] != c) return false;
  ++*at;
  return true;
}

ScannedNumber ScanTimestamp(std::string_view text) {
  ScannedNumber out;
  out.kind = ScannedNumber::Kind::kTimestamp;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  int64_t fraction = 0;
  size_t at = 0;
  const auto fail = [&](std::string error, std::string hint) {
    while (at < text.size() && (IsWord(text[at]) || text[at] == ':')) ++at;
    out.length = at;
    out.code = "E006";
    out.error = std::move(error);
    out.hint = std::move(hint);
    return out;
  };
  const std::string kHint = "write 2026-01-31T10:00:00Z or 2026-01-31T10:00:00.250+01:00";
  bool good = TakeDigits(text, &at, 4, &year) && TakeChar(text, &at, '-') && TakeDigits(text, &at, 2, &month) &&
              TakeChar(text, &at, '-') && TakeDigits(text, &at, 2, &day) && TakeChar(text, &at, 'T') &&
              TakeDigits(text, &at, 2, &hour) && TakeChar(text, &at, ':') && TakeDigits(text, &at, 2, &minute);
  if (good && TakeChar(text, &at, ':')) good = TakeDigits(text, &at, 2, &second);
  if (!good) return fail("malformed time", kHint);
  if (at + 1 < text.size() && text[at] == '.' && IsDigit(text[at + 1])) {
    int64_t place = kSecond / 10;
    for (++at; at < text.size() && IsDigit(text[at]); ++at, place /= 10) fraction += (text[at] - '0') * place;
  }
  int64_t zone_seconds = 0;
  if (at < text.size() && (text[at] == '+' || text[at] == '-') && at + 1 < text.size() && IsDigit(text[at + 1])) {
    const int sign = text[at] == '-' ? -1 : 1;
    int zone_hours = 0, zone_minutes = 0;
    ++at;
    if (!TakeDigits(text, &at, 2, &zone_hours)) return fail("malformed time zone", kHint);
    TakeChar(text, &at, ':');
    if (!TakeDigits(text, &at, 2, &zone_minutes) || zone_hours > 23 || zone_minutes > 59) {
      return fail("malformed time zone", kHint);
    }
    zone_seconds = sign * (zone_hours * 3600 + zone_minutes * 60);
  } else if (!TakeChar(text, &at, 'Z')) {
    return fail("a time needs its zone", "end it with Z for UTC, or with an offset such as +01:00");
  }
  if (at < text.size() && IsWord(text[at])) return fail("malformed time", kHint);
  if (month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59) {
    return fail("no such time", "");
  }
  const int64_t seconds = DaysFromCivil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone_seconds;
  int64_t nanoseconds = 0;
  if (__builtin_mul_overflow(seconds, kSecond, &nanoseconds) ||
      __builtin_add_overflow(nanoseconds, fraction, &nanoseconds)) {
    return fail("time out of range", "times reach from 1677 to 2262");
  }
  out.length = at;
  out.integer = nanoseconds;
  return out;
}

// `digits` without underscores, which must stand between two digits.
bool StripUnderscores(std::string_view digits, std::string* out) {
  for (size_t i = 0; i < digits.size(); ++i) {
    if (digits[i] != '_') {
      out->push_back(digits[i]);
    } else if (i == 0 || i + 1 == digits.size() || digits[i - 1] == '_' || digits[i + 1] == '_') {
      return false;
    }
  }
  return true;
}

// A run of digits and units behind one another: 1h30m. False if it is none.
bool ReadCombinedDuration(std::string_view run, ScannedNumber* out, bool* overflow) {
  int last_unit = -1;
  size_t at = 0;
  int64_t total = 0;
  *overflow = false;
  while (at < run.size()) {
    const size_t digits = at;
    while (at < run.size() && IsDigit(run[at])) ++at;
    if (at == digits) return false;
    int64_t count = 0;
    const auto [end, error] = std::from_chars(run.data() + digits, run.data() + at, count);
    const size_t unit_start = at;
    while (at < run.size() && !IsDigit(run[at])) ++at;
    const int unit = UnitIndex(run.substr(unit_start, at - unit_start));
    if (unit < 0 || unit <= last_unit) return false;
    last_unit = unit;
    int64_t part = 0;
    if (error != std::errc() || __builtin_mul_overflow(count, kUnits[unit].nanoseconds, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      *overflow = true;
    }
  }
  out->kind = ScannedNumber::Kind::kDuration;
  out->integer = total;
  return last_unit >= 0;
}

}  // namespace

ScannedNumber ScanNumber(std::string_view text) {
  if (LooksLikeTimestamp(text)) return ScanTimestamp(text);
  ScannedNumber out;
  size_t at = 0;
  const auto fail = [&](std::string code, std::string error, std::string hint = "") {
    out.length = at;
    out.code = std::move(code);
    out.error = std::move(error);
    out.hint = std::move(hint);
    return out;
  };
  const auto bad_syntax = [&](std::string hint = "") {
    while (at < text.size() && (IsWord(text[at]) || (text[at] == '.' && at + 1 < text.size() && IsDigit(text[at + 1]))))
      ++at;
    return fail("E003",
                "bad number or duration syntax: \"" + std::string(text.substr(0, std::min<size_t>(at, 60))) + "\"",
                std::move(hint));
  };

  if (text.size() > 1 && text[0] == '0' && (text[1] | 0x20) == 'x') {
    at = 2;
    while (at < text.size() && (IsHexDigit(text[at]) || text[at] == '_')) ++at;
    std::string digits;
    const bool good = at > 2 && StripUnderscores(text.substr(2, at - 2), &digits);
    if (!good || (at < text.size() && IsWord(text[at]))) return bad_syntax();
    for (const char c : digits) out.value = out.value * 16 + HexValue(c);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.integer, 16);
    out.is_integer = error == std::errc();
    out.length = at;
    return out;
  }

  while (at < text.size() && (IsDigit(text[at]) || text[at] == '_')) ++at;
  const size_t whole_end = at;
  bool fraction = false;
  // Two dots are the range operator: 3..10.
  if (at < text.size() && text[at] == '.' && !(at + 1 < text.size() && text[at + 1] == '.')) {
    fraction = true;
    ++at;
    while (at < text.size() && (IsDigit(text[at]) || text[at] == '_')) ++at;
  }
  bool exponent = false;
  if (at < text.size() && (text[at] | 0x20) == 'e') {
    size_t after = at + 1;
    if (after < text.size() && (text[after] == '+' || text[after] == '-')) ++after;
    if (after < text.size() && IsDigit(text[after])) {
      exponent = true;
      at = after;
      while (at < text.size() && IsDigit(text[at])) ++at;
    }
  }
  std::string digits;
  if (!StripUnderscores(text.substr(0, at), &digits)) return bad_syntax();

  if (at < text.size() && IsWord(text[at])) {
    size_t end = at;
    while (end < text.size() && IsWord(text[end])) ++end;
    const std::string_view suffix = text.substr(at, end - at);
    const double number = std::strtod(digits.c_str(), nullptr);
    const auto size = std::find_if(kSizes.begin(), kSizes.end(), [&](const Size& s) { return s.name == suffix; });
    if (size != kSizes.end() && !exponent) {
      out.value = number * static_cast<double>(size->bytes);
      int64_t count = 0;
      const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
      out.is_integer = !fraction && error == std::errc() && !__builtin_mul_overflow(count, size->bytes, &out.integer);
      out.length = end;
      return out;
    }
    if (!fraction && !exponent && digits.size() == whole_end) {
      bool overflow = false;
      if (ReadCombinedDuration(text.substr(0, end), &out, &overflow)) {
        at = end;
        if (overflow) return fail("E005", "duration out of range", "the longest is about 292y");
        out.length = end;
        return out;
      }
    } else if (fraction && !exponent && UnitIndex(suffix) >= 0) {
      const double nanoseconds = std::round(number * static_cast<double>(kUnits[UnitIndex(suffix)].nanoseconds));
      at = end;
      if (!(nanoseconds < 9.2e18)) return fail("E005", "duration out of range", "the longest is about 292y");
      out.kind = ScannedNumber::Kind::kDuration;
      out.integer = static_cast<int64_t>(nanoseconds);
      out.length = end;
      return out;
    }
    return bad_syntax("units of time are ns us ms s m h d w y, of size B KB MB GB KiB MiB GiB");
  }

  out.length = at;
  out.value = std::strtod(digits.c_str(), nullptr);
  if (!fraction && !exponent) {
    // A leading zero means octal, as Prometheus reads it, unless a digit above 7 shows that it does not.
    const bool octal = digits.size() > 1 && digits[0] == '0' && digits.find_first_of("89") == std::string::npos;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), out.integer, octal ? 8 : 10);
    out.is_integer = error == std::errc();
    if (out.is_integer) out.value = static_cast<double>(out.integer);
  }
  return out;
}

namespace {

void AppendUtf8(uint32_t rune, std::string* out) {
  if (rune < 0x80) {
    out->push_back(static_cast<char>(rune));
  } else if (rune < 0x800) {
    out->push_back(static_cast<char>(0xC0 | (rune >> 6)));
    out->push_back(static_cast<char>(0x80 | (rune & 0x3F)));
  } else if (rune < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | (rune >> 12)));
    out->push_back(static_cast<char>(0x80 | ((rune >> 6) & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (rune & 0x3F)));
  } else {
    out->push_back(static_cast<char>(0xF0 | (rune >> 18)));
    out->push_back(static_cast<char>(0x80 | ((rune >> 12) & 0x3F)));
    out->push_back(static_cast<char>(0x80 | ((rune >> 6) & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (rune & 0x3F)));
  }
}

// The escape at text[*at], which is behind the backslash. False if there is no such escape.
bool ReadEscape(std::string_view text, char quote, size_t* at, std::string* out) {
  if (*at >= text.size()) return false;
  const char c = text[(*at)++];
  constexpr std::string_view kLetters = "abfnrtv\\";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\";
  if (const size_t letter = kLetters.find(c); letter != std::string_view::npos) {
    out->push_back(kMeanings[letter]);
    return true;
  }
  if (c == quote) {
    out->push_back(c);
    return true;
  }
  const auto take = [&](int count, int base, uint32_t* value) {
    for (int i = 0; i < count; ++i, ++*at) {
      if (*at >= text.size() || !IsHexDigit(text[*at]) || HexValue(text[*at]) >= base) return false;
      *value = *value * base + HexValue(text[*at]);
    }
    return true;
  };
  uint32_t value = 0;
  if (c >= '0' && c <= '7') {
    --*at;
    if (!take(3, 8, &value) || value > 255) return false;
    out->push_back(static_cast<char>(value));
    return true;
  }
  if (c == 'x') {
    if (!take(2, 16, &value)) return false;
    out->push_back(static_cast<char>(value));
    return true;
  }
  if (c == 'u' || c == 'U') {
    if (!take(c == 'u' ? 4 : 8, 16, &value)) return false;
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return false;
    AppendUtf8(value, out);
    return true;
  }
  return false;
}

}  // namespace

ScannedString ScanString(std::string_view text) {
  ScannedString out;
  const char quote = text[0];
  size_t at = 1;
  while (at < text.size() && text[at] != quote) {
    if (quote != '`' && text[at] == '\n') break;
    if (quote != '`' && text[at] == '\\') {
      const size_t start = at++;
      if (!ReadEscape(text, quote, &at, &out.value)) {
        if (at >= text.size()) break;
        out.code = "E004";
        out.error = "unknown escape sequence in string";
        out.error_offset = start;
        out.error_length = std::max<size_t>(2, at - start);
        out.length = at;
        return out;
      }
      continue;
    }
    out.value.push_back(text[at++]);
  }
  if (at >= text.size() || text[at] != quote) {
    out.code = "E002";
    out.error = quote == '`' ? "unterminated raw string" : "unterminated quoted string";
    out.error_length = std::min(at, text.size());
    out.length = at;
    return out;
  }
  out.length = at + 1;
  return out;
}

std::string PrintNumber(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Inf" : "-Inf";
  std::array<char, 40> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), end);
}

std::string PrintDuration(Duration value) {
  if (value == 0) return "0s";
  std::string out;
  uint64_t left = value < 0 ? -static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  if (value < 0) out.push_back('-');
  for (const Unit& unit : kUnits) {
    // 7d reads better than 1w, and 365d than 1y; both read back as the same.
    if (unit.name == "y" || unit.name == "w") continue;
    const uint64_t count = left / unit.nanoseconds;
    left %= unit.nanoseconds;
    if (count > 0) out.append(std::to_string(count)).append(unit.name);
  }
  return out;
}

std::string PrintTimestamp(Timestamp value) {
  int64_t seconds = value / kSecond;
  int64_t fraction = value % kSecond;
  if (fraction < 0) {
    fraction += kSecond;
    --seconds;
  }
  int64_t days = seconds / 86400;
  int64_t second = seconds % 86400;
  if (second < 0) {
    second += 86400;
    --days;
  }
  int64_t year = 0;
  int month = 0, day = 0;
  CivilFromDays(days, &year, &month, &day);
  std::array<char, 64> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02d-%02dT%02d:%02d:%02d", static_cast<int>(year), month, day,
                static_cast<int>(second / 3600), static_cast<int>(second / 60 % 60), static_cast<int>(second % 60));
  std::string out = buffer.data();
  if (fraction != 0) {
    std::snprintf(buffer.data(), buffer.size(), ".%09d", static_cast<int>(fraction));
    std::string digits = buffer.data();
    digits.erase(digits.find_last_not_of('0') + 1);
    out += digits;
  }
  return out + "Z";
}

std::string PrintString(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          std::array<char, 8> buffer;
          std::snprintf(buffer.data(), buffer.size(), "\\x%02x", static_cast<unsigned char>(c));
          out += buffer.data();
        } else {
          out.push_back(c);
        }
    }
  }
  return out + "\"";
}

std::optional<Duration> DurationOfSeconds(double seconds) {
  const double nanoseconds = std::round(seconds * 1e9);
  if (!(nanoseconds > -9.2e18 && nanoseconds < 9.2e18)) return std::nullopt;
  return static_cast<Duration>(nanoseconds);
}

}  // namespace braid
