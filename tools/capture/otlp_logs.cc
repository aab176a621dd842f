#include "tools/capture/otlp_logs.h"

#include <protozero/pbf_writer.hpp>

namespace braid {
namespace {

// Field numbers of opentelemetry/proto/{common,resource,logs,collector/logs}/v1.
void WriteValue(protozero::pbf_writer value, const ValueView& view) {
  if (const auto* text = std::get_if<std::string_view>(&view)) {
    value.add_string(1, text->data(), text->size());
  } else if (const auto* flag = std::get_if<bool>(&view)) {
    value.add_bool(2, *flag);
  } else if (const auto* whole = std::get_if<int64_t>(&view)) {
    value.add_int64(3, *whole);
  } else if (const auto* real = std::get_if<double>(&view)) {
    value.add_double(4, *real);
  }
}

void WriteAttribute(protozero::pbf_writer pair, const AttributeView& attribute) {
  pair.add_string(1, attribute.name.data(), attribute.name.size());
  WriteValue(protozero::pbf_writer(pair, 2), attribute.value);
}

std::string BigEndian(uint64_t value) {
  std::string bytes(8, '\0');
  for (int i = 7; i >= 0; --i, value >>= 8) bytes[static_cast<size_t>(i)] = static_cast<char>(value & 0xff);
  return bytes;
}

void WriteRecord(protozero::pbf_writer out, const LogRecord& record) {
  out.add_fixed64(1, static_cast<uint64_t>(record.time));
  if (record.severity_number != 0) out.add_enum(2, record.severity_number);
  if (!record.severity_text.empty()) out.add_string(3, record.severity_text.data(), record.severity_text.size());
  WriteValue(protozero::pbf_writer(out, 5), record.message);
  for (const AttributeView& attribute : record.attributes) WriteAttribute(protozero::pbf_writer(out, 6), attribute);
  if (record.dropped_attributes != 0) out.add_uint32(7, record.dropped_attributes);
  if (record.flags != 0) out.add_fixed32(8, record.flags);
  if (!record.trace_id.IsZero()) out.add_bytes(9, BigEndian(record.trace_id.high) + BigEndian(record.trace_id.low));
  if (!record.span_id.IsZero()) out.add_bytes(10, BigEndian(record.span_id.value));
  out.add_fixed64(11, static_cast<uint64_t>(record.observed_time));
  if (!record.event_name.empty()) out.add_string(12, record.event_name.data(), record.event_name.size());
}

// Resources of one request; more are one too many for what a single program prints.
constexpr size_t kResourcesMax = 1000;

}  // namespace

bool OtlpLogs::TakesResource(std::span<const AttributeView> resource) {
  return groups_.size() < kResourcesMax || groups_.contains(ingest::ResourceKey(resource));
}

void OtlpLogs::Add(std::span<const AttributeView> resource, const LogRecord& record) {
  Group& group = groups_[ingest::ResourceKey(resource)];
  if (group.records.empty()) {
    protozero::pbf_writer out(group.resource);
    for (const AttributeView& attribute : resource) WriteAttribute(protozero::pbf_writer(out, 1), attribute);
  }
  const size_t before = group.records.size();
  {
    protozero::pbf_writer records(group.records);
    WriteRecord(protozero::pbf_writer(records, 2), record);
  }
  bytes_ += group.records.size() - before;
  ++records_;
}

std::string OtlpLogs::Take() {
  std::string body;
  protozero::pbf_writer request(body);
  for (const auto& [key, group] : groups_) {
    protozero::pbf_writer resource_logs(request, 1);
    resource_logs.add_message(1, group.resource);
    resource_logs.add_message(2, group.records);
  }
  groups_.clear();
  records_ = 0;
  bytes_ = 0;
  return body;
}

}  // namespace braid
