// Values of OTLP attributes and bodies in protobuf: opentelemetry/proto/common/v1/common.proto, AnyValue and KeyValue.
//
// Threads: pure functions. Errors: protozero::exception for bytes that are no such message.
#pragma once

#include <cstdint>
#include <protozero/pbf_reader.hpp>
#include <string_view>

#include "server/ingest/attribute_list.h"

namespace braid::ingest {

// Fields are told apart by number and wire type together: a known number with a foreign wire type is an unknown field.
constexpr uint32_t Varint(uint32_t field) { return protozero::tag_and_type(field, protozero::pbf_wire_type::varint); }
constexpr uint32_t Fixed64(uint32_t field) { return protozero::tag_and_type(field, protozero::pbf_wire_type::fixed64); }
constexpr uint32_t Fixed32(uint32_t field) { return protozero::tag_and_type(field, protozero::pbf_wire_type::fixed32); }
constexpr uint32_t Bytes(uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::length_delimited);
}

inline std::string_view TakeBytes(protozero::pbf_reader* reader) {
  const protozero::data_view view = reader->get_view();
  return {view.data(), view.size()};
}

// Adds a KeyValue. Maps become dotted names, arrays their JSON text, bytes base64.
void AddAttribute(const protozero::pbf_reader& pair, AttributeList* list);
// A body: strings as they are, everything else as JSON text.
std::string_view BodyText(protozero::pbf_reader any, TextArena* arena);

}  // namespace braid::ingest
