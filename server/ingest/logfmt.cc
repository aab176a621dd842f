#include "server/ingest/logfmt.h"

#include <charconv>
#include <string>
#include <vector>

#include "server/ingest/log_fields.h"

namespace braid::ingest {
namespace {

bool IsKeyByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '-' || c == '/' || c == '@';
}

struct Pair {
  std::string_view key;
  std::string_view raw;  // between the quotes, or bare
  bool quoted = false;
};

// The pair at the start of `text`; `*length` is what it takes.
bool ReadPair(std::string_view text, Pair* pair, size_t* length) {
  size_t at = 0;
  while (at < text.size() && IsKeyByte(text[at])) ++at;
  if (at == 0 || at >= text.size() || text[at] != '=') return false;
  pair->key = text.substr(0, at++);
  pair->quoted = at < text.size() && text[at] == '"';
  if (pair->quoted) {
    const size_t start = ++at;
    while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
    if (at >= text.size()) return false;
    pair->raw = text.substr(start, at - start);
    ++at;
    if (at < text.size() && text[at] != ' ') return false;
  } else {
    const size_t start = at;
    while (at < text.size() && text[at] != ' ') {
      if (text[at] == '"' || text[at] == '=') return false;
      ++at;
    }
    pair->raw = text.substr(start, at - start);
  }
  *length = at;
  return true;
}

std::string Unescape(std::string_view raw) {
  std::string text;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\' || i + 1 >= raw.size()) {
      text.push_back(raw[i]);
      continue;
    }
    const char c = raw[++i];
    text.push_back(c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c);
  }
  return text;
}

// Only numbers that print back as they were written: 007, 1e5 and +1 are texts.
ValueView TypedValue(std::string_view raw) {
  if (raw == "true" || raw == "false") return raw == "true";
  const bool plain =
      !raw.empty() && raw.size() <= 17 && raw.find_first_not_of("-.0123456789") == std::string_view::npos;
  if (!plain) return raw;
  int64_t whole;
  double real;
  const char* end = raw.data() + raw.size();
  if (const auto read = std::from_chars(raw.data(), end, whole);
      read.ec == std::errc() && read.ptr == end && ToText(ValueView(whole)) == raw) {
    return whole;
  }
  if (const auto read = std::from_chars(raw.data(), end, real);
      read.ec == std::errc() && read.ptr == end && ToText(ValueView(real)) == raw) {
    return real;
  }
  return raw;
}

}  // namespace

bool ReadLogfmt(std::string_view line, AttributeList* fields) {
  std::vector<Pair> pairs;
  while (!line.empty()) {
    Pair pair;
    size_t length;
    if (!ReadPair(line, &pair, &length)) return false;
    pairs.push_back(pair);
    line.remove_prefix(length);
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  }
  if (pairs.size() < 2) return false;
  for (const Pair& pair : pairs) {
    ValueView value = pair.raw;
    if (pair.quoted) {
      if (pair.raw.find('\\') != std::string_view::npos) value = fields->arena().Keep(Unescape(pair.raw));
    } else if (!IsIdKey(pair.key)) {
      value = TypedValue(pair.raw);
    }
    fields->Add(pair.key, value);
  }
  return true;
}

void FindIdPairs(std::string_view line, AttributeList* fields) {
  for (size_t equals = line.find('='); equals != std::string_view::npos; equals = line.find('=', equals + 1)) {
    size_t start = equals;
    while (start > 0 && IsKeyByte(line[start - 1])) --start;
    const std::string_view key = line.substr(start, equals - start);
    if (key.empty() || !IsIdKey(key)) continue;
    std::string_view value = line.substr(equals + 1);
    if (!value.empty() && (value.front() == '"' || value.front() == '\'')) value.remove_prefix(1);
    size_t end = 0;
    while (end < value.size() && (IsKeyByte(value[end]) || value[end] == ':')) ++end;
    if (end > 0) fields->Add(key, value.substr(0, end));
  }
}

}  // namespace braid::ingest
