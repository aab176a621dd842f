#include "engine/db/compaction.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace braid {
namespace {

constexpr Duration kHour = 3600 * kSecond;
constexpr Duration kClockSlack = 24 * kHour;
// Retention is kept to within this fraction of itself.
constexpr int kRetentionSteps = 10;

Timestamp Minus(Timestamp time, Duration duration) {
  Timestamp result;
  return __builtin_sub_overflow(time, duration, &result) ? kMinTimestamp : result;
}
Timestamp Plus(Timestamp time, Duration duration) {
  Timestamp result;
  return __builtin_add_overflow(time, duration, &result) ? kMaxTimestamp : result;
}

constexpr TimeRange kNoTime{kMaxTimestamp, kMinTimestamp};

// May the part be merged with those whose times `*span` holds? Then `*span` holds its times too.
bool MayJoin(const PartEntry& part, const CompactionLimits& limits, TimeRange* span) {
  if (part.bytes > limits.part_bytes_max / 2) return false;
  const TimeRange joined{std::min(span->start, part.time.start), std::max(span->end, part.time.end)};
  // A part that is wider by itself (late data) may not grow wider, but may be joined by what lies inside of it.
  if (limits.span_max > 0 && !joined.empty() && Plus(joined.start, limits.span_max) < joined.end) return false;
  *span = joined;
  return true;
}

// For each part how much larger than it a part must be that it goes into: what fits the neighbours, itself included,
// that may be merged with each other by and by.
std::vector<double> NeededGrowth(const std::vector<PartEntry>& parts, const CompactionLimits& limits) {
  std::vector<double> growth(parts.size(), limits.growth_min);
  for (size_t begin = 0, end = 0; begin < parts.size(); begin = end) {
    TimeRange span = kNoTime;
    uint64_t bytes = 0, samples = 0, rows = 0;
    for (end = begin; end < parts.size() && MayJoin(parts[end], limits, &span); ++end) {
      bytes += parts[end].bytes;
      samples += parts[end].samples;
      rows += std::accumulate(std::begin(parts[end].rows), std::end(parts[end].rows), uint64_t{0});
    }
    end = std::max(end, begin + 1);
    const double least = rows > samples ? limits.growth_min_of_rows : limits.growth_min;
    double needed = least;
    if (limits.flush_bytes > 0) {
      needed = std::cbrt(static_cast<double>(bytes) / static_cast<double>(limits.flush_bytes));
      needed = std::clamp(needed, least, limits.growth_max);
    }
    if (end - begin > limits.waiting_parts_max) needed = limits.growth_when_many;
    std::fill(growth.begin() + static_cast<ptrdiff_t>(begin), growth.begin() + static_cast<ptrdiff_t>(end), needed);
  }
  return growth;
}

}  // namespace

CompactionLimits LimitsFor(Duration retention, uint64_t disk_bytes_max) {
  CompactionLimits limits;
  // Removing a part is then a small step, and a merge takes little room besides.
  if (disk_bytes_max > 0) limits.part_bytes_max = std::min(limits.part_bytes_max, disk_bytes_max / 8);
  if (retention > 0) limits.span_max = std::max(retention / kRetentionSteps, kHour);
  return limits;
}

std::pair<size_t, size_t> PickMerge(const std::vector<PartEntry>& parts, const CompactionLimits& limits) {
  const std::vector<double> needed = NeededGrowth(parts, limits);
  std::pair<size_t, size_t> best{0, 0};
  double best_growth = 0;
  for (size_t begin = 0; begin < parts.size(); ++begin) {
    uint64_t sum = 0, largest = 0;
    TimeRange span = kNoTime;
    const size_t stop = std::min(parts.size(), begin + limits.merge_parts_max);
    for (size_t end = begin; end < stop; ++end) {
      const PartEntry& part = parts[end];
      if (!MayJoin(part, limits, &span)) break;
      sum += part.bytes;
      largest = std::max(largest, part.bytes);
      if (sum > limits.part_bytes_max) break;
      const double growth = static_cast<double>(sum) / static_cast<double>(std::max<uint64_t>(largest, 1));
      if (growth < needed[begin] || growth <= best_growth) continue;
      best = {begin, end + 1};
      best_growth = growth;
    }
  }
  return best;
}

std::vector<size_t> PickExpired(const std::vector<PartEntry>& parts, Timestamp newest, Timestamp clock,
                                Duration retention) {
  std::vector<size_t> expired;
  if (retention <= 0 || newest == kMinTimestamp) return expired;
  const Timestamp keep_from = Minus(std::min(newest, Plus(clock, kClockSlack)), retention);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].time.empty() && parts[i].time.end < keep_from) expired.push_back(i);
  }
  return expired;
}

std::vector<size_t> PickOverBudget(const std::vector<PartEntry>& parts, uint64_t other_bytes, uint64_t bytes_max) {
  std::vector<size_t> over;
  uint64_t bytes = other_bytes;
  for (const PartEntry& part : parts) bytes += part.bytes;
  if (bytes_max == 0 || bytes <= bytes_max) return over;
  std::vector<size_t> order(parts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return parts[a].time.end < parts[b].time.end; });
  for (size_t i : order) {
    if (bytes <= bytes_max) break;
    bytes -= parts[i].bytes;
    over.push_back(i);
  }
  return over;
}

}  // namespace braid
