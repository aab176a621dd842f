#include "server/ingest/otlp_protobuf_value.h"

#include <string>
#include <utility>

#include "server/ingest/ingest_limits.h"
#include "server/ingest/json_text.h"

namespace braid::ingest {
namespace {

using protozero::pbf_reader;

void AppendAnyJson(pbf_reader any, int depth, std::string* out);

struct KeyAndValue {
  std::string_view key;
  pbf_reader value;
};

KeyAndValue ReadPair(pbf_reader pair) {
  KeyAndValue read;
  while (pair.next()) {
    switch (pair.tag_and_type()) {
      case Bytes(1): read.key = TakeBytes(&pair); break;
      case Bytes(2): read.value = pair.get_message(); break;
      default: pair.skip();
    }
  }
  return read;
}

// Calls `each` for the values of an ArrayValue or a KeyValueList.
template <typename Each>
void ForEachValue(pbf_reader list, const Each& each) {
  while (list.next()) {
    if (list.tag_and_type() == Bytes(1)) {
      each(list.get_message());
    } else {
      list.skip();
    }
  }
}

void AppendArrayJson(pbf_reader array, int depth, std::string* out) {
  char before = '[';
  ForEachValue(array, [&](pbf_reader value) {
    out->push_back(std::exchange(before, ','));
    AppendAnyJson(value, depth + 1, out);
  });
  if (before == '[') out->push_back('[');
  out->push_back(']');
}

void AppendMapJson(pbf_reader map, int depth, std::string* out) {
  char before = '{';
  ForEachValue(map, [&](pbf_reader pair) {
    const KeyAndValue read = ReadPair(pair);
    out->push_back(std::exchange(before, ','));
    AppendJsonString(read.key, out);
    out->push_back(':');
    AppendAnyJson(read.value, depth + 1, out);
  });
  if (before == '{') out->push_back('{');
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
  auto [key, value] = ReadPair(pair);
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
        ForEachValue(map, [&](pbf_reader pair) { AddPair(name, pair, depth + 1, list); });
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
