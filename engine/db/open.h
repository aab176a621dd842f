// Opening a DB over a given file system: DB::Open with the real one, tests with one that fails.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "braid/db.h"
#include "engine/io/file_system.h"

namespace braid {

// REQUIRES: `fs` outlives the DB. Otherwise as DB::Open.
absl::StatusOr<std::unique_ptr<DB>> OpenDB(const Options& options, const std::string& path, FileSystem* fs);

}  // namespace braid
