// A Snapshot over a list of Sources.
// Threads and ownership: as Snapshot; it shares its sources, and so do its scans.
#pragma once

#include <memory>
#include <vector>

#include "braid/snapshot.h"
#include "engine/part/source.h"

namespace braid {

using SourceList = std::vector<std::shared_ptr<const Source>>;

// `oldest_first`: where two sources have a sample of one series at one time, the later one's counts.
std::shared_ptr<const Snapshot> MakeSnapshot(SourceList oldest_first);

}  // namespace braid
