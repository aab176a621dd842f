// Runs query cases: text files that load records and say what queries answer.
//
//   # comment                                   blocks are separated by blank lines
//   load 15s                                    samples at 0, 15s, 30s, ... in PromQL's series notation
//     up{service="a"} 0+1x10
//   load_logs                                   time service level "message" key=value ...
//     90s checkout error "timeout" trace=a1 span=b2 attempt=3 resource.host="h1" scope.lib="x"
//   load_spans                                  start +duration service kind status "name" key=value ...
//     90s +300ms checkout server error "GET /" trace=a1 span=b2 parent=b1 message="boom" http.route="/cart"
//       event 91s "retry" attempt=1             indented deeper: events and links of the span above
//       link a7 b9
//   load_exemplars                              time value trace span series
//     90s 1.5 a1 b2 latency_bucket{service="a"}
//   query [start end step] [name=value ...]     default 0s 1h 1m; values are parameters
//     logs{level = error} | keep time, service
//   ----
//   time | service                              columns, then rows in order; null is -, "" is ""
//   1m30s | checkout                            times are written as distances from 1970, durations as 300ms
//   note empty: after stage 1                   a note of this kind that contains the text
//   error E052 1:20                             instead of a table: the code, and the place if given
//
// Service, trace and parent ids: `-` for none. Each file runs with its records in the head, flushed, reopened,
// compacted and each load block in a part of its own; with indexes, without, and by two threads. A query must answer
// the same in every state.
//
// Threads: one.
#pragma once

#include <string>
#include <vector>

#include "braid/db.h"
#include "braid/query.h"

namespace braid {

struct CaseReport {
  int queries = 0;                    // over all states
  std::vector<std::string> failures;  // "file:line [state]: what is wrong"
};

// `folder` is made and removed again; stores of the file live below it.
CaseReport RunCases(const std::string& file_name, const std::string& text, const std::string& folder);

// The load blocks of a text alone, as one batch; an error text, or "".
std::string ParseLoads(const std::string& text, WriteBatch* batch);

// The answer as the cases write it: a header and a line per row.
std::vector<std::string> AsCaseTable(ResultReader* reader, absl::Status* status);

}  // namespace braid
