// Numbers, durations, times and strings as text: reading what a token holds and writing it back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "braid/types.h"

namespace braid {

// What stands at the front of `text`. `error` is empty if it is well formed.
struct ScannedNumber {
  enum class Kind : uint8_t { kNumber, kDuration, kTimestamp } kind = Kind::kNumber;
  size_t length = 0;    // bytes read, also of a malformed one
  double value = 0;     // kNumber
  int64_t integer = 0;  // exact if is_integer; nanoseconds for the others
  bool is_integer = false;
  std::string error;
  std::string code;
  std::string hint;
};
// REQUIRES: `text` begins with a digit, or with a dot and a digit.
ScannedNumber ScanNumber(std::string_view text);

// A quoted string at the front of `text`, Go's escapes decoded. `length` holds the quotes.
struct ScannedString {
  size_t length = 0;
  std::string value;
  std::string error;
  std::string code;
  size_t error_offset = 0;
  size_t error_length = 1;
};
// REQUIRES: `text` begins with one of " ' `
ScannedString ScanString(std::string_view text);

std::string PrintNumber(double value);        // shortest text that reads back as the same double
std::string PrintDuration(Duration value);    // 1h30m; negative: -1h30m
std::string PrintTimestamp(Timestamp value);  // RFC 3339, UTC
std::string PrintString(std::string_view value);

// Nanoseconds of `seconds`, as Prometheus takes a number for a duration; nullopt if it does not fit.
std::optional<Duration> DurationOfSeconds(double seconds);

}  // namespace braid
