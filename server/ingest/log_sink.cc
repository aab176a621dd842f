#include "server/ingest/log_sink.h"

#include "server/ingest/ingest_limits.h"

namespace braid::ingest {

void AppendResourceKey(std::span<const AttributeView> resource, std::string* key) {
  for (const AttributeView& field : resource) {
    key->append(field.name).push_back('\0');
    key->push_back(static_cast<char>(field.value.index()));
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      key->append(*text).push_back('\0');
    } else {
      key->append(ToText(field.value)).push_back('\0');
    }
  }
}

std::string ResourceKey(std::span<const AttributeView> resource) {
  std::string key;
  AppendResourceKey(resource, &key);
  return key;
}

bool BatchLogSink::TakesResource(std::span<const AttributeView> resource) {
  return streams_.size() < kJsonStreamsMax || streams_.contains(ResourceKey(resource));
}

void BatchLogSink::Add(std::span<const AttributeView> resource, const LogRecord& record) {
  key_.clear();
  AppendResourceKey(resource, &key_);
  auto found = streams_.find(key_);
  if (found == streams_.end()) {
    Stream stream;
    for (const AttributeView& field : resource) stream.resource.push_back({std::string(field.name), Own(field.value)});
    found = streams_.emplace(key_, batch_->AddStream(stream)).first;
  }
  batch_->AddLog(found->second, record);
}

}  // namespace braid::ingest
