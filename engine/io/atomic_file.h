// Files that appear whole or not at all.
// Threads: pure functions over a FileSystem; two writers of one path must be kept apart by the caller.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/io/file_system.h"

namespace braid {

// What a crash may leave behind beside the file; whoever opens the directory removes files with this ending.
inline constexpr std::string_view kTempSuffix = ".tmp";

// Writes `bytes` beside `path`, syncs, renames it into place and syncs the directory. When this returns OK the new
// content is durable; whenever it fails or the machine stops, the file has its old or its new content. The only place
// that renames files.
absl::Status WriteFileAtomically(FileSystem* fs, const std::string& path, std::string_view bytes);

// Writes the file's own bytes anew, as above. After a failed sync the kernel may show bytes that are not on the disk
// and that no later sync will bring there; writing them once more does.
absl::Status RewriteFile(FileSystem* fs, const std::string& path);

// The whole file. ResourceExhausted if it is longer than `size_max`.
absl::StatusOr<std::string> ReadFile(FileSystem* fs, const std::string& path, uint64_t size_max);

}  // namespace braid
