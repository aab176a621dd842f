// Reading the times that logs and clients write.
//
// Threads: pure functions. Errors: false, leaving the result alone.
#pragma once

#include <string_view>

#include "braid/types.h"

namespace braid::ingest {

// RFC 3339 and its common relatives: `2023-01-30T11:58:52.797987762Z`, a space for the T, a comma for the point
// (Python's asctime), offsets `+02:00`, `+0200`, `+02`; no offset means UTC. Date alone is midnight. The whole of
// `text`.
bool ParseTimeText(std::string_view text, Timestamp* time);

// Such a time at the start of `text`; `*length` is what it took. For lines that begin with their time.
bool ParseTimePrefix(std::string_view text, Timestamp* time, size_t* length);

// A number of seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size: below 1e11 seconds
// (until year 5138), below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds.
bool TimeOfNumber(int64_t number, Timestamp* time);
bool TimeOfNumber(double number, Timestamp* time);

// Either of the two.
bool ParseAnyTime(std::string_view text, Timestamp* time);

// Days since 1970-01-01 in the proleptic Gregorian calendar. REQUIRES: 1 <= month <= 12.
int64_t DaysFromCivil(int64_t year, unsigned month, unsigned day);

}  // namespace braid::ingest
