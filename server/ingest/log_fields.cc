#include "server/ingest/log_fields.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "server/ingest/access_log.h"
#include "server/ingest/terminal_codes.h"
#include "server/ingest/time_text.h"

namespace braid::ingest {
namespace {

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

void LogFields::Interpret(Record* record) {
  record->log = {};
  record->attributes.clear();
  record->identity.clear();
  const std::span<const AttributeView> fields = fields_.views();
  const LogShape& shape = shapes_.Find(fields);
  taken_.assign(fields.size(), 0);
  // Offers the values of the names that go by a meaning until one is understood, and takes that field away.
  const auto take = [&](KeyMeaning meaning, const auto& understand) {
    for (uint16_t place : shape.of(meaning)) {
      if (taken_[place] != 0 || !understand(fields[place])) continue;
      taken_[place] = 1;
      return;
    }
  };
  LogRecord& log = record->log;

  const auto take_time = [&](const AttributeView& field) {
    if (const auto* text = std::get_if<std::string_view>(&field.value)) return ParseAnyTime(*text, &log.time);
    if (const auto* whole = std::get_if<int64_t>(&field.value)) return TimeOfNumber(*whole, &log.time);
    if (const auto* real = std::get_if<double>(&field.value)) return TimeOfNumber(*real, &log.time);
    return false;
  };
  take(KeyMeaning::kTime, take_time);

  const auto take_message = [&](const AttributeView& field) {
    const auto* text = std::get_if<std::string_view>(&field.value);
    log.message = text != nullptr ? *text : fields_.arena().Keep(ToText(field.value));
    return true;
  };
  take(KeyMeaning::kMessage, take_message);

  take(KeyMeaning::kSeverityNumber, [&](const AttributeView& field) {
    const auto* number = std::get_if<int64_t>(&field.value);
    if (number == nullptr || *number < 1 || *number > 24) return false;
    log.severity_number = static_cast<int>(*number);
    return true;
  });
  take(KeyMeaning::kLevel, [&](const AttributeView& field) {
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

  take(KeyMeaning::kTraceparent, [&](const AttributeView& field) {
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
  take(KeyMeaning::kTrace, [&](const AttributeView& field) {
    return take_id(field, &log.trace_id, ParseTraceId, [&](uint64_t number) { log.trace_id = {0, number}; });
  });
  take(KeyMeaning::kSpan, [&](const AttributeView& field) {
    return take_id(field, &log.span_id, ParseSpanId, [&](uint64_t number) { log.span_id = {number}; });
  });
  take(KeyMeaning::kFlags, [&](const AttributeView& field) {
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

  size_t request = fields.size();
  for (uint16_t place : shape.of(KeyMeaning::kRequest)) {
    if (taken_[place] != 0) continue;
    request = place;
    break;
  }
  for (size_t place = 0; place < fields.size(); ++place) {
    if (taken_[place] != 0) continue;
    if (place == request) {
      const bool identity = shapes_.IsStreamField(kRequestName);
      (identity ? record->identity : record->attributes).push_back({kRequestName, fields[place].value});
    } else {
      (shape.identity[place] != 0 ? record->identity : record->attributes).push_back(fields[place]);
    }
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
  Record& record = record_;
  Interpret(&record);
  LogRecord& log = record.log;
  if (log.message.empty()) log.message = otherwise.message;
  if (options_.read_messages) ReadMessage(&record);
  log.observed_time = options_.now;
  if (log.time == 0) log.time = otherwise.time;
  if (log.time == 0) log.time = options_.now;
  const Duration shift = options_.zone_offset;
  if (options_.live && shift != 0 && std::llabs(log.time - shift - options_.now) <= kZoneSlack) log.time -= shift;
  const Duration late = options_.now - log.time;
  if (options_.live && late > 0 && late < kSecond && log.time % kSecond == 0) log.time = options_.now;
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
  Interpret(&record_);
  fields_.Clear();
  return LevelOfSeverity(record_.log.severity_number);
}

}  // namespace braid::ingest
