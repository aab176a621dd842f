// A readable account of one file of a part: its blocks, and what its own directory says is in them.
//
// Threads: a free function without state. Errors: those of opening the file; damaged blocks are lines of the account.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "engine/io/file_system.h"

namespace braid {

// Gives the lines to `add` until it returns false. `file` is the name in the part's directory, which tells the kind.
absl::Status InspectPartFile(FileSystem* fs, const std::string& dir, const std::string& file,
                             const std::function<bool(const std::string& line)>& add);

}  // namespace braid
