// Reading: a Snapshot is a stable view of all three signals at one instant; scans pull batches of columns from it.
//
// Threads: a Snapshot may be shared by threads; each Scan belongs to one thread at a time.
// Ownership: scans and batches keep alive what they read; they may outlive the Snapshot, not the DB's files.
// Errors: a damaged block does not fail a scan: its rows are left out and ScanStats::damaged names part and block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/record_batch.h"
#include "braid/types.h"
#include "braid/write_batch.h"

namespace braid {

// The tables of events. Samples are not among them: they are read by series (OpenSeriesScan).
enum class Table : uint8_t { kLogs = 0, kSpans = 1, kEvents = 2, kLinks = 3, kExemplars = 4 };
inline constexpr int kTableCount = 5;
std::string_view ToString(Table table);  // "logs", ...

// Where a column's values come from. kAny looks, row by row, for the first that is not null among built-in column,
// record attribute, resource attribute, scope attribute (a series label counts as record attribute of an exemplar).
enum class ColumnLevel : uint8_t { kAny = 0, kBuiltin = 1, kAttribute = 2, kResource = 3, kScope = 4 };

struct ColumnRef {
  ColumnLevel level = ColumnLevel::kAny;
  std::string name;
  friend auto operator<=>(const ColumnRef&, const ColumnRef&) = default;
};

// Built-in columns (name: type). Every row of a table has them; absent values are null.
//   all but exemplars: time:timestamp service:string instance:string trace_id:trace_id span_id:span_id
//                      stream:int   fingerprint of the row's Stream, the same in every part; breaks ties of time
//   logs     observed_time:timestamp level:level severity:int severity_text:string message:string event_name:string
//            flags:int dropped_attributes:int scope.name:string scope.version:string
//   spans    end:timestamp duration:duration parent_id:span_id name:string kind:kind status:status
//            status_message:string trace_state:string flags:int dropped_attributes:int dropped_events:int
//            dropped_links:int scope.name:string scope.version:string     (time = start)
//   events   name:string dropped_attributes:int
//   links    linked_trace_id:trace_id linked_span_id:span_id trace_state:string flags:int dropped_attributes:int
//            (time = start of the span)
//   exemplars time:timestamp metric:string value:double trace_id:trace_id span_id:span_id stream:int
//            (stream = fingerprint of the series; the series' labels are attributes, and so are the exemplar's own)
// `service` and `instance` are derived from the stream when it is written: service.name | service | service_name |
// app | job, and service.instance.id | instance | k8s.pod.name | pod | host.name | host. Of exemplars they are the
// series' labels of these names.
const std::vector<std::pair<std::string, Type>>& BuiltinColumns(Table table);

struct ColumnInfo {
  ColumnRef ref;            // level is never kAny
  std::vector<Type> types;  // those met, ascending
  uint64_t rows = 0;        // rows that have it, at least approximately
};

// A condition `column op value`, used to skip what cannot match. Comparison is by the value's own type: a string
// against a number compares false here, so a caller that wants conversions must not push them.
struct Predicate {
  enum class Op : uint8_t { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIn };
  ColumnRef column;
  Op op = Op::kEqual;
  std::vector<Value> values;  // one; any number for kIn. Enums and times as int64, ids as their hex text.
};

// Rows may pass if, for the values of their key columns, their [time, end] (or instant) overlaps one of the ranges.
struct IntervalSet {
  std::vector<ColumnRef> keys;  // may be empty: one entry then
  struct Entry {
    std::vector<std::string> key;   // one text per key column
    std::vector<TimeRange> ranges;  // sorted, disjoint
  };
  std::vector<Entry> entries;  // sorted by key
};

struct ScanSpec {
  Table table = Table::kLogs;
  std::vector<ColumnRef> columns;  // what each batch holds, in this order
  // Exact: rows whose time is outside are not returned (spans: rows whose [time, end] does not meet the range if
  // `overlap` is set, else by time alone).
  TimeRange time;
  bool overlap = false;
  // Exact: only rows of these traces. Sorted, unique. Null = all rows.
  std::shared_ptr<const std::vector<TraceId>> trace_ids;
  // The following only skip work: a scan returns every row that satisfies all of them and may return others.
  std::vector<Predicate> predicates;  // all must hold
  std::vector<std::string> terms;     // literal texts that `message` must contain (case-sensitive)
  std::vector<std::shared_ptr<const IntervalSet>> intervals;  // all must hold
  bool use_indexes = true;                                    // false: read everything; answers must not change
};

// What a scan did. Counts grow while it runs.
struct ScanStats {
  uint64_t sources_total = 0;  // parts and heads in the snapshot
  uint64_t sources_read = 0;   // those not ruled out by time, ids or indexes
  uint64_t blocks_total = 0;   // row groups (or chunks) of the sources read
  uint64_t blocks_read = 0;
  uint64_t rows_read = 0;  // rows looked at
  uint64_t rows_returned = 0;
  uint64_t bytes_read = 0;           // stored bytes decoded
  std::vector<std::string> indexes;  // e.g. "trace index", "postings level", "terms", "zone map time"; unique
  std::vector<std::string> damaged;  // "part <name> <file> block <offset>: why"

  void Add(const ScanStats& other);
};

class Scan {
 public:
  virtual ~Scan() = default;
  // Fills `*batch` with the next rows (at most 8,192) and returns true, or returns false at the end. Rows come in no
  // promised order. Queries show logs by (time, stream, arrival), other tables by (time, stream, trace_id, span_id,
  // arrival): rows that are equal in all but the last come out of a scan in arrival order.
  virtual absl::StatusOr<bool> Next(RecordBatch* batch) = 0;
  virtual const ScanStats& stats() const = 0;
};

struct Matcher {
  enum class Op : uint8_t { kEqual, kNotEqual, kRegex, kNotRegex };  // regexes are RE2, anchored at both ends
  Op op = Op::kEqual;
  std::string name;
  std::string value;
};

struct SeriesSpec {
  std::vector<Matcher> matchers;  // all must hold, exactly; an absent label has the value ""
  TimeRange time;                 // exact for samples; a series without a sample in it is left out
  bool labels_only = false;       // samples are not read; series with a chunk that meets the range are returned
};

// All samples of one label set in the range, ascending time, one per timestamp (the one written last).
struct SeriesData {
  Labels labels;
  std::vector<Timestamp> times;
  std::vector<double> values;                                // of histogram samples: their sum
  std::vector<std::shared_ptr<const Histogram>> histograms;  // empty if all samples are floats; else null for floats
};

class SeriesScan {
 public:
  virtual ~SeriesScan() = default;
  // Series come in ascending order of their labels. False at the end.
  virtual absl::StatusOr<bool> Next(SeriesData* series) = 0;
  virtual const ScanStats& stats() const = 0;
};

class Snapshot {
 public:
  virtual ~Snapshot() = default;
  // InvalidArgument for an unknown built-in column or a bad regex.
  virtual absl::StatusOr<std::unique_ptr<Scan>> OpenScan(const ScanSpec& spec) const = 0;
  virtual absl::StatusOr<std::unique_ptr<SeriesScan>> OpenSeriesScan(const SeriesSpec& spec) const = 0;
  // Every column met in the sources that touch `time`, built-in columns first, then by level and name.
  virtual std::vector<ColumnInfo> Columns(Table table, TimeRange time) const = 0;
  // Extent of the table's rows (of all samples for OpenSeriesScan: SampleRange). Empty range if there are none.
  virtual TimeRange Range(Table table) const = 0;
  virtual TimeRange SampleRange() const = 0;
  // Metadata of all metrics, by name.
  virtual std::vector<MetricMetadata> Metadata() const = 0;
};

}  // namespace braid
