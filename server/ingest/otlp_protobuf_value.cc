#include "server/ingest/otlp_protobuf_value.h"

#include <string>

#include "server/ingest/ingest_limits.h"
#include "server/ingest/json_text.h"

namespace braid::ingest {
namespace {

using protozero::pbf_reader;

void AppendAnyJson(pbf_reader any, int depth, std::string* out);

void AppendArrayJson(pbf_reader array, int depth, std::string* out) {
  out->push_back('[');
  for (bool first = true; array.next();) {
    if (array.tag_and_type() != Bytes(1)) {
      array.skip();
      continue;
    }
    if (!first) out->push_back(',');
    first = false;
    AppendAnyJson(array.get_message(), depth + 1, out);
  }
  out->push_back(']');
}

void AppendMapJson(pbf_reader map, int depth, std::string* out) {
  out->push_back('{');
  for (bool first = true; map.next();) {
    if (map.tag_and_type() != Bytes(1)) {
      map.skip();
      continue;
    }
    if (!first) out->push_back(',');
    first = false;
    pbf_reader pair = map.get_message();
    std::string_view key;
    pbf_reader value;
    while (pair.next()) {
      switch (pair.tag_and_type()) {
        case Bytes(1): key = TakeBytes(&pair); break;
        case Bytes(2): value = pair.get_message(); break;
        default: pair.skip();
      }
    }
    AppendJsonString(key, out);
    out->push_back(':');
    AppendAnyJson(value, depth + 1, out);
  }
  out->push_back('}');
}

void AppendAnyJson(pbf_reader any, int depth, std::string* out) {
  const size_t before = out->size();
  if (depth <= kAnyValueDepthMax) {
    while (any.next()) {
      const size_t size = out->size();
      switch (any.tag_and_type()) {
        case Bytes(1): AppendJsonString(TakeBytes(&any), out); break;
        case Varint(2): out->append(any.get_bool() ? "true" : "false"); break;
        case Varint(3): out->append(std::to_string(any.get_int64())); break;
        case Fixed64(4): AppendJsonNumber(any.get_double(), out); break;
        case Bytes(5): AppendArrayJson(any.get_message(), depth, out); break;
        case Bytes(6): AppendMapJson(any.get_message(), depth, out); break;
        case Bytes(7):
          out->push_back('"');
          AppendBase64(TakeBytes(&any), out);
          out->push_back('"');
          break;
        default: any.skip(); continue;
      }
      // Of several values of a oneof the last counts.
      if (size > before) out->erase(before, size - before);
    }
  }
  if (out->size() == before) out->append("null");
}

void AddAny(std::string_view name, pbf_reader any, int depth, AttributeList* list);

void AddPair(std::string_view prefix, pbf_reader pair, int depth, AttributeList* list) {
  std::string_view key;
  pbf_reader value;
  while (pair.next()) {
    switch (pair.tag_and_type()) {
      case Bytes(1): key = TakeBytes(&pair); break;
      case Bytes(2): value = pair.get_message(); break;
      default: pair.skip();
    }
  }
  if (!prefix.empty()) key = list->arena().Keep(std::string(prefix) + "." + std::string(key));
  AddAny(key, value, depth, list);
}

// Maps become dotted names, arrays their JSON text, bytes base64.
void AddAny(std::string_view name, pbf_reader any, int depth, AttributeList* list) {
  ValueView value;
  while (any.next()) {
    switch (any.tag_and_type()) {
      case Bytes(1): value = TakeBytes(&any); break;
      case Varint(2): value = any.get_bool(); break;
      case Varint(3): value = any.get_int64(); break;
      case Fixed64(4): value = any.get_double(); break;
      case Bytes(5): {
        std::string text;
        AppendArrayJson(any.get_message(), depth, &text);
        value = list->arena().Keep(std::move(text));
        break;
      }
      case Bytes(6): {
        pbf_reader map = any.get_message();
        if (map.length() == 0 || depth >= kAnyValueDepthMax || name.size() > kAttributeNameBytesMax) {
          std::string text;
          AppendMapJson(map, depth, &text);
          value = list->arena().Keep(std::move(text));
          break;
        }
        while (map.next()) {
          if (map.tag_and_type() == Bytes(1)) {
            AddPair(name, map.get_message(), depth + 1, list);
          } else {
            map.skip();
          }
        }
        return;
      }
      case Bytes(7): {
        std::string text;
        AppendBase64(TakeBytes(&any), &text);
        value = list->arena().Keep(std::move(text));
        break;
      }
      default: any.skip();
    }
  }
  list->Add(name, value);
}

// KeyValue {1: key, 2: AnyValue {1: text}} with lengths below 128, in this order, as nearly all attributes come.
bool ReadPlainPair(std::string_view pair, std::string_view* key, std::string_view* text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(pair[i]); };
  if (pair.size() < 6 || byte(0) != 0x0a || byte(1) >= 0x80) return false;
  const size_t value = 2 + size_t{byte(1)};
  if (value + 4 > pair.size() || byte(value) != 0x12 || byte(value + 2) != 0x0a || byte(value + 3) >= 0x80)
    return false;
  const size_t size = byte(value + 3);
  if (byte(value + 1) != size + 2 || value + 4 + size != pair.size()) return false;
  *key = pair.substr(2, byte(1));
  *text = pair.substr(value + 4, size);
  return true;
}

}  // namespace

void AddAttribute(const pbf_reader& pair, AttributeList* list) {
  std::string_view key, text;
  const protozero::data_view bytes = pair.data();
  if (ReadPlainPair({bytes.data(), bytes.size()}, &key, &text)) return list->Add(key, text);
  AddPair("", pair, 0, list);
}

std::string_view BodyText(pbf_reader any, TextArena* arena) {
  pbf_reader look = any;
  std::string_view text;
  bool is_text = false;
  while (look.next()) {
    is_text = look.tag_and_type() == Bytes(1);
    if (is_text) {
      text = TakeBytes(&look);
    } else {
      look.skip();
    }
  }
  if (is_text) return arena->CleanText(text);
  if (any.length() == 0) return {};
  std::string json;
  AppendAnyJson(any, 0, &json);
  return arena->Keep(std::move(json));
}

}  // namespace braid::ingest
