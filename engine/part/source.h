// The read face that a mutable head (frozen at a snapshot) and an immutable part share. A Snapshot is a list of
// Sources, oldest first; flush and compaction are one merge of Sources into a PartWriter.
//
// Threads: const methods may be called from many threads; each scan belongs to one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "braid/snapshot.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "engine/base/fingerprint.h"

namespace braid {

struct SourceCounts {
  uint64_t series = 0;
  uint64_t samples = 0;
  uint64_t rows[kTableCount] = {};
};

// The built-in columns of a table that are kept row by row: BuiltinColumns(table) without those derived from the stream
// (service, instance, scope.*), from other columns (duration) or from attributes (metric of exemplars).
const std::vector<std::pair<std::string, Type>>& StoredColumns(Table table);

// All rows of a table as a merge wants them.
struct OrderedRows {
  // StoredColumns(table) at level kBuiltin, all and in that order, then each attribute met (kAttribute), by name. Every
  // batch of `scan` has these columns; one of type kNull stands for "no row of this batch has it".
  std::vector<ColumnRef> columns;
  // Rows in part order (part.h, AddRows). A damaged block is an error here (DataLoss): a merge must not drop rows.
  std::unique_ptr<Scan> scan;
};

// The permutation that brings rows into part order; rows equal in the key keep their order. REQUIRES: the batch's
// columns begin with StoredColumns(table). Key columns may be null (counts as zero).
std::vector<uint32_t> PartOrder(Table table, const RecordBatch& rows);

class Source {
 public:
  virtual ~Source() = default;

  virtual std::string name() const = 0;  // for stats and messages: "head", "part 000012"
  virtual SourceCounts counts() const = 0;
  virtual TimeRange Range(Table table) const = 0;  // by `time`; for spans start = least start, end = greatest end
  virtual TimeRange SampleRange() const = 0;

  // The contract of Snapshot's methods, over this source alone. A spec is already checked (columns, regexes).
  virtual absl::StatusOr<std::unique_ptr<Scan>> OpenScan(const ScanSpec& spec) const = 0;
  virtual absl::StatusOr<std::unique_ptr<SeriesScan>> OpenSeriesScan(const SeriesSpec& spec) const = 0;
  virtual std::vector<ColumnInfo> Columns(Table table) const = 0;
  virtual std::vector<MetricMetadata> Metadata() const = 0;

  // May this source hold rows of the trace? False only if certainly not (filter in memory, no read).
  virtual bool MayContainTrace(TraceId id) const = 0;

  // For merging.
  virtual absl::StatusOr<OrderedRows> OpenOrderedRows(Table table) const = 0;
  // For merging: all streams, by the `stream` fingerprint that the rows carry.
  virtual std::vector<std::pair<uint64_t, Stream>> Streams() const = 0;
};

}  // namespace braid
