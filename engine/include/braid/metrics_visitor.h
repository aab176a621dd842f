// The metrics of a WriteBatch, for programs that pass a batch on instead of writing it.
//
// Threads: pure function. Ownership: what a visitor gets lives for the call. Errors: InvalidArgument for a batch that
// DB::Write would refuse; nothing is visited then.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "braid/types.h"
#include "braid/write_batch.h"

namespace braid {

class MetricsVisitor {
 public:
  virtual ~MetricsVisitor() = default;
  // In the order of the batch's series, before everything else; ascending by name.
  virtual void OnSeries(const Labels& labels) = 0;
  // `series` counts what OnSeries got, from 0.
  virtual void OnSample(WriteBatch::SeriesRef series, Timestamp time, double value) = 0;
  virtual void OnHistogram(WriteBatch::SeriesRef series, Timestamp time, const Histogram& histogram) = 0;
  virtual void OnExemplar(WriteBatch::SeriesRef series, const Exemplar& exemplar) = 0;
  virtual void OnMetadata(const MetricMetadata& metadata) = 0;
};

absl::Status VisitMetrics(const WriteBatch& batch, MetricsVisitor* visitor);

}  // namespace braid
