// Field numbers are those of prometheus/remote.proto and prometheus/types.proto.
#include "tools/remote_write_body.h"

#include <snappy.h>

#include <algorithm>
#include <iterator>
#include <protozero/pbf_writer.hpp>
#include <vector>

#include "braid/metrics_visitor.h"
#include "engine/base/status_macros.h"

namespace braid {
namespace {

using protozero::pbf_writer;

// MetricMetadata.MetricType, by number.
constexpr std::string_view kTypes[] = {"unknown",        "counter", "gauge", "histogram",
                                       "gaugehistogram", "summary", "info",  "stateset"};

void WriteLabel(pbf_writer label, std::string_view name, std::string_view value) {
  label.add_string(1, name.data(), name.size());
  label.add_string(2, value.data(), value.size());
}

class Encoder : public MetricsVisitor {
 public:
  void OnSeries(const Labels& labels) override {
    pbf_writer out(series_.emplace_back());
    for (const Label& label : labels) WriteLabel(pbf_writer(out, 1), label.name, label.value);
  }
  void OnSample(WriteBatch::SeriesRef series, Timestamp time, double value) override {
    pbf_writer out(series_[series]);
    pbf_writer sample(out, 2);
    sample.add_double(1, value);
    sample.add_int64(2, time / kMillisecond);
  }
  void OnHistogram(WriteBatch::SeriesRef, Timestamp, const Histogram&) override {}
  void OnExemplar(WriteBatch::SeriesRef series, const Exemplar& exemplar) override {
    pbf_writer out(series_[series]);
    pbf_writer message(out, 3);
    if (!exemplar.trace_id.IsZero()) WriteLabel(pbf_writer(message, 1), "trace_id", ToHex(exemplar.trace_id));
    if (!exemplar.span_id.IsZero()) WriteLabel(pbf_writer(message, 1), "span_id", ToHex(exemplar.span_id));
    for (const AttributeView& attribute : exemplar.attributes) {
      WriteLabel(pbf_writer(message, 1), attribute.name, ToText(attribute.value));
    }
    message.add_double(2, exemplar.value);
    message.add_int64(3, exemplar.time / kMillisecond);
  }
  void OnMetadata(const MetricMetadata& metadata) override {
    pbf_writer out(metadata_);
    pbf_writer message(out, 3);
    const auto type = std::find(std::begin(kTypes), std::end(kTypes), metadata.type);
    if (type != std::end(kTypes)) message.add_enum(1, static_cast<int32_t>(type - std::begin(kTypes)));
    message.add_string(2, metadata.metric);
    message.add_string(4, metadata.help);
    message.add_string(5, metadata.unit);
  }

  std::string Take() {
    std::string request, compressed;
    pbf_writer out(request);
    for (const std::string& series : series_) out.add_message(1, series);
    request += metadata_;
    snappy::Compress(request.data(), request.size(), &compressed);
    return compressed;
  }

 private:
  std::vector<std::string> series_;  // TimeSeries, as far as they have come
  std::string metadata_;             // fields of the request
};

}  // namespace

absl::StatusOr<std::string> EncodeRemoteWrite(const WriteBatch& batch) {
  Encoder encoder;
  RETURN_IF_ERROR(VisitMetrics(batch, &encoder));
  return encoder.Take();
}

}  // namespace braid
