// `braid query` on a terminal without a query: questions one after the other.
#pragma once

#include <string>

#include "tools/command.h"

namespace braid {

int RunQueryShell(const QuerySettings& settings);

// True if more lines can make a query of `text`: it ends where something is still open or expected.
bool IsUnfinished(const std::string& text);

// The lines of a statement as one, comments left out, as the history keeps it.
std::string OneLine(const std::string& text);

}  // namespace braid
