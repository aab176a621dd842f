#include "server/ingest/otlp_protobuf.h"

#include <deque>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "engine/base/status_macros.h"
#include "server/ingest/attribute_list.h"
#include "server/ingest/otlp_metrics.h"
#include "server/ingest/otlp_protobuf_value.h"

namespace braid::ingest {
namespace {

using protozero::pbf_reader;

Timestamp TakeTime(pbf_reader* reader) { return static_cast<Timestamp>(reader->get_fixed64()); }

struct Scope {
  std::string name, version;
  AttributeList attributes;
};

class Decoder {
 public:
  Decoder(OtlpSignal signal, Timestamp now, WriteBatch* batch, IngestReport* report)
      : place_{signal},
        batch_(batch),
        report_(report),
        records_(now, &place_, batch, report),
        metrics_(now, &place_, batch, report) {}

  absl::Status Decode(pbf_reader request) {
    for (place_.resource = 0; request.next();) {
      if (request.tag_and_type() != Bytes(1)) {
        request.skip();
        continue;
      }
      RETURN_IF_ERROR(DecodeResource(request.get_message()));
      ++place_.resource;
    }
    return CheckBatchSize(*batch_, report_);
  }

 private:
  // The resource may stand behind the records it belongs to: first look for it, then read them.
  absl::Status DecodeResource(const pbf_reader& message) {
    resource_message_ = message;
    resource_ = {};
    size_t resources = 0;
    for (pbf_reader fields = message; fields.next();) {
      switch (fields.tag_and_type()) {
        case Bytes(1):
          std::get<0>(resource_) = TakeBytes(&fields);
          ++resources;
          break;
        case Bytes(3): std::get<1>(resource_) = TakeBytes(&fields); break;
        default: fields.skip();
      }
    }
    // Senders that gather batches repeat a resource many times in a body: that it is the same shows without reading it.
    repeatable_ = place_.signal != OtlpSignal::kMetrics && resources <= 1;
    begun_ = false;
    if (!repeatable_ || !resources_.contains(resource_)) BeginResource();
    if (repeatable_ && resources_.size() < kRememberedMax) resources_.insert(resource_);
    place_.scope = 0;
    for (pbf_reader fields = message; fields.next();) {
      if (fields.tag_and_type() != Bytes(2)) {
        fields.skip();
        continue;
      }
      RETURN_IF_ERROR(DecodeScope(fields.get_message()));
      ++place_.scope;
    }
    if (place_.signal == OtlpSignal::kMetrics) metrics_.EndResource();
    return absl::OkStatus();
  }

  void BeginResource() {
    AttributeList resource;
    std::string_view schema_url;
    for (pbf_reader fields = resource_message_; fields.next();) {
      switch (fields.tag_and_type()) {
        case Bytes(1): DecodeAttributeHolder(fields.get_message(), 1, 2, &resource); break;
        case Bytes(3): schema_url = resource.arena().CleanText(TakeBytes(&fields)); break;
        default: fields.skip();
      }
    }
    if (place_.signal == OtlpSignal::kMetrics) {
      metrics_.BeginResource(resource);
    } else {
      records_.BeginResource(resource, schema_url);
    }
    begun_ = true;
  }

  // Resource {attributes, dropped_attributes_count}; a count of attributes dropped by the sender is kept as one more.
  void DecodeAttributeHolder(pbf_reader message, uint32_t attributes, uint32_t dropped, AttributeList* list) {
    while (message.next()) {
      if (message.tag_and_type() == Bytes(attributes)) {
        AddAttribute(message.get_message(), list);
      } else if (message.tag_and_type() == Varint(dropped)) {
        const int64_t count = message.get_uint32();
        if (count > 0) list->Add("otel.dropped_attributes_count", count);
      } else {
        message.skip();
      }
    }
  }

  absl::Status DecodeScope(const pbf_reader& message) {
    std::tuple<Named, Named> stream{resource_, {}};
    size_t scopes = 0;
    for (pbf_reader fields = message; fields.next();) {
      switch (fields.tag_and_type()) {
        case Bytes(1):
          std::get<0>(std::get<1>(stream)) = TakeBytes(&fields);
          ++scopes;
          break;
        case Bytes(3): std::get<1>(std::get<1>(stream)) = TakeBytes(&fields); break;
        default: fields.skip();
      }
    }
    const bool repeatable = repeatable_ && scopes <= 1;
    const auto known = repeatable ? streams_.find(stream) : streams_.end();
    if (known != streams_.end()) {
      records_.ResumeStream(known->second);
    } else {
      if (!begun_) BeginResource();
      BeginScope(message);
    }
    RETURN_IF_ERROR(DecodeRecords(message));
    if (WriteBatch::StreamRef ref; repeatable && streams_.size() < kRememberedMax && records_.IsNamed(&ref)) {
      streams_.try_emplace(stream, ref);
    }
    return absl::OkStatus();
  }

  void BeginScope(const pbf_reader& message) {
    Scope scope;
    std::string_view schema_url;
    for (pbf_reader fields = message; fields.next();) {
      switch (fields.tag_and_type()) {
        case Bytes(1): {
          pbf_reader inner = fields.get_message();
          DecodeAttributeHolder(inner, 3, 4, &scope.attributes);
          while (inner.next()) {
            switch (inner.tag_and_type()) {
              case Bytes(1): scope.name = scope.attributes.arena().CleanText(TakeBytes(&inner)); break;
              case Bytes(2): scope.version = scope.attributes.arena().CleanText(TakeBytes(&inner)); break;
              default: inner.skip();
            }
          }
          break;
        }
        case Bytes(3): schema_url = scope.attributes.arena().CleanText(TakeBytes(&fields)); break;
        default: fields.skip();
      }
    }
    if (place_.signal == OtlpSignal::kMetrics) {
      metrics_.BeginScope(scope.name, scope.version, schema_url, scope.attributes);
    } else {
      records_.BeginScope(scope.name, scope.version, schema_url, scope.attributes);
    }
  }

  absl::Status DecodeRecords(const pbf_reader& message) {
    place_.metric = place_.record = 0;
    for (pbf_reader fields = message; fields.next();) {
      if (fields.tag_and_type() != Bytes(2)) {
        fields.skip();
        continue;
      }
      switch (place_.signal) {
        case OtlpSignal::kMetrics:
          DecodeMetric(fields.get_message());
          ++place_.metric;
          break;
        case OtlpSignal::kLogs:
          DecodeLog(fields.get_message());
          ++place_.record;
          break;
        case OtlpSignal::kTraces:
          DecodeSpan(fields.get_message());
          ++place_.record;
          break;
      }
      RETURN_IF_ERROR(CheckBatchSize(*batch_, report_));
    }
    return absl::OkStatus();
  }

  void DecodeLog(pbf_reader message) {
    attributes_.Clear();
    TextArena& texts = attributes_.arena();
    LogRecord record;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Fixed64(1): record.time = TakeTime(&message); break;
        case Varint(2): record.severity_number = message.get_enum(); break;
        case Bytes(3): record.severity_text = texts.CleanText(TakeBytes(&message)); break;
        case Bytes(5): record.message = BodyText(message.get_message(), &texts); break;
        case Bytes(6): AddAttribute(message.get_message(), &attributes_); break;
        case Varint(7): record.dropped_attributes = message.get_uint32(); break;
        case Fixed32(8): record.flags = message.get_fixed32(); break;
        case Bytes(9): TraceIdOfBytes(TakeBytes(&message), &record.trace_id); break;
        case Bytes(10): SpanIdOfBytes(TakeBytes(&message), &record.span_id); break;
        case Fixed64(11): record.observed_time = TakeTime(&message); break;
        case Bytes(12): record.event_name = texts.CleanText(TakeBytes(&message)); break;
        default: message.skip();
      }
    }
    records_.AddLog(&record, attributes_);
  }

  void DecodeSpan(pbf_reader message) {
    attributes_.Clear();
    TextArena& texts = attributes_.arena();
    events_.clear();
    links_.clear();
    lists_.clear();
    Span span;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1): TraceIdOfBytes(TakeBytes(&message), &span.trace_id); break;
        case Bytes(2): SpanIdOfBytes(TakeBytes(&message), &span.span_id); break;
        case Bytes(3): span.trace_state = texts.CleanText(TakeBytes(&message)); break;
        case Bytes(4): SpanIdOfBytes(TakeBytes(&message), &span.parent_id); break;
        case Bytes(5): span.name = texts.CleanText(TakeBytes(&message)); break;
        case Varint(6): {
          const int32_t kind = message.get_enum();
          if (kind >= 0 && kind <= 5) span.kind = static_cast<SpanKind>(kind);
          break;
        }
        case Fixed64(7): span.start = TakeTime(&message); break;
        case Fixed64(8): span.end = TakeTime(&message); break;
        case Bytes(9): AddAttribute(message.get_message(), &attributes_); break;
        case Varint(10): span.dropped_attributes = message.get_uint32(); break;
        case Bytes(11): DecodeEvent(message.get_message(), &texts); break;
        case Varint(12): span.dropped_events = message.get_uint32(); break;
        case Bytes(13): DecodeLink(message.get_message(), &texts); break;
        case Varint(14): span.dropped_links = message.get_uint32(); break;
        case Bytes(15): DecodeStatus(message.get_message(), &span, &texts); break;
        case Fixed32(16): span.flags = message.get_fixed32(); break;
        default: message.skip();
      }
    }
    span.events = events_;
    span.links = links_;
    records_.AddSpan(&span, attributes_);
  }

  void DecodeStatus(pbf_reader message, Span* span, TextArena* texts) {
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(2): span->status_message = texts->CleanText(TakeBytes(&message)); break;
        case Varint(3): {
          const int32_t code = message.get_enum();
          if (code >= 0 && code <= 2) span->status = static_cast<StatusCode>(code);
          break;
        }
        default: message.skip();
      }
    }
  }

  void DecodeEvent(pbf_reader message, TextArena* texts) {
    AttributeList& list = lists_.emplace_back();
    SpanEvent event;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Fixed64(1): event.time = TakeTime(&message); break;
        case Bytes(2): event.name = texts->CleanText(TakeBytes(&message)); break;
        case Bytes(3): AddAttribute(message.get_message(), &list); break;
        case Varint(4): event.dropped_attributes = message.get_uint32(); break;
        default: message.skip();
      }
    }
    event.attributes = list.views();
    event.dropped_attributes += list.dropped();
    events_.push_back(event);
  }

  void DecodeLink(pbf_reader message, TextArena* texts) {
    AttributeList& list = lists_.emplace_back();
    SpanLink link;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1): TraceIdOfBytes(TakeBytes(&message), &link.trace_id); break;
        case Bytes(2): SpanIdOfBytes(TakeBytes(&message), &link.span_id); break;
        case Bytes(3): link.trace_state = texts->CleanText(TakeBytes(&message)); break;
        case Bytes(4): AddAttribute(message.get_message(), &list); break;
        case Varint(5): link.dropped_attributes = message.get_uint32(); break;
        case Fixed32(6): link.flags = message.get_fixed32(); break;
        default: message.skip();
      }
    }
    link.attributes = list.views();
    link.dropped_attributes += list.dropped();
    links_.push_back(link);
  }

  // ---- metrics

  void DecodeMetric(const pbf_reader& message) {
    OtlpMetric metric;
    pbf_reader data;
    for (pbf_reader fields = message; fields.next();) {
      const uint32_t field = fields.tag();
      switch (fields.tag_and_type()) {
        case Bytes(1): metric.name = TakeBytes(&fields); break;
        case Bytes(2): metric.description = TakeBytes(&fields); break;
        case Bytes(3): metric.unit = TakeBytes(&fields); break;
        case Bytes(5):
        case Bytes(7):
        case Bytes(9):
        case Bytes(10):
        case Bytes(11):
          metric.kind = field == 5    ? OtlpMetricKind::kGauge
                        : field == 7  ? OtlpMetricKind::kSum
                        : field == 9  ? OtlpMetricKind::kHistogram
                        : field == 10 ? OtlpMetricKind::kExponentialHistogram
                                      : OtlpMetricKind::kSummary;
          data = fields.get_message();
          break;
        default: fields.skip();
      }
    }
    // Temporality stands behind the points it is about.
    for (pbf_reader fields = data; fields.next();) {
      switch (fields.tag_and_type()) {
        case Varint(2): {
          const int32_t temporality = fields.get_enum();
          if (temporality >= 0 && temporality <= 2) metric.temporality = static_cast<OtlpTemporality>(temporality);
          break;
        }
        case Varint(3): metric.monotonic = fields.get_bool(); break;
        default: fields.skip();
      }
    }
    metrics_.BeginMetric(metric);
    place_.record = 0;
    for (pbf_reader fields = data; fields.next();) {
      if (fields.tag_and_type() != Bytes(1)) {
        fields.skip();
        continue;
      }
      point_.Clear();
      switch (metric.kind) {
        case OtlpMetricKind::kGauge:
        case OtlpMetricKind::kSum: DecodeNumber(fields.get_message()); break;
        case OtlpMetricKind::kHistogram: DecodeHistogram(fields.get_message()); break;
        case OtlpMetricKind::kExponentialHistogram: DecodeExponential(fields.get_message()); break;
        case OtlpMetricKind::kSummary: DecodeSummary(fields.get_message()); break;
        case OtlpMetricKind::kNone: fields.skip(); continue;
      }
      metrics_.AddPoint(&point_);
      ++place_.record;
    }
  }

  void DecodeNumber(pbf_reader message) {
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Fixed64(2): point_.start = TakeTime(&message); break;
        case Fixed64(3): point_.time = TakeTime(&message); break;
        case Fixed64(4):
          point_.value = message.get_double();
          point_.has_value = true;
          break;
        case Bytes(5): DecodeExemplar(message.get_message()); break;
        case Fixed64(6):
          point_.value = static_cast<double>(message.get_sfixed64());
          point_.has_value = true;
          break;
        case Bytes(7): AddAttribute(message.get_message(), &point_.attributes); break;
        case Varint(8): point_.flags = message.get_uint32(); break;
        default: message.skip();
      }
    }
  }

  void DecodeHistogram(pbf_reader message) {
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Fixed64(2): point_.start = TakeTime(&message); break;
        case Fixed64(3): point_.time = TakeTime(&message); break;
        case Fixed64(4): point_.count = message.get_fixed64(); break;
        case Fixed64(5): TakeOptional(&message, &point_.has_sum, &point_.sum); break;
        case Bytes(6):
          for (uint64_t count : message.get_packed_fixed64()) point_.bucket_counts.push_back(count);
          break;
        case Fixed64(6): point_.bucket_counts.push_back(message.get_fixed64()); break;
        case Bytes(7):
          for (double bound : message.get_packed_double()) point_.bounds.push_back(bound);
          break;
        case Fixed64(7): point_.bounds.push_back(message.get_double()); break;
        case Bytes(8): DecodeExemplar(message.get_message()); break;
        case Bytes(9): AddAttribute(message.get_message(), &point_.attributes); break;
        case Varint(10): point_.flags = message.get_uint32(); break;
        case Fixed64(11): TakeOptional(&message, &point_.has_min, &point_.min); break;
        case Fixed64(12): TakeOptional(&message, &point_.has_max, &point_.max); break;
        default: message.skip();
      }
    }
  }

  void DecodeExponential(pbf_reader message) {
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1): AddAttribute(message.get_message(), &point_.attributes); break;
        case Fixed64(2): point_.start = TakeTime(&message); break;
        case Fixed64(3): point_.time = TakeTime(&message); break;
        case Fixed64(4): point_.count = message.get_fixed64(); break;
        case Fixed64(5): TakeOptional(&message, &point_.has_sum, &point_.sum); break;
        case Varint(6): point_.scale = message.get_sint32(); break;
        case Fixed64(7): point_.zero_count = message.get_fixed64(); break;
        case Bytes(8): DecodeBuckets(message.get_message(), &point_.positive_offset, &point_.positive_counts); break;
        case Bytes(9): DecodeBuckets(message.get_message(), &point_.negative_offset, &point_.negative_counts); break;
        case Varint(10): point_.flags = message.get_uint32(); break;
        case Bytes(11): DecodeExemplar(message.get_message()); break;
        case Fixed64(12): TakeOptional(&message, &point_.has_min, &point_.min); break;
        case Fixed64(13): TakeOptional(&message, &point_.has_max, &point_.max); break;
        case Fixed64(14): point_.zero_threshold = message.get_double(); break;
        default: message.skip();
      }
    }
  }

  void DecodeBuckets(pbf_reader message, int32_t* offset, std::vector<uint64_t>* counts) {
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Varint(1): *offset = message.get_sint32(); break;
        case Bytes(2):
          for (uint64_t count : message.get_packed_uint64()) counts->push_back(count);
          break;
        case Varint(2): counts->push_back(message.get_uint64()); break;
        default: message.skip();
      }
    }
  }

  void DecodeSummary(pbf_reader message) {
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Fixed64(2): point_.start = TakeTime(&message); break;
        case Fixed64(3): point_.time = TakeTime(&message); break;
        case Fixed64(4): point_.count = message.get_fixed64(); break;
        case Fixed64(5): point_.sum = message.get_double(); break;
        case Bytes(6): {
          pbf_reader pair = message.get_message();
          std::pair<double, double> quantile{0, 0};
          while (pair.next()) {
            switch (pair.tag_and_type()) {
              case Fixed64(1): quantile.first = pair.get_double(); break;
              case Fixed64(2): quantile.second = pair.get_double(); break;
              default: pair.skip();
            }
          }
          point_.quantiles.push_back(quantile);
          break;
        }
        case Bytes(7): AddAttribute(message.get_message(), &point_.attributes); break;
        case Varint(8): point_.flags = message.get_uint32(); break;
        default: message.skip();
      }
    }
  }

  void DecodeExemplar(pbf_reader message) {
    OtlpExemplar* exemplar = point_.AddExemplar();
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Fixed64(2): exemplar->time = TakeTime(&message); break;
        case Fixed64(3): exemplar->value = message.get_double(); break;
        case Bytes(4): SpanIdOfBytes(TakeBytes(&message), &exemplar->span_id); break;
        case Bytes(5): TraceIdOfBytes(TakeBytes(&message), &exemplar->trace_id); break;
        case Fixed64(6): exemplar->value = static_cast<double>(message.get_sfixed64()); break;
        case Bytes(7): AddAttribute(message.get_message(), &exemplar->attributes); break;
        default: message.skip();
      }
    }
  }

  static void TakeOptional(pbf_reader* message, bool* has, double* value) {
    *value = message->get_double();
    *has = true;
  }

  OtlpPlace place_;
  WriteBatch* batch_;
  IngestReport* report_;
  // Those beyond are read each time: a body of nothing but different resources must not take many times its size.
  static constexpr size_t kRememberedMax = 1024;
  // Bytes and schema URL of a resource or of a scope, as the body has them.
  using Named = std::tuple<std::string_view, std::string_view>;
  pbf_reader resource_message_;
  Named resource_;
  bool repeatable_ = false;
  bool begun_ = false;                                                            // the resource is read
  absl::flat_hash_set<Named> resources_;                                          // those that were read
  absl::flat_hash_map<std::tuple<Named, Named>, WriteBatch::StreamRef> streams_;  // by resource and scope
  OtlpRecords records_;
  OtlpMetricsWriter metrics_;
  AttributeList attributes_;
  std::vector<SpanEvent> events_;
  std::vector<SpanLink> links_;
  std::deque<AttributeList> lists_;  // of events and links
  OtlpPoint point_;
};

}  // namespace

absl::Status DecodeOtlpProtobuf(OtlpSignal signal, std::string_view body, Timestamp now, WriteBatch* batch,
                                IngestReport* report) {
  try {
    return Decoder(signal, now, batch, report).Decode(pbf_reader(body.data(), body.size()));
  } catch (const protozero::exception& error) {
    return absl::InvalidArgumentError(std::string("the body is not an OTLP protobuf message: ") + error.what());
  }
}

std::string EncodeOtlpResponseProtobuf(uint64_t rejected, std::string_view message) {
  std::string response;
  if (rejected == 0 && message.empty()) return response;
  protozero::pbf_writer writer(response);
  protozero::pbf_writer partial(writer, 1);
  if (rejected > 0) partial.add_int64(1, static_cast<int64_t>(rejected));
  if (!message.empty()) partial.add_string(2, message.data(), message.size());
  return response;
}

std::string EncodeRpcStatusProtobuf(int code, std::string_view message) {
  std::string status;
  protozero::pbf_writer writer(status);
  writer.add_int32(1, code);
  writer.add_string(2, message.data(), message.size());
  return status;
}

}  // namespace braid::ingest
