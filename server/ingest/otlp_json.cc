#include "server/ingest/otlp_json.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "engine/base/status_macros.h"
#include "server/ingest/attribute_list.h"
#include "server/ingest/json_text.h"
#include "server/ingest/otlp_json_value.h"
#include "server/ingest/otlp_metrics.h"

namespace braid::ingest {
namespace {

const std::vector<std::string_view> kSpanKinds = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
                                                  "SPAN_KIND_CLIENT",      "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
const std::vector<std::string_view> kStatusCodes = {"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"};
const std::vector<std::string_view> kTemporalities = {
    "AGGREGATION_TEMPORALITY_UNSPECIFIED", "AGGREGATION_TEMPORALITY_DELTA", "AGGREGATION_TEMPORALITY_CUMULATIVE"};
const std::vector<std::string_view>& Severities() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names = {"SEVERITY_NUMBER_UNSPECIFIED"};
    for (const char* level : {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}) {
      for (const char* step : {"", "2", "3", "4"}) names.push_back(std::string("SEVERITY_NUMBER_") + level + step);
    }
    return names;
  }();
  static const std::vector<std::string_view> kViews(kNames.begin(), kNames.end());
  return kViews;
}

class DocumentDecoder {
 public:
  DocumentDecoder(Timestamp now, WriteBatch* batch, IngestReport* report)
      : batch_(batch), report_(report), records_(now, &place_, batch, report), metrics_(now, &place_, batch, report) {}

  absl::Status Decode(JsonElement document, OtlpJsonDecoder::Signals* signals) {
    JsonObject request;
    if (document.get(request) != simdjson::SUCCESS) return absl::InvalidArgumentError("expected a JSON object");
    bool any_field = false;
    for (const auto& [key, value] : request) {
      any_field = true;
      if (IsField(key, "resourceSpans", "resource_spans")) {
        signals->traces = true;
        RETURN_IF_ERROR(DecodeResources(OtlpSignal::kTraces, key, value));
      } else if (IsField(key, "resourceLogs", "resource_logs")) {
        signals->logs = true;
        RETURN_IF_ERROR(DecodeResources(OtlpSignal::kLogs, key, value));
      } else if (IsField(key, "resourceMetrics", "resource_metrics")) {
        signals->metrics = true;
        RETURN_IF_ERROR(DecodeResources(OtlpSignal::kMetrics, key, value));
      }
    }
    if (any_field && !signals->traces && !signals->logs && !signals->metrics) {
      return absl::InvalidArgumentError("the object has none of resourceSpans, resourceLogs and resourceMetrics");
    }
    return CheckBatchSize(*batch_, report_);
  }

 private:
  // A shape error above the records cannot be pinned on one record: the whole document is refused.
  absl::Status CheckShape() {
    if (fields_.problem().empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(place_.Text() + ": " + fields_.problem());
  }

  absl::Status DecodeResources(OtlpSignal signal, std::string_view key, JsonElement value) {
    place_ = {signal};
    JsonArray resources;
    fields_.Reset();
    if (!fields_.Array(key, value, &resources)) return CheckShape();
    for (JsonElement resource : resources) {
      RETURN_IF_ERROR(DecodeResource(resource));
      ++place_.resource;
    }
    return absl::OkStatus();
  }

  void DecodeAttributeHolder(JsonElement value, AttributeList* list) {
    JsonObject holder;
    if (!fields_.Object("resource", value, &holder)) return;
    for (const auto& [key, field] : holder) {
      if (key == "attributes") {
        fields_.Attributes(key, field, list);
      } else if (IsField(key, "droppedAttributesCount", "dropped_attributes_count")) {
        const int64_t count = fields_.Signed(key, field);
        if (count > 0) list->Add("otel.dropped_attributes_count", count);
      }
    }
  }

  absl::Status DecodeResource(JsonElement element) {
    AttributeList resource;
    std::string_view schema_url;
    JsonArray scopes;
    JsonObject object;
    fields_.Reset();
    bool any_scope = false;
    if (!fields_.Object("element", element, &object)) return CheckShape();
    for (const auto& [key, value] : object) {
      if (key == "resource") {
        DecodeAttributeHolder(value, &resource);
      } else if (IsField(key, "schemaUrl", "schema_url")) {
        schema_url = fields_.Text(key, value);
      } else if (IsField(key, "scopeSpans", "scope_spans") || IsField(key, "scopeLogs", "scope_logs") ||
                 IsField(key, "scopeMetrics", "scope_metrics")) {
        any_scope = fields_.Array(key, value, &scopes);
      }
    }
    RETURN_IF_ERROR(CheckShape());
    if (place_.signal == OtlpSignal::kMetrics) {
      metrics_.BeginResource(resource);
    } else {
      records_.BeginResource(resource, schema_url);
    }
    place_.scope = 0;
    if (any_scope) {
      for (JsonElement scope : scopes) {
        RETURN_IF_ERROR(DecodeScope(scope));
        ++place_.scope;
      }
    }
    if (place_.signal == OtlpSignal::kMetrics) metrics_.EndResource();
    return absl::OkStatus();
  }

  absl::Status DecodeScope(JsonElement element) {
    AttributeList attributes;
    std::string_view name, version, schema_url;
    JsonArray records;
    JsonObject object;
    bool any_record = false;
    fields_.Reset();
    if (!fields_.Object("element", element, &object)) return CheckShape();
    for (const auto& [key, value] : object) {
      JsonObject scope;
      if (key == "scope" && fields_.Object(key, value, &scope)) {
        DecodeAttributeHolder(value, &attributes);
        for (const auto& [field, inner] : scope) {
          if (field == "name") name = fields_.Text(field, inner);
          if (field == "version") version = fields_.Text(field, inner);
        }
      } else if (IsField(key, "schemaUrl", "schema_url")) {
        schema_url = fields_.Text(key, value);
      } else if (key == "spans" || key == "metrics" || IsField(key, "logRecords", "log_records")) {
        any_record = fields_.Array(key, value, &records);
      }
    }
    RETURN_IF_ERROR(CheckShape());
    if (place_.signal == OtlpSignal::kMetrics) {
      metrics_.BeginScope(name, version, schema_url, attributes);
    } else {
      records_.BeginScope(name, version, schema_url, attributes);
    }
    place_.metric = place_.record = 0;
    if (!any_record) return absl::OkStatus();
    for (JsonElement record : records) {
      fields_.Reset();
      switch (place_.signal) {
        case OtlpSignal::kMetrics:
          RETURN_IF_ERROR(DecodeMetric(record));
          ++place_.metric;
          break;
        case OtlpSignal::kLogs:
          DecodeLog(record);
          ++place_.record;
          break;
        case OtlpSignal::kTraces:
          DecodeSpan(record);
          ++place_.record;
          break;
      }
      RETURN_IF_ERROR(CheckBatchSize(*batch_, report_));
    }
    return absl::OkStatus();
  }

  // True, and the record counted as rejected, if one of its fields had the wrong form.
  bool RejectIfBad() {
    if (fields_.problem().empty()) return false;
    report_->Reject(1, place_.Text(), fields_.problem());
    return true;
  }

  void DecodeLog(JsonElement element) {
    attributes_.Clear();
    LogRecord record;
    JsonObject object;
    if (!fields_.Object("log record", element, &object)) fields_.Complain("log record", "an object");
    if (RejectIfBad()) return;
    for (const auto& [key, value] : object) {
      if (IsField(key, "timeUnixNano", "time_unix_nano")) {
        record.time = fields_.Time(key, value);
      } else if (IsField(key, "observedTimeUnixNano", "observed_time_unix_nano")) {
        record.observed_time = fields_.Time(key, value);
      } else if (IsField(key, "severityNumber", "severity_number")) {
        record.severity_number = fields_.Enum(key, value, Severities());
      } else if (IsField(key, "severityText", "severity_text")) {
        record.severity_text = fields_.Text(key, value);
      } else if (key == "body") {
        record.message = JsonBodyText(value, &attributes_.arena());
      } else if (key == "attributes") {
        fields_.Attributes(key, value, &attributes_);
      } else if (IsField(key, "droppedAttributesCount", "dropped_attributes_count")) {
        record.dropped_attributes = static_cast<uint32_t>(fields_.Unsigned(key, value));
      } else if (key == "flags") {
        record.flags = static_cast<uint32_t>(fields_.Unsigned(key, value));
      } else if (IsField(key, "traceId", "trace_id")) {
        record.trace_id = fields_.Trace(key, value);
      } else if (IsField(key, "spanId", "span_id")) {
        record.span_id = fields_.Parent(key, value);
      } else if (IsField(key, "eventName", "event_name")) {
        record.event_name = fields_.Text(key, value);
      }
    }
    if (!RejectIfBad()) records_.AddLog(&record, attributes_);
  }

  void DecodeSpan(JsonElement element) {
    attributes_.Clear();
    events_.clear();
    links_.clear();
    lists_.clear();
    Span span;
    JsonObject object;
    if (!fields_.Object("span", element, &object)) fields_.Complain("span", "an object");
    if (RejectIfBad()) return;
    for (const auto& [key, value] : object) {
      if (IsField(key, "traceId", "trace_id")) {
        span.trace_id = fields_.Trace(key, value);
      } else if (IsField(key, "spanId", "span_id")) {
        span.span_id = fields_.Parent(key, value);
      } else if (IsField(key, "parentSpanId", "parent_span_id")) {
        span.parent_id = fields_.Parent(key, value);
      } else if (IsField(key, "traceState", "trace_state")) {
        span.trace_state = fields_.Text(key, value);
      } else if (key == "name") {
        span.name = fields_.Text(key, value);
      } else if (key == "kind") {
        const int kind = fields_.Enum(key, value, kSpanKinds);
        if (kind <= 5) span.kind = static_cast<SpanKind>(kind);
      } else if (IsField(key, "startTimeUnixNano", "start_time_unix_nano")) {
        span.start = fields_.Time(key, value);
      } else if (IsField(key, "endTimeUnixNano", "end_time_unix_nano")) {
        span.end = fields_.Time(key, value);
      } else if (key == "attributes") {
        fields_.Attributes(key, value, &attributes_);
      } else if (key == "events") {
        JsonArray events;
        if (!fields_.Array(key, value, &events)) continue;
        for (JsonElement event : events) DecodeEvent(event);
      } else if (key == "links") {
        JsonArray links;
        if (!fields_.Array(key, value, &links)) continue;
        for (JsonElement link : links) DecodeLink(link);
      } else if (key == "status") {
        DecodeStatus(value, &span);
      } else if (key == "flags") {
        span.flags = static_cast<uint32_t>(fields_.Unsigned(key, value));
      } else if (IsField(key, "droppedAttributesCount", "dropped_attributes_count")) {
        span.dropped_attributes = static_cast<uint32_t>(fields_.Unsigned(key, value));
      } else if (IsField(key, "droppedEventsCount", "dropped_events_count")) {
        span.dropped_events = static_cast<uint32_t>(fields_.Unsigned(key, value));
      } else if (IsField(key, "droppedLinksCount", "dropped_links_count")) {
        span.dropped_links = static_cast<uint32_t>(fields_.Unsigned(key, value));
      }
    }
    span.events = events_;
    span.links = links_;
    if (!RejectIfBad()) records_.AddSpan(&span, attributes_);
  }

  void DecodeStatus(JsonElement element, Span* span) {
    JsonObject status;
    if (!fields_.Object("status", element, &status)) return;
    for (const auto& [key, value] : status) {
      if (key == "message") {
        span->status_message = fields_.Text(key, value);
      } else if (key == "code") {
        const int code = fields_.Enum(key, value, kStatusCodes);
        if (code <= 2) span->status = static_cast<StatusCode>(code);
      }
    }
  }

  void DecodeEvent(JsonElement element) {
    JsonObject object;
    if (!fields_.Object("events", element, &object)) return;
    AttributeList& list = lists_.emplace_back();
    SpanEvent event;
    for (const auto& [key, value] : object) {
      if (IsField(key, "timeUnixNano", "time_unix_nano")) {
        event.time = fields_.Time(key, value);
      } else if (key == "name") {
        event.name = fields_.Text(key, value);
      } else if (key == "attributes") {
        fields_.Attributes(key, value, &list);
      } else if (IsField(key, "droppedAttributesCount", "dropped_attributes_count")) {
        event.dropped_attributes = static_cast<uint32_t>(fields_.Unsigned(key, value));
      }
    }
    event.attributes = list.views();
    event.dropped_attributes += list.dropped();
    events_.push_back(event);
  }

  void DecodeLink(JsonElement element) {
    JsonObject object;
    if (!fields_.Object("links", element, &object)) return;
    AttributeList& list = lists_.emplace_back();
    SpanLink link;
    for (const auto& [key, value] : object) {
      if (IsField(key, "traceId", "trace_id")) {
        link.trace_id = fields_.Trace(key, value);
      } else if (IsField(key, "spanId", "span_id")) {
        link.span_id = fields_.Parent(key, value);
      } else if (IsField(key, "traceState", "trace_state")) {
        link.trace_state = fields_.Text(key, value);
      } else if (key == "attributes") {
        fields_.Attributes(key, value, &list);
      } else if (key == "flags") {
        link.flags = static_cast<uint32_t>(fields_.Unsigned(key, value));
      } else if (IsField(key, "droppedAttributesCount", "dropped_attributes_count")) {
        link.dropped_attributes = static_cast<uint32_t>(fields_.Unsigned(key, value));
      }
    }
    link.attributes = list.views();
    link.dropped_attributes += list.dropped();
    links_.push_back(link);
  }

  // ---- metrics

  absl::Status DecodeMetric(JsonElement element) {
    OtlpMetric metric;
    JsonObject object, data;
    JsonArray points;
    bool any_point = false;
    if (!fields_.Object("metric", element, &object)) return CheckShape();
    for (const auto& [key, value] : object) {
      if (key == "name") {
        metric.name = fields_.Text(key, value);
      } else if (key == "description") {
        metric.description = fields_.Text(key, value);
      } else if (key == "unit") {
        metric.unit = fields_.Text(key, value);
      } else {
        const OtlpMetricKind kind = key == "gauge"       ? OtlpMetricKind::kGauge
                                    : key == "sum"       ? OtlpMetricKind::kSum
                                    : key == "histogram" ? OtlpMetricKind::kHistogram
                                    : key == "summary"   ? OtlpMetricKind::kSummary
                                    : IsField(key, "exponentialHistogram", "exponential_histogram")
                                        ? OtlpMetricKind::kExponentialHistogram
                                        : OtlpMetricKind::kNone;
        if (kind == OtlpMetricKind::kNone || !fields_.Object(key, value, &data)) continue;
        metric.kind = kind;
        for (const auto& [field, inner] : data) {
          if (IsField(field, "dataPoints", "data_points")) {
            any_point = fields_.Array(field, inner, &points);
          } else if (IsField(field, "aggregationTemporality", "aggregation_temporality")) {
            const int temporality = fields_.Enum(field, inner, kTemporalities);
            if (temporality <= 2) metric.temporality = static_cast<OtlpTemporality>(temporality);
          } else if (IsField(field, "isMonotonic", "is_monotonic")) {
            metric.monotonic = fields_.Bool(field, inner);
          }
        }
      }
    }
    RETURN_IF_ERROR(CheckShape());
    metrics_.BeginMetric(metric);
    place_.record = 0;
    if (!any_point) return absl::OkStatus();
    for (JsonElement point : points) {
      fields_.Reset();
      DecodePoint(metric.kind, point);
      if (!RejectIfBad()) metrics_.AddPoint(&point_);
      ++place_.record;
    }
    fields_.Reset();
    return absl::OkStatus();
  }

  void DecodePoint(OtlpMetricKind kind, JsonElement element) {
    point_.Clear();
    JsonObject object;
    if (!fields_.Object("data point", element, &object)) fields_.Complain("data point", "an object");
    if (!fields_.problem().empty()) return;
    const bool number = kind == OtlpMetricKind::kGauge || kind == OtlpMetricKind::kSum;
    for (const auto& [key, value] : object) {
      if (key == "attributes") {
        fields_.Attributes(key, value, &point_.attributes);
      } else if (IsField(key, "startTimeUnixNano", "start_time_unix_nano")) {
        point_.start = fields_.Time(key, value);
      } else if (IsField(key, "timeUnixNano", "time_unix_nano")) {
        point_.time = fields_.Time(key, value);
      } else if (key == "flags") {
        point_.flags = static_cast<uint32_t>(fields_.Unsigned(key, value));
      } else if (key == "exemplars") {
        JsonArray exemplars;
        if (!fields_.Array(key, value, &exemplars)) continue;
        for (JsonElement exemplar : exemplars) DecodeExemplar(exemplar);
      } else if (number) {
        if (IsField(key, "asDouble", "as_double")) {
          SetOptional(key, value, &point_.has_value, &point_.value);
        } else if (IsField(key, "asInt", "as_int") && !value.is_null()) {
          point_.value = static_cast<double>(fields_.Signed(key, value));
          point_.has_value = true;
        }
      } else {
        DecodeDistribution(key, value);
      }
    }
  }

  // Fields of histograms, exponential histograms and summaries.
  void DecodeDistribution(std::string_view key, JsonElement value) {
    JsonArray list;
    if (key == "count") {
      point_.count = fields_.Unsigned(key, value);
    } else if (key == "sum") {
      SetOptional(key, value, &point_.has_sum, &point_.sum);
    } else if (key == "min") {
      SetOptional(key, value, &point_.has_min, &point_.min);
    } else if (key == "max") {
      SetOptional(key, value, &point_.has_max, &point_.max);
    } else if (IsField(key, "bucketCounts", "bucket_counts")) {
      if (!fields_.Array(key, value, &list)) return;
      for (JsonElement count : list) point_.bucket_counts.push_back(fields_.Unsigned(key, count));
    } else if (IsField(key, "explicitBounds", "explicit_bounds")) {
      if (!fields_.Array(key, value, &list)) return;
      for (JsonElement bound : list) point_.bounds.push_back(fields_.Double(key, bound));
    } else if (key == "scale") {
      point_.scale = static_cast<int32_t>(std::clamp<int64_t>(fields_.Signed(key, value), INT32_MIN, INT32_MAX));
    } else if (IsField(key, "zeroCount", "zero_count")) {
      point_.zero_count = fields_.Unsigned(key, value);
    } else if (IsField(key, "zeroThreshold", "zero_threshold")) {
      point_.zero_threshold = fields_.Double(key, value);
    } else if (key == "positive") {
      DecodeBuckets(key, value, &point_.positive_offset, &point_.positive_counts);
    } else if (key == "negative") {
      DecodeBuckets(key, value, &point_.negative_offset, &point_.negative_counts);
    } else if (IsField(key, "quantileValues", "quantile_values")) {
      if (!fields_.Array(key, value, &list)) return;
      for (JsonElement element : list) {
        JsonObject pair;
        if (!fields_.Object(key, element, &pair)) continue;
        std::pair<double, double> quantile{0, 0};
        for (const auto& [field, inner] : pair) {
          if (field == "quantile") quantile.first = fields_.Double(field, inner);
          if (field == "value") quantile.second = fields_.Double(field, inner);
        }
        point_.quantiles.push_back(quantile);
      }
    }
  }

  void DecodeBuckets(std::string_view name, JsonElement element, int32_t* offset, std::vector<uint64_t>* counts) {
    JsonObject buckets;
    if (!fields_.Object(name, element, &buckets)) return;
    for (const auto& [key, value] : buckets) {
      if (key == "offset") {
        *offset = static_cast<int32_t>(std::clamp<int64_t>(fields_.Signed(key, value), INT32_MIN, INT32_MAX));
      } else if (IsField(key, "bucketCounts", "bucket_counts")) {
        JsonArray list;
        if (!fields_.Array(key, value, &list)) continue;
        for (JsonElement count : list) counts->push_back(fields_.Unsigned(key, count));
      }
    }
  }

  void DecodeExemplar(JsonElement element) {
    JsonObject object;
    if (!fields_.Object("exemplars", element, &object)) return;
    OtlpExemplar* exemplar = point_.AddExemplar();
    for (const auto& [key, value] : object) {
      if (IsField(key, "timeUnixNano", "time_unix_nano")) {
        exemplar->time = fields_.Time(key, value);
      } else if (IsField(key, "asDouble", "as_double")) {
        exemplar->value = fields_.Double(key, value);
      } else if (IsField(key, "asInt", "as_int")) {
        exemplar->value = static_cast<double>(fields_.Signed(key, value));
      } else if (IsField(key, "traceId", "trace_id")) {
        exemplar->trace_id = fields_.Trace(key, value);
      } else if (IsField(key, "spanId", "span_id")) {
        exemplar->span_id = fields_.Parent(key, value);
      } else if (IsField(key, "filteredAttributes", "filtered_attributes")) {
        fields_.Attributes(key, value, &exemplar->attributes);
      }
    }
  }

  void SetOptional(std::string_view key, JsonElement value, bool* has, double* number) {
    if (value.is_null()) return;
    *number = fields_.Double(key, value);
    *has = true;
  }

  OtlpPlace place_;
  WriteBatch* batch_;
  IngestReport* report_;
  OtlpRecords records_;
  OtlpMetricsWriter metrics_;
  JsonFields fields_;
  AttributeList attributes_;
  std::vector<SpanEvent> events_;
  std::vector<SpanLink> links_;
  std::deque<AttributeList> lists_;  // of events and links
  OtlpPoint point_;
};

}  // namespace

struct OtlpJsonDecoder::Parser {
  Parser() : parser(kJsonBytesMax) {}
  simdjson::dom::parser parser;
};

OtlpJsonDecoder::OtlpJsonDecoder() : parser_(std::make_unique<Parser>()) {}
OtlpJsonDecoder::~OtlpJsonDecoder() = default;

absl::Status OtlpJsonDecoder::Decode(std::string_view document, Timestamp now, WriteBatch* batch, IngestReport* report,
                                     Signals* signals) {
  if (document.size() > kJsonBytesMax) {
    return absl::ResourceExhaustedError("a JSON document may have at most " + std::to_string(kJsonBytesMax >> 20) +
                                        " MiB");
  }
  simdjson::dom::parser& parser = parser_->parser;
  if (parser.max_depth() != kJsonDepthMax || parser.capacity() < document.size()) {
    if (parser.allocate(document.size(), kJsonDepthMax) != simdjson::SUCCESS) {
      return absl::ResourceExhaustedError("no memory for the JSON document");
    }
  }
  JsonElement root;
  if (const auto error = parser.parse(document.data(), document.size()).get(root); error != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(std::string("not JSON: ") + simdjson::error_message(error));
  }
  return DocumentDecoder(now, batch, report).Decode(root, signals);
}

absl::Status DecodeOtlpJson(OtlpSignal signal, std::string_view body, Timestamp now, WriteBatch* batch,
                            IngestReport* report) {
  OtlpJsonDecoder decoder;
  OtlpJsonDecoder::Signals signals;
  RETURN_IF_ERROR(decoder.Decode(body, now, batch, report, &signals));
  if (signals.metrics && signal != OtlpSignal::kMetrics) {
    return absl::InvalidArgumentError("the body has resourceMetrics; send it to /v1/metrics");
  }
  if (signals.logs && signal != OtlpSignal::kLogs) {
    return absl::InvalidArgumentError("the body has resourceLogs; send it to /v1/logs");
  }
  if (signals.traces && signal != OtlpSignal::kTraces) {
    return absl::InvalidArgumentError("the body has resourceSpans; send it to /v1/traces");
  }
  return absl::OkStatus();
}

std::string EncodeOtlpResponseJson(OtlpSignal signal, uint64_t rejected, std::string_view message) {
  if (rejected == 0 && message.empty()) return "{}";
  const char* name = signal == OtlpSignal::kMetrics ? "rejectedDataPoints"
                     : signal == OtlpSignal::kLogs  ? "rejectedLogRecords"
                                                    : "rejectedSpans";
  std::string json =
      "{\"partialSuccess\":{\"" + std::string(name) + "\":\"" + std::to_string(rejected) + "\",\"errorMessage\":";
  AppendJsonString(message, &json);
  return json + "}}";
}

std::string EncodeRpcStatusJson(int code, std::string_view message) {
  std::string json = "{\"code\":" + std::to_string(code) + ",\"message\":";
  AppendJsonString(message, &json);
  return json + "}";
}

}  // namespace braid::ingest
