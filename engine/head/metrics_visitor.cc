#include "braid/metrics_visitor.h"

#include "engine/base/status_macros.h"
#include "engine/head/batch_reader.h"

namespace braid {

absl::Status VisitMetrics(const WriteBatch& batch, MetricsVisitor* visitor) {
  BatchView view;
  RETURN_IF_ERROR(CheckBatch(batch, &view));
  // The check has seen that all of it can be read.
  for (const std::string_view encoded : view.series) {
    Labels labels;
    DecodeLabels(encoded, &labels);
    visitor->OnSeries(labels);
  }
  BodyReader reader(view.body);
  BatchItem item;
  while (reader.Next(&item)) {
    switch (item.kind) {
      case BatchItem::Kind::kSample: visitor->OnSample(item.ref, item.time, item.value); break;
      case BatchItem::Kind::kHistogram: {
        Histogram histogram;
        DecodeHistogram(item.payload, &histogram);
        visitor->OnHistogram(item.ref, item.time, histogram);
        break;
      }
      case BatchItem::Kind::kExemplar: {
        ExemplarView exemplar;
        DecodeExemplar(item.payload, &exemplar);
        std::vector<AttributeView> attributes;
        AttributeReader attribute_reader(exemplar.attributes);
        for (AttributeView attribute; attribute_reader.Next(&attribute);) attributes.push_back(attribute);
        exemplar.exemplar.attributes = attributes;
        visitor->OnExemplar(item.ref, exemplar.exemplar);
        break;
      }
      case BatchItem::Kind::kMetadata: {
        MetricMetadata metadata;
        DecodeMetadata(item.payload, &metadata);
        visitor->OnMetadata(metadata);
        break;
      }
      case BatchItem::Kind::kLog:
      case BatchItem::Kind::kSpan: break;
    }
  }
  return absl::OkStatus();
}

}  // namespace braid
