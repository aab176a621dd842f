// canonical stream := attributes(resource) bytes(schema url) bytes(scope name) bytes(scope version)
//                     attributes(scope) bytes(scope schema url)
// attributes       := varint(count) { bytes(name) byte(kind of value) value }, sorted by name
// value            := nothing | byte | fixed64 | fixed64 (double's bits) | bytes
// canonical labels := { bytes(name) bytes(value) }, sorted by name
#include "engine/base/fingerprint.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "engine/base/checksum.h"
#include "engine/base/coding.h"

namespace braid {
namespace {

constexpr std::array<std::string_view, 5> kServiceNames = {"service.name", "service", "service_name", "app", "job"};
constexpr std::array<std::string_view, 6> kInstanceNames = {"service.instance.id", "instance", "k8s.pod.name", "pod",
                                                            "host.name",           "host"};

void PutValue(std::string* out, const Value& value) {
  PutByte(out, static_cast<uint8_t>(value.index()));
  if (const bool* truth = std::get_if<bool>(&value)) {
    PutByte(out, *truth ? 1 : 0);
  } else if (const int64_t* integer = std::get_if<int64_t>(&value)) {
    PutFixed64(out, static_cast<uint64_t>(*integer));
  } else if (const double* number = std::get_if<double>(&value)) {
    PutDouble(out, *number);
  } else if (const std::string* text = std::get_if<std::string>(&value)) {
    PutBytes(out, *text);
  }
}

template <typename Entry>
std::vector<const Entry*> SortByName(const std::vector<Entry>& entries) {
  std::vector<const Entry*> sorted;
  sorted.reserve(entries.size());
  for (const Entry& entry : entries) sorted.push_back(&entry);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Entry* a, const Entry* b) { return a->name < b->name; });
  return sorted;
}

void PutAttributes(std::string* out, const std::vector<Attribute>& attributes) {
  PutVarint(out, attributes.size());
  for (const Attribute* attribute : SortByName(attributes)) {
    PutBytes(out, attribute->name);
    PutValue(out, attribute->value);
  }
}

uint64_t HashNonZero(std::string_view bytes) {
  const uint64_t hash = Hash64(bytes);
  return hash != 0 ? hash : 1;
}

template <size_t n>
std::string FirstOf(const std::array<std::string_view, n>& names, const Stream& stream) {
  for (std::string_view name : names) {
    for (const Attribute& attribute : stream.resource) {
      if (attribute.name != name) continue;
      std::string text = ToText(View(attribute.value));
      if (!text.empty()) return text;
    }
  }
  return {};
}

template <size_t n>
std::string FirstOf(const std::array<std::string_view, n>& names, const Labels& labels) {
  for (std::string_view name : names) {
    std::string_view value = FindLabel(labels, name);
    if (!value.empty()) return std::string(value);
  }
  return {};
}

}  // namespace

uint64_t Fingerprint(const Stream& stream) {
  std::string canonical;
  PutAttributes(&canonical, stream.resource);
  PutBytes(&canonical, stream.resource_schema_url);
  PutBytes(&canonical, stream.scope_name);
  PutBytes(&canonical, stream.scope_version);
  PutAttributes(&canonical, stream.scope_attributes);
  PutBytes(&canonical, stream.scope_schema_url);
  return HashNonZero(canonical);
}

uint64_t Fingerprint(const Labels& labels) {
  std::string canonical;
  for (const Label* label : SortByName(labels)) {
    PutBytes(&canonical, label->name);
    PutBytes(&canonical, label->value);
  }
  return HashNonZero(canonical);
}

std::string ServiceOf(const Stream& stream) { return FirstOf(kServiceNames, stream); }
std::string InstanceOf(const Stream& stream) { return FirstOf(kInstanceNames, stream); }
std::string ServiceOf(const Labels& labels) { return FirstOf(kServiceNames, labels); }
std::string InstanceOf(const Labels& labels) { return FirstOf(kInstanceNames, labels); }

}  // namespace braid
