// Copying a store that may be written to meanwhile, over a given file system: what braid/backup.h stands on.
//
// Threads: one copy at a time per target. Errors: as braid/backup.h says.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "engine/io/file_system.h"

namespace braid {

// `link`: files of parts become hard links where that is possible.
absl::Status CopyStore(FileSystem* fs, const std::string& from, const std::string& to, bool link);

}  // namespace braid
