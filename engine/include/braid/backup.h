// Copies of a store: made while it is written to, and put back.
//
// Threads: free functions without state. Errors: NotFound = no store there; FailedPrecondition = the target is not an
// empty directory; InvalidArgument = it lies in the store, elsewhere than in snapshots/; DataLoss = what is copied is
// damaged; else the file system's. After an error the target holds no store, and what was copied is removed again.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace braid {

// Copies the store at `path` to `target`, which must not exist or be empty, and syncs it: everything acknowledged
// before the call, whole batches only. The store may be open and written to, also by another process. Files of parts
// become hard links where the file system allows (they never change), so that a backup on the same disk costs little;
// the WAL is copied. What lies in quarantine/ is left out.
absl::Status BackupStore(const std::string& path, const std::string& target);

// Verifies the backup as VerifyStore does, then copies it to `path`, which must not exist or be empty. The store is
// independent of the backup. `progress` (may be null) is called with bytes verified and bytes in all.
absl::Status RestoreStore(const std::string& backup, const std::string& path,
                          const std::function<void(uint64_t done, uint64_t total)>& progress);

}  // namespace braid
