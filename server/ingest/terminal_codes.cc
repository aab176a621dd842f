#include "server/ingest/terminal_codes.h"

namespace braid::ingest {

std::string StripTerminalCodes(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  size_t at = 0;
  while (at < text.size()) {
    if (text[at] != '\x1b' || at + 1 >= text.size()) {
      if (text[at] != '\x1b') plain.push_back(text[at]);
      ++at;
      continue;
    }
    const char kind = text[at + 1];
    if (kind == '[') {
      // Parameters and intermediates (0x20 to 0x3f), then one final byte.
      at += 2;
      while (at < text.size() && text[at] >= 0x20 && text[at] <= 0x3f) ++at;
      if (at < text.size() && text[at] >= 0x40 && text[at] <= 0x7e) ++at;
    } else if (kind == ']') {
      // Ends with BEL or ESC \. One that does not end is left as text but for its escape.
      const size_t bell = text.find('\a', at);
      const size_t terminator = text.find("\x1b\\", at + 1);
      const size_t end = bell < terminator ? bell : terminator;
      at = end == std::string_view::npos ? at + 1 : end + (end == bell ? 1 : 2);
    } else {
      at += 2;
    }
  }
  return plain;
}

}  // namespace braid::ingest
