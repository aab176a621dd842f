// pattern(): the shape of a message, found without state and in one pass.
//
//   word    := run of letters, digits and '_'
//   number  := digits, or a word that begins with a digit and is digits with one unit ("15ms", "4KiB")
//   hex     := a word of at least 8 hex digits with at least one digit, or 0x and hex digits
//   uuid    := 8-4-4-4-12 hex digits
// Numbers keep what joins them: "10.0.0.1:80" and "1.5e-3" are one <_>; a sign belongs to a number that begins a word.

#include <string>
#include <string_view>

#include "query/rows/functions.h"
#include "query/syntax/characters.h"

namespace braid {
namespace {

bool IsWordChar(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (static_cast<unsigned char>(c) >= 0x80);
}

size_t UuidAt(std::string_view text, size_t at) {
  constexpr size_t kLength = 36;
  if (text.size() - at < kLength) return 0;
  for (size_t i = 0; i < kLength; ++i) {
    const char c = text[at + i];
    if (i == 8 || i == 13 || i == 18 || i == 23 ? c != '-' : !IsHexDigit(c)) return 0;
  }
  if (at + kLength < text.size() && IsWordChar(text[at + kLength])) return 0;
  return kLength;
}

// Does the word vary from message to message?
bool IsVariable(std::string_view word) {
  if (word.size() > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
    for (const char c : word.substr(2)) {
      if (!IsHexDigit(c)) return false;
    }
    return true;
  }
  size_t digits = 0;
  bool hex = true;
  for (const char c : word) {
    digits += IsDigit(c) ? 1 : 0;
    hex = hex && IsHexDigit(c);
  }
  if (digits == word.size()) return true;
  if (hex && digits > 0 && word.size() >= 8) return true;
  if (!IsDigit(word[0])) return false;
  // Digits and a unit of at most three letters.
  size_t leading = 0;
  while (IsDigit(word[leading])) ++leading;
  if (word.size() - leading > 3) return false;
  for (const char c : word.substr(leading)) {
    if (IsDigit(c) || c == '_') return false;
  }
  return true;
}

}  // namespace

std::string PatternOf(std::string_view text) {
  constexpr std::string_view kBlank = "<_>";
  std::string out;
  out.reserve(text.size());
  size_t at = 0;
  while (at < text.size()) {
    if (!IsWordChar(text[at])) {
      out.push_back(text[at++]);
      continue;
    }
    size_t end = at + UuidAt(text, at);
    bool variable = end > at;
    if (!variable) {
      while (end < text.size() && IsWordChar(text[end])) ++end;
      variable = IsVariable(text.substr(at, end - at));
    }
    if (!variable) {
      out.append(text.substr(at, end - at));
      at = end;
      continue;
    }
    // "3.14", "10.0.0.1:80", "14:02:59,123": parts joined by one mark are one value.
    const bool sign = !out.empty() && (out.back() == '-' || out.back() == '+') &&
                      (out.size() == 1 || out[out.size() - 2] == ' ' || out[out.size() - 2] == '=' ||
                       out[out.size() - 2] == '(' || out[out.size() - 2] == ',' || out[out.size() - 2] == ':');
    const bool joined = out.size() > kBlank.size() && (out.back() == '.' || out.back() == ':' || out.back() == ',') &&
                        std::string_view(out).substr(out.size() - 1 - kBlank.size(), kBlank.size()) == kBlank;
    if (joined) {
      out.pop_back();
    } else {
      if (sign) out.pop_back();
      out.append(kBlank);
    }
    at = end;
  }
  return out;
}

}  // namespace braid
