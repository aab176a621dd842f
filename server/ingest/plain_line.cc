#include "server/ingest/plain_line.h"

#include <charconv>
#include <cstdlib>

#include "server/ingest/access_log.h"
#include "server/ingest/time_text.h"

namespace braid::ingest {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Two digits, or a space and one.
bool TwoDigits(std::string_view text, size_t at, int64_t* value) {
  if (text.size() < at + 2 || !IsDigit(text[at + 1]) || (text[at] != ' ' && !IsDigit(text[at]))) return false;
  *value = (text[at] == ' ' ? 0 : text[at] - '0') * 10 + (text[at + 1] - '0');
  return true;
}

// "15:04:05" with perhaps a fraction, as nanoseconds of the day.
bool ClockTime(std::string_view text, Duration* of_day) {
  int64_t hour, minute, second;
  if (text.size() < 8 || text[2] != ':' || text[5] != ':' || !TwoDigits(text, 0, &hour) ||
      !TwoDigits(text, 3, &minute) || !TwoDigits(text, 6, &second) || hour > 23 || minute > 59 || second > 60) {
    return false;
  }
  *of_day = (hour * 3600 + minute * 60 + second) * kSecond;
  if (text.size() > 9 && text[8] == '.') {
    Duration unit = kSecond / 10;
    for (size_t i = 9; i < text.size() && IsDigit(text[i]) && unit > 0; ++i, unit /= 10)
      *of_day += (text[i] - '0') * unit;
  }
  return true;
}

// The year that brings the day closest to `now`: a line of December read in January is of last year.
bool OfNearestYear(int64_t month, int64_t day, Duration of_day, Timestamp now, Timestamp* time) {
  static constexpr int64_t kDays[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1 || day > kDays[month - 1]) return false;
  const int64_t about = 1970 + now / kSecond / 31'556'952;
  bool found = false;
  for (int64_t year = about - 1; year <= about + 1; ++year) {
    const int64_t days = DaysFromCivil(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
    if (days > 106'000 || days < -106'000) continue;
    const Timestamp candidate = days * 86400 * kSecond + of_day;
    if (!found || std::llabs(candidate - now) < std::llabs(*time - now)) *time = candidate;
    found = true;
  }
  return found;
}

// "Nov 30 15:04:05" (RFC 3164)
bool SyslogTime(std::string_view text, Timestamp now, Timestamp* time) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  int64_t day;
  Duration of_day;
  if (text.size() < 15 || text[3] != ' ' || text[6] != ' ') return false;
  const size_t month = kMonths.find(text.substr(0, 3));
  return month != std::string_view::npos && month % 3 == 0 && TwoDigits(text, 4, &day) &&
         ClockTime(text.substr(7), &of_day) &&
         OfNearestYear(static_cast<int64_t>(month / 3 + 1), day, of_day, now, time);
}

// "E1130 15:04:05.000000    1 file.go:12] text" (klog, glog)
bool IsKlog(std::string_view text) {
  return text.size() > 14 && std::string_view("IWEF").find(text[0]) != std::string_view::npos && text[5] == ' ' &&
         text[8] == ':' && text[11] == ':' && text.find("] ") != std::string_view::npos;
}

bool KlogTime(std::string_view text, Timestamp now, Timestamp* time) {
  int64_t month, day;
  Duration of_day;
  return IsKlog(text) && IsDigit(text[1]) && IsDigit(text[3]) && TwoDigits(text, 1, &month) &&
         TwoDigits(text, 3, &day) && ClockTime(text.substr(6), &of_day) && OfNearestYear(month, day, of_day, now, time);
}

constexpr size_t kLookBytes = 128;  // how far into a line its time and level are looked for

}  // namespace

bool FindLineTime(std::string_view line, Timestamp now, Timestamp* time) {
  line = line.substr(0, kLookBytes);
  size_t start = 0, length;
  while (start < line.size() && (line[start] == ' ' || line[start] == '[' || line[start] == '"')) ++start;
  if (ParseTimePrefix(line.substr(start), time, &length)) return true;
  if (SyslogTime(line.substr(start), now, time) || KlogTime(line, now, time)) return true;
  for (size_t open = line.find('['); open != std::string_view::npos; open = line.find('[', open + 1)) {
    const std::string_view inside = line.substr(open + 1);
    if (ParseAccessTime(inside, time) || ParseTimePrefix(inside, time, &length)) return true;
  }
  return false;
}

Level FindLineLevel(std::string_view line) {
  line = line.substr(0, kLookBytes);
  if (IsKlog(line)) {
    const char letter = line[0];
    return letter == 'I' ? Level::kInfo : letter == 'W' ? Level::kWarn : letter == 'E' ? Level::kError : Level::kFatal;
  }
  size_t at = 0;
  while (at < line.size()) {
    while (at < line.size() && !((line[at] | 0x20) >= 'a' && (line[at] | 0x20) <= 'z')) ++at;
    const size_t start = at;
    while (at < line.size() && (line[at] | 0x20) >= 'a' && (line[at] | 0x20) <= 'z') ++at;
    const std::string_view word = line.substr(start, at - start);
    // Levels are written in capitals, in brackets or behind "level="; the word "error" in a sentence is no level.
    bool capitals = word.size() >= 4;
    for (char c : word) capitals = capitals && c >= 'A' && c <= 'Z';
    const bool bracketed = start > 0 && at < line.size() &&
                           ((line[start - 1] == '[' && line[at] == ']') || (line[start - 1] == '<' && line[at] == '>'));
    const bool named = line.substr(0, start).ends_with("level=") || line.substr(0, start).ends_with("level=\"");
    const bool first = start == 0 && at < line.size() && line[at] == ':';
    Level level;
    if ((capitals || bracketed || named || first) && word.size() <= 11 && ParseLevel(word, &level)) return level;
  }
  return Level::kUnset;
}

}  // namespace braid::ingest
