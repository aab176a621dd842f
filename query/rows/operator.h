// Pull operators over RecordBatches: what a pipeline is executed as.
//
// Threads: an operator tree belongs to one thread at a time; operators may start threads inside a call of Next.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/query.h"
#include "braid/record_batch.h"
#include "braid/snapshot.h"

namespace braid {

// The columns of an operator's output, in order. A name met twice is never produced: the later one replaces.
struct SchemaColumn {
  std::string name;         // as a query would write it: "service", "http.route", "l.message"
  Type type = Type::kNull;  // static type if known, else kMixed: batches tell the real type
};
struct Schema {
  Kind kind = Kind::kRows;
  std::vector<SchemaColumn> columns;
  int Find(std::string_view name) const;  // index or -1
};

// What one query may use, shared by all its operators.
class QueryContext {
 public:
  std::shared_ptr<const Snapshot> snapshot;
  Timestamp start = 0, end = 0, now = 0;
  Duration step = 0;
  QueryLimits limits;
  std::map<std::string, Value> params;
  bool use_indexes = true;
  int threads = 1;
  std::shared_ptr<const std::atomic<bool>> cancel;
  int64_t deadline_steady_ns = 0;  // 0 = none
  uint64_t scanned_bytes = 0;      // stored bytes read until now, kept while limits.scan_bytes_max is set

  // Ok, Cancelled or DeadlineExceeded. Operators ask at least once per batch and inside long loops.
  absl::Status CheckAlive() const;
  // Reserves before growing; ResourceExhausted (E081) naming `owner`, its size and what to change.
  absl::Status Reserve(uint64_t bytes, const char* owner);
  void Release(uint64_t bytes);
  uint64_t reserved_bytes() const { return reserved_; }
  // Each text once.
  void AddNote(std::string kind, std::string text);
  const std::vector<Note>& notes() const { return notes_; }

 private:
  uint64_t reserved_ = 0;
  std::vector<Note> notes_;
};

class Operator {
 public:
  virtual ~Operator() = default;
  virtual const Schema& schema() const = 0;  // fixed before the first Next
  // The next rows; an empty batch (num_rows 0) is allowed and means "go on". False at the end.
  virtual absl::StatusOr<bool> Next(RecordBatch* batch) = 0;
};
using OperatorPtr = std::unique_ptr<Operator>;

// Reads `op` to its end into one batch, reserving memory as it grows.
absl::StatusOr<RecordBatch> Drain(Operator* op, QueryContext* context, const char* owner);

// Gives out a finished batch in slices.
OperatorPtr MakeBatchSource(Schema schema, RecordBatch rows);

}  // namespace braid
