#include "server/ingest/zipkin_json.h"

#include "engine/base/status_macros.h"
#include "server/ingest/json_document.h"
#include "server/ingest/otlp_json_value.h"
#include "server/ingest/otlp_records.h"
#include "server/ingest/span_assembly.h"

namespace braid::ingest {
namespace {

struct Endpoint {
  std::string_view service, address;
  int64_t port = 0;
};

class Decoder {
 public:
  Decoder(Timestamp now, WriteBatch* batch, IngestReport* report)
      : now_(now), batch_(batch), report_(report), assembly_(ErrorTag::kPresence, batch, report) {}

  absl::Status Decode(JsonElement root) {
    JsonArray spans;
    if (root.get(spans) != simdjson::SUCCESS) return absl::InvalidArgumentError("expected an array of spans");
    size_t index = 0;
    for (JsonElement span : spans) {
      DecodeSpan(span, index++);
      RETURN_IF_ERROR(CheckBatchSize(*batch_, report_));
    }
    return absl::OkStatus();
  }

 private:
  void DecodeSpan(JsonElement element, size_t index) {
    assembly_.BeginSpan();
    fields_.Reset();
    Span& span = assembly_.span;
    span.kind = SpanKind::kInternal;
    bool has_time = false, shared = false, debug = false;
    int64_t start = 0, duration = 0;
    Endpoint local, remote;
    JsonObject object;
    fields_.Object("span", element, &object);
    if (fields_.problem().empty()) {
      for (const auto& [key, value] : object) {
        if (value.is_null()) continue;
        if (key == "traceId") {
          ParseTraceId(fields_.Text(key, value), &span.trace_id);
        } else if (key == "id") {
          ParseSpanId(fields_.Text(key, value), &span.span_id);
        } else if (key == "parentId") {
          if (const std::string_view id = fields_.Text(key, value); !id.empty() && !ParseSpanId(id, &span.parent_id)) {
            fields_.Complain(key, "hex digits");
          }
        } else if (key == "name") {
          span.name = assembly_.tags.arena().CleanText(fields_.Text(key, value));
        } else if (key == "kind") {
          const std::string_view kind = fields_.Text(key, value);
          if (!ParseSpanKind(kind, &span.kind)) fields_.Complain(key, "CLIENT, SERVER, PRODUCER or CONSUMER");
        } else if (key == "timestamp") {
          start = fields_.Signed(key, value);
          has_time = start != 0;
        } else if (key == "duration") {
          duration = fields_.Signed(key, value);
        } else if (key == "localEndpoint") {
          DecodeEndpoint(key, value, &local);
        } else if (key == "remoteEndpoint") {
          DecodeEndpoint(key, value, &remote);
        } else if (key == "annotations") {
          DecodeAnnotations(key, value);
        } else if (key == "tags") {
          DecodeTags(key, value);
        } else if (key == "shared") {
          shared = fields_.Bool(key, value);
        } else if (key == "debug") {
          debug = fields_.Bool(key, value);
        }
      }
    }
    if (!fields_.problem().empty()) {
      report_->Reject(1, "spans[" + std::to_string(index) + "]", fields_.problem());
      return;
    }
    AttributeList& tags = assembly_.tags;
    // What a tag says already is not said over again by an endpoint, but for the service.
    const auto add = [&](std::string_view name, std::string_view text) {
      if (!text.empty() && !tags.Has(name)) tags.Add(name, text);
    };
    const auto add_port = [&](std::string_view name, int64_t port) {
      if (port != 0 && !tags.Has(name)) tags.Add(name, port);
    };
    if (!local.service.empty()) tags.Add("service.name", local.service);
    add("network.local.address", local.address);
    add_port("network.local.port", local.port);
    add("peer.service", remote.service);
    add("network.peer.address", remote.address);
    add_port("network.peer.port", remote.port);
    if (shared) tags.Add("zipkin.shared", true);
    if (debug) tags.Add("zipkin.debug", true);
    int64_t end;
    if (__builtin_add_overflow(start, duration, &end)) end = -1;
    span.start = TimeOfMicros(start);
    span.end = TimeOfMicros(end);
    if (!has_time) {
      span.start = now_;
      span.end = duration >= 0 && TimeOfMicros(duration) >= 0 && TimeOfMicros(duration) < kMaxTimestamp - now_
                     ? now_ + TimeOfMicros(duration)
                     : -1;
    }
    assembly_.Finish(index);
  }

  void DecodeEndpoint(std::string_view field, JsonElement value, Endpoint* endpoint) {
    JsonObject object;
    if (!fields_.Object(field, value, &object)) return;
    for (const auto& [key, part] : object) {
      if (key == "serviceName") {
        endpoint->service = fields_.Text(key, part);
      } else if (key == "ipv4" || (key == "ipv6" && endpoint->address.empty())) {
        endpoint->address = fields_.Text(key, part);
      } else if (key == "port" && !part.is_null()) {
        endpoint->port = fields_.Signed(key, part);
      }
    }
  }

  void DecodeAnnotations(std::string_view field, JsonElement value) {
    JsonArray annotations;
    if (!fields_.Array(field, value, &annotations)) return;
    for (JsonElement element : annotations) {
      JsonObject annotation;
      if (!fields_.Object(field, element, &annotation)) return;
      Timestamp time = 0;
      std::string_view text;
      for (const auto& [key, part] : annotation) {
        if (key == "timestamp") {
          time = TimeOfMicros(fields_.Signed(key, part));
          if (time < 0) fields_.Complain(key, "microseconds between 1970 and 2262");
        } else if (key == "value") {
          text = fields_.Text(key, part);
        }
      }
      if (assembly_.AddEvent() != nullptr) assembly_.FinishEvent(time, text);
    }
  }

  void DecodeTags(std::string_view field, JsonElement value) {
    JsonObject tags;
    if (!fields_.Object(field, value, &tags)) return;
    for (const auto& [key, tag] : tags) {
      // The format has strings only; senders that write numbers mean numbers.
      switch (tag.type()) {
        case simdjson::dom::element_type::NULL_VALUE: break;
        case simdjson::dom::element_type::BOOL: assembly_.tags.Add(key, bool(tag)); break;
        case simdjson::dom::element_type::INT64: assembly_.tags.Add(key, int64_t(tag)); break;
        case simdjson::dom::element_type::UINT64: assembly_.tags.Add(key, static_cast<double>(uint64_t(tag))); break;
        case simdjson::dom::element_type::DOUBLE: assembly_.tags.Add(key, double(tag)); break;
        case simdjson::dom::element_type::STRING: assembly_.tags.Add(key, std::string_view(tag)); break;
        default: assembly_.tags.Add(key, assembly_.tags.arena().Keep(simdjson::minify(tag)));
      }
    }
  }

  Timestamp now_;
  WriteBatch* batch_;
  IngestReport* report_;
  JsonFields fields_;
  SpanAssembly assembly_;
};

}  // namespace

absl::Status DecodeZipkinJson(std::string_view body, Timestamp now, WriteBatch* batch, IngestReport* report) {
  JsonDocument document;
  const auto root = document.Parse(body);
  if (!root.ok()) return root.status();
  return Decoder(now, batch, report).Decode(*root);
}

}  // namespace braid::ingest
