#include "server/ingest/otlp_json_value.h"

#include <charconv>
#include <limits>

#include "server/ingest/ingest_limits.h"
#include "server/ingest/json_text.h"

namespace braid::ingest {
namespace {

// The value of an AnyValue's one field that is set, with its name. False for {} and null.
bool OneOf(JsonElement any, std::string_view* kind, JsonElement* value) {
  JsonObject object;
  if (any.get(object) != simdjson::SUCCESS) return false;
  for (const auto& [key, field] : object) {
    if (field.is_null()) continue;
    *kind = key;
    *value = field;
    return true;
  }
  return false;
}

bool IsKind(std::string_view kind, std::string_view camel, std::string_view snake) {
  return kind == camel || kind == snake;
}

// {"values": [...]} of arrays and maps; false if it is not there.
bool Values(JsonElement holder, JsonArray* values) { return holder["values"].get(*values) == simdjson::SUCCESS; }

template <typename Number>
bool ParseWhole(std::string_view text, Number* number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), *number);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() && !text.empty();
}

bool SignedOf(JsonElement value, int64_t* number) {
  if (value.get(*number) == simdjson::SUCCESS) return true;
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return ParseWhole(text, number);
  // Some writers print integers as 1e3 or 5.0.
  double real;
  if (value.get(real) == simdjson::SUCCESS && real >= -9.2e18 && real <= 9.2e18 &&
      static_cast<double>(static_cast<int64_t>(real)) == real) {
    *number = static_cast<int64_t>(real);
    return true;
  }
  return false;
}

bool DoubleOf(JsonElement value, double* number) {
  if (value.get(*number) == simdjson::SUCCESS) return true;
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return false;
  if (text == "NaN") {
    *number = std::numeric_limits<double>::quiet_NaN();
  } else if (text == "Infinity") {
    *number = std::numeric_limits<double>::infinity();
  } else if (text == "-Infinity") {
    *number = -std::numeric_limits<double>::infinity();
  } else {
    return ParseWhole(text, number);
  }
  return true;
}

}  // namespace

void JsonFields::Complain(std::string_view field, std::string_view expected) {
  if (problem_.empty()) problem_ = std::string(field) + ": expected " + std::string(expected);
}

std::string_view JsonFields::Text(std::string_view field, JsonElement value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS && !value.is_null()) Complain(field, "a string");
  return text;
}

uint64_t JsonFields::Unsigned(std::string_view field, JsonElement value) {
  uint64_t number = 0;
  if (value.is_null() || value.get(number) == simdjson::SUCCESS) return number;
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    if (ParseWhole(text, &number)) return number;
  } else if (int64_t whole; SignedOf(value, &whole) && whole >= 0) {
    return static_cast<uint64_t>(whole);
  }
  Complain(field, "a non-negative integer, as number or string");
  return 0;
}

int64_t JsonFields::Signed(std::string_view field, JsonElement value) {
  int64_t number = 0;
  if (!value.is_null() && !SignedOf(value, &number)) Complain(field, "an integer, as number or string");
  return number;
}

double JsonFields::Double(std::string_view field, JsonElement value) {
  double number = 0;
  if (!value.is_null() && !DoubleOf(value, &number)) Complain(field, "a number");
  return number;
}

bool JsonFields::Bool(std::string_view field, JsonElement value) {
  bool flag = false;
  if (!value.is_null() && value.get(flag) != simdjson::SUCCESS) Complain(field, "true or false");
  return flag;
}

Timestamp JsonFields::Time(std::string_view field, JsonElement value) {
  return static_cast<Timestamp>(Unsigned(field, value));
}

TraceId JsonFields::Trace(std::string_view field, JsonElement value) {
  TraceId id;
  const std::string_view text = Text(field, value);
  if (!text.empty() && !ParseTraceId(text, &id)) Complain(field, "up to 32 hex digits");
  return id;
}

SpanId JsonFields::Parent(std::string_view field, JsonElement value) {
  SpanId id;
  const std::string_view text = Text(field, value);
  if (!text.empty() && !ParseSpanId(text, &id)) Complain(field, "up to 16 hex digits");
  return id;
}

int JsonFields::Enum(std::string_view field, JsonElement value, const std::vector<std::string_view>& names) {
  int64_t number = 0;
  if (value.is_null() || SignedOf(value, &number))
    return number >= 0 && number <= INT32_MAX ? static_cast<int>(number) : 0;
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (names[i] == text) return static_cast<int>(i);
    }
  }
  Complain(field, "a number or a name of the enumeration");
  return 0;
}

bool JsonFields::Array(std::string_view field, JsonElement value, JsonArray* array) {
  if (value.get(*array) == simdjson::SUCCESS) return true;
  if (!value.is_null()) Complain(field, "an array");
  return false;
}

bool JsonFields::Object(std::string_view field, JsonElement value, JsonObject* object) {
  if (value.get(*object) == simdjson::SUCCESS) return true;
  if (!value.is_null()) Complain(field, "an object");
  return false;
}

void JsonFields::Attributes(std::string_view field, JsonElement value, AttributeList* list) {
  JsonArray pairs;
  if (value.get(pairs) != simdjson::SUCCESS) {
    if (!value.is_null()) Complain(field, "an array of {key, value}");
    return;
  }
  for (JsonElement pair : pairs) AddPair("", pair, 0, list);
}

void JsonFields::AddPair(std::string_view prefix, JsonElement pair, int depth, AttributeList* list) {
  std::string_view key;
  JsonElement value;
  if (pair["key"].get(key) != simdjson::SUCCESS) {
    Complain("attributes", "objects of {key, value}");
    return;
  }
  if (!prefix.empty()) key = list->arena().Keep(std::string(prefix) + "." + std::string(key));
  if (pair["value"].get(value) != simdjson::SUCCESS) {
    list->Add(key, ValueView());
    return;
  }
  AddAny(key, value, depth, list);
}

void JsonFields::AddAny(std::string_view name, JsonElement any, int depth, AttributeList* list) {
  std::string_view kind;
  JsonElement value;
  if (!OneOf(any, &kind, &value)) {
    if (!any.is_null() && !any.is_object()) Complain(name, "an AnyValue such as {\"stringValue\":\"x\"}");
    list->Add(name, ValueView());
  } else if (IsKind(kind, "stringValue", "string_value")) {
    list->Add(name, Text(name, value));
  } else if (IsKind(kind, "boolValue", "bool_value")) {
    list->Add(name, Bool(name, value));
  } else if (IsKind(kind, "intValue", "int_value")) {
    list->Add(name, Signed(name, value));
  } else if (IsKind(kind, "doubleValue", "double_value")) {
    list->Add(name, Double(name, value));
  } else if (IsKind(kind, "bytesValue", "bytes_value")) {
    list->Add(name, Text(name, value));  // base64 already
  } else if (IsKind(kind, "kvlistValue", "kvlist_value")) {
    JsonArray pairs;
    if (Values(value, &pairs) && pairs.size() > 0 && depth < kAnyValueDepthMax &&
        name.size() <= kAttributeNameBytesMax) {
      for (JsonElement pair : pairs) AddPair(name, pair, depth + 1, list);
    } else {
      list->Add(name, list->arena().Keep("{}"));
    }
  } else if (IsKind(kind, "arrayValue", "array_value")) {
    std::string text;
    AppendAnyValueJson(any, depth, &text);
    list->Add(name, list->arena().Keep(std::move(text)));
  } else {
    list->Add(name, ValueView());
  }
}

void AppendAnyValueJson(JsonElement any, int depth, std::string* out) {
  std::string_view kind, text;
  JsonElement value;
  int64_t integer;
  double real;
  bool flag;
  JsonArray values;
  if (depth > kAnyValueDepthMax || !OneOf(any, &kind, &value)) {
    out->append("null");
  } else if (IsKind(kind, "intValue", "int_value") && SignedOf(value, &integer)) {
    out->append(std::to_string(integer));
  } else if (IsKind(kind, "doubleValue", "double_value") && DoubleOf(value, &real)) {
    AppendJsonNumber(real, out);
  } else if (IsKind(kind, "boolValue", "bool_value") && value.get(flag) == simdjson::SUCCESS) {
    out->append(flag ? "true" : "false");
  } else if (IsKind(kind, "arrayValue", "array_value")) {
    out->push_back('[');
    if (Values(value, &values)) {
      bool first = true;
      for (JsonElement element : values) {
        if (!first) out->push_back(',');
        first = false;
        AppendAnyValueJson(element, depth + 1, out);
      }
    }
    out->push_back(']');
  } else if (IsKind(kind, "kvlistValue", "kvlist_value")) {
    out->push_back('{');
    if (Values(value, &values)) {
      bool first = true;
      for (JsonElement pair : values) {
        std::string_view key;
        JsonElement inner;
        if (pair["key"].get(key) != simdjson::SUCCESS) continue;
        if (!first) out->push_back(',');
        first = false;
        AppendJsonString(key, out);
        out->push_back(':');
        if (pair["value"].get(inner) == simdjson::SUCCESS) {
          AppendAnyValueJson(inner, depth + 1, out);
        } else {
          out->append("null");
        }
      }
    }
    out->push_back('}');
  } else if (value.get(text) == simdjson::SUCCESS) {
    AppendJsonString(text, out);
  } else {
    out->append("null");
  }
}

std::string_view JsonBodyText(JsonElement any, TextArena* arena) {
  std::string_view kind, text;
  JsonElement value;
  if (!OneOf(any, &kind, &value)) return {};
  if (IsKind(kind, "stringValue", "string_value") && value.get(text) == simdjson::SUCCESS) return text;
  std::string json;
  AppendAnyValueJson(any, 0, &json);
  return arena->Keep(std::move(json));
}

}  // namespace braid::ingest
