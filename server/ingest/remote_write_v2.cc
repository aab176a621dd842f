#include "server/ingest/remote_write_v2.h"

#include <absl/container/flat_hash_set.h>

#include <protozero/pbf_reader.hpp>
#include <string>
#include <vector>

#include "engine/base/status_macros.h"
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

// "http_requests_total" -> "http_requests": what a family's `_created` and its metadata are called by.
std::string_view FamilyOf(std::string_view name, std::string_view type) {
  const auto without = [&](std::string_view suffix) {
    return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name;
  };
  if (type == "counter") return without("_total");
  if (type != "histogram" && type != "summary") return name;
  for (const std::string_view suffix : {"_bucket", "_count", "_sum"}) {
    if (const std::string_view family = without(suffix); family != name) return family;
  }
  return name;
}

class Decoder {
 public:
  Decoder(WriteBatch* batch, IngestReport* report, RemoteWriteCounts* counts)
      : batch_(batch), report_(report), counts_(counts) {}

  absl::Status Decode(const pbf_reader& request) {
    // Series may stand before the symbols that they name.
    for (pbf_reader fields = request; fields.next();) {
      if (fields.tag_and_type() == Bytes(4)) {
        const protozero::data_view view = fields.get_view();
        symbols_.push_back(texts_.CleanText({view.data(), view.size()}));
      } else {
        fields.skip();
      }
    }
    for (pbf_reader fields = request; fields.next();) {
      if (fields.tag_and_type() != Bytes(5)) {
        fields.skip();
        continue;
      }
      RETURN_IF_ERROR(DecodeSeries(fields.get_message()));
      ++index_;
      RETURN_IF_ERROR(CheckBatchSize(*batch_, report_));
    }
    return absl::OkStatus();
  }

 private:
  std::string Place() const { return "timeseries[" + std::to_string(index_) + "]"; }

  bool Symbol(uint32_t number, std::string_view* text) const {
    if (number >= symbols_.size()) return false;
    *text = symbols_[number];
    return true;
  }

  // Pairs of numbers of symbols; packed, as proto3 writes them. "" or what is wrong.
  template <typename Refs>
  std::string LabelsOf(const Refs& refs, std::vector<LabelView>* labels) const {
    labels->clear();
    bool is_name = true;
    LabelView label;
    for (const uint32_t number : refs) {
      if (labels->size() > kLabelsMax) break;  // ProblemOfLabels says so
      if (!Symbol(number, is_name ? &label.name : &label.value)) {
        return "there is no symbol " + std::to_string(number);
      }
      if (!is_name) labels->push_back(label);
      is_name = !is_name;
    }
    return is_name ? "" : "a label's name has no value";
  }

  absl::Status DecodeSeries(const pbf_reader& message) {
    std::string problem = "series without labels";
    uint64_t records = 0;
    int64_t created = 0;
    MetricMetadata metadata;
    bool described = false;
    labels_.clear();
    for (pbf_reader fields = message; fields.next();) {
      switch (fields.tag_and_type()) {
        case Bytes(1): problem = LabelsOf(fields.get_packed_uint32(), &labels_); break;
        case Bytes(2):
        case Bytes(3):
          ++records;
          fields.skip();
          break;
        case Bytes(5): described = DecodeMetadata(fields.get_message(), &metadata); break;
        case Varint(6): created = fields.get_int64(); break;
        default: fields.skip();
      }
    }
    if (problem.empty()) problem = ProblemOfSeries(labels_);
    if (!problem.empty() || !report_->Admit(labels_, 1, records, &problem)) {
      report_->Reject(records, Place(), std::move(problem));
      return absl::OkStatus();
    }
    std::string_view name;
    for (const LabelView& label : labels_) {
      if (label.name == kMetricNameLabel) name = label.value;
    }
    const std::string_view family = FamilyOf(name, metadata.type);
    if (described && !name.empty()) AddMetadata(std::string(family), std::move(metadata), name);
    const WriteBatch::SeriesRef series = batch_->AddSeries(labels_);
    for (pbf_reader fields = message; fields.next();) {
      switch (fields.tag_and_type()) {
        case Bytes(2): DecodeSample(fields.get_message(), series, &created); break;
        case Bytes(3): DecodeHistogram(fields.get_message(), series); break;
        case Bytes(4):
          DecodeExemplar(fields.get_message(), series);
          RETURN_IF_ERROR(CheckBatchSize(*batch_, report_));
          break;
        default: fields.skip();
      }
    }
    if (created > 0 && last_time_ != 0 && !name.empty()) AddCreated(std::string(family), created);
    last_time_ = 0;
    return absl::OkStatus();
  }

  // False if it says nothing.
  bool DecodeMetadata(pbf_reader message, MetricMetadata* metadata) const {
    metadata->type = "unknown";
    uint32_t help = 0, unit = 0;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Varint(1): metadata->type = PrometheusTypeName(message.get_enum()); break;
        case Varint(3): help = message.get_uint32(); break;
        case Varint(4): unit = message.get_uint32(); break;
        default: message.skip();
      }
    }
    std::string_view text;
    if (Symbol(help, &text)) metadata->help = text;
    if (Symbol(unit, &text)) metadata->unit = text;
    return metadata->type != "unknown" || !metadata->help.empty() || !metadata->unit.empty();
  }

  // By the name that version 1.0 has: that of the family, but with a counter's _total. Once in a request.
  void AddMetadata(std::string family, MetricMetadata metadata, std::string_view name) {
    metadata.metric = metadata.type == "counter" ? std::string(name) : std::move(family);
    if (described_.insert(metadata.metric).second) batch_->AddMetadata(metadata);
  }

  void DecodeSample(pbf_reader message, WriteBatch::SeriesRef series, int64_t* created) {
    double value = 0;
    Timestamp time = 0;
    bool fits = true;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Fixed64(1): value = message.get_double(); break;
        case Varint(2): fits = TimeOfMillis(message.get_int64(), &time); break;
        // Drafts after 2.0-rc.3 have the created timestamp here.
        case Varint(3): *created = message.get_int64(); break;
        default: message.skip();
      }
    }
    if (!fits) {
      report_->Reject(1, Place(), "timestamp is beyond the range of nanoseconds");
      return;
    }
    batch_->AddSample(series, time, value);
    last_time_ = time;
    ++report_->accepted;
    ++counts_->samples;
  }

  void DecodeHistogram(const pbf_reader& message, WriteBatch::SeriesRef series) {
    Histogram histogram;
    Timestamp time = 0;
    if (std::string problem = DecodePrometheusHistogram(message, &time, &histogram); !problem.empty()) {
      report_->Reject(1, Place(), std::move(problem));
      return;
    }
    batch_->AddHistogram(series, time, histogram);
    last_time_ = time;
    ++report_->accepted;
    ++counts_->histograms;
  }

  // An exemplar that cannot be kept is missing from the counts; it does not make its series' samples worth less.
  void DecodeExemplar(pbf_reader message, WriteBatch::SeriesRef series) {
    Exemplar exemplar;
    std::string problem;
    exemplar_labels_.clear();
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1): problem = LabelsOf(message.get_packed_uint32(), &exemplar_labels_); break;
        case Fixed64(2): exemplar.value = message.get_double(); break;
        case Varint(3):
          if (!TimeOfMillis(message.get_int64(), &exemplar.time)) problem = "timestamp is beyond the range";
          break;
        default: message.skip();
      }
    }
    if (problem.empty() && !exemplar_labels_.empty()) problem = ProblemOfLabels(exemplar_labels_);
    if (!problem.empty()) {
      report_->Keep({0, Place() + ", exemplar", std::move(problem)});
      return;
    }
    AttributeList attributes;
    for (const LabelView& label : exemplar_labels_) {
      if (!TakeExemplarId(label.name, label.value, &exemplar)) attributes.Add(label.name, label.value);
    }
    exemplar.attributes = attributes.views();
    batch_->AddExemplar(series, exemplar);
    ++counts_->exemplars;
  }

  void AddCreated(std::string family, int64_t millis) {
    const std::string name = std::move(family) + "_created";
    std::vector<LabelView> labels;
    std::string key = name;
    for (const LabelView& label : labels_) {
      if (label.name == "le" || label.name == "quantile") continue;
      labels.push_back(label.name == kMetricNameLabel ? LabelView{label.name, name} : label);
      if (label.name != kMetricNameLabel) key.append(1, '\0').append(label.name).append(1, '\0').append(label.value);
    }
    if (!created_.insert(std::move(key)).second) return;
    batch_->AddSample(batch_->AddSeries(labels), last_time_, static_cast<double>(millis) / 1e3);
  }

  WriteBatch* batch_;
  IngestReport* report_;
  RemoteWriteCounts* counts_;
  size_t index_ = 0;
  Timestamp last_time_ = 0;  // of the series in hand
  TextArena texts_;
  std::vector<std::string_view> symbols_;
  std::vector<LabelView> labels_, exemplar_labels_;
  absl::flat_hash_set<std::string> described_, created_;
};

}  // namespace

absl::Status DecodeRemoteWriteV2(std::string_view body, WriteBatch* batch, IngestReport* report,
                                 RemoteWriteCounts* counts) {
  try {
    return Decoder(batch, report, counts).Decode(pbf_reader(body.data(), body.size()));
  } catch (const protozero::exception& error) {
    return absl::InvalidArgumentError(std::string("the body is not a remote write 2.0 protobuf message: ") +
                                      error.what());
  }
}

}  // namespace braid::ingest
