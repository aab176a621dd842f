#include "server/ingest/loki_push.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <protozero/pbf_reader.hpp>

#include "engine/base/status_macros.h"
#include "server/ingest/attribute_list.h"
#include "server/ingest/json_document.h"
#include "server/ingest/otlp_json_value.h"
#include "server/ingest/otlp_records.h"
#include "server/ingest/time_text.h"

namespace braid::ingest {
namespace {

using protozero::pbf_reader;

constexpr uint32_t Varint(uint32_t field) { return protozero::tag_and_type(field, protozero::pbf_wire_type::varint); }
constexpr uint32_t Bytes(uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::length_delimited);
}

std::string_view TakeBytes(pbf_reader* reader) {
  const protozero::data_view view = reader->get_view();
  return {view.data(), view.size()};
}

constexpr std::string_view kLevelNames[] = {"level", "detected_level", "severity", "severity_text", "lvl"};
constexpr std::string_view kTraceNames[] = {"trace_id", "traceID", "traceId", "traceid"};
constexpr std::string_view kSpanNames[] = {"span_id", "spanID", "spanId", "spanid"};

template <size_t N>
bool Contains(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// The most telling of the level names that is there.
std::string_view LevelText(const AttributeList& list) {
  for (std::string_view name : kLevelNames) {
    if (const std::string_view text = list.Text(name); !text.empty()) return text;
  }
  return {};
}

bool ParseWhole(std::string_view text, int64_t* number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), *number);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() && !text.empty();
}

// One stream after another, and the entries of each.
class Streams {
 public:
  Streams(Timestamp now, WriteBatch* batch, IngestReport* report) : now_(now), batch_(batch), report_(report) {}

  void BeginStream() {
    ++stream_;
    entry_ = 0;
    labels_.Clear();
    ref_.reset();
    level_ = {};
    problem_.clear();
  }
  void AddLabel(std::string_view name, std::string_view value) {
    if (!value.empty()) labels_.Add(name, value);
  }
  // Texts are copied: the string is the parser's own.
  void AddLabelString(std::string_view text) {
    std::vector<std::pair<std::string, std::string>> pairs;
    if (!ParseLokiLabels(text, &pairs)) {
      problem_ = "the labels are not of the form {name=\"value\", ...}";
      return;
    }
    for (auto& [name, value] : pairs) {
      if (value.empty()) continue;
      const std::string_view kept = labels_.arena().Keep(std::move(name));
      labels_.Add(kept, labels_.arena().Keep(std::move(value)));
    }
  }
  // The entries of the stream cannot be kept.
  void Refuse(std::string problem) { problem_ = std::move(problem); }

  void AddEntry(Timestamp time, bool has_time, std::string_view line, AttributeList* metadata) {
    const size_t index = entry_++;
    std::string problem = problem_;
    if (problem.empty() && !has_time) problem = "the entry has no readable time";
    if (!problem.empty()) {
      report_->Reject(1, "streams[" + std::to_string(stream_ - 1) + "].values[" + std::to_string(index) + "]",
                      std::move(problem));
      return;
    }
    if (!ref_.has_value()) NameStream();
    LogRecord log;
    log.time = time;
    log.observed_time = now_;
    log.message = metadata->arena().CleanText(line);
    log.severity_text = level_;
    const std::string_view level = LevelText(*metadata);
    if (!level.empty()) log.severity_text = level;
    metadata->RemoveIf([&](const AttributeView& field) { return TakeField(field, &log); });
    Level known;
    if (log.severity_number == 0 && !log.severity_text.empty() && ParseLevel(log.severity_text, &known)) {
      log.severity_number = SeverityOfLevel(known);
    }
    log.attributes = metadata->views();
    log.dropped_attributes = metadata->dropped();
    batch_->AddLog(*ref_, log);
    ++report_->accepted;
  }

  absl::Status CheckSize() const { return CheckBatchSize(*batch_, report_); }

 private:
  // Levels are no identity: the records of one program are one stream, whatever their level.
  void NameStream() {
    level_ = LevelText(labels_);
    labels_.RemoveIf([&](const AttributeView& label) {
      return Contains(kLevelNames, label.name) && std::get<std::string_view>(label.value) == level_;
    });
    Stream stream;
    stream.resource = labels_.Owned();
    if (labels_.dropped() > 0) {
      stream.resource.push_back({"otel.dropped_attributes_count", int64_t{labels_.dropped()}});
    }
    ref_ = batch_->AddStream(stream);
  }

  static bool TakeField(const AttributeView& field, LogRecord* log) {
    const std::string_view* text = std::get_if<std::string_view>(&field.value);
    if (text == nullptr) return false;
    if (Contains(kTraceNames, field.name)) return log->trace_id.IsZero() && ParseTraceId(*text, &log->trace_id);
    if (Contains(kSpanNames, field.name)) return log->span_id.IsZero() && ParseSpanId(*text, &log->span_id);
    if (Contains(kLevelNames, field.name)) return *text == log->severity_text;
    int64_t number = 0;
    if (field.name == "severity_number" && ParseWhole(*text, &number) && number >= 1 && number <= 24) {
      log->severity_number = static_cast<int>(number);
      return true;
    }
    // Written by what turns OpenTelemetry's records into Loki's.
    if (field.name == "observed_timestamp" && ParseWhole(*text, &number) && number > 0) {
      log->observed_time = number;
      return true;
    }
    return false;
  }

  Timestamp now_;
  WriteBatch* batch_;
  IngestReport* report_;
  size_t stream_ = 0, entry_ = 0;
  AttributeList labels_;
  std::optional<WriteBatch::StreamRef> ref_;
  std::string_view level_;
  std::string problem_;
};

class JsonDecoder {
 public:
  JsonDecoder(Timestamp now, WriteBatch* batch, IngestReport* report) : streams_(now, batch, report) {}

  absl::Status Decode(JsonElement root) {
    JsonObject request;
    JsonArray streams;
    if (root.get(request) != simdjson::SUCCESS || request["streams"].get(streams) != simdjson::SUCCESS) {
      return absl::InvalidArgumentError("expected {\"streams\":[...]}");
    }
    for (JsonElement element : streams) {
      JsonObject stream;
      if (element.get(stream) != simdjson::SUCCESS) return absl::InvalidArgumentError("a stream is not an object");
      RETURN_IF_ERROR(DecodeStream(stream));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status DecodeStream(const JsonObject& object) {
    streams_.BeginStream();
    JsonObject labels;
    std::string_view label_string;
    JsonArray entries;
    if (object["stream"].get(labels) == simdjson::SUCCESS) {
      for (const auto& [name, value] : labels) {
        std::string_view text;
        if (value.get(text) == simdjson::SUCCESS) {
          streams_.AddLabel(name, text);
        } else {
          streams_.Refuse("the value of a label is not a string");
        }
      }
    } else if (object["labels"].get(label_string) == simdjson::SUCCESS) {
      streams_.AddLabelString(label_string);
    } else {
      streams_.Refuse("the stream has no labels");
    }
    const bool pairs = object["values"].get(entries) == simdjson::SUCCESS;
    if (!pairs && object["entries"].get(entries) != simdjson::SUCCESS) {
      return absl::InvalidArgumentError("a stream has neither \"values\" nor \"entries\"");
    }
    for (JsonElement entry : entries) {
      RETURN_IF_ERROR(pairs ? DecodePair(entry) : DecodeEntry(entry));
      RETURN_IF_ERROR(streams_.CheckSize());
    }
    return absl::OkStatus();
  }

  // ["<nanoseconds>", "line", {metadata}]
  absl::Status DecodePair(JsonElement element) {
    JsonArray parts;
    if (element.get(parts) != simdjson::SUCCESS) return absl::InvalidArgumentError("a value is not an array");
    metadata_.Clear();
    Timestamp time = 0;
    bool has_time = false;
    std::string_view line;
    size_t count = 0;
    for (JsonElement part : parts) {
      std::string_view text;
      const bool is_text = part.get(text) == simdjson::SUCCESS;
      switch (count++) {
        case 0: has_time = is_text ? ParseWhole(text, &time) : part.get(time) == simdjson::SUCCESS; break;
        case 1:
          if (!is_text) return absl::InvalidArgumentError("a line is not a string");
          line = text;
          break;
        case 2: RETURN_IF_ERROR(DecodeMetadata(part)); break;
        default: return absl::InvalidArgumentError("a value has more than three parts");
      }
    }
    if (count < 2) return absl::InvalidArgumentError("a value has less than two parts: time and line");
    streams_.AddEntry(time, has_time, line, &metadata_);
    return absl::OkStatus();
  }

  // {"ts":"2023-01-30T11:58:52.797Z","line":"...","structuredMetadata":{...}}
  absl::Status DecodeEntry(JsonElement element) {
    JsonObject entry;
    if (element.get(entry) != simdjson::SUCCESS) return absl::InvalidArgumentError("an entry is not an object");
    metadata_.Clear();
    Timestamp time = 0;
    bool has_time = false;
    std::string_view line;
    for (const auto& [key, value] : entry) {
      std::string_view text;
      const bool is_text = value.get(text) == simdjson::SUCCESS;
      if (key == "ts") {
        has_time = is_text && (ParseTimeText(text, &time) || ParseWhole(text, &time));
      } else if (key == "line") {
        if (!is_text) return absl::InvalidArgumentError("a line is not a string");
        line = text;
      } else if (key == "structuredMetadata") {
        RETURN_IF_ERROR(DecodeMetadata(value));
      }
    }
    streams_.AddEntry(time, has_time, line, &metadata_);
    return absl::OkStatus();
  }

  absl::Status DecodeMetadata(JsonElement element) {
    JsonObject object;
    if (element.is_null()) return absl::OkStatus();
    if (element.get(object) != simdjson::SUCCESS)
      return absl::InvalidArgumentError("structured metadata is not an object");
    for (const auto& [name, value] : object) {
      std::string_view text;
      if (value.get(text) == simdjson::SUCCESS) {
        metadata_.Add(name, text);
      } else if (!value.is_null()) {
        // Loki takes strings only; what else is sent is kept as its JSON text.
        metadata_.Add(name, metadata_.arena().Keep(simdjson::minify(value)));
      }
    }
    return absl::OkStatus();
  }

  Streams streams_;
  AttributeList metadata_;
};

class ProtobufDecoder {
 public:
  ProtobufDecoder(Timestamp now, WriteBatch* batch, IngestReport* report) : streams_(now, batch, report) {}

  absl::Status Decode(pbf_reader request) {
    while (request.next()) {
      if (request.tag_and_type() != Bytes(1)) {
        request.skip();
        continue;
      }
      const pbf_reader stream = request.get_message();
      streams_.BeginStream();
      bool labelled = false;
      for (pbf_reader fields = stream; fields.next();) {
        if (fields.tag_and_type() == Bytes(1)) {
          streams_.AddLabelString(TakeBytes(&fields));
          labelled = true;
        } else {
          fields.skip();
        }
      }
      if (!labelled) streams_.Refuse("the stream has no labels");
      for (pbf_reader fields = stream; fields.next();) {
        if (fields.tag_and_type() == Bytes(2)) {
          DecodeEntry(fields.get_message());
          RETURN_IF_ERROR(streams_.CheckSize());
        } else {
          fields.skip();
        }
      }
    }
    return absl::OkStatus();
  }

 private:
  void DecodeEntry(pbf_reader message) {
    metadata_.Clear();
    Timestamp time = 0;
    bool has_time = false;
    std::string_view line;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1): has_time = DecodeTime(message.get_message(), &time); break;
        case Bytes(2): line = TakeBytes(&message); break;
        case Bytes(3): DecodePair(message.get_message()); break;
        default: message.skip();
      }
    }
    streams_.AddEntry(time, has_time, line, &metadata_);
  }

  static bool DecodeTime(pbf_reader message, Timestamp* time) {
    int64_t seconds = 0, nanos = 0;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Varint(1): seconds = message.get_int64(); break;
        case Varint(2): nanos = message.get_int32(); break;
        default: message.skip();
      }
    }
    return !__builtin_mul_overflow(seconds, kSecond, time) && !__builtin_add_overflow(*time, nanos, time);
  }

  void DecodePair(pbf_reader message) {
    std::string_view name, value;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1): name = TakeBytes(&message); break;
        case Bytes(2): value = TakeBytes(&message); break;
        default: message.skip();
      }
    }
    metadata_.Add(name, value);
  }

  Streams streams_;
  AttributeList metadata_;
};

}  // namespace

absl::Status DecodeLokiJson(std::string_view body, Timestamp now, WriteBatch* batch, IngestReport* report) {
  JsonDocument document;
  const auto root = document.Parse(body);
  if (!root.ok()) return root.status();
  return JsonDecoder(now, batch, report).Decode(*root);
}

absl::Status DecodeLokiProtobuf(std::string_view body, Timestamp now, WriteBatch* batch, IngestReport* report) {
  try {
    return ProtobufDecoder(now, batch, report).Decode(pbf_reader(body.data(), body.size()));
  } catch (const protozero::exception& error) {
    return absl::InvalidArgumentError(std::string("the body is no Loki push request in protobuf: ") + error.what());
  }
}

}  // namespace braid::ingest
