#include "server/ingest/access_log.h"

#include <algorithm>
#include <charconv>

#include "server/ingest/time_text.h"

namespace braid::ingest {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool ReadNumber(std::string_view text, int64_t* value) {
  int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size() || number < 0) return false;
  *value = number;
  return true;
}

// Takes the next word off `*text`.
std::string_view TakeWord(std::string_view* text) {
  while (!text->empty() && text->front() == ' ') text->remove_prefix(1);
  const size_t end = std::min(text->find(' '), text->size());
  const std::string_view word = text->substr(0, end);
  text->remove_prefix(end);
  return word;
}

// Takes a quoted text off `*text`; servers write a quote inside it as \" or \x22.
bool TakeQuoted(std::string_view* text, std::string_view* inside) {
  while (!text->empty() && text->front() == ' ') text->remove_prefix(1);
  if (text->empty() || text->front() != '"') return false;
  size_t end = 1;
  while (end < text->size() && (*text)[end] != '"') end += (*text)[end] == '\\' ? 2 : 1;
  if (end >= text->size()) return false;
  *inside = text->substr(1, end - 1);
  text->remove_prefix(end + 1);
  if (*inside == "-") *inside = {};
  return true;
}

// An address or a host name, perhaps with a port.
bool IsClient(std::string_view word) {
  if (word.empty() || word.size() > 255) return false;
  const bool shape = std::all_of(word.begin(), word.end(), [](char c) {
    return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == ':' || c == '-' ||
           c == '_' || c == '[' || c == ']' || c == '%';
  });
  return shape && word != "-" && word.back() != ':';
}

bool IsMethod(std::string_view word) {
  return word.size() >= 3 && word.size() <= 17 &&
         std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

bool ParseAccessTime(std::string_view text, Timestamp* time) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() < 20 || text[2] != '/' || text[6] != '/' || (text[11] != ':' && text[11] != ' ') || text[14] != ':' ||
      text[17] != ':') {
    return false;
  }
  const size_t month = kMonths.find(text.substr(3, 3));
  int64_t day, year, hour, minute, second;
  if (month == std::string_view::npos || month % 3 != 0 || !ReadNumber(text.substr(0, 2), &day) ||
      !ReadNumber(text.substr(7, 4), &year) || !ReadNumber(text.substr(12, 2), &hour) ||
      !ReadNumber(text.substr(15, 2), &minute) || !ReadNumber(text.substr(18, 2), &second) || day < 1 || day > 31 ||
      year < 1678 || year > 2261 || hour > 23 || minute > 59 || second > 60) {
    return false;
  }
  int64_t offset = 0, digits;
  if (text.size() >= 26 && text[20] == ' ' && (text[21] == '+' || text[21] == '-') &&
      ReadNumber(text.substr(22, 4), &digits)) {
    offset = (digits / 100 * 3600 + digits % 100 * 60) * (text[21] == '-' ? -1 : 1);
  }
  const int64_t days = DaysFromCivil(year, static_cast<unsigned>(month / 3 + 1), static_cast<unsigned>(day));
  *time = (days * 86400 + hour * 3600 + minute * 60 + second - offset) * kSecond;
  return true;
}

Level AccessLine::level() const {
  if (status >= 500) return Level::kError;
  return status >= 400 ? Level::kWarn : Level::kInfo;
}

void AccessLine::AppendAttributes(std::vector<AttributeView>* attributes) const {
  const auto add = [&](std::string_view name, std::string_view text) {
    if (!text.empty()) attributes->push_back({name, text});
  };
  add("client.address", client);
  add("user.name", user);
  add("http.request.method", method);
  add("url.path", path);
  add("url.query", query);
  add("network.protocol.version", protocol);
  attributes->push_back({"http.response.status_code", status});
  if (body_bytes >= 0) attributes->push_back({"http.response.body.size", body_bytes});
  add("http.request.header.referer", referer);
  add("user_agent.original", user_agent);
}

bool ParseAccessLine(std::string_view line, AccessLine* access) {
  const size_t quote = line.find('"');
  if (quote == std::string_view::npos || quote == 0 || line.find(" HTTP/", quote) == std::string_view::npos) {
    return false;
  }
  AccessLine found;
  std::string_view before = line.substr(0, quote), behind = line.substr(quote), request;
  // uvicorn names the level first.
  if (before.starts_with("INFO:")) before.remove_prefix(5);
  found.client = TakeWord(&before);
  if (!IsClient(found.client) || TakeWord(&before) != "-") return false;
  if (before != " ") {
    found.user = TakeWord(&before);
    if (found.user == "-") found.user = {};
    while (!before.empty() && before.front() == ' ') before.remove_prefix(1);
    if (before.empty() || before.front() != '[' || before.find(']') == std::string_view::npos) return false;
  }
  if (!TakeQuoted(&behind, &request)) return false;
  std::string_view target;
  found.method = TakeWord(&request);
  target = TakeWord(&request);
  const std::string_view protocol = TakeWord(&request);
  const std::string_view status = TakeWord(&behind);
  if (!IsMethod(found.method) || target.empty() || !protocol.starts_with("HTTP/") || status.size() != 3 ||
      !ReadNumber(status, &found.status)) {
    return false;
  }
  found.protocol = protocol.substr(5);
  const size_t question = target.find('?');
  found.path = target.substr(0, question);
  if (question != std::string_view::npos) found.query = target.substr(question + 1);
  int64_t bytes;
  if (ReadNumber(TakeWord(&behind), &bytes)) found.body_bytes = bytes;
  if (TakeQuoted(&behind, &found.referer)) TakeQuoted(&behind, &found.user_agent);
  *access = found;
  return true;
}

}  // namespace braid::ingest
