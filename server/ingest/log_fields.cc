#include "server/ingest/log_fields.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "server/ingest/access_log.h"
#include "server/ingest/terminal_codes.h"
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

// A clock that is off by its zone is off by that and the moment between writing and reading.
constexpr Duration kZoneSlack = 120 * kSecond;

}  // namespace

bool IsIdentityKey(std::string_view key) {
  if (Contains(kIdentityKeys, key)) return true;
  return std::any_of(std::begin(kIdentityPrefixes), std::end(kIdentityPrefixes),
                     [&](std::string_view prefix) { return key.starts_with(prefix); });
}

bool IsMessageKey(std::string_view key) { return Contains(kMessageKeys, key); }

bool IsIdKey(std::string_view key) {
  return Contains(kRequestKeys, key) || Contains(kTraceKeys, key) || Contains(kSpanKeys, key);
}

struct LogFields::Record {
  LogRecord log;
  std::vector<AttributeView> attributes;
  std::vector<AttributeView> identity;
};

bool LogFields::IsStreamField(std::string_view name) const {
  return std::find(options_.stream_fields.begin(), options_.stream_fields.end(), name) != options_.stream_fields.end();
}

void LogFields::Interpret(Record* record) {
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

// The message as text: without a terminal's colours, and taken apart if it is an access line.
void LogFields::ReadMessage(Record* record) {
  LogRecord& log = record->log;
  if (HasTerminalCodes(log.message)) log.message = fields_.arena().Keep(StripTerminalCodes(log.message));
  AccessLine access;
  if (!ParseAccessLine(log.message, &access)) return;
  if (log.severity_number == 0) log.severity_number = SeverityOfLevel(access.level());
  access.AppendAttributes(&record->attributes);
}

Timestamp LogFields::Emit(std::span<const AttributeView> source, const LogRecord& otherwise, LogSink* sink) {
  Record record;
  Interpret(&record);
  LogRecord& log = record.log;
  if (log.message.empty()) log.message = otherwise.message;
  if (options_.read_messages) ReadMessage(&record);
  log.observed_time = options_.now;
  if (log.time == 0) log.time = otherwise.time;
  if (log.time == 0) log.time = options_.now;
  const Duration shift = options_.zone_offset;
  if (shift != 0 && std::llabs(log.time - shift - options_.now) <= kZoneSlack) log.time -= shift;
  if (log.severity_number == 0) log.severity_number = otherwise.severity_number;
  log.dropped_attributes = fields_.dropped();

  std::vector<AttributeView>& identity = record.identity;
  identity.insert(identity.end(), source.begin(), source.end());
  const bool names_service = std::any_of(identity.begin(), identity.end(), [](const AttributeView& field) {
    return field.name == "service" || field.name == "service.name" || field.name == "service_name" ||
           field.name == "app" || field.name == "job";
  });
  if (!names_service && !options_.service.empty()) identity.push_back({"service.name", options_.service});
  const auto by_name = [](const AttributeView& a, const AttributeView& b) { return a.name < b.name; };
  std::sort(identity.begin(), identity.end(), by_name);
  if (!sink->TakesResource(identity)) {
    // A key of unique values is no identity: from here on only the service is.
    const auto rest = std::stable_partition(identity.begin(), identity.end(), [](const AttributeView& field) {
      return field.name == "service" || field.name == "service.name";
    });
    record.attributes.insert(record.attributes.end(), rest, identity.end());
    identity.erase(rest, identity.end());
  }
  log.attributes = record.attributes;
  sink->Add(identity, log);
  fields_.Clear();
  return log.time;
}

Level LogFields::TakeLevel() {
  Record record;
  Interpret(&record);
  fields_.Clear();
  return LevelOfSeverity(record.log.severity_number);
}

}  // namespace braid::ingest
