#include "tools/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace braid {
namespace {

// Length of the UTF-8 sequence at the front; 0 if the bytes are none.
size_t SequenceLength(std::string_view text) {
  const unsigned char lead = static_cast<unsigned char>(text[0]);
  const size_t length = lead < 0x80 ? 1 : lead >= 0xf5 ? 0 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  return length;
}

size_t CodePointWidth(std::string_view sequence) {
  if (sequence.size() < 3) return 1;
  uint32_t point = static_cast<unsigned char>(sequence[0]) & (sequence.size() == 3 ? 0x0f : 0x07);
  for (size_t i = 1; i < sequence.size(); ++i) point = (point << 6) | (static_cast<unsigned char>(sequence[i]) & 0x3f);
  const bool wide = (point >= 0x1100 && point <= 0x115f) || (point >= 0x2e80 && point <= 0xa4cf) ||
                    (point >= 0xac00 && point <= 0xd7a3) || (point >= 0xf900 && point <= 0xfaff) ||
                    (point >= 0xfe30 && point <= 0xfe6f) || (point >= 0xff00 && point <= 0xff60) ||
                    (point >= 0x1f300 && point <= 0x1faff) || (point >= 0x20000 && point <= 0x3fffd);
  return wide ? 2 : 1;
}

// Up to three significant digits, no trailing zeros.
std::string Digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value);
  if (std::strchr(text, '.') == nullptr) return text;
  std::string digits = text;
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

}  // namespace

bool IsTerminal(int fd) { return isatty(fd) == 1; }

int TerminalWidth(int fd) {
  winsize size{};
  if (!IsTerminal(fd) || ioctl(fd, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

bool UseColour(int fd) {
  const char* term = std::getenv("TERM");
  return IsTerminal(fd) && std::getenv("NO_COLOR") == nullptr && (term == nullptr || std::strcmp(term, "dumb") != 0);
}

std::string Paint(std::string_view text, Colour colour, bool on) {
  if (!on || colour == Colour::kPlain) return std::string(text);
  const char* code = "";
  switch (colour) {
    case Colour::kPlain: break;
    case Colour::kBold: code = "\x1b[1m"; break;
    case Colour::kDim: code = "\x1b[2m"; break;
    case Colour::kRed: code = "\x1b[31m"; break;
    case Colour::kYellow: code = "\x1b[33m"; break;
    case Colour::kGreen: code = "\x1b[32m"; break;
    case Colour::kCyan: code = "\x1b[36m"; break;
  }
  return std::string(code) + std::string(text) + "\x1b[0m";
}

std::string PaintError(const std::string& error, bool on) {
  if (!on) return error;
  std::string out;
  for (size_t begin = 0; begin < error.size();) {
    const size_t end = std::min(error.find('\n', begin), error.size());
    const std::string line = error.substr(begin, end - begin);
    const bool underline = line.find('^') != std::string::npos && line.find_first_not_of(" ^") == std::string::npos;
    const bool head = line.rfind("error", 0) == 0;
    const bool hint = line.find("hint:") != std::string::npos;
    out += Paint(line, underline || head ? Colour::kRed : hint ? Colour::kYellow : Colour::kPlain, !line.empty());
    if (end < error.size()) out += '\n';
    begin = end + 1;
  }
  return out;
}

std::string ReadableBytes(uint64_t bytes) {
  const char* const units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 999.5 && unit < 6) {
    value /= 1000;
    ++unit;
  }
  return Digits(value) + " " + units[unit];
}

std::string ReadableCount(uint64_t count) {
  std::string text = std::to_string(count);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

std::string ReadableCount(uint64_t count, std::string_view noun) {
  return ReadableCount(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string ReadableDuration(Duration duration) {
  if (duration == 0) return "0s";
  if (duration < 0) return duration == INT64_MIN ? "-292y" : "-" + ReadableDuration(-duration);
  const double ns = static_cast<double>(duration);
  if (ns < 999.5) return Digits(ns) + "ns";
  if (ns < 999.5e3) return Digits(ns / 1e3) + "µs";
  if (ns < 999.5e6) return Digits(ns / 1e6) + "ms";
  if (ns < 59.95e9) return Digits(ns / 1e9) + "s";
  const int64_t seconds = std::llround(ns / 1e9);
  const auto pair = [](int64_t big, const char* big_unit, int64_t small, const char* small_unit) {
    return std::to_string(big) + big_unit + (small == 0 ? "" : " " + std::to_string(small) + small_unit);
  };
  if (seconds < 3600) return pair(seconds / 60, "m", seconds % 60, "s");
  if (seconds < 86400) return pair(seconds / 3600, "h", seconds % 3600 / 60, "m");
  return pair(seconds / 86400, "d", seconds % 86400 / 3600, "h");
}

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    width += length == 0 ? 1 : CodePointWidth(text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return width;
}

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const unsigned char c = static_cast<unsigned char>(text[0]);
    const size_t length = SequenceLength(text);
    if (c == '\n') {
      out += "⏎";
    } else if (c == '\t') {
      out += ' ';
    } else if (length == 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0)) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", c);
      out += escape;
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string Shorten(std::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  std::string out;
  size_t used = 0;
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    const size_t bytes = length == 0 ? 1 : length;
    const size_t columns = length == 0 ? 1 : CodePointWidth(text.substr(0, bytes));
    if (used + columns + 1 > width) break;
    out.append(text.substr(0, bytes));
    used += columns;
    text.remove_prefix(bytes);
  }
  return out + "…";
}

}  // namespace braid
