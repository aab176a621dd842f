// What to merge and what to remove: decisions alone, no files.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "braid/types.h"
#include "engine/db/manifest.h"

namespace braid {

struct CompactionLimits {
  // A merge makes a part so many times as large as the largest that goes into it: the cube root of how many flushes
  // wait for each other, within these bounds, so that bytes are rewritten three times. Small stores have few parts so,
  // and large ones are not rewritten more often.
  double growth_min = 3.5;  // four parts of nearly one size
  // The least where rows outnumber samples: rows are dear to write, and what finds them in a part is small, while a
  // query of series asks every part for each of them.
  double growth_min_of_rows = 7.0;
  double growth_max = 8.0;
  uint64_t flush_bytes = 0;  // what flushes write, on average; 0 = not known, as few as can be then
  // Where more neighbours than this wait for each other, less is asked for: parts of very different sizes would never
  // meet, and every part costs readers something.
  size_t waiting_parts_max = 16;
  double growth_when_many = 2.0;
  size_t merge_parts_max = 16;                  // bounds memory and open files of one merge
  uint64_t part_bytes_max = uint64_t{8} << 30;  // larger parts are left alone
  Duration span_max = 0;  // a merged part covers no more time than this; 0 = any. Keeps retention sharp.
};

// Limits that fit a retention time and a limit of disk (0 = none).
CompactionLimits LimitsFor(Duration retention, uint64_t disk_bytes_max);

// The next merge as [begin, end) of `parts` (in age order), empty if none is due: of those that are due the one that
// grows most. Merges join neighbours only, so that age order stays meaningful. Of 50 flushes each byte is written 2.7
// times in all and 4 parts stand at a time (of rows: 1.9 to 2.8 times and 6 parts); of 1,000 it is 3.7 times and 10
// parts.
std::pair<size_t, size_t> PickMerge(const std::vector<PartEntry>& parts, const CompactionLimits& limits);

// Parts whose newest record is older than `newest` - retention. `clock` bounds `newest` by a day ahead of the machine's
// clock, so that one record from a far future does not empty the store; the clock alone never removes anything.
std::vector<size_t> PickExpired(const std::vector<PartEntry>& parts, Timestamp newest, Timestamp clock,
                                Duration retention);

// The oldest parts (by their newest record) to remove until parts and `other_bytes` fit into `bytes_max` (0 = any).
std::vector<size_t> PickOverBudget(const std::vector<PartEntry>& parts, uint64_t other_bytes, uint64_t bytes_max);

}  // namespace braid
