#include "server/ingest/log_shape.h"

#include <algorithm>

#include "engine/base/checksum.h"
#include "server/ingest/log_fields.h"

namespace braid::ingest {
namespace {

// Shapes that are remembered. Beyond, names are made up anew for every record and remembering does not help.
constexpr size_t kShapesMax = 1024;
// Text of the names of a shape that is remembered: what is remembered stays below some 16 MB.
constexpr size_t kShapeBytesMax = 16 << 10;

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

template <typename Names>
void AddCandidates(const std::vector<std::string>& fields, const Names& names, std::vector<uint16_t>* positions) {
  for (std::string_view name : names) {
    const auto field = std::find(fields.begin(), fields.end(), name);
    if (field != fields.end()) positions->push_back(static_cast<uint16_t>(field - fields.begin()));
  }
}

bool HasNames(const LogShape& shape, std::span<const AttributeView> fields) {
  if (shape.names.size() != fields.size()) return false;
  // Records of one program mostly begin alike.
  for (size_t i = fields.size(); i-- > 0;) {
    if (shape.names[i] != fields[i].name) return false;
  }
  return true;
}

}  // namespace

bool IsMessageKey(std::string_view key) { return Contains(kMessageKeys, key); }

bool IsIdKey(std::string_view key) {
  return Contains(kRequestKeys, key) || Contains(kTraceKeys, key) || Contains(kSpanKeys, key);
}

bool IsIdentityKey(std::string_view key) {
  if (Contains(kIdentityKeys, key)) return true;
  return std::any_of(std::begin(kIdentityPrefixes), std::end(kIdentityPrefixes),
                     [&](std::string_view prefix) { return key.starts_with(prefix); });
}

bool LogShapes::IsStreamField(std::string_view name) const {
  return std::find(options_->stream_fields.begin(), options_->stream_fields.end(), name) !=
         options_->stream_fields.end();
}

const LogShape& LogShapes::Find(std::span<const AttributeView> fields) {
  for (size_t i = 0; i < lately_.size() && lately_[i] != nullptr; ++i) {
    if (!HasNames(*lately_[i], fields)) continue;
    std::rotate(lately_.begin(), lately_.begin() + i, lately_.begin() + i + 1);
    return *lately_.front();
  }
  uint64_t hash = 0;
  size_t bytes = 0;
  for (const AttributeView& field : fields) {
    hash = Hash64(field.name, hash);
    bytes += field.name.size();
  }
  if (bytes > kShapeBytesMax) {
    once_ = Make(fields);
    return once_;
  }
  auto found = shapes_.find(hash);
  if (found == shapes_.end() || !HasNames(*found->second, fields)) {
    if (shapes_.size() >= kShapesMax) shapes_.clear();
    lately_ = {};  // what it replaces may be among them
    found = shapes_.insert_or_assign(hash, std::make_unique<LogShape>(Make(fields))).first;
  }
  std::rotate(lately_.begin(), lately_.end() - 1, lately_.end());
  lately_.front() = found->second.get();
  return *lately_.front();
}

LogShape LogShapes::Make(std::span<const AttributeView> fields) const {
  LogShape shape;
  for (const AttributeView& field : fields) shape.names.emplace_back(field.name);
  const std::vector<std::string>& names = shape.names;
  const auto add = [&](KeyMeaning meaning, const auto& keys) {
    AddCandidates(names, keys, &shape.candidates[static_cast<size_t>(meaning)]);
  };
  options_->time_fields.empty() ? add(KeyMeaning::kTime, kTimeKeys) : add(KeyMeaning::kTime, options_->time_fields);
  options_->message_fields.empty() ? add(KeyMeaning::kMessage, kMessageKeys)
                                   : add(KeyMeaning::kMessage, options_->message_fields);
  add(KeyMeaning::kSeverityNumber, kSeverityNumberKeys);
  add(KeyMeaning::kLevel, kLevelKeys);
  add(KeyMeaning::kTraceparent, kTraceparentKeys);
  add(KeyMeaning::kTrace, kTraceKeys);
  add(KeyMeaning::kSpan, kSpanKeys);
  add(KeyMeaning::kFlags, kFlagsKeys);
  add(KeyMeaning::kRequest, kRequestKeys);
  for (const std::string& name : names) shape.identity.push_back(IsIdentityKey(name) || IsStreamField(name) ? 1 : 0);
  return shape;
}

}  // namespace braid::ingest
