// What the terminal can do, and text made fit for it.
#pragma once

#include <string>
#include <string_view>

#include "braid/types.h"

namespace braid {

bool IsTerminal(int fd);
// Columns of the terminal at `fd`; 0 if it is none.
int TerminalWidth(int fd);
// Colour is used on a terminal unless NO_COLOR is set or TERM is "dumb".
bool UseColour(int fd);

enum class Colour { kPlain, kBold, kDim, kRed, kYellow, kGreen, kCyan };
// `text` in the colour, or as it is if `on` is false.
std::string Paint(std::string_view text, Colour colour, bool on);

// A query error as Format makes it, with its head and its underline in red.
std::string PaintError(const std::string& error, bool on);

// "1.2 MB", "96,623", "1.24s" / "350ms" / "12.3µs" / "2h 5m".
std::string ReadableBytes(uint64_t bytes);
std::string ReadableCount(uint64_t count);
// "1 span", "96,623 spans"; `noun` is one, and takes an s for more.
std::string ReadableCount(uint64_t count, std::string_view noun);
std::string ReadableDuration(Duration duration);

// Display width in columns: code points, East Asian wide ones counted double.
size_t DisplayWidth(std::string_view text);
// Control characters (line feeds, escapes) made visible, so that data can neither break lines nor steer the terminal.
std::string Printable(std::string_view text);
// At most `width` columns, the last one '…' if cut. REQUIRES: `text` is Printable.
std::string Shorten(std::string_view text, size_t width);

}  // namespace braid
