#include "tests/support/source_dir.h"

namespace braid {

std::filesystem::path SourceDir() { return BRAID_SOURCE_DIR; }

}  // namespace braid
