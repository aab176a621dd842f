// The query language: parse a text, run it on a Snapshot, pull batches of the answer.
//
// Threads: a parsed Query is immutable and may be shared; a ResultReader belongs to one thread at a time; Cancel may
// be called from any thread.
// Errors: InvalidArgument carries a QueryError (see ErrorOf) with code, place and hint; ResourceExhausted = a limit,
// naming it and what to change; DeadlineExceeded = the time limit; Cancelled.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/record_batch.h"
#include "braid/snapshot.h"

namespace braid {

// What is wrong with a query text and what to do. Lines and columns count from 1, in characters; code such as "E019".
struct QueryError {
  std::string code;
  std::string message;
  uint32_t line = 1;
  uint32_t column = 1;
  uint32_t length = 1;
  std::string hint;  // may be empty
};
// The QueryError inside a status, if it has one.
std::optional<QueryError> ErrorOf(const absl::Status& status);
// As a terminal shows it: `error[E019] 1:41: ...`, the line of the text, carets, hint.
std::string Format(const QueryError& error, std::string_view text);

// The kind of a pipeline's rows (language: docs/query.md).
enum class Kind : uint8_t { kSeries, kEvents, kWindows, kRows, kScalar };
std::string_view ToString(Kind kind);

struct QueryLimits {
  uint64_t rows_max = 10'000;  // rows of the answer; more are cut and said so
  uint64_t memory_bytes_max = uint64_t{256} << 20;
  Duration time_max = 30 * kSecond;
  uint64_t series_max = 10'000;         // series of a vector's result; more is an error
  uint64_t groups_max = 100'000;        // groups of one stats; more is an error
  uint64_t pairs_per_row_max = 10'000;  // matches of one left row of a join; more is an error
  uint64_t scan_bytes_max = 0;          // stored bytes read; 0 = no limit
};

struct Note {
  std::string kind;  // "empty", "approximate", "cut", "partial", "hint", "warning" (PromQL), "info" (PromQL)
  std::string text;
};

struct QueryOptions {
  // The query's range, both ends included, and its step. Unset: last hour before `now`, range / 250 rounded to a whole
  // unit. `over` in the text wins over these. start == end evaluates a vector at one instant.
  std::optional<Timestamp> start;
  std::optional<Timestamp> end;
  std::optional<Duration> step;
  Timestamp now = 0;                    // REQUIRED: what `now` means; the library never looks at the clock for data
  std::map<std::string, Value> params;  // $name -> value; bound, never parsed
  std::vector<Note> notes;              // said with every answer: what the caller knows to be missing from the store
  QueryLimits limits;
  int threads = 0;                                  // that may work on this query; 0 = all cores
  bool use_indexes = true;                          // false: read everything; answers must not change
  std::shared_ptr<const std::atomic<bool>> cancel;  // set to true from anywhere to stop the query; may be null
};

struct ResultColumn {
  std::string name;
  Type type = Type::kNull;
};

struct StageReport {
  std::string text;  // the stage as written
  uint64_t rows_in = 0;
  uint64_t rows_out = 0;
  uint64_t bytes = 0;  // stored bytes read by sources of this stage
  Duration time = 0;   // spent in it, children not counted
};

struct ResultSummary {
  std::vector<Note> notes;
  std::vector<StageReport> stages;
  bool truncated = false;
  std::string explain;  // the plan, filled for `explain` and `explain analyze`
};

class ResultReader {
 public:
  virtual ~ResultReader() = default;
  virtual Kind kind() const = 0;
  virtual const std::vector<ResultColumn>& columns() const = 0;  // types are final at the end of the answer
  // Fills `*batch` with the next rows, columns as columns() names them. False at the end.
  virtual absl::StatusOr<bool> Next(RecordBatch* batch) = 0;
  // REQUIRES: Next has answered false.
  virtual const ResultSummary& summary() const = 0;
};

struct Pipeline;  // query/syntax/ast.h

class Query {
 public:
  // Checks everything that can be checked without data.
  static absl::StatusOr<Query> Parse(std::string_view text);

  // Runs it. REQUIRES: `snapshot` not null; it is kept until the reader is destroyed.
  absl::StatusOr<std::unique_ptr<ResultReader>> Execute(std::shared_ptr<const Snapshot> snapshot,
                                                        const QueryOptions& options) const;
  // The plan as text, as `explain` would answer.
  absl::StatusOr<std::string> Explain(std::shared_ptr<const Snapshot> snapshot, const QueryOptions& options) const;

  // The query in canonical form; Parse of it gives the same query.
  std::string ToString() const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::shared_ptr<const struct QueryAst> ast_;
};

}  // namespace braid
