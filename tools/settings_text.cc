// Words and times as people type them on the command line.
#include <chrono>
#include <cstdio>
#include <ctime>
#include <charconv>
#include <cmath>

#include "tools/command.h"

namespace braid {
namespace {

constexpr Duration kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

bool ReadInt(std::string_view text, int64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// 2026-01-31T10:00:00[.fraction](Z|+hh:mm), also with a space for the T or only the date.
bool ParseRfc3339(std::string_view text, Timestamp* time) {
  const auto number = [&text](size_t at, size_t digits, int64_t* value) {
    return text.size() >= at + digits && ReadInt(text.substr(at, digits), value);
  };
  int64_t year, month, day, hour = 0, minute = 0, second = 0;
  if (!number(0, 4, &year) || !number(5, 2, &month) || !number(8, 2, &day) || text[4] != '-' || text[7] != '-') return false;
  Duration fraction = 0, zone = 0;
  if (text.size() > 10) {
    if ((text[10] != 'T' && text[10] != ' ') || !number(11, 2, &hour) || !number(14, 2, &minute) || text[13] != ':') return false;
    std::string_view rest = text.substr(16);
    if (rest.size() >= 3 && rest[0] == ':') {
      if (!ReadInt(rest.substr(1, 2), &second)) return false;
      rest.remove_prefix(3);
    }
    if (!rest.empty() && rest[0] == '.') {
      Duration unit = kSecond;
      rest.remove_prefix(1);
      while (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
        unit /= 10;
        fraction += (rest[0] - '0') * unit;
        rest.remove_prefix(1);
      }
    }
    if (rest.size() == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':') {
      int64_t hours, minutes;
      if (!ReadInt(rest.substr(1, 2), &hours) || !ReadInt(rest.substr(4, 2), &minutes)) return false;
      zone = (hours * kHour + minutes * kMinute) * (rest[0] == '-' ? -1 : 1);
    } else if (rest != "Z" && rest != "z" && !rest.empty()) {
      return false;
    }
  }
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60 || year < 1678 || year > 2261) return false;
  tm parts{};
  parts.tm_year = static_cast<int>(year - 1900);
  parts.tm_mon = static_cast<int>(month - 1);
  parts.tm_mday = static_cast<int>(day);
  parts.tm_hour = static_cast<int>(hour);
  parts.tm_min = static_cast<int>(minute);
  parts.tm_sec = static_cast<int>(second);
  *time = static_cast<Timestamp>(timegm(&parts)) * kSecond + fraction - zone;
  return true;
}

}  // namespace

bool ParseDurability(const std::string& text, Durability* durability) {
  if (text == "durable") *durability = Durability::kDurable;
  else if (text == "buffered") *durability = Durability::kBuffered;
  else if (text == "memory") *durability = Durability::kMemory;
  else return false;
  return true;
}

bool ParseRecovery(const std::string& text, Recovery* recovery) {
  if (text == "refuse") *recovery = Recovery::kRefuse;
  else if (text == "point-in-time") *recovery = Recovery::kPointInTime;
  else if (text == "salvage") *recovery = Recovery::kSalvage;
  else return false;
  return true;
}

bool ParseDurationText(const std::string& text, Duration* duration) {
  std::string_view rest = text;
  Duration sum = 0;
  if (rest.empty()) return false;
  while (!rest.empty()) {
    size_t digits = 0;
    while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9') ++digits;
    int64_t count;
    if (!ReadInt(rest.substr(0, digits), &count)) return false;
    rest.remove_prefix(digits);
    size_t letters = 0;
    while (letters < rest.size() && (rest[letters] < '0' || rest[letters] > '9')) ++letters;
    const std::string_view unit = rest.substr(0, letters);
    rest.remove_prefix(letters);
    Duration scale;
    if (unit == "ns") scale = 1;
    else if (unit == "us" || unit == "µs") scale = 1000;
    else if (unit == "ms") scale = kMillisecond;
    else if (unit == "s") scale = kSecond;
    else if (unit == "m") scale = kMinute;
    else if (unit == "h") scale = kHour;
    else if (unit == "d") scale = kDay;
    else if (unit == "w") scale = 7 * kDay;
    else if (unit == "y") scale = 365 * kDay;
    else return false;
    if (__builtin_mul_overflow(count, scale, &count) || __builtin_add_overflow(sum, count, &sum)) return false;
  }
  *duration = sum;
  return true;
}

bool ParseTimeText(const std::string& text, Timestamp now, Timestamp* time) {
  if (text == "now") {
    *time = now;
    return true;
  }
  std::string_view rest = text;
  if (rest.substr(0, 3) == "now") rest.remove_prefix(3);
  Duration back;
  if (!rest.empty() && rest[0] == '-' && ParseDurationText(std::string(rest.substr(1)), &back)) {
    *time = now - back;
    return true;
  }
  if (ParseRfc3339(text, time)) return true;
  double seconds;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || !(std::abs(seconds) < 9.2e9)) return false;
  *time = static_cast<Timestamp>(std::llround(seconds * 1e3)) * kMillisecond;
  return true;
}

Timestamp Now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

int Fail(const std::string& message) {
  std::fprintf(stderr, "braid: %s\n", message.c_str());
  return 1;
}

}  // namespace braid
