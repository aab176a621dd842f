#include "engine/head/row_columns.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/base/checksum.h"
#include "engine/base/fingerprint.h"
#include "engine/head/head.h"
#include "engine/part/columns.h"

namespace braid {
namespace {

// Every built-in column of every table, so that a row's value is found by a switch.
enum Code : int {
  kTime,
  kService,
  kInstance,
  kTraceId,
  kSpanId,
  kStream,
  kObservedTime,
  kLevel,
  kSeverity,
  kSeverityText,
  kMessage,
  kEventName,
  kFlags,
  kDroppedAttributes,
  kScopeName,
  kScopeVersion,
  kEnd,
  kDuration,
  kParentId,
  kName,
  kKind,
  kStatus,
  kStatusMessage,
  kTraceState,
  kDroppedEvents,
  kDroppedLinks,
  kLinkedTraceId,
  kLinkedSpanId,
  kMetric,
  kValue
};

constexpr std::pair<std::string_view, Code> kCodes[] = {{"time", kTime},
                                                        {"service", kService},
                                                        {"instance", kInstance},
                                                        {"trace_id", kTraceId},
                                                        {"span_id", kSpanId},
                                                        {"stream", kStream},
                                                        {"observed_time", kObservedTime},
                                                        {"level", kLevel},
                                                        {"severity", kSeverity},
                                                        {"severity_text", kSeverityText},
                                                        {"message", kMessage},
                                                        {"event_name", kEventName},
                                                        {"flags", kFlags},
                                                        {"dropped_attributes", kDroppedAttributes},
                                                        {"scope.name", kScopeName},
                                                        {"scope.version", kScopeVersion},
                                                        {"end", kEnd},
                                                        {"duration", kDuration},
                                                        {"parent_id", kParentId},
                                                        {"name", kName},
                                                        {"kind", kKind},
                                                        {"status", kStatus},
                                                        {"status_message", kStatusMessage},
                                                        {"trace_state", kTraceState},
                                                        {"dropped_events", kDroppedEvents},
                                                        {"dropped_links", kDroppedLinks},
                                                        {"linked_trace_id", kLinkedTraceId},
                                                        {"linked_span_id", kLinkedSpanId},
                                                        {"metric", kMetric},
                                                        {"value", kValue}};

int CodeOf(std::string_view name) {
  for (const auto& [known, code] : kCodes) {
    if (known == name) return code;
  }
  return -1;
}

// An end before the start counts as no time; more than a Duration holds counts as the longest.
Duration LengthOf(Timestamp start, Timestamp end) {
  if (end <= start) return 0;
  Duration length = 0;
  return __builtin_sub_overflow(end, start, &length) ? INT64_MAX : length;
}

}  // namespace

Type TypeOf(const ValueView& value) {
  switch (value.index()) {
    case 1: return Type::kBool;
    case 2: return Type::kInt;
    case 3: return Type::kDouble;
    case 4: return Type::kString;
    default: return Type::kNull;
  }
}

RowReader::RowReader(const Head* head, Table table) : head_(head), table_(table), builtins_(BuiltinColumns(table)) {
  for (const auto& [name, type] : builtins_) codes_.push_back(CodeOf(name));
}

void RowReader::Load(const Row& row) {
  row_ = &row;
  labels_.clear();
  switch (table_) {
    case Table::kLogs:
      DecodeLog(row.bytes(), &log_);
      attributes_ = log_.attributes;
      break;
    case Table::kSpans:
      DecodeSpanFields(row.bytes(), &span_);
      attributes_ = span_.attributes;
      break;
    case Table::kEvents:
      DecodeEvent(row.bytes(), &event_);
      attributes_ = event_.attributes;
      break;
    case Table::kLinks:
      DecodeLink(row.bytes(), &link_);
      attributes_ = link_.attributes;
      break;
    case Table::kExemplars: {
      DecodeExemplar(row.bytes(), &exemplar_);
      attributes_ = exemplar_.attributes;
      auto [texts, added] = series_texts_.try_emplace(row.owner);
      if (added) {
        Labels labels;
        DecodeLabels(head_->series().labels(row.owner), &labels);
        texts->second = {ServiceOf(labels), InstanceOf(labels), std::string(FindLabel(labels, kMetricNameLabel))};
      }
      texts_ = &texts->second;
      Decoder in(head_->series().labels(row.owner));
      std::string_view name, value;
      while (in.remaining() > 0 && in.ReadBytes(&name) && in.ReadBytes(&value)) {
        bool hidden = false;
        AttributeReader own(attributes_);
        AttributeView attribute;
        while (own.Next(&attribute)) hidden = hidden || attribute.name == name;
        if (!hidden) labels_.push_back({name, value});
      }
      break;
    }
  }
}

template <typename Sink>
inline bool RowReader::Give(size_t builtin, Sink&& sink) const {
  const Row& row = *row_;
  const bool of_series = table_ == Table::kExemplars;
  switch (static_cast<Code>(codes_[builtin])) {
    case kTime: return sink.Integer(row.time);
    case kTraceId: return sink.Trace(row.trace_id);
    case kSpanId: return sink.Count(row.span_id.value);
    case kStream:
      return sink.Integer(static_cast<int64_t>(of_series ? head_->series().fingerprint(row.owner)
                                                         : head_->streams().stream(row.owner).fingerprint));
    case kService: return sink.Text(of_series ? texts_->service : head_->streams().stream(row.owner).service);
    case kInstance: return sink.Text(of_series ? texts_->instance : head_->streams().stream(row.owner).instance);
    case kScopeName: return sink.Text(head_->streams().stream(row.owner).stream.scope_name);
    case kScopeVersion: return sink.Text(head_->streams().stream(row.owner).stream.scope_version);
    case kObservedTime: return sink.Count(static_cast<uint64_t>(log_.record.observed_time));
    case kLevel: return sink.Count(static_cast<uint64_t>(LevelOfSeverity(log_.record.severity_number)));
    case kSeverity: return sink.Count(static_cast<uint64_t>(int64_t{log_.record.severity_number}));
    case kSeverityText: return sink.Text(log_.record.severity_text);
    case kMessage: return sink.Text(log_.record.message);
    case kEventName: return sink.Text(log_.record.event_name);
    case kFlags:
      return sink.Count(table_ == Table::kLogs    ? log_.record.flags
                        : table_ == Table::kSpans ? span_.span.flags
                                                  : link_.link.flags);
    case kDroppedAttributes:
      return sink.Count(table_ == Table::kLogs     ? log_.record.dropped_attributes
                        : table_ == Table::kSpans  ? span_.span.dropped_attributes
                        : table_ == Table::kEvents ? event_.event.dropped_attributes
                                                   : link_.link.dropped_attributes);
    case kEnd: return sink.Integer(row.end);
    case kDuration: return sink.Integer(LengthOf(row.time, row.end));
    case kParentId: return sink.Count(span_.span.parent_id.value);
    case kName: return sink.Text(table_ == Table::kSpans ? span_.span.name : event_.event.name);
    case kKind: return sink.Integer(static_cast<int64_t>(span_.span.kind));
    case kStatus: return sink.Integer(static_cast<int64_t>(span_.span.status));
    case kStatusMessage: return sink.Text(span_.span.status_message);
    case kTraceState: return sink.Text(table_ == Table::kSpans ? span_.span.trace_state : link_.link.trace_state);
    case kDroppedEvents: return sink.Count(span_.span.dropped_events);
    case kDroppedLinks: return sink.Count(span_.span.dropped_links);
    case kLinkedTraceId: return sink.Trace(link_.link.trace_id);
    case kLinkedSpanId: return sink.Count(link_.link.span_id.value);
    case kMetric: return sink.Text(texts_->metric);
    case kValue: return sink.Number(exemplar_.exemplar.value);
  }
  return false;
}

bool RowReader::IsNull(size_t builtin) const {
  struct {
    bool Integer(int64_t) const { return false; }
    bool Count(uint64_t value) const { return value == 0; }
    bool Text(std::string_view value) const { return value.empty(); }
    bool Trace(TraceId id) const { return id.IsZero(); }
    bool Number(double) const { return false; }
  } const sink;
  return Give(builtin, sink);
}

bool RowReader::Append(size_t builtin, ColumnBuilder* column) const {
  struct {
    Type type;
    ColumnBuilder* column;
    bool Integer(int64_t value) const {
      column->AppendInt(type, value);
      return true;
    }
    bool Count(uint64_t value) const { return value != 0 && Integer(static_cast<int64_t>(value)); }
    bool Text(std::string_view value) const {
      if (value.empty()) return false;
      column->AppendString(value);
      return true;
    }
    bool Trace(TraceId id) const {
      if (id.IsZero()) return false;
      column->AppendTraceId(id);
      return true;
    }
    bool Number(double value) const {
      column->AppendDouble(value);
      return true;
    }
  } const sink{builtins_[builtin].second, column};
  return Give(builtin, sink);
}

void RowProjector::Slot::AddRow(uint32_t row) {
  if (rows.empty() && row != values) {
    rows.resize(values);
    std::iota(rows.begin(), rows.end(), 0);
  }
  if (!rows.empty() || row != values) rows.push_back(row);
  ++values;
  last_row = row;
}

RowProjector::RowProjector(const Head* head, Table table, const std::vector<ColumnRef>& columns,
                           std::shared_ptr<const void> owner)
    : head_(head), reader_(head, table) {
  const auto& builtins = BuiltinColumns(table);
  slots_.resize(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    const ColumnRef& ref = columns[i];
    Slot& slot = slots_[i];
    slot.name = ref.name;
    // The texts of exemplars are partly made up by the reader.
    if (table != Table::kExemplars) slot.builder.BorrowTexts(owner);
    const bool any = ref.level == ColumnLevel::kAny;
    if (any || ref.level == ColumnLevel::kBuiltin) {
      for (size_t b = 0; b < builtins.size(); ++b) {
        if (builtins[b].first == ref.name) slot.builtin = static_cast<int>(b);
      }
    }
    const bool has_stream = table != Table::kExemplars;
    slot.resource = has_stream && (any || ref.level == ColumnLevel::kResource);
    slot.scope = has_stream && (any || ref.level == ColumnLevel::kScope);
    if (slot.builtin >= 0) builtin_slots_.push_back(i);
    if (any || ref.level == ColumnLevel::kAttribute) attribute_slots_[Hash64(ref.name)].push_back(i);
    if (slot.resource || slot.scope) stream_slots_.push_back(i);
  }
}

const std::vector<ValueView>& RowProjector::StreamValues(uint32_t stream) {
  auto [entry, added] = stream_values_.try_emplace(stream);
  if (!added) return entry->second;
  std::vector<ValueView>& values = entry->second;
  const Stream& of = head_->streams().stream(stream).stream;
  auto find = [](const std::vector<Attribute>& attributes, const std::string& name) {
    for (const Attribute& attribute : attributes) {
      if (attribute.name == name) return View(attribute.value);
    }
    return ValueView();
  };
  for (size_t i : stream_slots_) {
    ValueView value;
    if (slots_[i].resource) value = find(of.resource, slots_[i].name);
    if (slots_[i].scope && value.index() == 0) value = find(of.scope_attributes, slots_[i].name);
    values.push_back(value);
  }
  return values;
}

void RowProjector::Add(const Row& row) {
  reader_.Load(row);
  const auto number = static_cast<uint32_t>(rows_);
  for (size_t i : builtin_slots_) {
    Slot& slot = slots_[i];
    if (reader_.Append(static_cast<size_t>(slot.builtin), &slot.builder)) slot.AddRow(number);
  }
  if (!attribute_slots_.empty()) {
    size_t place = 0;
    reader_.ForEachAttribute([&](const AttributeView& attribute) {
      if (attribute.value.index() == 0) return;
      if (last_row_.size() <= place) last_row_.resize(place + 1);
      Wanted& wanted = last_row_[place++];
      if (wanted.name.data() == nullptr || wanted.name != attribute.name) {
        const auto found = attribute_slots_.find(Hash64(attribute.name));
        wanted = {attribute.name, found == attribute_slots_.end() ? nullptr : &found->second};
      }
      if (wanted.slots == nullptr) return;
      for (size_t i : *wanted.slots) {
        Slot& slot = slots_[i];
        if (slot.HasRow(rows_) || slot.name != attribute.name) continue;
        slot.builder.AppendValue(attribute.value);
        slot.AddRow(number);
      }
    });
  }
  if (!stream_slots_.empty()) {
    const std::vector<ValueView>& values = StreamValues(row.owner);
    for (size_t n = 0; n < stream_slots_.size(); ++n) {
      Slot& slot = slots_[stream_slots_[n]];
      if (values[n].index() == 0 || slot.HasRow(rows_)) continue;
      slot.builder.AppendValue(values[n]);
      slot.AddRow(number);
    }
  }
  ++rows_;
}

RecordBatch RowProjector::Finish() {
  RecordBatch batch;
  batch.num_rows = rows_;
  batch.columns.reserve(slots_.size());
  for (Slot& slot : slots_) {
    Column column = slot.builder.Finish();
    if (slot.values < rows_) {
      // Without a gap the first rows have values.
      for (uint32_t row = static_cast<uint32_t>(slot.rows.size()); row < slot.values; ++row) slot.rows.push_back(row);
      column = slot.values == 0 ? NullColumn(rows_) : SpreadColumn(column, slot.rows, rows_);
    }
    batch.columns.push_back(std::move(column));
    slot.rows.clear();
    slot.values = 0;
  }
  rows_ = 0;
  return batch;
}

}  // namespace braid
