// Series that one thread finds and others read: the samples of several series are read at the same time.
//
// Threads: NextUnread belongs to one thread at a time, Read may run on any, for several series at once. Ownership: what
// is unread must not outlive its scan. A scan that can is found by dynamic_cast of a SeriesScan.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/series_fold.h"
#include "braid/snapshot.h"

namespace braid {

class SampleReader {
 public:
  virtual ~SampleReader() = default;
  // Appends the samples in the scan's range to `*series`, whose labels it leaves alone, and what is folded instead to
  // `*folds`. It may be that there are none. REQUIRES: called once.
  virtual absl::Status Read(SeriesData* series, std::vector<SampleFold>* folds) = 0;
};

struct UnreadSeries {
  Labels labels;
  size_t samples = 0;  // about how many will have to be decoded
  std::unique_ptr<SampleReader> reader;
};

class UnreadSeriesScan {
 public:
  virtual ~UnreadSeriesScan() = default;
  // Called instead of Next, in whose order series come. False at the end. The scan's stats() may be asked for when
  // no Read is under way.
  virtual absl::StatusOr<bool> NextUnread(UnreadSeries* series) = 0;
};

}  // namespace braid
