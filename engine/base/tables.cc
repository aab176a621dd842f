// The built-in columns of every table, and sums of scan statistics.
#include <algorithm>

#include "braid/snapshot.h"

namespace braid {
namespace {

using ColumnList = std::vector<std::pair<std::string, Type>>;

ColumnList WithSharedColumns(const ColumnList& own) {
  ColumnList columns = {{"time", Type::kTimestamp},   {"service", Type::kString}, {"instance", Type::kString},
                        {"trace_id", Type::kTraceId}, {"span_id", Type::kSpanId}, {"stream", Type::kInt}};
  columns.insert(columns.end(), own.begin(), own.end());
  return columns;
}

const ColumnList& LogColumns() {
  static const auto& columns = *new ColumnList(WithSharedColumns({{"observed_time", Type::kTimestamp},
                                                                  {"level", Type::kLevel},
                                                                  {"severity", Type::kInt},
                                                                  {"severity_text", Type::kString},
                                                                  {"message", Type::kString},
                                                                  {"event_name", Type::kString},
                                                                  {"flags", Type::kInt},
                                                                  {"dropped_attributes", Type::kInt},
                                                                  {"scope.name", Type::kString},
                                                                  {"scope.version", Type::kString}}));
  return columns;
}

const ColumnList& SpanColumns() {
  static const auto& columns = *new ColumnList(WithSharedColumns({{"end", Type::kTimestamp},
                                                                  {"duration", Type::kDuration},
                                                                  {"parent_id", Type::kSpanId},
                                                                  {"name", Type::kString},
                                                                  {"kind", Type::kSpanKind},
                                                                  {"status", Type::kStatus},
                                                                  {"status_message", Type::kString},
                                                                  {"trace_state", Type::kString},
                                                                  {"flags", Type::kInt},
                                                                  {"dropped_attributes", Type::kInt},
                                                                  {"dropped_events", Type::kInt},
                                                                  {"dropped_links", Type::kInt},
                                                                  {"scope.name", Type::kString},
                                                                  {"scope.version", Type::kString}}));
  return columns;
}

const ColumnList& EventColumns() {
  static const auto& columns =
      *new ColumnList(WithSharedColumns({{"name", Type::kString}, {"dropped_attributes", Type::kInt}}));
  return columns;
}

const ColumnList& LinkColumns() {
  static const auto& columns = *new ColumnList(WithSharedColumns({{"linked_trace_id", Type::kTraceId},
                                                                  {"linked_span_id", Type::kSpanId},
                                                                  {"trace_state", Type::kString},
                                                                  {"flags", Type::kInt},
                                                                  {"dropped_attributes", Type::kInt}}));
  return columns;
}

const ColumnList& ExemplarColumns() {
  static const auto& columns = *new ColumnList({{"time", Type::kTimestamp},
                                                {"service", Type::kString},
                                                {"instance", Type::kString},
                                                {"trace_id", Type::kTraceId},
                                                {"span_id", Type::kSpanId},
                                                {"stream", Type::kInt},
                                                {"metric", Type::kString},
                                                {"value", Type::kDouble}});
  return columns;
}

}  // namespace

std::string_view ToString(Table table) {
  switch (table) {
    case Table::kLogs: return "logs";
    case Table::kSpans: return "spans";
    case Table::kEvents: return "events";
    case Table::kLinks: return "links";
    case Table::kExemplars: return "exemplars";
  }
  return "unknown";
}

const std::vector<std::pair<std::string, Type>>& BuiltinColumns(Table table) {
  switch (table) {
    case Table::kLogs: return LogColumns();
    case Table::kSpans: return SpanColumns();
    case Table::kEvents: return EventColumns();
    case Table::kLinks: return LinkColumns();
    case Table::kExemplars: break;
  }
  return ExemplarColumns();
}

void ScanStats::Add(const ScanStats& other) {
  sources_total += other.sources_total;
  sources_read += other.sources_read;
  blocks_total += other.blocks_total;
  blocks_read += other.blocks_read;
  rows_read += other.rows_read;
  rows_returned += other.rows_returned;
  bytes_read += other.bytes_read;
  for (const std::string& index : other.indexes) {
    if (std::find(indexes.begin(), indexes.end(), index) == indexes.end()) indexes.push_back(index);
  }
  damaged.insert(damaged.end(), other.damaged.begin(), other.damaged.end());
}

}  // namespace braid
