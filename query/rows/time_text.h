// Times and durations that a caller binds to parameters, or that stand in quotes beside a time.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "braid/types.h"

namespace braid {

// How the two are written, for hints.
inline constexpr char kTimeHint[] = "write 2026-01-31T10:00:00Z, or the seconds since 1970";
inline constexpr char kDurationHint[] = "write 500ms, 1.5s or 1h30m";

// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size as the ingest of JSON lines does:
// below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds.
std::optional<Timestamp> TimeOfEpoch(int64_t number);
std::optional<Timestamp> TimeOfEpoch(double number);

// RFC 3339 (a space may stand for the T), or a number since 1970. The whole of `text`.
std::optional<Timestamp> TimeOfText(std::string_view text);

// A duration of the language: 500ms, 1h30m, -5m. The whole of `text`.
std::optional<Duration> DurationOfText(std::string_view text);

}  // namespace braid
