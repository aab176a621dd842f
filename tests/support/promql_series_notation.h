// The notation of series in query cases: `metric{a="b"} 1 2+3x4 _x2 stale {{schema:0 count:3 buckets:[1 2]}}x5`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "braid/types.h"

namespace braid {

struct SequenceValue {
  bool omitted = false;
  double value = 0;
  std::optional<Histogram> histogram;
  bool hint_given = false;  // the text names a counter_reset_hint
};

struct SeriesNotation {
  Labels labels;
  std::vector<SequenceValue> values;
};

// Nothing for text that is no series; `*error` says why.
std::optional<SeriesNotation> ParseSeriesNotation(std::string_view text, std::string* error);
// A number as an expression writes it: 1e3, 0x1f, Inf, NaN.
std::optional<double> ParseNotationNumber(std::string_view text);
// 5m, 1h30m, 10s53ms, 300 (seconds).
std::optional<Duration> ParseNotationDuration(std::string_view text);
// Reads a quoted string at the front of `*text`, which moves on behind it.
std::optional<std::string> TakeQuoted(std::string_view* text);

}  // namespace braid
