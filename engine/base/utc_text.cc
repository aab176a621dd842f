#include "engine/base/utc_text.h"

#include <cstdio>
#include <ctime>

namespace braid {

std::string UtcText(Timestamp time) {
  int64_t seconds = time / kSecond;
  int64_t fraction = time % kSecond;
  if (fraction < 0) {
    fraction += kSecond;
    --seconds;
  }
  const time_t at = static_cast<time_t>(seconds);
  tm parts{};
  gmtime_r(&at, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  std::string result = text;
  if (fraction != 0) {
    std::snprintf(text, sizeof text, ".%09lld", static_cast<long long>(fraction));
    std::string digits = text;
    // Whole groups of three digits: milliseconds, microseconds or nanoseconds.
    while (digits.size() > 4 && digits.compare(digits.size() - 3, 3, "000") == 0) digits.resize(digits.size() - 3);
    result += digits;
  }
  return result + "Z";
}

}  // namespace braid
