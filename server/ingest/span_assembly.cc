#include "server/ingest/span_assembly.h"

#include <algorithm>

#include "server/ingest/ingest_limits.h"

namespace braid::ingest {
namespace {

// Attributes that OpenTelemetry defines for resources and not for spans.
constexpr std::string_view kResourcePrefixes[] = {"service.", "telemetry.", "host.", "k8s.",       "container.",
                                                  "cloud.",   "process.",   "os.",   "webengine.", "deployment."};

bool IsResourceTag(std::string_view name) {
  // The one name under these prefixes that belongs to spans: who was called.
  if (name.starts_with("service.peer.")) return false;
  return std::any_of(std::begin(kResourcePrefixes), std::end(kResourcePrefixes),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool IsTrue(const ValueView& value) {
  if (const bool* truth = std::get_if<bool>(&value)) return *truth;
  const std::string_view* text = std::get_if<std::string_view>(&value);
  return text != nullptr && (*text == "true" || *text == "True");
}

// Counts come as numbers from Jaeger and as text from Zipkin.
bool ReadCount(const ValueView& value, uint32_t* count) {
  int64_t number = -1;
  if (const int64_t* whole = std::get_if<int64_t>(&value)) {
    number = *whole;
  } else if (const std::string_view* text = std::get_if<std::string_view>(&value); text != nullptr) {
    if (text->empty() || text->size() > 10) return false;
    number = 0;
    for (char c : *text) {
      if (c < '0' || c > '9') return false;
      number = number * 10 + (c - '0');
    }
  }
  if (number < 0 || number > UINT32_MAX) return false;
  *count = static_cast<uint32_t>(number);
  return true;
}

}  // namespace

Timestamp TimeOfMicros(int64_t micros) {
  Timestamp time;
  return micros < 0 || __builtin_mul_overflow(micros, int64_t{1000}, &time) ? -1 : time;
}

void SpanAssembly::BeginResource(std::vector<Attribute> resource) {
  resource_ = std::move(resource);
  streams_.clear();
}

void SpanAssembly::BeginSpan() {
  span = Span();
  tags.Clear();
  events_.clear();
  links_.clear();
  event_attributes_.clear();
  link_attributes_.clear();
}

AttributeList* SpanAssembly::AddEvent() {
  if (events_.size() >= kSpanEventsMax) {
    ++span.dropped_events;
    return nullptr;
  }
  events_.emplace_back();
  return &event_attributes_.emplace_back();
}

AttributeList* SpanAssembly::AddLink(TraceId trace_id, SpanId span_id) {
  if (links_.size() >= kSpanLinksMax) {
    ++span.dropped_links;
    return nullptr;
  }
  SpanLink& link = links_.emplace_back();
  link.trace_id = trace_id;
  link.span_id = span_id;
  return &link_attributes_.emplace_back();
}

void SpanAssembly::Finish(size_t place) {
  const char* problem = nullptr;
  if (span.trace_id.IsZero()) {
    problem = "the trace id is missing, zero or not hex";
  } else if (span.span_id.IsZero()) {
    problem = "the span id is missing, zero or not hex";
  } else if (span.start < 0 || span.end < 0) {
    problem = "a time is before 1970 or after 2262";
  }
  if (problem != nullptr) {
    report_->Reject(1, "spans[" + std::to_string(place) + "]", problem);
    return;
  }
  scope_name_ = scope_version_ = {};
  tags.RemoveIf([&](const AttributeView& tag) { return TakeKnownTag(tag); });
  // A status that the program has set wins over what a library found.
  if (span.status != StatusCode::kOk) {
    tags.RemoveIf([&](const AttributeView& tag) { return tag.name == "error" && TakeErrorTag(tag.value); });
  }
  const WriteBatch::StreamRef stream = StreamOfTags();
  for (size_t i = 0; i < events_.size(); ++i) {
    events_[i].attributes = event_attributes_[i].views();
    events_[i].dropped_attributes += event_attributes_[i].dropped();
  }
  for (size_t i = 0; i < links_.size(); ++i) {
    links_[i].attributes = link_attributes_[i].views();
    links_[i].dropped_attributes += link_attributes_[i].dropped();
  }
  span.attributes = tags.views();
  span.dropped_attributes += tags.dropped();
  span.events = events_;
  span.links = links_;
  batch_->AddSpan(stream, span);
  ++report_->accepted;
}

// True if the tag has been understood and is no attribute any more.
bool SpanAssembly::TakeKnownTag(const AttributeView& tag) {
  if (tag.name == "otel.dropped_attributes_count") return ReadCount(tag.value, &span.dropped_attributes);
  if (tag.name == "otel.dropped_events_count") return ReadCount(tag.value, &span.dropped_events);
  if (tag.name == "otel.dropped_links_count") return ReadCount(tag.value, &span.dropped_links);
  uint32_t number = 0;
  if (tag.name == "otel.status_code" && ReadCount(tag.value, &number) && number <= 2) {
    span.status = static_cast<StatusCode>(number);
    return true;
  }
  const std::string_view* text = std::get_if<std::string_view>(&tag.value);
  if (text == nullptr) return false;
  if (tag.name == "span.kind") return ParseSpanKind(*text, &span.kind);
  if (tag.name == "otel.status_code") return ParseStatusCode(*text, &span.status);
  if (tag.name == "otel.status_description") {
    span.status_message = *text;
    return true;
  }
  if (tag.name == "w3c.tracestate") {
    span.trace_state = *text;
    return true;
  }
  if (tag.name == "otel.scope.name" || tag.name == "otel.library.name") {
    if (scope_name_.empty()) scope_name_ = *text;
    return scope_name_ == *text;
  }
  if (tag.name == "otel.scope.version" || tag.name == "otel.library.version") {
    if (scope_version_.empty()) scope_version_ = *text;
    return scope_version_ == *text || text->empty();
  }
  return false;
}

bool SpanAssembly::TakeErrorTag(const ValueView& value) {
  if (error_tag_ == ErrorTag::kTruth) {
    if (!IsTrue(value)) return false;
    span.status = StatusCode::kError;
    return true;
  }
  span.status = StatusCode::kError;
  const std::string_view* text = std::get_if<std::string_view>(&value);
  if (text == nullptr || IsTrue(value)) return true;
  if (span.status_message.empty()) span.status_message = *text;
  return span.status_message == *text;
}

// `known`: the resource says the same already. A tag that contradicts the resource stays a tag.
bool SpanAssembly::IsOfResource(const AttributeView& tag, bool* known) const {
  *known = false;
  if (!IsResourceTag(tag.name)) return false;
  for (const Attribute& attribute : resource_) {
    if (attribute.name != tag.name) continue;
    *known = attribute.value == Own(tag.value);
    return *known;
  }
  return true;
}

WriteBatch::StreamRef SpanAssembly::StreamOfTags() {
  std::vector<AttributeView> lifted;
  const auto collect = [&](bool service_only) {
    lifted.clear();
    for (const AttributeView& tag : tags.views()) {
      bool known;
      if (IsOfResource(tag, &known) && !known && (!service_only || tag.name == "service.name")) lifted.push_back(tag);
    }
    std::sort(lifted.begin(), lifted.end(),
              [](const AttributeView& a, const AttributeView& b) { return a.name < b.name; });
    std::string key;
    key.append(scope_name_).push_back('\0');
    key.append(scope_version_).push_back('\0');
    for (const AttributeView& tag : lifted) {
      key.append(tag.name).push_back('\0');
      key.push_back(static_cast<char>(tag.value.index()));
      key.append(ToText(tag.value)).push_back('\0');
    }
    return key;
  };
  bool service_only = false;
  std::string key = collect(service_only);
  auto found = streams_.find(key);
  if (found == streams_.end() && stream_count_ >= kJsonStreamsMax) {
    service_only = true;
    key = collect(service_only);
    found = streams_.find(key);
  }
  if (found == streams_.end()) {
    Stream stream;
    stream.resource = resource_;
    for (const AttributeView& tag : lifted) stream.resource.push_back({std::string(tag.name), Own(tag.value)});
    stream.scope_name = scope_name_;
    stream.scope_version = scope_version_;
    found = streams_.emplace(std::move(key), batch_->AddStream(stream)).first;
    ++stream_count_;
  }
  tags.RemoveIf([&](const AttributeView& tag) {
    bool known;
    return IsOfResource(tag, &known) && (known || !service_only || tag.name == "service.name");
  });
  return found->second;
}

}  // namespace braid::ingest
