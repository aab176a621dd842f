// Pull operators over RecordBatches: what a pipeline is executed as.
//
// Threads: an operator tree belongs to one thread at a time; operators may start threads inside a call of Next. What
// Split gives belongs to one thread each. The methods of a QueryContext may be called from all threads of its query;
// its members are set before the query runs.
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
#include "query/memory/memory_budget.h"

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
  bool split_small = false;  // use the threads for few rows, too
  std::shared_ptr<const std::atomic<bool>> cancel;
  int64_t deadline_steady_ns = 0;  // 0 = none

  QueryContext();
  // A copy is for a part of the same query: it shares memory, counters and notes with this one.
  QueryContext(const QueryContext&) = default;
  QueryContext& operator=(const QueryContext&) = default;

  // Ok, Cancelled or DeadlineExceeded. Operators ask at least once per batch and inside long loops.
  absl::Status CheckAlive() const;
  // Reserves before growing; ResourceExhausted (E081) naming `owner`, its size and what to change.
  absl::Status Reserve(uint64_t bytes, const char* owner);
  void Release(uint64_t bytes);
  uint64_t reserved_bytes() const;
  // For what counts into the same memory without knowing rows: vector expressions.
  const std::shared_ptr<MemoryBudget>& memory() const { return memory_; }
  // Stored bytes were read; ResourceExhausted (E085) beyond limits.scan_bytes_max.
  absl::Status CountScanned(uint64_t bytes);
  // Each text once.
  void AddNote(std::string kind, std::string text);
  std::vector<Note> notes() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<MemoryBudget> memory_;
};

// Rows that an operator which holds all of them gives at a time.
inline constexpr size_t kHeldRowsPerBatch = 4096;

class Operator {
 public:
  virtual ~Operator() = default;
  virtual const Schema& schema() const = 0;  // fixed before the first Next
  // The next rows; an empty batch (num_rows 0) is allowed and means "go on". False at the end.
  virtual absl::StatusOr<bool> Next(RecordBatch* batch) = 0;

  // All rows at once, from an operator that has or makes them as one batch; false: they have to be asked for. Their
  // memory is counted by this operator as long as it lives. REQUIRES: neither Next nor Split has been called.
  virtual absl::StatusOr<bool> TakeWhole(RecordBatch*) { return false; }

  // Operators for as many threads, at most `parts`, that share this one's batches out among themselves; none if it
  // cannot be split or that does not pay. This operator is not asked for rows afterwards, but must outlive them.
  // REQUIRES: Next has not been called.
  virtual std::vector<std::unique_ptr<Operator>> Split(size_t parts);
  // Of what Split gave: where the batch that Next gave last stands among those of all parts. Each part's batches come
  // in ascending places; the batches of one place are all from one part.
  virtual uint64_t place() const { return 0; }
};
using OperatorPtr = std::unique_ptr<Operator>;

// `input`, worked out by the threads of the query where it can be split; batches come in its order.
OperatorPtr MakeParallel(OperatorPtr input, QueryContext* context);

// Reads `op` to its end into one batch, reserving memory as it grows.
absl::StatusOr<RecordBatch> Drain(Operator* op, QueryContext* context, const char* owner);

// Gives out a finished batch in slices.
OperatorPtr MakeBatchSource(Schema schema, RecordBatch rows);

}  // namespace braid
