// Lines of plain text as log records: time and level are read where a line shows them, and lines that go on (indented
// lines, stack traces) join the record before.
//
// Threads: a parser belongs to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/ingest_report.h"

namespace braid::ingest {

struct PlainTextOptions {
  Timestamp now = 0;    // observed time of all; time of records before the first line that shows one
  std::string service;  // resource of all; may be empty
};

class PlainTextParser {
 public:
  explicit PlainTextParser(PlainTextOptions options) : options_(std::move(options)), last_time_(options_.now) {}

  // A line may complete the record before it; call Finish at the end of the text.
  void ParseLine(std::string_view line, WriteBatch* batch, IngestReport* report);
  void Finish(WriteBatch* batch, IngestReport* report);
  void ForgetBatch() { named_ = false; }

 private:
  PlainTextOptions options_;
  Timestamp last_time_;
  std::string pending_;  // the record so far
  bool in_traceback_ = false;
  bool named_ = false;
  WriteBatch::StreamRef stream_ = 0;
};

// Time that a line shows: at its start, or in brackets as web servers write it. False if there is none.
bool FindLineTime(std::string_view line, Timestamp* time);
// Level that a line shows as a word near its start (ERROR, warn, [I], level=info).
Level FindLineLevel(std::string_view line);

}  // namespace braid::ingest
