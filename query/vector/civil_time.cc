#include "query/vector/civil_time.h"

namespace braid::promql {

CivilTime CivilFromSeconds(int64_t seconds_since_epoch) {
  constexpr int64_t kDaySeconds = 86400;
  int64_t days = seconds_since_epoch / kDaySeconds;
  int64_t in_day = seconds_since_epoch % kDaySeconds;
  if (in_day < 0) {
    in_day += kDaySeconds;
    --days;
  }
  CivilTime civil;
  civil.hour = static_cast<int>(in_day / 3600);
  civil.minute = static_cast<int>(in_day / 60 % 60);
  civil.second = static_cast<int>(in_day % 60);
  civil.weekday = static_cast<int>(((days + 4) % 7 + 7) % 7);

  const int64_t shifted = days + 719468;  // days since 0000-03-01
  const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const int64_t day_of_era = shifted - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_from_march + 2) / 153;
  civil.day = static_cast<int>(day_from_march - (153 * month_from_march + 2) / 5 + 1);
  civil.month = static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  civil.year = year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0);

  const bool leap = (civil.year % 4 == 0 && civil.year % 100 != 0) || civil.year % 400 == 0;
  static constexpr int kMonthDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  civil.days_in_month = civil.month == 2 && leap ? 29 : kMonthDays[civil.month - 1];
  civil.day_of_year = civil.day;
  for (int month = 1; month < civil.month; ++month) {
    civil.day_of_year += month == 2 && leap ? 29 : kMonthDays[month - 1];
  }
  return civil;
}

}  // namespace braid::promql
