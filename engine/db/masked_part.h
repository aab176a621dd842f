// A part without what was deleted since it was written. Merges read it like any Source, and so leave the rows out for
// good.
//
// Threads and ownership: as Source; shares the part.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "braid/delete_spec.h"
#include "engine/part/part.h"

namespace braid {

// Counts, ranges and columns may still tell of deleted rows; scans never do. REQUIRES: CheckDeleteSpec of each was OK.
std::shared_ptr<const Source> MaskPart(std::shared_ptr<const Part> part, std::vector<DeleteSpec> deletes);

// Does the part hold anything that the delete removes? Where a damaged block keeps that from being known: yes.
absl::StatusOr<bool> HoldsDeleted(const Part& part, const DeleteSpec& spec);

}  // namespace braid
