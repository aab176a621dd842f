#include "server/ingest/json_lines.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "server/ingest/json_text.h"
#include "server/ingest/time_text.h"

namespace braid::ingest {
namespace {

// For each meaning the keys it goes by, the most telling first. The first that is there is taken; the others, if there
// too, stay attributes.
constexpr std::string_view kMessageKeys[] = {"message", "msg",   "_msg", "short_message", "body",
                                             "log",     "event", "text", "MESSAGE"};
constexpr std::string_view kTimeKeys[] = {"timestamp", "@timestamp", "time", "ts", "_time", "datetime", "asctime", "t"};
constexpr std::string_view kLevelKeys[] = {"level",     "severity",  "severity_text", "severityText", "levelname",
                                           "log.level", "log_level", "loglevel",      "lvl",          "@level"};
constexpr std::string_view kSeverityNumberKeys[] = {"severity_number", "severityNumber"};
constexpr std::string_view kTraceKeys[] = {"trace_id", "traceId",     "traceID",    "traceid",
                                           "trace.id", "otelTraceID", "dd.trace_id"};
constexpr std::string_view kSpanKeys[] = {"span_id", "spanId",     "spanID",    "spanid",
                                          "span.id", "otelSpanID", "dd.span_id"};
constexpr std::string_view kTraceparentKeys[] = {"traceparent"};
constexpr std::string_view kFlagsKeys[] = {"trace_flags", "traceFlags", "otelTraceFlags"};
constexpr std::string_view kRequestKeys[] = {
    "request_id",   "requestId",  "requestID",      "req_id",        "reqId",         "x_request_id",    "x-request-id",
    "X-Request-ID", "request.id", "correlation_id", "correlationId", "correlationID", "x-correlation-id"};
constexpr std::string_view kRequestName = "request_id";

constexpr std::string_view kIdentityKeys[] = {
    "service",        "service_name", "namespace", "pod",         "pod_name",    "container",
    "container_name", "container_id", "host",      "hostname",    "host_name",   "node",
    "node_name",      "instance",     "env",       "environment", "cluster",     "region",
    "zone",           "job",          "app",       "app_name",    "application", "deployment",
};
constexpr std::string_view kIdentityPrefixes[] = {"service.", "k8s.",        "kubernetes.", "container.",    "host.",
                                                  "cloud.",   "deployment.", "faas.",       "telemetry.sdk."};

template <size_t N>
bool Contains(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Bunyan and pino count 10, 20, ... 60; syslog and GELF count 0 (emergency) to 7 (debug).
Level LevelOfNumber(int64_t number) {
  static constexpr Level kSyslog[] = {Level::kFatal, Level::kFatal, Level::kFatal, Level::kError,
                                      Level::kWarn,  Level::kInfo,  Level::kInfo,  Level::kDebug};
  if (number >= 0 && number < 8) return kSyslog[number];
  if (number >= 10 && number < 70) return static_cast<Level>(number / 10);
  return Level::kUnset;
}

// Datadog writes 64-bit ids in decimal.
bool ParseDecimalId(std::string_view text, uint64_t* id) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), *id);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() && !text.empty();
}

}  // namespace

bool IsIdentityKey(std::string_view key) {
  if (Contains(kIdentityKeys, key)) return true;
  return std::any_of(std::begin(kIdentityPrefixes), std::end(kIdentityPrefixes),
                     [&](std::string_view prefix) { return key.starts_with(prefix); });
}

struct JsonLinesParser::Json {
  Json() : parser(kLineBytesMax) {}
  simdjson::dom::parser parser;
};

struct JsonLinesParser::Record {
  LogRecord log;
  std::vector<AttributeView> attributes;
  std::vector<AttributeView> identity;
};

JsonLinesParser::JsonLinesParser(JsonLinesOptions options)
    : options_(std::move(options)), json_(std::make_unique<Json>()) {}
JsonLinesParser::~JsonLinesParser() = default;

void JsonLinesParser::ParseBody(std::string_view body, WriteBatch* batch, IngestReport* report) {
  line_ = 0;
  while (!body.empty()) {
    const size_t end = body.find('\n');
    ParseLine(body.substr(0, end), batch, report);
    if (end == std::string_view::npos || batch->byte_size() > WriteBatch::kMaxBatchBytes) return;
    body.remove_prefix(end + 1);
  }
}

void JsonLinesParser::ParseLine(std::string_view line, WriteBatch* batch, IngestReport* report) {
  ++line_;
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  if (line.empty()) return;
  if (line.size() > kLineBytesMax) {
    report->RejectLine(line_, "line of " + std::to_string(line.size()) + " bytes; at most " +
                                  std::to_string(kLineBytesMax) + " are taken");
    return;
  }
  if (const std::string why = AddObject(line, {}, {}, batch, report); !why.empty()) KeepRaw(line, why, batch, report);
}

std::string JsonLinesParser::ParseDocument(std::string_view document, std::span<const AttributeView> source,
                                           std::span<const AttributeView> extra, WriteBatch* batch,
                                           IngestReport* report) {
  if (document.size() > kLineBytesMax) {
    return "document of " + std::to_string(document.size()) + " bytes; at most " + std::to_string(kLineBytesMax) +
           " are taken";
  }
  return AddObject(document, source, extra, batch, report);
}

std::string JsonLinesParser::AddObject(std::string_view line, std::span<const AttributeView> source,
                                       std::span<const AttributeView> extra, WriteBatch* batch, IngestReport* report) {
  fields_.Clear();
  Record record;
  if (std::string why = ReadObject(line); !why.empty()) return why;
  for (const AttributeView& attribute : extra) fields_.Add(attribute.name, attribute.value);
  Interpret(&record);
  record.identity.insert(record.identity.end(), source.begin(), source.end());
  record.log.observed_time = options_.now;
  if (record.log.time == 0) record.log.time = options_.now;
  record.log.dropped_attributes = fields_.dropped();
  const WriteBatch::StreamRef stream = StreamOf(&record, batch);
  record.log.attributes = record.attributes;
  batch->AddLog(stream, record.log);
  ++report->accepted;
  return "";
}

void JsonLinesParser::KeepRaw(std::string_view line, const std::string& why, WriteBatch* batch, IngestReport* report) {
  fields_.Clear();
  fields_.Add("parse_error", std::string_view(why));
  Record record;
  record.log.time = record.log.observed_time = options_.now;
  record.log.message = fields_.arena().CleanText(line);
  record.log.attributes = fields_.views();
  batch->AddLog(StreamOf(&record, batch), record.log);
  ++report->accepted;
  ++report->kept_raw;
  report->Keep({line_, "", why});
}

std::string JsonLinesParser::ReadObject(std::string_view line) {
  simdjson::dom::parser& parser = json_->parser;
  if (parser.max_depth() != kJsonDepthMax || parser.capacity() < line.size()) {
    if (parser.allocate(std::max<size_t>(line.size(), 4096), kJsonDepthMax) != simdjson::SUCCESS) return "no memory";
  }
  simdjson::dom::element root;
  if (const auto error = parser.parse(line.data(), line.size()).get(root); error != simdjson::SUCCESS) {
    return std::string("not JSON: ") + simdjson::error_message(error);
  }
  simdjson::dom::object object;
  if (root.get(object) != simdjson::SUCCESS) return "not a JSON object";
  Collect(&object, "", 0);
  return "";
}

// Fields in the order sent, nested ones under dotted names; nulls say nothing and are left out.
void JsonLinesParser::Collect(const void* object, const std::string& prefix, int depth) {
  for (const auto& [key, value] : *static_cast<const simdjson::dom::object*>(object)) {
    const std::string_view name = prefix.empty() ? key : fields_.arena().Keep(prefix + std::string(key));
    switch (value.type()) {
      case simdjson::dom::element_type::NULL_VALUE: break;
      case simdjson::dom::element_type::BOOL: fields_.Add(name, bool(value)); break;
      case simdjson::dom::element_type::INT64: fields_.Add(name, int64_t(value)); break;
      case simdjson::dom::element_type::UINT64: fields_.Add(name, static_cast<double>(uint64_t(value))); break;
      case simdjson::dom::element_type::DOUBLE: fields_.Add(name, double(value)); break;
      case simdjson::dom::element_type::STRING: fields_.Add(name, std::string_view(value)); break;
      case simdjson::dom::element_type::OBJECT: {
        const simdjson::dom::object inner = value;
        // A structured message is its JSON text, not a set of attributes.
        const bool is_message = depth == 0 && (Contains(kMessageKeys, key) && key != "log");
        if (!is_message && inner.size() > 0 && depth < kAnyValueDepthMax && name.size() <= kAttributeNameBytesMax) {
          Collect(&inner, std::string(name) + ".", depth + 1);
          break;
        }
        [[fallthrough]];
      }
      case simdjson::dom::element_type::ARRAY: fields_.Add(name, fields_.arena().Keep(simdjson::minify(value))); break;
    }
  }
}

bool JsonLinesParser::IsStreamField(std::string_view name) const {
  return std::find(options_.stream_fields.begin(), options_.stream_fields.end(), name) != options_.stream_fields.end();
}

void JsonLinesParser::Interpret(Record* record) {
  std::vector<AttributeView> fields(fields_.views().begin(), fields_.views().end());
  const auto find = [&](std::string_view name) {
    return std::find_if(fields.begin(), fields.end(), [&](const AttributeView& field) { return field.name == name; });
  };
  // Offers the values of the named keys in turn until one is understood, and takes that field away.
  const auto take = [&](const auto& names, const auto& understand) {
    for (std::string_view name : names) {
      const auto field = find(name);
      if (field == fields.end() || !understand(*field)) continue;
      fields.erase(field);
      return true;
    }
    return false;
  };
  LogRecord& log = record->log;

  const auto take_time = [&](const AttributeView& field) {
    if (const auto* text = std::get_if<std::string_view>(&field.value)) return ParseAnyTime(*text, &log.time);
    if (const auto* whole = std::get_if<int64_t>(&field.value)) return TimeOfNumber(*whole, &log.time);
    if (const auto* real = std::get_if<double>(&field.value)) return TimeOfNumber(*real, &log.time);
    return false;
  };
  options_.time_fields.empty() ? take(kTimeKeys, take_time) : take(options_.time_fields, take_time);

  const auto take_message = [&](const AttributeView& field) {
    const auto* text = std::get_if<std::string_view>(&field.value);
    log.message = text != nullptr ? *text : fields_.arena().Keep(ToText(field.value));
    return true;
  };
  options_.message_fields.empty() ? take(kMessageKeys, take_message) : take(options_.message_fields, take_message);

  take(kSeverityNumberKeys, [&](const AttributeView& field) {
    const auto* number = std::get_if<int64_t>(&field.value);
    if (number == nullptr || *number < 1 || *number > 24) return false;
    log.severity_number = static_cast<int>(*number);
    return true;
  });
  take(kLevelKeys, [&](const AttributeView& field) {
    Level level = Level::kUnset;
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      int64_t number;
      const auto read = std::from_chars(text->data(), text->data() + text->size(), number);
      if (read.ec == std::errc() && read.ptr == text->data() + text->size()) {
        level = LevelOfNumber(number);
      } else if (!ParseLevel(*text, &level)) {
        level = Level::kUnset;
      }
      log.severity_text = *text;
    } else if (const auto* number = std::get_if<int64_t>(&field.value)) {
      level = LevelOfNumber(*number);
      log.severity_text = fields_.arena().Keep(std::to_string(*number));
    } else {
      return false;
    }
    if (log.severity_number == 0) log.severity_number = SeverityOfLevel(level);
    return true;
  });

  take(kTraceparentKeys, [&](const AttributeView& field) {
    // 00-<32 hex>-<16 hex>-<2 hex> (W3C Trace Context)
    const auto* text = std::get_if<std::string_view>(&field.value);
    if (text == nullptr || text->size() < 55 || (*text)[2] != '-' || (*text)[35] != '-' || (*text)[52] != '-') {
      return false;
    }
    uint32_t flags = 0;
    const auto read = std::from_chars(text->data() + 53, text->data() + 55, flags, 16);
    if (read.ec != std::errc() || !ParseTraceId(text->substr(3, 32), &log.trace_id) ||
        !ParseSpanId(text->substr(36, 16), &log.span_id)) {
      return false;
    }
    log.flags = flags;
    return true;
  });
  const auto take_id = [&](const AttributeView& field, auto* id, const auto& parse, const auto& from_decimal) {
    uint64_t number = 0;
    if (const auto* whole = std::get_if<int64_t>(&field.value)) {
      if (*whole <= 0) return false;
      from_decimal(static_cast<uint64_t>(*whole));
      return true;
    }
    const auto* text = std::get_if<std::string_view>(&field.value);
    if (text == nullptr || text->empty()) return false;
    if (field.name.starts_with("dd.") && text->size() <= 20 && ParseDecimalId(*text, &number)) {
      from_decimal(number);
      return true;
    }
    return parse(*text, id);
  };
  take(kTraceKeys, [&](const AttributeView& field) {
    return take_id(field, &log.trace_id, ParseTraceId, [&](uint64_t number) { log.trace_id = {0, number}; });
  });
  take(kSpanKeys, [&](const AttributeView& field) {
    return take_id(field, &log.span_id, ParseSpanId, [&](uint64_t number) { log.span_id = {number}; });
  });
  take(kFlagsKeys, [&](const AttributeView& field) {
    uint32_t flags = 0;
    if (const auto* whole = std::get_if<int64_t>(&field.value)) {
      flags = static_cast<uint32_t>(*whole);
    } else if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      if (std::from_chars(text->data(), text->data() + text->size(), flags, 16).ec != std::errc()) return false;
    } else {
      return false;
    }
    log.flags = flags;
    return true;
  });

  // One name for what ties the records of a request together, so that records of several programs meet.
  if (find(kRequestName) == fields.end()) {
    for (std::string_view name : kRequestKeys) {
      const auto field = find(name);
      if (field == fields.end()) continue;
      field->name = kRequestName;
      break;
    }
  }

  for (const AttributeView& field : fields) {
    (IsIdentityKey(field.name) || IsStreamField(field.name) ? record->identity : record->attributes).push_back(field);
  }
}

WriteBatch::StreamRef JsonLinesParser::StreamOf(Record* record, WriteBatch* batch) {
  std::vector<AttributeView>& identity = record->identity;
  const bool names_service = std::any_of(identity.begin(), identity.end(), [](const AttributeView& field) {
    return field.name == "service" || field.name == "service.name" || field.name == "service_name" ||
           field.name == "app" || field.name == "job";
  });
  if (!names_service && !options_.service.empty()) identity.push_back({"service.name", options_.service});
  std::string key;
  const auto make_key = [&] {
    std::sort(identity.begin(), identity.end(),
              [](const AttributeView& a, const AttributeView& b) { return a.name < b.name; });
    key.clear();
    for (const AttributeView& field : identity) {
      key.append(field.name).push_back('\0');
      key.push_back(static_cast<char>(field.value.index()));
      key.append(ToText(field.value)).push_back('\0');
    }
  };
  make_key();
  auto found = streams_.find(key);
  if (found == streams_.end() && streams_.size() >= kJsonStreamsMax) {
    // A key of unique values is no identity: from here on only the service is.
    const auto rest = std::stable_partition(identity.begin(), identity.end(), [](const AttributeView& field) {
      return field.name == "service" || field.name == "service.name";
    });
    record->attributes.insert(record->attributes.end(), rest, identity.end());
    identity.erase(rest, identity.end());
    make_key();
    found = streams_.find(key);
  }
  if (found != streams_.end()) return found->second;
  Stream stream;
  for (const AttributeView& field : identity) stream.resource.push_back({std::string(field.name), Own(field.value)});
  const WriteBatch::StreamRef ref = batch->AddStream(stream);
  streams_.emplace(std::move(key), ref);
  return ref;
}

}  // namespace braid::ingest
