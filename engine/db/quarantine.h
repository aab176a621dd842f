// What was set aside from a store, with the reasons.
// Threads: pure functions over a FileSystem.
#pragma once

#include <string>
#include <vector>

#include "engine/io/file_system.h"

namespace braid {

// Beside what is set aside: why.
inline constexpr char kReasonSuffix[] = ".txt";

// "path: why", one for each thing that lies in the directory, which may be missing.
std::vector<std::string> ListQuarantine(FileSystem* fs, const std::string& dir);

}  // namespace braid
