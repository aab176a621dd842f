#include "server/ingest/log_lines.h"

#include <algorithm>
#include <utility>

#include "server/ingest/access_log.h"
#include "server/ingest/json_text.h"
#include "server/ingest/logfmt.h"
#include "server/ingest/plain_line.h"
#include "server/ingest/terminal_codes.h"

namespace braid::ingest {
namespace {

// A record that goes on beyond this is cut in two: no program can make it grow for ever.
constexpr size_t kRecordBytesMax = size_t{1} << 20;

LogFieldsOptions FieldsOptions(const LogLinesOptions& options) {
  LogFieldsOptions fields;
  fields.service = options.service;
  fields.live = options.live;
  fields.zone_offset = options.zone_offset;
  fields.read_messages = true;
  return fields;
}

bool IsBlank(std::string_view line) { return line.find_first_not_of(" \t") == std::string_view::npos; }

bool LooksLikeJson(std::string_view line) {
  const size_t start = line.find_first_not_of(" \t");
  return start != std::string_view::npos && line[start] == '{' && line[line.find_last_not_of(" \t")] == '}';
}

}  // namespace

LogLinesParser::LogLinesParser(LogLinesOptions options)
    : options_(std::move(options)), fields_(FieldsOptions(options_)) {
  for (const Attribute& attribute : options_.source) source_.push_back({attribute.name, View(attribute.value)});
}

void LogLinesParser::ParseLine(std::string_view line, Timestamp arrival, LogSink* sink, IngestReport* report) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  std::string plain;
  if (HasTerminalCodes(line)) line = plain = StripTerminalCodes(line);

  const StackTraceReader::Line part = trace_reader_.Next(line);
  bool joins = part == StackTraceReader::Line::kMore && has_trace_;
  if (part == StackTraceReader::Line::kStart) {
    if (joins = pending() && !has_trace_ && TakesTrace(); joins) {
      has_trace_ = true;
      trace_at_ = text_.size() + 1;
    }
  } else if (part == StackTraceReader::Line::kNone && form_ == Form::kPlain) {
    joins = line.starts_with("\t") || line.starts_with("  ");
  }
  if (joins && text_.size() + trace_.size() + line.size() < kRecordBytesMax) {
    std::string& text = form_ == Form::kPlain ? text_ : trace_;
    if (!text.empty()) text.push_back('\n');
    text.append(line);
    return;
  }
  Finish(sink, report);
  if (IsBlank(line)) return;
  Begin(line, arrival);
  has_trace_ = part == StackTraceReader::Line::kStart;
}

void LogLinesParser::Begin(std::string_view line, Timestamp arrival) {
  text_ = line;
  trace_.clear();
  trace_at_ = 0;
  arrival_ = arrival;
  AccessLine access;
  fields_.list().Clear();
  form_ = LooksLikeJson(line)                 ? Form::kJson
          : ParseAccessLine(line, &access)    ? Form::kAccess
          : ReadLogfmt(line, &fields_.list()) ? Form::kLogfmt
                                              : Form::kPlain;
}

bool LogLinesParser::ReadLine() {
  AttributeList& list = fields_.list();
  list.Clear();
  switch (form_) {
    case Form::kJson: return json_.Read(text_, &list).empty();
    case Form::kLogfmt: return ReadLogfmt(text_, &list);
    default: return false;
  }
}

// Does a stack trace that begins now belong to the record that is there?
bool LogLinesParser::TakesTrace() {
  if (form_ == Form::kAccess) return false;
  if (form_ == Form::kPlain || !ReadLine()) {
    const Level level = FindLineLevel(text_);
    return level == Level::kUnset || level >= Level::kWarn;
  }
  return fields_.TakeLevel() >= Level::kWarn;
}

void LogLinesParser::Finish(LogSink* sink, IngestReport* report) {
  if (!pending()) return;
  for (std::string* text : {&text_, &trace_}) {
    while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
  }
  AttributeList& list = fields_.list();
  LogRecord otherwise;
  otherwise.time = options_.live || last_time_ == 0 ? arrival_ : last_time_;
  const bool has_fields = ReadLine();
  if (!has_fields) {
    list.Clear();
    FindIdPairs(std::string_view(text_).substr(0, text_.find('\n')), &list);
  }
  // Texts that go around the list are cleaned here.
  if (form_ != Form::kJson || !has_fields) otherwise.message = list.arena().CleanText(text_);
  if (!has_fields) {
    FindLineTime(text_, arrival_, &otherwise.time);
    if (form_ != Form::kAccess) otherwise.severity_number = SeverityOfLevel(FindLineLevel(text_));
  }
  if (has_trace_) {
    const bool apart = form_ != Form::kPlain;
    const std::string_view trace =
        apart ? std::string_view(trace_) : std::string_view(text_).substr(std::min(trace_at_, text_.size()));
    const ThrownException thrown = FindException(trace);
    if (apart) list.Add("exception.stacktrace", trace);
    if (!thrown.type.empty()) list.Add("exception.type", thrown.type);
    if (!thrown.message.empty()) list.Add("exception.message", thrown.message);
    const bool fatal = thrown.type == "panic" || thrown.type == "fatal error";
    if (otherwise.severity_number == 0)
      otherwise.severity_number = SeverityOfLevel(fatal ? Level::kFatal : Level::kError);
  }
  for (const Attribute& attribute : options_.attributes) list.Add(attribute.name, View(attribute.value));
  if (options_.last_number != nullptr) {
    list.Add("log.record.number", static_cast<int64_t>(++*options_.last_number));
  }
  fields_.set_now(arrival_);
  last_time_ = fields_.Emit(source_, otherwise, sink);
  ++report->accepted;
  if (last_time_ == arrival_) ++report->untimed;
  form_ = Form::kNone;
  has_trace_ = false;
  text_.clear();
  trace_.clear();
}

}  // namespace braid::ingest
