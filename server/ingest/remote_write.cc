#include "server/ingest/remote_write.h"

#include <algorithm>
#include <cstring>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <vector>

#include "engine/base/status_macros.h"
#include "engine/base/text_order.h"
#include "server/ingest/attribute_list.h"
#include "server/ingest/otlp_records.h"
#include "server/ingest/prometheus_protobuf.h"

namespace braid::ingest {
namespace {

using protozero::pbf_reader;

constexpr uint32_t Varint(uint32_t field) { return protozero::tag_and_type(field, protozero::pbf_wire_type::varint); }
constexpr uint32_t Fixed64(uint32_t field) { return protozero::tag_and_type(field, protozero::pbf_wire_type::fixed64); }
constexpr uint32_t Bytes(uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::length_delimited);
}

std::string_view TakeBytes(pbf_reader* reader) {
  const protozero::data_view view = reader->get_view();
  return {view.data(), view.size()};
}

class Decoder {
 public:
  Decoder(WriteBatch* batch, IngestReport* report) : batch_(batch), report_(report) {}

  absl::Status Decode(pbf_reader request) {
    while (request.next()) {
      switch (request.tag_and_type()) {
        case Bytes(1): {
          const std::string_view series = TakeBytes(&request);
          if (!DecodePlainSeries(series)) DecodeSeries(pbf_reader(series.data(), series.size()));
          ++index_;
          break;
        }
        case Bytes(3): DecodeMetadata(request.get_message()); break;
        default: request.skip();
      }
      RETURN_IF_ERROR(CheckBatchSize(*batch_, report_));
    }
    return absl::OkStatus();
  }

 private:
  // What nearly every series of nearly every sender looks like: sorted ASCII labels of up to 127 bytes, then float
  // samples. False, with nothing added, for any other; DecodeSeries takes it then.
  bool DecodePlainSeries(std::string_view message) {
    const char* at = message.data();
    const char* const end = at + message.size();
    labels_.clear();
    samples_.clear();
    // A length, and that many bytes inside of the message; every length is one byte.
    const auto take = [](const char** from, const char* limit, char tag, std::string_view* bytes) {
      if (limit - *from < 2 || **from != tag) return false;
      const auto size = static_cast<uint8_t>((*from)[1]);
      if (size > 127 || limit - *from - 2 < size) return false;
      *bytes = {*from + 2, size};
      *from += 2 + size;
      return true;
    };
    constexpr char kFirst = 1 << 3 | 2, kSecond = 2 << 3 | 2;
    std::string_view bytes;
    while (at != end && *at == kFirst) {
      LabelView label;
      if (!take(&at, end, kFirst, &bytes)) return false;
      const char* inner = bytes.data();
      const char* const inner_end = inner + bytes.size();
      if (!take(&inner, inner_end, kFirst, &label.name) || !take(&inner, inner_end, kSecond, &label.value) ||
          inner != inner_end || label.name.empty() || label.value.empty() ||
          (!labels_.empty() && CompareNames(labels_.back().name, label.name) >= 0)) {
        return false;
      }
      labels_.push_back(label);
    }
    if (labels_.empty() || labels_.size() > kLabelsMax) return false;
    const auto named = [](const LabelView& label) { return label.name == kMetricNameLabel; };
    if (std::none_of(labels_.begin(), labels_.end(), named)) return false;
    const std::string_view label_bytes(message.data(), static_cast<size_t>(at - message.data()));
    if (!IsAscii(label_bytes)) return false;
    while (at != end) {
      if (!take(&at, end, kSecond, &bytes)) return false;
      Sample sample;
      const char* inner = bytes.data();
      const char* const inner_end = inner + bytes.size();
      if (inner != inner_end && *inner == (1 << 3 | 1)) {
        if (inner_end - inner < 9) return false;
        std::memcpy(&sample.value, inner + 1, 8);
        inner += 9;
      }
      if (inner != inner_end) {
        if (*inner++ != (2 << 3)) return false;
        uint64_t millis = 0;
        uint32_t shift = 0;
        while (inner != inner_end && static_cast<uint8_t>(*inner) >= 0x80 && shift < 56) {
          millis |= static_cast<uint64_t>(*inner++ & 0x7f) << shift;
          shift += 7;
        }
        if (inner == inner_end || static_cast<uint8_t>(*inner) >= 0x80) return false;
        millis |= static_cast<uint64_t>(*inner++) << shift;
        if (inner != inner_end || __builtin_mul_overflow(static_cast<int64_t>(millis), kMillisecond, &sample.time)) {
          return false;
        }
      }
      samples_.push_back(sample);
    }
    if (report_->gate != nullptr && !report_->gate->AdmitMessage(label_bytes, labels_, report_->now)) return false;
    const WriteBatch::SeriesRef series = batch_->AddSeries(labels_);
    for (const Sample& sample : samples_) batch_->AddSample(series, sample.time, sample.value);
    report_->accepted += samples_.size();
    return true;
  }

  static bool IsAscii(std::string_view text) {
    uint64_t any = 0;
    const char* at = text.data();
    size_t left = text.size();
    for (; left >= 8; at += 8, left -= 8) {
      uint64_t word;
      std::memcpy(&word, at, 8);
      any |= word;
    }
    for (; left > 0; ++at, --left) any |= static_cast<uint8_t>(*at);
    return (any & 0x8080808080808080u) == 0;
  }

  void DecodeLabel(pbf_reader message, std::vector<LabelView>* labels) {
    LabelView label;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1): label.name = texts_.CleanText(TakeBytes(&message)); break;
        case Bytes(2): label.value = texts_.CleanText(TakeBytes(&message)); break;
        default: message.skip();
      }
    }
    labels->push_back(label);
  }

  void DecodeSeries(const pbf_reader& message) {
    labels_.clear();
    texts_.Clear();
    uint64_t records = 0;
    for (pbf_reader fields = message; fields.next();) {
      if (fields.tag_and_type() == Bytes(1)) {
        DecodeLabel(fields.get_message(), &labels_);
      } else {
        if (fields.tag_and_type() == Bytes(2) || fields.tag_and_type() == Bytes(4)) ++records;
        fields.skip();
      }
    }
    std::string problem = ProblemOfSeries(labels_);
    if (!problem.empty() || !report_->Admit(labels_, 1, records, &problem)) {
      report_->Reject(records, Place(), std::move(problem));
      return;
    }
    const WriteBatch::SeriesRef series = batch_->AddSeries(labels_);
    for (pbf_reader fields = message; fields.next();) {
      switch (fields.tag_and_type()) {
        case Bytes(2): DecodeSample(fields.get_message(), series); break;
        case Bytes(3): DecodeExemplar(fields.get_message(), series); break;
        case Bytes(4): DecodeHistogram(fields.get_message(), series); break;
        default: fields.skip();
      }
    }
  }

  std::string Place() const { return "timeseries[" + std::to_string(index_) + "]"; }

  void DecodeSample(pbf_reader message, WriteBatch::SeriesRef series) {
    double value = 0;
    Timestamp time = 0;
    bool fits = true;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Fixed64(1): value = message.get_double(); break;
        case Varint(2): fits = TimeOfMillis(message.get_int64(), &time); break;
        default: message.skip();
      }
    }
    if (!fits) {
      report_->Reject(1, Place(), "timestamp is beyond the range of nanoseconds");
      return;
    }
    batch_->AddSample(series, time, value);
    ++report_->accepted;
  }

  void DecodeExemplar(pbf_reader message, WriteBatch::SeriesRef series) {
    std::vector<LabelView> labels;
    Exemplar exemplar;
    bool fits = true;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1): DecodeLabel(message.get_message(), &labels); break;
        case Fixed64(2): exemplar.value = message.get_double(); break;
        case Varint(3): fits = TimeOfMillis(message.get_int64(), &exemplar.time); break;
        default: message.skip();
      }
    }
    if (!fits) return;
    AttributeList attributes;
    for (const LabelView& label : labels) {
      if (!TakeExemplarId(label.name, label.value, &exemplar)) attributes.Add(label.name, label.value);
    }
    exemplar.attributes = attributes.views();
    batch_->AddExemplar(series, exemplar);
  }

  void DecodeHistogram(const pbf_reader& message, WriteBatch::SeriesRef series) {
    Histogram histogram;
    Timestamp time = 0;
    std::string problem = DecodePrometheusHistogram(message, &time, &histogram);
    if (!problem.empty()) {
      report_->Reject(1, Place(), std::move(problem));
      return;
    }
    batch_->AddHistogram(series, time, histogram);
    ++report_->accepted;
  }

  void DecodeMetadata(pbf_reader message) {
    MetricMetadata metadata;
    metadata.type = "unknown";
    TextArena texts;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Varint(1): metadata.type = PrometheusTypeName(message.get_enum()); break;
        case Bytes(2): metadata.metric = texts.CleanText(TakeBytes(&message)); break;
        case Bytes(4): metadata.help = texts.CleanText(TakeBytes(&message)); break;
        case Bytes(5): metadata.unit = texts.CleanText(TakeBytes(&message)); break;
        default: message.skip();
      }
    }
    if (!metadata.metric.empty()) batch_->AddMetadata(metadata);
  }

  WriteBatch* batch_;
  IngestReport* report_;
  size_t index_ = 0;
  struct Sample {
    Timestamp time = 0;
    double value = 0;
  };
  std::vector<LabelView> labels_;
  std::vector<Sample> samples_;
  TextArena texts_;
};

}  // namespace

absl::Status DecodeRemoteWrite(std::string_view body, WriteBatch* batch, IngestReport* report) {
  try {
    return Decoder(batch, report).Decode(pbf_reader(body.data(), body.size()));
  } catch (const protozero::exception& error) {
    return absl::InvalidArgumentError(std::string("the body is not a remote write protobuf message: ") + error.what());
  }
}

}  // namespace braid::ingest
