// One immutable part: a directory with the rows of all three signals, their label index and trace index.
//
// Threads: Part is immutable and may be shared; PartWriter belongs to one thread.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/io/file_system.h"
#include "engine/part/source.h"

namespace braid {

// Writes a part into an empty new directory. Order of calls: series, metadata, streams, then each table's rows once,
// then Finish. Nothing is a part until the manifest names it.
class PartWriter {
 public:
  static absl::StatusOr<std::unique_ptr<PartWriter>> Create(FileSystem* fs, const std::string& dir);
  virtual ~PartWriter() = default;

  // REQUIRES: series in ascending label order, each once; times ascending, one sample per time. `histograms` is empty
  // or has an entry per sample.
  virtual absl::Status AddSeries(const Labels& labels, std::span<const Timestamp> times, std::span<const double> values,
                                 std::span<const std::shared_ptr<const Histogram>> histograms) = 0;
  virtual absl::Status AddMetadata(const std::vector<MetricMetadata>& metadata) = 0;
  // All streams that rows will refer to by fingerprint.
  virtual absl::Status AddStreams(const std::vector<std::pair<uint64_t, Stream>>& streams) = 0;
  // Rows of one table in the order of SortKey; `refs` names the batch's columns: every built-in column of the table
  // but those derived from the stream or from other columns (service, instance, duration, scope.*; for exemplars
  // metric too), then attributes (kAttribute). May be called several times per table, tables in ascending order.
  // Order of rows: logs (stream, time, arrival); spans, events, links (trace_id, time, span_id, arrival);
  // exemplars (stream, time, trace_id, arrival).
  virtual absl::Status AddRows(Table table, const std::vector<ColumnRef>& refs, RecordBatch rows) = 0;
  // Writes indexes and meta, syncs every file and the directory.
  virtual absl::Status Finish() = 0;
};

class Part : public Source {
 public:
  // Reads meta and footers only; blocks are read when scans need them. DataLoss if the part cannot be used at all.
  static absl::StatusOr<std::shared_ptr<Part>> Open(FileSystem* fs, const std::string& dir, const std::string& name);

  using Source::OpenOrderedRows;
  // The same, with columns of any level behind those of OrderedRows::columns, which does not name them.
  virtual absl::StatusOr<OrderedRows> OpenOrderedRows(Table table, const std::vector<ColumnRef>& more) const = 0;
  virtual uint64_t byte_size() const = 0;
  // Newest and oldest time of any signal.
  virtual TimeRange time_range() const = 0;
  // Reads and checks everything; appends what is wrong to `*problems`.
  virtual absl::Status Verify(std::vector<std::string>* problems, const std::function<void(uint64_t bytes)>& progress,
                              uint64_t* blocks) const = 0;
};

}  // namespace braid
