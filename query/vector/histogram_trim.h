// The operators </ and >/ of native histograms: what lies below, or above, a value.
#pragma once

#include "braid/types.h"

namespace braid::promql {

// Keeps the observations below `limit` (`below`), or above it. A bucket that holds the limit keeps the share that
// histogram_fraction would count. Sum and count are estimated from the buckets if anything goes.
// Source: Prometheus documentation, "Histogram trim operators".
void TrimHistogram(Histogram* histogram, double limit, bool below);

}  // namespace braid::promql
