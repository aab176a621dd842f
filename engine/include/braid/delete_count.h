// How much a delete would remove.
//
// Threads: pure function.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "braid/delete_spec.h"
#include "braid/snapshot.h"

namespace braid {

// The samples, log records or spans of the snapshot that the spec chooses: what DB::Delete would remove if nothing were
// written in between. Reads them. Rows of damaged blocks are not counted. InvalidArgument for a bad spec.
absl::StatusOr<uint64_t> CountChosen(const Snapshot& snapshot, const DeleteSpec& spec);

}  // namespace braid
