// Merging of sources into one part: flush (one head) and compaction (several parts).
//
// Threads: one call uses the calling thread only; sources may be read by others meanwhile.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "engine/part/part.h"

namespace braid {

// Streams every source into `writer` in the orders that part.h states, but does not call Finish. Samples of one series
// at one time: the later source's wins. Rows are never folded; those equal in the sort key stand in the order of the
// sources. Memory: one series and, per source, a few row groups. DataLoss if a block of a source is damaged.
absl::Status MergeSources(const std::vector<const Source*>& oldest_first, PartWriter* writer);

}  // namespace braid
