// The escape sequences by which programs colour what they print (ECMA-48 control sequences).
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace braid::ingest {

inline bool HasTerminalCodes(std::string_view text) { return text.find('\x1b') != std::string_view::npos; }
// `text` without CSI (colours, cursor) and OSC (titles, links) sequences.
std::string StripTerminalCodes(std::string_view text);

}  // namespace braid::ingest
