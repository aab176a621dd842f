#include "server/ingest/plain_text.h"

#include <charconv>

#include "server/ingest/json_text.h"
#include "server/ingest/time_text.h"

namespace braid::ingest {
namespace {

// "17/May/2015:10:05:03 +0000" (Apache's and nginx' common log format)
bool ParseCommonLogTime(std::string_view text, Timestamp* time) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() < 20 || text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' || text[17] != ':') {
    return false;
  }
  const auto number = [&](size_t at, size_t length, int64_t* value) {
    const auto read = std::from_chars(text.data() + at, text.data() + at + length, *value);
    return read.ec == std::errc() && read.ptr == text.data() + at + length && *value >= 0;
  };
  const size_t month = kMonths.find(text.substr(3, 3));
  int64_t day, year, hour, minute, second;
  if (month == std::string_view::npos || month % 3 != 0 || !number(0, 2, &day) || !number(7, 4, &year) ||
      !number(12, 2, &hour) || !number(15, 2, &minute) || !number(18, 2, &second) || day < 1 || day > 31 ||
      year < 1678 || year > 2261 || hour > 23 || minute > 59 || second > 60) {
    return false;
  }
  int64_t offset = 0, digits;
  if (text.size() >= 26 && text[20] == ' ' && (text[21] == '+' || text[21] == '-') && number(22, 4, &digits)) {
    offset = (digits / 100 * 3600 + digits % 100 * 60) * (text[21] == '-' ? -1 : 1);
  }
  const int64_t days = DaysFromCivil(year, static_cast<unsigned>(month / 3 + 1), static_cast<unsigned>(day));
  *time = (days * 86400 + hour * 3600 + minute * 60 + second - offset) * kSecond;
  return true;
}

constexpr size_t kLookBytes = 128;  // how far into a line its time and level are looked for

}  // namespace

bool FindLineTime(std::string_view line, Timestamp* time) {
  line = line.substr(0, kLookBytes);
  size_t start = 0, length;
  while (start < line.size() && (line[start] == ' ' || line[start] == '[' || line[start] == '"')) ++start;
  if (ParseTimePrefix(line.substr(start), time, &length)) return true;
  for (size_t open = line.find('['); open != std::string_view::npos; open = line.find('[', open + 1)) {
    const std::string_view inside = line.substr(open + 1);
    if (ParseCommonLogTime(inside, time) || ParseTimePrefix(inside, time, &length)) return true;
  }
  return false;
}

Level FindLineLevel(std::string_view line) {
  line = line.substr(0, kLookBytes);
  size_t at = 0;
  while (at < line.size()) {
    while (at < line.size() && !((line[at] | 0x20) >= 'a' && (line[at] | 0x20) <= 'z')) ++at;
    const size_t start = at;
    while (at < line.size() && (line[at] | 0x20) >= 'a' && (line[at] | 0x20) <= 'z') ++at;
    const std::string_view word = line.substr(start, at - start);
    // Levels are written in capitals, in brackets or behind "level="; the word "error" in a sentence is no level.
    bool capitals = word.size() >= 4;
    for (char c : word) capitals = capitals && c >= 'A' && c <= 'Z';
    const bool bracketed = start > 0 && at < line.size() &&
                           ((line[start - 1] == '[' && line[at] == ']') || (line[start - 1] == '<' && line[at] == '>'));
    const bool named = line.substr(0, start).ends_with("level=") || line.substr(0, start).ends_with("level=\"");
    Level level;
    if ((capitals || bracketed || named) && word.size() <= 11 && ParseLevel(word, &level)) return level;
  }
  return Level::kUnset;
}

void PlainTextParser::ParseLine(std::string_view line, WriteBatch* batch, IngestReport* report) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  const bool indented = !line.empty() && (line.front() == ' ' || line.front() == '\t');
  const bool traceback = line.starts_with("Traceback (most recent call last)");
  const bool cause = line.starts_with("Caused by:") || line.starts_with("... ");
  bool goes_on = !pending_.empty() && (indented || traceback || cause);
  if (in_traceback_ && !indented && !traceback) {
    // The line that names the exception ends it.
    goes_on = !pending_.empty();
    in_traceback_ = false;
  }
  if (traceback) in_traceback_ = true;
  if (goes_on && pending_.size() + line.size() + 1 <= kLineBytesMax) {
    pending_.push_back('\n');
    pending_.append(line);
    return;
  }
  Finish(batch, report);
  if (line.find_first_not_of(" \t") == std::string_view::npos) return;
  pending_ = line;
  if (traceback) in_traceback_ = true;
}

void PlainTextParser::Finish(WriteBatch* batch, IngestReport* report) {
  if (pending_.empty()) return;
  if (!named_) {
    Stream stream;
    if (!options_.service.empty()) stream.resource.push_back({"service.name", options_.service});
    stream_ = batch->AddStream(stream);
    named_ = true;
  }
  if (!IsUtf8(pending_)) pending_ = RepairUtf8(pending_);
  LogRecord record;
  record.observed_time = options_.now;
  // A line without a time was written right after the line before it.
  if (FindLineTime(pending_, &record.time)) last_time_ = record.time;
  record.time = last_time_;
  record.severity_number = SeverityOfLevel(FindLineLevel(pending_));
  record.message = pending_;
  batch->AddLog(stream_, record);
  ++report->accepted;
  pending_.clear();
}

}  // namespace braid::ingest
