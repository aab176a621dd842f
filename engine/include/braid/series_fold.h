// Reading series without all of their samples: what a run of them comes to, as its part knows it beside the bytes.
//
// Threads: a scan belongs to one thread at a time. A scan that can fold is found by dynamic_cast of a SeriesScan.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/snapshot.h"
#include "braid/types.h"

namespace braid {

// A run of neighbouring float samples of one series, none of them NaN. Of equal extremes the first sample's stands, as
// with 0 and -0.
struct SampleFold {
  Timestamp first = 0;
  Timestamp last = 0;
  uint64_t count = 0;
  double min = 0;
  double max = 0;
};

class FoldingSeriesScan : public SeriesScan {
 public:
  // From now on a run that lies whole in one of the ranges may be given as a fold instead of its samples. REQUIRES:
  // called before the first Next; the ranges are ascending and disjoint.
  virtual void FoldInside(std::vector<TimeRange> ranges) = 0;
  // Of the series that Next gave last: what is not among its samples, ascending. A series may consist of folds alone.
  virtual const std::vector<SampleFold>& folds() const = 0;
};

}  // namespace braid
