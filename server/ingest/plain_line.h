// What a line of free text shows of its time and level.
//
// Threads: pure functions.
#pragma once

#include <string_view>

#include "braid/types.h"

namespace braid::ingest {

// Time that a line shows: at its start (RFC 3339 and its relatives, syslog's "Nov 30 15:04:05", klog's "E1130
// 15:04:05.000000"), or in brackets as web servers write it. A time without a year is of the year that brings it
// closest to `now`; one without a zone is UTC. False if there is none.
bool FindLineTime(std::string_view line, Timestamp now, Timestamp* time);
// Level that a line shows: a word in capitals near its start, in brackets or behind "level=", a first word before a
// colon ("error: ..."), klog's first letter.
Level FindLineLevel(std::string_view line);

}  // namespace braid::ingest
