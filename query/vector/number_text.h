// Numbers as text in the forms that Prometheus uses in labels and messages.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "braid/types.h"

namespace braid::promql {

// Shortest form that reads back the same; an exponent from 1e+06 on and below 1e-04: "0.1", "1e+06", "+Inf", "NaN".
std::string GeneralText(double value);
// Shortest digits without exponent: "1000000", "+Inf". The label value of count_values.
std::string FixedText(double value);
void AppendFixedText(double value, std::string* out);
// As GeneralText, with ".0" behind a whole number. The label value of histogram_quantiles.
std::string OpenMetricsText(double value);
// Two significant digits, without trailing zeros.
std::string TwoDigitText(double value);
// The text in double quotes with control bytes, quotes and bytes outside UTF-8 escaped.
std::string QuotedText(std::string_view text);
// 2026-01-31T10:00:00Z.
std::string Rfc3339Text(Timestamp time);

// A float as the `le` label holds it: any case of inf and nan, a leading plus. Nothing for other text.
std::optional<double> ParseFloatText(std::string_view text);

// Seconds since the epoch. Exact to the last bit for whole milliseconds.
double Seconds(int64_t nanoseconds);

}  // namespace braid::promql
