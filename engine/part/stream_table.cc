#include "engine/part/stream_table.h"

#include <algorithm>

#include "engine/base/coding.h"
#include "engine/base/fingerprint.h"
#include "engine/memory/hash_map.h"
#include "engine/part/columns.h"

namespace braid {
namespace {

bool Before(uint64_t a, uint64_t b) { return static_cast<int64_t>(a) < static_cast<int64_t>(b); }

void PutAttributes(std::string* out, const std::vector<Attribute>& attributes) {
  PutVarint(out, attributes.size());
  for (const Attribute& attribute : attributes) {
    PutBytes(out, attribute.name);
    PutByte(out, static_cast<uint8_t>(attribute.value.index()));
    switch (attribute.value.index()) {
      case 1: PutByte(out, std::get<bool>(attribute.value) ? 1 : 0); break;
      case 2: PutZigzag(out, std::get<int64_t>(attribute.value)); break;
      case 3: PutDouble(out, std::get<double>(attribute.value)); break;
      case 4: PutBytes(out, std::get<std::string>(attribute.value)); break;
      default: break;
    }
  }
}

bool ReadAttributes(Decoder* in, std::vector<Attribute>* attributes) {
  uint64_t count;
  if (!in->ReadVarintMax(in->remaining(), &count)) return false;
  for (uint64_t i = 0; i < count; ++i) {
    std::string_view name, text;
    uint8_t type, flag;
    int64_t integer;
    double number;
    if (!in->ReadBytes(&name) || !in->ReadByte(&type)) return false;
    Attribute attribute{std::string(name), {}};
    switch (type) {
      case 0: break;
      case 1:
        if (!in->ReadByte(&flag) || flag > 1) return in->Fail();
        attribute.value = flag == 1;
        break;
      case 2:
        if (!in->ReadZigzag(&integer)) return false;
        attribute.value = integer;
        break;
      case 3:
        if (!in->ReadDouble(&number)) return false;
        attribute.value = number;
        break;
      case 4:
        if (!in->ReadBytes(&text)) return false;
        attribute.value = std::string(text);
        break;
      default: return in->Fail();
    }
    attributes->push_back(std::move(attribute));
  }
  return true;
}

ValueView FindAttribute(const std::vector<Attribute>& attributes, std::string_view name) {
  for (const Attribute& attribute : attributes) {
    if (attribute.name == name) return View(attribute.value);
  }
  return {};
}

ValueView TextOrNull(const std::string& text) {
  if (text.empty()) return {};
  return std::string_view(text);
}

}  // namespace

StreamTable StreamTable::Make(std::vector<std::pair<uint64_t, Stream>> streams) {
  StreamTable table;
  std::stable_sort(streams.begin(), streams.end(),
                   [](const auto& a, const auto& b) { return Before(a.first, b.first); });
  for (auto& [fingerprint, stream] : streams) {
    if (!table.entries_.empty() && table.entries_.back().fingerprint == fingerprint) continue;
    std::string service = ServiceOf(stream), instance = InstanceOf(stream);
    table.entries_.push_back({fingerprint, std::move(stream), std::move(service), std::move(instance)});
  }
  return table;
}

std::string StreamTable::Serialize() const {
  std::string out;
  PutVarint(&out, entries_.size());
  for (const Entry& entry : entries_) {
    PutFixed64(&out, entry.fingerprint);
    PutAttributes(&out, entry.stream.resource);
    PutAttributes(&out, entry.stream.scope_attributes);
    PutBytes(&out, entry.stream.resource_schema_url);
    PutBytes(&out, entry.stream.scope_name);
    PutBytes(&out, entry.stream.scope_version);
    PutBytes(&out, entry.stream.scope_schema_url);
  }
  return out;
}

absl::StatusOr<StreamTable> StreamTable::Parse(std::string_view bytes) {
  Decoder in(bytes);
  uint64_t count = 0;
  std::vector<std::pair<uint64_t, Stream>> streams;
  bool ok = in.ReadVarintMax(bytes.size(), &count);
  for (uint64_t i = 0; ok && i < count; ++i) {
    uint64_t fingerprint;
    Stream stream;
    std::string_view resource_schema, name, version, scope_schema;
    ok = in.ReadFixed64(&fingerprint) && ReadAttributes(&in, &stream.resource) &&
         ReadAttributes(&in, &stream.scope_attributes) && in.ReadBytes(&resource_schema) && in.ReadBytes(&name) &&
         in.ReadBytes(&version) && in.ReadBytes(&scope_schema);
    if (!ok) break;
    // Ordinals are positions: the order on disk is the order in memory.
    ok = streams.empty() || Before(streams.back().first, fingerprint);
    stream.resource_schema_url = resource_schema;
    stream.scope_name = name;
    stream.scope_version = version;
    stream.scope_schema_url = scope_schema;
    streams.emplace_back(fingerprint, std::move(stream));
  }
  if (!ok || !in.done()) return absl::DataLossError("streams do not parse");
  return Make(std::move(streams));
}

bool StreamTable::Find(uint64_t fingerprint, uint32_t* ordinal) const {
  auto at = std::lower_bound(entries_.begin(), entries_.end(), fingerprint,
                             [](const Entry& entry, uint64_t value) { return Before(entry.fingerprint, value); });
  if (at == entries_.end() || at->fingerprint != fingerprint) return false;
  *ordinal = static_cast<uint32_t>(at - entries_.begin());
  return true;
}

bool StreamTable::IsDerived(std::string_view name) {
  return name == "service" || name == "instance" || name == "scope.name" || name == "scope.version";
}

ValueView StreamTable::ValueOf(uint32_t ordinal, ColumnLevel level, std::string_view name) const {
  const Entry& entry = entries_[ordinal];
  switch (level) {
    case ColumnLevel::kBuiltin:
      if (name == "service") return TextOrNull(entry.service);
      if (name == "instance") return TextOrNull(entry.instance);
      if (name == "scope.name") return TextOrNull(entry.stream.scope_name);
      if (name == "scope.version") return TextOrNull(entry.stream.scope_version);
      return {};
    case ColumnLevel::kResource: return FindAttribute(entry.stream.resource, name);
    case ColumnLevel::kScope: return FindAttribute(entry.stream.scope_attributes, name);
    default: return {};
  }
}

Column StreamColumn(const std::shared_ptr<const StreamTable>& owner, const std::vector<int64_t>& ordinals,
                    ColumnLevel level, std::string_view name) {
  // Values once per stream met, then rows by code.
  HashMap<int64_t, uint32_t> met;
  std::vector<ValueView> values;
  std::vector<uint32_t> codes(ordinals.size());
  int64_t last = -1;
  uint32_t last_code = 0;
  bool all_text = true, all_null = true, any_null = false;
  for (size_t row = 0; row < ordinals.size(); ++row) {
    if (ordinals[row] != last) {
      last = ordinals[row];
      auto [at, added] = met.try_emplace(last, static_cast<uint32_t>(values.size()));
      last_code = at->second;
      if (added) {
        values.push_back(owner->ValueOf(static_cast<uint32_t>(last), level, name));
        bool is_null = values.back().index() == 0;
        any_null |= is_null;
        all_null &= is_null;
        all_text &= is_null || std::holds_alternative<std::string_view>(values.back());
      }
    }
    codes[row] = last_code;
  }
  if (all_null) return NullColumn(ordinals.size());
  if (!all_text) {
    ColumnBuilder builder;
    for (uint32_t code : codes) builder.AppendValue(values[code]);
    return builder.Finish();
  }
  Column column;
  column.type = Type::kString;
  column.size = ordinals.size();
  auto dictionary = std::make_shared<StringDictionary>();
  dictionary->owner = owner;
  for (const ValueView& value : values) {
    dictionary->values.push_back(value.index() == 0 ? std::string_view() : std::get<std::string_view>(value));
  }
  if (any_null) {
    column.valid.resize(codes.size());
    for (size_t row = 0; row < codes.size(); ++row) column.valid[row] = values[codes[row]].index() == 0 ? 0 : 1;
  }
  column.codes = std::move(codes);
  column.dictionary = std::move(dictionary);
  return column;
}

}  // namespace braid
