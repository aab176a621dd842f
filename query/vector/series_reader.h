// Reads a scan of series ahead of whoever evaluates them: blocks are read and decoded in a thread of its own while the
// series before are worked on.
//
// Few series are read in the caller's thread, without that cost. Series come in the scan's order either way.
// Threads: an object belongs to one thread; its own thread ends with it. Errors: those of the scan, in their place.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/series_fold.h"
#include "braid/snapshot.h"
#include "query/memory/memory_budget.h"

namespace braid::promql {

class SeriesReader {
 public:
  // `threads` = 1: nothing is read ahead; 0 = as many as the machine has cores.
  // What has been read and is not yet done with counts into the budget of `hold`.
  SeriesReader(std::unique_ptr<SeriesScan> scan, int threads, MemoryHold hold);
  ~SeriesReader();
  SeriesReader(const SeriesReader&) = delete;

  // `*series` counts as held until the next call.
  absl::StatusOr<bool> Next(SeriesData* series);
  // Of the series that Next gave last, if the scan folds.
  const std::vector<SampleFold>& folds() const { return folds_; }
  // REQUIRES: Next has answered false.
  const ScanStats& stats() const { return scan_->stats(); }

 private:
  struct Batch {
    std::vector<SeriesData> series;
    std::vector<std::vector<SampleFold>> folds;  // empty, or one entry per series
    absl::Status status;                         // what ended the scan after these series
    bool last = false;
    MemoryHold hold;
  };
  Batch MakeBatch() const { return {{}, {}, absl::OkStatus(), false, current_.Sibling()}; }
  Batch ReadBatch();
  void ReadAhead();
  bool NextBatch();

  const std::unique_ptr<SeriesScan> scan_;
  FoldingSeriesScan* const folding_;  // the scan, if it can fold
  bool may_read_ahead_;
  size_t read_directly_ = 0;  // samples and series that the caller's thread has read
  bool ahead_ = false;
  MemoryHold current_;  // of the series that the caller's thread has read
  Batch batch_;
  size_t at_ = 0;
  std::vector<SampleFold> folds_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> waiting_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace braid::promql
