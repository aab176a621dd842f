#include "server/ingest/jaeger_thrift.h"

#include <optional>
#include <string>

#include "engine/base/status_macros.h"
#include "server/ingest/json_text.h"
#include "server/ingest/otlp_records.h"
#include "server/ingest/span_assembly.h"
#include "server/ingest/thrift_reader.h"

namespace braid::ingest {
namespace {

using Field = ThriftReader::Field;
using StructPlace = ThriftReader::StructPlace;

constexpr uint32_t kSampledFlag = 1, kDebugFlag = 2;

struct Tag {
  std::string_view key;
  ValueView value;
};

struct Reference {
  bool child_of = true;
  TraceId trace_id;
  SpanId span_id;
};

uint64_t ReadId(ThriftReader* reader) { return static_cast<uint64_t>(reader->ReadInt(ThriftType::kI64)); }

// Calls `element` for each of a list of structs; lists of anything else are passed over.
template <typename Element>
void ReadStructs(ThriftReader* reader, Element&& element) {
  const ThriftReader::ListHead list = reader->ReadListHead();
  for (uint32_t i = 0; i < list.size && reader->ok(); ++i) {
    if (list.element == ThriftType::kStruct) {
      element();
    } else {
      reader->SkipValue(list.element);
    }
  }
}

// The value that the tag's type names; an optional one that is absent is the empty value of that type.
Tag ReadTag(ThriftReader* reader, TextArena* texts) {
  Tag tag;
  int64_t type = 0, whole = 0;
  double real = 0;
  bool truth = false;
  std::string_view text, binary;
  StructPlace place;
  for (Field field; reader->NextField(&place, &field);) {
    if (field.Is(1, ThriftType::kString)) {
      tag.key = reader->ReadString();
    } else if (field.Is(2, ThriftType::kI32)) {
      type = reader->ReadInt(field.type);
    } else if (field.Is(3, ThriftType::kString)) {
      text = reader->ReadString();
    } else if (field.Is(4, ThriftType::kDouble)) {
      real = reader->ReadDouble();
    } else if (field.Is(5, ThriftType::kBool)) {
      truth = reader->ReadBool(field);
    } else if (field.Is(6, ThriftType::kI64)) {
      whole = reader->ReadInt(field.type);
    } else if (field.Is(7, ThriftType::kString)) {
      binary = reader->ReadString();
    } else {
      reader->Skip(field);
    }
  }
  switch (type) {
    case 1: tag.value = real; break;
    case 2: tag.value = truth; break;
    case 3: tag.value = whole; break;
    case 4: {
      std::string base64;
      AppendBase64(binary, &base64);
      tag.value = texts->Keep(std::move(base64));
      break;
    }
    default: tag.value = text;
  }
  return tag;
}

void ReadTags(ThriftReader* reader, AttributeList* list) {
  ReadStructs(reader, [&] {
    const Tag tag = ReadTag(reader, &list->arena());
    list->Add(tag.key, tag.value);
  });
}

std::vector<Attribute> ReadProcess(ThriftReader reader) {
  std::string_view service;
  AttributeList tags;
  StructPlace place;
  for (Field field; reader.NextField(&place, &field);) {
    if (field.Is(1, ThriftType::kString)) {
      service = reader.ReadString();
    } else if (field.Is(2, ThriftType::kList)) {
      ReadTags(&reader, &tags);
    } else {
      reader.Skip(field);
    }
  }
  if (!service.empty()) tags.Add("service.name", service);
  if (tags.dropped() > 0) tags.Add("otel.dropped_attributes_count", int64_t{tags.dropped()});
  std::vector<Attribute> resource = tags.Owned();
  // Jaeger's clients have a name of their own for it.
  for (Attribute& attribute : resource) {
    if (attribute.name == "hostname" && !tags.Has("host.name")) attribute.name = "host.name";
  }
  return resource;
}

Reference ReadReference(ThriftReader* reader) {
  Reference reference;
  StructPlace place;
  for (Field field; reader->NextField(&place, &field);) {
    if (field.Is(1, ThriftType::kI32)) {
      reference.child_of = reader->ReadInt(field.type) == 0;
    } else if (field.Is(2, ThriftType::kI64)) {
      reference.trace_id.low = ReadId(reader);
    } else if (field.Is(3, ThriftType::kI64)) {
      reference.trace_id.high = ReadId(reader);
    } else if (field.Is(4, ThriftType::kI64)) {
      reference.span_id.value = ReadId(reader);
    } else {
      reader->Skip(field);
    }
  }
  return reference;
}

class BatchDecoder {
 public:
  BatchDecoder(WriteBatch* batch, IngestReport* report)
      : batch_(batch), report_(report), assembly_(ErrorTag::kTruth, batch, report) {}

  // `spans` stands at a list.
  absl::Status Decode(const ThriftReader* process, ThriftReader spans) {
    assembly_.BeginResource(process == nullptr ? std::vector<Attribute>() : ReadProcess(*process));
    size_t index = 0;
    absl::Status status;
    ReadStructs(&spans, [&] {
      if (status.ok()) {
        DecodeSpan(&spans, index++);
        status = CheckBatchSize(*batch_, report_);
      } else {
        spans.SkipValue(ThriftType::kStruct);
      }
    });
    return status;
  }

 private:
  void DecodeSpan(ThriftReader* reader, size_t index) {
    assembly_.BeginSpan();
    Span& span = assembly_.span;
    int64_t start = 0, duration = 0;
    uint32_t flags = 0;
    // References are understood when the ids and the parent are known.
    std::optional<ThriftReader> references;
    StructPlace place;
    for (Field field; reader->NextField(&place, &field);) {
      if (field.Is(1, ThriftType::kI64)) {
        span.trace_id.low = ReadId(reader);
      } else if (field.Is(2, ThriftType::kI64)) {
        span.trace_id.high = ReadId(reader);
      } else if (field.Is(3, ThriftType::kI64)) {
        span.span_id.value = ReadId(reader);
      } else if (field.Is(4, ThriftType::kI64)) {
        span.parent_id.value = ReadId(reader);
      } else if (field.Is(5, ThriftType::kString)) {
        span.name = assembly_.tags.arena().CleanText(reader->ReadString());
      } else if (field.Is(6, ThriftType::kList)) {
        references = *reader;
        reader->Skip(field);
      } else if (field.Is(7, ThriftType::kI32)) {
        flags = static_cast<uint32_t>(reader->ReadInt(field.type));
      } else if (field.Is(8, ThriftType::kI64)) {
        start = reader->ReadInt(field.type);
      } else if (field.Is(9, ThriftType::kI64)) {
        duration = reader->ReadInt(field.type);
      } else if (field.Is(10, ThriftType::kList)) {
        ReadTags(reader, &assembly_.tags);
      } else if (field.Is(11, ThriftType::kList)) {
        ReadStructs(reader, [&] { DecodeLog(reader); });
      } else {
        reader->Skip(field);
      }
    }
    // Jaeger's first bit is W3C's; the second asks for the trace to be kept whatever the sampling.
    span.flags = flags & kSampledFlag;
    if ((flags & kDebugFlag) != 0) assembly_.tags.Add("jaeger.debug", true);
    int64_t end;
    if (__builtin_add_overflow(start, duration, &end)) end = -1;
    span.start = TimeOfMicros(start);
    span.end = TimeOfMicros(end);
    if (references.has_value()) DecodeReferences(&*references);
    assembly_.Finish(index);
  }

  void DecodeReferences(ThriftReader* reader) {
    Span& span = assembly_.span;
    ReadStructs(reader, [&] {
      const Reference reference = ReadReference(reader);
      if (reference.child_of && reference.trace_id == span.trace_id) {
        if (span.parent_id.IsZero()) span.parent_id = reference.span_id;
        if (span.parent_id == reference.span_id) return;
      }
      AttributeList* attributes = assembly_.AddLink(reference.trace_id, reference.span_id);
      // Exporters write links as "follows from"; the other kind is worth a word.
      if (attributes != nullptr && reference.child_of)
        attributes->Add("opentracing.ref_type", std::string_view("child_of"));
    });
  }

  void DecodeLog(ThriftReader* reader) {
    AttributeList* fields = assembly_.AddEvent();
    Timestamp time = 0;
    StructPlace place;
    for (Field field; reader->NextField(&place, &field);) {
      if (field.Is(1, ThriftType::kI64)) {
        time = TimeOfMicros(reader->ReadInt(field.type));
      } else if (field.Is(2, ThriftType::kList) && fields != nullptr) {
        ReadTags(reader, fields);
      } else {
        reader->Skip(field);
      }
    }
    if (fields == nullptr) return;
    // Go and Node name the event in `event`, Python in `message`.
    std::string_view name = "log";
    for (std::string_view key : {std::string_view("event"), std::string_view("message")}) {
      if (fields->Text(key).empty()) continue;
      name = fields->Text(key);
      fields->Remove(key);
      break;
    }
    assembly_.FinishEvent(time < 0 ? 0 : time, name);
  }

  WriteBatch* batch_;
  IngestReport* report_;
  SpanAssembly assembly_;
};

absl::Status NotThrift(const char* why) {
  return absl::InvalidArgumentError(std::string("the bytes are no Jaeger batch in Thrift: ") + why);
}

}  // namespace

absl::Status DecodeJaegerThrift(std::string_view bytes, WriteBatch* batch, IngestReport* report) {
  if (bytes.size() < 2) return NotThrift("there are less than two bytes");
  const uint8_t first = static_cast<uint8_t>(bytes[0]), second = static_cast<uint8_t>(bytes[1]);
  const bool message = first == 0x82 || (first == 0x80 && second == 0x01);
  // A bare batch begins with the head of a field. In the binary protocol that is a type, 15 at most; in the compact one
  // the high half of the byte is the step to the field's id, 1 at least.
  const bool compact = first == 0x82 || (!message && first >= 0x10);
  ThriftReader reader(compact ? ThriftProtocol::kCompact : ThriftProtocol::kBinary, bytes);

  std::optional<ThriftReader> body;
  StructPlace place;
  if (message) {
    const ThriftReader::MessageHead head = reader.ReadMessageHead();
    if (!reader.ok()) return NotThrift(reader.problem());
    if (head.name != "emitBatch") {
      std::string name;
      AppendJsonString(head.name.substr(0, 40), &name);
      return absl::InvalidArgumentError("the Thrift message is " + name + ", not \"emitBatch\"");
    }
    for (Field field; reader.NextField(&place, &field);) {
      if (field.Is(1, ThriftType::kStruct)) body = reader;
      reader.Skip(field);
    }
  } else {
    body = reader;
    reader.SkipValue(ThriftType::kStruct);
  }
  // From here on every byte has been read once: what follows meets no surprise, and a damaged body adds nothing.
  if (!reader.ok()) return NotThrift(reader.problem());
  if (!body.has_value()) return NotThrift("the message has no batch");

  std::optional<ThriftReader> process, spans;
  place = StructPlace();
  for (Field field; body->NextField(&place, &field);) {
    if (field.Is(1, ThriftType::kStruct)) process = *body;
    if (field.Is(2, ThriftType::kList)) spans = *body;
    body->Skip(field);
  }
  if (!spans.has_value()) return NotThrift("the batch has no list of spans");
  return BatchDecoder(batch, report).Decode(process.has_value() ? &*process : nullptr, *spans);
}

}  // namespace braid::ingest
