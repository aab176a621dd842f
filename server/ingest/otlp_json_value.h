// Fields of OTLP/JSON as simdjson's DOM gives them: conversions that forgive what protobuf's JSON mapping forgives.
//
// Threads: a Fields object belongs to one thread.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "braid/types.h"
#include "server/ingest/attribute_list.h"

namespace braid::ingest {

using JsonElement = simdjson::dom::element;
using JsonObject = simdjson::dom::object;
using JsonArray = simdjson::dom::array;

// Reads values and remembers the first that had the wrong form, so that a record is checked once, at its end.
class JsonFields {
 public:
  // "" or what was wrong since the last Reset().
  const std::string& problem() const { return problem_; }
  void Reset() { problem_.clear(); }
  void Complain(std::string_view field, std::string_view expected);

  std::string_view Text(std::string_view field, JsonElement value);  // null is ""
  uint64_t Unsigned(std::string_view field, JsonElement value);      // number or string of digits
  int64_t Signed(std::string_view field, JsonElement value);
  double Double(std::string_view field, JsonElement value);  // also "NaN", "Infinity", "-Infinity"
  bool Bool(std::string_view field, JsonElement value);
  Timestamp Time(std::string_view field, JsonElement value);  // negative if beyond the range; callers reject that
  TraceId Trace(std::string_view field, JsonElement value);
  SpanId Parent(std::string_view field, JsonElement value);
  // A number, its digits, or a name of `names` (index = number).
  int Enum(std::string_view field, JsonElement value, const std::vector<std::string_view>& names);
  // False for null, and with a complaint for anything else that is not one.
  bool Array(std::string_view field, JsonElement value, JsonArray* array);
  bool Object(std::string_view field, JsonElement value, JsonObject* object);
  // [{"key":..., "value":{...}}, ...]
  void Attributes(std::string_view field, JsonElement value, AttributeList* list);

 private:
  void AddPair(std::string_view prefix, JsonElement pair, int depth, AttributeList* list);
  void AddAny(std::string_view name, JsonElement any, int depth, AttributeList* list);

  std::string problem_;
};

// `key` is `camel`, or `snake` as in the .proto files.
inline bool IsField(std::string_view key, std::string_view camel, std::string_view snake) {
  return key == camel || key == snake;
}

// The AnyValue as plain JSON text: {"kvlistValue":...} becomes {...}.
void AppendAnyValueJson(JsonElement any, int depth, std::string* out);
// A body: a string as it is, everything else as its JSON text.
std::string_view JsonBodyText(JsonElement any, TextArena* arena);

}  // namespace braid::ingest
