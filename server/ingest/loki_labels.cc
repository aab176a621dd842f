// The label string of a Loki stream.
//
//   labels = "{" [ pair { "," pair } [ "," ] ] "}"    pair = name "=" string    name = letter { letter | digit | _ . :
//   - } string = '"' { character | escape } '"'  |  '`' { character } '`'           spaces between all of them
#include "server/ingest/ingest_limits.h"
#include "server/ingest/loki_push.h"

namespace braid::ingest {
namespace {

bool IsNameCharacter(char c) {
  // Loki cleans names to Prometheus' letters; agents that send OpenTelemetry's dotted ones are understood too.
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == ':' || c == '-';
}

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out->push_back(static_cast<char>(0xc0 | code >> 6));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else if (code < 0x10000) {
    out->push_back(static_cast<char>(0xe0 | code >> 12));
    out->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else {
    out->push_back(static_cast<char>(0xf0 | code >> 18));
    out->push_back(static_cast<char>(0x80 | (code >> 12 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  }
}

class LabelParser {
 public:
  explicit LabelParser(std::string_view text) : text_(text) {}

  bool Parse(std::vector<std::pair<std::string, std::string>>* labels) {
    if (!Take('{')) return false;
    while (!Take('}')) {
      std::string name, value;
      SkipSpaces();
      while (at_ < text_.size() && IsNameCharacter(text_[at_])) name.push_back(text_[at_++]);
      if (name.empty() || !Take('=') || !ReadString(&value)) return false;
      labels->emplace_back(std::move(name), std::move(value));
      if (Take(',')) continue;
      if (!Take('}')) return false;
      break;
    }
    SkipSpaces();
    return at_ == text_.size();
  }

 private:
  void SkipSpaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || (text_[at_] >= '\t' && text_[at_] <= '\r'))) ++at_;
  }
  bool Take(char c) {
    SkipSpaces();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool ReadDigits(int count, uint32_t base, uint32_t* number) {
    *number = 0;
    for (int i = 0; i < count; ++i) {
      const uint32_t digit = at_ < text_.size() ? static_cast<uint32_t>(DigitOf(text_[at_++])) : 99;
      if (digit >= base) return false;
      *number = *number * base + digit;
    }
    return true;
  }
  bool ReadString(std::string* value) {
    SkipSpaces();
    if (at_ >= text_.size()) return false;
    const char quote = text_[at_++];
    if (quote != '"' && quote != '`') return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == quote) return true;
      if (c != '\\' || quote == '`') {
        value->push_back(c);
      } else if (!ReadEscape(value)) {
        return false;
      }
    }
    return false;
  }
  bool ReadEscape(std::string* value) {
    if (at_ >= text_.size()) return false;
    const char c = text_[at_++];
    constexpr std::string_view kLetters = "abfnrtv\\\"'", kMeanings = "\a\b\f\n\r\t\v\\\"'";
    if (const size_t letter = kLetters.find(c); letter != std::string_view::npos) {
      value->push_back(kMeanings[letter]);
      return true;
    }
    uint32_t code = 0;
    if (c == 'x') {
      if (!ReadDigits(2, 16, &code)) return false;
      value->push_back(static_cast<char>(code));
      return true;
    }
    if (c >= '0' && c <= '7') {
      --at_;
      if (!ReadDigits(3, 8, &code) || code > 255) return false;
      value->push_back(static_cast<char>(code));
      return true;
    }
    if (c != 'u' && c != 'U') return false;
    if (!ReadDigits(c == 'u' ? 4 : 8, 16, &code) || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    AppendUtf8(code, value);
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

bool ParseLokiLabels(std::string_view text, std::vector<std::pair<std::string, std::string>>* labels) {
  labels->clear();
  if (text.size() > kLineBytesMax) return false;
  return LabelParser(text).Parse(labels);
}

}  // namespace braid::ingest
