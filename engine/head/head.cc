#include "engine/head/head.h"

#include <algorithm>
#include <utility>

#include "engine/base/checksum.h"
#include "engine/head/head_view.h"
#include "engine/head/row_columns.h"

namespace braid {
namespace {

void Widen(TimeRange* range, Timestamp start, Timestamp end) {
  range->start = std::min(range->start, start);
  range->end = std::max(range->end, end);
}

}  // namespace

HeadCut::HeadCut() {
  for (TimeRange& range : row_range) range = {kMaxTimestamp, kMinTimestamp};
  static const auto& none =
      *new std::shared_ptr<const std::vector<MetricMetadata>>(std::make_shared<const std::vector<MetricMetadata>>());
  metadata = none;
}

bool HeadCut::empty() const {
  uint64_t all = samples + metadata->size();
  for (uint32_t count : rows) all += count;
  return all == 0;
}

Head::Head() { next_.commit = 1; }

void Head::Resolve(const BatchView& batch, Resolved* resolved) {
  resolved->series.clear();
  resolved->streams.clear();
  resolved->series.reserve(batch.series.size());
  for (std::string_view labels : batch.series) resolved->series.push_back(series_.FindOrAdd(labels));
  for (std::string_view stream : batch.streams) resolved->streams.push_back(streams_.FindOrAdd(stream));
}

void Head::Apply(const Resolved& resolved, std::string_view body) {
  {
    std::lock_guard lock(mutex_);
    oldest_snapshot_ = published_.commit;
    if (!views_.empty()) oldest_snapshot_ = std::min(oldest_snapshot_, *views_.begin());
  }
  BodyReader reader(body);
  BatchItem item;
  while (reader.Next(&item)) {
    switch (item.kind) {
      case BatchItem::Kind::kSample:
        series_.Append(resolved.series[item.ref], next_.commit, oldest_snapshot_, item.time, item.value);
        ++next_.samples;
        Widen(&next_.sample_range, item.time, item.time);
        break;
      case BatchItem::Kind::kHistogram: {
        auto histogram = std::make_shared<Histogram>();
        DecodeHistogram(item.payload, histogram.get());
        series_.AppendHistogram(resolved.series[item.ref], next_.commit, oldest_snapshot_, item.time,
                                std::move(histogram));
        ++next_.samples;
        Widen(&next_.sample_range, item.time, item.time);
        break;
      }
      case BatchItem::Kind::kExemplar: {
        ExemplarView view;
        DecodeExemplar(item.payload, &view);
        const std::string_view bytes = arena_.Copy(item.payload);
        const Exemplar& exemplar = view.exemplar;
        AddRow(Table::kExemplars,
               {exemplar.time, exemplar.time, exemplar.trace_id, exemplar.span_id, bytes.data(),
                static_cast<uint32_t>(bytes.size()), resolved.series[item.ref]},
               exemplar.time);
        break;
      }
      case BatchItem::Kind::kMetadata: {
        MetricMetadata metadata;
        DecodeMetadata(item.payload, &metadata);
        AddMetadata(std::move(metadata));
        break;
      }
      case BatchItem::Kind::kLog: {
        LogView view;
        DecodeLog(item.payload, &view);
        const std::string_view bytes = arena_.Copy(item.payload);
        const LogRecord& record = view.record;
        AddRow(Table::kLogs,
               {record.time, record.time, record.trace_id, record.span_id, bytes.data(),
                static_cast<uint32_t>(bytes.size()), resolved.streams[item.ref]},
               record.time);
        break;
      }
      case BatchItem::Kind::kSpan: ApplySpan(resolved.streams[item.ref], item.payload); break;
    }
  }
}

void Head::ApplySpan(uint32_t stream, std::string_view payload) {
  const std::string_view bytes = arena_.Copy(payload);
  DecodeSpan(bytes, &span_);
  const Span& span = span_.span;
  AddRow(Table::kSpans,
         {span.start, span.end, span.trace_id, span.span_id, bytes.data(), static_cast<uint32_t>(bytes.size()), stream},
         span.end);
  for (std::string_view event_bytes : span_.events) {
    EventView event;
    DecodeEvent(event_bytes, &event);
    AddRow(Table::kEvents,
           {event.event.time, event.event.time, span.trace_id, span.span_id, event_bytes.data(),
            static_cast<uint32_t>(event_bytes.size()), stream},
           event.event.time);
  }
  for (std::string_view link_bytes : span_.links) {
    AddRow(Table::kLinks,
           {span.start, span.start, span.trace_id, span.span_id, link_bytes.data(),
            static_cast<uint32_t>(link_bytes.size()), stream},
           span.start);
  }
}

void Head::AddRow(Table table, const Row& row, Timestamp end) {
  const int index = static_cast<int>(table);
  rows_[index].Append(row);
  ++next_.rows[index];
  Widen(&next_.row_range[index], row.time, std::max(row.time, end));
}

void Head::AddMetadata(MetricMetadata metadata) {
  auto found = metadata_.find(metadata.metric);
  if (found != metadata_.end() && found->second == metadata) return;
  std::string name = metadata.metric;
  metadata_.insert_or_assign(std::move(name), std::move(metadata));
  metadata_changed_ = true;
}

void Head::Publish() {
  next_.series = series_.size();
  next_.streams = streams_.size();
  if (metadata_changed_) {
    auto list = std::make_shared<std::vector<MetricMetadata>>();
    list->reserve(metadata_.size());
    for (const auto& [name, metadata] : metadata_) list->push_back(metadata);
    next_.metadata = std::move(list);
    metadata_changed_ = false;
  }
  uint64_t bytes = arena_.byte_size() + series_.byte_size() + streams_.byte_size() + metadata_.size() * 256;
  for (const RowTable& rows : rows_) bytes += rows.byte_size();
  byte_size_.store(bytes, std::memory_order_relaxed);
  series_byte_size_.store(series_.series_byte_size(), std::memory_order_relaxed);
  {
    std::lock_guard lock(mutex_);
    published_ = next_;
  }
  ++next_.commit;
}

HeadCut Head::cut() const {
  std::lock_guard lock(mutex_);
  return published_;
}

std::shared_ptr<const Source> Head::View() const {
  std::lock_guard lock(mutex_);
  const auto entry = views_.insert(published_.commit);
  try {
    return std::make_shared<HeadView>(shared_from_this(), published_);
  } catch (const std::bad_alloc&) {
    views_.erase(entry);
    throw;
  }
}

void Head::ReleaseView(uint64_t commit) const {
  std::lock_guard lock(mutex_);
  views_.erase(views_.find(commit));
}

void Head::CountRow(Table table, const Row& row, RowReader* reader, TableColumns* columns) {
  reader->Load(row);
  const auto& builtins = BuiltinColumns(table);
  columns->builtins.resize(builtins.size());
  for (size_t i = 0; i < builtins.size(); ++i) {
    if (!reader->IsNull(i)) columns->builtins[i].Add(builtins[i].second);
  }
  size_t place = 0;
  reader->ForEachAttribute([&](const AttributeView& attribute) {
    if (attribute.value.index() == 0) return;
    if (columns->last_row.size() <= place) columns->last_row.resize(place + 1);
    AttributeCounts*& counts = columns->last_row[place++];
    if (counts == nullptr || counts->name != attribute.name) {
      const BytesKey key{Hash64(attribute.name), attribute.name};
      auto found = columns->by_name.find(key);
      if (found == columns->by_name.end()) {
        AttributeCounts* added = &columns->attributes.emplace_back();
        added->name = attribute.name;
        found = columns->by_name.try_emplace(BytesKey{key.hash, added->name}, added).first;
      }
      counts = found->second;
    }
    counts->counts.Add(TypeOf(attribute.value));
  });
  if (columns->rows_of_owner.size() <= row.owner) columns->rows_of_owner.resize(row.owner + 1);
  ++columns->rows_of_owner[row.owner];
}

std::vector<ColumnInfo> Head::ColumnsOf(Table table, const HeadCut& cut) const {
  const int index = static_cast<int>(table);
  std::lock_guard lock(columns_mutex_);
  TableColumns& known = columns_[index];
  RowReader reader(this, table);
  for (; known.rows_seen < cut.rows[index]; ++known.rows_seen) {
    CountRow(table, rows_[index].row(known.rows_seen), &reader, &known);
  }
  std::map<ColumnRef, ColumnCounts> all;
  for (size_t i = 0; i < known.builtins.size(); ++i) {
    if (known.builtins[i].rows > 0) all[{ColumnLevel::kBuiltin, BuiltinColumns(table)[i].first}] = known.builtins[i];
  }
  for (const AttributeCounts& attribute : known.attributes) {
    all[{ColumnLevel::kAttribute, attribute.name}] = attribute.counts;
  }
  if (table != Table::kExemplars) {
    for (uint32_t owner = 0; owner < known.rows_of_owner.size(); ++owner) {
      const uint64_t rows = known.rows_of_owner[owner];
      if (rows == 0) continue;
      const Stream& stream = streams_.stream(owner).stream;
      for (const auto& [level, attributes] : {std::pair(ColumnLevel::kResource, &stream.resource),
                                              std::pair(ColumnLevel::kScope, &stream.scope_attributes)}) {
        for (const Attribute& attribute : *attributes) {
          if (attribute.value.index() == 0) continue;
          ColumnCounts& counts = all[{level, attribute.name}];
          counts.types |= 1u << static_cast<int>(TypeOf(braid::View(attribute.value)));
          counts.rows += rows;
        }
      }
    }
  }
  std::vector<ColumnInfo> infos;
  infos.reserve(all.size());
  for (const auto& [ref, counts] : all) {
    ColumnInfo info{ref, {}, counts.rows};
    for (int type = 0; type < 32; ++type) {
      if (counts.types & (1u << type)) info.types.push_back(static_cast<Type>(type));
    }
    infos.push_back(std::move(info));
  }
  return infos;
}

std::vector<std::string> Head::AttributeNames(Table table, const HeadCut& cut) const {
  const int index = static_cast<int>(table);
  std::vector<std::string> names;
  if (table == Table::kExemplars) {  // the labels of their series count as well
    for (ColumnInfo& info : ColumnsOf(table, cut)) {
      if (info.ref.level == ColumnLevel::kAttribute) names.push_back(std::move(info.ref.name));
    }
    return names;
  }
  HashSet<std::string_view> known;
  // Names of the last row in their order: the next row mostly has the same.
  std::vector<std::string_view> last_row;
  for (uint32_t number = 0; number < cut.rows[index]; ++number) {
    AttributeReader reader(AttributesOf(table, rows_[index].row(number).bytes()));
    AttributeView attribute;
    for (size_t place = 0; reader.Next(&attribute);) {
      if (attribute.value.index() == 0) continue;
      if (last_row.size() <= place) last_row.resize(place + 1);
      std::string_view& last = last_row[place++];
      if (last.data() != nullptr && last == attribute.name) continue;
      last = attribute.name;
      known.insert(attribute.name);
    }
  }
  names.assign(known.begin(), known.end());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace braid
