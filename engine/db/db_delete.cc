// Deletes: which parts they concern, and their place in the manifest.
#include <algorithm>

#include "engine/base/memory_guard.h"
#include "engine/base/status_macros.h"
#include "engine/db/db_impl.h"
#include "engine/db/delete_spec.h"
#include "engine/db/masked_part.h"

namespace braid {
namespace {

// Each part that a delete concerns is read through it until it is rewritten.
constexpr size_t kDeletesMax = 1000;
// How often parts that were merged meanwhile are looked at again, before they are taken to be concerned.
constexpr int kFindAttempts = 3;

}  // namespace

absl::Status DBImpl::Delete(const std::vector<DeleteSpec>& specs) try {
  for (const DeleteSpec& spec : specs) RETURN_IF_ERROR(CheckDeleteSpec(spec));
  RETURN_IF_ERROR(CheckWritable());
  if (in_memory_only()) return absl::FailedPreconditionError("a store without a path cannot delete");
  // Deletes concern parts alone, so what was written before must be in parts.
  RETURN_IF_ERROR(Flush());
  std::map<uint64_t, std::vector<bool>> known;
  for (int attempt = 0;; ++attempt) {
    RETURN_IF_ERROR(FindDeleted(specs, &known));
    ASSIGN_OR_RETURN(const bool installed, InstallDeletes(specs, known, attempt == kFindAttempts));
    if (installed) break;
  }
  merge_wanted_.notify_one();
  return absl::OkStatus();
} catch (const std::bad_alloc&) {
  return OutOfMemory("deleting");
}

absl::Status DBImpl::FindDeleted(const std::vector<DeleteSpec>& specs,
                                 std::map<uint64_t, std::vector<bool>>* known) const {
  std::vector<LivePart> parts;
  {
    std::lock_guard lock(mutex_);
    parts = parts_;
  }
  for (const LivePart& part : parts) {
    if (known->contains(part.entry.id)) continue;
    std::vector<bool> holds;
    for (const DeleteSpec& spec : specs) {
      const absl::StatusOr<bool> one = HoldsDeleted(*part.part, spec);
      // Where it cannot be read it will be read through the delete.
      if (!one.ok() && absl::IsInvalidArgument(one.status())) return one.status();
      holds.push_back(!one.ok() || *one);
    }
    known->emplace(part.entry.id, std::move(holds));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> DBImpl::InstallDeletes(const std::vector<DeleteSpec>& specs,
                                            const std::map<uint64_t, std::vector<bool>>& known, bool force) {
  std::lock_guard manifest_lock(manifest_mutex_);
  Manifest next = manifest_;
  if (next.deletes.size() + specs.size() > kDeletesMax) {
    return absl::ResourceExhaustedError("more than 1,000 deletes wait to be carried out by merges; try again later");
  }
  const uint64_t first = next.next_delete;
  bool any = false;
  for (PartEntry& part : next.parts) {
    const auto found = known.find(part.id);
    if (found == known.end() && !force) return false;  // merged or flushed since
    for (size_t i = 0; i < specs.size(); ++i) {
      if (found != known.end() && !found->second[i]) continue;
      part.deletes.push_back(first + i);
      any = true;
    }
  }
  if (!any) return true;
  for (size_t i = 0; i < specs.size(); ++i) next.deletes.push_back({first + i, specs[i]});
  next.next_delete += specs.size();
  RETURN_IF_ERROR(CommitManifest(next));
  const absl::Status shown = GuardMemory("deleting", [&] {
    std::lock_guard lock(mutex_);
    for (LivePart& part : parts_) {
      for (const PartEntry& entry : manifest_.parts) {
        if (entry.id != part.entry.id || entry.deletes == part.entry.deletes) continue;
        part.entry = entry;
        part.view = MaskPart(part.part, manifest_.DeletesOf(entry));
      }
    }
    ++generation_;
    return absl::OkStatus();
  });
  // It is on disk, but not in all that is shown.
  if (!shown.ok()) return Poison(shown);
  return true;
}

}  // namespace braid
