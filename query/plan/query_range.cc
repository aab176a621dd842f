#include "query/plan/query_range.h"

#include <charconv>
#include <limits>
#include <optional>
#include <string>

#include "query/plan/plan_builder.h"
#include "query/rows/time_text.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

constexpr int kStepsWanted = 250;
// More steps than this help nobody and cost memory; Prometheus has the same limit.
constexpr int64_t kStepsMax = 11'000;

absl::StatusOr<Timestamp> TimeOf(const TimeExpr& time, const QueryOptions& options) {
  switch (time.base) {
    case TimeExpr::Base::kNow: return options.now;
    case TimeExpr::Base::kRelative: return Moved(options.now, -time.value);
    case TimeExpr::Base::kAbsolute: return time.value;
    case TimeExpr::Base::kParam: break;
  }
  const auto found = options.params.find(time.param);
  if (found == options.params.end()) {
    return MakeError(QueryError{"E065", "no value was given for $" + time.param, 1, 1, 1, "pass it with the query"});
  }
  std::optional<Timestamp> moment;
  if (const auto* integer = std::get_if<int64_t>(&found->second)) {
    moment = TimeOfEpoch(*integer);
  } else if (const auto* number = std::get_if<double>(&found->second)) {
    moment = TimeOfEpoch(*number);
  } else if (const auto* text = std::get_if<std::string>(&found->second)) {
    const auto back = text->empty() || text->front() != '-' ? std::nullopt : DurationOfText(*text);
    if (*text == "now") {
      moment = options.now;
    } else if (back) {
      moment = Moved(options.now, *back);
    } else {
      moment = TimeOfText(*text);
    }
  }
  if (moment) return *moment;
  return MakeError(QueryError{"E065", "$" + time.param + " is not a time", 1, 1, 1,
                              "a time is 2026-01-31T10:00:00Z, now, -1h, or seconds, ms, us or ns since 1970"});
}

}  // namespace

Duration DefaultStep(Duration range) {
  static constexpr Duration kHour = 3600 * kSecond;
  static constexpr Duration kSteps[] = {1 * kMillisecond,   2 * kMillisecond,
                                        5 * kMillisecond,   10 * kMillisecond,
                                        20 * kMillisecond,  50 * kMillisecond,
                                        100 * kMillisecond, 200 * kMillisecond,
                                        500 * kMillisecond, 1 * kSecond,
                                        2 * kSecond,        5 * kSecond,
                                        10 * kSecond,       15 * kSecond,
                                        30 * kSecond,       60 * kSecond,
                                        120 * kSecond,      300 * kSecond,
                                        600 * kSecond,      900 * kSecond,
                                        1800 * kSecond,     kHour,
                                        2 * kHour,          3 * kHour,
                                        6 * kHour,          12 * kHour};
  const Duration wanted = range / kStepsWanted;
  for (const Duration step : kSteps) {
    if (step >= wanted) return step;
  }
  const Duration day = 24 * kHour;
  return (wanted + day - 1) / day * day;
}

absl::StatusOr<QueryRange> RangeOf(const QueryAst& query, const QueryOptions& options) {
  QueryRange range;
  range.end = options.end.value_or(options.now);
  range.start = options.start.value_or(Moved(range.end, -3600 * kSecond));
  range.step = options.step.value_or(0);
  if (query.over) {
    ASSIGN_OR_RETURN(range.start, TimeOf(query.over->start, options));
    ASSIGN_OR_RETURN(range.end, TimeOf(query.over->end, options));
    if (query.over->step) range.step = *query.over->step;
  }
  if (range.end < range.start) {
    return MakeError(QueryError{"E067", "the range ends before it starts", 1, 1, 1, "start first: over -1h..now"});
  }
  if (range.step < 0) return MakeError(QueryError{"E067", "the step is negative", 1, 1, 1, ""});
  const __int128 length = static_cast<__int128>(range.end) - range.start;
  if (range.step == 0) {
    range.step = DefaultStep(length > std::numeric_limits<Duration>::max() ? std::numeric_limits<Duration>::max()
                                                                           : static_cast<Duration>(length));
  }
  if (length / range.step > kStepsMax) {
    return MakeError(QueryError{"E067", "the range has more than " + std::to_string(kStepsMax) + " steps", 1, 1, 1,
                                "take a longer step or a shorter range"});
  }
  return range;
}

}  // namespace braid
