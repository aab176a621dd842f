#include "engine/db/compaction.h"

#include <algorithm>
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

}  // namespace

CompactionLimits LimitsFor(Duration retention, uint64_t disk_bytes_max) {
  CompactionLimits limits;
  // Removing a part is then a small step, and a merge takes little room besides.
  if (disk_bytes_max > 0) limits.part_bytes_max = std::min(limits.part_bytes_max, disk_bytes_max / 8);
  if (retention > 0) limits.span_max = std::max(retention / kRetentionSteps, kHour);
  return limits;
}

std::pair<size_t, size_t> PickMerge(const std::vector<PartEntry>& parts, const CompactionLimits& limits) {
  std::pair<size_t, size_t> best{0, 0};
  double best_score = 0;
  for (size_t begin = 0; begin < parts.size(); ++begin) {
    uint64_t sum = 0, largest = 0;
    TimeRange span{kMaxTimestamp, kMinTimestamp};
    const size_t stop = std::min(parts.size(), begin + limits.merge_parts_max);
    for (size_t end = begin; end < stop; ++end) {
      const PartEntry& part = parts[end];
      if (part.bytes > limits.part_bytes_max / 2) break;
      sum += part.bytes;
      largest = std::max(largest, part.bytes);
      span = {std::min(span.start, part.time.start), std::max(span.end, part.time.end)};
      if (sum > limits.part_bytes_max) break;
      // A part that is wider by itself (late data) may not grow wider, but may be joined by what lies inside of it.
      if (limits.span_max > 0 && !span.empty() && Plus(span.start, limits.span_max) < span.end) break;
      const size_t count = end - begin + 1;
      if (count < limits.merge_parts) continue;
      if (static_cast<double>(largest) >
          static_cast<double>(sum - largest) * limits.similar / (limits.merge_parts - 1)) {
        continue;
      }
      // Many small parts first: they cost readers most and a merge least.
      const double score = static_cast<double>(count) / (static_cast<double>(sum) + 1);
      if (best.second == 0 || score > best_score) {
        best = {begin, end + 1};
        best_score = score;
      }
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
