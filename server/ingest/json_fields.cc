#include "server/ingest/json_fields.h"

#include <simdjson.h>

#include <algorithm>

#include "server/ingest/ingest_limits.h"
#include "server/ingest/log_fields.h"

namespace braid::ingest {
namespace {

// Fields in the order sent, nested ones under dotted names; nulls say nothing and are left out.
void Collect(const simdjson::dom::object& object, const std::string& prefix, int depth, AttributeList* fields) {
  for (const auto& [key, value] : object) {
    const std::string_view name = prefix.empty() ? key : fields->arena().Keep(prefix + std::string(key));
    switch (value.type()) {
      case simdjson::dom::element_type::NULL_VALUE: break;
      case simdjson::dom::element_type::BOOL: fields->Add(name, bool(value)); break;
      case simdjson::dom::element_type::INT64: fields->Add(name, int64_t(value)); break;
      case simdjson::dom::element_type::UINT64: fields->Add(name, static_cast<double>(uint64_t(value))); break;
      case simdjson::dom::element_type::DOUBLE: fields->Add(name, double(value)); break;
      // simdjson has checked the bytes of the whole text and takes no halves of surrogate pairs.
      case simdjson::dom::element_type::STRING: fields->AddClean(name, std::string_view(value)); break;
      case simdjson::dom::element_type::OBJECT: {
        const simdjson::dom::object inner = value;
        // A structured message is its JSON text, not a set of attributes.
        const bool is_message = depth == 0 && IsMessageKey(key) && key != "log";
        if (!is_message && inner.size() > 0 && depth < kAnyValueDepthMax && name.size() <= kAttributeNameBytesMax) {
          Collect(inner, std::string(name) + ".", depth + 1, fields);
          break;
        }
        [[fallthrough]];
      }
      case simdjson::dom::element_type::ARRAY: fields->Add(name, fields->arena().Keep(simdjson::minify(value))); break;
    }
  }
}

}  // namespace

struct JsonFieldsReader::Json {
  Json() : parser(kLineBytesMax) {}
  simdjson::dom::parser parser;
};

JsonFieldsReader::JsonFieldsReader() : json_(std::make_unique<Json>()) {}
JsonFieldsReader::~JsonFieldsReader() = default;

std::string JsonFieldsReader::Read(std::string_view text, AttributeList* fields, size_t readable_after) {
  simdjson::dom::parser& parser = json_->parser;
  if (parser.max_depth() != kJsonDepthMax || parser.capacity() < text.size()) {
    if (parser.allocate(std::max<size_t>(text.size(), 4096), kJsonDepthMax) != simdjson::SUCCESS) return "no memory";
  }
  simdjson::dom::element root;
  // simdjson copies what it may not read beyond.
  const bool copied = readable_after < simdjson::SIMDJSON_PADDING;
  if (const auto error = parser.parse(text.data(), text.size(), copied).get(root); error != simdjson::SUCCESS) {
    return std::string("not JSON: ") + simdjson::error_message(error);
  }
  simdjson::dom::object object;
  if (root.get(object) != simdjson::SUCCESS) return "not a JSON object";
  Collect(object, "", 0, fields);
  return "";
}

}  // namespace braid::ingest
