#include "engine/head/batch_reader.h"

#include <string>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/base/text_order.h"

namespace braid {
namespace {

bool ReadTraceId(Decoder* in, TraceId* id) { return in->ReadFixed64(&id->high) && in->ReadFixed64(&id->low); }

bool ReadTime(Decoder* in, Timestamp* time) {
  uint64_t bits = 0;
  if (!in->ReadFixed64(&bits)) return false;
  *time = static_cast<Timestamp>(bits);
  return true;
}

bool ReadValue(Decoder* in, ValueView* value) {
  uint8_t kind = 0;
  if (!in->ReadByte(&kind)) return false;
  switch (kind) {
    case 0: *value = std::monostate(); return true;
    case 1: *value = false; return true;
    case 2: *value = true; return true;
    case 3: {
      int64_t integer = 0;
      if (!in->ReadZigzag(&integer)) return false;
      *value = integer;
      return true;
    }
    case 4: {
      double number = 0;
      if (!in->ReadDouble(&number)) return false;
      *value = number;
      return true;
    }
    case 5: {
      std::string_view text;
      if (!in->ReadBytes(&text)) return false;
      *value = text;
      return true;
    }
    default: return in->Fail();
  }
}

// Attributes are last in most records: what is left must be theirs alone.
bool TakeRest(Decoder* in, std::string_view* attributes) {
  if (!in->ok()) return false;
  *attributes = in->rest();
  return true;
}

bool SkipValue(Decoder* in) {
  uint8_t kind = 0;
  uint64_t number = 0;
  std::string_view text;
  if (!in->ReadByte(&kind)) return false;
  if (kind == 5) return in->ReadBytes(&text);
  if (kind < 3) return true;
  if (kind == 3) return in->ReadVarint(&number);
  return kind == 4 ? in->Skip(sizeof(double)) : in->Fail();
}

// Passes over attributes.
bool SkipAttributes(Decoder* in) {
  uint64_t count = 0;
  if (!in->ReadVarintMax(in->remaining(), &count)) return false;
  std::string_view name;
  for (uint64_t i = 0; i < count; ++i) {
    if (!in->ReadBytes(&name) || !SkipValue(in)) return false;
  }
  return true;
}

// Those in the middle of a record.
bool TakeAttributes(Decoder* in, std::string_view* attributes) {
  const std::string_view start = in->rest();
  if (!SkipAttributes(in)) return false;
  *attributes = start.substr(0, start.size() - in->remaining());
  return true;
}

bool ReadOwnedAttributes(Decoder* in, std::vector<Attribute>* attributes) {
  std::string_view bytes;
  if (!TakeAttributes(in, &bytes)) return false;
  AttributeReader reader(bytes);
  AttributeView attribute;
  attributes->clear();
  while (reader.Next(&attribute)) attributes->push_back({std::string(attribute.name), Own(attribute.value)});
  return true;
}

bool ReadText(Decoder* in, std::string* text) {
  std::string_view view;
  if (!in->ReadBytes(&view)) return false;
  text->assign(view);
  return true;
}

bool CheckAttributes(std::string_view bytes) {
  Decoder in(bytes);
  return SkipAttributes(&in) && in.done();
}

bool ReadBuckets(Decoder* in, std::vector<Histogram::Bucket>* buckets) {
  uint64_t count = 0;
  if (!in->ReadVarintMax(in->remaining() / 9, &count)) return false;
  buckets->clear();
  buckets->reserve(count);
  int64_t last = 0;
  for (uint64_t i = 0; i < count; ++i) {
    int64_t step = 0;
    Histogram::Bucket bucket{};
    if (!in->ReadZigzag(&step) || !in->ReadDouble(&bucket.count)) return false;
    if (step > int64_t{UINT32_MAX} || step < -int64_t{UINT32_MAX}) return in->Fail();
    last += step;
    if (last > INT32_MAX || last < INT32_MIN) return in->Fail();
    bucket.index = static_cast<int32_t>(last);
    buckets->push_back(bucket);
  }
  return true;
}

bool AscendingIndexes(const std::vector<Histogram::Bucket>& buckets) {
  for (size_t i = 1; i < buckets.size(); ++i) {
    if (buckets[i].index <= buckets[i - 1].index) return false;
  }
  return true;
}

bool SplitSection(std::string_view section, uint32_t count, std::vector<std::string_view>* entries) {
  Decoder in(section);
  if (count > section.size()) return false;
  entries->clear();
  entries->reserve(count);
  std::string_view entry;
  for (uint32_t i = 0; i < count; ++i) {
    if (!in.ReadBytes(&entry)) return false;
    entries->push_back(entry);
  }
  return in.done();
}

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError("write batch: " + what); }

}  // namespace

bool BodyReader::Next(BatchItem* item) {
  if (in_.remaining() == 0) return false;
  uint8_t kind = 0;
  in_.ReadByte(&kind);
  item->kind = static_cast<BatchItem::Kind>(kind);
  switch (item->kind) {
    case BatchItem::Kind::kSample:
    case BatchItem::Kind::kHistogram: {
      int64_t series_step = 0, time_step = 0;
      if (!in_.ReadZigzag(&series_step) || !in_.ReadZigzag(&time_step)) return false;
      const int64_t series = static_cast<int64_t>(uint64_t{last_series_} + static_cast<uint64_t>(series_step));
      if (series < 0 || series > int64_t{UINT32_MAX}) return in_.Fail();
      last_series_ = static_cast<uint32_t>(series);
      last_time_ = static_cast<Timestamp>(static_cast<uint64_t>(last_time_) + static_cast<uint64_t>(time_step));
      item->ref = last_series_;
      item->time = last_time_;
      return item->kind == BatchItem::Kind::kSample ? in_.ReadDouble(&item->value) : in_.ReadBytes(&item->payload);
    }
    case BatchItem::Kind::kMetadata: return in_.ReadBytes(&item->payload);
    case BatchItem::Kind::kExemplar:
    case BatchItem::Kind::kLog:
    case BatchItem::Kind::kSpan: return in_.ReadVarint32(&item->ref) && in_.ReadBytes(&item->payload);
  }
  return in_.Fail();
}

AttributeReader::AttributeReader(std::string_view attributes) : in_(attributes) {
  if (!in_.ReadVarintMax(attributes.size(), &left_)) left_ = 0;
}

bool AttributeReader::Next(AttributeView* attribute) {
  if (left_ == 0) return false;
  if (!in_.ReadBytes(&attribute->name) || !ReadValue(&in_, &attribute->value)) {
    left_ = 0;
    return false;
  }
  --left_;
  return true;
}

bool DecodeLog(std::string_view payload, LogView* log) {
  Decoder in(payload);
  LogRecord& record = log->record;
  record = {};
  uint8_t has = 0;
  int64_t severity = 0;
  if (!in.ReadByte(&has) || has > 63 || !ReadTime(&in, &record.time)) return false;
  if ((has & 1) && !ReadTime(&in, &record.observed_time)) return false;
  if ((has & 2) && !in.ReadZigzag(&severity)) return false;
  if (severity > INT32_MAX || severity < INT32_MIN) return false;
  record.severity_number = static_cast<int>(severity);
  if ((has & 4) && !ReadTraceId(&in, &record.trace_id)) return false;
  if ((has & 8) && !in.ReadFixed64(&record.span_id.value)) return false;
  if ((has & 16) && !in.ReadVarint32(&record.flags)) return false;
  if ((has & 32) && !in.ReadVarint32(&record.dropped_attributes)) return false;
  return in.ReadBytes(&record.severity_text) && in.ReadBytes(&record.message) && in.ReadBytes(&record.event_name) &&
         TakeRest(&in, &log->attributes);
}

namespace {

bool ReadSpanFields(Decoder* decoder, Span* fields) {
  Decoder& in = *decoder;
  Span& span = *fields;
  span = {};
  uint8_t has = 0, kind = 0, status = 0;
  int64_t length = 0;
  if (!in.ReadByte(&has) || has > 7 || !ReadTime(&in, &span.start) || !in.ReadZigzag(&length) ||
      !ReadTraceId(&in, &span.trace_id) || !in.ReadFixed64(&span.span_id.value)) {
    return false;
  }
  span.end = static_cast<Timestamp>(static_cast<uint64_t>(span.start) + static_cast<uint64_t>(length));
  if ((has & 1) && !in.ReadFixed64(&span.parent_id.value)) return false;
  if ((has & 2) && !in.ReadVarint32(&span.flags)) return false;
  if ((has & 4) && !(in.ReadVarint32(&span.dropped_attributes) && in.ReadVarint32(&span.dropped_events) &&
                     in.ReadVarint32(&span.dropped_links))) {
    return false;
  }
  if (!in.ReadByte(&kind) || kind > static_cast<uint8_t>(SpanKind::kConsumer) || !in.ReadByte(&status) ||
      status > static_cast<uint8_t>(StatusCode::kError)) {
    return false;
  }
  span.kind = static_cast<SpanKind>(kind);
  span.status = static_cast<StatusCode>(status);
  return in.ReadBytes(&span.trace_state) && in.ReadBytes(&span.name) && in.ReadBytes(&span.status_message);
}

}  // namespace

bool DecodeSpanFields(std::string_view payload, SpanView* view) {
  Decoder in(payload);
  return ReadSpanFields(&in, &view->span) && TakeRest(&in, &view->attributes);
}

bool DecodeSpan(std::string_view payload, SpanView* view) {
  Decoder in(payload);
  if (!ReadSpanFields(&in, &view->span) || !TakeAttributes(&in, &view->attributes)) return false;
  for (auto* list : {&view->events, &view->links}) {
    uint64_t count = 0;
    if (!in.ReadVarintMax(in.remaining(), &count)) return false;
    list->clear();
    list->reserve(count);
    std::string_view bytes;
    for (uint64_t i = 0; i < count; ++i) {
      if (!in.ReadBytes(&bytes)) return false;
      list->push_back(bytes);
    }
  }
  return in.done();
}

bool DecodeEvent(std::string_view payload, EventView* view) {
  Decoder in(payload);
  view->event = {};
  return ReadTime(&in, &view->event.time) && in.ReadVarint32(&view->event.dropped_attributes) &&
         in.ReadBytes(&view->event.name) && TakeRest(&in, &view->attributes);
}

bool DecodeLink(std::string_view payload, LinkView* view) {
  Decoder in(payload);
  SpanLink& link = view->link;
  link = {};
  return ReadTraceId(&in, &link.trace_id) && in.ReadFixed64(&link.span_id.value) && in.ReadVarint32(&link.flags) &&
         in.ReadVarint32(&link.dropped_attributes) && in.ReadBytes(&link.trace_state) &&
         TakeRest(&in, &view->attributes);
}

bool DecodeExemplar(std::string_view payload, ExemplarView* view) {
  Decoder in(payload);
  Exemplar& exemplar = view->exemplar;
  exemplar = {};
  uint8_t has = 0;
  if (!in.ReadByte(&has) || has > 3 || !ReadTime(&in, &exemplar.time) || !in.ReadDouble(&exemplar.value)) return false;
  if ((has & 1) && !ReadTraceId(&in, &exemplar.trace_id)) return false;
  if ((has & 2) && !in.ReadFixed64(&exemplar.span_id.value)) return false;
  return TakeRest(&in, &view->attributes);
}

bool DecodeMetadata(std::string_view payload, MetricMetadata* metadata) {
  Decoder in(payload);
  return ReadText(&in, &metadata->metric) && ReadText(&in, &metadata->type) && ReadText(&in, &metadata->unit) &&
         ReadText(&in, &metadata->help) && in.done();
}

bool DecodeHistogram(std::string_view payload, Histogram* histogram) {
  Decoder in(payload);
  int64_t schema = 0;
  uint8_t flags = 0;
  if (!in.ReadZigzag(&schema) || schema > INT32_MAX || schema < INT32_MIN || !in.ReadByte(&flags) || flags > 7) {
    return false;
  }
  histogram->schema = static_cast<int32_t>(schema);
  histogram->is_gauge = (flags & 1) != 0;
  histogram->reset_unknown = (flags & 2) != 0;
  histogram->reset = (flags & 4) != 0;
  if (!in.ReadDouble(&histogram->zero_threshold) || !in.ReadDouble(&histogram->zero_count) ||
      !in.ReadDouble(&histogram->count) || !in.ReadDouble(&histogram->sum) || !ReadBuckets(&in, &histogram->positive) ||
      !ReadBuckets(&in, &histogram->negative)) {
    return false;
  }
  uint64_t bounds = 0;
  if (!in.ReadVarintMax(in.remaining() / 8, &bounds)) return false;
  histogram->custom_bounds.assign(bounds, 0);
  for (double& bound : histogram->custom_bounds) in.ReadDouble(&bound);
  return in.done();
}

std::string_view AttributesOf(Table table, std::string_view payload) {
  Decoder in(payload);
  uint8_t has = 0;
  uint64_t skipped = 0;
  std::string_view text;
  const auto skip_varints = [&](int count) {
    for (; count > 0; --count) in.ReadVarint(&skipped);
  };
  const auto skip_texts = [&](int count) {
    for (; count > 0; --count) in.ReadBytes(&text);
  };
  switch (table) {
    case Table::kLogs:  // as DecodeLog
      in.ReadByte(&has);
      in.Skip((has & 1) != 0 ? 16 : 8);
      skip_varints((has & 2) != 0 ? 1 : 0);
      in.Skip(((has & 4) != 0 ? 16 : 0) + ((has & 8) != 0 ? 8 : 0));
      skip_varints(((has & 16) != 0 ? 1 : 0) + ((has & 32) != 0 ? 1 : 0));
      skip_texts(3);
      break;
    case Table::kSpans:  // as DecodeSpan
      in.ReadByte(&has);
      in.Skip(8);
      skip_varints(1);
      in.Skip((has & 1) != 0 ? 32 : 24);
      skip_varints(((has & 2) != 0 ? 1 : 0) + ((has & 4) != 0 ? 3 : 0));
      in.Skip(2);
      skip_texts(3);
      break;
    case Table::kEvents:  // as DecodeEvent
      in.Skip(8);
      skip_varints(1);
      skip_texts(1);
      break;
    case Table::kLinks:  // as DecodeLink
      in.Skip(24);
      skip_varints(2);
      skip_texts(1);
      break;
    default: return {};
  }
  return in.rest();
}

bool DecodeLabels(std::string_view bytes, Labels* labels) {
  Decoder in(bytes);
  labels->clear();
  std::string_view name, value;
  while (in.remaining() > 0) {
    if (!in.ReadBytes(&name) || !in.ReadBytes(&value)) return false;
    labels->push_back({std::string(name), std::string(value)});
  }
  return in.done();
}

bool DecodeStream(std::string_view bytes, Stream* stream) {
  Decoder in(bytes);
  return ReadOwnedAttributes(&in, &stream->resource) && ReadText(&in, &stream->resource_schema_url) &&
         ReadText(&in, &stream->scope_name) && ReadText(&in, &stream->scope_version) &&
         ReadOwnedAttributes(&in, &stream->scope_attributes) && ReadText(&in, &stream->scope_schema_url) && in.done();
}

absl::Status CheckLabels(std::string_view bytes) {
  Decoder in(bytes);
  if (bytes.empty()) return Bad("a series has no label with a value");
  std::string_view last, name, value;
  for (bool first = true; in.remaining() > 0; first = false) {
    if (!in.ReadBytes(&name) || !in.ReadBytes(&value) || value.empty())
      return Bad("labels of a series are not readable");
    if (name.empty()) return Bad("a series has a label without a name");
    const int order = first ? 1 : CompareNames(name, last);
    if (order == 0) return Bad("a series has label \"" + std::string(name) + "\" twice");
    if (order < 0) return Bad("labels of a series are not in order");
    last = name;
  }
  return in.done() ? absl::OkStatus() : Bad("labels of a series are not readable");
}

absl::Status CheckStream(std::string_view bytes) {
  Decoder in(bytes);
  std::string_view resource, scope, text;
  if (!TakeAttributes(&in, &resource) || !in.ReadBytes(&text) || !in.ReadBytes(&text) || !in.ReadBytes(&text) ||
      !TakeAttributes(&in, &scope) || !in.ReadBytes(&text) || !in.done()) {
    return Bad("a stream is not readable");
  }
  for (std::string_view attributes : {resource, scope}) {
    AttributeReader reader(attributes);
    AttributeView attribute;
    std::string_view last;
    for (bool first = true; reader.Next(&attribute); first = false) {
      const int order = first ? 1 : CompareNames(attribute.name, last);
      if (order == 0) return Bad("a stream has attribute \"" + std::string(attribute.name) + "\" twice");
      if (order < 0) return Bad("attributes of a stream are not in order");
      last = attribute.name;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckBody(std::string_view body, size_t series_count, size_t stream_count) {
  BodyReader reader(body);
  BatchItem item;
  size_t index = 0;
  auto bad = [&index](const char* what) { return Bad("item " + std::to_string(index) + ": " + what); };
  for (; reader.Next(&item); ++index) {
    switch (item.kind) {
      case BatchItem::Kind::kSample:
        if (item.ref >= series_count) return bad("the sample's series was not named in this batch");
        break;
      case BatchItem::Kind::kHistogram: {
        Histogram histogram;
        if (item.ref >= series_count) return bad("the histogram's series was not named in this batch");
        if (!DecodeHistogram(item.payload, &histogram)) return bad("the histogram is not readable");
        if (!AscendingIndexes(histogram.positive) || !AscendingIndexes(histogram.negative)) {
          return bad("the histogram's buckets are not in ascending order of their indexes");
        }
        break;
      }
      case BatchItem::Kind::kExemplar: {
        ExemplarView view;
        if (item.ref >= series_count) return bad("the exemplar's series was not named in this batch");
        if (!DecodeExemplar(item.payload, &view) || !CheckAttributes(view.attributes)) {
          return bad("the exemplar is not readable");
        }
        break;
      }
      case BatchItem::Kind::kMetadata: {
        MetricMetadata metadata;
        if (!DecodeMetadata(item.payload, &metadata)) return bad("the metadata is not readable");
        if (metadata.metric.empty()) return bad("the metadata names no metric");
        break;
      }
      case BatchItem::Kind::kLog: {
        LogView view;
        if (item.ref >= stream_count) return bad("the log record's stream was not named in this batch");
        if (!DecodeLog(item.payload, &view) || !CheckAttributes(view.attributes)) {
          return bad("the log record is not readable");
        }
        break;
      }
      case BatchItem::Kind::kSpan: {
        thread_local SpanView view;
        if (item.ref >= stream_count) return bad("the span's stream was not named in this batch");
        if (!DecodeSpan(item.payload, &view)) return bad("the span is not readable (or its kind or status is unknown)");
        if (view.span.trace_id.IsZero()) return bad("the span's trace id is zero");
        if (view.span.span_id.IsZero()) return bad("the span's id is zero");
        for (std::string_view bytes : view.events) {
          EventView event;
          if (!DecodeEvent(bytes, &event) || !CheckAttributes(event.attributes)) return bad("an event is not readable");
        }
        for (std::string_view bytes : view.links) {
          LinkView link;
          if (!DecodeLink(bytes, &link) || !CheckAttributes(link.attributes)) return bad("a link is not readable");
        }
        break;
      }
    }
  }
  return reader.ok() ? absl::OkStatus() : bad("not readable");
}

absl::Status CheckBatch(const WriteBatch& batch, BatchView* view) {
  if (batch.byte_size() > WriteBatch::kMaxBatchBytes) {
    return Bad(std::to_string(batch.byte_size()) + " bytes are too large; the limit is " +
               std::to_string(WriteBatch::kMaxBatchBytes));
  }
  if (!SplitSection(batch.series_section(), batch.series_count(), &view->series) ||
      !SplitSection(batch.streams_section(), batch.stream_count(), &view->streams)) {
    return Bad("sections are not readable");
  }
  for (std::string_view series : view->series) RETURN_IF_ERROR(CheckLabels(series));
  for (std::string_view stream : view->streams) RETURN_IF_ERROR(CheckStream(stream));
  view->body = batch.body();
  return CheckBody(view->body, view->series.size(), view->streams.size());
}

}  // namespace braid
