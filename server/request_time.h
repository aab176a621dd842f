// Times and durations in requests.
//
// Threads: pure functions.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "braid/types.h"

namespace braid::server {

// RFC 3339 (`2023-01-30T12:00:00Z`), a number of seconds, milliseconds, microseconds or nanoseconds since 1970 told
// apart by size (server/ingest/time_text.h), `now`, `now-1h30m`, `now+5m`.
absl::StatusOr<Timestamp> ParseRequestTime(std::string_view text, Timestamp now);
// Prometheus' form: seconds with fraction, or RFC 3339; never another unit.
absl::StatusOr<Timestamp> ParsePrometheusTime(std::string_view text);
// "15s", "1h30m", "250ms", "1.5" (seconds). Units: ns us ms s m h d w y. Positive.
absl::StatusOr<Duration> ParseRequestDuration(std::string_view text);

}  // namespace braid::server
