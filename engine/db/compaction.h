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
  size_t merge_parts = 4;                       // neighbours of similar size that make a merge worth while
  size_t merge_parts_max = 16;                  // bounds memory and open files of one merge
  double similar = 3.0;                         // "similar": no part is larger than the sum of the others times this
  uint64_t part_bytes_max = uint64_t{8} << 30;  // larger parts are left alone
  Duration span_max = 0;  // a merged part covers no more time than this; 0 = any. Keeps retention sharp.
};

// Limits that fit a retention time and a limit of disk (0 = none).
CompactionLimits LimitsFor(Duration retention, uint64_t disk_bytes_max);

// The next merge as [begin, end) of `parts` (in age order), empty if none is due. Merges join neighbours only, so that
// age order stays meaningful. Size-tiered: each byte is rewritten about log4(store / flush) times.
std::pair<size_t, size_t> PickMerge(const std::vector<PartEntry>& parts, const CompactionLimits& limits);

// Parts whose newest record is older than `newest` - retention. `clock` bounds `newest` by a day ahead of the machine's
// clock, so that one record from a far future does not empty the store; the clock alone never removes anything.
std::vector<size_t> PickExpired(const std::vector<PartEntry>& parts, Timestamp newest, Timestamp clock,
                                Duration retention);

// The oldest parts (by their newest record) to remove until parts and `other_bytes` fit into `bytes_max` (0 = any).
std::vector<size_t> PickOverBudget(const std::vector<PartEntry>& parts, uint64_t other_bytes, uint64_t bytes_max);

}  // namespace braid
