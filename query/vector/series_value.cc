#include "query/vector/series_value.h"

namespace braid::promql {

uint64_t BytesOf(const Labels& labels) {
  uint64_t bytes = 0;
  for (const Label& label : labels) bytes += sizeof(Label) + 2 * (label.name.size() + label.value.size());
  return bytes;
}

uint64_t BytesOf(const std::vector<HistogramPtr>& histograms) {
  constexpr uint64_t kControlBytes = 32;  // of the shared pointer, and of its allocation
  uint64_t bytes = histograms.size() * sizeof(HistogramPtr);
  const Histogram* before = nullptr;
  for (const HistogramPtr& histogram : histograms) {
    if (histogram == nullptr || histogram.get() == before) continue;
    before = histogram.get();
    bytes += sizeof(Histogram) + kControlBytes +
             (histogram->positive.size() + histogram->negative.size()) * sizeof(Histogram::Bucket) +
             histogram->custom_bounds.size() * sizeof(double);
  }
  return bytes;
}

}  // namespace braid::promql
