// The lines that programs print, as log records, each by its own form: a JSON object, key=value pairs (logfmt), a web
// server's access line, or plain text.
//
// Plain text: time and level are read where a line shows them, pairs of known ids (request_id=...) become ids, indented
// lines join the line before them. Stack traces are joined; one that follows a record of level warn or worse, or a
// plain line without a level, belongs to that record (its text goes on in a plain record's message and is the attribute
// exception.stacktrace of others), else it is a record of its own. Either way exception.type and exception.message say
// what was thrown, and the level is error unless the record says otherwise. Colours are taken off.
//
// Threads: a parser belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "braid/types.h"
#include "server/ingest/ingest_report.h"
#include "server/ingest/json_fields.h"
#include "server/ingest/log_fields.h"
#include "server/ingest/log_sink.h"
#include "server/ingest/stack_trace.h"

namespace braid::ingest {

struct LogLinesOptions {
  std::string service;                // of records that name none
  std::vector<Attribute> source;      // more of the resource of all
  std::vector<Attribute> attributes;  // more of the attributes of all
  // Lines are read as they are written (log_fields.h): one without a time gets the time of arrival. false: it gets the
  // time of the line before it, as it would in a file.
  bool live = true;
  Duration zone_offset = 0;
  // The number of the last record: records are numbered from 1 (attribute log.record.number), so that one that was sent
  // twice can be told. Parsers of one source, which then run on one thread, share it. null: records have no number.
  std::shared_ptr<uint64_t> last_number;
};

class LogLinesParser {
 public:
  explicit LogLinesParser(LogLinesOptions options);

  // A line without its line break, and when it came. It may complete the record before it, which then goes to `sink`;
  // call Finish at the end, and when nothing has come for a while.
  void ParseLine(std::string_view line, Timestamp arrival, LogSink* sink, IngestReport* report);
  void Finish(LogSink* sink, IngestReport* report);
  // A line has been taken whose record has not gone to a sink.
  bool pending() const { return form_ != Form::kNone; }

 private:
  enum class Form { kNone, kJson, kLogfmt, kAccess, kPlain };

  void Begin(std::string_view line, Timestamp arrival);
  bool TakesTrace();
  // Fills the list of fields_ from the line; false: it is plain text after all.
  bool ReadLine();

  LogLinesOptions options_;
  std::vector<AttributeView> source_;
  LogFields fields_;
  JsonFieldsReader json_;
  StackTraceReader trace_reader_;
  Form form_ = Form::kNone;
  std::string text_;     // the record's line; of plain ones with the lines that joined
  std::string trace_;    // of others: the stack trace that belongs to it
  size_t trace_at_ = 0;  // of plain ones: where in text_ it begins, if has_trace_
  bool has_trace_ = false;
  Timestamp arrival_ = 0;
  Timestamp last_time_ = 0;
};

}  // namespace braid::ingest
