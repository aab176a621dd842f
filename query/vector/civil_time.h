// The proleptic Gregorian calendar in UTC. Days to date after H. Hinnant, "chrono-compatible low-level date
// algorithms".
#pragma once

#include <cstdint>

namespace braid::promql {

struct CivilTime {
  int64_t year = 1970;
  int month = 1;
  int day = 1;
  int hour = 0, minute = 0, second = 0;
  int weekday = 4;      // 0 = Sunday
  int day_of_year = 1;  // from 1
  int days_in_month = 31;
};

CivilTime CivilFromSeconds(int64_t seconds_since_epoch);

}  // namespace braid::promql
