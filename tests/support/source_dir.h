// Where the project's own files are: cases, golden files and documents that tests read.
#pragma once

#include <filesystem>

namespace braid {

std::filesystem::path SourceDir();

}  // namespace braid
